"""What the view knows: the aggregates read from MongoDB at one moment, as the records of records.py.

The stream writes the documents of a turn one by one, so a reading in the middle of that could mix two turns. Each
document carries the turn that wrote it; a reading is taken again, a few times, until no document is newer than the last
closed turn and that turn is the same before and after. Whatever goes wrong ends as an Unreadable with a reason.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pymongo

from app.public import words
from app.public.records import Domain, Figures, Nationality, Reading, Unreadable
from engine.birth_months import average_age, merged
from engine.clients import mapped, mongo_client
from engine.errors import RollcallError, SignInRefused, StoreAway
from engine.settings import Settings
from engine.stores.schema import BY_EMAIL_DOMAIN, BY_NATIONALITY, PIPELINE_STATUS

Document = Mapping[str, Any]

TURN_BITS = 44
"""A stamp is epoch * 2**44 + turn; a recount writes turn -1."""

ATTEMPTS = 8
PAUSE_S = 0.15
REST_S = 1.0
"""Seconds for which one reading serves everybody who looks."""


def figures_of(
    nationalities: Iterable[Document], domains: Iterable[Document], statuses: Mapping[str, Document], now: datetime,
    settled: bool = True,
) -> Figures:
    """The documents as Figures; `statuses` are those of pipeline_status by `_id`, `now` is aware.

    KeyError, TypeError, ValueError or AttributeError when a document is not of the shape docs/flow.md gives.
    """
    today = now.astimezone(UTC).date()
    people = [document for document in nationalities if int(document["users"]) > 0]
    addresses = [Domain(str(document["_id"]), int(document["users"])) for document in domains]
    last = statuses.get("figures", {})
    return Figures(
        read_at=now,
        at=_aware(last.get("at")),
        turn=last.get("turn"),
        nationalities=tuple(sorted(
            (_nationality(document, today) for document in people), key=lambda one: (-one.users, one.code))),
        domains=tuple(sorted((one for one in addresses if one.users > 0), key=lambda one: (-one.users, one.name))),
        average_age=average_age(merged(_births(document) for document in people), today),
        synthetic=_synthetic(last.get("synthetic"), statuses.get("producer", {}).get("synthetic")),
        settled=settled,
    )


def turn_of(stamp: int) -> int:
    """The turn in a stamp; -1 for a recount."""
    turn = stamp % (1 << TURN_BITS)
    return -1 if turn == (1 << TURN_BITS) - 1 else turn


class Reader:
    """Reads the aggregates for all who look: one client a process, made at the first reading, one reading a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._last: Reading | None = None
        self._good_until = 0.0

    def read(self) -> Reading:
        """The newest reading; never an exception."""
        with self._lock:
            if self._last is None or time.monotonic() >= self._good_until:
                self._last = self._fresh()
                self._good_until = time.monotonic() + REST_S
            return self._last

    def close(self) -> None:
        """Lets the client go; the next reading makes another."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client, self._last = None, None

    def _fresh(self) -> Reading:
        try:
            if self._client is None:
                self._client = mongo_client(self._settings, "view")
            # shorter than the client's own limit: a page should say that the store is away before the next refresh
            limit_s = min(self._settings.mongo.request_timeout_s, 8)
            with mapped("reading the figures", "view"), pymongo.timeout(limit_s):
                return read_settled(self._client[self._settings.mongo.database])
        except StoreAway:
            return _unreadable(words.AWAY)
        except SignInRefused:
            return _unreadable(words.REFUSED)
        except RollcallError as error:
            return _unreadable(str(error))
        except (KeyError, TypeError, ValueError, AttributeError):
            return _unreadable(words.MISSHAPEN)


def read_settled(database: Any, pause: Callable[[float], None] = time.sleep) -> Figures:
    """Reads until the documents are of one turn, at most ATTEMPTS times; then says that they are not (`settled`)."""
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(PAUSE_S)
        before = _statuses(database)
        nationalities = list(database[BY_NATIONALITY].find())
        domains = list(database[BY_EMAIL_DOMAIN].find())
        after = _statuses(database)
        closed = before.get("figures", {}).get("turn")
        newest = max((turn_of(int(one.get("stamp", 0))) for one in (*nationalities, *domains)), default=-1)
        settled = closed == after.get("figures", {}).get("turn") and (closed is None or newest <= closed)
        if settled:
            break
    return figures_of(nationalities, domains, after, datetime.now(UTC), settled)


def _statuses(database: Any) -> dict[str, Document]:
    wanted = {"_id": {"$in": ["figures", "producer"]}}
    return {document["_id"]: document for document in database[PIPELINE_STATUS].find(wanted)}


def _nationality(document: Document, today: date) -> Nationality:
    return Nationality(str(document["_id"]), int(document["users"]), average_age(_births(document), today))


def _births(document: Document) -> dict[str, int]:
    return merged(document.get("births", {}).values())


def _synthetic(*said: object) -> bool | None:
    """True as soon as one says so, False when the others deny it, None when nobody says."""
    known = [bool(one) for one in said if one is not None]
    return any(known) if known else None


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _unreadable(reason: str) -> Unreadable:
    return Unreadable(datetime.now(UTC), reason)
