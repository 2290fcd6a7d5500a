"""Rules that are wrong in one point, watched like ours: each is refused by a limit of the bench, and ours by none.

Which limit catches which stands in docs/decisions/0011-public-figures.md, and here.
"""

from collections.abc import Callable

import pytest

from bench.disclosure import of_snapshots, ours, share
from bench.disclosure_watchers import Ours, watched
from bench.disclosure_world import Event, history, one_by_one
from governance.disclosure import marks, release, tables
from governance.disclosure.figures import COUNTS, NATIONALITIES, Figures
from governance.disclosure.ledger import Mark
from governance.disclosure.marks import people_moved
from governance.disclosure.method import K, rounded, whole
from governance.disclosure.snapshot import Told

Break = Callable[[pytest.MonkeyPatch], None]

pytestmark = pytest.mark.long

AT_ONCE = "snapshots after every event: certain of at most 1 % in each table"
QUIET = "snapshots, one comes while ten change: certain of at most 1 % in each table"
SMALL = "k is at least 10 in every snapshot"
STEPS = "every step between any two snapshots is 0 or at least 10"
BEHIND = "every step between any two counts behind a figure is 0 or at least 10"
LATE = "no figure is ever more than 18 people late"


def no_threshold(patch: pytest.MonkeyPatch) -> None:
    """Groups of fewer than ten are shown, with their people."""
    patch.setattr(tables, "K", 1)
    patch.setattr(marks, "whole", lambda count: whole(count) or count)


def no_increments(patch: pytest.MonkeyPatch) -> None:
    """A figure is of people now, whatever was shown before."""
    def anew(count: int, current: object, seen: object, age_sum: float | None = None) -> Mark:
        return Mark(count=count, figure=whole(count), average=None if age_sum is None else rounded(age_sum / count))

    for module in (tables, release):
        patch.setattr(module, "increment", anew)


def no_waiting(patch: pytest.MonkeyPatch) -> None:
    """Figures move whoever moved."""
    patch.setattr(release, "people_moved", lambda *_: K)


def exact(patch: pytest.MonkeyPatch) -> None:
    """Figures are the counts behind them."""
    patch.setattr(marks, "whole", lambda count: count)
    patch.setattr(release, "TOLD", Told(version=1, k=K, step=1, text=""))


def nationality_decides(patch: pytest.MonkeyPatch) -> None:
    """Version 1: all tables move when ten people moved by nationality, and only then."""
    def anew(live: Figures, base: dict[str, dict[str, int]]) -> set[str]:
        return set(COUNTS) if people_moved(base[NATIONALITIES], live.nationalities) >= K else set()

    patch.setattr(release, "_anew", anew)


def one_decides(patch: pytest.MonkeyPatch) -> None:
    """All tables move when ten people moved in any one of them."""
    def anew(live: Figures, base: dict[str, dict[str, int]]) -> set[str]:
        return set(COUNTS) if any(people_moved(base[name], live.of(name)) >= K for name in COUNTS) else set()

    patch.setattr(release, "_anew", anew)


def everything(patch: pytest.MonkeyPatch) -> None:
    """Exact counts of everybody, whenever asked."""
    for wrong in (no_threshold, no_increments, no_waiting, exact):
        wrong(patch)
    patch.setattr(release, "increment", exactly)
    patch.setattr(tables, "increment", exactly)
    patch.setattr(tables, "_safe", lambda *_: True)


def exactly(count: int, current: object, seen: object, age_sum: float | None = None) -> Mark:
    return Mark(count=count, figure=count, average=None if age_sum is None else rounded(age_sum / count))


def some(seed: int = 7) -> list[list[Event]]:
    return history(seed, 600, 20)


def refused(wrong: Break, patch: pytest.MonkeyPatch) -> set[str]:
    """The limits that a rule does not keep."""
    wrong(patch)
    ran = ours(some(), seed=7, programs=0, sample=0)
    return {limit for limit, kept in of_snapshots(ran).items() if not kept}


@pytest.mark.parametrize(("wrong", "limit"), [
    (no_threshold, SMALL), (no_increments, BEHIND), (no_waiting, AT_ONCE), (exact, STEPS), (nationality_decides, LATE),
    (one_decides, QUIET),
], ids=lambda one: getattr(one, "__name__", ""))
def test_a_wrong_rule_is_refused(wrong: Break, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit in refused(wrong, monkeypatch)


def test_who_watches_reads_figures_for_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher has no rule of ours in it: of snapshots that are exact it learns nearly everything."""
    everything(monkeypatch)
    tallies = watched(Ours("exact", late=0), one_by_one(some())[:300])
    assert min(share(tally.certain, tally.targets) for table, tally in tallies.items() if table != "domains") > 0.8


def test_ours_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(lambda _: None, monkeypatch) == set()
