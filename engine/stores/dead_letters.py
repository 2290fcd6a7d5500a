"""Hop 4: records that cannot be used, kept with their reason, encrypted, under the place they came from.

The producer puts what a source gave (`people.jsonl:12`), the stream what stood in the topic (`user_profiles-2-4711`).
A repeat of the same place overwrites. Where a letter can be parsed, the catalogue's `drop` fields in it are nulled, so
that no password, salt or hash is kept even sealed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from kafka import TopicPartition

from engine import topics
from engine.clients import kafka_consumer, mapped, read_until
from engine.sealing import CannotOpen, KeyRing
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.sources import parsed
from governance.catalogue import without_secrets

LARGEST = topics.DEAD_MAX_BYTES - 64 * 1024
"""Bytes of a letter's value; of a larger record only the reason and the place are kept."""


@dataclass(frozen=True)
class DeadLetter:
    """One letter. value: JSON as bytes where the record could be parsed, else its bytes; empty when not `opened`.

    opened: False when the key ring does not hold its key, or the letter is damaged.
    """

    place: str
    reason: str
    first_append: str
    value: bytes
    opened: bool = True


class DeadLetters:
    """The dead-letter topic for writing; `put` never fails, `flush` tells. The caller closes it."""

    def __init__(self, settings: Settings, principal: str, keys: KeyRing) -> None:
        self._topic = settings.kafka.dead_topic
        self._keys = keys
        self._sender = Sender(settings, principal)

    def put(self, place: str, reason: str, value: object, first_append: str) -> None:
        """Keeps a record that cannot be used.

        place: its key. reason: a sentence with the remedy, without a value of the record. value: its bytes, or the JSON
        value it was read as. first_append: ISO 8601, when it was first met.
        """
        place = place.encode(errors="replace").decode()    # a file's name need not be Unicode
        kept = _kept(value)
        if len(kept) > LARGEST:
            kept, reason = b"", f"{reason} (The record of {len(kept)} bytes is too large to be kept.)"
        headers = {"reason": reason, "place": place, "first_append": first_append}
        self._sender.send(Outgoing(
            self._topic, key=place.encode(), value=self._keys.seal_dead_letter(kept, place), place=place,
            headers=[(name, text.encode(errors="replace")) for name, text in headers.items()]))

    def flush(self) -> int:
        """Waits until all are acknowledged; returns how many since the last time. Raises Retryable: call again."""
        return self._sender.settle().acknowledged

    def close(self) -> None:
        """Lets go of the broker; flush first."""
        self._sender.close()


def read_all(settings: Settings, principal: str, keys: KeyRing) -> Iterator[DeadLetter]:
    """The newest letter of each place, in the order of the topic. Raises StoreAway, SignInRefused."""
    topic = settings.kafka.dead_topic
    newest: dict[str, DeadLetter] = {}
    consumer = kafka_consumer(settings, principal)
    try:
        with mapped("reading dead letters", principal):
            numbers = sorted(consumer.partitions_for_topic(topic) or ())
            partitions = [TopicPartition(topic, number) for number in numbers]
            ends = consumer.end_offsets(partitions) if partitions else {}
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            for record in read_until(consumer, ends, settings.kafka.request_timeout_s):
                letter = _opened(record.key, record.value, dict(record.headers), keys)
                newest.pop(letter.place, None)
                newest[letter.place] = letter
    finally:
        consumer.close()
    yield from newest.values()


def _kept(value: object) -> bytes:
    if isinstance(value, bytes):
        raw = value
        try:
            value = parsed(raw)
        except ValueError:
            return raw
    return json.dumps(without_secrets(value)).encode()


def _opened(key: bytes, sealed: bytes, headers: dict[str, bytes], keys: KeyRing) -> DeadLetter:
    place = key.decode(errors="replace")
    reason, first_append = (headers.get(name, b"").decode(errors="replace") for name in ("reason", "first_append"))
    try:
        return DeadLetter(place, reason, first_append, keys.open_dead_letter(sealed, place))
    except CannotOpen:
        return DeadLetter(place, reason, first_append, b"", opened=False)
