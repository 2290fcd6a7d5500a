"""Files that an e-mail tells: known again as long as they are those, and none that is damaged stands in the way."""

import gzip
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.rights import erasure
from engine.rights.erasure import _Erasure
from engine.rights.files import searched
from engine.rights.persons import About, Person
from engine.settings import Settings
from tests.test_persons import ADA, BOB, KEYS

EMAIL = KEYS.email_token("ada@example.org")
ME = Person(ADA, KEYS.suppression_token(ADA), frozenset({EMAIL}))
KNOWN, FORGOTTEN = About(KEYS, [ME]), About(KEYS, [replace(ME, emails=frozenset())])


def grown(file: Path) -> None:
    with file.open("a") as more:
        more.write("a line\n")


def packed_by_zip(file: Path) -> None:
    with zipfile.ZipFile(file.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(file)
    file.unlink()


def packed_by_gzip(file: Path) -> None:
    file.with_suffix(".1.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


def copied_and_cut(file: Path) -> None:
    file.with_suffix(".1").write_bytes(file.read_bytes())
    file.write_text("begun anew\n")


@pytest.mark.parametrize(("become", "naming"), [
    (grown, 1), (lambda file: file.rename(file.with_suffix(".1")), 1), (packed_by_gzip, 1), (packed_by_zip, 1),
    (copied_and_cut, 1), (lambda file: file.write_text(f"address\n{BOB},bob@example.org\n"), 0),
    (lambda file: file.write_text(f"y{file.read_text()[1:]}"), 0), (lambda file: file.write_text(""), 0), (Path.unlink, 0)])
@pytest.mark.parametrize("before", ["", "address\n", "x" * ((1 << 20) - 9) + " "])
def test_a_file_is_known_again_as_long_as_it_is_that_one(
        settings: Settings, become: Callable[[Path], object], naming: int, before: str) -> None:
    file = settings.home / "people.csv"
    file.write_text(f"{before}ada@example.org, and ada@example.org\n")
    marks = searched(settings, KNOWN, b"key").addressed
    assert len(marks) == 1
    become(file)
    assert searched(settings, FORGOTTEN, b"key", marks).naming == naming
    assert searched(settings, FORGOTTEN, b"another", marks).naming == 0, "a mark is of its key"
    assert not searched(settings, FORGOTTEN, b"key", {"people-0-17@1", "file:0123456789abcdef"}).unread, "of the topics; of old"


def test_what_is_found_again_has_the_mark_it_had(settings: Settings) -> None:
    file = settings.home / "people.csv"
    file.write_text("ada@example.org")
    first = searched(settings, KNOWN, b"key")
    file.write_text(f"ada@example.org\n{'x' * (1 << 20)}\nada@example.org\n")
    assert searched(settings, KNOWN, b"key", first.addressed) == first


def damaged(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("a", "x" * 9999)
    (folder / "a.zip").write_bytes((folder / "a.zip").read_bytes().replace(b"\x09\x04\x05\x00\x5d", b"\x09\x04\x05\x00\xff"))


def misnamed(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as packed:
        packed.writestr("é", "x")
    (folder / "a.zip").write_bytes((folder / "a.zip").read_bytes().replace("é".encode(), b"\xff\xff"))


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(("spoil", "error"), [(damaged, lzma.LZMAError), (misnamed, UnicodeDecodeError)])
def test_a_zip_that_cannot_be_read_keeps_nobody_from_being_erased(
        settings: Settings, spoil: Callable[[Path], None], error: type[Exception]) -> None:
    spoil(settings.home)
    with pytest.raises(error), zipfile.ZipFile(settings.home / "a.zip") as packed:
        packed.read(packed.namelist()[0])
    assert searched(settings, KNOWN).unread == 1
    erasing = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None, ["ada@example.org"])
    erasing._begin()
    assert not erasure.proofs(settings, "R-1")[0].done


@pytest.mark.usefixtures("records")
def test_files_are_not_searched_before_the_command_where_no_e_mail_is_known(
        settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[str] = []
    monkeypatch.setattr(_Erasure, "_in_files", lambda run: searches.append(run.request))
    for request, emails in (("R-1", []), ("R-2", ["ada@example.org"])):
        _Erasure(settings, [ADA], request, 1.0, lambda _: None, emails)._begin()
    assert searches == ["R-2"]
