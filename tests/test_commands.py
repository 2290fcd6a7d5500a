"""Commands: what stands on the control topic, and how they fold into markers."""

import json
import os
from typing import Any

import pytest

from engine.commands import Command, Marker, Verdict, decode, encode, fold
from engine.errors import CommandRefused
from engine.sealing import CannotOpen, KeyRing
from engine.writer.pins import checked

UUID = "9a723211-0e87-41f1-b1e4-ed1a15226b80"


@pytest.fixture
def keys() -> KeyRing:
    return KeyRing("k001", {"k001": os.urandom(32)}, *[os.urandom(32) for _ in range(4)])


def test_a_command_comes_back_as_it_was_given_and_names_nobody_in_clear(keys: KeyRing) -> None:
    value = encode(keys, "erase", "R-1", UUID.upper())
    assert UUID.encode() not in value.lower()
    assert decode(keys, 7, 1000, b"R-1", value) == Command(7, 1000, "erase", keys.suppression_token(UUID), UUID, "R-1")
    expire = decode(keys, 8, 1000, b"R-2", encode(keys, "expire", "R-2", UUID, cut_off=55))
    assert (expire.verb, expire.cut_off) == ("expire", 55)
    assert decode(keys, 9, 1000, b"R-3", encode(keys, "recount", "R-3")).verb == "recount"
    pins = {"email": " a@b.org ", "location": {"city": "Cork"}}
    rectify = decode(keys, 10, 1000, b"R-4", encode(keys, "rectify", "R-4", UUID, fields=pins))
    assert json.loads(rectify.pins) == {"email": "a@b.org", "location": {"city": "Cork"}}


def test_what_is_no_command_is_refused_without_saying_what_it_held(keys: KeyRing) -> None:
    good = json.loads(encode(keys, "erase", "R-1", UUID))
    wrong = {b"R-1": [b"", b"{", b"[]", b"null", json.dumps({**good, "verb": "canary-verb" * 9}).encode(),
                      json.dumps({**good, "token": "0" * 64}).encode(), json.dumps({**good, "sealed": "AAAA"}).encode()],
             b"another request": [json.dumps(good).encode()]}
    for request, values in wrong.items():
        for value in values:
            with pytest.raises(CommandRefused) as refused:
                decode(keys, 1, 1, request, value)
            assert UUID not in str(refused.value)
    with pytest.raises(CommandRefused, match="is not a uuid"):
        encode(keys, "erase", "R", "nobody")
    with pytest.raises(CommandRefused, match="there are erase, lift"):
        encode(keys, "forget", "R", UUID)


def at(offset: int, verb: str, when: int, cut_off: int = -1, pins: str = "") -> Command:
    return Command(offset, when, verb, "t", UUID, f"R-{offset}", cut_off, pins)


def test_nothing_is_pinned_to_a_marker_that_keeps_an_erasure() -> None:
    pins = '{"phone": "112"}'
    late = fold({}, [at(0, "erase", 10), at(1, "rectify", 20, pins=pins)])["t"].marker
    assert (late.pins, late.rectified, late.last_command) == ("", -1, 1)
    assert fold({}, [at(0, "erase", 10), at(1, "lift", 20), at(2, "rectify", 30, pins=pins)])["t"].marker.rectified == 2


def test_who_restricts_is_not_ended_with_their_time() -> None:
    assert fold({}, [at(0, "restrict", 10), at(1, "expire", 30, 25)])["t"].marker.not_before == -1
    assert fold({}, [at(0, "restrict", 10), at(1, "unrestrict", 20), at(2, "expire", 30, 25)])["t"].marker.not_before == 25
    assert fold({}, [at(0, "restrict", 10), at(1, "erase", 30)])["t"].marker.erased


