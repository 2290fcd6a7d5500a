"""When, of what code and on what machine something was measured or proven: what each kept report begins with."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TURNS = 1_000_000


def made() -> dict[str, Any]:
    """made: now. commit: of the code. cores, python. loop_s: how fast the machine is at this moment, for its figures are told
    beside those of another day, when it was faster or slower."""
    return {"made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "commit": commit(), "cores": os.cpu_count() or 1,
            "python": platform.python_version(), "loop_s": round(loop_s(), 2)}


def commit() -> str:
    """The commit, and whether anything was changed since but the kept reports."""
    if not (found := _git("rev-parse", "--short=12", "HEAD")):
        return "no repository"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)docs/proofs")
    return f"{found}-dirty" if changed else found


def _git(*words: str) -> str:
    asked = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def loop_s(turns: int = TURNS) -> float:
    """Seconds of processor that ten million turns of an empty loop of Python take, by the best of three of so many turns."""
    took = []
    for _ in range(3):
        began, left = time.process_time(), turns
        while left:
            left -= 1
        took.append(time.process_time() - began)
    return min(took) * 10_000_000 / turns
