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
from cassandra import InvalidRequest, Unauthorized
from cassandra import protocol as cassandra_protocol
from kafka import TopicPartition

from engine import topics
from engine.clients import cassandra_session, kafka_admin, kafka_consumer, kafka_producer, mapped
from engine.errors import SignInRefused, StoreAway
from engine.provision.changes import settled
from engine.sealing import KeyRing, ensure_keys, load_keys
from engine.settings import Settings
from engine.stores.schema import PROFILES

pytestmark = pytest.mark.services

MAY_WRITE = {("producer", "people"), ("producer", "dead"), ("stream", "people"), ("stream", "dead"),
             ("governance", "control"), ("redrive", "people"), ("redrive", "dead")}    # the console writes nothing
MAY_READ = {("stream", "people"), ("stream", "control"), ("verify", "people"), ("verify", "control"),
            ("verify", "dead"), ("redrive", "people"), ("redrive", "dead"), ("console", "dead"),
            ("inspector", "people"), ("inspector", "dead")}
MAY_END = {("governance", "people"), ("governance", "dead")}
KAFKA_USERS = ("producer", "stream", "governance", "verify", "redrive", "console", "inspector", "gatekeeper")
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


def end_none(settings: Settings, user: str, topic: str) -> None:
    """Ends the records before the first one there is."""
    place = TopicPartition(topic, 0)
    watcher = kafka_consumer(settings, "verify")
    first = int(watcher.beginning_offsets([place])[place])
    watcher.close()
    admin = kafka_admin(settings, user)
    try:
        with mapped("trying to end records", user):
            admin.delete_records({place: first})
    finally:
        admin.close()


@pytest.mark.parametrize(("user", "topic"), EACH)
def test_who_may_end_records_of_which_topic(stack: Settings, user: str, topic: str) -> None:
    if (user, topic) in MAY_END:
        end_none(stack, user, topic_name(stack, topic))
    else:
        # from who may not even see a topic the broker hides that there is one
        with pytest.raises((SignInRefused, StoreAway), match=r"AuthorizationFailedError|UnknownTopicOrPartitionError"):
            end_none(stack, user, topic_name(stack, topic))


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
READ_AUDIT = "SELECT seal FROM {ks}.audit LIMIT 1"
WRITE_SESSION = "DELETE FROM {ks}.sessions WHERE id = 'nobody'"
READ_PASSWORDS = "SELECT password FROM {ks}.accounts LIMIT 1"
DROP_AUDIT = "DROP TABLE {ks}.audit"
READ_RECORDS = "SELECT body FROM {ks}.records LIMIT 1"
WRITE_RECORD = "DELETE FROM {ks}.records USING TIMESTAMP 1 WHERE record = 'nobody' AND n = 1"
RECORDS = {READ_RECORDS, WRITE_RECORD}
CONSOLES = {READ_AUDIT, WRITE_SESSION, READ_PASSWORDS}
STATEMENTS = (READ_RECORDS, WRITE_RECORD, READ_AUDIT, WRITE_SESSION, READ_PASSWORDS, DROP_AUDIT, SELECT_ROW,
              SELECT_MARKER, WRITE_ROW, WRITE_MARKER, READ_SECRETS, MAKE_SUPERUSER, TAKE_ROLE, DROP_ROLE,
              MAKE_ROLE, DROP_TABLE)

