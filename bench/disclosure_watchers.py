"""Those who watch public figures and know when somebody came or left: what can they say of that person for certain?

A publisher turns live aggregates into what is seen, and says between which bounds the change of each count lies for all that
is seen. The watcher knows that, knows how many came to categories of the table and left them meanwhile (who changed
in it did both), and rules out each category in which the target cannot have been. It is certain when one is left. It never
guesses, so it is never wrong: where it is, the harness is, and `_targets` raises.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from math import inf
from typing import Protocol

from bench.disclosure_world import START, Count, Event
from governance.disclosure.figures import ARRIVALS, COUNTS, NATIONALITIES
from governance.disclosure.ledger import Held, Release
from governance.disclosure.method import LATE
from governance.disclosure.release import publish

Bounds = tuple[float, float]
Known = tuple[Event, dict[str, str]]
ANY: Bounds = (-inf, inf)


class Publisher(Protocol):
    """A way to publish."""

    name: str

    def publish(self, count: Count, touched: Mapping[str, set[str]]) -> Collection[str]:
        """Publishes, and says of which tables anything that is seen may have moved. touched: table -> categories that counted
        anybody more or less since the table moved."""

    def boxes(self, table: str, universe: set[str]) -> dict[str, Bounds]:
        """How much the count of each category changed between the last two times that the table moved, for all that is seen.
        Of categories that nobody touched and that are all the same to a watcher, two may stand for all."""


def certain(box: Mapping[str, Bounds], came: int, left: int, arrival: bool) -> set[str]:
    """The categories in which somebody who came (or left) may have been. box: every category there may be."""
    least_in = sum(max(low, 0) for low, _ in box.values())
    least_out = sum(max(-high, 0) for _, high in box.values())
    possible = set()
    for key, (low, high) in box.items():
        if arrival:
            needs_in, needs_out = least_in - max(low, 0) + max(low, 1), least_out - max(-high, 0) + max(1 - high, 0)
        else:
            needs_in, needs_out = least_in - max(low, 0) + max(low + 1, 0), least_out - max(-high, 0) + max(-high, 1)
        if needs_in <= came and needs_out <= left:
            possible.add(key)
    return possible


class Simple:
    """A rule that looks at one count at a time: exact, hidden under `k`, rounded to `base`."""

    def __init__(self, name: str, k: int = 0, base: int = 1) -> None:
        self.name, self.k, self.base = name, k, base
        self.now: dict[str, dict[str, Bounds]] = {table: {} for table in COUNTS}
        self.alike: dict[str, dict[Bounds, dict[str, None]]] = {table: {} for table in COUNTS}    # by how wide what is known is
        self.changes: dict[str, dict[str, Bounds]] = {}

    def publish(self, count: Count, touched: Mapping[str, set[str]]) -> Collection[str]:
        """Shows every count; what was not touched is as before."""
        nobody = self._seen(0)
        self.changes = {table: {} for table in COUNTS}
        for table, keys in touched.items():
            for key in keys:
                was = self.now[table].get(key, nobody)
                low, high = self.now[table][key] = self._seen(count.tables[table][key])
                self.alike[table].get((was[0] - was[1], was[1] - was[0]), {}).pop(key, None)
                self.alike[table].setdefault((low - high, high - low), {})[key] = None
                self.changes[table][key] = low - was[1], high - was[0]
        return COUNTS

    def boxes(self, table: str, universe: set[str]) -> dict[str, Bounds]:
        """The difference of two intervals."""
        found = dict(self.changes[table])
        for bounds, keys in self.alike[table].items():
            found |= dict.fromkeys(islice((key for key in keys if key not in self.changes[table]), 2), bounds)
        return found

    def _seen(self, n: int) -> Bounds:
        if n < self.k:
            return 0, self.k - 1
        half = self.base // 2
        figure = (n + half) // self.base * self.base
        return max(figure - half, self.k), figure + half


@dataclass(frozen=True)
class Read:
    """A figure, and between which numbers the people of its category were when it was counted."""

    figure: int
    low: int
    high: int


class Ours:
    """governance/disclosure, watched from outside: from snapshots alone, by who reads figures for what they are.

    A figure that was never shown before is of people counted now: as many as its step leaves open, and exact if that is 1. Any
    other may be `late` people late. What the ledgers hold tells only which tables were counted anew, and serves the checks.
    """

    def __init__(self, name: str, late: int = LATE) -> None:
        self.name, self.late = name, late
        self.releases: list[Release] = []
        self.at: dict[int, Release] = {}    # number of a call, from 0 -> what was published then
        self.moves: dict[str, list[Release]] = {table: [] for table in COUNTS}    # the last two at which each table was counted
        self.held: list[Held] = []
        self.latest = 0
        """By how many people any figure was late at any release, at most."""
        self._seen: dict[str, list[dict[str, Read]]] = {table: [] for table in COUNTS}    # and what is seen of them
        self._shown: dict[str, set[tuple[str, int]]] = {table: set() for table in COUNTS}    # ever before

    def publish(self, count: Count, touched: Mapping[str, set[str]]) -> Collection[str]:
        """Publishes the next snapshot."""
        number = len(self.releases) + len(self.held)
        now = START + timedelta(hours=1 + number)
        made = publish(count.figures(), self.releases, now, now + timedelta(hours=1))
        if isinstance(made, Held):
            self.held.append(made)
            return ()
        base = self.releases[-1].ledger.base if self.releases else {}
        anew = [table for table in COUNTS if made.ledger.base[table] != base.get(table)]
        self.releases.append(made)
        self.at[number] = made
        for table in anew:
            self.moves[table] = [*self.moves[table][-1:], made]
            self._seen[table] = [*self._seen[table][-1:], self._read(made, table)]
        self.latest = max(self.latest, abs(made.ledger.people.count - sum(count.tables[NATIONALITIES].values())),
                          *(abs(mark.count - count.tables[table][key])
                            for table, marks in made.ledger.marks.items() for key, mark in marks.items()))
        return anew

    def _read(self, made: Release, table: str) -> dict[str, Read]:
        found: dict[str, Read] = {}
        for cell in made.snapshot.table(table).cells:
            late = self.late if (cell.key, cell.people) in self._shown[table] else 0
            found[cell.key] = Read(cell.people, cell.people - late, cell.people + made.snapshot.method.step - 1 + late)
            self._shown[table].add((cell.key, cell.people))
        return found

    def boxes(self, table: str, universe: set[str]) -> dict[str, Bounds]:
        """All of them, each by itself."""
        return {key: self.box(table, key) for key in universe}

    def box(self, table: str, key: str) -> Bounds:
        """What both figures leave open; and of one that rose, that somebody came at least, of one that fell, that somebody
        left, of one that stayed, that it was less than 10 from the same count both times."""
        if len(self.moves[table]) < 2:
            return ANY
        was, now = (one.get(key) for one in self._seen[table])
        if was is None or now is None:
            return ANY
        low, high = now.low - was.high, now.high - was.low
        if now.figure == was.figure:
            return max(low, -2 * LATE), min(high, 2 * LATE)
        return (max(low, 1), high) if now.figure > was.figure else (low, min(high, -1))


@dataclass
class Tally:
    """What a watcher got out of one table. bold: how often one figure alone went the target's way, so that somebody who bets on
    it names that category; right: how often that was true."""

    targets: int = 0
    certain: int = 0
    bold: int = 0
    right: int = 0


@dataclass(frozen=True)
class Move:
    """A moment when what is seen of a table may have moved. number: of the release, from 0; waiting: what happened in this
    table since the last such moment, each with the person's categories then; universe: every category that anybody ever had;
    closed: table -> each release ever at which that one did not move -> its counts."""

    table: str
    number: int
    count: Count
    waiting: Sequence[Known]
    universe: set[str]
    closed: Mapping[str, Mapping[int, Mapping[str, int]]]


def moves(publisher: Publisher, events: Iterable[Sequence[Event]]) -> Iterator[list[Move]]:
    """Publishes after each part of the history, and stops where anything moved: one move for each table that did. The count
    goes on with the iteration."""
    count, universe = Count(), {table: set[str]() for table in COUNTS}
    waiting: dict[str, list[Known]] = {table: [] for table in COUNTS}
    touched = {table: set[str]() for table in COUNTS}
    closed: dict[str, dict[int, Mapping[str, int]]] = {table: {} for table in COUNTS}
    for n, some in enumerate(events):
        for event in some:
            before = count.current.get(event.person.n, event.person.keys)
            count.apply(event)
            after = count.current.get(event.person.n, before)
            for table in event.changed or COUNTS:
                waiting[table].append((event, before))
                universe[table].add(after[table])
                touched[table] |= {after[table], before[table]}
        moved = publisher.publish(count, touched)
        for table in set(COUNTS) - set(moved):
            closed[table][n] = dict(count.tables[table])
        if moved:
            yield [Move(table, n, count, waiting[table], universe[table], closed) for table in moved]
        for table in moved:
            waiting[table], touched[table] = [], set()


def watch(publisher: Publisher, move: Move, tally: Tally) -> None:
    """Everybody who came or left is a target, once. Of arrivals by period only those who left: of somebody who came, the period
    is what the watcher knows."""
    changed = sum(bool(event.changed) for event, _ in move.waiting)
    left = changed + sum(event.leaves for event, _ in move.waiting)
    came = len(move.waiting) - left + changed    # who changed comes and leaves
    box = publisher.boxes(move.table, move.universe)
    _targets(tally, move.table, box, came, left, move.waiting)


def watched(publisher: Publisher, events: Iterable[Sequence[Event]]) -> dict[str, Tally]:
    """A whole history, watched."""
    tallies = {table: Tally() for table in COUNTS}
    for some in moves(publisher, events):
        for move in some:
            watch(publisher, move, tallies[move.table])
    return tallies


def _targets(tally: Tally, table: str, box: Mapping[str, Bounds], came: int, left: int,
             waiting: Sequence[Known]) -> None:
    for arrival in (True, False):
        targets = [keys[table] for event, keys in waiting if not event.changed and event.leaves is not arrival]
        if not targets or (arrival and table == ARRIVALS):
            continue
        possible = certain(box, came, left, arrival)
        moved = [key for key, (low, high) in box.items() if (low > 0 if arrival else high < 0)]
        for key in targets:
            if key not in possible:
                raise AssertionError(f"the watcher ruled out {table}/{key}, where the target is: the harness is wrong")
            tally.targets += 1
            tally.certain += len(possible) == 1
            tally.bold += len(moved) == 1
            tally.right += moved == [key]
