"""What is wanted of Kafka's rules: kept in versions, changed and applied by the commands, and the same as scripts."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.access.apply import Access
from engine.access.broker import AccessRefused, Broker
from engine.access.scripts import ADD, FOLDER, REMOVE, export, scripts
from engine.access.state import WantedState, first, version
from engine.cli import app
from engine.clients import cassandra_session
from engine.errors import RollcallError
from engine.native import fetch
from engine.provision import provision
from engine.sealing import ensure_keys
from engine.settings import Settings, load
from engine.stores.audit import AuditLog
from engine.stores.records import Records, Stale
from engine.tls import authority, trust
from tests.conftest import home_of
from tests.services.access import of_others

pytestmark = pytest.mark.services

TEAM = """
  orders:
    principals:
      acc-writer:
        - {role: producer, topics: [orders.old.x, orders.new.x]}
"""


@pytest.fixture(scope="module")
def provisioned(stack: Settings) -> Settings:
    """The servers with keys, and with the permissions of this installation."""
    ensure_keys(stack)
    provision(stack, lambda _: None)
    return stack


@pytest.fixture(autouse=True)
def nothing_left(provisioned: Settings) -> Iterator[None]:
    """Each test begins without rules of the others, and without a kept version."""
    yield
    with Broker.opened(provisioned) as broker:
        for one in of_others(broker):
            broker.delete(one)
    with cassandra_session(provisioned, "provision") as session:
        session.execute(f"DELETE FROM {provisioned.cassandra.keyspace}.records WHERE record = 'access/kafka'")


def test_the_wanted_state_has_versions_and_refuses_a_stale_save(provisioned: Settings) -> None:
    with Records.opened(provisioned) as records:
        state = WantedState(provisioned, records)
        assert state.newest().n == 0
        text = state.newest().text
        mine = text.replace("\nteams:\n", f"\nteams:{TEAM}", 1)
        assert state.save(mine, 0, "system ada", "a new team").n == 1
        with pytest.raises(Stale, match=r"system ada saved version 1 .*a new team"):
            state.save(text, 0, "system bob", "another")
        with pytest.raises(AccessRefused, match=r"line \d+: teams\.orders.*write producer"):
            state.save(mine.replace("role: producer", "role: prodcer"), 1, "system bob", "x")
        more = mine.replace("      verify:\n", "      verify:\n        - {role: producer, topics: [x]}\n")
        with pytest.raises(AccessRefused, match="too much: verify may write to topic 'x'"):
            state.save(more, 1, "system bob", "x")
        with pytest.raises(AccessRefused, match="Say why"):
            state.save(mine, 1, "system bob", " ")
        assert [one.why for one in state.versions()] == ["first content", "a new team"]
        assert state.newest().text == mine


def test_the_commands_go_from_a_changed_text_to_a_user_that_is_gone(provisioned: Settings, tmp_path: Path) -> None:
    assert load().home == provisioned.home, "the commands work with these servers"

    def rollcall(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["access", *arguments])
        refused = isinstance(done.exception, RollcallError)
        ended = done.exception.exit_code if isinstance(done.exception, RollcallError) else done.exit_code
        assert ended == code, f"{arguments}: exit {ended}\n{done.output}{done.exception}"
        return f"{done.output}{done.exception if refused else ''}"

    file = tmp_path / "wanted.yaml"
    rollcall("export", str(file))
    text = file.read_text().replace("\nteams:\n", f"\nteams:{TEAM}", 1)
    file.write_text(text)
    assert "Version 1 is what is wanted" in rollcall("import", str(file), "--base", "0", "--why", "test")
    file.write_text(text.replace("acc-writer:", "acc-author:"))
    assert "Meanwhile" in rollcall("import", str(file), "--base", "0", "--why", "test", code=65)
    assert "Version 2 is what is wanted" in rollcall("import", str(file), "--base", "1", "--why", "test")
    planned = rollcall("plan", code=1)
    assert "+ orders's acc-author may write to topic 'orders.new.x' from any address" in planned
    assert "--add --allow-principal User:acc-author" in planned
    own = planned.split("Plan ")[1].split(":")[0]
    assert "another plan" in rollcall("apply", "--why", "test", "--yes", "0123", code=65)
    assert "steps are done" in rollcall("apply", "--why", "test", "--yes", own)
    assert "nothing to do" in rollcall("plan")
    assert "Yes: acc-author may write to topic" in rollcall("check", "acc-author", "write", "topic:orders.new.x")
    assert "No: no rule allows it." in rollcall("check", "acc-author", "READ", "topic:orders.new.x", code=1)
    assert "cannot be asked" in rollcall("check", "acc-author", "FLY", "topic:orders.new.x", code=65)
    assert "Kafka has what is wanted" in rollcall("drift")
    word = rollcall("users", "create", "acc-author").split("shown this once: ")[1].strip()
    assert "acc-author" in rollcall("users", "list")
    assert word not in rollcall("users", "rotate", "acc-author")
    gone = rollcall("users", "delete", "acc-author", "--why", "test", "--yes", "acc-author")
    assert "is gone with 2 rules" in gone
    assert "is still wanted" in gone
    assert "missing     orders's acc-author may write to topic 'orders.new.x'" in rollcall("drift", code=1)
    assert "[]" in rollcall("denied", "--principal", "nobody-at-all", "--json")
    rollcall("export-scripts", "--folder", str(tmp_path / "scripts"))
    assert "acc-author" in (tmp_path / "scripts" / ADD).read_text()


SCRIPTED = """teams:
  orders:
    principals:
      acc-odd's:
        - {role: consumer, topics: [orders-*], groups: [acc g]}
        - {role: transactional producer, topics: [x], transactional_ids: [t-*], hosts: [10.0.0.1]}
      acc-keeper:
        - {role: acl administrator, hosts: [10.0.0.3]}
