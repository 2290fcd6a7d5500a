"""Do topic, rows, markers, dead letters and aggregates agree, and is what is shown what was published?

Everything is counted again, as of one turn, by a Spark job.

What is checked, and how a finding names its place:
- each person of the retained topic is the row her newest record says        row <uuid>: <column>
- where a row's record stood, the topic holds no other                       row <uuid>: record
- each sealed column can be opened                                           row <uuid>: <column>
- nobody erased has a row, nobody restricted is counted, pins are followed   row <uuid>: marker
- each record that is no person has its dead letter, unless it is about
  somebody whose records are barred                                          record <topic-partition-offset>
- no dead letter is about somebody who is erased                             letter <place>
- each aggregate is a count of the counted rows                              <collection>/<document> <path>
- no turn is open and no recount is due                                      writer
- each snapshot that is shown is the one that was published                  snapshot <number>
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from pymongo.database import Database
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from engine.clients import kafka_consumer, mapped, mongo_client
from engine.person import NATIONALITIES, Cell, numbers
from engine.publishing.altered import altered
from engine.publishing.release import NAME
from engine.publishing.snapshots import Snapshots
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings
from engine.spark import columns, failures
from engine.spark.decisions import counted_cells, newest
from engine.spark.keys import opened, token, with_ring
from engine.spark.pins import laid_over, pins_frame
from engine.spark.progress import shown
from engine.spark.records import claim_of, parsed
from engine.spark.session import CASSANDRA, cassandra_table, kafka_options, spark_session
from engine.stores import dead_letters
from engine.stores.aggregates import COLLECTIONS, Aggregates
from engine.stores.dead_letters import Box
from engine.stores.records import PUBLICATION, Records
from engine.stores.status import Status
from engine.writer.hold import still
from engine.writer.write_order import EPOCH

Say = Callable[[str], None]

SHOWN = 20
"""Findings of one kind that are named; the rest is counted."""


@dataclass(frozen=True)
class Finding:
    """One disagreement: where, and what is there."""

    where: str
    what: str


@dataclass
class Report:
    """What was looked at, as of which turn, and what does not agree."""

    turn: int
    streaming: bool
    records: int = 0
    rows: int = 0
    counted: int = 0
    erased: int = 0
    dead_letters: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    documents: int = 0
    snapshots: int = 0
    findings: list[Finding] = field(default_factory=list)
    more: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.findings

    @property
    def aggregates_differ(self) -> bool:
        """Whether something was found that a recount sets right."""
        return any(finding.where.split("/")[0] in COLLECTIONS for finding in self.findings)

    def add(self, found: Iterable[Finding]) -> None:
        """Adds findings of one kind; from SHOWN on they are counted only."""
        for number, finding in enumerate(found):
            if number < SHOWN:
                self.findings.append(finding)
            else:
                self.more += 1


@dataclass(frozen=True)
class Taken:
    """What the stores held at one moment between two turns, held fast in Spark so that the stream can go on."""

    topic: DataFrame
    profiles: DataFrame
    markers: DataFrame
    box: Box
    cells: dict[Cell, int]
    contradictions: list[str]


def verify(settings: Settings, say: Say) -> Report:
    """Compares everything as of one turn. Raises StoreAway, SignInRefused, NotServed.

    The stream, if one runs, stands still while the stores are read, and goes on while they are compared.
    """
    keys = load_keys(settings)
    say("starting Spark")
    spark = spark_session(settings, "verify", "verify")
    try:
        with mongo_client(settings, "verify") as client, shown(spark, say), failures.mapped("comparing the stores"):
            database = client[settings.mongo.database]
            status, aggregates = Status(database), Aggregates(database, settings.mongo.bulk)
            say("waiting for the stream to stand still")
            began = time.monotonic()
            with still(settings, status) as streaming:
                report, taken = _read(settings, keys, spark, status, aggregates, streaming, say)
            took = time.monotonic() - began
            say(f"read in {took:.0f} s" + ("; the stream goes on" if streaming else ""))
            _compare(taken, keys, report, say)
            say("comparing snapshots with what was published")
            report.add(_snapshots_against_records(settings, database, report))
            return report
    finally:
        spark.stop()


def _read(settings: Settings, keys: KeyRing, spark: SparkSession, status: Status, aggregates: Aggregates,
          streaming: bool, say: Say) -> tuple[Report, Taken]:
    state = status.writer()
    report = Report(turn=state.turn, streaming=streaming)
    if state.open is not None or state.recount:
        report.add([Finding("writer", f"turn {state.turn} is open or a recount is due; `rollcall stream start` ends it")])
    figures = status.read("figures") or {}
    ends = figures["offsets"] if figures.get("checkpoint") == state.checkpoint else {}
    say("reading the topic")
    topic = _topic(settings, keys, spark, {**dict.fromkeys(_partitions(settings), 0), **ends}).persist()
    report.records = topic.where("processed").count()
    say(f"reading the rows ({report.records} records were read)")
    profiles, markers = _table(settings, spark, "profiles").persist(), _table(settings, spark, "markers").persist()
    report.rows, report.counted = profiles.count(), profiles.where("counted").count()
    report.erased = markers.where("erased").count()
    say(f"reading dead letters and aggregates ({report.rows} rows were read)")
    box = dead_letters.read(settings, "verify", keys)
    # what lies below was inserted late: a stream that runs zeroes it within a minute, without one it is found
    since = state.epoch * EPOCH if streaming and not state.recount else 0
    return report, Taken(topic, profiles, markers, box, aggregates.cells(since), aggregates.contradictions(since))


def _compare(taken: Taken, keys: KeyRing, report: Report, say: Say) -> None:
    say("comparing rows with the topic")
    report.add(_rows_against_topic(taken.topic, taken.profiles, taken.markers, keys))
    say("comparing dead letters with the topic")
    letters = taken.box.standing
    report.dead_letters, report.reasons = len(letters), dict(Counter(letter.reason for letter in letters))
    report.add(_records_against_letters(taken, keys))
    say("comparing aggregates with the rows")
    report.add(_aggregates_against_rows(taken, report))


def _records_against_letters(taken: Taken, keys: KeyRing) -> Iterable[Finding]:
    """What is no person has its letter, but for people whose records are barred; of erased people no letter stands."""
    markers = taken.markers.select("suppression", "erased", "not_before")
    barred = F.coalesce(F.col("erased") | (F.col("timestamp") <= F.col("not_before")), F.lit(False))
    bad = taken.topic.where("processed AND reason IS NOT NULL").select("place", "claim", "timestamp", "whose")
    judged = (bad.select("place", "timestamp", F.explode("whose").alias("suppression")).join(markers, "suppression")
              .groupBy("place").agg(F.max(barred).alias("barred"), F.max("erased").alias("erased")))
    erased = _about_erased(taken, keys)
    for row in bad.join(judged, "place", "left").orderBy("place").toLocalIterator():
        place = (claim_of(row.claim, keys) or row).place
        if row.erased and place in taken.box.letters:
            erased.add(place)
        if not row.barred and not taken.box.knows(place):
            yield Finding(f"record {row.place}", "it is no person and has no dead letter")
    yield from (Finding(f"letter {place}", "it is about somebody who is erased") for place in sorted(erased))


def _about_erased(taken: Taken, keys: KeyRing) -> set[str]:
    """Places of letters in which the number of somebody stands who is erased; whatever sent them."""
    named = {letter.place: {keys.suppression_token(number) for number in numbers(letter.value)}
             for letter in taken.box.letters.values()}
    tokens = {row.suppression for row in taken.markers.where("erased").select("suppression").toLocalIterator()}
    return {place for place, whose in named.items() if whose & tokens}


def _aggregates_against_rows(taken: Taken, report: Report) -> list[Finding]:
    want = counted_cells(taken.profiles)
    have = taken.cells
    report.documents = len({(cell.collection, cell.document) for cell in have})
    wrong = [Finding(_place(cell), f"the document says {have.get(cell, 0)}, the rows {want.get(cell, 0)}")
             for cell in sorted(set(want) | set(have)) if want.get(cell, 0) != have.get(cell, 0)]
    return wrong + [Finding(*said.split(": ", 1)) for said in taken.contradictions]


def _snapshots_against_records(settings: Settings, database: Database[Any], report: Report) -> list[Finding]:
    """As `inspector`, who may read the records, and while the stream goes on: a snapshot is none of its turns."""
    with Records.opened(settings, "inspector") as records:
        there = Snapshots(database).bodies()
        found = altered(there, records.versions(PUBLICATION, NAME))
    report.snapshots = len(there)
    return [Finding(f"snapshot {one.number}", one.what) for one in found]


def _place(cell: Cell) -> str:
    path = f" births.{cell.gender}.{cell.month}" if cell.collection == NATIONALITIES else " users"
    return f"{cell.collection}/{cell.document}{path}"


def _topic(settings: Settings, keys: KeyRing, spark: SparkSession, ends: dict[str, int]) -> DataFrame:
    """The whole retained topic, parsed; `processed` says whether the stream has read the record."""
    raw = (spark.read.format("kafka").options(**kafka_options(settings, "verify"))
           .option("subscribe", settings.kafka.topic).option("startingOffsets", "earliest")
           .option("endingOffsets", "latest").option("includeHeaders", "true").load())
    return parsed(raw, keys).withColumn("processed", F.col("offset") < _by_partition(ends, F.col("partition")))


def _by_partition(offsets: dict[str, int], partition: Column) -> Column:
    """The offset that belongs to a partition."""
    items = [F.lit(item) for number, offset in offsets.items() for item in (int(number), int(offset))]
    return F.element_at(F.create_map(*items), partition)


def _partitions(settings: Settings) -> list[str]:
    """The partitions of the topic of people."""
    with mapped("looking at the topic", "verify"):
        consumer = kafka_consumer(settings, "verify")
        try:
            return [str(number) for number in consumer.partitions_for_topic(settings.kafka.topic) or ()]
        finally:
            consumer.close()


def _table(settings: Settings, spark: SparkSession, name: str) -> DataFrame:
    return spark.read.format(CASSANDRA).options(**cassandra_table(settings, name)).load()


def _rows_against_topic(topic: DataFrame, profiles: DataFrame, markers: DataFrame, keys: KeyRing) -> Iterable[Finding]:
    """Joins what the topic says with what stands, and names each difference."""
    stands = profiles.select(F.col("uuid").alias("person_uuid"), F.col("source_partition").alias("s_partition"),
                             F.col("source_offset").alias("s_offset"))
    # a row may be ahead of what this checkpoint has read: then its own record counts as processed too
    reached = F.col("processed") | ((F.col("partition") == F.col("s_partition")) & (F.col("offset") <= F.col("s_offset")))
    valid = (topic.where("reason IS NULL AND NOT empty").join(stands, "person_uuid", "left").where(reached)
             .join(markers.select("suppression", "erased", "not_before"), "suppression", "left"))
    barred = F.coalesce(F.col("erased") | (F.col("timestamp") <= F.col("not_before")), F.lit(False))
    wanted = newest(valid.withColumn("barred", barred)).where("has_record")
    pins = pins_frame(topic.sparkSession, markers, keys)
    pinned = (wanted.join(F.broadcast(pins), F.col("suppression") == F.col("m_suppression"), "left")
              .withColumn("person", laid_over(F.col("person"), F.col("m_pins"))))
    birth = columns.birth_date(F.col("person"))
    expected = with_ring(pinned, keys).select(
        F.col("person_uuid").alias("uuid"), F.col("partition").alias("w_source_partition"),
        F.col("offset").alias("w_source_offset"),
        *[value.alias(f"w_{name}") for name, value in {
            **columns.readable(F.col("person"), birth, F.to_date("timestamp"), F.col("ring")),
            **columns.personal(F.col("person"), birth)}.items()])
    compared = [name.removeprefix("w_") for name in expected.columns if name.startswith("w_")]
    ring = F.col("ring")
    standing = with_ring(profiles, keys).select(
        "uuid", F.lit(True).alias("row"), "counted", "appended_at", F.coalesce("rectified", F.lit(-1)).alias("follows"),
        token(F.col("uuid"), ring, "suppression").alias("suppression"),
        *[opened(F.col(name), F.col("uuid"), name, ring).alias(name) if name in columns.SEALED else F.col(name)
          for name in compared],
        *[F.col(name).isNotNull().alias(f"has_{name}") for name in columns.SEALED],
    ).persist()    # Spark 3.5 finds every value null when it opens and tests for null in one projection
    standing = standing.withColumn("shut", _any([F.col(f"has_{name}") & F.col(name).isNull() for name in columns.SEALED]))
    judged = standing.join(markers.select("suppression", "erased", "restricted", "not_before", "rectified"),
                           "suppression", "left")
    # what now stands where the row's record stood; compaction may have taken it for a newer one that is no person
    place = topic.select(F.col("partition").alias("source_partition"), F.col("offset").alias("source_offset"),
                         F.coalesce("person_uuid", F.lit("nobody")).alias("there"))
    both = (expected.join(judged, "uuid", "full")
            .join(place, ["source_partition", "source_offset"], "left"))
    wrong = {
        "marker": F.coalesce(F.col("row") & (
            F.coalesce(F.col("erased") | (F.col("appended_at") <= F.col("not_before")), F.lit(False))
            | (F.col("counted") == F.coalesce(F.col("restricted"), F.lit(False)))
            | (F.col("follows") != F.coalesce(F.col("rectified"), F.lit(-1)))), F.lit(False)),
        "record": F.coalesce(F.col("row") & (F.col("there") != F.col("uuid")), F.lit(False)),
        "missing": F.col("row").isNull(),
        "a sealed column cannot be opened": F.coalesce(F.col("shut"), F.lit(False)),
        **{name: F.col("row").isNotNull() & F.col("w_source_offset").isNotNull() & ~F.col(f"w_{name}").eqNullSafe(F.col(name))
           for name in compared},
    }
    found = both.select("uuid", F.filter(F.array(*[F.when(wrong_now, F.lit(name)) for name, wrong_now in wrong.items()]),
                                         lambda name: name.isNotNull()).alias("wrong")).where("size(wrong) > 0")
    for row in found.orderBy("uuid").toLocalIterator():
        yield Finding(f"row {row.uuid}", _said(row.wrong))


def _said(wrong: list[str]) -> str:
    texts = {"marker": "its marker says it must not stand, not be counted so, or be rectified", "missing": "the row is missing",
             "record": "where its record should stand, the topic holds another"}
    differing = [name for name in wrong if name not in texts and " " not in name]
    said = [texts.get(name, name) for name in wrong if name in texts or " " in name]
    return "; ".join(said + ([f"not what its newest record says: {', '.join(differing)}"] if differing else []))


def _any(conditions: list[Column]) -> Column:
    return reduce(lambda one, other: one | other, conditions)

