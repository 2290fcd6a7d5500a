"""What the officer keeps, in Cassandra, version by version: entries of the register, breaches, runs of retention.

A version is added, never changed. Who adds one says on which it is based: if another has been added meanwhile it is refused
(a conditional insert decides), and nothing of either is lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from cassandra import ConsistencyLevel, ReadTimeout, WriteTimeout
from cassandra.query import SimpleStatement

from engine.clients import cassandra_session, mapped
from engine.errors import Final, StoreAway
from engine.settings import Settings
from engine.stores.schema import RECORDS
from governance.audit import moment

REGISTER, BREACH, RETENTION = "register", "breach", "retention"
_COLUMNS = ", ".join(f'"{column.name}"' for column in RECORDS.columns)
TRIES = 3


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
        self._session, self._table = session, f"{settings.cassandra.keyspace}.{RECORDS.name}"

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
            rows = list(self._session.execute(f"SELECT {_COLUMNS} FROM {self._table} WHERE kind = %s", (kind,)))
        return sorted((_record(row) for row in rows), key=lambda record: (record.name, record.n))

    def versions(self, kind: str, name: str) -> list[Record]:
        """Every version of one record, oldest first; none if there is no such record."""
        with mapped("reading records"):
            rows = list(self._session.execute(f"SELECT {_COLUMNS} FROM {self._table} WHERE record = %s", (f"{kind}/{name}",)))
        return [_record(row) for row in rows]

    def last(self, kind: str, name: str) -> Record | None:
        """The newest version of one record, however many there are."""
        with mapped("reading records"):
            row = self._session.execute(f"SELECT {_COLUMNS} FROM {self._table} WHERE record = %s ORDER BY n DESC LIMIT 1",
                                        (f"{kind}/{name}",)).one()
        return _record(row) if row else None

    def add(self, record: Record) -> Record:
        """Adds a version, whose `n` is one more than that of the version it is based on. Raises Stale, StoreAway."""
        made = Record(**{**vars(record), "at": moment(record.at)})
        for _ in range(TRIES):
            with mapped("writing a record"):
                # an addition under way is brought to its end first
                there = [_record(row) for row in self._session.execute(SimpleStatement(
                    f"SELECT {_COLUMNS} FROM {self._table} WHERE record = %s AND n >= %s",
                    consistency_level=ConsistencyLevel.LOCAL_SERIAL), (f"{made.kind}/{made.name}", made.n - 1))]
                if made in there:
                    return made    # an earlier try was carried out although nobody said so
                if [record.n for record in there] != ([made.n - 1] if made.n > 1 else []):
                    raise Stale(there[-1] if there else None)
                try:
                    done = self._session.execute(SimpleStatement(
                        f"INSERT INTO {self._table} ({_COLUMNS}) VALUES ({', '.join(['%s'] * 8)}) IF NOT EXISTS",
                        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL),
                        (f"{made.kind}/{made.name}", made.n, made.kind, made.state, made.body, made.at, made.by, made.why))
                except (WriteTimeout, ReadTimeout):    # it may stand or not: looked at again
                    continue
                if done.was_applied:
                    return made
        raise StoreAway("Cassandra does not say whether the version was kept; look at the newest one, then save again.",
                        "Cassandra")


def _record(row: Any) -> Record:
    kind, _, name = row.record.partition("/")
    return Record(kind, name, row.n, row.state or "", row.body or "", row.at.replace(tzinfo=UTC), row.by or "", row.why or "")
