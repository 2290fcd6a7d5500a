"""What a proof run found, as a file that is kept: counts, seconds, seeds of the wrong designs that were caught."""

import json
from pathlib import Path
from typing import Any

from bench.made import made


class Proof:
    """Collects findings by name; `path` is None in a usual run of the tests, and then nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found: dict[str, Any] = {}

    def add(self, name: str, **found: Any) -> None:
        """Keeps what was found, and shows it (pytest -s)."""
        self.found[name] = found
        print(f"{name}: {found}")

    def write(self) -> None:
        """Writes what was found, in the order of names."""
        if self.path is not None and self.found:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps({**made(), **dict(sorted(self.found.items()))}, indent=1) + "\n")
