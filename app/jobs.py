"""Work that takes longer than a page should: one of each kind at a time, in a thread of its own; pages come and go."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app import words
from engine.errors import Final, RollcallError

LINES = 200


class HalfDone(Final):
    """Part of the work was done, and stays so: the message says what was and what was not."""


@dataclass(frozen=True)
class CameTo:
    """What work came to: the sentence, which goes into the audit too, and rows of a table, which only the page shows."""

    says: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return self.says


@dataclass
class Job:
    """One piece of work. lines: what it said, the newest last; result, rows: what it came to, when it has ended; half: it
    failed when part of it was done."""

    kind: str
    by: str
    began: datetime
    lines: list[str] = field(default_factory=list)
    result: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: bool = False
    half: bool = False
    ended: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self.ended is None

    def say(self, line: str) -> None:
        """A line of progress."""
        self.lines.append(line)
        del self.lines[:-LINES]


class Jobs:
    """The jobs of one process, the last of each kind."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def begin(self, kind: str, by: str, work: Callable[[Callable[[str], None]], str | CameTo]) -> tuple[Job, bool]:
        """Begins a job, unless one of its kind runs: then that one. Returns it and whether it was begun now."""
        with self._lock:
            running = self._jobs.get(kind)
            if running is not None and running.running:
                return running, False
            job = self._jobs[kind] = Job(kind, by, datetime.now(UTC))
        threading.Thread(target=self._run, args=(job, work), name=f"job {kind}", daemon=True).start()
        return job, True

    def get(self, kind: str) -> Job | None:
        """The last job of a kind."""
        return self._jobs.get(kind)

    @staticmethod
    def _run(job: Job, work: Callable[[Callable[[str], None]], str | CameTo]) -> None:
        try:
            came_to = work(job.say)
            job.result, job.rows = str(came_to), came_to.rows if isinstance(came_to, CameTo) else []
        except RollcallError as error:
            job.result, job.failed, job.half = str(error), True, isinstance(error, HalfDone)
        finally:
            if not job.result:    # what nobody foresaw goes to the log as the thread's end
                job.result, job.failed = words.JOB_UNFORESEEN, True
            job.ended = datetime.now(UTC)


JOBS = Jobs()
