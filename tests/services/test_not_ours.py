"""What is of others in systems that run elsewhere stays as it is: the servers of `stack`, as if they were somebody else's."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialDeletion,
)

from engine import sealing
from engine.clients import cassandra_session, kafka_admin
from engine.errors import SettingsInvalid, SignInRefused
from engine.provision import provision
from engine.provision.cassandra import _table
from engine.provision.changes import Changes, settled
from engine.provision.sealed import require_fitting_keys
from engine.settings import Settings
from engine.stores.records import REGISTER, Record, Records
from engine.stores.schema import PROFILES, RECORDS

pytestmark = pytest.mark.services

KEYSPACE = "sealed_elsewhere"


@pytest.fixture
def elsewhere(stack: Settings) -> Iterator[Settings]:
    """With the same names and passwords; afterwards everything is as it was."""
    provision(stack, lambda _: None)
    yield stack.model_copy(update={"kafka_bootstrap": stack.kafka_address, "cassandra_contact_points": stack.cassandra_address,
                                   "mongodb_uri": stack.mongo_uri})
    provision(stack, lambda _: None)


@pytest.fixture
def admin(stack: Settings) -> Iterator[KafkaAdminClient]:
    """Kafka in the hands of who may do everything."""
    one = kafka_admin(stack, "provision")
    yield one
    one.close()


@pytest.fixture
def session(stack: Settings) -> Iterator[Any]:
    """The same of Cassandra."""
    with cassandra_session(stack, "provision") as one:
        yield one


def rules_of(admin: KafkaAdminClient, *names: str) -> set[ACL]:
    """Their rules, whatever they are about."""
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return {acl for name in names for acl in admin.describe_acls(
        ACLFilter(f"User:{name}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything))[0]}


def users(admin: KafkaAdminClient) -> set[str]:
    """Who can sign in to Kafka."""
    return {name for name, found in admin.describe_user_scram_credentials().items() if found["credential_infos"]}


def given(admin: KafkaAdminClient, *names: str, topic: str = "theirs") -> set[ACL]:
    """A rule for each of these, made by somebody else."""
    made = [ACL(f"User:{name}", "*", ACLOperation.READ, ACLPermissionType.ALLOW, ResourcePattern(ResourceType.TOPIC, topic))
            for name in names]
    assert admin.create_acls(made)["failed"] == []
    settled(lambda: set(made) <= rules_of(admin, *names), "Kafka does not show the rules of this test")
    return set(made)


def test_the_account_that_sets_kafka_up_keeps_its_rules_and_so_does_who_is_no_user_of_ours(
        elsewhere: Settings, stack: Settings, admin: KafkaAdminClient) -> None:
    others = ("provision", "broker", "view", "officer")
    theirs = given(admin, *others)
    assert provision(elsewhere, lambda _: None, "kafka") == 0
    assert rules_of(admin, *others) == theirs
    assert provision(stack, lambda _: None, "kafka") == len(theirs), "in a Kafka of ours there is nobody else"
    assert rules_of(admin, *others) == set()


def test_rules_of_a_name_that_signs_in_otherwise_are_not_taken(
        elsewhere: Settings, admin: KafkaAdminClient) -> None:
    ours = rules_of(admin, "inspector")
    admin.alter_user_scram_credentials([UserScramCredentialDeletion("inspector", "SCRAM-SHA-256")])
    settled(lambda: "inspector" not in users(admin), "The user of this test did not go away")
    theirs = given(admin, "inspector")
    with pytest.raises(SignInRefused, match=r"knows 'inspector' already, and by rules alone(.|\n)*--take-over"):
        provision(elsewhere, lambda _: None, "kafka")
    assert rules_of(admin, "inspector") == ours | theirs
    assert "inspector" not in users(admin)
    assert provision(elsewhere, lambda _: None, "kafka", take_over=True) == 2
    assert rules_of(admin, "inspector") == ours


def test_what_a_run_that_broke_off_has_made_is_not_asked_for(elsewhere: Settings, admin: KafkaAdminClient) -> None:
    admin.alter_user_scram_credentials([UserScramCredentialDeletion("inspector", "SCRAM-SHA-256")])
    settled(lambda: "inspector" not in users(admin), "The user of this test did not go away")
    said: list[str] = []
    provision(elsewhere, said.append, "kafka")
    assert said == ["Kafka user inspector: created"]


def test_a_role_that_may_not_sign_in_is_not_given_our_password(elsewhere: Settings, session: Any) -> None:
    session.execute("ALTER ROLE inspector WITH LOGIN = false")
    with pytest.raises(SignInRefused, match=r"knows 'inspector' already, and may not sign in(.|\n)*--take-over"):
        provision(elsewhere, lambda _: None, "cassandra")
    assert not session.execute("SELECT can_login FROM system_auth.roles WHERE role = 'inspector'").one().can_login
    assert provision(elsewhere, lambda _: None, "cassandra", take_over=True) >= 1
    assert session.execute("SELECT can_login FROM system_auth.roles WHERE role = 'inspector'").one().can_login


@pytest.fixture
def other_keys(elsewhere: Settings, tmp_path: Path) -> Settings:
    """The same systems with a secrets folder whose key ring was made anew."""
    other = elsewhere.model_copy(update={"home": tmp_path})
    shutil.copytree(elsewhere.secrets, other.secrets)
    (other.secrets / "keys.json").unlink()
    sealing.ensure_keys(other)
    return other


@pytest.fixture
def there(elsewhere: Settings, other_keys: Settings, session: Any) -> Iterator[tuple[Settings, Settings]]:
    """Both of these with a keyspace that holds tables of ours and nothing in them."""
    session.execute(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                    timeout=60)
    try:
        for table in (PROFILES, RECORDS):
            _table(session, KEYSPACE, table, Changes(print))
        ours, others = (one.model_copy(update={"cassandra": one.cassandra.model_copy(update={"keyspace": KEYSPACE})})
                        for one in (elsewhere, other_keys))
        for one in (ours, others):
            require_fitting_keys(one)
        yield ours, others
    finally:
        session.execute(f"DROP KEYSPACE {KEYSPACE}", timeout=60)


def test_a_new_key_ring_is_refused_where_records_or_rows_are_sealed_with_another(
        there: tuple[Settings, Settings], session: Any) -> None:
    ours, others = there
    Records(ours, session).add(Record(REGISTER, "trial", 1, "", "{}", datetime.now(UTC), "ada", ""))
    require_fitting_keys(ours)
    with pytest.raises(SettingsInvalid, match=r"sealed with other keys(.|\n)*Put the copy of that file back"):
        require_fitting_keys(others)
    session.execute(f"TRUNCATE {KEYSPACE}.records", timeout=60)
    uuid = "9a723211-0e87-41f1-b1e4-ed1a15226b80"
    box = sealing.load_keys(ours).seal_column(uuid, "email", "ada@example.org")
    session.execute(f"INSERT INTO {KEYSPACE}.profiles (uuid, email) VALUES ({uuid}, %s)", (box,))
    session.execute(f"INSERT INTO {KEYSPACE}.profiles (uuid, email) VALUES (uuid(), %s)", (b"damaged",))
    require_fitting_keys(ours)
    with pytest.raises(SettingsInvalid, match="sealed with other keys"):
        require_fitting_keys(others)
