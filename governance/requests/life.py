"""What can be done with a request, and when: each takes it as it is and gives it as it will be, or says why not.

Nothing here reads the time, and nothing is done: the steps' acts are engine/compliance/request_acts.py.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from governance.letter_page import day_of
from governance.requests.deadlines import told_in_time
from governance.requests.request import Asked, Extension, Ground, NotARequest, Refusal, Request, Run, State, request, said
from governance.requests.result import Result
from governance.requests.step import Name, Step, step_of
from governance.requests.subject import Subject

_OVER = (State.REFUSED, State.CLOSED)

ACTED = (Name.ERASE, Name.RECTIFY, Name.PACKAGE)
"""Steps after which it cannot be said that nothing is done."""


def subject(fields: Mapping[str, Any]) -> Subject:
    """A subject of its fields. Raises NotARequest, which repeats no value."""
    try:
        return Subject.model_validate(fields)
    except ValidationError as error:
        raise NotARequest(f"This is no subject of a request: {said(error)}.") from None


def identity_wanted(asked: Request, on: date, why: str, wanted: str) -> Request:
    """We ask for what shows who asks (Art. 12(6)): the clock stands until it is given."""
    _open(asked)
    if asked.identity.confirmed:
        raise NotARequest(f"It is known who makes {asked.ref} since {day_of(asked.identity.confirmed)}: {asked.identity.how}.")
    if asked.state is State.WAITING:
        raise NotARequest(f"What was asked for on {day_of(asked.identity.asked[-1].on)} is still awaited.")
    question = Asked.model_construct(on=on, why=why, wanted=wanted)
    return _with(asked, identity={**dict(asked.identity), "asked": [*asked.identity.asked, dict(question)]})


def identity_given(asked: Request, on: date) -> Request:
    """What was asked for came: the clock runs on, whether or not it settles who asks."""
    _open(asked)
    if asked.state is not State.WAITING:
        raise NotARequest(f"Nothing is awaited for {asked.ref}.")
    *earlier, last = asked.identity.asked
    return _with(asked, identity={**dict(asked.identity), "asked": [*earlier, {**dict(last), "given": on}]})


def identified(asked: Request, on: date, how: str) -> Request:
    """It is known who asks: the steps can begin. What was awaited counts as given."""
    _open(asked)
    if asked.identity.confirmed:
        return asked
    if asked.state is State.WAITING:
        asked = identity_given(asked, on)
    return _with(asked, identity={**dict(asked.identity), "confirmed": on, "how": how})


def extended(asked: Request, told: date, reason: str, country: str) -> Request:
    """Two further months, of which the person was told with the reasons, within the first (Art. 12(3))."""
    _open(asked)
    if asked.answered:
        raise NotARequest(f"{asked.ref} was answered on {day_of(asked.answered)}.")
    if asked.extension:
        raise NotARequest(f"{asked.ref} is extended already; Art. 12(3) GDPR allows it once.")
    if last := told_in_time(asked, told, country):
        raise NotARequest(f"An extension of {asked.ref} had to be told by {day_of(last)}: within one month of the receipt, "
                          "with the reasons (Art. 12(3) GDPR). It was not, so the first month stands.")
    return _with(asked, extension=dict(Extension.model_construct(told=told, reason=reason)))


def refused(asked: Request, told: date, ground: Ground, reason: str) -> Request:
    """Nothing is done, and the person was told why (Art. 12(4)). We have to be able to show the ground (Art. 12(5), 12(2)).

    What was begun may have been done, in part at least, so it is brought to its end; but not what the product refused.
    """
    _open(asked)
    if asked.answered:
        raise NotARequest(f"{asked.ref} was answered on {day_of(asked.answered)}.")
    if asked.restricts:
        raise NotARequest(f"{asked.ref} restricts the person, so something was done. Do its steps to the end: in the answer "
                          "the person is told what was decided, then it is announced and lifted.")
    if acted := [run for run in asked.runs if run.step in ACTED and not (
            run.result and (run.result.nobody or run.result.refused))]:
        raise NotARequest(f"{acted[0].step} of {asked.ref} was begun at {acted[0].began:%Y-%m-%d %H:%M} UTC, so a refusal, "
                          "which says that nothing is done, would be false. Do its steps to the end: in the answer the person "
                          "is told what was done, and what was not.")
    return _with(asked, refusal=dict(Refusal.model_construct(told=told, ground=ground, reason=reason)))


def known_as(asked: Request, person: str) -> Request:
    """It is known which person it is about. person: their token, in place of that of an address."""
    _not_closed(asked)
    return _with(asked, person=person)


def assigned(asked: Request, to: str) -> Request:
    """Who works on it; nobody for an empty name."""
    _not_closed(asked)
    return _with(asked, assigned=to)


def noted(asked: Request, at: datetime, by: str, text: str) -> Request:
    """With a note; also when it is closed, for what comes later is part of its history."""
    return _with(asked, notes=[*map(dict, asked.notes), {"at": at, "by": by, "text": text}])


def begun(asked: Request, name: str, at: datetime, by: str, anew: bool = False) -> Request:
    """A step is begun, or begun again after it was broken off. One that is done is left as it is, unless something is still to
    expire: then it is looked at again, and counts as done meanwhile. anew: what it came to holds no more (a package that is
    gone, a person who was not found): then it is not done until it is done again."""
    step = allowed(asked, name)
    run = asked.run_of(step.name)
    if run is None:
        return _with(asked, runs=[*asked.runs, Run(step=step.name, began=at, by=by)])
    if settled(run) and not anew:
        return asked
    holds = run.done is not None and not anew
    return _ran(asked, {**dict(run), "began": at, "by": by, "times": run.times + 1, "result": run.result if holds else None,
                        "done": run.done if holds else None})


def settled(run: Run) -> bool:
    """Whether there is nothing left to do or to see in a step."""
    return bool(run.done and run.result and not run.result.waits)


def came_to(asked: Request, name: str, at: datetime, result: Result, on: date | None = None) -> Request:
    """What a step that was begun came to; it is done if the result says so. on: the day of which it is evidence."""
    run = asked.run_of(name)
    if run is None:
        raise NotARequest(f"{name} of {asked.ref} was not begun.")
    if settled(run):
        return asked
    return _ran(asked, {**dict(run), "result": result, "done": at if result.done else None, "on": on})


def allowed(asked: Request, name: str) -> Step:
    """The step, if it can be begun now. Raises NotARequest, which says what stands before it."""
    if (step := step_of(asked.kind, name)) is None:
        raise NotARequest(f"{asked.kind} has no step {name!r}; it has {', '.join(one.name for one in asked.steps)}.")
    _open(asked)
    if asked.done(name):
        return step
    if not asked.identity.confirmed:
        raise NotARequest(f"Nothing of {asked.ref} is done before it is known who asks (Art. 12(6) GDPR).")
    before = asked.steps[:asked.steps.index(step)]
    if missing := [one.name for one in before if not asked.done(one.name)]:
        raise NotARequest(f"{name} of {asked.ref} comes after {', '.join(missing)}.")
    return step


def closed(asked: Request, at: datetime) -> Request:
    """Closed, when the person was told and everything is done; one that is closed is left as it is."""
    if asked.closed_at:
        return asked
    if asked.left or not asked.answered:
        lacking = [f"{step.name} ({step.law})" for step in asked.left]
        raise NotARequest(f"{asked.ref} cannot be closed yet: {', '.join(lacking)} is not done.")
    return _with(asked, closed_at=at)


def _ran(asked: Request, run: Mapping[str, Any]) -> Request:
    return _with(asked, runs=[run if one.step == run["step"] else one for one in asked.runs])


def _with(asked: Request, **fields: Any) -> Request:
    return request({**dict(asked), **fields})


def _open(asked: Request) -> None:
    if asked.state in _OVER:
        raise NotARequest(f"{asked.ref} is {asked.state}.")


def _not_closed(asked: Request) -> None:
    if asked.state is State.CLOSED:
        raise NotARequest(f"{asked.ref} is closed.")
