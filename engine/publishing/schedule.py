"""A release when one is due: what the keeper does beside its runs of retention."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from engine.publishing.live import Unsettled
from engine.publishing.release import Publishing
from engine.settings import Settings
from governance.disclosure.ledger import Held

AGAIN_S, TRIED_AGAIN_S, HELD_S = 15.0, 60.0, 600.0
"""Seconds until it looks again before the first release, for people may arrive; after the stream was writing; and while a later
release is held, which is no matter of waiting and reads all releases there ever were."""

LONGEST_S = 3600.0
"""Seconds it sleeps at most: a clock may be set."""


class Schedule:
    """Publishes on time. by: who; say: told of each release, and of why there is none once; audited: writes a release down
    before and after it, by its target."""

    def __init__(self, settings: Settings, by: str, say: Callable[[str], None],
                 audited: Callable[[str], AbstractContextManager[None]]) -> None:
        self._settings, self._by, self._say, self._audited = settings, by, say, audited
        self._told = ""

    def look(self) -> float:
        """Publishes if a release is due; returns the seconds until it should look again.

        Raises StoreAway, SignInRefused, Misshapen, NotAudited, NotPublished and Overtaken: the keeper says what failed.
        """
        try:
            return self._looked()
        except Unsettled as error:    # a matter of moments, and no failure
            self._once(str(error))
            return TRIED_AGAIN_S

    def _looked(self) -> float:
        with Publishing.opened(self._settings) as publishing:
            due, now = publishing.due_at(), datetime.now(UTC)
            if due is None or due <= now:
                prepared = publishing.prepare()
                if isinstance(prepared.outcome, Held):
                    self._once(f"nothing is published: {prepared.outcome.why}")
                    return HELD_S if prepared.base else AGAIN_S
                with self._audited(f"snapshot {prepared.base + 1}"):
                    made = publishing.carry_out(prepared, self._by).snapshot
                self._told, due, now = "", made.next_at, datetime.now(UTC)
                self._say(f"snapshot {made.number} is published, of {made.people} people")
        return min(LONGEST_S, max(1.0, (due - now).total_seconds()))

    def _once(self, why: str) -> None:
        if why != self._told:
            self._say(why)
        self._told = why
