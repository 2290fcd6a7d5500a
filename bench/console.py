"""How long the console takes from page to page while the stream has its hands full; beside it an empty Streamlit page.

    python -m bench.console --people 100000 --rate 1000 --sessions 10 --json docs/proofs/console.json

Sets an installation of its own up, lets people flow until so many are rows and goes on, has so many sessions open,
each on a page that refreshes itself (bench/open_session.py), and goes from page to page in one of them, in chromium, as a
person does who looks at each page for a moment. The same browser goes to and fro between two empty pages of a Streamlit
server without a door: the ratio says what is ours. Times are from the click until the page's title is there and its script
has run, in seconds. The report says how many records the stream read a second meanwhile.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from playwright.sync_api import Browser, Page, sync_playwright

from app import words
from app.listing import PAGES
from bench.installation import Installation, free_ports, installed
from bench.open_session import OpenSession
from bench.report import keep, percentiles, say
from engine.clients import cassandra_session, mongo_client
from engine.compliance.register import Register
from engine.health import counted
from engine.settings import Settings
from engine.stores.accounts import Accounts
from engine.stores.records import Records
from engine.stores.status import Status
from governance.permissions import Role

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
READY = "[data-testid=stApp][data-test-script-state=notRunning]"
EMPTY = """import streamlit as st
def one() -> None:
    st.title("One", anchor=False)
def two() -> None:
    st.title("Two", anchor=False)
st.navigation([st.Page(one, title="One"), st.Page(two, title="Two")]).run()
"""
ALLOWED_S = 1.0
LOOKED_AT_S = 2.0
"""Seconds a page is looked at. A browser that clicks without a pause takes a core of the two for itself: then it is the
browser that is measured, and a stream that has no core to run on."""


def main(
    people: Annotated[int, typer.Option(help="Rows before it is measured.")] = 100_000,
    rate: Annotated[float, typer.Option(help="People a second that are sent.")] = 1000.0,
    sessions: Annotated[int, typer.Option(help="Sessions that are open.")] = 10,
    rounds: Annotated[int, typer.Option(help="Times each page is gone to.")] = 20,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if the 95th percentile is above a second."""
    with tempfile.TemporaryDirectory(prefix="rollcall-console-") as home:
        report = run(Path(home) / "var", people, rate, sessions, rounds)
    keep(report, as_json)
    raise typer.Exit(0 if report["p95_s"] <= ALLOWED_S else 1)


def run(home: Path, people: int, rate: float, sessions: int, rounds: int) -> dict[str, Any]:
    """Sets everything up, measures, ends everything."""
    with installed(home, say, producer={"source": "synthetic", "rate": rate}, synthetic={"repeats": 0.0, "updates": 0.0},
                   spark={"driver_memory": "1g"}) as one:
        settings = one.settings
        with cassandra_session(settings, "governance") as session:
            password = Accounts(settings, session).add("bench", [role.value for role in Role])
            Register(Records(settings, session)).seed("system bench")
        one.processes.start("stream", "producer", "console")
        say("waiting until people are rows")
        one.until("the console answers", lambda: _answers(f"http://127.0.0.1:{settings.console.port}/healthz"))
        one.until(f"{people} people are rows", lambda: _users(settings) >= people)
        before, began = _read(settings), time.monotonic()
        with ExitStack() as opened:
            browser = opened.enter_context(_chromium())
            address = f"http://127.0.0.1:{settings.console.port}"
            others = [OpenSession(address, "bench", password, ("flow", "stream", "aggregates")[number % 3])
                      for number in range(sessions - 1)]
            for session_of_others in others:
                session_of_others.start()
                opened.callback(session_of_others.close)
            ours = _signed_in(browser, settings, password)
            empty = opened.enter_context(_empty(browser, one))
            times: dict[str, list[float]] = {page.key: [] for page in PAGES}
            blank: list[float] = []
            for turn in range(rounds):
                for page in PAGES:
                    times[page.key].append(_gone(ours, page.title))
                    blank.append(_gone(empty, ("One", "Two")[len(blank) % 2]))
                    time.sleep(LOOKED_AT_S)
                say(f"round {turn + 1} of {rounds}")
            runs, broken = [one.runs for one in others], [one.broken for one in others if one.broken]
            if broken or not all(runs):
                raise AssertionError(f"sessions that should be open are not: {broken or runs}")
        flowing = (_read(settings) - before) / (time.monotonic() - began)
        with cassandra_session(settings, "console") as session:
            rows = counted(settings, session)
        return _report(times, blank, sessions, sum(runs), flowing, rows.all if rows else None)


def _report(times: dict[str, list[float]], blank: list[float], sessions: int, runs: int,
            flowing: float, rows: int | None) -> dict[str, Any]:
    every = [taken for some in times.values() for taken in some]
    p95, empty_p95 = (percentiles(some, (95,))["p95"] for some in (every, blank))
    return {
        "sessions": sessions, "runs_of_other_sessions": runs, "rows": rows,
        "records_read_a_second_meanwhile": round(flowing, 1), "visits": len(every),
        "p50_s": round(statistics.median(every), 3), "p95_s": p95,
        "empty_p50_s": round(statistics.median(blank), 3),
        "empty_p95_s": empty_p95, "ratio_p50": round(statistics.median(every) / statistics.median(blank), 2),
        "ratio_p95": round(p95 / empty_p95, 2),
        "by_page": {key: {"p50_s": round(statistics.median(some), 3), "in_turn_s": [round(taken, 3) for taken in some]}
                    for key, some in times.items()}}


def _gone(page: Page, title: str) -> float:
    """Seconds from the click on a page's link until it is there."""
    link = page.get_by_test_id("stSidebarNavLink").filter(has_text=title).first
    heading = page.get_by_role("heading", name=title, exact=True, level=1)
    began = time.perf_counter()
    link.click(timeout=60_000)
    heading.wait_for(timeout=60_000)
    page.locator(READY).wait_for(timeout=60_000)
    return time.perf_counter() - began


def _signed_in(browser: Browser, settings: Settings, password: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"http://127.0.0.1:{settings.console.port}/sign-in", timeout=60_000)
    page.get_by_label(words.ACCOUNT).fill("bench")
    page.get_by_label(words.PASSWORD).fill(password)
    page.get_by_role("button", name=words.SIGN_IN, exact=True).click()
    page.locator(READY).wait_for(timeout=60_000)
    return page


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def _empty(browser: Browser, one: Installation) -> Iterator[Page]:
    """A page of a Streamlit server that does nothing."""
    script, port = one.settings.home / "empty.py", free_ports(1)[0]
    script.write_text(EMPTY)
    server = subprocess.Popen([sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port),
                               "--server.address", "127.0.0.1", "--server.headless", "true"],
                              stdout=subprocess.DEVNULL, cwd=one.settings.home)
    try:
        one.until("the empty page answers", lambda: _answers(f"http://127.0.0.1:{port}/_stcore/health"))
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(f"http://127.0.0.1:{port}/", timeout=60_000)
        page.locator(READY).wait_for(timeout=60_000)
        yield page
    finally:
        server.terminate()
        server.wait(30)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _users(settings: Settings) -> int:
    return int(_figures(settings).get("totals", {}).get("new", 0))


def _read(settings: Settings) -> int:
    return int(_figures(settings).get("totals", {}).get("read", 0))


def _figures(settings: Settings) -> dict[str, Any]:
    with mongo_client(settings, "console") as client:
        return Status(client[settings.mongo.database]).read("figures") or {}


if __name__ == "__main__":
    typer.run(main)
