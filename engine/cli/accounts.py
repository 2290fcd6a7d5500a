"""`rollcall accounts list|add|reset|roles|disable|enable|bind|unbind|sign-out`: who may sign in to the console."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from engine.cli.audited import acting_as
from engine.cli.output import show, show_json
from engine.clients import cassandra_session
from engine.sealing import load_keys
from engine.settings import load
from engine.stores.accounts import Accounts, HalfChanged
from engine.stores.audit import AuditLog
from governance.permissions import Role

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account.")]
PROVIDER = {"no": "password only", "awaited": "awaits its provider", "bound": "bound to its provider"}
Roles = Annotated[list[Role], typer.Option("--role", help="What it is for; may be given several times.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Who may sign in to the console.", no_args_is_help=True)
    for command in (add, reset, roles, disable, enable, bind, unbind):
        group.command()(command)
    group.command("list")(list_accounts)
    group.command("sign-out")(sign_out)
    app.add_typer(group, name="accounts")


def list_accounts(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """List the accounts with their roles, whether each is bound to a person of the provider, and how often it is signed in.

    Example: rollcall accounts list
    """
    with _opened() as (accounts, _):
        there, sessions = accounts.all(), accounts.sessions()
    signed_in = Counter(session.account for session in sessions)
    if as_json:
        show_json([{"name": one.name, "roles": sorted(one.roles), "disabled": one.disabled, "changed_at": one.changed_at,
                    "provider": one.provider, "signed_in": signed_in[one.name]} for one in there])
        return
    for one in there:
        state = "disabled" if one.disabled else f"signed in {signed_in[one.name]} times"
        show(f"{one.name:20} {', '.join(sorted(one.roles)):30} {PROVIDER[one.provider]:22} {state}")
    if not there:
        show("There is no account yet: rollcall accounts add NAME --role operator")


def add(name: Name, role: Roles) -> None:
    """Make an account; its password is made here and shown once.

    Example: rollcall accounts add ada --role operator --role analyst
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, f"add as {', '.join(role)}"):
        password = accounts.add(name, [one.value for one in role])
    show(f"Account {name} is made. Its password, shown this once: {password}")


def reset(name: Name) -> None:
    """Give an account a new password, shown once, and end its sessions.

    Example: rollcall accounts reset ada
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, "new password"):
        try:
            password = accounts.reset(name)
        except HalfChanged as error:    # which says how far it came: the old one may be dead
            show(f"The new password of {name}, shown this once: {error.password}")
            raise
    show(f"Account {name} has a new password, shown this once: {password}")


def roles(name: Name, role: Roles) -> None:
    """Set what an account is for, and end its sessions.

    Example: rollcall accounts roles ada --role officer
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, f"roles {', '.join(role)}"):
        accounts.set_roles(name, [one.value for one in role])
    show(f"Account {name} is now: {', '.join(role)}.")


def disable(name: Name) -> None:
    """Let an account sign in no more, and end its sessions.

    Example: rollcall accounts disable ada
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, "disable"):
        accounts.disable(name)
    show(f"Account {name} is disabled and signed out.")


def enable(name: Name) -> None:
    """Let a disabled account sign in again.

    Example: rollcall accounts enable ada
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, "enable"):
        accounts.disable(name, False)
    show(f"Account {name} may sign in again.")


def bind(name: Name) -> None:
    """Bind an account to whoever next signs in under its name through the OpenID Connect provider, and end its sessions.

    Example: rollcall accounts bind ada
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, "bind"):
        accounts.bind(name)
    show(f"Account {name} is bound to who next signs in under this name through the provider.")


def unbind(name: Name) -> None:
    """Let nobody in to an account through the provider any more, and end its sessions.

    Example: rollcall accounts unbind ada
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, "unbind"):
        accounts.bind(name, False)
    show(f"Account {name} is bound to nobody of the provider; its password works as before.")


def sign_out(name: Name) -> None:
    """End every session of an account.

    Example: rollcall accounts sign-out ada
    """
    with _opened() as (accounts, audit), audit.acting(acting_as(), "accounts.change", name, "sign out everywhere"):
        number = accounts.end_all(name)
    show(f"{number} sessions of {name} are ended.")


@contextmanager
def _opened() -> Iterator[tuple[Accounts, AuditLog]]:
    settings = load()
    with cassandra_session(settings, "governance") as session:
        yield Accounts(settings, session), AuditLog(settings, session, load_keys(settings))
