"""The log of breaches (Art. 33(5) GDPR): what happened, who was told and when, and what the law still asks for.

The life of a breach:

    KNOWN ──────────┬─► NOTIFIED ───────┬─► CLOSED
    the clock runs  │   the authority,  │   nothing is missing
    from aware_at   │   or every        │
                    │   controller      │
                    └─► NOT_NOTIFIED ───┘
                        "because"

A controller notifies the authority (Art. 33(1)) and may have to tell the people (Art. 34); a processor notifies each
controller (Art. 33(2)), who does the rest. The letters are in governance/breach_notices.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from governance.clocks import HOURS_TO_NOTIFY, Clock, hours_clock, in_utc
from governance.register import Part, Party, Role


def _written(value: object) -> object:
    """A number, and a text of digits, would be taken for seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and ":" in value):
        return value
    raise ValueError(f"{value!r} is no moment; write it as 2026-03-29T09:30+02:00")


Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(in_utc)]
"""A moment with its zone, kept in UTC."""

Line = Annotated[str, Field(min_length=1)]
"""One of several texts; an empty one would count as said."""

_EVER = datetime.max.replace(tzinfo=UTC)
"""A moment after all others."""


class NotABreach(ValueError):
    """What was given cannot be a breach, or not be closed; the message names each field and what is allowed."""


class Kind(StrEnum):
    """What was breached (Art. 4(12); WP250 names them so)."""

    CONFIDENTIALITY = "confidentiality"    # disclosed, or somebody had access
    INTEGRITY = "integrity"                # altered
    AVAILABILITY = "availability"          # lost or destroyed


class Origin(StrEnum):
    """Where it came from, as the forms of authorities ask."""

    UNKNOWN = "not known"
    INTERNAL_ACCIDENT = "internal, by accident"
    INTERNAL_MALICE = "internal, on purpose"
    EXTERNAL_ACCIDENT = "external, by accident"
    EXTERNAL_MALICE = "external, on purpose"


class Risk(StrEnum):
    """How likely it is to result in a risk to people: not (Art. 33(1)), so, or in a high one (Art. 34(1))."""

    UNLIKELY = "unlikely"
    RISK = "risk"
    HIGH = "high"


class Exemption(StrEnum):
    """Why people need not each be told of a high risk (Art. 34(3))."""

    ENCRYPTED = "encrypted"                  # (a): nobody can read what was taken
    MITIGATED = "mitigated"                  # (b): the high risk is no longer likely
    DISPROPORTIONATE = "disproportionate"    # (c): a public communication is made instead


class State(StrEnum):
    """Where a breach is in its life, as drawn above."""

    KNOWN = "known"
    NOTIFIED = "notified"
    NOT_NOTIFIED = "not notified"
    CLOSED = "closed"


class Concerned(Part):
    """Categories and approximate number of people or records (Art. 33(3)(a): "where possible")."""

    categories: tuple[Line, ...] = ()
    number: int | None = Field(None, ge=0)
    unknown_because: str = Field("", description="Why no number can be given, not even an approximate one.")

    @property
    def complete(self) -> bool:
        """Whether it says all that the law asks."""
        return bool(self.categories) and (self.number is not None or bool(self.unknown_because))


class Phase(Part):
    """What was told later than the notification itself (Art. 33(4))."""

    at: Moment
    what: Line


class Controller(Part):
    """A controller on whose behalf we act, and when they were notified (Art. 33(2))."""

    party: Party
    notified_at: Moment | None = None


class People(Part):
    """The decision of Art. 34: whether people are told, and what they were told.

    needed: None until it is decided. text: what happened, in words that anybody understands. advice: what they can do
    themselves (recital 86). informed_at: when each was told or, for DISPROPORTIONATE, when the public communication was made.
    """

    needed: bool | None = None
    exemption: Exemption | None = None
    reason: str = ""
    informed_at: Moment | None = None
    text: str = ""
    advice: tuple[Line, ...] = ()

    @property
    def to_tell(self) -> bool:
        """Whether somebody has to be told, each or in public."""
        return bool(self.needed) or self.exemption is Exemption.DISPROPORTIONATE

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if self.needed is not False and self.exemption:
            raise ValueError(f"people.exemption: {self.exemption} is a reason not to tell people (Art. 34(3)); it goes with "
                             "people.needed false")
        return self


