"""Who somebody is, by the session of their cookie: asked of Cassandra every few seconds, so a revocation works within five.

While Cassandra is away, a session that it confirmed lately is believed for a while, but for little: to see the flow and to
start and stop it, for an outage is when somebody has to.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.errors import RollcallError
from engine.stores.accounts import Accounts, SignedIn, hashed
from governance.permissions import UNAUDITED_TOO, allowed

ASKED_EVERY_S = 2.0
REMEMBERED = 10_000
WHILE_AWAY = UNAUDITED_TOO | {"flow.read", "producer.read", "stream.read"}
"""What may be done on the strength of a session that cannot be confirmed."""


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page. confirmed: whether Cassandra says so now, or did a while ago."""

    session: str
    name: str
    roles: frozenset[str]
    confirmed: bool = True

    def may(self, action: str) -> bool:
        """Whether they may do this now."""
        return allowed(self.roles, action) and (self.confirmed or action in WHILE_AWAY)


class Sessions:
    """Sessions as last confirmed. Shared by all requests and pages."""

    def __init__(self, accounts: Callable[[], Accounts], believed_s: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts, self._believed_s, self._clock = accounts, believed_s, clock
        self._known: dict[str, tuple[SignedIn, float]] = {}    # session -> what it is, when that was confirmed
        self._ended: dict[str, None] = {}    # ended here; an answer of the store that is under way may not know it yet
        self._failed_at = float("-inf")
        self.away_since: datetime | None = None
        """Since when sessions cannot be confirmed; None while they can."""
        self._lock, self._asking = threading.Lock(), threading.Lock()

    def of_cookie(self, cookie: str) -> Viewer | None:
        """Who this cookie makes them; None for a stranger."""
        return self.get(hashed(cookie)) if cookie else None

    def get(self, session: str) -> Viewer | None:
        """Who is signed in with this session; None when it has ended or never was."""
        if session in self._ended:
            return None
        known, now = self._known.get(session), self._clock()
        if known and now - known[1] < ASKED_EVERY_S:
            return _viewer(known[0])
        if now - self._failed_at < ASKED_EVERY_S:    # all who ask would wait for the same time-out
            return self._believed(session)
        if self.away_since is None:
            return self._asked(session)
        if not self._asking.acquire(blocking=False):    # another finds out whether it is back, and may wait for a time-out
            return self._believed(session) or self._asked(session)
        try:
            return self._asked(session)
        finally:
            self._asking.release()

    def _asked(self, session: str) -> Viewer | None:
        try:
            found = self._accounts().session(session)
        except RollcallError:
            self._failed_at = self._clock()
            self.away_since = self.away_since or datetime.now(UTC)
            return self._believed(session)
        self.away_since = None
        with self._lock:
            if found is None:
                self._known.pop(session, None)
                return None
            self._known[session] = found, self._clock()
            self._forget_old()
        return _viewer(found)

    def ended(self, session: str) -> None:
        """Forgets a session at once, here."""
        with self._lock:
            self._known.pop(session, None)
            self._ended[session] = None
            while len(self._ended) > REMEMBERED:
                del self._ended[next(iter(self._ended))]

    def of_account(self, account: str) -> list[str]:
        """The sessions of an account that are known here."""
        return [session for session, (known, _) in list(self._known.items()) if known.account == account]

    def account_ended(self, account: str, but: str = "") -> None:
        """Forgets the sessions of an account at once, here, whatever the store says. but: one that lasts."""
        for session in self.of_account(account):
            if session != but:
                self.ended(session)

    def _believed(self, session: str) -> Viewer | None:
        known = self._known.get(session)
        if known is None or self._clock() - known[1] > self._believed_s:
            return None
        return _viewer(known[0], confirmed=False)

    def _forget_old(self) -> None:
        limit = self._clock() - self._believed_s
        for session in [session for session, (_, at) in self._known.items() if at < limit]:
            del self._known[session]


def _viewer(signed_in: SignedIn, confirmed: bool = True) -> Viewer:
    return Viewer(signed_in.id, signed_in.account, signed_in.roles, confirmed)
