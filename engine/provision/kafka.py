"""Kafka as it should be: topics with their configurations, SCRAM users, exactly the ACLs each principal needs."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

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
    UserScramCredentialUpsertion,
)
from pydantic import SecretStr

from engine import secrets
from engine.clients import kafka_admin, mapped
from engine.errors import SignInRefused
from engine.provision.changes import Changes, settled
from engine.settings import Kafka, Settings
from engine.topics import Topic, all_topics

USERS = ("producer", "stream", "governance", "verify", "redrive", "console", "inspector", "gatekeeper")
"""Who signs in to Kafka beside `broker` and `provision`, which in a Kafka of ours exist from the first start and are super
users: they need no rule, so any of theirs is surplus there."""

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 8192


CLUSTER = "kafka-cluster"
"""What Kafka calls itself in rules; no topic of ours has this name."""


@dataclass(frozen=True, order=True)
class Rule:
    """One permission: this principal may do this on this topic, or on the cluster (CLUSTER)."""

    principal: str
    operation: str
    topic: str

    def __str__(self) -> str:
        return f"{self.principal} {self.operation} on " + ("the cluster" if self.topic == CLUSTER else f"topic {self.topic}")


def wanted_rules(kafka: Kafka) -> frozenset[Rule]:
    """The least that each principal needs. No group rule: Spark and our consumers assign partitions themselves."""
    people, control, dead = kafka.topic, kafka.control_topic, kafka.dead_topic
    needs: dict[str, dict[str, tuple[str, ...]]] = {
        "producer": {"WRITE": (people, dead)},
        "stream": {"READ": (people, control), "WRITE": (people, dead), "DESCRIBE": (people, control, dead)},
        # DELETE: the keeper ends records that are over their time
        "governance": {"WRITE": (control,), "DESCRIBE": (control,), "DELETE": (people, dead)},
        "verify": {"READ": (people, control, dead), "DESCRIBE": (people, control, dead)},
        "console": {"READ": (dead,), "DESCRIBE": (people, control, dead)},    # of people it reads counts, no record
        # what fields flow, how old the oldest record is, how the topics are set, who may what
        "inspector": {"READ": (people, dead), "DESCRIBE": (people, control, dead, CLUSTER),
                      "DESCRIBE_CONFIGS": (people, control, dead)},
        "redrive": {"READ": (people, dead), "WRITE": (people, dead), "DESCRIBE": (people, dead)},
        "gatekeeper": {"DESCRIBE": (CLUSTER,), "ALTER": (CLUSTER,)},    # changes rules and users
    }
    return frozenset(
        Rule(principal, operation, topic)
        for principal, by_operation in needs.items()
        for operation, topics in by_operation.items()
        for topic in topics)


def provision_kafka(settings: Settings, changes: Changes) -> None:
    """Topics, then rules, then users: a user never exists with more than it should have."""
    with mapped("provisioning Kafka", "provision"):
        admin = kafka_admin(settings, "provision")
        try:
            # where it is not ours, whoever has a name that is none of our users' is an account like any other
            names = USERS if "kafka" in settings.elsewhere else secrets.PRINCIPALS
            resets = _users_to_reset(admin, settings, changes)
            for topic in all_topics(settings.kafka):
                provision_topic(admin, topic, changes)
            _rules(admin, settings.kafka, names, changes)
            _users(admin, settings, resets, changes)
        finally:
            admin.close()


def provision_topic(admin: KafkaAdminClient, topic: Topic, changes: Changes) -> None:
    """One topic: created, or given more partitions and the configurations that differ. Fewer partitions: only said."""
    if topic.name not in admin.list_topics():
        admin.create_topics(
            {topic.name: {"num_partitions": topic.partitions, "replication_factor": topic.replication,
                          "configs": dict(topic.configs)}},
            wait_for_metadata=True)
        changes.made(f"topic {topic.name}: created with {topic.partitions} partition(s)")
        return
    _partitions(admin, topic, changes)
    _configs(admin, topic, changes)


def _partitions(admin: KafkaAdminClient, topic: Topic, changes: Changes) -> None:
    described = admin.describe_topics([topic.name])[0]["partitions"]
    there = len(described)
    if there < topic.partitions:
        admin.create_partitions({topic.name: topic.partitions})
        admin.wait_for_topics([topic.name])
        changes.made(f"topic {topic.name}: partitions {there} -> {topic.partitions}")
    elif there > topic.partitions:
        changes.left(f"topic {topic.name}: has {there} partitions, the settings say {topic.partitions}; "
                     "Kafka cannot take partitions away, so they stay")
    replicas = min(len(partition["replica_nodes"]) for partition in described)
    if replicas != topic.replication:
        changes.left(f"topic {topic.name}: has {replicas} replica(s), the settings say {topic.replication}; "
                     "moving replicas is the operator's decision (kafka-reassign-partitions)")


def _configs(admin: KafkaAdminClient, topic: Topic, changes: Changes) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    answer = admin.describe_configs([resource], config_filter="all")["topic"][topic.name]
    there = {name: config["value"] for name, config in answer.items()}
    differing = {name: value for name, value in topic.configs.items() if not _same(there.get(name), value)}
    if not differing:
        return
    result = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(differing))])
    if result["topic"][topic.name] != "OK":
        changes.left(f"topic {topic.name}: Kafka refuses {', '.join(sorted(differing))}: {result['topic'][topic.name]}")
        return
    for name, value in sorted(differing.items()):
        changes.made(f"topic {topic.name}: {name} {there.get(name)} -> {value}")


def _same(there: Any, wanted: str) -> bool:
    """Kafka may list the policies of a topic in another order."""
    return there is not None and set(str(there).split(",")) == set(wanted.split(","))


def _users_to_reset(admin: KafkaAdminClient, settings: Settings, changes: Changes) -> dict[str, str]:
    """User whose password is to be set -> in words. Raises SignInRefused before anything was changed."""
    # with whatever mechanism: one more way to sign in as somebody else's user would be as bad
    there = {name for name, found in admin.describe_user_scram_credentials().items() if found["credential_infos"]}
    refused = [user for user in USERS if user in there and not signs_in(settings, user)]
    for user in refused:
        changes.may_reset("kafka", user)
    # whoever signs in otherwise than by SCRAM shows by rules alone; just those we make ourselves are of a run that broke off
    wanted = {_acl(rule) for rule in wanted_rules(settings.kafka)}
    for user in USERS:
        if user not in there and not _acls_of(admin, [user]) <= wanted:
            changes.may_reset("kafka", user, "by rules alone, as one who signs in otherwise")
    return {user: "password set again" if user in there else "created" for user in USERS
            if user not in there or user in refused}


def _users(admin: KafkaAdminClient, settings: Settings, resets: dict[str, str], changes: Changes) -> None:
    for user, in_words in resets.items():
        _set_password(admin, settings, user)
        changes.made(f"Kafka user {user}: {in_words}")


def _set_password(admin: KafkaAdminClient, settings: Settings, user: str) -> None:
    secret = secrets.password(settings, user).get_secret_value()
    refused = admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, MECHANISM, secret, iterations=ITERATIONS)])[user]
    if refused:
        raise SignInRefused(f"Kafka does not set the password of {user}: {refused}. `rollcall logs` shows more.")
    settled(lambda: signs_in(settings, user), f"Kafka user {user} cannot sign in with its new password")


def set_password(settings: Settings, user: str, word: SecretStr) -> None:
    """Gives a SCRAM user another password. Raises StoreAway, SignInRefused."""
    with mapped(f"setting the password of {user} in Kafka", "provision"), \
            closing(kafka_admin(settings, "provision")) as admin, secrets.trying(user, word):
        _set_password(admin, settings, user)


def signs_in(settings: Settings, user: str) -> bool:
    """Whether a user signs in with the password that engine/secrets.py says it has. Raises StoreAway."""
    try:
        kafka_admin(settings, user).close()
    except SignInRefused:
        return False
    return True


def _rules(admin: KafkaAdminClient, kafka: Kafka, names: Iterable[str], changes: Changes) -> None:
    """Missing rules first, surplus ones after, so that nobody is locked out in between."""
    wanted = {_acl(rule): rule for rule in wanted_rules(kafka)}
    there = _acls_of(admin, names)
    missing = [acl for acl in wanted if acl not in there]
    surplus = [acl for acl in there if acl not in wanted]
    if missing:
        failed = admin.create_acls(missing)["failed"]
        if failed:
            raise failed[0]
    for acl in sorted(missing, key=lambda acl: wanted[acl]):
        changes.made(f"ACL {wanted[acl]}: created")
    if surplus:
        for _, _, refused in admin.delete_acls([_exactly(acl) for acl in surplus]):
            if refused.errno:
                raise refused
    for acl in surplus:
        changes.made(f"ACL {_in_words(acl)}: removed, it is not needed")
    if missing or surplus:
        settled(lambda: _acls_of(admin, names) == set(wanted), "Kafka does not show the ACLs that were set")


def _acls_of(admin: KafkaAdminClient, names: Iterable[str]) -> set[ACL]:
    """All rules of these principals, whatever they are about."""
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found: set[ACL] = set()
    for principal in names:
        one = ACLFilter(f"User:{principal}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
        acls, _ = admin.describe_acls(one)
        found.update(acls)
    return found


def _acl(rule: Rule) -> ACL:
    return ACL(f"User:{rule.principal}", "*", ACLOperation[rule.operation], ACLPermissionType.ALLOW,
               ResourcePattern(ResourceType.CLUSTER if rule.topic == CLUSTER else ResourceType.TOPIC, rule.topic))


def _exactly(acl: ACL) -> ACLFilter:
    pattern = acl.resource_pattern
    return ACLFilter(
        acl.principal, acl.host, acl.operation, acl.permission_type,
        ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type))


def _in_words(acl: ACL) -> str:
    pattern = acl.resource_pattern
    return (f"{acl.principal.removeprefix('User:')} {acl.permission_type.name} {acl.operation.name} on "
            f"{pattern.pattern_type.name} {pattern.resource_type.name} {pattern.resource_name} from {acl.host}")
