"""The keeper: no job of it stops another, what it cannot know it does not say, and evidence is kept beside that of others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kafka import TopicPartition

from app import retention as page
from engine.cli import retention as command
from engine.compliance import retention, topics
from engine.compliance.survey import inside
from engine.errors import NotServed, RollcallError, SignInRefused, StoreAway
from engine.rights import erasure, forgotten
from engine.settings import Kafka
from engine.stores.records import REQUEST, RETENTION, SUBJECT, TRIES, Record, Stale
from engine.writer.write_order import WriterState
from governance.register import CONTENT, entries
from tests.app.requests_place import FakeRecords

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
RUN = retention.Run(NOW.isoformat(), "24 months", NOW.isoformat(), 0, 0, 0, 0.1)
DAILY: Any = SimpleNamespace(governance=SimpleNamespace(retention_hours=24.0))


# --- what the stream has read for good

FIGURES = {"checkpoint": "c", "read": {"lease": 4, "at": NOW}, "offsets": {"0": 70}}
STILL = {"for": "", "lease": 4}
LIVED_ON = NOW + timedelta(seconds=61)


class Statuses:
    """The stream's documents; `leases`: number -> its last sign of life."""

    def __init__(self, figures: dict[str, Any] | None, leases: dict[int, datetime], waiting: dict[str, Any] | None) -> None:
        self._kept = {"figures": figures, "waiting": waiting,
                      **{f"lease:{n}": {"n": n, "at": at} for n, at in leases.items()}}

    def read(self, name: str) -> Any:
        return self._kept.get(name)

    def writer(self) -> WriterState:
        return WriterState(checkpoint="c")


@pytest.mark.parametrize(("figures", "leases", "waiting", "sure"), [
    (FIGURES, {4: LIVED_ON}, STILL, True),
    (FIGURES, {4: LIVED_ON}, None, True),
    (FIGURES, {4: LIVED_ON, 5: NOW + timedelta(hours=1)}, STILL, True),
    # it died at once, and the next one is to read the turn again, however late it began and however long it lives
    (FIGURES, {4: NOW + timedelta(seconds=10), 5: NOW + timedelta(hours=1)}, STILL, False),
    (FIGURES, {4: NOW + timedelta(seconds=10)}, STILL, False),
    (FIGURES, {5: NOW + timedelta(hours=1)}, STILL, False),    # its lease is forgotten
    ({**FIGURES, "checkpoint": "d"}, {4: LIVED_ON}, STILL, False),
    ({name: kept for name, kept in FIGURES.items() if name != "read"}, {4: LIVED_ON}, STILL, False),
    # it lives and waits for a store, so it may begin its batch again
    (FIGURES, {4: LIVED_ON}, {"for": "Kafka", "lease": 4}, False),
    (FIGURES, {4: LIVED_ON}, {"for": "Kafka", "lease": 3}, True),
    (None, {4: LIVED_ON}, STILL, False)])
def test_a_turn_is_read_for_good_once_the_stream_that_closed_it_lived_on(
        monkeypatch: pytest.MonkeyPatch, figures: dict[str, Any] | None, leases: dict[int, datetime],
        waiting: dict[str, Any] | None, sure: bool) -> None:
    monkeypatch.setattr(topics, "mongo_client", lambda *_: nullcontext({"rollcall": None}))
    monkeypatch.setattr(topics, "Status", lambda _: Statuses(figures, leases, waiting))
    settings: Any = SimpleNamespace(mongo=SimpleNamespace(database="rollcall"))
    assert topics._read(settings) == ({0: 70} if sure else {})


# --- records

class Kept:
    """The table of records, of one kind. overtaken: how often somebody else adds a version just before."""

    def __init__(self, overtaken: int = 0) -> None:
        self.all: list[Record] = []
        self.overtaken = overtaken

    def last(self, kind: str, name: str) -> Record | None:
        return next((one for one in reversed(self.all) if (one.kind, one.name) == (kind, name)), None)

    def add(self, record: Record) -> Record:
        if self.overtaken:
            self.overtaken -= 1
            self.all.append(replace(record, by="eve"))
        newest = self.last(record.kind, record.name)
        if record.n != (newest.n + 1 if newest else 1):
            raise Stale(newest)
        self.all.append(record)
        return record


