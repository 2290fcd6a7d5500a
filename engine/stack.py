"""Up and down: from a machine with nothing fetched to people arriving, and back to no process left."""

import time
from collections.abc import Callable

import psutil

from engine import sealing, secrets
from engine.errors import PortTaken, ServerFailed, SignInRefused, StoreAway
from engine.native import cassandra, fetch
from engine.native.server import listening
from engine.processes import PROGRAMS, SERVERS, Supervisor, left_over
from engine.provision import provision
from engine.settings import Settings

Say = Callable[[str], None]

READY_WITHIN_S = 180


def up(settings: Settings, say: Say) -> None:
    """Brings everything up: servers, what they need to hold, our programs. Idempotent.

    Raises ToolMissing, DownloadBroken, PortTaken, and ServerFailed with the end of a log.
    """
    processes = Supervisor(settings)
    running = {name for name, status in processes.status().items() if status.pid}
    if "view" not in running:
        _check_ports(settings, {"view.port": settings.view.port})
    servers_up(settings, say)
    provide(settings, say)
    say("Starting stream, producer and view ...")
    processes.start(*PROGRAMS)
    processes.wait_running(*PROGRAMS, limit_s=READY_WITHIN_S)


def down(settings: Settings, say: Say) -> None:
    """Ends everything: stream, producer, view, the servers, supervisord. No process is left. Idempotent."""
    processes = Supervisor(settings)
    if processes.alive():
        for name in PROGRAMS:
            say(f"Stopping {name} ...")
            processes.stop(name)
    servers_down(settings, say)


def servers_up(settings: Settings, say: Say) -> None:
    """Fetches, configures and starts the three servers and waits until each lets us sign in. Idempotent."""
    fetch.fetch(settings, say)
    if made := secrets.ensure_passwords(settings):
        say(f"Made passwords for {', '.join(made)}")
    if sealing.ensure_keys(settings):
        say(f"Made a key ring, {settings.secrets / 'keys.json'}: keep a copy elsewhere, rows cannot be read without it")
    processes = Supervisor(settings)
    if not processes.alive() and (orphans := left_over(settings)):
        say(f"Ending {len(orphans)} processes of a supervisord that is gone ...")
        processes.close()
    status = processes.status()
    for name, server in SERVERS.items():
        if not status[name].pid:
            _check_ports(settings, server.ports(settings))
            server.configure(settings, say)
    began = time.monotonic()
    processes.open()
    for name in SERVERS:
        _wait_ready(settings, processes, name, say)
        say(f"{name} is ready ({time.monotonic() - began:.1f} s)")


def provide(settings: Settings, say: Say) -> None:
    """Makes topics, tables, roles and users that are missing."""
    changed = provision(settings, say)
    say(f"Provisioned: {changed} changed" if changed else "Provisioned: nothing had to be changed")


def servers_down(settings: Settings, say: Say) -> None:
    """Ends the servers and supervisord, and waits until they are gone. Idempotent."""
    if Supervisor(settings).alive():
        say("Stopping the servers ...")
    Supervisor(settings).close()


def _wait_ready(settings: Settings, processes: Supervisor, name: str, say: Say) -> None:
    """Waits until a server's ports answer and it lets us sign in; a dead one is a ServerFailed with its log's end."""
    server = SERVERS[name]
    limit = time.monotonic() + READY_WITHIN_S
    reason = "its port does not answer"
    while True:
        if all(listening(port) for port in server.ports(settings).values()):
            try:
                if name == "cassandra":
                    cassandra.secure(settings, say)    # at its first start there is nobody of ours to sign in
                server.probe(settings)
                return
            except (StoreAway, SignInRefused) as error:    # Kafka reads its users a moment after it listens
                reason = str(error)
        status = processes.status()[name]
        if status.state in ("failed", "ended", "stopped"):
            processes.raise_if_failed(status)
        if time.monotonic() > limit:
            lines = "\n  ".join(processes.tail(name, 15))
            raise ServerFailed(f"{name} is not ready after {READY_WITHIN_S} s: {reason}. Its log ends:\n  {lines}")
        time.sleep(0.1)


def _check_ports(settings: Settings, ports: dict[str, int]) -> None:
    """PortTaken when another process listens where one of ours should; it says which, and which setting moves ours."""
    owners = {connection.laddr.port: connection.pid for connection in psutil.net_connections("tcp")
              if connection.status == psutil.CONN_LISTEN and connection.laddr}
    for name, port in ports.items():
        if port in owners:
            section, field = name.split(".")
            raise PortTaken(
                f"Port {port} ({name}) is taken by {_owner(owners[port])}. Stop that process, or give ours another "
                f"port: ROLLCALL_{section.upper()}__{field.upper()}=... or, in {settings.home / 'settings.toml'}, "
                f"[{section}] {field} = ...")


def _owner(pid: int | None) -> str:
    try:
        return f"{psutil.Process(pid).name()} (process {pid})" if pid else "a process of another user"
    except psutil.Error:
        return f"process {pid}"
