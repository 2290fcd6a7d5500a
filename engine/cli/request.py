"""`rollcall request log|list|show|step|...|close`: requests of people, from receipt to proof (Art. 12 to 22 GDPR)."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.audited import acting_as, audited
from engine.cli.output import show, show_json, tell
from engine.compliance.requests import WITHIN_S, Kept, RequestRefused, Requests
from engine.errors import NotServed
from engine.rights.packages import Packages
from engine.sealing import load_keys
from engine.secrets import fresh_file, write_secret
from engine.settings import Settings, load
from engine.stores.records import Records
from engine.tls.pages import console_address
from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.letters import Letter
from governance.requests.looks import verdicts
from governance.requests.request import Ground, Request, State
from governance.requests.step import Name, step_of

LATE = 1
OPEN = 1

Ref = Annotated[str, typer.Argument(metavar="REF", help="Number of the request, as r-2026-017.")]
Why = Annotated[str, typer.Option(help="The reason, kept with the version; name nobody in it.")]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day it was; today if not given.")]
Base = Annotated[int | None, typer.Option(
    min=1, help="Only on top of this version, as `show` says: refused if somebody has changed it since.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Requests of people: clocks, steps, letters.", no_args_is_help=True)
    group.command("log")(log_request)
    group.command("list")(list_requests)
    group.command("show")(show_request)
    for command in (ask, identify, whom, assign, note, step, extend, refuse, letter, link, package, close, drop):
        group.command()(command)
    app.add_typer(group, name="request")


def log_request(
    kind: Annotated[Kind, typer.Argument(help="What is asked for.")],
    channel: Annotated[str, typer.Option(help="How it came: letter, e-mail, form.")],
    received: Annotated[datetime | None, typer.Option(
        formats=["%Y-%m-%d"], help="The day it came in; today if not given.")] = None,
    uuid: Annotated[str, typer.Option(help="The person's uuid, if it is known.")] = "",
    email: Annotated[bool, typer.Option(
        "--email", help="Ask for the person's e-mail address, which no command line should hold; read from standard input "
                        "where that is no terminal.")] = False,
    fields: Annotated[Path | None, typer.Option(
        exists=True, dir_okay=False, help="JSON file of a rectification: what is to stand, as a part of a person.")] = None,
    why: Why = "received",
) -> None:
    """Log a request, and print its number and the day by which it must be answered.

    Example: rollcall request log erasure --received 2026-03-05 --channel letter --uuid 9a723211-0e87-41f1-b1e4-ed1a15226b80
    """
    settings = load()
    about: dict[str, Any] = {"uuid": uuid.strip(), "email": _address() if email else "", "fields": _fields(fields)}
    with _opened(settings) as requests, audited(settings, "requests.change", f"new {kind}", why):
        kept = requests.log(kind, received.date() if received else requests.today, channel, about, acting_as(), why)
        show(f"{kept.request.ref} is logged: {kind.said}; {clock_said(requests, kept.request)}.")
        for line in requests.days(kept.request).law:
            show(f"    {line}")
        if others := requests.same_person(kept.request):
            tell(f"The same person is behind {', '.join(others)}.")


def list_requests(
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False, as_json: AsJson = False,
) -> None:
    """List the requests with their clocks; exit 1 if one is not answered and its time is over.

    Example: rollcall request list
    """
    with _opened(load()) as requests:
        kept = [one for one in requests.all() if every or one.request.state is not State.CLOSED]
        if as_json:
            show_json([_summary(requests, one) for one in kept])
        else:
            for one in kept:
                asked = one.request
                more = f", {asked.assigned}" if asked.assigned else ""
                show(f"{asked.ref:12} {asked.kind:14} {asked.state:21} {clock_said(requests, asked)}{more}")
            if not kept:
                show("No request is open.")
        for ref in (leftover := requests.leftover()).closed:
            tell(f"{ref} is closed, and whom it was about is not forgotten yet: `rollcall request close {ref}` does it.")
        for ref, at in leftover.unlogged.items():
            tell(f"{ref} was never logged to its end, and its clock runs: somebody began to on {at:%Y-%m-%d %H:%M} UTC. Log it "
                 f"again, then `rollcall request drop {ref}`.")
        late = any(_late(requests, one.request) for one in kept)
    if late:
        raise typer.Exit(LATE)


def show_request(
    ref: Ref,
    subject: Annotated[bool, typer.Option("--subject", help="Also whom it is about; the audit has that you looked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a request: its days and what law gives them, its steps and verdicts, its history.

    Example: rollcall request show r-2026-017
    """
    settings = load()
    with _opened(settings) as requests:
        versions = requests.versions(ref)
        who = None
        if subject:
            with audited(settings, "requests.read", ref, "whom it is about"):
                who = requests.subject(ref)
        if as_json:
            show_json({**_summary(requests, versions[-1]), "request": versions[-1].request.model_dump(mode="json"),
                       "law": requests.days(versions[-1].request).law, "subject": who.model_dump(mode="json") if who else None,
                       "proofs": [proof.as_json() for proof in requests.proofs(versions[-1].request)],
                       "versions": [{key: value for key, value in vars(one).items() if key != "request"} for one in versions]})
            return
        _print(requests, versions)
        if subject:
            show(f"about: {who.uuid or who.email}" if who else "about: forgotten")


