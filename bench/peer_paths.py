"""The usual designs, made again from a description of them: a program of its own for each, as those are.

    python -m bench.peer_paths b1 '{"0": 0, ...}' '{"0": 12000, ...}'

b1  three queries that each read and parse the topic: the connector's own sink to Cassandra, rows appended to MongoDB, and the
    console; postcodes as numbers, no tuning, no key in MongoDB
b2  the same with postcodes as text and one shared parse: its approach without its faults
d   raw rows to both stores and people and average age by country, kept by Spark and written over what was there: five queries,
    each of which reads and parses (what the fifth does is not described; here the same figures go to MongoDB, too)

Each starts at the first offsets named, runs once over everything to be warm and once more into tables of its own, and says as a
line of JSON how long that took; for each line with further ends that it is given it reads on to them. bench/peers.py asks it.
What is not described is chosen in its favour: it reads from the first offset on, and Spark shuffles into as few parts as ours.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import typer
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from bench.people import NICE
from engine import secrets
from engine.clients import cassandra_session, mongo_client
from engine.native.fetch import SPARK, Bundle
from engine.settings import CLONE, Settings, load
from engine.spark.session import CASSANDRA, kafka_options

CONNECTOR = Bundle("mongo-connector", CLONE / "bench/connector", ("pom.xml", "CHECKSUMS"))
WHO = "provision"
USERS, STATS = "users", "country_stats"
LIMIT_S = 1800.0
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"

_B = ("id uuid PRIMARY KEY, gender text, title text, full_name text, username text, email_domain text, age int, "
      "registered text, nat text, email text, phone text, address text")
_D = ("id uuid PRIMARY KEY, gender text, full_name text, age int, country text, state text, city text, email text, phone text, "
      "nat text, registered text")
TABLES = {"b1": {USERS: _B}, "b2": {USERS: _B},
          "d": {USERS: _D, STATS: "country text PRIMARY KEY, users bigint, average_age double, updated timestamp"}}


@dataclass(frozen=True)
class Place:
    """Where a run writes: name of its keyspace and of its database, folder of its checkpoints; starts: offsets it begins at."""

    name: str
    folder: Path
    starts: str
    uri: str

    def mongo(self, collection: str) -> dict[str, str]:
        """Options of the connector to MongoDB."""
        return {"connection.uri": self.uri, "database": self.name, "collection": collection}

    def cassandra(self, table: str) -> dict[str, str]:
        """Options of the connector to Cassandra."""
        return {"keyspace": self.name, "table": table}

    def checkpoint(self, query: str) -> str:
        """A checkpoint of one query."""
        return (self.folder / query).as_uri()


def person(postcode: T.DataType) -> T.StructType:
    """The schema of a person as these designs write it down."""
    text = T.StringType()

    def fields(*names: str, **others: T.DataType) -> T.StructType:
        return T.StructType([*(T.StructField(name, text) for name in names),
                             *(T.StructField(name, kind) for name, kind in others.items())])

    street = T.StructType([T.StructField("number", T.IntegerType()), T.StructField("name", text)])
    return fields("gender", "email", "phone", "nat", name=fields("title", "first", "last"),
                  location=fields("city", "state", "country", street=street, postcode=postcode),
                  login=fields("uuid", "username"), dob=fields("date", age=T.IntegerType()), registered=fields("date"))


def people(spark: SparkSession, settings: Settings, place: Place, postcode: T.DataType) -> DataFrame:
    """The topic as a stream of persons: column `p`."""
    raw = (spark.readStream.format("kafka").options(**kafka_options(settings, WHO))
           .option("subscribe", settings.kafka.topic).option("startingOffsets", place.starts).load())
    return raw.select(F.from_json(F.col("value").cast("string"), person(postcode)).alias("p"))


def selected(persons: DataFrame) -> DataFrame:
    """The columns of path B."""
    born = F.to_date(F.substring(of("dob.date"), 1, 10))
    return persons.select(
        of("login.uuid").alias("id"), of("gender").alias("gender"), of("name.title").alias("title"),
        full_name().alias("full_name"), of("login.username").alias("username"),
        F.split(of("email"), "@")[1].alias("email_domain"),
        F.round(F.datediff(F.current_date(), born) / 365).cast("int").alias("age"),
        of("registered.date").alias("registered"), of("nat").alias("nat"), F.sha2(of("email"), 256).alias("email"),
        F.sha2(of("phone"), 256).alias("phone"), F.sha2(full_address(), 256).alias("address"),
    ).where("id IS NOT NULL AND age >= 18")


def of(field: str) -> Column:
    """What a person says of herself: a field of column `p`, by its path."""
    return F.col(f"p.{field}")


def full_name() -> Column:
    """Her first and last name."""
    return F.concat_ws(" ", of("name.first"), of("name.last"))


def full_address() -> Column:
    """All parts of her address."""
    return F.concat_ws(", ", of("location.street.number").cast("string"), *(
        of(f"location.{part}").cast("string") for part in ("street.name", "city", "state", "country", "postcode")))


def b1(spark: SparkSession, settings: Settings, place: Place) -> list[Any]:
    """Three queries, each of which reads and parses."""
    def chosen() -> DataFrame:
        return selected(people(spark, settings, place, T.IntegerType()))

    def appended(batch: DataFrame, _: int) -> None:
        batch.write.format("mongodb").mode("append").options(**place.mongo(USERS)).save()

    return [
        chosen().writeStream.format(CASSANDRA).outputMode("append").options(**place.cassandra(USERS))
        .option("checkpointLocation", place.checkpoint("data")).start(),
        chosen().writeStream.foreachBatch(appended).start(),
        chosen().writeStream.format("console").start()]


def b2(spark: SparkSession, settings: Settings, place: Place) -> list[Any]:
    """One query that parses once and writes both stores."""
    def both(batch: DataFrame, _: int) -> None:
        batch.persist()
        batch.write.format(CASSANDRA).mode("append").options(**place.cassandra(USERS)).save()
        batch.write.format("mongodb").mode("append").options(**place.mongo(USERS)).save()
        batch.unpersist()

    return [selected(people(spark, settings, place, T.StringType())).writeStream.foreachBatch(both)
            .option("checkpointLocation", place.checkpoint("both")).start()]


def d(spark: SparkSession, settings: Settings, place: Place) -> list[Any]:
    """Five queries, a trigger of ten seconds each."""
    def raw() -> DataFrame:
        return people(spark, settings, place, T.StringType()).select(
            of("login.uuid").alias("id"), of("gender").alias("gender"), full_name().alias("full_name"),
            of("dob.age").alias("age"), of("location.country").alias("country"), of("location.state").alias("state"),
            of("location.city").alias("city"),
            of("email").alias("email"), of("phone").alias("phone"), of("nat").alias("nat"),
            of("registered.date").alias("registered"))

    def by_country() -> DataFrame:
        return raw().groupBy("country").agg(F.count("*").alias("users"), F.avg("age").alias("average_age")).withColumn(
            "updated", F.current_timestamp())

    def to_cassandra(batch: DataFrame, _: int) -> None:
        batch.write.format(CASSANDRA).mode("append").options(**place.cassandra(STATS)).save()

    def to_mongo(batch: DataFrame, _: int) -> None:
        (batch.withColumn("_id", F.col("country")).write.format("mongodb").mode("append").options(**place.mongo(STATS))
         .option("operationType", "replace").save())

    def started(frame: DataFrame, name: str, finished: Callable[[Any], Any], mode: str = "append") -> Any:
        return finished(frame.writeStream.outputMode(mode).trigger(processingTime="10 seconds")
                        .option("checkpointLocation", place.checkpoint(name))).start()

    return [
        started(raw(), "raw-mongo", lambda to: to.format("mongodb").options(**place.mongo(USERS))),
        started(raw(), "raw-cassandra", lambda to: to.format(CASSANDRA).options(**place.cassandra(USERS))),
        started(by_country(), "stats-cassandra", lambda to: to.foreachBatch(to_cassandra), "update"),
        started(by_country(), "stats-mongo", lambda to: to.foreachBatch(to_mongo), "update"),
        started(raw(), "console", lambda to: to.format("console"))]


PATHS: dict[str, Callable[[SparkSession, Settings, Place], list[Any]]] = {"b1": b1, "b2": b2, "d": d}


def session(settings: Settings, name: str) -> SparkSession:
    """A session as these designs make one: the connectors, an address, and little else; heap and cores are those of ours."""
    jars = [str(jar) for bundle in (SPARK, CONNECTOR) for jar in sorted(bundle.folder(settings).glob("*.jar"))]
    spark = (SparkSession.builder.appName(name).master(settings.spark.master)
             .config("spark.jars", ",".join(jars)).config("spark.driver.memory", settings.spark.driver_memory)
             .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.local.dir", str(settings.run / f"spark-{name}")).config("spark.ui.enabled", "false")
             .config("spark.ui.showConsoleProgress", "false").config("spark.sql.session.timeZone", "UTC")
             .config("spark.sql.shuffle.partitions", str(settings.spark.shuffle_partitions))
             .config("spark.cassandra.connection.host", settings.cassandra_address)
             .config("spark.cassandra.connection.localDC", settings.cassandra.datacenter).getOrCreate())
    spark.conf.set("spark.cassandra.auth.username", WHO)
    spark.conf.set("spark.cassandra.auth.password", secrets.password(settings, WHO).get_secret_value())
    return spark


def mongo_address(settings: Settings) -> str:
    """MongoDB's address with name and password, as the connector takes it."""
    where, word = urlsplit(settings.mongo_uri), quote(secrets.password(settings, WHO).get_secret_value())
    return f"mongodb://{WHO}:{word}@{where.netloc}/?authSource={settings.mongo.auth_source}&authMechanism=SCRAM-SHA-256"


