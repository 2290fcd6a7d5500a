"""The view as a process over a real store: its pages, its headers, and what a refresh answers."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.public import words
from app.public.data import Reader
from app.public.records import Unreadable
from engine.birth_months import average_age, merged
from engine.secrets import write_secret
from engine.settings import Settings
from tests.view_process import PEOPLE, STAMP, View, serving

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def view(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """One running view for all tests of this file."""
    folder: Path = tmp_path_factory.mktemp("view")
    with serving(stack, folder) as running:
        yield running


def refresh(view: View, shown: Any = None) -> dict[str, Any]:
    """What the browser's callback gets: component id -> property -> value."""
    (callback,) = httpx.get(f"{view.address}/_dash-dependencies").json()
    places = [place.rsplit(".", 1) for place in callback["output"].strip(".").split("...")]
    answer = httpx.post(f"{view.address}/_dash-update-component", timeout=30, json={
        "output": callback["output"], "outputs": [{"id": name, "property": prop} for name, prop in places],
        "inputs": [{"id": "clock", "property": "n_intervals", "value": 1}], "changedPropIds": ["clock.n_intervals"],
        "state": [{"id": "shown", "property": "data", "value": shown}]})
    assert answer.status_code == 200, answer.text
    response: dict[str, Any] = answer.json()["response"]
    return response


def test_the_page_speaks_english_and_names_no_other_host(view: View) -> None:
    page = httpx.get(view.address)
    assert page.status_code == 200
    assert '<html lang="en">' in page.text
    assert f"<title>{words.TITLE}</title>" in page.text
    assert words.SKIP in page.text
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']*""", page.text) == []


def test_everything_the_page_asks_for_is_served(view: View) -> None:
    page = httpx.get(view.address).text
    parts = re.findall(r"""(?:src|href)=["'](/[^"']+)""", page)
    assert any("style" in part for part in parts)
    for part in parts:
        assert httpx.get(f"{view.address}{part}", timeout=30).status_code == 200, part


@pytest.mark.parametrize("path", ["/", "/healthz", "/_dash-layout", "/nothing-here"])
def test_every_answer_carries_the_security_headers(view: View, path: str) -> None:
    headers = httpx.get(f"{view.address}{path}").headers
    policy = headers["Content-Security-Policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'sha256-" in script
    assert "unsafe" not in script
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers


def test_healthz(view: View) -> None:
    assert httpx.get(f"{view.address}/healthz").text == "OK"


def test_a_refresh_shows_what_the_store_holds(view: View) -> None:
    view.seed()
    got = eventually(view, lambda got: got["people"]["children"] == "9")
    today = datetime.now(UTC).date()
    everybody = merged(months for genders in PEOPLE.values() for months in genders.values())
    assert got["average-age"]["children"] == words.years(average_age(everybody, today))
    assert got["nationalities"]["children"] == "3"
    assert got["nationality-heading"]["children"] == "France has the most people"
    assert got["domain-heading"]["children"] == "example.com is the most common e-mail domain"
    assert got["origin"]["children"] == words.SYNTHETIC
    assert got["status"]["className"] == "status live"
    bars = got["nationality-chart"]["figure"]["data"][0]
    assert bars["y"] == ["France", "Ireland", "Iran"]
    again = refresh(view, got["shown"]["data"])
    assert "nationality-chart" not in again
    assert again["status"]["className"] == "status live"


def test_a_changed_document_is_drawn_again(view: View) -> None:
    view.seed()
    before = eventually(view, lambda got: got["people"]["children"] == "9")
    view.database["users_by_nationality"].update_one(
        {"_id": "IE"}, {"$inc": {"users": 5, "by_gender.male": 5, "births.male.2001-10": 5}})
    after = eventually(view, lambda got: got.get("people", {}).get("children") == "14", before["shown"]["data"])
    assert after["nationality-heading"]["children"] == "Ireland has the most people"


def test_a_turn_being_written_is_said(view: View) -> None:
    view.seed()
    view.database["users_by_nationality"].update_one({"_id": "IE"}, {"$set": {"stamp": STAMP + 1}})
    eventually(view, lambda got: "A turn is being written" in str(got["status"]["children"]))


def test_people_who_are_not_synthetic(view: View) -> None:
    view.seed(synthetic=False)
    eventually(view, lambda got: got["origin"]["children"] == words.NOT_SYNTHETIC)


def test_an_empty_store_is_a_page_of_its_own(view: View) -> None:
    view.empty()
    got = eventually(view, lambda got: got["body"]["className"] == "body bare")
    assert words.EMPTY_HEADING in str(got["notice"]["children"])
    assert got["status"]["className"] == "status empty"


def test_documents_of_another_shape_are_no_traceback(view: View) -> None:
    view.seed()
    view.database["users_by_nationality"].insert_one({"_id": "ZZ", "people": 3})
    got = eventually(view, lambda got: got["status"]["className"] == "status broken")
    assert "rollcall recount" in str(got["notice"]["children"])
    assert "Traceback" not in str(got)


def test_a_store_that_does_not_answer_is_no_traceback(stack: Settings) -> None:
    away = stack.model_copy(update={"mongo": stack.mongo.model_copy(update={"port": 9})})    # discard: nobody listens
    reader = Reader(away)
    reading = reader.read()
    reader.close()
    assert isinstance(reading, Unreadable)
    assert reading.reason == words.AWAY


def test_a_wrong_password_is_no_traceback(stack: Settings, tmp_path: Path) -> None:
    stranger = stack.model_copy(update={"home": tmp_path})
    write_secret(tmp_path / "secrets" / "view.password", b"wrong")
    reader = Reader(stranger)
    reading = reader.read()
    reader.close()
    assert isinstance(reading, Unreadable)
    assert reading.reason == words.REFUSED


def eventually(view: View, right: Any, shown: Any = None) -> dict[str, Any]:
    """Refreshes until `right` says so: a reading serves everybody for a second."""
    limit = time.monotonic() + 15
    while True:
        got = refresh(view, shown)
        if right(got):
            return got
        assert time.monotonic() < limit, f"never came: {got}"
        time.sleep(0.1)
