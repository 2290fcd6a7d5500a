"""Provisioning on the real stores: twice changes nothing; what was changed behind its back is mended and said."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from engine.clients import cassandra_session, kafka_admin, mapped, mongo_client
from engine.provision import provision
from engine.provision.cassandra import GRANTS
from engine.provision.changes import Changes, settled
from engine.provision.kafka import provision_topic
from engine.settings import Settings
from engine.topics import Topic

pytestmark = pytest.mark.services


@dataclass
class Stores:
    """The three stores in the hands of `provision`, who may do everything."""

    settings: Settings
    kafka: KafkaAdminClient
    cassandra: Any
    mongo: Any


@pytest.fixture(scope="module")
def stores(stack: Settings) -> Iterator[Stores]:
    """Provisioned stores; what a test changed is mended by the test."""
    provision(stack, lambda text: None)
    admin = kafka_admin(stack, "provision")
    with (
        mapped("testing", "provision"), cassandra_session(stack, "provision") as session,
        mongo_client(stack, "provision") as client,
    ):
        yield Stores(stack, admin, session, client)
    admin.close()


def mended(settings: Settings) -> list[str]:
    """What a run of provisioning says; it must also count it."""
    said: list[str] = []
    count = provision(settings, said.append)
    assert count == len(said)
    return said


def acl(principal: str, operation: ACLOperation, topic: str, *,
        pattern: ACLResourcePatternType = ACLResourcePatternType.LITERAL,
        permission: ACLPermissionType = ACLPermissionType.ALLOW) -> ACL:
    """One ACL on a topic."""
    return ACL(f"User:{principal}", "*", operation, permission, ResourcePattern(ResourceType.TOPIC, topic, pattern))


def retention_of_people_shortened(stores: Stores) -> None:
    topic = stores.settings.kafka.topic
    stores.kafka.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "999999999"})])


def policy_of_control_loosened(stores: Stores) -> None:
    topic = stores.settings.kafka.control_topic
    stores.kafka.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact"})])


def acl_dropped(stores: Stores) -> None:
    one = acl("stream", ACLOperation.READ, stores.settings.kafka.topic)
    pattern = one.resource_pattern
    stores.kafka.delete_acls([ACLFilter(
        one.principal, one.host, one.operation, one.permission_type,
        ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type))])


def acl_surplus(stores: Stores) -> None:
    stores.kafka.create_acls([acl("producer", ACLOperation.READ, stores.settings.kafka.topic)])


def acl_surplus_by_prefix(stores: Stores) -> None:
    stores.kafka.create_acls([acl("view", ACLOperation.ALL, "user", pattern=ACLResourcePatternType.PREFIXED)])


def acl_denying(stores: Stores) -> None:
    stores.kafka.create_acls([
        acl("governance", ACLOperation.WRITE, stores.settings.kafka.control_topic, permission=ACLPermissionType.DENY)])


def kafka_user_deleted(stores: Stores) -> None:
    stores.kafka.alter_user_scram_credentials([UserScramCredentialDeletion("stream", "SCRAM-SHA-256")])


def kafka_password_changed(stores: Stores) -> None:
    stores.kafka.alter_user_scram_credentials([UserScramCredentialUpsertion("verify", "SCRAM-SHA-256", "another")])


def cassandra(*statements: str) -> Callable[[Stores], None]:
    """A change by statements; {ks} stands for the keyspace."""
    def change(stores: Stores) -> None:
        for statement in statements:
            stores.cassandra.execute(statement.format(ks=stores.settings.cassandra.keyspace), timeout=60)
    return change


def mongo_index_dropped(stores: Stores) -> None:
    stores.mongo[stores.settings.mongo.database]["batches"].drop_index("by_at")


def mongo_user_dropped(stores: Stores) -> None:
    stores.mongo[stores.settings.mongo.auth_source].command("dropUser", "view")


def mongo_password_changed(stores: Stores) -> None:
    stores.mongo[stores.settings.mongo.auth_source].command("updateUser", "verify", pwd="another")


CHANGES: dict[str, tuple[Callable[[Stores], None], str]] = {
    "a topic's retention": (
        retention_of_people_shortened, "topic user_profiles: retention.ms 999999999 -> 604800000"),
    "a topic's cleanup": (policy_of_control_loosened, "topic user_profiles.control: cleanup.policy compact -> delete"),
    "an ACL is missing": (acl_dropped, "ACL stream READ on topic user_profiles: created"),
    "an ACL is surplus": (
        acl_surplus, "ACL producer ALLOW READ on LITERAL TOPIC user_profiles from *: removed, it is not needed"),
    "an ACL by prefix is surplus": (
        acl_surplus_by_prefix, "ACL view ALLOW ALL on PREFIXED TOPIC user from *: removed, it is not needed"),
    "an ACL denies": (
        acl_denying,
        "ACL governance DENY WRITE on LITERAL TOPIC user_profiles.control from *: removed, it is not needed"),
    "a Kafka user is missing": (kafka_user_deleted, "Kafka user stream: created"),
    "a Kafka password is another": (kafka_password_changed, "Kafka user verify: password set again"),
    "an index is missing": (cassandra("DROP INDEX {ks}.profiles_nat"), "index rollcall.profiles_nat: created"),
    "an index is of another kind": (
        cassandra("DROP INDEX {ks}.profiles_email_domain",
                  "CREATE INDEX profiles_email_domain ON {ks}.profiles (email_domain)"),
        "index rollcall.profiles_email_domain: made anew"),
    "a mask was dropped": (
        cassandra("ALTER TABLE {ks}.profiles ALTER email DROP MASKED"), "table rollcall.profiles: column email masked"),
    "a mask of what was rectified was dropped": (
        cassandra("ALTER TABLE {ks}.markers ALTER pins DROP MASKED"), "table rollcall.markers: column pins masked"),
    "a mask is another": (
        cassandra("ALTER TABLE {ks}.profiles ALTER phone MASKED WITH mask_default()"),
        "table rollcall.profiles: column phone masked"),
    "a mask is surplus": (
        cassandra("ALTER TABLE {ks}.profiles ALTER city MASKED WITH mask_null()"),
        "table rollcall.profiles: column city unmasked"),
    "a column is missing": (
        cassandra("ALTER TABLE {ks}.markers DROP request"), "table rollcall.markers: column request added"),
    "a masked column is missing": (
        cassandra("ALTER TABLE {ks}.profiles DROP birth_date"), "table rollcall.profiles: column birth_date added"),
    "a comment is another": (
        cassandra("ALTER TABLE {ks}.markers WITH comment = 'x'"), "table rollcall.markers: comment set"),
    "the compaction is another": (
        cassandra("ALTER TABLE {ks}.profiles WITH compaction = {{'class': 'SizeTieredCompactionStrategy'}}"),
        "table rollcall.profiles: compaction set to "
        "{'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}"),
    "a permission is missing": (
        cassandra("REVOKE UNMASK ON {ks}.profiles FROM verify"),
        "Cassandra role verify: granted UNMASK on table rollcall.profiles"),
    "a permission is surplus": (
        cassandra("GRANT MODIFY ON {ks}.profiles TO verify"),
        "Cassandra role verify: revoked MODIFY on table rollcall.profiles, it is not needed"),
    "a permission on everything is surplus": (
        cassandra("GRANT SELECT ON ALL KEYSPACES TO producer"),
        "Cassandra role producer: revoked SELECT on all keyspaces, it is not needed"),
    "a permission on all tables is surplus": (
        cassandra("GRANT SELECT ON ALL TABLES IN KEYSPACE {ks} TO producer"),
        "Cassandra role producer: revoked SELECT on all tables in rollcall, it is not needed"),
    "a role is a superuser": (
        cassandra("ALTER ROLE governance WITH SUPERUSER = true"),
        "Cassandra role governance: may sign in and is no superuser"),
    "a role belongs to another": (
        cassandra("GRANT stream TO producer"), "Cassandra role producer: no longer belongs to role stream"),
    "a Cassandra password is another": (
        cassandra("ALTER ROLE verify WITH PASSWORD = 'another'"), "Cassandra role verify: password set again"),
    "a collection's index is missing": (mongo_index_dropped, "index rollcall.batches.by_at: created"),
    "a MongoDB user is missing": (mongo_user_dropped, "MongoDB user view: created"),
    "a MongoDB password is another": (mongo_password_changed, "MongoDB user verify: password set again"),
}


@pytest.fixture(scope="module")
def said(stores: Stores) -> list[str]:
    """Everything of CHANGES done behind provisioning's back at once, then one run of it: what it said."""
    assert mended(stores.settings) == [], "a second time nothing is changed and nothing said"
    for change, _ in CHANGES.values():
        change(stores)
    return mended(stores.settings)


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_mended_and_said(said: list[str], name: str) -> None:
    assert CHANGES[name][1] in said


