"""The Publishing page: what is seen of snapshots, previewed, published and withdrawn, and by whom."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import publishing, words
from app import words_law as said_of
from engine.stores.schema import SNAPSHOTS
from tests.app.console_fake import FakeConsole
from tests.app.pages import opened, page_of, placed, said, until
from tests.app.publishing_place import Place


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, in place of the process's."""
    monkeypatch.setattr(publishing, "PREPARED", [])
    return placed(tmp_path, monkeypatch)


@pytest.fixture
def place(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Ninety people of three nationalities, and one of a fourth."""
    made = Place(console.settings, {"FR": 40, "DE": 30, "NO": 20, "NZ": 1})
    monkeypatch.setattr(publishing, "opened", made.opened)
    monkeypatch.setattr(publishing, "opened_to_write", made.opened)
    monkeypatch.setattr(console.stores, "mongo", made.mongo)
    return made


def page(console: FakeConsole, *roles: str) -> AppTest:
    test = opened(console, page_of("publishing"), *roles)
    assert not test.exception, test.exception
    return test


def shown(test: AppTest) -> str:
    """Every text and every table."""
    return said(test) + "".join(str(frame.value.to_dict()) for frame in test.dataframe)


def acts(console: FakeConsole) -> list[tuple[str, ...]]:
    return [entry[1:4] for entry in console.log.wrote]


def test_before_the_first_release_it_says_when_there_will_be_one(console: FakeConsole, place: Place) -> None:
    assert said_of.NOTHING_PUBLISHED in said(page(console, "officer"))


def test_a_preview_says_what_is_held_back_and_writes_nothing(console: FakeConsole, place: Place) -> None:
    test = page(console, "officer")
    test.button("publishing-preview").click().run()
    until(test, lambda test: said_of.previewed_shortly(1) in said(test))
    test.run()
    text = shown(test)
    assert "Snapshot 1 as it would be" in text
    assert "fewer than 10 people" in text
    assert "merged into other, so that nothing within it can be computed" in text
    assert "34.5" in text, "an average age, to half a year"
    assert place.versions_there == []
    assert place[SNAPSHOTS].documents == {}
    assert acts(console) == [("publishing.preview", "figures", "begun"), ("publishing.preview", "figures", "done")]


def test_publish_now_shows_the_snapshot_and_forgets_the_preview(console: FakeConsole, place: Place) -> None:
    test = page(console, "officer")
    test.button("publishing-preview").click().run()
    until(test, lambda test: "as it would be" in said(test))
    test.button("publishing-publish").click().run()
    until(test, lambda test: said_of.snapshot_published(1, 90) in said(test))
    test.run()
    assert "The public sees snapshot 1: 90 people" in said(test)
    assert "as it would be" not in said(test)
    assert [record.by for record in place.versions_there] == ["ada"]
    assert acts(console)[-1] == ("publishing.publish", "figures", "done")


def test_what_was_previewed_is_not_published_on_top_of_anothers_release(console: FakeConsole, place: Place) -> None:
    test = page(console, "officer")
    test.button("publishing-preview").click().run()
    until(test, lambda test: "as it would be" in said(test))
    place.released()
    test.button("publishing-publish").click().run()
    until(test, lambda test: said_of.OVERTAKEN in said(test))
    assert len(place.versions_there) == 1
    assert acts(console)[-1] == ("publishing.publish", "figures", "failed")


def test_what_may_not_be_published_says_why(console: FakeConsole, place: Place) -> None:
    place.count({"FR": 9})
    test = page(console, "officer")
    test.button("publishing-publish").click().run()
    until(test, lambda test: said_of.held("there are fewer than 10 people") in said(test))
    test.button("publishing-preview").click().run()
    until(test, lambda test: said_of.held("there are fewer than 10 people") in [one.value for one in test.warning])
    assert place.versions_there == []


def test_a_release_that_is_late_is_said(console: FakeConsole, place: Place) -> None:
    place.released(at=datetime.now(UTC) - timedelta(hours=3))
    assert "The next release was due at" in said(page(console, "officer"))


def test_a_withdrawal_wants_the_number_and_a_reason(console: FakeConsole, place: Place) -> None:
    place.released(at=datetime.now(UTC) - timedelta(minutes=1))
    test = page(console, "officer")
    for number, why in (("", "wrong"), ("one", "wrong"), ("1", " ")):
        test.text_input("publishing-number").set_value(number)
        test.text_input("publishing-why").set_value(why)
        withdraw(test)
        assert said_of.WITHDRAW_UNSURE in said(test)
    test.text_input("publishing-number").set_value("7")
    test.text_input("publishing-why").set_value("wrong")
    withdraw(test)
    assert "There is no snapshot 7" in said(test)
    assert place[SNAPSHOTS].documents[1]["withdrawn"] is None
    test.text_input("publishing-number").set_value("1")
    withdraw(test)
    assert said_of.withdrawn(1) in said(test)
    assert said_of.ALL_WITHDRAWN in said(test)
    assert place[SNAPSHOTS].documents[1]["withdrawn"]["why"] == "wrong"
    assert test.text_input("publishing-number").value == ""
    assert console.log.wrote[-1] == ("ada", "publishing.withdraw", "snapshot 1", "done", "wrong")


def withdraw(test: AppTest) -> None:
    next(button for button in test.button if button.label == said_of.WITHDRAW).click().run()


def test_an_admin_sees_snapshots_and_can_do_nothing(console: FakeConsole, place: Place) -> None:
    place.released()
    publishing.PREPARED.append(place.publishing.prepare())
    test = page(console, "admin")
    assert "The public sees snapshot 1: 90 people" in said(test)
    assert test.button("publishing-preview").disabled
    assert test.button("publishing-publish").disabled
    assert [field.label for field in test.text_input] == []
    assert "as it would be" not in said(test)
    assert "fewer than 10 people" not in shown(test)


@pytest.mark.parametrize("role", ["operator", "kafka admin", "analyst"])
def test_nobody_else_sees_anything(console: FakeConsole, place: Place, role: str) -> None:
    place.released()
    test = opened(console, page_of("publishing"), role, home=False)
    assert [error.value for error in test.error] == [words.may_not("publishing.read", [role])]
    assert not test.dataframe
