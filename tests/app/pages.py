"""Pages run by Streamlit's own test over a console without servers."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import Jobs
from app.listing import PAGES, Listed
from engine.settings import CLONE
from governance.permissions import allowed
from tests.app.console_fake import FakeConsole

FIRST_WITHIN_S = 30


def placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, in place of the process's."""
    made = FakeConsole(tmp_path)
    for module in ("app.stores", "app.parts", "app.acts", "app.programs", "app.checks", "app.profiles", "app.letters",
                   "app.accounts", "app.audit", "app.server", "app.register", "app.retention", "app.publishing", "app.breaches",
                   "app.access", "app.access_plan", "app.access_wanted", "app.access_users", "app.requests",
                   "app.requests_one", "app.requests_package"):
        monkeypatch.setattr(f"{module}.console", lambda: made)
    fresh = Jobs()
    for module in ("app.jobs", "app.acts", "app.programs", "app.letters"):
        monkeypatch.setattr(f"{module}.JOBS", fresh)
    return made


def opened(console: FakeConsole, page: Listed, *roles: str, home: bool = True) -> AppTest:
    """The page as somebody with these roles sees it; without roles as a stranger does."""
    test = AppTest.from_file(str(CLONE / "app" / ("Home.py" if home else page.file)), default_timeout=FIRST_WITHIN_S)
    if roles:
        test.user = {"session": console.signed_in("ada", *roles), "name": "ada"}
    test.run()
    if home and allowed(roles, page.action):
        test.switch_page(page.file).run()
    return test


def said(test: AppTest) -> str:
    """Every text of a page."""
    kinds = ("title", "subheader", "markdown", "caption", "text", "error", "warning", "info", "success", "code")
    shown = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    shown += [f"{metric.label} {metric.value}" for metric in test.metric] + [button.label for button in test.button]
    return "\n".join(shown)


def until(test: AppTest, true: Callable[[AppTest], bool]) -> None:
    """Runs the page again until a condition holds."""
    limit = time.monotonic() + FIRST_WITHIN_S
    while not true(test):
        assert time.monotonic() < limit, said(test)
        test.run()


def page_of(key: str) -> Listed:
    return next(page for page in PAGES if page.key == key)
