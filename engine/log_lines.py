"""How a line of our programs' logs is written: as text with its time first, or as one JSON object (`logs.form`).

    begin("json", "keeper", "retention keep")    # once, when a program begins
    with about(request="R-9"):
        line("nothing is left")
    # {"time": "2026-11-29T16:41:12.345Z", "level": "info", "part": "keeper", "message": "nothing is left", "request": ...

It writes what it is given and knows nobody: what may hold a person is looked through before (engine/logs.py).
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Form = Literal["text", "json"]

OURS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ ")
"""How a line of text begins."""


@dataclass
class _Program:
    """What every line of this process says of it. turn: of the stream, which has one at a time."""

    form: Form = "text"
    part: str = "rollcall"
    command: str = ""
    turn: int | None = None


_program = _Program()
_about: ContextVar[str] = ContextVar("request", default="")


def begin(form: Form, part: str, command: str = "") -> None:
    """From now on lines are written so. part: stream, producer, view, console, keeper, or rollcall for any other command."""
    _program.form, _program.part, _program.command = form, part, command


def json_wanted() -> bool:
    """Whether lines are JSON."""
    return _program.form == "json"


def in_turn(number: int | None) -> None:
    """The stream does this turn from now on; None: it does none."""
    _program.turn = number


@contextmanager
def about(request: str) -> Iterator[None]:
    """What this thread or task says meanwhile is about this request: of a person (R-9), or one that the console answers."""
    before = _about.set(request)
    try:
        yield
    finally:
        _about.reset(before)


def line(text: str, level: str = "info", at: datetime | None = None) -> str:
    """One line, without its end; as text it may have several. at: when it was said, now by default."""
    at = at or datetime.now(UTC)
    if not json_wanted():
        return f"{at:%Y-%m-%d %H:%M:%S}Z {text}"
    known = {"turn": _program.turn, "request": _about.get(), "command": _program.command}
    return json.dumps({"time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z", "level": level, "part": _program.part,
                       "message": text, **{name: value for name, value in known.items() if value}}, ensure_ascii=False)


def as_text(written: str) -> str:
    """A line of a log as text has it, whatever the form it was written in; what is no line of ours as it is."""
    if not written.startswith('{"time"'):
        return written
    try:
        said = json.loads(written)
        return f"{datetime.fromisoformat(said['time']):%Y-%m-%d %H:%M:%S}Z {said['message']}"
    except (ValueError, KeyError, TypeError):    # cut in the middle
        return written


class JsonLines(logging.Formatter):
    """Writes records of `logging` as JSON lines, an error with where it was met in the same message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        text = record.getMessage()
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text = f"{text}\n{record.exc_text}"
        return line(text, record.levelname.lower(), datetime.fromtimestamp(record.created, UTC))


def set_formatters(name: str) -> None:
    """Has whatever writes records of this logger write JSON lines, if they are wanted.

    It is asked whenever a record is made: Streamlit, uvicorn and gunicorn come with handlers of their own, later.
    """
    if not json_wanted():
        return
    logger: logging.Logger | None = logging.getLogger(name)
    handlers = [logging.lastResort] if logging.lastResort else []
    while logger:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None
    for handler in handlers:
        if not isinstance(handler.formatter, JsonLines):
            handler.setFormatter(JsonLines())
