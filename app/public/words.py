"""Every word the view shows, in one place; its tests import them from here. Another language is another file of this kind.

Numbers are written for English readers: 12,340 people, 49.5 years. Times are UTC and say so. No sentence changes by the clock
alone, so that a page can be kept until there are other figures.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.public.countries import name
from app.public.records import Reading, State
from governance.disclosure.snapshot import Cell, Snapshot

LANGUAGE = "en"
TITLE = "Rollcall: the people counted, as published"
PRODUCT = "Rollcall"
TAGLINE = "The people who came through the stream, counted, and published so that nobody can be found in the figures"
SYNTHETIC = "These people, or some of them, are made up: the pipeline is shown at work, and no figure is news of anybody."
SKIP = "Skip to the figures"
NO_SCRIPT = "Charts are drawn with JavaScript, which is switched off in this browser. Every figure stands in its table."
TABLE = "The same as a table"
CSV = "Download as CSV"
OTHER = "other"
NOTHING = "–"

PEOPLE = "people counted"
FIGURES_OF = "figures of"
NEXT = "next release"
NUMBER = "release"

NATIONALITY_COLUMNS = ("Nationality", "People", "Share")
GENDER_AGE_COLUMNS = ("Gender", "Age", "People", "Share")
AGE_COLUMNS = ("Nationality", "Average age in years")
DOMAIN_COLUMNS = ("E-mail domain", "People", "Share")
ARRIVAL_COLUMNS = ("Arrived (UTC)", "People", "Share")

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")
SHORT = 3
"""Letters of a month's name below an axis."""

GENDERS = {"female": "women", "male": "men"}
LEFT, RIGHT = "female", "male"

NO_COUNTRY = "an area of no one country on this map"
NOT_SHOWN = "not shown: nobody, or too few people"
LEGEND = "people"
HOVER = "%{customdata[0]}: %{customdata[1]} people<extra></extra>"
HOVER_NONE = "%{customdata}: " + NOT_SHOWN + "<extra></extra>"
HOVER_BARS = "%{y}: %{x:,} people<extra></extra>"
HOVER_SIDE = "%{meta} %{y}: %{customdata} people<extra></extra>"
HOVER_PERIOD = "%{customdata}: %{y:,} people<extra></extra>"
HOVER_AGE = "%{y}: %{text} years<extra></extra>"
ALL_SMALL = "Every group is too small to be shown by itself: all people are in “other”."

ABOUT_HEADING = "About the data"
ABOUT_OTHER = ("“Other” is what a table's total is more than the groups that are shown: small groups, and changes that are "
               "not shown yet. Nobody can be told apart in it.")
ABOUT_SOURCE = ("The figures are counts of the newest record of each person that came through the stream; whoever is erased is "
                "taken out again, with the next release that may show it. This page holds no person: it reads releases alone.")
ABOUT_AGES = "A birth counts as on the 15th of its month. Nationality and gender are those of the person's record."
ABOUT_MAP = ("Map: shapes of plotly.js (MIT licence), made from UN Geodata and Natural Earth. Boundaries, names and "
             "designations imply no endorsement by anybody. Small states have no shape: they stand in the list.")
ABOUT_FILES = "All figures as files:"

FILES = {"nationalities": "nationalities", "gender_ages": "gender and age", "average_ages": "average age",
         "domains": "e-mail domains", "arrivals": "arrivals"}

EMPTY_HEADING = "Nothing is published yet"
EMPTY = ("Figures are published once there are enough people that nobody can be found in them. They appear here by themselves.")
BROKEN_HEADING = "The figures cannot be read at the moment"
BROKEN = "The place where they are kept does not answer. This page looks again every few seconds and shows them by itself."
KEPT_HEADING = "These figures may not be the newest"
KEPT = ("The place where figures are kept does not answer. What stands below was published and read before; a later release, "
        "or that one was withdrawn, would not be seen.")
LATE_HEADING = "The next release is late"
WITHDRAWN_HEADING = "A release was withdrawn"

STATE_WORDS = {
    State.CURRENT: ("●", "Current"),
    State.STALE: ("◐", "Late"),
    State.EMPTY: ("○", "Nothing yet"),
    State.KEPT: ("✕", "Not looked up"),
    State.BROKEN: ("✕", "Cannot read"),
}


