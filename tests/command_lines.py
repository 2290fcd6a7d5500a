"""Looks at the command lines of all processes, as anybody on the machine can."""

import threading
from pathlib import Path
from types import TracebackType


def now() -> set[str]:
    """The command lines of this moment, arguments parted by spaces."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:    # ended meanwhile
            continue
    return found


class Watch:
    """Collects every command line that is there while the block runs, looking about twenty times a second."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="command-lines")

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.05):
            self.seen |= now()
