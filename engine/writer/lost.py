"""Lost offsets: records that the topic no longer holds and that were not read, named, written down and passed over.

A loss is where a partition's first offset lies after the one that was to be read next. Gaps inside are none: they come
from compaction. To go on, the checkpoint is set aside: everything the topic still holds is read again and the aggregates
are recounted, which is exact whatever was read before. What was lost stands in the collection `losses`.

A topic that was made anew is another matter: its offsets begin again, so that its records would count as older than the rows
of the topic before. That is not passed over; `rollcall restore-check` mends it (engine/writer/anew.py).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import TopicPartition
from pyspark.sql import SparkSession

from engine.clients import kafka_consumer, mapped, mongo_client
from engine.errors import OffsetsLost, RollcallError, StoreAway
from engine.machine.user import whoami
from engine.settings import Settings
from engine.spark.session import spark_session
from engine.stores.schema import LOSSES
from engine.writer import lease as leases
from engine.writer.checkpoint import Checkpoint

Say = Callable[[str], None]

REMEDY = ("`rollcall stream accept-loss --dry-run` shows them, `rollcall stream accept-loss` writes them down and lets the "
          "stream go on; the people in them come back when their source sends them again.")


@dataclass(frozen=True)
class Loss:
    """What one partition lost: records from `first` to `last`, both included; fewer where compaction left gaps.

    last: None where the topic was made anew, so that nobody knows what lay after `first` in the one before.
    """

    partition: int
    first: int
    last: int | None

    def __str__(self) -> str:
        if self.last is None:
            return f"partition {self.partition} from offset {self.first} on (the topic was made anew)"
        return f"partition {self.partition} offsets {self.first} to {self.last}"


def losses(following: Mapping[int, int], beginnings: Mapping[int, int], ends: Mapping[int, int]) -> list[Loss]:
    """Compares what was to be read next with what the topic holds, all by partition. Pure.

    A partition that came later is to be read from offset 0; with nothing read yet (`following` empty) nothing is lost.
    """
    if not following:
        return []
    found = []
    for number, beginning in sorted(beginnings.items()):
        first = following.get(number, 0)
        if beginning > first:
            found.append(Loss(number, first, beginning - 1))
        elif ends[number] < first:
            found.append(Loss(number, first, None))
    return found + [Loss(number, first, None) for number, first in sorted(following.items()) if number not in beginnings]


def found_losses(settings: Settings, spark: SparkSession) -> list[Loss]:
    """What is lost now. Raises StoreAway, SignInRefused, FolderUnusable."""
    topic = settings.kafka.topic
    following = Checkpoint(spark, settings.checkpoint_url).next_offsets(topic)
    with mapped("looking at the topic's offsets", "stream"):
        consumer = kafka_consumer(settings, "stream")
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not places:
                raise StoreAway(f"Kafka does not say how many partitions {topic} has.", "Kafka")
            beginnings, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        finally:
            consumer.close()
    return losses(following, {place.partition: offset for place, offset in beginnings.items()},
                  {place.partition: offset for place, offset in ends.items()})


def offsets_lost(settings: Settings, spark: SparkSession) -> OffsetsLost:
    """The sentence with which the stream ends."""
    try:
        found = found_losses(settings, spark)
        if (anew := made_anew(settings, found)) is not None:
            return anew
        which = f" ({listed(found)})"
    except RollcallError:    # what is lost can be asked for later
        which = ""
    return OffsetsLost(f"{settings.kafka.topic} no longer holds records that were not read yet{which}: the stream stood "
                       f"still longer than they are kept. {REMEDY}")


def made_anew(settings: Settings, found: Sequence[Loss]) -> OffsetsLost | None:
    """What nobody can accept away, if it is among the losses."""
    if not any(loss.last is None for loss in found):
        return None
    return OffsetsLost(
        f"{settings.kafka.topic} was made anew since it was last read ({listed(found)}): its offsets begin again, and every "
        "record would count as older than the row that stands. If Kafka was lost: `rollcall down`, then `rollcall "
        "restore-check --commands FILE` (docs/privacy.md), after which append times say what is newer. If another topic is "
        "meant (ROLLCALL_KAFKA__TOPIC), give it stores of its own.")


def listed(found: Sequence[Loss]) -> str:
    """Losses in words."""
    return "; ".join(map(str, found)) or "which ones cannot be said any more"


def accept(settings: Settings, say: Say, dry_run: bool) -> list[Loss]:
    """Writes down what is lost and sets the checkpoint aside; returns the losses, none when nothing was changed.

    Raises LeaseHeld while a stream runs (not for a dry run, which only looks), OffsetsLost for a topic that was made anew,
    StoreAway, FolderUnusable.
    """
    with mongo_client(settings, "stream") as client:
        database = client[settings.mongo.database]
        lease = None if dry_run else leases.take(database, settings.stream.lease_s, threading.Event(), say)
        try:
            spark = spark_session(settings, "stream", "accept-loss")
            try:
                found = found_losses(settings, spark)
                if (anew := made_anew(settings, found)) is not None:
                    raise anew
                if found and lease is not None:
                    checkpoint = Checkpoint(spark, settings.checkpoint_url)
                    write_down(database, settings.kafka.topic, checkpoint.id(), found)
                    say(f"written down in {LOSSES}: {listed(found)}")
                    aside = checkpoint.set_aside(f"lost-{datetime.now(UTC):%Y%m%dT%H%M%S}")
                    say(f"the checkpoint is kept as {aside}; it may be deleted")
                return found
            finally:
                spark.stop()
        finally:
            if lease is not None:
                lease.release(clean=lease.clean)


def write_down(database: Any, topic: str, checkpoint: str, found: Sequence[Loss]) -> None:
    """One document a partition. Its id names the loss, so that an interrupted acceptance writes it once."""
    now, by = datetime.now(UTC), whoami()
    with mapped("writing down what was lost", "stream"):
        for loss in found:
            key = f"{checkpoint}:{topic}:{loss.partition}:{loss.first}"
            database[LOSSES].replace_one({"_id": key}, {
                "_id": key, "topic": topic, "partition": loss.partition, "first": loss.first, "last": loss.last,
                "at": now, "by": by, "checkpoint": checkpoint}, upsert=True)
