"""What the officer keeps, in Cassandra, version by version: entries of the register, breaches, runs of retention,
the wanted state of Kafka's rules, what is behind published figures, requests of people.

A version is added, never changed; only the subject of a request is forgotten, when that is closed. Who adds one says on which
it is based: if another has been added meanwhile it is refused (a conditional insert decides), and nothing of either is lost.
Bodies are sealed at rest, for a breach is told in free text, in which people may be named; one that was written before they
were is read as it stands.
"""

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from cassandra import ConsistencyLevel, ReadTimeout, WriteTimeout
from cassandra.query import SimpleStatement

from engine.clients import cassandra_session, mapped
from engine.errors import Final, StoreAway
from engine.sealing import CannotOpen, KeyRing, load_keys
from engine.settings import Settings
from engine.stores.schema import RECORDS
from governance.audit import moment

REGISTER, BREACH, RETENTION, ACCESS, PUBLICATION = "register", "breach", "retention", "access", "publication"
REQUEST, SUBJECT = "request", "subject"
ERASURE = "erasure"
RESTORED = "restored"
"""What is known of what a restore from a copy has lost, by kind: of requests their refs."""
ENDED = "ended"
"""State of an erasure that nobody carries on."""
_COLUMNS = ", ".join(f'"{column.name}"' for column in RECORDS.columns)
TRIES = 3
_AT_A_TIME = 200
"""Versions that are fetched in one answer: of some records there are thousands, of many kilobytes each."""


@dataclass(frozen=True)
class Record:
    """One version. name: of what it is a version, within its kind; n: from 1; body: JSON; at: UTC."""

    kind: str
    name: str
    n: int
    state: str
    body: str
    at: datetime
    by: str
    why: str


SEALED = "sealed:"
"""Begins a body that is sealed; base64 follows. JSON never begins so."""


class RecordDamaged(Final):
    """A body cannot be opened: it was altered or moved in the store, or was sealed by another installation."""

    exit_code = 65


class Stale(Final):
    """A version was based on one that is not the newest any more; `newest` is."""

    exit_code = 65

    def __init__(self, newest: Record | None) -> None:
        self.newest = newest
        what = (f"{newest.by} saved version {newest.n} at {newest.at:%Y-%m-%d %H:%M:%S} UTC ({newest.why or 'no reason given'})"
                if newest else "there is no such record any more")
        super().__init__(f"Meanwhile {what}. Look at what changed, then save on top of it.")


class Records:
    """The table `records`, over a session of `officer` or `governance` (or to read, `inspector`)."""

    def __init__(self, settings: Settings, session: Any) -> None:
        self._settings, self.session = settings, session
        self._table = f"{settings.cassandra.keyspace}.{RECORDS.name}"

    @cached_property
    def _keys(self) -> KeyRing:
        return load_keys(self._settings)

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str = "governance") -> Iterator[Self]:
        """The records, over a session of its own. Raises StoreAway, SignInRefused."""
        with cassandra_session(settings, principal) as session:
            yield cls(settings, session)

    def newest(self, kind: str) -> list[Record]:
        """The newest version of each record of a kind, by name."""
        last: dict[str, Record] = {}
        for record in self.all(kind):
            if record.name not in last or record.n > last[record.name].n:
                last[record.name] = record
        return [last[name] for name in sorted(last)]

    def all(self, kind: str) -> list[Record]:
        """Every version of every record of a kind."""
        with mapped("reading records"):
            rows = list(self.session.execute(f"SELECT {_COLUMNS} FROM {self._table} WHERE kind = %s", (kind,)))
        return sorted((self._record(row) for row in rows), key=lambda record: (record.name, record.n))

    def versions(self, kind: str, name: str) -> list[Record]:
        """Every version of one record, oldest first; none if there is no such record."""
        with mapped("reading records"):
            found = self.session.execute(SimpleStatement(
                f"SELECT {_COLUMNS} FROM {self._table} WHERE record = %s", fetch_size=_AT_A_TIME), (f"{kind}/{name}",))
            return [self._record(row) for row in found]

    def last(self, kind: str, name: str) -> Record | None:
        """The newest version of one record, however many there are."""
        with mapped("reading records"):
            row = self.session.execute(f"SELECT {_COLUMNS} FROM {self._table} WHERE record = %s ORDER BY n DESC LIMIT 1",
                                        (f"{kind}/{name}",)).one()
        return self._record(row) if row else None

    def add(self, record: Record) -> Record:
        """Adds a version, whose `n` is one more than that of the version it is based on. Raises Stale, StoreAway."""
        made = Record(**{**vars(record), "at": moment(record.at)})
        for _ in range(TRIES):
            with mapped("writing a record"):
                # an addition under way is brought to its end first
                there = [self._record(row) for row in self.session.execute(SimpleStatement(
                    f"SELECT {_COLUMNS} FROM {self._table} WHERE record = %s AND n >= %s",
                    consistency_level=ConsistencyLevel.LOCAL_SERIAL), (f"{made.kind}/{made.name}", made.n - 1))]
                if made in there:
                    return made    # an earlier try was carried out although nobody said so
                if [record.n for record in there] != ([made.n - 1] if made.n > 1 else []):
                    raise Stale(there[-1] if there else None)
                try:
                    done = self.session.execute(
                        f"INSERT INTO {self._table} ({_COLUMNS}) VALUES ({', '.join(['%s'] * 8)}) IF NOT EXISTS",
                        (f"{made.kind}/{made.name}", made.n, made.kind, made.state, self._sealed(made), made.at,
                         made.by, made.why))
                except (WriteTimeout, ReadTimeout):    # it may stand or not: looked at again
                    continue
                if done.was_applied:
                    return made
        raise StoreAway("Cassandra does not say whether the version was kept; look at the newest one, then save again.",
                        "Cassandra")

    def forget(self, name: str) -> None:
        """Takes away every version of a subject: whom a request was about, when it is closed. By conditional deletes, as
        versions are added by conditional inserts: of both kinds mixed the clocks of two machines would decide which wins."""
        place = f"{SUBJECT}/{name}"
        with mapped("forgetting a subject"):
            found = self.session.execute(SimpleStatement(
                f"SELECT n FROM {self._table} WHERE record = %s", consistency_level=ConsistencyLevel.LOCAL_SERIAL), (place,))
            for row in list(found):
                self.session.execute(f"DELETE FROM {self._table} WHERE record = %s AND n = %s IF EXISTS", (place, row.n))

    def _sealed(self, made: Record) -> str:
        place = record_place(f"{made.kind}/{made.name}", made.n)
        return SEALED + base64.b64encode(self._keys.seal_record(made.body, place)).decode()

    def _record(self, row: Any) -> Record:
        kind, _, name = row.record.partition("/")
        body = row.body or ""
        if body.startswith(SEALED):
            try:
                body = self._keys.open_record(base64.b64decode(body.removeprefix(SEALED), validate=True),
                                              record_place(row.record, row.n))
            except (CannotOpen, binascii.Error):
                raise RecordDamaged(f"Version {row.n} of {name} is damaged in Cassandra (table records), or was sealed with "
                                    "other keys; restore it, or the key ring, from the backup.") from None
        return Record(kind, name, row.n, row.state or "", body, row.at.replace(tzinfo=UTC), row.by or "", row.why or "")


def record_place(record: str, n: int) -> str:
    """The additional data of a version's body; record: its kind and name, as its column holds them."""
    return f"{record}/{n}"
