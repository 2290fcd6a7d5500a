"""The browser that all tests of this folder share."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chromium import FLAGS, LIMIT_MS, PROGRAM


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium; its absence is a failure that says what to install, never a skip."""
    if not PROGRAM.exists():
        pytest.fail(f"There is no browser at {PROGRAM}: `apt-get install -y chromium` brings it.", pytrace=False)
    with sync_playwright() as playwright:
        expect.set_options(timeout=LIMIT_MS)
        chromium = playwright.chromium.launch(executable_path=str(PROGRAM), args=FLAGS)
        yield chromium
        chromium.close()
