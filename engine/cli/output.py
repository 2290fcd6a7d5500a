"""How commands speak: plain lines with a time in a log, the same lines with colour at a terminal, JSON on request."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

Say = Callable[[str], None]

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


def log(text: str) -> None:
    """A line of a program's log: UTC time first."""
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z {text}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """A line for the person at the terminal; progress goes to standard error, so that --json stays clean."""
    _err.print(text, markup=False)


def show(text: str) -> None:
    """A line of the result."""
    _out.print(text, markup=False)


def complain(text: str) -> None:
    """An error, in one sentence."""
    _err.print(text, markup=False, style="red")


def show_json(value: Any) -> None:
    """The result as JSON, moments as ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
