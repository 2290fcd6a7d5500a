"""The newest snapshot: read every few seconds, once for everybody, by a thread of its own. Nobody who looks waits for a store.

A snapshot never changes, so its text is fetched and parsed once; what each reading asks for is numbers. Whatever goes wrong
leaves the last snapshot where it is. The reason goes to the log of the process, once, and not to the public.
"""

import logging
import threading
import time
from typing import Any

import pymongo
from bson.errors import BSONError
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from app.public.records import Reading
from engine.errors import RollcallError
from engine.mongo import mongo_client
from engine.settings import Settings
from engine.stores.schema import SNAPSHOTS
from governance.disclosure.snapshot import Snapshot

REST_S = 3.0
"""Seconds for which one reading serves everybody who looks."""

REST_TIMES, REST_MOST_S = 20, 60.0
"""A reading that takes long rests so many times as long, up to a limit: FerretDB looks through every document for the newest
(measured: 0.15 s for 2,000 of them), and has more to do than this."""

FIRST_WITHIN_S = 10.0
ANSWER_WITHIN_S = 5.0
"""Less than the client's own limit: the page should say soon that the store is away."""

NUMBERS = {"_id": 1, "withdrawn": 1}
NEWEST_FIRST = [("_id", pymongo.DESCENDING)]

log = logging.getLogger(__name__)


class Misshapen(Exception):
    """A document of `snapshots` that is not of the shape this view knows."""


class Reader:
    """Reads for all who look: one client a process, made at the first reading."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._first = threading.Event()
        self._reading_now = False
        self._good_until = 0.0
        self._client: Any = None
        self._last = Reading(away=True)
        self._said = ""

    def read(self) -> Reading:
        """The newest reading; never an exception. Only the first one is waited for."""
        with self._lock:
            if not self._reading_now and time.monotonic() >= self._good_until:
                self._reading_now = True
                threading.Thread(target=self._again, name="reader", daemon=True).start()
        if not self._first.wait(FIRST_WITHIN_S):
            return Reading(away=True)
        return self._last

    def close(self) -> None:
        """Lets the client go; the next reading makes another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _again(self) -> None:
        began = time.monotonic()
        try:
            self._last = self._fresh()
        finally:
            ended = time.monotonic()
            rest = 0.0 if self._last.away else min((ended - began) * REST_TIMES, REST_MOST_S)
            self._good_until = ended + max(REST_S, rest)
            self._first.set()
            self._reading_now = False

    def _fresh(self) -> Reading:
        try:
            if self._client is None:
                self._client = mongo_client(self._settings, "view")
            with pymongo.timeout(min(self._settings.mongo.request_timeout_s, ANSWER_WITHIN_S)):
                found = newest(self._client[self._settings.mongo.database], self._last.snapshot)
        except (RollcallError, PyMongoError, BSONError, Misshapen) as error:
            # of a driver's text nothing, it may quote a value
            self._say(str(error) if isinstance(error, RollcallError | Misshapen) else type(error).__name__)
            return Reading(self._last.snapshot, self._last.withdrawn, away=True)
        self._say("")
        return found

    def _say(self, trouble: str) -> None:
        if trouble != self._said:
            log.warning("The snapshots cannot be read: %s", trouble) if trouble else log.warning("The snapshots are read again")
            self._said = trouble


def newest(database: Any, known: Snapshot | None) -> Reading:
    """The newest snapshot that is not withdrawn. known: one that was read before. Raises Misshapen, and pymongo's errors."""
    snapshots = database[SNAPSHOTS]
    last = snapshots.find_one({}, NUMBERS, sort=NEWEST_FIRST)
    if last is None:
        return Reading()
    shown = snapshots.find_one({"withdrawn": None}, NUMBERS, sort=NEWEST_FIRST) if last["withdrawn"] else last
    withdrawn = int(last["_id"]) if last["withdrawn"] else 0
    if shown is None:
        return Reading(withdrawn=withdrawn)
    if known is not None and known.number == shown["_id"]:
        return Reading(known, withdrawn)
    return Reading(_parsed(snapshots.find_one({"_id": shown["_id"]})), withdrawn)


def _parsed(document: Any) -> Snapshot:
    try:
        snapshot = Snapshot.model_validate_json(document["body"])
    except (ValidationError, KeyError, TypeError) as error:
        raise Misshapen(f"a snapshot is of a shape that this version does not know ({type(error).__name__})") from None
    if snapshot.number != document["_id"]:
        raise Misshapen(f"snapshot {document['_id']} says that it is {snapshot.number}")
    return snapshot
