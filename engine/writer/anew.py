"""A topic of people that is not the one of the rows: Kafka was lost, or another topic is read.

Offsets begin again in it, so that within a partition every record would count as older than the row of the topic before, and
be dropped as stale. So the rows forget in which partition their records stood; from then on append time decides, as it does
between partitions. Where the topic is the same nothing is forgotten, for clocks step back and offsets do not.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from pymongo.database import Database
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from engine.clients import kafka_consumer, mapped, read_until
from engine.settings import Settings
from engine.spark import failures
from engine.spark.session import CASSANDRA, cassandra_table
from engine.stores.status import Status
from engine.writer import fence
from engine.writer.lease import Lease

NOWHERE = -1
"""The partition of a row whose record stood in another topic."""

STEP = timedelta(hours=1)
"""How far a broker's clock may step back without the topic being taken for another one."""


class Last(NamedTuple):
    """What the rows say of a partition. offset: their greatest; at: append time of that record; latest: of all of them (ms)."""

    offset: int
    at: int
    latest: int


def forget_places(settings: Settings, spark: SparkSession, database: Database[dict[str, Any]], lease: Lease,
                  say: Callable[[str], None]) -> bool:
    """Lets the rows forget their places, if the topic is another one; returns whether it is. spark: signed in under the role of
    the lease's holder. Raises StoreAway, SignInRefused, LeaseLost."""
    table = spark.read.format(CASSANDRA).options(**cassandra_table(settings, "profiles")).load().where(
        F.col("source_partition") > NOWHERE)
    with failures.mapped("looking where the records of the rows stood"):
        newest = table.groupBy("source_partition").agg(
            F.max("source_offset").alias("offset"), F.max_by(F.unix_millis("appended_at"), "source_offset").alias("at"),
            F.max(F.unix_millis("appended_at")).alias("latest")).collect()
    if not another(settings, {row.source_partition: Last(row.offset, row.at, row.latest) for row in newest}):
        return False
    say(f"{settings.kafka.topic} is not the topic that the rows were made of: from now on append times say what is newer")
    if not lease.clean:    # a delete that lands later would leave of its row what is written here
        time.sleep(settings.longest_client_timeout_s + fence.CACHED_S)
    status = Status(database)
    state = status.writer()
    turn = max(state.turn + 1, int(time.time() * 1000))    # so that every later turn's writes are newer than these
    status.save_writer(replace(state, turn=turn, open=None, recount=True), lease.number)
    with failures.mapped("letting rows forget their places"):
        (table.select("uuid", F.lit(NOWHERE).alias("source_partition")).write.format(CASSANDRA)
         .options(**cassandra_table(settings, "profiles")).option("spark.cassandra.output.timestamp", str(turn * 1000 + 1))
         .mode("append").save())
    return True


def another(settings: Settings, newest: Mapping[int, Last]) -> bool:
    """Whether these places (by partition) are of another topic: it is shorter, it has another record at one of them, or, where
    compaction took that, it was still to come so far when the clock was an hour past the rows. Raises StoreAway, SignInRefused,
    OffsetsLost (the keeper ends just this moment what is read: again)."""
    with mapped("looking at the topic's offsets", "stream"), closing(kafka_consumer(settings, "stream")) as consumer:
        there = consumer.partitions_for_topic(settings.kafka.topic) or ()
        places = {TopicPartition(settings.kafka.topic, number): last for number, last in newest.items() if number in there}
        if len(places) < len(newest):
            return True
        if not places:
            return False
        ends, starts = consumer.end_offsets(list(places)), consumer.beginning_offsets(list(places))
        if any(ends[place] <= last.offset for place, last in places.items()):
            return True
        later = {place: last.latest + STEP // timedelta(milliseconds=1) for place, last in places.items()}
        # what came so much later than a row's record and stands before it is of a topic that began anew since
        after = consumer.offsets_for_times(later)
        return any((after[place] is not None and after[place].offset <= last.offset)
                   or (starts[place] <= last.offset and _other_there(consumer, place, last, settings.kafka.request_timeout_s))
                   for place, last in places.items())


def _other_there(consumer: KafkaConsumer, place: TopicPartition, last: Last, patience_s: float) -> bool:
    """Whether another record stands at the place of the row's; not, where compaction took what stood there."""
    consumer.assign([place])
    consumer.seek(place, last.offset)
    return any(record.timestamp != last.at for record in read_until(consumer, {place: last.offset + 1}, patience_s))
