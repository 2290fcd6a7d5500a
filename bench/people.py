"""A topic full of made-up people, faster than any producer that knows the law: Spark writes records of the real shape in bulk.

A few thousand people are made and judged as the producer does it; Spark then gives each as many uuids as are wanted, and
addresses of e-mail of their own. `name` and number of a person give the uuid: the same always, so that a bench can send
somebody again, unchanged or moved, and can name who should be there.
"""

import json
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.installation import Installation
from engine.producer import SCHEMA, judged
from engine.settings import Settings
from engine.sources import Item
from engine.sources.synthetic import changed, made
from engine.spark.session import kafka_options, spark_session

TEMPLATES = 20_000
NOBODY = "00000000-0000-4000-8000-000000000000"
NICE = 5
"""As the stream (engine/supervisord.py), so that what is measured here beside it has no better place in the queue."""


@contextmanager
def spark_of(one: Installation) -> Iterator[SparkSession]:
    """A Spark session of the bench's own, set up as the stream's is, with the rights to write anywhere."""
    os.nice(max(0, NICE - os.nice(0)))
    spark = spark_session(one.settings, "provision", "bench")
    try:
        yield spark
    finally:
        spark.stop()


def synthetic(count: int = TEMPLATES, seed: str = "bench") -> Iterator[dict[str, Any]]:
    """People as the synthetic source makes them."""
    return (made(random.Random(f"{seed}|{number}")) for number in range(count))


class People:
    """Sends people. templates: persons in the shape of version 1.4, each of whom becomes many."""

    def __init__(self, settings: Settings, spark: SparkSession, templates: Iterable[dict[str, Any]]) -> None:
        self._settings, self._spark = settings, spark
        path = settings.run / "templates.jsonl"
        self.templates = _written(path, templates)
        self._made = spark.read.schema("k bigint, first string, later string").json(path.as_uri()).coalesce(1).cache()

    def records(self, name: str, people: int, first: int = 0, version: int = 0, every: int = 1) -> DataFrame:
        """key, value, headers. version: 0 as she came first; 1 and more, moved, with another e-mail or phone. every: only
        so manieth person from `first` on, `people` in all."""
        number = F.col("n")
        text = F.col("later") if version else F.col("first")
        own = F.concat(F.lit("."), number.cast("string"), F.lit(f".v{version}@" if version else "@"))
        headers = {"source": b"synthetic", "schema": SCHEMA, "synthetic": b"1"}
        numbered = (self._spark.range(people).select((F.col("id") * every + first).alias("n"))
                    .withColumn("k", F.pmod(number, F.lit(self.templates))))
        return numbered.join(F.broadcast(self._made), "k").select(
            uuid_of(name, number).cast("binary").alias("key"),
            F.replace(F.replace(text, F.lit(NOBODY), uuid_of(name, number)), F.lit("@"), own).cast("binary").alias("value"),
            F.array(*[F.struct(F.lit(key).alias("key"), F.lit(bytearray(value)).alias("value"))
                      for key, value in headers.items()]).alias("headers"))

    def send(self, *records: DataFrame) -> None:
        """Puts records on the topic of people; of several frames, in a mixed order."""
        frame, *others = records
        for other in others:
            frame = frame.unionAll(other)
        if others:
            frame = frame.orderBy(F.xxhash64("key", "value"))
        (frame.write.format("kafka").options(**kafka_options(self._settings, "producer"))
         .option("topic", self._settings.kafka.topic).option("kafka.compression.type", "lz4")
         .option("kafka.linger.ms", "20").option("kafka.batch.size", str(128 * 1024)).save())


def uuid_of(name: str, number: Column) -> Column:
    """The uuid of a person, version 4 in form."""
    digest = F.md5(F.concat(F.lit(f"{name}|"), number.cast("string")))
    part = [F.substring(digest, start, length) for start, length in ((1, 8), (9, 4), (14, 3), (18, 3), (21, 12))]
    return F.concat_ws("-", part[0], part[1], F.concat(F.lit("4"), part[2]), F.concat(F.lit("8"), part[3]), part[4])


def _written(path: Path, templates: Iterable[dict[str, Any]]) -> int:
    """Writes what a producer would send of each template, as she comes first and as she comes later; returns how many."""
    kept: list[str] = []
    for person in templates:
        later = changed(person, random.Random(f"later|{len(kept)}"))
        pair: Sequence[str] = [_value({**one, "login": {"uuid": NOBODY}}) for one in (person, later)]
        if all(pair):
            kept.append(json.dumps({"k": len(kept), "first": pair[0], "later": pair[1]}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(kept))
    return len(kept)


def _value(person: dict[str, Any]) -> str:
    """The record's value; empty for one who cannot be multiplied: her e-mail is not the only place with an @."""
    value = judged(Item("bench", person)).value.decode()
    return value if value.count("@") == 1 and value.count(NOBODY) == 1 else ""
