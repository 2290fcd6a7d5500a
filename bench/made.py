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
    """The commit, and whether anything else was changed."""
    return subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"], cwd=Path(__file__).parent,
                          capture_output=True, text=True, check=False).stdout.strip() or "no repository"


def loop_s(turns: int = TURNS) -> float:
    """Seconds of processor that ten million turns of an empty loop of Python take, by the best of three of so many turns."""
    took = []
    for _ in range(3):
        began, left = time.process_time(), turns
        while left:
            left -= 1
        took.append(time.process_time() - began)
    return min(took) * 10_000_000 / turns
