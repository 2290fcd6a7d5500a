"""The write order through crashes after any single write, and that this test can tell a wrong order from the right one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from engine.person import Cell
from engine.write_order import WriterState
from tests.memory import World, history

HISTORIES = 400
TRIES = 2000


def test_every_history_is_exact() -> None:
    wrong = {seed: verdict for seed in range(HISTORIES) if (verdict := history(seed)) != "exact"}
    assert wrong == {}


class NoStamp(World):
    """Deltas are applied whatever the stamp."""

    def _add(self, key: tuple[str, str], cells: Mapping[Cell, int], stamp: int) -> None:
        counts = Counter(self.documents.get(key, (0, {}))[1])
        counts.update(cells)
        self.documents[key] = stamp, dict(counts)


class SkipZero(World):
    """Documents whose sum is zero are not stamped."""

    def add(self, deltas: Mapping[Cell, int], stamp: int) -> None:
        super().add({cell: n for cell, n in deltas.items() if n}, stamp)


class NoRecount(World):
    """No recount, whatever was lost."""

    def save(self, state: WriterState) -> None:
        super().save(replace(state, recount=False))


def test_each_wrong_order_is_caught() -> None:
    for wrong in (NoStamp, SkipZero, NoRecount):
        caught = next((seed for seed in range(TRIES) if history(seed, wrong(seed)) != "exact"), None)
        assert caught is not None, wrong.__doc__
