"""Systems that run elsewhere: the servers of `stack`, used by a second installation through their three addresses alone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import pytest
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from bench.installation import free_ports
from engine import health
from engine import stack as stacks
from engine.clients import cassandra_session, kafka_admin, mapped
from engine.doctor import CHECKS, found
from engine.errors import SettingsInvalid, SignInRefused
from engine.processes import SERVERS, Supervisor, left_over
from engine.provision import provision, rights
from engine.provision.changes import settled
from engine.secrets import write_secret
from engine.settings import CLONE, Settings, load
from engine.tls import authority
from engine.topics import all_topics
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1500)]

NAME = "people_elsewhere"
WELL_WITHIN_S = 240


class Second:
    """An installation with no server of its own and nothing but addresses and the administrator's password of the first."""

    def __init__(self, first: Settings, home: Path) -> None:
        self.first, self.home = first, home
        self.addresses = {"KAFKA_BOOTSTRAP": f"127.0.0.1:{first.kafka.port}",
                          "CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{first.cassandra.port}",
                          "MONGODB_URI": f"mongodb://127.0.0.1:{first.mongo.port}/?appName=second"}
        view, console = free_ports(2)
        (home / "settings.toml").write_text(
            f'[kafka]\ntopic = "{NAME}"\n[cassandra]\nkeyspace = "{NAME}"\n[mongo]\ndatabase = "{NAME}"\n'
            f'[view]\nport = {view}\n[console]\nport = {console}\n[spark]\ndriver_memory = "1g"\n[metrics]\nserve = false\n'
            f'[producer]\nsource = "synthetic"\n[tls]\non = {str(first.tls.on).lower()}\n')
        if first.tls.on:    # as operating.md has it: their authority below ours
            self.rollcall("certs", code=0)
            with authority.trusted_file(self.settings).open("a") as trusted:
                trusted.write(authority.trusted_file(first).read_text())
        self.password = home / "secrets" / "provision.password"

    def rollcall(self, *arguments: str, code: int | None) -> subprocess.CompletedProcess[str]:
        """Runs a command; `code` is the exit code that is expected, None for any."""
        done = subprocess.run([sys.executable, "-m", "engine.cli", *arguments], cwd=CLONE, capture_output=True, text=True,
                              env={**os.environ, "ROLLCALL_HOME": str(self.home), **self.addresses}, check=False, timeout=400)
        assert code in (None, done.returncode), f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    @cached_property
    def settings(self) -> Settings:
        """As its commands have them."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"ROLLCALL_HOME": str(self.home), **self.addresses}.items():
                patch.setenv(name, value)
            return load()

    def provided(self) -> list[str]:
        """What `rollcall provision` says."""
        said: list[str] = []
        stacks.provide(self.settings, said.append)
        return said

    def found(self, name: str) -> str:
        """What the doctor's check of this name finds."""
        finding = found(next(check for check in CHECKS if check.name == name), self.settings)
        assert finding.ok, finding
        return finding.found

    def keyspaces(self) -> set[str]:
        """What Cassandra holds."""
        with cassandra_session(self.first, "provision") as session:
            return {row.keyspace_name for row in session.execute("SELECT keyspace_name FROM system_schema.keyspaces")}

    def topics(self) -> set[str]:
        """What Kafka holds."""
        admin = kafka_admin(self.first, "provision")
        try:
            return set(admin.list_topics())
        finally:
            admin.close()


