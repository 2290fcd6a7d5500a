"""An erasure in a real browser, from its receipt to its proof: on the running systems, with the stream at work."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app import words_requests as words
from engine.clients import cassandra_session
from engine.compliance.requests import Requests
from engine.rights.packages import Packages
from engine.sealing import load_keys
from engine.settings import CLONE, Settings
from engine.stores.audit import AuditLog
from engine.stores.records import Records
from governance.requests.request import State
from tests.browser.chromium import DESKTOP, tab_of
from tests.browser.console import PROBES, Installed, choose, console_of
from tests.conftest import home_of
from tests.people import CAPTURED, captured
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(900),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

PERSON = captured("1.4")[0]
UUID = PERSON["login"]["uuid"]
OTHER = captured("1.4")[1]["login"]["uuid"]
STEP_WITHIN_MS = 240_000
STARTED_WITHIN_S = 240


@pytest.fixture(scope="module")
def console(stack: Settings) -> Iterator[Installed]:
    """A console, and a stream that has stored 115 people."""
    with console_of(stack) as running:
        running.processes.start("stream")
        subprocess.run([sys.executable, "-m", "engine.cli", "produce", "--source", "replay", "--file", str(CAPTURED["1.4"])],
                       cwd=CLONE, env=home_of(stack), check=True, capture_output=True)
        until("the people are stored", lambda: {UUID, OTHER} <= stored(running), STARTED_WITHIN_S)
        yield running


@pytest.fixture
def page(console: Installed, browser: Browser) -> Iterator[Page]:
    """A tab of the officer, on the page of requests."""
    with tab_of(browser, (*PROBES, "/package/"), viewport=DESKTOP) as tab:
        console.sign_in(tab, "officer")
        console.go(tab, "requests")
        yield tab


def stored(console: Installed) -> set[str]:
    with cassandra_session(console.settings, "console") as session:
        return {str(row.uuid) for row in session.execute(f"SELECT uuid FROM {console.settings.cassandra.keyspace}.profiles")}


def logged(console: Installed, page: Page, kind: str, uuid: str) -> str:
    """Logs a request and says that it is known who asks; returns its number."""
    page.get_by_text(words.NEW, exact=True).click()
    choose(page, words.KIND, kind)
    page.get_by_label(words.CHANNEL, exact=True).fill("letter")
    page.get_by_label(words.UUID, exact=True).fill(uuid)
    page.get_by_role("button", name=words.LOG, exact=True).click()
    expect(page.get_by_text("It must be answered by", exact=False)).to_be_visible()
    with Records.opened(console.settings) as records:
        newest = Requests(console.settings, records, load_keys(console.settings)).all()[-1].request
    page.get_by_role("tab", name=words.CLOCK_TAB, exact=True).click()
    expect(page.get_by_text("Art. 3(2)(c) of Regulation 1182/71", exact=False)).to_be_visible()
    page.get_by_role("tab", name=words.DECIDE_TAB, exact=True).click()
    page.get_by_label(words.IDENTIFIED_HOW, exact=True).fill("signed in to their account")
    page.get_by_role("button", name=words.IDENTIFIED, exact=True).click()
    expect(page.get_by_text(words.changed(newest.ref, 2, State.UNDERWAY))).to_be_visible()
    return newest.ref


def run(page: Page, ref: str, name: str) -> None:
    """Runs a step of the product, and waits until it is done."""
    page.get_by_role("tab", name=words.STEPS_TAB, exact=True).click()
    page.get_by_role("button", name=words.run_of(name, False, False)).click()
    expect(page.get_by_text(f"{ref}, {name}: ", exact=False)).to_be_visible(timeout=STEP_WITHIN_MS)


def did(page: Page, ref: str, name: str, evidence: str) -> None:
    """Keeps what the officer did."""
    page.get_by_role("tab", name=words.STEPS_TAB, exact=True).click()
    page.get_by_label(words.EVIDENCE, exact=True).fill(evidence)
    page.get_by_role("button", name=words.KEEP, exact=True).click()
    expect(page.get_by_text(f"{ref}, {name}: ", exact=False)).to_be_visible()


def test_an_erasure_from_receipt_to_proof(console: Installed, page: Page) -> None:
    ref = logged(console, page, "Erasure (Art. 17 GDPR)", UUID)
    run(page, ref, "find")
    page.get_by_label(words.CONFIRM, exact=True).fill("another")
    page.get_by_role("button", name=words.run_of("erase", False, False)).click()
    expect(page.get_by_text(words.UNSURE)).to_be_visible()
    assert UUID in stored(console), "nothing was done"
    page.get_by_label(words.CONFIRM, exact=True).fill(ref)
    page.get_by_label(words.CONFIRM, exact=True).press("Enter")
    run(page, ref, "erase")
    assert UUID not in stored(console)
    assert OTHER in stored(console), "everyone else is untouched"
    expect(page.get_by_role("heading", name=words.VERDICTS)).to_be_visible()
    did(page, ref, "recipients", "looked into the register")
    page.get_by_role("tab", name=words.LETTERS_TAB, exact=True).click()
    choose(page, words.LETTER, words.LETTERS["done"])
    page.get_by_role("button", name=words.PREPARE).click()
    with page.expect_download() as fetched:
        page.get_by_role("button", name=words.DOWNLOAD).click()
    letter = Path(fetched.value.path()).read_text()
    assert "Where data about you stood" in letter
    assert "NOT ERASED" not in letter
    assert "Draft" not in letter
    did(page, ref, "answer", "letter of today")
    page.get_by_role("button", name=words.CLOSE, exact=True).click()
    expect(page.get_by_text(words.closed(ref))).to_be_visible()
    with Records.opened(console.settings) as records:
        requests = Requests(console.settings, records, load_keys(console.settings))
        proof = requests.newest(ref).request
        assert proof.state is State.CLOSED
        assert requests.subject(ref) is None
    verdicts = [one for each in proof.runs if each.result for one in each.result.verdicts]
    assert {one.store for one in verdicts} >= {"cassandra:profiles", "kafka:people", "mongo"}
    assert not any(one.red for one in verdicts)
    text = json.dumps(proof.model_dump(mode="json")).lower()
    for value in (UUID, PERSON["email"], PERSON["name"]["last"].lower()):
        assert value.lower() not in text, "the proof holds nobody"
    with AuditLog.opened(console.settings) as audit:
        acts = {(one.who, one.act, one.target, one.result) for one in audit.entries()}
        assert audit.broken() == []
    assert {("officer", "requests.run", f"{ref} erase", "done"), ("officer", "requests.change", ref, "done")} <= acts


def test_a_package_is_fetched_by_its_link_once(console: Installed, page: Page, browser: Browser) -> None:
    ref = logged(console, page, "Access (Art. 15 GDPR)", OTHER)
    run(page, ref, "find")
    run(page, ref, "package")
    page.get_by_role("tab", name=words.LETTERS_TAB, exact=True).click()
    page.get_by_role("button", name=words.LINK).click()
    link = page.locator("[data-testid=stCode] code").inner_text().strip()
    assert link.startswith(f"{console.address}/package/")
    with tab_of(browser, ("/package/",)) as stranger:
        stranger.goto(link)
        with Packages.opened(console.settings) as packages:
            assert (state := packages.state(ref)) is not None
            assert state.taken_at is None, "whoever only looks has not fetched it"
        with stranger.expect_download() as fetched:
            stranger.get_by_role("button", name=words.FETCH).click()
        assert fetched.value.suggested_filename == f"{ref}.zip"
        assert Path(fetched.value.path()).read_bytes().startswith(b"PK")
        stranger.goto(link)
        stranger.get_by_role("button", name=words.FETCH).click()
        expect(stranger.get_by_text(words.LINK_USED)).to_be_visible()
        stranger.goto(f"{console.address}/package/nothing")
        stranger.get_by_role("button", name=words.FETCH).click()
        expect(stranger.get_by_text(words.LINK_ENDED)).to_be_visible()
    log = (console.settings.logs_dir / "console.log").read_text(errors="replace")
    assert link.rpartition("/")[2] not in log, "a link stands in no log"
