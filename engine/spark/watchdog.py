"""Ends a stream whose turn hangs in a library for good, so that the supervisor starts it anew; its turn is then resumed.

Every request of ours has a time-out, but not every library keeps to that: the Cassandra driver's `refreshSchema`, for
one, can wait for ever after a lost connection (scylladb/java-driver#841 describes it). That one is known by its stack, so
that it need not be waited for long: `make proof-faults` met it when Cassandra was killed while a batch read it.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from engine.errors import ServerFailed
from engine.spark.failures import FAILURES

STUCK_S = 600.0
"""Far more than a turn needs between two signs of life: a job of Spark, a step, a wait that is said."""

LOOK_EVERY_S = 5.0


class Watchdog:
    """Watches from a thread. sign: None while nothing runs, else what changes as a turn moves. hangs_s: longer than any
    request may take. known: what stands in the stack of a thread that will wait for ever."""

    def __init__(self, spark: Any, sign: Callable[[], object], say: Callable[[str], None], hangs_s: float,
                 stuck_s: float = STUCK_S, end: Callable[[int], object] = os._exit, known: str = "refreshSchema") -> None:
        self._spark, self._sign, self._say, self._end, self._known = spark, sign, say, end, known
        self._hangs_s, self._stuck_s = hangs_s, stuck_s
        self._seen: object = None
        self._moved_at = time.monotonic()

    def start(self) -> None:
        """Begins to watch, until the process ends."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def look(self) -> None:
        """Ends the process if nothing has moved for too long."""
        sign = self._sign()
        if sign is None or sign != self._seen or self._works():
            self._seen, self._moved_at = sign, time.monotonic()
            return
        stood = time.monotonic() - self._moved_at
        if stood > self._stuck_s or (stood > self._hangs_s and self._hangs()):
            self._say(f"nothing has moved for {stood:.0f} s in {sign}: ending, so that a new process resumes the turn")
            self._end(ServerFailed.exit_code)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self.look()

    def _works(self) -> bool:
        """Whether Spark runs a job."""
        try:
            return bool(self._spark.sparkContext.statusTracker().getActiveJobsIds())
        except FAILURES:
            return False

    def _hangs(self) -> bool:
        """Whether a thread of Java is in what is known."""
        try:
            threads = self._spark._jvm.org.apache.spark.util.Utils.getThreadDump()
            return any(self._known in str(thread.toString()) for thread in threads)
        except FAILURES as error:
            self._say(f"whether a turn hangs cannot be seen: {error}")
            return False
