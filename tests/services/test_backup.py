"""An installation is backed up while it runs, wiped, and comes back row for row; who was erased in between stays erased."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.installation import settings_toml
from engine import stack as stacks
from engine.backup import documents, loading, manifest, tables
from engine.clients import cassandra_session, mongo_client
from engine.processes import Supervisor, left_over
from engine.sealing import load_keys
from engine.settings import CLONE, Settings, load
from engine.stores.schema import BATCHES, COLLECTIONS, PIPELINE_STATUS
from engine.stores.status import Status
from tests.people import CAPTURED, captured
from tests.proof import Proof
from tests.services.search import forms, found
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.proof, pytest.mark.timeout(1800)]

PEOPLE = [person["login"]["uuid"] for person in captured("1.4")]
BEFORE, AFTER, CORRECTED = PEOPLE[:3]
LIMIT_S = 300.0
FORGOTTEN = "source_partition"
"""What a row forgets where the topic of people begins anew (docs/privacy.md)."""

Row = dict[str, Any]


def quiet(_: str) -> None:
    """Says nothing."""


class Place:
    """The folders of one story. home: of the installation, which is wiped in the middle of it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.backup, self.keys = folder / "home", folder / "monday", folder / "keys.sealed"
        self.word, self.commands = folder / "word", folder / "commands.jsonl"
        self.home.mkdir()
        self.word.write_text("four words nobody says\n")
        (self.home / "settings.toml").write_text(settings_toml(
            producer={"rate": 0.0}, stream={"lease_s": 5.0}, metrics={"serve": False}))

    @property
    def with_keys(self) -> tuple[str, ...]:
        """Options that name the key ring."""
        return "--keys", str(self.keys), "--passphrase-file", str(self.word)


