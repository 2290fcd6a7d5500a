"""A backup is there whole or not at all, over nothing, and one at a time."""

import errno
import fcntl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.backup import making, manifest, passphrase, tables
from engine.backup.manifest import Manifest
from engine.backup.passphrase import PassphraseRefused
from engine.errors import FolderUnusable, InputUnreadable, NotServed, StoreRefused
from engine.native.nodetool import Node, NodetoolFailed
from engine.native.server import private_folder
from engine.rotation.keys import with_new
from engine.sealing import keys_path, load_keys, save_keys
from engine.settings import Settings

WORD = "four words nobody says"


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture
def taken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stores that hold one file; notes what is done."""
    done: list[str] = []
    private_folder(settings.run)

    def take(_: Settings, __: Node, fresh: Path, ___: making.Say) -> tuple[Manifest, bytes]:
        manifest.write(fresh / "cassandra/profiles/nb-1-big-Data.db", b"rows")
        done.append("taken")
        ring = keys_path(settings).read_bytes()
        save_keys(with_new(load_keys(settings), "pii"), keys_path(settings))    # a rotation begins while files are copied
        return Manifest("rollcall", "2026-11-30T06:00:00+00:00", 1, {"profiles": 1, "markers": 0}, {}, 0, tables.columns(),
                        keys=("k001",)), ring

    monkeypatch.setattr(making, "_taken", take)
    monkeypatch.setattr(tables, "node_of", lambda _: Node(1, settings.run, settings.data))
    monkeypatch.setattr(tables, "clear", lambda *_: done.append("snapshot ended"))
    return done


def test_it_is_whole_and_sealed(settings: Settings, taken: list[str], tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()    # an empty one may be there
    ring = keys_path(settings).read_bytes()
    made = making.make(settings, tmp_path / "monday", tmp_path / "keys", WORD, quiet)
    there = manifest.read(tmp_path / "monday")
    assert there == made
    there.require_seal(load_keys(settings))
    there.require_whole(tmp_path / "monday")
    assert taken == ["taken", "snapshot ended"]
    assert passphrase.read_keys(tmp_path / "keys", WORD) == ring
    there.require_keys(load_keys(settings))
    assert (tmp_path / "monday").stat().st_mode & 0o077 == 0
    key = load_keys(settings).control.hex().encode()
    assert not [path for path in (tmp_path / "monday").rglob("*") if path.is_file() and key in path.read_bytes()]


@pytest.mark.parametrize("error", [StoreRefused("no"), NodetoolFailed("no"), KeyboardInterrupt()])
def test_one_that_breaks_off_leaves_nothing(settings: Settings, taken: list[str], tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(_: Settings, __: Node, fresh: Path, ___: making.Say) -> Manifest:
        manifest.write(fresh / "commands.jsonl", b"")
        raise error

    monkeypatch.setattr(making, "_taken", broken)
    before = set(tmp_path.iterdir())
    with pytest.raises(type(error)):
        making.make(settings, tmp_path / "monday", tmp_path / "keys", WORD, quiet)
    assert set(tmp_path.iterdir()) == before
    assert taken == ["snapshot ended"]


def test_one_that_was_killed_is_in_nobodys_way(settings: Settings, taken: list[str], tmp_path: Path) -> None:
    manifest.write(tmp_path / ".monday.unfinished" / "cassandra/left", b"of the killed one")
    made = making.make(settings, tmp_path / "monday", None, "", quiet)
    assert list(made.files) == ["cassandra/profiles/nb-1-big-Data.db"]
    assert not (tmp_path / ".monday.unfinished").exists()


def test_a_full_disk_is_said(settings: Settings, taken: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest, "files", full)
    with pytest.raises(FolderUnusable, match=r"the disk is full.*Nothing of it is left"):
        making.make(settings, tmp_path / "monday", None, "", quiet)
    assert not list(tmp_path.glob("*monday*"))


def file_there(folder: Path) -> None:
    folder.write_text("mine")


def folder_there(folder: Path) -> None:
    folder.mkdir()
    (folder / "mine").write_text("mine")


def test_it_does_not_stand_where_an_erasure_searches(settings: Settings, taken: list[str]) -> None:
    with pytest.raises(InputUnreadable, match="would not come to an end"):
        making.make(settings, settings.home / "monday", None, "", quiet)
    assert taken == []


@pytest.mark.parametrize("make", [file_there, folder_there])
def test_nothing_is_written_over(settings: Settings, taken: list[str], tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "monday")
    with pytest.raises(InputUnreadable, match="written over nothing"):
        making.make(settings, tmp_path / "monday", None, "", quiet)
    assert taken == []


@pytest.mark.parametrize(("folder", "keys", "said"), [
    ("nowhere/monday", None, "is no folder"), ("monday", "monday/keys", "in the backup itself"),
    ("monday", "keys", "is there already"), ("monday", "nowhere/keys", "or its folder is not")])
def test_nor_beside_nothing_nor_are_the_keys(settings: Settings, taken: list[str], tmp_path: Path, folder: str,
                                             keys: str | None, said: str) -> None:
    (tmp_path / "keys").write_text("mine")
    with pytest.raises(InputUnreadable, match=said):
        making.make(settings, tmp_path / folder, tmp_path / keys if keys else None, WORD, quiet)
    assert taken == []
    assert (tmp_path / "keys").read_text() == "mine"


def test_a_short_passphrase_is_refused_first(settings: Settings, taken: list[str], tmp_path: Path) -> None:
    with pytest.raises(PassphraseRefused):
        making.make(settings, tmp_path / "monday", tmp_path / "keys", "short", quiet)
    assert taken == []


def test_two_at_once_are_one(settings: Settings, taken: list[str], tmp_path: Path) -> None:
    with (settings.run / "backup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotServed, match="under way"):
            making.make(settings, tmp_path / "monday", None, "", quiet)
    assert taken == []


def test_a_cassandra_that_is_not_ours_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("engine.native.nodetool.local", lambda _: None)
    with pytest.raises(StoreRefused, match="no native node of this machine"):
        making.make(settings, tmp_path / "monday", None, "", quiet)


def test_each_table_has_one_snapshot_of_which_all_is_copied(settings: Settings, tmp_path: Path) -> None:
    node = Node(1, settings.run, tmp_path / "data")
    for table in tables.KEPT:
        place = tmp_path / "data/data" / settings.cassandra.keyspace / f"{table.name}-0a" / "snapshots" / tables.TAG
        for name in ("nb-1-big-Data.db", "nb-1-big-TOC.txt", "nb-1-big-Digest.crc32", "schema.cql", "manifest.json"):
            manifest.write(place / name, name.encode())
    tables.copy(settings, node, tmp_path / "copy")
    assert {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*.*")} == {
        f"{table.name}/{name}" for table in tables.KEPT
        for name in ("nb-1-big-Data.db", "nb-1-big-TOC.txt", "nb-1-big-Digest.crc32", "schema.cql")}
    (place.parent / tables.TAG).rename(place.parent / "other")
    with pytest.raises(StoreRefused, match="0 snapshots of table"):
        tables.copy(settings, node, tmp_path / "again")


def test_who_is_signed_in_and_packages_are_in_no_backup() -> None:
    assert {table.name for table in tables.KEPT} == {"profiles", "markers", "records", "audit", "accounts"}
    assert SimpleNamespace(**tables.columns()["profiles"]).email == "blob"
