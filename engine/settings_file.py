"""Changing settings.toml of an installation from a page: what stands in it stays as it is, comments too."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import ParseError

from engine.errors import Final, SettingsInvalid
from engine.secrets import write_secret
from engine.settings import Settings, outer_environment


class ChangedMeanwhile(Final):
    """Somebody else has changed what was to be changed: what stands now has to be looked at first."""


def change(settings: Settings, section: str, fields: Mapping[str, Any], seen: Mapping[str, Any] | None = None) -> None:
    """Sets fields of one section, for every program that starts from now on.

    seen: fields of the section as whoever asks saw them. Raises ChangedMeanwhile when they stand otherwise by now, and
    SettingsInvalid when a value is not allowed, the file is no TOML, or the environment would win over it; then nothing is
    changed. Changes of several threads or processes are made one after the other.
    """
    outer = outer_environment()
    above = [name for name in (_variable(section, field) for field in fields) if name in outer]
    if above:
        raise SettingsInvalid(f"{', '.join(above)} of the environment would win over settings.toml: change it there.")
    there = getattr(settings, section)
    _valid(there, section, fields)
    path = settings.home / "settings.toml"
    with _alone(path.parent):
        document = _read(path)
        table = document.setdefault(section, tomlkit.table())
        standing = _valid(there, section, {name: value for name, value in table.unwrap().items()
                                           if _variable(section, name) not in outer})
        if seen is not None and (others := [name for name, value in seen.items() if getattr(standing, name) != value]):
            now = ", ".join(f"{section}.{name} is {getattr(standing, name)!r}" for name in others)
            raise ChangedMeanwhile(f"Somebody else has changed this meanwhile, and it stands: {now} now.")
        _valid(standing, section, fields)
        table.update(fields)
        write_secret(path, tomlkit.dumps(document).encode())


def _valid(there: Any, section: str, fields: Mapping[str, Any]) -> Any:
    """The section with these fields; SettingsInvalid names the first that is wrong."""
    try:
        return type(there).model_validate({**there.model_dump(), **fields})
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsInvalid(f"{section}.{first['loc'][0] if first['loc'] else ''} is wrong: {first['msg']}.") from None


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (ParseError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}. docs/settings.md shows its form.") from None


def _variable(section: str, field: str) -> str:
    return f"ROLLCALL_{section}__{field}".upper()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One change at a time. The folder itself is locked, so no file is left; the lock falls with the process."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
