"""One redrive or discard at a time on this machine, of the command and of the console.

Two redrives of one letter would come to the same (claim.py), but a discard beside a redrive would write down as lost a letter
whose person becomes a row, and the mark of either would cover the other's.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import Retryable
from engine.native.server import private_folder
from engine.settings import Settings


class LettersBusy(Retryable):
    """Dead letters are redriven or discarded just now."""


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Holds the dead letters of this installation: read them within it, then act. The lock falls with the process.

    Raises LettersBusy at once where another holds them.
    """
    with (private_folder(settings.run) / "dead-letters.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LettersBusy("Dead letters are being redriven or discarded already, by a command or on the console. Nothing "
                              "was done; do the same again when that has ended.") from None
        yield
