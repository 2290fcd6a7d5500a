"""`rollcall` as a process of its own, forked from one that has imported everything: to import takes more than most commands do.

`python -m tests.forked SOCKET` waits for commands until its standard input ends. A connection is one command: it brings the
arguments, the environment and the three channels, and is answered with the process, then with its exit code.
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from engine.settings import CLONE

LARGEST = 1 << 17    # what a command is given
READY_WITHIN_S = 60.0


class Running:
    """A command that was begun."""

    def __init__(self, words: list[str], line: socket.socket) -> None:
        self._words, self._line = words, line
        self.pid = int(line.recv(LARGEST))

    def wait(self, timeout: float) -> int:
        """Its exit code, as subprocess gives it. Raises subprocess.TimeoutExpired after so many seconds, and ends it."""
        with self._line as line:
            line.settimeout(timeout)
            try:
                return int(line.recv(LARGEST))
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(self._words, timeout) from None


class Forks:
    """The process that commands are forked from, started in this folder with this environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._socket = Path(tempfile.mkdtemp(prefix="forks")) / "socket"
        self._process = subprocess.Popen([sys.executable, "-m", "tests.forked", str(self._socket)], cwd=folder, text=True,
                                         env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         start_new_session=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().rstrip("\n") == str(folder), "the commands would not be those of this folder"

    def start(self, words: list[str], environment: Mapping[str, str], channels: tuple[int, int, int]) -> Running:
        """Begins a command; channels: descriptors of its standard input, output and error."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.settimeout(READY_WITHIN_S)
        line.connect(str(self._socket))
        socket.send_fds(line, [json.dumps([words, dict(environment)]).encode()], list(channels))
        return Running(words, line)

    def run(self, words: list[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Runs a command that is given nothing to read to its end."""
        with open(os.devnull) as nothing, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = self.start(words, environment, (nothing.fileno(), out.fileno(), err.fileno())).wait(timeout)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    def end(self) -> None:
        """Ends it, and commands that still run."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._socket.unlink(missing_ok=True)
        self._socket.parent.rmdir()


@functools.cache
def forks() -> Forks:
    """Of this clone, for the whole run."""
    made = Forks(CLONE, {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")})
    atexit.register(made.end)
    return made


def serve(path: str) -> None:
    """Waits for commands."""
    import engine.cli
    import engine.clients  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)    # nobody waits for those who wait for the commands
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen(64)
        print(CLONE, flush=True)
        while sys.stdin not in select.select([door, sys.stdin], [], [])[0]:
            line, _ = door.accept()
            if not os.fork():
                return _attend(line, door)
            line.close()


def _attend(line: socket.socket, door: socket.socket) -> None:
    """Forks the command, waits for it and says so; in the forked process it returns when the command does."""
    from engine.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, channels, _, _ = socket.recv_fds(line, LARGEST, 3)
    process = os.fork()
    if not process:
        words, environment = json.loads(asked)
        for number, channel in enumerate(channels):
            os.dup2(channel, number)
        line.close()
    door.close()
    for channel in channels:
        os.close(channel)
    if not process:
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        sys.argv = words
        return main()
    line.send(str(process).encode())
    line.send(str(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])).encode())
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
