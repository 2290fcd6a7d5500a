"""What each role needs in Kafka and no more: a role is what a program does, its rules are what Kafka asks for that.

Source of the rules: Kafka's table of operations by protocol request and Spark's Kafka guide ("Offset fetching"). Spark >= 3.4
asks for offsets as an administrator and its executors assign partitions, so it has no group; a producer that numbers its
records needs nothing beside WRITE since Kafka 2.8 (KIP-679).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from governance.kafka_access.rule import ANY, CLUSTER


class Role(StrEnum):
    """What a program does."""

    PRODUCER = "producer"
    TRANSACTIONAL_PRODUCER = "transactional producer"
    SPARK_SOURCE = "spark source"
    READER = "reader"
    CONSUMER = "consumer"
    REDRIVER = "redriver"
    OBSERVER = "observer"
    DESCRIBER = "describer"
    KEEPER = "keeper"
    TOPIC_ADMINISTRATOR = "topic administrator"
    ACL_ADMINISTRATOR = "acl administrator"


RESOURCE_OF: Mapping[str, str] = {
    "topics": "topic", "dead_letters": "topic", "groups": "group", "transactional_ids": "transactional_id", "": "cluster"}
"""List of a grant -> what its names are; the empty one is the cluster, which needs no name."""


@dataclass(frozen=True)
class Shape:
    """A role: what it does; operations by the list of names they are for ("": the cluster); lists that may be left out, with
    what then stands in their place."""

    about: str
    gives: Mapping[str, tuple[str, ...]]
    otherwise: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def lists(self) -> tuple[str, ...]:
        """The lists of names it may have."""
        return tuple(name for name in self.gives if name)

    @property
    def needs(self) -> tuple[str, ...]:
        """Those it cannot be without."""
        return tuple(name for name in self.lists if name not in self.otherwise)


ROLES: Mapping[Role, Shape] = {
    Role.PRODUCER: Shape("writes to topics", {"topics": ("WRITE",)}),
    Role.TRANSACTIONAL_PRODUCER: Shape(
        "writes to topics in transactions; groups: whose offsets it commits within them",
        {"topics": ("WRITE",), "transactional_ids": ("WRITE",), "groups": ("READ",)}, {"groups": ()}),
    Role.SPARK_SOURCE: Shape(
        "reads topics by Spark; groups: only with spark.sql.streaming.kafka.useDeprecatedOffsetFetching",
        {"topics": ("READ", "DESCRIBE"), "groups": ("READ",)}, {"groups": ()}),
    Role.READER: Shape("reads topics whose partitions it assigns itself, without a group", {"topics": ("READ", "DESCRIBE")}),
    Role.CONSUMER: Shape("reads topics as a member of groups", {"topics": ("READ",), "groups": ("READ",)}),
    Role.REDRIVER: Shape("brings dead letters back to topics", {"dead_letters": ("READ",), "topics": ("WRITE",)}),
    Role.OBSERVER: Shape(
        "sees how the cluster, topics and groups are set and how far they are, and reads no record",
        {"": ("DESCRIBE",), "topics": ("DESCRIBE", "DESCRIBE_CONFIGS"), "groups": ("DESCRIBE",)},
        {"topics": (ANY,), "groups": (ANY,)}),
    Role.DESCRIBER: Shape(
        "sees the partitions of topics and how far they reach, and reads no record", {"topics": ("DESCRIBE",)}),
    Role.KEEPER: Shape(
        "ends old records of topics; Kafka has no right for this that is not also one to delete the topic",
        {"topics": ("DELETE",)}),
    Role.TOPIC_ADMINISTRATOR: Shape("creates topics and changes their settings", {"topics": ("CREATE", "ALTER_CONFIGS")}),
    Role.ACL_ADMINISTRATOR: Shape(
        "sees and changes rules and users; who may do this can take every other right", {"": ("DESCRIBE", "ALTER")}),
}


def bindings(role: Role, names: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """Operation, resource and name (in the short form) of each rule it needs, given its lists of names."""
    shape = ROLES[role]
    for where, operations in shape.gives.items():
        given = names.get(where, shape.otherwise.get(where, ())) if where else (CLUSTER,)
        for name in given:
            for operation in operations:
                yield operation, RESOURCE_OF[where], name
