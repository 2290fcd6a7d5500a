"""Changing settings.toml of an installation from a page: what stands in it stays as it is, comments too."""

from collections.abc import Mapping

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import ParseError

from engine.errors import SettingsInvalid
from engine.secrets import write_secret
from engine.settings import Settings, outer_environment


def change(settings: Settings, section: str, fields: Mapping[str, str | float | int]) -> None:
    """Sets fields of one section, for every program that starts from now on.

    Raises SettingsInvalid, and changes nothing, when a value is not allowed, the file is no TOML, or the environment would
    win over it.
    """
    above = [name for name in (f"ROLLCALL_{section}__{field}".upper() for field in fields) if name in outer_environment()]
    if above:
        raise SettingsInvalid(f"{', '.join(above)} of the environment would win over settings.toml: change it there.")
    there = getattr(settings, section)
    try:
        type(there).model_validate({**there.model_dump(), **fields})
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsInvalid(f"{section}.{first['loc'][0] if first['loc'] else ''} is wrong: {first['msg']}.") from None
    path = settings.home / "settings.toml"
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (ParseError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}. docs/settings.md shows its form.") from None
    document.setdefault(section, tomlkit.table()).update(fields)
    write_secret(path, tomlkit.dumps(document).encode())
