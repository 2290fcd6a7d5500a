"""When the writer waits for what was sent: once, after its records are read, and again only if something was sent since."""

from collections.abc import Mapping

import pytest

from engine.commands import Verdict
from engine.errors import StoreAway
from engine.person import Cell
from engine.writer.plain_batch import PlainBatch, PlainResolved
from engine.writer.write_order import WriteOrder
from tests.histories.memory import Memory, MemoryStores
from tests.histories.process import Process
from tests.histories.topic import Topic


class Stores(MemoryStores):
    """In memory; MongoDB is away when `away` says so."""

    away = False

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        if self.away:
            raise StoreAway("MongoDB does not answer", "MongoDB")
        super().add(deltas, stamp)


class Watched:
    """A writer, and what happened: `read`, `wait`."""

    def __init__(self, sure: bool = False) -> None:
        self.stores = Stores(Memory(Topic()), Process(1, 0, lambda: None, lambda _: None))
        self.happened: list[str] = []
        self.order = WriteOrder(self.stores, "c0", lambda: 1, lambda: self.happened.append("wait"), lambda: None,
                                lambda: self.batch(), sure, lambda _: None)

    def batch(self, readable: bool = True) -> PlainBatch:
        """Batch 0, without records; where it is not readable Cassandra is away."""
        happened = self.happened

        class Batch(PlainBatch):
            def fingerprint(self) -> str:
                happened.append("read")
                return super().fingerprint()

            def resolve(self, verdicts: Mapping[str, Verdict]) -> PlainResolved:
                if not readable:
                    raise StoreAway("Cassandra does not answer", "Cassandra")
                return super().resolve(verdicts)

        return Batch(0, (), str, lambda _: {}, lambda _: {})

    def attempt(self, readable: bool = True) -> list[str]:
        """What happens in one attempt at the turn."""
        self.happened.clear()
        try:
            self.order.turn(self.batch(readable))
        except StoreAway:
            self.happened.append("failed")
        return list(self.happened)


def test_records_are_read_before_the_wait() -> None:
    assert Watched().attempt() == ["read", "wait"]


def test_who_knows_what_became_of_all_does_not_wait() -> None:
    watched = Watched(sure=True)
    assert watched.attempt() == ["read"]
    assert watched.attempt() == ["read"]


def test_a_try_that_fails_while_it_reads_costs_no_second_wait() -> None:
    watched = Watched()
    assert watched.attempt(readable=False) == ["read", "wait", "failed"]
    assert watched.attempt(readable=False) == ["read", "wait", "failed"], "the turn was opened"
    assert watched.attempt(readable=False) == ["read", "failed"], "it was found open, and nothing was sent"
    assert watched.attempt() == ["read"]


@pytest.mark.parametrize("times", [1, 3])
def test_after_a_try_that_sent_something_the_next_one_waits(times: int) -> None:
    watched = Watched()
    watched.stores.away = True
    for _ in range(times):
        assert watched.attempt() == ["read", "wait", "failed"]
    watched.stores.away = False
    assert watched.attempt() == ["read", "wait"]
