"""What an erasure says of topics, files and what is kept: never that something is gone which nobody could look at."""

import gzip
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.commands import Command
from engine.errors import CommandRefused
from engine.native import nodetool
from engine.native.nodetool import Node
from engine.rights import erasure, expiring, kept, package, topics
from engine.rights.erasure import PACKED, _Erasure
from engine.rights.expiring import CLEANED_WITHIN, SOUGHT, compacted_by
from engine.rights.files import Searched, searched
from engine.rights.package import commanded, theirs
from engine.rights.persons import About, Person
from engine.rights.topics import Held, Letters, Said
from engine.settings import Kafka, Settings
from engine.stores.records import ENDED, ERASURE
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome, Verdict
from tests.app.requests_place import FakeRecords
from tests.test_persons import ADA, BOB, KEYS

KAFKA, NOW = Kafka(), datetime(2026, 11, 28, 12, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
ME = Person(ADA, "a")
ABOUT = About(KEYS, [ME])


def held(value: object, key: str = ADA, offset: int = 0, keyed: bool = True) -> Held:
    raw = None if value is None else json.dumps(value).encode()
    return Held(f"people-0-{offset}", 0, offset, MS, key, raw, (), frozenset({ADA}), keyed)


def test_letters_nobody_can_open_are_not_said_to_be_gone_before_the_topic_ends_them() -> None:
    assert expiring.of_letters(Letters((), (), ()), None, KAFKA, NOW, SOUGHT).outcome is Outcome.ERASED
    said = expiring.of_letters(Letters((), (held({}),), (MS - 1000, MS)), None, KAFKA, NOW, SOUGHT)
    assert said.outcome is Outcome.EXPIRES_ON
    assert said.on == NOW + 2 * timedelta(hours=KAFKA.dead_retention_hours) + CLEANED_WITHIN
    assert expiring.of_letters(Letters((held({}),), (), (MS,)), None, KAFKA, NOW, SOUGHT).red


def test_values_before_the_first_record_that_is_read_are_there_until_they_are_compacted() -> None:
    until = compacted_by(KAFKA, NOW)
    assert expiring.of_people([], None, KAFKA, NOW, SOUGHT).outcome is Outcome.ERASED
    said = expiring.of_people([], until, KAFKA, NOW, SOUGHT)
    assert (said.outcome, said.on) == (Outcome.EXPIRES_ON, until)
    assert expiring.of_people([], until, KAFKA, until, SOUGHT).outcome is Outcome.ERASED
    assert expiring.of_people([held({}, offset=1), held(None)], None, KAFKA, NOW, SOUGHT).red, "the null came before"


def test_a_null_names_its_person_until_the_cleaner_came_twice() -> None:
    null = held(None, offset=1)
    twice = compacted_by(KAFKA, compacted_by(KAFKA, NOW) + timedelta(minutes=KAFKA.max_compaction_lag_minutes))
    for there in ([held({}), null], [null]):
        said = expiring.of_people(there, None, KAFKA, NOW, SOUGHT)
        assert (said.outcome, said.on) == (Outcome.EXPIRES_ON, twice)
    assert expiring.of_people([null], None, KAFKA, twice, SOUGHT).on == twice + (twice - NOW), "an idle partition"
    assert expiring.bare([held({}), null, held({}, offset=2), held({}, "x", 3, keyed=False)]) == [held({}, offset=2)]


def sent(key: str, value: bytes | None, offset: int, topic: str = "people") -> SimpleNamespace:
    return SimpleNamespace(topic=topic, partition=0, offset=offset, timestamp=MS, key=key.encode(), value=value, headers=[])


def test_a_key_in_other_letters_is_not_compacted_with_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [sent(ADA.upper(), b"{}", 0), sent(ADA, b"{}", 1), sent(ADA, None, 2), sent(BOB, b"{}", 3), sent("tick", None, 4)]
    monkeypatch.setattr("engine.rights.topics.records", lambda *_: there)
    found = topics.of_people(Settings(), [ADA], ABOUT)
    assert [(one.offset, one.keyed) for one in found] == [(0, False), (1, True), (2, True)]
    assert expiring.alone(found) == found[:1]


def test_what_an_e_mail_found_once_is_looked_at_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = KEYS.seal_dead_letter(b'{"email": "ada@example.org"}', "people.jsonl:1")
    there = [sent("people.jsonl:1", letter, 0, "dead"), sent("people.jsonl:1", None, 1, "dead"),
             sent("people.jsonl:2", b"of another key ring", 2, "dead"), sent("people.jsonl:2", None, 3, "dead")]
    monkeypatch.setattr("engine.rights.topics.records", lambda *_: there)
    assert topics.of_letters(Settings(), KEYS, ABOUT) == Letters((), (), (MS,)), "her e-mail is not known any more"
    held_still = topics.of_letters(Settings(), KEYS, ABOUT, {f"dead-0-0@{MS}", f"dead-0-2@{MS}"})
    assert [one.place for one in held_still.behind] == ["dead-0-0", "dead-0-2"]
    assert (held_still.standing, held_still.unopened) == ((), ())
    assert expiring.of_letters(held_still, None, KAFKA, NOW, SOUGHT).outcome is Outcome.EXPIRES_ON
    del there[1]
    assert topics.of_letters(Settings(), KEYS, ABOUT, {f"dead-0-0@{MS}"}).standing == (), "a place alone is nobody's letter"
    there[:] = [sent("nobody", b'{"email": "ada@example.org"}', 7)]
    (record,) = topics.of_people(Settings(), [ADA], ABOUT, {f"people-0-7@{MS}"})
    assert record.mark == f"people-0-7@{MS}"
    assert topics.of_people(Settings(), [ADA], ABOUT, {f"people-0-7@{MS - 1}"}) == [], "of a Kafka that was lost since"
    assert (record.about, record.keyed) == (frozenset(), False)
    assert expiring.of_people([record], None, KAFKA, NOW, SOUGHT).outcome is Outcome.EXPIRES_ON


def test_packed_files_are_opened_and_what_cannot_be_read_is_not_clean(
        settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("data", "secrets"):
        (settings.home / folder).mkdir(exist_ok=True)
        (settings.home / folder / "own").write_text(ADA)
    (settings.logs_dir / "clean.log").write_text(BOB)
    assert searched(settings, ABOUT) == Searched(1, 0, 0)
    (settings.logs_dir / "old.log.gz").write_bytes(gzip.compress(b"x" * ((1 << 20) - 9) + ADA.upper().encode()))
    with zipfile.ZipFile(settings.home / "export.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("people.csv", f"uuid\n{ADA}\n")
    assert searched(settings, ABOUT) == Searched(3, 2, 0)
    (settings.logs_dir / "cut.gz").write_bytes(gzip.compress(os.urandom(1000))[:-300])
    (settings.logs_dir / "gone").symlink_to("nowhere")
    (settings.logs_dir / "rotated").touch()
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: is_file(path) and (path.name != "rotated" or not path.unlink()))
    assert searched(settings, ABOUT) == Searched(3, 2, 1)


def test_a_letter_names_them_by_e_mail_and_a_linked_folder_is_of_the_installation(settings: Settings, tmp_path: Path) -> None:
    about = About(KEYS, [Person(ADA, "a", frozenset({KEYS.email_token("ada@example.org")}))])
    (settings.home / "receipt.html").write_text("<td>To</td><td>ada@example.org</td>")
    (settings.home / "long").write_text("x" * ((1 << 20) - 6) + " ada@example.org")
    found = searched(settings, about)
    assert (found.files, found.naming, len(found.addressed)) == (2, 2, 2)
    assert searched(settings, ABOUT) == Searched(2, 0, 0), "where no e-mail is known the number alone is looked for"
    linked = tmp_path.parent / f"{tmp_path.name}-linked"
    linked.mkdir()
    (linked / "old.log").write_text(ADA)
    (settings.logs_dir / "elsewhere").symlink_to(linked)
    (settings.logs_dir / "again").symlink_to(linked)
    (settings.logs_dir / "round").symlink_to(settings.home)
    assert searched(settings, about) == replace(found, files=3, naming=3)


def test_a_file_that_may_not_be_read_is_not_erased(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.logs_dir / "closed.log").write_text(ADA)

    def refused(*_: object) -> None:    # root, as whom tests may run, reads everything
        raise PermissionError

    monkeypatch.setattr(Path, "open", refused)
    found = searched(settings, ABOUT)
    assert (found.naming, found.unread) == (0, 1)


@pytest.mark.usefixtures("records")
def test_the_step_of_files_says_what_could_not_be_read(settings: Settings) -> None:
    (settings.logs_dir / "cut.gz").write_bytes(b"\x1f\x8bnothing of it is there")
    (verdict,) = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None)._elsewhere()
    assert verdict.red
    assert "1 files or folders there cannot be read" in verdict.why


@pytest.mark.usefixtures("records")
def test_no_command_is_sent_while_a_letter_about_them_stands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None)
    monkeypatch.setattr("engine.rights.erasure.known", lambda *_: [Person(ADA, "a", frozenset({"token"}))])
    monkeypatch.setattr("engine.rights.erasure.taken_away", lambda *_: Letters((held({}),), (), ()))
    (verdict,) = erasing._letters()
    assert verdict.red
    assert not erasing.searched
    monkeypatch.setattr("engine.rights.erasure.taken_away", lambda *_: Letters((), (), ()))
    list(erasing._letters())
    assert erasing.searched


