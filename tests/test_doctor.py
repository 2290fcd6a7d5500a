"""The doctor finds each thing that is wrong with a machine, says what to do, and changes nothing; no servers needed.

The checks that ask a store have theirs in tests/services/test_surroundings.py.
"""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.installation import settings_toml
from engine import sealing, secrets
from engine.doctor import CHECKS, Finding, found
from engine.doctor.machine import MACHINE
from engine.doctor.stores import STORES
from engine.machine import memory
from engine.native import fetch
from engine.settings import CLONE, Settings, load


@dataclass
class Machine:
    """An installation that was never started, in a folder of its own, and how to spoil it."""

    home: Path
    patch: pytest.MonkeyPatch

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return load()

    def program(self, name: str, says: str) -> None:
        """Puts a program of this name before all others on the PATH."""
        path = self.home.parent / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)
        self.patch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    def older(self) -> Settings:
        """An installation that was started before: with data, passwords and keys."""
        settings = self.settings
        secrets.ensure_passwords(settings)
        sealing.ensure_keys(settings)
        (settings.data / "cassandra").mkdir(parents=True)
        return settings

    def bundle(self, name: str) -> Path:
        """The folder of a bundle in a cache of its own, which holds nothing else."""
        cache = self.home.parent / "cache"
        self.patch.setenv("ROLLCALL_CACHE", str(cache))
        folder = next(one for one in fetch.BUNDLES if one.name == name).folder(self.settings)
        folder.mkdir(parents=True)
        return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which all is well."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text(settings_toml())
    for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLLCALL_HOME", str(home))
    return Machine(home, monkeypatch)


def nothing_on_the_path(machine: Machine) -> None:
    machine.bundle("kafka")
    machine.patch.setenv("PATH", str(machine.home))


def old_java(machine: Machine) -> None:
    machine.program("java", 'openjdk version "11.0.2"')


def file_for_folder(name: str) -> Callable[[Machine], None]:
    def spoil(machine: Machine) -> None:
        (machine.home / name).write_text("")
    return spoil


def home_is_a_file(machine: Machine) -> None:
    path = machine.home.parent / "file"
    path.write_text("")
    machine.patch.setenv("ROLLCALL_HOME", str(path))


def cache_is_a_file(machine: Machine) -> None:
    path = machine.home.parent / "file"
    path.write_text("")
    machine.patch.setenv("ROLLCALL_CACHE", str(path))


def no_room(machine: Machine) -> None:
    machine.patch.setattr("engine.machine.folders.LEAST_FREE_MB", 2 ** 40)


def no_memory(machine: Machine) -> None:
    machine.patch.setenv("ROLLCALL_CASSANDRA__HEAP", "90000g")


def a_bundle_without_a_file(machine: Machine) -> None:
    (machine.bundle("ferretdb") / fetch.WHOLE).write_text('{"ferretdb": 40000000}')


def a_bundle_with_another_jar(name: str) -> Callable[[Machine], None]:
    def spoil(machine: Machine) -> None:
        folder = machine.bundle(name)
        (folder / "evil.jar").write_text("")
        (folder / fetch.WHOLE).write_text('{"evil.jar": 0}')
    return spoil


def readable_password(machine: Machine) -> None:
    (machine.older().secrets / "stream.password").chmod(0o644)


def missing_password(machine: Machine) -> None:
    (machine.older().secrets / "stream.password").unlink()


def damaged_password(machine: Machine) -> None:
    (machine.older().secrets / "stream.password").write_bytes(b"\xff\xfe")


def missing_keys(machine: Machine) -> None:
    (machine.older().secrets / "keys.json").unlink()


def damaged_keys(text: str) -> Callable[[Machine], None]:
    def spoil(machine: Machine) -> None:
        (machine.older().secrets / "keys.json").write_text(text)
    return spoil


def short_key(machine: Machine) -> None:
    path = machine.older().secrets / "keys.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "email": "abcd"}))


def damaged_checkpoint(machine: Machine) -> None:
    (machine.home / "checkpoint").mkdir()
    (machine.home / "checkpoint" / "metadata").write_text("{")


