"""A package by its link, with Starlette's own client: looking uses nothing up, fetching does, and the audit has it first."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from app import handed_out
from app import words_requests as words
from app.door import FETCHED_AT_ONCE, Door
from app.stores import Console
from engine.errors import RollcallError, StoreAway
from engine.rights.packages import AlreadyTaken, NoPackage
from tests.app.console_fake import FakeConsole

BASE = "http://127.0.0.1:8501"
ORIGIN = {"origin": BASE}
LINK = "/package/right"


class FakePackages:
    """One package, whose link is `right`."""

    def __init__(self) -> None:
        self.taken = False
        self.away: RollcallError | None = None
        self.looks: Callable[[], None] = lambda: None

    def of_link(self, secret: str) -> str:
        self.looks()
        if self.away:
            raise self.away
        if secret != "right":
            raise NoPackage
        return "r-2026-001"

    def take(self, secret: str = "", request: str = "") -> tuple[str, bytes]:
        if self.of_link(secret) and self.taken:
            raise AlreadyTaken(datetime.now(UTC))
        self.taken = True
        return "r-2026-001", b"PK of somebody"


@pytest.fixture
def console(tmp_path: Path) -> FakeConsole:
    return FakeConsole(tmp_path)


@pytest.fixture
def kept(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> FakePackages:
    """Over the session that the console shares: one of its own for each stranger would be theirs to open."""
    made = FakePackages()

    @contextmanager
    def shared(principal: str) -> Iterator[str]:
        yield f"session of {principal}"

    def over(_: object, session: object) -> FakePackages:
        assert session == "session of officer"
        return made

    monkeypatch.setattr(console.stores, "cassandra", shared)
    monkeypatch.setattr(handed_out, "Packages", over)
    return made


@pytest.fixture
def client(console: FakeConsole) -> Iterator[TestClient]:
    """A stranger's browser in front of the door."""
    app = Starlette(middleware=[Middleware(Door, console=lambda: cast(Console, console), provider=lambda: None)])
    with TestClient(app, base_url=BASE, follow_redirects=False) as browser:
        yield browser


def test_looking_uses_nothing_up_and_fetching_gives_it_once(client: TestClient, console: FakeConsole,
                                                            kept: FakePackages) -> None:
    for _ in range(3):
        assert words.FETCH in client.get(LINK).text
        assert client.head(LINK).status_code == 200
    assert not kept.taken
    got = client.post(LINK, headers=ORIGIN)
    assert (got.status_code, got.content) == (200, b"PK of somebody")
    assert got.headers["content-disposition"] == 'attachment; filename="r-2026-001.zip"'
    assert got.headers["cache-control"] == "no-store"
    again = client.post(LINK, headers=ORIGIN)
    assert again.status_code == 410
    assert words.LINK_USED in again.text
    who, what = "whoever has the link", "requests.export"
    assert [(entry[0], entry[1], entry[3], entry[4]) for entry in console.log.wrote[:2]] == [
        (who, what, "begun", ""), (who, what, "done", "r-2026-001")]
    assert "right" not in str(console.log.wrote), "the audit holds no link"


def test_only_our_own_page_fetches(client: TestClient, kept: FakePackages) -> None:
    for headers in ({}, {"origin": "https://evil.example"}):
        assert client.post(LINK, headers=headers).status_code == 403
    assert client.get(LINK, headers={"host": "evil.example"}).status_code == 400
    assert not kept.taken


def test_a_wrong_link_leads_nowhere_and_many_have_to_wait(client: TestClient, console: FakeConsole, kept: FakePackages) -> None:
    tries = console.settings.console.tries_a_minute
    for n in range(tries):
        wrong = client.post(f"/package/{'' if n == 0 else n}", headers=ORIGIN)
        assert wrong.status_code == 404
        assert words.LINK_ENDED in wrong.text
    for _ in range(3):
        assert client.post(LINK, headers=ORIGIN).status_code == 429
    assert not kept.taken
    assert [entry[:4] for entry in console.log.wrote] == [
        ("whoever has the link", "requests.export", "package by link", "refused")], "guesses do not fill the audit"


def test_strangers_take_two_threads_and_no_more(client: TestClient, kept: FakePackages) -> None:
    lock, gone, inside, most = threading.Condition(), 4, 0, 0

    def looks() -> None:
        nonlocal inside, most
        with lock:
            inside, most = inside + 1, max(most, inside + 1)
            lock.notify_all()
            lock.wait_for(lambda: most == gone, timeout=0.5)
            inside -= 1

    kept.looks = looks
    with ThreadPoolExecutor(gone) as browsers:
        answers = list(browsers.map(lambda _: client.post(LINK, headers=ORIGIN).status_code, range(gone)))
    assert sorted(answers) == [200, 410, 410, 410]
    assert most == FETCHED_AT_ONCE


def test_without_the_audit_and_without_the_store_nothing_is_handed_out(client: TestClient, console: FakeConsole,
                                                                        kept: FakePackages) -> None:
    console.log.away = True
    refused = client.post(LINK, headers=ORIGIN)
    assert refused.status_code == 503
    assert "the link still holds" in refused.text
    assert not kept.taken
    console.log.away = False
    kept.away = StoreAway("Cassandra does not answer.", "Cassandra")
    for _ in range(console.settings.console.tries_a_minute + 2):
        assert client.post(LINK, headers=ORIGIN).status_code == 503, "what could not be judged is not counted"
