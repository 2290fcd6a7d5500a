"""A history as data: steps drawn from a seed, or by hypothesis, and how a failing one is cut down to what it takes.

Each step is a method of World (world.py) with the arguments that were drawn for it; the first value of each is the simplest.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

HOUR = 3_600_000    # milliseconds
NEVER = None
LATER = (0, 0, 1, 1, 1, HOUR)    # milliseconds until a thing happens: several may share one
LUCK = range(1000)
TRIALS = 12    # simpler values of one argument that are tried

VERBS = ("erase", "erase", "lift", "restrict", "unrestrict", "rectify", "rectify", "expire", "recount")

CHOICES: dict[str, dict[str, Sequence[Any]]] = {
    "person": {"who": range(8), "elsewhere": (False, False, False, False, True), "nat": "ABC", "gender": ("female", "male"),
               "month": ("1990-01", "1991-02"), "domain": ("x.org", "y.org"), "later": LATER},
    "again": {"count": (1, 2, 4), "later": LATER},
    "rubbish": {"partition": (0, 1), "later": LATER, "bad": (None, *range(8))},
    "command": {"verb": VERBS, "who": range(8), "pins": range(5), "back": (3, HOUR), "later": LATER},
    "step_back": {"by": (1, 2, 3)},
    "work": {"crash": (NEVER, *range(60)), "how": ("killed", "away", "away", "torn"), "luck": LUCK},
    "pause": {"at": range(40), "luck": LUCK},
    "wake": {},
    "land": {"luck": LUCK},
    "compact": {"luck": LUCK},
    "purge": {},
    "lose_checkpoint": {},
    "back_up": {},
    "restore": {},
}
APART = ("bad",)
"""Drawn from a source of its own, for it was added later: the histories of all seeds are else what they were."""


class Step(NamedTuple):
    """One thing that happens."""

    name: str
    said: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.said.items())})"


def drawn(seed: int, clock_steps: bool = False) -> list[Step]:
    """The history of a seed: rounds of arrivals and work, with all that can go wrong in between."""
    return list(_drawn(Random(seed), Random(~seed), clock_steps))


def _drawn(random: Random, apart: Random, clock_steps: bool) -> Iterator[Step]:
    def step(name: str, **fixed: Any) -> Step:
        return Step(name, {**{key: (apart if key in APART else random).choice(values)
                              for key, values in CHOICES[name].items()}, **fixed})

    def likely(share: float) -> bool:
        return random.random() < share

    for _ in range(random.randrange(5, 14)):
        for _ in range(random.randrange(1, 10)):
            if clock_steps and likely(0.05):
                yield step("step_back")
            yield step(random.choices(("person", "command", "again", "rubbish"), (66, 25, 5, 4))[0])
        if likely(0.3):
            yield step("wake")
        if likely(0.08):
            yield step("pause")
            if likely(0.4):    # who takes over dies soon, and its batch is torn: the next one recounts while the first sleeps
                yield step("work", crash=random.randrange(6), how="torn")
            continue
        yield step("work") if likely(0.6) else step("work", crash=NEVER)
        if likely(0.6):
            yield step("compact")
        if likely(0.5):
            yield step("land")
        for name, share in (("purge", 0.2), ("lose_checkpoint", 0.1), ("restore", 0.05), ("back_up", 0.3)):
            if likely(share):
                yield step(name)


def histories(*names: str) -> st.SearchStrategy[list[Step]]:
    """Steps of these names (of all, but for steps of the clock) in any order, for hypothesis."""
    return st.lists(st.one_of(*[
        st.builds(Step, st.just(name), st.fixed_dictionaries(
            {key: st.sampled_from(list(dict.fromkeys(values))) for key, values in CHOICES[name].items()}))
        for name in names or CHOICES if names or name != "step_back"]), max_size=40)


def shrunk(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """The shortest part of a failing history that is found to fail too, each choice as simple as it may be."""
    now, before = list(steps), None
    while now != before:
        before = now
        now = _simpler(_fewer(now, fails), fails)
        if now == before:
            now = _with_other_crashes(now, fails)
    return now


def _fewer(steps: list[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """Without the runs of steps that it does not take: long ones first, from the end."""
    size = len(steps) // 2
    while size:
        for start in range(len(steps) - 1, -1, -1):
            without = steps[:start] + steps[start + size:]
            if len(without) < len(steps) and fails(without):
                steps = without
        size //= 2
    return steps


def _with_other_crashes(steps: list[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """Without one step, where a later crash has to come so many writes earlier for that."""
    for start in range(len(steps) - 1, -1, -1):
        without = steps[:start] + steps[start + 1:]
        for number in range(start, len(without)):
            step = without[number]
            for crash in range(step.said.get("crash") or 0):
                trial = [*without[:number], Step(step.name, {**step.said, "crash": crash}), *without[number + 1:]]
                if fails(trial):
                    return trial
    return steps


def _simpler(steps: list[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """With the first of the choices of each argument that fails too."""
    for number, step in enumerate(steps):
        for name, values in CHOICES[step.name].items():
            for value in values[:list(values).index(steps[number].said[name])][:TRIALS]:
                trial = [*steps]
                trial[number] = Step(step.name, {**steps[number].said, name: value})
                if fails(trial):
                    steps = trial
                    break
    return steps
