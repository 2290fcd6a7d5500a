"""Records on their way to Kafka: kept until the broker has acknowledged them, so that an absent broker loses none.

`send` never fails; `settle` tells. When it raises a Retryable, everything from the first record that was not
acknowledged on is still here, in order, and the next `settle` sends it again: a repeat does no harm, a gap or an older
record after a newer one would.
"""

import contextlib
from typing import Any, NamedTuple

from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from engine.clients import kafka_producer, mapped
from engine.settings import Settings

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class Outgoing(NamedTuple):
    """One record to send. place: where it came from, for dead letters. partition: None for that of the key."""

    topic: str
    key: bytes
    value: bytes | None    # None: a null, for compaction
    headers: list[tuple[str, bytes]]
    place: str
    partition: int | None = None


class Settled(NamedTuple):
    """How many records are acknowledged since the last time, and those that the broker finds too large."""

    acknowledged: int
    too_large: list[Outgoing]


class Sender:
    """A producer of Kafka that is made anew, and its unacknowledged records sent again, after it failed."""

    def __init__(self, settings: Settings, principal: str) -> None:
        self._settings = settings
        self._principal = principal
        self._producer: Any = None
        self._broken: KafkaError | None = None
        self._kept: list[tuple[Outgoing, Any]] = []    # with the future of its acknowledgement, once sent
        self._too_large: list[Outgoing] = []
        self._acknowledged = 0

    def open(self) -> None:
        """Signs in, so that the first record need not wait for that. Raises StoreAway, SignInRefused; call again."""
        if self._producer is None:
            self._producer = kafka_producer(self._settings, self._principal)

    def send(self, record: Outgoing) -> None:
        """Takes a record; it is under way at once when the broker is there, else with the next `settle`."""
        if self._producer is None or self._broken is not None:
            self._kept.append((record, None))
            return
        try:
            future = self._producer.send(
                record.topic, key=record.key, value=record.value, headers=list(record.headers), partition=record.partition)
        except _TOO_LARGE:
            self._too_large.append(record)
            return
        except KafkaError as error:
            future, self._broken = None, error
        self._kept.append((record, future))

    def settle(self) -> Settled:
        """Waits until each record is acknowledged or refused. Raises Retryable (call again) or Final."""
        suspects = self._round()
        while suspects:
            # kafka-python 3.0.12 fails whatever follows a record that was too large with the same error, of every
            # partition, for ever: only the first of a new producer is known to be so itself
            first, *rest = suspects
            self._kept = [(first, None)]
            try:
                if self._round():
                    self._too_large.append(first)
            finally:
                self._kept += [(record, None) for record in rest]
            suspects = self._round()
        settled = Settled(self._acknowledged, self._too_large)
        self._acknowledged, self._too_large = 0, []
        return settled

    def close(self) -> None:
        """Lets go of the broker; records not settled are given up."""
        self._kept.clear()
        self._close()

    def _round(self) -> list[Outgoing]:
        """Sends what is not under way and waits; returns the records that the broker is said to find too large."""
        if self._broken is not None:
            self._close()
        if self._kept and (self._producer is None or self._kept[-1][1] is None):
            self.open()
            again, self._kept = [record for record, _ in self._kept], []
            for record in again:
                self.send(record)
        if self._producer is not None and self._broken is None:
            try:
                self._producer.flush(timeout=self._settings.kafka.request_timeout_s + 1)
            except KafkaError as error:
                self._broken = error
        return self._sorted_out()

    def _sorted_out(self) -> list[Outgoing]:
        suspects: list[Outgoing] = []
        for index, (record, future) in enumerate(self._kept):
            if future is not None and future.succeeded():
                self._acknowledged += 1
            elif future is not None and isinstance(future.exception, _TOO_LARGE):
                suspects.append(record)
            else:
                error = self._broken or (future.exception if future is not None else None)
                self._kept = [(unsent, None) for unsent in [*suspects, *(record for record, _ in self._kept[index:])]]
                self._close()
                with mapped("sending records", self._principal):
                    raise error or KafkaError()
        self._kept.clear()
        if suspects:
            self._close()
        return suspects

    def _close(self) -> None:
        """Ends the producer for good, before its records are sent again by another.

        kafka-python 3.0.12 does not give records up while the broker is away, whatever delivery_timeout_ms says: its
        `close` raises instead, and the thread left behind would send old records after newer ones once the broker is
        back. So its thread is ended first.
        """
        producer, self._producer, self._broken = self._producer, None, None
        if producer is not None:
            producer._sender.force_close()
            producer._sender.join()
            with contextlib.suppress(KafkaError):
                producer.close(timeout=1)
