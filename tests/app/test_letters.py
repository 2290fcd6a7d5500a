"""The Dead letters page with the acts' own code, on a topic in memory: what is listed, chosen, redriven, discarded, refused."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import jobs, letters, words
from app.readings import Kept
from engine.dead_letters import discard, redrive
from engine.dead_letters.alone import alone
from engine.dead_letters.claim import claimed
from engine.dead_letters.standing import People, Seen, Standing
from engine.errors import StoreAway
from engine.person import Position
from engine.sender import Outgoing
from engine.stores.dead_letters import ACCEPTED, DISCARDED, SENT, Box, DeadLetter, Mark
from tests.app.console_fake import KEYS, UUID, FakeConsole
from tests.app.pages import opened, page_of, placed, said, until

MET = "2026-11-28T09:00:00+00:00"
MET_AT = datetime(2026, 11, 28, 9, 0, 0, tzinfo=UTC)
GOOD, BAD = "people-0-1", "people-0-2"
BAD_NOW = "The letter is not JSON. Mend it at its source and send it again."


class Topic:
    """The topics of dead letters and of people, and the collection `discards`, in place of the servers."""

    def __init__(self) -> None:
        self.letters = {GOOD: DeadLetter(GOOD, "it began with a byte order mark", MET,
                                         f'{{"login": {{"uuid": "{UUID}"}}}}'.encode(), origin={"source": "replay"}),
                        BAD: DeadLetter(BAD, "no JSON", MET, b"<xml>")}
        self.marks: dict[str, Mark] = {}
        self.people: list[Seen] = []
        self.discards: list[dict[str, Any]] = []
        self.away: StoreAway | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()

    def read(self, *_: object) -> Box:
        """As engine/stores/dead_letters.py; waits while the test lets nothing go on."""
        assert self.goes_on.wait(30)
        if self.away:
            raise self.away
        return Box(dict(self.letters), dict(self.marks))

    def send(self, record: Outgoing) -> None:
        """A record of a redrive, which the stream finds good."""
        key, headers = record.key or b"", list(record.headers)
        at = Position(1, 0, 100 + len(self.people))
        self.people.append(Seen(at, at, record.place, record.value, headers, claimed(KEYS, key, record.value, headers)))

    def since(self, *_: object) -> Mapping[str, Sequence[Seen]]:
        """The records of the only person there is."""
        return {UUID: self.people}

    @contextmanager
    def mongo(self, *_: object) -> Iterator[Any]:
        """A client whose every collection is `discards`."""
        kept = SimpleNamespace(
            find=lambda _: [], insert_one=self.discards.append,
            update_one=lambda wanted, change: next(
                one for one in self.discards if one["_id"] == wanted["_id"]).update(change["$set"]))
        client = MagicMock()
        client.__getitem__.return_value.__getitem__.return_value = kept
        yield client


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, in which no act was done yet."""
    return placed(tmp_path, monkeypatch)


