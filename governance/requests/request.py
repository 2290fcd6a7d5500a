"""A request of a person as it is kept: what is asked, when it came, what was done. It names nobody: that is the subject.

The life of a request:

    RECEIVED ◄──────► WAITING              the clock of Art. 12(3) runs from the receipt; it stands while we wait for what
       │              for what shows       shows who asks (Art. 12(6))
       │              who asks
       │ who asks is known
       ▼
    UNDERWAY ── step after step ──► DONE ──► CLOSED
       │        (governance/requests/step.py)          ▲   the subject is forgotten; a restriction may last
       └──────────────────────────► REFUSED ───────────┘   with reasons (Art. 12(4), 12(5))

RECEIVED and WAITING can be refused too. An extension (Art. 12(3)) changes the clock, not the state. Each change is a version,
which is added and never altered, so the history is whole. What can be done in which state is governance/requests/life.py; until
when, governance/requests/deadlines.py.

A step is begun, then done: both are versions. One that was begun and is not done was broken off, or found something that is
not so yet, and is run again; its act must end the same however often it is run. It is done only with evidence.
"""

import re
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Self

from pydantic import Field, ValidationError, model_validator

from governance.breaches import Line, Moment
from governance.register import Part
from governance.requests.kind import Kind
from governance.requests.result import Result
from governance.requests.step import STEPS, Name, Step, step_of

REF = re.compile(r"r-\d{4}-\d{3,}")
"""What a request is called: `r-2026-017`."""


class NotARequest(ValueError):
    """What was given cannot be a request, or not be done with it; the message says what is wrong and what is allowed."""


class State(StrEnum):
    """Where a request is in its life, as drawn above."""

    RECEIVED = "received"
    WAITING = "waiting for identity"
    UNDERWAY = "under way"
    DONE = "done"
    REFUSED = "refused"
    CLOSED = "closed"


class Asked(Part):
    """What was asked for to know who asks (Art. 12(6)): why there is a doubt, what would remove it, and when it was given."""

    on: date
    why: Line
    wanted: Line
    given: date | None = None


class Identity(Part):
    """Who asks. confirmed: the day on which that was settled; how: by what."""

    confirmed: date | None = None
    how: str = ""
    asked: tuple[Asked, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self.asked) and self.asked[-1].given is None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if bool(self.confirmed) != bool(self.how):
            raise ValueError("identity: that who asks is known goes with how it is, and the other way round")
        for one in self.asked:
            if one.given and one.given < one.on:
                raise ValueError(f"identity: what was asked for on {one.on} cannot be given on {one.given}")
        for earlier, later in pairwise(self.asked):
            if earlier.given is None or later.on < earlier.given:
                raise ValueError("identity: a second question follows the answer to the first")
        if self.confirmed and self.waits:
            raise ValueError("identity: it is known who asks, so nothing is awaited")
        return self


class Extension(Part):
    """By two further months (Art. 12(3)): the day on which the person was told, and the reasons they were told."""

    told: date
    reason: Line


class Ground(StrEnum):
    """What a refusal rests on."""

    UNFOUNDED = "manifestly unfounded"            # Art. 12(5)
    EXCESSIVE = "excessive"                       # Art. 12(5), above all by repetition
    UNIDENTIFIED = "not able to identify"         # Art. 12(2), 11(2)
    EXEMPT = "the right does not apply"           # the article's own exceptions, as Art. 17(3) or 21(1)

    @property
    def law(self) -> str:
        """The article."""
        return {Ground.UNFOUNDED: "Art. 12(5) GDPR", Ground.EXCESSIVE: "Art. 12(5) GDPR",
                Ground.UNIDENTIFIED: "Art. 12(2) and 11(2) GDPR", Ground.EXEMPT: "the exceptions of the right itself"}[self]


class Refusal(Part):
    """Why nothing is done, and the day on which the person was told (Art. 12(4))."""

    told: date
    ground: Ground
    reason: Line


class Note(Part):
    """What somebody wrote down."""

    at: Moment
    by: Line
    text: Line


class Run(Part):
    """The runs of one step: when the last began and by whom, how often it was begun, what the last one came to, and when it was
    done. on: the day of which it is evidence, where that is a day of the person (they were told)."""

    step: Name
    began: Moment
    by: Line
    times: int = Field(1, ge=1)
    result: Result | None = None
    done: Moment | None = None
    on: date | None = None

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if bool(self.done) != bool(self.result and self.result.done):
            raise ValueError(f"runs: {self.step} is done when its result says so and not before")
        return self


