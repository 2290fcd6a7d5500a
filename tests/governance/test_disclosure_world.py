"""The world of the attacker's simulation: what happens there happens, and who is said to be alike is."""

import random
from dataclasses import replace
from itertools import chain, combinations

import pytest

from bench.disclosure_knowing import TOGETHER, Trial, when
from bench.disclosure_watchers import Ours, moves
from bench.disclosure_world import BIRTHDAYS, Count, Event, Person, history, quiet
from governance.disclosure.figures import ARRIVALS, COUNTS, DOMAINS, GENDER_AGES, NATIONALITIES
from governance.disclosure.snapshot import Snapshot


@pytest.mark.parametrize("events", [history(7, 2_000, 60), quiet(7)], ids=["history", "quiet"])
def test_whoever_changes_is_another_than_before(events: list[list[Event]]) -> None:
    count, changed = Count(), dict.fromkeys(COUNTS, 0)
    for event in chain.from_iterable(events):
        before = count.current.get(event.person.n)
        assert (before is None) == (not event.leaves and not event.changed), "who changes or leaves is there, who comes is not"
        for name, new in event.changed.items():
            assert before is not None
            assert before[name] != new
            changed[name] += 1
        count.apply(event)
    assert min(changed[name] for name in (NATIONALITIES, DOMAINS, GENDER_AGES)) > 40
    assert changed["arrivals"] == 0


def test_birthdays_come_together() -> None:
    """To the next band, of the same gender; at other times it is the gender that changes."""
    count, birthdays = Count(), dict[int, int]()
    for n, some in enumerate(history(7, 2_000, 60)):
        for event in some:
            before = count.current.get(event.person.n, {})
            if GENDER_AGES in event.changed:
                (gender, band), (new, older) = (keys[GENDER_AGES].split() for keys in (before, event.changed))
                assert (gender == new) != (band == older)
                if band != older:
                    assert int(older.split("-")[0]) == int(band.split("-")[0]) + 10
                    birthdays[n] = birthdays.get(n, 0) + 1
            count.apply(event)
    assert set(birthdays) == {BIRTHDAYS, 2 * BIRTHDAYS}
    assert min(birthdays.values()) >= 5


def published(events: list[list[Event]]) -> list[Snapshot]:
    publisher = Ours("")
    for _ in moves(publisher, events):
        pass
    return [one.snapshot for one in publisher.releases]


def exchanged(events: list[list[Event]], one: Event, other: Event, table: str) -> list[list[Event]]:
    """The same history in which of two who leave one leaves for the other; or in which two who come have each other's
    categories of a table, and with the nationality the gender and the age."""
    names = TOGETHER.get(table, (table,))

    def like(person: Person, source: Person) -> Person:
        keys = person.keys | {name: source.keys[name] for name in names}
        return replace(person, keys=keys, age=source.age if NATIONALITIES in names else person.age)

    if one.leaves:
        new = {one.person.n: other.person, other.person.n: one.person}
    else:
        new = {one.person.n: like(one.person, other.person), other.person.n: like(other.person, one.person)}
    return [[replace(event, person=new[event.person.n]) if event.person.n in new and event.leaves is one.leaves else event
             for event in some] for some in events]


@pytest.mark.parametrize("events", [history(11, 300, 60), quiet(7, 400, 60)], ids=["history", "quiet"])
def test_who_can_be_exchanged_is_alike_in_all_that_is_ever_published(events: list[list[Event]]) -> None:
    """And of the others not all are: else the conditions are needed for nothing."""
    publisher, rng = Ours(""), random.Random(7)
    pairs: dict[bool, list[tuple[Event, Event, str]]] = {True: [], False: []}
    for move in chain.from_iterable(moves(publisher, events)):
        if len(publisher.moves[move.table]) < 2:
            continue
        trial = Trial(publisher, move)
        for one, other in combinations((one for one in move.waiting if not one[0].changed), 2):
            differ = when(one[0]) != when(other[0]) and one[1][move.table] != other[1][move.table]
            if differ and one[0].leaves is other[0].leaves and (one[0].leaves or move.table != ARRIVALS):
                pairs[trial.alike(one, other)].append((one[0], other[0], move.table))
    wanted = published(events)
    some = {alike: rng.sample(found, min(80, len(found))) for alike, found in pairs.items()}
    assert min(map(len, some.values())) > 10
    assert [one for one in some[True] if published(exchanged(events, *one)) != wanted] == []
    assert any(published(exchanged(events, *one)) != wanted for one in some[False])


def test_who_comes_alone_can_be_exchanged_with_nobody() -> None:
    people = [Person(n, {NATIONALITIES: "FR" if n % 2 else "DE", GENDER_AGES: "male 30-39", DOMAINS: "mail.example",
                         "arrivals": "2026-01-01T00"}, 35.0, 0 if n < 60 else 1 if n < 80 else 2) for n in range(81)]
    events = [[Event(one) for one in people if one.came == day] for day in range(3)]
    leaves = [Event(replace(one, left=3), leaves=True) for one in people[:12]]
    publisher, found = Ours(""), dict[tuple[int, bool], list[bool]]()
    for move in chain.from_iterable(moves(publisher, [*events, leaves])):
        if move.table == NATIONALITIES and len(publisher.moves[move.table]) == 2:
            trial = Trial(publisher, move)
            for one in move.waiting:
                others = [other for other in move.waiting if other[0].leaves == one[0].leaves]
                found.setdefault((move.number, one[0].leaves), []).append(trial.exchange(one, others))
    assert found == {(1, False): [True] * 20, (3, False): [False], (3, True): [True] * 12}
