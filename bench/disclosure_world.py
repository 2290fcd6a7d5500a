"""People who come, change, grow older and leave, release by release: what the simulation runs on, from a seed.

Whoever changes has another nationality, domain or gender than before. Birthdays that lead to another ten-year band come
together, as in the product, where those of a month do: a tenth of a year goes by every BIRTHDAYS releases.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from string import ascii_uppercase

from governance.disclosure.figures import ARRIVALS, COUNTS, DOMAINS, GENDER_AGES, NATIONALITIES, Figures

START = datetime(2026, 1, 1, tzinfo=UTC)
REAL = "US IN BR MX TR IR DE GB FR ES UA CA AU NL RS CH FI DK NO IE NZ"
CODES = [*REAL.split(), *(f"X{letter}" for letter in ascii_uppercase), "XKX"]
"""The nationalities of randomuser, and as many rare ones again."""

ZIPF_NATIONALITIES, ZIPF_DOMAINS, COMMON_DOMAINS = 1.2, 1.3, 150
OWN_DOMAIN, LEAVES, CHANGES, QUIET = 0.05, 0.2, 0.1, 0.3
GENDER, AGE, BIRTHDAYS = "gender", "age", 20
GENDERS = {"female": 50, "male": 49, "other": 1}


@dataclass
class Person:
    """One person. keys: table -> category, age: in years, when it came; came, left: of which release it was the first to be
    counted in, or no longer in; changes: tables in which it will change."""

    n: int
    keys: dict[str, str]
    age: float
    came: int
    left: int | None = None
    changes: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Event:
    """One thing that happens. changed: table -> new category, for an update or a birthday; else the person comes or leaves."""

    person: Person
    leaves: bool = False
    changed: dict[str, str] = field(default_factory=dict)


@dataclass
class Count:
    """The live aggregates after every event so far."""

    tables: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTS})
    ages: Counter[str] = field(default_factory=Counter)    # in tenths of a year, so that sums are exact; as of when people came
    current: dict[int, dict[str, str]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Counts one event."""
        one = event.person
        before = self.current.pop(one.n, None)
        after = None if event.leaves else {**(before or one.keys), **event.changed}
        for keys, step in ((before, -1), (after, 1)):
            if keys:
                for name in COUNTS:
                    self.tables[name][keys[name]] += step
                self.ages[keys[NATIONALITIES]] += step * round(one.age * 10)
        if after:
            self.current[one.n] = after

    def figures(self) -> Figures:
        """The aggregates, exact."""
        tables = [{key: n for key, n in self.tables[name].items() if n} for name in COUNTS]
        return Figures(tables[0], tables[1], tables[2], tables[3], {key: self.ages[key] / 10 for key in tables[0]})


def weighted(rng: random.Random, n: int, exponent: float) -> Iterator[int]:
    """Places 0..n-1, by Zipf's law, for ever."""
    cumulative = list(accumulate(1 / (place + 1) ** exponent for place in range(n)))
    while True:
        yield rng.choices(range(n), cum_weights=cumulative)[0]


def history(seed: int, arrivals: int, releases: int) -> list[list[Event]]:
    """What happens before each release. Releases are uneven: QUIET of them have three events at most."""
    rng = random.Random(seed)
    nationality, domain = (weighted(rng, len(CODES), ZIPF_NATIONALITIES), weighted(rng, COMMON_DOMAINS, ZIPF_DOMAINS))
    draw = {NATIONALITIES: lambda: CODES[next(nationality)], DOMAINS: lambda: _domain(next(domain)),
            GENDER: lambda: _gender(rng)}
    weights = [rng.uniform(0, 3) * releases / arrivals if rng.random() < QUIET else rng.expovariate(1) for _ in range(releases)]
    weights[0] = 0.5
    days = sorted(rng.choices(range(releases), weights=weights, k=arrivals))
    events: list[list[Event]] = [[] for _ in range(releases)]
    for n, day in enumerate(days):
        one = _person(rng, n, day, CODES[next(nationality)], next(domain))
        events[day].append(Event(one))
        end = releases
        if rng.random() < LEAVES:
            one.left = end = rng.choice(range(day, releases))
            events[end].append(Event(one, leaves=True))
        for at, event in _changes(rng, one, end, draw):
            events[at].append(event)
            one.changes |= event.changed.keys()
    for some in events:    # who comes and leaves within one release comes first
        rng.shuffle(some)
        some.sort(key=lambda event: event.leaves)
    return events


