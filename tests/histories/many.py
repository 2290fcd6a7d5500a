"""Many histories at once, spread over processes."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import NamedTuple

from tests.histories.steps import Step, drawn, shrunk
from tests.histories.world import PRODUCT, Design, run

CHUNK = 250


class Failed(NamedTuple):
    """A history that was not exact."""

    seed: int
    verdict: str


def failed(seeds: Iterable[int], design: Design = PRODUCT) -> list[Failed]:
    """Those of these histories that are not exact."""
    verdicts = ((seed, run(drawn(seed, design.clock_steps), design)) for seed in seeds)
    return [Failed(seed, verdict) for seed, verdict in verdicts if verdict != "exact"]


def failed_of(count: int, design: Design = PRODUCT) -> list[Failed]:
    """Those of the first `count` histories that are not exact; on all processors."""
    chunks = [range(start, min(count, start + CHUNK)) for start in range(0, count, CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("forkserver")) as pool:
        return [one for some in pool.map(failed, chunks, [design] * len(chunks)) for one in some]


def differs(steps: Sequence[Step], design: Design) -> bool:
    """Whether a history is not exact, and is so with the right thing in the place of what was exchanged."""
    right = replace(PRODUCT, waits=design.waits, clock_steps=design.clock_steps)
    if right == design:
        right = replace(PRODUCT, clock_steps=design.clock_steps)
    return run(steps, design) != "exact" and (right == design or run(steps, right) == "exact")


def first_caught(seeds: Iterable[int], design: Design) -> Failed | None:
    """The first of these histories that tells a wrong design from the right one."""
    for seed in seeds:
        steps = drawn(seed, design.clock_steps)
        if differs(steps, design):
            return Failed(seed, run(steps, design))
    return None


def cut_down(seed: int, design: Design = PRODUCT) -> list[Step]:
    """The shortest part of a failing history that is found to fail too."""
    return shrunk(drawn(seed, design.clock_steps), lambda steps: differs(steps, design))


def told(failures: Sequence[Failed], design: Design = PRODUCT) -> str:
    """What a test says of failing histories: seeds and verdicts, and the first one cut down to what it takes."""
    if not failures:
        return ""
    first = failures[0]
    steps = "\n".join(f"    {step}" for step in cut_down(first.seed, design))
    seeds = ", ".join(f"{one.seed} ({one.verdict})" for one in failures[:10])
    return f"{len(failures)} histories are not exact, of seeds {seeds}\nseed {first.seed} comes down to\n{steps}"
