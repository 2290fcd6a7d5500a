"""The native servers are safe from their first start: nobody unknown gets in, nothing secret shows, nothing is far."""

import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pymongo
import pymongo.errors
import pytest
from kafka import KafkaAdminClient
from kafka.admin import UserScramCredentialDeletion, UserScramCredentialUpsertion
from kafka.errors import KafkaError

from engine import secrets
from engine import stack as stacks
from engine.clients import cassandra_session, kafka_admin, kafka_producer, mapped
from engine.errors import RollcallError, SignInRefused, StoreAway
from engine.native import cassandra, kafka
from engine.processes import Supervisor, left_over
from engine.provision.changes import settled
from engine.settings import Settings
from engine.tls import trust
from tests import command_lines
from tests.conftest import FirstStart
from tests.waiting import until

pytestmark = pytest.mark.services


def passwords(settings: Settings) -> dict[str, str]:
    """Principal -> password of an installation."""
    return {name: secrets.password(settings, name).get_secret_value() for name in secrets.PRINCIPALS}


def holders(lines: set[str], words: dict[str, str]) -> list[str]:
    """Whose password stands in which of the lines; the password itself is not repeated."""
    return [f"{name} in {line.replace(word, '***')}" for line in lines for name, word in words.items() if word in line]


def test_the_default_superuser_of_cassandra_cannot_sign_in(stack: Settings) -> None:
    assert not cassandra.default_signs_in(stack)


def test_securing_again_changes_nothing(stack: Settings) -> None:
    said: list[str] = []
    assert not cassandra.secure(stack, said.append)
    assert said == []


def test_kafka_refuses_who_does_not_sign_in(stack: Settings) -> None:
    with pytest.raises(KafkaError):
        KafkaAdminClient(bootstrap_servers=stack.kafka_address, security_protocol="PLAINTEXT",
                         bootstrap_timeout_ms=3000, request_timeout_ms=3000)


LEFT = ("acc-ada", "acc-author", "acc-keeper", "acc-reader", "acc-shipping", "acc-two", "acc-writer", "case-one", "case-other",
        "newcomer")
"""Users with whom Kafka 4.3.1, started again without a snapshot, forgets every other: which do that lies in their hashes."""


@pytest.mark.timeout(300)
def test_kafka_knows_its_users_after_one_was_deleted_and_it_was_started_again(stack: Settings) -> None:
    admin = kafka_admin(stack, "provision")
    for name in LEFT:
        admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, "SCRAM-SHA-256", "a word")])
        admin.alter_user_scram_credentials([UserScramCredentialDeletion(name, "SCRAM-SHA-256")])
    admin.close()
    folder = stack.data / "kafka" / "__cluster_metadata-0"
    settled(lambda: any(not path.name.startswith("0" * 20) for path in folder.glob("*.checkpoint")), "No snapshot", 150)
    processes = Supervisor(stack)
    processes.stop("kafka")
    processes.start("kafka")
    settled(lambda: knows(stack), "Kafka does not let us sign in", 60)


def knows(settings: Settings) -> bool:
    """Whether Kafka answers and knows us; a moment after a start it may not yet."""
    try:
        kafka.probe(settings)
    except (StoreAway, SignInRefused):
        return False
    return True


def test_mongo_refuses_who_does_not_sign_in(stack: Settings) -> None:
    with pymongo.MongoClient[dict[str, object]](stack.mongo_uri, timeoutMS=5000, **trust.mongo(stack)) as client, \
            pytest.raises(pymongo.errors.OperationFailure, match="requires authentication"):
        client.list_database_names()


def test_mongo_refuses_a_wrong_password_after_a_restart_without_its_setup(stack: Settings) -> None:
    with pymongo.MongoClient[dict[str, object]](
            stack.mongo_uri, username="provision", password="wrong", authSource="admin",
            timeoutMS=5000, **trust.mongo(stack)) as client, \
            pytest.raises(pymongo.errors.OperationFailure, match="Authentication failed"):
        client.list_database_names()


