"""The whole native stack with TLS: it comes to a verify that agrees, nobody plain gets in at any port, and a certificate that
is not good is refused by each client, with what is wrong."""

import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import bson
import httpx
import psutil
import pytest

from bench.installation import settings_toml
from engine import health, secrets
from engine import stack as stacks
from engine.clients import cassandra_session, kafka_admin, mapped, mongo_client
from engine.errors import CertificateRefused, RollcallError, SignInRefused, StoreAway
from engine.processes import Supervisor, left_over
from engine.settings import CLONE, Settings, load
from engine.spark import failures
from engine.spark.session import CASSANDRA, cassandra_table, kafka_options, spark_session
from engine.tls import authority, served, trust
from engine.tls.pages import address
from tests.plain_spark import end_java
from tests.proof import Proof
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.proof, pytest.mark.timeout(1200)]

LIMIT_S = 420.0
PEOPLE = 300
PORTS = ("kafka", "controller", "cassandra", "storage", "mongo", "view", "console", "stream", "producer")
SERVERS = ("kafka", "cassandra", "mongo")

GOOD_FOR = timedelta(seconds=150)
"""Of a certificate that ends while its server runs: as long as all three take to start on a busy machine."""
UNNAMED = "127.1"
"""127.0.0.1, written so that no certificate is for it."""

HTTP = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
API_VERSIONS = struct.pack(">ihhih5s", 15, 18, 0, 7, 5, b"plain")
HELLO = bson.encode({"hello": 1, "$db": "admin"})
OP_MSG = 2013
PLAIN = {
    "kafka": (API_VERSIONS, struct.pack(">i", 7)), "controller": (API_VERSIONS, struct.pack(">i", 7)),
    "cassandra": (struct.pack(">BBhBi", 4, 0, 0, 5, 0), b"\x84"),    # OPTIONS
    "storage": (bytes.fromhex("ca552dfa00000000"), bytes.fromhex("ca552dfa")),
    "mongo": (struct.pack("<iiiiiB", 21 + len(HELLO), 1, 0, OP_MSG, 0, 0) + HELLO, struct.pack("<i", OP_MSG)),
    **dict.fromkeys(("view", "console", "stream", "producer"), (HTTP, b"HTTP/"))}
"""What a plain client says first, by the protocol of each, and what stands in the beginning of a plain server's answer."""


def quiet(_: str) -> None:
    """Says nothing."""


def rollcall(*arguments: str, code: int = 0) -> str:
    """Runs the command on the installation of the environment."""
    done = subprocess.run([sys.executable, "-m", "engine.cli", *arguments], cwd=CLONE, capture_output=True, text=True,
                          check=False, timeout=2 * LIMIT_S)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return " ".join(f"{done.stdout} {done.stderr}".split())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an installation that is up, with TLS and with people; with the tests it ends."""
    home = tmp_path_factory.mktemp("tls")
    (home / "settings.toml").write_text(settings_toml(
        producer={"source": "synthetic", "rate": 20.0}, stream={"lease_s": 5.0}))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(home))
        rollcall("certs", "--on")
        try:
            stacks.up(load(), quiet)
            yield home
        finally:
            stacks.down(load(), quiet)
        assert left_over(load()) == []


def place(settings: Settings, name: str) -> int:
    """The port of one listener."""
    ports = {"kafka": settings.kafka.port, "controller": settings.kafka.controller_port, "cassandra": settings.cassandra.port,
             "storage": settings.cassandra.storage_port, "mongo": settings.mongo.port, "view": settings.view.port,
             "console": settings.console.port, "stream": settings.metrics.stream_port,
             "producer": settings.metrics.producer_port}
    return ports[name]


def answer_to(hello: bytes, port: int) -> bytes:
    """What a plain client gets for its first words; nothing where the connection is closed, or nobody says anything."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as plain:
        try:
            plain.sendall(hello)
            return plain.recv(64)
        except (TimeoutError, ConnectionError):
            return b""


def asked(settings: Settings, server: str) -> None:
    """One request to a server, as every client of ours makes it."""
    if server == "kafka":
        kafka_admin(settings, "provision").close()
    elif server == "cassandra":
        with cassandra_session(settings, "verify") as session:
            session.execute("SELECT release_version FROM system.local")
    else:
        with mapped("asking", "verify"), mongo_client(settings, "verify") as client:
            client.list_database_names()


def without(settings: Settings) -> Settings:
    """The same, for clients that speak no TLS, and do not wait long for it."""
    short = {name: getattr(settings, name).model_copy(update={"request_timeout_s": 3}) for name in SERVERS}
    return settings.model_copy(update={"tls": settings.tls.model_copy(update={"on": False}), **short})