def ask(
    ref: Ref,
    because: Annotated[str, typer.Option(help="Why there is a doubt about who asks.")],
    wanted: Annotated[str, typer.Option(help="What would remove it, and no more than that.")],
    on: On = None, base: Base = None,
) -> None:
    """Keep that the person is asked for what shows who they are (Art. 12(6)): the clock stands until it comes.

    Example: rollcall request ask r-2026-017 --because "another address" --wanted "the number of your last order"
    """
    _change(ref, base, "identity is asked for", lambda asked, today: life.identity_wanted(
        asked, _day(on, today), because, wanted))


def identify(
    ref: Ref,
    how: Annotated[str, typer.Option(help="By what it is known who asks; '': what was asked for came, and settles nothing.")],
    on: On = None, base: Base = None,
) -> None:
    """Keep that it is known who asks: the clock runs on, and the steps can begin.

    Example: rollcall request identify r-2026-017 --how "signed in to their account"
    """
    _change(ref, base, "identity", lambda asked, today: life.identified(asked, _day(on, today), how) if how.strip() else
            life.identity_given(asked, _day(on, today)))


def whom(ref: Ref, uuid: Annotated[str, typer.Argument(metavar="UUID", help="The person's uuid.")]) -> None:
    """Say which person a request is about that came with an e-mail address which several share.

    Example: rollcall request whom r-2026-017 9a723211-0e87-41f1-b1e4-ed1a15226b80
    """
    settings = load()
    with _opened(settings) as requests, audited(settings, "requests.change", ref, "which person it is about"):
        requests.whom(ref, uuid, acting_as())
    show(f"{ref}: kept.")


def assign(ref: Ref, to: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Who works on it; '' for nobody.")]) -> None:
    """Give a request to somebody.

    Example: rollcall request assign r-2026-017 ada
    """
    _change(ref, None, "assigned", lambda asked, _: life.assigned(asked, to))


def note(ref: Ref, text: Annotated[str, typer.Argument(help="The note; name nobody in it: it outlives the request.")]) -> None:
    """Write a note into the history of a request.

    Example: rollcall request note r-2026-017 "asked the archive"
    """
    _change(ref, None, "note", lambda asked, _: life.noted(asked, datetime.now(UTC), acting_as(), text))


def step(
    ref: Ref, name: Annotated[Name, typer.Argument(help="The step; `show` lists those of the request.")],
    evidence: Annotated[str, typer.Option(help="Of a step of yours: what shows that it is done.")] = "",
    to: Annotated[str, typer.Option(help="Of recipients: which one was told.")] = "",
    on: On = None, base: Base = None,
    within: Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)] = WITHIN_S,
) -> None:
    """Run a step of the product (exit 75 while it is not done: run it again), or keep what you did in one of yours (exit 1).

    Example: rollcall request step r-2026-017 erase
    """
    from engine.compliance.request_acts import ACTS  # every command would wait for what it brings

    settings = load()
    with _opened(settings) as requests:
        found = step_of(requests.newest(ref).request.kind, name)
        machine = found is not None and found.machine
        if not machine:
            with audited(settings, "requests.change", f"{ref} {name}"):
                kept = requests.did(ref, name, base, acting_as(), evidence, on.date() if on else None, to)
            _came_to(kept, name)
            if not kept.request.done(name):
                raise typer.Exit(OPEN)
            return
        with audited(settings, "requests.run", f"{ref} {name}"):
            kept = requests.run(ref, name, ACTS[name], acting_as(), tell, within)
            _came_to(kept, name)
            if not kept.request.done(name):    # in the audit it failed
                raise NotServed(f"{name} of {ref} is not done. Run it again when the reasons above are gone; it goes on where "
                                "it is.")


