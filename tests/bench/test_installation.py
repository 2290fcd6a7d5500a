"""What a bench learns of an installation's verify."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from bench.installation import VERIFIED, Installation
from engine.settings import Settings


class Answering(Installation):
    """Whose `rollcall` is a few words of Python."""

    program = ""

    def command(self, *arguments: str) -> list[str]:
        """Those words."""
        return [sys.executable, "-c", self.program]


@pytest.mark.parametrize(("program", "found"), [
    ('print(\'{"ok": true, "rows": 3}\')', {"ok": True, "rows": 3, "exit": 0}),
    ("import sys; sys.exit('away')", {**dict.fromkeys(VERIFIED), "findings": [], "more": 0, "exit": 1})])
def test_a_verify_that_ends_in_an_error_loses_nothing_of_a_report(
        program: str, found: dict[str, Any], tmp_path: Path) -> None:
    said: list[str] = []
    one = Answering(Settings(home=tmp_path), cast(Any, None), said.append)
    Answering.program = program
    assert one.verified() == found
    assert said == ["" if found["exit"] == 0 else "away"]
