"""How fast the public view answers, and how soon a browser shows it: a year of hourly releases is stored, the newest of 1,000
people, then of 1,000,000.

    python -m bench.public --json docs/proofs/public.json

Starts a MongoDB and the view alone, as `rollcall up` starts it, publishes, and asks for the page, what Dash draws from, files
and what a browser knows already, so many times a second: at its time each, whether the one before was answered or not, so
that a wait counts for all who wait. Then chromium opens the page as somebody who was never there. What a machine does beside
shows in the figures; `load` says how much that was. What is limited is the 95th percentile of answers, the median of first
views, and both medians of the larger release by those of the smaller; the worst of each is reported.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from playwright.sync_api import sync_playwright

from app.public.data import newest
from bench import view_store
from bench.console import CHROMIUM, FLAGS
from bench.installation import settings_toml
from bench.report import keep
from engine.mongo import mongo_client
from engine.settings import CLONE, Settings, load

SIZES = (1_000, 1_000_000)
STORED = 8_760
"""Releases of a year, one an hour."""
PATHS = ("/", "/", "/_dash-layout", "/version", "/csv/nationalities.csv", "/ again", "/_dash-layout again")
"""In turn; `again`: as a browser asks that has it."""
CONNECTIONS = 40
P95_MS, VIEW_S, RATIO = 50.0, 1.5, 1.5
LIMIT_S = 120.0
LOOKS = 5


def main(
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 200.0,
    seconds: Annotated[float, typer.Option(help="Seconds they are sent for, for each size.")] = 30.0,
    views: Annotated[int, typer.Option(help="Times a browser opens the page, for each size.")] = 10,
    stored: Annotated[int, typer.Option(help="Releases that are stored.")] = STORED,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if the 95th percentile of answers is above 50 ms, the median first view above 1.5 s, or the median of
    either for the larger release more than 1.5 times that for the smaller."""
    with tempfile.TemporaryDirectory(prefix="rollcall-public-") as home:
        report = run(Path(home) / "var", rate, seconds, views, stored)
    keep(report, as_json)
    found = beyond(report)
    for what in found:
        typer.echo(what, err=True)
    raise typer.Exit(1 if found else 0)


def beyond(report: dict[str, Any]) -> list[str]:
    """What of a report is beyond its limit."""
    found = [f"{people} people: {what}" for people, one in report["by_people"].items() for what, bad in (
        (f"{one['failed']} requests failed", one["failed"]),
        (f"95 of 100 answers within {one['p95_ms']} ms, not {P95_MS}", one["p95_ms"] > P95_MS),
        (f"half of first views within {one['first_view']['whole_p50_s']} s, not {VIEW_S}",
         one["first_view"]["whole_p50_s"] > VIEW_S)) if bad]
    return found + [f"{name} of the larger release is {ratio} times that of the smaller, not {RATIO}"
                    for name, ratio in report["larger_by_smaller"].items() if ratio > RATIO]


def ratios(by_people: dict[str, Any]) -> dict[str, float]:
    """The medians of the larger release by those of the smaller."""
    smaller, larger = (by_people[str(people)] for people in SIZES)
    return {"p50_ms": round(larger["p50_ms"] / smaller["p50_ms"], 2),
            "whole_p50_s": round(larger["first_view"]["whole_p50_s"] / smaller["first_view"]["whole_p50_s"], 2)}


def run(home: Path, rate: float, seconds: float, views: int, stored: int) -> dict[str, Any]:
    """Sets everything up, measures, ends everything."""
    home.mkdir()
    (home / "settings.toml").write_text(settings_toml())
    os.environ["ROLLCALL_HOME"] = str(home)
    settings = load()
    found: dict[str, Any] = {}
    with view_store.mongo_alone(settings), _serving(settings) as address:
        for number, people in enumerate(SIZES, start=stored):
            made = view_store.released(view_store.figures(people, datetime.now(UTC))).snapshot
            documents = view_store.hourly(made.model_copy(update={"number": number}), stored)
            view_store.put(settings, settings.mongo.database, *documents)
            _until_shown(address, number)
            found[str(people)] = {**asyncio.run(_asked(address, rate, seconds)), "first_view": _viewed(address, views),
                                  "look_s": _looked(settings), "load": round(os.getloadavg()[0], 1)}
            typer.echo(f"{people} people: {found[str(people)]}", err=True)
    return {"rate": rate, "seconds": seconds, "stored": stored, "by_people": found, "larger_by_smaller": ratios(found)}


