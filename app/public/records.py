"""What the view found in the store at one moment, and what state its page is in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from governance.disclosure.snapshot import Snapshot


class State(Enum):
    """How much the figures can be trusted at a moment."""

    CURRENT = "current"
    STALE = "stale"
    EMPTY = "empty"
    KEPT = "kept"
    BROKEN = "broken"


@dataclass(frozen=True)
class Reading:
    """One look into the store. snapshot: the newest that is not withdrawn, None where there is none; withdrawn: the number
    of a later one that was withdrawn, 0 for none; away: whether the store did not answer as it should, the snapshot being
    the one of before."""

    snapshot: Snapshot | None = None
    withdrawn: int = 0
    away: bool = False


def state(reading: Reading, now: datetime, stale_s: float) -> State:
    """Current; stale (the next release was due `stale_s` seconds ago or more); empty (nothing is published); kept (the store is
    away, the last snapshot stays); broken (the store is away, and nothing is known)."""
    if reading.snapshot is None:
        return State.BROKEN if reading.away else State.EMPTY
    if reading.away:
        return State.KEPT
    return State.STALE if now >= reading.snapshot.next_at + timedelta(seconds=stale_s) else State.CURRENT
