"""The key ring in a file of its own, sealed with a passphrase: a backup without it can be read by nobody.

The passphrase becomes a key by scrypt (RFC 7914; a cost of 2^17 with blocks of 8, as OWASP's cheat sheet on password storage
has it: 128 MB for each guess), and the key ring is sealed by AES-256-GCM, to which what stands beside it is additional data.
"""

import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from engine.errors import Final, InputUnreadable
from engine.secrets import fresh_file

FORM = "rollcall key ring 1"
SHORTEST = 12
"""Characters of a passphrase: whoever has the file can try for ever."""

_COST, _BLOCK, _LANES = 2 ** 17, 8, 1
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_MOST = 2 ** 20
"""The greatest cost that is tried: a damaged file must not take all memory (1 GB here)."""


class PassphraseRefused(Final):
    """A passphrase is too short, or does not open the file."""

    exit_code = 77    # EX_NOPERM


def require_strong(passphrase: str) -> None:
    """Raises PassphraseRefused for one that is too short."""
    if len(passphrase) < SHORTEST:
        raise PassphraseRefused(f"The passphrase has {len(passphrase)} characters and must have at least {SHORTEST}: whoever "
                                "finds the file can try for ever. Some words that nobody says in this order are good.")


def read_passphrase(path: Path) -> str:
    """The passphrase that a file holds: its one line, without the line's end. Raises InputUnreadable."""
    try:
        word = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputUnreadable(f"{path} cannot be read ({_why(error)}); it must hold the passphrase, one line.") from None
    if not word or not word.isprintable():
        raise InputUnreadable(f"{path} must hold the passphrase, one line of text.")
    return word


def write_keys(path: Path, content: bytes, passphrase: str) -> None:
    """Writes a key ring into a file that was not there, sealed. Raises PassphraseRefused, OSError."""
    require_strong(passphrase)
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    said = {"form": FORM, "cost": _COST, "block": _BLOCK, "lanes": _LANES, "salt": salt.hex(), "nonce": nonce.hex()}
    sealed = AESGCM(_key(passphrase, salt, _COST, _BLOCK, _LANES)).encrypt(nonce, content, _beside(said))
    with fresh_file(path) as file:
        file.write((json.dumps({**said, "sealed": sealed.hex()}, indent=1) + "\n").encode())


def read_keys(path: Path, passphrase: str) -> bytes:
    """The key ring that `write_keys` got. Raises InputUnreadable for a file that is none, PassphraseRefused."""
    try:
        said = json.loads(path.read_bytes())
        sealed = bytes.fromhex(said.pop("sealed"))
        salt, nonce = bytes.fromhex(said["salt"]), bytes.fromhex(said["nonce"])
        cost, block, lanes = (int(said[name]) for name in ("cost", "block", "lanes"))
        if said["form"] != FORM or len(nonce) != _NONCE_BYTES or cost > _MOST or (block, lanes) != (_BLOCK, _LANES):
            raise ValueError
        key = _key(passphrase, salt, cost, block, lanes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputUnreadable(f"{path} is no key ring that `rollcall backup --keys` wrote ({_why(error)}).") from None
    try:
        return AESGCM(key).decrypt(nonce, sealed, _beside(said))
    except InvalidTag:
        raise PassphraseRefused(f"The passphrase does not open {path}, or the file is damaged; nothing was restored. Try the "
                                "passphrase again, then another copy of the file.") from None


def _key(passphrase: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return Scrypt(salt=salt, length=_KEY_BYTES, n=cost, r=block, p=lanes).derive(passphrase.encode())


def _beside(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True).encode()


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
