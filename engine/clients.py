"""Signed-in clients of the three stores, and the one place where a driver's error becomes one of ours.

Every client signs in with SCRAM-SHA-256 (Cassandra: its role) as one principal of engine/secrets.py, or under a role
of its lease (engine/writer/fence.py), and gives a request up after the time-out of its settings section. `mapped` wraps what is
done with them:

    with mapped("reading a row", "verify"), cassandra_session(settings, "verify") as session:
        rows = session.execute("SELECT nat, city FROM rollcall.profiles WHERE uuid = %s", (uuid,))
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import cassandra
import kafka.errors
import pymongo.errors
from bson.errors import BSONError
from cassandra import connection as cassandra_connection
from cassandra import protocol as cassandra_protocol
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    QueryExhausted,
    Session,
    UserTypeDoesNotExist,
)
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, TokenAwarePolicy
from cassandra.pool import NoConnectionsAvailable
from cassandra.query import named_tuple_factory
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from pydantic import SecretStr

from engine import secrets, topics
from engine.addresses import addresses
from engine.errors import CertificateRefused, OffsetsLost, RollcallError, SignInRefused, StoreAway, StoreRefused
from engine.kafka_signin import connected
from engine.mongo import mongo_client as mongo_client
from engine.settings import Settings
from engine.tls import trust

for _driver in ("kafka", "cassandra"):    # pymongo's: engine/mongo.py
    # What they log repeats, as tracebacks, what our errors say in a sentence; at DEBUG whole records stand in it.
    logging.getLogger(_driver).addHandler(logging.NullHandler())
    logging.getLogger(_driver).propagate = False

POLL_MS = 500
RECONNECT_MOST_S = 5.0
CASSANDRA_PROTOCOL = 5    # Cassandra 4 and later; masks and SAI need 5.0 anyway, and no downgrade has to be tried


class Role(NamedTuple):
    """Somebody who signs in to Cassandra with a password that is in no file."""

    name: str
    password: SecretStr


def kafka_admin(settings: Settings, principal: str) -> KafkaAdminClient:
    """An administrator's client, connected; the caller closes it. Raises StoreAway, SignInRefused."""
    with mapped(f"signing in to Kafka at {settings.kafka_address}", principal):
        return connected(KafkaAdminClient, _kafka_options(settings, principal))


def kafka_producer(settings: Settings, principal: str, **options: Any) -> KafkaProducer:
    """An idempotent producer waiting for all replicas, connected; the caller closes it.

    A record is given up after `kafka.request_timeout_s` in all, retries included, so that nothing of a dead writer
    lands later than that. `options` are kafka-python's and win over ours. Raises StoreAway, SignInRefused.
    """
    limit_ms = settings.kafka.request_timeout_s * 1000
    ours = {
        **_kafka_options(settings, principal),
        "enable_idempotence": True,
        "acks": "all",
        "compression_type": "lz4",
        "linger_ms": 20,
        "batch_size": 128 * 1024,
        "max_request_size": topics.DEAD_MAX_BYTES,
        "request_timeout_ms": limit_ms // 2,          # the rest is for a retry: all of it ends with the delivery limit
        "delivery_timeout_ms": limit_ms,
        "max_block_ms": limit_ms,
        "allow_auto_create_topics": False,
    }
    with mapped(f"signing in to Kafka at {settings.kafka_address}", principal):
        return connected(KafkaProducer, {**ours, **options})


def kafka_consumer(settings: Settings, principal: str, **options: Any) -> KafkaConsumer:
    """A consumer without a group, connected; the caller assigns partitions, seeks and closes it.

    An offset that the topic no longer holds raises OffsetsLost rather than jumping. Raises StoreAway, SignInRefused.
    """
    ours = {
        **_kafka_options(settings, principal),
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "allow_auto_create_topics": False,
    }
    with mapped(f"signing in to Kafka at {settings.kafka_address}", principal):
        return connected(KafkaConsumer, {**ours, **options})


def read_until(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int], patience_s: float) -> Iterator[Any]:
    """The records of assigned partitions from where the consumer stands up to these offsets.

    Raises StoreAway after `patience_s` without a step forward: kafka-python's poll says nothing of a broker that is away.
    """
    stood, moved = -1, time.monotonic()
    while any(consumer.position(place) < end for place, end in ends.items()):
        for place, records in consumer.poll(timeout_ms=POLL_MS).items():
            yield from (record for record in records if record.offset < ends[place])
        now = sum(consumer.position(place) for place in ends)
        if now != stood:
            stood, moved = now, time.monotonic()
        elif time.monotonic() - moved > patience_s:
            raise StoreAway(f"Kafka gives no more records for {patience_s:.0f} s. `rollcall status` shows whether it runs.",
                            "Kafka")


