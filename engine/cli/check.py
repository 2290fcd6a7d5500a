"""`rollcall verify` and `rollcall recount`: do the stores agree, and making the aggregates agree."""

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.carried_out import send_and_wait
from engine.cli.audited import audited
from engine.cli.output import show, show_json, tell
from engine.settings import load

if TYPE_CHECKING:    # Spark is imported only by those who need it
    from engine.verify import Report

DIFFERENT = 1
REPAIR_WITHIN_S = 300.0


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command("verify")(verify_stores)
    app.command()(recount)


def verify_stores(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    repair: Annotated[bool, typer.Option(
        "--repair", help="If aggregates differ: have the stream recount them, and compare again.")] = False,
) -> None:
    """Compare topic, rows, markers, dead letters, aggregates and snapshots; exit 1 and name each place that differs.

    A running stream stands still while the stores are read, and goes on while they are compared. Rows that differ are
    not repaired: docs/operating.md says what to do. Example: rollcall verify --repair
    """
    from engine.verify import verify  # Spark is imported only by those who need it

    logging.getLogger().addHandler(logging.NullHandler())    # py4j would print a traceback for a Ctrl-C
    report = verify(load(), tell)
    if repair and report.aggregates_differ:
        tell(f"{len(report.findings) + report.more} places differ; recounting through the stream")
        _recounted(REPAIR_WITHIN_S)
        report = verify(load(), tell)
    if as_json:
        show_json({"ok": report.ok, **asdict(report)})
    else:
        show_report(report)
    if not report.ok:
        raise typer.Exit(DIFFERENT)


def show_report(report: "Report") -> None:
    """Shows what was compared, and each place that differs."""
    show(f"As of turn {report.turn}: {report.records} records, {report.rows} rows ({report.counted} counted), "
         f"{report.erased} erased, {report.dead_letters} dead letters, {report.documents} documents, "
         f"{report.snapshots} snapshots. "
         + ("The stream stood still while this was read." if report.streaming else "The stream does not run."))
    for reason, number in sorted(report.reasons.items()):
        show(f"  dead letters: {number} x {reason}")
    for finding in report.findings:
        show(f"  {finding.where}: {finding.what}")
    if report.more:
        show(f"  and {report.more} more")
    show("Everything agrees." if report.ok else f"{len(report.findings) + report.more} places differ. "
         "`rollcall verify --repair` sets aggregates right; docs/operating.md says what to do about the rest.")


def recount(within: Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)] = 300.0) -> None:
    """Set every aggregate from a new count of the rows, through the stream.

    Example: rollcall recount
    """
    _recounted(within)
    show("Recounted. `rollcall verify` compares.")


def _recounted(within: float) -> None:
    settings = load()
    with audited(settings, "stream.recount", "aggregates"):
        send_and_wait(settings, "recount", "", "", within, tell)
