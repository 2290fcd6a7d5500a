"""An old copy of a store's data is put back, and who was erased since stays erased: on an installation of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.installation import settings_toml
from engine import shut
from engine import stack as stacks
from engine.clients import cassandra_session, kafka_admin
from engine.processes import Supervisor, left_over
from engine.provision import provision
from engine.rights import control, package, restore, topics
from engine.rights.control import OtherCommands, export_commands, import_commands
from engine.sealing import load_keys
from engine.settings import CLONE, Settings, load
from tests.people import CAPTURED, captured
from tests.services.search import forms, found
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.proof, pytest.mark.timeout(1800)]

PEOPLE = [person["login"]["uuid"] for person in captured("1.4")]
BEFORE, AFTER = PEOPLE[:2]
LIMIT_S = 300.0


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running installation with the captured people, one of whom is erased; then its copies are made."""
    home = tmp_path_factory.mktemp("restored")
    (home / "settings.toml").write_text(settings_toml(producer={"rate": 0.0}, stream={"lease_s": 5.0}))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(home))
        made = load()
        try:
            stacks.servers_up(made, quiet)
            Supervisor(made).start("stream")
            rollcall("produce", "--source", "replay", "--file", str(CAPTURED["1.4"]))
            until("all are rows", lambda: len(rows(made)) == len(PEOPLE), LIMIT_S)
            rollcall("erase", BEFORE, "--request", "R-before", "--within", "200")
            package.make(made, "R-copy", PEOPLE[2])
            stacks.down(made, quiet)
            for store in ("cassandra", "mongo"):
                shutil.copytree(made.data / store, copy_of(made, store))
            stacks.servers_up(made, quiet)
            Supervisor(made).start("stream")
            rollcall("erase", AFTER, "--request", "R-after", "--within", "200")
            package.purge(made, "R-copy")
            yield made
        finally:
            stacks.down(made, quiet)
        assert left_over(made) == []


def copy_of(settings: Settings, store: str) -> Path:
    return settings.home.parent / f"{settings.home.name}-copy-{store}"


def rollcall(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "engine.cli", *arguments], cwd=CLONE, capture_output=True, text=True,
                          check=False, timeout=2 * LIMIT_S)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def rows(settings: Settings) -> set[str]:
    with cassandra_session(settings, "verify") as session:
        return {str(row.uuid) for row in session.execute(f"SELECT uuid FROM {settings.cassandra.keyspace}.profiles")}


def held(settings: Settings) -> dict[str, set[bytes]]:
    """Where something of those who are erased is found, but in Kafka: there it stays for the bound of its topics."""
    people, keys = captured("1.4"), load_keys(settings)
    words = [word for person in people if person["login"]["uuid"] in (BEFORE, AFTER)
             for word in (*forms(person["login"]["uuid"]), person["email"].encode(), person["phone"].encode(),
                          keys.email_token(person["email"]).encode())]
    return {path: texts for path, texts in found(settings, settings, words).items() if "/data/kafka/" not in path}


@pytest.mark.parametrize("store", ["cassandra", "mongo"])
def test_an_old_copy_brings_nobody_back(settings: Settings, store: str) -> None:
    assert "nothing may be open yet" in " ".join(rollcall("restore-check", code=75).split())    # the stream runs
    stacks.down(settings, quiet)
    shutil.rmtree(settings.data / store)
    shutil.copytree(copy_of(settings, store), settings.data / store)
    if store == "cassandra":
        stacks.servers_up(settings, quiet)
        assert AFTER in rows(settings)    # the copy has them
        assert held(settings)
        assert package.state(settings, "R-copy") is not None
        rollcall("restore-check", "--within", "0", code=75)
        with pytest.raises(shut.KeptShut):
            Supervisor(settings).start("console")
    said = rollcall("restore-check", "--within", "300")
    assert ("goes on reading" in said) == (store == "cassandra")
    assert package.state(settings, "R-copy") is None
    assert not shut.stands(settings)
    assert "2 people are erased, 0 of them have a row" in " ".join(said.split())
    assert rows(settings) == set(PEOPLE) - {BEFORE, AFTER}
    rollcall("verify")
    assert held(settings) == {}


def test_commands_outlive_the_loss_of_their_topic(settings: Settings, tmp_path: Path) -> None:
    file, keys = tmp_path / "commands.jsonl", load_keys(settings)
    count = export_commands(settings, file)
    before = topics.of_commands(settings, keys, None)
    assert count == len(before) >= 2
    assert AFTER not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    with closing(kafka_admin(settings, "provision")) as admin:    # as an import leaves it that is killed
        control._stamp(admin, settings.kafka.control_topic, "CreateTime")
        assert import_commands(settings, file) == 0
        assert control._stamps(admin, settings.kafka.control_topic) == "LogAppendTime"
    restore.require_commands(settings)
    lost = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"topic": "again"})})
    provision(lost, quiet, "kafka")
    try:
        with pytest.raises(restore.CommandsMissing, match="are missing"):
            restore.require_commands(lost)
        assert import_commands(lost, file) == count
        restore.require_commands(lost)
        after = topics.of_commands(lost, keys, None)
        assert [(one.offset, one.at, one.verb, one.uuid) for one in after] == [
            (one.offset, one.at, one.verb, one.uuid) for one in before]
        lines = file.read_text().splitlines()
        file.write_text("\n".join(reversed(lines)) + "\n")
        with pytest.raises(OtherCommands):
            import_commands(lost, file)
    finally:
        provision(settings, quiet, "kafka")
