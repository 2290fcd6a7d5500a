"""What follows for each person of a batch: her newest record that counts, beside the row that stands and the verdict on her.

The words are those of engine/writer/plain_batch.py. Expressions alone: which rows and verdicts are joined, and what is done
with what follows, stands in engine/spark/batch.py.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from engine.commands import Verdict
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES, Cell
from engine.sealing import KeyRing
from engine.spark import columns
from engine.spark.built import built_once
from engine.spark.keys import opened, with_ring
from engine.spark.pins import laid_over, pinned_domain
from engine.spark.rows import local_frame
from engine.stores.profiles import NAMED, STANDING

VERDICTS = {"v_token": "string", "v_uuid": "string", "v_erased": "boolean", "v_restricted": "boolean",
            "v_not_before": "long", "v_pins": "string", "v_rectified": "long"}
COUNTED_UNDER = ("nat", "gender", "birth_month", "email_domain")
CELLS = "array<struct<collection:string,document:string,gender:string,month:string,n:bigint>>"
FIGURES = "figures"
"""What stands for a collection where a figure of the batch is summed beside the cells."""


def newest(judged: DataFrame) -> DataFrame:
    """The newest record that counts of each person, and how many of hers were barred.

    Within a partition the greatest offset, between partitions the latest append time (engine/person.py, Position).
    """
    in_partition, among_them, has_record = _ranks()
    return judged.select("*", *in_partition).select("*", among_them).where("rank = 1").select("*", has_record)


def alone(judged: DataFrame) -> DataFrame:
    """The same where nobody has a second record."""
    return judged.select("*", *_alone())


@built_once
def _alone() -> list[Column]:
    return [F.col("barred").cast("bigint").alias("barred_records"), _ranks()[2]]


@built_once
def _ranks() -> tuple[tuple[Column, ...], Column, Column]:
    counts = ~F.col("barred")
    person = Window.partitionBy("person_uuid")
    in_partition = Window.partitionBy("person_uuid", "partition").orderBy(counts.desc(), F.col("offset").desc())
    over_partitions = person.orderBy((F.col("place_in_partition") == 1).desc(), counts.desc(), F.col("timestamp").desc(),
                                     F.col("partition").desc())
    return ((F.sum(F.col("barred").cast("int")).over(person).alias("barred_records"),
             F.row_number().over(in_partition).alias("place_in_partition")),
            F.row_number().over(over_partitions).alias("rank"), (~F.col("barred")).alias("has_record"))


def with_verdicts(valid: DataFrame, verdicts: Mapping[str, Verdict]) -> DataFrame:
    """Adds the verdict of each record's person and whether the record is barred."""
    nothing, barred = _barring()
    if verdicts:
        frame = _verdict_frame(verdicts, valid.sparkSession)
        joined = valid.join(F.broadcast(frame), valid["suppression"] == frame["v_token"], "left")
    else:
        joined = valid.select("*", *nothing)
    return joined.select("*", barred)


@built_once
def _barring() -> tuple[list[Column], Column]:
    barred = F.col("v_erased") | (F.unix_millis("timestamp") <= F.col("v_not_before"))
    return ([F.lit(None).cast(kind).alias(name) for name, kind in VERDICTS.items()],
            F.coalesce(barred, F.lit(False)).alias("barred"))


def with_named(people: DataFrame, named: Sequence[tuple[str, str]], verdicts: Mapping[str, Verdict]) -> DataFrame:
    """Adds the people whom commands name (uuid, token) and who have no record here."""
    frame = _verdict_frame({token: verdicts[token] for _, token in named}, people.sparkSession)
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


def corrected(people: DataFrame) -> DataFrame:
    """With what the pins of people set in her and in what is made of her."""
    pinned = F.col("v_pins").isNotNull()
    laid = people.withColumn("person", laid_over(F.col("person"), F.col("v_pins")))
    return laid.withColumns({
        "born": F.when(pinned, columns.birth_date(F.col("person"))).otherwise(F.col("born")),
        "domain": F.when(pinned, columns.email_domain(F.col("person"))).otherwise(F.col("domain"))})


def beside(people: DataFrame, table: DataFrame | None) -> DataFrame:
    """Each person and the row that stands, its columns named `p_*`; without a table, for people who surely have none."""
    if table is None:
        return people.select("*", *_no_row())
    joined = people.join(table, people["person_uuid"] == table["uuid"], "left")
    # after the join: before it, the connector would not find them
    theirs = [name for name in joined.columns if name in (*STANDING, *NAMED)]
    ours = [name for name in joined.columns if name not in theirs]
    return joined.select(*ours, *[F.col(name).alias(f"p_{name}") for name in theirs])


@built_once
def _no_row() -> list[Column]:
    kinds = {"appended_at": "timestamp", "source_partition": "int", "source_offset": "bigint", "first_seen": "timestamp",
             "counted": "boolean", "rectified": "bigint"}
    return [F.lit(None).cast(kinds.get(name, "string")).alias(f"p_{name}") for name in STANDING]


def decided(people: DataFrame, keys: KeyRing | None) -> DataFrame:
    """What follows for each person. people: of `beside`. keys: only where somebody has pins; her row's NAMED were read then."""
    if keys is not None:
        people = with_ring(people, keys).withColumns(_opened()).drop("ring")
    first, second, third = _decisions(keys is not None)
    return people.select("*", *first).select("*", *second).select("*", *third)


