"""Wrong designs, each with one detail of the write order missing: what the histories must be able to tell from the product.

Names and sentences are those of the model the order was made from; DESIGNS is the right one.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from engine.commands import Marker, Verdict, fold
from engine.person import Cell, Record, Row
from engine.writer.plain_batch import PlainBatch, PlainResolved
from engine.writer.write_order import EPOCH, Aside, Batch, Figures, OpenTurn, WriteOrder, WriterState
from tests.histories.memory import Document, MemoryStores, by_document
from tests.histories.process import Crash
from tests.histories.world import Design


class NoStamp(MemoryStores):
    """Deltas are applied whatever the stamp."""

    def due(self, stood: int, stamp: int) -> bool:
        return True

    def _set(self, key: Document, cells: dict[Cell, int], stamp: int) -> None:
        self.memory.documents[key] = max(self.memory.documents.get(key, (stamp, {}))[0], stamp), cells


class EqualStamp(MemoryStores):
    """Only the same stamp is skipped, not a greater one."""

    def due(self, stood: int, stamp: int) -> bool:
        return stood != stamp

    def counts(self, stood: int, stamp: int) -> bool:
        return True

    def _set(self, key: Document, cells: dict[Cell, int], stamp: int) -> None:
        if self.memory.documents.get(key, (-1, {}))[0] != stamp:
            self.memory.documents[key] = stamp, cells


class SkipZero(MemoryStores):
    """Documents whose sum is zero are not stamped."""

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        super().add({cell: n for cells in by_document(deltas).values() if any(cells.values())
                     for cell, n in cells.items()}, stamp)


class NoRecount(WriteOrder):
    """No recount on a new checkpoint or a torn offset log."""

    def recount(self, state: WriterState) -> WriterState:
        return self._save(replace(state, recount=False, open=None))


class WaitingRecount(WriteOrder):
    """A retry or take-over does not wait for writes in flight, a recount does."""

    def turn(self, batch: Batch) -> Figures:
        self.sure = True
        return super().turn(batch)

    def recount(self, state: WriterState) -> WriterState:
        self.settle()
        return super().recount(state)


class RowsFirst(MemoryStores):
    """Rows before aggregates."""

    held: tuple[Mapping[Cell, int], int] = {}, 0

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        self.held = deltas, stamp

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        super().add(*self.held)
        super().put_markers(markers, timestamp)


class CommandsLag(MemoryStores):
    """Commands are read as they come, not to their end."""

    def control_end(self) -> int:
        return min(super().control_end(), self.state().control + self.process.random.randrange(3))


class ControlFromEnd(WriteOrder):
    """A new checkpoint reads commands from where the old one stopped."""

    def _belonging_to_checkpoint(self, state: WriterState) -> WriterState:
        if state.checkpoint == self.checkpoint:
            return state
        return self._save(replace(state, checkpoint=self.checkpoint, open=None, recount=True))


class SparkIds(WriteOrder):
    """Idle turns share the batch id of the next batch and write nothing down."""

    next_batch = 0

    def _opened(self, state: WriterState, batch: Batch, fingerprint: str) -> WriterState:
        number = self.next_batch if batch.number is None else batch.number
        SparkIds.next_batch = number if batch.number is None else number + 1
        opened = replace(state, open=OpenTurn(number, batch.number, fingerprint, state.control,
                                              max(self.stores.control_end(), state.control)))
        return opened if batch.number is None else self._save(opened)


class NoFingerprint(PlainBatch):
    """A batch is resumed though the topic gives other records for its range."""

    def fingerprint(self) -> str:
        return ""


class EraseInOrder(PlainBatch):
    """An erase spares a row that carries a later append time."""

    def _person(self, uuid: str, records: list[Record], prior: Row | None, verdict: Verdict, done: PlainResolved) -> None:
        spared = prior is not None and verdict.marker.erased and prior.at.appended_at > verdict.marker.not_before
        super()._person(uuid, records, None if spared else prior, verdict, done)


class NoNotBefore(PlainBatch):
    """Records older than an erase or lift are taken after the lift."""

    def _person(self, uuid: str, records: list[Record], prior: Row | None, verdict: Verdict, done: PlainResolved) -> None:
        if prior is None or not verdict.bars(prior.at.appended_at):
            verdict = replace(verdict, marker=replace(verdict.marker, not_before=-1))
        super()._person(uuid, records, prior, verdict, done)


class CountedInMarker(MemoryStores):
    """Whether a person is counted is looked up in the marker, not in the row."""

    def read_rows(self, uuids: Any) -> dict[str, Row]:
        rows = super().read_rows(uuids)
        marks = self.markers([f"t{uuid}" for uuid in rows])
        return {uuid: replace(row, counted=not marks.get(f"t{uuid}", Marker("")).restricted) for uuid, row in rows.items()}


class PinInRow(MemoryStores):
    """Rectified fields are kept in the row alone."""

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        for marker in (kept for kept in markers if kept.token[1:] in self.memory.profiles.rows):
            self.memory.profiles.put(marker.token[1:], {"pins": marker.pins, "as_of": marker.rectified}, timestamp)
        super().put_markers([replace(marker, pins="", rectified=-1) for marker in markers], timestamp)

    def markers(self, tokens: Sequence[str]) -> dict[str, Marker]:
        found = super().markers(tokens)
        for token in found:
            row = self.memory.profiles.read(token[1:]) or {}
            if row.get("pins"):
                found[token] = replace(found[token], pins=row["pins"], rectified=row["as_of"])
        return found


class ExpireWithoutMarker(MemoryStores):
    """An expiry leaves no trace, a replay brings the person back."""

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        super().put_markers([replace(marker, not_before=self._without_expiry(marker)) for marker in markers], timestamp)

    def _without_expiry(self, marker: Marker) -> int:
        others = [command for command in self.memory.commands[:marker.last_command + 1]
                  if command.token == marker.token and command.verb != "expire"]
        return fold({}, others)[marker.token].marker.not_before if others else -1


class MarkerByArrival(MemoryStores):
    """A marker is overwritten by whatever arrives last."""

    def _mark(self, mark: Marker, timestamp: int) -> None:
        self.memory.marks.rows[mark.token] = {name: (timestamp, value) for name, value in vars(mark).items()}


class SeenByClock(PlainBatch):
    """first_seen is the time of writing, not of the record."""

    def _person(self, uuid: str, records: list[Record], prior: Row | None, verdict: Verdict, done: PlainResolved) -> None:
        super()._person(uuid, records, prior, verdict, done)
        if done.rows and done.rows[-1][0].uuid == uuid and done.rows[-1][0].first_seen == done.rows[-1][1].at.appended_at:
            row, record = done.rows[-1]
            stores: Any = self.read_rows
            late = replace(row, first_seen=stores.__self__.memory.topic.now)
            done.rows[-1] = late, record
            done.deltas.subtract(row.cells())
            done.deltas.update(late.cells())


class NoLease(MemoryStores):
    """A process that was paused writes the state though another took over."""

    def _save(self, state: WriterState) -> None:
        self.memory.kept = self.process.number, state


class LooksOnce(MemoryStores):
    """Who opens a turn does not look at its lease again: one that was paused before overwrites nothing, yet goes on."""

    def save(self, state: WriterState) -> None:
        self.write(lambda: self._save(state))


class LateInserts(MemoryStores):
    """A document of an earlier epoch, inserted late, is added to."""

    def counts(self, stood: int, stamp: int) -> bool:
        return True


class SetWhatever(MemoryStores):
    """A document that was read with a smaller stamp is set whatever stamp it has by then."""

    def _set(self, key: Document, cells: dict[Cell, int], stamp: int) -> None:
        self.memory.documents[key] = stamp, cells


class EmptiedInPlace(WriteOrder):
    """Documents of nobody are ended without a new epoch."""

    def _without_empty(self, state: WriterState) -> WriterState:
        state = self._save(replace(state, turn=state.turn + 1))
        self.stores.set_aggregates(self.stores.counted(state.epoch * EPOCH), state.epoch * EPOCH + state.turn)
        return self._save(replace(state, recount=False))


class LettersNotAwaited(MemoryStores):
    """Dead letters are sent, and nobody waits until they are kept."""

    def put_letters(self, places: Sequence[str]) -> None:
        with suppress(Crash):
            super().put_letters([place for place in places if self.process.random.random() < 0.9])


class LettersFirst(PlainBatch):
    """Bad records become dead letters before anybody looks who is erased."""

    def set_aside(self, verdicts: Mapping[str, Verdict]) -> Aside:
        return replace(super().set_aside({}), erased=super().set_aside(verdicts).erased)


class BadWithoutNull(PlainBatch):
    """No null is sent for a bad record of an erased person."""

    def set_aside(self, verdicts: Mapping[str, Verdict]) -> Aside:
        return replace(super().set_aside(verdicts), erased=())


class NullsAfterLift(WriteOrder):
    """A resumed turn sends nulls of people who were lifted since: behind their new records."""

    def _lifted_since(self, turn: OpenTurn) -> set[str]:
        return set()


RIGHT = {"design": Design(), "clock_steps": Design(clock_steps=True)}

WRONG = {
    "no_stamp": Design(stores=NoStamp),
    "equal_stamp": Design(stores=EqualStamp, waits=False),
    "skip_zero": Design(stores=SkipZero),
    "no_recount": Design(order=NoRecount),
    "early_recount": Design(waits=False),
    "no_wait": Design(order=WaitingRecount),
    "rows_first": Design(stores=RowsFirst),
    "commands_lag": Design(stores=CommandsLag),
    "control_from_end": Design(order=ControlFromEnd),
    "spark_ids": Design(order=SparkIds),
    "no_fingerprint": Design(batch=NoFingerprint),
    "erase_in_order": Design(batch=EraseInOrder, clock_steps=True),
    "no_not_before": Design(batch=NoNotBefore),
    "counted_in_marker": Design(stores=CountedInMarker),
    "pin_in_row": Design(stores=PinInRow),
    "expire_without_marker": Design(stores=ExpireWithoutMarker),
    "marker_by_arrival": Design(stores=MarkerByArrival, waits=False),
    "seen_by_clock": Design(batch=SeenByClock),
}

OURS = {
    "no_lease": Design(stores=NoLease),
    "looks_once": Design(stores=LooksOnce),
    "no_fence": Design(fences=False),
    "late_inserts": Design(stores=LateInserts),
    "set_whatever": Design(stores=SetWhatever),
    "letters_not_awaited": Design(stores=LettersNotAwaited),
    "letters_first": Design(batch=LettersFirst),
    "bad_without_null": Design(batch=BadWithoutNull),
    "nulls_after_lift": Design(order=NullsAfterLift),
}
"""Details that the model does not have."""
