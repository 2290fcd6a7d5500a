"""Up and down: from a machine with nothing fetched to people arriving, and back to no process left."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from engine import sealing, secrets, shut
from engine.clients import cassandra_session
from engine.compliance.register import Register
from engine.errors import ServerFailed, SettingsInvalid, SignInRefused, StoreAway
from engine.machine import folders, memory, ports
from engine.machine.user import whoami
from engine.migrations.versions import require_current
from engine.native import cassandra, fetch
from engine.native.server import listening
from engine.processes import PROGRAMS, SERVERS, Status, Supervisor
from engine.provision import provision
from engine.provision.sealed import require_fitting_keys
from engine.settings import Settings
from engine.stopping import stop_stream
from engine.stores.accounts import Accounts
from engine.stores.audit import AuditLog
from engine.stores.records import REGISTER, Records
from engine.tls import authority
from governance.audit import BEGUN, DONE
from governance.permissions import Role

Say = Callable[[str], None]

FIRST_ACCOUNT = "admin"
READY_WITHIN_S = 180
LOOK_EVERY_S, LOOK_ELSEWHERE_EVERY_S = 0.1, 1.0

REFUSED_FOR_S = 30
"""Seconds after which a refused sign-in is final: a server that has just started reads its users a moment later."""


def up(settings: Settings, say: Say) -> None:
    """Brings everything up: servers, what they need to hold, our programs; after a restore that was not checked the stream
    alone, and says why (KeptShut); while a backup is being loaded nothing (HalfLoaded). Idempotent.

    Raises FolderUnusable, ToolMissing, DownloadBroken, PortTaken, SettingsInvalid, SignInRefused, OtherVersion where the
    servers run and hold what has to be migrated first, and ServerFailed with the end of a log.
    """
    shut.require_loaded(settings)
    folders.require_room(settings)
    processes = Supervisor(settings)
    _end_orphans(settings, processes, say)    # the view among them still has its port
    stopped = [name for name, status in processes.status().items() if not status.pid]
    for name, port in (("view", settings.view.port), ("console", settings.console.port)):
        if name in stopped:
            ports.require_free(settings, {f"{name}.port": port})
    memory.require(settings, stopped)
    servers_up(settings, say)
    require_current(settings, "provision")
    _first_account(settings, say)
    _first_register(settings, say)
    kept_shut = shut.stands(settings)
    programs = (shut.MAY_RUN,) if kept_shut else PROGRAMS
    say("Starting the stream alone ..." if kept_shut else "Starting stream, producer, view, console and keeper ...")
    processes.start(*programs)
    processes.wait_running(*programs, limit_s=READY_WITHIN_S)
    _noted(settings, "installation.up", DONE)
    if kept_shut:
        raise shut.KeptShut


def down(settings: Settings, say: Say) -> None:
    """Ends everything: our programs, those that run apart too, the servers, supervisord. No process is left. Idempotent."""
    processes = Supervisor(settings)
    apart = processes.apart()
    if processes.alive() or apart:
        _noted(settings, "installation.down", BEGUN)
        for name in PROGRAMS if processes.alive() else apart:
            say(f"Stopping {name}, which runs apart (`rollcall run {name}`) ..." if name in apart else f"Stopping {name} ...")
            if name == "stream":
                stop_stream(processes, say)
            else:
                processes.stop(name)
    servers_down(settings, say)


def servers_up(settings: Settings, say: Say) -> None:
    """Fetches, configures and starts the servers that are ours, and makes in all three what they must hold as soon as each
    lets us sign in.

    Idempotent; raises as `up` does.
    """
    folders.require_room(settings)
    fetch.fetch(settings, say)
    secrets_made(settings, say)
    processes = Supervisor(settings)
    _end_orphans(settings, processes, say)
    status = processes.status()
    stopped = {name: server for name, server in processes.servers.items() if not status[name].pid}
    memory.require(settings, stopped)
    for server in stopped.values():
        ports.require_free(settings, server.ports(settings))
    _certified(settings, say, status, stopped)
    for server in stopped.values():
        server.configure(settings, say)
    processes.open()
    _provide(settings, processes, say, READY_WITHIN_S)


def provide(settings: Settings, say: Say, within_s: float = READY_WITHIN_S, new_cassandra: bool = False,
            take_over: bool = False) -> None:
    """Makes in three running systems what they must hold, and the register's first content; starts nothing. Idempotent.

    within_s: how long each is waited for. new_cassandra: the one elsewhere still has its default superuser, which is
    replaced by `provision`. take_over: users of our names that are there already get our passwords.
    Raises StoreAway, SignInRefused, SettingsInvalid, OtherVersion, HalfLoaded, and ServerFailed where one of ours does not run.
    """
    shut.require_loaded(settings)
    secrets_made(settings, say)
    processes = Supervisor(settings)
    status = processes.status()
    if idle := [name for name in processes.servers if not status[name].pid]:
        raise ServerFailed(f"{' and '.join(idle)} of this installation do not run. `rollcall up` starts and provides them; for "
                           "systems that run elsewhere give their addresses (docs/operating.md).")
    _provide(settings, processes, say, within_s, new_cassandra, take_over)
    require_current(settings, "provision")
    _first_register(settings, say)


def _provide(settings: Settings, processes: Supervisor, say: Say, within_s: float, new_cassandra: bool = False,
             take_over: bool = False) -> None:
    began, given_up = time.monotonic(), threading.Event()

    def provided(name: str) -> int:
        if not _ready(settings, processes, name, say, given_up, within_s, new_cassandra):
            return 0
        where = f" at {settings.elsewhere[name]}" if name in settings.elsewhere else ""
        say(f"{name}{where} is ready ({time.monotonic() - began:.1f} s)")
        return provision(settings, say, name, take_over=take_over)

    if "cassandra" in settings.elsewhere:    # before anything is changed anywhere
        _ready(settings, processes, "cassandra", say, given_up, within_s, new_cassandra)
        require_fitting_keys(settings)
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
        say("Stopping the servers ..." if Supervisor(settings).servers else "Stopping the supervisor ...")
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


def _certified(settings: Settings, say: Say, status: Mapping[str, Status], stopped: Iterable[str]) -> None:
    """Makes and renews the certificates of what is about to be started; of what runs it stays the one that it shows."""
    if settings.tls.on:
        pages = [name for name in ("view", "console") if not status[name].pid]
        figures = [] if any(status[name].pid for name in ("stream", "producer")) else ["metrics"]
        if made := authority.ensure(settings, [*stopped, *pages, *figures]):
            say(f"Made certificates for {', '.join(made)}")


def _end_orphans(settings: Settings, processes: Supervisor, say: Say) -> None:
    """Ends what a supervisord that was killed has left running."""
    if orphans := processes.orphans():
        say(f"Ending {len(orphans)} processes of a supervisord that is gone, or does not answer ...")
        processes.clear()


def secrets_made(settings: Settings, say: Say, for_all: bool = False) -> None:
    """Makes passwords and keys of a new installation; SettingsInvalid when those of an old one, or the account with which a
    system elsewhere is set up, are missing or damaged.

    for_all: the systems elsewhere are themselves still to be started with passwords that are made here.
    """
    for server in () if for_all else settings.elsewhere:
        secrets.account(settings, "provision", server)
    keys = settings.secrets / "keys.json"
    if where := sealing.lost_keys(settings):
        raise SettingsInvalid(f"The key ring {keys} is missing, and {where} holds data that were sealed with it. Put its copy "
                              "back; to begin anew instead, move what is there and the secrets away and run the same command.")
    if sealing.ensure_keys(settings):
        say(f"Made a key ring, {keys}: keep a copy elsewhere, rows cannot be read without it")
    if made := secrets.ensure_passwords(settings, secrets.PRINCIPALS if for_all else secrets.needed(settings)):
        say(f"Made passwords for {', '.join(made)}")
    sealing.load_keys(settings)


def _ready(settings: Settings, processes: Supervisor, name: str, say: Say, given_up: threading.Event, within_s: float,
           new_cassandra: bool) -> bool:
    """Waits until a server's ports answer and it lets us sign in; a dead one of ours is a ServerFailed with its log's end.

    False when it was given up meanwhile.
    """
    ours, elsewhere = processes.servers.get(name), settings.elsewhere.get(name)
    limit, refused_since = time.monotonic() + within_s, 0.0
    reason = "its port does not answer"
    while not given_up.wait(LOOK_EVERY_S if ours else LOOK_ELSEWHERE_EVERY_S):
        if ours is None or all(listening(port) for port in ours.ports(settings).values()):
            try:
                if ours:
                    ours.secure(settings, say)    # at its first start there may be nobody of ours to sign in
                elif new_cassandra and name == "cassandra":
                    cassandra.secure(settings, say)
                SERVERS[name].probe(settings)
                return True
            except StoreAway as error:
                reason = str(error)
            except SignInRefused as error:    # Kafka reads its users a moment after it listens
                refused_since = refused_since or time.monotonic()
                if elsewhere and time.monotonic() - refused_since > min(REFUSED_FOR_S, within_s):
                    raise SignInRefused(
                        f"{name} at {elsewhere} refuses the account with which it is to be set up. Its name and password "
                        f"stand in {settings.secrets / f'{name}.admin'}, or the password of 'provision' in "
                        f"{settings.secrets / 'provision.password'}.", name) from error
                if ours and time.monotonic() - refused_since > REFUSED_FOR_S:
                    raise SignInRefused(
                        f"{name} does not know this installation's password of 'provision': its data in "
                        f"{ours.data(settings)} were made with other secrets than those in {settings.secrets}. Put those "
                        "secrets back, or move the data folder away and run `rollcall up`.") from error
                reason = str(error)
        if ours is None:
            if time.monotonic() > limit:
                raise StoreAway(f"{name} at {elsewhere} is not ready after {within_s:.0f} s: {reason}", name)
            continue
        status = processes.status()[name]
        if status.state in ("failed", "ended", "stopped"):
            processes.raise_if_failed(status)
        if time.monotonic() > limit:
            lines = "\n  ".join(processes.tail(name, 15))
            raise ServerFailed(f"{name} is not ready after {within_s:.0f} s: {reason}. Its log ends:\n  {lines}")
    return False
