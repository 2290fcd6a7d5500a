"""`rollcall password rotate`: new passwords for those who sign in to the three systems."""

from contextvars import Context
from typing import Annotated

import typer

from engine import secrets
from engine.cli.audited import audited
from engine.cli.output import show, tell
from engine.errors import SettingsInvalid
from engine.rotation import passwords
from engine.settings import load


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Rotate the passwords of this installation.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(rotate)
    app.add_typer(group, name="password")


def _group() -> None:
    """Rotate the passwords of this installation."""


def rotate(
    names: Annotated[list[str] | None, typer.Argument(
        help=f"Of whom: {', '.join(secrets.PRINCIPALS)}.", metavar="NAME")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Of everybody.")] = False,
) -> None:
    """Give a principal another password in every system and here, then start again what signs in as it.

    The servers must run. Interrupted, killed or failed, it can be given again and goes on. Example: rollcall password rotate
    producer
    """
    settings = load()
    if bool(names) == everybody:
        raise SettingsInvalid("Whose password? Give names, as `rollcall password rotate producer`, or --all.")
    whose = passwords.of_ours(settings) if everybody else tuple(names or ())
    passwords.require_ours(settings, whose)
    with passwords.usable(settings, whose), audited(settings, "password.rotate", ", ".join(whose)):
        Context().run(passwords.rotate, settings, whose, tell)    # where nobody signs in with anything but what the files say
    show(f"New passwords of {', '.join(whose)} are in force. Keep copies of {settings.secrets} as you kept those before.")
