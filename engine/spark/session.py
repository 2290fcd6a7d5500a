"""The Spark session of the stream and of verify: the connectors, encryption of what Spark spills, and no secret in sight.

Passwords are set on the running session (or as options of a reader), never given to spark-submit: those stand on its
command line. Keys never stand in a plan (engine/spark/keys.py); should a binary literal do so, it is redacted.
"""

import os
import signal
import threading
from pathlib import Path

from pyspark.sql import SparkSession

from engine import secrets
from engine.clients import Role
from engine.errors import ServerFailed, ToolMissing
from engine.native import fetch, tools
from engine.native.fetch import SPARK
from engine.settings import Settings
from engine.spark import archive
from engine.spark.failures import FAILURES, translated
from engine.tls import trust

FOR_SPEED = ("-XX:+UseParallelGC", "-XX:-DontCompileHugeMethods")
"""Options of Java, measured in docs/decisions/0016-speed.md: what Spark makes of our expressions are methods too large to be
compiled by default."""

REDACTED = "(?i)(0x|X')[0-9a-f]{16,}'?"
"""How Spark writes a binary literal."""

CIPHERS = (
    "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256",
    *(f"TLS_ECDHE_{key}_WITH_AES_{size}" for key in ("ECDSA", "RSA") for size in ("256_GCM_SHA384", "128_GCM_SHA256")))
"""Of TLS 1.3 and 1.2. The connector's own two are of TLS 1.2 and for RSA keys, without forward secrecy: ours have none of these
keys, and the node says "no cipher suites in common"."""

NO_ROWS_IN_LOGS = "-Ddatastax-java-driver.advanced.request.log-warnings=false"
"""An executor logs as its worker is set up to, and Cassandra's driver quotes the rows of a batch that the server warns of. The
driver of Spark has a log of its own, in which no such line stands (engine/native/spark-log4j2.properties)."""


def spark_session(settings: Settings, principal: str, name: str, role: Role | None = None) -> SparkSession:
    """A session signed in to Cassandra as `principal`, or under `role`; Kafka readers take `kafka_options`.

    Raises ToolMissing without Java or the connectors, FolderUnusable, ServerFailed when Spark's Java does not start.
    """
    java = tools.require("java")["java"]
    if not fetch.whole(SPARK.folder(settings)):
        raise ToolMissing(f"Spark's connectors are not in {SPARK.folder(settings)}. `rollcall up` fetches them.")
    ours, cassandra, work = settings.spark, settings.cassandra, settings.run / f"spark-{name}"
    work.mkdir(parents=True, exist_ok=True)
    # the driver has the connectors among its own classes too, behind Spark's: only those can be in the archive
    os.environ["SPARK_DIST_CLASSPATH"] = str(SPARK.folder(settings) / "*")
    os.environ["SPARK_LOCAL_IP"] = os.environ["SPARK_LOCAL_HOSTNAME"] = ours.driver_host    # the JVM binds nowhere else
    jars = ",".join(str(jar) for jar in sorted(SPARK.folder(settings).glob("*.jar")))
    options = {
        "spark.jars": jars,
        "spark.driver.memory": ours.driver_memory,
        "spark.driver.host": ours.driver_host,
        "spark.driver.bindAddress": ours.driver_host,
        "spark.driver.extraJavaOptions": " ".join((
            archive.option(java, SPARK.folder(settings)), "-Duser.timezone=UTC", *FOR_SPEED, *host_checked(settings),
            f"-Dlog4j2.configurationFile={_log4j()}", f"-Dderby.system.home={work}")),
        "spark.local.dir": str(work),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.ui.enabled": str(ours.ui).lower(),
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        "spark.io.encryption.enabled": "true",
        "spark.redaction.regex": "(?i)secret|password|passwd|token|access[.]?key|jaas|credential",
        "spark.redaction.string.regex": REDACTED,
        "spark.sql.redaction.string.regex": REDACTED,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(ours.shuffle_partitions),
        "spark.sql.ansi.enabled": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.inMemoryColumnarStorage.batchSize": "1000",    # a column of so many is one buffer; bad values may be large
        "spark.sql.extensions": "com.datastax.spark.connector.CassandraSparkExtensions",
        "spark.sql.catalog.cassandra": "com.datastax.spark.connector.datasource.CassandraCatalog",
        "spark.cassandra.connection.host": settings.cassandra_address,
        "spark.cassandra.connection.localDC": cassandra.datacenter,
        "spark.cassandra.connection.timeoutMS": str(cassandra.request_timeout_s * 1000),
        "spark.cassandra.connection.reconnectionDelayMS.max": "5000",    # a node that is back is found soon
        "spark.cassandra.read.timeoutMS": str(cassandra.request_timeout_s * 1000),
        "spark.cassandra.input.consistency.level": cassandra.consistency,
        "spark.cassandra.output.consistency.level": cassandra.consistency,
        "spark.cassandra.output.batch.grouping.key": "none",
        "spark.cassandra.output.batch.size.rows": "20",
        "spark.cassandra.output.concurrent.writes": "32",
        "spark.cassandra.concurrent.reads": "512",
        "spark.cassandra.query.retry.count": "3",
        "spark.sql.streaming.stopTimeout": "60s",
        **cassandra_tls(settings, work),
        **checkpoint_options(settings),
        **cluster_options(settings),
    }
    sign_in(settings, work)
    builder = SparkSession.builder.master(ours.master).appName(f"rollcall-{name}")
    for key, value in options.items():
        builder = builder.config(key, value)
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        spark = builder.getOrCreate()
    except FAILURES as error:
        raise translated(error, "starting Spark") or ServerFailed(
            f"Spark's Java does not start ({type(error).__name__}). Has it the memory that ROLLCALL_SPARK__DRIVER_MEMORY="
            f"{ours.driver_memory} asks for? `rollcall doctor` looks.") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, on_interrupt)    # PySpark sets one of its own, which breaks the call it interrupts
    signed_in = role or Role(principal, secrets.password(settings, principal))
    spark.conf.set("spark.cassandra.auth.username", signed_in.name)
    spark.conf.set("spark.cassandra.auth.password", signed_in.password.get_secret_value())
    return spark


