"""How commands speak: plain lines with a time in a log, the same lines with colour at a terminal, JSON on request."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.console import Console

from engine import log_lines, logs

Say = Callable[[str], None]

_out = Console(highlight=False, emoji=False, soft_wrap=True)    # what is shown may be a text of somebody, with ":smile:" in it
_err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def log(text: str, level: str = "info") -> None:
    """A line of a program's log: UTC time first, or JSON, which has the level too."""
    sys.stdout.write(f"{logs.line(text, level)}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """A line for the person at the terminal; progress goes to standard error, so that --json stays clean."""
    _aside(text, "info", "")


def show(text: str) -> None:
    """A line of the result."""
    _out.print(text, markup=False)


def complain(text: str) -> None:
    """An error, in one sentence."""
    _aside(text, "error", "red")


def show_json(value: Any) -> None:
    """The result as JSON, moments as ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def _aside(text: str, level: str, style: str) -> None:
    """To standard error: for whoever is there, or for what collects logs where nobody is."""
    if log_lines.json_wanted() and not _err.is_terminal:
        sys.stderr.write(f"{logs.line(text, level)}\n")
        sys.stderr.flush()
    else:
        _err.print(text, markup=False, style=style)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
