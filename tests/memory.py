"""Stores in memory that keep the real ones' semantics, and a hostile world around the real write order.

Rows and markers: the greater timestamp wins, a delete hides what is not newer. Aggregates: a document takes a delta only
with a smaller stamp. A crash may follow any single write; what was sent before it may land later, until the writer has
waited (`settle`). Records and commands are real ones (engine/person.py, engine/commands.py).
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from engine.commands import Command, Marker
from engine.person import Cell, Position, Record, Row
from engine.plain_batch import PlainBatch
from engine.write_order import WriteOrder, WriterState

PEOPLE = tuple(f"00000000-0000-4000-8000-{number:012d}" for number in range(8))
START = 1_700_000_000_000    # milliseconds
HOUR = 3_600_000

Act = Callable[[], None]
Document = tuple[str, str]


class Crash(Exception):
    """The process died after its last completed write."""


class MemoryStores:
    """engine/write_order.py's `Stores`; also the topics."""

    def __init__(self, seed: int) -> None:
        self.random, self.clock = random.Random(seed), START
        self.people: list[Record | None] = []       # None where compacted away
        self.orders: list[Command] = []
        self.rows: dict[str, tuple[int, Row]] = {}
        self.tombs: dict[str, int] = {}
        self.marks: dict[str, tuple[int, Marker]] = {}
        self.documents: dict[Document, tuple[int, dict[Cell, int]]] = {}
        self.kept = WriterState()
        self.flying: list[Act] = []
        self.budget: int | None = None
        self.nulls: list[str] = []

    def write(self, *acts: Act) -> None:
        """Sends writes in parallel; a crash may leave some in flight."""
        for number, act in enumerate(acts):
            if self.budget == 0:
                self.flying += [late for late in acts[number:] if self.random.random() < 0.4]
                raise Crash
            if self.budget is not None:
                self.budget -= 1
            act()

    def settle(self) -> None:
        """All that is in flight lands."""
        while self.flying:
            self.flying.pop(self.random.randrange(len(self.flying)))()

    def state(self) -> WriterState:
        return self.kept

    def save(self, state: WriterState) -> None:
        self.write(lambda: setattr(self, "kept", state))

    def control_end(self) -> int:
        return len(self.orders)

    def commands(self, start: int, end: int) -> list[Command]:
        return self.orders[start:end]

    def markers(self, tokens: Sequence[str]) -> dict[str, Marker]:
        return {token: self.marks[token][1] for token in tokens if token in self.marks}

    def read_rows(self, uuids: Iterable[str]) -> dict[str, Row]:
        return {uuid: self.rows[uuid][1] for uuid in uuids if uuid in self.rows}

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        by_document: dict[Document, dict[Cell, int]] = {}
        for cell, n in deltas.items():
            by_document.setdefault((cell.collection, cell.document), {})[cell] = n
        for key, cells in sorted(by_document.items()):
            self.write(lambda key=key, cells=cells: self._add(key, cells, stamp))    # type: ignore[misc]

    def _add(self, key: Document, cells: Mapping[Cell, int], stamp: int) -> None:
        stood, counts = self.documents.get(key, (-1, {}))
        if stood < stamp:
            self.documents[key] = stamp, {c: counts.get(c, 0) + cells.get(c, 0) for c in {*counts, *cells}}

    def delete_rows(self, uuids: Sequence[str], timestamp: int) -> None:
        self.write(*[lambda uuid=uuid: self._delete(uuid, timestamp) for uuid in uuids])

    def _delete(self, uuid: str, timestamp: int) -> None:
        self.tombs[uuid] = max(self.tombs.get(uuid, -1), timestamp)
        if uuid in self.rows and self.rows[uuid][0] <= timestamp:
            del self.rows[uuid]

    def _put(self, row: Row, timestamp: int) -> None:
        if timestamp > max(self.tombs.get(row.uuid, -1), self.rows[row.uuid][0] if row.uuid in self.rows else -1):
            self.rows[row.uuid] = timestamp, row

    def recolour(self, counted: Mapping[str, bool], timestamp: int) -> None:
        self.write(*[lambda uuid=uuid, now=now: self._put(replace(self.rows[uuid][1], counted=now), timestamp)
                     for uuid, now in counted.items()])

    def put_rows(self, rows: Sequence[tuple[Row, Record]], timestamp: int) -> None:
        """The batch's writes of rows."""
        shuffled = self.random.sample(list(rows), len(rows))
        self.write(*[lambda row=row: self._put(row, timestamp) for row, _ in shuffled])

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        self.write(*[lambda mark=mark: self._mark(mark, timestamp) for mark in markers])

    def _mark(self, mark: Marker, timestamp: int) -> None:
        if timestamp >= self.marks.get(mark.token, (-1, mark))[0]:
            self.marks[mark.token] = timestamp, mark

    def forget(self, uuids: Sequence[str]) -> None:
        self.nulls += uuids

    def recounted(self) -> Counter[Cell]:
        return Counter(cell for _, row in self.rows.values() for cell in row.cells())

    def set_aggregates(self, cells: Mapping[Cell, int], stamp: int) -> None:
        want: dict[Document, dict[Cell, int]] = {key: {} for key in self.documents}
        for cell, n in cells.items():
            want.setdefault((cell.collection, cell.document), {})[cell] = n
        for key in sorted(want):
            self.write(lambda key=key: self.documents.__setitem__(key, (stamp, want[key])))    # type: ignore[misc]


