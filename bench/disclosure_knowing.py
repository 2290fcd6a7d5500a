"""Watchers of public figures who know people's data: nobody's, all but nine people's, or all but the target's.

They know every count as it was when a table was last counted, exactly, and whatever happened in it since but to those they do
not know. What they are asked: is there another world that looks the same? Two proofs of one are used.

Exchange: somebody else whom they do not know, with another category, came (or left) before the same release: nothing tells
which of the two is the target, now or ever. Or both came since the table was last counted, before two releases, and neither
leaves or changes in it later: with their categories exchanged each count is the same whenever the table is counted, and it is
not counted earlier. Nationality and age, hence gender and age, go together, for averages are shown. Or both left before two
releases, between which nothing is counted, and neither ever changes: then one may have left for the other. The proof assumes
that nobody knows both moments, when the target came and when it left: then the other must have both in common with it.

Trial: the target with another category, everything else as it was, and the rule applied again: the same figures at this
release. A later one may tell the two apart; so in the end more are certain than those of whom no other world is found.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.disclosure_watchers import Known, Move, Ours
from bench.disclosure_world import Count, Event
from governance.disclosure.figures import ARRIVALS, COUNTS, GENDER_AGES, NATIONALITIES
from governance.disclosure.marks import people_moved
from governance.disclosure.method import AVERAGE_STEP, STEP, K
from governance.disclosure.release import history
from governance.disclosure.tables import KINDS, History, table

AGES = (16, 100)
"""Ages that everybody knows nobody is outside of."""

STEPS = (0.1, 0.5, 1.0)
SMALL = 20
TOGETHER = dict.fromkeys((NATIONALITIES, GENDER_AGES), (NATIONALITIES, GENDER_AGES))
"""Tables in which who is exchanged in one is exchanged in the other."""


@dataclass
class Knowing:
    """How many were tried, and of how many the category is certain."""

    targets: int = 0
    certain: int = 0


@dataclass
class Knowers:
    """What they got. alone: table -> by those who know nobody, by exchange alone, hence an upper bound; but_nine: by those who
    know all but nine, by exchange, an upper bound too; but_one: by those who know all others, by trial, at that release; ages:
    step of rounding -> ten-year band of the target's age by those who know everybody else's, ages_alone: nobody's."""

    rng: random.Random
    sample: int
    alone: dict[str, Knowing] = field(default_factory=lambda: {name: Knowing() for name in COUNTS})
    but_nine: dict[str, Knowing] = field(default_factory=lambda: {name: Knowing() for name in COUNTS})
    but_one: dict[str, Knowing] = field(default_factory=lambda: {name: Knowing() for name in COUNTS})
    ages: dict[float, Knowing] = field(default_factory=lambda: {step: Knowing() for step in STEPS})
    ages_alone: Knowing = field(default_factory=Knowing)

    def watch(self, ours: Ours, move: Move) -> None:
        """One moment at which a table moved; who came and who left is a target, `sample` of each of those who know people."""
        name = move.table
        if len(ours.moves[name]) < 2:
            return
        trial = Trial(ours, move)
        for leaves in (False, True):
            some = [one for one in move.waiting if one[0].leaves is leaves and not one[0].changed]
            if name == ARRIVALS and not leaves:
                continue
            for target in some:
                self.alone[name].targets += 1
                self.alone[name].certain += not trial.exchange(target, some)
            for target in self.rng.sample(some, min(self.sample, len(some))):
                unknown = self._unknown(target, some)
                self.but_one[name].targets += 1
                self.but_one[name].certain += not trial.another_world(target)
                self.but_nine[name].targets += 1
                self.but_nine[name].certain += not trial.exchange(target, unknown)
        if name == NATIONALITIES:
            came = [one for one in move.waiting if not one[0].leaves and not one[0].changed]
            for target in self.rng.sample(came, min(self.sample, len(came))):
                self._age(ours, move, target, trial.history)

    def _unknown(self, target: Known, some: Sequence[Known]) -> list[Known]:
        """Eight more, of the same release as far as there are."""
        others = self.rng.sample([one for one in some if one is not target], len(some) - 1)
        return sorted(others, key=lambda one: when(one[0]) != when(target[0]))[:8]

    def _age(self, ours: Ours, move: Move, target: Known, known: History) -> None:
        """Only an average that was counted anew says anything of somebody who came."""
        nat, age = target[1][NATIONALITIES], target[0].person.age
        mark = ours.releases[-1].ledger.marks[NATIONALITIES].get(nat)
        seen = known.seen.get(nat, [])
        there = move.count.current.get(target[0].person.n, {}).get(NATIONALITIES) == nat
        fresh = mark is not None and mark not in seen and there
        total = move.count.ages[nat] / 10
        for step, knowing in self.ages.items():
            knowing.targets += 1
            if fresh and mark is not None:
                average = round(total / mark.count / step) * step
                low, high = ((average + side * step / 2) * mark.count - (total - age) for side in (-1, 1))
                knowing.certain += _one_band(low, high)
        self.ages_alone.targets += 1
        if fresh and mark is not None and mark.average is not None and seen and seen[-1].average is not None:
            was = seen[-1]
            assert was.average is not None
            low, high = age_between(range(was.figure, was.figure + STEP), was.average,
                                    range(max(mark.figure, was.figure + K), mark.figure + STEP), mark.average, AVERAGE_STEP / 2)
            self.ages_alone.certain += _one_band(low, high)


