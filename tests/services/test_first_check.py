"""What `rollcall up` sets up is what it publishes in the register: the check is well from the first minute, by its command."""

import json
import subprocess
import sys

import pytest

from engine import stack as stacks
from engine.processes import PROGRAMS, Supervisor
from engine.settings import CLONE, Settings
from tests.conftest import home_of

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


def test_the_register_agrees_with_the_systems_right_after_up(stack: Settings) -> None:
    said: list[str] = []
    try:
        stacks.up(stack, said.append)
        done = subprocess.run([sys.executable, "-m", "engine.cli", "register", "check", "--json"], cwd=CLONE,
                              env=home_of(stack), capture_output=True, text=True, check=False, timeout=240)
    finally:
        Supervisor(stack).stop(*PROGRAMS)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert {finding["level"] for finding in found["findings"]} <= {"warning"}
    assert said[-1].startswith("Starting stream, producer, view, console and keeper")
