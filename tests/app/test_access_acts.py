"""What is done on the page Kafka access, by the acts' own code: planned, applied, refused, adopted; users."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from streamlit.testing.v1 import AppTest

from app import access, access_plan, jobs, words_watching
from app import words_access as words
from engine.access.apply import plan_id
from engine.access.state import first
from governance.kafka_access.rule import Rule
from tests.app.access_place import DESCRIBES, ODD, READS, Place, apply, choose, column, ended, kafka_placed, tables, with_team
from tests.app.pages import said
from tests.governance.kafka_cases import rule


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Kafka has what is wanted, and its log one refusal."""
    return kafka_placed(tmp_path, monkeypatch)


def test_a_plan_is_read_and_applied_with_each_step_in_the_audit(place: Place) -> None:
    place.wants_team()
    test = place.page()
    made = place.reads().plans[False]
    assert [row[words.RULE] for row in tables(test)[words.STEP]] == [made.says(step.rule) for step in made.steps]
    assert "\n".join(made.commands) in [code.value for code in test.code]
    assert not any(field.key == "access-sure" for field in test.text_input), "a click is enough for two rules"
    apply(test, why="")
    assert words.NO_REASON in said(test)
    assert not {READS, DESCRIBES} & place.kafka.rules
    apply(test)
    ended(test)
    assert {READS, DESCRIBES} <= place.kafka.rules
    assert words.applied(2) in said(test)
    assert words.NOTHING_TO_DO in said(test)
    assert [(act, result) for _, act, _, result, _ in place.console.log.wrote] == [
        ("access.apply", result) for result in ("begun", "begun", "done", "begun", "done", "done")]
    assert place.console.log.wrote[1][2].startswith("create: orders's ada-reader may ")
    assert {entry[4] for entry in place.console.log.wrote} == {"a new team"}


def test_a_plan_beside_the_job_of_another_is_not_begun_and_what_was_typed_stays(place: Place) -> None:
    place.wants_team()
    test, over = place.page(), Event()
    try:
        jobs.JOBS.begin(access.KIND, "bob", lambda _: str(over.wait(30)))
        apply(test, why="a new team")
        assert "This is under way already" in said(test)
        assert test.text_input("access-why").value == "a new team"
    finally:
        over.set()
    assert not {READS, DESCRIBES} & place.kafka.rules


def test_a_plan_that_was_read_before_more_was_wanted_is_refused(place: Place) -> None:
    place.wants_team()
    test = place.page()
    place.wants(with_team(first(place.settings).text).replace("rules: []", (
        "rules:\n  - {principal: ada-reader, permission: deny, operation: READ, resource: topic, name: orders-secret}")))
    apply(test)
    ended(test)
    assert "What is wanted was changed since this plan was made." in said(test)
    assert not {READS, DESCRIBES} & place.kafka.rules, "the permission would come without its refusal"


def test_what_reaches_far_asks_for_the_plans_id(place: Place) -> None:
    place.wants(first(place.settings).text.replace("rules: []", (
        'rules:\n  - {principal: "*", permission: allow, operation: READ, resource: topic, name: open}')))
    test = place.page()
    apply(test, sure="yes")
    assert words.NOT_SURE in said(test)
    assert jobs.JOBS.get(access.KIND) is None
    apply(test, sure=plan_id(place.reads().plans[False]))
    ended(test)
    assert rule("allow * READ topic open") in place.kafka.rules


def test_a_lockout_is_shown_refused_and_in_the_audit(place: Place) -> None:
    place.wants(first(place.settings).text.replace("rules: []", (
        "rules:\n  - {principal: gatekeeper, permission: deny, operation: ALTER, resource: cluster}")))
    test = place.page()
    assert any(error.value.startswith(f"{words.REFUSED} rollcall's gatekeeper") for error in test.error)
    apply(test, sure=plan_id(place.reads().plans[False]))
    ended(test)
    assert "gatekeeper is protected and could no longer change rules" in said(test)
    assert place.kafka.rules == first(place.settings).rules
    assert [entry[1:4:2] for entry in place.console.log.wrote] == [("access.apply", "refused")]


