"""A program that does not outlive who started it: `python -m engine.bound PARENT COMMAND ...` becomes the command.

The kernel kills it when the thread that started it ends, however that came about, also by a kill of its process. It is set in
the child and not by a `preexec_fn`, which may hang where the parent has threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def command(wanted: list[str]) -> list[str]:
    """The command that runs this one bound to this process. The thread that starts it must last as long as it."""
    return [sys.executable, "-m", "engine.bound", str(os.getpid()), *wanted]


def main(parent: int, wanted: list[str]) -> None:
    """Becomes the command, unless the parent has ended already."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() == parent:    # asked after it was set: it may have ended in between
        os.execvp(wanted[0], wanted)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
