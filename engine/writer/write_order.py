"""The order of writes: what makes rows and aggregates exact through crashes, replays, repeats and commands.

One writer works in turns. A turn is a batch of records, or idle (commands alone). It is opened by one write that says
what was read, then come dead letters (none about people whose records are barred), aggregates (each document stamped with
epoch and turn), deletes, rows, markers, and it is closed by one write. A turn found open is done again under its own number
when it reads the same records; what was already written loses or is skipped, so nothing counts twice. Whatever cannot be
resumed is recounted.

The class knows neither Spark nor the stores: `Batch` and `Stores` are the small protocols it works over, so the same
code runs on Spark's batches and on the tests' crash histories. Why each detail is there: docs/decisions/0003.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from engine import log_lines
from engine.commands import Command, Marker, Verdict, fold
from engine.person import Cell

EPOCH = 2 ** 44
"""A stamp is epoch * 2**44 + turn: one 64-bit number, for a turn's number is near the clock in milliseconds."""


@dataclass(frozen=True)
class OpenTurn:
    """A turn that was opened: its number, Spark's batch id (None: idle), what it reads, its range of commands."""

    number: int
    batch: int | None
    fingerprint: str
    control_from: int
    control_to: int


@dataclass(frozen=True)
class Sealing:
    """How far the rows are sealed anew: a walk through all of them, a portion at a time, in the order of Cassandra's tokens.

    mark: of the key ring that they are sealed with (engine/sealing.py). after: uuid of the last row that was looked at.
    sealed: how many were written. shut: how many hold a value that no key opens, which stays as it is.
    """

    mark: str
    after: str = ""
    looked: int = 0
    sealed: int = 0
    shut: int = 0
    ended: bool = False


@dataclass(frozen=True)
class WriterState:
    """All the writer must remember, in one document, so that opening and closing a turn are one write each.

    control: offset up to which commands were carried out. checkpoint: id of Spark's checkpoint the state belongs to. sealing:
    the newest walk, once there was one.
    """

    epoch: int = 1
    turn: int = 0
    open: OpenTurn | None = None
    recount: bool = False
    control: int = 0
    checkpoint: str = ""
    sealing: Sealing | None = None

    @property
    def unsealed(self) -> bool:
        """Whether rows are still to be sealed anew."""
        return self.sealing is not None and not self.sealing.ended


class Resolved(Protocol):
    """What a batch comes to once the verdicts are known."""

    @property
    def deltas(self) -> Mapping[Cell, int]:
        """Every cell under which a touched person was or is counted, zero sums included."""

    @property
    def deletes(self) -> Sequence[str]:
        """Uuids whose row goes."""

    @property
    def recoloured(self) -> Mapping[str, bool]:
        """Uuid -> whether the standing row counts from now on."""

    @property
    def repinned(self) -> Mapping[str, str]:
        """Uuid -> token, of people whose standing row does not follow their pins yet."""

    @property
    def barred(self) -> Sequence[str]:
        """Uuids of erased people who had records."""

    @property
    def figures(self) -> Mapping[str, int]:
        """What was counted on the way, by name."""

    def write_rows(self, timestamp: int) -> None:
        """Writes all columns of all new and changed rows with this timestamp (microseconds)."""


@dataclass(frozen=True)
class Aside:
    """What became of the records that are no person.

    kept: how many are dead letters. barred: how many were dropped, for they are about somebody whose records do not count.
    erased: uuids of erased people under which some came.
    """

    kept: int = 0
    barred: int = 0
    erased: Sequence[str] = ()


class Batch(Protocol):
    """What one turn reads."""

    @property
    def number(self) -> int | None:
        """Spark's batch id; None for an idle turn."""

    def fingerprint(self) -> str:
        """Count and hash of the (partition, offset) of the records: equal only if the same are read again."""

    def markers(self) -> dict[str, Marker]:
        """Markers of the people who have records here, or whom one that is no person is about, by token."""

    def set_aside(self, verdicts: Mapping[str, Verdict]) -> Aside:
        """Keeps the records that are no person as dead letters, but for those about people whose records are barred."""

    def resolve(self, verdicts: Mapping[str, Verdict]) -> Resolved:
        """Drops what is barred, keeps the newest of each person and compares it with the row that stands."""


