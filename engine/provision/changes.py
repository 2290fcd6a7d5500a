"""What provisioning changed: said as it happens, and counted."""

import time
from collections.abc import Callable, Container

from engine.errors import SignInRefused, StoreAway

SETTLE_S = 20.0
"""Seconds within which a change must be visible to those it is for."""


class Changes:
    """Says and counts."""

    def __init__(self, say: Callable[[str], None], others: Container[str] = ()) -> None:
        """others: servers whose users of our names may be somebody else's."""
        self._say, self._others = say, others
        self.count = 0

    def made(self, text: str) -> None:
        """Something was changed."""
        self.count += 1
        self._say(text)

    def left(self, text: str) -> None:
        """Something differs and is left alone on purpose; it does not count."""
        self._say(text)

    def may_reset(self, server: str, user: str, why: str = "our password is refused") -> None:
        """A user of our name is there that is not known to be ours: SignInRefused where it may be somebody else's, who
        needs it as it is."""
        if server in self._others:
            raise SignInRefused(
                f"{server} knows {user!r} already, and {why}: it may be somebody else's, and nothing was changed. "
                "If it is of this installation, `rollcall provision --take-over` gives it our password and the rights it "
                "needs, and takes all others from it.", server)


def settled(reached: Callable[[], bool], what: str, limit_s: float = SETTLE_S) -> None:
    """Waits until `reached` (servers apply changes a moment after they answer); StoreAway after `limit_s` seconds."""
    until = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > until:
            raise StoreAway(f"{what} within {limit_s:.0f} s. `rollcall logs` shows what the server says; "
                            "`rollcall up` tries again.")
        time.sleep(0.1)
