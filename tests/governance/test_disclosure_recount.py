"""Each figure equals the rule applied to an independent recount: from rows of people, with everything tried out.

`Recount` shares nothing with governance/disclosure but the numbers of the method. It counts rows, keeps what it published
itself, and finds out what could be computed by trying every value. Tables of domains and arrivals have little room, which is
tried with as little as two places, so that places are fought for, and once with all fifteen and 48.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from governance.disclosure import release, tables
from governance.disclosure.figures import Figures
from governance.disclosure.ledger import Held, Release
from tests.governance.disclosed import attempt

pytestmark = pytest.mark.long

TABLES = ("nationalities", "gender_ages", "domains", "arrivals")
CATEGORIES = {
    "nationalities": ("FR", "DE", "GB", "NL", "BE", "LU"),
    "gender_ages": ("female 30-39", "male 30-39", "female 80-89", "male 80-89"),
    "domains": ("mail.example", "post.example", "not a domain", "own.example", "more.example"),
    "arrivals": ("2026-11-28T09", "2026-11-28T10", "2026-11-28T11", "2026-11-28T12"),
}
ROOM = {"domains": 15, "arrivals": 48}
Row = dict[str, Any]
Step = list[tuple[int, int, tuple[int, ...], bool]]


@dataclass
class Recount:
    """The rule again. room: table -> categories; past: what was published, each as table -> category -> (people behind it,
    figure, average age); base: table -> people when it was last counted."""

    room: Mapping[str, int] = field(default_factory=lambda: ROOM)
    past: list[dict[str, dict[str, tuple[int, int, float]]]] = field(default_factory=list)
    total: list[tuple[int, int]] = field(default_factory=list)
    base: dict[str, Counter[str]] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, set[str]] = field(default_factory=dict)

    def publish(self, rows: list[Row]) -> dict[str, Any] | None:
        """What everybody sees, or nothing."""
        if len(rows) < 10:
            return None
        anew = {name for name in TABLES if not self.past or self._moved(name, rows)}
        if not anew:
            return self.seen
        was = [*self.total]
        near = was[-1:] if was and -10 < len(rows) - was[-1][0] < 10 else sorted(
            (one for one in was if -10 < len(rows) - one[0] < 10), key=lambda one: (abs(len(rows) - one[0]), one))
        self.total.append(near[0] if near else (len(rows), len(rows) - len(rows) % 10))
        behind = {name: self._table(name, rows) if name in anew else self._late(name) for name in TABLES}
        for name in anew:
            self.base[name] = Counter(self._told_apart(name, row[name], behind[name]) for row in rows)
        self.past.append(behind)
        self.seen = {"people": self.total[-1][1]} | {name: self._seen(behind[name]) for name in TABLES}
        self.seen["averages"] = {key: average for key, (_, _, average) in behind["nationalities"].items()}
        return self.seen

    def _moved(self, name: str, rows: list[Row]) -> bool:
        """Whether ten came to categories of a table, or left them. Where there is little room only those that it showed when it
        was last counted are told apart."""
        base = self.base[name]
        now = Counter(self._told_apart(name, row[name], base) for row in rows)
        return max((now - base).total(), (base - now).total()) >= 10

    def _told_apart(self, name: str, key: str, those: Mapping[str, Any]) -> str:
        return key if name not in self.room or key in those else "all others"

    def _late(self, name: str) -> dict[str, tuple[int, int, float]]:
        """As it was, less as many of the smallest as the total wants: none, or two at least where nobody was in other."""
        cells, had_other = self.past[-1][name], self.seen[name][""] > 0
        order = [key for _, key in sorted((figure, key) for key, (_, figure, _) in cells.items())]
        for gone in range(len(order) + 1):
            left = self.total[-1][1] - sum(cells[key][1] for key in order[gone:])
            if (left >= 10 and (had_other or gone != 1)) or (left == 0 and gone == 0 and not had_other):
                return {key: cells[key] for key in order[gone:]}
        return {}

    def _seen(self, cells: Mapping[str, tuple[int, int, float]]) -> dict[str, int]:
        figures = {key: figure for key, (_, figure, _) in cells.items()}
        return figures | {"": self.total[-1][1] - sum(figures.values())}

    def _table(self, name: str, rows: list[Row]) -> dict[str, tuple[int, int, float]]:
        people: dict[str, list[Row]] = {}
        for row in rows:
            people.setdefault(row[name], []).append(row)
        may = {key: self._cell(name, key, some) for key, some in people.items() if len(some) >= 10 and " domain" not in key}
        if name in self.room:    # places go to the newest, or the largest; of those that look the same, to whom had one
            had = self.past[-1][name] if self.past else {}
            best = sorted(may, reverse=True) if name == "arrivals" else sorted(
                may, key=lambda key: (-may[key][1], 0 if key in had else 1, key))
            self.chosen[name] = set(best[:self.room[name]])
        in_room = {key: cell for key, cell in may.items() if name not in self.room or key in self.chosen[name]}
        order = [key for _, key in sorted((figure, key) for key, (_, figure, _) in in_room.items())]
        for merged in range(len(order) + 1):
            shown = {key: may[key] for key in order[merged:]}
            if not shown or self._may_be_seen(name, {key: len(some) for key, some in people.items()}, shown):
                return shown
        raise AssertionError("with nothing shown there is nothing wrong")

    def _cell(self, name: str, key: str, some: list[Row]) -> tuple[int, int, float]:
        n = len(some)
        cells = [one[name][key] for one in self.past if key in one[name]]
        last = self.past[-1][name].get(key) if self.past else None
        if last and n in range(last[0] - 9, last[0] + 10):
            return last
        for distance in range(10):
            for cell in sorted(cells):
                if abs(cell[0] - n) == distance:
                    return cell
        return n, n - n % 10, round(2 * sum(row["age"] for row in some) / n) / 2

    def _may_be_seen(self, name: str, people: dict[str, int], shown: dict[str, tuple[int, int, float]]) -> bool:
        merged = sorted(set(people) - set(shown))
        other = self.total[-1][1] - sum(figure for _, figure, _ in shown.values())
        if not merged:
            return other >= 0
        together = sum(people[key] for key in merged)
        if together < 10 or other < 10:
            return False
        alone = {key: set(self._alone(name, key, people, shown)) for key in merged}
        for key in merged:
            sums = {0}
            for one in merged:
                if one != key:
                    sums = {so_far + n for so_far in sums for n in alone[one] if so_far + n <= together}
            left = {n for n in alone[key] if together - n in sums}
            if left != alone[key] and max(left) - min(left) < 10 and not left >= set(range(10)):
                return False
        return True

    def _alone(self, name: str, key: str, people: dict[str, int], shown: dict[str, Any]) -> Iterator[int]:
        """Every number of people that this category may have, for all that is known of it by itself."""
        n = people[key]
        figures = [one[name][key][1] for one in self.past if key in one[name]]
        if n < 10:
            yield from range(10)
        elif figures:
            yield from range(min(figures[-1] - 9, n), max(figures[-1] + 18, n) + 1)
        else:
            free = (name == "domains" and " domain" in key) or (name == "arrivals" and key not in self.chosen[name])
            most = sum(people.values()) if free else max(n, min(people[one] for one in shown))
            yield from range(10, most + 1)


def figures(rows: list[Row]) -> Figures:
    counts: dict[str, Any] = {name: dict(Counter(row[name] for row in rows)) for name in TABLES}
    ages = {nat: float(sum(row["age"] for row in rows if row["nationalities"] == nat)) for nat in counts["nationalities"]}
    return Figures(**counts, ages=ages)


def seen(release: Release) -> dict[str, Any]:
    snapshot = release.snapshot
    return {"people": snapshot.people, "averages": {one.key: one.years for one in snapshot.average_ages}} | {
        name: {cell.key: cell.people for cell in snapshot.table(name).cells} | {"": snapshot.table(name).other}
        for name in TABLES}


def happens(rows: list[Row], steps: Step) -> list[Row]:
    """Some come (n > 0), some leave or change: `n` people of the n-th category of each table. Those who leave are the first of
    that nationality; those who change are the first of that domain: their gender and age is then that of the step, their domain
    that of its last place."""
    for n, age, places, changes in steps:
        row = {name: CATEGORIES[name][place % len(CATEGORIES[name])] for name, place in zip(TABLES, places, strict=True)}
        if n > 0:
            rows = rows + [row | {"age": age}] * n
        elif not changes:
            leaving = [at for at, one in enumerate(rows) if one["nationalities"] == row["nationalities"]][:-n]
            rows = [one for at, one in enumerate(rows) if at not in set(leaving)]
        else:
            those = [at for at, one in enumerate(rows) if one["domains"] == row["domains"]][:-n]
            new = {"domains": CATEGORIES["domains"][places[3] % 5], "gender_ages": row["gender_ages"]}
            rows = [one | new if at in set(those) else one for at, one in enumerate(rows)]
    return rows


NUMBERS = st.sampled_from([1, 2, 4, 5, 8, 9, 10, 11, 14, 19, 20, 31, -1, -2, -5, -9, -10, -11, -20])
PLACES = st.tuples(*[st.integers(0, 5)] * 4)
STEPS = st.lists(st.tuples(NUMBERS, st.integers(16, 90), PLACES, st.booleans()), min_size=0, max_size=6)


def come(n: int, age: int, *places: int) -> tuple[int, int, tuple[int, ...], bool]:
    return n, age, places, False


@pytest.mark.parametrize("room", [ROOM, {"domains": 2, "arrivals": 2}], ids=["room", "little room"])
@given(first=st.lists(st.tuples(st.integers(1, 60), st.integers(16, 90), PLACES, st.just(False)), min_size=1, max_size=8),
       later=st.lists(STEPS, max_size=12))
@example(first=[come(25, 30, 0, 0, 0, 0), come(30, 30, 1, 1, 1, 1), come(20, 30, 2, 0, 0, 0)],    # up, down, up again
         later=[[come(4, 40, 0, 0, 0, 0)]] * 7 + [[come(-3, 40, 0, 0, 0, 0)]] * 7
         + [[come(9, 40, 0, 1, 2, 2), come(1, 40, 1, 1, 2, 2)]] * 4)
@example(first=[come(40, 30, 0, 0, 0, 0), come(40, 60, 1, 1, 1, 1), come(9, 30, 2, 2, 3, 2), come(9, 30, 3, 3, 4, 2)],
         later=[[come(1, 20, 2, 2, 3, 2), come(10, 50, 0, 0, 0, 0)], [come(-10, 20, 2, 0, 0, 0)], [come(-20, 20, 0, 0, 0, 0)]])
@example(first=[come(48, 30, 0, 0, 0, 0), come(52, 30, 1, 1, 1, 1)],    # who comes alone while others change
         later=[[come(9, 30, 0, 0, 0, 0), come(1, 30, 1, 1, 1, 1)],
                [come(1, 30, 0, 0, 0, 0), (-20, 30, (0, 0, 0, 1), True)]] * 2)
@example(first=[come(45, 30, 0, 0, 0, 0), come(33, 30, 1, 1, 0, 0), come(20, 30, 2, 1, 0, 0)],    # a table stays, and gives way
         later=[[come(5, 30, 0, 0, 0, 0), come(-6, 30, 1, 0, 0, 0), come(-5, 30, 2, 0, 0, 0)],
                [come(-2, 30, 0, 0, 0, 0), come(-2, 30, 1, 0, 0, 0), (-31, 30, (0, 0, 0, 1), True)]])
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_each_figure_equals_the_rule_applied_to_a_recount(room: dict[str, int], first: Step, later: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "KINDS", tuple(replace(kind, room=room.get(kind.name)) for kind in tables.KINDS))
        _are_as_recounted(Recount(room), [first, *later])


def _are_as_recounted(recount: Recount, steps: list[Step]) -> list[Release]:
    rows, releases = list[Row](), list[Release]()
    for some in steps:
        rows = happens(rows, some)
        wanted, made = recount.publish(rows), attempt(figures(rows), releases)
        if isinstance(made, Held):
            assert wanted is None
            continue
        assert wanted == seen(made)
        releases.append(made)
    _never_small(releases)
    return releases


def test_fifteen_domains_and_48_periods_are_as_recounted() -> None:
    """More than there is room for; then some grow, so that places change hands, and one as large as the last comes in vain."""
    patch = pytest.MonkeyPatch()
    with patch.context() as many:
        many.setitem(CATEGORIES, "domains", tuple(f"mail{n:02}.example" for n in range(18)))
        many.setitem(CATEGORIES, "arrivals", tuple(f"2026-11-{day}T{hour:02}" for day in (26, 27, 28) for hour in range(20)))
        people = [come(12 + 3 * (n % 18), 30, n % 3, n % 4, n, n) for n in range(60)]
        first, second, third = _are_as_recounted(Recount(), [
            people, [come(90, 40, 0, 0, 0, 59)], [come(-30, 40, 1, 0, 0, 0), come(25, 50, 1, 1, 1, 58)]])
    shown = [{cell.key for cell in one.snapshot.domains.cells} for one in (first, second, third)]
    assert [len(domains) for domains in shown] == [15, 15, 15]
    assert "mail00.example" in shown[1] - shown[0]
    assert [len(one.snapshot.arrivals.cells) for one in (first, second)] == [48, 48]
    assert "2026-11-26T11" not in {cell.key for cell in first.snapshot.arrivals.cells}


def _never_small(releases: list[Release]) -> None:
    """Between any two releases each count behind a figure, and each figure, is the same or at least 10 away."""
    for one, other in combinations(releases, 2):
        steps = [one.ledger.people.count - other.ledger.people.count, one.snapshot.people - other.snapshot.people]
        for name in TABLES:
            was, now = one.ledger.marks[name], other.ledger.marks[name]
            steps += [was[key].count - now[key].count for key in was.keys() & now.keys()]
            steps += [was[key].figure - now[key].figure for key in was.keys() & now.keys()]
            steps.append(one.snapshot.table(name).other - other.snapshot.table(name).other)
        assert [step for step in steps if 0 < abs(step) < 10] == []
