"""A turn's batch on Spark: set aside, look up, keep the newest, compare with the rows, write.

It comes to the same as engine/writer/plain_batch.py does record by record (a test compares them). Everything is joined by
key in Cassandra ("direct join") unless surely nothing is there (engine/stores/known.py); a batch scans nothing, and no Python
runs on the records that are people.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.storagelevel import StorageLevel

from engine.clients import mapped
from engine.commands import Marker, Verdict
from engine.dead_letters.claim import Claim
from engine.person import Cell
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.spark import columns
from engine.spark.built import built_once
from engine.spark.decisions import (
    FIGURES,
    alone,
    beside,
    corrected,
    counted_cells,
    decided,
    deltas,
    newest,
    with_named,
    with_verdicts,
)
from engine.spark.failures import FAILURES
from engine.spark.keys import sealed, with_ring
from engine.spark.pins import pinned_names
from engine.spark.records import claim_of, parsed
from engine.spark.rows import local_frame
from engine.spark.session import CASSANDRA, cassandra_table
from engine.stores.dead_letters import DeadLetters, too_large
from engine.stores.known import DIGITS, Known, more_than_once, number_of
from engine.stores.profiles import NAMED, STANDING, marker_of
from engine.writer.write_order import Aside

PEOPLE = ("partition", "offset", "timestamp", "person_uuid", "suppression", "person", "born", "domain")
"""What is looked at of a record that is a person."""

LETTERS_BYTES = 16 * 1_048_576
"""Bytes of dead letters after which their acknowledgement is waited for: a batch may hold thousands of large ones."""


@dataclass(frozen=True)
class Surroundings:
    """What every batch of one stream needs."""

    settings: Settings
    keys: KeyRing
    dead_letters: DeadLetters
    known: Known = field(default_factory=Known)


class SparkResolved:
    """See engine/writer/write_order.py, Resolved."""

    def __init__(self, around: Surroundings, frame: DataFrame, deltas: Mapping[Cell, int], flagged: Sequence[Any],
                 figures: Mapping[str, int], pinned: bool) -> None:
        self._around, self._frame, self.deltas, self.figures, self._pinned = around, frame, deltas, figures, pinned
        self.deletes = [row.uuid for row in flagged if row.gone]
        self.recoloured = {row.uuid: row.counted_after for row in flagged if row.recoloured}
        self.repinned = {row.uuid: row.verdict_token for row in flagged if row.repinned}
        self.barred = [row.uuid for row in flagged if row.erased_again]

    def write_rows(self, timestamp: int) -> None:
        """Writes the new and changed rows, sealed, through the connector, with this timestamp (microseconds)."""
        if not self.figures["new"] + self.figures["changed"]:
            return
        taken = self._frame.where("taken")
        if not self._pinned:
            self._write(rows(taken, self._around.keys), timestamp)
            return
        self._write(rows(taken.where("v_pins IS NULL"), self._around.keys), timestamp)
        self._write(rows(taken.where("v_pins IS NOT NULL"), self._around.keys, pinned=True), timestamp)

    def _write(self, made: DataFrame, timestamp: int) -> None:
        with mapped("writing rows to Cassandra"):
            (made.write.format(CASSANDRA).options(**cassandra_table(self._around.settings, "profiles"))
             .option("spark.cassandra.output.timestamp", str(timestamp)).option("spark.cassandra.output.ignoreNulls", "false")
             .mode("append").save())


class SparkBatch:
    """See engine/writer/write_order.py, Batch. Release with `close`."""

    def __init__(self, around: Surroundings, raw: DataFrame, number: int) -> None:
        self._around, self.number, self._spark = around, number, raw.sparkSession
        self._parsed = parsed(raw, around.keys).persist(StorageLevel.MEMORY_AND_DISK)
        self._kept = [self._parsed]
        self.figures: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.synthetic = False
        self._uuids: Sequence[int] = ()     # of the people, as engine/stores/known.py has them; only if it asks
        self._tokens: Sequence[int] = ()    # of all records, dead ones too

    def fingerprint(self) -> str:
        """Count and hash of the (partition, offset) of the records; also counts what was read."""
        noting = self._around.known.noting
        found = self._parsed.groupBy("partition").agg(*_figures(), *(_keys() if noting else ())).collect()
        if noting:
            self._uuids = [number for row in found for number in row.uuids]
            self._tokens = [number for row in found for number in row.tokens]
        self.ends = {str(row.partition): row.last + 1 for row in found}
        self.synthetic = any(row.synthetic for row in found)
        nulls, dead = sum(row.nulls for row in found), sum(row.dead for row in found)
        read = sum(row.n for row in found)
        self.figures = {"read": read, "nulls": nulls, "dead": dead, "valid": read - nulls - dead,
                        "age_differs": sum(row.ages for row in found)}
        return printed(read, (row.hash for row in found))

    def markers(self) -> dict[str, Marker]:
        """Markers of the people of this batch, by a join on their token."""
        asked = self._around.known.may_have_markers(self._tokens) if self._tokens else None
        if asked is not None and not asked and not self.figures["dead"]:
            return {}
        tokens = self._valid().select(F.col("suppression").alias("batch_token"))
        if asked is not None:
            tokens = among(tokens, "batch_token", asked)
        if self.figures["dead"]:
            named = F.explode(F.array_compact(F.concat("whose", F.array("suppression"))))
            tokens = tokens.union(self._bad().select(named).distinct())
        kept = ("suppression", "erased", "restricted", "last_command", "request", "pins", "rectified")
        table = self._table("markers").select(*kept, "not_before")
        joined = tokens.join(table, tokens["batch_token"] == table["suppression"])
        # as a number: collected as a moment it would come in the time zone of this machine
        not_before = F.coalesce(F.unix_millis("not_before"), F.lit(-1)).alias("not_before")
        return {row.suppression: marker_of(row, row.not_before, self._around.keys)
                for row in joined.select(*kept, not_before).collect()}

    def set_aside(self, verdicts: Mapping[str, Verdict]) -> Aside:
        """Sends what is no person to the dead letters and waits until they are kept; what is about people whose records are
        barred is dropped."""
        if not self.figures["dead"]:
            return Aside()
        letters, kept, erased = self._around.dead_letters, 0, set()
        bad = self._bad().select("place", "reason", "value", "size", "first_append", "origin", "claim", "whose", "under",
                                 "suppression", F.unix_millis("timestamp").alias("at"))
        for row in bad.toLocalIterator():
            if row.suppression in verdicts and verdicts[row.suppression].marker.erased:
                erased.add(row.under)
            if any(token in verdicts and verdicts[token].bars(row.at) for token in row.whose):
                continue
            claim = claim_of(row.claim, self._around.keys) or Claim(row.place, 0, row.first_append)
            origin = {name: bytes(text or b"").decode(errors="replace") for name, text in row.origin or ()}
            reason = columns.REASONS[row.reason] + (too_large(row.size) if row.value is None and row.size else "")
            letters.put(claim.place, reason, bytes(row.value or b""), claim.first_append, claim.attempt, origin)
            kept += 1
            if letters.unsettled > LETTERS_BYTES:
                letters.flush()
        letters.flush()
        return Aside(kept, self.figures["dead"] - kept, sorted(erased))

    def resolve(self, verdicts: Mapping[str, Verdict]) -> SparkResolved:
        """The verdicts joined to the records and the rows; one pass makes deltas and figures, another finds what is special, if
        anything is."""
        judged = self._people(verdicts)
        with mapped("reading rows from Cassandra"):
            sums = deltas(judged).collect()
            counts = {row.document: row.n for row in sums if row.collection == FIGURES}
            flagged = judged.where("gone OR recoloured OR repinned OR erased_again").select(
                "uuid", "gone", "recoloured", "repinned", "erased_again", "counted_after",
                F.coalesce("suppression", "v_token").alias("verdict_token"),
            ).collect() if counts.pop("special", 0) else []
        found = {name: counts.get(name, 0) for name in ("new", "changed", "barred")}
        figures = {**self.figures, **found, "stale": self.figures["valid"] - sum(found.values())}
        return SparkResolved(
            self._around, judged,
            {Cell(row.collection, row.document, row.gender, row.month): row.n for row in sums if row.collection != FIGURES},
            flagged, figures, any(v.marker.pins for v in verdicts.values()))

    def close(self) -> None:
        """Gives the memory back. Where Cassandra is away even that can fail, and Java's collector does it later."""
        for frame in self._kept:
            with suppress(*FAILURES):
                frame.unpersist()

    def _valid(self) -> DataFrame:
        return self._parsed.where("reason IS NULL AND NOT empty").select(*PEOPLE)

    def _bad(self) -> DataFrame:
        return self._parsed.where("reason IS NOT NULL")

    def _table(self, name: str) -> DataFrame:
        return (self._spark.read.format(CASSANDRA).options(**cassandra_table(self._around.settings, name))
                .option("directJoinSetting", "on").load())

    def _people(self, verdicts: Mapping[str, Verdict]) -> DataFrame:
        """One line a person of this turn: newest record that counts, row that stands, verdict, and what follows."""
        judged = with_verdicts(self._valid(), verdicts)
        named = [(verdict.uuid, token) for token, verdict in verdicts.items() if verdict.uuid]
        pins = any(verdict.marker.pins for verdict in verdicts.values())
        twice = more_than_once(self._uuids)
        asked = self._asked(twice, (uuid for uuid, _ in named))
        if asked is not None and not asked:    # which is as quickly done again as read
            return self._new(judged, pins)
        others = judged if asked is None else among(judged, "person_uuid", asked)
        people = alone(others) if self._uuids and not twice else newest(others)
        if named:
            people = with_named(people, named, verdicts)
        if pins:
            people = corrected(people)
        table = self._table("profiles").select(*STANDING, *(NAMED if pins else ()))
        people = decided(beside(people, table), self._around.keys if pins else None)
        if asked is not None:
            new = self._new(among(judged, "person_uuid", asked, inside=False), pins)
            people = people.unionByName(new, allowMissingColumns=True)
        self._kept.append(people.persist(StorageLevel.MEMORY_AND_DISK))
        return people

    def _asked(self, twice: set[int], named: Iterable[str]) -> set[int] | None:
        """Who is looked for among the rows: who may have one, came more than once, or is named by a command. None: everybody,
        where nothing is known or it is most of them; nobody else has a row, or a second record."""
        if not self._uuids:
            return None
        known = self._around.known.may_have_rows(self._uuids)
        if known is None:
            return None
        asked = known | twice | {number_of(uuid) for uuid in named}
        return asked if 2 * len(asked) < len(self._uuids) else None

    @staticmethod
    def _new(judged: DataFrame, pins: bool) -> DataFrame:
        """People who surely have no row and came once."""
        people = alone(judged)
        return decided(beside(corrected(people) if pins else people, None), None)


