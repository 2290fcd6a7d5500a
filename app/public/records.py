"""One reading of the aggregates as small frozen records: what the figures and the words of the view are made from."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class State(Enum):
    """How much the figures can be trusted at a moment."""

    LIVE = "live"
    OLD = "old"
    EMPTY = "empty"
    BROKEN = "broken"


@dataclass(frozen=True)
class Nationality:
    """The people of one nationality; `average_age` in years, None when no birth month is known."""

    code: str
    users: int
    average_age: float | None


@dataclass(frozen=True)
class Domain:
    """The people whose e-mail address ends in one domain."""

    name: str
    users: int


@dataclass(frozen=True)
class Figures:
    """One reading. `at`: when the stream's last turn was closed; nationalities and domains come largest first.

    `synthetic`: whether the people were made here (None: nobody has said). `settled`: whether all documents are of
    the same turn (see the module).
    """

    read_at: datetime
    at: datetime | None
    turn: int | None
    nationalities: tuple[Nationality, ...]
    domains: tuple[Domain, ...]
    average_age: float | None
    synthetic: bool | None
    settled: bool

    @property
    def people(self) -> int:
        """How many people are counted."""
        return sum(nationality.users for nationality in self.nationalities)

    @property
    def by_age(self) -> tuple[Nationality, ...]:
        """The nationalities whose average age is known, oldest first."""
        known = (one for one in self.nationalities if one.average_age is not None)
        return tuple(sorted(known, key=lambda one: (-(one.average_age or 0.0), one.code)))

    @property
    def version(self) -> str:
        """Changes whenever what is drawn may change: the records themselves and the day that ages are of.

        Rests on the values, not on the turn, so that a document changed behind the stream's back is shown too.
        """
        drawn = (self.nationalities, self.domains, self.read_at.date(), self.synthetic)
        return hashlib.sha256(repr(drawn).encode()).hexdigest()


@dataclass(frozen=True)
class Unreadable:
    """No reading: why, in a sentence for people."""

    read_at: datetime
    reason: str


Reading = Figures | Unreadable


def state(reading: Reading, now: datetime, stale_s: float) -> State:
    """Live, old (the last turn closed `stale_s` seconds ago or more), empty (nobody counted) or broken."""
    if isinstance(reading, Unreadable):
        return State.BROKEN
    if not reading.people:
        return State.EMPTY
    if reading.at is None or (now - reading.at).total_seconds() >= stale_s:
        return State.OLD
    return State.LIVE
