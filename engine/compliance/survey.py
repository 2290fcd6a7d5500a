"""Reads the running systems as the register speaks of them: schemas, masks, TTLs, topic settings, fields that flow, rights.

All of it as `inspector`, which sees columns masked. Records of people are plain JSON, which it may read; only the names of
their fields are looked at.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from cassandra import InvalidRequest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import (
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
)

from engine.clients import cassandra_session, kafka_admin, kafka_consumer, mapped, mongo_client, read_until
from engine.person import GENDER_FORM
from engine.settings import Kafka, Settings
from engine.stores.aggregates import COLLECTIONS as AGGREGATES
from engine.stores.aggregates import flat, without_counts
from governance.catalogue import FIELDS, UNKNOWN
from governance.drift import Live, LiveTable, LiveTopic

PRINCIPAL = "inspector"
SAMPLED = 500
"""Newest records of a partition, and newest and first documents of a collection, whose fields are looked at."""

READING = frozenset({"SELECT", "SELECT_MASKED", "UNMASK"})
HOUR_MS = 3_600_000
_STREAMS = re.compile(r"stream_\w+_\d+")
"""Roles of streams, of whatever keyspace (engine/writer/fence.py): they come and go."""

_MONTH_FORM = r"[0-9]{4}-[0-9]{2}"
MAPS: dict[str, tuple[str, ...]] = {
    "users_by_nationality.by_gender": (GENDER_FORM,),
    "users_by_nationality.births": (GENDER_FORM, _MONTH_FORM)}
"""Objects within documents whose keys are data and no names of fields -> the form of the keys at each level."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_KNOWN = {".".join(known.path.split(".")[:length]) for known in FIELDS for length in range(1, known.path.count(".") + 2)}


def survey(settings: Settings) -> Live:
    """Everything that the register can be compared with, as it is now. Raises StoreAway, SignInRefused."""
    return Live(_tables(settings), _topics(settings), _collections(settings))