class Held:
    """What stores hold: tables in every column with a write time, documents but those of the moment."""

    def __init__(self, settings: Settings) -> None:
        self.tables = {table.name: rows(settings, table.name) for table in tables.KEPT}
        with mongo_client(settings, "provision") as client:
            database = client[settings.mongo.database]
            self.documents = {name: set(documents._lines(database, name)) for name in database.list_collection_names()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running installation in which somebody is erased and somebody corrected; with the tests it ends."""
    made = Place(tmp_path_factory.mktemp("backup"))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(made.home))
        settings = load()
        try:
            stacks.servers_up(settings, quiet)
            stacks.provide(settings, quiet)    # the register's first content
            Supervisor(settings).start("stream")
            rollcall("produce", "--source", "replay", "--file", str(CAPTURED["1.4"]))
            until("all are rows", lambda: len(rows(settings, "profiles")) == len(PEOPLE), LIMIT_S)
            rollcall("erase", BEFORE, "--request", "R-before", "--within", "200")
            rollcall("accounts", "add", "ada", "--role", "operator")
            yield made
        finally:
            stacks.down(settings, quiet)
        assert left_over(settings) == []


def rollcall(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "engine.cli", *arguments], cwd=CLONE, capture_output=True, text=True,
                          check=False, timeout=2 * LIMIT_S)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return " ".join(f"{done.stdout} {done.stderr}".split())


def rows(settings: Settings, table: str) -> dict[str, Row]:
    """Every row as it is at rest, with the write times of its columns, by its key."""
    (of,) = [one for one in tables.KEPT if one.name == table]
    plain = [column.name for column in of.columns if column.name not in of.primary_key and not column.kind.startswith("set<")]
    times = ", ".join(f'writetime("{name}") AS "at_{name}"' for name in plain)
    columns = ", ".join(f'"{column.name}"' for column in of.columns)
    with cassandra_session(settings, "provision") as session:
        return {str([getattr(row, key) for key in of.primary_key]): row._asdict() for row in session.execute(
            f"SELECT {columns}, {times} FROM {settings.cassandra.keyspace}.{table}")}


def uuids(settings: Settings) -> set[str]:
    return {str(row["uuid"]) for row in rows(settings, "profiles").values()}


def killed_while(arguments: tuple[str, ...], says: str) -> None:
    """Begins a command and kills it when it says something."""
    running = subprocess.Popen([sys.executable, "-u", "-m", "engine.cli", *arguments], cwd=CLONE, text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert running.stderr is not None
    said = []
    for line in running.stderr:
        said.append(line)
        if says in line:
            running.send_signal(signal.SIGKILL)
            break
    assert running.wait(30) == -signal.SIGKILL, "".join(said)
    running.stderr.close()


def test_backup_wipe_restore_verify(place: Place, tmp_path: Path, proof: Proof) -> None:
    settings = load()
    held = Held(settings)
    assert len(held.tables["profiles"]) == len(PEOPLE) - 1
    assert all(held.tables.values()), "of each table something comes back"

    began = time.monotonic()
    said = rollcall("backup", str(place.backup), *place.with_keys)
    backed_up = time.monotonic() - began
    assert f"{len(PEOPLE) - 1} rows, 1 markers" in said
    assert "the stream goes on" in said
    assert "written over nothing" in rollcall("backup", str(place.backup), code=66)
    assert "NOT in it" in rollcall("backup", str(tmp_path / "another"))
    assert not list(place.home.glob("data/cassandra/data/*/*/snapshots/*")), "no snapshot is left on the node"
    in_clear = [word for person in captured("1.4") for word in (person["email"].encode(), person["phone"].encode())]
    for path in (path for path in place.backup.rglob("*") if path.is_file()):
        assert not [word for word in in_clear if word in path.read_bytes()], f"{path} names somebody"

    rollcall("erase", AFTER, "--request", "R-after", "--within", "200")
    rollcall("commands", "export", str(place.commands))
    ring = load_keys(settings)

    stacks.down(settings, quiet)
    shutil.rmtree(place.home)    # the laptop burns
    refused(place, tmp_path)
    assert not place.home.exists(), "whatever was refused has changed nothing"

    killed_while(("restore", str(place.backup), *place.with_keys), "loading Cassandra's files")
    for early in (("up",), ("restore-check",), ("provision",)):
        assert "rollcall restore FOLDER" in rollcall(*early, code=75)

    settings = load()
    made, settings = loading.looked_at(settings, place.backup, None, None, quiet)
    loading.into_empty(settings, place.backup, made, None, quiet)
    assert load_keys(settings) == ring
    there = Held(settings)
    assert there.documents.keys() == held.documents.keys() == set(COLLECTIONS)
    for name, lines in held.documents.items():    # meanwhile the stream beats, and closes turns of nothing
        assert lines == there.documents[name] or name in (PIPELINE_STATUS, BATCHES), name
    assert held.documents[BATCHES] <= there.documents[BATCHES]
    with mongo_client(settings, "verify") as client:
        assert Status(client[settings.mongo.database]).writer().turn == made.turn
    for name in ("profiles", "markers", "records", "accounts"):
        assert there.tables[name] == held.tables[name], name
    assert held.tables["audit"].items() <= there.tables["audit"].items()
    nat = next(iter(held.tables["profiles"].values()))["nat"]
    with cassandra_session(settings, "verify") as session:
        by_index = session.execute(f"SELECT uuid FROM {settings.cassandra.keyspace}.profiles WHERE nat = %s", (nat,))
        assert {str(row.uuid) for row in by_index} == {
            str(row["uuid"]) for row in held.tables["profiles"].values() if row["nat"] == nat}

    began = time.monotonic()
    said = rollcall("restore", str(place.backup), "--commands", str(place.commands), "--within", "300")
    restored = time.monotonic() - began
    assert "2 people are erased, 0 of them have a row" in said
    assert "every link holds" in said
    assert "Everything agrees." in said
    assert "Everything may open" in said
    after = rows(settings, "profiles")
    assert uuids(settings) == set(PEOPLE) - {BEFORE, AFTER}
    forgotten = (FORGOTTEN, f"at_{FORGOTTEN}")
    for key, row in after.items():
        kept = held.tables["profiles"][key]
        assert row[FORGOTTEN] == -1
        assert {name: value for name, value in row.items() if name not in forgotten} == {
            name: value for name, value in kept.items() if name not in forgotten}
    rollcall("verify")
    rollcall("audit", "verify")
    assert nobody_left(settings) == {}
    proof.add("backup", rows=len(after), erased_since=1, found_of_the_erased=0, backed_up_s=round(backed_up, 1),
              second_half_of_the_restore_s=round(restored, 1), columns_and_write_times_compared=len(next(iter(after.values()))))


def refused(place: Place, folder: Path) -> None:
    """What is refused before anything is touched."""
    data = next(name for name in manifest.read(place.backup).files if name.endswith(tables.DATA) and "/profiles/" in name)
    damaged = folder / "damaged"
    shutil.copytree(place.backup, damaged)
    content = bytearray((damaged / data).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / data).write_bytes(content)
    assert f"{data} of the backup is damaged" in rollcall("restore", str(damaged), *place.with_keys, code=65)
    said = json.loads((damaged / manifest.NAME).read_text())
    (damaged / manifest.NAME).write_text(json.dumps({**said, "commands": 0}))
    assert "was not sealed by this key ring" in rollcall("restore", str(damaged), *place.with_keys, code=65)
    (folder / "wrong").write_text("four words somebody says\n")
    assert "does not open" in rollcall("restore", str(place.backup), "--keys", str(place.keys), "--passphrase-file",
                                       str(folder / "wrong"), code=77)
    assert "key ring is not in a backup" in rollcall("restore", str(place.backup), code=78)


def nobody_left(settings: Settings) -> dict[str, set[bytes]]:
    """Where something of those who are erased is found in the folder of the installation, but in Kafka: the nulls that the
    stream sends under their numbers stay there for the bound of its topics."""
    keys = load_keys(settings)
    words = [word for person in captured("1.4") if person["login"]["uuid"] in (BEFORE, AFTER)
             for word in (*forms(person["login"]["uuid"]), person["email"].encode(), person["phone"].encode(),
                          keys.email_token(person["email"]).encode())]
    return {path: texts for path, texts in found(settings, settings, words).items() if "/data/kafka/" not in path}


def test_over_people_nothing_is_restored(place: Place) -> None:
    settings = load()
    assert "nothing may be open yet" in rollcall("restore", str(place.backup), *place.with_keys, code=75)
    stacks.down(settings, quiet)
    said = rollcall("restore", str(place.backup), *place.with_keys, code=65)
    assert "holds something already (table profiles of Cassandra and collection" in said
    assert uuids(settings) == set(PEOPLE) - {BEFORE, AFTER}


def test_afterwards_the_flow_goes_on_and_the_erased_stay_erased(place: Place) -> None:
    settings = load()
    Supervisor(settings).start("stream")
    rollcall("produce", "--source", "replay", "--file", str(CAPTURED["1.4"]))
    until("records of the new topic are newer", lambda: all(
        row[FORGOTTEN] >= 0 for row in rows(settings, "profiles").values()), LIMIT_S)
    assert uuids(settings) == set(PEOPLE) - {BEFORE, AFTER}
    rollcall("verify")
