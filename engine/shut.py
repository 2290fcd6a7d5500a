"""Kept shut after a restore: while this file stands nothing is started but the servers and the stream.

`rollcall restore-check` sets it before anything else and takes it away when nobody erased is left. It holds the ids of the
checkpoints that the stream had before, so that a second run knows the new one, and goes on waiting for it.

`rollcall restore` has a file of its own: while a backup is being loaded not even the stream starts, for of half a backup
nothing can be carried out again.
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


class HalfLoaded(NotServed):
    """Something was to be done with stores into which a backup is being loaded."""

    def __init__(self) -> None:
        super().__init__("A backup is being loaded into this installation, or the load was interrupted: nothing may run "
                         "before it has come to its end. Give `rollcall restore FOLDER` again, with the same backup.")


def load(settings: Settings, backup: str, done: bool = False) -> None:
    """Says that a backup is being loaded, or, done, that it was. backup: the seal of its manifest. Raises FolderUnusable."""
    shut(settings, stale(settings))
    write_secret(_loading(settings), json.dumps({"backup": backup, "done": done}).encode())


def loaded(settings: Settings) -> tuple[str, bool] | None:
    """The backup that is being loaded, by the seal of its manifest, and whether it was to its end; None where none is."""
    try:
        kept = json.loads(_loading(settings).read_text())
        return str(kept["backup"]), bool(kept["done"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return "", False


def require_loaded(settings: Settings) -> None:
    """Raises HalfLoaded while a backup is being loaded."""
    if (begun := loaded(settings)) and not begun[1]:
        raise HalfLoaded


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
    _loading(settings).unlink(missing_ok=True)


def require_open(settings: Settings, *names: str) -> None:
    """Raises KeptShut when one of these programs may not be started now, HalfLoaded when none may."""
    if names:
        require_loaded(settings)
    if stands(settings) and set(names) - {MAY_RUN}:
        raise KeptShut


def _flag(settings: Settings) -> Path:
    return settings.state / "restore-check.json"


def _loading(settings: Settings) -> Path:
    return settings.state / "restore.json"
