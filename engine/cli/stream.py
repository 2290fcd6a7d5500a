"""`rollcall stream run|start|stop`: Kafka to the stores."""


import typer

from engine.cli.output import log, show
from engine.processes import Supervisor
from engine.settings import load


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Run, start or stop the stream.", no_args_is_help=True)
    group.command()(run)
    group.command()(start)
    group.command()(stop)
    app.add_typer(group, name="stream")


def run() -> None:
    """Run the stream in this terminal until Ctrl-C; the supervisor does just this.

    Example: rollcall stream run
    """
    from engine.spark_stream import run as run_stream  # Spark is imported only by those who need it

    run_stream(load(), log)


def start() -> None:
    """Start the stream under the supervisor. Example: rollcall stream start"""
    Supervisor(load()).start("stream")
    show("The stream is started. `rollcall logs stream --follow` shows what it does.")


def stop() -> None:
    """Stop the stream after its running batch. Example: rollcall stream stop"""
    Supervisor(load()).stop("stream")
    show("The stream is stopped; the next start goes on where it was.")