class Breach(Part):
    """One breach. All times are kept in UTC; one that does not say its zone is refused.

    organisation: who we are, as letters say it. occurred_to: None while it lasts or is not known. aware_at: when it was
    reasonably certain that personal data were breached (EDPB Guidelines 9/2022); starts the clock. notified_at: of the first
    letter to the authority; phases: what followed. decided_at: when it was decided that the authority need not be notified.
    activities: refs of register entries. cross_border: countries of others whose people are concerned, as `DE` (Art. 56).
    """

    ref: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,59}$", description="Short name: small letters, digits, dashes.")
    title: Line
    kinds: tuple[Kind, ...] = Field(min_length=1)
    role: Role
    organisation: Party | None = None
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    detected_at: Moment
    aware_at: Moment
    notified_at: Moment | None = None
    authority: str = ""
    phases: tuple[Phase, ...] = ()
    cause: str = ""
    origin: Origin = Origin.UNKNOWN
    activities: tuple[Line, ...] = ()
    nature: str = Field("", description="Art. 33(3)(a)")
    subjects: Concerned = Field(Concerned(), description="Art. 33(3)(a)")
    records: Concerned = Field(Concerned(), description="Art. 33(3)(a)")
    contact: Party | None = Field(None, description="Art. 33(3)(b): the data protection officer or another contact point.")
    consequences: str = Field("", description="Art. 33(3)(c)")
    measures_taken: tuple[Line, ...] = Field((), description="Art. 33(3)(d)")
    measures_proposed: tuple[Line, ...] = Field((), description="Art. 33(3)(d)")
    risk: Risk | None = Field(None, description="Until it is assessed: nothing.")
    not_notified_because: str = ""
    decided_at: Moment | None = None
    late_because: str = ""
    people: People = People()
    controllers: tuple[Controller, ...] = Field((), description="Of a processor: whom it must notify.")
    cross_border: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ()
    closed_at: Moment | None = None
    lessons: str = ""

    @property
    def told_at(self) -> datetime | None:
        """When whoever must be notified was: the authority, or the last controller; None while somebody was not."""
        if self.role is Role.CONTROLLER:
            return self.notified_at
        times = [one.notified_at for one in self.controllers]
        return max((at for at in times if at), default=None) if None not in times else None

    @property
    def spared(self) -> bool:
        """Whether it was decided that the authority need not be notified; a risk makes that decision void (Art. 33(1))."""
        return self.role is Role.CONTROLLER and self.risk is Risk.UNLIKELY and bool(self.not_notified_because)

    @property
    def state(self) -> State:
        """Where it is in its life once every moment it names has come."""
        return self.state_at(_EVER)

    def state_at(self, now: datetime) -> State:
        """Where it is in its life at a moment: what lies after it was not done yet."""
        if _done(self.closed_at, now):
            return State.CLOSED
        if _done(self.told_at, now):
            return State.NOTIFIED
        return State.NOT_NOTIFIED if self.spared and _done(self.decided_at, now) else State.KNOWN

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """What cannot be. Whether a reason for a delay is missing depends on a setting: `closed` asks for it, so that a log
        can still be read after the setting changed."""
        wrong = [*_disorder(self), *_misplaced(self)]
        if self.closed_at and not wrong and (lacking := list(_missing(self, self.closed_at))):
            wrong = [f"closed_at: it cannot be closed yet. {' '.join(lacking)}"]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def breach(fields: object) -> Breach:
    """A breach of its fields as JSON or a form gives them. Raises NotABreach, which names each field that is wrong."""
    try:
        return Breach.model_validate(fields)
    except ValidationError as error:
        wrong = "; ".join(_said(one["loc"], one["msg"], one["type"]) for one in error.errors())
        raise NotABreach(f"This cannot be a breach: {wrong.removesuffix('.')}.") from None


