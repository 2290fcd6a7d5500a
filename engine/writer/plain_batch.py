"""A turn's batch in plain Python: that of idle turns, what decides in small ones, and what Spark's batch is compared with."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from engine.commands import Marker, Verdict
from engine.person import Bad, Cell, Record, Row
from engine.writer.pins import pinned
from engine.writer.write_order import Aside


@dataclass
class PlainResolved:
    """See engine/writer/write_order.py, Resolved."""

    deltas: Counter[Cell]
    deletes: list[str]
    recoloured: dict[str, bool]
    repinned: dict[str, str]
    barred: list[str]
    figures: dict[str, int]
    rows: list[tuple[Row, Record]]
    write: Callable[[Sequence[tuple[Row, Record]], int], None] | None

    def write_rows(self, timestamp: int) -> None:
        """Writes the new and changed rows."""
        if self.rows:
            if self.write is None:
                raise RuntimeError("an idle turn has no records, so no rows to write")
            self.write(self.rows, timestamp)


@dataclass
class PlainBatch:
    """A batch over a list of records.

    token: suppression token of a uuid. read_markers, read_rows: the stores' look-ups. write: writes rows made of records.
    bad: records that are no person; keep: makes dead letters of the places of such.
    """

    number: int | None
    records: Sequence[Record]
    token: Callable[[str], str]
    read_markers: Callable[[Sequence[str]], dict[str, Marker]]
    read_rows: Callable[[Iterable[str]], dict[str, Row]]
    write: Callable[[Sequence[tuple[Row, Record]], int], None] | None = None
    bad: Sequence[Bad] = ()
    keep: Callable[[Sequence[str]], None] = field(default=lambda _: None)

    def fingerprint(self) -> str:
        """Count and hash of the places of the records, of those that are no person, too."""
        places = sorted([f"{record.at.partition}-{record.at.offset}" for record in self.records]
                        + [bad.place for bad in self.bad])
        return f"{len(places)}:{sha256(repr(places).encode()).hexdigest()[:16]}"

    def markers(self) -> dict[str, Marker]:
        """Markers of the people of this batch."""
        whose = {record.uuid for record in self.records} | {bad.uuid for bad in self.bad if bad.uuid}
        return self.read_markers(sorted(self.token(uuid) for uuid in whose))

    def set_aside(self, verdicts: Mapping[str, Verdict]) -> Aside:
        """Dead letters of what is no person and about nobody whose records are barred."""
        found = {bad: verdicts.get(self.token(bad.uuid), Verdict(Marker(""))) for bad in self.bad}
        places = [bad.place for bad, verdict in found.items() if not verdict.bars(bad.appended_at)]
        self.keep(places)
        return Aside(len(places), len(found) - len(places), sorted({
            bad.uuid for bad, verdict in found.items() if verdict.marker.erased}))

    def resolve(self, verdicts: Mapping[str, Verdict]) -> PlainResolved:
        """One person after the other, in the words of flow.md, hop 3."""
        by_person: dict[str, list[Record]] = {verdict.uuid: [] for verdict in verdicts.values() if verdict.uuid}
        for record in self.records:
            by_person.setdefault(record.uuid, []).append(record)
        standing = self.read_rows(sorted(by_person))
        done = PlainResolved(Counter(), [], {}, {}, [], Counter(), [], self.write)
        for uuid, records in sorted(by_person.items()):
            token = self.token(uuid)
            verdict = verdicts.get(token, Verdict(Marker(token)))
            self._person(uuid, records, standing.get(uuid), verdict, done)
        return done

    def _person(self, uuid: str, records: list[Record], prior: Row | None, verdict: Verdict,
                done: PlainResolved) -> None:
        row = prior
        if prior is not None and verdict.bars(prior.at.appended_at):
            row = None
            done.deletes.append(uuid)
        may = [record for record in records if not verdict.bars(record.at.appended_at)]
        done.figures["barred"] = done.figures.get("barred", 0) + len(records) - len(may)
        if len(may) < len(records) and verdict.marker.erased:
            done.barred.append(uuid)
        newest = _newest(may)
        marker = verdict.marker
        counted = not marker.restricted
        after = row
        if newest is not None and (row is None or newest.at.newer_than(row.at)):
            fresh = Row(uuid, newest.at, row.first_seen if row else newest.at.appended_at, counted,
                        newest.nat, newest.gender, newest.birth_month, newest.email_domain,
                        full_name=newest.full_name, email=newest.email)
            after = pinned(fresh, marker.pins, marker.rectified) if marker.pins else fresh
            done.rows.append((after, newest))
            done.figures["new" if row is None else "changed"] = done.figures.get("new" if row is None else "changed", 0) + 1
        elif row is not None:
            after = row
            if marker.pins and row.rectified != marker.rectified:
                after = pinned(after, marker.pins, marker.rectified)
                done.repinned[uuid] = marker.token
            if row.counted != counted:
                after = replace(after, counted=counted)
                done.recoloured[uuid] = counted
        for cell in prior.cells() if prior else ():
            done.deltas[cell] -= 1
        for cell in after.cells() if after else ():
            done.deltas[cell] += 1


def _newest(records: Sequence[Record]) -> Record | None:
    """The greatest offset within a partition, then the latest append time between partitions."""
    last: dict[int, Record] = {}
    for record in records:
        kept = last.get(record.at.partition)
        if kept is None or record.at.newer_than(kept.at):
            last[record.at.partition] = record
    return max(last.values(), key=lambda record: (record.at.appended_at, record.at.partition), default=None)
