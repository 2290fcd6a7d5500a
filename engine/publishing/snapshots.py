"""The collection `snapshots`: what was published, one document a release, and all that the public view reads.

A document is inserted once and never changed, but for `withdrawn`: {_id: number, body: the snapshot as JSON, withdrawn: null or
{at, why}}. The newest that is not withdrawn is shown.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from engine.clients import mapped
from engine.errors import Final
from engine.stores.schema import SNAPSHOTS
from governance.disclosure.snapshot import Snapshot


class NoSuchSnapshot(Final):
    """There is no snapshot of this number that could be withdrawn, or one that must not be there is."""

    exit_code = 65


@dataclass(frozen=True)
class Published:
    """A snapshot that was published; since when and why it is not shown any more, if so."""

    snapshot: Snapshot
    withdrawn_at: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Body:
    """What stands in a document, unread. number: its `_id`; shown: whether it may be shown, not being withdrawn."""

    number: object
    digest: bytes
    shown: bool


class Snapshots:
    """The collection, in the database of the aggregates."""

    def __init__(self, database: Database[Any]) -> None:
        self._documents = database[SNAPSHOTS]

    def add(self, snapshot: Snapshot) -> None:
        """Publishes one. Raises NoSuchSnapshot if its number is there, StoreAway, SignInRefused."""
        with mapped("publishing a snapshot"):
            try:
                self._documents.insert_one({"_id": snapshot.number, "body": snapshot.model_dump_json(), "withdrawn": None})
            except DuplicateKeyError:
                raise NoSuchSnapshot(f"A snapshot {snapshot.number} is there already, and is not replaced.") from None

    def newest(self, limit: int) -> list[Published]:
        """The newest ones, the newest first, withdrawn ones too."""
        with mapped("reading snapshots"):
            return [_published(kept) for kept in self._documents.find().sort("_id", -1).limit(limit)]

    def bodies(self) -> list[Body]:
        """Every document there is. The texts are fetched and let go, for a year of them is 50 MB."""
        with mapped("reading snapshots"):
            return [Body(kept["_id"], digest(str(kept.get("body"))), not kept.get("withdrawn"))
                    for kept in self._documents.find({}, {"body": 1, "withdrawn": 1})]

    def last_number(self) -> int:
        """The number of the newest; 0 if there is none. What is no number is for engine/publishing/altered.py to find."""
        with mapped("reading snapshots"):
            found = list(self._documents.find({"_id": {"$gt": 0}}, {"_id": 1}).sort("_id", -1).limit(1))
        return int(found[0]["_id"]) if found else 0

    def withdraw(self, number: int, why: str, at: datetime) -> None:
        """Marks one as withdrawn. Raises NoSuchSnapshot, StoreAway, SignInRefused."""
        with mapped("withdrawing a snapshot"):
            done = self._documents.update_one({"_id": number, "withdrawn": None},
                                              {"$set": {"withdrawn": {"at": at, "why": why}}})
        if not done.matched_count:
            raise NoSuchSnapshot(f"There is no snapshot {number}, or it is withdrawn already. "
                                 "`rollcall publish list` shows them.")


def digest(body: str) -> bytes:
    """SHA-256 of a snapshot as it is written."""
    return hashlib.sha256(body.encode()).digest()


def _published(kept: Any) -> Published:
    withdrawn = kept["withdrawn"]
    snapshot = Snapshot.model_validate_json(kept["body"])
    return Published(snapshot, withdrawn["at"].replace(tzinfo=UTC), withdrawn["why"]) if withdrawn else Published(snapshot)
