"""Documents of an older version take their new form on the real servers, whatever a kill left of it, and beside no stream."""

import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from bson.int64 import Int64

from engine.clients import cassandra_session, mongo_client
from engine.errors import LeaseHeld, OtherVersion
from engine.migrations import migrating, versions
from engine.migrations.documents import CountsAsOneValue, Stores
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES, Cell
from engine.provision import provision
from engine.settings import Settings
from engine.stores.aggregates import Aggregates, chunks
from engine.stores.schema import PROFILES
from engine.stores.status import Status
from engine.writer import lease as leases
from engine.writer.lease import Lease
from engine.writer.write_order import EPOCH, WriterState

pytestmark = pytest.mark.services

STAMP = Int64(EPOCH + 7)
OLD: dict[str, list[dict[str, Any]]] = {
    NATIONALITIES: [
        {"_id": "FR", "users": 3, "by_gender": {"female": 2, "male": 1},
         "births": {"female": {"1990-01": 1, "1990-12": 1}, "male": {"1951-07": 1}}, "stamp": STAMP},
        {"_id": "GB", "users": 0, "stamp": STAMP},
        # for some hours: counts in one value already, births by single months
        {"_id": "DE", "counts": {"stamp": STAMP, "users": 1, "by_gender": {"male": 1}, "births": {"male": {"1970-03": 1}}}}],
    DOMAINS: [{"_id": "x.org", "users": 2, "stamp": STAMP}, {"_id": "y.org", "users": 2, "stamp": STAMP}],
    ARRIVALS: [{"_id": "2026-11-29T10", "users": 4, "stamp": STAMP}]}
NEW: dict[str, list[dict[str, Any]]] = {
    NATIONALITIES: [
        {"_id": "FR", "counts": {"stamp": STAMP, "users": 3, "by_gender": {"female": 2, "male": 1}, "births": {
            "female": {"1990": "1 0 0 0 0 0 0 0 0 0 0 1"}, "male": {"1951": "0 0 0 0 0 0 1 0 0 0 0 0"}}}},
        {"_id": "GB", "counts": {"stamp": STAMP, "users": 0}},
        {"_id": "DE", "counts": {"stamp": STAMP, "users": 1, "by_gender": {"male": 1},
                                 "births": {"male": {"1970": "0 0 1 0 0 0 0 0 0 0 0 0"}}}}],
    DOMAINS: [{"_id": key, "counts": {"stamp": STAMP, "users": 2}} for key in ("x.org", "y.org")],
    ARRIVALS: [{"_id": "2026-11-29T10", "counts": {"stamp": STAMP, "users": 4}}]}


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture
def stores(stack: Settings) -> Iterator[Stores]:
    """Documents of version 1 in a database of these tests' own; with Cassandra nothing is done there but looking."""
    mongo = stack.mongo.model_copy(update={"database": "migrations", "bulk": 2})
    stream = stack.stream.model_copy(update={"lease_s": 3.0})
    settings = stack.model_copy(update={"mongo": mongo, "stream": stream})
    with mongo_client(settings, "provision") as client:
        database = client["migrations"]
        for name, some in OLD.items():
            database[name].insert_many(some)
        yield Stores(settings, database)
        client.drop_database("migrations")


def there(stores: Stores) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(stores.database[name].find(), key=lambda kept: str(kept["_id"])) for name in OLD}


def by_id(of: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(some, key=lambda kept: str(kept["_id"])) for name, some in of.items()}


def test_documents_take_their_new_form_and_count_what_they_did(stores: Stores) -> None:
    before = Aggregates(stores.database, 50).cells()
    (one,) = migrating.look(stores.settings)
    assert (str(one), versions.in_mongo(stores.database)) == (
        "MongoDB, version 1 to 2: 6 documents of the aggregates", {"mongo": 1, "topics": 1})
    assert there(stores) == by_id(OLD), "to look changes nothing"
    with pytest.raises(OtherVersion, match=r"older Rollcall \(MongoDB, version 1 to 2: 6 documents.*`rollcall migrate`"):
        versions.require_current(stores.settings, "stream")
    said: list[str] = []
    assert migrating.run(stores.settings, said.append) == 1
    assert there(stores) == by_id(NEW)
    assert all(next(iter(kept["counts"])) == "stamp" for some in there(stores).values() for kept in some), "$max compares by it"
    assert "Counts of a document become one value" in " ".join(said)
    assert Aggregates(stores.database, 50).cells() == before
    assert versions.in_mongo(stores.database) == {"mongo": 2, "topics": 1}
    assert not Status(stores.database).writer().recount
    versions.require_current(stores.settings, "stream")
    assert migrating.run(stores.settings, said.append) == 0
    aggregates = Aggregates(stores.database, 50)
    aggregates.add({Cell(DOMAINS, "x.org"): 1}, STAMP)
    aggregates.add({Cell(DOMAINS, "y.org"): 1}, STAMP + 1)
    assert aggregates.cells()[Cell(DOMAINS, "x.org")] == 2, "its turn was counted before"
    assert aggregates.cells()[Cell(DOMAINS, "y.org")] == 3


