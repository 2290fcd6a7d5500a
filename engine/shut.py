"""Kept shut after a restore: while this file stands nothing is started but the servers and the stream.

`rollcall restore-check` sets it before anything else and takes it away when nobody erased is left. It holds the ids of the
checkpoints that the stream had before, so that a second run knows the new one, and goes on waiting for it.
"""

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from engine.errors import NotServed
from engine.secrets import write_secret
from engine.settings import Settings

MAY_RUN = "stream"

WHY = ("A store was restored, and `rollcall restore-check` has not come to a good end: of the programs only the stream may "
       "run. Run it (again); it opens everything when nobody erased is left.")


class KeptShut(NotServed):
    """A program was to be started that would show or change what was restored."""

    def __init__(self) -> None:
        super().__init__(WHY)


def stands(settings: Settings) -> bool:
    """Whether things are to stay shut."""
    return _flag(settings).exists()


def shut(settings: Settings, stale: Collection[str] | None = None) -> None:
    """Shuts, or keeps shut. stale: ids of the checkpoints before, where a new one is begun. Raises FolderUnusable."""
    write_secret(_flag(settings), json.dumps({"stale": sorted(stale) if stale is not None else None}).encode())


def stale(settings: Settings) -> set[str] | None:
    """Ids of the checkpoints before the one that was begun; None where none was."""
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return set(json.loads(_flag(settings).read_text())["stale"])
    return None


def opened(settings: Settings) -> None:
    """Lets everything start again."""
    _flag(settings).unlink(missing_ok=True)


def require_open(settings: Settings, *names: str) -> None:
    """Raises KeptShut when one of these programs may not be started now."""
    if stands(settings) and set(names) - {MAY_RUN}:
        raise KeptShut


def _flag(settings: Settings) -> Path:
    return settings.state / "restore-check.json"
