"""Hop 4: records that cannot be used, kept with their reason, encrypted, under the place they came from.

The producer puts what a source gave (`people.jsonl:12`), the stream what stood in the topic (`user_profiles-2-4711`).
A repeat of the same place overwrites. Where a letter can be parsed, the catalogue's `drop` fields in it are nulled, so
that no password, salt or hash is kept even sealed.

What became of a letter stands beside it, in a mark under a key of its own: the stream and the producer write letters,
`rollcall dead-letters` writes marks, and neither ever overwrites the other's. A mark outlives its letter, so a letter
that is put again by a replay is still known as handled. docs/decisions/0007 says why.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

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

MARK = "\0mark "
"""What the key of a mark begins with. No place does: neither a topic's nor a file's name holds a NUL."""

ORIGIN = ("source", "schema", "fetched_at", "synthetic")
"""Headers of a record that its letter keeps, so that a redrive can give them back."""

LONGEST_HEADER = 200

WAITING, SENT, REFUSED = "waiting", "sent", "refused"
ACCEPTED, OVERTAKEN, DISCARDED = "accepted", "overtaken", "discarded"
HANDLED = (ACCEPTED, OVERTAKEN, DISCARDED)
"""States of marks after which nothing is left to do: the person is a row, a newer record is, or somebody decided so."""


@dataclass(frozen=True)
class DeadLetter:
    """One letter. value: JSON as bytes where the record could be parsed, else its bytes; empty when not `opened`.

    opened: False when the key ring does not hold its key, or the letter is damaged. attempts: how often it was redriven.
    origin: headers of its record (ORIGIN). state: WAITING, or SENT while a redrive of it is not finished. at: partition and
    offset, of one that was read without its value; `whole` reads that.
    """

    place: str
    reason: str
    first_append: str
    value: bytes
    opened: bool = True
    attempts: int = 0
    origin: Mapping[str, str] = field(default_factory=dict)
    state: str = WAITING
    at: tuple[int, int] | None = None


@dataclass(frozen=True)
class Mark:
    """What was last done about a letter, the `attempt`-th thing that was; first_append tells which letter of its place.

    since: for SENT, the ends of the topic of people (by partition) before the record was sent.
    """

    place: str
    state: str
    attempt: int
    first_append: str
    at: str = ""
    since: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Box:
    """The letters and marks that the topic holds, by place."""

    letters: Mapping[str, DeadLetter]
    marks: Mapping[str, Mark]

    @cached_property
    def standing(self) -> list[DeadLetter]:
        """The letters that are not handled, in the order of the topic, with attempts and state."""
        told = (self._told(letter) for letter in self.letters.values())
        return [letter for letter in told if letter.state not in HANDLED]

    @property
    def left_over(self) -> list[str]:
        """Places whose letter is handled and still there: a redrive was killed, or the stream read the topic again."""
        return [letter.place for letter in self.letters.values() if self._told(letter).state in HANDLED]

    @property
    def counts(self) -> dict[str, int]:
        """How many letters are in each state, as far back as the topic keeps them; none left out."""
        stands = Counter(letter.state for letter in self.standing)
        handled = Counter(mark.state for mark in self.marks.values())
        return {**{state: stands[state] for state in (WAITING, SENT)}, **{state: handled[state] for state in HANDLED}}

    def knows(self, place: str) -> bool:
        """Whether the record of this place has its letter, or had one that is handled."""
        return place in self.letters or place in self.marks

    def _told(self, letter: DeadLetter) -> DeadLetter:
        mark = self.marks.get(letter.place)
        if mark is None or mark.first_append != letter.first_append or letter.attempts >= mark.attempt:
            return letter    # put after the mark: it is bad again, or another record of the same name
        return replace(letter, attempts=mark.attempt, state=WAITING if mark.state == REFUSED else mark.state)


class DeadLetters:
    """The dead-letter topic for writing; all but `flush` never fail, `flush` tells. The caller closes it."""

    def __init__(self, settings: Settings, principal: str, keys: KeyRing) -> None:
        self._topic = settings.kafka.dead_topic
        self._keys = keys
        self._sender = Sender(settings, principal)
        self.unsettled = 0
        """Bytes put since the last `flush`."""

    def put(self, place: str, reason: str, value: object, first_append: str, attempts: int = 0,
            origin: Mapping[str, str] | None = None) -> None:
        """Keeps a record that cannot be used.

        place: its key. reason: a sentence with the remedy, without a value of the record. value: its bytes, or the JSON
        value it was read as. first_append: ISO 8601, when it was first met. attempts, origin: see DeadLetter.
        """
        place = place.encode(errors="replace").decode()    # a file's name need not be Unicode
        kept = _kept(value)
        if len(kept) > LARGEST:
            kept, reason = b"", reason + too_large(len(kept))
        headers = {"reason": reason, "place": place, "first_append": first_append, "attempts": str(attempts),
                   **{name: text[:LONGEST_HEADER] for name, text in (origin or {}).items() if name in ORIGIN}}
        self._send(place, self._keys.seal_dead_letter(kept, place), headers)

    def mark(self, mark: Mark) -> None:
        """Notes what was done about a letter, with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        said = json.dumps(asdict(replace(mark, at=now))).encode()
        self._send(MARK + mark.place, self._keys.seal_dead_letter(said, MARK + mark.place), {})

    def remove(self, place: str) -> None:
        """Takes a letter away; its mark, which says why, must be kept before."""
        self._send(place, None, {})

    def flush(self) -> int:
        """Waits until all are acknowledged; returns how many since the last time. Raises Retryable: call again."""
        settled = self._sender.settle()
        self.unsettled = 0
        return settled.acknowledged

    def close(self) -> None:
        """Lets go of the broker; flush first."""
        self._sender.close()

    def _send(self, key: str, value: bytes | None, headers: Mapping[str, str]) -> None:
        self.unsettled += len(value or b"")
        self._sender.send(Outgoing(self._topic, key.encode(), value, place=key, headers=[
            (name, text.encode(errors="replace")) for name, text in headers.items()]))


