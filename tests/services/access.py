"""For tests of access to Kafka: users with a password file, so that our clients sign in as them; everything goes again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import kafka.errors
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from engine.access.apply import Access
from engine.access.broker import Broker
from engine.access.state import first, version
from engine.access.users import Users
from engine.clients import kafka_admin, kafka_consumer, kafka_producer
from engine.provision.changes import settled
from engine.secrets import write_secret
from engine.settings import Settings
from governance.kafka_access.rule import Rule

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "produce": ("DESCRIBE", "WRITE"), "consume": ("DESCRIBE", "READ"), "describe": ("DESCRIBE",), "alter": ("ALTER",),
    "configure": ("ALTER_CONFIGS",), "create": ("CREATE",)}
"""What a real client tries -> what Kafka asks for it on the topic."""


@dataclass
class Clients:
    """Real clients of one principal, made when needed."""

    settings: Settings
    principal: str
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def admin(self) -> KafkaAdminClient:
        """Its administrator's client."""
        return self._once("admin", lambda: kafka_admin(self.settings, self.principal))

    @property
    def producer(self) -> KafkaProducer:
        """Its producer; without numbering, which asks for WRITE on any topic at all before it sends."""
        return self._once("producer", lambda: kafka_producer(
            self.settings, self.principal, enable_idempotence=False, linger_ms=0))

    def close(self) -> None:
        """Ends them."""
        for client in self.made.values():
            client.close()

    def tries(self, action: str, topic: str) -> bool:
        """Whether the broker lets it; any other error than a refusal passes through."""
        try:
            getattr(self, action)(topic)
        except kafka.errors.TopicAuthorizationFailedError:
            return False
        return True

    def produce(self, topic: str) -> None:
        """Sends a record and waits until it is stored."""
        self.producer.send(topic, key=b"k", value=b"v").get(timeout=10)

    def consume(self, topic: str) -> None:
        """Reads the first record."""
        consumer = kafka_consumer(self.settings, self.principal)
        try:
            place = TopicPartition(topic, 0)
            consumer.assign([place])
            consumer.seek(place, consumer.beginning_offsets([place])[place])    # says a refusal that polling waits out
            settled(lambda: bool(consumer.poll(timeout_ms=500)), f"no record of {topic}", 10)
        finally:
            consumer.close()

    def describe(self, topic: str) -> None:
        """Asks for its partitions."""
        code = self.admin.describe_topics([topic])[0]["error_code"]
        if code:
            raise kafka.errors.for_code(code)

    def alter(self, topic: str) -> None:
        """Asks for another partition, to be looked at only."""
        self.admin.create_partitions({topic: 2}, validate_only=True)

    def configure(self, topic: str) -> None:
        """Asks for another setting, to be looked at only."""
        said = self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "600000"})],
                                        validate_only=True, raise_on_unknown=False)["topic"][topic]
        if said != "OK":
            assert "TopicAuthorizationFailed" in str(said) or "Topic authorization failed" in str(said), said
            raise kafka.errors.TopicAuthorizationFailedError

    def create(self, topic: str) -> None:
        """Asks for a new topic beside it, to be looked at only."""
        self.admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, validate_only=True)

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]


class Reading(Thread):
    """A consumer that reads the topic's records again and again, as programs do that have no time for a change of rules.

    rounds: how often it has read the first record; error: what ended it.
    """

    def __init__(self, settings: Settings, principal: str, topic: str) -> None:
        super().__init__(name=f"reading as {principal}", daemon=True)
        self._settings, self._principal, self._place = settings, principal, TopicPartition(topic, 0)
        self.rounds, self.error, self._over = 0, "", Event()

    def run(self) -> None:
        consumer = kafka_consumer(self._settings, self._principal)
        try:
            consumer.assign([self._place])
            while not self._over.is_set():
                consumer.seek(self._place, consumer.beginning_offsets([self._place])[self._place])
                self.rounds += bool(consumer.poll(timeout_ms=500))
        except kafka.errors.KafkaError as error:
            self.error = type(error).__name__
        finally:
            consumer.close()

    def stop(self) -> None:
        """Ends it."""
        self._over.set()
        self.join(10)


@contextmanager
def having_users(settings: Settings, *names: str) -> Iterator[dict[str, Clients]]:
    """Users of these names, and clients of each; gone afterwards, with their rules."""
    clients = {name: Clients(settings, name) for name in names}
    with Broker.opened(settings) as broker:
        users = Users(broker)
        for name in names:
            keep_password(settings, name, users.create(name))
    try:
        yield clients
    finally:
        for one in clients.values():
            one.close()
        with Broker.opened(settings) as broker:    # anew: a test may have stopped Kafka meanwhile
            users = Users(broker)
            for name in names:
                if name in {user.name for user in users.all()}:
                    users.delete(name)
                (settings.secrets / f"{name}.password").unlink(missing_ok=True)
            for rule in broker.rules():
                if rule.principal in {f"User:{name}" for name in names}:
                    broker.delete(rule)


def keep_password(settings: Settings, name: str, word: str) -> None:
    """Has our clients of this name sign in with it."""
    write_secret(settings.secrets / f"{name}.password", word.encode())


@contextmanager
def having_topics(settings: Settings, names: list[str]) -> Iterator[None]:
    """Topics with a record each; gone afterwards."""
    super_user = Clients(settings, "provision")
    try:
        super_user.admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1} for name in names},
                                       wait_for_metadata=True)
        for sent in [super_user.producer.send(name, key=b"k", value=b"v") for name in names]:
            sent.get(timeout=10)
        yield
    finally:
        super_user.admin.delete_topics(names)
        settled(lambda: not set(names) & set(super_user.admin.list_topics()), "The topics of this test did not go away")
        super_user.close()


@contextmanager
def wanting(settings: Settings, more: str = "", managed: str = "") -> Iterator[Access]:
    """Access with other teams beside our own, kept nowhere. more: teams in YAML, indented; managed: former principals."""
    text = first(settings).text.replace("\nteams:\n", f"\nteams:\n{more}", 1)
    text = text.replace("[broker, provision, fence, view, officer]", f"[broker, provision, fence, view, officer{managed}]", 1)
    with Broker.opened(settings) as broker:
        yield Access(settings, broker, version(settings, text))


def without(broker: Broker, rules: frozenset[Rule]) -> None:
    """Takes rules away that a test made."""
    for rule in rules & broker.rules():
        broker.delete(rule)


def of_others(broker: Broker) -> frozenset[Rule]:
    """Rules of the teams of this test."""
    return frozenset(one for one in broker.rules() if one.principal.startswith("User:acc-"))