@contextmanager
def cassandra_session(settings: Settings, principal: str, role: Role | None = None) -> Iterator[Session]:
    """A session without a keyspace; rows are named tuples. Leaving the block closes all its connections.

    role: under which the principal works, if not its own. Consistency, time-out and data centre are those of the
    settings. Raises StoreAway, SignInRefused.
    """
    ours, signed_in = settings.cassandra, role or Role(*secrets.account(settings, principal, "cassandra"))
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=ours.datacenter)),
        consistency_level=cassandra.ConsistencyLevel.name_to_value[ours.consistency],
        # of conditional writes: what is decided is decided among the nodes here, as all else is
        serial_consistency_level=cassandra.ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=ours.request_timeout_s,
        row_factory=named_tuple_factory,
    )
    with mapped(f"signing in to Cassandra at {settings.cassandra_address}", principal):
        cluster = Cluster(
            addresses(settings.cassandra_address), protocol_version=CASSANDRA_PROTOCOL,
            auth_provider=PlainTextAuthProvider(signed_in.name, signed_in.password.get_secret_value()),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile}, ssl_context=trust.context(settings),
            connect_timeout=ours.request_timeout_s, control_connection_timeout=ours.request_timeout_s,
            # the driver's own pauses grow to ten minutes: a node that is back would be found long after that
            reconnection_policy=ExponentialReconnectionPolicy(1.0, RECONNECT_MOST_S, max_attempts=None),
            application_name=f"rollcall-{principal}", monitor_reporting_enabled=False,
        )
        try:
            session = cluster.connect()
        except BaseException:
            cluster.shutdown()
            raise
    try:
        yield session
    finally:
        cluster.shutdown()


@contextmanager
def mapped(what: str, principal: str = "") -> Iterator[None]:
    """Turns a driver's error into one of engine/errors.py; any other error passes through.

    what: what is being done, as "reading markers"; principal: who does it. The new message holds neither a secret nor
    a value of a record, and the driver's own text (which may) is not shown with it.
    """
    try:
        yield
    except Exception as error:
        ours = translated(error, what, principal)
        if ours is None:
            raise
        raise ours from None


def translated(error: BaseException, what: str, principal: str = "") -> RollcallError | None:
    """The error of ours that stands for a driver's error; None when it is no driver's error."""
    store = next((name for name, kinds in _DRIVERS.items() if isinstance(error, kinds)), None)
    if store is None:
        return None
    who = f" as {principal}" if principal else ""
    seen = _seen(error)
    if said := trust.refused(_text(error)):
        return CertificateRefused(f"{store} cannot be trusted while {what}{who}: {said}", store)
    if _refused(error):
        return SignInRefused(
            f"{store} refuses {principal or 'our principal'} while {what} ({seen}). The passwords are those in the "
            "secrets folder of this installation; `rollcall up` sets users and permissions right again.", store)
    if isinstance(error, _OFFSETS_LOST):
        return OffsetsLost(
            f"{store} no longer holds the offsets asked for while {what}{who} ({seen}). "
            "`rollcall verify` says what the stores hold.")
    if _away(error):
        return StoreAway(
            f"{store} does not answer while {what}{who} ({seen}). "
            "`rollcall status` shows what runs, `rollcall up` starts what of ours does not.", store)
    return StoreRefused(
        f"{store} cannot do what was asked while {what}{who} ({seen}). "
        "`rollcall up` brings topics, tables and indexes up to date; `rollcall logs` shows what the server says.")


_DRIVERS: dict[str, tuple[type[BaseException], ...]] = {
    "Kafka": (kafka.errors.KafkaError,),
    "Cassandra": (
        cassandra.DriverException, cassandra.DependencyException, NoHostAvailable, QueryExhausted,
        UserTypeDoesNotExist, NoConnectionsAvailable, cassandra_protocol.ErrorMessage,
        cassandra_protocol.NotSupportedError, cassandra_protocol.InternalError,
        cassandra_connection.ConnectionException, cassandra_connection.ConnectionBusy,
        cassandra_connection.ProtocolError),
    "MongoDB": (pymongo.errors.PyMongoError, BSONError),
}

_OFFSETS_LOST = (
    kafka.errors.OffsetOutOfRangeError, kafka.errors.NoOffsetForPartitionError, kafka.errors.LogTruncationError)