def test_an_erasure_that_the_stream_could_not_read_is_refused(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None)
    erasing.searched = True
    (token,), marked, waited = erasing.tokens, dict[str, Any](), list[int]()
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [Command(7, MS, "erase", token, ADA, "R-1")])
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: marked)
    monkeypatch.setattr("engine.commands.send_erasures", lambda *_: 7)
    monkeypatch.setattr("engine.carried_out.wait", lambda _, offset, __: waited.append(offset))
    monkeypatch.setattr(_Erasure, "_counts_of_nobody", lambda _: 0)
    with pytest.raises(CommandRefused, match="same key ring"):
        list(erasing._command())
    assert not erasing.carried_out
    assert erasure.waiting(settings) == ["R-1"], "of a run that ends here the keeper knows"
    marked[token] = {"erased": True, "last_command": 7, "pins": None}
    assert [one.store for one in erasing._command()] == ["mongo", "cassandra:markers"]
    assert (erasing.commands, erasing.carried_out, waited) == ((7,), True, [7, 7])
    assert len(records.versions(ERASURE, "R-1")) == 1, "nothing was commanded by the second"


def test_counts_of_nobody_are_not_erased_and_another_command_ends_them(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing, counts, sent = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None), [2, 2], list[str]()
    erasing.searched = True
    (token,) = erasing.tokens
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [Command(7, MS, "erase", token, ADA, "R-1")])
    monkeypatch.setattr("engine.rights.topics.of_people", lambda *_: [])
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: {token: {"erased": True, "last_command": 7, "pins": None}})
    monkeypatch.setattr("engine.commands.send_erasures", lambda _, __, people, ___: sent.extend(people))
    monkeypatch.setattr("engine.carried_out.wait", lambda *_: None)
    monkeypatch.setattr(_Erasure, "_counts_of_nobody", lambda _: counts.pop(0))
    assert next(iter(erasing._command())).outcome is Outcome.NOT_ERASED
    counts += [1, 0]
    assert next(iter(erasing._command())).outcome is Outcome.ERASED
    counts += [0, 0]
    assert next(iter(erasing._command())).outcome is Outcome.ERASED
    assert sent == [ADA, ADA], "none where nothing is left"