def extend(
    ref: Ref, because: Annotated[str, typer.Option(help="The reasons that the person is told.")], on: On = None,
    base: Base = None,
) -> None:
    """Keep that the person was told of two further months, with the reasons, within the first (Art. 12(3)).

    Example: rollcall request extend r-2026-017 --because "40 requests came in the same week"
    """
    country = load().governance.country
    _change(ref, base, "extended", lambda asked, today: life.extended(asked, _day(on, today), because, country))


def refuse(
    ref: Ref, ground: Annotated[Ground, typer.Option(help="What the refusal rests on.")],
    because: Annotated[str, typer.Option(help="The reasons that the person is told.")], on: On = None, base: Base = None,
) -> None:
    """Keep that nothing is done, and that the person was told why, of the complaint and of the court (Art. 12(4)).

    Example: rollcall request refuse r-2026-017 --ground excessive --because "the same was answered last week"
    """
    _change(ref, base, "refused", lambda asked, today: life.refused(asked, _day(on, today), ground, because))


def letter(
    ref: Ref, which: Annotated[Letter, typer.Argument(help="Which letter.")],
    file: Annotated[Path | None, typer.Option(help="File it is written to; printed if not given.")] = None,
) -> None:
    """Write a letter to the person, with what the law wants in it.

    Example: rollcall request letter r-2026-017 receipt --file receipt.html
    """
    settings = load()
    with _opened(settings) as requests, audited(settings, "requests.export", f"{ref} {which}"):
        html = requests.letter(requests.newest(ref), which)
    if file:
        write_secret(file, html.encode())    # it names whom it is to
        show(f"The letter is in {file}.")
    else:
        show(html)


def link(ref: Ref) -> None:
    """Make the link by which the person fetches their package, once; an earlier link leads nowhere from then on.

    Example: rollcall request link r-2026-017
    """
    settings = load()
    with Packages.opened(settings) as packages, audited(settings, "requests.export", f"{ref} link"):
        made = packages.link(ref)
    show(f"{console_address(settings)}/package/{made.secret}")
    tell(f"It works once, until {made.expires:%Y-%m-%d %H:%M} UTC, and is not shown again. Give it to the person only.")


def package(
    ref: Ref, file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="Where it is written, as a zip.")],
) -> None:
    """Take the package of a request to hand it over yourself: once, and then it is gone here.

    Example: rollcall request package r-2026-017 package.zip
    """
    settings, content = load(), b""
    try:    # the file first: the package is given once
        with Packages.opened(settings) as packages, fresh_file(file) as out, \
                audited(settings, "requests.export", f"{ref} package"):
            content = packages.take(request=ref)[1]
            out.write(content)
            out.flush()
    except OSError as error:
        raise RequestRefused(f"{file} cannot be written ({os.strerror(error.errno or 0)}); " + (
            f"the package is gone. Make it anew: `rollcall request step {ref} package`." if content else
            "nothing was taken.")) from None
    show(f"The package is in {file}, and nowhere else any more.")


def close(ref: Ref, why: Why = "everything is done", base: Base = None) -> None:
    """Close a request, and forget whom it was about; refused, with what is missing, until everything is done.

    Example: rollcall request close r-2026-017
    """
    settings = load()
    with _opened(settings) as requests, audited(settings, "requests.change", ref, why):
        requests.close(ref, base, acting_as(), why)
    show(f"{ref} is closed; whom it was about is forgotten. Cassandra's files hold it, sealed, until they are compacted: on "
         "this machine the keeper does that within the hour.")


