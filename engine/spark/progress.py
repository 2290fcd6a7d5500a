"""How far a Spark job is, said every few seconds while it runs, so that a long one is not taken for a dead one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

EVERY_S = 5.0


@contextmanager
def shown(spark: SparkSession, say: Callable[[str], None]) -> Iterator[None]:
    """Says `... 12 of 64 tasks of this step, 17 s` every EVERY_S seconds in which a job runs."""
    ended, began = threading.Event(), time.monotonic()
    tracker = spark.sparkContext.statusTracker()

    def watch() -> None:
        while not ended.wait(EVERY_S):
            stages = [stage for number in tracker.getActiveStageIds() if (stage := tracker.getStageInfo(number))]
            if stages:
                done, tasks = sum(stage.numCompletedTasks for stage in stages), sum(stage.numTasks for stage in stages)
                say(f"... {done} of {tasks} tasks of this step, {time.monotonic() - began:.0f} s")

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
