"""Ages from months of birth: what lets an average age stay right for ever and be recounted without anybody's birth day.

A birth counts as on the 15th of its month; an age is the days since then over 365.2425 (the mean Gregorian year).
Months are written `1992-03`. Everything here is pure; nothing is rounded.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

DAYS_A_YEAR = 365.2425
DAY_OF_MONTH = 15
BAND = 10
"""Years in an age band."""
NOBODY = " ".join("0" * 12)
"""A year as it is kept in which nobody was born."""

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_YEAR = re.compile(r"[0-9]{4}")
_TWELVE = re.compile(r"-?[0-9]+( -?[0-9]+){11}")


def in_years(months: Mapping[str, int]) -> dict[str, Any]:
    """Months of birth as they are kept: a year and its twelve counts, January first. What is no month stands as it came.

    >>> in_years({"1992-03": 2})
    {'1992': '0 0 2 0 0 0 0 0 0 0 0 0'}
    """
    years: dict[str, list[int]] = {}
    others: dict[str, Any] = {}
    for month, people in months.items():
        if found := _MONTH.fullmatch(month):
            years.setdefault(found[1], [0] * 12)[int(found[2]) - 1] = people
        else:
            others[month] = people
    return {year: " ".join(map(str, people)) for year, people in years.items()} | others


def in_months(years: Mapping[str, Any]) -> dict[str, Any]:
    """The same back: month of birth -> people, without those of nobody. What is no year of twelve counts stands as it came."""
    months: dict[str, Any] = {}
    for year, people in years.items():
        if isinstance(people, str) and _YEAR.fullmatch(year) and _TWELVE.fullmatch(people):
            months |= {f"{year}-{month:02}": int(n) for month, n in enumerate(people.split(" "), 1) if n != "0"}
        else:
            months[year] = people
    return months


def with_more(years: Mapping[str, Any], more: Mapping[str, int]) -> dict[str, Any]:
    """Months of birth as they are kept, and so many people more in some months; a year of nobody is left out. Only years with
    such a month are taken apart, for a turn of few people changes few of a nationality's hundred. What is not as `in_years`
    makes it is made so, or left out where it is no count.

    >>> with_more({"1992": "0 0 2 0 0 0 0 0 0 0 0 0", "1990": "1 0 0 0 0 0 0 0 0 0 0 0"}, {"1992-03": 1, "1990-01": -1})
    {'1992': '0 0 3 0 0 0 0 0 0 0 0 0'}
    """
    if not all(_of_year(year, people) for year, people in years.items()):
        years = in_years({month: people for month, people in in_months(years).items()
                          if type(people) is int and people and not _YEAR.fullmatch(month)})
    places = {found[1] if (found := _MONTH.fullmatch(month)) else month for month in more}
    apart = in_months({place: years[place] for place in places if place in years})
    together = {month: apart.get(month, 0) + more.get(month, 0) for month in {**apart, **more}}
    rest = {place: people for place, people in years.items() if place not in places}
    return {**rest, **in_years({month: people for month, people in together.items() if people})}


def total(years: Mapping[str, Any]) -> int:
    """People of all months as `in_years` makes them."""
    return sum(sum(map(int, people.split(" "))) if isinstance(people, str) else people for people in years.values())


def _of_year(year: str, people: object) -> bool:
    return isinstance(people, str) and people != NOBODY and bool(_YEAR.fullmatch(year) and _TWELVE.fullmatch(people))


def merged(births: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """People per birth month over several mappings (genders, nationalities); months that add up to nobody are left out.

    >>> merged([{"1992-03": 1}, {"1992-03": 2, "1960-12": 0}])
    {'1992-03': 3}
    """
    together: Counter[str] = Counter()
    for months in births:
        together.update(months)
    return {month: people for month, people in together.items() if people}


def age(month: str, today: date) -> float:
    """Years from the 15th of `month` (`YYYY-MM`) to `today`; a ValueError when the month is not one."""
    year, dash, number = month.partition("-")
    if not dash or len(year) != 4 or len(number) != 2:
        raise ValueError(f"{month!r} is not a month of birth; it is written like 1992-03")
    return (today - date(int(year), int(number), DAY_OF_MONTH)).days / DAYS_A_YEAR


def average_age(births: Mapping[str, int], today: date) -> float | None:
    """Mean age in years of the people in `births` (month -> people) on `today`; None when there is nobody."""
    people = sum(births.values())
    if not people:
        return None
    return sum(age(month, today) * count for month, count in births.items()) / people


def by_band(births: Iterable[Mapping[str, Mapping[str, int]]], today: date) -> Counter[tuple[str, int]]:
    """People by gender and by the age at which their band begins. births: gender -> month -> people, of each nationality.

    >>> by_band([{"male": {"1985-07": 2}}], date(2026, 11, 28))
    Counter({('male', 40): 2})
    """
    found: Counter[tuple[str, int]] = Counter()
    for genders in births:
        for gender, months in genders.items():
            for month, people in months.items():
                found[gender, int(age(month, today)) // BAND * BAND] += people
    return found


def band(begins: int) -> str:
    """A band as it is written: `30-39`."""
    return f"{begins}-{begins + BAND - 1}"
