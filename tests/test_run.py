"""`rollcall run NAME`: a program with a supervisord of its own, started and stopped through it by everybody with the same
folder, as the console of another container does. No servers are needed: without them a program waits.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bench.installation import settings_toml
from engine import processes, sealing, secrets, stack
from engine.cli import stack as commands
from engine.errors import ServerFailed, SettingsInvalid
from engine.native import tools
from engine.processes import SERVERS, Supervisor, left_over
from engine.settings import CLONE, Settings, load
from tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


class Home:
    """A folder in which each program is run apart."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.console = Supervisor(settings)
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, name: str) -> subprocess.Popen[bytes]:
        """`rollcall run NAME`, until it answers."""
        with (self.settings.home / f"run-{name}.out").open("wb") as out:
            self.running.append(subprocess.Popen([sys.executable, "-m", "engine.cli", "run", name], cwd=CLONE, stdout=out,
                                                 stderr=subprocess.STDOUT))
        self.until(lambda: self.console.status()[name].pid is not None)
        return self.running[-1]

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until a condition holds; fails with what the programs said."""
        until(lambda: [path.read_text() for path in self.settings.home.glob("run-*.out")], condition)

    def left_of(self, pid: int) -> None:
        """Waits until this program counts as left over; until it has replaced the fork of supervisord it is not seen as one."""
        self.until(lambda: pid in {process.pid for process in self.console.orphans()})

    def state(self, name: str) -> str:
        """What whoever has this folder sees."""
        return self.console.status()[name].state


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """With passwords and keys, and no server at its addresses."""
    (tmp_path / "settings.toml").write_text(settings_toml())
    for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    settings = load()
    secrets.ensure_passwords(settings)
    sealing.ensure_keys(settings)
    one = Home(settings)
    try:
        yield one
    finally:
        for process in one.running:
            process.send_signal(signal.SIGTERM)
        for process in one.running:
            process.wait(60)
        one.console.close()
    assert left_over(settings) == []


def test_each_is_started_and_stopped_through_its_own_supervisord(home: Home) -> None:
    home.run("producer")
    home.run("view")
    home.until(lambda: home.state("producer") == "running")
    assert home.console.alive("producer")
    assert not home.console.alive(), "there is none that keeps them all"
    producer, view = (home.console.status()[name].pid for name in ("producer", "view"))
    assert home.console.stop("producer")
    assert home.state("producer") == "stopped"
    assert home.console.status()["view"].pid == view, "the other runs on"
    home.console.start("producer")
    home.until(lambda: home.state("producer") == "running")
    assert home.console.status()["producer"].pid not in (None, producer)
    home.until(lambda: bool(home.console.tail("producer")))
    with pytest.raises(ServerFailed, match="does not run"):
        home.console.start("stream")
    assert home.state("stream") == "stopped"


def test_what_runs_apart_is_not_run_twice_and_what_was_left_does_not_hide_behind_it(home: Home) -> None:
    home.run("view")
    pid = home.console.status()["view"].pid
    again = subprocess.run([sys.executable, "-m", "engine.cli", "run", "view"], cwd=CLONE, capture_output=True, text=True,
                           check=False, timeout=60)
    assert again.returncode == ServerFailed.exit_code
    assert "kept by another supervisord already" in again.stderr
    env = {**os.environ, "SUPERVISOR_PROCESS_NAME": "view"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=env) as left:
        assert [process.pid for process in home.console.orphans()] == [left.pid], "what it keeps is nobody's leftover"
        home.console.clear()
        assert not psutil.pid_exists(left.pid)
    assert home.console.status()["view"].pid == pid


def test_the_program_is_started_again_never_beside_what_a_killed_supervisord_left_and_the_signal_ends_both(home: Home) -> None:
    keeper = home.run("view")
    first = home.console.status()["view"].pid
    assert first
    with suppress(ProcessLookupError):
        os.kill(first, signal.SIGKILL)
    home.until(lambda: home.console.status()["view"].pid not in (None, first))
    left = home.console.status()["view"].pid
    assert left
    keeper.kill()
    keeper.wait(30)
    home.left_of(left)
    keeper = home.run("view")
    assert home.console.orphans() == []
    assert left not in {process.pid for process in left_over(home.settings)}
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(60) == 0
    assert left_over(home.settings) == []
    assert home.state("view") == "stopped"
    assert not home.console.socket("view").exists()


@pytest.mark.parametrize("end", [Supervisor.clear, Supervisor.close])
def test_a_supervisord_whose_socket_is_gone_is_ended_with_what_it_keeps(
        end: Callable[[Supervisor], None], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = home.run("view")
    program = home.console.status()["view"].pid
    assert program
    home.console.socket("view").unlink()    # as what tidies a temporary folder does
    home.left_of(program)
    assert home.console.orphans()[0].pid == program, "one that was started just now may not answer yet"
    monkeypatch.setattr(processes, "ANSWERS_WITHIN_S", 0)
    assert [home.console.orphans()[n].pid for n in (0, 1)] == [keeper.pid, program]
    end(home.console)
    keeper.wait(60)
    assert left_over(home.settings) == []


def test_down_names_and_ends_what_runs_apart(home: Home) -> None:
    keeper = home.run("view")
    said: list[str] = []
    stack.down(home.settings, said.append)
    assert said == ["Stopping view, which runs apart (`rollcall run view`) ..."]
    assert keeper.wait(30) == 0
    assert left_over(home.settings) == []


@pytest.mark.parametrize("end", [Supervisor.open, Supervisor.close])
def test_a_server_that_is_elsewhere_from_now_on_is_given_its_time_to_end(
        home: Home, monkeypatch: pytest.MonkeyPatch, end: Callable[[Supervisor], None]) -> None:
    begun, ended = (home.settings.home / name for name in ("begun", "ended"))
    slow = f"trap 'sleep 3; touch {ended}; exit' TERM; touch {begun}; while :; do sleep 0.1; done"
    monkeypatch.setitem(SERVERS, "kafka", SimpleNamespace(command=lambda settings: ["sh", "-c", slow]))
    for name in ("mongo", "cassandra"):
        monkeypatch.delitem(SERVERS, name)
    monkeypatch.setattr(tools, "runs_mongod", lambda settings: False)
    home.console = Supervisor(home.settings)
    home.console.open()
    home.until(lambda: begun.exists() and home.state("kafka") == "running")
    foreign = Supervisor(home.settings.model_copy(update={"kafka_bootstrap": "k:1"}))
    assert foreign.status()["kafka"].state == "running", "it still does"
    with monkeypatch.context() as patch:
        patch.setattr(processes, "LIMIT_S", 1)    # what has more to end by is not held to this
        end(foreign)
    assert ended.exists(), "it was killed"
    assert foreign.status()["kafka"].state == "elsewhere"


def test_a_name_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "Supervisor", None)
    with pytest.raises(SettingsInvalid, match="There is no program 'kafka'; there are stream, producer, view, console, keeper"):
        commands.run("kafka")
