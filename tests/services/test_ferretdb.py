"""One small test of each property of FerretDB that our writing relies on (a real MongoDB has them all as well)."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pymongo import DeleteOne, InsertOne, MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from engine.clients import mongo_client
from engine.settings import Settings

pytestmark = pytest.mark.services

RACERS = 8
ROUNDS = 40


@pytest.fixture(scope="module")
def client(stack: Settings) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that may make a database of its own."""
    with mongo_client(stack, "provision") as one:
        yield one
        one.drop_database("ferretdb_test")


@pytest.fixture
def collection(client: MongoClient[dict[str, Any]]) -> Collection[dict[str, Any]]:
    """An empty collection."""
    return client["ferretdb_test"].create_collection(f"c{uuid.uuid4().hex}")


def stamp(epoch: int, turn: int) -> int:
    """One 64-bit number that grows with epoch and turn."""
    return epoch * 2**44 + turn


def counts(one: int, users: int) -> dict[str, Any]:
    """The counts of a document, the stamp first."""
    return {"stamp": one, "users": users}


def test_a_bulk_of_as_many_updates_as_we_send_is_done(stack: Settings, collection: Collection[dict[str, Any]]) -> None:
    size, old, new = stack.mongo.bulk, counts(stamp(1, 1), 9), counts(stamp(1, 2), 3)
    collection.insert_many([{"_id": number, "counts": old, "users": 1} for number in range(size)])

    result = collection.bulk_write([
        UpdateOne({"_id": number}, {"$max": {"counts": new}, "$unset": {"users": "", "births": ""}}) for number in range(size)],
        ordered=False)

    assert (result.matched_count, result.modified_count) == (size, size)
    assert list(collection.find().sort("_id", 1)) == [{"_id": number, "counts": new} for number in range(size)]


@pytest.mark.parametrize(("before", "wins"), [
    (counts(stamp(1, 9), 0), False), (counts(stamp(1, 4), 99), True), (counts(stamp(2, -1), 0), False),
    (counts(stamp(1, 5), 7), False), (None, True)], ids=["later", "earlier", "of a later epoch", "the same", "none"])
def test_of_two_counts_those_with_the_greater_stamp_stay(
        collection: Collection[dict[str, Any]], before: dict[str, Any] | None, wins: bool) -> None:
    mine = counts(stamp(1, 5), 7) | {"births": {"female": {"1992-03": 7}}} if wins else counts(stamp(1, 5), 7)
    collection.insert_one({"_id": "FR", **({"counts": before} if before else {})})

    collection.bulk_write([UpdateOne({"_id": name}, {"$max": {"counts": mine}}) for name in ("FR", "missing")])

    assert list(collection.find()) == [{"_id": "FR", "counts": mine if wins else before}]


def test_many_inserts_with_duplicates_insert_the_others_and_report_the_duplicates(
        collection: Collection[dict[str, Any]]) -> None:
    collection.insert_many([{"_id": number, "users": 1} for number in (2, 5)])

    with pytest.raises(BulkWriteError) as caught:
        collection.insert_many([{"_id": number, "users": 9} for number in range(8)], ordered=False)

    errors = caught.value.details["writeErrors"]
    assert {error["code"] for error in errors} == {11000}
    assert sorted(error["index"] for error in errors) == [2, 5]
    assert caught.value.details["nInserted"] == 6
    assert {one["_id"]: one["users"] for one in collection.find()} == {
        number: 1 if number in (2, 5) else 9 for number in range(8)}


def test_of_many_who_insert_the_same_id_exactly_one_succeeds(
        stack: Settings, collection: Collection[dict[str, Any]]) -> None:
    start = Barrier(RACERS, timeout=60)

    def race(racer: int) -> list[int]:
        won = []
        with mongo_client(stack, "provision") as one:
            mine = one["ferretdb_test"][collection.name]
            mine.find_one({})
            for number in range(ROUNDS):
                start.wait()
                try:
                    mine.insert_one({"_id": f"lease:{number}", "holder": racer})
                    won.append(number)
                except DuplicateKeyError:
                    continue
        return won

    with ThreadPoolExecutor(RACERS) as pool:
        wins = [number for won in pool.map(race, range(RACERS)) for number in won]

    assert sorted(wins) == list(range(ROUNDS)), "one winner a round"
    assert collection.count_documents({}) == ROUNDS


def test_the_stamp_compares_as_a_64_bit_number(collection: Collection[dict[str, Any]]) -> None:
    now = 1_795_500_000_000    # a turn is near the clock in milliseconds
    stamps = [stamp(1, now), stamp(1, now + 1), stamp(2, -1), stamp(2, now), stamp(1000, now)]
    assert stamps == sorted(stamps)
    collection.insert_many([{"_id": place, "counts": {"stamp": one}} for place, one in enumerate(stamps)])
    collection.insert_one({"_id": 9, "users": 1})

    def older(one: int) -> dict[str, Any]:
        return {"$or": [{"counts.stamp": {"$lt": one}}, {"counts.stamp": {"$exists": False}}]}

    for place, one in enumerate(stamps):
        assert sorted(kept["_id"] for kept in collection.find(older(one))) == [*range(place), 9]
    assert [kept["counts"]["stamp"] for kept in collection.find({"_id": {"$lt": 9}}).sort("_id", 1)] == stamps
    collection.bulk_write([DeleteOne({"_id": number, **older(stamps[2])}) for number in (*range(len(stamps)), 9)])
    assert [kept["_id"] for kept in collection.find().sort("_id", 1)] == [2, 3, 4]
    assert sorted(collection.find({}, {"users": 1, "counts.stamp": 1}), key=str) == sorted(collection.find(), key=str)


def test_inserts_of_one_bulk_are_all_done(stack: Settings, collection: Collection[dict[str, Any]]) -> None:
    result = collection.bulk_write([InsertOne({"_id": number}) for number in range(stack.mongo.bulk)])
    assert result.inserted_count == stack.mongo.bulk