def age_between(was: range, was_average: float, now: range, now_average: float, slack: float) -> tuple[float, float]:
    """Between which ages somebody who came was, if all that is known is between which numbers the people before and after lie,
    and both averages, to within `slack` years; at least one came and nobody left, which is more than can be known."""
    lows, highs = [], []
    for before in was:
        for after in range(max(now.start, before + 1), now.stop):
            others = after - before - 1
            together, off = after * now_average - before * was_average, (after + before) * slack
            lows.append(together - off - others * AGES[1])
            highs.append(together + off - others * AGES[0])
    return (min(lows), max(highs)) if lows else AGES


def exact_ages(events: Iterable[Sequence[Event]]) -> Knowing:
    """The same question of average ages that are exact and live, with exact counts: so that this can tell."""
    count, knowing = Count(), Knowing()
    for event in (one for some in events for one in some):
        nat = count.current.get(event.person.n, event.person.keys)[NATIONALITIES]
        was, was_sum = count.tables[NATIONALITIES][nat], count.ages[nat] / 10
        count.apply(event)
        if not event.leaves and not event.changed:
            now = was + 1
            low, high = age_between(range(was, now), was_sum / was if was else 0, range(now, now + 1),
                                    count.ages[nat] / 10 / now, 0)
            knowing.targets += 1
            knowing.certain += _one_band(low, high)
    return knowing


def _one_band(low: float, high: float) -> bool:
    return max(round(low, 6), AGES[0]) // 10 == min(round(high, 6), AGES[1] - 0.1) // 10


def when(event: Event) -> int:
    """The number of the first release after it, from 0."""
    at = event.person.left if event.leaves else event.person.came
    assert at is not None
    return at


class Trial:
    """The last release again, with one person's category changed."""

    def __init__(self, ours: Ours, move: Move) -> None:
        earlier, self.now, self.move, self.ours, self.name = ours.releases[:-1], ours.releases[-1], move, ours, move.table
        self.base = earlier[-1].ledger.base[self.name]
        self.history: History = history(self.name, earlier)
        (self.kind,) = (kind for kind in KINDS if kind.name == self.name)

    def exchange(self, target: Known, others: Sequence[Known]) -> bool:
        """Whether the target could be one of the others, who had another category, and that one the target. Only between the
        moments of the two the counts differ, and there nothing must be counted."""
        return any(other[1][self.name] != target[1][self.name] and self.alike(target, other) for other in others)

    def alike(self, target: Known, other: Known) -> bool:
        """Whether all that is ever published is the same if these two, who both came or both left, are exchanged."""
        first, last = sorted((target, other), key=lambda one: when(one[0]))
        between = range(when(first[0]), when(last[0]))
        if not between:
            return True
        people = first[0].person, last[0].person
        names: tuple[str, ...] = COUNTS if target[0].leaves else TOGETHER.get(self.name, (self.name,))
        if target[0].leaves and people[1].came > between.start:    # who was not there has not left
            return False
        if not target[0].leaves and any(one.left is not None for one in people):
            return False
        if any(one.changes & {*names} for one in people):
            return False
        return all(self._still(first[0], between, name, first[1][name], last[1][name]) for name in names)

    def _still(self, event: Event, releases: Iterable[int], name: str, own: str, other: str) -> bool:
        """Whether a table was not counted at these releases, nor would have been with another category."""
        step = -1 if event.leaves else 1
        for n in releases:
            if n not in self.move.closed[name]:
                return False
            counts = Counter(self.move.closed[name][n])
            counts[own] -= step
            counts[other] += step
            if n in self.ours.at and people_moved(self.ours.at[n].ledger.base[name], counts) >= K:
                return False
        return True

    def another_world(self, target: Known) -> bool:
        """Whether some other category of the target would look the same, now."""
        own, counts = target[1][self.name], self.move.count.tables[self.name]
        alternatives = sorted(self.move.universe - {own}, key=lambda key: (counts[key] < K, key))
        large = sum(counts[key] >= K for key in alternatives)    # of those that are small, some: they are all alike
        return any(self._same(target, own, other) for other in alternatives[:large + SMALL])

    def _same(self, target: Known, own: str, other: str) -> bool:
        event = target[0]
        counts = Counter(self.move.count.tables[self.name])
        ages = {key: tenths / 10 for key, tenths in self.move.count.ages.items()}
        step = -1 if event.leaves else 1    # who left is in neither count; what he left from is
        counts[own], counts[other] = counts[own] - step, counts[other] + step
        if min(counts[own], counts[other]) < 0:
            return False
        if self.name == NATIONALITIES:
            ages[own], ages[other] = ages.get(own, 0) - step * event.person.age, ages.get(other, 0) + step * event.person.age
        if people_moved(self.base, counts) < K or not self._still(
                event, range(when(event), self.move.number), self.name, own, other):
            return False
        made = table(self.kind, counts, self.now.ledger.people, self.history, ages if self.name == NATIONALITIES else None)
        was = self.now.ledger.marks[self.name]
        return made.table == self.now.snapshot.table(self.name) and all(
            mark.average == was[key].average for key, mark in made.marks.items())
