"""What a failure inside Spark is: the one place where Java's exceptions become errors of ours.

They are told apart by the names of the classes that stand in the exception, its causes and the failed tasks' reports.
No text of theirs is shown: it may quote a value.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from engine.errors import CertificateRefused, FolderUnusable, OffsetsLost, RollcallError, SignInRefused, StoreAway
from engine.logs import traced
from engine.machine import folders
from engine.tls import trust

FAILURES = (PySparkException, Py4JError)
"""What a call into Spark may raise."""

_LOST = re.compile(r"OffsetOutOfRangeException|data (?:may|might) have been (?:lost|missed)")
_NO_VERDICT = "Unable to perform authentication"    # see engine/clients.py
_REFUSED = {
    "Cassandra": re.compile(r"com\.datastax\.[\w.]*\.(AuthenticationException|UnauthorizedException)"),
    "Kafka": re.compile(r"org\.apache\.kafka\.[\w.]*\.(\w*AuthenticationException|\w*AuthorizationException)")}
_AWAY = {
    "Cassandra": re.compile(
        r"com\.datastax\.[\w.]*\.(AllNodesFailedException|NoNodeAvailableException|NodeUnavailableException"
        r"|DriverTimeoutException|ConnectionInitException|ClosedConnectionException|HeartbeatException"
        r"|BusyConnectionException|UnavailableException|ReadTimeoutException|WriteTimeoutException|ReadFailureException"
        r"|WriteFailureException|OverloadedException|BootstrappingException|ServerError|CDCWriteFailureException)"
        r"|Failed to open native (connection) to Cassandra|(IllegalStateException): Control channel not available"
        r"|com\.datastax[\s\S]*?(ClosedChannelException|java\.net\.ConnectException)"),
    "Kafka": re.compile(
        r"org\.apache\.kafka\.[\w.]*\.(TimeoutException|DisconnectException|NetworkException|RetriableException"
        r"|BrokerNotAvailableException|LeaderNotAvailableException|NotLeaderOrFollowerException"
        r"|UnknownTopicOrPartitionException|UnknownLeaderEpochException|FencedLeaderEpochException"
        r"|CoordinatorNotAvailableException|KafkaStorageException|OffsetNotAvailableException|CorruptRecordException)"
        r"|java\.util\.concurrent\.(TimeoutException): Cannot fetch record")}
TRACE_LINES = 12    # of Python, and again of Java
_PLACE = re.compile(r"^(?:Caused by: )?(?:[a-z]\w*\.)+[A-Z][\w$]*(?:Exception|Error)(?=:|$)"
                    r"|^\s+at [\w.$<>/]+\((?:[\w.]+:\d+|Native Method|Unknown Source)\)$", re.MULTILINE)
"""How Java's traces name a class of exception and a place."""

_UNUSABLE = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system|Permission denied"
                       r"|AccessDeniedException|AccessControlException|Mkdirs failed to create|mkdir of \S+ failed")


def translated(error: BaseException, doing: str = "running a batch") -> RollcallError | None:
    """The error of ours that stands for a failure inside Spark; None when it is of no known kind."""
    if isinstance(error, OSError):    # what PySpark itself writes
        return folders.unusable(error, None)
    if not isinstance(error, FAILURES):
        return None
    text = _text(error)
    if _LOST.search(text):
        return OffsetsLost(f"The topic no longer holds records that were not read yet (met while {doing}).")
    if said := trust.refused(text):
        store = "Kafka" if "org.apache.kafka" in text else "Cassandra"
        return CertificateRefused(f"{store} cannot be trusted while {doing}: {said}", store)
    for store, pattern in _REFUSED.items():
        if (found := pattern.search(text)) and _NO_VERDICT not in text:
            return SignInRefused(
                f"{store} refuses stream while {doing} ({found[1]}). The passwords are those in the secrets folder of this "
                "installation; `rollcall up` sets users and permissions right again.", store)
    if found := _UNUSABLE.search(text):
        return FolderUnusable(
            f"Spark cannot write its checkpoint, or its own files in the run folder, while {doing} ({found[0]}). Make room or "
            "make the folder writable, or choose another with ROLLCALL_STREAM__CHECKPOINT or ROLLCALL_HOME, then start the "
            "stream again: `rollcall stream start`.")
    for store, pattern in _AWAY.items():
        if found := pattern.search(text):
            return StoreAway(
                f"{store} does not answer while {doing} ({next(filter(None, found.groups()))}, in Spark). "
                "`rollcall status` shows what runs, `rollcall up` starts what of ours does not.", store)
    return None


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """As engine/clients.py `mapped`, for what Spark does."""
    try:
        yield
    except FAILURES as error:
        ours = translated(error, doing)
        if ours is None:
            raise
        raise ours from None


def unforeseen(error: BaseException) -> str:
    """A failure of no known kind for the log: what failed and where, in Python and in Java; of no text of theirs."""
    places = [f"{found[0]}\n" for found in _PLACE.finditer(_text(error))] if isinstance(error, FAILURES) else []
    return "".join([*traced(error)[-TRACE_LINES:], *places[:TRACE_LINES]])


def _text(error: BaseException) -> str:
    """The exception with all its causes, as Java prints it."""
    try:
        if isinstance(error, Py4JJavaError):
            return str(error)
        return f"{getattr(error, 'desc', '')}\n{getattr(error, 'stackTrace', '')}"
    except Py4JError:    # Java itself is gone
        return ""
