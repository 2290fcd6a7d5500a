"""The console in a real browser, on the running systems: the journeys of an operator and an officer, and stores that stop.

A test fails on a console error, a page error or a request that leaves this machine.
"""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app import words
from app.listing import BY_KEY, PAGES
from engine.clients import cassandra_session, mongo_client
from engine.processes import left_over
from engine.settings import Settings
from engine.stores.accounts import Accounts
from engine.stores.audit import AuditLog
from engine.stores.status import Status
from governance.audit import Entry
from governance.permissions import allowed
from tests.browser.chromium import DESKTOP, PHONE, tab_of
from tests.browser.console import PROBES, Installed, badge, cells, choose, console_of, number_of
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(600),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

MOVES_WITHIN_S = 60.0
HEALED_WITHIN_MS = 60_000
TABS = 80
KEYS = [page.key for page in PAGES]


@pytest.fixture(scope="module")
def console(stack: Settings) -> Iterator[Installed]:
    """One console for all tests of this file; the first test makes the flow run, later ones find its people."""
    with console_of(stack) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of a desktop."""
    with tab_of(browser, PROBES, viewport=DESKTOP) as tab:
        yield tab


def test_an_operator_starts_the_flow_sees_people_arrive_and_stops_it(console: Installed, page: Page) -> None:
    console.sign_in(page, "operator")
    console.shown(page, "flow")
    choose(page, words.REFRESH, "2 s")
    console.follow(page, "producer")
    page.get_by_text(words.CHANGE, exact=True).click()
    choose(page, words.SOURCE_LABEL, "synthetic")
    page.get_by_label(words.RATE_LABEL).fill("60")
    page.get_by_role("button", name=words.APPLY).click()
    expect(page.get_by_text(words.changed("synthetic", 60.0))).to_be_visible()
    page.get_by_role("button", name=words.START).click()
    expect(page.get_by_text(words.started("producer"))).to_be_visible()
    console.follow(page, "stream")
    page.get_by_role("button", name=words.START).click()
    expect(page.get_by_text(words.started("stream"))).to_be_visible()
    console.follow(page, "flow")
    with mongo_client(console.settings, "console") as client:
        status = Status(client[console.settings.mongo.database])
        until("the first batch is done", lambda: (status.read("figures") or {}).get("totals", {}).get("new"), 240)
    done = time.monotonic()
    first = until("the count moves", lambda: max(0, number_of(page, words.COUNTED)), MOVES_WITHIN_S)
    assert time.monotonic() - done < MOVES_WITHIN_S
    until("and goes on", lambda: number_of(page, words.COUNTED) > first, MOVES_WITHIN_S + 10)
    console.follow(page, "profiles")
    choose(page, words.NATIONALITY, "France")
    until("only people of France are listed", lambda: set(cells(page, 2)) == {"FR"}, MOVES_WITHIN_S)
    for program in ("producer", "stream"):
        console.follow(page, program)
        page.get_by_role("button", name=words.STOP).click()
        expect(badge(page, "stopped")).to_be_visible(timeout=HEALED_WITHIN_MS)
    assert [console.processes.status()[name].state for name in ("producer", "stream")] == ["stopped", "stopped"]
    wanted = {("operator", act, "done") for act in (
        "producer.change", "producer.start", "stream.start", "producer.stop", "stream.stop")}
    with AuditLog.opened(console.settings) as audit:
        until("the audit has it all", lambda: wanted <= {(one.who, one.act, one.result) for one in audit.entries()})
        assert audit.broken() == []
    with mongo_client(console.settings, "console") as client:
        figures = Status(client[console.settings.mongo.database]).read("figures")
    assert figures is not None
    assert figures["synthetic"]


def someone(console: Installed) -> str:
    """The uuid of a person who is stored."""
    with cassandra_session(console.settings, "console") as session:
        return str(session.execute(f"SELECT uuid FROM {console.settings.cassandra.keyspace}.profiles LIMIT 1").one().uuid)


def test_the_officer_reveals_one_person_with_a_reason_and_the_audit_has_it(console: Installed, page: Page) -> None:
    who = someone(console)
    console.sign_in(page, "officer")
    console.go(page, "profiles")
    page.get_by_text(words.REVEAL, exact=True).click()
    page.get_by_label(words.REVEAL_WHO).fill(who)
    page.get_by_label(words.REVEAL_WHY).fill("short")
    page.get_by_role("button", name=words.REVEAL_DO, exact=True).click()
    expect(page.get_by_text(words.NO_REASON)).to_be_visible()
    page.get_by_label(words.REVEAL_WHY).fill("asked by the person herself, request R-17")
    page.get_by_role("button", name=words.REVEAL_DO, exact=True).click()
    expect(page.get_by_text(words.REVEALED)).to_be_visible()
    expect(page.get_by_text("@", exact=False).first).to_be_visible()
    page.get_by_role("button", name=words.REVEAL_HIDE).click()
    expect(page.get_by_role("button", name=words.REVEAL_HIDE)).to_have_count(0)
    with AuditLog.opened(console.settings) as audit:
        newest = [entry for entry in audit.entries() if entry.act == "profiles.reveal"]
    assert [(entry.who, entry.result) for entry in newest] == [("officer", "done"), ("officer", "begun")]
    assert all(entry.why == "asked by the person herself, request R-17" for entry in newest)
    assert all(who not in entry.text for entry in newest), "the audit holds a token, not the person"


@pytest.mark.parametrize("role", ["operator", "officer", "kafka-admin", "analyst", "admin"])
def test_each_role_sees_its_own_pages(console: Installed, page: Page, role: str) -> None:
    console.sign_in(page, role)
    wanted = [one.title for one in PAGES if allowed([role.replace("-", " ")], one.action)]
    expect(page.get_by_role("heading", name=wanted[0], exact=True, level=1)).to_be_visible()
    links = page.get_by_test_id("stSidebarNavLink")
    if len(wanted) == 1:    # Streamlit shows no list of one
        expect(links).to_have_count(0)
        return
    expect(links).to_have_count(len(wanted))
    assert [link.inner_text().splitlines()[-1] for link in links.all()] == wanted


def test_a_stranger_gets_nothing_from_the_real_server(console: Installed) -> None:
    stems = [Path(one.file).stem for one in PAGES]
    with httpx.Client(base_url=console.address, follow_redirects=False) as client:
        for path in ("/", *(f"/{key}" for key in KEYS), *(f"/{stem}" for stem in stems), "/_stcore/health",
                     "/_stcore/host-config", "/_stcore/metrics", "/static/js/x.js", "/media/x", "/component/x/y",
                     "/app/static/settings.toml",
                     "/_stcore/upload_file/a/b", "/_stcore/script-health-check"):
            answer = client.get(path)
            assert (answer.status_code, answer.text) == (401, words.STRANGER), path
            assert client.get(path, headers={"accept": "text/html"}).status_code == 303, path
        assert client.get("/healthz").text == "ok"


@pytest.mark.parametrize("cookie", [
    "", "Cookie: rollcall_session=guessed\r\n", "X-Console-Session: s\r\nX-Console-Name: admin\r\n"])
def test_a_raw_websocket_client_is_refused(console: Installed, cookie: str) -> None:
    port = console.settings.console.port
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        raw.sendall((f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Origin: http://127.0.0.1:{port}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     f"Sec-WebSocket-Version: 13\r\n{cookie}\r\n").encode())
        answer = raw.recv(4096).decode()
    assert " 101 " not in answer
    assert answer.startswith("HTTP/1.1 403")


def test_two_who_press_start_make_one_producer(console: Installed, browser: Browser) -> None:
    try:
        with tab_of(browser, PROBES, viewport=DESKTOP) as one, tab_of(browser, PROBES, viewport=DESKTOP) as other:
            for tab in (one, other):
                console.sign_in(tab, "operator")
                console.go(tab, "producer")
            buttons = [tab.get_by_role("button", name=words.START) for tab in (one, other)]
            for button in buttons:
                expect(button).to_be_enabled()
            for button in buttons:
                button.click(no_wait_after=True)
            expect(badge(one, "running")).to_be_visible()
            expect(badge(other, "running")).to_be_visible()
        assert len(left_over(console.settings, ("producer",))) == 1
    finally:
        console.processes.stop("producer")


def test_a_phone_and_a_keyboard_are_enough_to_start_and_stop(console: Installed, browser: Browser) -> None:
    with tab_of(browser, PROBES, viewport=PHONE) as page:
        page.goto(f"{console.address}/sign-in")
        reach(page, page.get_by_label(words.ACCOUNT))
        page.keyboard.type("operator")
        reach(page, page.get_by_label(words.PASSWORD))
        page.keyboard.type(console.passwords["operator"])
        page.keyboard.press("Enter")
        console.shown(page, "flow")
        press(page, page.get_by_test_id("stExpandSidebarButton"))
        press(page, page.get_by_test_id("stSidebarNavLink").filter(has_text=BY_KEY["producer"].title))
        console.shown(page, "producer")
        try:
            press(page, page.get_by_role("button", name=words.START))
            expect(badge(page, "running")).to_be_visible()
            press(page, page.get_by_role("button", name=words.STOP))
            expect(badge(page, "stopped")).to_be_visible(timeout=HEALED_WITHIN_MS)
        finally:
            console.processes.stop("producer")


def reach(page: Page, wanted: Locator) -> None:
    """Goes on by the Tab key until it is there."""
    expect(wanted).to_be_visible()
    for _ in range(TABS):
        if wanted.evaluate("there => there.contains(document.activeElement)"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way by keyboard to {wanted}")


def press(page: Page, wanted: Locator) -> None:
    """Reaches it, and presses Enter."""
    expect(wanted).to_be_enabled()
    reach(page, wanted)
    page.keyboard.press("Enter")


BROKEN = {"mongo": ("aggregates", "MongoDB", words.COUNTED), "kafka": ("letters", "Kafka", words.READ_AGAIN),
          "cassandra": ("profiles", "Cassandra", "Page 1: ")}


@pytest.mark.parametrize("store", ["mongo", *(pytest.param(name, marks=pytest.mark.proof) for name in ("kafka", "cassandra"))])
def test_a_page_whose_store_stops_stays_says_since_when_and_heals(console: Installed, page: Page, store: str) -> None:
    key, name, whole = BROKEN[store]
    console.sign_in(page, "both")
    console.go(page, key)
    expect(page.get_by_text(whole).first).to_be_visible()
    console.processes.stop(store)
    try:
        said = page.get_by_text(re.compile(f"{name}.*since|since.*{name}"))
        expect(said.first).to_be_visible(timeout=HEALED_WITHIN_MS)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    finally:
        console.processes.start(store)
    expect(said).to_have_count(0, timeout=HEALED_WITHIN_MS)
    expect(page.get_by_text(whole).first).to_be_visible(timeout=HEALED_WITHIN_MS)


@pytest.mark.proof
def test_while_cassandra_is_away_who_is_signed_in_stops_what_runs_and_nothing_is_revealed(
        console: Installed, browser: Browser) -> None:
    who, began = someone(console), datetime.now(UTC)
    with tab_of(browser, PROBES, viewport=DESKTOP) as operator, tab_of(browser, PROBES, viewport=DESKTOP) as officer, \
            mongo_client(console.settings, "console") as client:
        status = Status(client[console.settings.mongo.database])
        console.sign_in(operator, "operator")
        console.sign_in(officer, "officer")
        console.go(officer, "profiles")
        officer.get_by_text(words.REVEAL, exact=True).click()
        officer.get_by_label(words.REVEAL_WHO).fill(who)
        officer.get_by_label(words.REVEAL_WHY).fill("asked by the person herself, request R-18")
        before = (status.read("figures") or {}).get("turn")
        console.processes.start("producer", "stream")
        try:
            until("the stream has done a turn", lambda: (status.read("figures") or {}).get("turn") != before, 120)
            cassandra = console.processes.status()["cassandra"].pid
            assert cassandra is not None
            os.kill(cassandra, signal.SIGSTOP)    # not stopped yet, or the page would take the form away before the click
            officer.get_by_role("button", name=words.REVEAL_DO, exact=True).click()
            expect(officer.get_by_text(re.compile("Not done.*Cassandra does not answer")).first).to_be_visible()
            console.processes.stop("cassandra")
            until("the stream waits", lambda: (status.read("waiting") or {}).get("for") == "Cassandra", 60)
            console.follow(operator, "flow")
            expect(operator.get_by_text("your session cannot be confirmed")).to_be_visible()
            for program in ("stream", "producer"):
                console.follow(operator, program)
                operator.get_by_role("button", name=words.STOP).click()
                expect(badge(operator, "stopped")).to_be_visible(timeout=HEALED_WITHIN_MS)
            assert [console.processes.status()[name].state for name in ("stream", "producer")] == ["stopped", "stopped"]
            expect(officer.get_by_role("button", name=words.REVEAL_HIDE)).to_have_count(0)
        finally:
            console.processes.stop("producer", "stream")
            console.processes.start("cassandra")
        expect(officer.get_by_text("Page 1: ")).to_be_visible(timeout=HEALED_WITHIN_MS)
        expect(officer.get_by_role("button", name=words.REVEAL_HIDE)).to_have_count(0)
        console.go(officer, "audit")    # whoever opens it has the entries that wait in the file chained in
    with AuditLog.opened(console.settings) as audit:
        stopped = {("operator", f"{program}.stop", "done") for program in ("stream", "producer")}
        assert stopped <= {(one.who, one.act, one.result) for one in newest(audit)}
        refused = [one for one in newest(audit) if (one.who, one.act) == ("officer", "profiles.reveal") and one.at > began]
    assert {one.result for one in refused} <= {"refused"}, "what was not shown is not said to be"


def newest(audit: AuditLog) -> list[Entry]:
    """The newest entries: those of one test."""
    return list(islice(audit.entries(), 20))


def test_a_page_that_is_open_is_emptied_when_its_session_is_ended(console: Installed, browser: Browser) -> None:
    # the page goes on asking, and is refused at the door; it is none of those that a stranger has
    refused = ("/_stcore/stream", "WebSocket", "does not seem to exist", "(Unauthorized)")
    with tab_of(browser, (*PROBES, *refused), viewport=DESKTOP) as page:
        console.sign_in(page, "officer")
        console.go(page, "profiles")
        expect(page.get_by_text("Page 1: ")).to_be_visible()
        with cassandra_session(console.settings, "governance") as session:
            assert Accounts(console.settings, session).end_all("officer") >= 1
        expect(page.get_by_role("heading", name=words.SIGN_IN)).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Page 1: ")).to_have_count(0)


def test_signing_out_ends_the_page_that_is_open(console: Installed, page: Page) -> None:
    console.sign_in(page, "analyst")
    console.shown(page, "aggregates")
    page.get_by_role("link", name=words.SIGN_OUT).click()
    page.get_by_role("button", name=words.SIGN_OUT, exact=True).click()
    expect(page.get_by_label(words.PASSWORD)).to_be_visible()
    page.goto(f"{console.address}/aggregates")
    expect(page.get_by_label(words.PASSWORD)).to_be_visible()
