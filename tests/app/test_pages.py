"""Every page for every role, run by Streamlit's own test: what is shown, what is refused, what an act comes to."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from app import profiles, words
from app.listing import PAGES, Listed
from app.readings import Kept
from engine.errors import StoreAway
from engine.health import Hop
from engine.rotation.keys import with_new
from engine.stores.browse import Page
from governance.permissions import Role, allowed
from tests.app.console_fake import HOPS, FakeConsole
from tests.app.pages import opened, page_of, placed, said, until

AWAY = StoreAway("MongoDB does not answer.", "MongoDB")


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, in place of the process's."""
    return placed(tmp_path, monkeypatch)


ROLES = [role.value for role in Role]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_a_page_opens_for_those_who_may_and_for_nobody_else(console: FakeConsole, page: Listed, role: str) -> None:
    for home in (True, False):
        test = opened(console, page, role, home=home)
        assert not test.exception, test.exception
        if allowed([role], page.action):
            assert [title.value for title in test.title] == [page.title]
            assert words.SESSION_ENDED not in said(test)
        elif home:
            assert page.title not in [title.value for title in test.title]
        else:
            assert [error.value for error in test.error] == [words.may_not(page.action, [role])]
            assert not test.title
            assert not test.metric
            assert not test.dataframe


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_a_page_file_alone_shows_a_stranger_nothing(console: FakeConsole, page: Listed) -> None:
    test = opened(console, page, home=False)
    assert [error.value for error in test.error] == [words.SESSION_ENDED]
    for kind in ("title", "metric", "dataframe", "button", "code", "caption", "text", "table"):
        assert not getattr(test, kind), kind


def test_a_stranger_at_home_is_asked_to_sign_in(console: FakeConsole) -> None:
    test = opened(console, PAGES[0])
    assert [title.value for title in test.title] == [words.SIGN_IN]
    assert not test.sidebar.selectbox