def drop(ref: Ref) -> None:
    """Forget whom a request was about that was never logged to its end, when it was logged again; `list` names it.

    Example: rollcall request drop r-2026-017
    """
    with _opened(settings := load()) as requests, audited(settings, "requests.change", ref, "never logged to its end"):
        requests.drop(ref)
    show(f"{ref}: whom it was about is forgotten; Cassandra's files hold it, sealed, until they are compacted.")


def clock_said(requests: Requests, asked: Request) -> str:
    """How the clock of a request stands."""
    days = requests.days(asked)
    left = days.left(requests.today)
    if days.answered:
        return f"answered {days.answered}, " + (f"{-left} days late" if left < 0 else "in time")
    return f"{-left} days late, it was due {days.legal}" if left < 0 else (
        f"{left} days left, until {days.legal}" + (", behind our target" if days.behind(requests.today) else ""))


def _change(ref: str, base: int | None, what: str, move: Callable[[Request, date], Request]) -> None:
    settings = load()
    with _opened(settings) as requests, audited(settings, "requests.change", ref, what):
        kept = requests.change(ref, base, acting_as(), what, lambda asked: move(asked, requests.today))
        show(f"{ref}: version {kept.n}, {kept.request.state}; {clock_said(requests, kept.request)}.")


def _came_to(kept: Kept, name: str) -> None:
    run = kept.request.run_of(name)
    if run and run.result:
        show(f"{kept.request.ref} {name}: {run.result.says}.")
        for verdict in run.result.verdicts:
            show(f"    {verdict.store:32} {verdict.said}")


def _print(requests: Requests, versions: list[Kept]) -> None:
    asked, days = versions[-1].request, requests.days(versions[-1].request)
    proofs = requests.proofs(asked)
    show(f"{asked.ref}: {asked.kind.said}, {asked.state}, version {versions[-1].n}")
    show(f"received {asked.received} by {asked.channel}, about {asked.person}, assigned to {asked.assigned or 'nobody'}")
    show(f"{clock_said(requests, asked)}; our target {days.target}; an extension or a refusal is told by {days.first}")
    for line in days.law:
        show(f"    {line}")
    for one in asked.steps:
        run = asked.run_of(one.name)
        state = "not begun" if run is None else "done" if run.done else f"begun {run.times} times, not done"
        says = f": {run.result.says}" if run and run.result else ""
        show(f"  {one.name:12} {state}{' (optional)' if one.optional else ''}, {one.law}{says}")
        for verdict in verdicts(run, proofs) if run else ():
            show(f"      {verdict.store:32} {verdict.said}")
    for proof in proofs:
        show(f"looked at {proof.at:%Y-%m-%d %H:%M} UTC: {proof.said}")
    for text in asked.notes:
        show(f"note {text.at:%Y-%m-%d %H:%M} UTC {text.by}: {text.text}")
    for version in versions:
        show(f"{version.n:3} {version.at:%Y-%m-%d %H:%M} UTC {version.by}: {version.why}")


def _summary(requests: Requests, one: Kept) -> dict[str, Any]:
    asked, days = one.request, requests.days(one.request)
    return {"ref": asked.ref, "kind": asked.kind, "state": asked.state, "n": one.n, "received": asked.received,
            "due": days.legal, "target": days.target, "answered": days.answered, "late": days.late(requests.today),
            "assigned": asked.assigned, "left": [each.name for each in asked.left]}


def _late(requests: Requests, asked: Request) -> bool:
    days = requests.days(asked)
    return days.answered is None and days.late(requests.today)


def _day(on: datetime | None, today: date) -> date:
    return on.date() if on else today


def _address() -> str:
    return (typer.prompt("E-mail address", err=True) if sys.stdin.isatty() else sys.stdin.readline()).strip()


def _fields(file: Path | None) -> Any:
    if file is None:
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise RequestRefused(f"{file} is no JSON; write a part of a person, as "
                             '{"name": {"first": "Ada"}}.') from None


@contextmanager
def _opened(settings: Settings) -> Iterator[Requests]:
    with Records.opened(settings) as records:
        yield Requests(settings, records, load_keys(settings))
