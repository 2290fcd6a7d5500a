"""Whether a category within "other" could be computed: secondary suppression.

It is asked against somebody who knows the count of every category that is shown and the total, both exactly, hence also how
many people are merged in all. That is more than the figures say, of this table and of those that share its total; so whatever
rounding hides comes on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from governance.disclosure.method import K


@dataclass(frozen=True)
class Merged:
    """A category within "other": its people, and the least and most it may have for all that is known of it alone."""

    count: int
    low: int
    high: int


def computable(merged: Sequence[Merged]) -> bool:
    """Whether the sum of these categories narrows what is known of one of them, to less than K wide and to less than all of
    0..K-1."""
    together = sum(one.count for one in merged)
    lows, highs = sum(one.low for one in merged), sum(one.high for one in merged)
    for one in merged:
        low = max(one.low, together - (highs - one.high))
        high = min(one.high, together - (lows - one.low))
        narrowed = (low, high) != (one.low, one.high)
        if narrowed and high - low < K and not (low == 0 and high >= K - 1):
            return True
    return False
