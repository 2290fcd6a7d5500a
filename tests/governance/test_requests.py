"""The life of a request: what can follow what, and that nothing counts as done without something that shows it."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.request import Ground, NotARequest, Request, State
from governance.requests.result import PEOPLE_FOUND, Result
from governance.requests.step import STEPS, Name
from governance.rights.verdict import Outcome, Verdict
from tests.governance.request_cases import AT, DAY, DONE, ERASED, RED, known, made, question, ran, through

ARTICLES = {"access": 15, "rectification": 16, "erasure": 17, "restriction": 18, "portability": 20, "objection": 21}


def test_there_are_six_kinds_each_with_its_article() -> None:
    assert {str(kind): kind.article for kind in Kind} == ARTICLES
    assert set(STEPS) == set(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_searched_for_answered_and_closed(kind: Kind) -> None:
    asked = through(kind)
    assert STEPS[kind][0].name is Name.FIND
    assert asked.state is State.DONE
    assert asked.answered == DAY
    done = life.closed(asked, AT)
    assert done.state is State.CLOSED
    assert life.closed(done, AT + timedelta(days=1)) == done, "once more changes nothing"


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_closed_only_when_every_step_is_done(kind: Kind) -> None:
    for step in STEPS[kind]:
        if not step.optional:
            with pytest.raises(NotARequest, match=f"cannot be closed yet: {step.name}"):
                life.closed(through(kind, until=step.name), AT)


@pytest.mark.parametrize("kind", list(Kind))
def test_no_step_comes_before_the_one_it_follows(kind: Kind) -> None:
    for first, then in pairwise(STEPS[kind]):
        with pytest.raises(NotARequest, match=f"comes after {first.name}"):
            life.begun(through(kind, until=first.name, optional=True), then.name, AT, "ada")


def test_nothing_is_done_before_it_is_known_who_asks() -> None:
    for asked in (made(), question(made(), "2026-03-06")):
        with pytest.raises(NotARequest, match=r"before it is known who asks \(Art\. 12\(6\)"):
            life.begun(asked, "find", AT, "ada")
    with pytest.raises(NotARequest, match="nothing is done before it is known who asks"):
        made(runs=[{"step": "find", "began": AT, "by": "ada"}])


def test_a_step_that_is_begun_is_not_done() -> None:
    asked = life.begun(known(), "find", AT, "ada")
    assert not asked.done("find")
    again = life.begun(asked, "find", AT, "eve")
    run = again.run_of("find")
    assert run is not None
    assert (run.times, run.by, run.done) == (2, "eve", None), "broken off, and begun again"


def test_nothing_is_done_without_evidence() -> None:
    with pytest.raises(ValidationError, match="nothing is done without something that shows it"):
        Result(done=True, says="done")
    with pytest.raises(ValidationError, match="nothing is done without something that shows it"):
        Result(done=True, says="done", evidence={"offset": " "})
    with pytest.raises(ValidationError, match=r"NOT ERASED \(mongo\)"):
        Result(done=True, says="done", evidence={"offset": "1"}, verdicts=RED.verdicts)
    with pytest.raises(NotARequest, match="was not begun"):
        life.came_to(known(), "find", AT, DONE)


def test_a_store_that_is_not_erased_keeps_the_request_open() -> None:
    asked = ran(through("erasure", until="erase"), "erase", RED)
    assert asked.state is State.UNDERWAY
    assert not asked.done("erase")
    with pytest.raises(NotARequest, match="comes after erase"):
        life.begun(asked, "recipients", AT, "ada")
    with pytest.raises(NotARequest, match="cannot be closed yet: erase"):
        life.closed(asked, AT)
    assert ran(asked, "erase", ERASED).done("erase"), "run again, it is"


def test_a_step_that_is_done_is_not_done_again_unless_something_is_to_expire() -> None:
    asked = ran(known(), "find")
    assert life.begun(asked, "find", AT, "eve") == asked
    assert life.came_to(asked, "find", AT, RED) == asked
    waits = ran(through("erasure", until="erase"), "erase", ERASED)
    looks = life.begun(waits, "erase", AT, "eve")
    assert looks.done("erase"), "it counts as done while it is looked at again"
    gone = ERASED.model_copy(update={"verdicts": (Verdict("kafka:people", Outcome.ERASED, "a scan finds nothing"),)})
    settled = life.came_to(looks, "erase", AT, gone)
    assert life.begun(settled, "erase", AT, "eve") == settled
    assert not life.came_to(looks, "erase", AT, RED).done("erase"), "what was found again is not erased"


def test_identity_is_asked_for_given_and_settled() -> None:
    asked = question(made(), "2026-03-06")
    assert asked.state is State.WAITING
    with pytest.raises(NotARequest, match="still awaited"):
        question(asked, "2026-03-07")
    back = life.identity_given(asked, date(2026, 3, 9))
    assert back.state is State.RECEIVED
    assert question(back, "2026-03-09").state is State.WAITING
    settled = life.identified(asked, date(2026, 3, 9), "the number of the last order")
    assert settled.state is State.UNDERWAY
    assert settled.identity.asked[-1].given == date(2026, 3, 9)
    assert life.identified(settled, DAY, "another way") == settled
    with pytest.raises(NotARequest, match="It is known who makes r-2026-001"):
        question(settled, "2026-03-10")
    with pytest.raises(NotARequest, match="Nothing is awaited"):
        life.identity_given(made(), DAY)
    with pytest.raises(NotARequest, match="cannot be given on"):
        life.identity_given(asked, date(2026, 3, 5))
    with pytest.raises(NotARequest, match="that who asks is known goes with how it is"):
        life.identified(made(), DAY, " ")


def test_a_refusal_has_a_ground_and_reasons_and_ends_the_matter() -> None:
    refused = life.refused(made(), DAY, Ground.UNFOUNDED, "about another company")
    assert refused.state is State.REFUSED
    assert refused.answered == DAY
    assert life.closed(refused, AT).state is State.CLOSED
    with pytest.raises(NotARequest, match="reason"):
        life.refused(made(), DAY, Ground.UNFOUNDED, "")
    moves: list[Callable[[], Request]] = [
        lambda: life.begun(refused, "find", AT, "ada"), lambda: life.extended(refused, DAY, "many", "FR"),
        lambda: life.refused(refused, DAY, Ground.EXEMPT, "x"), lambda: question(refused, "2026-03-10")]
    for move in moves:
        with pytest.raises(NotARequest, match="r-2026-001 is refused"):
            move()
    with pytest.raises(NotARequest, match="lies before the receipt"):
        life.refused(made(), date(2026, 3, 4), Ground.UNFOUNDED, "x")


def test_what_was_answered_is_neither_extended_nor_refused() -> None:
    moves: list[Callable[[Request], Request]] = [lambda asked: life.extended(asked, DAY, "many", "FR"),
                                                 lambda asked: life.refused(asked, DAY, Ground.EXEMPT, "x")]
    for move in moves:
        with pytest.raises(NotARequest, match="was answered on 10 March 2026"):
            move(through("access"))


@pytest.mark.parametrize(("kind", "step"), [("erasure", "erase"), ("rectification", "rectify"), ("access", "package"),
                                            ("portability", "package")])
def test_what_was_begun_cannot_be_refused_any_more(kind: str, step: str) -> None:
    before = through(kind, until=step)
    assert life.refused(before, DAY, Ground.EXCESSIVE, "again").state is State.REFUSED
    nobody = Result(done=True, says="nobody", evidence={PEOPLE_FOUND: "0"})
    assert life.refused(ran(before, step, nobody), DAY, Ground.UNIDENTIFIED, "we find nobody").state is State.REFUSED
    for asked in (life.begun(before, step, AT, "ada"), ran(before, step, RED), ran(before, step, DONE)):
        with pytest.raises(NotARequest, match=f"{step} of r-2026-001 was begun at 2026-03-10 09:00 UTC, so a refusal"):
            life.refused(asked, DAY, Ground.EXCESSIVE, "again")


def test_a_restriction_that_broke_off_may_be_in_force() -> None:
    asked = life.begun(through("restriction", until="restrict"), "restrict", AT, "ada")
    assert asked.restricts
    with pytest.raises(NotARequest, match="restricts the person"):
        life.refused(asked, DAY, Ground.EXEMPT, "x")


def test_what_holds_no_more_is_done_anew() -> None:
    asked = through("access")
    assert life.begun(asked, "package", AT, "eve") == asked, "it waits"
    gone = life.begun(asked, "package", AT, "eve", anew=True)
    assert (gone.state, gone.done("package")) == (State.UNDERWAY, False)
    with pytest.raises(NotARequest, match="cannot be closed yet: package"):
        life.closed(gone, AT)
    run = life.came_to(gone, "package", AT, DONE).run_of("package")
    assert run is not None
    assert (run.times, run.by, bool(run.done)) == (2, "eve", True)


def test_a_restriction_lasts_until_the_person_was_told_and_it_is_lifted() -> None:
    asked = through("restriction")
    assert (asked.state, asked.restricts) == (State.DONE, True), "it can be closed, and the restriction lasts"
    with pytest.raises(NotARequest, match="lift of r-2026-001 comes after announce"):
        life.begun(asked, "lift", AT, "ada")
    lifted = ran(ran(asked, "announce", on=DAY), "lift")
    assert not lifted.restricts
    with pytest.raises(NotARequest, match="restricts the person"):
        life.refused(through("objection", until="weigh"), DAY, Ground.EXEMPT, "our grounds are compelling")


def test_notes_are_added_also_when_it_is_closed_and_nothing_else_is() -> None:
    done = life.closed(through("access"), AT)
    assert [note.text for note in life.noted(done, AT, "ada", "the person rang").notes] == ["the person rang"]
    with pytest.raises(NotARequest, match="is closed"):
        life.assigned(done, "eve")
    assert life.assigned(made(), "eve").assigned == "eve"


@pytest.mark.parametrize("wrong", [
    {"ref": "17"}, {"kind": "deletion"}, {"channel": ""}, {"received": "yesterday"}, {"unknown": 1},
    {"closed_at": AT}, {"runs": [{"step": "package", "began": AT, "by": "a"}], "identity": {"confirmed": DAY, "how": "x"}},
    {"identity": {"confirmed": "2026-03-04", "how": "x"}},
    {"identity": {"asked": [{"on": "2026-03-06", "why": "x", "wanted": "y"}] * 2}}])
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotARequest):
        made(**wrong)


def test_a_subject_is_somebody_and_errors_repeat_no_value() -> None:
    assert life.subject({"uuid": "9A723211-0E87-41F1-B1E4-ED1A15226B80"}).uuid == "9a723211-0e87-41f1-b1e4-ed1a15226b80"
    assert life.subject({"email": "ada@example.org", "reply_to": "1 rue des Lilas"}).address == "1 rue des Lilas"
    for fields in ({}, {"uuid": "Ada-Quist"}, {"email": "Ada Quist"}, {"email": "Quist@"}, {"uuid": "", "Quist": "x"}):
        with pytest.raises(NotARequest) as error:
            life.subject(fields)
        assert "Ada" not in str(error.value)


def test_the_newest_day_is_the_last_it_names() -> None:
    assert made().newest_day == date(2026, 3, 5)
    assert question(made(), "2026-03-06").newest_day == date(2026, 3, 6)
    assert ran(known(), "find", on=date(2026, 4, 1)).newest_day == date(2026, 4, 1)


MOVES = st.lists(st.tuples(st.sampled_from(["ask", "given", "identify", "extend", "refuse", "close", *Name]),
                           st.integers(0, 90), st.sampled_from([DONE, RED, ERASED])), max_size=30)


@settings(deadline=None)
@given(st.sampled_from(list(Kind)), MOVES)
def test_whatever_is_tried_it_never_ends_closed_with_something_left(kind: Kind, moves: list[tuple[str, int, Result]]) -> None:
    """Any sequence of moves, refused or not, leaves a request that can be read again and that claims no more than was shown."""
    asked = made(kind)
    for move, days, result in moves:
        on = asked.received + timedelta(days=days)
        try:
            asked = _moved(asked, move, on, result)
        except NotARequest:
            continue
    assert Request.model_validate_json(asked.model_dump_json()) == asked
    for run in asked.runs:
        assert run.done is None or (run.result is not None and run.result.evidence
                                    and not any(one.red for one in run.result.verdicts))
    begun = [step.name for step in asked.steps if asked.run_of(step.name)]
    assert begun == [step.name for step in asked.steps][:len(begun)], "no step is begun before the one it follows"
    if asked.state is State.CLOSED:
        assert asked.answered
        assert asked.refusal or not asked.left


def _moved(asked: Request, move: str, on: date, result: Result) -> Request:
    match move:
        case "ask":
            return question(asked, on)
        case "given":
            return life.identity_given(asked, on)
        case "identify":
            return life.identified(asked, on, "known")
        case "extend":
            return life.extended(asked, on, "many", "FR")
        case "refuse":
            return life.refused(asked, on, Ground.EXCESSIVE, "again")
        case "close":
            return life.closed(asked, AT)
    return ran(asked, move, result, on)
