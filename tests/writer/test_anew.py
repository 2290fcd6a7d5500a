"""A topic is another one when its records are, however many it has by now."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from engine.settings import Settings
from engine.writer import anew
from engine.writer.anew import Last, another

HOUR_MS = 3_600_000


class Topic:
    """A consumer of a topic of one partition, whose records are (offset, append time)."""

    def __init__(self, *records: tuple[int, int], start: int = 0, end: int = 0) -> None:
        self.records, self.start, self.at = records, start, 0
        self.end = end or max(offset for offset, _ in records) + 1

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0}

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.end)

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.start)

    def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        return {place: next((SimpleNamespace(offset=offset) for offset, stamp in self.records if stamp >= at), None)
                for place, at in times.items()}

    def assign(self, _: list[TopicPartition]) -> None:
        pass

    def seek(self, _: TopicPartition, offset: int) -> None:
        assert self.start <= offset < self.end, "an offset that is not there is lost"
        self.at = offset

    def position(self, _: TopicPartition) -> int:
        return self.at

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        read = [SimpleNamespace(offset=offset, timestamp=stamp) for offset, stamp in self.records if offset >= self.at]
        self.at = self.end
        return {TopicPartition(Settings().kafka.topic, 0): read}

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("topic", "differs"), [
    (Topic((299, 900), (300, 1000), (301, 1001)), False),
    (Topic((299, 5), (300, 7), (301, 9)), True),                # filled anew within the hour, past the rows
    (Topic((299, 900), (301, 1001)), False),                    # compaction took it
    (Topic((299, 900), (301, 1001), start=301), False),         # the keeper ended it
    (Topic((10, 5), (20, 6)), True),                            # shorter
    (Topic((10, 2000 + HOUR_MS), (600, 2001 + HOUR_MS)), True),
    (Topic((10, 5), end=301), False)])
def test_a_topic_is_another_one_when_it_is_shorter_or_has_other_records(
        monkeypatch: pytest.MonkeyPatch, topic: Topic, differs: bool) -> None:
    monkeypatch.setattr(anew, "kafka_consumer", lambda *_: topic)
    assert another(Settings(), {0: Last(300, 1000, 1500)}) is differs


def test_rows_that_stand_nowhere_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anew, "kafka_consumer", lambda *_: Topic((0, 1)))
    assert not another(Settings(), {})
    assert another(Settings(), {0: Last(0, 1, 1), 1: Last(0, 1, 1)}), "a partition is not there"
