"""What the stores must answer: each principal signs in, what we keep there exists, and their clocks agree with ours.

A store whose program does not run is not asked: `rollcall up` starts it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from kafka import TopicPartition

from engine import clients, topics
from engine.doctor.finding import UP, Check, Finding, Well
from engine.processes import Supervisor
from engine.provision.cassandra import GRANTS
from engine.provision.kafka import USERS
from engine.provision.mongo import wanted_roles
from engine.settings import Settings
from engine.stores.schema import COLLECTIONS, TABLES
from engine.writer import fence

CLOCK_MOST_S = 5.0
"""Seconds that two clocks may differ: turns are numbered by ours, records are dated by Kafka's."""


class StoreCheck(Well, ABC):
    """A check of one store that runs."""

    program = ""

    def look(self, settings: Settings) -> Finding:
        """Asks the store, where it is one of ours that runs, or elsewhere."""
        status = Supervisor(settings).status()[self.program]
        if status.state == "elsewhere":
            finding = self.ask(settings)
            return replace(finding, found=f"elsewhere ({status.note}): {finding.found}")
        if status.state != "running":
            return self.ok(f"not asked: {self.program} is {status.state}; {UP} starts it")
        return self.ask(settings)

    @abstractmethod
    def ask(self, settings: Settings) -> Finding:
        """What the store says. Raises StoreAway, SignInRefused."""


class SignIns(StoreCheck):
    """Each principal of a store signs in."""

    def __init__(self, program: str, principals: Callable[[Settings], Iterable[str]],
                 once: Callable[[Settings, str], None]) -> None:
        self.name, self.program, self.principals, self.once = f"sign-in {program}", program, principals, once

    def ask(self, settings: Settings) -> Finding:
        """One after the other; the first that is refused is the finding."""
        names = ("provision", *self.principals(settings))
        for name in names:
            self.once(settings, name)
        return self.ok(f"{', '.join(names)} sign in")


class Topics(StoreCheck):
    """The three topics are there, with the partitions that the settings ask for."""

    name, program = "topics", "kafka"

    def ask(self, settings: Settings) -> Finding:
        """As `verify`, who may describe them all."""
        wanted = topics.all_topics(settings.kafka)
        with clients.mapped("looking at the topics", "verify"):
            consumer = clients.kafka_consumer(settings, "verify")
            try:
                there = {topic.name: len(consumer.partitions_for_topic(topic.name) or ()) for topic in wanted
                         if topic.name in consumer.topics()}
            finally:
                consumer.close()
        if lacking := [topic.name for topic in wanted if topic.name not in there]:
            return self.bad(f"{', '.join(lacking)} missing", f"{UP} makes them")
        few = [topic.name for topic in wanted if there[topic.name] < topic.partitions]
        if few:
            return self.bad(f"{', '.join(few)} has fewer partitions than the settings say", f"{UP} adds them")
        return self.ok(", ".join(f"{name} ({count} partitions)" for name, count in there.items()))


