"""A turn that hangs ends the process; one that moves, waits or works does not."""

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from pyspark.sql import SparkSession

from engine.spark.watchdog import Watchdog
from tests.plain_spark import plain_spark

pytestmark = pytest.mark.long

TURN = "batch 7"
WAITS = "LinkedBlockingQueue.take"
"""Where some thread of Spark's Java always waits."""


@pytest.fixture(scope="module")
def java() -> Iterator[SparkSession]:
    """A real one: what it says of its threads, and in which form, is half of what is tested."""
    with plain_spark("watchdog", cores=1) as session:
        yield session


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("engine.spark.watchdog.time.monotonic", lambda: now[0])
    return now


def watched(clock: list[float], java: Any, signs: list[Any], known: str = "nowhere") -> list[int]:
    """Looks once for each sign, 60 s apart; the exit codes it ended with."""
    ended: list[int] = []
    left = list(signs)
    dog = Watchdog(java, lambda: left.pop(0), lambda _: None, 20.0, 600.0, ended.append, known)
    for _ in signs:
        clock[0] += 60
        dog.look()
    return ended


def test_a_turn_in_which_nothing_moves_ends_the_process(clock: list[float], java: SparkSession) -> None:
    assert watched(clock, java, [TURN] * 11) == []
    assert watched(clock, java, [TURN] * 12) == [1]


def test_one_that_is_known_to_hang_is_not_waited_for_long(clock: list[float], java: SparkSession) -> None:
    assert watched(clock, java, [TURN], WAITS) == []
    assert watched(clock, java, [TURN] * 2, WAITS) == [1]
    assert watched(clock, java, [TURN, "batch 8"], WAITS) == []


def test_what_moves_or_rests_is_left_alone(clock: list[float], java: SparkSession) -> None:
    assert watched(clock, java, [None] * 100, WAITS) == []
    assert watched(clock, java, [f"step {n // 9}" for n in range(100)]) == []


def test_a_job_of_spark_is_work(clock: list[float], java: SparkSession) -> None:
    rows: Any = java.range(1).selectExpr("java_method('java.lang.Thread', 'sleep', 6000L)")
    job = Thread(target=rows.collect)
    job.start()
    while not java.sparkContext.statusTracker().getActiveJobsIds():
        job.join(0.05)
        assert job.is_alive()
    assert watched(clock, java, [TURN] * 12, WAITS) == []
    job.join()
