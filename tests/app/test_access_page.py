"""The page Kafka access: what it shows to whom, what it answers, what is wanted and edited; Kafka away."""

from pathlib import Path

import pytest

from app import words_access as words
from engine.access.state import first
from tests.app.access_place import AWAY, DENIED, ODD, READS, Place, column, kafka_placed, tables, with_team
from tests.app.pages import said, until
from tests.governance.kafka_cases import rule


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Kafka has what is wanted, and its log one refusal."""
    return kafka_placed(tmp_path, monkeypatch)


@pytest.mark.parametrize("role", ["operator", "officer", "admin", "kafka admin"])
def test_all_who_watch_see_it_and_only_the_kafka_admin_has_acts(place: Place, role: str) -> None:
    place.wants_team()
    place.kafka.has(ODD)
    test = place.page(role)
    assert not test.exception
    assert [tab.label for tab in test.tabs] == [words.BY_PRINCIPAL, words.BY_TOPIC, words.DRIFT, words.CHECKER, words.WANTED,
                                                words.PLAN, words.USERS, words.DENIED]
    acts = {"access-apply-do", "access-adopt", "access-remove", "access-save", "access-create", "access-upload-do"}
    assert {button.key for button in test.button} & acts == (acts if role == "kafka admin" else set())
    assert "rollcall's verify may write to topic 'odd' from any address" in column(test, words.THERE)
    assert "orders's ada-reader may read topics that start with 'orders-' from any address" in column(test, words.SHOULD)
    assert "stream" in column(test, words.USER)


def test_a_principal_with_its_rules_and_what_it_was_refused(place: Place) -> None:
    place.wants_team()
    place.kafka.has(READS, rule("allow else READ topic other"), rule("deny * READ topic secret"))
    test = place.page("operator")
    test.selectbox("access-principal").set_value("User:ada-reader").run()
    states = {row[words.RULE]: row[words.STATE] for row in next(
        frame for frame in test.dataframe if words.STATE in frame.value.columns).value.to_dict("records")}
    assert states == {"orders's ada-reader may read topics that start with 'orders-' from any address": words.AS_WANTED,
                      "orders's ada-reader may see the partitions of topics that start with 'orders-' from any address":
                          words.MISSING,
                      "nobody may read topic 'secret' from any address": words.OF_OTHERS}
    assert words.facts("orders", False, False, False, False) in said(test)
    assert "read topic 'orders-1'" in column(test, words.REFUSED_WHAT)
    test.selectbox("access-principal").set_value("User:stream").run()
    assert words.facts("rollcall", True, True, False, True) in said(test)


def test_a_topic_with_who_may_do_what_patterns_included(place: Place) -> None:
    place.kafka.has(READS, rule("deny ada-reader WRITE topic *"))
    test = place.page("officer")
    test.selectbox("access-topic").set_value("orders-1").run()
    may = {row[words.PRINCIPAL]: row[words.MAY] for frame in test.dataframe if words.MAY in frame.value.columns
           for row in frame.value.to_dict("records")}
    assert may == {"ada-reader": "READ, DESCRIBE"}
    about = [row[words.RULE] for frame in test.dataframe[1:] if words.RULE in frame.value.columns
             for row in frame.value.to_dict("records")]
    assert "ada-reader may read topics that start with 'orders-' from any address" in about
    assert "ada-reader may not write to every topic from any address" in about


def test_the_checker_answers_today_and_after_the_plan_with_the_rule(place: Place) -> None:
    place.wants_team()
    place.kafka.has(ODD)
    test = place.page("operator")

    def asks(who: str, operation: str, name: str, host: str = "") -> str:
        test.text_input("access-check-who").set_value(who)
        test.selectbox("access-check-operation").set_value(operation)
        test.selectbox("access-check-resource").set_value("topic")
        test.text_input("access-check-name").set_value(name)
        test.text_input("access-check-host").set_value(host)
        test.button("access-check-ask").click().run()
        return said(test)

    shown = asks("ada-reader", "READ", "orders-1")
    assert "May ada-reader read topic 'orders-1' from any address that no rule names?" in shown
    assert f"{words.TODAY}: No: no rule allows it." in shown
    assert (f"{words.AFTER}: Yes: ada-reader may read topics that start with 'orders-' from any address." in shown)
    assert f"{words.AFTER}: Yes" in asks("verify", "WRITE", "odd")
    test.checkbox("access-check-deletes").set_value(True)
    assert f"{words.AFTER}: No" in asks("verify", "WRITE", "odd")
    assert "is no IP address" in asks("verify", "WRITE", "odd", "host.example")
    assert not place.console.log.wrote, "a question is no act"


def test_what_is_wanted_is_edited_with_faults_named_and_a_stale_save_refused(place: Place) -> None:
    text, key = first(place.settings).text, "access-f-kafka-text"
    test = place.page()
    bad = with_team(text).replace("role: reader, topics: [orders-*]", "role: readr, topics: [orders-*]")
    test.text_area(key).set_value(bad)
    test.button("access-look").click().run()
    (table,) = test.table
    (line,), (fault,) = table.value[words.LINE], table.value[words.FAULT]
    assert "write reader" in fault
    assert bad.splitlines()[line - 1].strip().startswith("- {role: readr")
    test.text_area(key).set_value(with_team(text))
    test.button("access-look").click().run()
    assert words.LINE not in tables(test)
    assert len(tables(test)[words.CHANGE]) == 2
    place.wants(text + "\n# another's\n")
    test.text_input("access-why-f-kafka-why").set_value("a new team")
    test.button("access-save").click().run()
    assert "bob saved version 1" in said(test)
    assert words.STALE in [warning.value for warning in test.warning]
    assert any("+# another's" in code.value for code in test.code)
    assert test.text_area(key).value == with_team(text), "nothing that is typed is lost"
    test.button("access-on-theirs").click().run()
    assert any("-# another's" in code.value for code in test.code), "what would be undone is shown"
    test.text_area(key).set_value(with_team(text) + "\n# another's\n")
    test.button("access-save").click().run()
    assert words.saved(2) in said(test)
    assert place.records.kept[-1].n == 2
    assert [entry[:4] for entry in place.console.log.wrote] == [
        ("ada", "access.change", "kafka", result) for result in ("begun", "failed", "begun", "done")]
    assert place.kafka.rules == first(place.settings).rules, "Kafka is not touched"
    assert [row[words.VERSION] for row in tables(test)[words.VERSION]] == [2, 1, 0]


def test_look_says_what_save_would_refuse(place: Place) -> None:
    text = first(place.settings).text
    more = text.replace("      verify:\n", "      verify:\n        - {role: producer, topics: [x]}\n")
    assert more != text
    test = place.page()
    test.text_area("access-f-kafka-text").set_value(more)
    test.button("access-look").click().run()
    (told,) = [error.value for error in test.error if error.value.startswith(words.SAVE_REFUSED)]
    assert "too much: verify may write to topic 'x'" in told
    assert words.SOUND not in said(test)
    test.text_input("access-why-f-kafka-why").set_value("x")
    test.button("access-save").click().run()
    assert told.removeprefix(words.SAVE_REFUSED).strip() in said(test)
    assert not place.records.kept


def test_rules_of_others_about_our_topics_are_counted_beside_the_drift(place: Place) -> None:
    place.kafka.has(rule("deny z READ topic user*"), rule("allow z READ topic *"), rule("allow z READ topic far"))
    test = place.page()
    assert words.of_others(2) in said(test)
    assert words.NO_DRIFT in said(test)


def test_refusals_are_counted_by_the_brokers_rule(place: Place) -> None:
    log = place.settings.logs_dir / "kafka-authorizer.log"
    log.write_text(DENIED + DENIED + DENIED.replace("DefaultDeny", "MatchingAcl(z)"))
    test = place.page()
    (by,) = [frame.value for frame in test.dataframe if list(frame.value.columns)[:2] == [words.PRINCIPAL, words.TIMES]]
    assert list(zip(by[words.TIMES], by[words.BY_RULE], strict=True)) == [(2, "DefaultDeny"), (1, "MatchingAcl(z)")]


def test_a_save_needs_a_reason_and_a_change(place: Place) -> None:
    test = place.page()
    test.button("access-save").click().run()
    assert words.NOTHING_CHANGED in said(test)
    test.text_area("access-f-kafka-text").set_value(with_team(first(place.settings).text))
    test.button("access-save").click().run()
    assert "Say why" in said(test)
    assert not place.records.kept


def test_kafka_away_says_since_when_and_what_was_read_last(place: Place) -> None:
    test = place.page()
    place.kafka.away = AWAY
    test.button("access-again").click().run()
    assert any("Kafka does not answer." in warning.value and "What is shown is of" in warning.value for warning in test.warning)
    assert test.tabs
    place.kafka.away = None
    place.console.access._every_s = -1.0
    until(test, lambda test: not any("Not readable" in warning.value for warning in test.warning))


def test_a_reading_that_takes_longer_than_a_click_waits_is_shown_when_it_is_there(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_again: list[bool] = []
    test = place.page()
    monkeypatch.setattr("app.parts.again_later", lambda: drawn_again.append(True))
    monkeypatch.setattr(place.console.access, "again", lambda: None)
    test.run()
    assert not drawn_again
    test.button("access-again").click().run()
    assert drawn_again == [True]
    monkeypatch.undo()
    place.console.access.again()
    monkeypatch.setattr("app.parts.again_later", lambda: drawn_again.append(True))
    test.run()
    assert drawn_again == [True]


def test_kafka_that_never_answered_shows_nothing_else(place: Place) -> None:
    place.kafka.away = AWAY
    test = place.page()
    assert any("There is nothing to show meanwhile" in warning.value for warning in test.warning)
    assert not test.tabs
    assert not test.exception


def test_a_log_that_cannot_be_read_takes_nothing_else_away(place: Place) -> None:
    (place.settings.logs_dir / "kafka-authorizer.log").unlink()
    test = place.page()
    assert any("authorizer log" in warning.value for warning in test.warning)
    assert test.tabs