def count(number: int) -> str:
    """12345 -> 12,345."""
    return f"{number:,}"


def years(age: float) -> str:
    """49.5 -> 49.5, 50.0 -> 50.0."""
    return f"{age:.1f}"


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


def moment(at: datetime) -> str:
    """`28 November 2026, 14:02 UTC`."""
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M} UTC"


def day(at: datetime) -> str:
    """`28 November 2026`."""
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def tick(at: datetime, hours: bool) -> str:
    """Below an axis of time: the day, below its hour if that is asked for; `11:00<br>28 Nov`."""
    date = f"{at.day} {MONTHS[at.month - 1][:SHORT]}"
    return f"{at:%H:%M}<br>{date}" if hours else date


def period(key: str) -> str:
    """`2026-11-28T11` -> `28 November 2026, 11:00–11:59`; `2026-11-28` -> `28 November 2026`."""
    date = day(datetime.fromisoformat(key[:10]))
    return f"{date}, {key[11:]}:00–{key[11:]}:59" if len(key) > 10 else date


def gender(key: str) -> str:
    """`female` -> `women`; what is not in the table stands for itself."""
    return GENDERS.get(key, key)


def ages(key: str) -> str:
    """`30-39` -> `30–39`."""
    return key.replace("-", "–")


def status(reading: Reading, now_is: State) -> str:
    """What stands beside the state's sign."""
    snapshot = reading.snapshot
    if snapshot is None:
        return "The page looks for figures every few seconds."
    return f"Release {count(snapshot.number)}, published {moment(snapshot.at)}."


def unchanged(snapshot: Snapshot) -> str:
    """Why figures are older than their release, where they are."""
    if snapshot.counted_at == snapshot.at:
        return ""
    return f"Too few people came, left or changed since {moment(snapshot.counted_at)} to show newer figures: these stay."


def late(snapshot: Snapshot) -> str:
    """What is late."""
    return f"It was due {moment(snapshot.next_at)}. Until it is there, the figures of {moment(snapshot.counted_at)} stay."


def withdrawn(reading: Reading) -> str:
    """Which release was taken back, and what is shown instead."""
    instead = f" What stands here is release {count(reading.snapshot.number)}." if reading.snapshot else ""
    return f"Release {count(reading.withdrawn)} is no longer shown.{instead}"


def method(snapshot: Snapshot) -> str:
    """How the release was made: which version of the method, with its numbers."""
    told = snapshot.method
    return f"Method {told.version}: groups of at least {told.k} people, in steps of {told.step}."


def nationality_heading(snapshot: Snapshot) -> str:
    """The finding: where most people come from."""
    leaders = [name(cell.key) for cell in _leaders(snapshot.nationalities.cells)]
    if not leaders:
        return "No nationality can be shown"
    if len(leaders) > 2:
        return f"{len(leaders)} nationalities share the lead"
    return f"{' and '.join(leaders)} {'has' if len(leaders) == 1 else 'have'} the most people"


def nationality_sentence(snapshot: Snapshot) -> str:
    """How large the largest and the smallest nationality are."""
    cells, whole, rest = snapshot.nationalities.cells, snapshot.people, _rest(snapshot.nationalities.other)
    if not cells:
        return ALL_SMALL
    first, last = max(cells, key=lambda cell: cell.people), min(cells, key=lambda cell: cell.people)
    if len(cells) == 1:
        return f"One nationality is shown, with {count(first.people)} of {count(whole)} people.{rest}"
    return (f"{len(cells)} nationalities are shown, from {count(first.people)} of {count(whole)} people in {name(first.key)} "
            f"({share(first.people, whole)}) to {count(last.people)} in {name(last.key)}.{rest}")


def gender_age_heading(snapshot: Snapshot) -> str:
    """The finding: which group of gender and age is the largest."""
    leaders = _leaders(snapshot.gender_ages.cells)
    if not leaders:
        return "No age can be shown"
    if len(leaders) > 2:
        return f"{len(leaders)} groups of gender and age are equally large"
    groups = " and ".join(group(cell) for cell in leaders)
    return f"{groups[0].upper()}{groups[1:]} are the largest group{'' if len(leaders) == 1 else 's'}"


