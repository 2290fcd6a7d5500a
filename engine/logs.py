"""Logs without people in them: what every program of ours does before it logs or ends with an error.

    discreet()    # once, when a program begins: from then on every log record, uncaught error and warning is looked through
    line(text)    # a line of a program's log, in the form of `logs.form` (engine/log_lines.py)

Of an error of ours the message is shown, of the system's what the system says, of any other only its type and where it
was met: a driver or a parser quotes what it was given, and a name in the middle of a sentence is recognised by no pattern.
In what is logged, persons and what is recognised of them is masked (governance/free_text.py).
"""

import logging
import os
import re
import sys
import textwrap
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

from engine import log_lines
from engine.errors import RollcallError
from governance.free_text import FEWEST_DIGITS, scrubbed, scrubbed_value
from governance.masking import HIDDEN

WITHHELD = "(its text may hold a person and is not shown)"
PLACE = "\ue000{}\ue001"    # of no letters that a text or a pattern has
UNREADABLE = "(left out: it could not be looked through)"
CAUSE, CONTEXT = "This was the direct cause of", "While this was handled, another came"

DEEPEST, WIDEST = 30, 15
"""Causes in a row and errors of a group that are written down."""

OF_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning, SyntaxWarning)
"""Warnings that speak of code, not of data."""


def discreet() -> None:
    """Has everything that this program logs, warns of or ends with looked through first; idempotent.

    Records are looked through where they are made, not at handlers: Streamlit and uvicorn come with handlers of their
    own, later. A hook that somebody else has set, as a test runner does, stays.
    """
    made = logging.getLogRecordFactory()
    if not isinstance(made, _Records):
        logging.setLogRecordFactory(_Records(made))
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _uncaught
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_ended
    warnings.showwarning = _warned


def line(text: str, level: str = "info") -> str:
    """A line of a program's log, without its end. JSON goes to where logs of many are kept, so of it nothing is shown that is
    recognised of a person, even where it is a sentence of ours."""
    return log_lines.line(scrubbed(text) if log_lines.json_wanted() else text, level)


def said(error: BaseException) -> str:
    """An error in one line, as Python ends a traceback, with as much of its text as may be shown."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, RollcallError):
        return f"{name}: {scrubbed(str(error))}"
    if isinstance(error, OSError) and kind.__module__ == "builtins" and isinstance(error.errno, int):
        files = [scrubbed(repr(file)) for file in (error.filename, error.filename2) if file is not None]
        return f"{name}: [Errno {error.errno}] {os.strerror(error.errno)}{': ' * bool(files)}{' -> '.join(files)}"
    return f"{name} {WITHHELD}" if error.args or kind.__module__ != "builtins" else name


def traced(error: BaseException) -> list[str]:
    """An error with its causes and where each was met, as `traceback.format_exception` gives it, without its notes."""
    return list(_traced(error, set()))


class Discreet(logging.Filter):
    """Keeps people out of records; lets every record pass. A record is looked through once."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Masks message and arguments; puts what `traced` says in the place of the error."""
        if not getattr(record, "looked_through", False):
            error = record.exc_info[1] if record.exc_info else None
            record.exc_info, record.exc_text = None, type(error).__name__ if error is not None else None
            try:
                if error is not None:
                    record.exc_text = "".join(traced(error)).rstrip("\n")
                _mask(record, _texts([error, sys.exception()]))
            except Exception:    # whatever an argument does when it is written: nothing of it can be vouched for
                record.msg, record.args = UNREADABLE, ()
            record.looked_through = True
        return True


class _Records:
    """Makes log records as they were made before, and looks them through."""

    def __init__(self, made: Callable[..., logging.LogRecord]) -> None:
        self._made, self._discreet = made, Discreet()

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._made(*args, **kwargs)
        self._discreet.filter(record)
        if record.name:    # of one that is made of a dictionary it is not known yet
            log_lines.set_formatters(record.name)
        return record


class _Place:
    """Stands for an argument that is masked already, while the text around it is looked through."""

    def __init__(self, number: int) -> None:
        self._text = PLACE.format(number)

    def __repr__(self) -> str:
        return self._text


