"""What a shorter time limit would make due, said before the entry that states it is published: it is not undone."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from engine.compliance.register import Register
from engine.compliance.retention import PEOPLE, RUNS, count_until
from engine.settings import Settings
from governance.register import Enforcement, Entry, Retention
from governance.retention import cut_off, expired


def made_due(settings: Settings, register: Register, ref: str, now: datetime) -> list[str]:
    """A sentence for each place whose limit would be shorter if the newest version of an entry were published. Raises
    StoreAway, SignInRefused, RegisterRefused."""
    wanted = register.get(ref).newest.entry
    before = [version.entry for version in register.in_force()]
    return list(comes_due(settings, before, [*(one for one in before if one.ref != ref), wanted], now))


def comes_due(settings: Settings, before: Sequence[Entry], after: Sequence[Entry], now: datetime) -> Iterator[str]:
    """The same of the entries in force and of those that would be. Raises StoreAway, SignInRefused."""
    for place in RUNS:
        by = Enforcement.EXPIRE if place == PEOPLE else Enforcement.TOPIC
        old, new = _until(expired(before, place, by), now), _until(limit := expired(after, place, by), now)
        if new is None or limit is None or (old is not None and new <= old):
            continue
        if place == PEOPLE:
            more = count_until(settings, new) - (count_until(settings, old) if old else 0)
            yield f"{place}: {limit.said} makes {more} rows due that are not due now"
        else:
            yield f"{place}: {limit.said} makes every record due that came until {new:%Y-%m-%d %H:%M} UTC"


def _until(limit: Retention | None, now: datetime) -> datetime | None:
    return cut_off(now, limit.period) if limit is not None and limit.period is not None else None
