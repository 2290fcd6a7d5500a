"""The least privilege, tried for real: what each principal may and may not do on the real stores.

Whether somebody may write is seen without writing: Kafka asks for the permission first and then refuses a record that
is too large for the topic; Cassandra's refusals come before anything is done.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import kafka.errors
import pytest
from kafka import TopicPartition

from engine import secrets, topics
from engine.clients import cassandra_session, kafka_consumer, kafka_producer, mapped
from engine.errors import SignInRefused
from engine.provision.changes import settled
from engine.settings import Settings

pytestmark = pytest.mark.services

MAY_WRITE = {("producer", "people"), ("producer", "dead"), ("stream", "people"), ("stream", "dead"),
             ("governance", "control"), ("redrive", "people"), ("redrive", "dead")}
MAY_READ = {("stream", "people"), ("stream", "control"), ("verify", "people"), ("verify", "control"),
            ("verify", "dead"), ("redrive", "people"), ("redrive", "dead")}
KAFKA_USERS = ("producer", "stream", "governance", "verify", "redrive")
TOPICS = ("people", "control", "dead")
EACH = [(user, topic) for user in KAFKA_USERS for topic in TOPICS]


def topic_name(settings: Settings, which: str) -> str:
    """The name of one of the three topics."""
    return {"people": settings.kafka.topic, "control": settings.kafka.control_topic,
            "dead": settings.kafka.dead_topic}[which]


def write_too_much(settings: Settings, user: str, topic: str) -> None:
    """Sends one record that the topic is too small for: nothing is ever stored."""
    largest = topics.DEAD_MAX_BYTES if topic == settings.kafka.dead_topic else topics.PEOPLE_MAX_BYTES
    producer = kafka_producer(settings, user, max_request_size=2 * largest, compression_type=None)
    try:
        with mapped("trying to write", user):
            try:
                producer.send(topic, key=b"too much", value=b"x" * (largest + 1)).get(timeout=30)
            except kafka.errors.MessageSizeTooLargeError:
                return
        raise AssertionError("a record of this size should have been refused")
    finally:
        producer.close()


def read_first(settings: Settings, user: str, topic: str) -> None:
    """Reads the beginning of the topic's first partition, as every reader of ours does."""
    consumer = kafka_consumer(settings, user)
    try:
        with mapped("trying to read", user):
            partition = TopicPartition(topic, 0)
            consumer.assign([partition])
            consumer.seek(partition, consumer.beginning_offsets([partition])[partition])
            consumer.poll(timeout_ms=2000)
    finally:
        consumer.close()


@pytest.mark.parametrize(("user", "topic"), EACH)
def test_who_may_write_which_topic(stack: Settings, user: str, topic: str) -> None:
    if (user, topic) in MAY_WRITE:
        write_too_much(stack, user, topic_name(stack, topic))
    else:
        with pytest.raises(SignInRefused, match=f"refuses {user} "):
            write_too_much(stack, user, topic_name(stack, topic))


@pytest.mark.parametrize(("user", "topic"), EACH)
def test_who_may_read_which_topic(stack: Settings, user: str, topic: str) -> None:
    if (user, topic) in MAY_READ:
        read_first(stack, user, topic_name(stack, topic))
    else:
        with pytest.raises(SignInRefused, match=f"refuses {user} .*TopicAuthorizationFailedError"):
            read_first(stack, user, topic_name(stack, topic))


