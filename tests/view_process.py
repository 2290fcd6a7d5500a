"""The view as a process over a database of its own: for the tests of its pages and those in a browser."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from engine.clients import mongo_client
from engine.settings import CLONE, Settings

DATABASE = "view_test"
REFRESH_S = 1
START_S = 120
TURN = 1_795_000_000_000
STAMP = (1 << 44) + TURN

PEOPLE = {"FR": {"female": {"1992-03": 2, "1960-12": 1}, "male": {"1985-07": 3}},
          "IE": {"female": {"1979-01": 1}, "male": {"2001-10": 1}},
          "IR": {"male": {"1955-05": 1}}}
DOMAINS = {"example.com": 7, "beispiel.de": 2}


class View:
    """A running view: its address, and the database it reads."""

    def __init__(self, address: str, database: Any) -> None:
        self.address = address
        self.database = database

    def empty(self) -> None:
        """No document at all, as before the stream's first turn."""
        for name in ("users_by_nationality", "users_by_email_domain", "pipeline_status"):
            self.database[name].delete_many({})

    def seed(self, synthetic: bool = True) -> None:
        """Nine people, as the stream writes them, of a turn closed now."""
        self.empty()
        self.database["users_by_nationality"].insert_many([
            {"_id": code, "users": sum(sum(months.values()) for months in genders.values()),
             "by_gender": {gender: sum(months.values()) for gender, months in genders.items()},
             "births": genders, "stamp": STAMP}
            for code, genders in PEOPLE.items()])
        self.database["users_by_email_domain"].insert_many([
            {"_id": domain, "users": users, "stamp": STAMP} for domain, users in DOMAINS.items()])
        self.database["pipeline_status"].insert_one({
            "_id": "figures", "at": datetime.now(UTC), "turn": TURN, "synthetic": synthetic,
            "totals": {"rows": 9, "read": 9, "dead": 0, "erased": 0}})


@contextmanager
def serving(settings: Settings, folder: Path) -> Iterator[View]:
    """Starts the view under gunicorn as `make up` does, on a free port; its log is `view.log` in `folder`."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "ROLLCALL_HOME": str(settings.home), "ROLLCALL_MONGO__PORT": str(settings.mongo.port),
        "ROLLCALL_MONGO__DATABASE": DATABASE, "ROLLCALL_VIEW__REFRESH_S": str(REFRESH_S)}
    command = [sys.executable, "-m", "gunicorn", "app.public.dashboard:server", "--bind", f"127.0.0.1:{port}",
               "--threads", "4", "--no-control-socket"]
    log = folder / "view.log"
    with mongo_client(settings, "stream") as client, log.open("wb") as out:
        process = subprocess.Popen(command, cwd=CLONE, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(address, process, log)
            yield View(address, client[DATABASE])
        finally:
            process.terminate()
            process.wait(20)
            client.drop_database(DATABASE)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(f"{address}/healthz", timeout=2).text == "OK":
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > limit:
            raise AssertionError(f"The view did not start:\n{log.read_text()}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