@pytest.fixture
def topic(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """What page and acts read and write."""
    made = Topic()
    console.letters = Kept(made.read, 3600)
    monkeypatch.setattr("engine.stores.dead_letters.read", made.read)
    writes = SimpleNamespace(mark=lambda mark: made.marks.update({mark.place: mark}), flush=int, close=lambda: None,
                             remove=lambda place: made.letters.pop(place, None))
    people = SimpleNamespace(ends=dict, to_read=dict, since=made.since)
    for module in (redrive, discard):
        monkeypatch.setattr(module, "DeadLetters", lambda *_: writes)
        monkeypatch.setattr(module, "load_keys", lambda _: KEYS)
        monkeypatch.setattr(module, "mongo_client", made.mongo)
    monkeypatch.setattr(redrive, "Sender", lambda *_: SimpleNamespace(send=made.send, settle=lambda: None, close=lambda: None))
    monkeypatch.setattr(redrive, "Status", lambda _: SimpleNamespace(
        read=lambda _: None, writer=lambda: SimpleNamespace(checkpoint="c1")))
    for opens, gives in ((People, people), (Standing, SimpleNamespace(against=lambda _: {}))):
        monkeypatch.setattr(opens, "opened", lambda *_, gives=gives: _open(gives))
    return made


@contextmanager
def _open(gives: object) -> Iterator[object]:
    yield gives


def page(console: FakeConsole, role: str = "operator") -> AppTest:
    """The page as this role sees it."""
    return opened(console, page_of("letters"), role)


def ended(test: AppTest) -> None:
    """Waits until the act has ended and the page shows it."""
    until(test, lambda _: (job := jobs.JOBS.get(letters.KIND)) is not None and not job.running)
    test.run()


def tables(test: AppTest) -> list[list[dict[str, Any]]]:
    """The rows of each table."""
    return [[{str(name): value for name, value in row.items()} for row in frame.value.to_dict("records")]
            for frame in test.dataframe]


def listed(test: AppTest) -> list[str]:
    """The places that can be chosen."""
    return next(([row[words.PLACE] for row in rows] for rows in tables(test) if rows and words.PLACE in rows[0]), [])


def choose(test: AppTest, *numbers: int) -> None:
    """Chooses rows of the list, as a click does."""
    key = f"letters-list-{hash(tuple(listed(test)))}"
    test.session_state[key] = {"selection": {"rows": list(numbers), "columns": [], "cells": []}}
    test.run()


def discard_now(test: AppTest, word: str = words.DISCARD_WORD, why: str = "") -> None:
    """Fills in the form, as far as a text is given, and presses its button."""
    if why:
        test.text_input("letters-why").set_value(why)
    test.text_input("letters-sure").set_value(word)
    next(button for button in test.button if button.label == words.DISCARD).click().run()


def test_a_dry_run_says_the_new_reason_of_what_would_fail_again_and_changes_nothing(console: FakeConsole, topic: Topic) -> None:
    before = topic.read()
    test = page(console)
    test.button("letters-dry").click().run()
    ended(test)
    assert "Dry run: 1 would be sent to the stream" in said(test)
    assert "Nothing was changed" in said(test)
    found = next(rows for rows in tables(test) if rows and words.CAME_TO in rows[0])
    assert [(row[words.LETTERS], row[words.REASON], row[words.REASON_NOW]) for row in found] == [
        (1, "it began with a byte order mark", ""), (1, "no JSON", BAD_NOW)]
    assert topic.read() == before
    assert topic.people == []


def test_a_redrive_sends_what_is_a_person_now_and_the_list_is_that_of_afterwards(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    test.button("letters-redrive").click().run()
    ended(test)
    assert "Redrive: 1 accepted" in said(test)
    assert [seen.claim.place for seen in topic.people if seen.claim] == [GOOD]
    assert topic.marks[GOOD].state == ACCEPTED
    assert listed(test) == [BAD]
    assert [entry[:4] for entry in console.log.wrote] == [("ada", "letters.redrive", "2 letters", "begun"),
                                                          ("ada", "letters.redrive", "2 letters", "done")]


def test_an_act_is_about_the_rows_that_are_chosen(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    choose(test, 1)
    assert words.letters_chosen(1, True) in said(test)
    assert f"{BAD}: no JSON" in said(test)
    assert words.letter_facts(MET_AT, 0, "waiting", 5, ()) in said(test)
    assert "First met 2026-11-28 09:00:00 UTC" in said(test)
    discard_now(test, why="nobody's")
    ended(test)
    assert list(topic.letters) == [GOOD]


def test_a_discard_with_word_and_reason_is_written_down_with_who_and_why(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    discard_now(test, why="people of 2016, never wanted")
    ended(test)
    assert words.discarded(2) in said(test)
    assert topic.letters == {}
    assert {mark.state for mark in topic.marks.values()} == {DISCARDED}
    (kept,) = topic.discards
    assert (kept["by"], kept["because"], kept["places"], kept["done"]) == (
        "ada", "people of 2016, never wanted", [GOOD, BAD], True)
    assert console.log.wrote[-1] == ("ada", "letters.discard", "2 letters", "done", "people of 2016, never wanted")
    assert words.NO_LETTERS in [info.value for info in test.info]


@pytest.mark.parametrize(("word", "why"), [("discard", "not wanted"), ("", "not wanted"), (words.DISCARD_WORD, "")])
def test_without_the_word_or_a_reason_nothing_is_done_and_what_was_typed_is_kept(
        console: FakeConsole, topic: Topic, word: str, why: str) -> None:
    test = page(console)
    discard_now(test, word, why)
    assert words.NOT_SURE in said(test)
    assert jobs.JOBS.get(letters.KIND) is None
    assert list(topic.letters) == [GOOD, BAD]
    assert (test.text_input("letters-why").value, test.text_input("letters-sure").value) == (why, word)


def test_the_reason_is_kept_until_its_discard_is_done(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    choose(test, 0)
    topic.away = StoreAway("Kafka does not answer.", "Kafka")
    discard_now(test, why="nobody's")
    ended(test)
    assert "Kafka does not answer." in said(test)
    assert (test.text_input("letters-why").value, test.text_input("letters-sure").value) == ("nobody's", "")
    topic.away = None
    discard_now(test)
    ended(test)
    assert list(topic.letters) == [BAD]
    assert test.text_input("letters-why").value == ""


def test_a_letter_that_is_under_way_is_not_discarded(console: FakeConsole, topic: Topic) -> None:
    topic.marks[GOOD] = Mark(GOOD, SENT, 1, MET)
    test = page(console)
    assert words.letters_stay(1) in said(test)
    discard_now(test, why="nobody's")
    ended(test)
    assert list(topic.letters) == [GOOD]
    assert topic.marks[GOOD].state == SENT
    assert topic.discards[0]["places"] == [BAD]
    discard_now(test, why="nobody's")
    ended(test)
    assert words.failed(words.LETTERS_UNDER_WAY) in said(test)
    assert list(topic.letters) == [GOOD]


def test_a_discard_does_not_begin_beside_a_redrive(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    topic.goes_on.clear()
    try:
        test.button("letters-redrive").click().run()
        discard_now(test, why="nobody's")
        assert "This is under way already" in said(test)
        assert test.text_input("letters-why").value == "nobody's"
    finally:
        topic.goes_on.set()
    ended(test)
    assert topic.discards == []


@pytest.mark.parametrize("act", ["redrive", "discard"])
def test_nothing_is_done_while_a_command_acts_on_them(console: FakeConsole, topic: Topic, act: str) -> None:
    test = page(console)
    with alone(console.settings):
        if act == "redrive":
            test.button("letters-redrive").click().run()
        else:
            discard_now(test, why="nobody's")
        ended(test)
    assert "are being redriven or discarded already" in said(test)
    assert (topic.marks, topic.people, topic.discards) == ({}, [], [])


def test_of_more_than_are_listed_it_says_so_and_any_is_found_by_its_place(console: FakeConsole, topic: Topic) -> None:
    number = letters.LISTED + 3
    topic.letters = {f"people-1-{n:04}": DeadLetter(f"people-1-{n:04}", "no JSON", MET, b"<xml>") for n in range(number)}
    test = page(console)
    assert len(listed(test)) == letters.LISTED
    assert words.letters_listed(letters.LISTED, number) in [info.value for info in test.info]
    assert words.letters_chosen(number, False) in said(test)
    test.text_input("letters-contains").set_value(f"PEOPLE-1-{number - 1:04}").run()
    assert listed(test) == [f"people-1-{number - 1:04}"]
    assert f"people-1-{number - 1:04}: no JSON" in said(test)
    test.text_input("letters-contains").set_value("").run()
    discard_now(test, why="nobody's")
    ended(test)
    assert topic.letters == {}


def test_letters_are_found_by_state_and_what_became_of_one_by_its_place(console: FakeConsole, topic: Topic) -> None:
    topic.marks[GOOD] = Mark(GOOD, SENT, 1, MET)
    topic.marks["gone-0-1"] = Mark("gone-0-1", ACCEPTED, 1, MET, at="2026-11-28T10:00:00+00:00")
    test = page(console)
    test.selectbox("letters-state").set_value(SENT).run()
    assert listed(test) == [GOOD]
    test.text_input("letters-contains").set_value("gone-0-1").run()
    assert "gone-0-1 is accepted since 2026-11-28 10:00:00 UTC." in [info.value for info in test.info]
    test.text_input("letters-contains").set_value("nothing of the kind").run()
    assert words.NO_LETTER_FITS in [info.value for info in test.info]


def test_the_seconds_to_wait_for_the_stream_are_those_that_are_typed(console: FakeConsole, topic: Topic,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(redrive._Redrive, "_until_read", lambda self, _: waited.append(self._within_s))
    test = page(console)
    test.number_input("letters-within").set_value(7.0).run()
    test.button("letters-redrive").click().run()
    ended(test)
    assert waited == [7.0, 7.0]


def test_who_only_looks_has_no_act(console: FakeConsole, topic: Topic) -> None:
    test = page(console, "officer")
    assert listed(test) == [GOOD, BAD]
    assert test.button("letters-dry").disabled
    assert test.button("letters-redrive").disabled
    assert words.DISCARD not in [button.label for button in test.button]
    assert [field.label for field in test.text_input] == [words.CONTAINS]


def test_who_lost_the_right_meanwhile_is_refused(console: FakeConsole, topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    test = page(console)
    ((session, one),) = console.store.running.items()
    console.store.running[session] = type(one)(session, "ada", frozenset({"officer"}), one.began)
    now = console.sessions._clock() + 3
    monkeypatch.setattr(console.sessions, "_clock", lambda: now)
    discard_now(test, why="nobody's")
    assert words.may_not("letters.discard", ["officer"]) in said(test)
    assert console.log.wrote[-1] == ("ada", "letters.discard", "2 letters", "refused", "no right to it")
    assert list(topic.letters) == [GOOD, BAD]


@pytest.mark.parametrize(("gives", "says"), [
    (DeadLetter(BAD, "no JSON", MET, b"<xml>"), "5 bytes"), (None, words.LETTERS_GONE),
    (StoreAway("Kafka does not answer.", "Kafka"), "Kafka does not answer.")])
def test_a_letter_is_read_when_it_is_shown(console: FakeConsole, topic: Topic, monkeypatch: pytest.MonkeyPatch,
                                           gives: DeadLetter | StoreAway | None, says: str) -> None:
    topic.letters = {BAD: DeadLetter(BAD, "no JSON", MET, b"", at=(0, 2))}

    def whole(_: object, principal: str, __: object, letter: DeadLetter) -> DeadLetter | None:
        assert (principal, letter.at) == ("console", (0, 2))
        if isinstance(gives, StoreAway):
            raise gives
        return gives

    monkeypatch.setattr("engine.stores.dead_letters.whole", whole)
    test = page(console)
    assert not test.exception
    assert says in said(test)
    assert not test.button("letters-redrive").disabled, "acts read the letters themselves"


def test_states_are_said_in_words_and_moments_are_moments(console: FakeConsole, topic: Topic) -> None:
    topic.marks[GOOD] = Mark(GOOD, SENT, 1, MET)
    topic.letters[BAD] = replace(topic.letters[BAD], first_append="some time ago")
    test = page(console)
    rows = next(rows for rows in tables(test) if rows and words.PLACE in rows[0])
    assert [row[words.STATE] for row in rows] == [words.LETTER_STATES["sent"], words.LETTER_STATES["waiting"]]
    assert rows[0][words.FIRST_MET] == MET_AT
    assert pd.isna(rows[1][words.FIRST_MET])
    assert {metric.label for metric in test.metric} == set(words.LETTER_STATES.values())
    assert set(Box({}, {}).counts) == set(words.LETTER_STATES)


@pytest.mark.parametrize(("text", "at"), [(MET, MET_AT), ("2026-11-28T11:00:00+02:00", MET_AT), ("2026-11-28T09:00:00", MET_AT),
                                          ("", None), ("yesterday", None)])
def test_a_moment_is_read_from_what_a_header_says(text: str, at: datetime | None) -> None:
    assert letters.moment_of(text) == at


def test_a_reason_is_not_forgotten_when_the_job_of_another_has_ended(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    test.button("letters-dry").click().run()
    ended(test)
    topic.goes_on.clear()
    try:
        jobs.JOBS.begin(letters.KIND, "bob", lambda _: str(topic.goes_on.wait(30)))
        discard_now(test, why="nobody's")
        assert "This is under way already" in said(test)
    finally:
        topic.goes_on.set()
    ended(test)
    test.run()
    assert (test.text_input("letters-why").value, test.text_input("letters-sure").value) == ("nobody's", words.DISCARD_WORD)
    assert list(topic.letters) == [GOOD, BAD]


def test_what_letters_came_to_is_that_of_the_job_that_is_shown(console: FakeConsole, topic: Topic) -> None:
    test = page(console)
    test.button("letters-dry").click().run()
    ended(test)
    assert any(rows and words.CAME_TO in rows[0] for rows in tables(test))
    jobs.JOBS.begin(letters.KIND, "bob", lambda _: "something else")
    ended(test)
    assert "something else" in said(test)
    assert not any(rows and words.CAME_TO in rows[0] for rows in tables(test))


def test_what_a_letter_is_made_of_is_told_of_what_is_no_json_too() -> None:
    (whole,) = letters.parts(DeadLetter(BAD, "", MET, b"<xml>"))
    assert (whole[words.PART], whole[words.CATEGORY]) == (words.WHOLE, "")
    assert "5 bytes" in whole[words.PART_HOLDS]
    (sealed,) = letters.parts(DeadLetter(BAD, "", MET, b"", opened=False))
    assert sealed[words.PART_HOLDS] == words.CANNOT_OPEN