class Tables(StoreCheck):
    """The tables of people and markers are there."""

    name, program = "tables", "cassandra"

    def ask(self, settings: Settings) -> Finding:
        """As `verify`."""
        keyspace = settings.cassandra.keyspace
        with clients.mapped("looking at the tables", "verify"), clients.cassandra_session(settings, "verify") as session:
            there = {row.table_name for row in session.execute(
                "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,))}
        if lacking := [table.name for table in TABLES if table.name not in there]:
            return self.bad(f"{', '.join(lacking)} missing in keyspace {keyspace}", f"{UP} makes them")
        return self.ok(f"{', '.join(table.name for table in TABLES)} in keyspace {keyspace}")


class CachedPermissions(StoreCheck):
    """Cassandra forgets soon enough what the role of an earlier stream might do."""

    name, program = "permissions", "cassandra"

    def ask(self, settings: Settings) -> Finding:
        """As `provision`, the only one that may look."""
        with (clients.mapped("looking at the settings", "provision"),
              clients.cassandra_session(settings, "provision") as session):
            said = {name: session.execute("SELECT value FROM system_views.settings WHERE name = %s", (name,)).one().value
                    for name in ("roles_validity", "permissions_validity")}
        long = [f"{name}: {value}" for name, value in said.items() if _seconds(value) > fence.CACHED_S]
        if long:
            return self.bad(f"Cassandra keeps what a role may do for {', '.join(long)}", "set both to 2s in cassandra.yaml: "
                            f"a stream that takes over waits {fence.CACHED_S:.0f} s until the one before can write no more")
        return self.ok(", ".join(f"{name} {value}" for name, value in said.items()))


class Collections(StoreCheck):
    """The collections of aggregates and of the stream's state are there."""

    name, program = "collections", "mongo"

    def ask(self, settings: Settings) -> Finding:
        """As `verify`."""
        with clients.mapped("looking at the collections", "verify"), clients.mongo_client(settings, "verify") as client:
            there = set(client[settings.mongo.database].list_collection_names())
        if lacking := [name for name in COLLECTIONS if name not in there]:
            return self.bad(f"{', '.join(lacking)} missing in database {settings.mongo.database}", f"{UP} makes them")
        return self.ok(f"{', '.join(COLLECTIONS)} in database {settings.mongo.database}")


class Clock(StoreCheck):
    """A store's clock and ours agree."""

    def __init__(self, store: str, theirs: Callable[[Settings], datetime | None]) -> None:
        self.name, self.program, self.theirs = f"clock {store}", store, theirs

    def ask(self, settings: Settings) -> Finding:
        """Ours before and after the question: the answer must lie between, give or take."""
        before = datetime.now(UTC)
        theirs = self.theirs(settings)
        after = datetime.now(UTC)
        if theirs is None:
            return self.ok("nothing is dated in our future")
        off = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
        if off > CLOCK_MOST_S:
            return self.bad(f"it says {theirs:%Y-%m-%d %H:%M:%S} UTC where we say {after:%Y-%m-%d %H:%M:%S} UTC",
                            "set both clocks by the network (NTP): turns are numbered by one and records dated by the other")
        return self.ok(f"{off:.1f} s apart" if off else "agrees with ours")


def _seconds(duration: str) -> float:
    """A duration as Cassandra writes it: 2s, 2000ms, 1m."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    number = duration.rstrip("".join(units))
    return float(number) * units[duration.removeprefix(number)]


def _kafka_signs_in(settings: Settings, principal: str) -> None:
    clients.kafka_admin(settings, principal).close()


def _cassandra_signs_in(settings: Settings, principal: str) -> None:
    with clients.cassandra_session(settings, principal):
        pass


def _mongo_signs_in(settings: Settings, principal: str) -> None:
    with clients.mapped("signing in to MongoDB", principal), clients.mongo_client(settings, principal) as client:
        client[settings.mongo.auth_source].command("ping")


def _cassandra_time(settings: Settings) -> datetime | None:
    with clients.mapped("asking for the time", "verify"), clients.cassandra_session(settings, "verify") as session:
        told: datetime = session.execute("SELECT toTimestamp(now()) AS told FROM system.local").one().told
    return told.replace(tzinfo=UTC)


def _mongo_time(settings: Settings) -> datetime | None:
    with clients.mapped("asking for the time", "verify"), clients.mongo_client(settings, "verify") as client:
        told = client.admin.command("hello").get("localTime")
    return told.replace(tzinfo=UTC) if isinstance(told, datetime) else None


def _kafka_time(settings: Settings) -> datetime | None:
    """Kafka tells no time, but dates what it keeps: its newest record must not be of the future. None: there is none."""
    now = datetime.now(UTC)
    with clients.mapped("reading the newest record", "verify"):
        consumer = clients.kafka_consumer(settings, "verify")
        try:
            topic = settings.kafka.topic
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            later = consumer.offsets_for_times({place: int(now.timestamp() * 1000) for place in places}) if places else {}
        finally:
            consumer.close()
    moments = [found.timestamp for found in later.values() if found is not None]
    return datetime.fromtimestamp(max(moments) / 1000, UTC) if moments else None


STORES: tuple[Check, ...] = (
    SignIns("kafka", lambda _: USERS, _kafka_signs_in), SignIns("cassandra", lambda _: GRANTS, _cassandra_signs_in),
    SignIns("mongo", lambda settings: wanted_roles(settings.mongo), _mongo_signs_in),
    Topics(), Tables(), CachedPermissions(), Collections(),
    Clock("kafka", _kafka_time), Clock("cassandra", _cassandra_time), Clock("mongo", _mongo_time))
"""What the stores are asked, in order."""
