"""Bad surroundings beside the real servers: each is one clear sentence, an exit code that says why, and never a traceback.

A folder is made full or read-only by a small file system of the command's own (a mount namespace), which needs no
rights where the system lets users have one; a limit of the file size shows the same where it does not.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.installation import PORTS, free_ports, settings_toml
from engine import sealing
from engine import stack as stacks
from engine.doctor import CHECKS, Finding, found
from engine.doctor.stores import STORES, Clock
from engine.errors import FolderUnusable, PortTaken, SettingsInvalid, SignInRefused, StoreAway, ToolMissing
from engine.processes import Supervisor
from engine.settings import CLONE, Settings, load
from engine.writer import fence
from tests.conftest import home_of
from tests.forked import forks
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ERASE = ("erase", "9a723211-0e87-41f1-b1e4-ed1a15226b80")
PRODUCE = ("produce", "--source", "synthetic", "--limit", "1")
COMMANDS: tuple[tuple[str, ...], ...] = (("up",), ("stream", "run"), PRODUCE, ("verify",), ("status",), ERASE, ("recount",))
LIMIT_S = 240


def first(command: tuple[str, ...]) -> str:
    """A command's name."""
    return command[0]


@pytest.fixture
def home(stack: Settings, tmp_path: Path) -> Path:
    """Another installation's folder that works with the running servers, with a key ring and a database of its own."""
    made = tmp_path / "home"
    shutil.copytree(stack.secrets, made / "secrets")
    settings: dict[str, dict[str, Any]] = {
        "kafka": {"port": stack.kafka.port, "request_timeout_s": 4},
        "cassandra": {"port": stack.cassandra.port, "request_timeout_s": 4},
        "mongo": {"port": stack.mongo.port, "request_timeout_s": 4, "database": "surroundings"},
        "spark": {"driver_memory": "1g"}, "producer": {"rate": 0.0, "page": 10}, "metrics": {"serve": False},
        "tls": {"on": stack.tls.on}}
    (made / "settings.toml").write_text("\n".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
        for section, fields in settings.items()))
    return made


def environment(home: Path, **more: str) -> dict[str, str]:
    """Of a process that works in this folder."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_") or key == "ROLLCALL_CACHE"}
    return {**ours, "ROLLCALL_HOME": str(home), **more}


def rollcall(command: tuple[str, ...], env: dict[str, str], before: tuple[str, ...] = (),
             limits: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; one that is changed before it begins is a process of its own from the start."""
    if not before and limits is None:
        return forks().run(["rollcall", *command], env, LIMIT_S)
    return subprocess.run([*before, sys.executable, "-m", "engine.cli", *command], cwd=CLONE, env=env, capture_output=True,
                          text=True, check=False, timeout=LIMIT_S, preexec_fn=limits)


