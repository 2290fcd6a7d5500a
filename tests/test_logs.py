"""Errors and log lines with people in them show none of them, and those without stay useful."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cassandra
import cassandra.protocol
import kafka.errors
import pydantic
import pymongo.errors
import pytest

from engine import logs
from engine.clients import mapped
from engine.errors import InputUnreadable, StoreAway, StoreRefused
from engine.logs import Discreet, said, traced
from engine.settings import CLONE
from tests.governance.test_free_text import PEOPLE, seen, told
from tests.people import Person, captured


@contextmanager
def logged() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger as a program of ours has it: a plain handler, and the filter."""
    out = io.StringIO()
    log, handler = logging.Logger("foreign"), logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log.addHandler(handler)
    log.addFilter(Discreet())
    yield log, out


class NoName(pydantic.BaseModel):
    """What refuses a name."""

    first: int
    last: int = 0


class Model(pydantic.BaseModel):
    """What refuses a person."""

    gender: int
    name: NoName
    email: str = "none"


@dataclass
class Named:
    """What prints its fields."""

    full_name: str
    email: str
    street: str


def refused(person: Person) -> pydantic.ValidationError:
    try:
        Model.model_validate(person)
    except pydantic.ValidationError as error:
        return error
    raise AssertionError


def caused(person: Person) -> Exception:
    try:
        try:
            raise ValueError(told(person))
        except ValueError:
            raise KeyError(person["name"]["last"])    # noqa: B904 - the context is wanted
    except KeyError as error:
        outer = StoreAway("Kafka does not answer.", "Kafka")
        outer.__cause__ = error
        return outer


class Own(Exception):
    """An error that makes its text when it is asked."""

    def __init__(self, person: Person) -> None:
        super().__init__()
        self.person = person

    def __str__(self) -> str:
        return told(self.person)


def with_note(person: Person) -> Exception:
    error = RuntimeError("x")
    error.add_note(told(person))
    return error


ERRORS: dict[str, Callable[[Person], BaseException]] = {
    "sentence": lambda person: ValueError(told(person)),
    "arguments": lambda person: ValueError("bad", person, person["name"]["last"]),
    "key": lambda person: KeyError(person["name"]["first"]),
    "json": lambda person: ValueError(json.dumps(person)),
    "cause": caused,
    "note": with_note,
    "text of its own": Own,
    "group": lambda person: ExceptionGroup(
        told(person), [KeyError(person["name"]["last"]), ExceptionGroup("x", [caused(person)])]),
    "pydantic": refused,
    "system, not its own text": lambda person: OSError(5, told(person), "file", None, person["email"]),
    "system without a number": lambda person: ConnectionError(told(person)),
    "ours with a person in it": lambda person: InputUnreadable(f"line 3 is no person: {person}"),
    "ours with the start of one": lambda person: InputUnreadable(f"line 3: {json.dumps(person)[:200]}"),
    "cassandra": lambda person: cassandra.InvalidRequest(told(person)),
    "cassandra's protocol": lambda person: cassandra.protocol.ServerError(0, told(person), {}),
    "mongo": lambda person: pymongo.errors.WriteError(told(person), 121, {"errInfo": person}),
    "mongo in bulk": lambda person: pymongo.errors.BulkWriteError({"writeErrors": [{"op": person}]}),
    "kafka": lambda person: kafka.errors.MessageSizeTooLargeError(told(person)),
    "encoding": lambda person: UnicodeEncodeError("ascii", told(person), 1, 2, told(person)),
}

Told = Callable[[logging.Logger, BaseException], None]

