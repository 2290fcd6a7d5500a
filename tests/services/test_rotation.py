"""Keys and passwords are exchanged while everything runs: nobody who reads meets a row that cannot be opened, whoever is killed
in the middle goes on, and what was there before opens nothing any more."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bench.reading import reading
from engine import secrets
from engine.clients import cassandra_session, kafka_admin, mongo_client
from engine.errors import SettingsInvalid, StoreAway
from engine.processes import Supervisor
from engine.provision import mongo
from engine.rights import find
from engine.rotation import keys as rotation
from engine.rotation import passwords
from engine.sealing import CannotOpen, keys_path, load_keys, save_keys
from engine.settings import CLONE, Settings
from engine.stores.profiles import PORTION
from engine.stores.status import Status
from engine.writer.write_order import Sealing
from tests.people import GENERATED, generated
from tests.services.flow import PERSONAL, Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

PEOPLE = 2 * PORTION + PORTION // 2
LATER = 20
MOVED = ("key_id", "email_token")


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow for the tests of keys, which build on one another in their order."""
    with Flow(stack, tmp_path_factory.mktemp("rotation"), "rotation") as made:
        people = tmp_path_factory.mktemp("people") / "first.jsonl"
        people.write_bytes(b"".join(gzip.decompress(GENERATED.read_bytes()).splitlines(keepends=True)[:PEOPLE]))
        made.start()
        made.produce(people)
        made.quiet()
        yield made


def send(flow: Flow, first: int, count: int = LATER) -> list[str]:
    """Sends so many more people; returns their uuids."""
    people = generated()[first:first + count]
    for person in people:
        flow.send(person["login"]["uuid"].encode(), json.dumps(person).encode())
    return [person["login"]["uuid"] for person in people]


def sealing(flow: Flow) -> Sealing | None:
    with mongo_client(flow.settings, "verify") as client:
        return Status(client[flow.settings.mongo.database]).writer().sealing


def looked(flow: Flow) -> int:
    walk = sealing(flow)
    return walk.looked if walk else 0


def same_but_for_keys(before: dict[str, Any], now: dict[str, Any]) -> None:
    """That these rows say the same."""
    for uuid, row in before.items():
        assert {**now[uuid], **dict.fromkeys(MOVED)} == {**row, **dict.fromkeys(MOVED)}


