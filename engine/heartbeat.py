"""The producer's sign of life: the document `producer` of `pipeline_status`, for `rollcall status` and the view.

At best once a second, and best effort: a store that is away costs the flow a short wait now and then, nothing else.
"""

import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from engine.clients import mongo_client
from engine.settings import Settings

EVERY_S = 1.0
LONGEST_WAIT_S = 1.0
QUIET_S = 4.0
LONGEST_QUIET_S = 64.0
"""Seconds without a try after one failed: doubled with each, up to this."""

RATE_OVER_S = 10.0


class Heartbeat:
    """Writes the document from the caller's thread. `facts` are its fields; `at` and `rate` (people/s) are added."""

    def __init__(self, settings: Settings, principal: str) -> None:
        self._settings = settings
        self._client = mongo_client(settings, principal)
        self._next = self._store_from = 0.0
        self._quiet_s = QUIET_S
        self._sent: deque[tuple[float, int]] = deque()

    @property
    def due(self) -> bool:
        """Whether a second has passed since the last."""
        return time.monotonic() >= self._next

    def beat(self, sent: int, facts: dict[str, Any]) -> dict[str, Any]:
        """Makes the document, writes it and returns it; a failure to write is passed over."""
        now = time.monotonic()
        self._next = now + EVERY_S
        document = {"_id": "producer", **facts, "sent": sent, "rate": self._rate(now, sent), "at": datetime.now(UTC)}
        if now < self._store_from:
            return document
        try:
            with pymongo.timeout(LONGEST_WAIT_S):
                self._client[self._settings.mongo.database].pipeline_status.replace_one(
                    {"_id": "producer"}, document, upsert=True)
            self._quiet_s = QUIET_S
        except PyMongoError:
            self._store_from = time.monotonic() + self._quiet_s
            self._quiet_s = min(self._quiet_s * 2, LONGEST_QUIET_S)
        return document

    def close(self) -> None:
        """Lets go of the store."""
        self._client.close()

    def _rate(self, now: float, sent: int) -> float:
        self._sent.append((now, sent))
        while now - self._sent[0][0] > RATE_OVER_S and len(self._sent) > 2:
            self._sent.popleft()
        first, before = self._sent[0]
        return round((sent - before) / (now - first), 1) if now > first else 0.0