WAYS: dict[str, Told] = {
    "exception": lambda log, error: log.exception("failed"),
    "exc_info": lambda log, error: log.error("failed", exc_info=error),
    "argument": lambda log, error: log.error("failed: %s", error),
    "repr": lambda log, error: log.error("failed: %r", error),
    "message itself": lambda log, error: log.error(error),
    "formatted before": lambda log, error: log.error(f"failed: {error}"),
    "repr before": lambda log, error: log.error(f"failed: {error!r}", exc_info=error, stack_info=True),
    "text": lambda log, error: log.error("failed: " + str(error) + " again"),
    "text as argument": lambda log, error: log.error("failed: %s", str(error)),
    "its arguments": lambda log, error: log.error("failed: %s %s", error.args, [error]),
    "its cause": lambda log, error: log.error(f"failed: {type(error).__name__} by {error.__cause__} in {error.__context__}"),
    "what it holds": lambda log, error: log.error(f"failed: {type(error).__name__} of {getattr(error, 'exceptions', '')}"),
}


QUOTES_TEXT = ("its arguments", "text", "text as argument", "formatted before")


def raised(error: BaseException, log: logging.Logger, way: Told) -> None:
    try:
        raise error
    except BaseException as met:
        way(log, met)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ERRORS)
def test_no_error_shows_a_person(kind: str, way: str) -> None:
    for person in PEOPLE:
        with logged() as (log, out):
            raised(ERRORS[kind](person), log, WAYS[way])
        assert seen(person, out.getvalue()) == set(), out.getvalue()
        assert "Logging error" not in out.getvalue()
        assert type(ERRORS[kind](person)).__name__ in out.getvalue() or way in QUOTES_TEXT


Row = namedtuple("Row", ["uuid", "full_name", "email", "phone"])

LINES: dict[str, tuple[str, Callable[[Person], Any]]] = {
    "the person": ("got %s", lambda person: person),
    "parts": ("got %s", lambda person: {part: person[part] for part in ("name", "location")}),
    "a name": ("got %s", lambda person: person["name"]),
    "a list": ("got %s", lambda person: [person, person]),
    "an answer": ("got %s", lambda person: {"results": [{"user": person}], "info": {"seed": "x"}}),
    "json": ("got %s", json.dumps),
    "json with its letters": ("got %s", lambda person: json.dumps(person, ensure_ascii=False)),
    "json of several lines": ("got %s", lambda person: json.dumps(person, indent=2)),
    "json in json": ("got %s", lambda person: json.dumps({"value": json.dumps(person)})),
    "json that is cut": ("got %s", lambda person: json.dumps(person)[:400]),
    "repr that is cut": ("got %s", lambda person: repr(person)[:400]),
    "bytes": ("got %s", lambda person: json.dumps(person, ensure_ascii=False).encode()),
    "bytes in a list": ("got %r", lambda person: [json.dumps(person).encode(), bytearray(b"x")]),
    "bytes, formatted before": ("got %s", lambda person: str(json.dumps(person, ensure_ascii=False).encode())),
    "with what Python cannot write": ("got %s", lambda person: repr({**person, "at": logging.Logger("x")})),
    "a row": ("got %s", lambda person: Row("x", f"{person['name']['first']} {person['name']['last']}", person["email"],
                                           person["phone"])),
    "rows": ("got %s", lambda person: [Row("x", told(person), person["email"], person["phone"])]),
    "a record": ("got %s", lambda person: Named(told(person), person["email"], str(person["location"]["street"]))),
    "a model": ("got %s", lambda person: Model.model_construct(gender=1, name=person["name"], email=person["email"])),
    "columns": ("got %s", lambda person: {"full_name": told(person), "nat": "FR"}),
    "assignments": ("got %s", lambda person: "full_name={first} {last}, phone=".format(**person["name"]) + person["phone"]),
    "named": ("got %(first)s %(last)s", lambda person: person["name"]),
    "an address": ("call %s", lambda person: f"<{person['email']}> or {person['phone']} ({person['cell']})"),
    "what pydantic refuses": ("got %s", lambda person: refused(person).errors()),
    "what pydantic refuses, as text": ("got %s", lambda person: str(refused(person))),
    "capitals": ("got %s", lambda person: {part.upper(): value for part, value in person.items()}),
}