def too_large(size: int) -> str:
    """What is added to the reason of a letter whose record is not kept."""
    return f" (The record of {size} bytes is too large to be kept.)"


def read(settings: Settings, principal: str, keys: KeyRing) -> Box:
    """Everything the topic holds. Raises StoreAway, SignInRefused."""
    return Followed(settings, principal, keys).box()


def whole(settings: Settings, principal: str, keys: KeyRing, letter: DeadLetter) -> DeadLetter | None:
    """A letter with its value; None when the topic does not hold it any more. Raises StoreAway, SignInRefused."""
    if letter.at is None:
        return letter
    (number, offset), topic = letter.at, settings.kafka.dead_topic
    place = TopicPartition(topic, number)
    consumer = kafka_consumer(settings, principal)
    try:
        with mapped("reading a dead letter", principal):
            if consumer.beginning_offsets([place])[place] > offset:
                return None
            consumer.assign([place])
            consumer.seek(place, offset)
            for record in read_until(consumer, {place: offset + 1}, settings.kafka.request_timeout_s):
                if record.offset == offset and record.value is not None:
                    read_now = _letter(letter.place, record.value, dict(record.headers), keys)
                    return replace(letter, value=read_now.value, opened=read_now.opened, at=None)
    finally:
        consumer.close()
    return None


