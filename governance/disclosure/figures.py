"""The live aggregates, exact, as they go into a release; and what is wrong with them, so that nothing odd is published."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

NATIONALITIES, GENDER_AGES, DOMAINS, ARRIVALS = "nationalities", "gender_ages", "domains", "arrivals"
COUNTS = (NATIONALITIES, GENDER_AGES, DOMAINS, ARRIVALS)

FORMS = {
    NATIONALITIES: re.compile(r"[A-Z]{2,5}"),
    GENDER_AGES: re.compile(r"[a-z]{1,20} \d{1,3}-\d{1,3}"),
    ARRIVALS: re.compile(r"\d{4}-\d\d-\d\d(T\d\d)?"),
}
"""What the keys of a table look like. Domains have none here: they are people's own text, see `showable`."""

DOMAIN = re.compile(r"(?=.{1,80}\Z)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}")
OLDEST = 130


@dataclass(frozen=True)
class Figures:
    """People by nationality (`FR`), by gender and age band (`female 30-39`), by e-mail domain, by period of arrival
    (`2026-11-24T11` or `2026-11-24`), and the sum of ages in years by nationality. All of the same people at one moment.
    synthetic: some of them, or all, were made up."""

    nationalities: Mapping[str, int]
    gender_ages: Mapping[str, int]
    domains: Mapping[str, int]
    arrivals: Mapping[str, int]
    ages: Mapping[str, float]
    synthetic: bool = False

    @property
    def people(self) -> int:
        """How many people there are."""
        return sum(self.nationalities.values())

    def of(self, table: str) -> Mapping[str, int]:
        """The counts of one of COUNTS."""
        found: Mapping[str, int] = getattr(self, table)
        return found


def showable(table: str, key: str) -> bool:
    """Whether a key may appear in public. A domain that is no ordinary name may be what somebody typed: it is only counted.
    So is governance/masking.py's HIDDEN_DOMAIN, which stands for many."""
    return table != DOMAINS or DOMAIN.fullmatch(key) is not None


def contradiction(live: Figures) -> str:
    """What is wrong with these aggregates, in a sentence; empty when nothing is."""
    for table in COUNTS:
        if wrong := _table(table, live.of(table)):
            return wrong
    totals = {table: sum(live.of(table).values()) for table in COUNTS}
    if len(set(totals.values())) > 1:
        return "the tables do not count the same people: " + ", ".join(f"{table} {n}" for table, n in totals.items())
    return _ages(live)


def _table(table: str, counts: object) -> str:
    if not isinstance(counts, Mapping):
        return f"the table {table} is missing"
    for key, count in counts.items():
        if not isinstance(key, str) or (table in FORMS and not FORMS[table].fullmatch(key)):
            return f"{table} has a key of an unknown kind: {key!r}"
        if type(count) is not int or count < 0:
            return f"{table}/{key} is {count!r}, which is no count of people"
    return ""


def _ages(live: Figures) -> str:
    if not isinstance(live.ages, Mapping):
        return "the table ages is missing"
    if strange := set(live.ages) - set(live.nationalities):
        return f"ages has a nationality that nobody has: {sorted(map(str, strange))[0]}"
    for nat, people in live.nationalities.items():
        years = live.ages.get(nat, 0.0 if not people else math.nan)
        if not isinstance(years, int | float) or not 0 <= years <= people * OLDEST:
            return f"ages/{nat} is {years!r} for {people} people"
    return ""
