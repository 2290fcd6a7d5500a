"""The command `rollcall`: one file per group of commands, each with an example in its help.

Exit codes: 0 done and well; 1 what was checked is not well; others as engine/errors.py gives them (75: try again
later; 78: a setting; 77: a refused sign-in; ...); 130 after Ctrl-C.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import psutil
import typer
from typer.main import get_command

from engine.cli import (
    access,
    accounts,
    alerts,
    audit,
    backup,
    breach,
    certs,
    check,
    dead_letters,
    doctor,
    keys,
    migrate,
    password,
    people,
    persons_rights,
    publish,
    register,
    request,
    restore,
    retention,
    stack,
    stream,
)
from engine.cli.output import complain, log
from engine.errors import FOR_A_PERSON, RollcallError, SettingsInvalid
from engine.log_lines import about, begin
from engine.logs import discreet
from engine.machine import folders
from engine.settings import Settings, load, outer_environment
from engine.supervisord import BELIEVED_AFTER_S, PROGRAMS
from governance.free_text import scrubbed
from governance.requests.request import REF

INTERRUPTED = 130
NOBODY_READS = 1

PARTS = {"stream run": "stream", "produce": "producer", "retention keep": "keeper"}
"""Command -> the program that it is."""

app = typer.Typer(name="rollcall", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="People -> Kafka -> Spark -> Cassandra and MongoDB: exact, lawful, pleasant to run.")
for group in (stack, people, stream, doctor, check, dead_letters, persons_rights, accounts, audit,
              register, retention, request, restore, backup, migrate, breach, access, publish, alerts, certs, keys,
              password):
    group.register(app)


def main() -> None:
    """Runs the command; an error of ours is one sentence on standard error and its exit code, and so is Ctrl-C.

    So is what the system says of a folder of ours, wherever it is met: full, read-only, forbidden.
    """
    discreet()
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        try:
            command = get_command(app)
            settings, name = _settings(), _named(command, sys.argv[1:])
            begin(settings.logs.form if settings else "text", PARTS.get(name, "rollcall"), name)
            with about(_request(name, sys.argv[1:])):
                command()    # called by itself, typer would set a hook of its own for what nobody foresaw
        finally:
            sys.stdout.flush()    # while an error of it can still be said
    except RollcallError as error:
        _end(error)
    except OSError as error:
        with open(os.devnull, "wb") as nowhere:    # what could not be written is not tried again at the exit
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):     # whoever read us has gone, as `| head` does
            raise SystemExit(NOBODY_READS) from None
        if (ours := folders.unusable(error, _settings())) is None:
            raise
        _end(ours)
    except BaseException:    # whatever a library makes of the interrupt
        if not interrupted.is_set():
            raise
        complain("Interrupted; nothing is left half done, and the same command can be given again.")
        raise SystemExit(INTERRUPTED) from None


def _named(command: Any, words: Sequence[str]) -> str:
    """The command that these words give, without what is given to it: that may be somebody's name."""
    inner = getattr(command, "commands", {}).get(words[0]) if words else None
    return f"{words[0]} {_named(inner, words[1:])}".rstrip() if inner else ""


def _request(name: str, words: Sequence[str]) -> str:
    """The request that a command is about, by the form of its number; empty where it is about none."""
    return next(filter(REF.fullmatch, words), "") if name.startswith("request ") else ""


def _end(error: RollcallError) -> NoReturn:
    supervised = outer_environment().get("SUPERVISOR_PROCESS_NAME") in PROGRAMS
    if supervised:
        log(scrubbed(str(error)), "error")
    else:
        complain(str(error))    # who is at the terminal may have given the very value
    if supervised and isinstance(error, FOR_A_PERSON):
        lived = time.time() - psutil.Process().create_time()
        time.sleep(max(0.0, BELIEVED_AFTER_S + 1 - lived))    # else supervisord would try again for ever
    raise SystemExit(error.exit_code) from None


def _settings() -> Settings | None:
    try:
        return load()
    except SettingsInvalid:
        return None
