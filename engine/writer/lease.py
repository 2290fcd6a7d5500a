"""One writer at a time: a lease that is taken by inserting `lease:<n+1>`, the only thing FerretDB does atomically.

The holder beats in its own document. Whoever wants the lease watches the beat by its own clock: if it moves, another
stream is alive and this one is refused; if it stands still for `settings.stream.lease_s`, the holder is dead.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psutil
import pymongo
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from engine.clients import mapped
from engine.errors import LeaseHeld, LeaseLost, RollcallError
from engine.stores.status import COLLECTION, Status

Document = dict[str, Any]

RELEASE_WITHIN_S = 5.0
"""Giving back is a courtesy to the next holder: a stream that is asked to stop does not wait longer for an absent store."""


class Lease:
    """The right to write. `clean`: whether the holder before gave it back, so that nothing of it is in flight."""

    def __init__(self, database: Database[Document], number: int, clean: bool, beat_s: float) -> None:
        self.number, self.clean = number, clean
        self._documents, self._beat_s = database[COLLECTION], beat_s
        self._name = f"lease:{number}"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises LeaseLost if another stream has taken over."""
        with mapped("looking after the lease", "stream"):
            newer = self._documents.find_one({"n": {"$gt": self.number}})
        if newer is not None:
            raise LeaseLost(f"Another stream ({_who(newer)}) took over; this one writes nothing any more.")

    def release(self, clean: bool) -> None:
        """Gives the lease back; `clean` says that the outcome of everything sent is known. Raises StoreAway soon."""
        self._done.set()
        self._thread.join(RELEASE_WITHIN_S)
        with mapped("looking after the lease", "stream"), pymongo.timeout(RELEASE_WITHIN_S):
            self._documents.update_one({"_id": self._name}, {"$set": {"released": True, "clean": clean}})

    def _beat(self) -> None:
        beat = 0
        while not self._done.wait(self._beat_s):
            beat += 1
            try:
                with mapped("looking after the lease", "stream"):
                    self._documents.update_one({"_id": self._name}, {"$set": {"beat": beat, "at": datetime.now(UTC)}})
            except RollcallError:
                continue    # the turn meets the same failure and says so; the next beat tries again, and the lease stands
                            # unless somebody took over meanwhile, which `check` finds out before the next write


def take(database: Database[Document], lease_s: float, stop: threading.Event, say: Callable[[str], None]) -> Lease:
    """Takes the lease, waiting for a dead holder's beat to run out; LeaseHeld if the holder is alive."""
    documents, status = database[COLLECTION], Status(database)
    while True:
        held = status.lease()
        if held is not None and not held.get("released") and not _dead_here(held):
            say(f"watching the lease of {_who(held)} for up to {lease_s:.0f} s")
            _watch(documents, held, lease_s, stop)
        number = held["n"] + 1 if held else 1
        fresh = {"_id": f"lease:{number}", "n": number, "beat": 0, "at": datetime.now(UTC), "released": False, "clean": False,
                 "host": socket.gethostname(), "pid": os.getpid()}
        with mapped("taking the lease", "stream"):
            try:
                documents.insert_one(fresh)
            except DuplicateKeyError:
                continue    # another one was faster; watch it
        with mapped("looking after the lease", "stream"):
            documents.delete_many({"n": {"$lt": number - 10}})
        clean = held is None or bool(held.get("released") and held.get("clean"))
        return Lease(database, number, clean, lease_s / 6)


def _watch(documents: Any, held: Document, lease_s: float, stop: threading.Event) -> None:
    until = time.monotonic() + lease_s
    while time.monotonic() < until:
        if stop.wait(lease_s / 20):
            raise LeaseHeld("Stopped while waiting for the lease of the stream before.")
        with mapped("looking after the lease", "stream"):
            now = documents.find_one({"_id": held["_id"]})
        if now is None or now.get("released") or _dead_here(held):
            return
        if now["beat"] != held["beat"]:
            raise LeaseHeld(f"Another stream ({_who(held)}) is alive and writes to these stores. "
                            "Stop it first: `rollcall stream stop`.")


def _dead_here(held: Document) -> bool:
    """Whether the holder ran on this host and its process is gone: then there is no need to watch. Where another process
    has its number by now it is watched; when a process began is not asked, for that moves with the clock."""
    if held["host"] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(held["pid"]).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _who(held: Document) -> str:
    return f"process {held['pid']} on {held['host']}, lease {held['n']}"
