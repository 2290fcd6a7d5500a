"""The attacker's simulation in its short form: 2,000 people, 40 releases; and that each part of the harness can tell.

`python -m bench.disclosure` is the long form: 20,000 people, 300 releases.
"""

import random
from datetime import timedelta
from functools import cache
from itertools import chain

import pytest

from bench.disclosure import ALLOWED, TELLS, UNPROVED, Ran, limits, ours, share
from bench.disclosure_checks import k_behind, k_of, off_by, small_steps
from bench.disclosure_knowing import exact_ages
from bench.disclosure_programs import Found, Moved, exact_ranges, ranges
from bench.disclosure_watchers import Ours, Simple, Tally, certain, moves, watched
from bench.disclosure_world import Event, history, one_by_one
from governance.disclosure.figures import COUNTS, DOMAINS
from governance.disclosure.method import LATE, K
from governance.disclosure.snapshot import Cell, Snapshot
from governance.disclosure.snapshot import Table as Seen
from tests.governance.disclosed import figures, released

ARRIVALS, RELEASES, HIDDEN = 2_000, 40, 40
TABLES = pytest.mark.parametrize("table", COUNTS)


@cache
def events() -> list[list[Event]]:
    return history(7, ARRIVALS, RELEASES)


@cache
def ran() -> Ran:
    return ours(events(), seed=7, programs=HIDDEN, sample=1)


@cache
def exact_and_live() -> dict[str, Tally]:
    return watched(Simple("exact"), one_by_one(events()))


@TABLES
def test_who_watches_snapshots_is_certain_of_at_most_one_in_a_hundred(table: str) -> None:
    tally = ran().tallies[table]
    assert tally.targets > (300 if table == "arrivals" else ARRIVALS)
    assert share(tally.certain, tally.targets) <= ALLOWED


@TABLES
def test_for_nearly_all_there_is_somebody_to_be_exchanged_with(table: str) -> None:
    """So no watcher who knows nobody can be certain of them: somebody came or left who could be the target."""
    bound = ran().knowers.alone[table]
    assert bound.targets > 300
    assert share(bound.certain, bound.targets) <= UNPROVED


def test_nor_of_an_age() -> None:
    alone = ran().knowers.ages_alone
    assert alone.targets > 0
    assert share(alone.certain, alone.targets) <= ALLOWED


@TABLES
def test_who_watches_an_exact_live_counter_is_certain_of_nearly_all(table: str) -> None:
    tally = exact_and_live()[table]
    assert share(tally.certain, tally.targets) > TELLS


def test_or_of_nearly_all_ages_by_an_exact_live_average() -> None:
    exact = exact_ages(events())
    assert exact.targets == ARRIVALS
    assert share(exact.certain, exact.targets) > TELLS


@TABLES
def test_a_threshold_alone_does_not_protect(table: str) -> None:
    tally = watched(Simple("k", K), one_by_one(events()))[table]
    assert share(tally.certain, tally.targets) > 0.5


def test_all_the_limits_of_the_bench_are_kept() -> None:
    kept = limits({"exact, after every event": exact_and_live()}, exact_ages(events()), ran())
    assert [limit for limit, is_kept in kept.items() if not is_kept] == []


@TABLES
def test_the_rule_alone_protects_even_if_somebody_publishes_after_every_event(table: str) -> None:
    """Tables wait until ten people moved in them, whoever releases how often."""
    live = ran().live[table]
    assert live.targets > (40 if table == "arrivals" else 500)
    assert live.certain == 0


def test_no_figure_is_later_than_nine_when_counted_and_nine_more() -> None:
    assert LATE < ran().late <= 2 * LATE, "at some release one is later than it may be when it is counted"


def test_pycanon_confirms_k_in_every_snapshot() -> None:
    assert ran().moved > 20
    assert min(ran().k_published, ran().k_behind) >= K


def test_pycanon_would_say_so() -> None:
    snapshot = released(figures({"FR": 40, "DE": 35}))[0].snapshot
    small = snapshot.model_copy(update={"domains": Seen(cells=(Cell(key="mail.example", people=7),), other=63)})
    assert (k_of(snapshot), k_of(small)) == (30, 7)
    counts = {table: {"x": 75} for table in COUNTS} | {"nationalities": {"FR": 66, "DE": 9}}
    assert k_behind(snapshot, counts) == 9


def test_totals_are_the_sums_of_their_lines_and_every_step_is_of_at_least_ten() -> None:
    assert ran().off_by == 0
    assert ran().small_steps == []


def with_people(snapshot: Snapshot, people: int, other: int) -> Snapshot:
    seen = snapshot.nationalities.model_copy(update={"other": other})
    return snapshot.model_copy(update={"people": people, "nationalities": seen})


def test_wrong_totals_and_small_steps_would_be_seen() -> None:
    snapshot = released(figures({"FR": 40, "DE": 35}))[0].snapshot
    assert off_by(with_people(snapshot, 80, 5)) == 10
    assert small_steps(snapshot, snapshot) == []
    assert "nationalities/(other)" in small_steps(snapshot, with_people(snapshot, 70, snapshot.nationalities.other + 5))
    moved = with_people(snapshot, 82, snapshot.nationalities.other + 20)
    assert [wrong for wrong in small_steps(snapshot, moved) if "against" in wrong] != [], "12 in all, 20 in other: 8 elsewhere"


