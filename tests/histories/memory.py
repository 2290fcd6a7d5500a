"""Stores in memory that keep the real ones' semantics.

Rows and markers as in Cassandra: each cell has its own timestamp, the greater one wins, of equal ones the greater value;
a delete hides what is not newer; an update of a row that is not there leaves a fragment. Aggregates as in MongoDB: a
document that was read is set, or one is set anew, only with a greater stamp. The writer's state refuses the holder of an
earlier lease, and so do rows and markers once the next holder's fence has settled (engine/writer/fence.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from engine.commands import Command, Marker
from engine.errors import LeaseLost
from engine.person import ARRIVALS, Cell, Position, Record, Row
from engine.writer.pins import pinned
from engine.writer.write_order import EPOCH, Sealing, WriterState
from tests.histories.process import Process
from tests.histories.topic import Topic

Cells = dict[str, tuple[int, Any]]
Document = tuple[str, str]
PORTION = 2
PINNABLE = ("nat", "gender", "birth_month", "email_domain", "rectified")


class Table:
    """A table of Cassandra: key -> column -> (timestamp, value)."""

    def __init__(self, rows: Mapping[str, Cells] | None = None, tombs: Mapping[str, int] | None = None) -> None:
        self.rows: dict[str, Cells] = {key: dict(cells) for key, cells in (rows or {}).items()}
        self.tombs: dict[str, int] = dict(tombs or {})

    def put(self, key: str, values: Mapping[str, Any], timestamp: int) -> None:
        """Writes some columns of a row."""
        if timestamp <= self.tombs.get(key, -1):
            return
        row = self.rows.setdefault(key, {})
        for name, value in values.items():
            have = row.get(name)
            if have is None or timestamp > have[0] or (timestamp == have[0] and value > have[1]):
                row[name] = timestamp, value

    def delete(self, key: str, timestamp: int) -> None:
        """Deletes a row: a tombstone."""
        self.tombs[key] = max(self.tombs.get(key, -1), timestamp)
        left = {name: cell for name, cell in self.rows.pop(key, {}).items() if cell[0] > timestamp}
        if left:
            self.rows[key] = left

    def read(self, key: str) -> dict[str, Any] | None:
        """The columns of a row that have a value."""
        row = self.rows.get(key)
        return None if row is None else {name: value for name, (_, value) in row.items()}

    def copy(self) -> "Table":
        return Table(self.rows, self.tombs)


@dataclass
class Memory:
    """What the servers hold."""

    topic: Topic
    commands: list[Command] = field(default_factory=list)
    profiles: Table = field(default_factory=Table)
    marks: Table = field(default_factory=Table)
    documents: dict[Document, tuple[int, dict[Cell, int]]] = field(default_factory=dict)
    kept: tuple[int, WriterState] = (0, WriterState())
    ring: int = 1    # number of the newest key of the ring, which `reseal` has the writer take up
    fence: int = 0    # holders of earlier leases cannot write rows and markers
    dead: Counter[str] = field(default_factory=Counter)
    backup: tuple[Table, Table] | None = None

    @property
    def key(self) -> str:
        """The name of that key. Only by chance are bytes that were sealed with a newer key the greater ones."""
        return f"{self.ring * 37 % 100:02}"

    def rows(self) -> dict[str, Row]:
        return {uuid: row for uuid in self.profiles.rows if (row := row_of(uuid, self.profiles.read(uuid)))}

    def markers(self) -> dict[str, Marker]:
        return {token: marker for token in self.marks.rows if (marker := marker_of(self.marks.read(token)))}

    def cells(self) -> dict[Cell, int]:
        return {cell: n for _, cells in self.documents.values() for cell, n in cells.items() if n}

    def letters(self) -> Counter[str]:
        """How many letters there are of each place: a repeat overwrites."""
        return Counter(set(self.dead))

    def purge(self) -> None:
        """The tombstones go."""
        self.profiles.tombs.clear()

    def back_up(self) -> None:
        self.backup = self.profiles.copy(), self.marks.copy()

    def restore(self) -> bool:
        """Cassandra comes back as it was, if there is a backup."""
        if self.backup is None:
            return False
        self.profiles, self.marks = (table.copy() for table in self.backup)
        return True


def row_of(uuid: str, read: Mapping[str, Any] | None) -> Row | None:
    """A row as it is read; of a fragment, what is missing is None."""
    if read is None:
        return None
    get = read.get
    at = Position(get("appended_at"), get("source_partition"), get("source_offset"))    # type: ignore[arg-type]
    return Row(uuid, at, get("first_seen"), get("counted"), get("nat"), get("gender"), get("birth_month"),    # type: ignore[arg-type]
               get("email_domain"), get("rectified", -1))    # type: ignore[arg-type]


def marker_of(read: Mapping[str, Any] | None) -> Marker | None:
    return None if read is None else Marker(**read)


class MemoryStores:
    """engine/writer/write_order.py's `Stores`, and the look-ups of its batches, as one process sees them."""

    def __init__(self, memory: Memory, process: Process) -> None:
        self.memory, self.process = memory, process
        self.write = process.write
        self.key = memory.key    # which a process reads as it starts

    def state(self) -> WriterState:
        return self.memory.kept[1]

    def save(self, state: WriterState) -> None:
        """As engine/stores/stream_stores.py: after a turn was opened, its lease is looked at once more."""
        self.write(lambda: self._save(state))
        if state.open is not None or state.recount:
            self.process.check()

    def _save(self, state: WriterState) -> None:
        if self.memory.kept[0] > self.process.number:
            raise LeaseLost("another process has written the state")
        self.memory.kept = self.process.number, state

    def control_end(self) -> int:
        return len(self.memory.commands)

    def commands(self, start: int, end: int) -> list[Command]:
        return self.memory.commands[start:end]

    def markers(self, tokens: Sequence[str]) -> dict[str, Marker]:
        read = self.memory.marks.read
        return {token: marker for token in tokens if (marker := marker_of(read(token)))}

    def read_rows(self, uuids: Iterable[str]) -> dict[str, Row]:
        read = self.memory.profiles.read
        return {uuid: row for uuid in uuids if (row := row_of(uuid, read(uuid)))}

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        """As engine/stores/aggregates.py: reads, then sets documents whole where the stamp is smaller still."""
        made: dict[Document, dict[Cell, int]] = {}
        for key, cells in by_document(deltas).items():
            stood, counts = self.memory.documents.get(key, (-1, {}))
            if self.due(stood, stamp):
                before = counts if self.counts(stood, stamp) else {}
                made[key] = {**before, **{cell: before.get(cell, 0) + n for cell, n in cells.items()}}
        self.write(*[partial(self._set, key, cells, stamp) for key, cells in made.items()])

    def due(self, stood: int, stamp: int) -> bool:
        """Whether a document with this stamp waits for what is to be added."""
        return stood < stamp

    def counts(self, stood: int, stamp: int) -> bool:
        """Whether a document with this stamp is of the same epoch."""
        return stood >= stamp - stamp % EPOCH

    def delete_rows(self, uuids: Sequence[str], timestamp: int) -> None:
        self.write(*[partial(self._delete, uuid, timestamp) for uuid in uuids])

    def _let_in(self) -> None:
        self.process.let_in(self.memory.fence)

    def _delete(self, uuid: str, timestamp: int) -> None:
        self._let_in()
        self.memory.profiles.delete(uuid, timestamp)

    def recolour(self, counted: Mapping[str, bool], timestamp: int) -> None:
        self.write(*[partial(self._set_columns, uuid, {"counted": now}, timestamp) for uuid, now in counted.items()])

    def _set_columns(self, uuid: str, values: Mapping[str, Any], timestamp: int) -> None:
        self._let_in()
        self.memory.profiles.put(uuid, values, timestamp)

    def repin(self, markers: Mapping[str, Marker], timestamp: int) -> None:
        """As engine/spark/pins.py: reads the rows, and writes whole groups of columns of those that stand; what is sealed and
        not pinned as it was read."""
        rows = [pinned(row, markers[uuid].pins, markers[uuid].rectified) for uuid, row in self.read_rows(markers).items()]
        read = {row.uuid: self.memory.profiles.read(row.uuid) or {} for row in rows}
        self.write(*[partial(self._set_columns, row.uuid, {**{name: getattr(row, name) for name in PINNABLE}, **{
            name: read[row.uuid][name] for name in ("key", "sealed") if name in read[row.uuid]}}, timestamp) for row in rows])

    def renew_keys(self) -> str:
        self.key = self.memory.key
        return self.key

    def seal_anew(self, sealing: Sealing, timestamp: int) -> Sealing:
        """As engine/stores/profiles.py: reads a portion, then writes what is sealed in rows that have an earlier key. Each
        sealed value is a cell of its own, which repeats what is in it."""
        found = [uuid for uuid in sorted(self.memory.profiles.rows) if uuid > sealing.after][:PORTION]
        stale = {uuid: read for uuid in found if (read := self.memory.profiles.read(uuid) or {}).get("key") != self.key}
        self.write(*[partial(self._set_columns, uuid, {"key": self.key, "sealed": read.get("sealed")}, timestamp)
                     for uuid, read in stale.items()])
        return replace(sealing, after=found[-1] if found else sealing.after, looked=sealing.looked + len(found),
                       sealed=sealing.sealed + len(stale), ended=len(found) < PORTION)

    def put_rows(self, rows: Sequence[tuple[Row, Record]], timestamp: int) -> None:
        """The batch's writes of rows, in any order."""
        shuffled = self.process.random.sample(rows, len(rows))
        self.write(*[partial(self._put, row, record, timestamp) for row, record in shuffled])

    def _put(self, row: Row, record: Record, timestamp: int) -> None:
        self._let_in()
        values = {"appended_at": row.at.appended_at, "source_partition": row.at.partition, "source_offset": row.at.offset,
                  "first_seen": row.first_seen, "counted": row.counted, "nat": row.nat, "gender": row.gender,
                  "birth_month": row.birth_month, "email_domain": row.email_domain, "key": self.key,
                  "sealed": f"{record.nat} {record.birth_month}"}
        if row.rectified >= 0:
            values["rectified"] = row.rectified    # only where there are pins, as engine/spark/batch.py
        self.memory.profiles.put(row.uuid, values, timestamp)

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        self.write(*[partial(self._mark, mark, timestamp) for mark in markers])

    def _mark(self, mark: Marker, timestamp: int) -> None:
        self._let_in()
        self.memory.marks.put(mark.token, vars(mark), timestamp)

    def put_letters(self, places: Sequence[str]) -> None:
        """Puts dead letters and waits until they are kept."""
        self.write(*[partial(self.memory.dead.update, [place]) for place in places])

    def forget(self, uuids: Sequence[str]) -> None:
        self.process.check()
        sent = len(self.memory.commands)
        self.write(*[partial(self.memory.topic.null, uuid, self.memory.commands, sent) for uuid in uuids])

    def recounted(self) -> Counter[Cell]:
        return Counter(cell for row in self.memory.rows().values() for cell in row.cells())

    def counted(self, since: int) -> dict[Cell, int]:
        return {cell: n for stood, cells in self.memory.documents.values() if stood >= since for cell, n in cells.items() if n}

    def emptied(self) -> bool:
        return any(not any(cells.values()) for (collection, _), (_, cells) in self.memory.documents.items()
                   if collection != ARRIVALS)

    def set_aggregates(self, cells: Mapping[Cell, int], stamp: int) -> None:
        self.process.check()
        want = by_document(cells)
        self.write(*[partial(self._set, key, made, stamp) for key, made in want.items()],
                   *[partial(self._end, key, stamp) for key in self.memory.documents if key not in want])

    def _end(self, key: Document, stamp: int) -> None:
        if self.memory.documents.get(key, (stamp, {}))[0] < stamp:
            del self.memory.documents[key]

    def _set(self, key: Document, cells: dict[Cell, int], stamp: int) -> None:
        if self.memory.documents.get(key, (-1, {}))[0] < stamp:
            self.memory.documents[key] = stamp, cells

    def sweep(self, stamp: int) -> None:
        self.write(*[partial(self._set, key, {}, stamp) for key, (stood, _) in self.memory.documents.items() if stood < stamp])


def by_document(cells: Mapping[Cell, int]) -> dict[Document, dict[Cell, int]]:
    """Cells by the document they stand in, in one order."""
    found: dict[Document, dict[Cell, int]] = {}
    for cell, n in cells.items():
        found.setdefault((cell.collection, cell.document), {})[cell] = n
    return dict(sorted(found.items()))
