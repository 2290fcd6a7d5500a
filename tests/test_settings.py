"""Settings that are read in more than one place are read alike."""

import pytest

from engine.settings import CLONE, load


def test_an_empty_home_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", "")
    assert load().home == CLONE / "var"
