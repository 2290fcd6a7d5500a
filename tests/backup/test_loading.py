"""Nothing is changed before a backup is known to be right, nothing is mixed, and half a backup opens nothing."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import shut, stack
from engine.backup import documents, loading, manifest, tables
from engine.backup.loading import NotEmpty
from engine.backup.manifest import BackupDamaged, Manifest
from engine.errors import InputUnreadable, OtherVersion, ServerFailed, SettingsInvalid, StoreRefused
from engine.native.nodetool import Node
from engine.processes import Supervisor
from engine.rights import control
from engine.sealing import ensure_keys, keys_path, load_keys
from engine.settings import Settings

COMMAND = '{"at": 1, "request": "R-1", "value": "sealed"}\n'


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of an empty installation."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path / "new"))
    return Settings(home=tmp_path / "new")


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """Those of the installation that was backed up."""
    made = Settings(home=tmp_path / "old")
    ensure_keys(made)
    return made


@pytest.fixture
def ring(old: Settings) -> bytes:
    return keys_path(old).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, old: Settings) -> Path:
    """A small backup."""
    folder = tmp_path / "monday"
    for name, content in (("commands.jsonl", COMMAND), ("audit-head.json", '{"n": 3, "seal": "a"}'),
                          ("settings.toml", '[kafka]\nport = 21000\n'), ("mongo/batches.jsonl", ""),
                          ("cassandra/profiles/nb-1-big-Data.db", "rows")):
        manifest.write(folder / name, content.encode())
    Manifest("rollcall", "2026-11-30T06:00:00+00:00", 7, {"profiles": 2, "markers": 0}, {"batches": 0}, 1, tables.columns(),
             manifest.files(folder)).sealed(load_keys(old)).write(folder)
    return folder


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_keys_and_settings_come_back(settings: Settings, folder: Path, ring: bytes) -> None:
    made, then = loading.looked_at(settings, folder, ring, None, quiet)
    assert made == manifest.read(folder)
    assert keys_path(settings).read_bytes() == ring
    assert then.kafka.port == 21000
    assert then.home == settings.home
    loading.looked_at(then, folder, None, None, quiet)    # the key ring is there: it need not be given again
    (settings.home / "settings.toml").write_text("[kafka]\nport = 22000\n")
    loading.looked_at(then, folder, ring, None, quiet)
    assert "22000" in (settings.home / "settings.toml").read_text(), "settings of this machine stay"


@pytest.mark.parametrize("spoil", ["manifest", "file", "commands", "columns", "ring", "none", "other", "newer",
                                   "elsewhere"])
def test_a_backup_that_is_not_right_changes_nothing(settings: Settings, folder: Path, ring: bytes, tmp_path: Path,
                                                    spoil: str) -> None:
    said: dict[str, tuple[type[Exception], str]] = {
        "manifest": (BackupDamaged, "was not sealed"), "file": (BackupDamaged, r"nb-1-big-Data\.db"),
        "commands": (InputUnreadable, "is no export"), "columns": (BackupDamaged, "does not know so: shoe_size"),
        "ring": (SettingsInvalid, "is damaged"), "none": (SettingsInvalid, "key ring is not in a backup"),
        "other": (BackupDamaged, "another installation"),
        "newer": (OtherVersion, r"^The backup is of a newer version.*MongoDB 9"), "elsewhere": (StoreRefused, "runs elsewhere")}
    given, commands = ring if spoil != "none" else None, None
    if spoil == "manifest":
        text = (folder / manifest.NAME).read_text()
        (folder / manifest.NAME).write_text(text.replace('"turn": 7', '"turn": 8'))
    elif spoil == "file":
        (folder / "cassandra/profiles/nb-1-big-Data.db").write_text("rowz")
    elif spoil == "commands":
        commands = tmp_path / "newest.jsonl"
        commands.write_text("nothing of ours\n")
    elif spoil == "columns":
        made = manifest.read(folder)
        more = {**made.columns, "profiles": {**made.columns["profiles"], "shoe_size": "int"}}
        (folder / manifest.NAME).unlink()
        replace(made, columns=more).sealed(load_keys(Settings(home=tmp_path / "old"))).write(folder)
    elif spoil == "newer":
        made = manifest.read(folder)
        (folder / manifest.NAME).unlink()
        replace(made, versions={"mongo": 9}).sealed(load_keys(Settings(home=tmp_path / "old"))).write(folder)
    elif spoil == "ring":
        given = ring[:-20]
    elif spoil == "other":
        other = Settings(home=tmp_path / "other")
        ensure_keys(other)
        given = keys_path(other).read_bytes()
    elif spoil == "elsewhere":
        settings = settings.model_copy(update={"cassandra_contact_points": "cassandra1"})
    error, why = said[spoil]
    with pytest.raises(error, match=why):
        loading.looked_at(settings, folder, given, commands, quiet)
    assert not settings.home.exists()


def test_an_installation_with_another_key_ring_is_not_empty(settings: Settings, folder: Path, ring: bytes) -> None:
    ensure_keys(settings)
    before = below(settings.home)
    with pytest.raises(NotEmpty, match=r"another key ring already.*rollcall down"):
        loading.looked_at(settings, folder, ring, None, quiet)
    with pytest.raises(BackupDamaged, match="another installation"):
        loading.looked_at(settings, folder, None, None, quiet)
    assert below(settings.home) == before


def test_another_backup_is_not_mixed_with_one_that_was_begun(settings: Settings, folder: Path, ring: bytes) -> None:
    shut.load(settings, "another")
    with pytest.raises(NotEmpty, match="Another backup was begun"):
        loading.looked_at(settings, folder, ring, None, quiet)
    shut.load(settings, manifest.read(folder).seal)
    loading.looked_at(settings, folder, ring, None, quiet)


class Stores:
    """What a backup is loaded into; notes what is done. table, collection: in which something stands; fails: what does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, table: str = "", collection: str = "", fails: str = "") -> None:
        self.done: list[str] = []
        self.table, self.collection, self.fails, self.rows = table, collection, fails, {"profiles": 2, "markers": 0}
        client = SimpleNamespace(__getitem__=None)
        monkeypatch.setattr(loading, "mongo_client", lambda *_: nullcontext({"rollcall": client}))
        monkeypatch.setattr(tables, "node_of", lambda _: Node(1, Path(), Path()))
        monkeypatch.setattr(tables, "found", lambda _: self.table)
        monkeypatch.setattr(documents, "found", lambda _: self.collection)
        monkeypatch.setattr(tables, "counts", lambda _: self.rows)
        for where, name in ((loading, "import_commands"), (documents, "load"), (tables, "load"), (loading, "migrated")):
            monkeypatch.setattr(where, name, lambda *given, name=name, where=where: self.do(where.__name__, name, given))

    def do(self, where: str, name: str, given: tuple[Any, ...]) -> int:
        step = given[1].name if name == "import_commands" else name if name == "migrated" else where.rpartition(".")[2]
        if self.fails == step:
            raise KeyboardInterrupt
        self.done.append(step)
        return 1


