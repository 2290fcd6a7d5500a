"""Start, stop, look at the programs of an installation: a small protocol, and supervisord as its one implementation.

    processes = Supervisor(settings)
    processes.open()                        # supervisord and the three servers
    processes.start("stream", "producer")
    processes.status()["stream"].state      # "running"
    processes.close()                       # everything ends, nothing is left
"""

import hashlib
import os
import shlex
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
from string import Template
from typing import Any, Literal, Protocol

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from engine import secrets
from engine.errors import FOR_A_PERSON, Final, ServerFailed, meaning
from engine.native import cassandra, kafka, mongo
from engine.native.server import Server, private_folder
from engine.settings import CLONE, Settings, outer_environment

SERVERS: dict[str, Server] = {"kafka": kafka, "mongo": mongo, "cassandra": cassandra}
PROGRAMS = ("stream", "producer", "view", "console", "keeper")

State = Literal["running", "starting", "stopping", "stopped", "ended", "failing", "failed"]
"""ended: by itself, as it may; failing: dies and is started again; failed: given up."""

STATES: dict[str, State] = {
    "RUNNING": "running", "STARTING": "starting", "STOPPING": "stopping", "STOPPED": "stopped", "EXITED": "ended",
    "BACKOFF": "failing", "FATAL": "failed"}

BELIEVED_AFTER_S = 5
"""Seconds a stream or producer must live before supervisord takes note of the exit code it ends with; sooner it is tried
again whatever the code says, so a program that ends for good lives a little longer (engine/cli)."""

FOR_GOOD = ",".join(["0", *sorted({str(kind.exit_code) for kind in FOR_A_PERSON})])
"""Exit codes after which a program is not started again: it has ended well, or only a person can put it right."""

FAILS: tuple[State, ...] = ("failing", "failed")
FAILING_LINES = 1000
ENDED_WELL = "ended by itself"

SOCKET_LENGTH = 90    # bytes; Linux allows 107, and supervisord binds `<socket>.<pid>` first
LIMIT_S = 30


