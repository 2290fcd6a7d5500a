"""Is anything kept longer than the register states? What is stated of each place against what was measured there.

Art. 5(1)(e) and 30(1)(f) GDPR. engine/compliance/retention.py measures, and makes an end to what is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from governance.clocks import retention_end
from governance.register import Enforcement, Entry, Period, Retention

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Keeping(StrEnum):
    """How a time limit is kept."""

    KEPT = "kept"                  # nothing older than it may be
    DUE = "due"                    # something is to go; `rollcall retention run` makes an end to it
    OVERDUE = "overdue"            # what a server should have ended by itself still stands
    BOUND = "bound"                # goes with what it was made of: no clock of its own
    BY_HAND = "by hand"            # no number is stated, or somebody has to do it
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Measured:
    """What stands in one place. oldest: of when (UTC), None where it is empty; due: how many are over the shortest limit that
    commands enforce (`expired`), where they are counted one by one; slack: how much longer a server may take than it is told
    to, by its nature."""

    oldest: datetime | None
    due: int = 0
    slack: timedelta = timedelta()


@dataclass(frozen=True)
class Line:
    """One time limit of the register and how it is kept. refs: entries that state it; labels: of which data."""

    place: str
    limit: Retention
    refs: tuple[str, ...]
    labels: tuple[str, ...]
    keeping: Keeping
    oldest: datetime | None = None
    due: int = 0


def lines(entries: Sequence[Entry], measured: Mapping[str, Measured], now: datetime) -> list[Line]:
    """Every time limit that is stated, by place. measured: place (`cassandra:profiles`) -> what stands there."""
    stated: dict[tuple[str, Retention], tuple[set[str], list[str]]] = {}
    for one in entries:
        for item in one.items:
            for limit in item.retention:
                refs, labels = stated.setdefault((limit.place, limit), (set(), []))
                refs.add(one.ref)
                labels.append(item.label_en)
    return sorted((_line(limit, tuple(sorted(refs)), tuple(labels), measured.get(place), now, expired(entries, place))
                   for (place, limit), (refs, labels) in stated.items()), key=lambda line: (line.place, line.limit.said))


def _line(limit: Retention, refs: tuple[str, ...], labels: tuple[str, ...], found: Measured | None, now: datetime,
          counted: Retention | None) -> Line:
    due = found.due if found and limit == counted else 0
    return Line(limit.place, limit, refs, labels, _keeping(limit, found, now), found.oldest if found else None, due)


def _keeping(limit: Retention, found: Measured | None, now: datetime) -> Keeping:
    if limit.enforced_by is Enforcement.BOUND:
        return Keeping.BOUND
    if limit.period is None:
        return Keeping.BY_HAND
    if found is None:
        return Keeping.NOT_MEASURED
    if found.oldest is None or retention_end(found.oldest, limit.period) + found.slack > now:
        return Keeping.KEPT
    return Keeping.DUE if limit.enforced_by in (Enforcement.EXPIRE, Enforcement.HAND) else Keeping.OVERDUE


def cut_off(now: datetime, period: Period) -> datetime:
    """A start (whole milliseconds, UTC) whose time is over at `now`, and is not a moment later: what began then or before goes.

    Around the end of a month, where retention_end is not monotone, something may go some hours before its own end.
    """
    def over(ms: int) -> bool:
        return retention_end(_EPOCH + timedelta(milliseconds=ms), period) <= now

    late = (now - _EPOCH) // timedelta(milliseconds=1) + 1
    span = 1
    while not over(late - span):    # back until it is over, then halving in between
        span *= 2
    early = late - span
    while late - early > 1:
        middle = (late + early) // 2
        late, early = (late, middle) if over(middle) else (middle, early)
    return _EPOCH + timedelta(milliseconds=early)


def expired(entries: Sequence[Entry], place: str, by: Enforcement = Enforcement.EXPIRE) -> Retention | None:
    """The shortest limit of this place that is enforced so (by commands of ours, if not said otherwise), or None."""
    limits = [limit for one in entries for item in one.items for limit in item.retention
              if limit.place == place and limit.enforced_by is by and limit.period is not None]
    return min(limits, key=_length, default=None)


def _length(limit: Retention) -> timedelta:
    assert limit.period is not None    # noqa: S101 - `expired` leaves the others out
    return retention_end(_EPOCH, limit.period) - _EPOCH
