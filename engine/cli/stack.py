"""`rollcall up|down|fetch|provision|run|status|logs`: the whole installation."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from engine import health, stack
from engine.cli.output import show, show_json, tell
from engine.errors import ServerFailed, SettingsInvalid
from engine.health import Hop
from engine.native import fetch as fetching
from engine.processes import PROGRAMS, SERVERS, Supervisor
from engine.provision.rights import needed_rights
from engine.settings import Settings, load
from engine.tls.pages import address

NOT_WELL = 1
ARRIVING_WITHIN_S = 120.0
LOOK_EVERY_S = 1.0


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    for command in (up, down, fetch, provision, run, status, logs):
        app.command()(command)


def up() -> None:
    """Start everything and wait until people arrive; says where to look. Can be given again at any time.

    Example: rollcall up
    """
    settings, began = load(), datetime.now(UTC)
    stack.up(settings, tell)
    hops = _arriving(settings, began)
    show("")
    for hop in hops:
        show(_line(hop))
    show("")
    show(f"People arrive. Charts: {address(settings, 'view')}/  Console: {address(settings, 'console')}/")
    show("Next: rollcall status · rollcall logs stream --follow · rollcall verify · rollcall down")


def down() -> None:
    """Stop everything in order; nothing is lost and no process is left. Example: rollcall down"""
    stack.down(load(), tell)
    show("Stopped. `rollcall up` goes on where it was.")


def fetch() -> None:
    """Fetch what this installation runs itself: Spark's connectors, and the servers that do not run elsewhere.

    Example: rollcall fetch
    """
    fetched = fetching.fetch(load(), tell)
    show(f"Fetched {', '.join(fetched)}." if fetched else "Everything was there.")


def provision(
    within: Annotated[float, typer.Option(help="Seconds to wait for each system.", min=0)] = 180.0,
    secrets_only: Annotated[bool, typer.Option(
        "--secrets-only", help="Only make missing passwords and keys, those of servers still to be started too.")] = False,
    new_cassandra: Annotated[bool, typer.Option(
        "--new-cassandra", help="The Cassandra elsewhere is new: replace its default superuser by `provision`.")] = False,
    take_over: Annotated[bool, typer.Option(
        "--take-over", help="Give users of our names that are there already the passwords of this installation.")] = False,
    rights: Annotated[bool, typer.Option(
        "--rights", help="Only say what the account must be allowed with which a system elsewhere is set up.")] = False,
) -> None:
    """Wait for the three systems and make in each what it must hold; starts nothing. Can be given again at any time.

    For systems that run elsewhere (KAFKA_BOOTSTRAP, CASSANDRA_CONTACT_POINTS, MONGODB_URI). Example:
    rollcall provision --within 60
    """
    settings = load()
    if rights:
        show(needed_rights(settings))
    elif secrets_only:
        stack.secrets_made(settings, tell, for_all=True)
    else:
        stack.provide(settings, tell, within, new_cassandra, take_over)
        show("All three hold what they must. `rollcall up` starts our programs, `rollcall run NAME` one of them; where nobody "
             "can sign in to the console yet: `rollcall accounts add admin --role admin --role operator`")


def run(name: Annotated[str, typer.Argument(help="producer, stream, view, console or keeper.")]) -> None:
    """Run one program in this terminal or container, kept alive, until Ctrl-C; the console can stop and start it.

    Example: rollcall run stream
    """
    _known(name, of=PROGRAMS)
    Supervisor(load()).run(name)


def status(
    names: Annotated[list[str] | None, typer.Argument(help="Only these hops, as `stream`; none: all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every hop with its facts as JSON.")] = False,
) -> None:
    """Say how each hop is; exit 1 if one is not ok.

    Example: rollcall status --json
    """
    _known(*names or (), of=(*SERVERS, *PROGRAMS))
    settings = load()
    hops = health.look(health.Opened(settings), Supervisor(settings), *names or ())
    ok = all(hop.ok for hop in hops)
    if as_json:
        show_json({"ok": ok, "hops": {hop.name: {key: value for key, value in asdict(hop).items() if key != "name"}
                                      for hop in hops}})
    else:
        for hop in hops:
            show(_line(hop))
    if not ok:
        raise typer.Exit(NOT_WELL)


def logs(
    name: Annotated[str, typer.Argument(help="kafka, cassandra, mongo, producer, stream, view, console or keeper.")],
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
) -> None:
    """Show the end of a program's log.

    Example: rollcall logs stream --follow
    """
    _known(name, of=(*SERVERS, *PROGRAMS))
    settings = load()
    shown = Supervisor(settings).tail(name, lines)
    for line in shown:
        show(line)
    if not shown:
        tell(f"The log of {name} is empty.")
    if follow:
        _follow(settings, name)


def _known(*names: str, of: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in of]:
        raise SettingsInvalid(f"There is no program {unknown[0]!r}; there are {', '.join(of)}.")


def _follow(settings: Settings, name: str) -> None:
    path = settings.logs_dir / f"{name}.log"
    place = path.stat().st_size if path.exists() else 0
    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < place:
            place = 0    # the log was rotated
        if size > place:
            with path.open("rb") as file:
                file.seek(place)
                show(file.read(size - place).decode(errors="replace").rstrip("\n"))
            place = size
        time.sleep(LOOK_EVERY_S / 4)


def _arriving(settings: Settings, began: datetime) -> list[Hop]:
    """Waits until every hop is ok and a turn was closed since `began`; ServerFailed with what is not, after a limit.

    Until there is a turn nothing more is asked: the machine has its hands full with Spark's first one.
    """
    tell("Waiting for the first people to arrive ...")
    supervisor, until = Supervisor(settings), time.monotonic() + ARRIVING_WITHIN_S
    while True:
        for name, program in supervisor.status().items():
            if name in PROGRAMS:
                supervisor.raise_if_failed(program)
        late = time.monotonic() > until
        hops = health.look(health.Opened(settings), supervisor) if late or health.turned_since(settings, began) else []
        users = next((hop.facts.get("users", 0) for hop in hops if hop.name == "mongo"), 0)
        if users and not late and all(hop.ok for hop in hops):
            return hops
        if late:
            said = "; ".join(f"{hop.name}: {hop.says}" for hop in hops if not hop.ok) or "no rows yet"
            raise ServerFailed(f"After {ARRIVING_WITHIN_S:.0f} s not everything is well: {said}. "
                               "`rollcall logs stream` and `rollcall logs producer` say more; what runs goes on running.")
        time.sleep(LOOK_EVERY_S)


def _line(hop: Hop) -> str:
    return f"{'ok ' if hop.ok else 'NOT'}  {hop.name:10} {hop.says}"
