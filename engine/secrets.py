"""Passwords of this installation: made once at random, one file each, readable by the owner alone.

A secret never stands on a command line, in a log or in git; programs read it from here, where they run.
"""

import os
import secrets as random
from pathlib import Path

from pydantic import SecretStr

from engine.errors import SettingsInvalid
from engine.settings import Settings

PRINCIPALS = ("broker", "provision", "producer", "stream", "fence", "governance", "verify", "redrive", "view",
              "console", "officer", "inspector")
"""Who signs in anywhere. broker: Kafka among itself; provision: sets everything up; fence: makes the stream's role in
Cassandra; officer: reveals one person at a time for the console, and keeps register and breaches; inspector: compares the
systems with the register; the others: one program each."""


def write_secret(path: Path, content: bytes) -> None:
    """Writes `content` so that it is never readable by others and never half there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def ensure_passwords(settings: Settings) -> list[str]:
    """Makes the passwords that are missing; returns whose were made."""
    settings.secrets.mkdir(parents=True, exist_ok=True)
    settings.secrets.chmod(0o700)
    made = [name for name in PRINCIPALS if not _path(settings, name).exists()]
    for name in made:
        write_secret(_path(settings, name), random.token_hex(24).encode())
    return made


def password(settings: Settings, principal: str) -> SecretStr:
    """The password of a principal of this installation."""
    path = _path(settings, principal)
    try:
        word = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsInvalid(
            f"There is no password for {principal!r}: {path} is missing. `rollcall up` makes them.") from None
    except UnicodeDecodeError:
        word = ""
    if not word or not word.isprintable():
        raise SettingsInvalid(f"The password of {principal!r} is damaged: {path} must hold one line of text. "
                              "Restore it from its backup, or delete it and run `rollcall up`.")
    return SecretStr(word)


def _path(settings: Settings, principal: str) -> Path:
    return settings.secrets / f"{principal}.password"
