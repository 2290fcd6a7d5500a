"""Each error that a driver can raise becomes one of ours, and none carries a secret or a person's value."""

import inspect
from collections.abc import Iterator
from types import ModuleType

import bson.errors
import cassandra
import cassandra.cluster
import cassandra.connection
import cassandra.pool
import cassandra.protocol
import kafka.errors
import pymongo.errors
import pytest

from engine.clients import mapped, translated
from engine.errors import OffsetsLost, RollcallError, SignInRefused, StoreAway, StoreRefused

CANARY = "ada.lovelace@example.com"

MODULES: dict[str, tuple[ModuleType, ...]] = {
    "Kafka": (kafka.errors,),
    "Cassandra": (cassandra, cassandra.cluster, cassandra.connection, cassandra.pool, cassandra.protocol),
    "MongoDB": (pymongo.errors, bson.errors),
}


def kinds(store: str) -> Iterator[type[Exception]]:
    """Every class of error that the store's driver defines."""
    for module in MODULES[store]:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and kind.__module__ == module.__name__:
                yield kind


EVERY_KIND = [(store, kind) for store in MODULES for kind in kinds(store)]


def made(kind: type[Exception]) -> Exception:
    """An error of this class that quotes a personal value."""
    if issubclass(kind, pymongo.errors.BulkWriteError):
        return kind({"writeErrors": [{"op": CANARY}]})
    if issubclass(kind, pymongo.errors.ClientBulkWriteException):
        return kind({"writeErrors": [{"op": CANARY}]}, False)
    if issubclass(kind, pymongo.errors.EncryptedCollectionError):
        return kind(ValueError(CANARY), {"email": CANARY})
    if issubclass(kind, pymongo.errors.EncryptionError):
        return kind(ValueError(CANARY))
    if issubclass(kind, cassandra.protocol.ErrorMessage):
        return kind(0, CANARY, {})
    error = kind.__new__(kind)    # the others insist on arguments of many shapes, and are told apart by class alone
    error.args = (CANARY,)
    if isinstance(error, pymongo.errors.OperationFailure):
        pymongo.errors.OperationFailure.__init__(error, CANARY)
    return error


@pytest.mark.parametrize(("store", "kind"), EVERY_KIND, ids=lambda part: getattr(part, "__name__", part))
def test_every_error_class_of_every_driver_is_mapped(store: str, kind: type[Exception]) -> None:
    ours = translated(made(kind), "reading markers", "producer")

    assert isinstance(ours, RollcallError)
    message = str(ours)
    assert message.startswith(f"{store} ")
    assert "reading markers" in message
    assert "`rollcall " in message, "says what to run next"
    assert kind.__name__ in message
    assert CANARY not in message


def mongo(code: int) -> pymongo.errors.OperationFailure:
    return pymongo.errors.OperationFailure(CANARY, code)


def no_host(reason: Exception) -> cassandra.cluster.NoHostAvailable:
    return cassandra.cluster.NoHostAvailable("Unable to connect to any servers", {"127.0.0.1:9042": reason})


