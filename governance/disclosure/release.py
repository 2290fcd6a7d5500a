"""The next publication: which tables may move at all, and each in turn. Fails closed: what is odd is not published.

Each table waits by itself until K people moved in it. Were all counted when ten moved in one, ten people who change their
domains would give away the nationality of somebody who comes alone; were all to wait for one, the others would stay late.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from governance.disclosure.figures import ARRIVALS, COUNTS, DOMAINS, GENDER_AGES, NATIONALITIES, Figures, contradiction
from governance.disclosure.ledger import Back, Held, Ledger, Mark, Release, Why
from governance.disclosure.marks import based, increment, people_moved
from governance.disclosure.method import STEP, TEXT, VERSION, K
from governance.disclosure.snapshot import Average, Snapshot, Table, Told
from governance.disclosure.tables import KINDS, History, held_back, stays, table

TOLD = Told(version=VERSION, k=K, step=STEP, text=TEXT)


def publish(live: Figures, earlier: Sequence[Release], now: datetime, next_at: datetime) -> Release | Held:
    """The next snapshot and its ledger, or why there is none. earlier: every release there ever was, first to last, withdrawn
    ones too, for they were seen; now, next_at: with their zone."""
    if why := _refused(live, earlier, now, next_at):
        return Held(why, now)
    last = earlier[-1] if earlier else None
    anew = _anew(live, last.ledger.base) if last else set(COUNTS)
    if last and not anew:
        return _again(last, now, next_at)
    people = increment(live.people, last.ledger.people if last else None, [one.ledger.people for one in earlier])
    tables: dict[str, Table] = {}
    marks: dict[str, dict[str, Mark]] = {}
    base: dict[str, dict[str, int]] = {}
    back: list[Back] = []
    for kind in KINDS:
        name, counts = kind.name, live.of(kind.name)
        if last and name not in anew:
            made = stays(last.snapshot.table(name), last.ledger.marks[name], people)
            base[name] = last.ledger.base[name]
            back += _unmoved(name, last.ledger.marks[name], made.marks)
        else:
            made = table(kind, counts, people, history(name, earlier), live.ages if name == NATIONALITIES else None)
            base[name] = based(counts, counts if kind.room is None else made.marks)
            back += held_back(kind, counts, made)
        tables[name], marks[name] = made.table, made.marks
    number = last.snapshot.number + 1 if last else 1
    averages = tuple(Average(key=key, years=mark.average) for key, mark in sorted(marks[NATIONALITIES].items())
                     if mark.average is not None)
    return Release(
        Snapshot(number=number, at=now, counted_at=now, next_at=next_at, method=TOLD, people=people.figure,
                 synthetic=live.synthetic, nationalities=tables[NATIONALITIES], gender_ages=tables[GENDER_AGES],
                 domains=tables[DOMAINS], arrivals=tables[ARRIVALS], average_ages=averages),
        Ledger(number=number, people=people, marks=marks, base=base, held_back=tuple(back)))


def _refused(live: Figures, earlier: Sequence[Release], now: datetime, next_at: datetime) -> str:
    """Why nothing can be published; empty when it can."""
    if now.tzinfo is None or next_at.tzinfo is None:
        return "the time of a release needs its zone"
    if next_at <= now:
        return f"the next release would be at {next_at}, which is not after {now}"
    for n, one in enumerate(earlier, start=1):
        if one.snapshot.number != n or one.ledger.number != n:
            return f"snapshot {n} or its ledger is missing; increments cannot be tested without it"
    if earlier and now <= earlier[-1].snapshot.at:
        return f"snapshot {len(earlier)} is of {earlier[-1].snapshot.at}, which is not before {now}"
    if why := contradiction(live):
        return why
    return f"there are fewer than {K} people" if live.people < K else ""


def _anew(live: Figures, base: Mapping[str, Mapping[str, int]]) -> set[str]:
    """The tables that are counted: in which K people moved. One whose base the last ledger does not have (version 1) goes with
    the nationalities, as it did."""
    anew = {name for name, then in base.items() if people_moved(then, live.of(name)) >= K}
    return anew | (set(COUNTS) - set(base)) if NATIONALITIES in anew else anew


def _unmoved(name: str, marks: Mapping[str, Mark], still: Mapping[str, Mark]) -> Iterator[Back]:
    for key in sorted(marks):
        yield Back(table=name, key=key, why=Why.UNMOVED if key in still else Why.MERGED)


def _again(last: Release, now: datetime, next_at: datetime) -> Release:
    back = tuple(one for name, marks in last.ledger.marks.items() for one in _unmoved(name, marks, marks))
    return Release(last.snapshot.again(now, next_at),
                   last.ledger.model_copy(update={"number": last.ledger.number + 1, "held_back": back}))


def history(name: str, earlier: Sequence[Release]) -> History:
    """What was seen of one table of counts in these releases, first to last."""
    seen: dict[str, list[Mark]] = {}
    for one in earlier:
        for key, mark in one.ledger.marks[name].items():
            known = seen.setdefault(key, [])
            if not known or known[-1].count != mark.count:    # of one category, one count is one mark
                known.append(mark)
    return History(earlier[-1].ledger.marks[name] if earlier else {}, seen)
