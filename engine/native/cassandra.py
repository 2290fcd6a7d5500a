"""The native Cassandra node: one token, names and passwords asked for, no default superuser left, no JMX."""

import time
from collections.abc import Sequence
from pathlib import Path

from cassandra import AuthenticationFailed
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable

from engine import clients, secrets
from engine.addresses import HERE, addresses
from engine.errors import ServerFailed, SignInRefused
from engine.native import fetch
from engine.native.server import JVM, Say, append, private_folder, render, write_arguments
from engine.settings import Settings
from engine.tls import authority, trust

COMMITLOG_OPTION = {
    "periodic": "commitlog_sync_period: 10000ms",
    "group": "commitlog_sync_group_window: 2ms",
    "batch": "",
}
"""The rows of a request are written one after the other, and each waits until the log is forced: with a window of 10 ms a
request of twenty took 100 ms, on an idle node (docs/decisions/0016-speed.md)."""

EXPORTS = (
    "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch", "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
    "java.sql/java.sql", "jdk.unsupported/sun.misc", "jdk.compiler/com.sun.tools.javac.file",
    "jdk.attach/sun.tools.attach")

OPENS = (
    *(f"java.base/{name}" for name in (
        "java.lang", "java.lang.module", "java.lang.reflect", "java.io", "java.nio", "java.util", "sun.nio.ch",
        "jdk.internal.loader", "jdk.internal.ref", "jdk.internal.reflect", "jdk.internal.math",
        "jdk.internal.module", "jdk.internal.util.jar")),
    "jdk.management/com.sun.management.internal", "jdk.compiler/com.sun.tools.javac")

SINGLE_NODE = (    # a node that has no other to wait for starts at once
    "cassandra.superuser_setup_delay_ms=0", "cassandra.skip_wait_for_gossip_to_settle=0", "cassandra.ring_delay_ms=1",
    "cassandra.initial_token=0")

BCRYPT = "cassandra.auth_bcrypt_gensalt_log2_rounds=4"
"""The least: every sign-in is hashed anew, and slow hashing helps a password that can be guessed, not 192 random bits."""

DEFAULT = "cassandra"
"""Name and password of the superuser that every new Cassandra has."""

DEFAULT_APPEARS_WITHIN_S = 30


def data(settings: Settings) -> Path:
    """Folder of what it keeps."""
    return settings.data / "cassandra"


def ports(settings: Settings) -> dict[str, int]:
    """Setting -> port."""
    return {"cassandra.port": settings.cassandra.port, "cassandra.storage_port": settings.cassandra.storage_port}


def configure(settings: Settings, say: Say, host: str = HERE, options: Sequence[str] = ()) -> None:
    """Renders cassandra.yaml and the start's arguments.

    host, options: of a node among several (bench/cluster_servers.py): where it listens, and how it joins.
    """
    ours, run = settings.cassandra, private_folder(settings.run / "cassandra")
    folder = private_folder(data(settings))
    render("cassandra/cassandra.yaml", run / "cassandra.yaml", host=host, port=ours.port,
           storage_port=ours.storage_port, data=folder, commitlog_sync=ours.commitlog_sync,
           commitlog_option=COMMITLOG_OPTION[ours.commitlog_sync])
    if settings.tls.on:
        append("cassandra/tls.yaml", run / "cassandra.yaml", certificate=authority.pem_file(settings, "cassandra"),
               authorities=authority.trusted_file(settings))
    render("cassandra/logback.xml", run / "logback.xml")
    jars = fetch.CASSANDRA.folder(settings)
    agent = next(jars.glob("jamm-*.jar"))
    write_arguments(run / "start.args", [
        *JVM, f"-Xmx{ours.heap}", f"-Xms{ours.heap}", "-Xss512k", f"-javaagent:{agent}",
        *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS),
        f"-Dcassandra.config={(run / 'cassandra.yaml').as_uri()}", f"-Dcassandra.storagedir={folder}",
        f"-Dlogback.configurationFile={run / 'logback.xml'}", "-Dcassandra-foreground=yes",
        *(f"-D{option}" for option in (BCRYPT, *(options or SINGLE_NODE))),
        "-Dio.netty.tryReflectionSetAccessible=true", "-Djdk.attach.allowAttachSelf=true", "-cp", f"{jars}/*",
        "org.apache.cassandra.service.CassandraDaemon"])