def test_a_kafka_that_goes_in_the_middle_is_told_and_the_next_plan_has_the_rest(place: Place) -> None:
    place.wants_team()
    test = place.page()
    place.kafka.fails_at = 2
    apply(test)
    ended(test)
    shown = said(test)
    assert "Stopped after 1 of 2 steps" in shown
    assert "Not done. Stopped" not in shown, "part of it is done"
    assert len(tables(test)[words.STEP]) == 1


def test_a_file_of_a_plan_is_shown_and_refused_when_it_is_out_of_date(place: Place) -> None:
    place.wants_team()
    made = place.reads().plans[False]
    test = place.page()

    def brings(content: str) -> None:
        test.file_uploader(access_plan._FILE).set_value(("plan.json", content.encode(), "application/json"))
        test.button("access-upload-do").click().run()

    brings("{}")
    assert "plan.json: This is no plan file" in said(test)
    brings(made.to_json())
    assert words.plan_of("plan.json") in said(test)
    assert [row[words.RULE] for row in tables(test)[words.STEP]] == [made.says(step.rule) for step in made.steps]
    place.kafka.has(ODD)
    test.button("access-again").click().run()
    assert any("1 rule appeared" in warning.value for warning in test.warning)
    apply(test)
    ended(test)
    assert "1 rule appeared" in said(test)
    assert not {READS, DESCRIBES} & place.kafka.rules
    assert place.console.log.wrote[-1][3] == "refused"


def drifted(place: Place) -> tuple[Rule, Rule]:
    """Kafka with one rule missing, one unexpected and one from another address; returns the last two."""
    place.wants_team()
    elsewhere = replace(READS, host="10.0.0.9")
    place.kafka.has(ODD, elsewhere)
    return ODD, elsewhere


def test_drift_is_adopted(place: Place) -> None:
    drifted(place)
    test = place.page()
    assert column(test, words.DIFFERENCE) == ["missing", "unexpected", "different"]
    test.button("access-adopt").click().run()
    assert words.NOTHING_CHOSEN in said(test)
    choose(test, 0).button("access-adopt").click().run()
    assert words.NOTHING_TO_ADOPT in said(test)
    choose(test, 2)
    test.text_input("access-adopt-why").set_value("it was meant so")
    test.button("access-adopt").click().run()
    assert words.adopted(1, 2) in said(test)
    assert 'host: "10.0.0.9"' in place.records.kept[-1].body.replace('\\"', '"')
    assert column(test, words.DIFFERENCE) == ["missing", "missing", "unexpected"]


def test_drift_is_removed_by_a_plan_of_just_that(place: Place) -> None:
    odd, elsewhere = drifted(place)
    test = place.page()
    choose(test, 1, 2).button("access-remove").click().run()
    assert words.planned(3) in said(test)
    assert words.plan_of(words.OF_DRIFT) in said(test)
    assert {odd, elsewhere} <= place.kafka.rules, "nothing is done before it is applied"
    apply(test)
    ended(test)
    assert not {odd, elsewhere} & place.kafka.rules
    assert READS in place.kafka.rules
    assert DESCRIBES not in place.kafka.rules
    assert column(test, words.DIFFERENCE) == ["missing"]


def test_a_user_is_made_given_a_password_once_and_taken_away_with_its_rules(place: Place) -> None:
    place.kafka.has(READS)
    test = place.page()
    test.text_input("access-new-name").set_value("ada-reader")
    test.button("access-create").click().run()
    assert words.NO_REASON in said(test)
    test.text_input("access-new-name").set_value("ada-reader")
    test.text_input("access-new-why").set_value("a new program")
    test.button("access-create").click().run()
    assert words.made("ada-reader") in said(test)
    word = next(code.value for code in test.code if len(code.value) == 32)
    assert "ada-reader" in place.kafka.users
    assert words_watching.shown_once("ada-reader", 5) in said(test)
    test.run()
    assert word in said(test), "whatever draws the page again: it was not read yet"
    test.button("password-have ada-reader").click().run()
    assert word not in said(test), "it is shown once"

    test.selectbox("access-user").set_value("ada-reader").run()
    test.text_input("access-user-why ada-reader").set_value("it was seen")
    test.button("access-rotate").click().run()
    assert words.NOT_NAMED in said(test)
    test.text_input("access-user-sure ada-reader").set_value("ada-reader")
    test.button("access-rotate").click().run()
    assert "stay open" in said(test)
    other = next(code.value for code in test.code if len(code.value) == 32)
    assert other != word
    assert not any(word in str(entry) or other in str(entry) for entry in place.console.log.wrote)

    test.text_input("access-user-why ada-reader").set_value("it has ended")
    test.text_input("access-user-sure ada-reader").set_value("ada-reader")
    test.button("access-delete").click().run()
    ended(test)
    assert "User ada-reader is gone; rules that went with it: 1." in said(test)
    assert "ada-reader" not in place.kafka.users
    assert READS not in place.kafka.rules
    done = [(act, target) for _, act, target, result, _ in place.console.log.wrote if result == "done"]
    assert done[:2] == [("access.users", "ada-reader")] * 2
    assert done[2][0] == "access.apply"
    assert done[-1] == ("access.users", "ada-reader")


