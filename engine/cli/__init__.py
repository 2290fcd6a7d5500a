"""The command `rollcall`: one file per group of commands, each with an example in its help.

Exit codes: 0 done and well; 1 what was checked is not well; others as engine/errors.py gives them (75: try again
later; 78: a setting; 77: a refused sign-in; ...); 130 after Ctrl-C.
"""

import signal
import threading

import typer

from engine.cli import check, people, persons_rights, stack, stream
from engine.cli.output import complain
from engine.errors import RollcallError

INTERRUPTED = 130

app = typer.Typer(name="rollcall", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="People -> Kafka -> Spark -> Cassandra and MongoDB: exact, lawful, pleasant to run.")
for group in (stack, people, stream, check, persons_rights):
    group.register(app)


def main() -> None:
    """Runs the command; an error of ours is one sentence on standard error and its exit code, and so is Ctrl-C."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        app()
    except RollcallError as error:
        complain(str(error))
        raise SystemExit(error.exit_code) from None
    except BaseException:    # whatever a library makes of the interrupt
        if not interrupted.is_set():
            raise
        complain("Interrupted; nothing is left half done, and the same command can be given again.")
        raise SystemExit(INTERRUPTED) from None