def emptied(settings: Settings, path: str, name: str, starts: Mapping[str, int]) -> Place:
    """Fresh tables for a run."""
    folder = settings.run / name
    shutil.rmtree(folder, ignore_errors=True)
    with cassandra_session(settings, WHO) as cassandra, mongo_client(settings, WHO) as client:
        cassandra.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)
        cassandra.execute(f"CREATE KEYSPACE {name} WITH replication = {REPLICATION}", timeout=60)
        for table, columns in TABLES[path].items():
            cassandra.execute(f"CREATE TABLE {name}.{table} ({columns})", timeout=60)
        client.drop_database(name)
    return Place(name, folder, json.dumps({settings.kafka.topic: starts}), mongo_address(settings))


def read_to(queries: list[Any], topic: str, ends: Mapping[str, int]) -> float:
    """Waits until each query has read to these ends; seconds."""
    began = time.monotonic()
    while not all(_has_read(query, topic, ends) for query in queries):
        if time.monotonic() - began > LIMIT_S:
            raise AssertionError(f"not read in {LIMIT_S:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


def _has_read(query: Any, topic: str, ends: Mapping[str, int]) -> bool:
    if (failed := query.exception()) is not None:
        raise failed
    progress = query.lastProgress
    read = ((progress or {}).get("sources") or [{}])[0].get("endOffset") or {}
    return all(read.get(topic, {}).get(number, 0) >= end for number, end in ends.items())


def main(path: Annotated[str, typer.Argument()], starts: Annotated[str, typer.Argument()],
         ends: Annotated[str, typer.Argument()]) -> None:
    """One path, from the first to the last word."""
    settings = load()
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)    # what the console sink prints is none of ours
    os.nice(max(0, NICE - os.nice(0)))
    first, last = json.loads(starts), json.loads(ends)
    # before Cassandra's driver looks for the first time: a keyspace that comes later it may see too late
    places = [emptied(settings, path, name, first) for name in (f"peer_{path}_warm", f"peer_{path}")]
    spark = session(settings, f"peer-{path}")
    seconds = 0.0
    queries: list[Any] = []
    for place in places:
        for query in queries:
            query.stop()
        began = time.monotonic()
        queries = PATHS[path](spark, settings, place)
        read_to(queries, settings.kafka.topic, last)
        seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds}), file=report, flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": read_to(queries, settings.kafka.topic, json.loads(line))}), file=report, flush=True)
    for query in queries:
        query.stop()
    spark.stop()


if __name__ == "__main__":
    typer.run(main)
