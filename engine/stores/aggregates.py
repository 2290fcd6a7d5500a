"""Hop 4b: the aggregates in MongoDB, written by the stream alone, each document stamped so that no turn counts twice.

`{_id, counts: {stamp, users, …}}`: the counts are set whole by `$max`, which compares documents by their first field, so that
the greater stamp stays and FerretDB finds the document by its `_id` alone (docs/decisions/0002). What is missing is inserted by
`insert_many`; a write has at most `settings.mongo.bulk` operations.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pymongo import DeleteOne, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from engine.birth_months import in_months, total, with_more
from engine.clients import mapped
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES, Cell
from engine.writer.write_order import EPOCH

COLLECTIONS = (NATIONALITIES, DOMAINS, ARRIVALS)
DUPLICATE_KEY = 11000

Document = dict[str, Any]
T = TypeVar("T")


def documents(database: Database[Any], name: str, *fields: str) -> list[Document]:
    """All documents of a collection of aggregates: `{_id, stamp, users, …}`, or of these fields alone. Raises what the driver
    raises."""
    only = {path: 1 for field in fields for path in (field, f"counts.{field}")}
    return [flat(kept) for kept in database[name].find({}, only or None)]


def flat(kept: Mapping[str, Any]) -> Document:
    """A document with its counts beside its `_id`, births by month. What another hand put there stays to be seen."""
    made = _beside(kept)
    if isinstance(births := made.get("births"), Mapping):
        made["births"] = {gender: in_months(years) if isinstance(years, Mapping) else years for gender, years in births.items()}
    return made


def _beside(kept: Mapping[str, Any]) -> Document:
    """A document with its counts beside its `_id`, births as they are kept."""
    counts = kept.get("counts")
    return {**without_counts(kept), **counts} if isinstance(counts, Mapping) else dict(kept)


def without_counts(kept: Mapping[str, Any]) -> Document:
    """What stands beside the counts: the `_id`, and what another hand, or a version before docs/decisions/0018, put there."""
    return {name: value for name, value in kept.items() if name != "counts"}


class Aggregates:
    """The three collections of aggregates."""

    def __init__(self, database: Database[Document], bulk: int) -> None:
        self.database, self.bulk = database, bulk

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        """Adds to every document whose stamp is smaller than `stamp` and stamps it, zero sums included."""
        for name, more in by_document(deltas).items():
            with mapped("reading or writing aggregates"):
                self._add(self.database[name], more, stamp)

    def set_all(self, cells: Mapping[Cell, int], stamp: int) -> None:
        """Sets every document to these counts, under the first stamp of an epoch; what has none left, or is not of the form
        that `$max` compares, is deleted. One that a paused writer inserts in its place later has a stamp of an earlier epoch,
        so nothing of it counts."""
        want = by_document({cell: n for cell, n in cells.items() if n})
        for name in COLLECTIONS:
            with mapped("reading or writing aggregates"):
                collection, made = self.database[name], {
                    key: counts_of(some, stamp) for key, some in want.get(name, {}).items()}
                stays = {kept["_id"]: is_ours(kept) and kept["_id"] in made for kept in collection.find()}
                ended = [DeleteOne({"_id": key, **_older(stamp)}) for key, ours in stays.items() if not ours]
                for some in chunks(ended, self.bulk):
                    collection.bulk_write(some, ordered=False)
                late = self._insert(collection, {key: counts for key, counts in made.items() if not stays.get(key)})
                self._raise(collection, {key: made[key] for key in made if stays.get(key) or key in late})

    def sweep(self, stamp: int) -> None:
        """Zeroes every document whose stamp is smaller."""
        for name in COLLECTIONS:
            with mapped("reading or writing aggregates"):
                late = [kept["_id"] for kept in documents(self.database, name, "stamp") if _stamp(kept) < stamp]
                self._raise(self.database[name], {key: {"stamp": stamp, "users": 0} for key in late})

    def cells(self, since: int = 0) -> dict[Cell, int]:
        """What the documents say, cell by cell; `users` and `by_gender` are checked by `contradictions`."""
        return {cell: n for name in COLLECTIONS for kept in self.documents(name, since)
                for cell, n in cells_of(name, kept).items() if n}

    def empty(self, turn: int | None = None) -> int:
        """How many documents stand that count nobody somewhere, are named after what people are or have, and that no turn later
        than this one (None: any) has touched; an hour of arrivals names nobody."""
        return sum(not all(cells_of(name, kept).values()) or not kept.get("users") for name in (NATIONALITIES, DOMAINS)
                   for kept in self.documents(name) if turn is None or _stamp(kept) % EPOCH <= turn)

    def documents(self, name: str, since: int = 0) -> list[Document]:
        """All documents of one collection but those with a stamp before this one."""
        with mapped("reading or writing aggregates"):
            return [kept for kept in documents(self.database, name) if _stamp(kept, since) >= since]

    def contradictions(self, since: int = 0) -> list[str]:
        """Documents whose `users` or `by_gender` are not the sum of their births, each named."""
        wrong = []
        for kept in self.documents(NATIONALITIES, since):
            births: Counter[str] = Counter()
            for cell, n in cells_of(NATIONALITIES, kept).items():
                births[cell.gender] += n
            said = kept.get("by_gender", {})
            genders = {gender: n for gender, n in said.items() if n} if isinstance(said, dict) else said
            if genders != {gender: n for gender, n in births.items() if n} or kept.get("users") != sum(births.values()):
                wrong.append(f"{NATIONALITIES}/{kept['_id']}: users, by_gender and births do not agree")
        return wrong

    def _add(self, collection: Collection[Document], more: Mapping[str, Mapping[Cell, int]], stamp: int) -> None:
        """Reads, adds, and sets where the stamp is smaller still. Whoever did this turn before, or does it at the same time,
        sets the same; what is of an earlier epoch counts for nothing, for a writer that was paused since before the recount
        inserted it late. What turns out to be there when it is inserted is read again."""
        epoch, left = stamp - stamp % EPOCH, list(more)
        while left:
            stood = {kept["_id"]: _beside(kept) for kept in collection.find({"_id": {"$in": left}})}
            made: dict[str, Document] = {}
            for key in left:
                kept = stood.get(key, {})
                if _stamp(kept) < stamp:
                    made[key] = with_cells(kept if kept and _stamp(kept) >= epoch else {}, more[key], stamp)
            left = self._insert(collection, {key: counts for key, counts in made.items() if key not in stood})
            self._raise(collection, {key: counts for key, counts in made.items() if key in stood})

    def _insert(self, collection: Collection[Document], made: Mapping[str, Document]) -> list[str]:
        """Inserts what is missing; returns the keys that turned out to be there."""
        there = []
        for some in chunks([{"_id": key, "counts": counts} for key, counts in made.items()], self.bulk):
            try:
                collection.insert_many(some, ordered=False)
            except BulkWriteError as error:
                faults = error.details["writeErrors"]
                if any(fault["code"] != DUPLICATE_KEY for fault in faults):
                    raise
                there += [str(some[fault["index"]]["_id"]) for fault in faults]
        return there

    def _raise(self, collection: Collection[Document], made: Mapping[str, Document]) -> None:
        """Sets counts that are there where these have a greater stamp. Counts that stood beside the `_id`, as before
        docs/decisions/0018, go."""
        changes = [UpdateOne({"_id": key}, {"$max": {"counts": counts}, "$unset": _BESIDE}) for key, counts in made.items()]
        for some in chunks(changes, self.bulk):
            collection.bulk_write(some, ordered=False)


_BESIDE = dict.fromkeys(("stamp", "users", "by_gender", "births"), "")


def is_ours(kept: Document) -> bool:
    """Whether a document is of the form in which the greater stamp wins."""
    counts = kept.get("counts")
    return set(kept) == {"_id", "counts"} and isinstance(counts, dict) and next(iter(counts), "") == "stamp"


def _older(stamp: int) -> Document:
    """What has a smaller stamp, or none."""
    return {"$or": [{"counts.stamp": {"$lt": stamp}}, {"counts.stamp": {"$exists": False}}]}


def _stamp(kept: Mapping[str, Any], otherwise: int = 0) -> int:
    """The stamp of a document; of one that another hand left without."""
    stamp = kept.get("stamp")
    return stamp if isinstance(stamp, int) else otherwise


def cells_of(name: str, kept: Mapping[str, Any]) -> dict[Cell, int]:
    """What a document of this collection counts."""
    if name != NATIONALITIES:
        return {Cell(name, kept["_id"]): kept.get("users", 0)}
    births = kept.get("births")
    return {Cell(name, kept["_id"], gender, month): n for gender, months in (births.items() if isinstance(births, dict) else ())
            if isinstance(months, dict) for month, n in months.items() if isinstance(n, int)}


def counts_of(cells: Mapping[Cell, int], stamp: int) -> Document:
    """The cells of one document as it keeps them: the stamp first, by which `$max` compares; no count of nobody but `users`."""
    return with_cells({}, cells, stamp)


def with_cells(kept: Mapping[str, Any], more: Mapping[Cell, int], stamp: int) -> Document:
    """The same of a document that stands, births as they are kept, and of more cells of it. Sums are taken of all births."""
    months: dict[str, dict[str, int]] = {}
    for cell, n in more.items():
        if cell.collection == NATIONALITIES:
            months.setdefault(cell.gender, {})[cell.month] = n
    if not months:
        return {"stamp": stamp, "users": kept.get("users", 0) + sum(more.values())}
    there = births if isinstance(births := kept.get("births"), Mapping) else {}
    made = {gender: with_more(years if isinstance(years := there.get(gender), Mapping) else {}, months.get(gender, {}))
            for gender in {**there, **months}}
    made = {gender: years for gender, years in made.items() if years}
    by_gender = {gender: total(years) for gender, years in made.items()}
    counts = {"stamp": stamp, "users": sum(by_gender.values())}
    return {**counts, "by_gender": by_gender, "births": made} if made else counts


def by_document(cells: Mapping[Cell, int]) -> dict[str, dict[str, dict[Cell, int]]]:
    """Cells by collection and by document."""
    found: dict[str, dict[str, dict[Cell, int]]] = {}
    for cell, n in cells.items():
        found.setdefault(cell.collection, {}).setdefault(cell.document, {})[cell] = n
    return found


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start:start + size]
