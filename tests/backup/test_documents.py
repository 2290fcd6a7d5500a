"""Documents come back as they were, types and order of fields too, and what happens just now does not."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from bson.int64 import Int64
from pymongo.database import Database

from engine.backup import documents
from engine.backup.manifest import BackupDamaged

THERE: dict[str, list[dict[str, Any]]] = {
    "users_by_nationality": [{"_id": "FR", "counts": {"stamp": Int64(7), "users": 12, "births": {"female": {"1992-03": 4}}}}],
    "arrivals": [{"_id": f"2026-11-30T{hour:02}", "counts": {"stamp": Int64(2 ** 53 + 1), "users": hour}}
                 for hour in range(24)],
    "pipeline_status": [
        {"_id": "writer", "turn": Int64(3), "open": None, "share": 0.5,
         "at": datetime(2026, 11, 30, 6, 0, 0, 123000, tzinfo=UTC)},
        {"_id": "hold", "number": "one", "released": False}, {"_id": "standing", "hold": "one"},
        {"_id": "waiting", "for": "Kafka"}],
    "snapshots": [{"_id": 1, "body": "a line\u2028that ends in no other\n", "withdrawn": {"why": "“so”"}}],
    "losses": [], "system.profile": [{"_id": 1}]}


class Collection:
    """One in memory; `lost` documents are inserted and not kept."""

    def __init__(self, there: list[dict[str, Any]], bulk: int, lost: int = 0) -> None:
        self.there, self.bulk, self.lost = there, bulk, lost

    def find(self, _: object) -> list[dict[str, Any]]:
        return self.there

    def find_one(self, but: dict[str, dict[str, str]]) -> dict[str, Any] | None:
        return next((one for one in self.there if one["_id"] != but["_id"]["$ne"]), None)

    def delete_many(self, _: object) -> None:
        self.there = []

    def insert_many(self, some: list[dict[str, Any]]) -> None:
        assert 0 < len(some) <= self.bulk
        self.there += some[self.lost:]


class Store:
    """A database in memory."""

    def __init__(self, there: dict[str, list[dict[str, Any]]], bulk: int = 10, lost: int = 0) -> None:
        self.of = {name: Collection(list(some), bulk, lost) for name, some in there.items()}

    def list_collection_names(self) -> list[str]:
        return list(self.of)

    def __getitem__(self, name: str) -> Collection:
        return self.of[name]


def database(store: Store) -> Database[dict[str, Any]]:
    return cast(Database[dict[str, Any]], store)


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymongo.timeout", lambda _: nullcontext())


def test_what_is_dumped_comes_back_as_it_was(tmp_path: Path) -> None:
    counts = documents.dump(database(Store(THERE)), tmp_path)
    assert counts == {"users_by_nationality": 1, "arrivals": 24, "pipeline_status": 1, "snapshots": 1, "losses": 0}
    store = Store({**{name: [] for name in THERE}, "arrivals": [{"_id": "of an interrupted load"}]})
    documents.load(database(store), tmp_path, counts, bulk=10)
    for name in counts:
        wanted = [one for one in THERE[name] if one["_id"] not in documents.OF_THE_MOMENT]
        assert store[name].there == wanted
        assert [list(one) for one in store[name].there] == [list(one) for one in wanted], "the order of fields"
    (one,) = store["users_by_nationality"].there
    assert list(one["counts"]) == ["stamp", "users", "births"], "$max compares by the first"
    assert (type(one["counts"]["stamp"]), type(one["counts"]["users"])) == (Int64, int)


def test_a_store_that_keeps_less_is_found_out(tmp_path: Path) -> None:
    counts = documents.dump(database(Store(THERE)), tmp_path)
    with pytest.raises(BackupDamaged, match=r"does not hold what arrivals\.jsonl"):
        documents.load(database(Store({name: [] for name in THERE}, lost=1)), tmp_path, counts, bulk=10)


def test_a_line_that_is_no_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "arrivals.jsonl").write_text('{"_id": {"$numberLong": "x"}}\n')
    with pytest.raises(BackupDamaged, match="no document"):
        documents.load(database(Store({"arrivals": []})), tmp_path, {"arrivals": 1}, bulk=10)


def test_whether_anything_stands_is_told() -> None:
    assert documents.found(database(Store({"losses": [], "system.users": [{"_id": 1}]}))) == ""
    assert documents.found(database(Store({"losses": [], "arrivals": [{"_id": 1}]}))) == "arrivals"
    provided = {"pipeline_status": [{"_id": "versions", "mongo": 2, "topics": 1}]}
    assert documents.found(database(Store(provided))) == "", "provisioning says so in an empty one"