def test_what_was_found_by_an_e_mail_is_kept_before_the_command_takes_the_row(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = replace(held({}, "people.jsonl:1"), place="dead-0-17")
    other = replace(held({}, "nobody", keyed=False), place="people-0-3", about=frozenset({ADA}))
    looked: list[frozenset[str]] = []

    def answering(answer: object) -> Callable[..., object]:
        def look(*given: Any) -> object:
            looked.append(given[-1])
            return answer
        return look

    monkeypatch.setattr("engine.rights.erasure.known", lambda *_: [Person(ADA, "a", frozenset({"token"}))])
    monkeypatch.setattr("engine.rights.erasure.taken_away", answering(Letters((), (letter,), ())))
    monkeypatch.setattr("engine.rights.topics.of_people", answering([other]))
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [])
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {ADA: {}})
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: {})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.commands.send_erasures", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None).run()
    (proof,) = erasure.proofs(settings, "R-1")
    assert (proof.done, proof.places) == (False, (f"dead-0-17@{MS}", f"people-0-3@{MS}"))
    assert looked == [frozenset()] * 2 + [frozenset(proof.places)] * 2
    assert Proof.from_json({name: value for name, value in proof.as_json().items() if name != "places"}).places == ()

def proved(settings: Settings, request: str, *verdicts: Verdict) -> None:
    _Erasure(settings, [ADA], request, 1.0, lambda _: None)._keep(Proof(request, datetime.now(UTC), 1, (), verdicts))