def deletes(test: AppTest) -> None:
    test.selectbox("access-user").set_value("ada-reader").run()
    test.text_input("access-user-why ada-reader").set_value("it has ended")
    test.text_input("access-user-sure ada-reader").set_value("ada-reader")
    test.button("access-delete").click().run()
    ended(test)


def test_rules_that_went_before_a_user_that_did_not_are_told(place: Place) -> None:
    place.kafka.has(READS)
    place.kafka.users["ada-reader"] = place.kafka.users["stream"]
    test = place.page()
    place.kafka.fails_at = 2    # the rule goes, the user does not
    deletes(test)
    shown = said(test)
    assert READS not in place.kafka.rules
    assert "ada-reader" in place.kafka.users
    assert ("The user ada-reader may still be there or be gone. Rules that went and stay gone: ada-reader may read topics that "
            "start with 'orders-' from any address. `rollcall access users delete ada-reader` again goes on with it.") in shown
    assert "Not done. Kafka" not in shown, "part of it is done"
    assert place.console.log.wrote[-1][1:4] == ("access.users", "ada-reader", "failed")
    deletes(test)
    assert "User ada-reader is gone" in said(test)


def test_deletions_that_stop_in_the_middle_say_how_to_go_on(place: Place) -> None:
    place.kafka.has(READS, DESCRIBES)
    place.kafka.users["ada-reader"] = place.kafka.users["stream"]
    test = place.page()
    place.kafka.fails_at = 2
    deletes(test)
    shown = said(test)
    assert "Stopped after 1 of 2 steps" in shown
    assert "`rollcall access users delete ada-reader` again goes on with it." in shown
    assert "Not done. Stopped" not in shown


def test_a_password_whose_answer_is_lost_is_neither_shown_nor_said_to_be_not_done(place: Place) -> None:
    place.kafka.users["ada-reader"] = place.kafka.users["stream"]
    test = place.page()
    place.kafka.lost_answers = 1
    test.selectbox("access-user").set_value("ada-reader").run()
    test.text_input("access-user-why ada-reader").set_value("it was seen")
    test.text_input("access-user-sure ada-reader").set_value("ada-reader")
    test.button("access-rotate").click().run()
    assert "It is not known which password the user ada-reader has now" in said(test)
    assert "Not done" not in said(test)
    assert not any(len(code.value) == 32 for code in test.code)


def test_a_user_that_is_not_there_any_more_is_a_refusal_in_the_audit(place: Place) -> None:
    place.kafka.users["ada-reader"] = place.kafka.users["stream"]
    test = place.page()
    test.selectbox("access-user").set_value("ada-reader").run()
    del place.kafka.users["ada-reader"]
    deletes(test)
    assert "Kafka has no user 'ada-reader'" in said(test)
    assert [entry[1:4] for entry in place.console.log.wrote] == [("access.users", "ada-reader", "refused")]


def test_a_program_of_ours_cannot_be_chosen_and_nonsense_is_refused(place: Place) -> None:
    test = place.page()
    assert test.selectbox("access-user").options == []
    test.text_input("access-new-name").set_value("stream")
    test.text_input("access-new-why").set_value("x")
    test.button("access-create").click().run()
    assert "stream is a program of this installation" in said(test)
    assert place.console.log.wrote[-1][3] == "failed"
