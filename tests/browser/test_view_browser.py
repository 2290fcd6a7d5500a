"""The view in a real browser: the map and the charts are drawn, they follow the store, and nothing leaves this machine."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app.public import words
from app.public.layout import PARTS
from governance.disclosure.snapshot import Snapshot
from tests.browser.chromium import DESKTOP, LIMIT_MS, PHONE, leaves, tab_of
from tests.view_process import View, view_alone

pytestmark = [pytest.mark.browser, pytest.mark.services]

SHAPES = ".choroplethlayer path"
DRAWN = {"nationalities-map": SHAPES, "nationalities-bars": ".bars .point", "gender_ages-pyramid": ".bars .point",
         "average_ages-dots": ".scatterlayer .points .point", "domains-bars": ".bars .point", "arrivals-bars": ".bars .point"}
"""Chart -> its marks."""

PICTURED = {"current": timedelta(hours=1), "stale": timedelta(hours=-2)}
"""State -> when the next release is due then."""


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """One running view for all tests of this file."""
    folder: Path = tmp_path_factory.mktemp("view")
    with view_alone(folder) as running:
        yield running


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(browser: Browser, view: View, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the view; the test fails on a console error, a page error or a request that leaves this machine."""
    with tab_of(browser, viewport=request.param) as tab:
        yield tab


def published(view: View, people: int = 5000) -> Snapshot:
    """A release that the view shows."""
    snapshot = view.publish(people).snapshot
    view.until("current", snapshot.number)
    return snapshot


def opened(page: Page, view: View) -> None:
    """Goes to the page and waits until every chart is drawn."""
    page.goto(view.address)
    for chart, marks in DRAWN.items():
        expect(page.locator(f"#{chart} {marks}").first).to_be_attached(timeout=LIMIT_MS)


def test_leaves_knows_what_leaves() -> None:
    assert leaves("https://cdn.example.org/world.json")
    assert not leaves("http://127.0.0.1:8050/assets/style.css")
    assert not leaves("data:image/png;base64,AA==")


def test_the_map_and_the_charts_are_drawn_in_their_places(page: Page, view: View) -> None:
    snapshot = published(view)
    opened(page, view)
    assert page.title() == words.TITLE
    expect(page.locator("#people")).to_have_text(words.count(snapshot.people))
    expect(page.locator("#time")).to_have_text(words.moment(snapshot.counted_at))
    expect(page.locator("#next")).to_have_text(words.moment(snapshot.next_at))
    assert page.locator(f"#nationalities-map {SHAPES}").count() >= 170
    shown = page.locator(f"#nationalities-map {SHAPES}").evaluate_all(
        "all => all.filter(one => one.getBoundingClientRect().width > 0).length")
    assert shown >= 170
    coloured = page.locator(f"#nationalities-map {SHAPES}").evaluate_all(
        "all => new Set(all.map(one => getComputedStyle(one).fill)).size")
    assert coloured > 5, "every country has the same colour"
    expect(page.locator("#nationalities-bars .bars .point")).to_have_count(len(snapshot.nationalities.cells) + 1)
    expect(page.locator("#average_ages-dots .points .point")).to_have_count(len(snapshot.average_ages))
    expect(page.locator("#arrivals-bars .bars .point")).to_have_count(len(snapshot.arrivals.cells))
    for part in PARTS:
        details, section = box(page, f"#body .part.{part.key} details"), box(page, f"#body .part.{part.key}")
        for name in part.charts:
            chart = box(page, f"#{part.key}-{name} .main-svg >> nth=0")
            assert chart["height"] > 40
            assert chart["y"] + chart["height"] <= details["y"] + 1, f"{part.key}-{name} runs over what stands below it"
            assert chart["x"] + chart["width"] <= section["x"] + section["width"], f"{part.key}-{name} leaves its frame"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    asked = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    assert {name.partition("?")[0] for name in asked if "plotly.min.js" in name} == {
        f"{view.address}/assets/plotly/plotly.min.js"}, "not the whole of plotly.js"
    expect(page.locator("#still")).to_be_hidden()
    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_texts_beside_bars_stay_in_view_and_apart_from_labels(page: Page, view: View) -> None:
    published(view, 4_000_000)
    opened(page, view)
    for chart in ("nationalities-bars", "domains-bars", "gender_ages-pyramid"):
        frame = box(page, f"#{chart}")
        labels = max(label.bounding_box()["x"] + label.bounding_box()["width"]    # type: ignore[index]
                     for label in page.locator(f"#{chart} .ytick text").all())
        for text in page.locator(f"#{chart} .bartext").all():
            place = text.bounding_box()
            assert place is not None
            assert place["x"] >= labels - 1, f"a text of {chart} stands on a label"
            assert place["x"] + place["width"] <= frame["x"] + frame["width"] + 1


