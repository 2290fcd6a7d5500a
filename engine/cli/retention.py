"""`rollcall retention show|run|keep`: is anything kept longer than the register states, and an end to what is."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from engine.cli.audited import acting_as, audited
from engine.cli.output import log, show, show_json, tell
from engine.compliance import retention, topics
from engine.compliance.register import Register
from engine.compliance.survey import PRINCIPAL
from engine.errors import Retryable, RollcallError
from engine.log_lines import about
from engine.publishing.schedule import Schedule
from engine.rights import erasure
from engine.rights.forgotten import Forgotten
from engine.settings import Settings, load
from engine.stores.records import RETENTION, Records
from governance.retention import Keeping
from governance.rights.verdict import Outcome

LATE = 1
TRIED_AGAIN_S = 60.0
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
        for place in retention.RUNS:
            for run, by in [one for one in evidence if one[0].place == place][:1]:
                show(f"Last run {run.at} by {by} for {place}: {run.expired} of {run.due} due expired in {run.seconds} s, "
                     f"{_left(run)}.")
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
    """End every record of a topic and expire every row that is due, and keep the evidence.

    Example: rollcall retention run
    """
    settings, who = load(), by or acting_as()
    done: list[retention.Run] = []

    def act() -> None:
        with audited(settings, "retention.run", ", ".join(retention.RUNS)):
            _each(tell, lambda: done.extend(topics.end_old(settings, who, tell)),
                  lambda: done.append(retention.run(settings, who, tell, within)))

    try:
        _each(tell, act, lambda: retention.measure(settings, who))
    finally:    # what was done is shown whatever became of the rest
        for one in done:
            what = "due rows are expired" if one.place == retention.PEOPLE else f"due offsets of {one.place} are ended"
            show(f"{one.expired} of {one.due} {what} ({one.stated}); {_left(one)}.")
    if any(one.left > one.restricted for one in done):
        raise typer.Exit(LATE)


def _left(done: retention.Run) -> str:
    """What is left, in words."""
    oldest = f", the oldest of {done.oldest_restricted[:10]}" if done.oldest_restricted else ""
    return f"{done.left} are left" + (f", {done.restricted} of them of people who restrict{oldest}" if done.restricted else "")


def _each(say: Callable[[str], None], *jobs: Callable[[], object]) -> None:
    """Does each, whatever the ones before come to; says what fails, but for the first, which is raised in the end."""
    first: RollcallError | None = None
    for job in jobs:
        try:
            job()
        except RollcallError as error:
            if first is not None:
                say(str(error))
            first = first or error
    if first is not None:
        raise first


def keep() -> None:
    """Run it every day (governance.retention_hours) and when rows become due, end old records of topics every hour, look
    after erasures and what closed requests left in files, publish figures when a release is due (publishing.every_hours),
    tell of alerts, until Ctrl-C; the supervisor does just this.

    Example: rollcall retention keep
    """
    from engine.alerts.watch import watched  # clients of receivers are imported only by the keeper

    settings, over = load(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with watched(settings, log):
        keeping(settings, over)
    log("stopped")


def keeping(settings: Settings, over: threading.Event) -> None:
    """The keeper's jobs, each when it is due, until it is over. None waits for another: where topics cannot be ended rows go
    all the same. What failed is said last, and again after whatever is said later: `rollcall status` reads the last line."""
    every_s = settings.governance.retention_hours * 3600.0
    pause = min(retention.LOOKED_AFTER.total_seconds(), every_s)    # no sooner: a run and a measurement read whole tables
    spoke = False

    def say(text: str) -> None:
        nonlocal spoke
        spoke = True
        log(text)

    schedule = Schedule(settings, acting_as(), say, lambda target: audited(settings, "publishing.publish", target))

    def ended() -> float:
        topics.end_old(settings, acting_as(), say)
        return pause

    def rows() -> float:
        _rows(settings, over, every_s, say)
        return pause

    def erased() -> float:
        _erased(settings, say)
        return pause

    subjects = Forgotten(settings)

    def forgotten() -> float:
        if (gone := subjects.look()) is not None:
            say("whom closed requests were about is gone from Cassandra's files" if gone else
                "Cassandra's files may still hold whom closed requests were about")
        return pause

    # each returns the seconds until it is due again; figures first: a run of retention may take minutes
    jobs: dict[str, Callable[[], float]] = {"figures": schedule.look, "topics": ended, "rows": rows, "erasures": erased,
                                          "subjects": forgotten}
    due, failed = dict.fromkeys(jobs, time.monotonic()), dict[str, RollcallError]()
    while not over.wait(max(0.0, min(due.values()) - time.monotonic())):
        spoke = False
        for name, job in jobs.items():
            if over.is_set() or due[name] > time.monotonic():
                continue
            failed.pop(name, None)
            try:
                again_s = job()
            except RollcallError as error:
                # a store that is away comes back; else (nothing is stated, say) somebody has to do something
                failed[name], again_s, spoke = error, TRIED_AGAIN_S if isinstance(error, Retryable) else pause, True
            due[name] = time.monotonic() + again_s
        if failed and spoke:
            again_s = min(due[name] for name in failed) - time.monotonic()
            verb = "Tried" if any(isinstance(error, Retryable) for error in failed.values()) else "Looked at"
            log(f"{' '.join(map(str, failed.values()))} {verb} again in {max(0.0, again_s):.0f} s.", "warning")


def _erased(settings: Settings, say: Callable[[str], None]) -> None:
    """Runs erasures again of which something should have expired: nulls are sent once more, until nothing is found. One that
    is refused keeps none of the others waiting."""
    def one(request: str) -> None:
        with about(request):
            proof = erasure.again(settings, request, WITHIN_S, lambda _: None,
                                  audited(settings, "person.erase", "whoever the request names", request))
            if proof is not None:
                left = [verdict.store for verdict in proof.verdicts if verdict.red or verdict.outcome is Outcome.EXPIRES_ON]
                say(f"erasure {request}: {'still something in ' + ', '.join(left) if left else 'nothing is left'}")

    _each(say, *(partial(one, request) for request in erasure.waiting(settings)))


def _rows(settings: Settings, over: threading.Event, every_s: float, say: Callable[[str], None]) -> None:
    """One run, if it is due, and, whatever it comes to, a measurement. Only what expires somebody goes into the audit."""
    if _next_in(settings, every_s) > 0:
        return

    def act() -> None:
        acting = audited(settings, "retention.run", retention.PEOPLE) if retention.any_due(settings, datetime.now(UTC)) \
            else nullcontext()
        with acting:
            done = retention.run(settings, acting_as(), say, WITHIN_S, over=over)
        say(f"{done.expired} of {done.due} due rows are expired, {_left(done)}")

    _each(say, act, lambda: retention.measure(settings, acting_as()))


def _next_in(settings: Settings, every_s: float) -> float:
    """Seconds until the next run is due: so long after the one before, or when the oldest row that was measured is over its
    time; a run of the future was made by a clock that was wrong."""
    now = datetime.now(UTC)
    with Records.opened(settings, PRINCIPAL) as records:
        last = records.last(RETENTION, retention.RUNS[retention.PEOPLE])
        due = retention.due_at(records)
    if last is None or (since := (now - last.at).total_seconds()) < 0:
        return 0.0
    return min(every_s - since, (due - now).total_seconds() if due else every_s)
