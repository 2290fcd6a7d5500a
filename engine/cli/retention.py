"""`rollcall retention show|run|keep`: is anything kept longer than the register states, and an end to what is."""

import signal
import threading
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from engine.cli.audited import acting_as, audited
from engine.cli.output import log, show, show_json, tell
from engine.compliance import retention
from engine.compliance.register import Register
from engine.compliance.survey import PRINCIPAL
from engine.errors import Retryable, RollcallError
from engine.settings import Settings, load
from engine.stores.records import Records
from governance.retention import Keeping

LATE = 1
TRIED_AGAIN_S, LOOKED_AGAIN_S = 60.0, 3600.0
WITHIN_S = 300.0

By = Annotated[str, typer.Option(hidden=True, help="Who asked, when the console does it for them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="How long data are kept, stated against measured.", no_args_is_help=True)
    group.command("show")(show_lines)
    group.command()(measure)
    group.command()(run)
    group.command()(keep)
    app.add_typer(group, name="retention")


def show_lines(as_json: AsJson = False) -> None:
    """Show each stated limit, the oldest that is there, and what is due; exit 1 if something is over its time.

    Example: rollcall retention show
    """
    settings = load()
    with Records.opened(settings, PRINCIPAL) as records:
        entries = [version.entry for version in Register(records).in_force()]
        evidence = retention.runs(records)
    found = retention.measured(settings, entries, datetime.now(UTC))
    if as_json:
        show_json({"lines": [retention.said(line) for line in found],
                   "runs": [{**asdict(run), "by": by} for run, by in evidence]})
    else:
        for line in found:
            oldest = f"oldest of {line.oldest:%Y-%m-%d %H:%M} UTC" if line.oldest else "nothing measured"
            due = f", {line.due} due" if line.due else ""
            show(f"{line.place:30} {line.limit.said}: {line.keeping}, {oldest}{due}")
        for run, by in evidence[:1]:
            show(f"Last run {run.at} by {by}: {run.expired} of {run.due} due rows expired in {run.seconds} s, {run.left} left.")
    if any(line.keeping in (Keeping.DUE, Keeping.OVERDUE) for line in found):
        raise typer.Exit(LATE)


def measure(by: By = "") -> None:
    """Measure as `show` does, and keep what was found: the Retention page shows the newest.

    Example: rollcall retention measure
    """
    kept = retention.measure(load(), by or acting_as())
    late = sorted({line["place"] for line in kept.lines if line["keeping"] in (Keeping.DUE, Keeping.OVERDUE)})
    show(f"{len(kept.lines)} limits are measured; over their time: {', '.join(late) or 'none'}.")


def run(
    within: Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)] = WITHIN_S, by: By = "",
) -> None:
    """Expire every row that is due, through the stream, and keep the evidence.

    Example: rollcall retention run
    """
    settings, who = load(), by or acting_as()
    with audited(settings, "retention.run", retention.PEOPLE):
        done = retention.run(settings, who, tell, within)
    retention.measure(settings, who)
    show(f"{done.expired} of {done.due} due rows are expired ({done.stated}); {done.left} are left.")
    if done.left:
        raise typer.Exit(LATE)


def keep() -> None:
    """Run it every day (governance.retention_hours) until Ctrl-C; the supervisor does just this.

    Example: rollcall retention keep
    """
    settings, over = load(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    every_s = settings.governance.retention_hours * 3600.0
    pause = 0.0
    while not over.wait(pause):
        try:
            pause = _next_in(settings, every_s)
            if pause <= 0:
                pause = every_s
                _kept(settings, over)
        except Retryable as error:    # a store is away: that ends
            log(f"{error} Tried again in {TRIED_AGAIN_S:.0f} s.")
            pause = TRIED_AGAIN_S
        except RollcallError as error:    # the stream does not run, nothing is stated: somebody has to do something
            pause = min(every_s, LOOKED_AGAIN_S)
            log(f"{error} Looked at again in {pause:.0f} s.")
    log("stopped")


def _kept(settings: Settings, over: threading.Event) -> None:
    """One run and, whatever it comes to, a measurement. Only what expires somebody goes into the audit."""
    try:
        act = audited(settings, "retention.run", retention.PEOPLE) if retention.count_due(settings, datetime.now(UTC)) \
            else nullcontext()
        with act:
            done = retention.run(settings, acting_as(), log, WITHIN_S, over=over)
        log(f"{done.expired} of {done.due} due rows are expired, {done.left} are left")
    finally:
        retention.measure(settings, acting_as())


def _next_in(settings: Settings, every_s: float) -> float:
    """Seconds until the next run is due; a run of the future was made by a clock that was wrong."""
    with Records.opened(settings, PRINCIPAL) as records:
        evidence = retention.runs(records)
    if not evidence:
        return 0.0
    since = (datetime.now(UTC) - datetime.fromisoformat(evidence[0][0].at)).total_seconds()
    return every_s - since if since >= 0 else 0.0