def users(settings: Settings) -> int:
    """How many are counted, when every hop is well."""
    hops = {hop.name: hop for hop in health.look(health.Opened(settings), Supervisor(settings))}
    return int(hops["mongo"].facts.get("users", 0)) if all(hop.ok for hop in hops.values()) else 0


# ---- it works


def test_people_flow_and_verify_agrees(home: Path, proof: Proof) -> None:
    settings = load()
    assert settings.tls.on

    until("people flow and every hop is well", lambda: users(settings) > PEOPLE, LIMIT_S, 1)
    said = rollcall("verify")
    assert "Everything agrees." in said
    rollcall("status")
    proof.add("verify", users=users(settings), agrees=True)


def test_each_client_gets_in_and_sees_who_it_is(home: Path) -> None:
    settings = load()
    for server in SERVERS:
        asked(settings, server)
    context = trust.context(settings)
    assert context is not None
    for page in ("view", "console"):
        assert httpx.get(f"{address(settings, page)}/healthz", verify=context).is_success
    for program in ("stream", "producer"):
        told = httpx.get(f"https://127.0.0.1:{place(settings, program)}/metrics", verify=context).text
        assert f"rollcall_{program}_" in told
        assert ('rollcall_certificate_ends_timestamp_seconds{server="cassandra"}' in told) == (program == "stream")
    now = datetime.now(UTC)
    for name in served.Served.NAMES:
        end = served.ends(settings, name)
        assert end is not None
        assert timedelta(days=settings.tls.days - 1) < end - now <= timedelta(days=settings.tls.days)


def test_no_port_is_open_beside_those_that_were_looked_at(home: Path) -> None:
    settings = load()
    pids = {process.pid for process in left_over(settings)}
    servers = {process.pid: " ".join(process.cmdline()) for process in left_over(settings)}
    found = {connection.laddr.port: servers.get(connection.pid or 0, "") for connection in psutil.net_connections("tcp")
             if connection.status == psutil.CONN_LISTEN and connection.pid in pids and connection.laddr}
    known = {place(settings, name) for name in PORTS}
    spark = {port for port, command in found.items() if re.search(r"pyspark|org\.apache\.spark|stream run", command)}
    assert known <= found.keys()
    assert found.keys() - known == spark - known, "what Spark's Python and Java say to each other stays on this machine, plain"


@pytest.mark.parametrize("name", PORTS)
def test_a_plain_client_is_refused(home: Path, name: str, proof: Proof) -> None:
    settings, (hello, plainly) = load(), PLAIN[name]
    got = answer_to(hello, place(settings, name))
    assert plainly not in got[:16], f"{name} answers a plain client: {got!r}"
    assert shown(settings, name, trust.context(settings)), "and one that speaks TLS and trusts ours is answered"
    proof.add(f"plain {name}", got=got[:8].hex() or "closed")


@pytest.mark.parametrize("server", SERVERS)
def test_our_own_client_without_tls_gets_nowhere(home: Path, server: str) -> None:
    with pytest.raises(RollcallError):
        asked(without(load()), server)


# ---- certificates that are not good


def of_another_authority(folder: Path) -> Settings:
    """The same, for clients that trust somebody else."""
    ours = load()
    shutil.copytree(ours.secrets, folder / "secrets")
    shutil.rmtree(folder / "secrets" / "tls")
    stranger = ours.model_copy(update={"home": folder})
    authority.ensure(stranger)
    return stranger


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_of_another_authority_is_refused(home: Path, server: str, tmp_path: Path, proof: Proof) -> None:
    ours, stranger = load(), of_another_authority(tmp_path)
    with pytest.raises(CertificateRefused, match="signed by nobody who is trusted here") as error:
        asked(stranger, server)
    proof.add(f"foreign {server}", says=str(error.value))
    hop = health._page(f"{address(ours, 'view')}/", 5.0, trust.context(stranger))
    assert not hop[0]
    assert "signed by nobody" in hop[1]


@pytest.fixture
def spoilt(home: Path) -> Iterator[Settings]:
    """The servers alone, to be given other certificates; afterwards all runs as before, with good ones."""
    settings = load()
    supervisor = Supervisor(settings)
    supervisor.stop("producer", "stream", "keeper", "view", "console")
    yield settings
    supervisor.stop(*SERVERS)
    authority.ensure(settings, SERVERS, anew=True)
    stacks.servers_up(settings, quiet)


def started_with(settings: Settings, *servers: str, left: timedelta | None = None, host: str = "") -> None:
    """Starts servers again with certificates that end so long from now, or are for this host alone."""
    supervisor = Supervisor(settings)
    supervisor.stop(*servers)
    with pytest.MonkeyPatch.context() as patch:
        if host:
            patch.setattr(authority, "hosts", lambda *_: frozenset({host}))
        for name in servers:
            since = datetime.now(UTC) + (left - timedelta(days=settings.tls.days) if left else timedelta())
            authority._sign(settings, name, since)
    supervisor.start(*servers)
    for name in servers:
        until(f"{name} shows its certificate", partial(shown, settings, name), LIMIT_S)


