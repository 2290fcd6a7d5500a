"""An installation beside whose folder backups are made."""

from pathlib import Path

import pytest

from engine.sealing import ensure_keys
from engine.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of an installation with keys, in a folder beside those of the backups."""
    made = Settings(home=tmp_path / "home")
    ensure_keys(made)
    return made
