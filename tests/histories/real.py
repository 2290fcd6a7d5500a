"""The same histories on the real servers: the product's own stores, broken off before any single statement of theirs.

The classes of engine/stores run as they are; below them, at the driver, each statement passes the process that may die.
Records and commands are the driver's lists with times of its own clock; the batch is the plain one, and rows are written
by this file (the columns counting depends on, as engine/spark/batch.py writes them). Nulls and dead letters go to Kafka.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any
from uuid import UUID

from pymongo.errors import BulkWriteError, DuplicateKeyError

from engine.commands import Command, Marker
from engine.person import Cell, Record, Row
from engine.sealing import KeyRing
from engine.sender import Outgoing
from engine.settings import Settings
from engine.stores import dead_letters
from engine.stores.aggregates import COLLECTIONS, DUPLICATE_KEY, Aggregates
from engine.stores.dead_letters import DeadLetters
from engine.stores.profiles import Profiles, moment
from engine.stores.status import Status
from engine.stores.stream_stores import StreamStores
from engine.writer.pins import pinned
from tests.histories.memory import PINNABLE
from tests.histories.process import Process
from tests.histories.topic import Topic
from tests.histories.world import Names

WRITTEN = ("uuid", "appended_at", "source_partition", "source_offset", "first_seen", "counted", "nat", "gender", "birth_month",
           "email_domain")


class RealServers:
    """The servers for one history after the other; each speaks of people, places and cells of its own."""

    def __init__(self, settings: Settings, keys: KeyRing, session: Any, database: Any) -> None:
        self.database, self.settings, self.keys = database, settings, keys
        self.letters_out = DeadLetters(settings, "stream", keys)
        lease: Any = None
        self.stores = StreamStores(settings, keys, session, database, lease, self.letters_out, dict, lambda *_: None)
        table = f"{settings.cassandra.keyspace}.profiles"
        marks = ", ".join("?" * len(WRITTEN))
        self.insert = session.prepare(f"INSERT INTO {table} ({', '.join(WRITTEN)}) VALUES ({marks}) USING TIMESTAMP ?")
        self.insert_pinned = session.prepare(
            f"INSERT INTO {table} ({', '.join(WRITTEN)}, rectified) VALUES ({marks}, ?) USING TIMESTAMP ?")
        self.correct = session.prepare(
            f"UPDATE {table} USING TIMESTAMP ? SET {', '.join(f'{name} = ?' for name in PINNABLE)} WHERE uuid = ?")
        self.begin(Names())

    def begin(self, names: Names) -> None:
        """Forgets the history before."""
        self.names, self.topic, self.fence = names, Topic(f"history{names.history}"), 0
        self.commands: list[Command] = []
        for name in COLLECTIONS:
            self.database[name].delete_many({})
        self.database.pipeline_status.delete_many({"_id": "writer"})

    def rows(self) -> dict[str, Row]:
        return self.stores.profiles.rows(self.names.uuids)

    def markers(self) -> dict[str, Marker]:
        return self.stores.profiles.markers([self.names.token(uuid) for uuid in self.names.uuids])

    def cells(self) -> dict[Cell, int]:
        assert self.stores.aggregates.contradictions() == []
        return self.stores.aggregates.cells()

    def letters(self) -> Counter[str]:
        if not self.topic.rubbish:
            return Counter()
        found = dead_letters.read(self.settings, "verify", self.keys).standing
        return Counter(letter.place for letter in found if letter.place.startswith(f"{self.topic.name}-"))

    def purge(self) -> None:
        """Left to memory.py, as are backups: both are the server's own work."""

    def back_up(self) -> None: ...

    def restore(self) -> bool:
        return False

    def close(self) -> None:
        self.stores.close()
        self.letters_out.close()


