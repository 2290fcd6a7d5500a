"""All that the stream's writer reads and writes besides its batch: `Stores` of engine/writer/write_order.py, for real."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kafka import TopicPartition
from pymongo.database import Database

from engine import commands
from engine.backlog import backlog
from engine.clients import kafka_consumer, mapped, read_until
from engine.commands import Command, Marker
from engine.errors import CommandRefused, StoreAway
from engine.person import Cell
from engine.sealing import KeyRing
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.stores.aggregates import Aggregates
from engine.stores.dead_letters import DeadLetters
from engine.stores.known import Known
from engine.stores.profiles import Profiles
from engine.stores.status import Status
from engine.writer.lease import Lease
from engine.writer.write_order import Sealing, WriterState


class StreamStores:
    """See engine/writer/write_order.py, Stores. One thread at a time."""

    def __init__(self, settings: Settings, keys: KeyRing, session: Any, database: Database[dict[str, Any]], lease: Lease,
                 dead_letters: DeadLetters, recounted: Callable[[], Mapping[Cell, int]],
                 repin: Callable[[Mapping[str, Marker], int], None]) -> None:
        self.settings, self.keys, self.dead_letters = settings, keys, dead_letters
        self.profiles = Profiles(session, settings.cassandra.keyspace, keys)
        self.known = Known()
        self.aggregates = Aggregates(database, settings.mongo.bulk)
        self.status = Status(database)
        self.recounted, self.repin_rows, self.lease = recounted, repin, lease
        self._control = TopicPartition(settings.kafka.control_topic, 0)
        self._consumer = kafka_consumer(settings, "stream")
        self._consumer.assign([self._control])
        self._sender = Sender(settings, "stream")

    def state(self) -> WriterState:
        """The writer's state."""
        return self.status.writer()

    def save(self, state: WriterState) -> None:
        """Sets the writer's state by one write; LeaseLost once a later holder has written it.

        What is opened is looked at again: who takes the lease after this look reads what was saved, so that no turn runs
        of which the next holder does not know.
        """
        self.status.save_writer(state, self.lease.number)
        if state.open is not None or state.recount:
            self.lease.check()

    def control_end(self) -> int:
        """Offset after the newest command."""
        with mapped("reading the control topic", "stream"):
            return int(self._consumer.end_offsets([self._control])[self._control])

    def commands(self, start: int, end: int) -> list[Command]:
        """The commands of a range of offsets; what is none becomes a dead letter and is passed over."""
        found: list[Command] = []
        if start >= end:
            return found
        with mapped("reading the control topic", "stream"):
            self._consumer.seek(self._control, start)
            for record in read_until(self._consumer, {self._control: end}, self.settings.kafka.request_timeout_s):
                self._take(record, found)
        return found

    def _take(self, record: Any, found: list[Command]) -> None:
        try:
            found.append(commands.decode(self.keys, record.offset, record.timestamp, record.key, record.value))
        except CommandRefused as error:
            self.dead_letters.put(f"{record.topic}-{record.partition}-{record.offset}", str(error),
                                  record.value or b"", "")
            self.dead_letters.flush()

    def markers(self, tokens: Sequence[str]) -> dict[str, Marker]:
        """Markers by token."""
        return self.profiles.markers(tokens)

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        """Adds to the aggregates, once per stamp."""
        self.aggregates.add(deltas, stamp)

    def counted(self, since: int) -> Mapping[Cell, int]:
        """What the aggregates say."""
        return self.aggregates.cells(since)

    def emptied(self) -> bool:
        """Whether aggregates count nobody."""
        return self.aggregates.empty() > 0

    def set_aggregates(self, cells: Mapping[Cell, int], stamp: int) -> None:
        """Sets the aggregates whole."""
        self.lease.check()
        self.aggregates.set_all(cells, stamp)

    def sweep(self, stamp: int) -> None:
        """Zeroes aggregates of an earlier epoch."""
        self.aggregates.sweep(stamp)

    def delete_rows(self, uuids: Sequence[str], timestamp: int) -> None:
        """Deletes rows."""
        self.profiles.delete(uuids, timestamp)

    def recolour(self, counted: Mapping[str, bool], timestamp: int) -> None:
        """Sets whether standing rows count."""
        self.profiles.recolour(counted, timestamp)

    def repin(self, markers: Mapping[str, Marker], timestamp: int) -> None:
        """Sets what the markers' pins determine in standing rows."""
        if markers:
            self.repin_rows(markers, timestamp)

    def put_markers(self, markers: Sequence[Marker], timestamp: int) -> None:
        """Writes markers."""
        self.known.marked(kept.token for kept in markers)
        self.profiles.put_markers(markers, timestamp)

    def renew_keys(self) -> str:
        """Takes up the key ring as it is kept now, in place: everything that seals has this one."""
        return self.keys.renew().mark

    def seal_anew(self, sealing: Sealing, timestamp: int) -> Sealing:
        """Seals the next portion of rows anew."""
        looked, sealed, shut, after = self.profiles.seal_anew(sealing.after, timestamp)
        return replace(sealing, looked=sealing.looked + looked, sealed=sealing.sealed + sealed, shut=sealing.shut + shut,
                       after=after or sealing.after, ended=not after)

    def forget(self, uuids: Sequence[str]) -> None:
        """Sends nulls for each to the topic of people and waits until all are kept.

        To every partition: where the topic has grown, records of a person may lie in another than her key's.
        """
        if not uuids:
            return
        topic = self.settings.kafka.topic
        with mapped("looking for the topic's partitions", "stream"):
            numbers = sorted(self._consumer.partitions_for_topic(topic) or ())
        self.lease.check()    # the stores refuse what a former holder writes, the topic does not
        if not numbers:
            raise StoreAway(f"Kafka does not say how many partitions {topic} has.", "Kafka")
        for number in numbers:
            for uuid in uuids:
                self._sender.send(Outgoing(topic, uuid.encode(), None, [], uuid, number))
        self._sender.settle()

    def give_up(self) -> None:
        """Forgets what was sent and is not acknowledged: a turn that failed is done again and sends it again, if it is
        still to be sent then."""
        self._sender.close()
        self.dead_letters.close()

    def behind(self, ends: Mapping[str, int]) -> int:
        """Offsets of the topic of people that lie after these ends (by partition)."""
        with mapped("reading the ends of the topic", "stream"):
            return backlog(self._consumer, self.settings.kafka.topic, ends)

    def close(self) -> None:
        """Closes the clients of Kafka."""
        self._consumer.close()
        self._sender.close()
