"""One table: which categories are shown, which are merged into "other".

    threshold      a category of fewer than K people is not shown, be it for the first time or no longer
    increments     marks.py: what stands behind each figure
    room           the largest (domains) or the newest (arrivals) only, where a table has room for so many
    complement     what is left when the shown ones are taken from the total is nobody, or at least K people
    other          the total's figure less the others', so that they add up; at least K where anything is merged
    not computable merged.py: nothing within "other" can be computed

A table in which too few people moved stays as it is under the total of now: `stays`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from governance.disclosure import figures
from governance.disclosure.ledger import Back, Mark, Why
from governance.disclosure.marks import increment
from governance.disclosure.merged import Merged, computable
from governance.disclosure.method import DOMAINS, LATE, PERIODS, STEP, K
from governance.disclosure.snapshot import Cell, Table


class First(Enum):
    """Which categories a table with little room has."""

    LARGEST = "largest"
    NEWEST = "newest"


@dataclass(frozen=True)
class Kind:
    """What a table is like. room: how many categories it has at most."""

    name: str
    room: int | None = None
    first: First = First.LARGEST


KINDS = (Kind(figures.NATIONALITIES), Kind(figures.GENDER_AGES), Kind(figures.DOMAINS, DOMAINS),
         Kind(figures.ARRIVALS, PERIODS, First.NEWEST))


@dataclass(frozen=True)
class History:
    """What was seen of one table. shown: category -> its mark in the last snapshot; seen: category -> every mark it had in any,
    in the order of the snapshots."""

    shown: Mapping[str, Mark]
    seen: Mapping[str, Sequence[Mark]]


@dataclass(frozen=True)
class Made:
    """A table. marks: category that is shown -> what stands behind; chosen: those that there was room for."""

    table: Table
    marks: dict[str, Mark]
    chosen: set[str]


def table(kind: Kind, counts: Mapping[str, int], people: Mark, history: History,
          age_sums: Mapping[str, float] | None = None) -> Made:
    """A table of the public part and what stands behind it. counts: category -> people, exactly; people: the
    mark of the total; age_sums: where averages are shown too."""
    there = {key: count for key, count in counts.items() if count}
    marks = {key: increment(count, history.shown.get(key), history.seen.get(key, ()), (age_sums or {}).get(key))
             for key, count in there.items() if count >= K and figures.showable(kind.name, key)}
    ranked = _ranked(kind, marks, history)
    shown = {key: marks[key] for key in ranked[:kind.room]}
    in_order = set(shown if kind.first is First.NEWEST else marks)
    for smallest in sorted(shown, key=lambda key: (shown[key].figure, key)):
        if _safe(there, shown, people, history, in_order):
            break
        del shown[smallest]
    return _made(shown, people, set(ranked[:kind.room]))


def _made(shown: dict[str, Mark], people: Mark, chosen: set[str]) -> Made:
    cells = tuple(Cell(key=key, people=shown[key].figure) for key in sorted(shown))
    return Made(Table(cells=cells, other=people.figure - sum(cell.people for cell in cells)), shown, chosen)


def stays(last: Table, marks: Mapping[str, Mark], people: Mark) -> Made:
    """A table that is not counted anew. last, marks: as it was; people: the mark of the total. If the total leaves too little
    for "other" the smallest figures give way; where nothing was merged before, two of them, for one could be computed."""
    shown = dict(marks)
    for smallest in sorted(marks, key=lambda key: (marks[key].figure, key)):
        gone = len(marks) - len(shown)
        other = people.figure - sum(mark.figure for mark in shown.values())
        if other >= (K if last.other or gone else 0) and (last.other or gone != 1):
            break
        del shown[smallest]
    return _made(shown, people, set(marks))


def _ranked(kind: Kind, marks: Mapping[str, Mark], history: History) -> list[str]:
    """By what is shown, not by what is counted: of two that look the same, the one that is there stays there."""
    if kind.first is First.NEWEST:
        return sorted(marks, reverse=True)
    return sorted(marks, key=lambda key: (-marks[key].figure, key not in history.shown, key))


def _safe(there: Mapping[str, int], shown: Mapping[str, Mark], people: Mark, history: History, in_order: set[str]) -> bool:
    merged = {key: count for key, count in there.items() if key not in shown}
    other = people.figure - sum(mark.figure for mark in shown.values())
    if not merged:
        return other >= 0
    complement = sum(merged.values())
    return complement >= K and other >= K and not computable(list(_known(there, shown, merged, history, in_order)))


def _known(there: Mapping[str, int], shown: Mapping[str, Mark], merged: Mapping[str, int], history: History,
           in_order: set[str]) -> Iterator[Merged]:
    """What is known of each merged category alone: that it is small; or what was shown of it before; or, of those that are
    merged in the order of their figures, that it is no larger than the smallest that is shown."""
    everybody = sum(there.values())
    smallest = min((there[key] for key in shown), default=everybody)
    for key, count in merged.items():
        if count < K:
            yield Merged(count, 0, K - 1)
        elif key in history.seen:
            figure = history.seen[key][-1].figure
            yield Merged(count, min(figure - LATE, count), max(figure + STEP - 1 + LATE, count))
        else:
            yield Merged(count, K, max(smallest, count) if key in in_order else everybody)


def held_back(kind: Kind, counts: Mapping[str, int], made: Made) -> Iterator[Back]:
    """What this table holds back, and why. In a table with little room the small ones and those that had none are counted, not
    named: there may be thousands, and many a domain is somebody's own."""
    unnamed: Counter[Why] = Counter()
    for key, count in sorted(counts.items()):
        if key in made.marks:
            if count != made.marks[key].count:
                yield Back(table=kind.name, key=key, why=Why.KEPT)
        elif not figures.showable(kind.name, key):
            unnamed[Why.NO_NAME] += 1
        elif count:
            why = Why.SMALL if count < K else Why.MERGED if key in made.chosen else Why.NOT_AMONG
            if kind.room is None or why is Why.MERGED:
                yield Back(table=kind.name, key=key, why=why)
            else:
                unnamed[why] += 1
    for why, categories in unnamed.items():
        yield Back(table=kind.name, key="", why=why, categories=categories)
