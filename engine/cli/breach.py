"""`rollcall breach list|show|log|letter|close`: the log of breaches and its clock (Art. 33 and 34 GDPR)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml

from engine.cli.audited import acting_as, audited
from engine.cli.output import show, show_json, tell
from engine.compliance.breaches import Breaches, Logged, To, letters_of, read_breach
from engine.settings import Settings, load
from engine.stores.records import Records
from governance.breaches import State, clock, missing

LATE = 1

Ref = Annotated[str, typer.Argument(metavar="REF", help="Short name of the breach.")]
Why = Annotated[str, typer.Option(help="The reason, kept with the version.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Breaches: the log, the clock of Art. 33, the letters.", no_args_is_help=True)
    group.command("list")(list_breaches)
    group.command("show")(show_breach)
    group.command("log")(log_breach)
    group.command()(letter)
    group.command()(close)
    app.add_typer(group, name="breach")


def list_breaches(as_json: AsJson = False) -> None:
    """List the breaches with their clocks; exit 1 if one is not notified and its time is over.

    Example: rollcall breach list
    """
    settings, now = load(), datetime.now(UTC)
    with _opened(settings) as log:
        logged = log.all()
    clocks = {one.breach.ref: clock(one.breach, settings.governance.notify_hours, now) for one in logged}
    if as_json:
        show_json([{"ref": one.breach.ref, "title": one.breach.title, "state": one.breach.state_at(now), "n": one.n,
                    "due": clocks[one.breach.ref].due, "stopped": clocks[one.breach.ref].stopped,
                    "late": clocks[one.breach.ref].late(now)} for one in logged])
    else:
        for one in logged:
            show(f"{one.breach.ref:20} {one.breach.title:40} {one.breach.state_at(now)}, {clock_said(one, settings, now)}")
        if not logged:
            show("The log is empty.")
    if any(one.breach.state_at(now) is State.KNOWN and clocks[one.breach.ref].late(now) for one in logged):
        raise typer.Exit(LATE)


def clock_said(one: Logged, settings: Settings, now: datetime) -> str:
    """How the clock of a breach stands."""
    runs = clock(one.breach, settings.governance.notify_hours, now)
    hours = abs(runs.left(now).total_seconds()) / 3600
    if runs.stopped is not None:
        return f"clock stopped {runs.stopped:%Y-%m-%d %H:%M} UTC, " + (f"{hours:.0f} h late" if runs.late(now) else "in time")
    return f"{hours:.1f} h late" if runs.late(now) else f"{hours:.1f} h left, until {runs.due:%Y-%m-%d %H:%M} UTC"


def show_breach(ref: Ref, as_json: AsJson = False) -> None:
    """Print a breach, in the form in which it can be logged again, and what is still missing.

    Example: rollcall breach show lost-laptop
    """
    settings, now = load(), datetime.now(UTC)
    with _opened(settings) as log:
        versions = log.versions(ref)
    newest = versions[-1].breach
    lacking = missing(newest, now, settings.governance.notify_hours)
    if as_json:
        show_json({"breach": newest.model_dump(mode="json"), "missing": lacking,
                   "versions": [{key: value for key, value in asdict(one).items() if key != "breach"} for one in versions]})
        return
    fields = {"based_on": versions[-1].n, **newest.model_dump(mode="json")}
    show(yaml.safe_dump(fields, allow_unicode=True, sort_keys=False, width=120).rstrip())
    show(f"# {clock_said(versions[-1], settings, now)}; {len(versions)} versions")
    for sentence in lacking:
        show(f"# missing: {sentence}")


def log_breach(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="YAML of one breach.")], why: Why,
) -> None:
    """Log a breach, or a new version of one, from a file. A file that `show` made is refused where somebody else has saved
    since, with what they changed.

    Example: rollcall breach log lost-laptop.yaml --why "known since this morning"
    """
    settings = load()
    wanted, base_n = read_breach(file.read_text(encoding="utf-8"))
    with _opened(settings) as log, audited(settings, "breaches.change", wanted.ref, why):
        known = {one.breach.ref: one.n for one in log.all()}
        if base_n is None:
            base_n = known.get(wanted.ref, 0)
            if base_n:
                tell(f"{wanted.ref}: the file does not say on which version it is based (based_on), so it goes on top of "
                     f"version {base_n}")
        kept = log.save(wanted, base_n, acting_as(), why)
    show(f"{wanted.ref}: version {kept.n} is logged; {clock_said(kept, settings, datetime.now(UTC))}.")


def letter(
    ref: Ref,
    to: Annotated[To, typer.Option("--to", help="Whom it is for.")] = To.AUTHORITY,
    file: Annotated[Path | None, typer.Option(
        help="File it is written to; printed if not given. Of several controllers each has a file of its own.")] = None,
) -> None:
    """Write the notification of Art. 33(3), the notice of a processor, or the letter to the people of Art. 34.

    Example: rollcall breach letter lost-laptop --to authority --file letter.html
    """
    settings = load()
    with _opened(settings) as log, audited(settings, "breaches.export", f"{ref} {to}"):
        newest = log.versions(ref)[-1].breach
        letters = letters_of(newest, to, settings.governance.notify_hours, datetime.now(UTC))
    for reader, html in letters.items():
        if file:
            own = file if len(letters) == 1 else file.with_stem(f"{file.stem}-{reader}")
            own.write_text(html, encoding="utf-8")
            show(f"The letter is in {own}.")
        else:
            show(html)


def close(ref: Ref, why: Why) -> None:
    """Close a breach; refused, with all that is missing, until everything is said.

    Example: rollcall breach close lost-laptop --why "all have been told"
    """
    settings = load()
    with _opened(settings) as log, audited(settings, "breaches.change", ref, why):
        log.close(ref, log.versions(ref)[-1].n, settings.governance.notify_hours, acting_as(), why)
    show(f"{ref} is closed.")


@contextmanager
def _opened(settings: Settings) -> Iterator[Breaches]:
    with Records.opened(settings) as records:
        yield Breaches(records)
