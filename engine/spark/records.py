"""Kafka's records on Spark: parsed, and judged whether they are people."""

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from engine.dead_letters.claim import LETTER, Claim, claimed
from engine.sealing import KeyRing
from engine.spark import columns
from engine.spark.built import built_once
from engine.spark.keys import token, with_ring
from engine.stores.dead_letters import LARGEST, ORIGIN


def parsed(raw: DataFrame, keys: KeyRing, *more: str) -> DataFrame:
    """Kafka's records, judged: record fields, reason (null for a good one), suppression token.

    person_uuid, person, born, domain: of a good one, she, and what is needed more than once of her. place, first_append, value:
    of a bad one, for its letter; origin, claim: the headers that the letter keeps, and what `claim_of` takes. under,
    suppression: the uuid a bad one came under, and its token; whose: tokens of those it is about.

    raw: topic, key, value, partition, offset, timestamp, headers as Spark's Kafka source gives them. more: `ring`, where
    something is sealed right away; never of a frame that is persisted.
    """
    made = raw
    for made_of_those_before in _steps():
        made = made.select("*", *made_of_those_before)
    return with_ring(made, keys).select(*_judged(), *more)


@built_once
def _steps() -> tuple[list[Column], ...]:
    """Each is made once, for what follows uses it more than once."""
    read, person = F.col("read"), F.col("person")
    reason = columns.reason(F.col("key"), F.col("value"), read, person, F.col("born"), F.to_date("timestamp"), F.col("schema"))
    return ([columns.read(F.col("value")).alias("read"), _header("synthetic"), _header("schema")],
            [columns.person_of(read).alias("person")],
            [columns.birth_date(person).alias("born")],
            [reason.alias("reason")])


@built_once
def _judged() -> list[Column]:
    person, at = F.col("person"), F.col("timestamp")
    good = F.col("reason").isNull()
    kept = F.length("value") <= LARGEST
    named = F.transform("headers", lambda header: header["key"])
    number = F.when(good, columns.uuid_of(person)).otherwise(columns.under(F.col("key")))
    about = columns.about(F.col("key"), F.when(kept, F.col("value")))
    differs = columns.said_age(person) != columns.age(F.col("born"), F.to_date(at))
    return [
        *map(F.col, ("partition", "offset", "timestamp", "reason")), F.col("value").isNull().alias("empty"),
        F.when(~good & kept, F.col("value")).alias("value"), F.length("value").alias("size"),
        F.when(~good, F.concat_ws("-", "topic", "partition", "offset")).alias("place"),
        F.when(~good, F.date_format(at, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")).alias("first_append"),
        F.when(~good, F.filter("headers", lambda header: header["key"].isin(*ORIGIN))).alias("origin"),
        F.when(~good & kept & F.array_contains(named, LETTER), F.struct("key", "value", "headers")).alias("claim"),
        F.coalesce(F.col("synthetic") == "1", F.lit(False)).alias("synthetic"),
        F.when(good, number).alias("person_uuid"),
        F.when(~good, number).alias("under"),
        F.when(~good, F.transform(about, lambda uuid: token(uuid, F.col("ring"), "suppression"))).alias("whose"),
        token(number, F.col("ring"), "suppression").alias("suppression"),
        F.when(good, person).alias("person"),
        F.when(good, F.col("born")).alias("born"),
        F.when(good, columns.email_domain(person)).alias("domain"),
        F.coalesce(good & differs, F.lit(False)).alias("age_differs")]


def claim_of(told: Any, keys: KeyRing) -> Claim | None:
    """Which letter a bad record is, if it is a redriven one. told: its column `claim`, collected."""
    return None if told is None else claimed(keys, told.key, told.value, told.headers)


def _header(name: str) -> Column:
    """A header as text, null where it is missing; of several the first."""
    return F.expr(f"filter(headers, header -> header.key = '{name}')[0].value").cast("string").alias(name)