class RealStores(StreamStores):
    """The product's stores as one process has them. Its lease is the process."""

    def __init__(self, servers: RealServers, process: Process) -> None:
        self.__dict__.update(vars(servers.stores))
        self.servers, self.process = servers, process
        self.lease: Any = process
        self.profiles = self.cassandra = BreakingProfiles(servers, process)
        database: Any = BreakingDatabase(servers.database, process)
        self.aggregates = Aggregates(database, servers.settings.mongo.bulk)
        self.status = Status(database)
        self.recounted = lambda: Counter(cell for row in servers.rows().values() for cell in row.cells())
        self.repin_rows = self._correct
        self._sender: Any = BreakingSender(servers.stores._sender, servers, process)

    def control_end(self) -> int:
        return len(self.servers.commands)

    def commands(self, start: int, end: int) -> list[Command]:
        return self.servers.commands[start:end]

    def read_rows(self, uuids: Iterable[str]) -> dict[str, Row]:
        return self.profiles.rows(uuids)

    def put_rows(self, rows: Sequence[tuple[Row, Record]], timestamp: int) -> None:
        for row, _ in self.process.random.sample(rows, len(rows)):
            values: list[Any] = [UUID(row.uuid), moment(row.at.appended_at), row.at.partition, row.at.offset,
                                 moment(row.first_seen), row.counted, row.nat, row.gender, row.birth_month, row.email_domain]
            pins = row.rectified >= 0
            self.cassandra.send(self.servers.insert_pinned if pins else self.servers.insert,
                               (*values, row.rectified, timestamp) if pins else (*values, timestamp))

    def _correct(self, markers: Mapping[str, Marker], timestamp: int) -> None:
        for uuid, row in self.profiles.rows(markers).items():
            made = pinned(row, markers[uuid].pins, markers[uuid].rectified)
            self.cassandra.send(self.servers.correct, (timestamp, *[getattr(made, name) for name in PINNABLE], UUID(uuid)))

    def put_letters(self, places: Sequence[str]) -> None:
        for place in places:
            self.process.write(partial(self.dead_letters.put, place, "no person", b"{", "2026-01-01T00:00:00Z"))
        self.dead_letters.flush()


class BreakingProfiles(Profiles):
    """Statement by statement."""

    def __init__(self, servers: RealServers, process: Process) -> None:
        self.__dict__.update(vars(servers.stores.profiles))
        self.servers, self.process = servers, process

    def send(self, statement: Any, values: tuple[Any, ...]) -> None:
        """One write."""
        self._all(statement, [values])

    def _all(self, statement: Any, parameters: Sequence[tuple[Any, ...]]) -> list[Any]:
        if statement in (self._read_rows, self._read_markers):
            return super()._all(statement, parameters)
        one = super()._all

        def write(values: tuple[Any, ...]) -> None:
            self.process.let_in(self.servers.fence)
            one(statement, [values])

        self.process.write(*[partial(write, values) for values in parameters])
        return []


class BreakingDatabase:
    """A database whose collections are written operation by operation."""

    def __init__(self, database: Any, process: Process) -> None:
        self.database, self.process = database, process

    def __getitem__(self, name: str) -> "BreakingCollection":
        return BreakingCollection(self.database[name], self.process)


class BreakingCollection:
    """As much of a collection as the stores use."""

    def __init__(self, collection: Any, process: Process) -> None:
        self.collection, self.process = collection, process
        self.name, self.find, self.find_one = collection.name, collection.find, collection.find_one

    def replace_one(self, *said: Any, **options: Any) -> None:
        self.process.write(partial(self.collection.replace_one, *said, **options))

    def bulk_write(self, changes: Sequence[Any], ordered: bool) -> None:
        assert not ordered
        self.process.write(*[partial(self.collection.bulk_write, [change]) for change in changes])

    def insert_many(self, documents: Sequence[dict[str, Any]], ordered: bool) -> None:
        """Duplicates are reported when all were tried, as the driver does it."""
        assert not ordered
        faults: list[dict[str, int]] = []

        def insert(index: int, document: dict[str, Any]) -> None:
            try:
                self.collection.insert_one(copy(document))
            except DuplicateKeyError:
                faults.append({"index": index, "code": DUPLICATE_KEY})

        self.process.write(*[partial(insert, index, document) for index, document in enumerate(documents)])
        if faults:
            raise BulkWriteError({"writeErrors": faults})


class BreakingSender:
    """Null by null; the first of a person's is also put to the history's own list."""

    def __init__(self, sender: Any, servers: RealServers, process: Process) -> None:
        self.sender, self.servers, self.process = sender, servers, process
        self.settle = sender.settle

    def send(self, record: Outgoing) -> None:
        self.process.write(partial(self._send, record, len(self.servers.commands)))

    def _send(self, record: Outgoing, sent: int) -> None:
        self.sender.send(record)
        if record.partition == 0:
            self.servers.topic.null(record.key.decode(), self.servers.commands, sent)