class Stores(Protocol):
    """Where the writer reads and writes."""

    def state(self) -> WriterState: ...

    def save(self, state: WriterState) -> None:
        """One atomic write."""

    def control_end(self) -> int: ...

    def commands(self, start: int, end: int) -> list[Command]: ...

    def markers(self, tokens: Sequence[str]) -> dict[str, Marker]: ...

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        """Adds to every document whose stamp is smaller, and stamps it; one of an earlier epoch counts for nothing."""

    def delete_rows(self, uuids: Sequence[str], timestamp: int) -> None: ...

    def recolour(self, counted: Mapping[str, bool], timestamp: int) -> None: ...

    def repin(self, markers: Mapping[str, Marker], timestamp: int) -> None:
        """Sets the columns of standing rows (by uuid) that the markers' pins determine, and nothing else."""

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None: ...

    def renew_keys(self) -> str:
        """Takes up the key ring as it is kept now, for all that is written from then on; returns its mark."""

    def seal_anew(self, sealing: Sealing, timestamp: int) -> Sealing:
        """Seals the next portion of rows with the current keys, as far as they are not; returns how far that is then."""

    def forget(self, uuids: Sequence[str]) -> None:
        """Sends nulls to the topic of people, so that compaction removes what it holds of them."""

    def recounted(self) -> Mapping[Cell, int]:
        """A count over all rows that are counted."""

    def counted(self, since: int) -> Mapping[Cell, int]:
        """What the documents say that have no smaller stamp."""

    def emptied(self) -> bool:
        """Whether a document stands that counts nobody and is named after what people have."""

    def set_aggregates(self, cells: Mapping[Cell, int], stamp: int) -> None:
        """Sets every document to these counts; what has none left is deleted."""

    def sweep(self, stamp: int) -> None:
        """Sets every document with a smaller stamp to zero."""


