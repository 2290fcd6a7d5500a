"""What an erasure knows of somebody by an e-mail is looked for, counted and remembered; what is not known it does not claim."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engine.commands import Command
from engine.errors import CommandRefused
from engine.rights import erasure, expiring, find, package, rectification, topics
from engine.rights.erasure import _Erasure
from engine.rights.expiring import CLEANED_WITHIN, SOUGHT, compacted_by
from engine.rights.package import theirs
from engine.rights.persons import About, Person
from engine.rights.topics import Held, Letters
from engine.rotation.keys import with_new
from engine.settings import Kafka, Settings
from engine.stores.records import BREACH, REQUEST, Record
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome, Verdict
from tests.app.requests_place import FakeRecords
from tests.test_erasure_verdicts import held, sent
from tests.test_persons import ADA, BOB, KEYS

KAFKA, NOW = Kafka(), datetime(2026, 11, 28, 12, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
EMAIL = KEYS.email_token("ada@example.org")
ME = Person(ADA, KEYS.suppression_token(ADA), frozenset({EMAIL}))


@pytest.fixture
def records(records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> FakeRecords:
    """The same; those who look for names find them, too."""
    monkeypatch.setattr(find, "_names", lambda *_: [(one.kind, one.name) for one in records.there])
    return records


def erasing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> _Erasure:
    """A run whose keys are those of these tests."""
    made = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None)
    made.keys = KEYS
    monkeypatch.setattr("engine.rights.topics.begun", lambda *_: False)
    monkeypatch.setattr("engine.rights.erasure.taken_away", lambda *_: Letters((), (), ()))
    return made


def knows(monkeypatch: pytest.MonkeyPatch, *emails: str) -> None:
    monkeypatch.setattr("engine.rights.erasure.known", lambda *_: [replace(ME, emails=frozenset(emails))])


# --- found by an e-mail

def kept(records: FakeRecords, kind: str, name: str, body: dict[str, str]) -> None:
    records.add(Record(kind, name, 1, "open", json.dumps(body), NOW, "ada", ""))


def test_a_request_that_came_by_e_mail_is_of_who_has_the_address(settings: Settings, records: FakeRecords) -> None:
    kept(records, REQUEST, "r-2026-001", {"ref": "r-2026-001", "person": f"e-mail {EMAIL[:16]}"})
    kept(records, REQUEST, "r-2026-002", {"ref": "r-2026-002", "person": f"e-mail {'0' * 16}"})
    assert list(find.in_records(settings, KEYS, [ME])) == ["request/r-2026-001"]


def test_entries_of_the_audit_about_an_address_are_theirs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def execute(self, _: str) -> list[Any]:
            return [SimpleNamespace(at=NOW, target=target) for target in
                    (f"e-mail {EMAIL[:16]}", "r-2026-001 find", f"e-mail {'0' * 16}")]

    monkeypatch.setattr(find, "cassandra_session", lambda *_: nullcontext(Session()))
    assert [row.target for row in find.in_audit(settings, [ME], ["request/r-2026-001"])] == [
        f"e-mail {EMAIL[:16]}", "r-2026-001 find"]


def test_records_that_name_their_e_mail_alone_are_counted(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(records, BREACH, "lost-laptop", {"title": "a mail to ada@example.org went astray"})
    monkeypatch.setattr("engine.rights.erasure.in_audit", lambda *_: [])
    run = erasing(settings, monkeypatch)
    knows(monkeypatch, EMAIL)
    list(run._letters())
    said, _ = run._officer()
    assert said.why.startswith("1 records of the officer")


def test_a_letter_that_names_their_e_mail_alone_is_given_to_them() -> None:
    bare, other = {"email": " Ada@example.org", "phone": "1"}, {"email": "bob@example.org"}
    numbered = {**bare, "login": {"uuid": BOB}}
    assert theirs(held(bare, "people.jsonl:1", keyed=False), ME, KEYS) == bare
    assert theirs(held(bare, "people.jsonl:1", keyed=False), ME, with_new(KEYS, "email")) == bare, "by a token of before"
    assert theirs(held({"results": [bare, other, numbered]}, "answer:1", keyed=False), ME, KEYS) == [bare]
    assert theirs(held(numbered, "people.jsonl:1", keyed=False), ME, KEYS) is None, "a number decides"
    assert theirs(held(bare, "people.jsonl:1", keyed=False), replace(ME, emails=frozenset()), KEYS) is None, "a shared one"


# --- what is not known any more

def test_a_file_that_only_a_forgotten_e_mail_tells_is_red_until_it_is_gone(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    export = settings.home / "for-ada.csv"
    export.write_text("ada@example.org,1\n")
    (settings.logs_dir / "a.log").write_text(BOB)
    first = erasing(settings, monkeypatch)
    knows(monkeypatch, EMAIL)
    list(first._letters())
    first._begin()    # killed after that: the row is gone, and with it which e-mail was theirs
    (begun,) = erasure.proofs(settings, "R-1")
    assert [place[:5] for place in begun.places] == ["file:"]
    assert "for-ada" not in "".join(begun.places)
    knows(monkeypatch)
    for _ in range(2):
        again = erasing(settings, monkeypatch)
        list(again._letters())
        (said,) = again._elsewhere()
        assert said.red
        assert "1 of 2 files" in said.why
    export.unlink()
    (said,) = again._elsewhere()
    assert said.outcome is Outcome.ERASED


def test_a_file_that_names_their_number_may_be_mended(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    log = settings.logs_dir / "a.log"
    log.write_text(f"{ADA} ada@example.org")
    run = erasing(settings, monkeypatch)
    knows(monkeypatch, EMAIL)
    list(run._letters())
    (said,) = run._elsewhere()
    assert (said.red, run.places) == (True, set())
    log.write_text("")
    (said,) = run._elsewhere()
    assert not said.red


def test_it_is_said_when_no_e_mail_is_known(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    run = erasing(settings, monkeypatch)
    (said,) = run._elsewhere()
    assert said.red
    assert "could not be looked up" in said.why, "the step before failed"
    knows(monkeypatch)
    (letters,), (files,) = run._letters(), run._elsewhere()
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.tick", lambda *_: None)
    (topic,) = run._topic()
    assert all(one.outcome is Outcome.ERASED and "none is known any more" in one.why for one in (letters, files, topic))
    knows(monkeypatch, EMAIL)
    (letters,), (files,) = run._letters(), run._elsewhere()
    assert all("their number or a known e-mail" in one.why for one in (letters, files))


# --- under another key

def test_a_null_follows_under_the_very_key_unless_it_is_somebodys_number(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    value, hidden = f'{{"login": {{"uuid": "{ADA}"}}}}'.encode(), list[tuple[bytes, int]]()
    there = [sent("nobody", value, 1), sent(ADA.upper(), value, 2), sent(BOB, value, 3), sent("twice", value, 4),
             sent("twice", b"{}", 5)]
    there[0].key = b"\xffnobody"

    def appended(_: object, __: object, places: Any) -> None:
        for key, partition in places:
            if key != topics.TICK:
                hidden.append((key, partition))
                there.append(sent("", None, len(there) + 1))
                there[-1].key = key

    monkeypatch.setattr("engine.rights.topics.records", lambda *_: there)
    monkeypatch.setattr("engine.rights.topics._nulls", appended)
    run = erasing(settings, monkeypatch)
    (said,) = run._topic()
    assert hidden == [(b"\xffnobody", 0), (ADA.upper().encode(), 0)], "as it came, byte by byte"
    assert (said.outcome, said.on) == (Outcome.EXPIRES_ON, NOW + 2 * timedelta(hours=KAFKA.retention_hours) + CLEANED_WITHIN)
    assert "3 came under another key" in said.why
    assert "1 came under the number of another person" in said.why
    list(run._topic())
    assert len(hidden) == 2, "none where one is there"


def test_what_a_null_is_behind_is_gone_when_it_was_compacted() -> None:
    value = Held("people-0-1", 0, 1, MS, "nobody", b"{}", (), frozenset({ADA}), False, b"nobody", MS)
    said = expiring.of_people([value], None, KAFKA, NOW, SOUGHT)
    assert (said.outcome, said.on) == (Outcome.EXPIRES_ON, compacted_by(KAFKA, NOW))
    late = compacted_by(KAFKA, NOW)
    assert expiring.of_people([value], None, KAFKA, late, SOUGHT).on == compacted_by(KAFKA, late), "an idle partition"


@pytest.mark.parametrize("place", [expiring.PEOPLE, expiring.DEAD])
def test_what_was_to_expire_is_not_gone_because_no_reader_gets_it(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    run, day = erasing(settings, monkeypatch), datetime.now(UTC) + timedelta(days=7)
    run._keep(Proof("R-1", NOW, 1, (), (Verdict(place, Outcome.EXPIRES_ON, "retention", day),)))
    knows(monkeypatch)
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.tick", lambda *_: None)
    (said,) = run._topic() if place == expiring.PEOPLE else run._letters()
    assert said.outcome is Outcome.ERASED, "all is read"
    monkeypatch.setattr("engine.rights.topics.begun", lambda *_: True)
    (said,) = run._topic() if place == expiring.PEOPLE else run._letters()
    assert (said.outcome, said.on) == (Outcome.EXPIRES_ON, day)


@pytest.mark.parametrize("place", [expiring.PEOPLE, expiring.DEAD])
def test_the_day_of_what_goes_by_itself_is_kept_beside_what_is_not_erased(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    value = replace(held({}, "nobody", keyed=False), raw=b"other")
    other, uncovered = replace(value, raw=BOB.encode()), held({})
    if place == expiring.PEOPLE:
        said = expiring.of_people([other, uncovered], None, KAFKA, NOW, SOUGHT)
        hours = KAFKA.retention_hours
    else:
        said = expiring.of_letters(Letters((value,), (), (MS,)), None, KAFKA, NOW, SOUGHT)
        hours = KAFKA.dead_retention_hours
    day = NOW + 2 * timedelta(hours=hours) + CLEANED_WITHIN
    assert (said.red, said.on) == (True, day)
    assert said.said.startswith("NOT ERASED ("), "a day is no promise of what is not erased"
    run = erasing(settings, monkeypatch)
    run._keep(Proof("R-1", NOW, 1, (), (replace(said, on=datetime.now(UTC) + timedelta(days=7)),)))
    knows(monkeypatch)
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.tick", lambda *_: None)
    monkeypatch.setattr("engine.rights.topics.begun", lambda *_: True)
    (later,) = run._topic() if place == expiring.PEOPLE else run._letters()
    assert later.outcome is Outcome.EXPIRES_ON


# --- markers

def test_nothing_is_corrected_for_somebody_erased(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rights.persons.markers", lambda _, tokens, *__: {token: {"erased": True} for token in tokens})
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [])
    monkeypatch.setattr(rectification, "carried_out", lambda *_: pytest.fail("a command was sent"))
    with pytest.raises(CommandRefused, match="is erased"):
        rectification.rectify(settings, ADA, {"phone": "112"}, "R-2", 1.0, lambda _: None)


def test_a_marker_that_holds_corrected_values_is_not_clean(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    run, sent_to = erasing(settings, monkeypatch), list[str]()
    run.searched = True
    marked: dict[str, Any] = {"erased": True, "last_command": 7, "pins": b"sealed"}
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [
        Command(7, MS, "erase", run.tokens[0], ADA, "R-1")])
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: {run.tokens[0]: marked})
    monkeypatch.setattr("engine.commands.send_erasures", lambda _, __, people, ___: sent_to.extend(people))
    monkeypatch.setattr("engine.carried_out.wait", lambda *_: None)
    monkeypatch.setattr(_Erasure, "_counts_of_nobody", lambda _: 0)
    _, said = run._command()
    assert (said.store, said.red, sent_to) == ("cassandra:markers", True, [ADA]), "another command forgets them"
    marked["pins"] = None
    _, said = run._command()
    assert (said.outcome, sent_to) == (Outcome.GOVERNED, [ADA])


def test_a_shared_address_gives_nobody_the_letters_of_another(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    have, given = [ADA], list[Person]()
    letter = held({"email": "ada@example.org"}, "people.jsonl:1", keyed=False)
    for name, answer in {"known": [ME], "in_records": {}, "in_audit": [], "_processing": []}.items():
        monkeypatch.setattr(package, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.by_email", lambda *_: have)
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [])
    monkeypatch.setattr("engine.rights.topics.of_letters", lambda *_: Letters((letter,), (), ()))
    monkeypatch.setattr(package, "theirs", lambda _, person, __: given.append(person))
    for _ in range(2):
        package.collected(settings, KEYS, ADA, "R-15", NOW)
        have.append(BOB)
    assert [one.emails for one in given] == [ME.emails, frozenset()]


def test_who_speaks_of_an_address_speaks_of_its_person() -> None:
    assert find.speaks(About(KEYS, [ME]), (), json.dumps({"title": "ada@example.org"}))
