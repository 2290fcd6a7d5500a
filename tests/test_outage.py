"""The wait for a store: pauses that grow, one beginning, a refusal that is believed late, a stop answered at once."""

import threading
from typing import Any

import pytest

from engine.errors import LeaseLost, SignInRefused, StoreAway
from engine.outage import MOST_S, REFUSED_FOR_S, Outage
from engine.stopping import StopRequested


class Clock:
    """Time that passes by waiting alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("engine.outage.time.monotonic", lambda: self.now)


class Stop(threading.Event):
    """An event whose waits take the clock's time; set after `patience` of them."""

    def __init__(self, clock: Clock, patience: int = 10_000) -> None:
        super().__init__()
        self.clock, self.patience, self.waited = clock, patience, [0.0]

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        self.clock.now += timeout or 0.0
        return len(self.waited) > self.patience


class Attempt:
    """Fails with these errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


AWAY = StoreAway("Cassandra does not answer.", "Cassandra")
REFUSED = SignInRefused("Kafka refuses stream.", "Kafka")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_pauses_grow_up_to_a_limit_and_begin_anew_after_a_success(clock: Clock) -> None:
    stop, said = Stop(clock), list[str]()
    outage = Outage(stop, said.append)
    assert outage.through(Attempt(*[AWAY] * 2000)) == "done"
    assert stop.waited[1:7] == [1, 2, 4, 8, MOST_S, MOST_S]
    assert stop.waited[-1] == MOST_S
    assert len({line.split(" UTC")[0] for line in said[:-1]}) == 1, "the wait has one beginning"
    assert said[-1].startswith("going on: Cassandra answers again")
    assert sum(line.startswith("going on") for line in said) == 1
    outage.through(Attempt(AWAY))
    assert stop.waited[-1] == 1


def test_the_wait_is_recorded_and_its_end_too(clock: Clock) -> None:
    notes, again = list[dict[str, Any]](), list[None]()
    outage = Outage(Stop(clock), lambda _: None)
    outage.record, outage.again = notes.append, lambda: again.append(None)
    outage.through(Attempt(AWAY, AWAY))
    assert [note["for"] for note in notes] == ["Cassandra", "Cassandra", ""]
    assert notes[0]["since"] == notes[1]["since"]
    assert len(again) == 2
    outage.through(Attempt())
    assert len(notes) == 3, "nothing is said of what was not waited for"


def test_another_store_is_another_wait(clock: Clock) -> None:
    said = list[str]()
    Outage(Stop(clock), said.append).through(Attempt(AWAY, StoreAway("MongoDB does not answer.", "MongoDB")))
    assert [line.split(" since")[0] for line in said[:2]] == ["waiting for Cassandra", "waiting for MongoDB"]


def test_a_stop_ends_the_wait_at_once(clock: Clock) -> None:
    with pytest.raises(StopRequested):
        Outage(Stop(clock, 3), lambda _: None).through(Attempt(*[AWAY] * 10))


def test_a_refusal_is_believed_when_it_is_repeated(clock: Clock) -> None:
    began = clock.now
    with pytest.raises(SignInRefused):
        Outage(Stop(clock), lambda _: None).through(Attempt(*[REFUSED] * 100))
    assert REFUSED_FOR_S <= clock.now - began <= 2 * REFUSED_FOR_S
    assert Outage(Stop(clock), lambda _: None).through(Attempt(REFUSED, REFUSED)) == "done"
    # an outage in between begins the refusal anew: the server has started again
    away = StoreAway("Kafka does not answer.", "Kafka")
    assert Outage(Stop(clock), lambda _: None).through(Attempt(*[REFUSED, away] * 20)) == "done"


def test_what_is_no_outage_goes_through(clock: Clock) -> None:
    outage = Outage(Stop(clock), lambda _: None, lambda error: AWAY if isinstance(error, KeyError) else None)
    with pytest.raises(LeaseLost):
        outage.through(Attempt(LeaseLost("another took over")))
    with pytest.raises(ZeroDivisionError):
        outage.through(Attempt(ZeroDivisionError()))
    assert outage.through(Attempt(KeyError())) == "done", "a foreign error that is known to be an outage"
