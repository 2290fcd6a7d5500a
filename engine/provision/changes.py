"""What provisioning changed: said as it happens, and counted."""

import time
from collections.abc import Callable

from engine.errors import StoreAway

SETTLE_S = 20.0
"""Seconds within which a change must be visible to those it is for."""


class Changes:
    """Says and counts."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.count = 0

    def made(self, text: str) -> None:
        """Something was changed."""
        self.count += 1
        self._say(text)

    def left(self, text: str) -> None:
        """Something differs and is left alone on purpose; it does not count."""
        self._say(text)


def settled(reached: Callable[[], bool], what: str, limit_s: float = SETTLE_S) -> None:
    """Waits until `reached` (servers apply changes a moment after they answer); StoreAway after `limit_s` seconds."""
    until = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > until:
            raise StoreAway(f"{what} within {limit_s:.0f} s. `rollcall logs` shows what the server says; "
                            "`rollcall up` tries again.")
        time.sleep(0.1)
