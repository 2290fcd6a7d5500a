"""Start, stop, look at the programs of an installation: a small protocol, and supervisord as its one implementation.

    processes = Supervisor(settings)
    processes.open()                        # supervisord and the three servers
    processes.start("stream", "producer")
    processes.status()["stream"].state      # "running"
    processes.close()                       # everything ends, nothing is left
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from engine import secrets, shut
from engine.addresses import OF_THIS_MACHINE
from engine.errors import Final, ServerFailed, meaning
from engine.native.server import private_folder
from engine.settings import CLONE, Settings, outer_environment
from engine.supervisord import PROGRAMS as PROGRAMS
from engine.supervisord import SERVERS as SERVERS
from engine.supervisord import configuration, named, native_servers

State = Literal["running", "starting", "stopping", "stopped", "ended", "failing", "failed", "elsewhere"]
"""ended: by itself, as it may; failing: dies and is started again; failed: given up; elsewhere: not ours to run."""

STATES: dict[str, State] = {
    "RUNNING": "running", "STARTING": "starting", "STOPPING": "stopping", "STOPPED": "stopped", "EXITED": "ended",
    "BACKOFF": "failing", "FATAL": "failed"}

FAILS: tuple[State, ...] = ("failing", "failed")
FAILING_LINES = 1000
ENDED_WELL = "ended by itself"

SOCKET_LENGTH = 90    # bytes; Linux allows 107, and supervisord binds `<socket>.<pid>` first
LIMIT_S = 30
ANSWERS_WITHIN_S = 30    # of a supervisord that is started


@dataclass(frozen=True)
class Status:
    """One program at one moment. since: start of its present state; note: why it ended, or where it runs, where that is
    known."""

    name: str
    state: State
    pid: int | None = None
    since: datetime | None = None
    note: str = ""


class Processes(Protocol):
    """What the rest of the product asks of whatever runs its programs."""

    def start(self, *names: str) -> None:
        """Starts programs and returns at once; those that run already are left alone."""

    def stop(self, *names: str, within_s: float | None = None, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Stops programs in parallel and waits until they have ended; False when they have not within `within_s`."""

    def status(self) -> dict[str, Status]:
        """Every program, those that do not run included."""

    def tail(self, name: str, lines: int = 50) -> list[str]:
        """The last lines of a program's log."""