SPOILT: list[tuple[str, Callable[[Machine], None], str, str]] = [
    ("java", nothing_on_the_path, "is not on the PATH", "openjdk-17"),
    ("java", old_java, "is version 11 and must be 17", "openjdk-17"),
    ("mvn", nothing_on_the_path, "is not on the PATH", "maven"),
    ("go", nothing_on_the_path, "is not on the PATH", "golang"),
    ("folder home", home_is_a_file, "a file stands where a folder should be", "ROLLCALL_HOME"),
    *((f"folder {name}", file_for_folder(name), "a file stands where a folder should be", "ROLLCALL_HOME")
      for name in ("data", "logs", "run", "secrets", "state")),
    ("folder cache", cache_is_a_file, "a file stands where a folder should be", "ROLLCALL_CACHE"),
    ("disk", no_room, "MB are free in", "free some space"),
    ("memory", no_memory, "MB of memory", "ROLLCALL_CASSANDRA__HEAP"),
    ("cache ferretdb", a_bundle_without_a_file, "is not whole", "rollcall up"),
    *((f"cache {name}", a_bundle_with_another_jar(name), "evil.jar is not written down", "rollcall up")
      for name in ("kafka", "cassandra", "spark-connectors")),
    ("passwords", readable_password, "others can read stream.password", "chmod 600"),
    ("passwords", missing_password, "no password for 'stream'", "rollcall up"),
    ("passwords", damaged_password, "password of 'stream' is damaged", "backup"),
    ("key ring", missing_keys, "no key ring", "restore it"),
    ("key ring", damaged_keys("{"), "damaged", "backup"),
    ("key ring", damaged_keys("[]"), "damaged", "backup"),
    ("key ring", damaged_keys('{"columns": "x", "current": "k001"}'), "damaged", "backup"),
    ("key ring", short_key, "damaged: each key must be 64 hexadecimal digits", "backup"),
    ("checkpoint", damaged_checkpoint, "is damaged", "move"),
    ("checkpoint", file_for_folder("checkpoint"), "a file stands where a folder should be", "CHECKPOINT"),
]


def look(name: str, settings: Settings) -> Finding:
    """What the check of this name finds."""
    return found(next(check for check in CHECKS if check.name == name), settings)


@pytest.mark.parametrize(("name", "spoil", "says", "todo"), SPOILT, ids=[f"{row[0]}-{row[2][:25]}" for row in SPOILT])
def test_what_is_wrong_is_found_and_said(
        machine: Machine, name: str, spoil: Callable[[Machine], None], says: str, todo: str) -> None:
    assert look(name, machine.settings).ok
    spoil(machine)
    finding = look(name, machine.settings)
    assert not finding.ok
    assert says in finding.found
    assert todo in finding.todo


PORTS = [check.name.removeprefix("port ") for check in MACHINE if check.name.startswith("port ")]


@pytest.mark.parametrize("setting", PORTS)
def test_a_taken_port_is_found_with_its_owner_and_its_setting(machine: Machine, setting: str) -> None:
    section, field = setting.split(".")
    port = getattr(getattr(machine.settings, section), field)
    with socket.create_server(("127.0.0.1", port)):
        finding = look(f"port {setting}", machine.settings)
    assert not finding.ok
    assert f"{port} is taken by" in finding.found
    assert f"(process {os.getpid()})" in finding.found
    assert f"ROLLCALL_{section.upper()}__{field.upper()}=" in finding.todo
    assert look(f"port {setting}", machine.settings).ok


def test_every_check_of_the_machine_was_seen_to_fail() -> None:
    elsewhere = {"programs"}    # tests/services/test_surroundings.py
    assert {check.name for check in MACHINE} == {row[0] for row in SPOILT} | {f"port {name}" for name in PORTS} | elsewhere
    assert len({check.name for check in CHECKS}) == len(MACHINE) + len(STORES)


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a container's limit stands."""
    path = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMITS", (path,))
    return path


def test_a_container_has_no_more_memory_than_its_limit(limited: Path) -> None:
    limited.write_text("max\n")
    assert memory.available_mb() > 64
    limited.write_text(f"{64 * 2 ** 20}\n")
    assert memory.available_mb() == 64


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its mode and the time of its last change."""
    return {str(path): (stat.S_IMODE(path.lstat().st_mode), path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def doctor(*options: str) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    return subprocess.run([sys.executable, "-m", "engine.cli", "doctor", *options], cwd=CLONE, capture_output=True, text=True,
                          check=False, timeout=120)


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
def test_before_the_first_up_all_is_well_and_stays_as_it_is(machine: Machine) -> None:
    before = tree(machine.home)
    ended = doctor()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert tree(machine.home) == before
    lines = ended.stdout.splitlines()
    assert len(lines) == 1 + len(CHECKS) + 1    # the settings, the checks, the sum
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert "not yet: `rollcall up` makes it" in ended.stdout


def test_what_is_not_well_is_exit_1_with_what_to_do_in_words_and_as_json(machine: Machine) -> None:
    port = machine.settings.mongo.port
    with socket.create_server(("127.0.0.1", port)):
        words, facts = doctor(), doctor("--json")
    assert (words.returncode, facts.returncode) == (1, 1)
    line = next(line for line in words.stdout.splitlines() if line.startswith("NOT"))
    assert line.startswith(f"NOT  port mongo.port        {port} is taken by ")
    assert " -> Stop that process, or give ours another port: ROLLCALL_MONGO__PORT=" in line
    report = json.loads(facts.stdout)
    assert report["ok"] is False
    assert [finding["name"] for finding in report["findings"] if not finding["ok"]] == ["port mongo.port"]


def test_wrong_settings_are_a_finding_too(machine: Machine) -> None:
    (machine.home / "settings.toml").write_text("[kafka]\nprot = 1\n")
    ended = doctor()
    assert ended.returncode == 1
    assert ended.stdout.startswith("NOT  settings               Setting ROLLCALL_KAFKA__PROT is wrong")