def says(ended: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command ended with this code, and its last sentence holds these words; nothing of it is a traceback."""
    everything = ended.stdout + ended.stderr
    assert ended.returncode == code, everything
    assert "Traceback" not in everything
    assert "\tat " not in everything, "a traceback of Java"
    for word in words:
        assert word in everything


@contextmanager
def wrong_password(secrets: Path, principal: str) -> Iterator[None]:
    """Another password than the servers know."""
    path = secrets / f"{principal}.password"
    right = path.read_text()
    path.write_text("not-the-right-one")
    try:
        yield
    finally:
        path.write_text(right)


@pytest.mark.parametrize("command", COMMANDS, ids=first)
def test_a_file_where_the_folder_should_be(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    says(rollcall(command, environment(tmp_path / "home")), FolderUnusable.exit_code,
         "a file stands where a folder should be", "ROLLCALL_HOME")


OWN_FILE_SYSTEM = ("unshare", "--map-root-user", "--mount", "sh", "-c")
SPOIL = {
    "read-only": 'mount -o remount,ro "$HOME_OF"',
    "full": '{ dd if=/dev/zero of="$HOME_OF/zeros" bs=1k 2>/dev/null || true; }'}
MEANT = {"read-only": "read-only", "full": ""}


def may_mount() -> bool:
    """Whether this system lets us have a mount namespace."""
    try:
        return subprocess.run([*OWN_FILE_SYSTEM, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_mount(), reason="no mount namespaces here; the limit of the file size shows the same")
@pytest.mark.parametrize("how", SPOIL)
@pytest.mark.parametrize("command", [("up",), PRODUCE, ("verify",), ("stream", "run")], ids=first)
def test_a_folder_that_is_full_or_read_only(command: tuple[str, ...], how: str, home: Path, tmp_path: Path) -> None:
    script = (f'mount -t tmpfs -o size=256k tmpfs "$HOME_OF" && cp -a "$COPY/." "$HOME_OF/" && {SPOIL[how]} && exec "$@"')
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    env = environment(home, HOME_OF=str(home), COPY=str(copy))
    says(rollcall(command, env, (*OWN_FILE_SYSTEM, script, "sh")), FolderUnusable.exit_code, MEANT[how])


def test_a_file_that_may_not_grow(home: Path) -> None:
    says(rollcall(PRODUCE, environment(home), limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))),
         FolderUnusable.exit_code, "may not grow", "ulimit -f")


def test_an_output_that_is_full_and_one_that_nobody_reads(home: Path) -> None:
    for where, code in (("> /dev/full", FolderUnusable.exit_code), ("| true; exit ${PIPESTATUS[0]}", None)):
        ended = subprocess.run(["bash", "-c", f'"$0" -m engine.cli logs kafka --help {where}', sys.executable], cwd=CLONE,
                               env=environment(home), capture_output=True, text=True, check=False)
        assert code is None or ended.returncode == code
        assert "Traceback" not in ended.stderr
        assert "Exception ignored" not in ended.stderr


def test_too_little_room_and_memory_are_said_before_anything_is_begun(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = fresh(tmp_path, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("engine.machine.folders.LEAST_FREE_MB", 2 ** 40)
        with pytest.raises(FolderUnusable, match=r"Only \d+ MB are free in .*home; the servers need"):
            stacks.up(settings, lambda line: None)
    monkeypatch.setenv("ROLLCALL_KAFKA__HEAP", "90000g")
    with pytest.raises(SettingsInvalid, match=r"need \d+ MB of memory, and \d+ MB are available(.|\n)*ROLLCALL_KAFKA__HEAP"):
        stacks.up(load(), lambda line: None)
    assert not settings.data.exists()


def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation that was never started."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "settings.toml").write_text(settings_toml())
    monkeypatch.setenv("ROLLCALL_HOME", str(home))
    return load()


@pytest.mark.parametrize("name", [name for name in PORTS if not name.startswith("metrics.")])
def test_a_port_of_another_installation_is_named_with_its_owner_before_anything_is_started(
        stack: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    section, field = name.split(".")
    monkeypatch.setenv(f"ROLLCALL_{section}__{field}".upper(), str(stack.kafka.port))
    settings = fresh(tmp_path, monkeypatch)
    with pytest.raises(PortTaken, match=rf"Port {stack.kafka.port} \({name}\) is taken by java \(process \d+\)"
                                        rf"(.|\n)*ROLLCALL_{section.upper()}__{field.upper()}="):
        stacks.up(settings, lambda line: None)
    assert not Supervisor(settings).alive()
    assert not settings.data.exists()


@pytest.mark.parametrize("command", [("up",), ("stream", "run"), ("verify",)], ids=first)
@pytest.mark.parametrize("java", ["missing", "old"])
def test_a_missing_or_an_old_java(command: tuple[str, ...], java: str, home: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if java == "old":
        (programs / "java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"'\n")
        (programs / "java").chmod(0o755)
    ended = rollcall(command, environment(home, PATH=f"{programs}:/bin" if java == "old" else str(programs)))
    says(ended, ToolMissing.exit_code, "is not on the PATH" if java == "missing" else "is version 11 and must be 17",
         "openjdk-17-jre-headless")


def test_connectors_that_were_never_fetched(home: Path, tmp_path: Path) -> None:
    says(rollcall(("verify",), environment(home, ROLLCALL_CACHE=str(tmp_path / "cache"))), ToolMissing.exit_code,
         "connectors are not in", "rollcall up")


@pytest.mark.parametrize("command", [("stream", "run"), PRODUCE, ("verify",), ERASE, ("recount",)], ids=first)
def test_a_key_ring_that_is_missing_or_damaged(command: tuple[str, ...], home: Path) -> None:
    (home / "secrets" / "keys.json").write_text('{"current": "k001"}')
    says(rollcall(command, environment(home)), SettingsInvalid.exit_code, "is damaged", "backup")
    (home / "secrets" / "keys.json").unlink()
    says(rollcall(command, environment(home)), SettingsInvalid.exit_code, "no key ring", "restore it")


def test_up_makes_no_new_keys_beside_old_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = fresh(tmp_path, monkeypatch)
    (settings.data / "cassandra").mkdir(parents=True)
    with pytest.raises(SettingsInvalid, match="Put its copy back"):
        stacks.up(settings, lambda line: None)
    assert not (settings.secrets / "keys.json").exists()
    sealing.ensure_keys(settings)
    (settings.secrets / "keys.json").write_text("{")
    with pytest.raises(SettingsInvalid, match="damaged"):
        stacks.up(settings, lambda line: None)


@pytest.mark.parametrize("command", COMMANDS, ids=first)
@pytest.mark.parametrize(("toml", "words"), [
    ("[kafka]\nprot = 1\n", "ROLLCALL_KAFKA__PROT"), ("[kafka\n", "settings.toml cannot be read")])
def test_settings_that_are_wrong(command: tuple[str, ...], toml: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(toml)
    says(rollcall(command, environment(tmp_path)), SettingsInvalid.exit_code, words, "docs/settings.md")


@pytest.mark.parametrize(("command", "principal"), [
    (PRODUCE, "producer"), (("stream", "run"), "stream"), (("verify",), "verify"), (ERASE, "governance")], ids=str)
def test_a_wrong_password_of_a_program(command: tuple[str, ...], principal: str, home: Path) -> None:
    with wrong_password(home / "secrets", principal):
        says(rollcall(command, environment(home)), SignInRefused.exit_code, "refuses", "`rollcall up`")


def test_a_wrong_password_of_status_is_said_at_each_store(stack: Settings) -> None:
    with wrong_password(stack.secrets, "verify"):
        ended = rollcall(("status",), home_of(stack))
    says(ended, 1, *(f"{store} refuses verify" for store in ("Kafka", "Cassandra", "MongoDB")))


def test_up_with_the_secrets_of_another_installation(stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "REFUSED_FOR_S", 0.5)
    with wrong_password(stack.secrets, "provision"), \
            pytest.raises(SignInRefused, match=r"were made with other secrets(.|\n)*Put those secrets back"):
        stacks.servers_up(stack, lambda line: None)


AWAY = [("verify", "cassandra"), ("erase", "kafka"), ("recount", "mongo"), *(
    pytest.param(*case, marks=pytest.mark.proof) for case in (
        ("verify", "kafka"), ("verify", "mongo"), ("erase", "mongo"), ("recount", "kafka")))]


@pytest.mark.parametrize(("name", "store"), AWAY)
def test_a_store_that_is_away_when_a_command_begins(name: str, store: str, home: Path) -> None:
    command = next(command for command in COMMANDS if command[0] == name)
    port = {f"ROLLCALL_{store.upper()}__PORT": str(free_ports(1)[0])}
    called = {"kafka": "Kafka", "cassandra": "Cassandra", "mongo": "MongoDB"}[store]
    says(rollcall(command, environment(home, **port)), StoreAway.exit_code, f"{called} does not answer", "`rollcall up`")


@pytest.mark.parametrize(("command", "store", "words"), [
    (("stream", "run"), "cassandra", "waiting for Cassandra since"), (("stream", "run"), "mongo", "waiting for MongoDB since"),
    (PRODUCE, "kafka", "Waiting for Kafka: "), (PRODUCE, "cassandra", "Waiting for Cassandra: ")], ids=str)
def test_the_flows_own_programs_wait_for_a_store_and_say_so(
        command: tuple[str, ...], store: str, words: str, home: Path) -> None:
    env = environment(home, **{f"ROLLCALL_{store.upper()}__PORT": str(free_ports(1)[0])})
    log = home / "waiting.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "engine.cli", *command], cwd=CLONE, env=env, stdout=out, stderr=out)
    try:
        until(log.read_text, lambda: process.poll() is not None or words in log.read_text(), LIMIT_S)
        assert words in log.read_text(), log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


def test_a_program_is_not_started_without_its_supervisor(home: Path) -> None:
    says(rollcall(("stream", "start"), environment(home)), 1, "supervisord", "`rollcall up`")


def test_the_doctor_finds_a_running_installation_well(stack: Settings) -> None:
    ended = rollcall(("doctor", "--json"), home_of(stack))
    says(ended, 0)
    findings = {finding["name"]: finding for finding in json.loads(ended.stdout)["findings"]}
    assert len(findings) == 1 + len(CHECKS)
    assert f"{stack.kafka.port} is held by our kafka, java (process " in findings["port kafka.port"]["found"]
    assert "stream" in findings["sign-in cassandra"]["found"]
    assert stack.kafka.topic in findings["topics"]["found"]
    assert not any("not asked" in finding["found"] for finding in findings.values())


def section(settings: Settings, name: str, **fields: Any) -> Settings:
    """Settings with some fields of a section changed."""
    return settings.model_copy(update={name: getattr(settings, name).model_copy(update=fields)})


SPOILT: list[tuple[str, Callable[[Settings], Settings], str, str]] = [
    ("topics", lambda settings: section(settings, "kafka", topic="nowhere"), "nowhere, nowhere.control", "rollcall up"),
    ("topics", lambda settings: section(settings, "kafka", partitions=99), "fewer partitions", "rollcall up"),
    ("tables", lambda settings: section(settings, "cassandra", keyspace="nowhere"), "in keyspace nowhere", "rollcall up"),
    ("collections", lambda settings: section(settings, "mongo", database="nowhere"), "in database nowhere", "rollcall up"),
]


@pytest.mark.parametrize(("name", "spoil", "words", "todo"), SPOILT, ids=lambda part: part if isinstance(part, str) else "")
def test_the_doctor_finds_what_a_store_lacks(
        stack: Settings, name: str, spoil: Callable[[Settings], Settings], words: str, todo: str) -> None:
    assert look(name, stack).ok
    finding = look(name, spoil(stack))
    assert not finding.ok
    assert words in finding.found
    assert todo in finding.todo


def test_the_doctor_finds_a_cassandra_that_lets_an_earlier_stream_write_for_long(
        stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look("permissions", stack).ok
    monkeypatch.setattr(fence, "CACHED_S", 1.0)
    finding = look("permissions", stack)
    assert (finding.ok, "permissions_validity: 2s" in finding.found, "cassandra.yaml" in finding.todo) == (False, True, True)


@pytest.mark.parametrize("store", ["kafka", "cassandra", "mongo"])
def test_the_doctor_finds_a_wrong_password(stack: Settings, store: str) -> None:
    principal = "verify"
    with wrong_password(stack.secrets, principal):
        finding = look(f"sign-in {store}", stack)
    assert not finding.ok
    assert f"refuses {principal}" in finding.found
    assert "rollcall up" in finding.todo


@pytest.mark.parametrize("name", ["kafka", "cassandra", "mongo"])
def test_the_doctor_finds_a_clock_that_is_wrong(stack: Settings, name: str) -> None:
    assert look(f"clock {name}", stack).ok
    for off in (-3600, 3600):
        there = datetime.now(UTC) + timedelta(seconds=off)
        finding = found(Clock(name, partial(told, there)), stack)
        assert not finding.ok
        assert "UTC where we say" in finding.found
        assert "NTP" in finding.todo


def told(moment: datetime, settings: Settings) -> datetime:
    """What a clock says that stands still."""
    return moment


def test_the_doctor_finds_programs_without_their_supervisor(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", str(home))
    settings = load()
    assert look("programs", settings).ok
    env = environment(home, SUPERVISOR_PROCESS_NAME="stream")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=env) as orphan:
        finding = look("programs", settings)
        orphan.kill()
    assert not finding.ok
    assert "supervisord is gone, and 1 of its processes run on" in finding.found


def test_every_check_of_a_store_was_seen_to_fail() -> None:
    seen = {row[0] for row in SPOILT} | {f"{what} {store}" for what in ("sign-in", "clock")
                                         for store in ("kafka", "cassandra", "mongo")} | {"permissions"}
    assert {check.name for check in STORES} == seen


def look(name: str, settings: Settings) -> Finding:
    """What the check of this name finds."""
    return found(next(check for check in CHECKS if check.name == name), settings)
