"""What Spark's failures are taken for, on the texts that real outages gave (shortened)."""

import errno

import pytest
from pyspark.errors import PySparkException

from engine.errors import FolderUnusable, OffsetsLost, RollcallError, SignInRefused, StoreAway
from engine.spark.failures import mapped, translated, unforeseen

DRIVER = "com.datastax.oss.driver.api.core."
CANARY = "ada.lovelace@example.com"


class Captured(PySparkException):
    """As PySpark catches Java's exceptions: a description and Java's stack trace."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.desc, self.stackTrace = f"Job aborted, {CANARY}", text


AWAY = {
    "Cassandra": [
        "java.lang.IllegalStateException: Control channel not available, aborting schema refresh",
        f"Lost task 0.0: {DRIVER}AllNodesFailedException: All 1 node(s) tried for the query failed",
        f"Caused by: {DRIVER}NoNodeAvailableException: No node was available to execute the query",
        f"Caused by: {DRIVER}DriverTimeoutException: Query timed out after PT10S",
        "java.io.IOException: Failed to open native connection to Cassandra at {127.0.0.1:9042} :: Could not reach",
        f"Failed to write statements to rollcall.profiles. The latest exception was\n  {DRIVER}servererrors."
        "WriteTimeoutException: Cassandra timeout",
        f"Caused by: {DRIVER}connection.ClosedConnectionException: Lost connection to remote peer",
        f"{DRIVER}auth.AuthenticationException: Unable to perform authentication: no quorum\n"
        f"{DRIVER}AllNodesFailedException: Could not reach any contact point"],
    "Kafka": [
        "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: describeTopics",
        "Caused by: org.apache.kafka.common.errors.DisconnectException",
        "java.util.concurrent.TimeoutException: Cannot fetch record for offset 17 in 10000 milliseconds",
        "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic"]}

OTHERS: list[tuple[str, type[RollcallError]]] = [
    (f"Failed to open native connection to Cassandra :: Could not reach any contact point: [{DRIVER}auth."
     "AuthenticationException: Authentication error on node: username stream incorrect]", SignInRefused),
    (f"Caused by: {DRIVER}servererrors.UnauthorizedException: User stream has no MODIFY permission", SignInRefused),
    ("org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed", SignInRefused),
    ("org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics", SignInRefused),
    ("org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch position is out of range", OffsetsLost),
    ("java.lang.IllegalStateException: Cannot fetch offset 7. \nSome data may have been lost because they are not "
     "available in Kafka any more", OffsetsLost),
    ("java.lang.IllegalStateException: Partition people-0's offset was changed from 20 to 5, some data may have been "
     "missed", OffsetsLost),
    ("java.io.IOException: No space left on device", FolderUnusable),
    ("java.io.FileNotFoundException: checkpoint/offsets/.7.tmp (Read-only file system)", FolderUnusable),
    ("java.io.IOException: Mkdirs failed to create file:/sys/checkpoint", FolderUnusable)]


@pytest.mark.parametrize(("store", "text"), [(store, text) for store, texts in AWAY.items() for text in texts])
def test_a_store_that_is_away_is_told_by_name(store: str, text: str) -> None:
    ours = translated(Captured(text), "running a batch")
    assert isinstance(ours, StoreAway)
    assert ours.store == store
    assert str(ours).startswith(f"{store} does not answer while running a batch")
    assert CANARY not in str(ours)


@pytest.mark.parametrize(("text", "kind"), OTHERS)
def test_what_only_a_person_can_put_right_is_no_outage(text: str, kind: type[RollcallError]) -> None:
    ours = translated(Captured(text))
    assert type(ours) is kind
    assert CANARY not in str(ours)


def test_the_unknown_stays_unknown() -> None:
    assert translated(Captured("java.lang.OutOfMemoryError: Java heap space")) is None
    assert translated(KeyError("x")) is None
    with pytest.raises(Captured), mapped("reading"):
        raise Captured("java.lang.NullPointerException")
    with pytest.raises(StoreAway), mapped("reading"):
        raise Captured(AWAY["Kafka"][0])


def test_a_full_disk_that_python_meets_is_told_too() -> None:
    assert isinstance(translated(OSError(errno.ENOSPC, "No space left on device")), FolderUnusable)
    assert translated(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None


def test_an_unforeseen_failure_is_told_by_its_places_in_python_and_in_java() -> None:
    try:
        raise Captured(f"java.lang.IllegalStateException: {CANARY}\n\tat org.apache.spark.Task.run(Task.scala:141)\n"
                       f"Caused by: org.apache.spark.SparkException: {CANARY}\nada.Lovelace\n\tat {CANARY}\n")
    except Captured as error:
        told = unforeseen(error)
    assert CANARY not in told
    assert "ada.Lovelace" not in told
    assert "in test_an_unforeseen_failure" in told
    assert told.endswith("java.lang.IllegalStateException\n\tat org.apache.spark.Task.run(Task.scala:141)\n"
                         "Caused by: org.apache.spark.SparkException\n")
    assert unforeseen(KeyError(CANARY)).startswith("KeyError")
