"""A step forward: what is kept in the form of one version takes that of the next.

Versions are counted by steps: what has none is of version 1, and each step leads to the next. A step may be killed anywhere and
is then taken again from its beginning; what is of the newer form already it leaves alone. So one that finds nothing to change
is as good as taken.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

Place = TypeVar("Place")


class Step(ABC, Generic[Place]):
    """One step. `what`: what becomes of what, as a clause."""

    what: str

    @abstractmethod
    def left(self, place: Place) -> str:
        """What it would change, in words; empty where nothing. Changes nothing."""

    @abstractmethod
    def take(self, place: Place) -> None:
        """Changes it."""


def current(steps: Sequence[Step[Any]]) -> int:
    """The version to which all of these lead."""
    return 1 + len(steps)
