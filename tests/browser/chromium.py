"""A tab of Debian's chromium that takes note of whatever goes wrong in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

PROGRAM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LIMIT_MS = 60_000
"""How long a test waits for what it expects; on a machine with other work a page of many tables takes tens of seconds."""


@contextmanager
def tab_of(browser: Browser, allowed: tuple[str, ...] = (), **options: Any) -> Iterator[Page]:
    """A tab; in the end nothing went wrong: no console error or warning, no page error, no request that left this machine.

    allowed: what a message may contain all the same. options: Playwright's for a context.
    """
    wrong: list[str] = []
    context = browser.new_context(**options)
    tab = context.new_page()
    tab.set_default_timeout(LIMIT_MS)
    tab.on("console", lambda said: wrong.append(f"{said.text} ({said.location.get('url')})")
           if said.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda sent: wrong.append(sent.url) if leaves(sent.url) else None)
    yield tab
    context.close()
    left = [text for text in wrong if not any(part in text for part in allowed)]
    assert left == [], left


def leaves(url: str) -> bool:
    """Whether a request goes to another machine; data: and blob: stay in the browser."""
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1"
