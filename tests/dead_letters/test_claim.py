"""A claim is believed as it was made, and not once anything of it or of its record is another."""

import dataclasses

import pytest

from engine.dead_letters.claim import Claim, claimed
from engine.sealing import KeyRing

KEYS = KeyRing("k001", {"k001": b"c" * 32}, b"e" * 32, b"s" * 32, b"o" * 32, b"d" * 32)
CLAIM = Claim("people.jsonl:12#1f0c9a2e", 2, "2026-11-24T11:00:00.000Z")
HEADERS = CLAIM.headers(KEYS, b"key", b"value")


def test_a_claim_is_believed_with_its_proof() -> None:
    assert claimed(KEYS, b"key", b"value", HEADERS) == CLAIM
    assert claimed(KEYS, bytearray(b"key"), bytearray(b"value"), [*HEADERS, ("source", None)]) == CLAIM


@pytest.mark.parametrize("name", ["letter", "attempt", "first_append", "proof"])
def test_nothing_of_it_may_be_missing_or_another(name: str) -> None:
    assert claimed(KEYS, b"key", b"value", [header for header in HEADERS if header[0] != name]) is None
    for other in (b"3", b"", b"\xff", "é".encode(), b"9" * 5000, None):
        changed = [(one, other if one == name else text) for one, text in HEADERS]
        assert claimed(KEYS, b"key", b"value", changed) is None


def test_it_is_one_records_alone_and_of_one_key_ring() -> None:
    assert claimed(KEYS, b"other", b"value", HEADERS) is None
    assert claimed(KEYS, b"key", b"other", HEADERS) is None
    assert claimed(KEYS, None, None, HEADERS) is None
    assert claimed(dataclasses.replace(KEYS, dead=b"x" * 32), b"key", b"value", HEADERS) is None
    assert claimed(KEYS, b"key", b"value", []) is None
