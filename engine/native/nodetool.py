"""nodetool on the native node of this machine, and what its files still hold.

The node opens no JMX port. Its management agent is started through the attach interface, which only its own user can reach,
listens on a loopback port with a password made for the occasion, and is stopped again.

What nodetool is told may name people. So its arguments stand in a file that goes with it, never on a command line, and its
history is written into the same folder rather than into the user's home.
"""

import fcntl
import os
import secrets as random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.addresses import CQL_PORT, HERE, addresses
from engine.clients import cassandra_session, mapped
from engine.errors import RollcallError
from engine.machine.ports import listeners
from engine.native.cassandra import EXPORTS, OPENS
from engine.native.fetch import CASSANDRA
from engine.native.server import write_arguments
from engine.secrets import write_secret
from engine.settings import Settings

LIMIT_S = 600.0
_USER = "nodetool"
_FOLDER = "nodetool-"
_JCMD = ("java", "-m", "jdk.jcmd/sun.tools.jcmd.JCmd")
_DONE = "Command executed successfully"
_DDL_TIMEOUT_S = 60.0
_CONDITIONAL = ("system", "paxos")
"""Where Cassandra keeps the last conditional write to each row, with its values."""
_SEGMENT_HEADER = 4096
"""Bytes within which a segment describes itself."""

Nodetool = Callable[..., str]


class NodetoolFailed(RollcallError):
    """nodetool could not do what it was asked; its words are left out, for they may quote a key."""


@dataclass(frozen=True)
class Node:
    """A native node. run: the folder of its configuration; data: that of its files."""

    pid: int
    run: Path
    data: Path


def local(settings: Settings) -> Node | None:
    """The native node that the settings lead to, whichever installation started it; None where it is no such one."""
    (host, port), *others = addresses(settings.cassandra_address, CQL_PORT)
    pid = listeners().get(port)
    if pid is None or others or host not in (HERE, "localhost"):
        return None
    try:
        process = psutil.Process(pid)
        told = process.cmdline()
        if process.uids().effective != os.geteuid() or len(told) < 2 or not told[-1].endswith("/cassandra/start.args"):
            return None
    except psutil.Error:
        return None
    run = Path(told[-1].removeprefix("@")).parent
    return Node(pid, run, run.parent.parent / "data" / "cassandra")


@contextmanager
def opened(settings: Settings, node: Node) -> Iterator[Nodetool]:
    """nodetool on this node, one caller at a time: `nodetool("flush", keyspace, table)`. Raises NodetoolFailed."""
    with (node.run / "nodetool.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(node.run)
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=node.run))
        try:
            _jcmd(node, "ManagementAgent.stop")    # of one that was killed
            port = _free_port()
            word = random.token_hex(24)
            write_secret(folder / "agent.password", f"{_USER} {word}".encode())    # the agent writes its hash over it
            write_secret(folder / "access", f"{_USER} readwrite".encode())
            write_secret(folder / "password", f"{_USER} {word}".encode())
            answer = _jcmd(
                node, "ManagementAgent.start", f"jmxremote.port={port}", f"jmxremote.rmi.port={port}",
                f"jmxremote.host={HERE}", "jmxremote.ssl=false", "jmxremote.authenticate=true",
                f"jmxremote.password.file={folder / 'agent.password'}", f"jmxremote.access.file={folder / 'access'}")
            try:
                if _DONE not in answer:
                    raise NodetoolFailed("Cassandra's management agent did not start; `rollcall logs cassandra` shows more.")
                yield lambda *arguments: _run(settings, folder, port, arguments)
            finally:
                _jcmd(node, "ManagementAgent.stop")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(run: Path) -> None:
    """Removes what callers left that were killed: arguments and a history, which may name people. Under the lock."""
    for left in run.glob(f"{_FOLDER}*/"):
        shutil.rmtree(left, ignore_errors=True)


