"""When, of what code and on what machine something was measured or proven: what each kept report begins with."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def made() -> dict[str, Any]:
    """made: now. commit: of the code. cores, python."""
    return {"made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "commit": COMMIT, "cores": os.cpu_count() or 1,
            "python": platform.python_version()}


def commit() -> str:
    """The commit, and whether anything was changed since but the kept reports."""
    if not (found := _git("rev-parse", "--short=12", "HEAD")):
        return "no repository"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)docs/proofs")
    return f"{found}-dirty" if changed else found


def _git(*words: str) -> str:
    asked = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


COMMIT = commit()
"""Asked as the program begins: it may be another one by its end."""