def test_no_hidden_count_can_be_narrowed_by_linear_programming() -> None:
    found = ran().found
    assert len(found) == HIDDEN
    assert [one for one in found if not one.safe] == []
    assert [one for one in found if not one.low <= one.count <= one.high] == [], "else the program is wrong"
    assert {one.table for one in found} >= {"nationalities", DOMAINS}


def seen(people: int, nationalities: dict[str, int]) -> Snapshot:
    """A snapshot with these figures; of the other tables nothing is shown."""
    (one,) = released(figures({"FR": 60, "DE": 53}))
    nothing = Seen(cells=(), other=people)
    cells = tuple(Cell(key=key, people=n) for key, n in nationalities.items())
    return one.snapshot.model_copy(update={
        "people": people, "nationalities": Seen(cells=cells, other=people - sum(nationalities.values())),
        "gender_ages": nothing, "domains": nothing, "arrivals": nothing})


def test_linear_programming_finds_what_a_complement_gives_away() -> None:
    """100 to 109 people, 90 to 99 of them French, and one small group: it is not empty."""
    moved = Moved(seen(100, {"FR": 90}), {"nationalities": {"FR": 98, "NL": 7}})
    (found,) = ranges([moved], [], random.Random(1), 1)
    assert ((found.key, found.count, found.low, found.high), found.safe) == (("NL", 7, 1, 9), False)
    moved = Moved(seen(110, {"FR": 90}), {"nationalities": {"FR": 99, "NL": 12}})
    (found,) = ranges([moved], [], random.Random(1), 1)
    assert ((found.low, found.high), found.safe) == ((11, 29), True)


def test_linear_programming_finds_what_earlier_snapshots_give_away() -> None:
    """130 people at least were FR, DE and BE: so FR had 92, for the two had 38. It stays, so it has 83; of 119 NL has 36."""
    window = [Moved(seen(130, {"FR": 90, "DE": 10, "BE": 10}), {"nationalities": {"FR": 95, "DE": 19, "BE": 19}}),
              Moved(seen(110, {"FR": 90}), {"nationalities": {"FR": 95, "NL": 18}})]
    (both,), (alone,) = (ranges(window[at:], [one.snapshot for one in window[:at]], random.Random(1), 1) for at in (0, 1))
    assert ((both.low, both.high), (alone.low, alone.high)) == ((10, 36), (10, 38))


def test_a_program_that_the_truth_does_not_fit_is_wrong() -> None:
    with pytest.raises(AssertionError, match="the program is wrong"):
        ranges([Moved(seen(100, {"FR": 90}), {"nationalities": {"FR": 98, "NL": 0, "BE": 42}})], [], random.Random(1), 1)


def test_linear_programming_finds_what_a_threshold_alone_gives_away() -> None:
    assert [(one.count, one.low, one.high) for one in exact_ranges({"FR": 40, "DE": 30, "NL": 7}, K)] == [(7, 7, 7)]
    assert [one.safe for one in exact_ranges({"FR": 40, "NL": 9, "BE": 8}, K)] == [False, False]
    assert [one.safe for one in exact_ranges({"FR": 40, "NL": 4, "BE": 6, "LU": 3}, K)] == [True, True, True]


@pytest.mark.parametrize(("low", "high", "safe"), [(0, 9, True), (1, 9, False), (0, 8, False), (4, 14, True), (20, 29, False)])
def test_what_is_safe(low: float, high: float, safe: bool) -> None:
    assert Found(DOMAINS, "x", 5, low, high).safe is safe


def test_what_is_certain() -> None:
    still, any_way = (0.0, 0.0), (-float("inf"), float("inf"))
    assert certain({"FR": (1, 1), "DE": still}, came=1, left=0, arrival=True) == {"FR"}
    assert certain({"FR": (1, 1), "DE": (1, 1)}, came=2, left=0, arrival=True) == {"FR", "DE"}
    assert certain({"FR": (1, 1), "DE": still}, came=2, left=1, arrival=True) == {"FR", "DE"}, "one came to DE, one left it"
    assert certain({"FR": (-1, -1), "DE": still}, came=0, left=1, arrival=False) == {"FR"}
    assert certain({"FR": (1, 5), "DE": any_way}, came=1, left=0, arrival=True) == {"FR"}
    assert certain({"FR": any_way, "DE": any_way}, came=1, left=0, arrival=True) == {"FR", "DE"}


def test_a_released_figure_says_who_moved_in_the_watchers_bounds() -> None:
    """The watcher's bounds are true ones: checked against the counts at every move of a history."""
    publisher, before = Ours("ours"), dict[str, dict[str, int]]()
    tried = 0
    for move in chain.from_iterable(moves(publisher, events())):
        table, now = move.table, dict(move.count.tables[move.table])
        for key, n in now.items() if table in before else ():
            low, high = publisher.box(table, key)
            assert low <= n - before[table].get(key, 0) <= high
            tried += high < float("inf")
        before[table] = now
    assert tried > 100
    assert publisher.releases[-1].snapshot.at - publisher.releases[0].snapshot.at == timedelta(hours=RELEASES - 1)