def opened(records: Kept) -> Any:
    @contextmanager
    def used(*_: object) -> Iterator[Kept]:
        yield records
    return SimpleNamespace(opened=used)


def test_evidence_is_kept_after_that_of_somebody_who_was_faster() -> None:
    records: Any = Kept(overtaken=1)
    retention.keep(records, RUN, "ada")
    assert [(one.n, one.by) for one in records.all] == [(1, "eve"), (2, "ada")]
    records = Kept(overtaken=TRIES)
    with pytest.raises(Stale):
        retention.keep(records, RUN, "ada")


def test_a_measurement_is_kept_after_that_of_somebody_who_was_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    records = Kept(overtaken=1)
    monkeypatch.setattr(retention, "Records", opened(records))
    monkeypatch.setattr(retention, "Register", lambda _: SimpleNamespace(in_force=list))
    monkeypatch.setattr(retention, "measured", lambda *_: [])
    assert retention.measure(DAILY, "ada").by == "ada"
    assert [(one.n, one.by) for one in records.all] == [(1, "eve"), (2, "ada")]


def test_that_nothing_was_due_is_kept_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    records, due = Kept(), [0]
    monkeypatch.setattr(topics, "Records", opened(records))
    monkeypatch.setattr(topics, "Register", lambda _: SimpleNamespace(
        in_force=lambda: [SimpleNamespace(entry=one) for one in entries(CONTENT.read_text())]))
    monkeypatch.setattr(topics, "_ended", lambda *_: (due[0], due[0]))
    monkeypatch.setattr(topics, "_read", lambda _: {})
    settings: Any = SimpleNamespace(governance=DAILY.governance, kafka=Kafka())
    now = datetime.now(UTC)

    def kept(hours: float) -> int:
        before = len(records.all)
        topics.end_old(settings, "ada", lambda _: None, now + timedelta(hours=hours))
        return len(records.all) - before

    assert kept(0) == 2, "of each topic with a limit"
    assert kept(23) == 0
    assert kept(25) == 2
    due[0] = 3
    assert kept(1) == 2, "what was done is always kept"
    assert {one.kind for one in records.all} == {RETENTION}


# --- the jobs

class Over(threading.Event):
    """Ends the keeper after some looks, without waiting; `pauses`: for how long it would have waited."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks, self.pauses = looks, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        return len(self.pauses) > self.looks


LATER_S = 36_000.0


def failing(error: RollcallError) -> Callable[..., Any]:
    def fails(*_: object, **__: object) -> Any:
        raise error
    return fails


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the keeper does and says, in its order; a run is due."""
    happened: list[str] = []
    monkeypatch.setattr(command, "log", lambda text, *_: happened.append(f"says: {text}"))
    monkeypatch.setattr(command, "tell", lambda text: happened.append(f"says: {text}"))
    monkeypatch.setattr(command, "show", lambda text: happened.append(f"shows: {text}"))
    monkeypatch.setattr(command, "load", lambda: DAILY)

    def audited(_: object, act: str, target: str) -> Any:
        happened.append(f"audits {act} {target}")
        return nullcontext()

    def does(what: str, result: object = None) -> Callable[..., Any]:
        def doing(*_: object, **__: object) -> Any:
            happened.append(what)
            return result
        return doing

    monkeypatch.setattr(command, "audited", audited)
    monkeypatch.setattr(command, "_next_in", lambda *_: 0.0)
    monkeypatch.setattr(erasure, "waiting", lambda _: [])
    monkeypatch.setattr(command, "Schedule", lambda *_: SimpleNamespace(look=lambda: LATER_S))
    monkeypatch.setattr(command, "Forgotten", lambda *_: SimpleNamespace(look=lambda: None))
    monkeypatch.setattr(topics, "end_old", does("topics", []))
    monkeypatch.setattr(retention, "any_due", lambda *_: False)
    monkeypatch.setattr(retention, "run", does("rows", RUN))
    monkeypatch.setattr(retention, "measure", does("measures"))
    return happened