_REFUSED = (
    kafka.errors.AuthorizationError, kafka.errors.SaslAuthenticationFailedError,
    kafka.errors.UnsupportedSaslMechanismError, kafka.errors.IllegalSaslStateError,
    cassandra.AuthenticationFailed, cassandra.Unauthorized,
    cassandra_protocol.BadCredentials, cassandra_protocol.UnauthorizedErrorMessage)

_AWAY = (
    kafka.errors.RetriableError, kafka.errors.BrokerNotAvailableError, kafka.errors.UnknownBrokerIdError,
    kafka.errors.UnknownError, kafka.errors.CorruptRecordError, kafka.errors.StaleControllerEpochError,
    kafka.errors.StaleBrokerEpochError, kafka.errors.QuotaViolationError,
    # an idempotent producer whose state the broker lost: a new producer goes on
    kafka.errors.OutOfOrderSequenceNumberError, kafka.errors.UnknownProducerIdError,
    kafka.errors.InvalidProducerEpochError, kafka.errors.DuplicateSequenceNumberError,
    cassandra.Unavailable, cassandra.Timeout, cassandra.CoordinationFailure, cassandra.CDCWriteFailure,
    cassandra.OperationTimedOut, cassandra.UnresolvableContactPoints, NoHostAvailable, NoConnectionsAvailable,
    cassandra_connection.ConnectionException, cassandra_connection.ConnectionBusy,
    cassandra_protocol.RequestExecutionException, cassandra_protocol.ServerError,
    pymongo.errors.ConnectionFailure, pymongo.errors.ExecutionTimeout, pymongo.errors.WTimeoutError)

_NOT_AWAY = (cassandra_connection.ProtocolVersionUnsupported, cassandra_protocol.FunctionFailureMessage)

_MONGO_REFUSED = {13, 18}    # Unauthorized, AuthenticationFailed
_MONGO_AWAY = {              # codes of a server that stops, steps down or is too slow
    6, 7, 50, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}

_WITHIN = "AuthorizationFailedError"
"""kafka-python wraps the refusal of an idempotent producer that may write no topic at all into a plain KafkaError."""

_NO_VERDICT = "Unable to perform authentication"
"""What Cassandra says when it could not look the password up: it is away, the password is not wrong."""


def _refused(error: BaseException) -> bool:
    if isinstance(error, NoHostAvailable):
        return any(_refused(reason) for reason in _reasons(error))
    if isinstance(error, cassandra.AuthenticationFailed | cassandra_protocol.BadCredentials):
        return _NO_VERDICT not in str(error)
    if type(error) is kafka.errors.KafkaError and _WITHIN in str(error):
        return True
    return isinstance(error, _REFUSED) or _mongo_code(error) in _MONGO_REFUSED


def _away(error: BaseException) -> bool:
    if isinstance(error, _NOT_AWAY):
        return False
    if isinstance(error, pymongo.errors.PyMongoError) and error.timeout:
        return True
    unanswered = isinstance(error, cassandra.AuthenticationFailed | cassandra_protocol.BadCredentials)
    return unanswered or isinstance(error, _AWAY) or _mongo_code(error) in _MONGO_AWAY


def _reasons(error: BaseException) -> list[BaseException]:
    """Why each host of a NoHostAvailable was not available."""
    errors = getattr(error, "errors", None)
    found = errors.values() if isinstance(errors, dict) else errors or []
    return [reason for reason in found if isinstance(reason, BaseException)]


def _text(error: BaseException) -> str:
    """What the driver and its reasons say, to be searched: it is not shown."""
    return " ".join(map(str, (error, *_reasons(error))))


def _mongo_code(error: BaseException) -> int | None:
    return error.code if isinstance(error, pymongo.errors.OperationFailure) else None


def _seen(error: BaseException) -> str:
    """The driver's names of an error; of its text nothing, since that may quote a value."""
    names = [type(error).__name__, *sorted({type(reason).__name__ for reason in _reasons(error)})]
    code = _mongo_code(error)
    return ": ".join(names) + (f", code {code}" if code is not None else "")


def _kafka_options(settings: Settings, principal: str) -> dict[str, Any]:
    limit_ms = settings.kafka.request_timeout_s * 1000
    name, password = secrets.account(settings, principal, "kafka")
    return {
        "bootstrap_servers": settings.kafka_address,
        "client_id": f"rollcall-{principal}",
        "security_protocol": trust.kafka_protocol(settings),
        "ssl_context": trust.context(settings),
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": name,
        "sasl_plain_password": password.get_secret_value(),
        "request_timeout_ms": limit_ms,
        "bootstrap_timeout_ms": limit_ms,
    }
