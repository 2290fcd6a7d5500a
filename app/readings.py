"""Readings that all pages share: taken again when somebody looks and they are old, in a thread of their own.

So a store that is slow or away holds no page up: the page shows the last reading with its time, and since when it cannot
be taken again. When nobody looks nothing is read.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from engine.errors import RollcallError

T = TypeVar("T")

FIRST_WITHIN_S = 6.0
"""Seconds the first who looks waits for the first reading."""

OLD_S, NEXT_WITHIN_S = 10.0, 0.7
"""Age in seconds of a reading from which who looks waits a moment for the next: nobody had looked for a while."""


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What was read, and when that was begun. error: why it cannot be read now, and `since` when; None when it can."""

    value: T | None = None
    at: datetime | None = None
    error: RollcallError | None = None
    since: datetime | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it was read; without a value infinite."""
        return (datetime.now(UTC) - self.at).total_seconds() if self.at else float("inf")


class Kept(Generic[T]):
    """One reading. `read` raises RollcallErrors; whatever else it raises is ours to mend and goes to the log."""

    def __init__(self, read: Callable[[], T], every_s: float) -> None:
        self._read, self._every_s = read, every_s
        self._last: Reading[T] = Reading()
        self._tried_at = float("-inf")
        self._running: threading.Event | None = None
        self._lock = threading.Lock()

    def now(self, wait_s: float = FIRST_WITHIN_S) -> Reading[T]:
        """The last reading; it is taken again meanwhile if it is old. Waits only where there is none at all."""
        done = self._begun() if time.monotonic() - self._tried_at > self._every_s else self._running
        if done is not None and self._last.value is None and self._last.error is None:
            done.wait(wait_s)
        elif done is not None and self._last.age_s > OLD_S and self._last.error is None:
            done.wait(NEXT_WITHIN_S)
        return self._last

    def again(self, wait_s: float = FIRST_WITHIN_S) -> Reading[T]:
        """A reading begun now: after an act whose effect is to be seen."""
        if (running := self._running) is not None:
            running.wait(wait_s)    # it may have looked before the act
        self._begun().wait(wait_s)
        return self._last

    def _begun(self) -> threading.Event:
        with self._lock:
            if self._running is None:
                self._running = threading.Event()
                threading.Thread(target=self._take, args=(self._running,), name="reading", daemon=True).start()
            return self._running

    def _take(self, done: threading.Event) -> None:
        last, began = self._last, datetime.now(UTC)
        try:
            self._last = Reading(self._read(), began)    # what happened while it was read may or may not be in it
        except RollcallError as error:
            since = last.since if last.error else datetime.now(UTC)
            self._last = Reading(last.value, last.at, error, since)
        finally:
            self._tried_at = time.monotonic()
            with self._lock:
                self._running = None
            done.set()
