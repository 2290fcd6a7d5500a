"""One figure over time: the increment test against every earlier snapshot.

Counts behind the figures of one category are marks, any two of which are the same or at least K people apart. While the count
is less than K from its mark, the figure stays. Else it goes back to an earlier mark that is less than K away, if there is one:
a new count would be a small step from that one, which was seen. So when a table is counted each figure is K - 1 people late at
most, up or down; until it is counted again, K - 1 more (people_moved).
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from governance.disclosure.ledger import Mark
from governance.disclosure.method import K, rounded, whole

REST = ""
"""Of a table's base: the people of all categories that it does not name."""


def increment(count: int, current: Mark | None, seen: Iterable[Mark], age_sum: float | None = None) -> Mark:
    """The mark of a category of `count` people (at least K). current: what is shown now; seen: every mark it ever had, in any
    release; age_sum: the sum of ages in years, where the average is shown too."""
    if current is not None and abs(count - current.count) < K:
        return current
    near = [mark for mark in seen if abs(count - mark.count) < K]
    if near:
        return min(near, key=lambda mark: (abs(count - mark.count), mark.count))
    return Mark(count=count, figure=whole(count), average=None if age_sum is None else rounded(age_sum / count))


def based(counts: Mapping[str, int], named: Container[str]) -> dict[str, int]:
    """The counts of a table, as the next ones are compared with them: of those that are not named, the sum."""
    base: Counter[str] = Counter()
    for key, count in counts.items():
        base[key if key in named else REST] += count
    return dict(base)


def people_moved(then: Mapping[str, int], counts: Mapping[str, int]) -> int:
    """How many people came, left or changed in a table at least, by its base and its counts now: one person adds to one
    category at most, and takes from one at most."""
    now = based(counts, then)
    steps = [now.get(key, 0) - then.get(key, 0) for key in {*then, *now}]
    return max(sum(step for step in steps if step > 0), -sum(step for step in steps if step < 0))