def signs_in(settings: Settings, server: str) -> bool:
    """Whether a server is so far that it answers us."""
    try:
        asked(settings, server)
    except (StoreAway, SignInRefused):
        return False
    return True


def shown(settings: Settings, name: str, trusting: ssl.SSLContext | None = None) -> bool:
    """Whether a server shakes hands by now; trusting: with who looks at its certificate."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    host = "127.0.0.1"
    try:
        with socket.create_connection((host, place(settings, name)), 5) as plain, \
                (trusting or looking).wrap_socket(plain, server_hostname=host):
            return True
    except OSError:
        return False


def by_spark(settings: Settings, doing: str, read: Any) -> str:
    """What Spark's own clients say of a server that is not to be trusted."""
    with pytest.raises(CertificateRefused) as error, failures.mapped(doing):
        read()
    return str(error.value)


def test_what_has_ended_and_what_is_for_another_host_is_refused_by_each_client(spoilt: Settings, tmp_path: Path,
                                                                                 proof: Proof) -> None:
    # of Kafka one that has ended already could not be tried: its broker is a client of its controller, and does not start
    started_with(spoilt, *SERVERS, left=GOOD_FOR)
    for server in SERVERS:
        until(f"{server} lets us sign in", partial(signs_in, spoilt, server), LIMIT_S, 1)
    ends = max(one.ends for one in authority.kept(spoilt) if one.name in SERVERS)
    until("they have ended", lambda: datetime.now(UTC) > ends, GOOD_FOR.total_seconds() + 5, 1)
    for server in SERVERS:
        with pytest.raises(CertificateRefused, match="its certificate has ended") as error:
            asked(spoilt, server)
        proof.add(f"ended {server}", says=str(error.value))
    assert "has ended" in rollcall("up", code=CertificateRefused.exit_code), "and it says what to do"
    said = rollcall("status", code=1)
    assert "NOT kafka Kafka cannot be trusted" in said
    assert "its certificate has ended" in said

    started_with(spoilt, "kafka")
    started_with(spoilt, "cassandra", "mongo", host="192.0.2.1")
    # Kafka is asked under a name that its certificate lacks, for the same reason
    elsewhere = spoilt.model_copy(update={"kafka_bootstrap": f"{UNNAMED}:{spoilt.kafka.port}"})
    until("Kafka lets us sign in", partial(signs_in, spoilt, "kafka"), LIMIT_S, 1)
    (elsewhere.secrets / "kafka.admin").write_text(f"provision\n{secrets.password(spoilt, 'provision').get_secret_value()}\n")
    for server in SERVERS:
        with pytest.raises(CertificateRefused, match="for another host") as error:
            asked(elsewhere, server)
        proof.add(f"another host {server}", says=str(error.value))
    # Java asks the machine for the name of 127.1 and looks for that one, so of Kafka in Spark it is the authority that is wrong
    stranger = of_another_authority(tmp_path)
    spark = spark_session(spoilt, "verify", "tls")
    try:
        table = spark.read.format(CASSANDRA).options(**cassandra_table(spoilt, "profiles"))
        topic = spark.read.format("kafka").options(**kafka_options(stranger, "verify")).option("subscribe", spoilt.kafka.topic)
        by_java = {"cassandra": by_spark(spoilt, "reading rows", lambda: table.load().count()),
                   "kafka": by_spark(spoilt, "reading the topic", lambda: topic.load().count())}
    finally:
        spark.stop()
        end_java()
    for server, words in by_java.items():
        assert words.lower().startswith(f"{server} cannot be trusted"), words
        assert ("for another host" if server == "cassandra" else "nobody who is trusted") in words
        proof.add(f"spark {server}", says=words)


def test_a_start_renews_what_ends_soon_and_then_all_is_well(home: Path, proof: Proof) -> None:
    settings = load()
    stacks.down(settings, quiet)
    for name in authority.NAMES:
        authority._sign(settings, name, datetime.now(UTC) + timedelta(days=20) - timedelta(days=settings.tls.days))
    served._ends.cache_clear()
    said: list[str] = []
    stacks.up(settings, said.append)
    assert [line for line in said if line.startswith("Made certificates for")] == [
        "Made certificates for kafka, mongo, cassandra, view, console, metrics"]
    until("every hop is well", lambda: users(settings), LIMIT_S, 1)
    assert "its certificate ends" not in rollcall("status")
    verified = rollcall("verify")
    assert "Everything agrees." in verified
    proof.add("renewed by a start", agrees=True)
