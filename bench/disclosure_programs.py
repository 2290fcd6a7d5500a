"""What linear programming gets out of published tables about counts that are not shown.

The unknowns are the counts themselves, of every category at every release of a window; what is published, and the published
method, are the constraints, over all tables at once since they share the total. The watcher is also told which categories are
hidden for being small, which he could not know. For a hidden count, the least and the largest value that fits are asked for.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from governance.disclosure.figures import COUNTS, DOMAINS, GENDER_AGES, NATIONALITIES
from governance.disclosure.method import LATE, STEP, K
from governance.disclosure.snapshot import Snapshot

WINDOW = 12


@dataclass(frozen=True)
class Moved:
    """A release at which figures moved: what is seen, and of the tables that were counted then the counts, table -> category ->
    people."""

    snapshot: Snapshot
    counts: Mapping[str, Mapping[str, int]]


@dataclass
class Program:
    """Unknowns with bounds, and sums of them with bounds."""

    bounds: list[tuple[float, float | None]] = field(default_factory=list)
    rows: list[tuple[list[tuple[int, float]], float]] = field(default_factory=list)    # sum <= limit
    sums: list[tuple[list[tuple[int, float]], float]] = field(default_factory=list)    # sum == value

    def unknown(self, low: float = 0, high: float | None = None) -> int:
        """A new unknown; returns its place."""
        self.bounds.append((low, high))
        return len(self.bounds) - 1

    def within(self, one: int, other: int, distance: float) -> None:
        """Two unknowns differ by at most this."""
        self.rows.append(([(one, 1), (other, -1)], distance))
        self.rows.append(([(other, 1), (one, -1)], distance))

    def range_of(self, one: int) -> tuple[float, float]:
        """The least and the largest value of an unknown; without an upper limit, infinity."""
        limits = self._matrix(self.rows), self._matrix(self.sums)
        found = []
        for sign in (1, -1):
            cost = [0.0] * len(self.bounds)
            cost[one] = sign
            done: Any = linprog(cost, A_ub=limits[0], b_ub=[limit for _, limit in self.rows] or None, A_eq=limits[1],
                                b_eq=[value for _, value in self.sums] or None, bounds=self.bounds, method="highs")
            if done.status not in (0, 3):
                raise AssertionError(f"nothing fits what is published: {done.message}; the program is wrong")
            found.append(sign * done.fun if done.status == 0 else float("inf"))
        return found[0], found[1]

    def _matrix(self, rows: Sequence[tuple[list[tuple[int, float]], float]]) -> Any:
        if not rows:
            return None
        places = [(n, at, factor) for n, (terms, _) in enumerate(rows) for at, factor in terms]
        numbers, columns, factors = zip(*places, strict=True)
        return csr_matrix((factors, (numbers, columns)), shape=(len(rows), len(self.bounds)))


@dataclass(frozen=True)
class Found:
    """What is feasible for one hidden count."""

    table: str
    key: str
    count: int
    low: float
    high: float

    @property
    def safe(self) -> bool:
        """At least K wide, or all of 0..K-1."""
        margin = 1e-6
        return self.high - self.low >= K - margin or (self.low <= margin and self.high >= K - 1 - margin)


def hidden(moved: Moved, table: str) -> dict[str, int]:
    """Categories that are within "other", with their people."""
    shown = {cell.key for cell in moved.snapshot.table(table).cells}
    return {key: n for key, n in moved.counts[table].items() if n and key not in shown}


def ranges(window: Sequence[Moved], before: Sequence[Snapshot], rng: random.Random, most: int) -> list[Found]:
    """The feasible ranges of up to `most` counts that are hidden in what was counted at the last release of a window. before:
    earlier snapshots. Raises AssertionError where a count is outside of its range: then the program is wrong."""
    last = window[-1]
    asked = [(table, key) for table in last.counts for key in sorted(hidden(last, table))]
    asked = rng.sample(asked, min(most, len(asked)))
    program, places = _program(window, before, set(asked))
    found = [Found(table, key, last.counts[table][key], *program.range_of(places[table, key])) for table, key in asked]
    if wrong := [one for one in found if not one.low - 1e-6 <= one.count <= one.high + 1e-6]:
        raise AssertionError(f"the truth does not fit what is published: {wrong[0]}; the program is wrong")
    return found


def _program(window: Sequence[Moved], before: Sequence[Snapshot],
             asked: set[tuple[str, str]]) -> tuple[Program, dict[tuple[str, str], int]]:
    program, places = Program(), dict[tuple[str, str], int]()
    seen = {figure for one in before for figure in _figures(one)}
    marks: dict[tuple[str, str, int], int] = {}
    for moved in window:
        people = program.unknown()
        _behind(program, marks, seen, ("", "", moved.snapshot.people), people)
        for table in moved.counts:    # the others have counts of an earlier moment, which is in the window or before it
            terms = []
            for cell in moved.snapshot.table(table).cells:
                terms.append(program.unknown())
                _behind(program, marks, seen, (table, cell.key, cell.people), terms[-1])
            merged = hidden(moved, table)
            smallest = min((cell.people for cell in moved.snapshot.table(table).cells), default=None)
            ceiling = smallest + STEP - 1 + LATE if smallest and table in (NATIONALITIES, GENDER_AGES) else None
            for key in [key for key in merged if moved is window[-1] and (table, key) in asked]:
                tiny = merged.pop(key) < K
                places[table, key] = program.unknown(0 if tiny else K, K - 1 if tiny else ceiling)
                terms.append(places[table, key])
            small = sum(n < K for n in merged.values())
            terms.append(program.unknown(0, small * (K - 1)))
            if large := len(merged) - small:
                terms.append(program.unknown(large * K, None if ceiling is None else large * ceiling))
            program.sums.append(([*((at, 1.0) for at in terms), (people, -1.0)], 0.0))
    for lower, upper in pairwise(sorted(marks)):
        if lower[:2] == upper[:2]:    # what stands behind two figures of a category is at least K apart
            program.rows.append(([(marks[lower], 1), (marks[upper], -1)], -K))
    return program, places


def _figures(snapshot: Snapshot) -> Iterator[tuple[str, str, int]]:
    yield "", "", snapshot.people
    for table in COUNTS:
        for cell in snapshot.table(table).cells:
            yield table, cell.key, cell.people


def _behind(program: Program, marks: dict[tuple[str, str, int], int], seen: set[tuple[str, str, int]],
            figure: tuple[str, str, int], count: int) -> None:
    """Ties a count to what stands behind its figure: exactly, when the figure is seen for the first time, else nearly."""
    fresh = figure not in seen
    seen.add(figure)
    if figure not in marks:
        marks[figure] = program.unknown(figure[2], figure[2] + STEP - 1)
    program.within(count, marks[figure], 0 if fresh else LATE)


def exact_ranges(counts: Mapping[str, int], k: int) -> list[Found]:
    """The same question for one table with exact counts and total, where those under k are left out: so that this can tell."""
    found = []
    for asked in [key for key, n in counts.items() if n < k]:
        program = Program()
        terms = [program.unknown(n, n) if n >= k else program.unknown(0, k - 1) for n in counts.values()]
        program.sums.append(([(at, 1.0) for at in terms], float(sum(counts.values()))))
        found.append(Found(DOMAINS, asked, counts[asked], *program.range_of(terms[list(counts).index(asked)])))
    return found
