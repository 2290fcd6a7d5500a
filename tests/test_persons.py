"""Of whom a record speaks: the number it names decides; without one, the token of an e-mail does."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engine import carried_out
from engine.commands import Command
from engine.errors import CommandRefused
from engine.rights import commanded, erasure
from engine.rights.erasure import _lifted, unnamed
from engine.rights.expiring import CLEANED_WITHIN, compacted_by
from engine.rights.find import Found, Held, find, named_by, speaks, told_of
from engine.rights.persons import About, Person, bound
from engine.rights.topics import Letters, Said
from engine.rotation.keys import with_new
from engine.sealing import KeyRing
from engine.settings import Kafka, Settings

KEYS = KeyRing("k001", {"k001": b"1" * 32}, b"2" * 32, b"3" * 32, b"4" * 32, b"5" * 32)
ADA, BOB = "9a723211-0e87-41f1-b1e4-ed1a15226b80", "9a723211-0e87-41f1-b1e4-ed1a15226b81"
SHARED = frozenset({KEYS.email_token("both@example.com")})
ABOUT = About(KEYS, [Person(ADA, "a", SHARED)])


def test_a_number_decides_in_any_case_and_a_shared_e_mail_only_where_there_is_none() -> None:
    assert ABOUT(f'{{"login": {{"uuid": "{ADA.upper()}"}}'.encode()) == {ADA}
    assert ABOUT(f'{{"login": {{"uuid": "{BOB}"}}, "email": "both@example.com"}}'.encode()) == set()
    assert ABOUT(b'{"email": "Both@Example.com", "login": ') == {ADA}
    assert ABOUT(b'{"email": "other@example.com"}') == set()
    assert ABOUT(b"\xff\xfe no text") == set()


def test_a_person_is_known_by_a_token_of_an_earlier_key_too() -> None:
    """As a row has it while e-mail tokens are rotated."""
    later = with_new(KEYS, "email")
    for token in (KEYS.email_token("both@example.com"), later.email_token("both@example.com")):
        about = About(later, [Person(ADA, "a", frozenset({token}))])
        assert about(b'{"email": "Both@example.com"}') == {ADA}


def test_each_in_a_text_is_looked_at_by_themselves() -> None:
    many = {"results": [{"login": {"uuid": BOB}, "email": "x@example.org"}, {"email": "both@example.com"}]}
    assert ABOUT(json.dumps(many).encode()) == {ADA}, "another's number says nothing of her e-mail"
    many["results"][1] = {"login": {"uuid": BOB}, "email": "both@example.com"}
    assert ABOUT(json.dumps(many).encode()) == set(), "an e-mail beside his number is his"
    assert ABOUT(json.dumps({"uuid": BOB, "email": "both@example.com"}).encode()) == set(), "so it is in a request"
    assert ABOUT(json.dumps({"uuid": BOB, "reply_to": "both@example.com"}).encode()) == {ADA}
    assert ABOUT(f"{BOB} wrote to both@example.com.".encode()) == {ADA}, "in free text both count"
    for text in ("(both@example.com)", "to=both@example.com", "'both@example.com'!", "<both@example.com>"):
        assert ABOUT(text.encode()) == {ADA}, text
    irish = About(KEYS, [Person(ADA, "a", frozenset({KEYS.email_token("o'brien@example.com")}))])
    assert irish(b"<td>o&#x27;brien@example.com</td>") == irish(b"o'brien@example.com.") == {ADA}, "as a letter writes it"
    assert ABOUT(f'{{"email": "both@example.com", "email": "x@example.org", "login": {{"uuid": "{BOB}"}}}}'.encode()) == {ADA}


def test_escapes_of_json_hide_nobody() -> None:
    umlaut = About(KEYS, [Person(ADA, "a", frozenset({KEYS.email_token("m\u00fcller@example.com")}))])
    assert umlaut(json.dumps({"email": "m\u00fcller@example.com"}).encode()) == {ADA}
    assert umlaut(f'{{"login": {{"uuid": "{BOB}"}}, "note": "m\\u00FCller\\u0040example.com"}}'.encode()) == {ADA}
    assert umlaut(f'{{"login": {{"uuid": "\\u0039{ADA[1:]}"}}}}'.encode()) == {ADA}
    assert umlaut(json.dumps({"email": "m\u00fcller@example.com"}, ensure_ascii=False).encode("utf-16")) == {ADA}


def test_an_e_mail_is_theirs_whose_number_stands_beside_it_and_not_theirs_under_whose_key_it_came() -> None:
    (both,) = SHARED
    value = {"login": {"uuid": BOB.upper()}, "email": " Both@example.com"}
    assert bound(json.dumps(value).encode(), ADA, KEYS) == {(BOB, both)}
    assert bound(b'{"email": "both@example.com"}', ADA, KEYS) == {(ADA, both)}, "one without a number"
    many = {"results": [value, {"email": "other@example.com"}]}
    assert bound(json.dumps(many).encode(), ADA, KEYS) == {(BOB, both)}, "of several the key is nobody's"
    for text in (b'{"email": 1}', b"[", b"[1]", b'{"email": "a@b.org"}'):
        assert bound(text, "", KEYS) == set()
    assert named_by(both, json.dumps(many).encode(), ADA, KEYS) == {BOB}


def test_a_number_without_dashes_is_a_number() -> None:
    bare = ADA.replace("-", "")
    assert ABOUT(f"of {bare.upper()}".encode()) == {ADA}
    assert ABOUT(f"{bare}00".encode()) == set(), "another one"
    value = json.dumps({"login": {"uuid": bare}, "email": "both@example.com"}).encode()
    assert bound(value, "", KEYS) == {(ADA, *SHARED)}
    other = value.replace(bare.encode(), BOB.replace("-", "").encode())
    assert ABOUT(other) == set(), "an e-mail beside his number is his"


def test_who_was_lifted_since_is_not_erased_once_more() -> None:
    erased = Command(3, 0, "erase", "a", ADA, "R-1")
    lifted = replace(erased, offset=4, verb="lift", request="R-2")
    assert _lifted([erased], "R-1", {"a"}) == set()
    assert _lifted([replace(erased, offset=1, verb="lift"), erased], "R-1", {"a"}) == set(), "lifted before"
    assert _lifted([erased, lifted, replace(erased, offset=5)], "R-1", {"a"}) == {"a"}
    assert _lifted([erased, lifted], "R-3", {"a"}) == set(), "another request may"


def test_who_was_not_lifted_is_erased_again_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Command(3, 0, "erase", "a", ADA, "R-1")
    said = [one, replace(one, offset=4, token="b", uuid=BOB), replace(one, offset=5, verb="lift", request="R-2")]
    asked: list[list[str]] = []
    monkeypatch.setattr(erasure, "load_keys", lambda _: KEYS)
    monkeypatch.setattr("engine.rights.topics.control", lambda *_: Said(said, 0, 6))
    monkeypatch.setattr(erasure, "erase", lambda _settings, people, *_: asked.append(people))
    erasure.again(Settings(), "R-1", 1.0, lambda _: None, nullcontext())
    assert asked == [[BOB]]


def test_letters_without_a_number_are_found_by_the_e_mail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"people.jsonl:1": b'{"email": "both@example.com", "login": ', "people.jsonl:2": b'{"email": "x@example.com"}',
              "people.jsonl:3": b'{"email": "Both@Example.com", "login": {"uuid": "7"}}', "people.jsonl:4": b"over"}
    sent = [SimpleNamespace(topic="dead", partition=0, offset=n, timestamp=0, key=place.encode(), headers=[],
                            value=KEYS.seal_dead_letter(value, place)) for n, (place, value) in enumerate(values.items())]
    sent.append(SimpleNamespace(**{**vars(sent[-1]), "offset": 4, "value": None}))
    monkeypatch.setattr("engine.rights.find.load_keys", lambda _: KEYS)
    monkeypatch.setattr("engine.rights.persons.by_email", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.records",
                        lambda settings, topic, *_: sent if topic == settings.kafka.dead_topic else [])
    letters = Held("kafka:dead", 2, ("people.jsonl:1", "people.jsonl:3"))
    assert find(Settings(), email=" both@example.com") == [Found("", "", (letters,), False, False, ())]
    assert find(Settings(), email="nobody@example.com") == []


def test_the_request_that_asks_is_not_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[str]] = []

    def in_audit(_: object, __: object, names: list[str]) -> list[str]:
        said.append(list(names))
        return list(names)

    monkeypatch.setattr("engine.rights.find.load_keys", lambda _: KEYS)
    monkeypatch.setattr("engine.rights.find.known", lambda _, __, uuids: [Person(uuid, "token") for uuid in uuids])
    for name in ("persons.rows", "persons.markers"):
        monkeypatch.setattr(f"engine.rights.{name}", lambda *_: {})
    for name in ("of_people", "of_commands"):
        monkeypatch.setattr(f"engine.rights.topics.{name}", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.of_letters", lambda *_: Letters((), (), ()))
    monkeypatch.setattr("engine.rights.find.in_records", lambda *_: [
        "breach/laptop", "request/r-2026-001", "request/r-2026-002", "subject/r-2026-001"])
    monkeypatch.setattr("engine.rights.find.in_audit", in_audit)
    monkeypatch.setattr("engine.rights.find.Packages.opened", lambda *_: nullcontext(SimpleNamespace(of=lambda _: ())))
    ((found,), (all_of_it,)) = find(Settings(), ADA, "", "r-2026-001"), find(Settings(), ADA)
    assert [(one.store, one.count) for one in found.held] == [("cassandra:records", 2), ("cassandra:audit", 2)]
    assert [one.count for one in all_of_it.held] == [4, 4]
    assert said[0] == ["breach/laptop", "request/r-2026-002"], "nor what the audit has of it"


def test_a_command_that_no_marker_has_was_not_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    token, marked = KEYS.suppression_token(ADA), dict[str, Any]()
    monkeypatch.setattr(commanded, "load_keys", lambda _: KEYS)
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [])
    monkeypatch.setattr("engine.commands.send", lambda *_: 7)
    monkeypatch.setattr(carried_out, "wait", lambda *_: None)
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: marked)
    for last_command in (None, 6):
        if last_command is not None:
            marked[token] = {"last_command": last_command}
        with pytest.raises(CommandRefused, match="same key ring"):
            commanded.carried_out(Settings(), "restrict", ADA, "R-1", 1.0, lambda _: None, ("restrict",))
    marked[token] = {"last_command": 8}
    assert commanded.carried_out(Settings(), "restrict", ADA, "R-1", 1.0, lambda _: None, ("restrict",)) == 7


def test_a_closed_request_and_its_entries_of_the_audit_speak_of_a_person_by_the_beginning_of_a_token() -> None:
    token = KEYS.suppression_token(ADA)
    assert speaks(ABOUT, [token[:16].encode()], json.dumps({"ref": "r-2026-001", "person": token[:16]}))
    assert not speaks(ABOUT, [token[:16].encode()], json.dumps({"ref": "r-2026-001", "person": "0" * 16}))
    refs, tokens = {"r-2026-001"}, {token[:16]}
    assert [told_of(target, tokens, refs) for target in (
        f"person {token[:16]}", "r-2026-001", "r-2026-001 find", "r-2026-0010 find", "new erasure", "")] == [
        True, True, True, False, False, False]


def test_the_bound_of_the_topic() -> None:
    assert _bound(60, 120) == timedelta(hours=3) + CLEANED_WITHIN
    assert _bound(60, 10) == timedelta(minutes=20) + CLEANED_WITHIN, "a segment ends no later than the lag"


def _bound(segment_minutes: int, lag_minutes: int) -> timedelta:
    at = datetime(2026, 11, 28, tzinfo=UTC)
    return compacted_by(Kafka(segment_minutes=segment_minutes, max_compaction_lag_minutes=lag_minutes), at) - at


def test_an_erasure_without_a_request_has_the_same_id_for_the_same_people() -> None:
    assert unnamed([ADA, BOB], KEYS) == unnamed([BOB, ADA], KEYS) != unnamed([ADA], KEYS)
    assert ADA[:8] not in unnamed([ADA], KEYS)