def test_the_keeper_waits_for_the_day_of_a_proof(settings: Settings, records: FakeRecords) -> None:
    day = Verdict(expiring.PEOPLE, Outcome.EXPIRES_ON, "compaction", datetime.now(UTC) + timedelta(hours=1))
    proved(settings, "R-1", day)
    proved(settings, "R-2", day, replace(day, store=expiring.DEAD, on=datetime.now(UTC)))
    proved(settings, "R-3", day, Verdict("mongo", Outcome.NOT_ERASED, "away"))
    proved(settings, "R-4", Verdict("mongo", Outcome.ERASED, "counts follow"))
    assert erasure.waiting(settings) == ["R-2", "R-3"]


def test_an_erasure_that_no_command_carries_is_ended_before_the_audit_and_opened_by_who_runs_it(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    acted: list[str] = []

    @contextmanager
    def acting() -> Iterator[None]:
        acted.append("audited")
        yield

    red = Verdict("mongo", Outcome.NOT_ERASED, "away")
    proved(settings, "R-1", red)
    erased = Command(3, MS, "erase", "a", ADA, "R-1")
    lifted = [erased, replace(erased, offset=4, verb="lift")]
    monkeypatch.setattr("engine.rights.topics.control", lambda *_: Said(lifted, 1, 6))
    assert erasure.again(settings, "R-1", 1.0, lambda _: None, acting()) is None
    assert erasure.waiting(settings) == ["R-1"], "a command that cannot be read may be of it"
    monkeypatch.setattr("engine.rights.topics.control", lambda *_: Said(lifted, 0, 5))
    assert erasure.again(settings, "R-1", 1.0, lambda _: None, acting()) is None
    assert acted == []
    assert erasure.waiting(settings) == []
    (first, last) = records.versions(ERASURE, "R-1")
    assert (last.state, last.body) == (ENDED, first.body)
    proved(settings, "R-1", red)
    assert erasure.waiting(settings) == ["R-1"]
    monkeypatch.setattr("engine.rights.topics.control", lambda *_: Said([erased], 0, 4))
    monkeypatch.setattr(erasure, "erase", lambda *_: acted.append("erased"))
    erasure.again(settings, "R-1", 1.0, lambda _: None, acting())
    assert acted == ["audited", "erased"]


def test_copies_of_the_stores_are_said_to_be_what_the_register_and_the_node_say(tmp_path: Path) -> None:
    node = Node(1, tmp_path, tmp_path)
    table = tmp_path / "data" / "rollcall" / "profiles-1"
    (table / "backups").mkdir(parents=True)
    assert nodetool.snapshots(node, "rollcall") == [], "the folder is always there"
    for name in ("snapshots/before", "snapshots/weekly"):
        (table / name).mkdir(parents=True)
    (tmp_path / "data" / "another" / "profiles-1" / "snapshots" / "theirs").mkdir(parents=True)
    (table / "backups" / "nb-1-big-Data.db").touch()
    tags = nodetool.snapshots(node, "rollcall")
    assert tags == ["backups", "before", "weekly"]
    (stated,) = kept.of_copies(["30 days from the copy, then erased"], [], "rollcall")
    assert stated.outcome is Outcome.GOVERNED
    assert "30 days" in stated.why
    tasks: dict[tuple[bool, bool], list[str]] = {
        (False, False): ["who makes the copies"], (False, True): ["who makes the copies", "who runs Cassandra"],
        (True, True): ["", "who runs Cassandra"]}
    for (limits, there), by in tasks.items():
        found = list(kept.of_copies(["30 days"] if limits else [], tags if there else [], "rollcall"))
        assert [one.recipient for one in found] == by, "each has their task"
        assert [one.outcome is Outcome.EXTERNAL for one in found] == [bool(one) for one in by]
    assert "before, weekly" in found[-1].why
    (unknown,) = kept.of_copies(["30 days"], None, "rollcall")
    assert "not looked for" in unknown.why


class Kept:
    """A table of packages that lists these."""

    def __init__(self, *requests: str) -> None:
        self.requests = requests

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def of(self, _: object) -> tuple[str, ...]:
        return self.requests


def test_packages_are_erased_only_when_their_table_was_compacted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None)
    monkeypatch.setattr("engine.rights.erasure.Packages.opened", lambda _: Kept())
    (verdict,) = erasing._packages()
    assert verdict.red, "the files step did not come so far"
    erasing.packages = Verdict(PACKED, Outcome.ERASED, "compacted")
    assert list(erasing._packages()) == [erasing.packages]
    monkeypatch.setattr("engine.rights.erasure.Packages.opened", lambda _: Kept("R-9"))
    (verdict,) = erasing._packages()
    assert verdict.red


