"""Three Cassandra nodes, three Kafka nodes and a Spark cluster of two workers on loopback addresses, each a process of its own.

They are to Rollcall what systems that run elsewhere are: it knows their addresses and nothing else. Here is what their
administrator would do: start each node, let it join, and keep names and passwords on as many nodes as people. The servers are
those of engine/native, told where to listen and how to join. Every process has a group of its own, which is ended by its id.
"""

import base64
import json
import os
import secrets
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Self

import psutil
import pyspark

from bench.installation import free_ports
from engine import stack
from engine.addresses import written
from engine.clients import cassandra_session, kafka_admin
from engine.errors import RollcallError, ServerFailed
from engine.native import cassandra, fetch, kafka, nodetool
from engine.native.server import listening
from engine.provision.cassandra import DDL_TIMEOUT_S
from engine.secrets import write_secret
from engine.settings import CLONE, Settings
from engine.spark.session import authentication

Say = Callable[[str], None]

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
COPIES = len(HOSTS)
REPLICATION = f"{{'class': 'NetworkTopologyStrategy', 'datacenter1': {COPIES}}}"
TOKENS = (0, 2 ** 64 // 3, -(2 ** 64 // 3))
"""One a node, as far from each other as they can be: of which a node holds all rows, but coordinates a third."""

JOINS = ("cassandra.superuser_setup_delay_ms=0", "cassandra.ring_delay_ms=2000")

THREE = CLONE / "infra" / "containers" / "kafka" / "three.properties"
"""What a broker among three needs otherwise than one alone, here as in containers."""

SPARK_HOME = Path(pyspark.__file__).parent
WORKER_CORES, WORKER_MEMORY = 2, "3g"
"""Of each worker: the stream takes one core and a gigabyte of each, and a verify beside it as much."""

STARTS_WITHIN_S, ENDS_WITHIN_S = 300.0, 30.0


@dataclass
class Member:
    """One process of the cluster. up: whether it serves; log: what it prints."""

    name: str
    command: list[str]
    up: Callable[[], bool]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def launch(self) -> None:
        """Starts it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **self.environment})

    def serves(self) -> None:
        """Waits until it serves. Raises ServerFailed with the end of its log."""
        assert self.process is not None, f"{self.name} was not started"
        limit = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                end = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
                raise ServerFailed(f"{self.name} does not come up (exit code {self.process.poll()}):\n{end}")
            time.sleep(0.2)

    def end(self, how: int = signal.SIGTERM) -> None:
        """Ends it and all it started; by force what has not ended in time. Idempotent."""
        if self.process is None:
            return
        for sign in (how, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(ENDS_WITHIN_S)
        self.process = None

    def _answers(self) -> bool:
        with suppress(RollcallError, OSError):
            return self.up()
        return False


class Cluster:
    """The whole of it, in a folder: a context manager at whose end no process is left.

    addresses: what an installation's settings say of it. `up` takes the place of `stack.servers_up`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("kafka", "controller", "cassandra", "storage", "master", "master_page")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.members: dict[str, Member] = {}
        self._settings: Settings | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What an installation has to say to use it, and all it has to."""
        return {
            "kafka_bootstrap": written([(host, self.ports["kafka"]) for host in HOSTS]),
            "cassandra_contact_points": written([(host, self.ports["cassandra"]) for host in HOSTS]),
            "kafka": {"replication": COPIES},
            "cassandra": {"replication": REPLICATION},
            "spark": {"master": f"spark://{HOSTS[0]}:{self.ports['master']}", "cores_max": WORKER_CORES, "driver_memory": "1g"},
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in reversed(self.members.values()):
            if member.process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(member.process.pid, signal.SIGTERM)
        for member in self.members.values():
            member.end()
        assert self.left() == []

    def up(self, settings: Settings, say: Say) -> None:
        """Starts all nodes, then what of the installation is its own, and provides all three systems."""
        self._settings = settings
        fetch.fetch(settings.model_copy(update={"kafka_bootstrap": "", "cassandra_contact_points": ""}), say)
        stack.secrets_made(settings, say, for_all=True)
        word = secrets.token_hex(24)
        write_secret(settings.secrets / "spark.secret", word.encode())
        write_secret(self.folder / "conf" / "spark-defaults.conf", authentication(word).encode())
        self._declare(settings, say)
        began = time.monotonic()
        waits = [member for name, member in self.members.items() if name.startswith(("cassandra", "worker"))]
        for member in self.members.values():    # the others wait for nobody
            if member not in waits:
                member.launch()
        for name, member in self.members.items():
            if member in waits:    # for the one before: Cassandra's nodes join one by one
                member.launch()
            member.serves()
            say(f"{name} is up ({time.monotonic() - began:.0f} s)")
            if name == "cassandra-1":
                cassandra.secure(settings, say)
        self._sign_ins_everywhere(settings, say)
        stack.servers_up(settings, say)

    def group(self, name: str) -> int:
        """The process group of a member that runs."""
        process = self.members[name].process
        assert process is not None, f"{name} does not run"
        return process.pid

    def back(self, name: str) -> None:
        """Starts a member that was killed, and waits until the cluster is whole again."""
        member = self.members[name]
        member.end(signal.SIGKILL)
        member.launch()
        member.serves()
        limit = time.monotonic() + STARTS_WITHIN_S
        while not self.whole():
            if time.monotonic() > limit:
                raise ServerFailed(f"the cluster is not whole again {STARTS_WITHIN_S:.0f} s after {name} came back")
            time.sleep(0.5)

    def whole(self) -> bool:
        """Whether every Cassandra node is seen up, every partition has all its replicas, every worker is known."""
        settings = self._settings
        assert settings is not None
        try:
            return self._nodes(settings) == COPIES and self._behind(settings) == 0 and self._workers() == 2
        except (RollcallError, OSError):
            return False

    def memory_mb(self) -> dict[str, float]:
        """Member -> resident memory of its processes, in MB."""
        found = {}
        for name, member in self.members.items():
            if member.process is not None and member.process.poll() is None:
                one = psutil.Process(member.process.pid)
                found[name] = round(sum(part.memory_info().rss for part in (one, *one.children(recursive=True))) / 2**20, 1)
        return found

    def left(self) -> list[int]:
        """Processes of this cluster that run."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get("ROLLCALL_CLUSTER") == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found

    def nodetool(self, number: int, *arguments: str) -> str:
        """Runs nodetool on one Cassandra node, 1 to 3."""
        settings = self._settings
        assert settings is not None
        node = nodetool.Node(self.group(f"cassandra-{number}"), self._home("cassandra", number) / "run" / "cassandra",
                             self._home("cassandra", number) / "data" / "cassandra")
        with nodetool.opened(settings, node) as run:
            return run(*arguments)

    def data(self, system: str, number: int) -> Path:
        """What a node of Cassandra or Kafka keeps."""
        return self._home(system, number) / "data" / system

    def _home(self, system: str, number: int) -> Path:
        return self.folder / f"{system}-{number}"

    def _declare(self, settings: Settings, say: Say) -> None:
        for number, host in enumerate(HOSTS, 1):
            node = self._node(settings, "cassandra", number)
            cassandra.configure(node, say, host, (*JOINS, f"cassandra.initial_token={TOKENS[number - 1]}"))
            told = node.run / "cassandra" / "cassandra.yaml"
            seeds = f'seeds: "{{}}:{self.ports["storage"]}"'
            told.write_text(told.read_text().replace(seeds.format(host), seeds.format(HOSTS[0])))
            self._add(f"cassandra-{number}", cassandra.command(node), _listens(host, self.ports["cassandra"]))
        voters = ",".join(f"{number}@{host}:{self.ports['controller']}:{directory_id(number)}"
                          for number, host in enumerate(HOSTS, 1))
        for number, host in enumerate(HOSTS, 1):
            node = self._node(settings, "kafka", number)
            more = Template(THREE.read_text()).substitute(node_id=number, controllers=written(
                [(one, self.ports["controller"]) for one in HOSTS]))
            kafka.configure(node, say, host, more, ("--initial-controllers", voters))
            # of three that vote the first cannot serve alone: that it runs is all it can show
            self._add(f"kafka-{number}", kafka.command(node), _listens(host, self.ports["controller"]))
        self._spark("master", HOSTS[0], "master.Master", "--port", str(self.ports["master"]),
                    "--webui-port", str(self.ports["master_page"]), up=_listens(HOSTS[0], self.ports["master"]))
        for number, host in enumerate(HOSTS[1:], 1):
            self._spark(f"worker-{number}", host, "worker.Worker", "--cores", str(WORKER_CORES), "--memory", WORKER_MEMORY,
                        "--webui-port", "0", "--work-dir", str(self.folder / f"worker-{number}"),
                        f"spark://{HOSTS[0]}:{self.ports['master']}", up=lambda host=host: self._worker_alive(host))    # type: ignore[misc]

    def _node(self, settings: Settings, system: str, number: int) -> Settings:
        """A node's settings: a folder of its own, our ports, the installation's secrets."""
        home = self._home(system, number)
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "secrets").exists():
            (home / "secrets").symlink_to(settings.secrets)
        ports = {"kafka": {"port": self.ports["kafka"], "controller_port": self.ports["controller"]},
                 "cassandra": {"port": self.ports["cassandra"], "storage_port": self.ports["storage"]}}[system]
        section = getattr(settings, system).model_copy(update=ports)
        return settings.model_copy(update={"home": home, system: section})

    def _add(self, name: str, command: list[str], up: Callable[[], bool], **environment: str) -> None:
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        self.members[name] = Member(name, command, up, logs / f"{name}.log",
                                    {"ROLLCALL_CLUSTER": str(self.folder), "TZ": "UTC", **environment})

    def _spark(self, name: str, host: str, program: str, *arguments: str, up: Callable[[], bool]) -> None:
        """A daemon of Spark's, and with it the executors that it starts."""
        self._add(name, [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{program}", "--host", host,
                         *arguments], up, SPARK_HOME=str(SPARK_HOME),
                  SPARK_CONF_DIR=str(self.folder / "conf"), SPARK_DAEMON_MEMORY="256m", SPARK_LOCAL_IP=host,
                  SPARK_LOCAL_HOSTNAME=host, SPARK_LOCAL_DIRS=str(self.folder / name / "local"))

    def _sign_ins_everywhere(self, settings: Settings, say: Say) -> None:
        """Names and passwords on every node: with one copy, one node killed would mean that nobody can sign in."""
        say("names and passwords to every Cassandra node")
        with cassandra_session(settings, "provision") as session:
            for keyspace in ("system_auth", "system_distributed", "system_traces"):
                session.execute(f"ALTER KEYSPACE {keyspace} WITH replication = {REPLICATION}", timeout=DDL_TIMEOUT_S)
        self.nodetool(1, "repair", "--full", "system_auth")

    def _nodes(self, settings: Settings) -> int:
        """Cassandra nodes that answer and that the others see."""
        with cassandra_session(settings, "provision") as session:
            seen = {str(host.address) for host in session.cluster.metadata.all_hosts() if host.is_up}
        return len([host for host in HOSTS if host in seen and listening(self.ports["cassandra"], host)])

    def _behind(self, settings: Settings) -> int:
        """Partitions of the topics that lack a replica in sync."""
        admin = kafka_admin(settings, "provision")
        try:
            return sum(len(partition["isr_nodes"]) < COPIES for topic in admin.describe_topics()
                       for partition in topic["partitions"])
        finally:
            admin.close()

    def _workers(self) -> int:
        return len(self._alive())

    def _worker_alive(self, host: str) -> bool:
        return host in self._alive()

    def _alive(self) -> list[str]:
        """Hosts of the workers that the master knows."""
        page = f"http://{HOSTS[0]}:{self.ports['master_page']}/json/"
        with urllib.request.urlopen(page, timeout=10) as answer:
            state = json.load(answer)
        return [str(worker["host"]) for worker in state["workers"] if worker["state"] == "ALIVE"]


def directory_id(number: int) -> str:
    """Of a Kafka node's data folder, by which those that vote know each other: 16 bytes, as Kafka writes them."""
    return base64.urlsafe_b64encode(f"rollcall-bench-{number}".encode()).decode().rstrip("=")


def _listens(host: str, port: int) -> Callable[[], bool]:
    return lambda: listening(port, host)