def cassandra_tls(settings: Settings, work: Path) -> dict[str, str]:
    """What the connector needs to speak TLS; nothing without. On workers of a cluster the file must be at the same path."""
    return {"spark.cassandra.connection.ssl.enabled": "true",
            "spark.cassandra.connection.ssl.enabledAlgorithms": ",".join(CIPHERS),
            "spark.cassandra.connection.ssl.trustStore.path": str(trust.truststore(settings, work / "authorities.p12"))} \
        if settings.tls.on else {}


def host_checked(settings: Settings) -> tuple[str, ...]:
    """Options of Java. The connector (3.5.1) tells its driver not to look whether a certificate is for the host that it asked;
    the driver takes a property of Java before what it is told."""
    return ("-Ddatastax-java-driver.advanced.ssl-engine-factory.hostname-validation=true",) if settings.tls.on else ()


def checkpoint_options(settings: Settings) -> dict[str, str]:
    """On this machine's own files: what Spark takes by default starts `readlink` and `chmod` several times a batch.
    Two who write one checkpoint, whom the default tells apart on any file system, the lease keeps apart."""
    if not settings.checkpoint_url.startswith("file:"):
        return {}
    return {"spark.sql.streaming.checkpointFileManagerClass":
            "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager"}


def cluster_options(settings: Settings) -> dict[str, str]:
    """What a session needs whose executors are not in its driver; nothing for one of this machine alone."""
    ours = settings.spark
    if _local(settings):
        return {}
    most = {} if ours.cores_max is None else {"spark.cores.max": str(ours.cores_max)}
    return {"spark.executor.memory": ours.executor_memory,
            "spark.executor.extraJavaOptions": " ".join((
                "-Duser.timezone=UTC", NO_ROWS_IN_LOGS, *FOR_SPEED, *host_checked(settings))), **most}


def _local(settings: Settings) -> bool:
    return settings.spark.master.startswith("local")


def sign_in(settings: Settings, work: Path) -> None:
    """To a cluster that asks for a secret: `spark.secret` of the secrets folder, if it is there. Spark's launcher reads it from
    a file, for what it is told otherwise stands on its command line; with it all between driver and executors is encrypted."""
    path, told = settings.secrets / "spark.secret", work / "conf" / "spark-defaults.conf"
    if _local(settings) or not path.exists():
        told.unlink(missing_ok=True)
        return
    secrets.write_secret(told, authentication(path.read_text(encoding="utf-8").strip()).encode())
    os.environ["SPARK_CONF_DIR"] = str(told.parent)


def authentication(secret: str) -> str:
    """Lines of a spark-defaults.conf with which drivers, masters, workers and executors know each other."""
    return f"spark.authenticate true\nspark.authenticate.secret {secret}\nspark.network.crypto.enabled true\n"


CASSANDRA = "org.apache.spark.sql.cassandra"
"""The connector's name as a format."""


def kafka_options(settings: Settings, principal: str) -> dict[str, str]:
    """Options with which Spark's Kafka source signs in."""
    password = secrets.password(settings, principal).get_secret_value()
    timeout = str(settings.kafka.request_timeout_s * 1000)
    return {
        "kafka.bootstrap.servers": settings.kafka_address,
        "kafka.security.protocol": trust.kafka_protocol(settings),
        **{f"kafka.{name}": value for name, value in trust.kafka_java(settings).items()},
        "kafka.sasl.mechanism": "SCRAM-SHA-256",
        "kafka.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
                                  f'username="{principal}" password="{password}";',
        "kafka.request.timeout.ms": timeout,
        "kafka.default.api.timeout.ms": timeout,
        # a task asks for records that are there; what it would wait for is the answer to what its consumer asked before,
        # past the end, which the broker holds back for this long (half a second by default, for every wave of tasks)
        "kafka.fetch.max.wait.ms": "20",
    }


def cassandra_table(settings: Settings, table: str) -> dict[str, str]:
    """Options that name a table to the connector."""
    return {"keyspace": settings.cassandra.keyspace, "table": table}


def _log4j() -> Path:
    return Path(__file__).parent.parent / "native" / "spark-log4j2.properties"
