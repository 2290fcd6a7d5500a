"""How much of the topic of people is still to be read."""

from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition


def backlog(consumer: KafkaConsumer, topic: str, read: Mapping[str, int]) -> int:
    """Offsets that lie after those which were read (by partition, as text) and are still held: what retention removed, of
    a partition that was never read, is nothing to wait for. Raises kafka-python's errors; wrap it in `mapped`."""
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    if not places:
        return 0
    beginnings, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    return sum(max(0, int(ends[place]) - max(read.get(str(place.partition), 0), int(beginnings[place]))) for place in places)
