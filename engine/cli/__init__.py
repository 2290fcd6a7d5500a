"""The command `rollcall`: one file per group of commands, each with an example in its help.

Exit codes: 0 done and well; 1 what was checked is not well; others as engine/errors.py gives them (75: try again
later; 78: a setting; 77: a refused sign-in; ...); 130 after Ctrl-C.
"""

import typer

from engine.cli import check, people, persons_rights, stack, stream
from engine.cli.output import complain
from engine.errors import RollcallError

app = typer.Typer(name="rollcall", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="People -> Kafka -> Spark -> Cassandra and MongoDB: exact, lawful, pleasant to run.")
for group in (stack, people, stream, check, persons_rights):
    group.register(app)


def main() -> None:
    """Runs the command; an error of ours is one sentence on standard error and its exit code."""
    try:
        app()
    except RollcallError as error:
        complain(str(error))
        raise SystemExit(error.exit_code) from None
