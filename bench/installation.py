"""An installation of its own for a proof or a test: free ports, small heaps, a folder of its own."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import stack
from engine.errors import RollcallError
from engine.processes import PROGRAMS, SERVERS, Supervisor, left_over
from engine.settings import CLONE, Cassandra, Kafka, Settings, load

Say = Callable[[str], None]

PORTS = ("kafka.port", "kafka.controller_port", "cassandra.port", "cassandra.storage_port", "mongo.port", "view.port",
         "console.port", "metrics.stream_port", "metrics.producer_port")

AS_DELIVERED: dict[str, dict[str, Any]] = {"kafka": {"heap": Kafka().heap}, "cassandra": {"heap": Cassandra().heap}}
"""Heaps of the servers where their speed is measured."""

LIMIT_S = 1800.0

VERIFIED = ("ok", "records", "rows", "counted", "erased", "dead_letters")
"""What benches keep of a verify."""


@dataclass(frozen=True)
class Installation:
    """Running servers, and whoever starts and stops our programs on them."""

    settings: Settings
    processes: Supervisor
    say: Say

    def command(self, *arguments: str) -> list[str]:
        """`rollcall` with these arguments, as a command line of this clone."""
        return [sys.executable, "-m", "engine.cli", *arguments]

    def verified(self) -> dict[str, Any]:
        """What `rollcall verify` reports, and `exit`, its exit code. Where it ended in an error that is said, and each is None:
        what was measured before it is to be kept."""
        ended = subprocess.run(self.command("verify", "--json"), cwd=CLONE, check=False, capture_output=True, text=True,
                               env={**os.environ, "ROLLCALL_HOME": str(self.settings.home)})
        self.say(ended.stderr.strip())
        found = json.loads(ended.stdout) if ended.stdout else {**dict.fromkeys(VERIFIED), "findings": [], "more": 0}
        return {**found, "exit": ended.returncode}

    def until(self, what: str, condition: Callable[[], bool], limit_s: float = LIMIT_S, every_s: float = 0.2) -> None:
        """Waits for a condition, also while a store that it asks is away; an AssertionError with the end of the programs'
        logs when it does not come in time."""
        limit = time.monotonic() + limit_s
        while True:
            with suppress(RollcallError):
                if condition():
                    return
            if time.monotonic() > limit:
                lines = "\n".join(line for name in ("stream", "producer") for line in self.processes.tail(name, 12))
                raise AssertionError(f"{what}: not within {limit_s:.0f} s. {self.processes.status()}\n{lines}")
            time.sleep(every_s)


@contextmanager
def installed(home: Path, say: Say, up: Callable[[Settings, Say], None] = stack.servers_up,
              **more: Any) -> Iterator[Installation]:
    """An installation in an empty folder, its servers up; with the block everything ends and no process is left, nor when the
    bench is asked to end (SIGTERM).

    up: what is brought up. more: settings, as `settings_toml` takes them.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.toml").write_text(settings_toml(**more))
    os.environ["ROLLCALL_HOME"] = str(home)
    settings = load()
    processes = Supervisor(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        up(settings, say)
        yield Installation(settings, processes, say)
    finally:
        processes.close()
        assert left_over(settings, (*SERVERS, *PROGRAMS)) == []


@contextmanager
def for_speed(name: str, say: Say, up: Callable[[Settings, Say], None] = stack.servers_up,
              **more: dict[str, Any]) -> Iterator[Installation]:
    """The same in a folder that goes with it, and with the heaps that Rollcall is delivered with."""
    sections = {section: {**AS_DELIVERED.get(section, {}), **more.get(section, {})} for section in {*AS_DELIVERED, *more}}
    with tempfile.TemporaryDirectory(prefix=f"rollcall-{name}-", ignore_cleanup_errors=True) as folder, \
            installed(Path(folder) / "var", say, up, **sections) as one:
        yield one


def settings_toml(**more: Any) -> str:
    """A settings.toml with free ports and small heaps; `more`: a section's further settings, or one of no section, as an
    address."""
    sections: dict[str, dict[str, Any]] = {
        "kafka": {"heap": "384m"}, "cassandra": {"heap": "768m"}, "mongo": {}, "view": {}, "console": {}, "metrics": {}}
    for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        section, setting = name.split(".")
        sections[section][setting] = port
    alone = {name: value for name, value in more.items() if not isinstance(value, dict)}
    for section, fields in more.items():
        if section not in alone:
            sections.setdefault(section, {}).update(fields)
    return _lines(alone) + "\n".join(f"[{section}]\n" + _lines(fields) for section, fields in sections.items())


def _lines(fields: dict[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below those that the system gives to clients, so that none is taken meanwhile."""
    free: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise AssertionError("no free ports on this machine")
