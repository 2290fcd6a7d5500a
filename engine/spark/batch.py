"""A turn's batch on Spark: parse, set aside, look up, keep the newest, compare with the rows, write.

It comes to the same as engine/writer/plain_batch.py does record by record (a test compares them). Everything is joined by
key in Cassandra ("direct join"), nothing is scanned, and no Python runs on the records that are people.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.storagelevel import StorageLevel

from engine.clients import mapped
from engine.commands import Marker, Verdict
from engine.dead_letters.claim import LETTER, Claim, claimed
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES, Cell
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.spark import columns
from engine.spark.failures import FAILURES
from engine.spark.keys import sealed, token, with_ring
from engine.spark.pins import laid_over, pinned_names
from engine.spark.rows import local_frame
from engine.spark.session import CASSANDRA, cassandra_table
from engine.stores.dead_letters import LARGEST, ORIGIN, DeadLetters, too_large
from engine.stores.profiles import marker_of

ROW_COLUMNS = ("uuid", "appended_at", "source_partition", "source_offset", "first_seen", "counted", "nat", "gender",
               "birth_month", "email_domain", "rectified")
VERDICTS = {"v_token": "string", "v_uuid": "string", "v_erased": "boolean", "v_restricted": "boolean",
            "v_not_before": "long", "v_pins": "string", "v_rectified": "long"}

LETTERS_BYTES = 16 * 1_048_576
"""Bytes of dead letters after which their acknowledgement is waited for: a batch may hold thousands of large ones."""


@dataclass(frozen=True)
class Surroundings:
    """What every batch of one stream needs."""

    settings: Settings
    keys: KeyRing
    dead_letters: DeadLetters


class SparkResolved:
    """See engine/writer/write_order.py, Resolved."""

    def __init__(self, around: Surroundings, frame: DataFrame, deltas: Mapping[Cell, int], flagged: Sequence[Any],
                 figures: Mapping[str, int], pinned: bool) -> None:
        self._around, self._frame, self.deltas, self.figures, self._pinned = around, frame, deltas, figures, pinned
        self.deletes = [row.uuid for row in flagged if row.gone]
        self.recoloured = {row.uuid: row.counted_after for row in flagged if row.recoloured}
        self.repinned = {row.uuid: row.verdict_token for row in flagged if row.repinned}
        self.barred = [row.uuid for row in flagged if row.barred]

    def write_rows(self, timestamp: int) -> None:
        """Writes the new and changed rows, sealed, through the connector, with this timestamp (microseconds)."""
        if not self.figures["new"] + self.figures["changed"]:
            return
        taken = self._frame.where("taken")
        self._write(rows(taken.where("v_pins IS NULL"), self._around.keys), timestamp)
        if self._pinned:
            names = {"pinned": pinned_names(F.col("v_pins")), "rectified": F.col("v_rectified")}
            self._write(rows(taken.where("v_pins IS NOT NULL"), self._around.keys, names), timestamp)

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

    def fingerprint(self) -> str:
        """Count and hash of the (partition, offset) of the records; also counts what was read."""
        found = self._parsed.groupBy("partition").agg(
            F.count("*").alias("n"), F.expr("bit_xor(xxhash64(partition, offset))").alias("hash"),
            F.max("offset").alias("last"), F.count_if(F.col("reason").isNotNull()).alias("dead"),
            F.count_if(F.col("empty")).alias("nulls"), F.count_if("age_differs").alias("ages"),
            F.max("synthetic").alias("synthetic")).collect()
        self.ends = {str(row.partition): row.last + 1 for row in found}
        self.synthetic = any(row.synthetic for row in found)
        nulls, dead = sum(row.nulls for row in found), sum(row.dead for row in found)
        read = sum(row.n for row in found)
        self.figures = {"read": read, "nulls": nulls, "dead": dead, "valid": read - nulls - dead,
                        "age_differs": sum(row.ages for row in found)}
        whole = 0
        for row in found:
            whole ^= row.hash
        return f"{read}:{whole & (2 ** 64 - 1):016x}"

    def set_aside(self) -> int:
        """Sends what is no person to the dead letters and waits until they are kept."""
        if not self.figures["dead"]:
            return 0
        letters = self._around.dead_letters
        bad = self._parsed.where("reason IS NOT NULL").select(
            "place", "reason", "value", "size", "first_append", "origin", "claim")
        for row in bad.toLocalIterator():
            claim = claim_of(row.claim, self._around.keys) or Claim(row.place, 0, row.first_append)
            origin = {name: bytes(text or b"").decode(errors="replace") for name, text in row.origin or ()}
            reason = columns.REASONS[row.reason] + (too_large(row.size) if row.value is None and row.size else "")
            letters.put(claim.place, reason, bytes(row.value or b""), claim.first_append, claim.attempt, origin)
            if letters.unsettled > LETTERS_BYTES:
                letters.flush()
        letters.flush()
        return self.figures["dead"]

    def markers(self) -> dict[str, Marker]:
        """Markers of the people of this batch, by a join on their token."""
        tokens = self._valid().select(F.col("suppression").alias("batch_token"))
        kept = ("suppression", "erased", "restricted", "last_command", "request", "pins", "rectified")
        table = self._table("markers").select(*kept, "not_before")
        joined = tokens.join(table, tokens["batch_token"] == table["suppression"])
        # as a number: collected as a moment it would come in the time zone of this machine
        not_before = F.coalesce(F.unix_millis("not_before"), F.lit(-1)).alias("not_before")
        return {row.suppression: marker_of(row, row.not_before, self._around.keys)
                for row in joined.select(*kept, not_before).collect()}

    def resolve(self, verdicts: Mapping[str, Verdict]) -> SparkResolved:
        """The verdicts joined to the records and the rows; one pass makes the deltas, another finds what is special."""
        judged = self._people(verdicts).persist(StorageLevel.MEMORY_AND_DISK)
        self._kept.append(judged)
        with mapped("reading rows from Cassandra"):
            deltas = {Cell(row.collection, row.document, row.gender, row.month): row.n for row in _deltas(judged).collect()}
            counts = judged.agg(
                F.count_if(F.col("taken") & ~F.col("stands")).alias("new"),
                F.count_if(F.col("taken") & F.col("stands")).alias("changed"),
                F.coalesce(F.sum("barred_records"), F.lit(0)).alias("barred"),
                F.count_if(F.col("gone") | F.col("recoloured") | F.col("repinned")).alias("special")).collect()[0]
        flagged = judged.where("gone OR recoloured OR repinned OR barred").select(
            "uuid", "gone", "recoloured", "repinned", "barred", "counted_after",
            F.coalesce("suppression", "v_token").alias("verdict_token"),
        ).collect() if counts.special or counts.barred else []
        stale = self.figures["valid"] - counts.new - counts.changed - counts.barred
        figures = {**self.figures, "new": counts.new, "changed": counts.changed, "barred": counts.barred, "stale": stale}
        return SparkResolved(self._around, judged, deltas, flagged, figures, any(v.marker.pins for v in verdicts.values()))

    def close(self) -> None:
        """Gives the memory back. Where Cassandra is away even that can fail, and Java's collector does it later."""
        for frame in self._kept:
            with suppress(*FAILURES):
                frame.unpersist()

    def _valid(self) -> DataFrame:
        return self._parsed.where("reason IS NULL AND NOT empty")

    def _table(self, name: str) -> DataFrame:
        return (self._spark.read.format(CASSANDRA).options(**cassandra_table(self._around.settings, name))
                .option("directJoinSetting", "on").load())

    def _people(self, verdicts: Mapping[str, Verdict]) -> DataFrame:
        """One line a person of this turn: newest record that counts, row that stands, verdict, and what follows."""
        judged = _with_verdicts(self._valid(), verdicts, self._spark)
        people = newest(judged)
        named = [(verdict.uuid, token) for token, verdict in verdicts.items() if verdict.uuid]
        if named:
            people = _with_named(people, named, verdicts, self._spark)
        if any(verdict.marker.pins for verdict in verdicts.values()):
            people = people.withColumn("person", laid_over(F.col("person"), F.col("v_pins")))
        table = self._table("profiles").select(*ROW_COLUMNS)
        joined = people.join(table, people["person_uuid"] == table["uuid"], "left")
        return _decided(_prefixed(joined))