@pytest.mark.parametrize(("given", "erased", "restricted", "not_before"), [
    ([at(0, "erase", 10)], True, False, 10),
    ([at(0, "erase", 10), at(1, "lift", 20)], False, False, 20),
    ([at(0, "lift", 20)], False, False, -1),                                # nothing to lift: nothing is barred
    ([at(0, "erase", 10), at(1, "lift", 5)], False, False, 10),             # a clock that stepped back bars no less
    ([at(0, "expire", 30, 25)], False, False, 25),
    ([at(0, "expire", 30, 25), at(1, "expire", 31, 20)], False, False, 25),
    ([at(0, "restrict", 1), at(1, "erase", 2)], True, True, 2),
    ([at(0, "restrict", 1), at(1, "unrestrict", 2)], False, False, -1),
])
def test_commands_fold_in_their_order(given: list[Command], erased: bool, restricted: bool, not_before: int) -> None:
    verdict = fold({}, given)["t"]
    assert verdict == Verdict(Marker("t", erased, restricted, not_before, len(given) - 1, f"R-{len(given) - 1}"), UUID, True)
    assert fold({"t": verdict.marker}, given) == {"t": Verdict(verdict.marker, UUID)}    # read again: changes nothing


def test_a_verdict_bars_what_is_not_newer() -> None:
    marker = fold({}, [at(0, "erase", 10), at(1, "lift", 20)])["t"]
    assert [marker.bars(when) for when in (9, 20, 21)] == [True, True, False]
    assert Verdict(Marker("t", erased=True)).bars(10 ** 15)


def test_a_sealed_value_opens_at_its_place_only(keys: KeyRing) -> None:
    box = keys.seal_column(UUID, "phone", "0479-155-388")
    assert keys.open_column(UUID, "phone", box) == "0479-155-388"
    assert box != keys.seal_column(UUID, "phone", "0479-155-388")
    for uuid, column, value in ((UUID, "email", box), (UUID[:-1] + "1", "phone", box), (UUID, "phone", box[:-1]),
                                (UUID, "phone", b"k009" + box[4:]), (UUID, "phone", b"")):
        with pytest.raises(CannotOpen):
            keys.open_column(uuid, column, value)
    assert "0x" not in repr(keys)
    assert all(key.hex() not in repr(keys) for key in keys.columns.values())
    assert keys.email_token("A@b.C") == keys.email_token("a@B.c") != keys.suppression_token("a@b.c")


@pytest.mark.parametrize(("fields", "says"), [
    ({}, "of: name, location"), (None, "of: name, location"), ({"login": "canary"}, "received 'login'"),
    ({"email": "canary"}, "one @"), ({"email": "canary@b\0.org"}, "one @"),
    ({"nat": "canary"}, "code of a nationality"), ({"gender": ["canary"]}, "lower-case word"),
    ({"dob": {"date": "1970-02-30"}}, "a date as"), ({"dob": {"date": "2970-01-01"}}, "a date as"),
    ({"dob": "1970-01-01"}, "object of date"), ({"name": {"middle": "canary"}}, "object of first, last"),
    ({"name": {}}, "at least one of"), ({"phone": " "}, "not empty"), ({"phone": "9" * 251}, "at most 250"),
    ({"phone": '{"canary": 1}'}, "not empty"), ({"location": {"city": 5}}, "not empty")])
def test_what_cannot_be_pinned_is_refused_without_its_value(keys: KeyRing, fields: Any, says: str) -> None:
    with pytest.raises(CommandRefused, match=says) as refused:
        encode(keys, "rectify", "R", UUID, fields=fields)
    assert "canary" not in str(refused.value)


def test_rectifications_add_up_by_group_and_an_erasure_forgets_them() -> None:
    def set_to(offset: int, **fields: Any) -> Command:
        return Command(offset, offset, "rectify", "t", UUID, "R", -1, checked(fields))
    first = [set_to(0, nat="IE", name={"first": "Ada"}), set_to(1, name={"last": "Byron"})]
    marker = fold({}, first)["t"].marker
    assert (json.loads(marker.pins), marker.rectified) == ({"nat": "IE", "name": {"last": "Byron"}}, 1)
    forgotten = fold({}, [*first, at(2, "erase", 5), at(3, "lift", 6)])["t"].marker
    assert (forgotten.pins, forgotten.rectified) == ("", -1)
    again = fold({}, [*first, at(2, "erase", 5), at(3, "lift", 6), set_to(4, nat="FR")])["t"].marker
    assert (again.pins, again.rectified) == ('{"nat": "FR"}', 4)
