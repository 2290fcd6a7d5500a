"""A release: what was seen before, the next one, and what is kept of it.

Both halves of every release are kept as versions of one record in Cassandra, sealed, before the snapshot is inserted into
MongoDB. So there is no snapshot without its ledger. A version whose snapshot was never inserted (who published was killed in
between) counts as seen all the same: its number stays out of the collection, and the next release is due at once. Of two who
publish at once one adds the version, and the other is told.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar, cast

from pymongo.database import Database

from engine.clients import mongo_client
from engine.errors import Final
from engine.publishing import live
from engine.publishing.altered import CHANGED, Altered, altered
from engine.publishing.snapshots import Snapshots
from engine.settings import Settings
from engine.stores.records import PUBLICATION, Record, Records, Stale
from governance.disclosure import publish
from governance.disclosure.figures import COUNTS
from governance.disclosure.ledger import Held, Ledger, Release
from governance.disclosure.snapshot import Part, Snapshot, Table

P = TypeVar("P", bound=Part)

NAME = "figures"
"""The record, of kind PUBLICATION, whose version n is release n."""

FIRST_PAUSE = timedelta(minutes=1)


class NotPublished(Final):
    """Nothing may be published; the message says why."""

    exit_code = 65


class Overtaken(Final):
    """Somebody else has published since the release was prepared."""

    exit_code = 75


class Kept(Part):
    """What a version of the record holds."""

    snapshot: Snapshot
    ledger: Ledger


@dataclass(frozen=True)
class Prepared:
    """What would be published, or why nothing; on top of how many releases."""

    base: int
    outcome: Release | Held


class Publishing:
    """Releases over the records and the database of the aggregates."""

    def __init__(self, settings: Settings, records: Records, database: Database[Any]) -> None:
        self._every = timedelta(hours=settings.publishing.every_hours)
        self._records, self._database = records, database
        self.snapshots = Snapshots(database)

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings) -> Iterator[Self]:
        """Over clients of its own, as `governance`. Raises StoreAway, SignInRefused."""
        with Records.opened(settings) as records, mongo_client(settings, "governance") as client:
            yield cls(settings, records, client[settings.mongo.database])

    def prepare(self, now: datetime | None = None) -> Prepared:
        """The next release; nothing is written. Raises Unsettled, Misshapen, StoreAway, SignInRefused."""
        there, records = self.snapshots.bodies(), self._records.versions(PUBLICATION, NAME)
        if found := altered(there, records):
            return Prepared(len(records), Held(_why(found[0]), now or datetime.now(UTC)))
        parts: dict[Part, Part] = {}
        earlier = [_release(record, parts, has_base=record is records[-1]) for record in records]
        figures = live.read(self._database, (now or datetime.now(UTC)).astimezone(UTC).date())
        at = now or datetime.now(UTC)
        return Prepared(len(earlier), publish(figures, earlier, at, at + self._pause(earlier, at)))

    def carry_out(self, prepared: Prepared, by: str) -> Release:
        """Publishes what was prepared. Raises NotPublished, Overtaken, StoreAway, SignInRefused."""
        release = prepared.outcome
        if isinstance(release, Held):
            raise NotPublished(f"Nothing is published: {release.why}.")
        # what is held back is told by a preview and by who publishes; it tests nothing, and grows with every hour of arrivals
        body = Kept(snapshot=release.snapshot, ledger=release.ledger.model_copy(update={"held_back": ()})).model_dump_json()
        try:
            self._records.add(Record(PUBLICATION, NAME, prepared.base + 1, "published", body, release.snapshot.at, by, ""))
        except Stale as stale:
            raise _overtaken(stale.newest, prepared.base) from None
        self.snapshots.add(release.snapshot)
        return release

    def last(self) -> Release | None:
        """The newest release, both halves."""
        record = self._records.last(PUBLICATION, NAME)
        return _release(record, {}) if record else None

    def due_at(self) -> datetime | None:
        """When the next release is due; None: at once."""
        last = self.last()
        return last.snapshot.next_at if last and self.snapshots.last_number() >= last.snapshot.number else None

    def _pause(self, earlier: list[Release], at: datetime) -> timedelta:
        """Until the next release. The first ones follow faster, for they are of few people: as long as there has been any."""
        return min(self._every, max(FIRST_PAUSE, at - earlier[0].snapshot.at)) if earlier else FIRST_PAUSE


def _release(record: Record, parts: dict[Part, Part], has_base: bool = True) -> Release:
    """A release that is kept. parts: what others before it are made of: most of it is the same in thousands of them, and is
    held in memory once. has_base: it is the newest, with whose base the counts of now are compared; no other's is."""
    kept = Kept.model_validate_json(record.body)
    tables = {name: Table(cells=tuple(_once(cell, parts) for cell in table.cells), other=table.other)
              for name in COUNTS if (table := kept.snapshot.table(name))}
    marks = {table: {sys.intern(key): _once(mark, parts) for key, mark in some.items()}
             for table, some in kept.ledger.marks.items()}
    ledger = {"marks": marks} if has_base else {"marks": marks, "base": {}}
    return Release(kept.snapshot.model_copy(update=tables), kept.ledger.model_copy(update=ledger))


def _why(found: Altered) -> str:
    if found.what == CHANGED:
        return (f"snapshot {found.number} is altered in MongoDB: {found.what}; "
                f"`rollcall publish withdraw {found.number}` takes it out of view")
    return f"snapshot {found.number} is in MongoDB, {found.what}; increments cannot be tested without it"


def _once(part: P, parts: dict[Part, Part]) -> P:
    return cast(P, parts.setdefault(part, part))


def _overtaken(newest: Record | None, base: int) -> Overtaken:
    if newest is None or newest.n <= base:
        return Overtaken(f"Release {base} is not the newest any more. Look at what would be published now.")
    return Overtaken(f"Meanwhile {newest.by} has published release {newest.n}. Look at what would be published now.")
