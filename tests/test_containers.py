"""Servers in containers are started with what native ones are: each start.sh is run here and compared with engine/native.

Java and MongoDB's entrypoint are played by scripts that keep what they are given. The files of an image are those that its
Dockerfile copies. What differs must stand in DIFFERENT, with its reason.
"""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from engine import secrets
from engine.native import cassandra, fetch, kafka, mongod, server
from engine.settings import CLONE, Settings, load
from engine.supervisord import SERVERS
from engine.tls import authority
from tests.compose import read

SERVICES = read()["services"]
LISTENING = CLONE / "infra/containers/listening.sh"

JAVA = """#!/bin/sh
# keeps the content of the @argfile that it is given
for argument in "$@"; do case "$argument" in @*) cat "${argument#@}" >> "$KEPT"; echo --- >> "$KEPT" ;; esac; done
"""
ENTRYPOINT = """#!/bin/sh
for argument in "$@"; do echo "$argument" >> "$KEPT"; done
"""
MONGOD = """#!/bin/sh
echo "db version v8.0.13"
"""

EVERYWHERE = "0.0.0.0"    # noqa: S104
QUORUM = re.sub(r"\d+@([^:]+:\d+):[^,]+", r"\1", SERVICES["kafka-1"]["environment"]["CONTROLLERS"])
JMX = "-Dcassandra.jmx.local.port=7199"
"""`docker compose exec cassandra nodetool` is the only way in: nobody of ours can attach to a Java in another container. The
port listens on the container's own loopback."""

DIFFERENT: dict[str, dict[str, str]] = {
    # one node: nothing but where things are, which `Image.started` puts at the same places
    "kafka": {},
    "cassandra": {
        "start.args": f"+ {JMX}",
    },
    "mongo": {
        "mongod.yaml net.bindIp": EVERYWHERE,    # two networks, both without a way out
    },
    "kafka-2": {
        "server.properties node.id": "2",
        "server.properties controller.quorum.bootstrap.servers": QUORUM,    # all three vote
        # what is Kafka's own is kept three times too, and written as long as two have it
        **{f"server.properties {name}": value for name, value in {
            "offsets.topic.replication.factor": "3", "transaction.state.log.replication.factor": "3",
            "transaction.state.log.min.isr": "2", "share.coordinator.state.topic.replication.factor": "3",
            "share.coordinator.state.topic.min.isr": "2", "min.insync.replicas": "2"}.items()},
        "format.args": f"- --standalone + --initial-controllers {SERVICES['kafka-2']['environment']['CONTROLLERS']}",
    },
    "cassandra-3": {
        "cassandra.yaml num_tokens": "16",    # spread evenly over three nodes
        "cassandra.yaml allocate_tokens_for_local_replication_factor": "3",
        "cassandra.yaml seed_provider.0.parameters.0.seeds": "cassandra-1:7000",
        # there are others to wait for; who may sign in is kept three times
        "start.args": "- -Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.skip_wait_for_gossip_to_settle=0 "
                      "-Dcassandra.ring_delay_ms=1 -Dcassandra.initial_token=0 "
                      f"+ -Dcassandra.system_auth.default_rf=3 {JMX}",
    },
    "mongo-2": {
        "mongod.yaml net.bindIp": EVERYWHERE,
        "command": "+ --replSet rollcall --keyFile SECRETS/provision.password",
    },
}
"""Service -> what it has otherwise than the native server; of arguments: - those it lacks + those it has more."""