EXAMPLES: list[tuple[Exception, type[RollcallError]]] = [
    # Kafka
    (kafka.errors.KafkaTimeoutError(), StoreAway),
    (kafka.errors.KafkaConnectionError(), StoreAway),
    (kafka.errors.NodeNotReadyError(), StoreAway),
    (kafka.errors.RequestTimedOutError(), StoreAway),
    (kafka.errors.NotEnoughReplicasError(), StoreAway),
    (kafka.errors.UnknownTopicOrPartitionError(), StoreAway),
    (kafka.errors.OutOfOrderSequenceNumberError(), StoreAway),
    (kafka.errors.SaslAuthenticationFailedError(), SignInRefused),
    (kafka.errors.TopicAuthorizationFailedError(), SignInRefused),
    (kafka.errors.ClusterAuthorizationFailedError(), SignInRefused),
    (kafka.errors.KafkaError("Unexpected error in InitProducerIdResponse: [Error 31] ClusterAuthorizationFailedError"),
     SignInRefused),
    (kafka.errors.KafkaError(CANARY), StoreRefused),
    (kafka.errors.OffsetOutOfRangeError(), OffsetsLost),
    (kafka.errors.NoOffsetForPartitionError(), OffsetsLost),
    (kafka.errors.MessageSizeTooLargeError(), StoreRefused),
    (kafka.errors.InvalidRecordError(), StoreRefused),
    # Cassandra
    (no_host(OSError("connection refused")), StoreAway),
    (no_host(cassandra.AuthenticationFailed("Provided username stream and/or password are incorrect")), SignInRefused),
    (no_host(cassandra.AuthenticationFailed("Unable to perform authentication: no quorum")), StoreAway),
    (cassandra.AuthenticationFailed("Provided username stream and/or password are incorrect"), SignInRefused),
    (cassandra.AuthenticationFailed("Unable to perform authentication: no quorum"), StoreAway),
    (cassandra.Unauthorized(), SignInRefused),
    (cassandra.OperationTimedOut(), StoreAway),
    (cassandra.WriteTimeout(CANARY, write_type=0), StoreAway),
    (cassandra.ReadTimeout(CANARY), StoreAway),
    (cassandra.Unavailable(CANARY), StoreAway),
    (cassandra.WriteFailure(CANARY), StoreAway),
    (cassandra.UnresolvableContactPoints({}), StoreAway),
    (cassandra.InvalidRequest(CANARY), StoreRefused),
    (cassandra.AlreadyExists(), StoreRefused),
    (cassandra.connection.ConnectionShutdown(CANARY), StoreAway),
    (cassandra.connection.ProtocolVersionUnsupported("127.0.0.1", 5), StoreRefused),
    (cassandra.protocol.OverloadedErrorMessage(0, CANARY, None), StoreAway),
    (cassandra.protocol.SyntaxException(0, CANARY, None), StoreRefused),
    # MongoDB
    (pymongo.errors.ServerSelectionTimeoutError(CANARY), StoreAway),
    (pymongo.errors.NetworkTimeout(CANARY), StoreAway),
    (pymongo.errors.AutoReconnect(CANARY), StoreAway),
    (pymongo.errors.WaitQueueTimeoutError(CANARY), StoreAway),
    (pymongo.errors.ExecutionTimeout(CANARY, 50), StoreAway),
    (mongo(18), SignInRefused),
    (mongo(13), SignInRefused),
    (mongo(91), StoreAway),
    (mongo(11600), StoreAway),
    (mongo(2), StoreRefused),
    (pymongo.errors.DuplicateKeyError(CANARY, 11000), StoreRefused),
    (pymongo.errors.BulkWriteError({"writeErrors": [{"op": CANARY}]}), StoreRefused),
    (pymongo.errors.BulkWriteError({"writeErrors": [{"code": 50, "op": CANARY}], "writeConcernErrors": []}), StoreAway),
    (pymongo.errors.ConfigurationError(CANARY), StoreRefused),
    (bson.errors.InvalidDocument(CANARY), StoreRefused),
]


@pytest.mark.parametrize(("error", "ours"), EXAMPLES, ids=lambda part: getattr(part, "__name__", type(part).__name__))
def test_an_error_becomes_the_right_one_of_ours(error: Exception, ours: type[RollcallError]) -> None:
    with pytest.raises(RollcallError) as caught, mapped("storing rows", "stream"):
        raise error

    assert type(caught.value) is ours
    assert "stream" in str(caught.value), "says which principal"
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "the driver's text, which may quote a value, is not shown with it"


def test_errors_that_are_no_drivers_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), mapped("dividing"):
        raise ZeroDivisionError
    with pytest.raises(StoreAway, match="as it was"), mapped("waiting"):
        raise StoreAway("as it was")


def test_nothing_happens_when_nothing_fails() -> None:
    with mapped("reading markers"):
        pass