@pytest.fixture(scope="module")
def second(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """Afterwards the first one's passwords hold again."""
    one = Second(stack, tmp_path_factory.mktemp("second"))
    try:
        yield one
    finally:
        stacks.down(one.settings, lambda _: None)
        provision(stack, lambda _: None)
    assert left_over(one.settings) == []


def running(settings: Settings) -> dict[str, int | None]:
    """Server -> its process."""
    status = Supervisor(settings).status()
    return {name: status[name].pid for name in SERVERS}


def test_1_it_says_which_credentials_are_missing_and_where_they_go(second: Second) -> None:
    with pytest.raises(SettingsInvalid) as missing:
        second.provided()
    said = str(missing.value)
    assert f"kafka runs elsewhere (127.0.0.1:{second.first.kafka.port})" in said
    assert str(second.home / "secrets" / "kafka.admin") in said
    assert str(second.password) in said
    assert not second.password.exists(), "a made-up password would be refused there"


def test_2_users_that_may_be_somebody_elses_are_left_alone(second: Second) -> None:
    second.password.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(second.first.secrets / "provision.password", second.password)
    with pytest.raises(SignInRefused, match=r"already, and our password is refused: it may be(.|\n)*--take-over"):
        second.provided()
    assert NAME not in second.topics() | second.keyspaces(), "nothing was changed"


def test_3_provisioning_is_a_command_and_the_second_time_changes_nothing(second: Second) -> None:
    said = second.rollcall("provision", "--take-over", code=0).stderr
    assert f"mongo at 127.0.0.1:{second.first.mongo.port} is ready" in said
    assert {NAME, f"{NAME}.control", f"{NAME}.dead"} <= second.topics()
    assert NAME in second.keyspaces()
    assert "Published the first content of the register" in said
    again = second.provided()
    assert "Provisioned: nothing had to be changed" in again
    assert not any("Published" in line for line in again)
    assert not (second.home / "data").exists(), "it has no server"


@pytest.mark.proof
def test_4_people_flow_through_it_and_the_first_ones_servers_are_neither_started_nor_stopped(second: Second) -> None:
    before = running(second.first)
    assert all(before.values())
    second.rollcall("up", code=None)    # on a busy machine it gives up waiting for the first turn; what runs goes on running
    processes = Supervisor(second.settings)

    def hops() -> list[health.Hop]:
        return health.look(health.Opened(second.settings), processes)

    until(hops, lambda: all(hop.ok for hop in hops()), WELL_WITHIN_S, every_s=1)    # each look signs in to the servers
    by_name = {hop.name: hop for hop in hops()}
    for name, address in second.settings.elsewhere.items():
        assert by_name[name].facts["program"] == "elsewhere"
        assert by_name[name].facts["address"] == address
        assert by_name[name].says.startswith(f"elsewhere ({address}): ")
    two = json.loads(second.rollcall("status", "stream", "mongo", "--json", code=None).stdout)
    assert list(two["hops"]) == ["stream", "mongo"]
    assert f"elsewhere ({second.settings.elsewhere['cassandra']})" in second.found("tables")
    assert "runs elsewhere" in second.found("port kafka.port")
    assert "runs elsewhere" in second.found("cache ferretdb")
    assert "kafka elsewhere" in second.found("programs")
    ours = {process.environ()["SUPERVISOR_PROCESS_NAME"] for process in left_over(second.settings)}
    assert ours == {"stream", "producer", "view", "console", "keeper"}
    report = json.loads(second.rollcall("verify", "--json", code=0).stdout)
    assert report["ok"]
    assert report["rows"] > 0
    second.rollcall("down", code=0)
    assert left_over(second.settings) == []
    assert running(second.first) == before
    assert not (second.home / "data").exists()


@pytest.fixture
def newcomer(second: Second) -> Iterator[Settings]:
    """An account of another name, which in Kafka may do what `rollcall provision --rights` names and nothing else."""
    settings = second.settings.model_copy(update={
        "kafka": second.settings.kafka.model_copy(update={"topic": f"{NAME}_{uuid4().hex}"})})
    admin = kafka_admin(second.first, "provision")
    cluster = ResourcePattern(ResourceType.CLUSTER, "kafka-cluster")
    acls = [ACL("User:newcomer", "*", ACLOperation[operation], ACLPermissionType.ALLOW, resource)
            for operations, resources in (
                (rights.KAFKA_CLUSTER, [cluster]),
                (rights.KAFKA_TOPICS, [ResourcePattern(ResourceType.TOPIC, one.name) for one in all_topics(settings.kafka)]))
            for operation in operations for resource in resources]
    file = second.home / "secrets" / "kafka.admin"
    try:
        with mapped("making an account", "provision"):
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion("newcomer", "SCRAM-SHA-256", "a word")])
            assert admin.create_acls(acls)["failed"] == []
        write_secret(file, b"newcomer\na word\n")
        settled(lambda: signs_in(settings), "newcomer can sign in")
        yield settings
    finally:
        file.unlink(missing_ok=True)
        anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        admin.delete_acls([ACLFilter("User:newcomer", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)])
        admin.alter_user_scram_credentials([UserScramCredentialDeletion("newcomer", "SCRAM-SHA-256")])
        admin.close()


def signs_in(settings: Settings) -> bool:
    """Whether the account with which Kafka is set up is known there."""
    try:
        kafka_admin(settings, "provision").close()
    except SignInRefused:
        return False
    return True


def test_5_the_rights_that_are_named_suffice_in_kafka(newcomer: Settings, second: Second) -> None:
    said: list[str] = []
    assert provision(newcomer, said.append, "kafka") > 3
    assert {topic.name for topic in all_topics(newcomer.kafka)} <= second.topics()
    assert any(line.startswith("ACL producer WRITE") for line in said)
    assert provision(newcomer, said.append, "kafka") == 0


def test_6_and_without_alter_on_the_cluster_they_do_not(newcomer: Settings, second: Second) -> None:
    admin = kafka_admin(second.first, "provision")
    try:
        everything = ResourcePatternFilter(ResourceType.CLUSTER, None, ACLResourcePatternType.ANY)
        admin.delete_acls([ACLFilter("User:newcomer", None, ACLOperation.ALTER, ACLPermissionType.ANY, everything)])
    finally:
        admin.close()
    with pytest.raises(SignInRefused, match="Kafka refuses provision"):
        provision(newcomer, lambda _: None, "kafka")