def group(cell: Cell) -> str:
    """`female 30-39` -> `women aged 30–39`."""
    one, age = cell.key.split(" ", 1)
    return f"{gender(one)} aged {ages(age)}"


def gender_age_sentence(snapshot: Snapshot) -> str:
    """How many people of each gender are shown."""
    cells = snapshot.gender_ages.cells
    if not cells:
        return ALL_SMALL
    genders = sorted({cell.key.split(" ", 1)[0] for cell in cells})
    sums = [f"{count(sum(cell.people for cell in cells if cell.key.split(' ', 1)[0] == one))} {gender(one)}" for one in genders]
    said = " and ".join(filter(None, [", ".join(sums[:-1]), sums[-1]]))
    return f"{said} are shown by age.{_rest(snapshot.gender_ages.other)}"


def age_heading(snapshot: Snapshot) -> str:
    """The finding: between which ages the averages lie."""
    known = [one.years for one in snapshot.average_ages]
    if not known:
        return "No average age can be shown"
    low, high = years(min(known)), years(max(known))
    return f"People are {low} years old on average" if low == high else f"Average ages go from {low} to {high} years"


def age_sentence(snapshot: Snapshot) -> str:
    """Which nationalities are the youngest and the oldest."""
    known = sorted(snapshot.average_ages, key=lambda one: (one.years, one.key))
    if not known:
        return ALL_SMALL
    if known[0].years == known[-1].years:
        return f"All {len(known)} nationalities that are shown." if len(known) > 1 else f"{name(known[0].key)} alone is shown."
    return (f"People of {name(known[0].key)} are the youngest on average ({years(known[0].years)}), those of "
            f"{name(known[-1].key)} the oldest ({years(known[-1].years)}); to half a year.")


def domain_heading(snapshot: Snapshot) -> str:
    """The finding: which e-mail domain is the most common."""
    leaders = [cell.key for cell in _leaders(snapshot.domains.cells)]
    if not leaders:
        return "No e-mail domain can be shown"
    if len(leaders) > 2:
        return f"{len(leaders)} e-mail domains share the lead"
    verb = "is the most common e-mail domain" if len(leaders) == 1 else "are the most common e-mail domains"
    return f"{' and '.join(leaders)} {verb}"


def domain_sentence(snapshot: Snapshot) -> str:
    """How many people have the domains that are shown."""
    cells = snapshot.domains.cells
    if not cells:
        return ALL_SMALL
    together = sum(cell.people for cell in cells)
    many = f"The {len(cells)} largest domains that can be shown have"
    which = many if len(cells) > 1 else "The one domain that can be shown has"
    return f"{which} {count(together)} of {count(snapshot.people)} people.{_rest(snapshot.domains.other)}"


def arrival_heading(snapshot: Snapshot) -> str:
    """The finding: when most people arrived."""
    leaders = _leaders(snapshot.arrivals.cells)
    if not leaders:
        return "No arrival can be shown"
    if len(leaders) > 1:
        return f"{len(leaders)} periods share the most arrivals"
    return f"Most people arrived on {period(leaders[0].key)}"


def arrival_sentence(snapshot: Snapshot) -> str:
    """Over which time arrivals are shown."""
    cells = snapshot.arrivals.cells
    if not cells:
        return ALL_SMALL
    keys = sorted(cell.key for cell in cells)
    over = f"{len(cells)} periods from {period(keys[0])} to {period(keys[-1])}" if len(keys) > 1 else period(keys[0])
    together = sum(cell.people for cell in cells)
    return f"{over}: {count(together)} of {count(snapshot.people)} people. Times are UTC.{_rest(snapshot.arrivals.other)}"


def _leaders(cells: Sequence[Cell]) -> list[Cell]:
    most = max((cell.people for cell in cells), default=0)
    return sorted((cell for cell in cells if cell.people == most), key=lambda cell: cell.key)


def _rest(other: int) -> str:
    return f" {count(other)} are in “other”." if other else ""