@built_once
def _opened() -> dict[str, Column]:
    """NAMED of the rows that stand and whose person has pins, for nobody else's is looked at."""
    return {f"p_{name}": opened(F.when(F.col("v_pins").isNotNull(), F.col(f"p_{name}")), F.col("person_uuid"), name,
                                F.col("ring")) for name in NAMED}


@built_once
def _decisions(pins: bool) -> tuple[list[Column], list[Column], list[Column]]:
    """Columns in three rounds, for each uses those before."""
    prior = F.col("p_uuid").isNotNull()
    void = F.coalesce(F.col("v_erased") | (F.unix_millis("p_appended_at") <= F.col("v_not_before")), F.lit(False))
    stands = prior & ~void
    same = F.col("partition") == F.col("p_source_partition")
    later = F.struct("timestamp", "partition") > F.struct(
        F.col("p_appended_at").alias("timestamp"), F.col("p_source_partition").alias("partition"))
    newer = F.when(same, F.col("offset") > F.col("p_source_offset")).otherwise(later)
    first = {"prior": prior, "stands": stands, "taken": F.col("has_record") & F.when(stands, newer).otherwise(F.lit(True)),
             "counted_after": ~F.coalesce(F.col("v_restricted"), F.lit(False)), "uuid": F.col("person_uuid"),
             "first_seen": F.when(stands, F.col("p_first_seen")).otherwise(F.col("timestamp"))}
    as_it_was = F.col("stands") & ~F.col("taken")
    repinned = (as_it_was & F.col("v_pins").isNotNull()
                & (F.coalesce("p_rectified", F.lit(-1)) != F.col("v_rectified"))) if pins else F.lit(False)
    second = {"after": F.col("taken") | F.col("stands"), "gone": F.col("prior") & ~F.col("stands"),
              "recoloured": as_it_was & (F.col("p_counted") != F.col("counted_after")), "repinned": repinned,
              "erased_again": (F.col("barred_records") > 0) & F.coalesce(F.col("v_erased"), F.lit(False))}
    third = {name: F.when(F.col("taken"), value).otherwise(F.col(f"p_{name}"))
             for name, value in _counted_under(F.col("person"), F.col("born"), F.col("domain")).items()}
    if pins:
        said = F.from_json("v_pins", columns.PERSON)    # alone: a stale record's values are not the row's
        domain = pinned_domain(said, F.col("p_full_name"), F.col("p_email"), F.col("p_email_domain"))
        pinned = _counted_under(said, columns.birth_date(said), domain)
        third = {name: F.when(F.col("repinned"), F.coalesce(pinned[name], F.col(f"p_{name}"))).otherwise(value)
                 for name, value in third.items()}
    return _aliased(first), _aliased(second), _aliased(third)


def _aliased(made: Mapping[str, Column]) -> list[Column]:
    return [value.alias(name) for name, value in made.items()]


def _counted_under(person: Column, born: Column, domain: Column) -> dict[str, Column]:
    made = (person["nat"], person["gender"], F.date_format(born, "yyyy-MM"), domain)
    return dict(zip(COUNTED_UNDER, made, strict=True))


def _cell(collection: str, document: Column, number: Column, gender: Column | None = None,
          month: Column | None = None) -> Column:
    nothing = F.lit("")
    return F.struct(F.lit(collection).alias("collection"), document.alias("document"),
                    (nothing if gender is None else gender).alias("gender"),
                    (nothing if month is None else month).alias("month"), number.alias("n"))


def _cells(prefix: str, sign: int) -> Column:
    """What a row is counted under, as structs with a number (engine/person.py, Row.cells)."""
    one, at = F.lit(sign).cast("bigint"), F.date_format(f"{prefix}first_seen", "yyyy-MM-dd'T'HH")
    return F.array(
        _cell(NATIONALITIES, F.col(f"{prefix}nat"), one, F.col(f"{prefix}gender"), F.col(f"{prefix}birth_month")),
        _cell(DOMAINS, F.col(f"{prefix}email_domain"), one), _cell(ARRIVALS, at, one))


def deltas(judged: DataFrame) -> DataFrame:
    """collection, document, gender, month, n: the sum per cell over all touched people, zero sums included, for every touched
    document must be stamped. And the figures of the batch, as documents of FIGURES."""
    return _summed(judged, *_changes())


@built_once
def _changes() -> tuple[Column, ...]:
    figures = {"new": F.col("taken") & ~F.col("stands"), "changed": F.col("taken") & F.col("stands"),
               "special": F.col("gone") | F.col("recoloured") | F.col("repinned") | F.col("erased_again")}
    nothing = F.array().cast(CELLS)
    return (
        F.when(F.col("prior") & F.col("p_counted"), _cells("p_", -1)).otherwise(nothing),
        F.when(F.col("after") & F.col("counted_after"), _cells("", 1)).otherwise(nothing),
        F.array(*[_cell(FIGURES, F.lit(name), said.cast("bigint")) for name, said in figures.items()],
                _cell(FIGURES, F.lit("barred"), F.col("barred_records"))))


def counted_cells(profiles: DataFrame) -> dict[Cell, int]:
    """A count over all rows that are counted: the recount, and what verify compares the aggregates with."""
    found = _summed(profiles.where("counted"), _cells("", 1)).collect()
    return {Cell(row.collection, row.document, row.gender, row.month): row.n for row in found}


def _summed(people: DataFrame, *cells: Column) -> DataFrame:
    return (people.select(F.explode(F.concat(*cells)).alias("cell")).select("cell.*")
            .groupBy("collection", "document", "gender", "month").agg(F.sum("n").alias("n")))