def test_an_open_page_shows_the_next_release_by_itself(page: Page, view: View) -> None:
    published(view, 5000)
    opened(page, view)
    second = published(view, 9000)
    expect(page.locator("#people")).to_have_text(words.count(second.people))
    expect(page.locator("#number")).to_have_text(str(second.number))
    expect(page.locator(f"#nationalities-map {SHAPES}").first).to_be_attached(timeout=LIMIT_MS)


def test_the_first_release_appears_by_itself(page: Page, view: View) -> None:
    view.empty()
    view.until("empty")
    page.goto(view.address)
    expect(page.locator("#figures .notice h2")).to_have_text(words.EMPTY_HEADING)
    expect(page.locator("#figures .part")).to_have_count(0)
    view.publish()
    expect(page.locator(f"#nationalities-map {SHAPES}").first).to_be_attached(timeout=LIMIT_MS)
    expect(page.locator("#figures .notice")).to_have_count(0)


def test_tables_hold_the_figures_and_files_can_be_had(page: Page, view: View) -> None:
    snapshot = published(view)
    opened(page, view)
    page.locator("#body .part.nationalities summary").click()
    first = max(snapshot.nationalities.cells, key=lambda cell: cell.people)
    expect(page.locator("#nationalities-table tbody tr").first).to_contain_text(words.count(first.people))
    for part in PARTS:
        with page.expect_download() as got:
            page.locator(f"#body .part.{part.key} .file a").click()
        assert got.value.suggested_filename == f"rollcall-{part.key}-{snapshot.number}.csv"


def test_it_can_be_used_by_keyboard(page: Page, view: View) -> None:
    published(view)
    opened(page, view)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#body .part.nationalities summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#nationalities-table table")).to_be_visible()


@pytest.mark.parametrize("state", ["current", "stale", "empty"])
def test_it_can_be_used_by_everybody_and_is_kept_as_a_picture(page: Page, view: View, state: str,
                                                              request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder: Path = request.config.getoption("--screens") or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    if state == "empty":
        view.empty()
        view.until(state)
        page.goto(view.address)
        expect(page.locator("#figures .notice h2")).to_have_text(words.EMPTY_HEADING)
    else:
        view.until(state, view.publish(120_000, PICTURED[state]).snapshot.number)
        opened(page, view)
        expect(page.locator(".synthetic:visible")).to_have_text(words.SYNTHETIC)
    found = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]
            if one["impact"] in ("serious", "critical")] == []
    size = page.viewport_size
    assert size is not None
    name = {"current": "public", "stale": "public-late", "empty": "public-empty"}[state]
    page.screenshot(path=folder / f"{name}-light-{size['width']}.png", full_page=True)


def test_without_javascript_every_figure_stands_in_its_table(browser: Browser, view: View) -> None:
    snapshot = published(view)
    with tab_of(browser, viewport=PHONE, java_script_enabled=False) as tab:
        tab.goto(view.address)
        expect(tab.locator(".card.people dd")).to_have_text(words.count(snapshot.people))
        expect(tab.locator(".noscript")).to_be_visible()
        tab.locator(".part.domains summary").click()
        expect(tab.locator(".part.domains tbody tr").first).to_be_visible()


def test_on_paper_every_table_is_there(page: Page, view: View) -> None:
    published(view)
    opened(page, view)
    page.emulate_media(media="print")
    expect(page.locator("#body table")).to_have_count(len(PARTS))
    for table in page.locator("#body table").all():
        assert table.bounding_box()["height"] > 40    # type: ignore[index]
    expect(page.locator("#body summary").first).to_be_hidden()


def box(page: Page, selector: str) -> Any:
    """Where something stands on the page, in pixels."""
    found = page.locator(selector).bounding_box()
    assert found is not None, selector
    return found