def command(settings: Settings) -> list[str]:
    """The command that runs the node in the foreground."""
    # whoever looks at the console waits; a write that is a little later does not (bench/console.py)
    return ["nice", "-n", "5", "java", f"@{settings.run / 'cassandra' / 'start.args'}"]


def probe(settings: Settings) -> None:
    """Signs in as `provision`. Raises StoreAway; SignInRefused before `secure` ran for the first time."""
    with clients.mapped("asking Cassandra whether it is ready", "provision"), \
            clients.cassandra_session(settings, "provision") as session:
        session.execute("SELECT release_version FROM system.local")


def secure(settings: Settings, say: Say) -> bool:
    """Makes the superuser `provision` and drops the default one; idempotent. Returns whether anything was changed.

    Call it as soon as the first start answers; the default superuser appears a moment later. Raises StoreAway, and
    ServerFailed when neither of the two can sign in.
    """
    limit = time.monotonic() + DEFAULT_APPEARS_WITHIN_S
    made = False
    while not _provision_signs_in(settings):
        made = _make_superuser(settings)
        if not made and time.monotonic() > limit:
            raise ServerFailed(
                "Cassandra knows neither this installation's password of 'provision' nor its own default. "
                + (f"The one at {settings.cassandra_address} is not new: ask its administrator for an account."
                   if "cassandra" in settings.elsewhere else
                   f"The data in {data(settings)} were made with other secrets than those in {settings.secrets}: "
                   "put those secrets back, or move the data folder away and run `rollcall up`."))
        if not made:
            time.sleep(0.2)
    with clients.mapped("dropping the default superuser", "provision"), \
            clients.cassandra_session(settings, "provision") as session:
        roles = {row.role for row in session.execute("SELECT role FROM system_auth.roles")}
        if DEFAULT in roles:
            session.execute(f"DROP ROLE {DEFAULT}")
            say("cassandra: superuser provision made, default superuser dropped")
    return made or DEFAULT in roles


def default_signs_in(settings: Settings) -> bool:
    """Whether somebody who knows nothing of this installation could sign in. Raises StoreAway."""
    cluster = _default_cluster(settings)
    try:
        cluster.connect()
    except NoHostAvailable as error:
        if any(isinstance(reason, AuthenticationFailed) for reason in error.errors.values()):
            return False
        with clients.mapped("trying Cassandra's default sign-in", DEFAULT):
            raise
    finally:
        cluster.shutdown()
    return True


def _provision_signs_in(settings: Settings) -> bool:
    try:
        probe(settings)
    except SignInRefused:
        return False
    return True


def _make_superuser(settings: Settings) -> bool:
    """Makes the role `provision` as the default superuser; False when that one is not there (yet)."""
    name, password = secrets.account(settings, "provision", "cassandra")
    cluster = _default_cluster(settings)
    try:
        with clients.mapped("making the superuser", DEFAULT):
            cluster.connect().execute(f'CREATE ROLE "{name}" WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = %s',
                                      (password.get_secret_value(),))
    except SignInRefused:
        return False
    finally:
        cluster.shutdown()
    return True


def _default_cluster(settings: Settings) -> Cluster:
    return Cluster(
        addresses(settings.cassandra_address), protocol_version=clients.CASSANDRA_PROTOCOL,
        auth_provider=PlainTextAuthProvider(DEFAULT, DEFAULT), monitor_reporting_enabled=False,
        ssl_context=trust.context(settings))
