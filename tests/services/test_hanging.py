"""A Cassandra that hangs: its process is paused, connections stay open and nothing is answered. What the console does then."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app import acts, sessions
from app.sessions import Viewer
from app.stores import Console, Held
from engine.clients import cassandra_session
from engine.processes import Supervisor
from engine.settings import Settings
from engine.stores.accounts import SESSION_WITHIN_S, Accounts
from engine.stores.audit import KEPT_AFTER_S, NotAudited
from governance.audit import BEGUN, DONE
from tests.app.console_fake import FakeProcesses
from tests.services.flow import Flow

pytestmark = pytest.mark.services

SLACK_S = 2.5
"""For a machine that is busy; the flow's own request time-out, which must not be waited for, is longer."""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A keyspace and a folder of its own; no stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("hanging"), "hanging", {"cassandra": {"request_timeout_s": 8}}) as made:
        yield made


@pytest.fixture(scope="module")
def console(flow: Flow) -> Iterator[Console]:
    """A console whose programs are none."""
    held = Held(flow.settings)
    yield Console(flow.settings, held, FakeProcesses())
    held.close()


@pytest.fixture(scope="module")
def session(flow: Flow) -> str:
    """The id of an operator's session."""
    with cassandra_session(flow.settings, "governance") as opened:
        accounts = Accounts(flow.settings, opened)
        accounts.add("ada", ["operator"])
        return accounts.begin("ada", ["operator"], "127.0.0.1", "")[1].id


@contextmanager
def paused(stack: Settings) -> Iterator[None]:
    """Cassandra stands still meanwhile."""
    pid = Supervisor(stack).status()["cassandra"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def taken(do: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    began = time.monotonic()
    do()
    return time.monotonic() - began


def test_a_session_is_not_waited_for_and_then_believed(stack: Settings, flow: Flow, console: Console, session: str,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    assert flow.settings.cassandra.request_timeout_s > SESSION_WITHIN_S + SLACK_S
    monkeypatch.setattr(sessions, "ASKED_EVERY_S", 0.0)
    found: list[Viewer | None] = []
    flow.until("the session is confirmed", lambda: (known := console.sessions.get(session)) is not None and known.confirmed, 30)
    with paused(stack):
        assert taken(lambda: found.append(console.sessions.get(session))) < SESSION_WITHIN_S + SLACK_S
        one = threading.Thread(target=console.sessions.get, args=(session,))
        one.start()
        flow.until("one asks whether it is back", console.sessions._asking.locked, 10)
        assert taken(lambda: found.append(console.sessions.get(session))) < SLACK_S, "the others do not wait meanwhile"
        assert one.is_alive()
        one.join(10)
    assert [viewer and viewer.confirmed for viewer in found] == [False, False]
    assert found[0] is not None
    assert found[0].may("stream.start")
    flow.until("it is confirmed again", lambda: (known := console.sessions.get(session)) is not None and known.confirmed, 30)


def test_a_start_is_done_and_kept_in_the_file_however_long_others_wait(stack: Settings, flow: Flow, console: Console,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 2 * KEPT_AFTER_S + SLACK_S    # one entry before and one after
    assert limit < flow.settings.cassandra.request_timeout_s
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(acts, "console", lambda: console)
    monkeypatch.setattr(acts, "viewer", lambda: Viewer("s", "ada", frozenset({"operator"}), confirmed=False))
    monkeypatch.setattr(acts, "say", lambda *what: said.append(what))
    console.audit().append("ada", "sign-in", "ada", DONE)    # so that a session is open

    def start() -> None:
        assert acts.act("stream.start", "stream", lambda _: "started")

    refused: list[bool] = []

    def strict() -> None:
        with pytest.raises(NotAudited):
            console.audit().append("bob", "letters.discard", "3 letters", BEGUN)
        refused.append(True)

    with paused(stack):
        assert taken(start) < limit
        other = threading.Thread(target=strict)
        other.start()
        flow.until("another is writing to the audit", lambda: locked(flow), 10)
        assert taken(start) < limit
        assert other.is_alive(), "who must be in the audit first waits on"
        other.join(30)
    assert refused == [True]
    assert said == [("done", "started")] * 2
    assert console.audit().kept == 4

    def chained_in() -> bool:
        try:
            console.audit().append("ada", "sign-out", "ada", DONE)
        except NotAudited:
            return False
        return True

    flow.until("the audit is written again", chained_in, 60)
    assert console.audit().kept == 0
    entries = [(entry.act, entry.result) for entry in console.audit().entries()]
    assert entries == [("sign-out", DONE), *[("stream.start", DONE), ("stream.start", BEGUN)] * 2, ("sign-in", DONE)]
    assert console.audit().broken() == []


def locked(flow: Flow) -> bool:
    """Whether somebody holds the lock of those who write to the audit."""
    audit = flow.settings.state / "audit" / "lock"
    return any(f":{audit.stat().st_ino} " in line for line in Path("/proc/locks").read_text().splitlines())
