"""Up and down: from a machine with nothing fetched to people arriving, and back to no process left."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from engine import sealing, secrets
from engine.clients import cassandra_session
from engine.compliance.register import Register
from engine.errors import ServerFailed, SettingsInvalid, SignInRefused, StoreAway
from engine.machine import folders, memory, ports
from engine.machine.user import whoami
from engine.native import cassandra, fetch
from engine.native.server import listening
from engine.processes import PROGRAMS, SERVERS, Supervisor, left_over
from engine.provision import provision
from engine.settings import Settings
from engine.stopping import stop_stream
from engine.stores.accounts import Accounts
from engine.stores.audit import AuditLog
from engine.stores.records import REGISTER, Records
from governance.audit import BEGUN, DONE
from governance.permissions import Role

Say = Callable[[str], None]

FIRST_ACCOUNT = "admin"
READY_WITHIN_S = 180
LOOK_EVERY_S = 0.1

REFUSED_FOR_S = 30
"""Seconds after which a refused sign-in is final: a server that has just started reads its users a moment later."""


def up(settings: Settings, say: Say) -> None:
    """Brings everything up: servers, what they need to hold, our programs. Idempotent.

    Raises FolderUnusable, ToolMissing, DownloadBroken, PortTaken, SettingsInvalid, SignInRefused, and ServerFailed with
    the end of a log.
    """
    folders.require_room(settings)
    processes = Supervisor(settings)
    _end_orphans(settings, processes, say)    # the view among them still has its port
    stopped = [name for name, status in processes.status().items() if not status.pid]
    for name, port in (("view", settings.view.port), ("console", settings.console.port)):
        if name in stopped:
            ports.require_free(settings, {f"{name}.port": port})
    memory.require(settings, stopped)
    servers_up(settings, say)
    _first_account(settings, say)
    _first_register(settings, say)
    say("Starting stream, producer, view, console and keeper ...")
    processes.start(*PROGRAMS)
    processes.wait_running(*PROGRAMS, limit_s=READY_WITHIN_S)
    _noted(settings, "installation.up", DONE)


def down(settings: Settings, say: Say) -> None:
    """Ends everything: stream, producer, view, the servers, supervisord. No process is left. Idempotent."""
    processes = Supervisor(settings)
    if processes.alive():
        _noted(settings, "installation.down", BEGUN)
        for name in PROGRAMS:
            say(f"Stopping {name} ...")
            if name == "stream":
                stop_stream(processes, say)
            else:
                processes.stop(name)
    servers_down(settings, say)


def servers_up(settings: Settings, say: Say) -> None:
    """Fetches, configures and starts the three servers, and makes in each what it must hold as soon as it lets us sign in.

    Idempotent; raises as `up` does.
    """
    folders.require_room(settings)
    fetch.fetch(settings, say)
    _secrets(settings, say)
    processes = Supervisor(settings)
    _end_orphans(settings, processes, say)
    status = processes.status()
    stopped = {name: server for name, server in SERVERS.items() if not status[name].pid}
    memory.require(settings, stopped)
    for server in stopped.values():
        ports.require_free(settings, server.ports(settings))
    for server in stopped.values():
        server.configure(settings, say)
    began, given_up = time.monotonic(), threading.Event()
    processes.open()

    def provided(name: str) -> int:
        if not _ready(settings, processes, name, say, given_up):
            return 0
        say(f"{name} is ready ({time.monotonic() - began:.1f} s)")
        return provision(settings, say, name)

    with ThreadPoolExecutor(len(SERVERS)) as pool:    # Kafka and MongoDB are provided while Cassandra still starts
        try:
            changed = sum(pool.map(provided, SERVERS))
        except BaseException:
            given_up.set()    # of one that fails, or an interrupt, is said at once, whatever the others do
            raise
    say(f"Provisioned: {changed} changed" if changed else "Provisioned: nothing had to be changed")


def servers_down(settings: Settings, say: Say) -> None:
    """Ends the servers and supervisord, and waits until they are gone. Idempotent."""
    if Supervisor(settings).alive():
        say("Stopping the servers ...")
    Supervisor(settings).close()


def _first_account(settings: Settings, say: Say) -> None:
    """Makes the account that makes the others, where there is none; its password is said this once."""
    with cassandra_session(settings, "governance") as session:
        accounts = Accounts(settings, session)
        if accounts.all():
            return
        audit = AuditLog(settings, session, sealing.load_keys(settings))
        with audit.acting("system up", "accounts.change", FIRST_ACCOUNT, "the first account"):
            password = accounts.add(FIRST_ACCOUNT, [Role.ADMIN, Role.OPERATOR])
    say(f"Made the console's first account: {FIRST_ACCOUNT} with password {password} (shown this once; "
        f"`rollcall accounts reset {FIRST_ACCOUNT}` gives another)")


def _first_register(settings: Settings, say: Say) -> None:
    """Publishes the first content of the register, where there is none."""
    with Records.opened(settings) as records, AuditLog.opened(settings) as audit:
        if records.all(REGISTER):
            return
        with audit.acting("system up", "register.publish", "first content"):
            made = Register(records).seed("system up")
    say(f"Published the first content of the register: {', '.join(made)}")


def _noted(settings: Settings, act: str, result: str) -> None:
    """Writes into the audit that somebody started or stops everything, now or when Cassandra answers."""
    with AuditLog.opened_or_kept(settings) as audit:
        audit.append_or_keep(f"system {whoami()}", act, "installation", result)


def _end_orphans(settings: Settings, processes: Supervisor, say: Say) -> None:
    """Ends what a supervisord that was killed has left running."""
    if not processes.alive() and (orphans := left_over(settings)):
        say(f"Ending {len(orphans)} processes of a supervisord that is gone ...")
        processes.clear()


def _secrets(settings: Settings, say: Say) -> None:
    """Makes passwords and keys of a new installation; SettingsInvalid when those of an old one are missing or damaged."""
    keys = settings.secrets / "keys.json"
    if not keys.exists() and (settings.data / "cassandra").exists():
        raise SettingsInvalid(f"The key ring {keys} is missing, and {settings.data} holds data that were sealed with it. Put "
                              "its copy back; to begin anew instead, move the data folder away and run `rollcall up`.")
    if made := secrets.ensure_passwords(settings):
        say(f"Made passwords for {', '.join(made)}")
    if sealing.ensure_keys(settings):
        say(f"Made a key ring, {keys}: keep a copy elsewhere, rows cannot be read without it")
    sealing.load_keys(settings)


def _ready(settings: Settings, processes: Supervisor, name: str, say: Say, given_up: threading.Event) -> bool:
    """Waits until a server's ports answer and it lets us sign in; a dead one is a ServerFailed with its log's end.

    False when it was given up meanwhile.
    """
    server = SERVERS[name]
    limit, refused_since = time.monotonic() + READY_WITHIN_S, 0.0
    reason = "its port does not answer"
    while not given_up.wait(LOOK_EVERY_S):
        if all(listening(port) for port in server.ports(settings).values()):
            try:
                if name == "cassandra":
                    cassandra.secure(settings, say)    # at its first start there is nobody of ours to sign in
                server.probe(settings)
                return True
            except StoreAway as error:
                reason = str(error)
            except SignInRefused as error:    # Kafka reads its users a moment after it listens
                refused_since = refused_since or time.monotonic()
                if time.monotonic() - refused_since > REFUSED_FOR_S:
                    raise SignInRefused(
                        f"{name} does not know this installation's password of 'provision': its data in "
                        f"{settings.data / name} were made with other secrets than those in {settings.secrets}. Put those "
                        "secrets back, or move the data folder away and run `rollcall up`.") from error
                reason = str(error)
        status = processes.status()[name]
        if status.state in ("failed", "ended", "stopped"):
            processes.raise_if_failed(status)
        if time.monotonic() > limit:
            lines = "\n  ".join(processes.tail(name, 15))
            raise ServerFailed(f"{name} is not ready after {READY_WITHIN_S} s: {reason}. Its log ends:\n  {lines}")
    return False
