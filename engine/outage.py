"""An outage as a program lives through it: said and recorded with each try, growing pauses, over with the first success.

    outage = Outage(stop, say)
    rows = outage.through(read_rows)     # returns when it succeeded; StopRequested when asked to stop meanwhile
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from engine.errors import RollcallError, SignInRefused, StoreAway
from engine.stopping import StopRequested

FIRST_S, MOST_S = 1.0, 15.0
REFUSED_FOR_S = 10.0
"""A server that has just started may refuse for a moment (Kafka reads its users after it listens): a refusal is believed
when it was repeated for so long."""

T = TypeVar("T")


class Outage:
    """The wait of one program for one store at a time.

    known: what an error means, as another of ours; None where it knows nothing better. record: keeps `{for, since, why}` where
    `rollcall status` finds it; `for` is empty when nothing is waited for. again: called before each further try.
    """

    def __init__(self, stop: threading.Event, say: Callable[[str], None],
                 known: Callable[[BaseException], RollcallError | None] = lambda _: None) -> None:
        self.stop, self.say, self.known = stop, say, known
        self.record: Callable[[dict[str, Any]], None] = lambda _: None
        self.again: Callable[[], None] = lambda: None
        self.again_at = 0.0
        self.store, self.since = "", datetime.now(UTC)
        self.tries, self._refused_at = 0, 0.0

    def through(self, attempt: Callable[[], T]) -> T:
        """What the attempt returns, once it does. Raises StopRequested, and what is no outage as it is."""
        while True:
            try:
                result = attempt()
            except Exception as error:    # what is no outage is raised again by `met`
                self.wait(error)
            else:
                self.over()
                return result

    def wait(self, error: Exception) -> None:
        """Says what is waited for and pauses; raises what is no outage, StopRequested as soon as asked to stop."""
        pause = self.met(error)
        if self.stop.wait(pause):
            raise StopRequested from None

    def met(self, error: Exception) -> float:
        """Says and records what is waited for; returns for how many seconds. Raises what is no outage."""
        ours = self.known(error) or (error if isinstance(error, RollcallError) else None)
        if not isinstance(ours, StoreAway | SignInRefused):
            raise error if ours is None else ours from None
        now = time.monotonic()
        if ours.store != self.store:
            self.store, self.since, self.tries, self._refused_at = ours.store, datetime.now(UTC), 0, 0.0
        if isinstance(ours, SignInRefused):
            self._refused_at = self._refused_at or now
            if now - self._refused_at >= REFUSED_FOR_S:
                raise ours from None
        else:
            self._refused_at = 0.0
        pause: float = min(FIRST_S * 2.0 ** min(self.tries, 9), MOST_S)
        self.tries += 1
        self.again_at = now + pause
        self.say(f"waiting for {self.store} since {self.since:%H:%M:%S} UTC: {ours}")
        self.record({"for": self.store, "since": self.since, "why": str(ours)})
        self.again()
        return pause

    def over(self) -> None:
        """Something succeeded: if anything was waited for, says once that it goes on."""
        if not self.store:
            return
        self.say(f"going on: {self.store} answers again after {(datetime.now(UTC) - self.since).total_seconds():.0f} s")
        self.store, self.tries, self._refused_at, self.again_at = "", 0, 0.0, 0.0
        self.record({"for": "", "since": datetime.now(UTC), "why": ""})
