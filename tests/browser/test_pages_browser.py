"""Every page of the console in a real browser while people flow: whole, usable by everybody, and kept as a picture."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app.listing import PAGES
from engine.clients import kafka_producer, mongo_client
from engine.compliance.requests import Requests
from engine.sealing import load_keys
from engine.settings import Settings
from engine.settings_file import change
from engine.stores.records import Records
from engine.stores.status import Status
from governance.requests import life
from governance.requests.kind import Kind
from tests.browser.chromium import DESKTOP, PHONE, tab_of
from tests.browser.console import PROBES, Installed, console_of
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(600),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

NOT_OURS = {"svg-img-alt", "empty-table-header"}    # Vega's marks and the corner of Streamlit's grid
OURS = {"exclude": [["[data-testid=stSidebarNav]"]]}    # Streamlit makes a list of it that holds more than its items
GARBAGE = (b"no json at all", b'{"results": []}', b'{"login": {"uuid": "not one"}}', b"\xff\xfe")
SOMEBODY = "9a723211-0e87-41f1-b1e4-ed1a15226b80"
TALLEST = 6000
WIDER = """() => [document.documentElement, document.querySelector("[data-testid=stMain]")]
    .filter(part => part && part.scrollWidth > part.clientWidth).map(part => part.dataset.testid || part.tagName)"""
HEIGHT = """() => { const main = document.querySelector("[data-testid=stMain]");
    return main ? main.scrollHeight - main.clientHeight + window.innerHeight : document.documentElement.scrollHeight }"""


@pytest.fixture(scope="module")
def flowing(stack: Settings) -> Iterator[Installed]:
    """A console of an installation in which people arrive, with a few records that cannot be used."""
    with console_of(stack) as running:
        change(stack, "producer", {"source": "synthetic", "rate": 40.0})
        running.processes.start("producer", "stream", "view", "keeper")
        producer = kafka_producer(stack, "producer")
        for number, value in enumerate(GARBAGE):
            producer.send(stack.kafka.topic, key=f"garbage {number}".encode(), value=value).get(timeout=10)
        producer.close()
        with Records.opened(stack) as records:    # a page without one shows nothing but a form
            requests = Requests(stack, records, load_keys(stack))
            ref = requests.log(Kind.ERASURE, requests.today, "letter", {"uuid": SOMEBODY}, "officer", "received").request.ref
            requests.change(ref, None, "officer", "identity", lambda asked: life.identified(asked, requests.today, "signed in"))
        with mongo_client(stack, "console") as client:
            status = Status(client[stack.mongo.database])
            until("people and dead letters are there", lambda: {"new", "dead"} <= {
                name for name, number in (status.read("figures") or {}).get("totals", {}).items() if number}, 120)
        yield running


@pytest.mark.parametrize(("size", "theme"), [
    pytest.param(DESKTOP, "light", id="1280-light"), pytest.param(PHONE, "dark", id="390-dark"),
    pytest.param(DESKTOP, "dark", id="1280-dark", marks=pytest.mark.proof),
    pytest.param(PHONE, "light", id="390-light", marks=pytest.mark.proof)])
def test_every_page_is_whole_and_can_be_used_by_everybody(flowing: Installed, browser: Browser, theme: str,
                                                          size: dict[str, int], request: pytest.FixtureRequest,
                                                          tmp_path: Path) -> None:
    folder: Path = request.config.getoption("--screens") or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    with tab_of(browser, PROBES, viewport=size, color_scheme=theme) as page:
        page.goto(f"{flowing.address}/sign-in")
        wrong = looked_at(page, "sign-in", folder, theme)
        flowing.sign_in(page, "both")
        for one in PAGES:
            flowing.go(page, one.key)
            drawn(page, one.key)
            wrong += looked_at(page, one.key, folder, theme)
        for key in ("password", "sign-out"):    # pages of the door: nothing is done by looking at them
            page.goto(f"{flowing.address}/{key}")
            expect(page.get_by_role("button").first).to_be_visible()
            wrong += looked_at(page, key, folder, theme)
        assert wrong == []


def looked_at(page: Page, key: str, folder: Path, theme: str) -> list[str]:
    """What is wrong with a page as it stands; keeps its picture, from its title to its end."""
    found = Axe().run(page, context=OURS).response["violations"]
    wrong = [f"{key}: {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]
             if one["impact"] in ("serious", "critical") and one["id"] not in NOT_OURS]
    wrong += [f"{key} scrolls sideways in {part}" for part in page.evaluate(WIDER)]
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(TALLEST, page.evaluate(HEIGHT)))})
    page.screenshot(path=folder / f"{key}-{theme}-{size['width']}.png")
    page.set_viewport_size(size)
    return wrong


def drawn(page: Page, key: str) -> None:
    """Waits until what a page draws by itself is there."""
    if key in ("aggregates", "stream"):
        # Streamlit has Vega draw SVG, and a canvas only for a chart of more than 2,000 marks, which none of these is
        charts = page.locator("[data-testid=stVegaLiteChart]")
        expect(charts.locator("svg").first).to_be_visible()
        for chart in charts.all():
            texts = chart.locator("svg .role-axis-label text")
            expect(texts.first).to_be_attached()
            assert [text for text in texts.all_text_contents() if re.search(r"\de[+-]\d", text)] == []
    if key in ("profiles", "letters", "audit", "accounts", "register", "requests"):
        expect(page.locator("[data-testid=stDataFrame]").first).to_be_visible()
