"""Somebody with a fresh clone who types what the documents say: a copy of what git holds, an installation of its own in it.

A command is a process of its own, as in a terminal.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.installation import settings_toml
from engine.settings import CLONE
from tests.forked import Forks

LIMIT_S = 600.0
SAYS_WITHIN_S = 15.0
"""A program that has nothing to say, as the keeper, is interrupted all the same."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it said on both channels."""

    code: int
    said: str


class Newcomer:
    """In the folder `clone`; `rollcall` runs the clone's code on the clone's installation, `var/`."""

    def __init__(self, folder: Path) -> None:
        """Copies what git holds or would hold; .venv is the one that is there."""
        self.clone, self._said, self._asked = folder / "clone", folder / "said", folder / "asked"
        listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=CLONE,
                                capture_output=True, check=True).stdout.decode().split("\0")
        for name in {name for name in listed if name and (CLONE / name).is_file()}:
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CLONE / name, self.clone / name)
        (self.clone / ".venv").symlink_to(Path(sys.prefix))
        (self.clone / "var").mkdir()
        (self.clone / "var" / "settings.toml").write_text(settings_toml(spark={"driver_memory": "1g"}))
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_") or key == "ROLLCALL_CACHE"},
            "ROLLCALL_HOME": str(self.clone / "var"), "PYTHONPATH": str(self.clone)}
        self._forks = Forks(self.clone, self.environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what was started, a command that is still running first."""
        self._forks.end()
        subprocess.run([sys.executable, "-m", "engine.cli", "down"], cwd=self.clone, env=self.environment,
                       capture_output=True, check=True, timeout=LIMIT_S)

    def run(self, text: str, answer: str = "", interrupt: bool = False) -> Done:
        """Runs a command, with `answer` at its standard input; with `interrupt` until it says something, then Ctrl-C."""
        words = shlex.split(text)
        into = self.clone / words[-1] if ">" in words[-2:-1] else None
        words = words[:-2] if into else words
        self._asked.write_text(answer)
        if words[0] != "rollcall":
            done = subprocess.run(words, cwd=self.clone, env=self.environment, input=answer, text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S)
            if into:
                into.write_text(done.stdout)
            return Done(done.returncode, done.stdout)
        # what goes to one place is appended, so that both channels can
        for old in (self._said, into or self._said):
            old.unlink(missing_ok=True)
        with self._asked.open() as asked, (into or self._said).open("a") as out, self._said.open("a") as err:
            running = self._forks.start(words, self.environment, (asked.fileno(), out.fileno(), err.fileno()))
        if interrupt:
            limit = time.monotonic() + SAYS_WITHIN_S
            while time.monotonic() < limit and not self._said.stat().st_size:
                time.sleep(0.1)
            with suppress(ProcessLookupError):    # it has ended by itself; its exit code says how
                os.kill(running.pid, signal.SIGINT)
        code = running.wait(LIMIT_S)
        return Done(code, self._said.read_text(errors="replace") + (into.read_text() if into else ""))

    def facts(self, text: str) -> Any:
        """What a command says with --json."""
        said = self.run(f"{text} --json > facts.json").said
        try:
            return json.loads((self.clone / "facts.json").read_text())
        except ValueError as error:
            raise AssertionError(f"{text}: {said}") from error