@pytest.mark.parametrize("writes", range(5))
def test_killed_after_any_write_it_is_refused_and_goes_on(stores: Stores, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """With two documents a write there are four of them, and the fifth says the new version."""
    left, keep = [writes], versions.keep

    def one_less() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    def some(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
        for part in chunks(items, size):
            one_less()
            yield part

    def kept(*given: Any) -> None:
        one_less()
        keep(*given)

    monkeypatch.setattr("engine.migrations.documents.chunks", some)
    monkeypatch.setattr(versions, "keep", kept)
    with pytest.raises(KeyboardInterrupt):
        migrating.run(stores.settings, quiet)
    monkeypatch.undo()
    if writes < 4:
        with pytest.raises(OtherVersion):
            versions.require_current(stores.settings, "stream")
    assert versions.in_mongo(stores.database)["mongo"] == 1
    assert migrating.run(stores.settings, quiet) == 1
    assert there(stores) == by_id(NEW)
    versions.require_current(stores.settings, "stream")


@pytest.mark.parametrize("doubtful", [
    {"_id": "ES", "users": 5, "by_gender": {"male": 1}, "births": {"male": {"1970-03": 1}}, "stamp": STAMP},
    {"_id": "ES", "users": 1, "by_gender": {"male": 1}, "births": {"male": {"1970-03": 1}}},
    {"_id": "ES", "users": 1, "by_gender": {"male": 1}, "births": {"male": {"1970-03": 1}}, "stamp": STAMP, "shoe_size": 43},
    {"_id": "ES", "users": "one", "stamp": STAMP}, {"_id": "ES"}])
def test_what_does_not_agree_with_itself_is_counted_anew(stores: Stores, doubtful: dict[str, Any]) -> None:
    stores.database[NATIONALITIES].insert_one(doubtful)
    Status(stores.database).save_writer(WriterState(turn=5, epoch=1), 0)
    migrating.run(stores.settings, quiet)
    state = Status(stores.database).writer()
    assert (state.turn, state.epoch, state.recount) == (5, 1, True)


def test_not_beside_a_stream_and_no_stream_beside_it(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = leases.take(stores.database, 3.0, threading.Event(), quiet)
    with pytest.raises(LeaseHeld, match="is alive and writes"):
        migrating.run(stores.settings, quiet)
    assert there(stores) == by_id(OLD)
    stream.release(clean=True)

    def meanwhile(_: CountsAsOneValue, place: Stores) -> None:
        with pytest.raises(LeaseHeld):
            leases.take(place.database, 1.0, threading.Event(), quiet)
        assert place.lease == stream.number + 1

    monkeypatch.setattr(CountsAsOneValue, "take", meanwhile)
    migrating.run(stores.settings, quiet)
    after = Status(stores.database).lease()
    assert after is not None
    assert (after["released"], after["clean"]) == (True, True), "the next stream need not wait"


def test_after_a_stream_that_died_it_waits_until_nothing_can_land(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = leases.take(stores.database, 3.0, threading.Event(), quiet)
    monkeypatch.setattr(leases, "_dead_here", lambda held: held["_id"] == f"lease:{dead.number}")
    waited: list[float] = []
    monkeypatch.setattr("engine.migrations.migrating.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(Lease, "check", lambda self: waited.append(0) if self.number > dead.number else None)
    migrating.run(stores.settings, quiet)
    dead._done.set()
    assert waited == [stores.settings.longest_client_timeout_s + 3.0, 0], "and looks whether it still holds the lease"


@pytest.mark.parametrize("newer", [{"mongo": 9, "topics": 1}, {"mongo": 2, "topics": 2}])
def test_what_is_newer_is_refused_before_anything_is_changed(stores: Stores, newer: dict[str, int]) -> None:
    Status(stores.database).write(versions.DOCUMENT, newer)
    for begin in (lambda: provision(stores.settings, quiet, "mongo"), lambda: migrating.run(stores.settings, quiet),
                  lambda: versions.require_current(stores.settings, "stream")):
        with pytest.raises(OtherVersion, match=r"newer version than this Rollcall knows.*nothing was changed"):
            begin()
    assert there(stores) == by_id(OLD)
    assert set(stores.database.list_collection_names()) == {*OLD, "pipeline_status"}, "no collection was made"


def test_a_new_store_and_one_with_nothing_to_change_are_of_our_version(stores: Stores) -> None:
    for name in OLD:
        stores.database[name].delete_many({})
    versions.require_current(stores.settings, "stream")
    said: list[str] = []
    provision(stores.settings, said.append, "mongo")
    assert "MongoDB: version 2" in said
    assert versions.in_mongo(stores.database) == {"mongo": 2, "topics": 1}
    assert [line for line in said if "version" in line] == ["MongoDB: version 2"]
    stores.database[NATIONALITIES].insert_many(OLD[NATIONALITIES])
    assert migrating.look(stores.settings) == [], "from then on the number counts"


def test_cassandra_says_its_version_in_a_comment_that_provisioning_keeps(stack: Settings) -> None:
    place = f"{stack.cassandra.keyspace}.{PROFILES.name}"
    with mongo_client(stack, "provision") as client, cassandra_session(stack, "provision") as session:
        stores, keyspace = Stores(stack, client[stack.mongo.database]), stack.cassandra.keyspace
        assert versions.in_cassandra(session, keyspace) == {"cassandra": 1}
        assert versions.in_cassandra(session, "no_such_keyspace") == {"cassandra": 1}
        try:
            session.execute(f"ALTER TABLE {place} WITH comment = '{PROFILES.comment}'")    # as of before there were versions
            assert versions.in_cassandra(session, keyspace) == {"cassandra": 1}
            assert provision(stack, quiet, "cassandra") == 0
            versions.keep(stores, versions.CASSANDRA, 9)
            assert versions.in_cassandra(session, keyspace) == {"cassandra": 9}
            said: list[str] = []
            with pytest.raises(OtherVersion, match=r"Cassandra 9 \(known: 1\)"):
                provision(stack, said.append, "cassandra")
            assert said == []
        finally:
            versions.keep(stores, versions.CASSANDRA, 1)
        assert versions.in_cassandra(session, keyspace) == {"cassandra": 1}
        assert provision(stack, quiet, "cassandra") == 0
