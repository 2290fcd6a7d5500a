"""Releases in memory: the records and the database of the aggregates, under the product's own code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Self, cast

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from engine.birth_months import in_years
from engine.publishing.release import Publishing
from engine.settings import Settings
from engine.stores.records import Record, Records, Stale
from engine.stores.schema import ARRIVALS, BY_EMAIL_DOMAIN, BY_NATIONALITY, PIPELINE_STATUS
from engine.writer.write_order import EPOCH, WriterState

Document = dict[str, Any]


class Found(list[Document]):
    """What a query found."""

    def sort(self, field: str, direction: int) -> Self:    # type: ignore[override]
        """As a cursor does."""
        return type(self)(sorted(self, key=lambda one: one[field], reverse=direction < 0))

    def limit(self, number: int) -> Self:
        """As a cursor does."""
        return type(self)(self[:number])


class Collection:
    """Documents by id."""

    def __init__(self) -> None:
        self.documents: dict[Any, Document] = {}

    def find(self, *_: object) -> Found:
        """All of them."""
        return Found(self.documents.values())

    def find_one(self, query: Mapping[str, Any]) -> Document | None:
        """By id."""
        return self.documents.get(query["_id"])

    def insert_one(self, document: Document) -> None:
        """A new one."""
        if document["_id"] in self.documents:
            raise DuplicateKeyError("it is there")
        self.documents[document["_id"]] = document

    def update_one(self, query: Mapping[str, Any], change: Mapping[str, Any]) -> SimpleNamespace:
        """Where all that is asked for is so."""
        found = self.documents.get(query["_id"])
        if found is None or any(found[name] != value for name, value in query.items()):
            return SimpleNamespace(matched_count=0)
        found.update(change["$set"])
        return SimpleNamespace(matched_count=1)


class Place:
    """An installation's releases. people: nationality -> people of it, all women of 1992."""

    def __init__(self, settings: Settings, people: Mapping[str, int]) -> None:
        self.settings = settings
        self.collections: dict[str, Collection] = {}
        self.versions_there: list[Record] = []
        self.count(people)

    def __getitem__(self, name: str) -> Collection:
        return self.collections.setdefault(name, Collection())

    def count(self, people: Mapping[str, int]) -> None:
        """Sets the aggregates."""
        total = sum(people.values())
        stamp = EPOCH + 3
        self[BY_NATIONALITY].documents = {nat: {"_id": nat, "counts": {
            "stamp": stamp, "users": n, "births": {"female": in_years({"1992-03": n})}}} for nat, n in people.items()}
        self[BY_EMAIL_DOMAIN].documents = {"example.com": {"_id": "example.com", "counts": {"stamp": stamp, "users": total}}}
        self[ARRIVALS].documents = {"2026-11-28T09": {"_id": "2026-11-28T09", "counts": {"stamp": stamp, "users": total}}}
        self[PIPELINE_STATUS].documents = {"writer": {"_id": "writer", "lease": 1, **asdict(WriterState(turn=3))}}

    def versions(self, *_: object) -> list[Record]:
        """As Records."""
        return list(self.versions_there)

    def last(self, *_: object) -> Record | None:
        """As Records."""
        return self.versions_there[-1] if self.versions_there else None

    def add(self, record: Record) -> Record:
        """As Records."""
        if record.n != len(self.versions_there) + 1:
            raise Stale(self.last())
        self.versions_there.append(record)
        return record

    @property
    def publishing(self) -> Publishing:
        """The acts' own code over this place."""
        return Publishing(self.settings, cast(Records, self), cast(Database[Any], self))

    @contextmanager
    def opened(self) -> Iterator[Publishing]:
        """In place of what signs in."""
        yield self.publishing

    @contextmanager
    def mongo(self) -> Iterator[Self]:
        """The database, as the console reads it."""
        yield self

    def released(self, by: str = "keeper", at: datetime | None = None) -> int:
        """Publishes; returns the number."""
        return self.publishing.carry_out(self.publishing.prepare(at or datetime.now(UTC)), by).snapshot.number
