"""One redrive or discard at a time: the second is refused at once, also in another process, and a dead one holds nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.dead_letters.alone import LettersBusy, alone
from engine.settings import CLONE, Settings

HOLDS = """
import sys
from pathlib import Path
from engine.dead_letters.alone import alone
from engine.settings import Settings
with alone(Settings(home=Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_and_may_when_the_first_has_ended(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with alone(settings), pytest.raises(LettersBusy, match="already"), alone(settings):
        pass
    with alone(settings):
        pass


def test_another_process_holds_them_and_lets_go_when_it_is_killed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], cwd=CLONE, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LettersBusy), alone(settings):
            pass
        other.kill()
        other.wait()
    with alone(settings):
        pass