def test_rows_go_where_topics_cannot_be_ended_and_what_failed_is_said_last(
        monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(topics, "end_old", failing(SignInRefused("Kafka refuses governance.", "Kafka")))
    over = Over(looks=1)
    command.keeping(DAILY, over)
    assert done == ["rows", "says: 0 of 0 due rows are expired, 0 are left", "measures",
                    "says: Kafka refuses governance. Looked at again in 3600 s."]
    assert 3590 < over.pauses[1] <= 3600


def test_a_store_that_is_away_is_asked_again_soon_and_the_other_job_waits_for_its_time(
        monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(topics, "end_old", failing(StoreAway("Kafka does not answer.", "Kafka")))
    over = Over(looks=1)
    command.keeping(DAILY, over)
    assert done[-1] == "says: Kafka does not answer. Tried again in 60 s."
    assert 50 < over.pauses[1] <= 60
    assert done.count("rows") == 1
    monkeypatch.setattr(command, "TRIED_AGAIN_S", 0.0)
    command.keeping(DAILY, Over(looks=3))
    assert done.count("rows") == 2, "a run reads whole tables: it is not done again because Kafka is away"


def test_figures_are_published_whatever_fails_and_the_failure_is_said_again_only_after_something_was_said(
        monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    told = ["snapshot 1 is published", "", ""]

    def schedule(_: object, __: object, say: Callable[[str], None], ___: object) -> Any:
        def look() -> float:
            if text := told.pop(0):
                say(text)
            return 0.0
        return SimpleNamespace(look=look)

    monkeypatch.setattr(command, "Schedule", schedule)
    monkeypatch.setattr(topics, "end_old", failing(SignInRefused("Kafka refuses governance.", "Kafka")))
    command.keeping(DAILY, Over(looks=3))
    assert told == [], "it is asked again when it is due, before the others are"
    refused = "says: Kafka refuses governance. Looked at again in 3600 s."
    assert [one for one in done if one.startswith("says: ")] == [
        "says: snapshot 1 is published", "says: 0 of 0 due rows are expired, 0 are left", refused]
    assert done[-1] == refused


def test_what_was_not_expired_is_measured_and_said(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(retention, "run", failing(NotServed("The stream has not carried it out.")))
    command.keeping(DAILY, Over(looks=1))
    assert done == ["topics", "measures", "says: The stream has not carried it out. Looked at again in 3600 s."]


def test_files_are_compacted_once_after_a_request_was_closed_and_its_subject_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    there, left, purged = FakeRecords(), [0], list[Any]()
    monkeypatch.setattr(forgotten, "Records", opened(cast(Any, there)))
    monkeypatch.setattr("engine.native.nodetool.local", lambda _: "node")

    def purge(*given: Any) -> int:
        purged.append(given[2:])
        return left[0]

    monkeypatch.setattr("engine.native.nodetool.purge", purge)
    keeper = forgotten.Forgotten(DAILY)
    assert keeper.look() is None
    asked = Record(REQUEST, "r-1", 1, "closed", "", NOW, "ada", "")
    there.there += [asked, Record(SUBJECT, "r-1", 1, "", "", NOW, "ada", "")]
    assert keeper.look() is False, "its close is under way"
    assert purged == []
    there.forget("r-1")
    left[0] = 1
    assert keeper.look() is False, "a segment of the commit log is left"
    left[0] = 0
    assert keeper.look() is True
    assert purged == [({}, ["records"])] * 2
    assert keeper.look() is None, "nothing was closed since"
    there.there.append(replace(asked, name="r-2", at=NOW + timedelta(hours=1)))
    assert keeper.look() is True
    monkeypatch.setattr("engine.native.nodetool.local", lambda _: None)
    assert keeper.look() is None


def test_where_no_run_is_due_the_keeper_ends_topics_only(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(command, "_next_in", lambda *_: 1.0)
    command.keeping(DAILY, Over(looks=1))
    assert done == ["topics"]


def test_the_command_does_the_rest_shows_it_and_ends_with_what_failed(
        monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(topics, "end_old", failing(SignInRefused("Kafka refuses governance.", "Kafka")))
    with pytest.raises(SignInRefused, match="Kafka refuses governance"):
        command.run(by="ada")
    assert done == [f"audits retention.run {', '.join(retention.RUNS)}", "rows", "measures",
                    "shows: 0 of 0 due rows are expired (24 months); 0 are left."]


def test_the_page_writes_down_all_that_its_run_makes_an_end_to(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[Any, ...]] = []
    monkeypatch.setattr(page, "begin", lambda *what: begun.append(what))
    page.run()
    assert [what[:3] for what in begun] == [("retention.run", page.RUN, "cassandra:profiles, kafka:people, kafka:dead")]


def test_a_keeper_that_is_stopped_begins_nothing_more(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    over = Over(looks=1)
    monkeypatch.setattr(topics, "end_old", lambda *_: over.set())
    command.keeping(DAILY, over)
    assert done == []


# --- when a run is due

def record_of(name: str, at: datetime) -> Record:
    return Record(RETENTION, name, 1, "done", "", at, "keeper", "")


@pytest.mark.parametrize(("ran", "due", "wanted_s"), [
    (None, None, 0.0),                                        # it never ran
    (timedelta(hours=1), None, 23 * 3600.0),
    (timedelta(hours=25), None, -3600.0),
    (timedelta(hours=1), timedelta(hours=2), 2 * 3600.0),     # the oldest row is over its time before
    (timedelta(hours=1), timedelta(hours=-1), -3600.0),
    (timedelta(hours=-1), None, 0.0)])                        # by a clock that was wrong
def test_when_the_next_run_is_due(monkeypatch: pytest.MonkeyPatch, ran: timedelta | None, due: timedelta | None,
                                  wanted_s: float) -> None:
    now = datetime.now(UTC)
    kept = Kept()
    kept.all = [record_of("people", now)] + ([record_of("profiles", now - ran)] if ran is not None else [])
    monkeypatch.setattr(command, "Records", opened(kept))
    monkeypatch.setattr(retention, "due_at", lambda _: now + due if due is not None else None)
    assert command._next_in(DAILY, 24 * 3600.0) == pytest.approx(wanted_s, abs=30)


# --- what Kafka and MongoDB say

class Silent:
    """A consumer of one partition whose broker never answers; `position` is what it was told."""

    def __init__(self) -> None:
        self.at = 0

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = 0

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at = offset

    def position(self, _: TopicPartition) -> int:
        return self.at

    def poll(self, **_: object) -> dict[TopicPartition, list[Any]]:
        return {}


class Compacted(Silent):
    """One that answers, and nothing is left in the partition."""

    def poll(self, **_: object) -> dict[TopicPartition, list[Any]]:
        self.at = 9
        return {}


def test_a_broker_that_does_not_answer_is_no_empty_topic() -> None:
    place = TopicPartition("people", 0)
    with pytest.raises(StoreAway, match="gives no more records"):
        retention._first(Silent(), place, 3, 9, 0.2)
    assert retention._first(Compacted(), place, 3, 9, 0.2) is None


@pytest.mark.parametrize(("document", "wanted"), [
    ({"_id": "FR", "users": 3, "by_gender": {"female": 3}, "births": {"female": {"1992-03": 3}}, "stamp": 1},
     {"_id", "users", "by_gender", "births", "stamp"}),
    ({"births": {}, "names": {}, "notes": []}, {"births", "names", "notes"}),
    ({"users": {"ada": 1}}, {"users.ada"}),
    ({"births": {"female": {"Ada Lovelace": 1}}}, {"births", "births.(unknown)"}),
    ({"births": {"Ada Lovelace": {"1992-03": 1}}}, {"births", "births.(unknown)"}),
    ({"by_gender": {"female": {"name": "Ada"}}}, {"by_gender", "by_gender.name"}),
    ({"who": [{"name": "Ada"}, {"email": {"of": "x"}}]}, {"who.name", "who.email.of"}),
    ({"Ada Lovelace": 1}, {"(unknown)"})])
def test_the_fields_of_a_document_are_seen_however_deep(document: dict[str, Any], wanted: set[str]) -> None:
    found = set(inside(document, "users_by_nationality"))
    assert found == {f"users_by_nationality.{path}" for path in wanted}
    assert not any("Lovelace" in path for path in found)
