"""Passwords of this installation: made once at random, one file each, readable by the owner alone.

A secret never stands on a command line, in a log or in git; programs read it from here, where they run.
"""

import os
import secrets as random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from pydantic import SecretStr

from engine.errors import SettingsInvalid
from engine.settings import Settings

PRINCIPALS = ("broker", "provision", "producer", "stream", "fence", "governance", "verify", "redrive", "view",
              "console", "officer", "inspector", "gatekeeper")
"""Who signs in anywhere. broker: Kafka among itself; provision: sets everything up; fence: makes the stream's role in
Cassandra; officer: reveals one person at a time for the console, and keeps register and breaches; inspector: compares the
systems with the register; gatekeeper: changes Kafka's rules and users; the others: one program each."""


_tried: ContextVar[Mapping[str, SecretStr]] = ContextVar("_tried", default=MappingProxyType({}))


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


@contextmanager
def fresh_file(path: Path) -> Iterator[BinaryIO]:
    """A file that was not there, which others cannot read; gone again if the block fails. Raises OSError, before the block for
    a folder that is missing or a file that is there."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def needed(settings: Settings) -> tuple[str, ...]:
    """Principals whose passwords this installation has or makes: without those that only servers of ours know."""
    ours = {"kafka", "cassandra", "mongo"} - settings.elsewhere.keys()
    without = {name for name, wanted in (("broker", "kafka" in ours), ("provision", bool(ours))) if not wanted}
    return tuple(name for name in PRINCIPALS if name not in without)


def ensure_passwords(settings: Settings, whose: tuple[str, ...] = PRINCIPALS) -> list[str]:
    """Makes the passwords that are missing; returns whose were made."""
    settings.secrets.mkdir(parents=True, exist_ok=True)
    settings.secrets.chmod(0o700)
    made = [name for name in whose if not _path(settings, name).exists()]
    for name in made:
        write_secret(_path(settings, name), random.token_hex(24).encode())
    return made


def account(settings: Settings, principal: str, server: str) -> tuple[str, SecretStr]:
    """Name and password under which a principal signs in to a server (kafka, cassandra, mongo).

    They are its own, but for `provision` at a server elsewhere whose administrator gave us another account: it stands in
    `<server>.admin`, two lines. Raises SettingsInvalid, which says what is to be written where.
    """
    if principal != "provision" or server not in settings.elsewhere:
        return principal, password(settings, principal)
    path = settings.secrets / f"{server}.admin"
    if path.exists():
        lines = path.read_bytes().decode(errors="replace").splitlines()
        if len(lines) != 2 or not all(line and line.isprintable() for line in lines):
            raise SettingsInvalid(f"{path} must hold two lines: the name and the password of the account with which {server} "
                                  f"at {settings.elsewhere[server]} is set up.")
        return lines[0], SecretStr(lines[1])
    if not _path(settings, principal).exists():
        raise SettingsInvalid(
            f"{server} runs elsewhere ({settings.elsewhere[server]}), and with which account it is set up is not known. Write "
            f"name and password, two lines, into {path}; or, if the account is called 'provision', its password into "
            f"{_path(settings, principal)}. `rollcall provision --rights` says what it must be allowed to do.")
    return principal, password(settings, principal)


def given(settings: Settings, name: str) -> SecretStr | None:
    """What somebody else has given us and somebody has written into the secrets folder, one line; None where there is no such
    file. Raises SettingsInvalid for a file that holds no line, or more."""
    path = settings.secrets / name
    try:
        word = path.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, OSError):
        word = ""
    if not word or not word.isprintable():
        raise SettingsInvalid(f"{path} must hold one line of text that can be read.")
    return SecretStr(word)


def password(settings: Settings, principal: str) -> SecretStr:
    """The password of a principal of this installation."""
    if (tried := _tried.get().get(principal)) is not None:
        return tried
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


@contextmanager
def trying(principal: str, word: SecretStr) -> Iterator[None]:
    """In this block, and in this thread, a principal signs in with another password than that of its file."""
    before = _tried.set({**_tried.get(), principal: word})
    try:
        yield
    finally:
        _tried.reset(before)


def next_password(settings: Settings, principal: str) -> SecretStr | None:
    """The password that a principal is about to get (`make_next`), None where it is about to get none."""
    return given(settings, _next(settings, principal).name)


def make_next(settings: Settings, principal: str) -> SecretStr:
    """Makes a principal's next password, beside the one it has; the one that was made before, where a rotation broke off."""
    if (word := next_password(settings, principal)) is None:
        write_secret(_next(settings, principal), random.token_hex(24).encode())
        word = next_password(settings, principal)
    if word is None:
        raise SettingsInvalid(f"{_next(settings, principal)} was written and is gone: somebody else works in that folder.")
    return word


def take_next(settings: Settings, principal: str) -> None:
    """The next password of a principal becomes its password."""
    _next(settings, principal).replace(_path(settings, principal))


def _next(settings: Settings, principal: str) -> Path:
    return settings.secrets / f"{principal}.next"


def _path(settings: Settings, principal: str) -> Path:
    return settings.secrets / f"{principal}.password"