@contextmanager
def _serving(settings: Settings) -> Iterator[str]:
    """The view as engine/processes.py starts it."""
    address = f"http://{settings.view.host}:{settings.view.port}"
    server = subprocess.Popen(
        ["nice", "-n", "10", sys.executable, "-m", "gunicorn", "--bind", urlsplit(address).netloc, "--workers", "1",
         "--threads", "4", "--no-control-socket", "app.public.dashboard:server"],
        cwd=CLONE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _until_shown(address: str, number: int) -> None:
    limit = time.monotonic() + LIMIT_S
    while True:
        try:
            if httpx.get(f"{address}/version", timeout=5).text.startswith(f"{number}-current-"):
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > limit:
            raise AssertionError(f"release {number} is never shown")
        time.sleep(0.2)


def _looked(settings: Settings) -> float:
    """Median seconds of a look into the store, of which there is one for everybody every few seconds."""
    taken = []
    with mongo_client(settings, "view") as client:
        for _ in range(LOOKS):
            began = time.perf_counter()
            newest(client[settings.mongo.database], None)
            taken.append(time.perf_counter() - began)
    return round(statistics.median(taken), 3)


async def _asked(address: str, rate: float, seconds: float) -> dict[str, Any]:
    """Answers to `rate` requests a second: their times from when each was due, in ms."""
    where = urlsplit(address)
    etag = httpx.get(address).headers["ETag"]
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(None)
    taken: list[float] = []
    answers: dict[int, int] = {}

    async def one(number: int, due: float) -> None:
        path, _, again = PATHS[number % len(PATHS)].partition(" ")
        known = f"If-None-Match: {etag}\r\n" if again else ""
        connection = await free.get()
        try:
            for attempt in range(2):    # a connection that was kept may have been closed meanwhile
                if connection is None:
                    connection = await asyncio.open_connection(where.hostname, where.port)
                try:
                    code = await _get(connection, f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n{known}\r\n")
                    break
                except (ConnectionError, asyncio.IncompleteReadError):
                    connection[1].close()
                    connection = None
                    if attempt:
                        raise
        except (ConnectionError, asyncio.IncompleteReadError):
            code = 0
        finally:
            free.put_nowait(connection)
        taken.append(1000 * (time.perf_counter() - due))
        answers[code] = answers.get(code, 0) + 1

    began = time.perf_counter()
    waiting = []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*waiting)
    lasted = time.perf_counter() - began
    hundredths = statistics.quantiles(taken, n=100, method="inclusive")
    return {"requests": len(taken), "answered_a_second": round(len(taken) / lasted, 1),
            "p50_ms": round(hundredths[49], 2), "p95_ms": round(hundredths[94], 2), "p99_ms": round(hundredths[98], 2),
            "worst_ms": round(max(taken), 2),
            "answers": {str(code): count for code, count in sorted(answers.items())},
            "failed": sum(count for code, count in answers.items() if code not in (200, 304))}


async def _get(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: str) -> int:
    """Sends a request, reads its whole answer, and returns its status."""
    reader, writer = connection
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), 0)
    code = int(head.split()[1])
    if code != 304:
        await reader.readexactly(length)
    return code


def _viewed(address: str, views: int) -> dict[str, float]:
    """Seconds from going to the page, with nothing kept, until its text and until its map and last chart are there."""
    text, whole = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(views + 1):    # the first one also starts the browser's own processes, and does not count
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            began = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.locator(".card.people dd:visible").first.wait_for()
            text.append(time.perf_counter() - began)
            page.locator("#nationalities-map .choroplethlayer path").first.wait_for(state="attached")
            page.locator("#arrivals-bars .bars .point").first.wait_for(state="attached")
            whole.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return {"text_p50_s": round(statistics.median(text[1:]), 3), "whole_p50_s": round(statistics.median(whole[1:]), 3),
            "whole_worst_s": round(max(whole[1:]), 3)}


if __name__ == "__main__":
    typer.run(main)
