"""The view as a process over a database of its own: for the tests of its pages and those in a browser."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bench import view_store
from bench.installation import settings_toml
from engine.settings import CLONE, Settings, load
from governance.disclosure.ledger import Release
from tests.waiting import until

DATABASE = "view_test"
REFRESH_S = 1
START_S = 120


@dataclass
class View:
    """A running view: its address, the installation it belongs to, and the numbers of the releases it was given so far."""

    address: str
    settings: Settings
    number: int = 0

    def empty(self) -> None:
        """Nothing is published."""
        view_store.put(self.settings, DATABASE)

    def publish(self, people: int = 5000, due_in: timedelta = timedelta(hours=1), withdrawn: int = 0) -> Release:
        """Releases up to one of so many people, a minute apart; the one that is shown, an hour before the next is due.

        Every call goes on with the numbers, since a release never changes. due_in: when the next is due after the last there
        is; withdrawn: how many of the last are."""
        last = datetime.now(UTC) + due_in - view_store.HOUR
        made: list[Release] = []
        self.number += 1 + withdrawn
        for back in range(self.number - 1, -1, -1):
            at = last - back * timedelta(minutes=1)
            made.append(view_store.released(view_store.figures(max(people - 500 * back, 100), at), made, at))
        view_store.put(self.settings, DATABASE, *(
            view_store.document(one.snapshot, "wrong" if place >= len(made) - withdrawn else "")
            for place, one in enumerate(made)))
        return made[-1 - withdrawn]

    def answer(self, path: str = "/", **headers: str) -> httpx.Response:
        """What is answered to a GET."""
        return httpx.get(f"{self.address}{path}", headers=headers, timeout=30)

    def until(self, state: str, number: int = 0) -> str:
        """Waits until the page is in a state, and of a release, and returns its version: a reading serves for seconds."""
        version = ""

        def there() -> bool:
            nonlocal version
            version = self.answer("/version").text
            return version.startswith(f"{number}-{state}-")

        until(lambda: f"{number}-{state}, it is {version}", there)
        return version


def installation(home: Path) -> Settings:
    """The settings of an installation in a folder of its own, with free ports."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.toml").write_text(settings_toml())
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(home))
        return load()


@contextmanager
def view_alone(folder: Path) -> Iterator[View]:
    """A running view over a MongoDB, and nothing else of an installation."""
    settings = installation(folder / "var")
    with view_store.mongo_alone(settings), serving(settings, folder) as running:
        yield running


@contextmanager
def serving(settings: Settings, folder: Path) -> Iterator[View]:
    """Starts the view under gunicorn as `make up` does, on a free port; its log is `view.log` in `folder`."""
    port = settings.view.port
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "ROLLCALL_HOME": str(settings.home), "ROLLCALL_MONGO__PORT": str(settings.mongo.port),
        "ROLLCALL_MONGO__DATABASE": DATABASE, "ROLLCALL_VIEW__REFRESH_S": str(REFRESH_S)}
    command = [sys.executable, "-m", "gunicorn", "app.public.dashboard:server", "--bind", f"127.0.0.1:{port}",
               "--threads", "4", "--no-control-socket"]
    log = folder / "view.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=CLONE, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(address, process, log)
            yield View(address, settings)
        finally:
            process.terminate()
            process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until(lambda: f"the view answers\n{log.read_text()}", lambda: process.poll() is not None or _answers(address), START_S)
    assert process.poll() is None, f"The view has ended:\n{log.read_text()}"


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=2).text == "OK"
    except httpx.TransportError:
        return False
