"""The key ring: what is sealed with which key, so that no personal value is ever at rest in clear.

Sealing is AES-256-GCM; a sealed value is `key id (4 bytes) + nonce (12) + ciphertext + tag (16)`, and additional data ties
it to its place (a column of one person, one dead letter, one command), so that it cannot be moved elsewhere. Tokens are
HMAC-SHA256 in hex. engine/spark/columns.py builds the same bytes from Spark's native expressions; a test holds them together.
"""

import hashlib
import hmac
import json
import os
import secrets as random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import SettingsInvalid
from engine.secrets import write_secret
from engine.settings import Settings

KEY_BYTES = 32
KEY_ID_BYTES = 4
NONCE_BYTES = 12


class CannotOpen(ValueError):
    """A sealed value is damaged, was moved from its place, or its key is not in the ring."""


@dataclass(repr=False)
class KeyRing:
    """The keys of one installation. All are 32 bytes.

    columns: key id -> key of the row's sealed columns; `current` names the one new rows use. email: tokens people are
    found by. suppression: tokens of the markers; not rotated while markers stand. control: fields of commands; never
    rotated, for the control topic is kept for ever. dead: dead letters. email_before: earlier keys of e-mail tokens, as long
    as rows may have tokens of theirs. path: the file it is kept in, if any; `renew` takes up what was rotated there.
    """

    current: str
    columns: dict[str, bytes]
    email: bytes
    suppression: bytes
    control: bytes
    dead: bytes
    email_before: tuple[bytes, ...] = field(default=(), kw_only=True)
    path: Path | None = field(default=None, compare=False, kw_only=True)
    _seen: tuple[int, int] | None = field(default=None, init=False, compare=False)

    def __repr__(self) -> str:
        return f"KeyRing(current={self.current!r}, columns={sorted(self.columns)})"

    def renew(self) -> Self:
        """Takes up, in place, what its file holds now, if that was replaced; returns itself. Raises SettingsInvalid."""
        if self.path is not None and (seen := _stamp(self.path)) != self._seen:
            vars(self).update(vars(_read(self.path)) | {"path": self.path, "_seen": seen})
        return self

    @property
    def mark(self) -> str:
        """What tells this ring's keys of rows from those of another time, and gives none away."""
        return f"{self.current} {token(self.email, 'mark')[:8]}"

    @property
    def rotating(self) -> bool:
        """Whether it holds keys of rows that are to go as soon as no row needs them."""
        return len(self.columns) > 1 or bool(self.email_before)

    def seal_column(self, uuid: str, column: str, value: str) -> bytes:
        """One column of one person, sealed under the current key."""
        return _seal(self.current, self.columns[self.current], value.encode(), column_place(uuid, column))

    def open_column(self, uuid: str, column: str, sealed: bytes) -> str:
        """What `seal_column`, or Spark, sealed; CannotOpen if it is not that."""
        name = sealed[:KEY_ID_BYTES].decode("ascii", "replace")
        if name not in self.columns:
            with suppress(SettingsInvalid):    # the row may be newer than this ring
                self.renew()
        if (key := self.columns.get(name)) is None:
            raise CannotOpen(f"column {column}: its key id is not in the key ring")
        return _open(key, sealed, column_place(uuid, column)).decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether a sealed column is under the current key."""
        return sealed.startswith(self.current.encode("ascii"))

    def email_token(self, email: str) -> str:
        """What an e-mail is found by: the same for all who share it, in any case."""
        return token(self.email, email.lower())

    def email_tokens(self, email: str) -> list[str]:
        """Every token by which rows may have this e-mail: those of earlier keys first, the one of now last. Rows go from the
        first to the last, so that who asks in this order misses none that goes meanwhile."""
        return [token(key, email.lower()) for key in (*self.email_before, self.email)]

    def suppression_token(self, uuid: str) -> str:
        """What a person's marker is kept under: by uuid, for e-mails are shared."""
        return token(self.suppression, uuid.lower())

    def seal_pins(self, token: str, pins: str) -> bytes:
        """What a marker keeps of rectifications, under the key of the commands they came by."""
        return _seal("ctrl", self.control, pins.encode(), f"pins|{token}")

    def open_pins(self, token: str, sealed: bytes) -> str:
        """The pins of a marker, as `seal_pins` got them."""
        return _open(self.control, sealed, f"pins|{token}").decode()

    def dead_letter_mark(self, value: bytes) -> str:
        """Eight letters that tell two values of the same place apart and say nothing of them."""
        return token(self.dead, value.hex())[:8]

    def redrive_proof(self, *claim: str) -> str:
        """That a redrive of ours made a claim (engine/dead_letters/claim.py)."""
        return token(self.dead, f"redrive|{json.dumps(claim)}")

    def audit_seal(self, text: str) -> str:
        """The seal of an entry of the audit (governance/audit.py); its key is as old as the installation."""
        return token(self.control, f"audit|{text}")

    def backup_seal(self, text: str) -> str:
        """The seal of a backup's manifest (engine/backup/manifest.py)."""
        return token(self.control, f"backup|{text}")

    def seal_dead_letter(self, value: bytes, place: str) -> bytes:
        """The value of a dead letter."""
        return _seal("dead", self.dead, value, f"dead|{place}")

    def open_dead_letter(self, sealed: bytes, place: str) -> bytes:
        """The value of a dead letter, as `seal_dead_letter` got it."""
        return _open(self.dead, sealed, f"dead|{place}")

    def seal_command(self, fields: dict[str, Any], request: str) -> bytes:
        """The fields of a command that name a person."""
        return _seal("ctrl", self.control, json.dumps(fields).encode(), f"command|{request}")

    def open_command(self, sealed: bytes, request: str) -> dict[str, Any]:
        """The fields of a command, as `seal_command` got them."""
        fields: dict[str, Any] = json.loads(_open(self.control, sealed, f"command|{request}"))
        return fields

    def seal_package(self, value: bytes, request: str) -> bytes:
        """What is held of a person, until it is handed out."""
        return _seal("ctrl", self.control, value, f"package|{request}")

    def open_package(self, sealed: bytes, request: str) -> bytes:
        """A package, as `seal_package` got it."""
        return _open(self.control, sealed, f"package|{request}")

    def seal_record(self, body: str, place: str) -> bytes:
        """The body of a version that the officer keeps; its key is as old as the installation."""
        return _seal("ctrl", self.control, body.encode(), f"record|{place}")

    def open_record(self, sealed: bytes, place: str) -> str:
        """The body of a version, as `seal_record` got it."""
        return _open(self.control, sealed, f"record|{place}").decode()