class World(MemoryStores):
    """The stores, Spark's checkpoint, and everything that can go wrong with them."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.checkpoint = "c0"
        self.batch = self.read = 0                     # Spark's next batch id and offset
        self.plan: tuple[int, int] | None = None

    def order(self, sure: bool) -> WriteOrder:
        """The writer of a process that has just started."""
        return WriteOrder(self, self.checkpoint, lambda: self.clock, self.settle, lambda: None,
                          lambda: self.packed(None, 0, 0), sure, lambda _: None)

    def packed(self, number: int | None, start: int, end: int) -> PlainBatch:
        """The batch of a range of the topic."""
        records = [record for record in self.people[start:end] if record is not None]
        return PlainBatch(number, records, lambda uuid: f"t{uuid}", self.markers, self.read_rows, self.put_rows)

    def happen(self) -> None:
        """People and commands arrive."""
        for _ in range(self.random.randrange(1, 10)):
            self.clock += self.random.choice((0, 0, 1, 1, 1, HOUR))    # several events may share a millisecond
            uuid = self.random.choice(PEOPLE)
            if self.random.random() < 0.25:
                verb = self.random.choice(("erase", "erase", "lift", "restrict", "unrestrict", "expire", "recount"))
                cut_off = self.clock - 3 if verb == "expire" else -1
                token = "" if verb == "recount" else f"t{uuid}"
                self.orders.append(Command(len(self.orders), self.clock, verb, token, uuid, "r", cut_off))
            else:
                at = Position(self.clock, 0, len(self.people))
                nat, month = self.random.choice("ABC"), self.random.choice(("1990-01", "1991-02"))
                self.people.append(Record(uuid, at, nat, "female", month, self.random.choice(("x.org", "y.org"))))

    def lose_checkpoint(self) -> None:
        """Spark starts from the first offset, under a new id."""
        self.checkpoint, self.batch, self.read, self.plan = f"{self.checkpoint}+", 0, 0, None

    def drain(self, order: WriteOrder) -> None:
        """Turns until nothing is left to do."""
        while True:
            state = self.kept
            idle_work = (state.control < len(self.orders) or state.open is not None or state.recount
                         or state.checkpoint != self.checkpoint)
            if self.read == len(self.people) and self.plan is None:
                if not idle_work:
                    return
                order.turn(self.packed(None, 0, 0))
            elif self.plan is None and self.random.random() < 0.2 and (state.open is None or state.open.batch is None):
                order.turn(self.packed(None, 0, 0))    # an idle turn between two batches
            else:
                self.plan = self.plan or (self.read, min(len(self.people), self.read + self.random.randrange(1, 8)))
                order.turn(self.packed(self.batch, *self.plan))
                self.read, self.batch, self.plan = self.plan[1], self.batch + 1, None

    def compact(self) -> None:
        """Superseded records go."""
        last = {record.uuid: number for number, record in enumerate(self.people) if record}
        for number in range(self.random.randrange(0, len(self.people) + 1)):
            record = self.people[number]
            if record and last[record.uuid] != number and self.random.random() < 0.5:
                self.people[number] = None

    def verdict(self) -> str:
        """`exact`, or what is not."""
        for uuid in PEOPLE:
            marker = Marker(f"t{uuid}")
            for command in (c for c in self.orders if c.token == marker.token):
                match command.verb:
                    case "erase":
                        marker = replace(marker, erased=True, not_before=max(marker.not_before, command.at))
                    case "lift" if marker.erased:
                        marker = replace(marker, erased=False, not_before=max(marker.not_before, command.at))
                    case "expire":
                        marker = replace(marker, not_before=max(marker.not_before, command.cut_off))
                    case "restrict" | "unrestrict":
                        marker = replace(marker, restricted=command.verb == "restrict")
            stands = [r for r in self.people if r and r.uuid == uuid and r.at.appended_at > marker.not_before]
            want = None if marker.erased or not stands else stands[-1]
            row = self.rows[uuid][1] if uuid in self.rows else None
            if (row is None) != (want is None):
                return f"{uuid}: {'a row that must not stand' if row else 'no row'}"
            if row and want and (row.at, row.nat, row.counted) != (want.at, want.nat, not marker.restricted):
                return f"{uuid}: not the newest record, or wrongly counted"
        have = {cell: n for _, cells in self.documents.values() for cell, n in cells.items() if n}
        return "exact" if have == dict(self.recounted()) else "aggregates differ from a recount"


def history(seed: int, world: World | None = None) -> str:
    """One history with everything that can go wrong; returns `exact` or what is not."""
    world = world or World(seed)
    chance, sure = world.random, True
    backup: tuple[dict[str, tuple[int, Row]], dict[str, int], dict[str, tuple[int, Marker]]] | None = None
    for _ in range(chance.randrange(6, 17)):
        world.happen()
        world.budget = chance.randrange(0, 60) if chance.random() < 0.6 else None
        try:
            world.drain(world.order(sure))
            sure = True
        except Crash:
            sure = False
            if world.plan and chance.random() < 0.15:
                world.plan = None    # the offset log was torn: the batch id may get another range
        world.budget = None
        world.compact()
        while world.flying and chance.random() < 0.5:
            world.flying.pop(chance.randrange(len(world.flying)))()
        if chance.random() < 0.2:
            world.settle()           # tombstones of erased people are purged, after the wait
            world.tombs = {u: t for u, t in world.tombs.items() if not world.marks.get(f"t{u}", (0, Marker("")))[1].erased}
        if chance.random() < 0.1:
            world.lose_checkpoint()
        if backup and chance.random() < 0.1:    # Cassandra comes back as it was; its keeper deletes the checkpoint
            world.settle()
            world.rows, world.tombs, world.marks = dict(backup[0]), dict(backup[1]), dict(backup[2])
            world.lose_checkpoint()
        if chance.random() < 0.3:
            backup = dict(world.rows), dict(world.tombs), dict(world.marks)
    world.settle()
    world.drain(world.order(False))
    if (verdict := world.verdict()) != "exact":
        return verdict
    world.lose_checkpoint()
    world.drain(world.order(True))
    verdict = world.verdict()
    return verdict if verdict == "exact" else f"after one more replay: {verdict}"