def test_commands_are_said_to_stay_with_what_was_corrected_and_are_not_handed_out() -> None:
    rectified = Command(1, MS, "rectify", "a", ADA, "R-1", pins='{"phone": "1"}')
    erased, again = Command(2, MS, "erase", "a", ADA, "R-2"), replace(rectified, offset=3, pins='{"phone": "2"}')
    verdict = kept.of_commands([rectified, erased])
    assert verdict.outcome is Outcome.GOVERNED
    assert "1 of them hold values that were corrected" in verdict.why
    assert "hold values" not in kept.of_commands([erased]).why
    assert [one["corrected"] for one in commanded([rectified])] == [{"phone": "1"}]
    assert [one["corrected"] for one in commanded([rectified, erased, again])] == [None, None, {"phone": "2"}]


def test_of_an_answer_with_two_people_a_package_has_hers_alone() -> None:
    ada, bob = {"login": {"uuid": ADA.upper()}, "name": "Ada"}, {"login": {"uuid": BOB}, "name": "Bob"}
    assert theirs(held(ada, "people.jsonl:1", keyed=False), ME, KEYS) == ada
    assert theirs(held({"results": [ada, bob]}, "answer:1", keyed=False), ME, KEYS) == [ada]
    assert theirs(held({**ada, "friend": bob}), ME, KEYS) is None, "what holds another"
    assert theirs(held(bob), ME, KEYS) is None, "somebody else's under her key"
    assert theirs(held({"email": "a@b.org"}), ME, KEYS) == {"email": "a@b.org"}, "nobody's number under her key"
    assert theirs(replace(held(None), value=f"{ADA} and {BOB}".encode()), ME, KEYS) is None


def test_a_package_that_an_erasure_overtook_is_thrown_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Table(Kept):
        def keep(self, request: str, *_: object) -> package.PackageState:
            done.append(f"kept {request}")
            return package.PackageState(request, NOW, NOW, None)

        def purge(self, request: str) -> None:
            done.append(f"purged {request}")

    monkeypatch.setattr("engine.rights.package.Packages.opened", lambda _: Table())
    monkeypatch.setattr(package, "collected", lambda *_: {"marker": None})
    monkeypatch.setattr(package, "_zipped", lambda *_: b"PK")
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: {})
    assert package.make(settings, "R-1", ADA).size == 2
    monkeypatch.setattr("engine.rights.persons.markers", lambda _, tokens: {token: {"last_command": 7} for token in tokens})
    with pytest.raises(package.Overtaken):
        package.make(settings, "R-2", ADA)
    assert done == ["kept R-1", "kept R-2", "purged R-2"]