def test_a_session_that_was_revoked_shows_nothing_any_more(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(console, PAGES[0], "operator")
    assert words.ALL_WELL in said(test)
    console.store.end_all("ada")
    now = time.monotonic() + 3
    monkeypatch.setattr(console.sessions, "_clock", lambda: now)
    test.run()
    assert words.ALL_WELL not in said(test)


def test_flow_says_first_what_is_not_well(console: FakeConsole) -> None:
    ill = [Hop("kafka", False, "Kafka does not answer", {}) if hop.name == "kafka" else hop for hop in HOPS]
    console.hops = Kept(lambda: ill, 3600)
    shown = opened(console, page_of("flow"), "operator")
    assert shown.error[0].value == words.not_well(["Kafka"])
    assert "Kafka does not answer" in said(shown)


@pytest.mark.parametrize("key", ["flow", "producer", "stream", "aggregates", "letters"])
def test_what_cannot_be_read_says_since_when_and_shows_the_last(console: FakeConsole, key: str) -> None:
    for name in ("hops", "status", "history", "counted", "letters"):
        kept = getattr(console, name)
        kept.now()
        kept._every_s = -1.0
        kept._read = _raises
    test = opened(console, page_of(key), "operator")
    until(test, lambda test: any("Not readable since" in warning.value for warning in test.warning))
    warning = next(warning.value for warning in test.warning if "Not readable since" in warning.value)
    assert "MongoDB does not answer." in warning
    assert "What is shown is of" in warning
    assert test.metric, "the last reading is still there"


def _raises() -> Any:
    raise AWAY


@pytest.mark.parametrize("key", ["flow", "producer", "stream", "aggregates", "letters"])
def test_what_was_never_read_says_so(console: FakeConsole, key: str) -> None:
    for name in ("hops", "status", "history", "counted", "letters"):
        setattr(console, name, Kept(_raises, 3600))
    test = opened(console, page_of(key), "operator")
    assert any("There is nothing to show meanwhile" in warning.value for warning in test.warning)
    assert not test.exception


def test_start_and_stop_go_through_the_processes_and_the_audit(console: FakeConsole) -> None:
    test = opened(console, page_of("stream"), "operator")
    assert test.button("stream-start").disabled
    test.button("stream-stop").click().run()
    until(test, lambda _: console.processes.did == ["stop stream"])
    until(test, lambda test: words.stopped("stream") in said(test))
    assert [entry[:4] for entry in console.log.wrote] == [("ada", "stream.stop", "stream", "begun"),
                                                          ("ada", "stream.stop", "stream", "done")]
    test.button("stream-start").click().run()
    assert console.processes.did == ["stop stream", "start stream"]
    assert words.started("stream") in said(test)


def test_start_and_stop_work_while_the_audit_is_away(console: FakeConsole) -> None:
    console.log.away = True
    test = opened(console, page_of("producer"), "operator")
    test.button("producer-stop").click().run()
    until(test, lambda _: console.processes.did == ["stop producer"])
    until(test, lambda _: console.log.spooled == ["producer.stop", "producer.stop"])


def test_while_the_session_cannot_be_confirmed_one_can_see_flow_and_stop(console: FakeConsole,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(console, page_of("stream"), "operator", "admin")
    console.store.away, console.log.away = AWAY, True
    now = time.monotonic() + 60
    monkeypatch.setattr(console.sessions, "_clock", lambda: now)
    test.run()
    assert "your session cannot be confirmed" in said(test)
    assert test.button("stream-verify").disabled
    test.button("stream-stop").click().run()
    until(test, lambda _: console.processes.did == ["stop stream"])
    test.switch_page(page_of("flow").file).run()
    assert words.ALL_WELL in said(test)
    test.switch_page(page_of("accounts").file).run()
    assert "this page goes on by itself" in said(test)
    assert not test.dataframe


@pytest.mark.parametrize("role", [role for role in ROLES if allowed([role], "stream.read") and role != "operator"])
def test_who_only_watches_cannot_press(console: FakeConsole, role: str) -> None:
    test = opened(console, page_of("stream"), role)
    for key in ("stream-start", "stream-stop", "stream-recount"):
        assert test.button(key).disabled


def test_an_act_asks_again_although_the_button_was_there(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(console, page_of("producer"), "operator")
    session = next(iter(console.store.running))
    taken = type(console.store.running[session])(session, "ada", frozenset({"officer"}), console.store.running[session].began)
    console.store.running[session] = taken
    now = time.monotonic() + 3
    monkeypatch.setattr(console.sessions, "_clock", lambda: now)
    test.button("producer-stop").click().run()
    assert console.processes.did == []
    assert console.log.wrote[-1] == ("ada", "producer.stop", "producer", "refused", "no right to it")
    assert words.may_not("producer.stop", ["officer"]) in said(test)


def test_another_source_and_rate_are_kept_and_the_producer_starts_again(console: FakeConsole,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ROLLCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLLCALL_HOME", str(console.settings.home))
    (console.settings.home / "settings.toml").write_text("# ours\n[kafka]\nport = 9092  # as ever\n")
    test = opened(console, page_of("producer"), "operator")
    test.selectbox("producer-f-settings-source").set_value("synthetic")
    test.number_input("producer-f-settings-rate").set_value(120.0)
    next(button for button in test.button if button.label == words.APPLY).click().run()
    until(test, lambda test: words.changed("synthetic", 120.0) in said(test))
    kept = (console.settings.home / "settings.toml").read_text()
    assert "# ours" in kept
    assert "# as ever" in kept
    assert 'source = "synthetic"' in kept
    assert "rate = 120.0" in kept
    assert console.processes.did == ["stop producer", "start producer"]


def test_a_replay_without_a_file_is_not_kept(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", str(console.settings.home))
    test = opened(console, page_of("producer"), "operator")
    test.selectbox("producer-f-settings-source").set_value("replay")
    next(button for button in test.button if button.label == words.APPLY).click().run()
    until(test, lambda test: "needs the path of a file" in said(test))
    assert not (console.settings.home / "settings.toml").exists()


def test_letters_show_what_they_are_made_of_and_no_value(console: FakeConsole) -> None:
    test = opened(console, page_of("letters"), "operator")
    assert words.letters_chosen(3, False) in said(test)
    test.text_input("letters-contains").set_value("UUID").run()
    assert words.letters_chosen(2, False) in said(test)
    everything = said(test) + "".join(str(frame.value.to_dict()) for frame in test.dataframe)
    assert "x@y.example" not in everything
    assert "Ada" not in everything


@pytest.mark.parametrize(("number", "says"), [(1, words.NO_PROFILES), (2, words.NO_PROFILES_FURTHER)])
def test_an_empty_page_behind_others_is_the_end_and_no_failure_of_the_filters(
        console: FakeConsole, monkeypatch: pytest.MonkeyPatch, number: int, says: str) -> None:
    monkeypatch.setattr(profiles, "current", lambda _: (Page([], None), number))
    monkeypatch.setattr(profiles, "count", lambda *_: "50")
    test = opened(console, page_of("profiles"), "operator")
    assert [info.value for info in test.info] == [says]


def test_who_may_not_reveal_has_no_form_for_it(console: FakeConsole) -> None:
    test = opened(console, page_of("profiles"), "operator")
    assert words.REVEAL_WHO not in [field.label for field in test.text_input]
    assert "Cassandra does not answer" in said(test)


@pytest.mark.parametrize(("who", "why", "says"), [
    ("no uuid", "a complaint of the person", "This is no uuid"),
    ("9a723211-0e87-41f1-b1e4-ed1a15226b80", "", words.NO_REASON),
    ("9a723211-0e87-41f1-b1e4-ed1a15226b80", "because", words.NO_REASON)])
def test_a_reveal_without_a_person_or_a_reason_shows_nothing(console: FakeConsole, who: str, why: str, says: str) -> None:
    test = opened(console, page_of("profiles"), "officer")
    test.text_input("profiles-who").set_value(who)
    test.text_input("profiles-why").set_value(why)
    next(button for button in test.button if button.label == words.REVEAL_DO).click().run()
    assert says in said(test)
    assert not test.table
    assert [entry for entry in console.log.wrote if entry[1] == "profiles.reveal"] == []


def test_a_reveal_is_not_done_while_the_audit_is_away(console: FakeConsole) -> None:
    console.log.away = True
    test = opened(console, page_of("profiles"), "officer")
    test.text_input("profiles-who").set_value("9a723211-0e87-41f1-b1e4-ed1a15226b80")
    test.text_input("profiles-why").set_value("a complaint of the person")
    next(button for button in test.button if button.label == words.REVEAL_DO).click().run()
    assert "The audit cannot be written, so this was not done" in said(test)
    assert not test.table


def test_a_search_by_an_address_is_written_down_as_a_token(console: FakeConsole) -> None:
    before = console.keys
    console.keys = with_new(before, "email")    # tokens are rotated just now: rows may have either
    test = opened(console, page_of("profiles"), "operator")
    test.text_input("profiles-email").set_value(" Ada@Example.com ").run()
    token = console.keys.email_token("Ada@Example.com")
    assert test.session_state["profiles-token"] == (before.email_token("ada@example.com"), token)
    assert test.text_input("profiles-email").value == ""
    searched = [entry for entry in console.log.wrote if entry[1] == "profiles.search"]
    assert [entry[:4] for entry in searched] == [("ada", "profiles.search", f"e-mail {token[:16]}", "begun"),
                                                 ("ada", "profiles.search", f"e-mail {token[:16]}", "done")]
    assert "example.com" not in str(console.log.wrote).lower()


def test_nobody_is_searched_by_an_address_while_the_audit_is_away(console: FakeConsole) -> None:
    test = opened(console, page_of("profiles"), "operator")
    console.log.away = True
    test.text_input("profiles-email").set_value("ada@example.com").run()
    assert "so this was not done" in said(test)
    assert test.session_state["profiles-token"] == ()


def test_who_has_the_right_and_cannot_be_confirmed_is_told_just_that(console: FakeConsole,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(console, page_of("profiles"), "officer")
    console.store.away, console.log.away = AWAY, True
    now = time.monotonic() + 60
    monkeypatch.setattr(console.sessions, "_clock", lambda: now)
    test.text_input("profiles-who").set_value("9a723211-0e87-41f1-b1e4-ed1a15226b80")
    test.text_input("profiles-why").set_value("a complaint of the person")
    next(button for button in test.button if button.label == words.REVEAL_DO).click().run()
    assert "your session cannot be confirmed" in said(test)
    assert words.may_not("profiles.reveal", ["officer"]) not in said(test)
    assert not test.table


def test_the_refresh_rate_is_kept_from_page_to_page(console: FakeConsole) -> None:
    test = opened(console, page_of("flow"), "operator")
    test.sidebar.selectbox("refresh").set_value("60 s").run()
    test.switch_page(page_of("stream").file).run()
    assert test.sidebar.selectbox("refresh").value == "60 s"