class Supervisor:
    """`Processes` by a supervisord of this installation, behind a socket that only its owner can open.

    A program may have a supervisord of its own instead (`run`), in another terminal or container with the same folder: it
    is asked through that one's socket, by whoever holds this object.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.servers = native_servers(settings)
        self.configuration = self._file("")

    def open(self) -> None:
        """Starts supervisord, and with it the servers; idempotent. Raises ServerFailed when it does not come up."""
        changed = self._configure()
        if self.alive():
            if changed:
                self._adopt()
            self.start(*self.servers)
            return
        ended = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)], cwd=CLONE, check=False,
            env={**outer_environment(), "TZ": "UTC"},    # its log, and those of the servers, tell the time as ours do
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ended.returncode:
            raise ServerFailed(f"supervisord does not start (exit code {ended.returncode}): {ended.stdout.strip()}. "
                               f"Its configuration is {self.configuration}.")
        limit = time.monotonic() + ANSWERS_WITHIN_S
        while not self.alive():
            if time.monotonic() > limit:
                raise ServerFailed(f"supervisord does not answer within {ANSWERS_WITHIN_S} s. "
                                   f"See {self.settings.logs_dir / 'supervisord.log'}.")
            time.sleep(0.05)

    def close(self) -> None:
        """Ends every program, then each supervisord, then what was left by one that was killed; idempotent."""
        self.stop(*PROGRAMS)
        self.stop(*(name for name, status in self.status().items() if name in SERVERS and status.pid))
        for keeper in (*self.apart(), ""):
            if self._answers(keeper):
                with self._rpc_of(keeper) as supervisor:
                    pid = supervisor.getPID()
                    supervisor.shutdown()
                # in another container the number is of somebody else here
                _wait_gone([one for one in psutil.process_iter() if one.pid == pid and _keeps(one, {str(self._file(keeper))})])
        _wait_gone(self.orphans(), "terminate")

    def run(self, name: str) -> NoReturn:
        """Becomes a supervisord in the foreground that keeps this one program. Raises ServerFailed when another keeps it,
        KeptShut."""
        shut.require_open(self.settings, name)
        if self.status()[name].pid or self._own(name):
            raise ServerFailed(f"{name} of {self.settings.home} is kept by another supervisord already: `rollcall status` "
                               "shows it.")
        _wait_gone(left_over(self.settings, (name,)), "kill")
        self._configure(name)
        os.chdir(CLONE)
        os.execve(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c",  # noqa: S606
                                   str(self._file(name))], {**outer_environment(), "TZ": "UTC"})

    def orphans(self) -> list[psutil.Process]:
        """What no supervisord of ours that answers is an ancestor of, for it was killed or its socket is gone; in the latter
        case it comes first: it would start again what is ended."""
        files = {str(self._file(only)): self._answers(only) for only in ("", *PROGRAMS)}
        unheard = {file for file, answers in files.items() if not answers}
        return [*(one for one in psutil.process_iter() if _keeps(one, unheard) and _settled(one)),
                *(one for one in left_over(self.settings) if not _kept(one, {*files} - unheard))]

    def apart(self) -> list[str]:
        """Programs that have a supervisord of their own (`run`)."""
        return [name for name in PROGRAMS if self._own(name)]

    def clear(self) -> None:
        """Kills what was left by a supervisord that was killed: somebody waits, and all of it bears that; idempotent."""
        _wait_gone(self.orphans(), "kill")

    def alive(self, name: str = "") -> bool:
        """Whether this installation's supervisord answers; name: the one that keeps this program."""
        return self._answers(self._own(name))

    def start(self, *names: str) -> None:
        """Starts programs and returns at once; those that run already are left alone. Raises ServerFailed, KeptShut."""
        shut.require_open(self.settings, *set(names) & set(PROGRAMS))
        for name in names:
            if not self.alive(name):
                raise ServerFailed("The programs of this installation are kept by a supervisord, and it does not run. "
                                   "`rollcall up` starts it and them (in containers: the one of this program does).")
            with self._rpc(name) as supervisor:
                try:
                    supervisor.startProcess(name, False)
                except xmlrpc.client.Fault as fault:
                    if fault.faultCode != Faults.ALREADY_STARTED:
                        raise ServerFailed(
                            f"{name} cannot be started ({fault.faultString}). "
                            + self._tail_sentence(name)) from None

    def stop(self, *names: str, within_s: float | None = None, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Stops programs in parallel and waits until they, and the processes they started, have ended.

        False when they have not within `within_s`; they still will. `meanwhile` is called while it waits.
        """
        names = tuple(name for name in names if self.alive(name))
        if not names:
            return True
        limit = None if within_s is None else time.monotonic() + within_s
        doomed = [one for process in left_over(self.settings, names) for one in _family(process)]
        for name in names:
            with self._rpc(name) as supervisor:
                try:
                    supervisor.stopProcess(name, False)
                except xmlrpc.client.Fault as fault:
                    if fault.faultCode != Faults.NOT_RUNNING:
                        raise
        # ends by supervisord's stopwaitsecs
        while any(status.state == "stopping" for name, status in self.status().items() if name in names):
            meanwhile()
            if limit is not None and time.monotonic() > limit:
                return False
            time.sleep(0.1)
        _wait_gone(doomed)
        return True

    def status(self) -> dict[str, Status]:
        """Every program; all stopped when supervisord does not run, and servers elsewhere with their address as note; one that
        ran here and has not ended yet as it is."""
        found = {name: Status(name, "stopped") for name in (*SERVERS, *PROGRAMS)}
        if (view := self.settings.view).host not in OF_THIS_MACHINE:    # in a container of its own
            found["view"] = Status("view", "elsewhere", note=f"{view.host}:{view.port}")
        for keeper in ("", *self.apart()):
            with suppress(OSError, xmlrpc.client.Fault), self._rpc_of(keeper) as supervisor:    # Fault: it ends just now
                for info in supervisor.getAllProcessInfo():
                    found[info["name"]] = _status(info)
        found |= {name: Status(name, "elsewhere", note=address) for name, address in self.settings.elsewhere.items()
                  if not found[name].pid}
        return {name: replace(status, since=self._failing_since(name) or status.since) if status.state in FAILS else status
                for name, status in found.items()}

    def tail(self, name: str, lines: int = 50) -> list[str]:
        """The last lines of a program's log; none when it never ran."""
        path = self.settings.logs_dir / f"{name}.log"
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - lines * 1000))
                return file.read().decode(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    def wait_running(self, *names: str, limit_s: float = LIMIT_S) -> None:
        """Waits until each program runs or has ended well; ServerFailed with the end of its log when one fails."""
        limit = time.monotonic() + limit_s
        while True:
            status = self.status()
            for name in names:
                self.raise_if_failed(status[name])
            if all(status[name].state in ("running", "ended") for name in names):
                return
            if time.monotonic() > limit:
                waited = ", ".join(f"{name} is {status[name].state}" for name in names)
                raise ServerFailed(f"Not everything runs after {limit_s:.0f} s: {waited}. `rollcall logs` says more.")
            time.sleep(0.2)

    def raise_if_failed(self, status: Status) -> None:
        """ServerFailed with the end of the log when a program died, now or again and again."""
        bad_end = status.state == "ended" and status.note != ENDED_WELL
        if bad_end or status.state in ("failing", "failed"):
            raise ServerFailed(f"{status.name} does not run: {status.state}, {status.note}. "
                               + self._tail_sentence(status.name))

    def socket(self, only: str = "") -> Path:
        """Path of supervisord's socket: in the run folder, or, where that is too long for a socket, in a private
        folder of the machine's temporary folder. only: of the supervisord that keeps this one program."""
        file = f"{named('supervisor', only)}.sock"
        path = self.settings.run / file
        if len(os.fsencode(path)) <= SOCKET_LENGTH:
            return path
        key = hashlib.sha256(os.fsencode(self.settings.home)).hexdigest()[:16]
        folder = private_folder(Path(tempfile.gettempdir()) / f"rollcall-{os.getuid()}-{key}")
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise ServerFailed(f"{folder} belongs to somebody else. Remove it, or give ROLLCALL_HOME a shorter path.")
        return folder / file

    def _own(self, name: str) -> str:
        """The program's name if it has a supervisord of its own that answers; else empty, as the one of all is called."""
        return name if name in PROGRAMS and self.socket(name).exists() and self._answers(name) else ""

    def _answers(self, only: str) -> bool:
        try:
            with self._rpc_of(only) as supervisor:
                return bool(supervisor.getState()["statename"] == "RUNNING")
        except OSError:
            return False

    def _file(self, only: str) -> Path:
        """The configuration of a supervisord."""
        return self.settings.run / f"{named('supervisord', only)}.conf"

    def _configure(self, only: str = "") -> bool:
        """Renders the configuration; returns whether it differs from the one before."""
        private_folder(self.settings.run)
        private_folder(self.settings.logs_dir)
        path, text = self._file(only), configuration(self.settings, self.socket(only), only)
        if path.exists() and path.read_text() == text:
            return False
        secrets.write_secret(path, text.encode())
        return True

    def _adopt(self) -> None:
        """Makes a running supervisord take over a configuration that changed; what did not change runs on."""
        with self._rpc() as supervisor:
            added, changed, removed = supervisor.reloadConfig()[0]
        self.stop(*changed, *removed)
        with self._rpc() as supervisor:
            for name in (*changed, *removed):
                supervisor.removeProcessGroup(name)
            for name in (*added, *changed):
                supervisor.addProcessGroup(name)

    def _failing_since(self, name: str) -> datetime | None:
        """When a program that dies again and again first did, by supervisord's own log."""
        since = None
        for line in self.tail(named("supervisord", self._own(name)), FAILING_LINES):
            if f"success: {name} entered RUNNING" in line:
                since = None
            elif f"exited: {name} (" in line and "not expected" in line:
                since = since or datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        return since

    def _tail_sentence(self, name: str) -> str:
        lines = "\n  ".join(self.tail(name, 15)) or "(nothing)"
        return f"Its log ({self.settings.logs_dir / f'{name}.log'}) ends:\n  {lines}"

    @contextmanager
    def _rpc(self, name: str = "") -> Iterator[Any]:
        """Commands of the supervisord that keeps a program; OSError when it does not run."""
        with self._rpc_of(self._own(name)) as supervisor:
            yield supervisor

    @contextmanager
    def _rpc_of(self, only: str) -> Iterator[Any]:
        transport: Any = SupervisorTransport(None, None, f"unix://{self.socket(only)}")
        try:
            yield xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor
        finally:
            transport.close()


def left_over(settings: Settings, names: tuple[str, ...] = (*SERVERS, *PROGRAMS)) -> list[psutil.Process]:
    """Processes that a supervisord of this installation started, their children included, dead or alive itself."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):    # gone meanwhile, or somebody else's
            continue
        if environment.get("ROLLCALL_HOME") == str(settings.home) and \
                environment.get("SUPERVISOR_PROCESS_NAME") in names:
            found.append(process)
    return found


def _kept(process: psutil.Process, configurations: set[str]) -> bool:
    """Whether a supervisord of one of these configurations is an ancestor; a process that is gone needs none."""
    with suppress(psutil.NoSuchProcess):
        return any(_keeps(ancestor, configurations) for ancestor in process.parents())
    return True


def _keeps(process: psutil.Process, configurations: set[str]) -> bool:
    with suppress(psutil.Error):    # gone meanwhile
        words = process.cmdline()
        return "supervisor.supervisord" in words and bool(configurations.intersection(words))
    return False


def _settled(process: psutil.Process) -> bool:
    """Whether it is not just being started, when it cannot answer yet."""
    with suppress(psutil.Error):    # gone meanwhile
        return time.time() - process.create_time() > ANSWERS_WITHIN_S
    return False


def _family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all it started; none when it has ended meanwhile."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _wait_gone(processes: list[psutil.Process], how: Literal["terminate", "kill"] | None = None) -> None:
    """Waits until processes are gone; one that outlives the limit is killed: it is ours and was asked to end."""
    if how:
        for process in processes:
            _signal(process, how)
    _, alive = psutil.wait_procs(processes, timeout=LIMIT_S)
    for process in alive:
        _signal(process, "kill")
    _, alive = psutil.wait_procs(alive, timeout=LIMIT_S)
    if alive:
        raise Final(f"Processes {[process.pid for process in alive]} cannot be ended. `rollcall down` tries again.")


def _signal(process: psutil.Process, how: Literal["terminate", "kill"]) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, how)()


def _status(info: dict[str, Any]) -> Status:
    state = STATES.get(info["statename"], "failed")
    if state == "ended":
        well, code = info["exitstatus"] == 0 and not info["spawnerr"], info["exitstatus"]
        said = f": {meaning(code)}" if meaning(code) else ""
        note = ENDED_WELL if well else f"exit code {code}{said}"
        since = info["stop"]
    else:
        note, since = info["spawnerr"], info["start"] if state in ("running", "starting") else info["stop"]
    return Status(info["name"], state, info["pid"] or None, datetime.fromtimestamp(since, UTC) if since else None, note)
