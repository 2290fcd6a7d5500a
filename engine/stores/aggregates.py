"""Hop 4b: the aggregates in MongoDB, written by the stream alone, each document stamped so that no turn counts twice.

FerretDB sets the manner (docs/decisions/0002): at most `settings.mongo.bulk` operations a write, missing documents by
`insert_many`, the others by an update whose filter holds the stamp, which is no error when it does not match.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from engine.clients import mapped
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES, Cell
from engine.writer.write_order import EPOCH

COLLECTIONS = (NATIONALITIES, DOMAINS, ARRIVALS)
DUPLICATE_KEY = 11000

Document = dict[str, Any]
T = TypeVar("T")


class Aggregates:
    """The three collections of aggregates."""

    def __init__(self, database: Database[Document], bulk: int) -> None:
        self.database, self.bulk = database, bulk

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        """Adds to every document whose stamp is smaller than `stamp` and stamps it, zero sums included."""
        for name, documents in increments(deltas).items():
            with mapped("reading or writing aggregates"):
                self._add(self.database[name], documents, stamp)

    def set_all(self, cells: Mapping[Cell, int], stamp: int) -> None:
        """Sets every document to these counts, under the first stamp of an epoch; what has none left is deleted. One that a
        paused writer inserts in its place later has a stamp of an earlier epoch, so nothing of it counts."""
        want = increments({cell: n for cell, n in cells.items() if n})
        for name in COLLECTIONS:
            with mapped("reading or writing aggregates"):
                collection, documents = self.database[name], want.get(name, {})
                there = {kept["_id"] for kept in collection.find({}, {"_id": 1})}
                fresh = {key: nested(key, steps, stamp) for key, steps in documents.items()}
                late = self._insert(collection, [made for key, made in fresh.items() if key not in there])
                self._replace(collection, [fresh[key] for key in [*(there & set(fresh)), *late]], stamp)
                ended = [DeleteOne({"_id": key, **_older(stamp)}) for key in there - set(fresh)]
                for some in chunks(ended, self.bulk):
                    collection.bulk_write(some, ordered=False)

    def sweep(self, stamp: int) -> None:
        """Zeroes every document whose stamp is smaller."""
        for name in COLLECTIONS:
            with mapped("reading or writing aggregates"):
                collection = self.database[name]
                late = [kept["_id"] for kept in collection.find(_older(stamp), {"_id": 1})]
                self._replace(collection, [nested(key, {"users": 0}, stamp) for key in late], stamp)

    def cells(self, since: int = 0) -> dict[Cell, int]:
        """What the documents say, cell by cell; `users` and `by_gender` are checked by `contradictions`."""
        counts: dict[Cell, int] = {}
        for name in COLLECTIONS:
            for kept in self.documents(name, since):
                if name == NATIONALITIES:
                    for gender, months in kept.get("births", {}).items():
                        counts |= {Cell(name, kept["_id"], gender, month): n for month, n in months.items()}
                else:
                    counts[Cell(name, kept["_id"])] = kept["users"]
        return {cell: n for cell, n in counts.items() if n}

    def empty(self, turn: int | None = None) -> int:
        """How many counts of nobody stand that are named after what people are or have, in documents that no turn later than
        this one (None: any) has touched; an hour of arrivals names nobody."""
        return sum(len(_zeros(kept)) or not kept["users"] for name in (NATIONALITIES, DOMAINS) for kept in self.documents(name)
                   if turn is None or kept.get("stamp", 0) % EPOCH <= turn)

    def documents(self, name: str, since: int = 0) -> list[Document]:
        """All documents of one collection but those with a stamp before this one."""
        with mapped("reading or writing aggregates"):
            return list(self.database[name].find({"$nor": [{"stamp": {"$lt": since}}]}))

    def contradictions(self, since: int = 0) -> list[str]:
        """Documents whose `users` or `by_gender` are not the sum of their births, each named."""
        wrong = []
        for kept in self.documents(NATIONALITIES, since):
            births = {gender: sum(months.values()) for gender, months in kept.get("births", {}).items()}
            genders = {gender: n for gender, n in kept.get("by_gender", {}).items() if n}
            if genders != {gender: n for gender, n in births.items() if n} or kept["users"] != sum(births.values()):
                wrong.append(f"{NATIONALITIES}/{kept['_id']}: users, by_gender and births do not agree")
        return wrong

    def _add(self, collection: Collection[Document], documents: Mapping[str, Mapping[str, int]], stamp: int) -> None:
        """What is missing is inserted. What turns out to be there may be of an earlier epoch: a writer that was paused since
        before the recount inserted it late. It is replaced where it is, for nothing of it counts, and added to where not."""
        epoch = stamp - stamp % EPOCH
        found = collection.find({"_id": {"$in": list(documents)}}, {"stamp": 1})
        stamps = {kept["_id"]: kept.get("stamp", 0) for kept in found}
        fresh = {key: nested(key, steps, stamp) for key, steps in documents.items()}
        behind = [key for key, stood in stamps.items() if stood < stamp]
        there = self._insert(collection, [fresh[key] for key in documents if key not in stamps])
        self._replace(collection, [fresh[key] for key in [*there, *behind] if stamps.get(key, 0) < epoch], epoch)
        updates = []
        for key in [*there, *behind]:
            change: Document = {"$set": {"stamp": stamp}}
            if steps := {path: n for path, n in documents[key].items() if n}:
                change["$inc"] = steps
            updates.append(UpdateOne({"_id": key, "stamp": {"$gte": epoch, "$lt": stamp}}, change))
        for some in chunks(updates, self.bulk):
            collection.bulk_write(some, ordered=False)
        if any(n < 0 for steps in documents.values() for n in steps.values()):
            self._without_zeros(collection, list(documents), stamp)

    def _without_zeros(self, collection: Collection[Document], keys: Sequence[str], stamp: int) -> None:
        """Takes counts of nobody out of what this turn wrote; a document of nobody stays, for its stamp is still needed."""
        written = collection.find({"_id": {"$in": keys}, "stamp": stamp})
        changes = [UpdateOne({"_id": kept["_id"], "stamp": stamp}, {"$unset": dict.fromkeys(paths, "")})
                   for kept in written if (paths := _zeros(kept))]
        for some in chunks(changes, self.bulk):
            collection.bulk_write(some, ordered=False)

    def _insert(self, collection: Collection[Document], documents: Sequence[Document]) -> list[str]:
        """Inserts what is missing; returns the keys that turned out to be there."""
        there = []
        for some in chunks(documents, self.bulk):
            try:
                collection.insert_many(some, ordered=False)
            except BulkWriteError as error:
                faults = error.details["writeErrors"]
                if any(fault["code"] != DUPLICATE_KEY for fault in faults):
                    raise
                there += [some[fault["index"]]["_id"] for fault in faults]
        return there

    def _replace(self, collection: Collection[Document], documents: Sequence[Document], below: int) -> None:
        """Sets documents whole where they have a stamp below this one."""
        changes = [ReplaceOne({"_id": fresh["_id"], **_older(below)}, fresh) for fresh in documents]
        for some in chunks(changes, self.bulk):
            collection.bulk_write(some, ordered=False)


def _zeros(document: Document) -> list[str]:
    """Dotted paths in a document at which nobody is counted."""
    paths = [f"by_gender.{gender}" for gender, n in document.get("by_gender", {}).items() if not n]
    for gender, months in document.get("births", {}).items():
        zeros = [f"births.{gender}.{month}" for month, n in months.items() if not n]
        paths += zeros if len(zeros) < len(months) else [f"births.{gender}"]
    return paths


def _older(stamp: int) -> Document:
    """What has a smaller stamp, or none: another hand than ours made that."""
    return {"$or": [{"stamp": {"$lt": stamp}}, {"stamp": {"$exists": False}}]}


def increments(deltas: Mapping[Cell, int]) -> dict[str, dict[str, dict[str, int]]]:
    """Cells as increments: collection -> document -> dotted path -> number."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for cell, n in deltas.items():
        steps = found.setdefault(cell.collection, {}).setdefault(cell.document, {"users": 0})
        paths = ["users"]
        if cell.collection == NATIONALITIES:
            paths += [f"by_gender.{cell.gender}", f"births.{cell.gender}.{cell.month}"]
        for path in paths:
            steps[path] = steps.get(path, 0) + n
    return found


def nested(key: str, steps: Mapping[str, int], stamp: int) -> Document:
    """A document from its dotted paths, as MongoDB's `$inc` would make it."""
    made: Document = {"_id": key}
    for path, n in steps.items():
        *parents, leaf = path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = n
    return made | {"stamp": stamp}


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start:start + size]