SELECT_ROW = "SELECT uuid, nat, email, full_name FROM {ks}.profiles WHERE uuid = 6ba7b810-9dad-11d1-80b4-00c04fd430c8"
SELECT_MARKER = "SELECT suppression, erased FROM {ks}.markers WHERE suppression = 'nobody'"
WRITE_ROW = "DELETE FROM {ks}.profiles USING TIMESTAMP 1 WHERE uuid = 6ba7b810-9dad-11d1-80b4-00c04fd430c8"
WRITE_MARKER = "DELETE FROM {ks}.markers USING TIMESTAMP 1 WHERE suppression = 'nobody'"
READ_SECRETS = "SELECT role, salted_hash FROM system_auth.roles"
MAKE_ROLE = "CREATE ROLE intruder WITH LOGIN = true AND SUPERUSER = false"
MAKE_SUPERUSER = "CREATE ROLE intruder WITH LOGIN = true AND SUPERUSER = true"
TAKE_ROLE = "ALTER ROLE provision WITH PASSWORD = 'taken'"
DROP_ROLE = "DROP ROLE provision"
DROP_TABLE = "DROP TABLE {ks}.profiles"
STATEMENTS = (SELECT_ROW, SELECT_MARKER, WRITE_ROW, WRITE_MARKER, READ_SECRETS, MAKE_SUPERUSER, TAKE_ROLE, DROP_ROLE,
              MAKE_ROLE, DROP_TABLE)

MAY_EXECUTE: dict[str, set[str]] = {
    "stream": set(),
    "fence": {SELECT_ROW, SELECT_MARKER, WRITE_ROW, WRITE_MARKER, MAKE_ROLE},
    "producer": {SELECT_MARKER},
    "verify": {SELECT_ROW, SELECT_MARKER},
    "governance": {SELECT_MARKER},
    "redrive": {SELECT_ROW, SELECT_MARKER},
}


@pytest.mark.parametrize("role", MAY_EXECUTE)
def test_what_a_cassandra_role_may_do(stack: Settings, role: str) -> None:
    with cassandra_session(stack, role) as session:
        for statement in STATEMENTS:
            with ExitStack() as expected:
                if statement not in MAY_EXECUTE[role]:
                    expected.enter_context(pytest.raises(SignInRefused, match=f"refuses {role} .*Unauthorized"))
                with mapped("trying", role):
                    session.execute(statement.format(ks=stack.cassandra.keyspace))
        if MAKE_ROLE in MAY_EXECUTE[role]:
            session.execute("DROP ROLE intruder")    # who made it may


@pytest.fixture
def one_row(stack: Settings) -> Iterator[uuid.UUID]:
    """One row of profiles with masked values; gone again afterwards."""
    who, table = uuid.uuid4(), f"{stack.cassandra.keyspace}.profiles"
    with cassandra_session(stack, "provision") as session:
        session.execute(f"INSERT INTO {table} (uuid, nat, email, full_name) VALUES (%s, 'FR', 0x01, 0x02)", (who,))
        yield who
        session.execute(f"DELETE FROM {table} WHERE uuid = %s", (who,))


@pytest.fixture
def masked_reader(stack: Settings) -> Iterator[Any]:
    """A session of a role that may read profiles and has no UNMASK, as the console will have."""
    name, table = "masked_reader", f"{stack.cassandra.keyspace}.profiles"
    path = stack.secrets / f"{name}.password"
    secrets.write_secret(path, secrets.password(stack, "view").get_secret_value().encode())
    with cassandra_session(stack, "provision") as admin:
        admin.execute(f"CREATE ROLE IF NOT EXISTS {name} WITH PASSWORD = '{path.read_text()}' AND LOGIN = true")
        admin.execute(f"GRANT SELECT ON {table} TO {name}")
        try:
            with cassandra_session(stack, name) as session:
                yield session
        finally:
            admin.execute(f"DROP ROLE {name}")
            path.unlink()


def test_who_lacks_unmask_sees_null_for_personal_columns(
        stack: Settings, one_row: uuid.UUID, masked_reader: Any) -> None:
    statement = f"SELECT nat, email, full_name FROM {stack.cassandra.keyspace}.profiles WHERE uuid = %s"

    def row(session: Any) -> tuple[Any, ...]:
        return tuple(session.execute(statement, (one_row,)).one())

    settled(lambda: row(masked_reader) == ("FR", None, None), "The reader without UNMASK saw more than null")
    for role in ("fence", "verify"):
        with cassandra_session(stack, role) as session:
            assert row(session) == ("FR", b"\x01", b"\x02")
