"""The numbers of the method, and how the public is told of it: the SDC handbook asks for that, and nothing of it is secret."""

VERSION = 2
"""1 counted all tables anew when ten people moved by nationality, and only then. Snapshots say by which they were made."""

K = 10
"""No figure, and no change of a figure, stands for fewer people."""

STEP = 10
"""Figures are rounded down to multiples of this. A multiple of the usual base 5, and no less than K: so every sum and every
difference of figures, over any tables and any releases, changes by 0 or by at least K."""

LATE = K - 1
"""By how many people a count may differ from that behind its figure when its table is counted, at most; and by how many more
until it is counted again."""

AVERAGE_STEP = 0.5
"""Years to which an average age is rounded; docs/decisions/0011 has what 0.1 and 1 would give."""

DOMAINS = 15
PERIODS = 48

TEXT = (
    f"Figures are counts of people in whole tens, rounded down. A group of fewer than {K} people is not shown: it is part of "
    f"\"other\", together with at least one more group, and so are recent changes that are not shown yet. A table stays as it "
    f"is until at least {K} people came, left or changed in it; then it is counted. A figure changes only if its group is at "
    f"least {K} people away from the count behind it: to an earlier figure whose count is nearer than that, or else to a new "
    f"one. So a figure is up to {LATE} people late when its table is counted, and up to {LATE} more until it is counted again. "
    f"An average age is that of the moment when its group's figure was counted, to half a year. Everybody sees the same "
    f"figures until the next release.")


def whole(count: int) -> int:
    """A count of people as it may be shown: rounded down to a multiple of STEP."""
    return count // STEP * STEP


def rounded(average: float) -> float:
    """An average age in years as it may be shown: to the nearest AVERAGE_STEP."""
    return round(average / AVERAGE_STEP) * AVERAGE_STEP