def closed(known: Breach, at: datetime, hours: int = HOURS_TO_NOTIFY) -> Breach:
    """The breach, closed. Raises NotABreach with all that is missing at that moment, a reason for a delay included."""
    if known.closed_at:
        raise NotABreach(f"{known.ref} was closed at {known.closed_at.isoformat()} already.")
    lacking = missing(known, at, hours)
    if lacking:
        raise NotABreach(f"{known.ref} cannot be closed yet: {' '.join(lacking)}")
    return breach({**dict(known), "closed_at": at})


def clock(known: Breach, hours: int = HOURS_TO_NOTIFY, now: datetime | None = None) -> Clock:
    """The clock of Art. 33(1): from aware_at, until the authority was notified or it was decided that it need not be.

    now: a moment after which nothing was done yet, so that a notification or a decision of the future stops no clock.

    A processor's runs until every controller was notified. The law gives it no number of hours, only "without undue delay"
    (Art. 33(2)): the same hours are its outermost bound here. Raises ValueError for fewer than one hour.
    """
    stops = [at for at in (known.told_at, known.decided_at if known.spared else None) if at and _done(at, now or _EVER)]
    return Clock(hours_clock(known.aware_at, hours), min(stops, default=None))


def missing(known: Breach, now: datetime, hours: int = HOURS_TO_NOTIFY) -> list[str]:
    """What is missing at a moment before it can be closed: sentences, each beginning with its article (`Art. 33(3)(c): …`).

    Only what Art. 33(3) asks may be missing when the authority is notified: it can follow in phases (Art. 33(4)). What lies
    after `now` was not done yet. now: with a zone, else ValueError.
    """
    lacking = list(_missing(known, now))
    if (known.role is Role.CONTROLLER and known.risk is not Risk.UNLIKELY and not known.late_because
            and clock(known, hours, now).late(now)):
        lacking.append(f"Art. 33(1): the reasons for the delay are missing, for {hours} hours are over.")
    return lacking


def undescribed(known: Breach) -> Iterator[tuple[str, str]]:
    """What of Art. 33(3) is not said yet: the letter of the law and a clause (`the nature of the breach is not described`)."""
    if not known.nature:
        yield "a", "the nature of the breach is not described"
    if not known.subjects.complete:
        yield "a", "the categories and approximate number of people are missing, or why no number can be given"
    if not known.records.complete:
        yield "a", "the categories and approximate number of records are missing, or why no number can be given"
    contact = known.contact
    if not contact or not contact.name or not (contact.email or contact.phone or contact.address):
        yield "b", "the name and contact details of the data protection officer or another contact point are missing"
    if not known.consequences:
        yield "c", "the likely consequences are not described"
    if not known.measures_taken and not known.measures_proposed:
        yield "d", "the measures taken or proposed are not described"


def _missing(known: Breach, now: datetime) -> Iterator[str]:
    """All but the reasons for a delay."""
    processor = known.role is Role.PROCESSOR
    silent = not processor and known.risk is Risk.UNLIKELY and not known.notified_at
    for letter, clause in undescribed(known):
        if processor:
            yield f"Art. 28(3)(f): the controllers need to know more: {clause}."
        elif not silent:
            yield f"Art. 33(3)({letter}): {clause}."
        elif letter != "b":    # nobody is written to, so nobody needs to know whom to ask
            yield f"Art. 33(5): a breach is documented even if nobody is notified: {clause}."
    if not known.cause:
        yield "Art. 33(5): what caused it is not documented."
    yield from _controllers_missing(known, now) if processor else _authority_missing(known, now, silent)
    if not processor:
        yield from _people_missing(known, now)