class Followed:
    """The topic for one who looks at it again and again: only what came since the last look is read and opened.

    To read all of it takes about half a second for 5,000 records, too long to do every few seconds. For one thread at a time.
    values: whether letters have theirs; they may be large and are of people, so who follows for long keeps none.
    """

    def __init__(self, settings: Settings, principal: str, keys: KeyRing, values: bool = True) -> None:
        self._settings, self._principal, self._keys, self._values = settings, principal, keys, values
        self._letters: dict[str, DeadLetter] = {}
        self._marks: dict[str, Mark] = {}
        self._starts: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._looked_at = float("-inf")
        self._box = Box({}, {})

    def box(self) -> Box:
        """Everything the topic holds now; the same Box while nothing comes. Raises StoreAway, SignInRefused."""
        topic, now = self._settings.kafka.dead_topic, time.monotonic()
        consumer = kafka_consumer(self._settings, self._principal)
        try:
            with mapped("reading dead letters", self._principal):
                numbers = sorted(consumer.partitions_for_topic(topic) or ())
                partitions = [TopicPartition(topic, number) for number in numbers]
                starts = consumer.beginning_offsets(partitions) if partitions else {}
                ends = consumer.end_offsets(partitions) if partitions else {}
                if self._outdated(starts, ends, now):
                    self._letters, self._marks, self._starts, self._next, self._box = {}, {}, starts, {}, Box({}, {})
                consumer.assign(partitions)
                for place in partitions:
                    consumer.seek(place, self._next.get(place, starts[place]))
                came = False
                for record in read_until(consumer, ends, self._settings.kafka.request_timeout_s):
                    _take(record, self._letters, self._marks, self._keys, self._values)
                    came = True
        finally:
            consumer.close()
        self._next, self._looked_at = ends, now    # only now: after an error the same records are taken once more
        if came:
            self._box = Box(dict(self._letters), dict(self._marks))
        return self._box

    def _outdated(self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], now: float) -> bool:
        """Whether what was read may hold what the topic does not: its oldest have gone, it is another topic, or the last look
        is so long ago that a letter may have been removed and the null that says so be gone as well (engine/topics.py)."""
        nulls_stay_s = self._settings.kafka.max_compaction_lag_minutes * 60.0
        return (starts != self._starts or now - self._looked_at > nulls_stay_s / 2
                or any(ends.get(place, 0) < upto for place, upto in self._next.items()))


def _take(record: Any, letters: dict[str, DeadLetter], marks: dict[str, Mark], keys: KeyRing, values: bool) -> None:
    key = record.key.decode(errors="replace")
    if key.startswith(MARK):
        if (mark := _mark(key, record.value, keys)) is not None:
            marks[mark.place] = mark
        return
    letters.pop(key, None)
    if record.value is not None:
        letter = _letter(key, record.value, dict(record.headers), keys)
        letters[key] = letter if values else replace(letter, value=b"", at=(record.partition, record.offset))


def _mark(key: str, sealed: bytes | None, keys: KeyRing) -> Mark | None:
    """A mark; None for what is none of ours: nobody hides a letter by a mark of his own."""
    try:
        return Mark(**json.loads(keys.open_dead_letter(sealed or b"", key)))
    except CannotOpen:
        return None


def _letter(place: str, sealed: bytes, told: Mapping[str, bytes | None], keys: KeyRing) -> DeadLetter:
    headers = {name: (text or b"").decode(errors="replace") for name, text in told.items()}
    try:
        value, opened = keys.open_dead_letter(sealed, place), True
    except CannotOpen:
        value, opened = b"", False
    attempts = headers.get("attempts", "")
    return DeadLetter(place, headers.get("reason", ""), headers.get("first_append", ""), value, opened,
                      int(attempts) if attempts.isdecimal() else 0,
                      {name: headers[name] for name in ORIGIN if name in headers})


def _kept(value: object) -> bytes:
    if isinstance(value, bytes):
        raw = value
        try:
            value = parsed(raw)
        except ValueError:
            return raw
    cleaned = without_secrets(value)
    try:
        return json.dumps(cleaned, ensure_ascii=False).encode()    # escapes would make a large letter six times larger
    except UnicodeEncodeError:
        return json.dumps(cleaned).encode()                        # half a surrogate pair stands only as an escape
