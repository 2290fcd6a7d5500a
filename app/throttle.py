"""How often one may try to sign in: so many failures a minute for an account, and for an address."""

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0
REMEMBERED = 10_000
"""Names and addresses; whoever tries more makes the oldest forgotten, not the memory full."""


class Throttle:
    """Failures of the last minute. Shared by all requests."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, *whom: str) -> float:
        """Seconds until each of them may try again; 0 when all may now."""
        with self._lock:
            return max((self._wait_s(one) for one in whom), default=0.0)

    def failed(self, *whom: str) -> None:
        """Takes note of a failure."""
        with self._lock:
            for one in whom:
                self._failures[one] = self._failures.pop(one, deque(maxlen=self._most))    # now the newest
                self._failures[one].append(self._clock())
            while len(self._failures) > REMEMBERED:
                del self._failures[next(iter(self._failures))]

    def succeeded(self, account: str) -> None:
        """An account's own failures count no more; those of its address do."""
        with self._lock:
            self._failures.pop(account, None)

    def _wait_s(self, one: str) -> float:
        tried = self._failures.get(one)
        if tried is None or len(tried) < self._most:
            return 0.0
        return max(0.0, tried[0] + WINDOW_S - self._clock())
