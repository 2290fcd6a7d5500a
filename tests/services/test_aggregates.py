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


@pytest.mark.parametrize("counts", [{"users": 5}, {"users": 5, "stamp": NOW + 9}, [], None, 7, {"stamp": None, "users": 5}])
def test_counts_of_another_form_are_borne_and_a_recount_makes_them_anew(database: Any, counts: Any) -> None:
    """$max would leave some of them for ever."""
    aggregates = Aggregates(database, 50)
    database[DOMAINS].insert_many([{"_id": "x.org", "counts": counts}, {"_id": "z.org", "counts": counts, "names": ["Ada"]}])
    database[NATIONALITIES].insert_many([{"_id": "FR", "counts": counts}, {"_id": "DE", "by_gender": 7, "births": [1]}])
    assert len(aggregates.contradictions()) == 2, "both are named"
    aggregates.add({X: 2, Y: 1}, NOW + 1)
    aggregates.sweep(NOW)
    aggregates.empty()
    assert aggregates.cells()[Y] == 1
    aggregates.set_all({X: 3, Cell(DOMAINS, "z.org"): 4}, NOW + EPOCH)
    assert list(database[DOMAINS].find().sort("_id", 1)) == [
        {"_id": key, "counts": {"stamp": NOW + EPOCH, "users": users}} for key, users in (("x.org", 3), ("z.org", 4))]


def test_one_is_not_seen_from_its_epoch_on_and_swept(database: Any) -> None:
    aggregates = Aggregates(database, 50)
    aggregates.set_all({FR: 1}, NOW)
    aggregates.add({X: 5, Cell(ARRIVALS, "2026-01-01T00"): 5}, LATE)
    assert aggregates.cells(since=NOW) == {FR: 1}
    aggregates.sweep(NOW)
    assert aggregates.cells() == {FR: 1}
    aggregates.add({X: 2}, NOW + 1)
    assert aggregates.cells() == {FR: 1, X: 2}


def test_a_count_of_nobody_goes_in_its_turn_and_a_document_of_nobody_keeps_its_stamp(database: Any) -> None:
    aggregates, other = Aggregates(database, 50), Cell(NATIONALITIES, "FR", "female", "1991-02")
    man = Cell(NATIONALITIES, "FR", "male", "1990-01")
    aggregates.add({FR: 1, other: 1, man: 1, X: 1, Y: 1}, NOW + 1)
    aggregates.add({FR: -1, man: -1, X: -1, Y: 0}, NOW + 2)
    assert database[NATIONALITIES].find_one() == {"_id": "FR", "counts": {
        "stamp": NOW + 2, "users": 1, "by_gender": {"female": 1},
        "births": {"female": {"1991": "0 1 0 0 0 0 0 0 0 0 0 0"}}}}
    assert database[DOMAINS].find_one({"_id": "x.org"}) == {"_id": "x.org", "counts": {"stamp": NOW + 2, "users": 0}}
    assert aggregates.empty() == 1
    assert (aggregates.empty(2), aggregates.empty(1)) == (1, 0), "what a later turn has emptied was not of an earlier one"
    aggregates.add({X: 1}, NOW + 1)    # late
    assert aggregates.cells() == {other: 1, Y: 1}


def test_a_turn_that_is_late_by_the_time_it_writes_changes_nothing(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is paused between reading and writing, while the next one does its turn and one more."""
    aggregates, write = Aggregates(database, 50), Aggregates._raise
    aggregates.add({FR: 1, X: 1}, NOW + 1)

    def late(self: Aggregates, collection: Any, made: Any) -> None:
        monkeypatch.setattr(Aggregates, "_raise", write)
        Aggregates(database, 50).add({FR: 2, X: 2}, NOW + 2)
        Aggregates(database, 50).add({FR: 4, X: 4}, NOW + 3)
        write(self, collection, made)

    monkeypatch.setattr(Aggregates, "_raise", late)
    aggregates.add({FR: 2, X: 2}, NOW + 2)
    assert aggregates.cells() == {FR: 7, X: 7}
    assert {kept["stamp"] for kept in aggregates.documents(DOMAINS)} == {NOW + 3}


def test_counts_that_stood_beside_the_id_are_counted_on_and_go(database: Any) -> None:
    """As they were written up to November 2026."""
    births = {"female": {"1990-01": 2, "1991-02": 0}}    # killed before it took the count of nobody out
    database[NATIONALITIES].insert_one(
        {"_id": "FR", "users": 2, "by_gender": {"female": 2}, "births": births, "stamp": NOW + 1})
    database[DOMAINS].insert_one({"_id": "x.org", "users": 2, "stamp": NOW + 1})
    aggregates = Aggregates(database, 50)
    assert (aggregates.cells(), aggregates.contradictions(), aggregates.empty()) == ({FR: 2, X: 2}, [], 1)
    aggregates.add({FR: 5, X: 5}, NOW + 1)    # done already
    aggregates.add({FR: 1, X: 1}, NOW + 2)
    assert (aggregates.cells(), aggregates.contradictions(), aggregates.empty()) == ({FR: 3, X: 3}, [], 0)
    assert database[NATIONALITIES].find_one() == {"_id": "FR", "counts": {
        "stamp": NOW + 2, "users": 3, "by_gender": {"female": 3},
        "births": {"female": {"1990": "3 0 0 0 0 0 0 0 0 0 0 0"}}}}
    assert database[DOMAINS].find_one() == {"_id": "x.org", "counts": {"stamp": NOW + 2, "users": 3}}


def test_a_new_epoch_ends_documents_of_nobody_and_what_comes_late_in_their_place_does_not_count(database: Any) -> None:
    aggregates, hour = Aggregates(database, 50), Cell(ARRIVALS, "2026-01-01T00")
    aggregates.add({FR: 1, X: 1, Y: 1, hour: 1}, NOW + 1)
    aggregates.add({FR: -1, X: -1, hour: -1}, NOW + 2)
    assert aggregates.empty() == 2    # of France and x.org; an hour names nobody
    aggregates.set_all(aggregates.cells(NOW), NOW + EPOCH)
    assert [kept["_id"] for name in (NATIONALITIES, DOMAINS, ARRIVALS) for kept in database[name].find()] == ["y.org"]
    aggregates.add({X: 1}, NOW + 1)    # by a writer that was paused before it
    assert aggregates.cells(since=NOW + EPOCH) == {Y: 1}
    aggregates.add({X: 5}, NOW + EPOCH + 3)
    assert aggregates.cells() == {X: 5, Y: 1}
