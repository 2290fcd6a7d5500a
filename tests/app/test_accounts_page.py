"""The Accounts page: what is made, what is changed of which account, and what asks for its name first."""

import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra import OperationTimedOut, WriteTimeout
from cassandra.cluster import NoHostAvailable
from streamlit.testing.v1 import AppTest

from app import accounts
from app import words_watching as words
from engine.cli import accounts as commands
from engine.errors import StoreAway
from engine.settings import Settings
from engine.stores.accounts import AWAITED, AccountRefused, Accounts, HalfChanged
from tests.app.console_fake import NOW, FakeConsole
from tests.app.pages import opened, page_of, placed, said


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, with another account on it."""
    made = placed(tmp_path, monkeypatch)
    made.signed_in("bob", "operator")
    provided = made.settings.console.model_copy(update={"oidc_issuer": "https://issuer.example"})
    made.settings = made.settings.model_copy(update={"console": provided})
    return made


def at(console: FakeConsole, name: str = "bob") -> AppTest:
    """The page as an admin sees it, with an account chosen."""
    test = opened(console, page_of("accounts"), "admin")
    test.selectbox("accounts-which").set_value(name).run()
    return test


def roles_of(test: AppTest) -> list[str]:
    """What stands in the choice of roles."""
    found: list[str] = next(one for one in test.multiselect if str(one.key).startswith("accounts-new-roles")).value
    return found


def named(test: AppTest, name: str, button: str, typed: str) -> None:
    """Types a name and presses one of those that ask for it."""
    test.text_input(f"accounts-sure {name}").set_value(typed)
    next(one for one in test.button if one.label == button).click().run()


def has_it(test: AppTest, name: str) -> None:
    """Says that a password was read."""
    test.button(f"password-have {name}").click().run()


def test_an_account_is_made_and_its_password_shown_once(console: FakeConsole) -> None:
    test = opened(console, page_of("accounts"), "admin")
    test.text_input("accounts-name").set_value("eve")
    test.multiselect("accounts-roles").set_value(["analyst"])
    next(button for button in test.button if button.label == words.ADD).click().run()
    assert "made password" in [code.value for code in test.code]
    assert console.log.wrote[-1] == ("ada", "accounts.change", "eve", "done", "add as analyst")
    assert words.shown_once("eve", 5) in said(test)
    has_it(test, "eve")
    assert "made password" not in said(test)


def test_the_choice_of_roles_begins_with_those_of_the_account(console: FakeConsole) -> None:
    console.store.make("eve", "analyst", "officer")
    test = at(console)
    assert roles_of(test) == ["operator"]
    next(one for one in test.multiselect if str(one.key).startswith("accounts-new-roles")).set_value(["kafka admin"]).run()
    test.selectbox("accounts-which").set_value("eve").run()
    assert sorted(roles_of(test)) == ["analyst", "officer"]
    test.button("accounts-set").click().run()
    assert console.store.there["eve"].roles == {"analyst", "officer"}
    console.store.set_roles("eve", ["officer"])
    test.run()
    assert roles_of(test) == ["officer"], "as it is now"


def test_nobody_locks_themselves_out(console: FakeConsole) -> None:
    test = at(console, "ada")
    named(test, "ada", words.DISABLE, "ada")
    assert words.NOT_YOURSELF in said(test)
    assert not console.store.there["ada"].disabled
    test.button("accounts-unbind").click().run()
    assert words.NOT_YOURSELF in said(test)
    named(test, "ada", words.BIND, "ada")
    assert words.NOT_YOURSELF in said(test)
    assert console.store.there["ada"].subject == ""
    assert [entry for entry in console.log.wrote if entry[1] == "accounts.change"] == []


@pytest.mark.parametrize("button", [words.DISABLE, words.RESET, words.BIND])
@pytest.mark.parametrize("typed", ["", "ada", "bo"])
def test_without_its_name_nobody_is_locked_out_and_nobody_let_in(console: FakeConsole, button: str, typed: str) -> None:
    test = at(console)
    named(test, "bob", button, typed)
    assert words.NOT_NAMED in said(test)
    assert not console.store.there["bob"].disabled
    assert console.store.there["bob"].subject == ""
    assert console.log.wrote == []
    assert not test.code


def test_another_account_is_disabled_and_signed_out(console: FakeConsole) -> None:
    test = at(console)
    named(test, "bob", words.DISABLE, " Bob ")
    assert console.store.there["bob"].disabled
    assert [one.account for one in console.store.sessions()] == ["ada"]
    assert test.text_input("accounts-sure bob").value == "", "the next one asks again"


def test_another_account_gets_a_new_password_that_is_shown_once(console: FakeConsole) -> None:
    test = at(console)
    named(test, "bob", words.RESET, "bob")
    assert [code.value for code in test.code] == ["another password"]
    assert words.password_made("bob") in said(test)
    assert [one.account for one in console.store.sessions()] == ["ada"]
    has_it(test, "bob")
    assert not test.code


def test_a_password_stays_while_the_page_is_drawn_again_and_goes_after_a_while(
        console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    test = at(console)
    named(test, "bob", words.RESET, "bob")
    for _ in range(3):    # by whatever draws a page again
        test.run()
        assert [code.value for code in test.code] == ["another password"]
    monkeypatch.setattr(accounts, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + accounts.KEPT_S - 10))
    test.run()
    assert test.code
    monkeypatch.setattr(accounts, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + accounts.KEPT_S))
    test.run()
    assert not test.code
    monkeypatch.undo()


def test_passwords_of_two_are_told_apart(console: FakeConsole) -> None:
    console.store.make("eve", "analyst")
    test = at(console)
    named(test, "bob", words.RESET, "bob")
    test.selectbox("accounts-which").set_value("eve").run()
    named(test, "eve", words.RESET, "eve")
    shown = said(test)
    assert words.shown_once("bob", 5) in shown
    assert words.shown_once("eve", 5) in shown
    has_it(test, "bob")
    assert words.shown_once("bob", 5) not in said(test)
    assert words.shown_once("eve", 5) in said(test)


def test_a_password_is_not_shown_to_who_signs_in_next(console: FakeConsole) -> None:
    test = at(console)
    named(test, "bob", words.RESET, "bob")
    assert test.code
    test.user = {"session": console.signed_in("zoe", "admin"), "name": "zoe"}
    test.run()
    assert test.title[0].value
    assert not test.code


def test_an_account_that_was_not_changed_stays_signed_in(console: FakeConsole) -> None:
    session = next(iter(console.store.running))
    test = at(console)
    console.log.away = True
    named(test, "bob", words.DISABLE, "bob")
    assert "so this was not done" in said(test)
    assert console.sessions.get(session) is not None


def test_an_account_is_bound_and_unbound(console: FakeConsole) -> None:
    test = at(console)
    assert list(test.dataframe[0].value[words.PROVIDER]) == [words.PROVIDERS["no"]] * 2
    named(test, "bob", words.BIND, "bob")
    assert console.store.there["bob"].subject == AWAITED
    assert words.PROVIDERS["awaited"] in list(test.dataframe[0].value[words.PROVIDER])
    console.store.bind_to("bob", "https://issuer.example 1")
    test.run()
    assert words.PROVIDERS["bound"] in list(test.dataframe[0].value[words.PROVIDER])
    test.button("accounts-unbind").click().run()
    assert console.store.there["bob"].subject == ""
    assert [entry[4] for entry in console.log.wrote] == ["bind", "bind", "unbind", "unbind"]


def test_without_a_provider_nothing_is_bound_to_it(console: FakeConsole) -> None:
    local = console.settings.console.model_copy(update={"oidc_issuer": ""})
    console.settings = console.settings.model_copy(update={"console": local})
    assert words.BIND not in [button.label for button in at(console).button]


def test_a_role_that_there_is_no_more_is_shown_and_can_be_taken_away(console: FakeConsole) -> None:
    console.store.make("eve", "analyst", "archivist")
    test = at(console, "eve")
    assert not test.exception
    assert roles_of(test) == ["analyst", "archivist"]
    next(one for one in test.multiselect if str(one.key).startswith("accounts-new-roles")).set_value(["analyst"]).run()
    test.button("accounts-set").click().run()
    assert console.store.there["eve"].roles == {"analyst"}


def test_what_stands_although_sessions_could_not_be_ended_is_not_said_to_be_not_done(console: FakeConsole) -> None:
    session = next(iter(console.store.running))
    assert console.sessions.get(session) is not None
    test = at(console)
    console.store.not_ended = StoreAway("Cassandra does not answer.", "Cassandra")
    named(test, "bob", words.RESET, "bob")
    assert [code.value for code in test.code] == ["another password"], "the old one is dead"
    assert "Account bob is changed, but" in said(test)
    assert "Not done" not in said(test)
    assert words.password_made("bob") not in said(test)
    assert console.sessions.get(session) is None, "here it has ended"
    assert console.log.wrote[-1][3] == "failed"
    assert "another password" not in str(console.log.wrote)
    test.button("accounts-revoke").click().run()
    assert "Not done. Cassandra does not answer." in said(test)


class Tables:
    """A session of Cassandra that answers each kind of statement as the test says."""

    def __init__(self, update: Exception | bool = True, select: Exception | None = None) -> None:
        self.update, self.select = update, select
        self.asked: list[str] = []

    def execute(self, statement: str, values: Any = (), **_: Any) -> Any:
        self.asked.append(statement.split()[0])
        if statement.startswith("UPDATE"):
            return self._answered(self.update, SimpleNamespace(was_applied=self.update))
        if statement.startswith("SELECT"):
            return self._answered(self.select, [SimpleNamespace(id="one", began=NOW)])
        return None

    @staticmethod
    def _answered(error: object, answer: Any) -> Any:
        if isinstance(error, Exception):
            raise error
        return answer


def test_a_change_says_what_of_it_stands(tmp_path: Path) -> None:
    late = WriteTimeout("x", consistency=1, required_responses=1, received_responses=0, write_type=0)
    gone = OperationTimedOut()

    def reset(tables: Tables) -> str:
        return Accounts(Settings(home=tmp_path), tables).reset("bob")

    assert len(reset(good := Tables())) >= 16
    assert good.asked == ["UPDATE", "SELECT", "DELETE"]
    with pytest.raises(AccountRefused, match="no account"):
        reset(nobody := Tables(update=False))
    assert nobody.asked == ["UPDATE"]
    for update, says in ((True, "Account bob is changed, but"), (late, "Account bob may be changed or not, but")):
        with pytest.raises(HalfChanged, match=says) as half:
            reset(Tables(update=update, select=gone))
        assert len(half.value.password) >= 16
        assert half.value.password not in str(half.value)
    with pytest.raises(StoreAway):
        reset(broken := Tables(update=NoHostAvailable("x", {})))
    assert broken.asked == ["UPDATE", "SELECT", "DELETE"], "what broke off may have arrived"
    for unsure in (late, gone):
        with pytest.raises(HalfChanged, match="may be changed or not: Cassandra has not said so in time") as half:
            reset(tables := Tables(update=unsure))
        assert tables.asked == ["UPDATE", "SELECT", "DELETE"], "it may have been in time"
        assert len(half.value.password) >= 16


def test_the_command_shows_a_new_password_that_stands_although_sessions_could_not_be_ended(
        console: FakeConsole, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(commands, "_opened", lambda: nullcontext((console.store, console.log)))
    console.store.not_ended = StoreAway("Cassandra does not answer.", "Cassandra")
    with pytest.raises(HalfChanged):
        commands.reset("bob")
    assert "another password" in capsys.readouterr().out
    assert "another password" not in str(console.log.wrote)