@pytest.mark.parametrize("before", [False, True], ids=["argument", "formatted before"])
@pytest.mark.parametrize("line", LINES)
def test_no_line_shows_a_person(line: str, before: bool) -> None:
    template, make = LINES[line]
    for person in PEOPLE:
        with logged() as (log, out):
            made = make(person)
            if before and "%(" not in template:
                log.info(template % (made,))
            else:
                log.info(template, made)
        assert seen(person, out.getvalue()) == set(), out.getvalue()
        assert out.getvalue().count("\n") >= 1


# --- what has to stay readable

def test_an_ordinary_line_keeps_its_arguments() -> None:
    record = logging.LogRecord("uvicorn.access", 20, "x", 1, '%s - "%s %s" %d', ("127.0.0.1:1", "GET", "/", 200), None)
    Discreet().filter(record)
    assert record.args == ("127.0.0.1:1", "GET", "/", 200)
    assert record.getMessage() == '127.0.0.1:1 - "GET /" 200'


def test_an_ordinary_error_says_what_it_is_and_where() -> None:
    with logged() as (log, out):
        try:
            open("/no/such/folder/x")    # noqa: SIM115
        except OSError as error:
            outer = StoreAway("MongoDB does not answer while reading (NetworkTimeout). `rollcall status` shows.", "MongoDB")
            outer.__cause__ = error
            log.error("error %s", "12345678", exc_info=outer)
            log.warning("met: %s", outer)
    text = out.getvalue()
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/folder/x'" in text
    assert "engine.errors.StoreAway: MongoDB does not answer while reading (NetworkTimeout). `rollcall status` shows." in text
    assert "test_an_ordinary_error_says" in text
    assert "ERROR error 12345678" in text
    assert "WARNING met: engine.errors.StoreAway: MongoDB does not" in text
    assert logs.CAUSE in text


def test_a_drivers_error_is_read_as_it_is_mapped() -> None:
    with logged() as (log, out):
        try:
            with mapped("reading markers", "producer"):
                raise cassandra.InvalidRequest(told(PEOPLE[0]))
        except StoreRefused:
            log.exception("failed")
    assert "Cassandra cannot do what was asked while reading markers as producer (InvalidRequest)" in out.getvalue()
    assert seen(PEOPLE[0], out.getvalue()) == set()


def test_long_chains_and_rings_end() -> None:
    error: BaseException = ValueError("x")
    for _ in range(500):
        outer = ValueError("x")
        outer.__context__, error = error, outer
    assert len(traced(error)) < 200
    one, other = ValueError("a"), ValueError("b")
    one.__cause__, other.__cause__ = other, one
    assert len(traced(one)) == 3
    group = ExceptionGroup("g", [ValueError(str(number)) for number in range(100)])
    assert len(traced(group)) == 1 + 2 * logs.WIDEST


def test_what_cannot_be_written_is_left_out() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(told(PEOPLE[0]))

    with logged() as (log, out):
        log.info("%s", Broken())
        log.info("%s %s", "one")
        log.info("%d", "ada@example.com")
        log.info("failed", exc_info=OSError(10 ** 20, told(PEOPLE[0])))
    assert out.getvalue() == f"INFO {logs.UNREADABLE}\n" * 4 + "OSError\n"


def test_a_record_is_looked_through_once() -> None:
    person = captured("1.4")[0]
    error = ValueError("x")
    record = logging.LogRecord("x", 20, "x", 1, "%s", (json.dumps(person),), (ValueError, error, None))
    Discreet().filter(record)
    once = record.getMessage()
    assert (record.exc_info, record.exc_text) == (None, said(error)), "whatever formatter comes later"
    Discreet().filter(record)
    assert record.getMessage() == once
    assert '"1992-03"' in once


# --- hooks

PRELUDE = "import asyncio, json, logging, sys, threading, warnings\ntold, person = sys.argv[1], json.loads(sys.argv[2])\n"

