"""Looking at the dead letters again reads what is new only, and all of it where what was read may be more than there is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from engine.errors import StoreAway
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.stores import dead_letters
from engine.stores.dead_letters import Followed

KEYS = KeyRing("k001", {"k001": b"c" * 32}, b"e" * 32, b"s" * 32, b"o" * 32, b"d" * 32)


@dataclass
class Record:
    """A record of the topic; value: None removes the letter of its key."""

    offset: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = 0


@dataclass
class Topic:
    """A topic of one partition, as a consumer sees it. read: offsets that were given; breaks_at: where the broker goes away."""

    place: TopicPartition
    log: list[Record] = field(default_factory=list)
    start: int = 0
    end: int = 0
    at: int = 0
    read: list[int] = field(default_factory=list)
    breaks_at: int = -1

    def put(self, letter: str, there: bool = True) -> None:
        """A letter, or its removal."""
        value = KEYS.seal_dead_letter(b"{}", letter) if there else None
        self.log.append(Record(self.end, letter.encode(), value, []))
        self.end += 1

    def partitions_for_topic(self, _: str) -> set[int]:
        return {self.place.partition}

    def beginning_offsets(self, _: object) -> dict[TopicPartition, int]:
        return {self.place: self.start}

    def end_offsets(self, _: object) -> dict[TopicPartition, int]:
        return {self.place: self.end}

    def assign(self, _: object) -> None:
        pass

    def seek(self, _: object, offset: int) -> None:
        self.at = offset

    def close(self) -> None:
        pass

    def until(self, *_: object) -> Iterator[Record]:
        """As engine.clients.read_until."""
        for record in [record for record in self.log if record.offset >= self.at]:
            if record.offset == self.breaks_at:
                raise StoreAway("Kafka gives no more records.", "Kafka")
            self.read.append(record.offset)
            yield record


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the looks."""
    made = Clock()
    monkeypatch.setattr(dead_letters, "time", made)
    return made


@pytest.fixture
def topic(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """A topic with three letters."""
    made = Topic(TopicPartition(Settings(home=tmp_path).kafka.dead_topic, 0))
    for letter in ("a", "b", "c"):
        made.put(letter)
    monkeypatch.setattr(dead_letters, "kafka_consumer", lambda *_: made)
    monkeypatch.setattr(dead_letters, "read_until", made.until)
    return made


@pytest.fixture
def followed(topic: Topic, tmp_path: Path) -> Followed:
    """Who has looked at it once."""
    made = Followed(Settings(home=tmp_path), "console", KEYS)
    assert standing(made) == ["a", "b", "c"]
    assert topic.read == [0, 1, 2]
    topic.read.clear()
    return made


def standing(followed: Followed) -> list[str]:
    """The places of the letters that stand."""
    return [letter.place for letter in followed.box().standing]


def test_only_what_is_new_is_read(topic: Topic, followed: Followed) -> None:
    before: Any = followed.box()
    assert followed.box() is before
    assert topic.read == []
    topic.put("d")
    topic.put("a", there=False)
    assert standing(followed) == ["b", "c", "d"]
    assert topic.read == [3, 4]
    assert list(before.letters) == ["a", "b", "c"]    # who has it goes on reading it meanwhile


def test_what_was_read_before_an_error_is_not_lost_and_not_twice(topic: Topic, followed: Followed) -> None:
    topic.put("a", there=False)
    topic.put("d")
    topic.breaks_at = 4
    with pytest.raises(StoreAway):
        followed.box()
    topic.breaks_at = -1
    assert standing(followed) == ["b", "c", "d"]


def test_letters_whose_time_is_over_go(topic: Topic, followed: Followed) -> None:
    topic.start = 2
    del topic.log[:2]
    assert standing(followed) == ["c"]


def test_a_topic_that_was_made_anew_is_read_anew(topic: Topic, followed: Followed) -> None:
    topic.log, topic.end = [], 0
    assert standing(followed) == []
    topic.put("e")
    assert standing(followed) == ["e"]


def test_a_removal_that_is_itself_gone_already_is_not_missed(topic: Topic, followed: Followed, clock: Clock,
                                                             tmp_path: Path) -> None:
    del topic.log[0]    # `a` was removed, and compaction took the letter and later the null
    topic.end += 1
    clock.now += Settings(home=tmp_path).kafka.max_compaction_lag_minutes * 60
    assert standing(followed) == ["b", "c"]


def test_who_follows_for_long_keeps_no_value_and_reads_that_of_one_letter(topic: Topic, clock: Clock, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first, second, third = Followed(settings, "console", KEYS, values=False).box().standing
    assert [(letter.value, letter.opened, letter.at) for letter in (first, second, third)] == [
        (b"", True, (0, 0)), (b"", True, (0, 1)), (b"", True, (0, 2))]
    topic.read.clear()
    del topic.log[2]    # somebody has put another in place of it, and compaction took this one
    found = dead_letters.whole(settings, "console", KEYS, second)
    assert found is not None
    assert (found.place, found.value, found.at) == ("b", b"{}", None)
    assert dead_letters.whole(settings, "console", KEYS, found) is found
    assert topic.read == [1]
    assert dead_letters.whole(settings, "console", KEYS, third) is None
    topic.start = 2
    assert dead_letters.whole(settings, "console", KEYS, second) is None


def test_of_a_letter_that_cannot_be_opened_nobody_learns_more_by_reading_it_alone(topic: Topic, clock: Clock,
                                                                                  tmp_path: Path) -> None:
    topic.log[0].value = b"damaged"
    settings = Settings(home=tmp_path)
    first, *_ = Followed(settings, "console", KEYS, values=False).box().standing
    assert not first.opened
    found = dead_letters.whole(settings, "console", KEYS, first)
    assert found is not None
    assert (found.value, found.opened) == (b"", False)
