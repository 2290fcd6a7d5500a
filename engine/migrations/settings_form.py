"""settings.toml by version: read as it must be now, or refused with the command that brings it there.

The version stands in the file, as `version = 2` above all sections, where a step was taken. A file without it was written by
hand, after whatever page its author had: steps look at what stands there, so a name is never used again for something else.
"""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic_settings import TomlConfigSettingsSource

from engine.addresses import HERE
from engine.errors import SettingsInvalid
from engine.migrations.step import Step, current

VERSION = "version"

Document = MutableMapping[str, Any]


class HostsOfServersGo(Step[Document]):
    """Until November 2026 a server of ours could be told where to listen."""

    what = "servers of ours listen on this machine, and their `host` is no setting any more (docs/decisions/0013)"

    def left(self, place: Document) -> str:
        """The settings."""
        return ", ".join(f"{server}.host" for server in _with_host(place))

    def take(self, place: Document) -> None:
        """Takes them out. Raises SettingsInvalid for one that says another machine: where that is now only its owner knows."""
        for server in _with_host(place):
            if (host := place[server]["host"]) not in (HERE, "localhost"):
                raise SettingsInvalid(
                    f"{server}.host of settings.toml is {host!r}, and servers of ours listen on {HERE} alone. Take the line "
                    "away; for one that runs elsewhere give its address as docs/operating.md says. Then `rollcall migrate`.")
        for server in _with_host(place):
            del place[server]["host"]


def _with_host(document: Document) -> list[str]:
    return [server for server in ("kafka", "cassandra", "mongo")
            if isinstance(section := document.get(server), MutableMapping) and "host" in section]


STEPS: tuple[Step[Document], ...] = (HostsOfServersGo(),)


class SettingsOlder(SettingsInvalid):
    """settings.toml is of an older version. `path`: where it stands."""

    def __init__(self, path: Path, left: str) -> None:
        super().__init__(f"{path} is of an older Rollcall ({left}). `rollcall migrate --dry-run` says what would be changed, "
                         "`rollcall migrate` changes it.")
        self.path = path


class SettingsFile(TomlConfigSettingsSource):
    """settings.toml as it must be now, without its version. Raises SettingsInvalid, SettingsOlder."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        read = super()._read_file(file_path)
        if left := [found for step in _ahead(read, file_path) if (found := step.left(read))]:
            raise SettingsOlder(file_path, "; ".join(left))
        return {name: value for name, value in read.items() if name != VERSION}


def migrated(text: str, path: Path) -> tuple[str, list[str]]:
    """The text of settings.toml as it must be now, comments kept, and what was changed. Raises SettingsInvalid."""
    document, said = tomlkit.parse(text), []
    for step in _ahead(document, path):
        if left := step.left(document):
            step.take(document)
            said.append(f"{left}: {step.what}")
    if not said:
        return text, []
    if VERSION in document:
        document[VERSION] = current(STEPS)
        return tomlkit.dumps(document), said
    return f"{VERSION} = {current(STEPS)}\n{tomlkit.dumps(document)}", said


def _ahead(document: Document, path: Path) -> Iterator[Step[Document]]:
    version = document.get(VERSION, 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SettingsInvalid(f"{path} says version = {version!r}, and versions are whole numbers from 1: only `rollcall "
                              "migrate` writes one. Take the line away.")
    if version > current(STEPS):
        raise SettingsInvalid(f"{path} is of version {version}, and this Rollcall knows {current(STEPS)} at most: a newer one "
                              "wrote it. Take that one again, or put the settings.toml of before back.")
    yield from STEPS[version - 1:]
