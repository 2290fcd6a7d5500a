"""The three topics as data: names, partitions, retention and cleanup, so that one place says how long a record lives.

people    `user_profiles`: one record a person, keyed by uuid; compacted and deleted after the retention.
control   `user_profiles.control`: the commands, one partition, kept for ever: markers can be rebuilt from it.
dead      `user_profiles.dead`: records that cannot be used, keyed by their place so that a repeat overwrites.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.settings import Kafka

PEOPLE_MAX_BYTES = 1_048_576
"""Largest batch of records the people topic takes, in bytes as sent (compressed)."""

DEAD_MAX_BYTES = 8 * PEOPLE_MAX_BYTES
"""The same for dead letters: they are encrypted and so no longer compress, and a full batch must still fit as one."""

SEGMENT_BYTES = 64 * 1_048_576
"""Size at which a segment is rolled, whatever its age."""

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Topic:
    """One topic as it should be; `configs` are Kafka's own names and values, as text."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


def people(kafka: Kafka) -> Topic:
    """The topic of people. A superseded or nulled record is gone after max.compaction.lag plus one segment at most."""
    return Topic(kafka.topic, kafka.partitions, kafka.replication, {
        **_common(kafka),
        **_compacted(kafka),
        "retention.ms": str(kafka.retention_hours * _HOUR_MS),
        "max.message.bytes": str(PEOPLE_MAX_BYTES),
    })


def control(kafka: Kafka) -> Topic:
    """The topic of commands: one partition, so that they have one order, and never deleted."""
    return Topic(kafka.control_topic, 1, kafka.replication, {
        **_common(kafka),
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(PEOPLE_MAX_BYTES),
    })


def dead(kafka: Kafka) -> Topic:
    """The topic of dead letters."""
    return Topic(kafka.dead_topic, 1, kafka.replication, {
        **_common(kafka),
        **_compacted(kafka),
        "retention.ms": str(kafka.dead_retention_hours * _HOUR_MS),
        "max.message.bytes": str(DEAD_MAX_BYTES),
    })


def all_topics(kafka: Kafka) -> tuple[Topic, Topic, Topic]:
    """People, control, dead."""
    return people(kafka), control(kafka), dead(kafka)


def _common(kafka: Kafka) -> dict[str, str]:
    return {
        "message.timestamp.type": "LogAppendTime",    # the broker's clock orders records, not a client's
        "min.insync.replicas": str(kafka.min_insync_replicas or max(1, kafka.replication - 1)),
        "segment.ms": str(kafka.segment_minutes * _MINUTE_MS),
        "segment.bytes": str(SEGMENT_BYTES),
    }


def _compacted(kafka: Kafka) -> dict[str, str]:
    lag = str(kafka.max_compaction_lag_minutes * _MINUTE_MS)
    return {
        "cleanup.policy": "compact,delete",
        "max.compaction.lag.ms": lag,
        "delete.retention.ms": lag,                   # how long a null itself stays, for readers that are behind
        "min.cleanable.dirty.ratio": "0.01",          # compact early: an erased person's records must not linger
    }
