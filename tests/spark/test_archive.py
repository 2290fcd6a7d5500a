"""An archive of classes is used when it is whole, written when it is not, and each Java has its own."""

import shutil
import sys
from pathlib import Path

import pytest

from engine.spark import archive

HERE = Path(__file__).parent
"""In the place of the connectors."""


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine's Java, in an environment that has no archive yet."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return Path(shutil.which("java") or "no java")


def test_a_first_start_writes_one_and_the_next_uses_it(java: Path) -> None:
    assert archive.option(java, HERE).startswith(f"-XX:ArchiveClassesAtExit={archive.path(java, HERE)} ")
    archive.path(java, HERE).write_bytes(archive.MAGIC[::-1] + b"classes")    # as a machine with its low bytes first writes it
    assert archive.option(java, HERE).startswith(f"-XX:SharedArchiveFile={archive.path(java, HERE)} ")


def test_one_that_was_broken_off_is_written_again(java: Path) -> None:
    archive.path(java, HERE).write_bytes(bytes(4096))
    assert "ArchiveClassesAtExit" in archive.option(java, HERE)


def test_an_environment_that_cannot_be_written_to_does_without(java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    assert archive.option(java, HERE) == ""


def test_another_java_has_another(java: Path, tmp_path: Path) -> None:
    other = tmp_path / "java"
    other.touch()
    assert archive.path(other, HERE) != archive.path(java, HERE)
