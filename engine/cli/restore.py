"""`rollcall restore-check` and `rollcall commands`: what keeps an erasure in force when a backup comes back."""

from pathlib import Path
from typing import Annotated

import typer

from engine import shut, stack
from engine.cli.audited import audited
from engine.cli.output import show, tell
from engine.errors import NotServed
from engine.migrations.versions import require_current
from engine.processes import PROGRAMS, Supervisor
from engine.rights.control import export_commands, import_commands
from engine.settings import Settings, load

File = Annotated[Path, typer.Argument(help="File of commands, a line each; what they say of people is sealed.", metavar="FILE")]


class StillOpen(NotServed):
    """Programs run that would show or change what was restored."""


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command("restore-check")(restore_check)
    group = typer.Typer(help="Commands about people, outside the stores.", no_args_is_help=True)
    group.command("export")(export)
    group.command("import")(bring_back)
    app.add_typer(group, name="commands")


def restore_check(
    commands: Annotated[Path | None, typer.Option(help="Export of the commands, where Kafka was lost too.")] = None,
    within: Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)] = 3600.0,
) -> None:
    """After a store was restored, with everything down: erase again who was erased since, and count again; then open.

    Starts the servers and the stream, nothing else, and nothing else starts before this came to a good end. Given again while
    the stream it started runs, it goes on waiting. Exit code 75 while something of somebody erased is there.

    Example: rollcall restore-check
    """
    settings = load()
    shut.require_loaded(settings)
    carried_out_again(settings, commands, within)
    shut.opened(settings)
    show("Everything may open: `rollcall up`. `rollcall verify` compares the stores once more.")


def require_closed(settings: Settings) -> bool:
    """Whether the stream runs that an earlier look has started. Raises StillOpen where anything else of ours does."""
    status = Supervisor(settings).status()
    begun = shut.stale(settings) is not None and status[shut.MAY_RUN].pid is not None    # a store is restored with all down
    if open_now := [name for name in PROGRAMS if status[name].pid and not (begun and name == shut.MAY_RUN)]:
        raise StillOpen(f"{', '.join(open_now)} run(s), and nothing may be open yet: `rollcall down`, then this again.")
    return begun


def carried_out_again(settings: Settings, commands: Path | None, within: float) -> None:
    """Carries out in the restored stores what was commanded; nothing is opened. commands: an export of the commands; within:
    seconds. Raises StillOpen, NotServed while something of somebody erased is there, and what engine/rights/restore.py does."""
    from engine.rights import restore  # Spark is imported only by those who need it

    processes, before = Supervisor(settings), shut.stale(settings)
    begun = require_closed(settings)
    if not begun:
        shut.shut(settings)
    stack.servers_up(settings, tell)
    require_current(settings, "provision")
    with audited(settings, "person.restore-check", "installation"):
        if commands is not None:
            show(f"{import_commands(settings, commands)} commands of {commands} were appended.")
        asked, unknown, named = restore.requests(settings)    # before it waits: from now on their numbers are given to nobody
        show("If Cassandra was restored, requests are as old as its copy. Open there: "
             f"{', '.join(asked) or 'none'}; whom they are about stands there, too, so close those again that were closed "
             f"since. Commanded since, and not there: {', '.join(unknown) or 'none'}; log those again. Named before by a "
             f"restore-check, and not there: {', '.join(named) or 'none'}; log those again that were not since. Others that "
             "came in after the copy (access, portability, not begun) nothing here tells of: take them from your post. Their "
             "numbers may be given once more.")
        if begun and before is not None:
            tell("the stream that was started before goes on reading")
            found = restore.look(settings, before, within, tell)
        else:
            found = restore.check(settings, within, tell, lambda: processes.start(shut.MAY_RUN))
        show(f"{found.commands} commands were read again; {found.erased} people are erased, "
             f"{found.standing} of them have a row; {found.letters} dead letters are about them; {found.packages} packages of "
             "anybody were taken away.")
        if found.in_files is None:
            show("Cassandra's files are not on this machine: on each node, `nodetool flush` and `nodetool forcecompact`; "
                 "of the table packages, `nodetool compact`.")
        if found.unmarked:
            raise NotServed(f"{found.unmarked} of the {found.erased} erased have no marker that says so: it knows of later "
                            "commands, of a topic that is no more, and nothing may open. `rollcall down`, put back the copy "
                            "of Cassandra once more, then this again.")
        if not found.ok:
            raise NotServed(f"Somebody erased is still there ({found.in_files or 0} of them in Cassandra's files, "
                            f"{found.segments or 0} segments of its log from before); nothing may open. Run this again; "
                            "`rollcall logs stream` shows more.")


def export(file: File) -> None:
    """Write every command about people into a file, to be kept apart from the stores.

    Example: rollcall commands export commands.jsonl
    """
    settings = load()
    with audited(settings, "person.commands-export", "control topic"):
        show(f"{export_commands(settings, file)} commands are written to {file}.")


def bring_back(file: File) -> None:
    """Append the commands of an export that the control topic has lost.

    Example: rollcall commands import commands.jsonl
    """
    settings = load()
    with audited(settings, "person.commands-import", "control topic"):
        show(f"{import_commands(settings, file)} commands were appended.")
