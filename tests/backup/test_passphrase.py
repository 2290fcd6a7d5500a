"""The key ring in a file of its own opens by its passphrase and in no other way."""

import json
from pathlib import Path

import pytest

from engine.backup import passphrase
from engine.backup.passphrase import PassphraseRefused
from engine.errors import InputUnreadable

CONTENT, WORD = b'{"current": "k001"}', "four words nobody says"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of keys: to make one takes a guess's time."""
    path = tmp_path_factory.mktemp("keys") / "keys.sealed"
    passphrase.write_keys(path, CONTENT, WORD)
    return path


def test_it_opens_by_its_passphrase_alone(written: Path) -> None:
    assert passphrase.read_keys(written, WORD) == CONTENT
    with pytest.raises(PassphraseRefused, match="does not open"):
        passphrase.read_keys(written, WORD + " ")
    assert b"k001" not in written.read_bytes()
    assert written.stat().st_mode & 0o077 == 0


def test_a_guess_is_dear(written: Path) -> None:
    said = json.loads(written.read_text())
    assert said["cost"] * said["block"] * 128 >= 2 ** 27, "128 MB"


@pytest.mark.parametrize("name", ["sealed", "nonce", "salt"])
def test_what_was_changed_does_not_open(written: Path, tmp_path: Path, name: str) -> None:
    said = json.loads(written.read_text())
    said[name] = ("0" if said[name][0] != "0" else "1") + said[name][1:]
    (tmp_path / "keys").write_text(json.dumps(said))
    with pytest.raises(PassphraseRefused, match="or the file is damaged"):
        passphrase.read_keys(tmp_path / "keys", WORD)


@pytest.mark.parametrize("change", [
    {"form": "other"}, {"cost": 2 ** 40}, {"cost": "many"}, {"cost": 3}, {"block": 9}, {"nonce": "00"}, {"salt": "xy"},
    {"sealed": 1}])
def test_what_is_no_such_file_is_refused_before_it_takes_memory(written: Path, tmp_path: Path,
                                                                change: dict[str, object]) -> None:
    (tmp_path / "keys").write_text(json.dumps({**json.loads(written.read_text()), **change}))
    with pytest.raises(InputUnreadable, match="is no key ring"):
        passphrase.read_keys(tmp_path / "keys", WORD)


@pytest.mark.parametrize("text", ["", "[]", "null", "not json"])
def test_neither_is_any_other_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(InputUnreadable):
        passphrase.read_keys(tmp_path / "keys", WORD)
    with pytest.raises(InputUnreadable, match="No such file"):
        passphrase.read_keys(tmp_path / "nothing", WORD)


def test_a_short_passphrase_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(PassphraseRefused, match="has 11 characters and must have at least 12"):
        passphrase.write_keys(tmp_path / "keys", CONTENT, "x" * 11)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(written: Path) -> None:
    with pytest.raises(FileExistsError):
        passphrase.write_keys(written, CONTENT, WORD)
    assert passphrase.read_keys(written, WORD) == CONTENT


def test_a_passphrase_is_the_one_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "word"
    path.write_bytes(WORD.encode() + b"\r\n")
    assert passphrase.read_passphrase(path) == WORD
    for wrong in (b"", b"\n", b"two\nlines", b"\xff\xfe"):
        path.write_bytes(wrong)
        with pytest.raises(InputUnreadable, match="the passphrase, one line"):
            passphrase.read_passphrase(path)
    with pytest.raises(InputUnreadable):
        passphrase.read_passphrase(tmp_path)
