"""Stopping the stream: asked by a signal or by `rollcall stream stop`, it ends after its running batch and says for what
it waits.

The stream says it in its log; the command that asked shows those lines. Nothing is killed in the middle of a turn.
"""

import queue
import signal
import threading
import time
from collections.abc import Callable

from engine.errors import NotServed
from engine.log_lines import as_text
from engine.processes import Supervisor

Say = Callable[[str], None]

EVERY_S = 3.0
WORD = "stopping: "
"""How a line of the stream's log begins (after its time) that says what a stop waits for."""


class StopRequested(Exception):
    """The stream was asked to stop; the turn that met this wrote nothing."""


class Stopping:
    """The stream's ear for SIGTERM and SIGINT. `asked` is set by the first; each further one is answered too, until `ended`
    is set."""

    def __init__(self, say: Say) -> None:
        self.asked, self.ended, self._say = threading.Event(), threading.Event(), say
        self.doing: Callable[[], str] = lambda: "what it has begun"
        self._requests: queue.SimpleQueue[int] = queue.SimpleQueue()    # the one thing a signal may safely put into
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self._requests.put(number))
        threading.Thread(target=self._answer, name="stopping", daemon=True).start()

    def _answer(self) -> None:
        self._requests.get()
        self.asked.set()
        while not self.ended.is_set():
            self._say(f"{WORD}waiting for {self.doing()}")
            try:
                self._requests.get(timeout=EVERY_S)
            except queue.Empty:
                continue


def stop_stream(processes: Supervisor, say: Say, within_s: float | None = None) -> None:
    """Asks the stream to stop and waits, saying what for. A second call waits along.

    Raises NotServed when it has not ended within `within_s`; it then still ends after its running batch.
    """
    log = processes.settings.logs_dir / "stream.log"
    place = log.stat().st_size if log.exists() else 0
    began = said_at = time.monotonic()
    last = "it has not answered yet"

    def meanwhile() -> None:
        nonlocal place, said_at, last
        size = log.stat().st_size if log.exists() else 0
        place = 0 if size < place else place    # the log was rotated
        if size > place:
            with log.open("rb") as file:
                file.seek(place)
                fresh = file.read(size - place)
            whole = fresh[:fresh.rfind(b"\n") + 1]
            place += len(whole)
            lines = map(as_text, whole.decode(errors="replace").splitlines())
            for line in (line.partition(WORD)[2] for line in lines if WORD in line):
                last, said_at = line, time.monotonic()
                say(f"The stream is stopping: {line}")
        if time.monotonic() - said_at > 2 * EVERY_S:
            said_at = time.monotonic()
            say(f"The stream was asked to stop {said_at - began:.0f} s ago: {last}")

    if not processes.stop("stream", within_s=within_s, meanwhile=meanwhile):
        raise NotServed(f"The stream has not ended within {within_s:.0f} s: {last}. It was asked to and will, right after "
                        "that; nothing is killed. Give the command again to go on waiting.")
