"""What a look says of the keeper, of programs that do not run, and of rows that are not counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engine import health
from engine.compliance.retention import MEASURED
from engine.errors import StoreAway
from engine.health import Stores
from engine.processes import PROGRAMS, SERVERS, Status
from engine.settings import Settings
from engine.stores.dead_letters import HANDLED, SENT, WAITING, Box
from engine.stores.records import RETENTION, Record

SINCE = datetime(2026, 11, 28, 9, 0, 0, tzinfo=UTC)


class Programs:
    """Programs of the test: those of `states` are so, the others run."""

    def __init__(self, said: list[str], **states: Status) -> None:
        self.said, self.states = said, states

    def start(self, *names: str) -> None: ...

    def stop(self, *names: str, within_s: float | None = None, meanwhile: object = None) -> bool:
        raise AssertionError("a look stops nothing")

    def status(self) -> dict[str, Status]:
        return {name: self.states.get(name, Status(name, "running", 1, SINCE)) for name in (*SERVERS, *PROGRAMS)}

    def tail(self, name: str, lines: int = 50) -> list[str]:
        return self.said


class NoStores:
    """Stores that are away."""

    settings, principal = Settings(), "verify"

    def _away(self, *_: str) -> Any:
        raise StoreAway("It does not answer.", "it")

    cassandra: Any = _away
    mongo: Any = _away
    kafka: Any = _away
    letters: Any = _away
    rows: Any = _away
    records: Any = _away


def look(programs: Programs, stores: Stores | None = None) -> dict[str, health.Hop]:
    """Every hop by its name."""
    return {hop.name: hop for hop in health.look(stores or NoStores(), programs)}


def test_every_program_is_a_hop_and_the_keeper_comes_last() -> None:
    hops = list(look(Programs([])))
    assert set(hops) == {*SERVERS, *PROGRAMS}
    assert hops[-1] == "keeper"


@pytest.mark.parametrize(("line", "says"), [
    ("2026-11-28 09:00:07Z 3 of 3 due rows are expired", "it said last: 2026-11-28 09:00:07Z 3 of 3 due rows are expired"),
    ("2026-11-28 08:59:59Z stopped", "it waits for its next run"), ("something of Java", "it waits for its next run")])
def test_the_keeper_says_what_it_did_since_its_start(line: str, says: str) -> None:
    keeper = look(Programs([line]))["keeper"]
    assert (keeper.ok, keeper.says) == (True, says)


@pytest.mark.parametrize("line", [
    "2026-11-28 09:00:07Z The stream has not carried it out within 300 s. Looked at again in 3600 s.",
    "2026-11-28 09:00:07Z Cassandra does not answer. Tried again in 60 s."])
def test_a_keeper_whose_last_run_failed_is_not_well(line: str) -> None:
    keeper = look(Programs([line]))["keeper"]
    assert (keeper.ok, keeper.says) == (False, f"its last run failed: {line}")
    assert look(Programs([line, "2026-11-28 10:00:07Z 0 of 0 due rows are expired, 0 are left"]))["keeper"].ok


class Measured(NoStores):
    """Stores of which the records answer: when the keeper measured last."""

    def __init__(self, at: datetime | None) -> None:
        self.at = at

    @contextmanager
    def records(self) -> Iterator[Any]:
        kept = None if self.at is None else Record(RETENTION, MEASURED, 1, "measured", "[]", self.at, "keeper", "")
        yield SimpleNamespace(last=lambda *_: kept)


@pytest.mark.parametrize(("hours", "runs_for", "ok", "says"), [
    (1, 100, True, "it waits for its next run"), (49, 100, False, "its last measurement is of "),
    (49, 0.5, True, "it waits for its next run"), (None, 100, False, "it has not measured anything yet"),
    (None, 0.5, True, "it waits for its next run")])
def test_a_keeper_that_has_not_measured_for_long_is_not_well(hours: float | None, runs_for: float, ok: bool, says: str) -> None:
    now = datetime.now(UTC)
    programs = Programs([], keeper=Status("keeper", "running", 1, now - timedelta(hours=runs_for)))
    keeper = look(programs, Measured(None if hours is None else now - timedelta(hours=hours)))["keeper"]
    assert keeper.ok is ok
    assert keeper.says.startswith(says)
    if not ok:
        assert "should measure every 24 hours" in keeper.says


class Topics(NoStores):
    """Kafka and MongoDB with topics of one partition: where each begins and ends."""

    def __init__(self, letters: int | None = 0, **at: tuple[int, int]) -> None:
        self.at, self.standing = at, letters

    @contextmanager
    def kafka(self) -> Iterator[Any]:
        def found(which: int) -> Any:
            return lambda places: {place: self.at.get(place.topic.rpartition(".")[2], (0, 0))[which] for place in places}

        yield SimpleNamespace(partitions_for_topic=lambda _: {0}, beginning_offsets=found(0), end_offsets=found(1))

    @contextmanager
    def mongo(self) -> Iterator[Any]:
        kept = {"figures": {"offsets": {"0": 40}}}
        no_lease = SimpleNamespace(sort=lambda *_: SimpleNamespace(limit=lambda _: []))
        status = SimpleNamespace(find_one=lambda of: kept.get(of["_id"]), find=lambda _: no_lease)
        yield {"pipeline_status": status, "batches": None, "users_by_nationality": SimpleNamespace(find=lambda *_: [])}

    def letters(self) -> dict[str, int] | None:
        return None if self.standing is None else {**dict.fromkeys(HANDLED, 9), WAITING: self.standing, SENT: 0}


def test_dead_letters_are_counted_however_many_were_ever_appended() -> None:
    kafka = look(Programs([]), Topics(letters=7, dead=(0, 10 * health.LETTERS_COUNTED)))["kafka"]
    assert kafka.says.endswith("; 7 dead letters")
    assert kafka.facts["standing"] == 7
    kafka = look(Programs([]), Topics(letters=None))["kafka"]
    assert kafka.ok
    assert kafka.says.endswith(f"; {health.NOT_COUNTED}")


@pytest.mark.parametrize(("begins", "counted"), [(0, False), (9 * health.LETTERS_COUNTED, True)])
def test_one_look_counts_what_the_topic_holds_and_not_what_is_gone(monkeypatch: pytest.MonkeyPatch, begins: int,
                                                                    counted: bool) -> None:
    topics, opened = Topics(dead=(begins, 10 * health.LETTERS_COUNTED)), health.Opened(Settings())
    monkeypatch.setattr(opened, "kafka", topics.kafka)
    monkeypatch.setattr(opened, "_keys", lambda: None)
    monkeypatch.setattr("engine.stores.dead_letters.read", lambda *_: Box({}, {}))
    assert opened.letters() == (Box({}, {}).counts if counted else None)


@pytest.mark.parametrize("stream", ["stopped", "failed", "running"])
def test_how_far_behind_a_stream_is_that_does_not_go_on_is_known(stream: Any) -> None:
    hop = look(Programs([], stream=Status("stream", stream, 1, SINCE)), Topics(user_profiles=(10, 100)))["stream"]
    assert not hop.ok
    assert hop.facts["behind"] == 60
    assert "behind" not in look(Programs([], stream=Status("stream", stream, 1, SINCE)))["stream"].facts


@pytest.mark.parametrize(("name", "remedy"), [
    ("keeper", "`rollcall up` starts it"), ("producer", "`rollcall up`, or Start on its page of the console, starts it"),
    ("stream", "`rollcall stream start`, or Start on its page of the console, starts it")])
def test_what_does_not_run_says_how_to_start_it(name: str, remedy: str) -> None:
    hop = look(Programs([], **{name: Status(name, "stopped")}))[name]
    assert not hop.ok
    assert hop.says == f"its program is stopped; {remedy}"


class Session:
    """Cassandra with so many rows, of which some are of restricted people."""

    def __init__(self, slow: bool = False) -> None:
        self.slow = slow

    def execute(self, query: str, timeout: float) -> Any:
        restricted = "counted = false" in query
        if restricted and self.slow:
            raise StoreAway("It takes too long.", "Cassandra")
        return type("Found", (), {"one": lambda _: (3 if restricted else 1200,)})()


@pytest.mark.parametrize(("slow", "rows"), [(False, (1200, 3)), (True, (1200, None))])
def test_rows_of_restricted_people_are_counted_apart(slow: bool, rows: tuple[int, int | None]) -> None:
    assert health.counted(Settings(), Session(slow)) == rows
