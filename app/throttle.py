"""How often one may try to sign in: so many times a minute for an account, and for an address. What succeeds is not counted."""

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0
REMEMBERED = 10_000
"""Names and addresses; whoever tries more makes the oldest forgotten, not the memory full."""


class Throttle:
    """Tries of the last minute. Shared by all requests; counted before they are judged, so that many at once are not one."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._tries: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def begin(self, *whom: str) -> float:
        """Counts a try of each; 0. Or seconds until each of them may try again, and nothing is counted."""
        with self._lock:
            if wait := max((self._wait_s(one) for one in whom), default=0.0):
                return wait
            for one in whom:
                self._tries[one] = self._tries.pop(one, deque(maxlen=self._most))    # now the newest
                self._tries[one].append(self._clock())
            while len(self._tries) > REMEMBERED:
                del self._tries[next(iter(self._tries))]
            return 0.0

    def full(self, one: str) -> bool:
        """Whether the next try of it has to wait."""
        with self._lock:
            return self._wait_s(one) > 0

    def not_counted(self, *whom: str) -> None:
        """Takes a try of each back: it succeeded, or could not be judged."""
        with self._lock:
            for one in whom:
                if tries := self._tries.get(one):
                    tries.pop()

    def forgiven(self, account: str) -> None:
        """The tries of an account count no more; those of its address do."""
        with self._lock:
            self._tries.pop(account, None)

    def _wait_s(self, one: str) -> float:
        tried = self._tries.get(one)
        if tried is None or len(tried) < self._most:
            return 0.0
        return max(0.0, tried[0] + WINDOW_S - self._clock())
