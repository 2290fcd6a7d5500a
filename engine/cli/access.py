"""`rollcall access ...`: who may use which topic of Kafka: planned, applied, checked; its users, and whom it refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from engine.access.apply import USERS_ACT, Access, plan_id, said
from engine.access.broker import AccessRefused, Broker
from engine.access.denied import denied
from engine.access.scripts import FOLDER
from engine.access.scripts import export as export_to
from engine.access.state import WantedState
from engine.access.users import STAYS_OPEN, Users
from engine.cli.audited import acting_as, audited
from engine.cli.output import show, show_json, tell
from engine.settings import Settings, load
from engine.stores.audit import AuditLog
from engine.stores.records import Records
from governance.kafka_access.decide import question, question_faults
from governance.kafka_access.plan import NotAPlan, Plan
from governance.kafka_access.rule import ANY, CLUSTER
from governance.kafka_access.sentence import sentence

DIFFERS = 1
REFUSED = 1
SHOWN = 20

Deletes = Annotated[bool, typer.Option("--deletes", help="Also delete rules of ours that are not wanted.")]
Why = Annotated[str, typer.Option(help="The reason, kept in the audit.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user, without User:.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Who may use which topic of Kafka.", no_args_is_help=True)
    group.command("plan")(plan)
    group.command()(apply)
    group.command()(check)
    group.command()(drift)
    group.command("denied")(show_denied)
    group.command("export")(export)
    group.command("import")(import_text)
    group.command("export-scripts")(export_scripts)
    users = typer.Typer(help="Who can sign in to Kafka.", no_args_is_help=True)
    users.command("list")(list_users)
    users.command()(create)
    users.command()(rotate)
    users.command()(delete)
    group.add_typer(users, name="users")
    app.add_typer(group, name="access")


def plan(
    deletes: Deletes = False,
    out: Annotated[Path | None, typer.Option(help="File to write the plan into, for `apply --plan`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be created and deleted, in words and as kafka-acls.sh would; exit 1 if there is something to do.

    Example: rollcall access plan --deletes
    """
    with Access.opened(load()) as access:
        made, version = access.plan(deletes), access.version
        lost = access.lost(made)
        _unreadable(access.broker)
    if out:
        out.write_text(made.to_json(), encoding="utf-8")
    if as_json:
        show_json({"id": plan_id(made), "version": version.n, "refused": lost, "empty": made.empty,
                   "steps": [said(made, step) for step in made.steps], "commands": made.commands,
                   "left": [{"rule": made.says(one.rule), "why": one.why.value} for one in made.left]})
    else:
        _show(made, lost)
    if not made.empty:
        raise typer.Exit(DIFFERS)


def apply(
    why: Why,
    deletes: Deletes = False,
    file: Annotated[Path | None, typer.Option("--plan", exists=True, dir_okay=False, help="A plan that was kept.")] = None,
    yes: Annotated[str, typer.Option(metavar="ID", help="Id of the plan that was read: no question is asked.")] = "",
) -> None:
    """Carry the plan out, creations first; each step is read back and stands in the audit.

    Example: rollcall access apply --deletes --why "team orders has left"
    """
    settings = load()
    with Access.opened(settings) as access:
        made = _of_file(file) if file else access.plan(deletes)
        _unreadable(access.broker)
        lost = access.lost(made)
    if made.empty:
        show("There is nothing to do.")
        return
    _show(made, lost)
    _confirmed(made, yes)
    # anew: no connection of gatekeeper waits for a person, and what is wanted may have changed while the question stood
    with Access.opened(settings) as access, AuditLog.opened(settings) as audit:
        access.apply(made, audit, acting_as(), why, lambda text: tell(f"done: {text}"))
    show(f"{len(made.steps)} steps are done and read back.")


def check(
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Who, with or without User:.")],
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="READ, WRITE, CREATE, DESCRIBE, ...")],
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="topic:orders, group:readers, cluster, ...")],
    host: Annotated[str, typer.Option("--from", help="Address it comes from; else one that no rule names.")] = ANY,
    planned: Annotated[bool, typer.Option("--planned", help="As after the plan, not as today.")] = False,
    deletes: Deletes = False,
    as_json: AsJson = False,
) -> None:
    """Say whether somebody may do something, and by which rule; exit 1 if not.

    Example: rollcall access check stream READ topic:user_profiles
    """
    who, operation = principal if ":" in principal else f"User:{principal}", operation.upper()
    kind, _, name = resource.partition(":")
    kind, name = kind.lower().replace("-", "_"), name or (CLUSTER if kind.lower() == "cluster" else "")
    if wrong := question_faults(who, host, operation, kind, name):
        raise AccessRefused(f"This cannot be asked: {'; '.join(wrong)}.")
    with Access.opened(load()) as access:
        rules = access.plan(deletes).after if planned else access.broker.rules()
        verdict = access.decide(rules, who, host, operation, kind, name)
        _unreadable(access.broker)
    if as_json:
        show_json({"allowed": verdict.allowed, "answer": str(verdict)})
    else:
        tell(question(who, host, operation, kind, name))
        show(str(verdict))
    if not verdict.allowed:
        raise typer.Exit(REFUSED)


