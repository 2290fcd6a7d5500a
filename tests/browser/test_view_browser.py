"""The view in a real browser: charts are drawn, they follow the store, and nothing leaves this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.public import words
from engine.settings import Settings
from tests.browser.chromium import DESKTOP, LIMIT_MS, PHONE, leaves, tab_of
from tests.view_process import View, serving

pytestmark = [pytest.mark.browser, pytest.mark.services]


@pytest.fixture(scope="module")
def view(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """One running view for all tests of this file."""
    folder: Path = tmp_path_factory.mktemp("view")
    with serving(stack, folder) as running:
        yield running


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(browser: Browser, view: View, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the view; the test fails on a console error, a page error or a request that leaves this machine."""
    with tab_of(browser, viewport=request.param) as tab:
        yield tab


def test_leaves_knows_what_leaves() -> None:
    assert leaves("https://cdn.example.org/world.json")
    assert not leaves("http://127.0.0.1:8050/assets/style.css")
    assert not leaves("data:image/png;base64,AA==")


def test_charts_are_drawn_in_their_places(page: Page, view: View) -> None:
    view.seed()
    opened(page, view)
    assert page.title() == words.TITLE
    expect(page.locator("#people")).to_have_text("9")
    expect(page.locator("#origin")).to_have_text(words.SYNTHETIC)
    expect(page.locator("#nationality-chart .bars .point")).to_have_count(3)
    expect(page.locator("#age-chart .scatterlayer .points .point")).to_have_count(3)
    expect(page.locator("#domain-chart .bars .point")).to_have_count(2)
    for part in ("nationality", "age", "domain"):
        chart = box(page, f"#{part}-chart .main-svg >> nth=0")
        details = box(page, f".part.{part} details")
        section = box(page, f".part.{part}")
        assert chart["height"] > 40
        assert chart["y"] + chart["height"] <= details["y"] + 1, f"the chart of {part} runs over what stands below it"
        assert chart["x"] + chart["width"] <= section["x"] + section["width"], f"the chart of {part} leaves its frame"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


def test_texts_beside_bars_stay_in_view(page: Page, view: View) -> None:
    view.seed()
    opened(page, view)
    expect(page.locator("#nationality-chart .bars .point")).to_have_count(3)
    right = box(page, "#nationality-chart")
    for text in page.locator("#nationality-chart .bartext").all():
        place = text.bounding_box()
        assert place is not None
        assert place["x"] + place["width"] <= right["x"] + right["width"] + 1


def test_charts_follow_the_store(page: Page, view: View) -> None:
    view.seed()
    opened(page, view)
    expect(page.locator("#nationality-heading")).to_have_text("France has the most people")
    page.locator(".part.nationality summary").click()
    view.database["users_by_nationality"].update_one({"_id": "IE"}, {"$inc": {"users": 5, "births.male.2001-10": 5}})
    expect(page.locator("#nationality-heading")).to_have_text("Ireland has the most people")
    expect(page.locator("#people")).to_have_text("14")
    expect(page.locator("#nationality-chart .bartext").first).to_contain_text(words.share(1, 2))
    labels = page.locator("#nationality-chart .ytick text").all()
    heights = {label.text_content(): label.evaluate("one => one.getBoundingClientRect().top") for label in labels}
    assert sorted(heights, key=lambda label: heights[label]) == ["Ireland", "France", "Iran"]
    # a table that was opened stays open, and shows the new figures
    expect(page.locator("#nationality-table tbody tr").first).to_have_text(f"Ireland7{words.share(1, 2)}")
    assert page.locator("#nationality-table tbody tr").first.is_visible()


def test_first_people_appear_by_themselves(page: Page, view: View) -> None:
    view.empty()
    opened(page, view)
    expect(page.locator("#notice h2")).to_have_text(words.EMPTY_HEADING)
    expect(page.locator(".part.nationality")).to_be_hidden()
    view.seed()
    expect(page.locator("#nationality-chart .bars .point")).to_have_count(3)
    expect(page.locator("#notice h2")).to_have_count(0)
    chart, section = box(page, "#nationality-chart .main-svg >> nth=0"), box(page, ".part.nationality")
    assert chart["width"] > section["width"] * 0.7


def test_it_can_be_used_by_keyboard(page: Page, view: View) -> None:
    view.seed()
    opened(page, view)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".part.nationality summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#nationality-table table")).to_be_visible()


def opened(page: Page, view: View) -> None:
    """Goes to the page and waits for its first reading."""
    page.goto(view.address)
    expect(page.locator("#status .sign")).to_be_visible(timeout=LIMIT_MS)


def box(page: Page, selector: str) -> Any:
    """Where something stands on the page, in pixels."""
    found = page.locator(selector).bounding_box()
    assert found is not None, selector
    return found