def place_hash() -> Column:
    """What stands for the place of a record in the fingerprint of a batch, or, summed by XOR, for those of several."""
    return F.xxhash64("partition", "offset")


def printed(count: int, hashes: Iterable[int]) -> str:
    """The fingerprint of so many records."""
    return f"{count}:{reduce(xor, hashes, 0) & (2 ** 64 - 1):016x}"


def among(frame: DataFrame, column: str, numbers: Iterable[int], inside: bool = True) -> DataFrame:
    """The rows whose uuid or token is one of those numbers (engine/stores/known.py), or is none. They cross to Java as one
    text: a row each would take longer than what they save."""
    text = local_frame(frame.sparkSession, [(" ".join(f"{number:0{DIGITS}x}" for number in numbers),)],
                       T.StructType([T.StructField("those", T.StringType())]))
    those = F.broadcast(text.select(F.explode(F.split("those", " ")).alias("that")))
    return frame.join(those, _digits(column) == those["that"], "left_semi" if inside else "left_anti")


def _digits(name: str) -> Column:
    return F.lower(F.substring(F.translate(name, "-", ""), -DIGITS, DIGITS))


@built_once
def _figures() -> list[Column]:
    """What is counted of each partition as the batch is read."""
    return [F.count("*").alias("n"), F.bit_xor(place_hash()).alias("hash"),
            F.max("offset").alias("last"), F.count_if(F.col("reason").isNotNull()).alias("dead"),
            F.count_if(F.col("empty")).alias("nulls"), F.count_if("age_differs").alias("ages"),
            F.max("synthetic").alias("synthetic")]


