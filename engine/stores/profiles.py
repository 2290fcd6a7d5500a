"""Hop 4a: rows and markers in Cassandra, as far as the driver touches them one by one (commands, small batches, idle turns).

Rows in bulk go through Spark (engine/spark/batch.py). Every write carries the turn's number as its timestamp.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from cassandra.concurrent import execute_concurrent
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType

from engine.clients import mapped
from engine.commands import Marker
from engine.person import Position, Row
from engine.sealing import CannotOpen, KeyRing
from engine.stores.schema import PROFILES, SEALED

CONCURRENCY = 64
Request = tuple[Any, tuple[Any, ...]]
AT_ONCE = 20
"""Rows of one request, as the connector groups them: a request costs as much as several rows."""
PORTION = 1000
"""Rows that one turn seals anew: a second of it, for people wait meanwhile."""
WRITTEN = tuple(column.name for column in PROFILES.columns if column.name not in ("pinned", "rectified"))
"""Columns of a row that are written whenever its record is a newer one; those of pins only with them."""
NAMED = ("full_name", "email")
"""Sealed columns of a row that are read where pins correct it: `email_domain` depends on both."""
STANDING = ("uuid", "appended_at", "source_partition", "source_offset", "first_seen", "counted", "nat", "gender", "birth_month",
           "email_domain", "rectified")
"""What a row that stands is asked for."""
MARKER = "suppression, erased, restricted, not_before, last_command, request, pins, rectified"


class Profiles:
    """Tables `profiles` and `markers` of one keyspace."""

    def __init__(self, session: Any, keyspace: str, keys: KeyRing) -> None:
        self.session, self.keys, self._keyspace = session, keys, keyspace
        self._read_standing, self._read_rows = (
            session.prepare(f"SELECT {', '.join(columns)} FROM {keyspace}.profiles WHERE uuid IN ?")
            for columns in (STANDING, STANDING + NAMED))
        self._write_row = session.prepare(f"INSERT INTO {keyspace}.profiles ({', '.join(WRITTEN)}) "
                                          f"VALUES ({', '.join('?' for _ in WRITTEN)}) USING TIMESTAMP ?")
        self._delete_row = session.prepare(f"DELETE FROM {keyspace}.profiles USING TIMESTAMP ? WHERE uuid = ?")
        self._recolour = session.prepare(
            f"UPDATE {keyspace}.profiles USING TIMESTAMP ? SET counted = ? WHERE uuid = ?")
        of_keys = ("key_id", "email_token", *SEALED)
        portion = f"SELECT uuid, {', '.join(of_keys)} FROM {keyspace}.profiles"
        self._first_portion = session.prepare(f"{portion} LIMIT {PORTION}")
        self._next_portion = session.prepare(f"{portion} WHERE token(uuid) > token(?) LIMIT {PORTION}")
        self._seal_anew = session.prepare(f"UPDATE {keyspace}.profiles USING TIMESTAMP ? "
                                          f"SET {', '.join(f'{name} = ?' for name in of_keys)} WHERE uuid = ?")
        self._read_markers = session.prepare(
            f"SELECT {MARKER} FROM {keyspace}.markers WHERE suppression IN ?")
        self._put_marker = session.prepare(
            f"INSERT INTO {keyspace}.markers ({MARKER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?")

    def rows(self, uuids: Iterable[str], named: bool = True) -> dict[str, Row]:
        """The rows of these people, by uuid, as far as counting depends on them. named: with NAMED, opened."""
        statement = self._read_rows if named else self._read_standing
        found = self._all(statement, [([UUID(uuid) for uuid in some],) for some in in_portions(uuids, AT_ONCE)])
        return {str(kept.uuid): row_of(kept, self.keys) for kept in found}

    def write(self, rows: Iterable[Mapping[str, Any]], timestamp: int) -> None:
        """Writes WRITTEN of each row, by name, moments in milliseconds; null too, over what stands."""
        requests = list[Request]()
        for some in in_portions(rows, AT_ONCE):
            request = BatchStatement(BatchType.UNLOGGED)
            for row in some:
                request.add(self._write_row, (*[row[name] for name in WRITTEN], timestamp))
            requests.append((request, ()))
        self._sent(requests)

    def delete(self, uuids: Sequence[str], timestamp: int) -> None:
        """Deletes rows, whatever was written to them before `timestamp` (microseconds)."""
        self._all(self._delete_row, [(timestamp, UUID(uuid)) for uuid in uuids])

    def recolour(self, counted: Mapping[str, bool], timestamp: int) -> None:
        """Sets whether standing rows are counted."""
        self._all(self._recolour, [(timestamp, now, UUID(uuid)) for uuid, now in counted.items()])

    def seal_anew(self, after: str, timestamp: int) -> tuple[int, int, int, str]:
        """Seals rows anew that are not sealed with the current keys, a portion of them from behind the row of this uuid on
        (empty: from the first). How many were looked at, were written, hold what no key opens; and the uuid of the last one,
        empty when there are no more."""
        with mapped("reading the rows to be sealed anew", "stream"):
            found = list(self.session.execute(self._next_portion, (UUID(after),)) if after else
                         self.session.execute(self._first_portion))
        made = [(row, *sealed_anew(row, self.keys)) for row in found]
        fresh = [(row, columns) for row, columns, _ in made if columns]
        self._all(self._seal_anew, [
            (timestamp, *[columns.get(name, UNSET_VALUE) for name in ("key_id", "email_token", *SEALED)], row.uuid)
            for row, columns in fresh])
        return (len(found), len(fresh), sum(shut for _, _, shut in made),
                str(found[-1].uuid) if len(found) == PORTION else "")

    def markers(self, tokens: Iterable[str]) -> dict[str, Marker]:
        """The markers of these tokens, as far as there are any."""
        found = self._all(self._read_markers, [(list(some),) for some in in_portions(tokens, AT_ONCE)])
        return {kept.suppression: marker_of(kept, milliseconds(kept.not_before), self.keys) for kept in found}

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        """Writes markers whole."""
        self._all(self._put_marker, [
            (kept.token, kept.erased, kept.restricted, moment(kept.not_before), kept.last_command, kept.request,
             self.keys.seal_pins(kept.token, kept.pins) if kept.pins else None,
             kept.rectified if kept.pins else None, timestamp) for kept in markers])

    def every_uuid(self) -> Iterator[str]:
        """Uuids of all rows, in no order."""
        return self._every("uuid", "profiles")

    def every_token(self) -> Iterator[str]:
        """Tokens of all markers, in no order."""
        return self._every("suppression", "markers")

    def _every(self, key: str, table: str) -> Iterator[str]:
        with mapped(f"reading all keys of {table}", "stream"):
            for (found,) in self.session.execute(f"SELECT {key} FROM {self._keyspace}.{table}"):
                yield str(found)

    def _all(self, statement: Any, parameters: Sequence[tuple[Any, ...]]) -> list[Any]:
        return self._sent([(statement, them) for them in parameters])

    def _sent(self, requests: Iterable[Request]) -> list[Any]:
        """The rows that are answered. Where one fails nothing more is sent, and what was sent is waited for: the driver alone
        would go on behind our back, longer than whoever waits for its writes to land (engine/writer/fence.py) knows of."""
        found = []
        with mapped("reading or writing rows and markers", "stream"):
            for some in in_portions(requests, CONCURRENCY):
                for done, answer in execute_concurrent(self.session, some, len(some), raise_on_first_error=False):
                    if not done:
                        raise answer
                    found += answer
        return found


def in_portions(them: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The same, so many at a time."""
    rest = iter(them)
    while some := list(islice(rest, size)):
        yield some