def parsed(raw: DataFrame, keys: KeyRing) -> DataFrame:
    """Kafka's records, parsed and judged: place, record fields, person, reason (null for a good one), suppression token.

    origin, claim: of a bad one, the headers its letter keeps, and what `claim_of` takes.

    raw: key, value, partition, offset, timestamp, headers as Spark's Kafka source gives them.
    """
    person, at = F.col("person"), F.col("timestamp")
    read = raw.select("key", "value", "partition", "offset", "timestamp", columns.parsed(F.col("value")).alias("person"),
                      F.concat_ws("-", "topic", "partition", "offset").alias("place"), "headers",
                      _header("synthetic"), _header("schema"))
    judged = with_ring(read, keys).withColumn(
        "reason", columns.reason(F.col("key"), F.col("value"), person, F.to_date(at), F.col("schema")))
    good = F.col("reason").isNull()
    kept = F.length("value") <= LARGEST
    named = F.transform("headers", lambda header: header["key"])
    return judged.select(
        "partition", "offset", "timestamp", "place", "reason", F.col("value").isNull().alias("empty"),
        F.when(~good & kept, F.col("value")).alias("value"), F.length("value").alias("size"),
        F.date_format(at, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").alias("first_append"),
        F.when(~good, F.filter("headers", lambda header: header["key"].isin(*ORIGIN))).alias("origin"),
        F.when(~good & kept & F.array_contains(named, LETTER), F.struct("key", "value", "headers")).alias("claim"),
        F.coalesce(F.col("synthetic") == "1", F.lit(False)).alias("synthetic"),
        F.when(good, columns.uuid_of(person)).alias("person_uuid"),
        F.when(good, token(columns.uuid_of(person), F.col("ring"), "suppression")).alias("suppression"),
        F.when(good, person).alias("person"),
        F.coalesce(good & (columns.said_age(person) != columns.age(columns.birth_date(person), F.to_date(at))),
                   F.lit(False)).alias("age_differs"))


def claim_of(told: Any, keys: KeyRing) -> Claim | None:
    """Which letter a bad record is, if it is a redriven one. told: its column `claim`, collected."""
    return None if told is None else claimed(keys, told.key, told.value, told.headers)


def _header(name: str) -> Column:
    """A header as text, null where it is missing; of several the first."""
    return F.expr(f"filter(headers, header -> header.key = '{name}')[0].value").cast("string").alias(name)


def newest(judged: DataFrame) -> DataFrame:
    """The newest record that counts of each person, and how many of hers were barred.

    Within a partition the greatest offset, between partitions the latest append time (engine/person.py, Position).
    """
    counts = ~F.col("barred")
    person = Window.partitionBy("person_uuid")
    in_partition = Window.partitionBy("person_uuid", "partition").orderBy(counts.desc(), F.col("offset").desc())
    over_partitions = person.orderBy(counts.desc(), F.col("timestamp").desc(), F.col("partition").desc())
    return (judged
            .withColumn("barred_records", F.sum(F.col("barred").cast("int")).over(person))
            .withColumn("rank", F.row_number().over(in_partition)).where("rank = 1")
            .withColumn("rank", F.row_number().over(over_partitions)).where("rank = 1")
            .drop("rank").withColumn("has_record", ~F.col("barred")))


def rows(taken: DataFrame, keys: KeyRing, more: Mapping[str, Column] | None = None) -> DataFrame:
    """The columns of `profiles`, from people whose record was taken; `more` for those who have pins."""
    person, uuid, ring = F.col("person"), F.col("person_uuid"), F.col("ring")
    clear = columns.readable(person, F.to_date("timestamp"), ring)
    boxes = {name: sealed(value, uuid, name, ring) for name, value in columns.personal(person).items()}
    return with_ring(taken, keys).select(
        uuid.alias("uuid"), F.col("timestamp").alias("appended_at"), F.col("partition").alias("source_partition"),
        F.col("offset").alias("source_offset"), "first_seen", F.col("counted_after").alias("counted"),
        F.lit(keys.current).alias("key_id"), *[value.alias(name) for name, value in {**clear, **boxes, **(more or {})}.items()])


def _with_verdicts(valid: DataFrame, verdicts: Mapping[str, Verdict], spark: SparkSession) -> DataFrame:
    """Adds the verdict of each record's person and whether the record is barred."""
    if verdicts:
        valid = valid.join(F.broadcast(_verdict_frame(verdicts, spark)), F.col("suppression") == F.col("v_token"), "left")
    else:
        valid = valid.withColumns({name: F.lit(None).cast(kind) for name, kind in VERDICTS.items()})
    barred = F.col("v_erased") | (F.unix_millis("timestamp") <= F.col("v_not_before"))
    return valid.withColumn("barred", F.coalesce(barred, F.lit(False)))


def _with_named(people: DataFrame, named: Sequence[tuple[str, str]], verdicts: Mapping[str, Verdict],
                spark: SparkSession) -> DataFrame:
    """Adds the people whom commands name and who have no record here."""
    frame = _verdict_frame({token: verdicts[token] for _, token in named}, spark)
    there = people.select(F.col("person_uuid").alias("there"))
    alone = frame.join(there, frame["v_uuid"] == there["there"], "left_anti").withColumns(
        {"person_uuid": F.col("v_uuid"), "has_record": F.lit(False), "barred_records": F.lit(0).cast("long")})
    return people.unionByName(alone, allowMissingColumns=True)


def _verdict_frame(verdicts: Mapping[str, Verdict], spark: SparkSession) -> DataFrame:
    rows = [(token, verdict.uuid or None, str(verdict.marker.erased), str(verdict.marker.restricted),
             str(verdict.marker.not_before), verdict.marker.pins or None, str(verdict.marker.rectified))
            for token, verdict in verdicts.items()]
    texts = T.StructType([T.StructField(name, T.StringType()) for name in VERDICTS])
    return local_frame(spark, rows, texts).select(*[F.col(name).cast(kind).alias(name) for name, kind in VERDICTS.items()])


def _prefixed(joined: DataFrame) -> DataFrame:
    """Names the columns of the row that stands `p_*`, after the join: before it, the connector would not find them."""
    ours = [name for name in joined.columns if name not in ROW_COLUMNS]
    return joined.select(*ours, *[F.col(name).alias(f"p_{name}") for name in ROW_COLUMNS]).drop("uuid")


def _decided(people: DataFrame) -> DataFrame:
    """What follows for each person; the words are those of engine/writer/plain_batch.py."""
    prior = F.col("p_uuid").isNotNull()
    void = F.coalesce(F.col("v_erased") | (F.unix_millis("p_appended_at") <= F.col("v_not_before")), F.lit(False))
    stands = prior & ~void
    same = F.col("partition") == F.col("p_source_partition")
    later = F.struct("timestamp", "partition") > F.struct(
        F.col("p_appended_at").alias("timestamp"), F.col("p_source_partition").alias("partition"))
    newer = F.when(same, F.col("offset") > F.col("p_source_offset")).otherwise(later)
    taken = F.col("has_record") & F.when(stands, newer).otherwise(F.lit(True))
    counted = ~F.coalesce(F.col("v_restricted"), F.lit(False))
    pins = _counted_under(F.from_json("v_pins", columns.PERSON))    # alone: a stale record's values are not the row's
    return (people
            .withColumn("prior", prior).withColumn("stands", stands).withColumn("taken", taken)
            .withColumn("after", F.col("taken") | F.col("stands"))
            .withColumn("counted_after", counted)
            .withColumn("gone", F.col("prior") & ~F.col("stands"))
            .withColumn("recoloured", F.col("stands") & ~F.col("taken") & (F.col("p_counted") != F.col("counted_after")))
            .withColumn("repinned", F.col("stands") & ~F.col("taken") & F.col("v_pins").isNotNull()
                        & (F.coalesce("p_rectified", F.lit(-1)) != F.col("v_rectified")))
            .withColumn("barred", (F.col("barred_records") > 0) & F.coalesce(F.col("v_erased"), F.lit(False)))
            .withColumn("uuid", F.col("person_uuid"))
            .withColumn("first_seen", F.when(F.col("stands"), F.col("p_first_seen")).otherwise(F.col("timestamp")))
            .withColumns({name: F.when(F.col("taken"), value)
                          .when(F.col("repinned"), F.coalesce(pins[name], F.col(f"p_{name}"))).otherwise(F.col(f"p_{name}"))
                          for name, value in _counted_under(F.col("person")).items()}))


def _counted_under(person: Column) -> dict[str, Column]:
    return {"nat": person["nat"], "gender": person["gender"],
            "birth_month": F.date_format(columns.birth_date(person), "yyyy-MM"),
            "email_domain": columns.email_domain(person)}


def _cells(prefix: str, sign: int) -> Column:
    """What a row is counted under, as structs with a sign (engine/person.py, Row.cells)."""
    nothing, at = F.lit(""), F.date_format(f"{prefix}first_seen", "yyyy-MM-dd'T'HH")
    cells = [(NATIONALITIES, F.col(f"{prefix}nat"), F.col(f"{prefix}gender"), F.col(f"{prefix}birth_month")),
             (DOMAINS, F.col(f"{prefix}email_domain"), nothing, nothing), (ARRIVALS, at, nothing, nothing)]
    return F.array(*[F.struct(F.lit(collection).alias("collection"), document.alias("document"), gender.alias("gender"),
                              month.alias("month"), F.lit(sign).alias("sign"))
                     for collection, document, gender, month in cells])


def _deltas(judged: DataFrame) -> DataFrame:
    """Sum per cell over all touched people, zero sums included: every touched document must be stamped."""
    empty = F.array().cast(
        "array<struct<collection:string,document:string,gender:string,month:string,sign:int>>")
    before = F.when(F.col("prior") & F.col("p_counted"), _cells("p_", -1)).otherwise(empty)
    after = F.when(F.col("after") & F.col("counted_after"), _cells("", 1)).otherwise(empty)
    return (judged.select(F.explode(F.concat(before, after)).alias("cell")).select("cell.*")
            .groupBy("collection", "document", "gender", "month").agg(F.sum("sign").alias("n")))


def counted_cells(profiles: DataFrame) -> DataFrame:
    """A count over all rows that are counted: the recount, and what verify compares the aggregates with."""
    return (profiles.where("counted").select(F.explode(_cells("", 1)).alias("cell")).select("cell.*")
            .groupBy("collection", "document", "gender", "month").agg(F.sum("sign").alias("n")))