rules:
  - {principal: acc-b, permission: deny, operation: ALL, resource: topic, name: "*", host: 10.0.0.2}
"""


def test_the_scripts_give_what_apply_gives(provisioned: Settings, tmp_path: Path) -> None:
    wanted = version(provisioned, SCRIPTED)
    tool = tmp_path / "bin" / "kafka-acls.sh"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "
                    f"{shlex.quote(f'{fetch.KAFKA.folder(provisioned)}/*')} org.apache.kafka.tools.AclCommand \"$@\"\n")
    tool.chmod(0o755)
    config = tmp_path / "admin.properties"
    config.touch(mode=0o600)
    word = (provisioned.secrets / "gatekeeper.password").read_text()
    by_tls = f"ssl.truststore.type=PEM\nssl.truststore.location={authority.folder(provisioned) / 'ca.crt'}\n"
    config.write_text(f"security.protocol={trust.kafka_protocol(provisioned)}\n{by_tls if provisioned.tls.on else ''}"
                      "sasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config=org.apache.kafka."
                      f'common.security.scram.ScramLoginModule required username="gatekeeper" password="{word}";\n')
    export(wanted, tmp_path)
    assert export(wanted, tmp_path) == []

    def run(script: str) -> None:
        environment = home_of(provisioned)
        subprocess.run([tmp_path / script], check=True, timeout=60, stdin=subprocess.DEVNULL, capture_output=True, env={
            **environment, "BOOTSTRAP": provisioned.kafka_address, "CONFIG": str(config),
            "PATH": f"{tool.parent}:{environment['PATH']}"})

    with Broker.opened(provisioned) as broker, AuditLog.opened(provisioned) as audit:
        access = Access(provisioned, broker, wanted)
        access.apply(access.plan(deletes=False), audit, "system test", "test", lambda _: None)
        by_apply = of_others(broker)
        assert by_apply == wanted.rules
        assert any(line.endswith("--cluster") for line in (tmp_path / ADD).read_text().splitlines())
        run(REMOVE)
        assert of_others(broker) == frozenset()
        run(ADD)
        assert of_others(broker) == by_apply


def test_the_scripts_in_the_clone_are_those_of_the_first_content() -> None:
    for name, content in scripts(first(Settings())).items():
        assert (FOLDER / name).read_text() == content, "`rollcall access export-scripts` makes them anew"