@dataclass(frozen=True)
class Status:
    """One program at one moment. since: start of its present state; note: why it ended, where that is known."""

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
    """`Processes` by a supervisord of this installation, behind a socket that only its owner can open."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.configuration = settings.run / "supervisord.conf"

    def open(self) -> None:
        """Starts supervisord, and with it the servers; idempotent. Raises ServerFailed when it does not come up."""
        changed = self._configure()
        if self.alive():
            if changed:
                self._adopt()
            self.start(*SERVERS)
            return
        ended = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)], cwd=CLONE, check=False,
            env={**outer_environment(), "TZ": "UTC"},    # its log, and those of the servers, tell the time as ours do
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ended.returncode:
            raise ServerFailed(f"supervisord does not start (exit code {ended.returncode}): {ended.stdout.strip()}. "
                               f"Its configuration is {self.configuration}.")
        limit = time.monotonic() + LIMIT_S
        while not self.alive():
            if time.monotonic() > limit:
                raise ServerFailed(f"supervisord does not answer within {LIMIT_S} s. "
                                   f"See {self.settings.logs_dir / 'supervisord.log'}.")
            time.sleep(0.05)

    def close(self) -> None:
        """Ends every program, then supervisord, then what was left by a supervisord that was killed; idempotent."""
        if self.alive():
            self.stop(*PROGRAMS)
            self.stop(*SERVERS)
            with self._rpc() as supervisor:
                pid = supervisor.getPID()
                supervisor.shutdown()
            _wait_gone([psutil.Process(pid)] if psutil.pid_exists(pid) else [])
        _wait_gone(left_over(self.settings), "terminate")

    def clear(self) -> None:
        """Kills what was left by a supervisord that was killed: somebody waits, and all of it bears that; idempotent."""
        _wait_gone(left_over(self.settings), "kill")

    def alive(self) -> bool:
        """Whether this installation's supervisord answers."""
        try:
            with self._rpc() as supervisor:
                return bool(supervisor.getState()["statename"] == "RUNNING")
        except OSError:
            return False

    def start(self, *names: str) -> None:
        """Starts programs and returns at once; those that run already are left alone. Raises ServerFailed."""
        if not self.alive():
            raise ServerFailed("The programs of this installation are kept by a supervisord, and it does not run. "
                               "`rollcall up` starts it and them.")
        with self._rpc() as supervisor:
            for name in names:
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
        if not self.alive():
            return True
        limit = None if within_s is None else time.monotonic() + within_s
        doomed = [child for process in left_over(self.settings, names)
                  for child in (process, *process.children(recursive=True))]
        with self._rpc() as supervisor:
            for name in names:
                try:
                    supervisor.stopProcess(name, False)
                except xmlrpc.client.Fault as fault:
                    if fault.faultCode != Faults.NOT_RUNNING:
                        raise
        while any(self.status()[name].state == "stopping" for name in names):    # ends by supervisord's stopwaitsecs
            meanwhile()
            if limit is not None and time.monotonic() > limit:
                return False
            time.sleep(0.1)
        _wait_gone(doomed)
        return True

    def status(self) -> dict[str, Status]:
        """Every program; all stopped when supervisord does not run."""
        found = {name: Status(name, "stopped") for name in (*SERVERS, *PROGRAMS)}
        with suppress(OSError), self._rpc() as supervisor:
            for info in supervisor.getAllProcessInfo():
                found[info["name"]] = _status(info)
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

    def socket(self) -> Path:
        """Path of supervisord's socket: in the run folder, or, where that is too long for a socket, in a private
        folder of the machine's temporary folder."""
        path = self.settings.run / "supervisor.sock"
        if len(os.fsencode(path)) <= SOCKET_LENGTH:
            return path
        key = hashlib.sha256(os.fsencode(self.settings.home)).hexdigest()[:16]
        folder = private_folder(Path(tempfile.gettempdir()) / f"rollcall-{os.getuid()}-{key}")
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise ServerFailed(f"{folder} belongs to somebody else. Remove it, or give ROLLCALL_HOME a shorter path.")
        return folder / "supervisor.sock"

    def _configure(self) -> bool:
        """Renders supervisord.conf; returns whether it differs from the one before."""
        settings = self.settings
        python = sys.executable
        commands = {
            **{name: server.command(settings) for name, server in SERVERS.items()},
            "producer": [python, "-m", "engine.cli", "produce", "--supervised"],
            # whoever looks at the console waits; a batch that is a little later does not (bench/console.py)
            "stream": ["nice", "-n", "5", python, "-m", "engine.cli", "stream", "run"],
            "keeper": ["nice", "-n", "10", python, "-m", "engine.cli", "retention", "keep"],
            # figures may be late, people may not: where everything starts at once, the flow goes first
            "view": ["nice", "-n", "10", python, "-m", "gunicorn", "--bind", f"{settings.view.host}:{settings.view.port}",
                     "--workers", "1", "--threads", "4", "--no-control-socket", "app.public.dashboard:server"],
            # uvicorn would believe X-Forwarded-For of this machine; whom to believe is for the door to say
            "console": ["env", "FORWARDED_ALLOW_IPS=", python, "-m", "streamlit", "run", "app/server.py",
                        "--server.address", settings.console.host, "--server.port", str(settings.console.port)]}
        common = "\n".join([
            "redirect_stderr=true", f"stdout_logfile={_quoted(settings.logs_dir)}/%(program_name)s.log",
            f"stdout_logfile_maxbytes={settings.logs.max_bytes}", f"stdout_logfile_backups={settings.logs.backups}",
            "stopasgroup=false", "killasgroup=true",
            f'environment=ROLLCALL_HOME="{_quoted(settings.home)}",PYTHONUNBUFFERED="1"'])
        text = Template((CLONE / "infra/supervisord.conf").read_text()).substitute(
            {name: _quoted(shlex.join(command)) for name, command in commands.items()},
            socket=_quoted(self.socket()), logs=_quoted(settings.logs_dir), run=_quoted(settings.run),
            clone=_quoted(CLONE), common=common, log_bytes=settings.logs.max_bytes,
            log_backups=settings.logs.backups, believed=BELIEVED_AFTER_S, for_good=FOR_GOOD,
            user_line="user=root" if os.getuid() == 0 else "")
        private_folder(settings.run)
        private_folder(settings.logs_dir)
        if self.configuration.exists() and self.configuration.read_text() == text:
            return False
        secrets.write_secret(self.configuration, text.encode())
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
        for line in self.tail("supervisord", FAILING_LINES):
            if f"success: {name} entered RUNNING" in line:
                since = None
            elif f"exited: {name} (" in line and "not expected" in line:
                since = since or datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        return since

    def _tail_sentence(self, name: str) -> str:
        lines = "\n  ".join(self.tail(name, 15)) or "(nothing)"
        return f"Its log ({self.settings.logs_dir / f'{name}.log'}) ends:\n  {lines}"

    @contextmanager
    def _rpc(self) -> Iterator[Any]:
        """supervisord's own commands; OSError when it does not run."""
        transport: Any = SupervisorTransport(None, None, f"unix://{self.socket()}")
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


def _quoted(value: object) -> str:
    """A value for supervisord's configuration, where a percent sign starts an expansion."""
    return str(value).replace("%", "%%")
