"""An installation without programs, a webhook, and what a command shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli import alerts as command
from tests.alerts.servers import Hook, serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    (tmp_path / "secrets").mkdir()
    return tmp_path


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as server:
        yield server


@pytest.fixture
def shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    for name in ("show", "tell", "complain"):
        monkeypatch.setattr(command, name, lines.append)
    return lines