MAY_EXECUTE: dict[str, set[str]] = {
    "stream": set(),
    "fence": {SELECT_ROW, SELECT_MARKER, WRITE_ROW, WRITE_MARKER, MAKE_ROLE},
    "producer": {SELECT_MARKER},
    "verify": {SELECT_ROW, SELECT_MARKER},
    "governance": {SELECT_MARKER, *CONSOLES, *RECORDS},
    "redrive": {SELECT_ROW, SELECT_MARKER},
    "console": {SELECT_ROW, *CONSOLES},
    "officer": {SELECT_ROW, *RECORDS},
    "inspector": {SELECT_ROW, SELECT_MARKER, READ_AUDIT, READ_RECORDS},
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


def test_who_lacks_unmask_sees_null_for_personal_columns(stack: Settings, one_row: uuid.UUID) -> None:
    statement = f"SELECT nat, email, full_name FROM {stack.cassandra.keyspace}.profiles WHERE uuid = %s"

    def row(role: str) -> tuple[Any, ...]:
        with cassandra_session(stack, role) as session:
            return tuple(session.execute(statement, (one_row,)).one())

    settled(lambda: row("console") == row("redrive") == row("inspector") == ("FR", None, None),
            "A role without UNMASK saw more than null")
    for role in ("fence", "verify", "officer"):
        assert row(role) == ("FR", b"\x01", b"\x02")


def test_who_lacks_unmask_sees_null_where_something_was_rectified(stack: Settings) -> None:
    table, who = f"{stack.cassandra.keyspace}.markers", f"test-{uuid.uuid4()}"

    def row(role: str) -> tuple[Any, ...]:
        with cassandra_session(stack, role) as session:
            return tuple(session.execute(f"SELECT rectified, pins FROM {table} WHERE suppression = %s", (who,)).one())

    with cassandra_session(stack, "provision") as session:
        session.execute(f"INSERT INTO {table} (suppression, erased, restricted, rectified, pins) "
                        "VALUES (%s, false, false, 7, 0x01)", (who,))
        try:
            settled(lambda: all(row(role) == (7, None) for role in ("producer", "governance", "redrive", "inspector")),
                    "A role without UNMASK saw more than null")
            for role in ("fence", "verify"):
                assert row(role) == (7, b"\x01")
        finally:
            session.execute(f"DELETE FROM {table} WHERE suppression = %s", (who,))


@pytest.mark.parametrize("column", [column.name for column in PROFILES.columns if column.masked])
@pytest.mark.parametrize("shape", [
    "SELECT {column} FROM {table} WHERE uuid = {uuid}",
    "SELECT {column} AS x, CAST(age AS text) AS y FROM {table} WHERE uuid = {uuid}",
    "SELECT JSON uuid, {column} FROM {table} WHERE uuid = {uuid}",
    "SELECT toJson({column}) AS x FROM {table} WHERE uuid = {uuid}",
    "SELECT blobAsText({column}) AS x FROM {table} WHERE uuid = {uuid}",
    "SELECT max({column}) AS x FROM {table} WHERE uuid = {uuid}",
    "SELECT writetime({column}) AS x, {column} FROM {table} WHERE uuid = {uuid}",
    "SELECT uuid FROM {table} WHERE {column} = 0x01 ALLOW FILTERING",
    "SELECT uuid FROM {table} WHERE {column} >= 0x00 ALLOW FILTERING",
    "SELECT uuid FROM {table} WHERE {column} IN (0x01, 0x02) ALLOW FILTERING",
    "SELECT uuid FROM {table} WHERE uuid = {uuid} AND {column} > 0x00 ALLOW FILTERING",
    "UPDATE {table} SET {column} = 0x00 WHERE uuid = {uuid}",
    "UPDATE {table} SET nat = 'XX' WHERE uuid = {uuid} IF {column} = 0x01",
    "ALTER TABLE {table} ALTER {column} DROP MASKED",
    "CREATE INDEX ON {table} ({column}) USING 'sai'"])
def test_the_consoles_own_password_opens_no_personal_value(stack: Settings, sealed_row: dict[str, Any], column: str,
                                                           shape: str) -> None:
    """With the console's credentials a plain client gets null, or is refused; and what is stored is sealed besides."""
    statement = shape.format(column=column, table=f"{stack.cassandra.keyspace}.profiles", uuid=sealed_row["uuid"])
    with cassandra_session(stack, "console") as session:
        try:
            rows = list(session.execute(statement))
        except (Unauthorized, InvalidRequest, cassandra_protocol.SyntaxException):
            return
    assert "WHERE uuid" in shape, "who may not see a column may not ask for it either"
    for row in rows:
        seen = repr(tuple(row))
        assert sealed_row[column].hex() not in seen.lower()
        assert repr(sealed_row[column]) not in seen
    with cassandra_session(stack, "officer") as session:
        shown = session.execute(f"SELECT {column} FROM {stack.cassandra.keyspace}.profiles WHERE uuid = {sealed_row['uuid']}")
        assert shown.one()[0] == sealed_row[column], "the value was there to be found"


@pytest.fixture(scope="module")
def sealed_row(stack: Settings) -> Iterator[dict[str, Any]]:
    """One row as the stream writes it: personal columns sealed."""
    who, keys = str(uuid.uuid4()), load_keys_or_made(stack)
    values: dict[str, Any] = {column.name: keys.seal_column(who, column.name, f"clear {column.name}")
                              for column in PROFILES.columns if column.masked}
    table = f"{stack.cassandra.keyspace}.profiles"
    with cassandra_session(stack, "provision") as session:
        session.execute(f"INSERT INTO {table} (uuid, age, nat, {', '.join(values)}) VALUES ({who}, 30, 'FR', "
                        f"{', '.join('0x' + value.hex() for value in values.values())})")
        yield {**values, "uuid": who}
        session.execute(f"DELETE FROM {table} WHERE uuid = {who}")


def load_keys_or_made(stack: Settings) -> KeyRing:
    """The key ring of the stack."""
    ensure_keys(stack)
    return load_keys(stack)
