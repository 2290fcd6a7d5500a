"""Pins on Spark: a person as her pins make her, and rows corrected where no record of theirs is in the batch.

The plain words of it are in engine/writer/pins.py. What a pin holds reaches Spark as a value of a frame, never as a literal, so
that no plan shows it.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from engine.clients import mapped
from engine.commands import Marker
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.spark import columns
from engine.spark.domains import domain_shown
from engine.spark.keys import opened, sealed, with_ring
from engine.spark.rows import local_frame
from engine.spark.session import CASSANDRA, cassandra_table
from engine.writer.pins import GROUPS

NAMES = "map<string,string>"


def laid_over(person: Column, pins: Column) -> Column:
    """A person (PERSON) with each group that the pins (JSON text or null) set; null stays null without pins."""
    said = F.from_json(pins, columns.PERSON)
    whole = F.struct(*[
        F.coalesce(said[name], person[name]).alias(name) if name in GROUPS else person[name].alias(name)
        for name in columns.PERSON.names])
    return F.when(pins.isNull(), person).otherwise(whole)


def pinned_names(pins: Column) -> Column:
    """The column `pinned` of a row: names of the groups that are pinned."""
    return F.array_sort(F.map_keys(F.from_json(pins, NAMES)))


def pinned_domain(said: Column, full_name: Column, email: Column, stored: Column) -> Column:
    """The column `email_domain` of a row that its pins (PERSON) correct: by name and address, of which either may be pinned."""
    name = F.when(said["name"].isNotNull(), columns.full_name(said)).otherwise(full_name)
    follows = said["name"].isNotNull() | said["email"].isNotNull()
    return F.coalesce(F.when(follows, domain_shown(F.coalesce(said["email"], email), name)), stored)


def repin(settings: Settings, spark: SparkSession, keys: KeyRing, markers: Mapping[str, Marker], timestamp: int) -> None:
    """Sets, in the rows of these people, the columns that their pins determine, with this timestamp (microseconds).

    The columns that are not pinned are written as they were read in this same turn; `counted` is left to `recolour`.
    """
    fields = ("k_uuid", "k_pins", "k_rectified")
    frame = local_frame(spark, [(uuid, mark.pins, str(mark.rectified)) for uuid, mark in markers.items()],
                        T.StructType([T.StructField(name, T.StringType()) for name in fields]))
    options = cassandra_table(settings, "profiles")
    table = spark.read.format(CASSANDRA).options(**options).option("directJoinSetting", "on").load()
    stands = with_ring(frame.join(table, frame["k_uuid"] == table["uuid"]), keys)
    person, ring = F.from_json("k_pins", columns.PERSON), F.col("ring")
    birth = columns.birth_date(person)
    values = {**columns.readable(person, birth, F.col("age_as_of"), ring),
              **{name: sealed(value, F.col("k_uuid"), name, ring) for name, value in columns.personal(person, birth).items()}}
    changed = {name: F.when(person[group].isNotNull(), values[name]).otherwise(F.col(name))
               for group, names in GROUPS.items() for name in names}
    name, email = [opened(F.col(column), F.col("k_uuid"), column, ring) for column in ("full_name", "email")]
    changed["email_domain"] = pinned_domain(person, name, email, F.col("email_domain"))
    with mapped("correcting rows in Cassandra"):
        (stands.select("uuid", *[value.alias(name) for name, value in changed.items()],
                       pinned_names(F.col("k_pins")).alias("pinned"), F.col("k_rectified").cast("long").alias("rectified"))
         .write.format(CASSANDRA).options(**options).option("spark.cassandra.output.timestamp", str(timestamp))
         .option("spark.cassandra.output.ignoreNulls", "false").mode("append").save())


def pins_frame(spark: SparkSession, markers: DataFrame, keys: KeyRing) -> DataFrame:
    """suppression, m_pins (JSON): of the markers (as the table holds them) that have pins. Few: one a rectified person."""
    found = markers.where("pins IS NOT NULL").select("suppression", "pins").collect()
    fields = T.StructType([T.StructField(name, T.StringType()) for name in ("m_suppression", "m_pins")])
    return local_frame(spark, [(row.suppression, keys.open_pins(row.suppression, bytes(row.pins))) for row in found], fields)
