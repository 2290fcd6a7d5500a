"""A turn's batch of few records: one query of Spark judges and seals them all, and the rest is plain Python.

The four queries of engine/spark/batch.py take a second to plan, however few records they are about, and that second is
waited for by whoever arrives (docs/decisions/0023-small-batches.md). What decides is engine/writer/plain_batch.py, as in idle
turns. All that is rarer is left to Spark's batch: records that are no person, people with pins, and keys that a command of this
turn renewed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from engine.commands import Marker, Verdict
from engine.errors import StoreAway
from engine.person import Position, Record, Row
from engine.spark.batch import SparkBatch, Surroundings, columns_of_record, place_hash, printed
from engine.spark.built import built_once
from engine.spark.records import parsed
from engine.stores.known import number_of
from engine.stores.profiles import Profiles
from engine.writer.plain_batch import PlainBatch
from engine.writer.write_order import Aside, Resolved

FEW = 12_000
"""Records waiting below which a batch is small: up to there Spark's batch takes longer, for it plans four queries
(docs/decisions/0023-small-batches.md)."""
ONE_TASK = 2_000
"""Records below which a second task of Spark costs more than it saves."""
LEFT_FOR = 10
"""Batches that are Spark's from the start after one that had to be left to it: what is rare seldom comes alone."""


class Batches:
    """Makes the batch of each turn."""

    def __init__(self, around: Surroundings, profiles: Profiles) -> None:
        self._around, self._profiles, self._to_spark = around, profiles, 0

    def next(self, most: int, raw: DataFrame, number: int) -> "SmallBatch | SparkBatch":
        """The next one. most: how many wait, for what it will have is to be known before any is read."""
        if most >= FEW or self._to_spark:
            self._to_spark = max(0, self._to_spark - 1)
            return SparkBatch(self._around, raw, number)
        return SmallBatch(self._around, self._profiles, raw.coalesce(1) if most < ONE_TASK else raw, number, self._left)

    def _left(self) -> None:
        self._to_spark = LEFT_FOR


class SmallBatch:
    """See engine/writer/write_order.py, Batch. Release with `close`."""

    def __init__(self, around: Surroundings, profiles: Profiles, raw: DataFrame, number: int,
                 left: Callable[[], None] = lambda: None) -> None:
        """left: called when it has to be left to Spark."""
        self._around, self._profiles, self._raw, self.number, self._left = around, profiles, raw, number, left
        self._mark = around.keys.mark    # of the keys that it is sealed with
        self._found: dict[tuple[int, int], Any] = {}    # by place: what the row is made of
        self._tokens: dict[str, str] = {}               # by uuid
        self._whole: SparkBatch | None = None           # what it is left to
        self._print = ""
        self.figures: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.synthetic = False

    def fingerprint(self) -> str:
        """That of Spark's batch, for a turn may be done again by either."""
        keys = self._around.keys
        found = parsed(self._raw, keys, "ring").select(*_looked_at(), *columns_of_record(keys.current)).collect()
        if any(row.reason for row in found):
            return self._left_to_spark()
        people = [row for row in found if not row.empty]
        self._found = {(row.partition, row.offset): row for row in people}
        self._tokens = {row.person_uuid: row.suppression for row in people}
        for row in found:
            self.ends[str(row.partition)] = max(row.offset + 1, self.ends.get(str(row.partition), 0))
        self.synthetic = any(row.synthetic for row in found)
        self.figures = {"read": len(found), "nulls": len(found) - len(people), "dead": 0, "valid": len(people),
                        "age_differs": sum(row.age_differs for row in found)}
        self._print = printed(len(found), (row.hash for row in found))
        return self._print

    def markers(self) -> dict[str, Marker]:
        """Markers of the people of this batch."""
        if self._whole:
            return self._whole.markers()
        tokens = list(self._tokens.values())
        asked = self._around.known.may_have_markers([number_of(token) for token in tokens])
        return self._profiles.markers(token for token in tokens if asked is None or number_of(token) in asked)

    def set_aside(self, verdicts: Mapping[str, Verdict]) -> Aside:
        """Dead letters, of which there are none here."""
        return self._whole.set_aside(verdicts) if self._whole else Aside()

    def resolve(self, verdicts: Mapping[str, Verdict]) -> Resolved:
        """One person after the other."""
        rare = self._mark != self._around.keys.mark or any(verdict.marker.pins for verdict in verdicts.values())
        if rare and not self._whole and self._left_to_spark() != self._print:    # under which the turn is open
            raise StoreAway("Kafka gives other records of a batch than a moment before; it is read again.", "Kafka")
        if self._whole:
            return self._whole.resolve(verdicts)
        records = [Record(row.person_uuid, Position(row.at, row.partition, row.offset), row.nat, row.gender,
                          row.birth_month, row.email_domain) for row in self._found.values()]
        plain = PlainBatch(self.number, records, self._token, self._profiles.markers, self._rows, self._write)
        resolved = plain.resolve(verdicts)
        said = {name: resolved.figures.get(name, 0) for name in ("new", "changed", "barred")}
        resolved.figures = {**self.figures, **said, "stale": len(records) - sum(said.values())}
        return resolved

    def close(self) -> None:
        """Gives the memory of Spark back."""
        if self._whole:
            self._whole.close()

    def _left_to_spark(self) -> str:
        self._left()
        self._whole = whole = SparkBatch(self._around, self._raw, self.number)
        fingerprint = whole.fingerprint()
        self.figures, self.ends, self.synthetic = whole.figures, whole.ends, whole.synthetic
        return fingerprint

    def _token(self, uuid: str) -> str:
        return self._tokens.get(uuid) or self._around.keys.suppression_token(uuid)

    def _rows(self, uuids: Iterable[str]) -> dict[str, Row]:
        """The rows that stand, of those who may have one, and of whom commands name."""
        known = self._around.known.may_have_rows([number_of(uuid) for uuid in self._tokens])
        asked = (uuid for uuid in uuids if known is None or uuid not in self._tokens or number_of(uuid) in known)
        return self._profiles.rows(asked, named=False)    # names are for pins

    def _write(self, taken: Sequence[tuple[Row, Record]], timestamp: int) -> None:
        self._profiles.write(
            [{**self._found[record.at.partition, record.at.offset].asDict(), "uuid": UUID(row.uuid),
              "appended_at": record.at.appended_at, "first_seen": row.first_seen, "counted": row.counted}
             for row, record in taken], timestamp)


@built_once
def _looked_at() -> list[Column]:
    """What is asked of each record beside the columns of its row."""
    return [*map(F.col, ("partition", "offset", "reason", "empty", "age_differs", "synthetic", "person_uuid", "suppression")),
            F.unix_millis("timestamp").alias("at"), place_hash().alias("hash")]