class Trial:
    """A native server's files beside those that a container would make, both below one folder."""

    def __init__(self, service: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.service, self.folder = service, folder
        self.server = service.partition("-")[0]
        self.image, self.made = folder / "image", folder / "made"
        for name in [name for name in os.environ if name.startswith("ROLLCALL_")]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(folder / "home"))
        patch.setenv("ROLLCALL_CACHE", str(folder / "cache"))
        patch.setenv("KEPT", str(folder / "kept"))
        (folder / "bin").mkdir()
        for name, text in (("java", JAVA), ("entrypoint", ENTRYPOINT), ("mongod", MONGOD)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        self.settings: Settings = load()
        self.jars = {"kafka": fetch.KAFKA, "cassandra": fetch.CASSANDRA}.get(self.server, fetch.KAFKA).folder(self.settings)
        self.jars.mkdir(parents=True)
        (self.jars / "jamm-1.jar").touch()
        secrets.ensure_passwords(self.settings)
        self.image.mkdir()
        self.made.mkdir()
        _copied(f"infra/Dockerfile.{self.server}", self.image)

    def kept(self) -> list[str]:
        """What the played programs were given, since the last time."""
        kept = self.folder / "kept"
        text = kept.read_text() if kept.exists() else ""
        kept.unlink(missing_ok=True)
        return text.splitlines()

    def native(self) -> dict[str, Any]:
        """What the native server is started with: file -> content, places named alike."""
        run = self.settings.run / self.server
        if self.server == "kafka":
            kafka.configure(self.settings, lambda _: None)
            formatted = self.kept()
            return {"server.properties": _properties(self.plain(run / "server.properties")),
                    "log4j2.yaml": self.plain(run / "log4j2.yaml"), "format.args": self.words(formatted),
                    "start.args": self.words((run / "start.args").read_text().splitlines())}
        if self.server == "cassandra":
            cassandra.configure(self.settings, lambda _: None)
            return {"cassandra.yaml": yaml.safe_load(self.plain(run / "cassandra.yaml")),
                    "start.args": self.words((run / "start.args").read_text().splitlines())}
        mongod.configure(self.settings, lambda _: None)
        return {"mongod.yaml": yaml.safe_load(self.plain(self.settings.run / "mongod/mongod.yaml")),
                "command": self.words(mongod.command(self.settings))}

    def started(self) -> dict[str, Any]:
        """The same of the container: its start.sh is run as the compose file has it."""
        environment = {**SERVICES[self.service]["environment"]}
        ended = subprocess.run(
            [str(self.image / "start.sh")], capture_output=True, text=True, check=False,
            env={**os.environ, **environment, "HERE": str(self.image), "RUN": str(self.made), "LIBS": str(self.jars),
                 "SECRETS": str(self.settings.secrets), "DATA": str(self.folder / "data"), "LOGS": str(self.folder / "logs"),
                 "ENTRYPOINT": "entrypoint"})
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
        assert not list(self.made.glob("format.args")), "passwords stay in a file no longer than needed"
        kept = self.kept()
        if self.server == "kafka":
            between = kept.index("---")
            return {"server.properties": _properties(self.plain(self.made / "server.properties")),
                    "log4j2.yaml": self.plain(self.made / "log4j2.yaml"), "format.args": self.words(kept[:between]),
                    "start.args": self.words(kept[between + 1:])}
        if self.server == "cassandra":
            return {"cassandra.yaml": yaml.safe_load(self.plain(self.made / "cassandra.yaml")), "start.args": self.words(kept)}
        return {"mongod.yaml": yaml.safe_load(self.plain(self.made / "mongod.yaml")), "command": self.words(kept)}

    def plain(self, file: Path) -> str:
        """A rendered file with its places called by what they are."""
        return self.named(file.read_text())

    def words(self, lines: list[str]) -> list[str]:
        """Arguments, with their places called by what they are."""
        return [self.named(json.loads(line) if line.startswith('"') else line) for line in lines if line != "---"]

    def named(self, text: str) -> str:
        """Places called by what they are; the native server's own address by the container's name."""
        run, data = self.settings.run, self.settings.data
        for place, name in ((run / "kafka", "RUN"), (run / "cassandra", "RUN"), (run / "mongod", "RUN"), (self.made, "RUN"),
                            (self.image / "logback.xml", "RUN/logback.xml"), (data / "kafka", "DATA"),
                            (data / "cassandra", "DATA"), (data / "mongod", "DATA"), (self.folder / "data", "DATA"),
                            (self.folder / "logs", "LOGS"), (self.settings.logs_dir, "LOGS"),
                            (authority.folder(self.settings), "SECRETS"), (self.settings.secrets, "SECRETS"),
                            (self.folder / "bin/mongod", "mongod")):
            text = text.replace(str(place), name)
        return re.sub(r"127\.0\.0\.1", SERVICES[self.service]["environment"]["HOST"], text)


def _copied(dockerfile: str, target: Path) -> None:
    """Does what the COPY lines of a Dockerfile do."""
    for line in re.findall(r"^COPY --chmod=0755 (.+) /opt/rollcall/$", (CLONE / dockerfile).read_text(), re.MULTILINE):
        for name in line.split():
            source = CLONE / name
            for file in source.iterdir() if source.is_dir() else (source,):
                shutil.copy(file, target / file.name)


def _properties(text: str) -> dict[str, str]:
    """Java's properties: of a key that stands twice the last one counts."""
    return {line.partition("=")[0]: line.partition("=")[2] for line in text.splitlines() if line and line[0] != "#"}


def _flat(content: Any, path: str = "") -> dict[str, Any]:
    """Nested content as path -> value."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    flat = {place: value for name, inner in pairs for place, value in _flat(inner, f"{path}.{name}".strip(".")).items()}
    return flat or {path: content}


def differences(native: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
    """Place -> what the container has there."""
    found: dict[str, str] = {}
    for file, content in native.items():
        other = container[file]
        if isinstance(content, dict):
            ours, theirs = _flat(content), _flat(other)
            found |= {f"{file} {place}".strip(): str(theirs.get(place, "nothing"))
                      for place in {**ours, **theirs} if ours.get(place) != theirs.get(place)}
        elif isinstance(content, str):
            found |= {} if content == other else {file: other}
        else:
            lacks = " ".join(["-", *(word for word in content if word not in other)])
            more = " ".join(["+", *(word for word in other if word not in content)])
            if said := " ".join(part for part in (lacks, more) if len(part) > 1):
                found[file] = said
            elif content != other:
                found[file] = "another order"
    return found


@pytest.mark.parametrize("service", ["kafka", "cassandra", "mongo"])
def test_with_tls_a_container_starts_as_the_native_server(service: str, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(service, tmp_path, monkeypatch)
    plain = trial.native()
    trial.settings = trial.settings.model_copy(update={"tls": trial.settings.tls.model_copy(update={"on": True})})
    authority.ensure(trial.settings)
    for path in authority.folder(trial.settings).iterdir():    # a container has them beside its passwords
        shutil.copy(path, trial.settings.secrets)
    monkeypatch.setenv("TLS", "yes")
    native = trial.native()
    assert native != plain
    assert differences(native, trial.started()) == DIFFERENT[service]


@pytest.mark.parametrize("service", DIFFERENT)
def test_a_container_starts_as_the_native_server(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(service, tmp_path, monkeypatch)
    assert differences(trial.native(), trial.started()) == DIFFERENT[service]


def test_every_node_is_started_as_one_that_is_compared() -> None:
    for name, service in SERVICES.items():
        server, _, number = name.partition("-")
        if server not in SERVERS or not (number.isdigit() or not number):
            continue
        like = name if not number else next(one for one in DIFFERENT if one.startswith(f"{server}-"))
        own, compared = service["environment"], SERVICES[like]["environment"]
        ours = {"HOST", "NODE_ID"} | ({"MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD_FILE"} if number else set())
        assert {one: own[one] for one in own.keys() - ours} == {one: compared[one] for one in compared.keys() - ours}


def _cut(name: str, old: str, new: str = "") -> Callable[[Trial, pytest.MonkeyPatch], None]:
    """A change of one file of the image."""
    def change(trial: Trial, _: pytest.MonkeyPatch) -> None:
        text = (trial.image / name).read_text()
        assert old in text
        (trial.image / name).write_text(text.replace(old, new))
    return change


def _set(module: Any, name: str, value: Any) -> Callable[[Trial, pytest.MonkeyPatch], None]:
    """A change of the native side."""
    return lambda _, patch: patch.setattr(module, name, value)


def _setting(section: str, **fields: Any) -> Callable[[Trial, pytest.MonkeyPatch], None]:
    """A setting of the native side."""
    def change(trial: Trial, _: pytest.MonkeyPatch) -> None:
        changed = getattr(trial.settings, section).model_copy(update=fields)
        trial.settings = trial.settings.model_copy(update={section: changed})
    return change


@pytest.mark.parametrize(("service", "change"), [
    ("kafka", _cut("jvm.args", "-XX:-UsePerfData\n")),
    ("kafka", _cut("server.properties", "allow.everyone.if.no.acl.found=false", "allow.everyone.if.no.acl.found=true")),
    ("kafka", _cut("server.properties", "${controller_port}", "9094")),
    ("kafka", _cut("start.sh", "kafka.Kafka", "kafka.Other")),
    ("kafka", _cut("start.sh", '--add-scram "$(user provision)"')),
    ("kafka-2", _cut("three.properties", "min.insync.replicas=2", "min.insync.replicas=1")),
    ("kafka", _set(kafka, "CLUSTER_ID", "another")),
    ("kafka", _set(kafka, "FORMATTED_WITH", ("broker",))),
    ("kafka", _set(kafka, "JVM", (*server.JVM, "-Dmore=1"))),
    ("kafka", _setting("kafka", port=9192)),
    ("kafka", _setting("kafka", heap="600m")),
    ("kafka", _setting("logs", backups=7)),
    ("cassandra", _cut("modules.args", "--add-opens=java.base/java.nio=ALL-UNNAMED\n")),
    ("cassandra", _cut("cassandra.yaml", "authorizer: CassandraAuthorizer", "authorizer: AllowAllAuthorizer")),
    ("cassandra", _cut("start.sh", "group_window: 2ms", "group_window: 20ms")),
    ("cassandra", _set(cassandra, "EXPORTS", cassandra.EXPORTS[1:])),
    ("cassandra", _set(cassandra, "SINGLE_NODE", ())),
    ("cassandra-3", _set(cassandra, "SINGLE_NODE", ())),
    ("cassandra", _setting("cassandra", storage_port=7001)),
    ("cassandra", _setting("cassandra", commitlog_sync="periodic")),
    ("mongo", _cut("mongod.yaml", "authorization: enabled", "authorization: disabled")),
    ("mongo", _cut("start.sh", "--quiet")),
    ("mongo-2", _cut("start.sh", "--keyFile", "--clusterFile")),
    ("mongo", _setting("mongo", port=27018)),
])
def test_a_change_on_one_side_is_noticed(service: str, change: Callable[[Trial, pytest.MonkeyPatch], None], tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(service, tmp_path, monkeypatch)
    change(trial, monkeypatch)
    assert differences(trial.native(), trial.started()) != DIFFERENT[service]


def _filled(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What fill.sh makes of a template, with `one` as its only value, by a sed that knows what POSIX has and no more."""
    (folder / "template").write_text(text)
    script = f"sed() {{ command sed --posix \"$@\"; }}; . {CLONE}/infra/containers/fill.sh; one='1 $one \\'; fill template"
    return subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("text", [
    "a=${one}\n", "`touch here` $(id) $HOME $ \\ \\n 'x' \"${one}\" 100%\n", "%d{yyyy-MM-dd'T'HH:mm}\n${one}${one}.%i\n", "$",
    "ends with $\n${one} and $\n"])
def test_a_shell_fills_templates_in_as_python_does(text: str, tmp_path: Path) -> None:
    ended = _filled(text, tmp_path)
    assert (ended.returncode, ended.stdout.rstrip("\n"), ended.stderr) == (
        0, Template(text).safe_substitute(one="1 $one \\").rstrip("\n"), "")


def test_a_name_without_a_value_ends_the_start(tmp_path: Path) -> None:
    assert _filled("a=${another}\n", tmp_path).returncode != 0


def test_what_stands_in_a_password_is_not_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial("kafka", tmp_path, monkeypatch)
    word = "$(touch here) `id` ${HOME} \\ %s"
    secrets.write_secret(trial.settings.secrets / "broker.password", word.encode())
    trial.started()
    assert f'password="{word}"' in (trial.made / "server.properties").read_text()


def test_nothing_that_is_rendered_can_be_read_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial("kafka", tmp_path, monkeypatch)
    trial.started()
    assert [path.name for path in trial.made.iterdir() if path.stat().st_mode & 0o077] == []


def test_a_failed_formatting_ends_the_start_and_says_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial("kafka", tmp_path, monkeypatch)
    (trial.folder / "bin/java").write_text('#!/bin/sh\ncat "${1#@}"; echo "the disk is full"; exit 1\n')
    ended = subprocess.run([str(trial.image / "start.sh")], capture_output=True, text=True, check=False, env={
        **os.environ, **SERVICES["kafka"]["environment"], "HERE": str(trial.image), "RUN": str(trial.made),
        "LIBS": str(trial.jars), "SECRETS": str(trial.settings.secrets), "DATA": str(trial.folder / "data")})
    assert ended.returncode == 1
    assert "the disk is full" in ended.stdout
    for name in ("broker", "provision"):
        assert secrets.password(trial.settings, name).get_secret_value() not in ended.stdout + ended.stderr
    assert not (trial.made / "format.args").exists()


def test_health_is_every_port_of_the_list() -> None:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        one.listen()
        open_port, closed = str(one.getsockname()[1]), str(other.getsockname()[1])
        assert subprocess.run([LISTENING, "127.0.0.1", open_port], check=False).returncode == 0
        assert subprocess.run([LISTENING, "127.0.0.1", open_port, closed], check=False, capture_output=True).returncode == 1
