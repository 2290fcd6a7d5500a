"""`rollcall publish run|preview|list|withdraw`: public figures, as numbered snapshots that disclose nobody."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from engine.cli.audited import acting_as, audited
from engine.cli.output import show, show_json
from engine.clients import mongo_client
from engine.publishing.held_back import Group, groups, listed
from engine.publishing.release import NotPublished, Overtaken, Publishing
from engine.publishing.snapshots import Published, Snapshots
from engine.settings import load
from governance.disclosure.figures import COUNTS
from governance.disclosure.ledger import Held, Release
from governance.disclosure.snapshot import Snapshot

HELD = 1

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Public figures that disclose nobody.", no_args_is_help=True)
    group.command()(run)
    group.command()(preview)
    group.command("list")(list_snapshots)
    group.command()(withdraw)
    app.add_typer(group, name="publish")


def run(
    base: Annotated[int | None, typer.Option(
        help="Only on top of this many releases, as `preview` says: refused if somebody has published since.", min=0)] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a snapshot now; exit 65 and the reason if nothing may be published.

    Example: rollcall publish run
    """
    settings = load()
    with Publishing.opened(settings) as publishing:
        prepared = publishing.prepare()
        if base is not None and base != prepared.base:
            raise Overtaken(f"There are {prepared.base} releases, not {base}: somebody has published. Look at "
                            "`rollcall publish preview` again.")
        if isinstance(prepared.outcome, Held):
            raise NotPublished(f"Nothing is published: {prepared.outcome.why}.")
        with audited(settings, "publishing.publish", f"snapshot {prepared.base + 1}"):
            made = publishing.carry_out(prepared, acting_as())
    if as_json:
        show_json(_said(made))
    else:
        show(f"Snapshot {made.snapshot.number} is published.")
        _show(made)


def preview(as_json: AsJson = False) -> None:
    """Show what would be published now, and what is held back and why; exit 1 if nothing may be published. Changes nothing.

    Example: rollcall publish preview
    """
    with Publishing.opened(load()) as publishing:
        prepared = publishing.prepare()
    outcome = prepared.outcome
    if isinstance(outcome, Held):
        if as_json:
            show_json({"base": prepared.base, "held": outcome.why})
        else:
            show(f"Nothing would be published: {outcome.why}.")
        raise typer.Exit(HELD)
    if as_json:
        show_json({"base": prepared.base, "held": None, **_said(outcome)})
    else:
        show(f"Snapshot {outcome.snapshot.number} would be published (--base {prepared.base}).")
        _show(outcome)


def list_snapshots(
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 20, as_json: AsJson = False,
) -> None:
    """Show the snapshots that were published, the newest first, and which are withdrawn and why.

    Example: rollcall publish list --limit 5
    """
    settings = load()
    with mongo_client(settings, "governance") as client:
        found = Snapshots(client[settings.mongo.database]).newest(limit)
    if as_json:
        show_json([{**one.snapshot.model_dump(mode="json"), "withdrawn": _withdrawn(one)} for one in found])
        return
    for one in found:
        gone = f", withdrawn {one.withdrawn_at:%Y-%m-%d %H:%M} UTC: {one.why}" if one.withdrawn_at else ""
        show(f"{one.snapshot.number:5} {one.snapshot.at:%Y-%m-%d %H:%M} UTC {one.snapshot.people:9} people{gone}")
    if not found:
        show("Nothing has been published yet.")


def withdraw(
    number: Annotated[int, typer.Argument(help="Number of the snapshot.", min=1)],
    because: Annotated[str, typer.Option(help="Why; it is kept with the snapshot and in the audit.")],
) -> None:
    """Take a snapshot out of view, for good; the newest that is not withdrawn is shown. It still counts as seen.

    Example: rollcall publish withdraw 12 --because "a source sent the same people under two numbers"
    """
    settings, why = load(), because.strip()
    if not why:
        raise typer.BadParameter("say why", param_hint="--because")
    with audited(settings, "publishing.withdraw", f"snapshot {number}", why), mongo_client(settings, "governance") as client:
        Snapshots(client[settings.mongo.database]).withdraw(number, why, datetime.now(UTC))
    show(f"Snapshot {number} is withdrawn.")


def _said(release: Release) -> dict[str, Any]:
    return {"snapshot": release.snapshot.model_dump(mode="json"),
            "held_back": [asdict(group) for group in groups(release.ledger.held_back)]}


def _withdrawn(one: Published) -> dict[str, Any] | None:
    return {"at": one.withdrawn_at, "why": one.why} if one.withdrawn_at else None


def _show(release: Release) -> None:
    snapshot = release.snapshot
    show(f"{snapshot.people} people, counted {snapshot.counted_at:%Y-%m-%d %H:%M:%S} UTC; the next release is due at "
         f"{snapshot.next_at:%Y-%m-%d %H:%M:%S} UTC.")
    held_back = groups(release.ledger.held_back)
    for name in COUNTS:
        _show_table(name, snapshot, [group for group in held_back if group.table == name])


def _show_table(name: str, snapshot: Snapshot, held_back: Sequence[Group]) -> None:
    table = snapshot.table(name)
    cells = ", ".join(f"{cell.key} {cell.people}" for cell in table.cells)
    show(f"{name.replace('_', ' ')}: {cells or 'no category'}; other {table.other}")
    for group in held_back:
        show(f"    held back, {group.why}: {listed(group)}")