def test_it_is_loaded_in_order_and_then_stays_shut(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch,
                                                   tmp_path: Path) -> None:
    stores = Stores(monkeypatch)
    loading.into_empty(settings, folder, manifest.read(folder), tmp_path / "newest.jsonl", quiet)
    assert stores.done == ["commands.jsonl", "newest.jsonl", "documents", "tables", "migrated"]
    assert shut.loaded(settings) == (manifest.read(folder).seal, True)
    assert shut.stands(settings)
    assert json.loads((settings.state / "audit" / "head.json").read_text()) == {"n": 3, "seal": "a"}


@pytest.mark.parametrize(("table", "collection", "said"), [
    ("profiles", "", "table profiles of Cassandra"), ("", "batches", "collection batches of MongoDB"),
    ("audit", "batches", "table audit of Cassandra and collection batches of MongoDB")])
def test_it_is_mixed_with_nothing(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, table: str,
                                  collection: str, said: str) -> None:
    stores = Stores(monkeypatch, table, collection)
    with pytest.raises(NotEmpty, match=f"{said}.*rollcall down"):
        loading.into_empty(settings, folder, manifest.read(folder), None, quiet)
    assert stores.done == []
    assert not settings.state.exists(), "and nothing is kept shut"


@pytest.mark.parametrize("fails", ["documents", "tables", "migrated"])
def test_interrupted_it_opens_nothing_and_is_done_again(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch,
                                                        fails: str) -> None:
    stores = Stores(monkeypatch, fails=fails)
    with pytest.raises(KeyboardInterrupt):
        loading.into_empty(settings, folder, manifest.read(folder), None, quiet)
    begins: list[Callable[[], object]] = [
        lambda: Supervisor(settings).start("stream"), lambda: Supervisor(settings).run("console"),
        lambda: stack.up(settings, quiet), lambda: stack.provide(settings, quiet)]
    for begin in begins:
        with pytest.raises(shut.HalfLoaded, match="rollcall restore FOLDER"):
            begin()
    stores.fails, stores.table, stores.done = "", "profiles", []
    loading.into_empty(settings, folder, manifest.read(folder), None, quiet)    # what stands there is of the first try
    assert stores.done == ["commands.jsonl", "documents", "tables", "migrated"]
    with pytest.raises(ServerFailed):    # the stream may start now: no supervisord runs here, but it was asked
        Supervisor(settings).start("stream")
    with pytest.raises(shut.KeptShut):
        Supervisor(settings).start("console")
    shut.opened(settings)
    assert shut.loaded(settings) is None


