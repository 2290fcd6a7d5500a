"""What stands against a record that comes late: the person's row, its marker, and newer records of the topic of people.

A redriven record has two positions: where it is in the topic (`at`), by which the stream orders it, and where its person
was first met (`met`), by which it has to be ordered. For any other record the two are one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from cassandra.concurrent import execute_concurrent_with_args
from kafka import KafkaConsumer, TopicPartition

from engine.clients import cassandra_session, kafka_consumer, mapped, read_until
from engine.commands import Marker, Verdict
from engine.dead_letters.claim import Claim, claimed
from engine.person import Position
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.stores.dead_letters import OVERTAKEN
from engine.stores.profiles import CONCURRENCY, milliseconds

ERASED = "erased"


@dataclass(frozen=True)
class Seen:
    """A record of one person in the topic. claim: of a redriven one."""

    at: Position
    met: Position
    place: str
    value: bytes | None
    headers: list[tuple[str, bytes]]
    claim: Claim | None


def first_met(settings: Settings, place: str, first_append: str) -> Position:
    """Where a letter's person was first met; before everything else if the letter does not say when."""
    try:
        at = round(datetime.fromisoformat(first_append).timestamp() * 1000)
    except ValueError:
        at = 0
    found = re.fullmatch(rf"{re.escape(settings.kafka.topic)}-(\d+)-(\d+)", place)
    return Position(at, int(found[1]), int(found[2])) if found else Position(at, -1, at)    # of a source: by time alone


class People:
    """The topic of people, read at will."""

    def __init__(self, settings: Settings, consumer: KafkaConsumer, keys: KeyRing) -> None:
        self._settings, self._consumer, self._keys = settings, consumer, keys
        topic = settings.kafka.topic
        self._partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str, keys: KeyRing) -> Iterator[Self]:
        """The topic, signed in as `principal`."""
        consumer = kafka_consumer(settings, principal)
        try:
            with mapped("reading the topic of people", principal):
                yield cls(settings, consumer, keys)
        finally:
            consumer.close()

    def ends(self) -> dict[int, int]:
        """The offset after the newest record, by partition."""
        return {place.partition: int(end) for place, end in self._consumer.end_offsets(self._partitions).items()}

    def to_read(self, ends: Mapping[int, int]) -> dict[int, int]:
        """Those of these ends that a reader gets to: of a partition whose records have all expired there is none."""
        starts = self._consumer.beginning_offsets(self._partitions)
        return {place.partition: ends[place.partition] for place in self._partitions
                if int(starts[place]) < ends.get(place.partition, 0)}

    def since(self, starts: Sequence[Mapping[int, int]], uuids: set[str],
              ends: Mapping[int, int] | None = None) -> dict[str, list[Seen]]:
        """The records of these people from the earliest of the starts on, by uuid, up to `ends` or the present ends."""
        first = self._consumer.beginning_offsets(self._partitions)
        upto = self._consumer.end_offsets(self._partitions)
        for place in self._partitions:
            upto[place] = min(int(upto[place]), ends.get(place.partition, 0)) if ends is not None else int(upto[place])
        self._consumer.assign(self._partitions)
        for place in self._partitions:
            start = min((start.get(place.partition, 0) for start in starts), default=0)
            self._consumer.seek(place, min(max(start, int(first[place])), int(upto[place])))
        found: dict[str, list[Seen]] = {}
        for record in read_until(self._consumer, upto, self._settings.kafka.request_timeout_s):
            uuid = (record.key or b"").decode(errors="replace")
            if uuid in uuids:
                found.setdefault(uuid, []).append(self._seen(record))
        return found

    def at(self, positions: Sequence[Position]) -> dict[Position, Seen]:
        """The records of these places, as far as the topic still holds them."""
        found: dict[Position, Seen] = {}
        first = self._consumer.beginning_offsets(self._partitions)
        for position in sorted(set(positions), key=lambda position: (position.partition, position.offset)):
            place = TopicPartition(self._settings.kafka.topic, position.partition)
            if place not in first or position.offset < int(first[place]):
                continue
            self._consumer.assign([place])
            self._consumer.seek(place, position.offset)
            for record in read_until(self._consumer, {place: position.offset + 1}, self._settings.kafka.request_timeout_s):
                found[position] = self._seen(record)
        return found

    def _seen(self, record: Any) -> Seen:
        at = Position(record.timestamp, record.partition, record.offset)
        claim = claimed(self._keys, record.key, record.value, record.headers)
        met = first_met(self._settings, claim.place, claim.first_append) if claim else at
        return Seen(at, met, f"{record.topic}-{record.partition}-{record.offset}", record.value, list(record.headers), claim)


class Standing:
    """Rows and markers, as far as they stand against a record."""

    def __init__(self, settings: Settings, session: Any, keys: KeyRing, people: People) -> None:
        self._settings, self._session, self._keys, self._people = settings, session, keys, people
        keyspace = settings.cassandra.keyspace
        self._rows = session.prepare(
            f"SELECT uuid, appended_at, source_partition, source_offset FROM {keyspace}.profiles WHERE uuid = ?")
        self._markers = session.prepare(f"SELECT suppression, erased, not_before FROM {keyspace}.markers WHERE suppression = ?")

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str, keys: KeyRing, people: People) -> Iterator[Self]:
        """The tables, signed in as `principal`."""
        with cassandra_session(settings, principal) as session, mapped("reading rows and markers", principal):
            yield cls(settings, session, keys, people)

    def against(self, met: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Place of a letter -> OVERTAKEN or ERASED; nothing for one that nothing stands against.

        met: place -> the person's uuid and when she was first met (ISO 8601).
        """
        uuids = {uuid for uuid, _ in met.values()}
        tokens = {self._keys.suppression_token(uuid): uuid for uuid in uuids}
        rows = {str(row.uuid): Position(milliseconds(row.appended_at), row.source_partition, row.source_offset)
                for row in self._read(self._rows, [UUID(uuid) for uuid in uuids])}
        markers = {tokens[row.suppression]: Marker(row.suppression, bool(row.erased), not_before=milliseconds(row.not_before))
                   for row in self._read(self._markers, list(tokens))}
        found, newer = {}, {}
        for place, (uuid, first_append) in met.items():
            at = first_met(self._settings, place, first_append)
            if uuid in markers and Verdict(markers[uuid]).bars(at.appended_at):
                found[place] = ERASED
            elif uuid in rows and rows[uuid].newer_than(at):
                newer[place] = rows[uuid], at
        records = self._people.at([row for row, _ in newer.values()])
        for place, (row, at) in newer.items():
            if row not in records or records[row].met.newer_than(at):    # else an earlier letter was redriven before
                found[place] = OVERTAKEN
        return found

    def _read(self, statement: Any, keys: Sequence[Any]) -> list[Any]:
        results = execute_concurrent_with_args(self._session, statement, [(key,) for key in keys], concurrency=CONCURRENCY)
        return [row for result in results for row in result.result_or_exc]
