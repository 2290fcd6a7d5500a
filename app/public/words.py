"""Every word the view shows, in one place; its tests import them from here.

Numbers are written for English readers: 12,345 people, 49.8 years. Times are UTC and say so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from app.public.countries import name
from app.public.records import Domain, Figures, Nationality, Reading, State, Unreadable

Ranked = TypeVar("Ranked", Nationality, Domain)

TITLE = "Rollcall: the people counted so far"
PRODUCT = "Rollcall"
TAGLINE = "The people who came through the stream, counted"
SKIP = "Skip to the figures"
NO_SCRIPT = "This page draws its charts with JavaScript, which is switched off in this browser."
LOADING = "Reading the figures…"
TABLE = "The same as a table"
OTHER = "all others"

PEOPLE = "people counted"
AVERAGE_AGE = "average age in years"
NATIONALITIES = "nationalities"
DOMAINS = "e-mail domains"
NOTHING = "–"

NATIONALITY_COLUMNS = ("Nationality", "People", "Share")
AGE_COLUMNS = ("Nationality", "Average age", "People")
DOMAIN_COLUMNS = ("E-mail domain", "People", "Share")

METHOD_HEADING = "How these figures are made"
METHOD = (
    "Each person is counted once, with the newest record the stream has seen of them; whoever is erased is taken out "
    "again. The store behind this page holds sums alone, no person. A birth counts as on the 15th of its month, and a "
    "year as 365.2425 days. Nationality is the one in the person's record."
)

SYNTHETIC = "Synthetic people are among these: made up by a program, they describe nobody."
NOT_SYNTHETIC = "People as their source gave them; none was made up here."
ORIGIN_UNKNOWN = "Nothing says yet whether these people are synthetic."

AWAY = "The store of the figures does not answer. `rollcall status` shows which part is down; `make up` starts it."
REFUSED = "The store of the figures refuses this page's name or password. `make up` sets both up again."
MISSHAPEN = ("The store holds figures of a shape this page does not know. `rollcall recount` writes them anew from the "
             "rows; if that does not help, stream and view are of different versions.")

EMPTY_HEADING = "Nobody is counted yet"
EMPTY = ("The figures appear by themselves with the first people. If none come: `rollcall status` shows whether the "
         "producer and the stream run.")
BROKEN_HEADING = "The figures cannot be read"

PLURALS = {"person": "people", "nationality": "nationalities", "address": "addresses"}

STATE_WORDS = {
    State.LIVE: ("●", "Live"),
    State.OLD: ("◐", "Old"),
    State.EMPTY: ("○", "Empty"),
    State.BROKEN: ("✕", "Cannot read"),
}


def count(number: int) -> str:
    """12345 -> 12,345."""
    return f"{number:,}"


def years(age: float | None) -> str:
    """49.8132 -> 49.8; nothing known is a dash."""
    return NOTHING if age is None else f"{age:.1f}"


def share(part: int, whole: int) -> str:
    """A share in per cent with one decimal; `<0.1 %` and `>99.9 %` rather than a nought or a whole that is not true."""
    per_cent = 100 * part / whole if whole else 0.0
    if per_cent in (0, 100):
        number = f"{per_cent:.0f}"
    elif per_cent < 0.05:
        number = "<0.1"
    else:
        number = f"{per_cent:.1f}" if per_cent < 99.95 else ">99.9"
    return f"{number}\N{NO-BREAK SPACE}%"


def clock(at: datetime, now: datetime) -> str:
    """`14:02:10 UTC`, with the day in front unless it is today's."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    time = f"{at:%H:%M:%S} UTC"
    return time if at.date() == now.date() else f"{at.day} {at:%B %Y}, {time}"