def drift(as_json: AsJson = False) -> None:
    """Show how Kafka differs from what is wanted: missing, unexpected, different; exit 1 if it does.

    Example: rollcall access drift
    """
    with Access.opened(load()) as access:
        found, teams = access.drift(), access.version.teams
        _unreadable(access.broker)
    if as_json:
        show_json(asdict(found))
    else:
        for rule in found.missing:
            show(f"missing     {sentence(rule, teams)}")
        for rule in found.unexpected:
            show(f"unexpected  {sentence(rule, teams)}")
        for one in found.different:
            show(f"different   {sentence(one.there, teams)}; wanted: {sentence(one.wanted, teams)}")
        show("`rollcall access apply --deletes` makes Kafka what is wanted; `rollcall access export` and `import` keep what "
             "Kafka has." if found else "Kafka has what is wanted.")
        if found.others:
            show(f"Rules of others that are about our topics too, neither wanted nor deleted: {len(found.others)}. "
                 "`rollcall access plan` names what stays.")
    if found:
        raise typer.Exit(DIFFERS)


def show_denied(
    principal: Annotated[str, typer.Option(help="Of one principal, without User:.")] = "",
    hours: Annotated[float, typer.Option(help="Of the last hours.", min=0)] = 24.0,
    limit: Annotated[int, typer.Option(help="Sorts of attempts that are shown, the latest first.", min=1)] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """Show whom the broker refused what, how often and by which rule, and what decides it today.

    Example: rollcall access denied --principal orders-reader
    """
    settings, since = load(), datetime.now(UTC) - timedelta(hours=hours)
    with Access.opened(settings) as access:
        rules = access.broker.rules()
        _unreadable(access.broker)
        found = denied(settings, lambda *asked: access.decide(rules, *asked), since)
    found = [one for one in found if not principal or one.attempt.principal == f"User:{principal}"][:limit]
    if as_json:
        show_json([{**asdict(one.attempt), "count": one.count, "first": one.first, "last": one.last, "rule": one.rule,
                    "today": str(one.today)} for one in found])
        return
    for one in found:
        asked = one.attempt
        show(f"{one.last:%Y-%m-%d %H:%M:%S} UTC  {one.count:5} times  {asked.principal} {asked.operation} {asked.resource} "
             f"{asked.name} from {asked.host} ({asked.request}). By the broker's rule: {one.rule or 'not told'}. "
             f"Today: {one.today}")
    if not found:
        show("Nobody was refused anything.")


def export(file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")]) -> None:
    """Write what is wanted into a file, to be edited and imported.

    Example: rollcall access export kafka_acls.yaml
    """
    with _wanted(load()) as state:
        newest = state.newest()
    file.write_text(newest.text, encoding="utf-8")
    show(f"Version {newest.n} is in {file}; `rollcall access import {file} --base {newest.n} --why ...` keeps what you change.")


def import_text(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A file as `export` writes it.")],
    why: Annotated[str, typer.Option(help="The reason, kept with the version.")],
    base: Annotated[int, typer.Option(help="Version that was exported; refused if there is a newer one.", min=0)],
) -> None:
    """Keep a file as what is wanted; faults are named with their lines, and nothing is kept then. Kafka stays as it is.

    Example: rollcall access import kafka_acls.yaml --base 3 --why "orders moved to another team"
    """
    settings = load()
    text = file.read_text(encoding="utf-8")
    with _wanted(settings) as state:
        newest = state.newest()
        if text == newest.text:
            show(f"Nothing in it is new: it is version {newest.n}.")
            return
        with audited(settings, "access.change", file.name, why):
            made = state.save(text, base, acting_as(), why)
    show(f"Version {made.n} is what is wanted now; `rollcall access plan` shows what that means for Kafka.")


def export_scripts(
    folder: Annotated[Path, typer.Option(help="Where they are written.")] = FOLDER,
) -> None:
    """Write scripts of kafka-acls.sh that create what is wanted, and take it away, on any Kafka 3 or 4 cluster.

    Example: rollcall access export-scripts
    """
    with _wanted(load()) as state:
        changed = export_to(state.newest(), folder)
    show("; ".join(f"{path} is written" for path in changed) or f"The scripts in {folder} are as they should be.")


def list_users(as_json: AsJson = False) -> None:
    """List who can sign in to Kafka.

    Example: rollcall access users list
    """
    with Broker.opened(load()) as broker:
        found = Users(broker).all()
    if as_json:
        show_json([asdict(user) for user in found])
        return
    for user in found:
        ours = "a program of this installation" if user.ours else ""
        show(f"{user.name:24} {'; '.join(user.credentials):36} {ours}".rstrip())


def create(name: Name, why: Why = "") -> None:
    """Make a user; its password is made here and shown once. What it may do are rules: `plan` and `apply`.

    Example: rollcall access users create orders-reader
    """
    settings = load()
    with Broker.opened(settings) as broker, audited(settings, USERS_ACT, name, why or "create"):
        password = Users(broker).create(name)
    show(f"User {name} is made. Its password, shown this once: {password}")


def rotate(name: Name, why: Why = "") -> None:
    """Give a user another password, shown once; the old one is refused from then on.

    Example: rollcall access users rotate orders-reader
    """
    settings = load()
    with Broker.opened(settings) as broker, audited(settings, USERS_ACT, name, why or "new password"):
        password = Users(broker).rotate(name)
    show(f"User {name} has a new password, shown this once: {password}")
    tell(STAYS_OPEN)


def delete(
    name: Name, why: Why,
    keep_rules: Annotated[bool, typer.Option("--keep-rules", help="Leave its rules, for who has the name next.")] = False,
    yes: Annotated[str, typer.Option(metavar="NAME", help="The name again: no question is asked.")] = "",
) -> None:
    """Take a user away, its rules first, so that connections that stay open can do nothing more.

    Example: rollcall access users delete orders-reader --why "the program has ended"
    """
    settings, gone = load(), list[str]()

    def went(text: str) -> None:
        gone.append(text)
        tell(f"done: {text}")

    with Access.opened(settings) as access, AuditLog.opened(settings) as audit:
        access.deletable(name, audit, acting_as())
        made = access.of(f"User:{name}")
        _unreadable(access.broker)
    for step in made.steps if not keep_rules else ():
        show(said(made, step))
    if (yes or typer.prompt(f"Type {name} to delete this user")) != name:
        raise AccessRefused(f"Nothing was done: {name} was not confirmed.")
    with Access.opened(settings) as access, AuditLog.opened(settings) as audit:    # anew, as for `apply`
        access.delete_user(name, keep_rules, audit, acting_as(), why, went)
        wanted = any(rule.principal == f"User:{name}" for rule in access.version.rules)
    show(f"User {name} is gone{'' if keep_rules else f' with {len(gone)} rules'}. {STAYS_OPEN}")
    if wanted:
        show(f"{name} is still wanted: take it out of the wanted state (`rollcall access export`, `import`), or the next plan "
             "gives the name its rules again.")


@contextmanager
def _wanted(settings: Settings) -> Iterator[WantedState]:
    with Records.opened(settings) as records:
        yield WantedState(settings, records)


def _of_file(file: Path) -> Plan:
    try:
        return Plan.from_json(file.read_text(encoding="utf-8"))
    except NotAPlan as error:
        raise AccessRefused(f"{file}: {error}") from None


def _show(made: Plan, lost: list[str]) -> None:
    for step in made.steps:
        show(f"{'+' if step.create else '-'} {made.says(step.rule)}")
    for one in made.left:
        show(f"  stays ({one.why}): {made.says(one.rule)}")
    for line in made.commands:
        show(line)
    for sentence_ in lost:
        show(f"Refused: {sentence_}")
    show(f"Plan {plan_id(made)}: {len(made.creates)} to create, {len(made.deletes)} to delete; {made.reach()}."
         if not made.empty else "There is nothing to do.")


def _confirmed(made: Plan, yes: str) -> None:
    """Asked as much as the plan reaches: a yes, or the plan's id where it is far-reaching. Raises AccessRefused."""
    own = plan_id(made)
    if yes:
        if yes != own:
            raise AccessRefused(f"Nothing was done: --yes {yes} is another plan than {own}, which is due now. Read it first: "
                                "`rollcall access plan`.")
    elif made.reach().far:
        if typer.prompt(f"This reaches far. Type the plan's id ({own}) to apply it") != own:
            raise AccessRefused("Nothing was done: that is not the plan's id.")
    elif not typer.confirm("Apply it?"):
        raise AccessRefused("Nothing was done.")


def _unreadable(broker: Broker) -> None:
    if broker.unreadable:
        tell("Kafka has rules about operations that this version does not know; they are neither looked at nor touched. "
             "kafka-acls.sh --list shows them.")
