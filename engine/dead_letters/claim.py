"""Which dead letter a redriven record is: what its headers claim, believed only with the proof that a redrive made them.

    letter        the letter's place
    attempt       the how manieth redrive of it this is, from 1
    first_append  when its record was first met (ISO 8601)
    proof         HMAC-SHA256 over these three, the record's key and its value, under the key of the dead letters

The stream puts a record that is bad again under the letter it claims to be, so that it stays one letter with its
history. Whoever may append to the topic could otherwise overwrite any letter by claiming to be it. A copy of a redriven
record, headers and all, proves only what the first one did: the same letter, the same attempt, the same value.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from engine.sealing import KeyRing

LETTER = "letter"

Binary = bytes | bytearray    # as Kafka's clients and as Spark give them


@dataclass(frozen=True)
class Claim:
    """What a redriven record says of itself."""

    place: str
    attempt: int
    first_append: str

    def headers(self, keys: KeyRing, key: bytes, value: bytes) -> list[tuple[str, bytes]]:
        """The headers that carry it, for a record of this key and value."""
        return [(LETTER, self.place.encode()), ("attempt", str(self.attempt).encode()),
                ("first_append", self.first_append.encode()), ("proof", self._proof(keys, key, value).encode())]

    def _proof(self, keys: KeyRing, key: bytes, value: bytes) -> str:
        return keys.redrive_proof(self.place, str(self.attempt), self.first_append, key.hex(), sha256(value).hexdigest())


def claimed(keys: KeyRing, key: Binary | None, value: Binary | None, headers: Iterable[tuple[str, Any]]) -> Claim | None:
    """The claim of a record; None without one and for one that is not proven."""
    said: Mapping[str, str] = {name: bytes(text or b"").decode(errors="replace") for name, text in headers}
    if LETTER not in said or not re.fullmatch("[1-9][0-9]{0,8}", said.get("attempt", "")):
        return None
    claim = Claim(said[LETTER], int(said["attempt"]), said.get("first_append", ""))
    proof = claim._proof(keys, bytes(key or b""), bytes(value or b""))
    return claim if hmac.compare_digest(proof.encode(), said.get("proof", "").encode()) else None
