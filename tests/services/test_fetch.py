"""Fetching with the real Maven: what comes is what is written down, and a broken cache is made whole again."""

import hashlib
import shutil
from pathlib import Path

import pytest

from engine.native import fetch
from engine.settings import Settings

pytestmark = pytest.mark.services


def test_a_broken_jar_in_the_cache_is_replaced_by_the_one_that_is_written_down(
        stack: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BUNDLES", (fetch.SPARK,))
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache")
    shutil.copytree(fetch.SPARK.folder(stack), fetch.SPARK.folder(settings))
    assert fetch.missing(settings) == []
    expected = fetch.checksums(fetch.SPARK)
    broken = fetch.SPARK.folder(settings) / next(iter(expected))
    broken.write_bytes(broken.read_bytes()[:1000])
    assert fetch.fetch(settings, lambda line: None) == [fetch.SPARK.name]
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
             for path in fetch.SPARK.folder(settings).glob("*.jar")}
    assert found == expected


def test_the_servers_binary_is_the_one_that_was_built(stack: Settings) -> None:
    folder = fetch.FERRETDB.folder(stack)
    digest, name = (folder / "ferretdb.sha256").read_text().split()
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