def test_rows_that_are_missing_are_found_out(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = Stores(monkeypatch)
    stores.rows = {"profiles": 1, "markers": 0}
    with pytest.raises(BackupDamaged, match="does not hold what the backup does"):
        loading.into_empty(settings, folder, manifest.read(folder), None, quiet)
    with pytest.raises(shut.HalfLoaded):
        shut.require_loaded(settings)


def test_commands_of_others_are_refused_before_anything_is_loaded(settings: Settings, folder: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    stores = Stores(monkeypatch)

    def others(*_: object) -> int:
        raise control.OtherCommands("no")

    monkeypatch.setattr(loading, "import_commands", others)
    with pytest.raises(control.OtherCommands):
        loading.into_empty(settings, folder, manifest.read(folder), None, quiet)
    assert stores.done == []
    assert shut.loaded(settings) is None


def test_a_flag_that_is_damaged_keeps_everything_shut(settings: Settings) -> None:
    shut.load(settings, "one", done=True)
    (settings.state / "restore.json").write_text("{")
    with pytest.raises(shut.HalfLoaded):
        shut.require_loaded(settings)


def test_an_audit_that_knows_of_more_keeps_its_head(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest.write(settings.state / "audit" / "head.json", b'{"n": 9, "seal": "b"}')
    Stores(monkeypatch)
    loading.into_empty(settings, folder, manifest.read(folder), None, quiet)
    assert json.loads((settings.state / "audit" / "head.json").read_text())["n"] == 9


@pytest.mark.parametrize("taken", [True, False])
def test_the_node_gets_copies_of_files_that_the_manifest_names(settings: Settings, folder: Path, tmp_path: Path, taken: bool,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    manifest.write(folder / "cassandra/profiles/nb-9-big-Data.db", b"somebody put it there")
    manifest.write(folder / "cassandra/profiles/schema.cql", b"CREATE TABLE")
    seen: list[tuple[str, ...]] = []

    def nodetool(*arguments: str) -> str:
        seen.append((*arguments[:3], *sorted(path.name for path in Path(arguments[3]).iterdir())))
        if taken:
            shutil.rmtree(arguments[3])    # it moves what it is given
        return ""

    monkeypatch.setattr("engine.native.nodetool.opened", lambda *_: nullcontext(nodetool))
    names = [*manifest.read(folder).files, "cassandra/profiles/schema.cql"]
    before = below(folder)
    with nullcontext() if taken else pytest.raises(StoreRefused, match="did not take 1 files of table profiles"):
        tables.load(settings, Node(1, Path(), Path()), folder, dict.fromkeys(names))
    assert seen == [("import", settings.cassandra.keyspace, "profiles", "nb-1-big-Data.db")]
    assert below(folder) == before
    assert not (settings.run / "restoring").exists()