@built_once
def _keys() -> list[Column]:
    """What stands for the people and their tokens in engine/stores/known.py."""
    return [F.collect_list(F.conv(_digits(name), 16, 10).cast("bigint")).alias(alias)
            for name, alias in (("person_uuid", "uuids"), ("suppression", "tokens"))]


def recounted(settings: Settings, spark: SparkSession) -> dict[Cell, int]:
    """A count over all rows that are counted."""
    return counted_cells(spark.read.format(CASSANDRA).options(**cassandra_table(settings, "profiles")).load())


def rows(taken: DataFrame, keys: KeyRing, pinned: bool = False) -> DataFrame:
    """The columns of `profiles`, from people whose record was taken; pinned: of those who have pins, what these are, too."""
    also = _pin_columns() if pinned else ()
    return with_ring(taken, keys).select(*columns_of_record(keys.current), *_decided_columns(), *also)


@built_once
def _decided_columns() -> list[Column]:
    return [F.col("first_seen"), F.col("counted_after").alias("counted")]


@built_once
def _pin_columns() -> list[Column]:
    return [pinned_names(F.col("v_pins")).alias("pinned"), F.col("v_rectified").alias("rectified")]


@built_once
def columns_of_record(key: str) -> list[Column]:
    """Those columns of `profiles` that a record alone determines; frame: of `parsed`, with `ring`. key: id of the current."""
    person, uuid, ring = F.col("person"), F.col("person_uuid"), F.col("ring")
    clear = {**columns.readable(person, F.col("born"), F.to_date("timestamp"), ring), "email_domain": F.col("domain")}
    boxes = {name: sealed(value, uuid, name, ring) for name, value in columns.personal(person, F.col("born")).items()}
    return [
        uuid.alias("uuid"), F.col("timestamp").alias("appended_at"), F.col("partition").alias("source_partition"),
        F.col("offset").alias("source_offset"), F.lit(key).alias("key_id"),
        *[value.alias(name) for name, value in {**clear, **boxes}.items()]]