def _tables(settings: Settings) -> dict[str, LiveTable]:
    keyspace = settings.cassandra.keyspace
    with cassandra_session(settings, PRINCIPAL) as session, mapped("reading Cassandra's schema and roles", PRINCIPAL):
        ttls = {row.table_name: row.default_time_to_live for row in session.execute(
            "SELECT table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,))}
        columns: dict[str, dict[str, str]] = {name: {} for name in ttls}
        for row in session.execute(
                "SELECT table_name, column_name FROM system_schema.columns WHERE keyspace_name = %s", (keyspace,)):
            columns[row.table_name][row.column_name] = ""
        for row in session.execute("SELECT table_name, column_name, function_name FROM system_schema.column_masks "
                                   "WHERE keyspace_name = %s", (keyspace,)):
            columns[row.table_name][row.column_name] = row.function_name
        rights = list(_rights(session, keyspace))
    return {name: LiveTable(columns[name], ttls[name], _readers(keyspace, name, rights)) for name in ttls}


def _rights(session: Any, keyspace: str) -> Iterator[tuple[str, str, str]]:
    """Role, permission and resource, of every role that can sign in; what it has through other roles included. The streams of
    this keyspace are one role, `stream`."""
    for row in session.execute("LIST ROLES"):
        if not row.login:
            continue
        role = "stream" if re.fullmatch(rf"stream_{re.escape(keyspace)}_\d+", row.role) else row.role
        if row.super:
            yield from ((role, permission, "<all keyspaces>") for permission in READING)
        try:
            rights = list(session.execute(f'LIST ALL PERMISSIONS OF "{row.role}"'))
        except InvalidRequest:
            if not _STREAMS.fullmatch(row.role):
                raise
            continue    # the next stream dropped it just now
        yield from ((role, right.permission, right.resource) for right in rights)


def _readers(keyspace: str, table: str, rights: Iterable[tuple[str, str, str]]) -> dict[str, frozenset[str]]:
    covers = {"<all keyspaces>", f"<keyspace {keyspace}>", f"<all tables in {keyspace}>", f"<table {keyspace}.{table}>"}
    found: dict[str, set[str]] = {}
    for role, permission, resource in rights:
        if resource in covers and permission in READING:
            found.setdefault(role, set()).add(permission)
    return {role: frozenset(permissions) for role, permissions in found.items()}


def _topics(settings: Settings) -> dict[str, LiveTopic]:
    names = named(settings.kafka)
    with mapped("reading Kafka's topics and rules", PRINCIPAL):
        admin = kafka_admin(settings, PRINCIPAL)
        try:
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names.values()]
            configs = admin.describe_configs(resources, config_filter="all")["topic"]
            readers = {short: _may_read(admin, name) for short, name in names.items()}
        finally:
            admin.close()
    return {short: LiveTopic(_hours(configs[name]), _fields(settings, name) if short == "people" else frozenset(),
                             readers[short]) for short, name in names.items()}


def named(kafka: Kafka) -> dict[str, str]:
    """The register's names of the topics -> their names in this installation."""
    return {"people": kafka.topic, "control": kafka.control_topic, "dead": kafka.dead_topic}


def _hours(config: Mapping[str, Any]) -> float | None:
    policy, kept_ms = str(config["cleanup.policy"]["value"]), int(config["retention.ms"]["value"])
    return None if kept_ms < 0 or "delete" not in policy else kept_ms / HOUR_MS


def _may_read(admin: KafkaAdminClient, topic: str) -> frozenset[str]:
    """Principals with a rule that lets them read a topic; a rule that denies is not weighed against it, to be on the safe
    side. `*` stands for everybody."""
    rules = []
    for operation in (ACLOperation.READ, ACLOperation.ALL):
        found, _ = admin.describe_acls(ACLFilter(
            None, None, operation, ACLPermissionType.ALLOW,
            ResourcePatternFilter(ResourceType.TOPIC, None, ACLResourcePatternType.ANY)))
        rules += found
    return frozenset(rule.principal.removeprefix("User:") for rule in rules if _covers(rule.resource_pattern, topic))


def _covers(pattern: ResourcePattern, topic: str) -> bool:
    name = pattern.resource_name
    if pattern.pattern_type is ACLResourcePatternType.PREFIXED:
        return topic.startswith(name)
    return name in ("*", topic)


def _fields(settings: Settings, topic: str) -> frozenset[str]:
    """The paths of the newest records of each partition."""
    with mapped("looking at the fields of people", PRINCIPAL):
        consumer = kafka_consumer(settings, PRINCIPAL)
        try:
            return frozenset(path for value in _newest(consumer, settings, topic) for path in _paths(value, ""))
        finally:
            consumer.close()


def _newest(consumer: KafkaConsumer, settings: Settings, topic: str) -> Iterator[object]:
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    consumer.assign(places)
    for place in places:
        consumer.seek(place, max(int(first[place]), int(ends[place]) - SAMPLED))
    for record in read_until(consumer, ends, settings.kafka.request_timeout_s):
        try:
            yield json.loads(record.value or b"null")
        except ValueError:    # it became a dead letter
            continue


def _paths(value: object, path: str) -> Iterator[str]:
    """The paths of a person's leaves; a name that the catalogue lacks and that looks like no name is not repeated."""
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        full = f"{path}.{name}".lstrip(".") if _NAME.fullmatch(str(name)) else f"{path}.{UNKNOWN}".lstrip(".")
        if isinstance(inner, dict) and full in _KNOWN:
            yield from _paths(inner, full)
        else:
            yield full


def _collections(settings: Settings) -> dict[str, frozenset[str]]:
    with mongo_client(settings, PRINCIPAL) as client, mapped("looking at the fields of aggregates", PRINCIPAL):
        database = client[settings.mongo.database]
        return {name: frozenset(path.removeprefix(f"{name}.") for document in _sample(database[name])
                                for part in _parts(name, document) for path in inside(part, name))
                for name in sorted(database.list_collection_names())}


def _parts(name: str, document: Mapping[str, Any]) -> tuple[object, ...]:
    """What is looked at of a document: of an aggregate its counts, as if they stood beside the rest."""
    if name not in AGGREGATES or not isinstance(document.get("counts"), Mapping):
        return document,
    return without_counts(document), flat({"counts": document["counts"]})


def inside(value: object, path: str, forms: Sequence[str] = ()) -> Iterator[str]:
    """The dotted paths of what a document holds, `path` before them. A map of MAPS is one path, if its keys are of their form;
    a name or key that is not as it should be is not repeated, for it could be anything. forms: of the keys from here on."""
    if isinstance(value, list) and value:
        for one in value:
            yield from inside(one, path, forms)
    elif not isinstance(value, dict) or not value:
        yield path
    elif forms:
        yield path
        for key, inner in value.items():
            yield from inside(inner, path, forms[1:]) if re.fullmatch(forms[0], str(key)) else (f"{path}.{UNKNOWN}",)
    else:
        for name, inner in value.items():
            full = f"{path}.{name if _NAME.fullmatch(str(name)) else UNKNOWN}"
            yield from inside(inner, full, MAPS.get(full, ()))


def _sample(collection: Any) -> Iterator[Mapping[str, Any]]:
    return chain(collection.find().sort("_id", -1).limit(SAMPLED), collection.find().limit(SAMPLED))