@dataclass
class Figures:
    """What one turn did: counts by name, seconds by step."""

    turn: int
    batch: int | None
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    running: str = ""    # the step it is in

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times one step."""
        start, self.running = time.perf_counter(), name
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class WriteOrder:
    """The one writer.

    clock: now, in milliseconds. settle: waits until nothing a dead writer sent can still land. enter: raises when the
    writer must not go on (stop asked for, lease lost). sure: whether the outcome of everything sent before is known.
    """

    def __init__(self, stores: Stores, checkpoint: str, clock: Callable[[], int], settle: Callable[[], None],
                 enter: Callable[[], None], idle: Callable[[], Batch], sure: bool,
                 say: Callable[[str], None]) -> None:
        self.stores, self.checkpoint, self.clock, self.say = stores, checkpoint, clock, say
        self.settle, self.enter, self.idle, self.sure = settle, enter, idle, sure
        self.figures = Figures(0, None)    # of the turn that runs, or of the last
        self.unsealed = False    # whether the last turn left rows that are to be sealed anew

    def turn(self, batch: Batch) -> Figures:
        """Does one turn; whatever it raises, the turn stays open and the next attempt resumes or recounts."""
        self.figures = Figures(0, None, running="reading")
        self.enter()
        began = time.perf_counter()
        fingerprint = batch.fingerprint()    # before the wait, which it shortens: it reads the topic alone
        read_s = time.perf_counter() - began
        if not self.sure:
            self.settle()
            self.sure = True    # until something is sent again: an attempt that fails while it reads need not wait twice
        state = self._belonging_to_checkpoint(self.stores.state())
        if state.recount:
            state = self.recount(state)
        figures = None
        if state.open is not None:
            figures, state = self._resumed(state, state.open, batch, fingerprint)
        if figures is None:
            figures, state = self._run(self._opened(state, batch, fingerprint), batch)
        figures.seconds["read"] = read_s
        self.sure = True
        return figures

    def _resumed(self, state: WriterState, turn: OpenTurn, batch: Batch,
                 fingerprint: str) -> tuple[Figures | None, WriterState]:
        """Ends the turn that was found open. Figures only if this batch was its batch, so that nothing is left to do."""
        if turn.batch is None:
            figures, state = self._run(state, batch if batch.number is None else self.idle())
            return (figures if batch.number is None else None), state
        if (turn.batch, turn.fingerprint) == (batch.number, fingerprint):
            return self._run(state, batch)
        self.say(f"turn {turn.number} cannot be resumed: its records are not the same any more")
        return None, self.recount(self._save(replace(state, recount=True)))

    def _opened(self, state: WriterState, batch: Batch, fingerprint: str) -> WriterState:
        """Opens a turn: commands are taken to their end, so that none is older than a record of this turn."""
        number = max(state.turn + 1, self.clock())
        commands_end = max(self.stores.control_end(), state.control)
        return self._save(replace(state, turn=number, open=OpenTurn(
            number, batch.number, fingerprint, state.control, commands_end)))

    def recount(self, state: WriterState) -> WriterState:
        """Sets every aggregate from the counted rows, under a new epoch; may be interrupted and repeated."""
        self.say("recounting the aggregates from the rows")
        state = self._set(state, self.stores.recounted)
        self.say("recounted")
        return state

    def _without_empty(self, state: WriterState) -> WriterState:
        """Ends the documents of nobody: under a new epoch, else what a paused writer inserts in their place would count."""
        return self._set(state, partial(self.stores.counted, state.epoch * EPOCH))

    def _set(self, state: WriterState, counts: Callable[[], Mapping[Cell, int]]) -> WriterState:
        state = self._save(replace(state, epoch=state.epoch + 1, recount=True))
        self.stores.set_aggregates(counts(), state.epoch * EPOCH)
        return self._save(replace(state, recount=False, open=None))

    def tidy(self) -> None:
        """Now and then, beside turns too: zeroes what a writer that was paused since before a recount has inserted late."""
        state = self.stores.state()
        if not state.recount:
            self.stores.sweep(state.epoch * EPOCH)

    def _belonging_to_checkpoint(self, state: WriterState) -> WriterState:
        """A new checkpoint makes every record new again, so commands are read again and all is recounted."""
        if state.checkpoint == self.checkpoint:
            return state
        self.say("the checkpoint is a new one: commands are read again from the first")
        return self._save(replace(state, checkpoint=self.checkpoint, open=None, control=0, recount=True))

    def _run(self, state: WriterState, batch: Batch) -> tuple[Figures, WriterState]:
        turn = state.open
        if turn is None:
            raise RuntimeError("a turn is run only when it is open")
        log_lines.in_turn(turn.number)
        self.figures = figures = Figures(turn.number, turn.batch)
        deleting = turn.number * 1000    # microseconds; a write of the same turn is newer than its delete
        writing = deleting + 1
        sealing = state.sealing
        with figures.step("markers"):
            commands = self.stores.commands(turn.control_from, turn.control_to)
            if any(command.verb == "reseal" for command in commands):
                sealing = Sealing(self.stores.renew_keys())    # before anything of this turn is sealed
            tokens = sorted({command.token for command in commands if command.token})
            verdicts = fold(self.stores.markers(tokens) | batch.markers(), commands)
        with figures.step("dead_letters"):
            sure, self.sure = self.sure, False
            aside = batch.set_aside(verdicts)
            self.sure = sure and not aside.kept
        with figures.step("rows_before"):
            resolved = batch.resolve(verdicts)
        self.sure = False
        with figures.step("aggregates"):
            self.stores.add(resolved.deltas, state.epoch * EPOCH + turn.number)
        with figures.step("rows"):
            self.stores.delete_rows(resolved.deletes, deleting)
            self.stores.recolour(resolved.recoloured, writing)
            self.stores.repin({uuid: verdicts[token].marker for uuid, token in resolved.repinned.items()}, writing)
            resolved.write_rows(writing)
        with figures.step("markers_written"):
            self.stores.put_markers([verdict.marker for verdict in verdicts.values() if verdict.changed], writing)
            erased = {v.uuid for v in verdicts.values() if v.uuid and v.marker.erased}
            if erased := erased.union(resolved.barred, aside.erased):
                self.stores.forget(sorted(erased - self._lifted_since(turn)))
        if turn.batch is None and not commands and sealing is not None and not sealing.ended:
            with figures.step("sealing"):    # in a turn that writes no other column: with the same timestamp either might win
                before, sealing = sealing.sealed, self.stores.seal_anew(sealing, writing)
                figures.counts["sealed"] = sealing.sealed - before
        figures.counts |= {**resolved.figures, "commands": len(commands), "deleted": len(resolved.deletes),
                           "dead": aside.kept, "barred": resolved.figures.get("barred", 0) + aside.barred}
        verbs = {command.verb for command in commands}
        recount = state.recount or "recount" in verbs
        emptied = not verbs.isdisjoint(("erase", "expire")) and self.stores.emptied()
        state = self._save(replace(state, open=None, control=turn.control_to, recount=recount or emptied,
                                   sealing=sealing))
        self.unsealed = state.unsealed
        if state.recount:
            with figures.step("recount"):
                state = self.recount(state) if recount else self._without_empty(state)
        return figures, state

    def _lifted_since(self, turn: OpenTurn) -> set[str]:
        """Who was lifted after this turn's commands: a null now could lie behind her new records (a resumed turn)."""
        later = self.stores.commands(turn.control_to, self.stores.control_end())
        return {command.uuid for command in later if command.verb == "lift"}

    def _save(self, state: WriterState) -> WriterState:
        self.sure = False
        self.stores.save(state)
        return state
