"""A ring with keys of two times: what it opens, what a row becomes, what a look at it counts, and what was begun."""

import json
import stat
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra.metadata import Murmur3Token

from engine.errors import NotServed, SettingsInvalid
from engine.rotation.keys import Uses, alone, begun, look_at, said, share, with_new
from engine.sealing import CannotOpen, KeyRing, keys_path, load_keys, save_keys
from engine.settings import Settings
from engine.stores.browse import Wanted
from engine.stores.profiles import sealed_anew
from engine.stores.schema import SEALED
from engine.writer.write_order import Sealing

UUID = "9a723211-0e87-41f1-b1e4-ed1a15226b80"
CLEAR = {"full_name": "Ada Byron", "full_address": "1 St James Square", "email": "Ada@Example.org", "phone": "112",
         "birth_date": "1815-12-10"}


def row(keys: KeyRing, **fields: Any) -> Any:
    """A row as this ring makes it, but for these fields."""
    made = {name: keys.seal_column(UUID, name, value) for name, value in CLEAR.items()}
    return SimpleNamespace(**{"uuid": UUID, "key_id": keys.current, "email_token": keys.email_token(CLEAR["email"]),
                              **made, **fields})


def after(read: Any, columns: dict[str, Any]) -> Any:
    """The row when these columns were written."""
    return SimpleNamespace(**{**vars(read), **columns})


def look(read: Any, keys: KeyRing) -> Uses:
    found = Uses()
    look_at(read, keys, found)
    return found


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    return load_keys(settings)


def test_every_sealed_column_is_rotated() -> None:
    assert set(CLEAR) == set(SEALED)


def test_a_ring_is_kept_with_every_key_and_readable_by_its_owner_alone(settings: Settings, keys: KeyRing) -> None:
    both = with_new(with_new(keys, "pii"), "email")
    save_keys(both, keys_path(settings))
    assert load_keys(settings) == both
    assert (both.current, sorted(both.columns), both.email_before) == ("k002", ["k001", "k002"], (keys.email,))
    assert both.email != keys.email
    assert stat.S_IMODE(keys_path(settings).stat().st_mode) == 0o600
    assert "email_before" not in json.loads(_text(settings, keys))


def _text(settings: Settings, keys: KeyRing) -> str:
    save_keys(keys, keys_path(settings))
    return keys_path(settings).read_text()


def test_a_key_id_is_never_used_again(keys: KeyRing) -> None:
    later = with_new(keys, "pii")
    alone_now = replace(later, columns={"k002": later.columns["k002"]})
    assert with_new(alone_now, "pii").current == "k003"


def test_who_read_the_ring_before_opens_what_was_sealed_since(settings: Settings, keys: KeyRing) -> None:
    later = with_new(keys, "pii")
    box = later.seal_column(UUID, "phone", "112")
    with pytest.raises(CannotOpen, match="not in the key ring"):
        keys.open_column(UUID, "phone", box)
    save_keys(later, keys_path(settings))
    assert keys.open_column(UUID, "phone", box) == "112"
    assert keys == later


def test_a_ring_whose_file_is_gone_opens_what_it_can(settings: Settings, keys: KeyRing) -> None:
    keys_path(settings).unlink()
    assert keys.open_column(UUID, "phone", keys.seal_column(UUID, "phone", "112")) == "112"
    with pytest.raises(CannotOpen):
        keys.open_column(UUID, "phone", b"k009" + bytes(40))
    with pytest.raises(SettingsInvalid, match="missing"):
        keys.renew()


def test_a_damaged_earlier_key_is_said(settings: Settings, keys: KeyRing) -> None:
    kept = json.loads(_text(settings, with_new(keys, "email")))
    keys_path(settings).write_text(json.dumps({**kept, "email_before": ["00"]}))
    with pytest.raises(SettingsInvalid, match="64 hexadecimal digits"):
        load_keys(settings)


@pytest.mark.parametrize("which", ["pii", "email"])
def test_a_row_of_before_is_made_anew_and_then_needs_no_earlier_key(keys: KeyRing, which: Any) -> None:
    before, later = row(keys), with_new(keys, which)
    assert (begun(keys, which), begun(later, which), keys.rotating, later.rotating) == (False, True, False, True)
    assert (look(before, keys).old, look(before, later).old) == (0, 1)
    columns, shut = sealed_anew(before, later)
    assert set(columns) == ({"key_id", *SEALED} if which == "pii" else {"email_token"})
    now = after(before, columns)
    assert not shut
    assert look(now, later) == Uses(1, 0, 0, look(now, later).keys)
    assert {name: later.open_column(UUID, name, getattr(now, name)) for name in CLEAR} == CLEAR
    assert now.email_token == later.email_token("ada@example.org") == later.email_tokens(CLEAR["email"])[-1]
    assert sealed_anew(now, later) == ({}, False)


def test_columns_without_a_value_stay_so(keys: KeyRing) -> None:
    read = row(keys, phone=None, email=None, email_token=None)
    columns, _ = sealed_anew(read, with_new(with_new(keys, "pii"), "email"))
    assert set(columns) == {"key_id", "full_name", "full_address", "birth_date"}


def test_what_no_key_opens_stays_and_keeps_no_key_in_the_ring(keys: KeyRing) -> None:
    later = with_new(keys, "pii")
    moved = keys.seal_column(UUID, "phone", "112")
    read = row(keys, email=moved, email_token="t")
    columns, shut = sealed_anew(read, later)
    assert shut
    assert "email" not in columns
    assert "email_token" not in columns
    found = look(after(read, columns), later)
    assert (found.old, found.shut, found.keys) == (0, 1, {"k001": 1, "k002": 1})


def test_only_a_token_of_an_earlier_key_keeps_that_key(keys: KeyRing) -> None:
    assert look(row(keys, email_token="of another spelling"), with_new(keys, "email")).old == 0


def test_marks_tell_rings_apart(keys: KeyRing) -> None:
    rings = [keys, with_new(keys, "pii"), with_new(keys, "email")]
    assert len({ring.mark for ring in rings}) == len(rings)
    assert not any(ring.email.hex()[:8] in ring.mark for ring in rings)


def test_an_address_is_looked_for_by_every_token_the_earlier_first(keys: KeyRing) -> None:
    later = with_new(keys, "email")
    assert later.email_tokens("A@b.C") == [keys.email_token("a@b.c"), later.email_token("a@b.c")]
    wanted = Wanted(email_tokens=tuple(later.email_tokens("A@b.C")))
    today: Any = None
    assert wanted.parts(today) == later.email_tokens("a@b.c")
    assert wanted.where(today, wanted.parts(today)[0]) == ("email_token = %s AND counted = %s",
                                                           (keys.email_token("a@b.c"), True))


def test_how_far_a_walk_is_goes_by_the_order_of_cassandras_tokens() -> None:
    assert said(None) == "no row was ever sealed anew"
    assert (share(Sealing("m")), share(Sealing("m", ended=True))) == (0.0, 1.0)
    uuids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(500)]
    walk = sorted(uuids, key=lambda uuid: Murmur3Token.hash_fn(bytes.fromhex(uuid.replace("-", ""))))
    shares = [share(Sealing("m", uuid)) for uuid in walk]
    assert shares == sorted(shares)
    assert abs(shares[250] - 0.5) < 0.1
    assert said(Sealing("m", walk[250], 1000, 900, 1)).startswith("rows sealed anew: ")


def test_one_rotation_at_a_time(settings: Settings) -> None:
    with alone(settings), pytest.raises(NotServed, match="under way"), alone(settings):
        pass
