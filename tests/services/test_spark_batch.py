"""Spark's batch comes to what the plain one comes to, round after round on the same Cassandra, commands included."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from engine.clients import cassandra_session
from engine.commands import Command, fold
from engine.person import Position, Record
from engine.plain_batch import PlainBatch
from engine.provision import provision
from engine.settings import Settings
from engine.spark_batch import SparkBatch, Surroundings
from engine.spark_session import spark_session
from engine.stores.dead_letters import DeadLetters
from engine.stores.profiles import Profiles
from tests.people import captured
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ROUNDS = 10
START = 1_764_000_000_000
RAW = ("topic string, key binary, value binary, partition int, offset long, timestamp timestamp, "
       "headers array<struct<key: string, value: binary>>")
PEOPLE = [f"00000000-0000-4000-8000-{number:012d}" for number in range(10)]


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """Tables of its own."""
    yield Flow(stack, tmp_path_factory.mktemp("batch"), "batch")
    provision(stack, lambda _: None)


@pytest.fixture(scope="module")
def spark(flow: Flow) -> Iterator[SparkSession]:
    """The stream's session in this process."""
    session = spark_session(flow.settings, "stream", "test")
    yield session
    session.stop()


class Rounds:
    """Makes records and commands, as records of the plain batch and as rows of Kafka's."""

    def __init__(self, seed: int) -> None:
        self.random, self.clock, self.offsets, self.commands = random.Random(seed), START, [0, 0], 0

    def records(self) -> list[tuple[Record, bytes]]:
        made = []
        for _ in range(self.random.randrange(0, 14)):
            self.clock += self.random.choice((0, 0, 1, 3_600_000))
            partition, uuid = self.random.randrange(2), self.random.choice(PEOPLE)    # a person may change partitions
            self.offsets[partition] += 1
            nat, gender = self.random.choice(("FR", "DE")), self.random.choice(("female", "male"))
            month, domain = self.random.choice(("1990-01", "1971-12")), self.random.choice(("x.org", "y.org"))
            person = {**captured("1.4")[0], "nat": nat, "gender": gender, "login": {"uuid": uuid},
                      "dob": {"date": f"{month}-07T01:02:03.000Z", "age": 5}, "email": f"A.b@{domain.upper()}"}
            at = Position(self.clock, partition, self.offsets[partition])
            made.append((Record(uuid, at, nat, gender, month, domain), json.dumps(person).encode()))
        return made

    def orders(self, token: Any) -> list[Command]:
        made = []
        for _ in range(self.random.choice((0, 0, 1, 2, 4))):
            verb = self.random.choice(("erase", "erase", "lift", "lift", "restrict", "unrestrict", "expire"))
            uuid, self.clock = self.random.choice(PEOPLE), self.clock + self.random.randrange(2)
            cut_off = self.clock - 3_600_000 if verb == "expire" else -1
            made.append(Command(self.commands, self.clock, verb, token(uuid), uuid, "r", cut_off))
            self.commands += 1
        return made


def test_spark_and_plain_python_come_to_the_same(flow: Flow, spark: SparkSession) -> None:
    rounds, keys = Rounds(7), flow.keys
    letters = DeadLetters(flow.settings, "stream", keys)
    seen = {"deletes": 0, "recoloured": 0, "barred": 0, "new": 0, "changed": 0}
    with cassandra_session(flow.settings, "stream") as session:
        profiles = Profiles(session, flow.settings.cassandra.keyspace)
        for number in range(ROUNDS):
            made, orders = rounds.records(), rounds.orders(keys.suppression_token)
            raw = spark.createDataFrame([("t", bytearray(record.uuid.encode()), bytearray(value), record.at.partition,
                                          record.at.offset, datetime.fromtimestamp(record.at.appended_at / 1000, UTC), None)
                                         for record, value in made], RAW)
            batch = SparkBatch(Surroundings(flow.settings, keys, letters), raw, number)
            plain = PlainBatch(number, [record for record, _ in made], keys.suppression_token, profiles.markers, profiles.rows)
            assert batch.fingerprint().split(":")[0] == plain.fingerprint().split(":")[0]
            assert batch.set_aside() == 0
            markers = batch.markers()
            assert markers == plain.markers()
            verdicts = fold(profiles.markers({order.token for order in orders}) | markers, orders)
            ours, theirs = plain.resolve(verdicts), batch.resolve(verdicts)
            assert dict(theirs.deltas) == dict(ours.deltas), number
            assert sorted(theirs.deletes) == sorted(ours.deletes), number
            assert theirs.recoloured == ours.recoloured, number
            assert sorted(theirs.barred) == sorted(ours.barred), number
            expected = {**profiles.rows(PEOPLE), **{row.uuid: row for row, _ in ours.rows}}
            expected |= {uuid: replace(expected[uuid], counted=now) for uuid, now in ours.recoloured.items()}
            gone = set(ours.deletes) - {row.uuid for row, _ in ours.rows}
            timestamp = (START + number) * 1000
            profiles.delete(theirs.deletes, timestamp)
            profiles.recolour(theirs.recoloured, timestamp + 1)
            theirs.write_rows(timestamp + 1)
            profiles.put_markers([verdict.marker for verdict in verdicts.values() if verdict.changed], timestamp + 1)
            assert profiles.rows(PEOPLE) == {uuid: row for uuid, row in expected.items() if uuid not in gone}, number
            batch.close()
            for name in ("deletes", "recoloured", "barred"):
                seen[name] += len(getattr(theirs, name))
            for name in ("new", "changed"):
                seen[name] += theirs.figures[name]
    letters.close()
    assert all(seen.values()), seen    # the rounds met everything