def _controllers_missing(known: Breach, now: datetime) -> Iterator[str]:
    if not known.controllers:
        yield "Art. 33(2): which controllers must be notified is missing."
    for one in known.controllers:
        if not _done(one.notified_at, now):
            yield f"Art. 33(2): {one.party.name} was not notified."


def _authority_missing(known: Breach, now: datetime, silent: bool) -> Iterator[str]:
    if known.risk is None:
        yield "Art. 33(1): whether a risk to people is likely is not assessed."
    if silent:
        if not known.not_notified_because:
            yield "Art. 33(5): why a risk is unlikely, so that the authority is not notified, is not documented."
        if not _done(known.decided_at, now):
            yield "Art. 33(5): when it was decided not to notify the authority is not documented."
        return
    if not known.authority:
        yield "Art. 33(1): which authority is competent is missing."
    if not _done(known.notified_at, now):
        void = ", and a reason not to is none where there is a risk" if known.not_notified_because and known.risk else ""
        yield f"Art. 33(1): the authority was not notified{void}."


def _people_missing(known: Breach, now: datetime) -> Iterator[str]:
    people = known.people
    if known.risk is Risk.HIGH and people.needed is None:
        yield "Art. 34(1): the risk is high, and whether people are told is not decided."
    if known.risk is Risk.HIGH and people.needed is False and not people.exemption:
        yield "Art. 34(3): the risk is high, and people are not told: encrypted, mitigated or disproportionate is missing."
    if people.exemption and not people.reason:
        yield f"Art. 34(3): why it is {people.exemption} is not documented."
    if people.to_tell and not people.text:
        yield "Art. 34(2): what people are told, in clear and plain language, is missing."
    if people.to_tell and not _done(people.informed_at, now):
        yield ("Art. 34(1): the people were not told." if people.needed else
               "Art. 34(3)(c): the public communication, which stands for telling each, was not made.")


def _disorder(known: Breach) -> Iterator[str]:
    """Times that cannot follow each other."""
    aware = ("aware_at", known.aware_at)
    notified = ("notified_at", known.notified_at)
    pairs = [(("occurred_from", known.occurred_from), ("occurred_to", known.occurred_to)),
             (("occurred_from", known.occurred_from), ("detected_at", known.detected_at)),
             (("detected_at", known.detected_at), aware), (aware, notified), (aware, ("decided_at", known.decided_at)),
             (aware, ("closed_at", known.closed_at)),
             (("detected_at", known.detected_at), ("people.informed_at", known.people.informed_at)),
             *pairwise([notified, *((f"phases.{n}.at", one.at) for n, one in enumerate(known.phases)),
                        ("closed_at", known.closed_at)]),
             *((aware, (f"controllers.{n}.notified_at", one.notified_at)) for n, one in enumerate(known.controllers))]
    for (first, begin), (then, end) in pairs:
        if begin and end and end < begin:
            yield f"{then}: {end.isoformat()} lies before {first}, {begin.isoformat()}"


def _misplaced(known: Breach) -> Iterator[str]:
    """Fields that do not belong to such a breach."""
    if known.phases and not known.notified_at:
        yield "phases: what is told in phases follows a notification (Art. 33(4)); notified_at is missing"
    if known.role is Role.PROCESSOR and known.notified_at:
        yield "notified_at: a processor notifies its controllers (Art. 33(2)), each of them in controllers"
    if known.role is Role.CONTROLLER and known.controllers:
        yield "controllers: only a processor has controllers to notify (Art. 33(2)); the role is controller"


def _done(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= in_utc(now)


def _said(where: tuple[int | str, ...], what: str, kind: str) -> str:
    """One error. Our own name their fields themselves, but for times, which do not know how they are called."""
    what = what.removeprefix("Value error, ") if kind == "value_error" else what[:1].lower() + what[1:]
    name = ".".join(map(str, where))
    return what if kind == "value_error" and name in ("", "people") else f"{name or 'the whole'}: {what}"