def column_place(uuid: str, column: str) -> str:
    """The additional data of a sealed column."""
    return f"{uuid}|{column}"


def token(key: bytes, value: str) -> str:
    """HMAC-SHA256 of `value`, in hex."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def new_key() -> bytes:
    """A key, drawn at random."""
    return random.token_bytes(KEY_BYTES)


def ensure_keys(settings: Settings) -> bool:
    """Makes the key ring if there is none; returns whether it did."""
    path = keys_path(settings)
    if path.exists():
        return False
    columns, email, suppression, control, dead = (new_key() for _ in range(5))
    save_keys(KeyRing("k001", {"k001": columns}, email, suppression, control, dead), path)
    return True


def lost_keys(settings: Settings) -> str:
    """What may hold data that were sealed with a key ring that is not there; empty when it is, or never was."""
    if keys_path(settings).exists():
        return ""
    if "cassandra" in settings.elsewhere:    # our passwords are made after the keys: with them there were keys
        began = (settings.secrets / "stream.password").exists()
        return f"Cassandra at {settings.cassandra_address}" if began else ""
    return str(settings.data) if (settings.data / "cassandra").exists() else ""


def load_keys(settings: Settings) -> KeyRing:
    """Reads the key ring of this installation."""
    path = keys_path(settings)
    seen = _stamp(path)    # before it is read: what is replaced meanwhile is read again
    keys = _read(path)
    keys.path, keys._seen = path, seen
    return keys


def save_keys(keys: KeyRing, path: Path) -> None:
    """Writes a key ring, whole or not at all."""
    kept = {"current": keys.current, "columns": {name: key.hex() for name, key in keys.columns.items()},
            **{name: getattr(keys, name).hex() for name in ("email", "suppression", "control", "dead")}}
    if keys.email_before:
        kept["email_before"] = [key.hex() for key in keys.email_before]
    write_secret(path, json.dumps(kept, indent=1).encode())


def keys_in(content: bytes, path: Path) -> KeyRing:
    """The key ring that a file holds. path: how it is named where it is damaged, which is a SettingsInvalid."""
    try:
        kept = json.loads(content)
        keys = KeyRing(
            kept["current"], {name: bytes.fromhex(key) for name, key in kept["columns"].items()},
            *[bytes.fromhex(kept[name]) for name in ("email", "suppression", "control", "dead")],
            email_before=tuple(map(bytes.fromhex, kept.get("email_before", ()))))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SettingsInvalid(f"The key ring {path} is damaged. Restore it from its backup.") from None
    if any(len(key) != KEY_BYTES for key in (*keys.columns.values(), *keys.email_before, keys.email, keys.suppression,
                                             keys.control, keys.dead)):
        raise SettingsInvalid(f"The key ring {path} is damaged: each key must be {2 * KEY_BYTES} hexadecimal digits. "
                              "Restore it from its backup.")
    if keys.current not in keys.columns or any(len(name) != KEY_ID_BYTES for name in keys.columns):
        raise SettingsInvalid(f"The key ring {path} is damaged: `current` must name one of `columns` by 4 letters. "
                              "Restore it from its backup.")
    return keys


def keys_path(settings: Settings) -> Path:
    """Where the key ring of this installation stands."""
    return settings.secrets / "keys.json"


def _read(path: Path) -> KeyRing:
    try:
        return keys_in(path.read_bytes(), path)
    except FileNotFoundError:
        raise SettingsInvalid(f"There is no key ring: {path} is missing. `rollcall up` makes one for a new "
                              "installation; for an old one restore it, or its rows cannot be read.") from None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells one file of this name from the next: it is replaced, never changed."""
    with suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns
    return None


def _seal(key_id: str, key: bytes, value: bytes, place: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return key_id.encode("ascii") + nonce + AESGCM(key).encrypt(nonce, value, place.encode())


def _open(key: bytes, sealed: bytes, place: str) -> bytes:
    nonce = sealed[KEY_ID_BYTES:KEY_ID_BYTES + NONCE_BYTES]
    try:
        return AESGCM(key).decrypt(nonce, sealed[KEY_ID_BYTES + NONCE_BYTES:], place.encode())
    except (InvalidTag, ValueError):
        raise CannotOpen(f"a value at {place.split('|')[-1]} is damaged or not from there") from None