def test_the_pii_key_is_rotated_while_somebody_reads_and_stream_and_command_are_killed(flow: Flow) -> None:
    before, old = flow.rows(), load_keys(flow.settings)
    boxes = {str(row["uuid"]): bytes(row["phone"]) for row in flow.sealed_rows() if row["phone"]}
    assert len(before) == PEOPLE
    with reading(flow.settings) as readings:
        command = subprocess.Popen([sys.executable, "-m", "engine.cli", "keys", "rotate", "pii"], cwd=CLONE,
                                   env=flow.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            flow.until("a portion is sealed anew", lambda: looked(flow) >= PORTION)
            flow.stop(signal.SIGKILL)
        finally:
            command.kill()
            command.wait()
        walk = sealing(flow)
        assert walk is not None
        assert not walk.ended, "it was killed in the middle"
        ring = load_keys(flow.settings)
        assert (ring.current, sorted(ring.columns)) == ("k002", ["k001", "k002"])
        new = send(flow, PEOPLE)
        flow.start()
        done = flow.rollcall("keys", "rotate", "pii")
        flow.quiet()
    assert "going on with a rotation that was begun" in done.stderr
    assert f"all {PEOPLE + LATER:,} rows" in done.stdout.replace("\n", " ")
    assert (readings.unreadable, readings.failed) == ([], [])
    assert readings.keys == {"k001", "k002"}
    assert readings.looks > 1
    keys = load_keys(flow.settings)
    assert (keys.current, list(keys.columns), keys.rotating) == ("k002", ["k002"], False)
    assert keys.columns["k002"] != old.columns["k001"]
    now = flow.rows()
    same_but_for_keys(before, now)
    assert set(now) == {*before, *new}
    assert {(row["key_id"], *{bytes(row[name])[:4] for name in PERSONAL if row[name]})
            for row in flow.sealed_rows()} == {("k002", b"k002")}
    flow.keys = load_keys(flow.settings)
    flow.verified()
    uuid, box = next(iter(boxes.items()))
    with pytest.raises(CannotOpen):
        flow.keys.open_column(uuid, "phone", box)


@pytest.mark.proof
def test_people_who_come_at_once_have_the_new_key_and_a_second_rotation_another(flow: Flow) -> None:
    new = send(flow, PEOPLE + LATER)
    flow.quiet()
    assert {row["key_id"] for row in flow.sealed_rows() if str(row["uuid"]) in new} == {"k002"}
    flow.rollcall("keys", "rotate", "pii")
    assert list(load_keys(flow.settings).columns) == ["k003"]
    said = json.loads(flow.rollcall("keys", "list", "--rows", "--json").stdout)
    assert said["rows"]["keys"] == {"k003": PEOPLE + 2 * LATER}
    assert (said["columns"], said["rotating"], said["sealing"]["ended"]) == (["k003"], False, True)
    flow.keys = load_keys(flow.settings)
    flow.verified()


@pytest.mark.proof
def test_the_key_of_email_tokens_is_rotated_and_people_are_found_meanwhile(flow: Flow) -> None:
    person = generated()[0]
    uuid, email = person["login"]["uuid"], person["email"]
    before, old = flow.rows(), load_keys(flow.settings)

    def found() -> list[str]:
        return [one.uuid for one in find.find(flow.settings, email=email)]
    assert found() == [uuid]
    flow.stop()
    save_keys(rotation.with_new(old, "email"), keys_path(flow.settings))    # as a command leaves it that is killed just then
    flow.keys = load_keys(flow.settings)
    assert before[uuid]["email_token"] != flow.keys.email_token(email)
    assert found() == [uuid]
    flow.verified()
    flow.start()
    flow.rollcall("keys", "rotate", "email")
    keys = load_keys(flow.settings)
    assert (keys.email_before, keys.email != old.email, keys.current) == ((), True, old.current)
    now = flow.rows()
    same_but_for_keys(before, now)
    assert {row["email_token"] for row in now.values()} == {keys.email_token(row["email"]) for row in now.values()}
    assert found() == [uuid]
    flow.keys = keys
    flow.verified()


@pytest.mark.proof
def test_a_row_that_came_back_under_the_old_key_keeps_it_in_the_ring_until_it_is_sealed_anew(flow: Flow) -> None:
    """As of a restore of Cassandra alone: the walk of the writer's state says that all is done."""
    old = load_keys(flow.settings)
    both = rotation.with_new(old, "pii")
    save_keys(both, keys_path(flow.settings))
    said: list[str] = []
    rotation.walked(flow.settings, both, 1e12, said.append)
    uuid = generated()[0]["login"]["uuid"]
    table = f"{flow.settings.cassandra.keyspace}.profiles"
    with cassandra_session(flow.settings, "provision") as session:
        session.execute(f"UPDATE {table} SET phone = %s WHERE uuid = {uuid}", (old.seal_column(uuid, "phone", "112"),))
    found = rotation.rotate(flow.settings, "pii", 300, said.append)
    assert (found.old, list(found.keys)) == (0, [both.current])
    assert "1 rows need an earlier key, which stays: they are sealed anew once more" in said
    assert list(load_keys(flow.settings).columns) == [both.current]
    assert flow.rows()[uuid]["phone"] == "112"


def test_a_stream_with_another_ring_is_told_and_no_key_goes(flow: Flow, tmp_path: Path) -> None:
    """The command is given where the secrets are a copy."""
    there = flow.settings.model_copy(update={"home": tmp_path})
    shutil.copytree(flow.settings.secrets, tmp_path / "secrets")
    with pytest.raises(SettingsInvalid, match="found other keys"):
        rotation.rotate(there, "pii", 120, quiet)
    assert len(load_keys(there).columns) == 2
    assert not load_keys(flow.settings).rotating


def knows(settings: Settings, server: str, principal: str, word: SecretStr) -> bool:
    with secrets.trying(principal, word):
        return passwords.systems(settings)[server].signs_in(settings, principal)


@pytest.mark.proof
def test_a_password_is_exchanged_everywhere_and_what_uses_it_starts_again(flow: Flow) -> None:
    flow.stop()
    supervisor = flow.supervised()
    try:
        supervisor.start("stream", "producer")
        supervisor.wait_running("stream", "producer", limit_s=120)
        pids = {name: supervisor.status()[name].pid for name in ("stream", "producer")}
        before = secrets.password(flow.settings, "producer")
        flow.rollcall("password", "rotate", "producer")
        now = secrets.password(flow.settings, "producer")
        assert before != now
        for server in ("kafka", "cassandra", "mongo"):
            assert (knows(flow.settings, server, "producer", before), knows(flow.settings, server, "producer", now)) == \
                (False, True)
        status = supervisor.status()
        assert status["stream"].pid == pids["stream"], "it signs in as others"
        assert status["producer"].pid not in (None, pids["producer"])
        assert flow.rollcall("password", "rotate", code=None).returncode == 78
        assert flow.rollcall("password", "rotate", "nobody", code=None).returncode == 78
    finally:
        supervisor.close()


@pytest.mark.parametrize("principal", ["governance", "provision"])
def test_a_rotation_that_broke_off_in_the_middle_is_ended_by_the_same_command(
        flow: Flow, principal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cassandra knows the new password, MongoDB does not yet: the audit itself is written as governance."""
    before = secrets.password(flow.settings, principal)
    with monkeypatch.context() as patch:
        patch.setattr(mongo, "set_password", refuse)
        with pytest.raises(StoreAway):
            passwords.rotate(flow.settings, [principal], quiet)
    assert secrets.password(flow.settings, principal) == before
    word = secrets.next_password(flow.settings, principal)
    assert word is not None
    assert [knows(flow.settings, server, principal, word) for server in ("kafka", "cassandra", "mongo")] == [True, True, False]
    said = flow.rollcall("password", "rotate", principal)
    assert f"cassandra knows the new password of {principal} already" in said.stderr
    assert secrets.password(flow.settings, principal) == word
    assert secrets.next_password(flow.settings, principal) is None
    if principal == "provision":    # which the other tests know by the one before
        secrets.write_secret(flow.settings.secrets / "provision.next", before.get_secret_value().encode())
        flow.rollcall("password", "rotate", principal)
        assert secrets.password(flow.settings, principal) == before


def refuse(*_: object) -> None:
    raise StoreAway("MongoDB does not answer", "MongoDB")


def test_the_brokers_own_password_takes_a_restart_of_kafka(stack: Settings) -> None:
    processes, before = Supervisor(stack), secrets.password(stack, "broker")
    pids = {name: status.pid for name, status in processes.status().items()}
    passwords.rotate(stack, ["broker"], quiet)
    now = secrets.password(stack, "broker")
    assert before != now
    assert (knows(stack, "kafka", "broker", before), knows(stack, "kafka", "broker", now)) == (False, True)
    status = processes.status()
    assert status["kafka"].pid not in (None, pids["kafka"])
    assert (status["cassandra"].pid, status["mongo"].pid) == (pids["cassandra"], pids["mongo"])
    assert now.get_secret_value() in (stack.run / "kafka" / "server.properties").read_text()
    kafka_admin(stack, "provision").close()