def row_of(kept: Any, keys: KeyRing) -> Row:
    """A row as the driver reads it, with moments as milliseconds. What cannot be opened is taken for unknown, as on Spark."""
    uuid, clear = str(kept.uuid), {}
    for column in NAMED:
        if box := getattr(kept, column, None):
            with suppress(CannotOpen):
                clear[column] = keys.open_column(uuid, column, bytes(box))
    return Row(uuid, Position(milliseconds(kept.appended_at), kept.source_partition, kept.source_offset),
               milliseconds(kept.first_seen), kept.counted, kept.nat, kept.gender, kept.birth_month, kept.email_domain,
               -1 if kept.rectified is None else kept.rectified, **clear)


def sealed_anew(row: Any, keys: KeyRing) -> tuple[dict[str, Any], bool]:
    """The columns of a row that are not as the current keys make them, made anew, and whether one is shut: it stays as it is,
    for what no key opens now, none will. row: as a driver reads it."""
    uuid, shut = str(row.uuid), False
    made: dict[str, Any] = {}
    clear: dict[str, str] = {}
    for name in SEALED:
        if not (box := getattr(row, name)):
            continue
        try:
            clear[name] = keys.open_column(uuid, name, bytes(box))
        except CannotOpen:
            shut = True
        else:
            if not keys.is_current(bytes(box)):
                made[name] = keys.seal_column(uuid, name, clear[name])
    if made or row.key_id != keys.current:
        made["key_id"] = keys.current
    if "email" in clear and row.email_token != (now := keys.email_token(clear["email"].strip())):
        made["email_token"] = now
    return made, shut


def marker_of(kept: Any, not_before: int, keys: KeyRing) -> Marker:
    """A marker as a driver or Spark reads it, its moment in milliseconds given apart."""
    pins = keys.open_pins(kept.suppression, bytes(kept.pins)) if kept.pins else ""
    return Marker(kept.suppression, kept.erased, kept.restricted, not_before, kept.last_command, kept.request or "",
                  pins, kept.rectified if pins else -1)


def milliseconds(moment: datetime | None) -> int:
    """Milliseconds since 1970 of a moment in UTC (naive as the driver gives it); -1 for none."""
    if moment is None:
        return -1
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def moment(milliseconds: int) -> datetime | None:
    """The other way round."""
    return None if milliseconds < 0 else datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)
