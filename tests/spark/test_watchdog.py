"""A turn that hangs ends the process; one that moves, waits or works does not."""

from types import SimpleNamespace
from typing import Any

import pytest

from engine.spark.watchdog import Watchdog


def spark(*jobs: int, stack: str = "[java.lang.Object.wait]") -> Any:
    """A Spark that runs these jobs, and has one thread with this stack."""
    tracker = SimpleNamespace(getActiveJobsIds=lambda: jobs)
    traces = SimpleNamespace(keySet=lambda: [SimpleNamespace(getStackTrace=lambda: stack)])
    java = SimpleNamespace(util=SimpleNamespace(Arrays=SimpleNamespace(toString=str)),
                           lang=SimpleNamespace(Thread=SimpleNamespace(getAllStackTraces=lambda: traces)))
    return SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: tracker), _jvm=SimpleNamespace(java=java))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("engine.spark.watchdog.time.monotonic", lambda: now[0])
    return now


def watched(clock: list[float], signs: list[Any], running: Any = None) -> list[int]:
    """Looks once for each sign, 60 s apart; the exit codes it ended with."""
    ended: list[int] = []
    left = list(signs)
    dog = Watchdog(running or spark(), lambda: left.pop(0), lambda _: None, 20.0, 600.0, ended.append)
    for _ in signs:
        clock[0] += 60
        dog.look()
    return ended


def test_a_turn_in_which_nothing_moves_ends_the_process(clock: list[float]) -> None:
    assert watched(clock, ["batch 7"] * 11) == []
    assert watched(clock, ["batch 7"] * 12) == [1]


def test_one_that_is_known_to_hang_is_not_waited_for_long(clock: list[float]) -> None:
    stack = "[java.util.concurrent.CompletableFuture.get, com.datastax.oss.driver.api.core.session.Session.refreshSchema]"
    assert watched(clock, ["batch 7"], spark(stack=stack)) == []
    assert watched(clock, ["batch 7"] * 2, spark(stack=stack)) == [1]
    assert watched(clock, ["batch 7", "batch 8"], spark(stack=stack)) == []
    assert watched(clock, ["batch 7"] * 2, spark(3, stack=stack)) == []


def test_what_moves_rests_or_works_is_left_alone(clock: list[float]) -> None:
    assert watched(clock, [None] * 100) == []
    assert watched(clock, [f"step {n // 9}" for n in range(100)]) == []
    assert watched(clock, ["batch 7"] * 100, spark(12)) == []