def _person(rng: random.Random, n: int, day: int, nat: str, domain: int) -> Person:
    age = min(99.9, max(16.0, round(rng.gauss(45, 17), 1)))
    period = (START + timedelta(hours=day)).strftime("%Y-%m-%dT%H")
    own = f"p{n}.example" if rng.random() < OWN_DOMAIN else _domain(domain)
    return Person(n, {NATIONALITIES: nat, GENDER_AGES: _band(_gender(rng), _decade(age)), DOMAINS: own, ARRIVALS: period},
                  age, day)


def quiet(seed: int, people: int = 100, releases: int = 300) -> list[list[Event]]:
    """After the first release one person comes or leaves before each, while ten others change: all to the same category, which
    is another one every five releases."""
    rng = random.Random(seed)
    nationality, domain = (weighted(rng, len(CODES), ZIPF_NATIONALITIES), weighted(rng, COMMON_DOMAINS, ZIPF_DOMAINS))

    def somebody(n: int, day: int) -> Person:
        return _person(rng, n, day, CODES[next(nationality)], next(domain))

    there = {n: somebody(n, 0) for n in range(people)}
    now, events = {n: dict(one.keys) for n, one in there.items()}, [[Event(one) for one in there.values()]]
    for day in range(1, releases):
        if day % 5 == 1:
            name = rng.choice((NATIONALITIES, DOMAINS, GENDER_AGES))
            new = somebody(0, 0).keys[name]
        others = [n for n in there if now[n][name] != new]
        some = [Event(there[n], changed={name: new}) for n in rng.sample(others, min(10, len(others)))]
        for event in some:
            now[event.person.n] |= event.changed
            event.person.changes |= event.changed.keys()
        if day % 3:
            n = people + day
            there[n] = somebody(n, day)
            now[n] = dict(there[n].keys)
            some.append(Event(there[n]))
        else:
            gone = there.pop(rng.choice([*there]))
            gone.left = day
            some.append(Event(gone, leaves=True))
        events.append(some)
    return events


def _changes(rng: random.Random, one: Person, end: int, draw: Mapping[str, Callable[[], str]]) -> Iterator[tuple[int, Event]]:
    """What changes of a person before it leaves, and before which release: one thing at most, and the band by a birthday."""
    what = {(one.came // BIRTHDAYS + 100 - round(one.age * 10) % 100) * BIRTHDAYS: AGE}
    if rng.random() < CHANGES and one.came + 1 < end:
        what[rng.choice(range(one.came + 1, end))] = rng.choice((NATIONALITIES, DOMAINS, GENDER))
    gender, decade = one.keys[GENDER_AGES].split()[0], _decade(one.age)
    for at, name in sorted(what.items()):
        if at >= end:
            return
        if name in one.keys:
            yield at, Event(one, changed={name: _another(draw[name], one.keys[name])})
            continue
        if name == GENDER:
            gender = _another(draw[GENDER], gender)
        else:
            decade += 10
        yield at, Event(one, changed={GENDER_AGES: _band(gender, decade)})


def _another(draw: Callable[[], str], than: str) -> str:
    return next(key for key in iter(draw, "") if key != than)


def _gender(rng: random.Random) -> str:
    return rng.choices([*GENDERS], [*GENDERS.values()])[0]


def _decade(age: float) -> int:
    return int(age) // 10 * 10


def _band(gender: str, decade: int) -> str:
    return f"{gender} {decade}-{decade + 9}"


def _domain(place: int) -> str:
    return f"mail{place}.example"


def one_by_one(events: Sequence[Sequence[Event]]) -> list[list[Event]]:
    """The same history with a release after every event: the live counter."""
    return [[event] for some in events for event in some]
