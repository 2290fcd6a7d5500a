"""What the view reads: the newest snapshot that is not withdrawn, once; and in which state its page is."""

import logging
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from app.public import data
from app.public.data import Misshapen, Reader, newest
from app.public.records import Reading, State, state
from bench.view_store import document
from engine.errors import SettingsInvalid
from engine.settings import Settings
from tests.governance.disclosed import HOUR, T0, figures, released

SNAPSHOTS = [one.snapshot for one in released(figures({"FR": 100}), figures({"FR": 200}), figures({"FR": 300}))]


class Documents:
    """A database with these documents in `snapshots`. asked: the projection of each request, None for whole documents."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents = list(documents)
        self.asked: list[object] = []

    def __getitem__(self, name: str) -> "Documents":
        assert name == "snapshots", f"the view reads {name}"
        return self

    def find_one(self, query: dict[str, Any], projection: dict[str, int] | None = None, sort: object = None) -> Any:
        """As pymongo's, for what the view asks."""
        self.asked.append(projection)
        found = [one for one in self.documents if all(one[key] == value for key, value in query.items())]
        found.sort(key=lambda one: -one["_id"])
        if not found or projection is None:
            return found[0] if found else None
        return {key: found[0][key] for key in projection}


def test_the_newest_is_shown() -> None:
    assert newest(Documents(*map(document, SNAPSHOTS)), None) == Reading(SNAPSHOTS[2])


def test_what_is_withdrawn_is_not_shown_and_said() -> None:
    stored = Documents(document(SNAPSHOTS[0]), document(SNAPSHOTS[1], "wrong"), document(SNAPSHOTS[2], "wrong"))
    assert newest(stored, None) == Reading(SNAPSHOTS[0], withdrawn=3)
    assert newest(stored, SNAPSHOTS[2]) == Reading(SNAPSHOTS[0], withdrawn=3)


def test_one_withdrawn_before_the_newest_is_no_news() -> None:
    assert newest(Documents(document(SNAPSHOTS[0], "wrong"), document(SNAPSHOTS[1])), None) == Reading(SNAPSHOTS[1])


def test_nothing_and_nothing_that_stands() -> None:
    assert newest(Documents(), SNAPSHOTS[0]) == Reading()
    assert newest(Documents(document(SNAPSHOTS[0], "wrong")), SNAPSHOTS[0]) == Reading(withdrawn=1)


def test_a_snapshot_that_is_known_is_not_fetched_again() -> None:
    stored = Documents(*map(document, SNAPSHOTS))
    assert newest(stored, SNAPSHOTS[2]).snapshot is SNAPSHOTS[2]
    assert None not in stored.asked


@pytest.mark.parametrize("broken", [{"_id": 1, "withdrawn": None, "body": "{}"}, {"_id": 1, "withdrawn": None},
                                    {"_id": 1, "withdrawn": None, "body": None}, document(SNAPSHOTS[1]) | {"_id": 1}])
def test_documents_of_another_shape_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(Misshapen):
        newest(Documents(broken), None)


def test_states() -> None:
    snapshot = SNAPSHOTS[0]
    assert snapshot.next_at == T0 + HOUR
    assert state(Reading(snapshot), T0 + HOUR + timedelta(seconds=59), 60) is State.CURRENT
    assert state(Reading(snapshot), T0 + HOUR + timedelta(seconds=60), 60) is State.STALE
    assert state(Reading(snapshot, away=True), T0, 60) is State.KEPT
    assert state(Reading(away=True), T0, 60) is State.BROKEN
    assert state(Reading(), T0, 60) is State.EMPTY
    assert state(Reading(withdrawn=3), T0, 60) is State.EMPTY


class Client:
    """A client of a store that answers, or is away."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.error: Exception | None = None
        self.times = 0

    def __getitem__(self, name: str) -> Documents:
        self.times += 1
        if self.error:
            raise self.error
        return self.documents


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """What the reader gets for a client; a reading serves for no time at all."""
    made = Client(Documents(document(SNAPSHOTS[0])))
    monkeypatch.setattr(data, "mongo_client", lambda settings, principal: made if principal == "view" else None)
    monkeypatch.setattr(data, "REST_S", 0.0)
    monkeypatch.setattr(data, "REST_TIMES", 0)
    return made


def read(reader: Reader) -> Reading:
    """A reading that began after this call, and is done."""
    _done(reader)
    reader.read()
    _done(reader)
    return reader.read()


def _done(reader: Reader) -> None:
    for thread in threading.enumerate():
        if thread.name == "reader":
            thread.join(10)


def test_a_store_away_leaves_the_last_snapshot_and_is_logged_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(Settings())
    with caplog.at_level(logging.WARNING):
        assert read(reader) == Reading(SNAPSHOTS[0])
        client.error = ServerSelectionTimeoutError("secret text of the driver")
        assert read(reader) == Reading(SNAPSHOTS[0], away=True)
        assert read(reader) == Reading(SNAPSHOTS[0], away=True)
        client.error = None
        client.documents.documents.append(document(SNAPSHOTS[1]))
        assert read(reader) == Reading(SNAPSHOTS[1])
        _done(reader)
    assert [record.getMessage() for record in caplog.records] == [
        "The snapshots cannot be read: ServerSelectionTimeoutError", "The snapshots are read again"]


def test_a_store_away_from_the_start_is_broken_and_not_empty(client: Client) -> None:
    client.error = SettingsInvalid("no password")
    assert read(Reader(Settings())) == Reading(away=True)


def test_a_reading_that_takes_long_rests_longer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "REST_TIMES", 20)
    for began, ended, until in ((100.0, 101.5, 131.5), (200.0, 210.0, 270.0)):
        reader, clock = Reader(Settings()), iter([began, ended])
        with monkeypatch.context() as patch:
            patch.setattr(data, "time", SimpleNamespace(monotonic=lambda clock=clock: next(clock)))
            reader._again()
        assert reader._good_until == until
    client.error = ServerSelectionTimeoutError("away")
    reader, clock = Reader(Settings()), iter([100.0, 110.0])
    with monkeypatch.context() as patch:
        patch.setattr(data, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        reader._again()
    assert reader._good_until == 110.0    # of a store that is away it is seen soon that it is back


def test_one_reading_serves_everybody_and_nobody_waits_for_the_next(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "REST_S", 1000.0)
    reader = Reader(Settings())
    assert {reader.read().snapshot for _ in range(50)} == {SNAPSHOTS[0]}
    _done(reader)
    assert client.times == 1
    held = threading.Event()
    monkeypatch.setattr(data, "newest", lambda database, known: held.wait(30) and Reading(SNAPSHOTS[1]))
    reader._good_until = 0.0
    assert reader.read() == Reading(SNAPSHOTS[0])
    held.set()
    _done(reader)
    assert reader.read() == Reading(SNAPSHOTS[1])