class Request(Part):
    """One request. ref: `r-2026-017`. received: the day, at the place that answers. channel: how it came (`letter`, `e-mail`).
    person: a token of the subject, by which one sees that two requests are about the same: of the uuid, or of the e-mail
    address as long as that is all that is known. assigned: an account."""

    ref: str = Field(pattern=f"^{REF.pattern}$")
    kind: Kind
    received: date
    channel: Line
    person: Line
    assigned: str = ""
    identity: Identity = Identity()
    extension: Extension | None = None
    refusal: Refusal | None = None
    runs: tuple[Run, ...] = ()
    notes: tuple[Note, ...] = ()
    closed_at: Moment | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of its kind."""
        return STEPS[self.kind]

    def run_of(self, name: str) -> Run | None:
        """The runs of a step; None where it was never begun."""
        return next((run for run in self.runs if run.step == name), None)

    def done(self, name: str) -> bool:
        """Whether a step is done."""
        run = self.run_of(name)
        return run is not None and run.done is not None

    @property
    def left(self) -> tuple[Step, ...]:
        """Steps that must be done before it can be closed, in their order."""
        return () if self.refusal else tuple(step for step in self.steps if not step.optional and not self.done(step.name))

    @property
    def answered(self) -> date | None:
        """The day on which the person was told what was done, or why nothing is: it stops the clock."""
        if self.refusal:
            return self.refusal.told
        run = self.run_of(Name.ANSWER)
        return run.on if run and run.done else None

    @property
    def state(self) -> State:
        """Where it is in its life."""
        if self.closed_at:
            return State.CLOSED
        if self.refusal:
            return State.REFUSED
        if self.identity.waits:
            return State.WAITING
        if not self.identity.confirmed:
            return State.RECEIVED
        return State.UNDERWAY if self.left else State.DONE

    @property
    def newest_day(self) -> date:
        """The last day that it names: none of them may lie in the future."""
        days = (self.received, self.identity.confirmed, self.extension and self.extension.told,
                self.refusal and self.refusal.told, *(run.on for run in self.runs),
                *(day for one in self.identity.asked for day in (one.on, one.given)))
        return max(day for day in days if day)

    @property
    def restricts(self) -> bool:
        """Whether a restriction that it made is in force, or may be: one that was broken off may have been carried out."""
        return self.run_of(Name.RESTRICT) is not None and not self.done(Name.LIFT)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        wrong = [f"{what}: {day} lies before the receipt, {self.received}" for what, day in (
            ("identity", self.identity.confirmed), *(("identity", one.on) for one in self.identity.asked),
            ("extension", self.extension and self.extension.told), ("refusal", self.refusal and self.refusal.told),
            *((f"runs.{run.step}", run.on) for run in self.runs)) if day and day < self.received]
        wrong += [f"runs: {self.kind} has no step {run.step!r}" for run in self.runs if not step_of(self.kind, run.step)]
        if len({run.step for run in self.runs}) < len(self.runs):
            wrong.append("runs: a step stands there twice")
        if self.runs and not self.identity.confirmed:
            wrong.append("runs: nothing is done before it is known who asks (Art. 12(6))")
        if self.closed_at and self.left:
            wrong.append(f"closed_at: {', '.join(step.name for step in self.left)} is not done")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def request(fields: object) -> Request:
    """A request of its fields. Raises NotARequest, which names each field that is wrong, and no value that was given."""
    try:
        return Request.model_validate(fields)
    except ValidationError as error:
        raise NotARequest(f"This cannot be a request: {said(error)}.") from None


def said(error: ValidationError) -> str:
    """What is wrong, field by field. Values are left out: they may be of a person."""
    return "; ".join(_said(".".join(map(str, one["loc"])), one["msg"], one["type"]) for one in error.errors()).removesuffix(".")


def _said(where: str, what: str, kind: str) -> str:
    what = what.removeprefix("Value error, ") if kind == "value_error" else what[:1].lower() + what[1:]
    return what if kind == "value_error" and not where else f"{where or 'the whole'}: {what}"
