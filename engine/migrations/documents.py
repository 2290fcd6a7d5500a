"""Steps of MongoDB's documents."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pymongo import ReplaceOne
from pymongo.database import Database

from engine.clients import mapped
from engine.migrations.step import Step
from engine.settings import Settings
from engine.stores.aggregates import COLLECTIONS, Aggregates, Document, cells_of, chunks, counts_of, flat, is_ours
from engine.stores.status import Status


@dataclass(frozen=True)
class Stores:
    """What steps of the stores work with. lease: number of that under which they are taken; 0: they are only looked at."""

    settings: Settings
    database: Database[Any]
    lease: int = 0


class CountsAsOneValue(Step[Stores]):
    """Up to docs/decisions/0018 counts stood beside the `_id`, for some hours after it births stood by single months."""

    what = "counts of a document become one value that begins with its stamp, births by year (docs/decisions/0018)"
    fields = frozenset(("_id", "counts", "stamp", "users", "by_gender", "births"))

    def left(self, place: Stores) -> str:
        """How many documents."""
        with mapped("looking at the form of the aggregates"):
            number = sum(1 for name in COLLECTIONS for _ in self._older(place, name))
        return f"{number} documents of the aggregates" if number else ""

    def take(self, place: Stores) -> None:
        """Writes each document anew, under the stamp it has. Where one does not agree with itself, or holds what is not ours,
        the next stream recounts all of them, as it would for `rollcall recount`: made anew it would no longer show."""
        with mapped("bringing the aggregates into their new form"):
            if self._doubtful(place):
                status = Status(place.database)
                status.save_writer(replace(status.writer(), recount=True), place.lease)
            for name in COLLECTIONS:
                changes = [ReplaceOne({"_id": made["_id"]}, made) for made in self._older(place, name)]
                for some in chunks(changes, place.settings.mongo.bulk):
                    place.database[name].bulk_write(some, ordered=False)

    def _older(self, place: Stores, name: str) -> Iterator[Document]:
        """As they are to be, those that are otherwise."""
        for kept in place.database[name].find():
            there = flat(kept)
            stamp, users = (value if isinstance(value := there.get(field), int) else 0 for field in ("stamp", "users"))
            made = {"_id": kept["_id"], "counts": counts_of(cells_of(name, {**there, "users": users}), stamp)}
            if kept != made or not is_ours(kept):
                yield made

    def _doubtful(self, place: Stores) -> bool:
        aggregates = Aggregates(place.database, place.settings.mongo.bulk)
        return bool(aggregates.contradictions()) or any(
            not self.fields.issuperset(kept) or not isinstance(flat(kept).get("stamp"), int)
            or not isinstance(flat(kept).get("users"), int)
            for name in COLLECTIONS for kept in place.database[name].find())


STEPS: tuple[Step[Stores], ...] = (CountsAsOneValue(),)
