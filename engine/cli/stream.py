"""`rollcall stream run|start|stop|accept-loss`: Kafka to the stores."""

from contextlib import nullcontext
from typing import Annotated

import typer

from engine import stopping
from engine.cli.audited import audited
from engine.cli.output import log, show, tell
from engine.processes import Supervisor
from engine.settings import load


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Run, start or stop the stream.", no_args_is_help=True)
    for command in (run, start, stop):
        group.command()(command)
    group.command("accept-loss")(accept_loss)
    app.add_typer(group, name="stream")


def run() -> None:
    """Run the stream in this terminal until Ctrl-C; the supervisor does just this.

    Example: rollcall stream run
    """
    from engine.metrics import StreamMetrics, served
    from engine.spark_stream import run as run_stream  # Spark is imported only by those who need it

    settings, metrics = load(), StreamMetrics()
    with served(settings, metrics, log):
        run_stream(settings, log, metrics)


def start() -> None:
    """Start the stream under the supervisor. Example: rollcall stream start"""
    settings = load()
    with audited(settings, "stream.start", "stream"):
        Supervisor(settings).start("stream")
    show("The stream is started. `rollcall logs stream --follow` shows what it does.")


def stop(within: Annotated[float, typer.Option(help="Seconds to wait; it stops after its batch all the same.", min=0)] = 30.0,
         ) -> None:
    """Stop the stream after its running batch, saying meanwhile what it waits for.

    Given again, it waits along. Example: rollcall stream stop --within 60
    """
    settings = load()
    with audited(settings, "stream.stop", "stream"):
        stopping.stop_stream(Supervisor(settings), tell, within)
    show("The stream is stopped; the next start goes on where it was.")


def accept_loss(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is lost; change nothing.")] = False,
) -> None:
    """Accept that records were removed before they were read: write down which, and let the stream go on.

    Everything the topic still holds is then read again and the aggregates are recounted. Example:
    rollcall stream accept-loss --dry-run
    """
    from engine.writer import lost  # Spark is imported only by those who need it

    settings = load()
    with nullcontext() if dry_run else audited(settings, "stream.accept-loss", "stream"):
        found = lost.accept(settings, tell, dry_run)
    if not found:
        show("Nothing is lost: the topic holds every record that is to be read next. Nothing was changed.")
        return
    for loss in found:
        show(f"lost: {loss}")
    if dry_run:
        show("Nothing was changed. `rollcall stream accept-loss` writes this down and lets the stream go on.")
        return
    supervisor = Supervisor(settings)
    if supervisor.alive():
        supervisor.start("stream")
        show("The stream is started and reads again what the topic still holds.")
    else:
        show("The next start of the stream reads again what the topic still holds.")
