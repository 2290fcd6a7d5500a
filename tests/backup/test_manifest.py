"""A backup is whole, as it was written and of this key ring, or it is refused by the name of what is not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.backup import manifest
from engine.backup.manifest import BackupDamaged, Manifest
from tests.test_persons import KEYS

OTHER = replace(KEYS, control=b"9" * 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small backup."""
    made = tmp_path / "monday"
    manifest.write(made / "cassandra/profiles/nb-1-big-Data.db", b"rows")
    manifest.write(made / "commands.jsonl", b"")
    Manifest("rollcall 0.1.0", "2026-11-30T06:00:00+00:00", 7, {"profiles": 2}, {"batches": 0}, 0,
             {"profiles": {"nat": "text"}}, manifest.files(made), {"mongo": 1}).sealed(KEYS).write(made)
    return made


def test_what_was_written_is_read_and_whole(folder: Path) -> None:
    made = manifest.read(folder)
    made.require_seal(KEYS)
    made.require_whole(folder)
    assert (made.turn, made.rows, sorted(made.files)) == (7, {"profiles": 2}, [
        "cassandra/profiles/nb-1-big-Data.db", "commands.jsonl"])
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}, "nobody else may look into it"


@pytest.mark.parametrize("content", [b"rowz", b"row", b"rows and more", None])
def test_a_damaged_file_is_refused_by_its_name(folder: Path, content: bytes | None) -> None:
    path = folder / "cassandra/profiles/nb-1-big-Data.db"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackupDamaged, match=r"^cassandra/profiles/nb-1-big-Data\.db .*nothing was restored"):
        manifest.read(folder).require_whole(folder)


@pytest.mark.parametrize("name", [
    "turn", "made_at", "rows", "commands", "files", "columns", "documents", "made_by", "versions"])
def test_a_manifest_that_was_changed_is_refused(folder: Path, name: str) -> None:
    said = json.loads((folder / manifest.NAME).read_text())
    said[name] = {"turn": 8, "commands": 1}.get(name, type(said[name])())
    (folder / manifest.NAME).write_text(json.dumps(said))
    with pytest.raises(BackupDamaged, match="was not sealed by this key ring"):
        manifest.read(folder).require_seal(KEYS)


def test_one_of_the_first_form_is_read_and_its_seal_holds(folder: Path) -> None:
    """As the first backups were written: nothing was said of versions and keys, and nothing sealed."""
    said = json.loads((folder / manifest.NAME).read_text())
    del said["versions"], said["keys"]
    said |= {"form": 1, "seal": ""}
    said["seal"] = KEYS.backup_seal(json.dumps(said, sort_keys=True))
    (folder / manifest.NAME).write_text(json.dumps(said))
    made = manifest.read(folder)
    made.require_seal(KEYS)
    made.require_keys(KEYS)
    assert (made.versions, made.keys) == ({}, ())
    (folder / manifest.NAME).write_text(json.dumps({**said, "turn": 8}))
    with pytest.raises(BackupDamaged, match="was not sealed"):
        manifest.read(folder).require_seal(KEYS)


def test_another_key_ring_is_refused(folder: Path) -> None:
    with pytest.raises(BackupDamaged, match="keys are those of another"):
        manifest.read(folder).require_seal(OTHER)


def test_a_key_ring_of_after_a_rotation_is_refused(folder: Path) -> None:
    replace(manifest.read(folder), keys=("k001", "k002")).sealed(KEYS).write(folder.parent)
    there = manifest.read(folder.parent)
    there.require_seal(KEYS)
    there.require_keys(replace(KEYS, columns={**KEYS.columns, "k002": bytes(32)}))
    with pytest.raises(BackupDamaged, match="lacks k002"):
        there.require_keys(KEYS)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{\"form\": 1}", "null", "\xff"])
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / manifest.NAME).write_text(text, encoding="latin-1")
    with pytest.raises(BackupDamaged, match="no manifest of a backup"):
        manifest.read(folder)


def test_a_folder_without_one_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(BackupDamaged, match=r"is no backup: .*not whole"):
        manifest.read(tmp_path)


def test_one_of_a_newer_form_says_which_version_reads_it(folder: Path) -> None:
    said = json.loads((folder / manifest.NAME).read_text())
    (folder / manifest.NAME).write_text(json.dumps({**said, "form": 3, "made_by": "rollcall 0.2.0"}))
    with pytest.raises(BackupDamaged, match=r"of form 3.*rollcall 0\.2\.0"):
        manifest.read(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "mongo/../../outside"])
def test_a_file_outside_is_none_of_it(folder: Path, name: str) -> None:
    replace(manifest.read(folder), files={name: manifest.Kept(0, "")}).write(folder.parent)
    with pytest.raises(BackupDamaged, match="no manifest of a backup"):
        manifest.read(folder.parent)
