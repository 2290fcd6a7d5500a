"""The officer's pages in a real browser: an edit, two at once, a publication, files that are fetched, retention, a breach."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from python_calamine import CalamineWorkbook

from app import words_law as words
from engine.compliance.breaches import Breaches
from engine.compliance.forms import Form
from engine.compliance.register import Register
from engine.compliance.sheets import written
from engine.settings import Settings
from engine.stores.audit import AuditLog
from engine.stores.records import Records
from governance.sheets.cnil_form import PURPOSE
from tests.browser.chromium import DESKTOP, tab_of
from tests.browser.console import PROBES, Installed, console_of, pick
from tests.governance.workbooks import edited, place, sheets

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(600),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

ENTRY = "people-stream"
CHECKED_WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def console(stack: Settings) -> Iterator[Installed]:
    """One console for all tests of this file."""
    with console_of(stack) as running:
        yield running


@pytest.fixture
def page(console: Installed, browser: Browser) -> Iterator[Page]:
    """A tab of the officer."""
    with tab_of(browser, PROBES, viewport=DESKTOP) as tab:
        console.sign_in(tab, "officer")
        yield tab


def newest(console: Installed) -> tuple[int, str, str, str]:
    """Of the entry: number, state, department and purpose of the newest version."""
    with Records.opened(console.settings) as records:
        version = Register(records).get(ENTRY).newest
    return version.n, str(version.state), version.entry.department, version.entry.purpose


def editing(console: Installed, page: Page) -> None:
    console.go(page, "register")
    page.get_by_label(words.SEARCH, exact=True).fill(ENTRY)
    page.keyboard.press("Enter")
    page.get_by_role("tab", name=words.EDIT, exact=True).click()
    expect(page.get_by_label("department", exact=True)).to_be_visible()


def save(page: Page, why: str) -> None:
    page.get_by_label(words.WHY, exact=True).first.fill(why)
    page.get_by_role("button", name=words.SAVE).click()


def test_an_entry_is_edited_and_published(console: Installed, page: Page) -> None:
    n = newest(console)[0]
    editing(console, page)
    page.get_by_label("department", exact=True).fill("Department of the browser")
    save(page, "moved")
    expect(page.get_by_text(words.saved(ENTRY, n + 1))).to_be_visible()
    assert newest(console)[:3] == (n + 1, "draft", "Department of the browser")
    page.get_by_role("tab", name=words.EDIT, exact=True).click()
    page.get_by_label("art6", exact=True).fill("z")
    save(page, "a slip")
    expect(page.get_by_text("Not saved. This is no register entry: art6")).to_be_visible()
    expect(page.get_by_label("art6", exact=True)).to_have_value("z")
    page.get_by_role("button", name=words.BEGIN_AGAIN).click()
    expect(page.get_by_label("art6", exact=True)).to_have_value("f")
    page.get_by_label("purpose", exact=True).fill("Typed, and not saved")
    page.get_by_label(words.WHY, exact=True).first.fill("too early")
    page.get_by_role("button", name=words.PUBLISH).click()
    expect(page.get_by_text(words.SAVE_FIRST)).to_be_visible()
    console.follow(page, "retention")
    console.follow(page, "register")
    page.get_by_label(words.SEARCH, exact=True).fill(ENTRY)
    page.keyboard.press("Enter")
    expect(page.locator("article th").first).to_have_css("text-align", "left")
    page.get_by_role("tab", name=words.EDIT, exact=True).click()
    expect(page.get_by_label(words.WHY, exact=True).first).to_have_value("too early")
    expect(page.get_by_label("department", exact=True)).to_have_value("Department of the browser")
    expect(page.get_by_label("purpose", exact=True)).to_have_value("Typed, and not saved")
    page.get_by_role("button", name=words.BEGIN_AGAIN).click()
    expect(page.get_by_label("purpose", exact=True)).not_to_have_value("Typed, and not saved")
    page.get_by_label(words.WHY, exact=True).first.fill("as it is")
    page.get_by_role("button", name=words.PUBLISH).click()
    expect(page.get_by_text(words.published(ENTRY, n + 2))).to_be_visible()
    assert newest(console)[:2] == (n + 2, "published")
    with AuditLog.opened(console.settings) as audit:
        acts = {(entry.who, entry.act, entry.target, entry.result) for entry in audit.entries()}
    assert {("officer", "register.change", ENTRY, "done"), ("officer", "register.publish", ENTRY, "done")} <= acts


def test_two_officers_edit_the_same_entry(console: Installed, page: Page, browser: Browser) -> None:
    n = newest(console)[0]
    with tab_of(browser, PROBES, viewport=DESKTOP) as other:
        console.sign_in(other, "both")
        for tab in (page, other):
            editing(console, tab)
        page.get_by_label("department", exact=True).fill("The officer's department")
        save(page, "first")
        expect(page.get_by_text(words.saved(ENTRY, n + 1))).to_be_visible()
        other.get_by_label("purpose", exact=True).fill("The other's purpose")
        save(other, "second")
        expect(other.get_by_text(words.STALE)).to_be_visible()
        expect(other.get_by_text("officer saved at", exact=False).first).to_be_visible()
        expect(other.get_by_label("purpose", exact=True)).to_have_value("The other's purpose")
        other.get_by_role("button", name=words.ON_TOP).click()
        expect(other.get_by_text(words.saved(ENTRY, n + 2))).to_be_visible()
    assert newest(console) == (n + 2, "draft", "The officer's department", "The other's purpose")


def test_files_are_fetched_and_taken_back(console: Installed, page: Page, tmp_path: Path) -> None:
    n = newest(console)[0]
    console.go(page, "register")
    page.get_by_role("tab", name=words.FILES, exact=True).click()
    page.get_by_role("button", name=words.PREPARE).click()
    with page.expect_download() as fetched:
        page.get_by_role("button", name=words.DOWNLOAD).click()
    assert fetched.value.suggested_filename == "register-cnil.xlsx"
    book = CalamineWorkbook.from_filelike(BytesIO(Path(fetched.value.path()).read_bytes()))
    assert len(book.sheet_names) >= 4, "an index and a sheet for each entry"
    assert any(ENTRY in str(row) for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python())
    file = tmp_path / "again.xlsx"
    file.write_bytes(Path(fetched.value.path()).read_bytes())
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("again.xlsx").first).to_be_visible()
    page.get_by_label(words.WHY, exact=True).last.fill("back as it was published")
    page.get_by_role("button", name=words.IMPORT_DO).click()
    expect(page.get_by_text("drafts: none; nothing new:", exact=False)).to_be_visible()
    assert newest(console)[0] == n, "an old file in which nothing was changed undoes nothing"
    cell = place(sheets(file.read_bytes())[ENTRY], PURPOSE, beside=1)

    def brought(name: str, content: bytes) -> None:    # each under a name of its own, by which one sees that it has arrived
        (tmp_path / name).write_bytes(edited(content, {(ENTRY, cell): "The purpose of the sheet"}))
        page.locator("input[type=file]").set_input_files(tmp_path / name)
        expect(page.get_by_text(name).first).to_be_visible()
        page.get_by_label(words.WHY, exact=True).last.fill("mine")
        page.get_by_role("button", name=words.IMPORT_DO).click()

    brought("overtaken.xlsx", file.read_bytes())
    expect(page.get_by_text("Not done. Meanwhile", exact=False)).to_be_visible()
    assert newest(console)[0] == n, "somebody has saved since it was exported"
    with Records.opened(console.settings) as records:
        Register(records).publish(ENTRY, n, "ada", "as it is")
        brought("newest.xlsx", written(Form.CNIL, Register(records).in_force(), {}))
    expect(page.get_by_text(f"drafts: {ENTRY}", exact=False)).to_be_visible()
    assert newest(console)[:2] == (n + 2, "draft")
    assert newest(console)[3] == "The purpose of the sheet"


def test_the_check_says_that_the_systems_are_as_published(console: Installed, page: Page) -> None:
    console.go(page, "register")
    page.get_by_role("tab", name=words.CHECK, exact=True).click()
    page.get_by_role("button", name=words.CHECK_NOW).click()
    expect(page.get_by_text(words.CHECK_WELL, exact=False)).to_be_visible(timeout=CHECKED_WITHIN_MS)


def test_retention_shows_stated_against_measured(console: Installed, page: Page) -> None:
    console.go(page, "retention")
    expect(page.get_by_text(words.NOT_MEASURED)).to_be_visible()
    page.get_by_role("button", name=words.MEASURE).click()
    expect(page.get_by_text("over their time: none", exact=False)).to_be_visible(timeout=CHECKED_WITHIN_MS)
    page.get_by_role("button", name=words.RUN).click()
    expect(page.get_by_text("0 of 0 due rows are expired", exact=False)).to_be_visible(timeout=CHECKED_WITHIN_MS)
    console.go(page, "retention")
    expect(page.get_by_text(words.ALL_KEPT)).to_be_visible()


def test_a_breach_is_logged_its_letter_fetched_and_not_closed_too_early(console: Installed, page: Page) -> None:
    console.go(page, "breaches")
    expect(page.get_by_text(words.NO_BREACHES)).to_be_visible()
    page.get_by_text(words.NEW, exact=True).click()
    aware = datetime.now(UTC) - timedelta(hours=80)
    page.get_by_label(words.NATURE, exact=True).fill("A laptop")
    page.get_by_role("button", name=words.LOG, exact=True).click()
    expect(page.get_by_text("Not logged.", exact=False)).to_be_visible()
    console.follow(page, "retention")
    console.follow(page, "breaches")
    page.get_by_text(words.NEW, exact=True).click()
    expect(page.get_by_label(words.NATURE, exact=True)).to_have_value("A laptop")
    page.get_by_label(words.NAME, exact=True).fill("lost-laptop")
    page.get_by_label(words.TITLE, exact=True).fill("A laptop was left in a train")
    pick(page, words.KINDS, "confidentiality")
    page.get_by_label(words.DETECTED_AT, exact=True).fill(aware.isoformat(timespec="minutes"))
    page.get_by_label(words.AWARE_AT, exact=True).fill(aware.isoformat(timespec="minutes"))
    page.get_by_role("button", name=words.LOG, exact=True).click()
    expect(page.get_by_text(words.logged("lost-laptop", 1))).to_be_visible()
    expect(page.get_by_text(words.over_time(["lost-laptop"]))).to_be_visible()
    expect(page.get_by_text("Art. 33(3)", exact=False).first).to_be_visible()
    page.get_by_label(words.WHY, exact=True).fill("hurry")
    page.get_by_role("button", name=words.CLOSE, exact=True).click()
    expect(page.get_by_text("cannot be closed yet", exact=False)).to_be_visible()
    page.get_by_role("button", name=words.PREPARE).click()
    with page.expect_download() as fetched:
        page.get_by_role("button", name=words.DOWNLOAD).click()
    letter = Path(fetched.value.path()).read_text()
    assert "A laptop was left in a train" in letter
    text = page.get_by_label(words.BREACHES, exact=True)
    expect(text).not_to_have_value("")    # it is drawn a moment before its text is there
    text.fill(text.input_value().replace("in a train", "in a bus"))
    page.get_by_label(words.WHY, exact=True).fill("it was a bus")
    page.get_by_role("button", name=words.CHANGE).click()
    expect(page.get_by_text(words.logged("lost-laptop", 2))).to_be_visible()
    with Records.opened(console.settings) as records:
        assert [one.why for one in Breaches(records).versions("lost-laptop")] == [words.NEW, "it was a bus"]
