"""Work that takes longer than a page should: one of each kind at a time, in a thread of its own; pages come and go."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app import words
from engine.errors import RollcallError

LINES = 200


@dataclass
class Job:
    """One piece of work. lines: what it said, the newest last; result: what it came to, when it has ended."""

    kind: str
    by: str
    began: datetime
    lines: list[str] = field(default_factory=list)
    result: str = ""
    failed: bool = False
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

    def begin(self, kind: str, by: str, work: Callable[[Callable[[str], None]], str]) -> tuple[Job, bool]:
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
    def _run(job: Job, work: Callable[[Callable[[str], None]], str]) -> None:
        try:
            job.result = work(job.say)
        except RollcallError as error:
            job.result, job.failed = str(error), True
        finally:
            if not job.result:    # what nobody foresaw goes to the log as the thread's end
                job.result, job.failed = words.JOB_UNFORESEEN, True
            job.ended = datetime.now(UTC)


JOBS = Jobs()
