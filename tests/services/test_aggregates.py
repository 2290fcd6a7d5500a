"""Documents of an earlier epoch, as a writer that was paused since before a recount inserts them: nothing of them counts."""

from collections.abc import Iterator
from typing import Any

import pytest

from engine.clients import mongo_client
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES, Cell
from engine.settings import Settings
from engine.stores.aggregates import Aggregates
from engine.writer.write_order import EPOCH

pytestmark = pytest.mark.services

FR = Cell(NATIONALITIES, "FR", "female", "1990-01")
X, Y = Cell(DOMAINS, "x.org"), Cell(DOMAINS, "y.org")
LATE, NOW = EPOCH + 7, 2 * EPOCH


@pytest.fixture
def database(stack: Settings) -> Iterator[Any]:
    """Empty collections of these tests' own."""
    with mongo_client(stack, "provision") as client:
        yield client["late_inserts"]
        client.drop_database("late_inserts")


def test_one_is_replaced_and_not_added_to(database: Any) -> None:
    aggregates = Aggregates(database, 50)
    aggregates.add({FR: 5, X: 5}, LATE)
    aggregates.add({FR: 1, X: 2, Y: 3}, NOW + 1)
    aggregates.add({FR: 1, X: 2, Y: 3}, NOW + 1)    # once more after a crash
    aggregates.add({FR: 10}, LATE)                  # later still
    assert aggregates.cells() == {FR: 1, X: 2, Y: 3}
    assert aggregates.contradictions() == []


def test_one_that_lands_between_look_and_insert_is_replaced_too(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    aggregates, insert = Aggregates(database, 50), Aggregates._insert

    def late(self: Aggregates, collection: Any, documents: Any) -> list[str]:
        monkeypatch.setattr(Aggregates, "_insert", insert)
        Aggregates(database, 50).add({X: 5}, LATE)
        return insert(self, collection, documents)

    monkeypatch.setattr(Aggregates, "_insert", late)
    aggregates.add({X: 2}, NOW + 1)
    assert aggregates.cells() == {X: 2}


def test_a_recount_takes_one_that_lands_meanwhile(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    aggregates, insert = Aggregates(database, 50), Aggregates._insert

    def late(self: Aggregates, collection: Any, documents: Any) -> list[str]:
        monkeypatch.setattr(Aggregates, "_insert", insert)
        Aggregates(database, 50).add({X: 5, FR: 5}, LATE)
        return insert(self, collection, documents)

    monkeypatch.setattr(Aggregates, "_insert", late)
    aggregates.set_all({FR: 1, X: 2}, NOW)
    assert aggregates.cells() == {FR: 1, X: 2}


def test_one_without_a_stamp_is_replaced_by_a_recount_and_seen_by_verify(database: Any) -> None:
    aggregates = Aggregates(database, 50)
    database[DOMAINS].insert_one({"_id": "x.org", "users": 12})
    database[DOMAINS].insert_one({"_id": "z.org", "users": 12})
    aggregates.add({X: 2}, NOW + 1)
    z = Cell(DOMAINS, "z.org")
    assert aggregates.cells(since=NOW) == {X: 2, z: 12}
    aggregates.set_all({X: 3}, NOW + EPOCH)
    assert aggregates.cells() == {X: 3}


def test_one_is_not_seen_from_its_epoch_on_and_swept(database: Any) -> None:
    aggregates = Aggregates(database, 50)
    aggregates.set_all({FR: 1}, NOW)
    aggregates.add({X: 5, Cell(ARRIVALS, "2026-01-01T00"): 5}, LATE)
    assert aggregates.cells(since=NOW) == {FR: 1}
    aggregates.sweep(NOW)
    assert aggregates.cells() == {FR: 1}
    aggregates.add({X: 2}, NOW + 1)
    assert aggregates.cells() == {FR: 1, X: 2}