def _mask(record: logging.LogRecord, withheld: list[tuple[str, str]]) -> None:
    """Message and arguments. withheld: texts that must not be shown, each with what is shown instead."""
    masked: list[str] = []

    def safe(value: object) -> object:
        if isinstance(value, str):
            return _replaced(value, withheld)    # scrubbed with what stands beside it
        if value is None or isinstance(value, int | float):
            return value
        masked.append(said(value) if isinstance(value, BaseException) else str(scrubbed_value(_without(value, withheld))))
        return _Place(len(masked) - 1)

    template, given = str(safe(record.msg)), record.args or ()
    if isinstance(given, tuple):
        args: Any = tuple(map(safe, given))
    elif "%(" in template:    # its values by name: all of them, if one may not be seen
        args = given if scrubbed_value(given) == given else dict.fromkeys(given, HIDDEN)
    else:
        args = (safe(given),)
    text = scrubbed(template % args if args else template)
    for number, shown in enumerate(masked):
        text = text.replace(PLACE.format(number), shown)
    plain = isinstance(given, tuple) and all(isinstance(value, str | int | float) for value in (record.msg, *given))
    if not plain or text != record.getMessage():    # where nothing is hidden they stay: uvicorn's formatter reads arguments
        record.msg, record.args = text, ()


def _without(value: object, withheld: list[tuple[str, str]]) -> object:
    """A value whose texts hold none of those that are withheld."""
    match value:
        case str():
            return _replaced(value, withheld)
        case list() | set() | frozenset():
            return [_without(inner, withheld) for inner in value]
        case dict():
            return {name: _without(inner, withheld) for name, inner in value.items()}
        case tuple() if type(value) is tuple:
            return tuple(_without(inner, withheld) for inner in value)
    return value


def _texts(errors: Iterable[BaseException | None]) -> list[tuple[str, str]]:
    """How a message may quote what errors say that are not ours, and what is shown instead: the longest first."""
    quoted = [(text, said(error).removesuffix(f" {WITHHELD}")) for error in _all(errors) if not isinstance(error, RollcallError)
              for text in _quotable(error)]
    return sorted(quoted, key=lambda pair: -len(pair[0]))


def _quotable(error: BaseException) -> Iterator[str]:
    texts = [arg for arg in error.args if isinstance(arg, str)]
    with suppress(Exception):    # an error of Java asks Java, which may be gone
        texts += [str(error), repr(error)]
    return (text for text in texts if len(text) > 1 and not (text.isdigit() and len(text) < FEWEST_DIGITS))


def _all(errors: Iterable[BaseException | None]) -> Iterator[BaseException]:
    """Errors with their causes and those of groups, each once."""
    seen: set[int] = set()
    todo = [*errors]
    while todo and len(seen) < DEEPEST * WIDEST:
        error = todo.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            yield error
            todo += [error.__cause__, error.__context__]
            if isinstance(error, BaseExceptionGroup):
                todo += error.exceptions


def _replaced(text: str, withheld: list[tuple[str, str]]) -> str:
    for quoted, instead in withheld:
        if quoted in text:
            text = re.sub(rf"(?<!\w){re.escape(quoted)}(?!\w)", instead.replace("\\", r"\\"), text)
    return text


def _traced(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    cause = error.__cause__
    earlier = cause if cause is not None or error.__suppress_context__ else error.__context__
    if earlier is not None and id(earlier) not in seen and len(seen) < DEEPEST:
        yield from _traced(earlier, seen)
        yield f"\n{CONTEXT if cause is None else CAUSE}:\n\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    yield said(error) + "\n"
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions[:WIDEST], 1):
            if len(seen) < DEEPEST:
                yield from (textwrap.indent(part, "    ") for part in (f"---- {number} ----\n", *_traced(inner, seen)))


def _told(head: str, error: BaseException | None) -> None:
    """Writes an error to standard error. It must not raise: Python would then write the error down by itself."""
    with suppress(Exception):
        try:
            text = "".join(traced(error)) if error is not None else ""
        except Exception as failed:
            text = f"{type(error).__name__} ({type(failed).__name__})\n"
        sys.stderr.write(line((head + text).rstrip("\n"), "error") + "\n" if log_lines.json_wanted() else head + text)


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    _told("", error)


def _unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    _told(f"Exception ignored in {type(ignored.object).__qualname__}:\n", ignored.exc_value)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if not issubclass(ended.exc_type, SystemExit):
        _told(f"Exception in thread {ended.thread.name if ended.thread else 'unknown'}:\n", ended.exc_value)


def _warned(message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
            line: str | None = None) -> None:
    text = scrubbed(str(message)) if issubclass(category, OF_CODE) else WITHHELD
    with suppress(OSError, ValueError):
        told = f"{filename}:{lineno}: {category.__name__}: {text}"
        (file or sys.stderr).write(f"{log_lines.line(told, 'warning') if log_lines.json_wanted() else told}\n")