def ago(seconds: float) -> str:
    """How long ago, in the one unit that fits: `4 seconds ago`, `2 hours ago`."""
    seconds = max(0, int(seconds))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{_of(seconds // size, unit)} ago"
    return f"{_of(seconds, 'second')} ago" if seconds else "just now"


def as_of(reading: Reading, state: State, now: datetime, refresh_s: int) -> str:
    """What stands beside the state's sign: of when the figures are, and what that means."""
    if isinstance(reading, Unreadable):
        return f"– tried at {clock(reading.read_at, now)}, again every {_of(refresh_s, 'second')}."
    if reading.at is None:
        return "– the stream has not closed a turn yet." if state is State.EMPTY else \
            "– the store does not say of when the figures are."
    when = f"as of {clock(reading.at, now)}, {ago((now - reading.at).total_seconds())}"
    if state is State.OLD:
        return f"{when}. No turn was closed since: nobody new came, or the stream does not run."
    if not reading.settled:
        return f"{when}. A turn is being written: some figures may be a moment ahead of others."
    return f"{when}, looked up every {_of(refresh_s, 'second')}."


def meanwhile(at: datetime | None, now: datetime) -> str:
    """What the charts are that still stand on a page whose store went away."""
    return f"What stands below is as of {clock(at, now)}." if at else "What stands below was read earlier."


def origin(synthetic: bool | None) -> str:
    """Whether the people are synthetic, in a sentence."""
    if synthetic is None:
        return ORIGIN_UNKNOWN
    return SYNTHETIC if synthetic else NOT_SYNTHETIC


def nationality_heading(figures: Figures) -> str:
    """The finding: where most people come from."""
    leaders = [name(one.code) for one in _leaders(figures.nationalities)]
    if len(figures.nationalities) == 1:
        return f"Everybody is from {leaders[0]}"
    if len(leaders) > 2:
        return f"{len(leaders)} nationalities share the lead"
    verb = "has" if len(leaders) == 1 else "have"
    return f"{' and '.join(leaders)} {verb} the most people"


def nationality_sentence(figures: Figures) -> str:
    """How large the largest and the smallest nationality are."""
    first, last = figures.nationalities[0], figures.nationalities[-1]
    of = f"of {_of(figures.people, 'person')}"
    if first is last:
        return f"One nationality, {count(first.users)} {of}."
    return (f"{_of(len(figures.nationalities), 'nationality')}, from {count(first.users)} {of} in {name(first.code)} "
            f"({share(first.users, figures.people)}) to {count(last.users)} in {name(last.code)} "
            f"({share(last.users, figures.people)}).")


def age_heading(figures: Figures) -> str:
    """The finding: how old people are on average."""
    if figures.average_age is None:
        return "No age is known"
    return f"People are {years(figures.average_age)} years old on average"


def age_sentence(figures: Figures) -> str:
    """Between which nationalities the averages lie."""
    known = figures.by_age
    if not known:
        return "No record holds a month of birth."
    oldest, youngest = known[0], known[-1]
    if oldest is youngest:
        return f"The one nationality is {name(oldest.code)}."
    return (f"Averages go from {years(youngest.average_age)} years in {name(youngest.code)} to "
            f"{years(oldest.average_age)} in {name(oldest.code)}; those of few people vary most.")


def everybody(age: float) -> str:
    """The label of the overall average's line."""
    return f"everybody: {years(age)}"


def domain_heading(figures: Figures) -> str:
    """The finding: which e-mail domain is the most common."""
    leaders = [one.name for one in _leaders(figures.domains)]
    if not leaders:
        return "No e-mail domain is known"
    if len(figures.domains) == 1:
        return f"Every e-mail address is at {leaders[0]}"
    if len(leaders) > 2:
        return f"{len(leaders)} e-mail domains share the lead"
    verb = "is the most common e-mail domain" if len(leaders) == 1 else "are the most common e-mail domains"
    return f"{' and '.join(leaders)} {verb}"


def domain_sentence(figures: Figures, shown: int) -> str:
    """How much of all addresses the domains shown hold; `shown` is how many are drawn one by one."""
    whole = sum(one.users for one in figures.domains)
    if not whole:
        return "No record holds an e-mail address."
    top = sum(one.users for one in figures.domains[:shown])
    if len(figures.domains) <= shown:
        return f"{_of(len(figures.domains), 'domain')} for {_of(whole, 'address')}."
    return (f"The {shown} largest of {_of(len(figures.domains), 'domain')} hold {share(top, whole)} of "
            f"{_of(whole, 'address')}.")


def _leaders(ranked: Sequence[Ranked]) -> list[Ranked]:
    return [one for one in ranked if one.users == ranked[0].users]


def _of(number: int, unit: str) -> str:
    return f"{count(number)} {unit if number == 1 else PLURALS.get(unit, unit + 's')}"
