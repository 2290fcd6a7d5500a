"""What must hold of every snapshot whoever looks: k by pycanon, sums, steps between any two, and between counts behind them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, repeat

import pandas as pd
from pycanon import anonymity

from governance.disclosure.figures import COUNTS
from governance.disclosure.ledger import Release
from governance.disclosure.method import K
from governance.disclosure.snapshot import Snapshot

OTHER = "(other)"


def k_of(snapshot: Snapshot) -> int:
    """The k of all that is published, as pycanon measures it: one row for each person that a figure says there is."""
    rows = [row for table in COUNTS for cell in snapshot.table(table).cells for row in repeat((table, cell.key), cell.people)]
    rows += [row for table in COUNTS for row in repeat((table, OTHER), snapshot.table(table).other)]
    return _k(rows)


def k_behind(snapshot: Snapshot, counts: Mapping[str, Mapping[str, int]]) -> int:
    """The k of the people themselves, by what is published of them: each is in a category that is shown, or in other."""
    rows: list[tuple[str, str]] = []
    for table in COUNTS:
        shown = {cell.key for cell in snapshot.table(table).cells}
        for key, n in counts[table].items():
            rows += repeat((table, key if key in shown else OTHER), n)
    return _k(rows)


def _k(rows: Sequence[tuple[str, str]]) -> int:
    return int(anonymity.k_anonymity(pd.DataFrame(rows, columns=["table", "category"]), ["table", "category"]))


def off_by(snapshot: Snapshot) -> int:
    """By how many people the total of a table differs from the sum of its lines, at most."""
    return max(abs(snapshot.people - sum(cell.people for cell in snapshot.table(table).cells) - snapshot.table(table).other)
               for table in COUNTS)


def small_steps(one: Snapshot, other: Snapshot) -> list[str]:
    """Figures, and differences of two figures, that changed by fewer than K but not by nothing: category from category,
    category from total, other from either."""
    wrong = []
    for table in COUNTS:
        was, now = ({**{cell.key: cell.people for cell in each.table(table).cells}, OTHER: each.table(table).other,
                     "(all)": each.people} for each in (one, other))
        steps = {key: now[key] - was[key] for key in was.keys() & now.keys()}
        wrong += [f"{table}/{key}" for key, step in steps.items() if 0 < abs(step) < K]
        kinds = sorted(set(steps.values()))    # a difference of two figures changes by a difference of two steps
        wrong += [f"{table}: {low} against {high}" for low in kinds for high in kinds if 0 < high - low < K]
    return wrong


def small_marks(releases: Sequence[Release]) -> list[str]:
    """Categories of whose figures any two, in whichever releases, stand for counts that differ by fewer than K but not by none.
    With such a rule a figure can be moved to and fro, and each time tells of few people."""
    counts: dict[tuple[str, str], set[int]] = {}
    for one in releases:
        counts.setdefault(("(all)", ""), set()).add(one.ledger.people.count)
        for table, marks in one.ledger.marks.items():
            for key, mark in marks.items():
                counts.setdefault((table, key), set()).add(mark.count)
    return [f"{table}/{key}" for (table, key), some in counts.items()
            if any(high - low < K for low, high in pairwise(sorted(some)))]