def test_nothing_but_the_differences_is_touched(said: list[str]) -> None:
    assert sorted(said) == sorted(line for _, line in CHANGES.values())


def test_after_mending_nothing_differs(said: list[str], stores: Stores) -> None:
    assert said
    assert mended(stores.settings) == []


def test_a_role_that_was_dropped_gets_its_permissions_again(stores: Stores) -> None:
    cassandra("DROP ROLE governance")(stores)
    granted = sorted(f"Cassandra role governance: granted {permission} on table rollcall.{table}"
                     for table, permissions in GRANTS["governance"].items() for permission in permissions)
    assert len(granted) > 1
    said = mended(stores.settings)
    assert said[0] == "Cassandra role governance: created"
    assert sorted(said[1:]) == granted


def test_no_password_is_ever_said(said: list[str], stores: Stores) -> None:
    secret = [path.read_text() for path in stores.settings.secrets.glob("*.password")]
    assert secret
    assert not [line for line, word in itertools.product(said, secret) if word in line]


def test_partitions_are_added_but_never_taken_away(stores: Stores) -> None:
    said: list[str] = []
    changes = Changes(said.append)
    wanted = [Topic("provision.test", partitions, 1, {}) for partitions in (1, 3, 2)]
    try:
        for topic in wanted:
            provision_topic(stores.kafka, topic, changes)
        described = stores.kafka.describe_topics(["provision.test"])[0]
        assert len(described["partitions"]) == 3
    finally:
        stores.kafka.delete_topics(["provision.test"])
        settled(lambda: "provision.test" not in stores.kafka.list_topics(), "The topic of this test did not go away")
    assert said[0] == "topic provision.test: created with 1 partition(s)"
    assert said[1] == "topic provision.test: partitions 1 -> 3"
    assert said[2].startswith("topic provision.test: has 3 partitions, the settings say 2")
    assert changes.count == 2
