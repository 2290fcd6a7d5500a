"""What the three topics hold of people, read from the first offset to the last: an answer about them must miss nothing."""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from kafka import TopicPartition

from engine import commands
from engine.clients import kafka_consumer, mapped, read_until
from engine.commands import Command
from engine.errors import CommandRefused
from engine.rights.persons import READER, About
from engine.sealing import CannotOpen, KeyRing
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.stores.dead_letters import MARK

MENDER = "redrive"
"""Who may write to the topics of people and of dead letters beside the producer and the stream."""

TICK = b"tick"
"""Key of a record that is nobody's."""


@dataclass(frozen=True)
class Held:
    """One record about people. at: append time in milliseconds; key: as text; value: None for a null; of a dead letter opened.
    about: whose it is, empty of one that is known by its place; keyed: whether its key is the number of one of them, byte by
    byte: compaction goes by that. raw: the key's bytes; behind: of one in the topic of people that is not keyed, when (ms) a
    later record came under the same key to its partition, after which compaction takes it; -1 where none did."""

    place: str
    partition: int
    offset: int
    at: int
    key: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    about: frozenset[str]
    keyed: bool = True
    raw: bytes = b""
    behind: int = -1

    @property
    def mark(self) -> str:
        """By what a later run knows it again: a topic that is made anew has another record at the place."""
        return _mark(self.place, self.at)


def records(settings: Settings, topic: str, principal: str = READER) -> Iterator[Any]:
    """Every record of a topic, partition by partition in their order. Raises StoreAway, SignInRefused, OffsetsLost."""
    with mapped(f"reading {topic}", principal), closing(kafka_consumer(settings, principal)) as consumer:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(places) if places else {}
        starts = consumer.beginning_offsets(places) if places else {}
        consumer.assign(places)
        for place in places:
            consumer.seek(place, starts[place])
        yield from read_until(consumer, ends, settings.kafka.request_timeout_s)


def of_people(settings: Settings, uuids: Iterable[str], about: About, before: Collection[str] = ()) -> list[Held]:
    """What the topic of people holds of them, nulls included; also under another key, where a sender got it wrong. about:
    with the tokens of their e-mails, where a value that has no number is to be found by those; before: marks of what earlier
    runs found so."""
    wanted, found, last = set(uuids), list[Held](), dict[tuple[int, bytes], int]()
    for record in records(settings, settings.kafka.topic):
        key, under = (record.key or b"").decode(errors="replace"), (record.partition, record.key)
        if (index := last.pop(under, None)) is not None:
            found[index] = replace(found[index], behind=record.timestamp)
        whose = {key.lower()} & wanted or (about(record.value) if record.value else set())
        if whose or _marked(record) in before:
            if record.value is not None and key not in wanted:
                last[under] = len(found)
            found.append(_held(record, key, record.value, whose, key in wanted))
    return found


def hide(settings: Settings, topic: str, held: Iterable[Held]) -> None:
    """Sends a null behind each of these records, under the very key it came under, so that compaction takes it. Raises
    StoreAway, SignInRefused."""
    _nulls(settings, topic, ((record.raw, record.partition) for record in held))


def tick(settings: Settings, topic: str, partitions: Iterable[int]) -> None:
    """Sends a null under nobody's key to these partitions: one to which nothing comes ends no segment, and is not compacted.
    Raises StoreAway, SignInRefused."""
    _nulls(settings, topic, ((TICK, number) for number in partitions))


def _nulls(settings: Settings, topic: str, places: Iterable[tuple[bytes, int]]) -> None:
    sender = Sender(settings, MENDER)
    try:
        for key, number in places:
            sender.send(Outgoing(topic, key, None, [], f"{topic}-{number}", number))
        sender.settle()
    finally:
        sender.close()


@dataclass(frozen=True)
class Letters:
    """What the dead-letter topic holds of people. standing: the newest of its place; behind: earlier ones that compaction has
    not taken away yet; unopened: when letters came (ms) that cannot be opened with this key ring, so that nobody knows whose
    they are."""

    standing: tuple[Held, ...]
    behind: tuple[Held, ...]
    unopened: tuple[int, ...]


def of_letters(settings: Settings, keys: KeyRing, about: About, before: Collection[str] = ()) -> Letters:
    """Every letter is opened and looked at. before: marks of what earlier runs took away, which is known without that."""
    newest: dict[str, int] = {}
    found: list[Held] = []
    unopened: list[int] = []
    for record in records(settings, settings.kafka.dead_topic):
        key = (record.key or b"").decode(errors="replace")
        if key.startswith(MARK):
            continue
        newest[key] = record.offset
        if record.value is None:
            continue
        try:
            value = keys.open_dead_letter(record.value, key)
        except CannotOpen:
            if _marked(record) in before:
                found.append(_held(record, key, b"", set(), False))
            else:
                unopened.append(record.timestamp)
            continue
        if (whose := about(value)) or _marked(record) in before:
            found.append(_held(record, key, value, whose, False))
    return Letters(tuple(one for one in found if newest[one.key] == one.offset and one.about),
                   tuple(one for one in found if newest[one.key] != one.offset), tuple(unopened))


@dataclass(frozen=True)
class Said:
    """What the control topic says. unread: how many commands about somebody cannot be read with this key ring, nor by this
    version; end: offset of the next command."""

    commands: list[Command]
    unread: int
    end: int


def of_commands(settings: Settings, keys: KeyRing, tokens: Iterable[str] | None) -> list[Command]:
    """The commands about these people (None: about anybody), in their order; what cannot be read is passed over."""
    return read_commands(keys, records(settings, settings.kafka.control_topic), tokens).commands


def control(settings: Settings, keys: KeyRing) -> Said:
    """All that was commanded, and how much of it cannot be read."""
    return read_commands(keys, records(settings, settings.kafka.control_topic), None)


def read_commands(keys: KeyRing, control: Iterable[Any], tokens: Iterable[str] | None) -> Said:
    """What these records of the control topic say. One that names nobody and is no command is passed over."""
    wanted, found, unread, end = None if tokens is None else set(tokens), [], 0, 0
    for record in control:
        end = record.offset + 1
        token = _token(record.value)
        if wanted is not None and token not in wanted:
            continue
        try:
            found.append(commands.decode(keys, record.offset, record.timestamp, record.key, record.value))
        except CommandRefused:
            unread += token is not None
    return Said(found, unread, end)


def begun(settings: Settings, topic: str) -> bool:
    """Whether a topic's first records are not read any more: its files may still hold them. Raises StoreAway, SignInRefused."""
    with mapped(f"reading {topic}", READER), closing(kafka_consumer(settings, READER)) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        return any(consumer.beginning_offsets(places).values()) if places else False


def _token(value: bytes | None) -> str | None:
    """Whom a command is about, before it is opened."""
    with suppress(ValueError, AttributeError):
        token = json.loads(value or b"{}").get("token")
        return None if token is None else str(token)
    return None


def _place(record: Any) -> str:
    return f"{record.topic}-{record.partition}-{record.offset}"


def _mark(place: str, at: int) -> str:
    return f"{place}@{at}"


def _marked(record: Any) -> str:
    return _mark(_place(record), record.timestamp)


def _held(record: Any, key: str, value: bytes | None, whose: set[str], keyed: bool) -> Held:
    return Held(_place(record), record.partition, record.offset, record.timestamp, key, value, tuple(record.headers),
                frozenset(whose), keyed, record.key or b"")
