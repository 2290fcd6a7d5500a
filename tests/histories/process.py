"""A writer's process as a history has it: it may die before any single write, or be paused there and woken later.

What it was sending when it died may still land, until somebody has waited for it (`World.settle`).
"""

import threading
from collections.abc import Callable
from random import Random

from engine.errors import LeaseLost

Act = Callable[[], None]
IN_FLIGHT = 0.4    # share of the writes sent in parallel that are under way when their process dies


class Crash(BaseException):
    """The process died after its last completed write. No product code may catch it."""


class Process:
    """One process, and its lease: the number, and `check`, which raises LeaseLost.

    drift: what happens meanwhile. crash, pause: number of writes after which it dies or stands; None for never.
    """

    def __init__(self, number: int, luck: int, check: Act, drift: Callable[[Random], None]) -> None:
        self.number, self.check, self.drift, self.random = number, check, drift, Random(luck)
        self.crash: int | None = None
        self.pause: int | None = None
        self.written = 0
        self.flight: list[Act] = []
        self.ended = False
        self.failure: BaseException | None = None
        self._killed = False
        self._main, self._own = threading.Semaphore(0), threading.Semaphore(0)

    def let_in(self, fence: int) -> None:
        """Cassandra knows the roles of holders from this one on."""
        if self.number < fence:
            raise LeaseLost("Cassandra refuses the role of an earlier holder")

    def write(self, *acts: Act) -> None:
        """Sends writes in parallel."""
        for number, act in enumerate(acts):
            try:
                self.reached()
            except Crash:
                self.flight += [late for late in acts[number:] if self.random.random() < IN_FLIGHT]
                raise
            act()

    def keep(self, act: Act) -> None:
        """Writes to the process's own disk: done or not, never in flight."""
        self.reached()
        act()

    def reached(self) -> None:
        """The point before a write."""
        if self.written == self.crash:
            raise Crash
        if self.written == self.pause:
            self.pause = None
            self._main.release()
            self._own.acquire()
            if self._killed:
                raise Crash
        self.written += 1
        self.drift(self.random)

    def run(self, life: Callable[[], None]) -> None:
        """Lives until it ends, dies, or stands paused; `failure` says how it ended if not well."""
        if self.pause is None:
            self._live(life)
            return
        threading.Thread(target=self._live, args=(life,), daemon=True).start()
        self._main.acquire()

    def wake(self, killed: bool = False) -> None:
        """Lets a paused process go on (or kills it) and waits for its end."""
        self._killed = killed
        self._own.release()
        self._main.acquire()

    def _live(self, life: Callable[[], None]) -> None:
        try:
            life()
        except (Crash, LeaseLost) as failure:
            self.failure = failure
        except Exception as failure:    # raised again by the world, in its own thread
            self.failure = failure
        self.ended = True
        self._main.release()