def test_no_password_was_ever_on_a_command_line(first_start: FirstStart) -> None:
    lines = first_start.command_lines | command_lines.now()
    assert any("format.args" in line for line in lines), "the search looked while Kafka was formatted"
    assert holders(lines, passwords(first_start.settings)) == []


def test_the_search_of_command_lines_finds_a_planted_password() -> None:
    planted = {"canary": "5f0c1d2e-canary"}
    with subprocess.Popen([sys.executable, "-c", "input()", planted["canary"]], stdin=subprocess.PIPE) as process:
        until("its command line is there", lambda: holders(command_lines.now(), planted))    # a moment after it was started
        process.kill()


def test_no_password_is_in_a_log(stack: Settings) -> None:
    logs = {path: path.read_text(errors="replace") for path in stack.logs_dir.iterdir()}
    assert {"kafka.log", "cassandra.log", "mongo.log", "supervisord.log"} <= {path.name for path in logs}
    assert "started" in logs[stack.logs_dir / "kafka.log"]
    assert holders(set(logs.values()), passwords(stack)) == []


def test_every_file_that_holds_a_password_is_its_owners_alone(stack: Settings) -> None:
    words = passwords(stack)
    found = [path for folder in (stack.secrets, stack.run) for path in folder.rglob("*")
             if path.is_file() and any(word in path.read_text(errors="replace") for word in words.values())]
    assert len(found) > len(words), "the passwords and Kafka's own configuration"
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in found} == dict.fromkeys(found, 0o600)
    for folder in (stack.secrets, stack.run, stack.logs_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_everything_listens_on_this_machine_only(stack: Settings) -> None:
    pids = {process.pid for process in left_over(stack)}
    listening = {connection.laddr.port: connection.laddr.ip for connection in psutil.net_connections("tcp")
                 if connection.status == psutil.CONN_LISTEN and connection.pid in pids and connection.laddr}
    assert set(listening) == {stack.kafka.port, stack.kafka.controller_port, stack.cassandra.port,
                              stack.cassandra.storage_port, stack.mongo.port}
    assert set(listening.values()) == {"127.0.0.1"}


def test_cassandra_runs_with_what_its_configuration_asks_for(stack: Settings) -> None:
    with cassandra_session(stack, "provision") as session:
        running = {row.name: row.value for row in session.execute("SELECT name, value FROM system_views.settings")}
    assert running["commitlog_sync"] == stack.cassandra.commitlog_sync
    assert running["dynamic_data_masking_enabled"] == "true"
    assert "PasswordAuthenticator" in running["authenticator"]
    assert "CassandraAuthorizer" in running["authorizer"]


def test_what_kafka_refuses_stands_in_the_authorizers_own_log(stack: Settings) -> None:
    log = stack.logs_dir / "kafka-authorizer.log"
    producer = kafka_producer(stack, "producer")
    try:
        with pytest.raises(RollcallError), mapped("writing a command", "producer"):
            producer.send(stack.kafka.control_topic, b"{}", key=b"not allowed").get(10)
    finally:
        producer.close()
    denials = [line for line in log.read_text().splitlines() if "denied" in line.lower()]
    assert any("User:producer" in line and stack.kafka.control_topic in line for line in denials)


def test_a_second_up_fetches_and_changes_nothing(stack: Settings) -> None:
    said: list[str] = []
    before = {process.pid for process in left_over(stack)}
    stacks.servers_up(stack, said.append)
    assert {process.pid for process in left_over(stack)} == before
    assert [line for line in said if "ready" not in line] == ["Provisioned: nothing had to be changed"]


def test_what_a_compaction_keeps_of_an_index_fits_many_times_into_the_heap(stack: Settings) -> None:
    with cassandra_session(stack, "provision") as session:
        said = session.execute("SELECT value FROM system_views.settings "
                               "WHERE name = 'sai_options.segment_write_buffer_size'").one().value
    assert said.endswith("MiB")
    assert stack.cassandra.heap.endswith("m")
    assert 4 * int(said.removesuffix("MiB")) < int(stack.cassandra.heap.removesuffix("m"))


def test_data_folders_are_their_owners_alone(stack: Settings) -> None:
    folders: list[Path] = [stack.data / name for name in ("kafka", "cassandra", "mongo")]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