def purge(settings: Settings, node: Node, keys: Mapping[str, Sequence[str]], whole: Sequence[str] = ()) -> int:
    """Removes what was deleted or overwritten under these keys from the node's files: table -> partition keys.

    Flushes, compacts the files that hold the keys without regard to gc_grace, and ends the segments of the commit log.
    whole: small tables of which every file is compacted into one, and with them what Cassandra keeps of conditional writes:
    values that were deleted go, whatever their key was.
    Returns how many of the segments from before are still there. Raises NodetoolFailed, StoreAway, SignInRefused.
    """
    keyspace = settings.cassandra.keyspace
    before = _segments(node)
    with opened(settings, node) as nodetool:
        nodetool("flush")
        for table, some in keys.items():
            if some:
                nodetool("forcecompact", keyspace, table, *some)
        for place, table in [(keyspace, table) for table in whole] + ([_CONDITIONAL] if whole else []):
            nodetool("compact", place, table)
        _end_segments(settings)
    return len(before & _segments(node))


def holding(node: Node, keyspace: str, table: str, keys: Iterable[bytes]) -> int:
    """How many of these partition keys stand in a table's files: each is listed in an index that is not compressed."""
    held: set[bytes] = set()
    wanted = [len(key).to_bytes(2, "big") + key for key in keys]
    for index in (node.data / "data" / keyspace).glob(f"{table}-*/*-Index.db"):
        try:
            text = index.read_bytes()
        except FileNotFoundError:    # compacted away meanwhile
            continue
        held |= {key for key in wanted if key in text}
    return len(held)


def snapshots(node: Node, keyspace: str) -> list[str]:
    """Names of the snapshots of a keyspace's tables that stand in the node's own folder; of incremental backups, that of
    their folder."""
    tables = node.data / "data" / keyspace
    return sorted({*(path.name for path in tables.glob("*/snapshots/*")),
                   *(path.parent.name for path in tables.glob("*/backups/*"))})


def _segments(node: Node) -> set[str]:
    """The segments of the log in which something is written; the node always has an empty one in store."""
    used = set()
    for path in (node.data / "commitlog").glob("CommitLog-*.log"):
        with suppress(FileNotFoundError):
            if path.read_bytes()[_SEGMENT_HEADER:].strip(b"\0"):
                used.add(path.name)
    return used


def _end_segments(settings: Settings) -> None:
    """Dropping a table makes the node end every segment of its log; there is no command for it."""
    keyspace = f"{settings.cassandra.keyspace}_purge"
    with cassandra_session(settings, "provision") as session, mapped("ending the commit log's segments", "provision"):
        for statement in (
                f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
                "{'class': 'SimpleStrategy', 'replication_factor': 1}",
                f"CREATE TABLE IF NOT EXISTS {keyspace}.segments (k int PRIMARY KEY)", f"DROP KEYSPACE {keyspace}"):
            session.execute(statement, timeout=_DDL_TIMEOUT_S)


def _run(settings: Settings, folder: Path, port: int, arguments: tuple[str, ...]) -> str:
    written = folder / "nodetool.args"
    write_arguments(written, [
        *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS), *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS),
        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", f"-Duser.home={folder}",
        "-cp", f"{CASSANDRA.folder(settings)}/*", "org.apache.cassandra.tools.NodeTool", "-h", HERE, "-p", str(port),
        "-u", _USER, "-pwf", str(folder / "password"), *arguments])
    try:
        ended = subprocess.run(["java", f"@{written}"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise NodetoolFailed(f"nodetool {arguments[0]} took longer than {LIMIT_S:.0f} s.") from None
    finally:
        written.unlink(missing_ok=True)
    if ended.returncode:
        raise NodetoolFailed(f"nodetool {arguments[0]} failed (exit code {ended.returncode}); "
                             "`rollcall logs cassandra` shows what the node says.")
    return ended.stdout


def _jcmd(node: Node, *command: str) -> str:
    try:
        ended = subprocess.run([*_JCMD, str(node.pid), *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               check=False, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        raise NodetoolFailed("Java's jcmd could not be run, or had no answer from Cassandra.") from None
    return ended.stdout


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind((HERE, 0))
        return int(trial.getsockname()[1])
