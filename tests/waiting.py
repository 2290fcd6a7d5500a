"""The one wait of the tests: until a condition holds, with a limit; and what is most often waited for."""

import time
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

import httpx


def until(what: str | Callable[[], object], condition: Callable[[], Any], limit_s: float = 60, every_s: float = 0.1) -> Any:
    """Waits for a condition; returns what it gave. `what` names it when it does not come, or is asked for the text then."""
    limit = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < limit, f"not in time: {what() if callable(what) else what}"
        time.sleep(every_s)
    return found


def answers(address: str, trusted: SSLContext | None = None) -> bool:
    """Whether something serves pages there by now. trusted: whom to trust under TLS, if not whom everybody trusts."""
    try:
        return httpx.get(f"{address}/healthz", timeout=5, verify=trusted or True).is_success
    except httpx.TransportError:
        return False
