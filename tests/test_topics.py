"""The topics as data: how long a record lives is decided here and nowhere else."""

import pytest
from pydantic import ValidationError

from engine import topics
from engine.settings import Kafka

KAFKA = Kafka()
COMPACTED = [topics.people(KAFKA), topics.dead(KAFKA)]


def test_three_topics_are_named_after_the_first() -> None:
    names = [topic.name for topic in topics.all_topics(Kafka(topic="people_of_test"))]
    assert names == ["people_of_test", "people_of_test.control", "people_of_test.dead"]


@pytest.mark.parametrize("topic", topics.all_topics(KAFKA), ids=lambda topic: topic.name)
def test_the_brokers_clock_orders_records(topic: topics.Topic) -> None:
    assert topic.configs["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("topic", topics.all_topics(KAFKA), ids=lambda topic: topic.name)
def test_every_value_is_text_as_kafka_wants_it(topic: topics.Topic) -> None:
    assert all(isinstance(value, str) for value in topic.configs.values())


def test_people_stay_seven_days_and_are_compacted() -> None:
    people = topics.people(KAFKA)
    assert people.partitions == 4
    assert people.configs["cleanup.policy"] == "compact,delete"
    assert int(people.configs["retention.ms"]) == 7 * 24 * 3600 * 1000


@pytest.mark.parametrize("topic", COMPACTED, ids=lambda topic: topic.name)
def test_a_superseded_record_is_gone_within_hours(topic: topics.Topic) -> None:
    bound_ms = int(topic.configs["segment.ms"]) + int(topic.configs["max.compaction.lag.ms"])
    assert bound_ms <= 4 * 3600 * 1000
    assert float(topic.configs["min.cleanable.dirty.ratio"]) <= 0.1
    assert int(topic.configs["delete.retention.ms"]) <= 4 * 3600 * 1000


def test_commands_have_one_order_and_are_kept_for_ever() -> None:
    control = topics.control(KAFKA)
    assert control.partitions == 1
    assert control.configs["cleanup.policy"] == "delete"
    assert control.configs["retention.ms"] == control.configs["retention.bytes"] == "-1"


def test_dead_letters_stay_as_long_as_the_settings_say() -> None:
    dead = topics.dead(Kafka(retention_hours=1, dead_retention_hours=2))
    assert dead.configs["cleanup.policy"] == "compact,delete"
    assert int(dead.configs["retention.ms"]) == 2 * 3600 * 1000


def test_a_dead_letter_may_not_go_before_its_record() -> None:
    with pytest.raises(ValidationError, match=r"dead_retention_hours must be at least retention_hours \(169\)"):
        Kafka(retention_hours=169, dead_retention_hours=168)


def test_the_dead_letter_of_the_largest_record_fits() -> None:
    """It is the record's bytes, encrypted (some dozens more, no longer compressible), with headers."""
    assert int(topics.dead(KAFKA).configs["max.message.bytes"]) >= 2 * int(
        topics.people(KAFKA).configs["max.message.bytes"])


def test_replicas_that_must_answer_follow_the_replication() -> None:
    assert topics.people(Kafka(replication=1)).configs["min.insync.replicas"] == "1"
    assert topics.people(Kafka(replication=3)).configs["min.insync.replicas"] == "2"
