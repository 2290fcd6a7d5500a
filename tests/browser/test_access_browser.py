"""Kafka access in a real browser, on the running systems: a team is wanted, planned, applied, asked about; users; refusals."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app import words
from app import words_access as said
from app.words_watching import SHOWN_ONCE
from engine.access.apply import Access, plan_id
from engine.access.broker import Broker
from engine.access.users import Users
from engine.settings import Settings
from engine.stores.audit import AuditLog
from governance.kafka_access.plan import Plan
from tests.browser.chromium import DESKTOP, tab_of
from tests.browser.console import PROBES, Installed, choose, console_of
from tests.governance.kafka_cases import rule

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(600),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

HEALED_WITHIN_MS = 60_000
TEAM = """teams:
  orders:
    principals:
      acc-reader:
        - {role: reader, topics: [orders-*]}
"""
READS = rule("allow acc-reader READ topic orders-*")
ODD, KEPT = rule("allow acc-reader WRITE topic odd"), rule("allow acc-reader READ topic kept")


@pytest.fixture(scope="module")
def console(stack: Settings) -> Iterator[Installed]:
    """One console for all tests of this file; Kafka is as before afterwards."""
    try:
        with console_of(stack) as running:
            yield running
    finally:
        with Broker.opened(stack) as broker:
            for one in broker.rules():
                if one.principal.startswith("User:acc-"):
                    broker.delete(one)
            for user in Users(broker).all():
                if user.name.startswith("acc-"):
                    Users(broker).delete(user.name)


@pytest.fixture
def page(console: Installed, browser: Browser) -> Iterator[Page]:
    """A tab of the Kafka admin, on the page."""
    with tab_of(browser, PROBES, viewport=DESKTOP) as tab:
        console.sign_in(tab, "kafka-admin")
        console.go(tab, "access")
        yield tab


def at(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def shown(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def reason(page: Page) -> Locator:
    """The fields of a reason that are in sight."""
    return page.get_by_label(said.WHY, exact=True).filter(visible=True)


def wanted(page: Page) -> Locator:
    """The field of what is wanted, filled: it is drawn a moment before its text is there."""
    at(page, said.WANTED)
    field = page.get_by_label(said.TEXT, exact=True)
    expect(field).not_to_have_value("")
    return field


def wants(page: Page, old: str, new: str) -> None:
    """Edits what is wanted, and saves it."""
    field = wanted(page)
    text = field.input_value()
    assert old in text
    field.fill(text.replace(old, new, 1))
    reason(page).fill("asked by the team")
    page.get_by_role("button", name=said.SAVE, exact=True).click()
    shown(page, "is what is wanted now.")


def apply(page: Page, sure: bool = False) -> None:
    """Applies the plan that the page shows."""
    at(page, said.PLAN)
    if sure:
        field = page.get_by_label(re.compile(f"^{re.escape(said.SURE)}"))
        label = field.get_attribute("aria-label") or ""
        field.fill(label.rpartition("(")[2].rstrip(")"))
    reason(page).fill("as planned")
    page.get_by_role("button", name=said.APPLY, exact=True).click()


def test_a_team_is_wanted_planned_applied_and_asked_about(console: Installed, page: Page, tmp_path: Path) -> None:
    field = wanted(page)
    field.fill(field.input_value().replace("teams:\n", TEAM.replace("role: reader", "role: readr"), 1))
    page.get_by_role("button", name=said.LOOK).click()
    expect(page.get_by_test_id("stTable").filter(has_text="write reader")).to_be_visible()
    page.get_by_role("button", name=said.BEGIN_AGAIN).click()
    expect(field).not_to_have_value(re.compile("readr"))
    wants(page, "teams:\n", TEAM)

    at(page, said.CHECKER)
    page.get_by_label(said.WHO, exact=True).fill("acc-reader")
    page.get_by_label(said.NAME, exact=True).fill("orders-1")
    choose(page, said.RESOURCE, "topic")
    page.get_by_role("button", name=said.ASK, exact=True).click()
    shown(page, f"{said.TODAY}: No: no rule allows it.")
    shown(page, f"{said.AFTER}: Yes: acc-reader may read topics that start with 'orders-' from any address.")

    at(page, said.PLAN)
    with page.expect_download() as fetched:
        page.get_by_role("button", name=said.DOWNLOAD).click()
    content = Path(fetched.value.path()).read_text()
    made = Plan.from_json(content)
    assert READS in made.creates
    assert fetched.value.suggested_filename == f"kafka-access-{plan_id(made)}.json"
    file = tmp_path / "plan.json"
    file.write_text(content)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("plan.json").first).to_be_visible()
    page.get_by_role("button", name=said.UPLOAD_DO).click()
    shown(page, said.plan_of("plan.json"))
    apply(page)
    shown(page, said.applied(2))
    with Broker.opened(console.settings) as broker:
        assert READS in broker.rules()
    at(page, said.CHECKER)
    shown(page, f"{said.TODAY}: Yes: acc-reader may read topics that start with 'orders-' from any address.")
    with AuditLog.opened(console.settings) as audit:
        steps = [one for one in audit.entries() if one.act == "access.apply"]
    assert {one.who for one in steps} == {"kafka-admin"}
    assert "create: orders's acc-reader may read topics that start with 'orders-' from any address" in {
        one.target for one in steps if one.result == "done"}


def test_drift_is_adopted_and_removed(console: Installed, page: Page) -> None:
    with Broker.opened(console.settings) as broker:
        broker.create(ODD)
        broker.create(KEPT)
    page.get_by_role("button", name=said.READ_AGAIN).click()
    at(page, said.DRIFT)
    rows = page.get_by_label(said.ROWS, exact=True)
    rows.click()
    page.get_by_role("option", name=re.compile("topic 'kept'")).click()
    page.keyboard.press("Escape")
    reason(page).fill("it was meant so")
    page.get_by_role("button", name=said.ADOPT, exact=True).click()
    shown(page, "because Kafka has it: 1 of its rules.")
    at(page, said.DRIFT)
    rows.click()
    page.get_by_role("option", name=re.compile("topic 'odd'")).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name=said.REMOVE, exact=True).click()
    shown(page, said.planned(1))
    apply(page)
    shown(page, said.applied(1))
    with Broker.opened(console.settings) as broker:
        assert KEPT in broker.rules()
        assert ODD not in broker.rules()
    with Access.opened(console.settings) as access:
        assert not access.drift()


def test_what_would_lock_out_is_refused_and_in_the_audit(console: Installed, page: Page) -> None:
    refusal = 'rules:\n  - {principal: "*", permission: deny, operation: READ, resource: topic, name: "{people}"}\n'
    text = wanted(page).input_value()
    wants(page, "rules:\n" if "rules: []" not in text else "rules: []\n", refusal)
    at(page, said.PLAN)
    shown(page, f"{said.REFUSED} rollcall's stream is protected and could no longer read")
    with Broker.opened(console.settings) as broker:
        before = broker.rules()
        apply(page, sure=True)
        shown(page, re.compile("Nothing was done: .*rollcall's stream is protected"))
        assert broker.rules() == before
    with AuditLog.opened(console.settings) as audit:
        newest = next(one for one in audit.entries() if one.act == "access.apply")
    assert (newest.who, newest.result) == ("kafka-admin", "refused")
    wants(page, refusal, "rules:\n" if "rules: []" not in text else "rules: []\n")


def test_a_user_is_made_gets_another_password_and_goes(console: Installed, page: Page) -> None:
    def users() -> set[str]:
        with Broker.opened(console.settings) as broker:
            return {user.name for user in Users(broker).all()}

    def word() -> str:
        expect(page.get_by_text(SHOWN_ONCE)).to_be_visible()
        return page.get_by_test_id("stCode").filter(visible=True).first.inner_text().strip()

    at(page, said.USERS)
    page.get_by_text(said.NEW_USER, exact=True).click()
    page.get_by_label(said.USER, exact=True).fill("acc-browser")
    reason(page).fill("a new program")
    page.get_by_role("button", name=said.CREATE, exact=True).click()
    shown(page, said.made("acc-browser"))
    first = word()
    assert len(first) == 32
    assert "acc-browser" in users()

    page.get_by_text(said.CHANGE_USER, exact=True).click()
    choose(page, said.WHICH, "acc-browser")
    for button, then in ((said.ROTATE, "has a new password"), (said.DELETE, "User acc-browser is gone")):
        page.get_by_label(said.USER_SURE, exact=True).fill("acc-browser")
        reason(page).last.fill("it was seen")
        page.get_by_role("button", name=button, exact=True).click()
        shown(page, then)
        if button == said.ROTATE:
            assert word() != first
    assert "acc-browser" not in users()
    with AuditLog.opened(console.settings) as audit:
        told = [json.dumps([one.target, one.why]) for one in audit.entries()]
    assert any("acc-browser" in one for one in told)
    assert not any(first in one for one in told)


def test_who_only_watches_has_no_act(console: Installed, browser: Browser) -> None:
    with tab_of(browser, PROBES, viewport=DESKTOP) as tab:
        console.sign_in(tab, "operator")
        console.go(tab, "access")
        at(tab, said.PLAN)
        expect(tab.get_by_text(said.NOTHING_TO_DO).or_(tab.get_by_text("to create")).first).to_be_visible()
        for act in (said.APPLY, said.SAVE, said.CREATE, said.UPLOAD_DO):
            expect(tab.get_by_role("button", name=act, exact=True)).to_have_count(0)


@pytest.mark.proof
def test_kafka_stops_while_the_page_is_open_and_it_heals(console: Installed, page: Page) -> None:
    choose(page, words.REFRESH, "2 s")
    at(page, said.USERS)
    console.processes.stop("kafka")
    try:
        gone = page.get_by_text(re.compile("Not readable since.*Kafka"))
        expect(gone.first).to_be_visible(timeout=HEALED_WITHIN_MS)
        expect(page.get_by_role("tab", name=said.USERS, exact=True)).to_have_attribute("aria-selected", "true")
    finally:
        console.processes.start("kafka")
    expect(gone).to_have_count(0, timeout=HEALED_WITHIN_MS)
    expect(page.get_by_role("tab", name=said.USERS, exact=True)).to_have_attribute("aria-selected", "true")
