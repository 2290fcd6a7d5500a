"""`rollcall audit list|verify`: what was done by whom, and whether that record is whole."""

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import show, show_json
from engine.errors import InputUnreadable
from engine.settings import load
from engine.stores.audit import AuditLog, head_in
from governance.audit import Head

BROKEN = 1
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="What was done by whom, and whether that record is whole.", no_args_is_help=True)
    group.command("list")(list_entries)
    group.command()(verify)
    app.add_typer(group, name="audit")


def list_entries(
    containing: Annotated[str, typer.Option(help="Those that have this text in any case, or this number.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Entries that are listed, the newest first.")] = SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the newest entries of the audit.

    Example: rollcall audit list --containing reveal --limit 50
    """
    with AuditLog.opened(load()) as audit:
        found = list(islice((entry for entry in audit.entries() if entry.has(containing)), limit))
    if as_json:
        show_json([asdict(entry) for entry in found])
        return
    for entry in found:
        why = f" ({entry.why})" if entry.why else ""
        show(f"{entry.n:6}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.who}  {entry.act}  {entry.target}  {entry.result}{why}")
    if not found:
        show("There is no such entry.")


def verify(
    head: Annotated[Path | None, typer.Option(
        exists=True, dir_okay=False, help="A copy of head.json that was kept elsewhere: the chain must hold it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Check every link of the audit; exit 1 and name each that was cut, edited or moved.

    Example: rollcall audit verify --head /media/usb/head.json
    """
    copy = None if head is None else _copy(head)
    with AuditLog.opened(load()) as audit:
        audit.chain_in()
        checked = audit.checked(copy=copy)
    found = checked.broken
    if as_json:
        show_json({"ok": not found, "entries": checked.entries, "broken": [asdict(link) for link in found]})
    else:
        for link in found[:SHOWN]:
            show(link.what)
        if len(found) > SHOWN:
            show(f"and {len(found) - SHOWN} more")
        show(f"{len(found)} links of the audit do not hold. Keep a copy of the table as it is, and find out who may write to "
             "Cassandra." if found else f"The audit is whole: {checked.entries} entries, each as it was written.")
    if found:
        raise typer.Exit(BROKEN)


def _copy(path: Path) -> Head:
    try:
        return head_in(path)
    except (OSError, ValueError):
        raise InputUnreadable(f"{path} is no copy of a head. It is made by copying var/state/audit/head.json, as often as you "
                              "wish, to where nobody who may write to Cassandra can.") from None