ENDS = {
    "uncaught": "raise ValueError(told)",
    "caught and raised again": "try:\n    raise ValueError(told)\nexcept ValueError as error:\n"
                               "    raise KeyError(told) from error",
    "a thread": "def run():\n    raise ValueError(told)\nthreading.Thread(target=run).start()",
    "unraisable": "class X:\n    def __del__(self):\n        raise ValueError(told)\nX()",
    "a warning": "warnings.warn(told)",
    "a warning of code": "warnings.simplefilter('always')\nwarnings.warn('ValueError ' + sys.argv[2], DeprecationWarning)",
    "no handler": "logging.getLogger('x').error('ValueError %s', person)",
    "handlers that come later": "logging.basicConfig(level=10)\n"
                                "logging.getLogger('py4j').debug('ValueError %s', json.dumps(person))",
    "a task": "async def run():\n    raise ValueError(told)\nasync def main():\n"
              "    task = asyncio.ensure_future(run())\n    await asyncio.sleep(0.1)\nasyncio.run(main())",
}


def ended(code: str) -> str:
    """What a program says that ends like this; a person is given to it."""
    person = captured("1.4")[0]
    done = subprocess.run([sys.executable, "-c", PRELUDE + code, told(person), json.dumps(person)], cwd=CLONE,
                          capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_a_program_shows_a_person(end: str) -> None:
    person = captured("1.4")[0]
    text = ended(f"from engine.logs import discreet\ndiscreet()\ndiscreet()\n{ENDS[end]}")
    assert seen(person, text) == set(), text
    assert "ValueError" in text or "UserWarning" in text
    assert len(seen(person, ended(ENDS[end]))) >= 4, "without it the person is seen"


@pytest.mark.parametrize("name", ["SUPERVISOR_PROCESS_NAME", ""])
def test_the_command_ends_without_a_person(name: str) -> None:
    person = captured("1.4")[0]
    text = ended(f"import os\nos.environ['{name or 'X'}'] = 'stream'\nimport engine.cli, engine.cli.stream\n"
                 "@engine.cli.app.command('planted')\ndef planted():\n    raise ValueError(told)\n"
                 "sys.argv = ['rollcall', 'planted']\nengine.cli.main()")
    assert seen(person, text) == set(), text
    assert "ValueError" in text
    assert "in planted" in text


@pytest.mark.long
def test_the_console_writes_its_errors_down_without_a_person() -> None:
    person = captured("1.4")[0]
    text = ended("import app.server\nfrom app.unforeseen import noted\n"
                 "try:\n    raise ValueError(told)\nexcept ValueError as error:\n    noted(error)\n"
                 "logging.getLogger('uvicorn.error').error('failed', exc_info=ValueError(told))\n"
                 "logging.getLogger('streamlit.error_util').error('twice', exc_info=ValueError(told))\n"
                 "threading.Thread(target=json.loads, args=(told,), name='reading').start()")
    assert seen(person, text) == set(), text
    assert "ValueError" in text
    assert "Exception in thread reading" in text
    assert "twice" not in text


def test_hooks_of_a_test_runner_stay() -> None:
    before = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning, logging.getLogRecordFactory()
    sys.excepthook = before[0] if before[0] is not sys.__excepthook__ else print
    hook = sys.excepthook
    try:
        logs.discreet()
        assert (sys.excepthook, sys.unraisablehook, threading.excepthook) == (hook, *before[1:3])
        made = logging.getLogRecordFactory()
        logs.discreet()
        assert logging.getLogRecordFactory() is made
    finally:
        sys.excepthook, warnings.showwarning = before[0], before[3]
        logging.setLogRecordFactory(before[4])


def test_types_are_named_as_python_names_them() -> None:
    assert said(KeyError("x")) == f"KeyError {logs.WITHHELD}"
    assert said(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert said(asyncio.QueueEmpty()) == f"asyncio.queues.QueueEmpty {logs.WITHHELD}"
    full = OSError(28, "anything", "/a/ada@example.com")
    assert said(full) == "OSError: [Errno 28] No space left on device: '/a/********@example.com'"
