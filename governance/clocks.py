"""The clocks of the law: until when a request is answered, a breach notified, and data gone.

Three kinds, and they end differently because the law says so or because a person is better protected that way:

    month_clock      months, to the end of a working day         Art. 12(3) GDPR, Regulation 1182/71
    hours_clock      hours, whatever day it is                   Art. 33(1) GDPR
    retention_end    a period of the register, never extended    Art. 5(1)(e) GDPR

Nothing here reads the time: whoever asks says what time it is.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from governance.register import Period, Unit

HOURS_TO_NOTIFY = 72
"""Hours in which a breach is notified: Art. 33(1) GDPR. The Commission's Digital Omnibus of 19 November 2025 proposes 96,
which is why every function that needs it takes it as an argument."""

_WEEKEND = {5: "a Saturday", 6: "a Sunday"}
_NAMED = "BE, DE, ES, FR, GB, IE, IT, LU, NL"

Day = TypeVar("Day", bound=date)


@dataclass(frozen=True)
class Clock:
    """A clock that runs until it is stopped.

    due: the last moment that is still in time. stopped: when what it waits for was done, or None while it runs. Both know
    their zone; a naive one raises ValueError, and so does a naive `now`.
    """

    due: datetime
    stopped: datetime | None = None

    def __post_init__(self) -> None:
        in_utc(self.due)
        if self.stopped is not None:
            in_utc(self.stopped)

    def left(self, now: datetime) -> timedelta:
        """What is left at a moment, or was left when it stopped; negative when late.

        A stop that lies after `now` has not come yet: until then the clock runs.
        """
        end = in_utc(now) if self.stopped is None else min(in_utc(now), in_utc(self.stopped))
        return in_utc(self.due) - end

    def late(self, now: datetime) -> bool:
        """Whether it ran out before it was stopped; the last moment itself is in time ("not later than")."""
        return self.left(now) < timedelta(0)


def in_utc(at: datetime) -> datetime:
    """A moment in UTC. Raises ValueError for a naive one, and for one that UTC has no year for.

    Two datetimes of one zone are compared and subtracted by what the wall clock shows, an hour wrong across a change of
    summer time; in UTC they never are.
    """
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} does not say in which zone it is; write it as {at.isoformat()}+00:00, or give it "
                         "a zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{at.isoformat()} lies outside the years 1 to 9999 in UTC") from None


def day_in(zone: str, at: datetime) -> date:
    """The day on which a moment (with a zone, else ValueError) lies in a zone, as `Europe/Paris`."""
    return in_utc(at).astimezone(ZoneInfo(zone)).date()


def working_day(day: date, country: str) -> bool:
    """Whether a day is neither Saturday, Sunday nor a public holiday of a country (Regulation 1182/71, Art. 2(2)).

    country: two capital letters of ISO 3166-1 (`FR`). Holidays of the whole country count, those of a single region do not:
    the shorter period protects the person. Raises ValueError for a country that is not known.
    """
    return not day_off(day, country)


def day_off(day: date, country: str) -> str:
    """Why a day is no working day: `a Saturday`, `a Sunday`, the name of its holiday in English; nothing for a working day.

    Raises ValueError for a country that is not known.
    """
    holiday = _holidays(country, day.year).get(day, "")
    return _WEEKEND.get(day.weekday(), holiday)


@dataclass(frozen=True)
class Counted:
    """How a period of months was counted. end: where it ends by the calendar; exists: whether the month has that date, else end
    is its last day; stood: days by which the clock stood, which lie before end; passed: days from end on that are no working
    days, each with why; due: the last day, a working day."""

    begin: date
    months: int
    end: date
    exists: bool
    stood: int
    passed: Mapping[date, str]
    due: date


def month_clock(received: date, months: int, country: str) -> date:
    """The last day to answer what came in on a day (Art. 12(3) GDPR, counted by Regulation 1182/71, Art. 3(2)(c) and (4)).

    The same date so many months later; the last day of that month where there is no such date; then the next working day
    of the country if that is none. The period ends with the last hour of the day returned.

    received: the day of receipt at the place that answers; on which day of the week it is does not matter. months: from 1.
    With the extension of Art. 12(3) it is 3 from the receipt, not 2 from the first due date. Raises ValueError for fewer
    months, for a datetime (which day it is depends on a zone) and for a country that is not known.
    """
    return counted(received, months, country).due


def counted(received: date, months: int, country: str, stood: int = 0) -> Counted:
    """The same, with how it was counted. stood: days by which the clock stood while something was waited for that only the
    person can give (EDPB Guidelines 01/2022, section 5.3); they are added before a working day is looked for."""
    if isinstance(received, datetime):
        raise ValueError(f"{received.isoformat()} is a moment; give the day on which it was received, as {received:%Y-%m-%d}")
    if months < 1:
        raise ValueError(f"A period of {months} months is none; it has at least 1")
    same = _later(received, months)
    end = due = same + timedelta(days=stood)
    passed: dict[date, str] = {}
    while why := day_off(due, country):
        passed[due] = why
        due += timedelta(days=1)
    return Counted(received, months, end, same.day == received.day, stood, MappingProxyType(passed), due)


def hours_clock(aware: datetime, hours: int = HOURS_TO_NOTIFY) -> datetime:
    """The last moment to notify a breach, in UTC: so many hours after somebody became aware of it (Art. 33(1) GDPR).

    Hours are absolute: a change of summer time makes them neither fewer nor more. Weekends and holidays do not extend them,
    and the hour of awareness counts. Regulation 1182/71 can be read more generously: its Art. 3(1) leaves that hour out,
    and its Art. 3(5) gives every period of two days or more at least two working days. The strict reading is taken because
    people whose data are gone can protect themselves only once somebody knows, and an authority that reads more generously
    has no objection to who is early.

    aware: with a zone. hours: from 1. Raises ValueError for a naive datetime, for fewer hours, and where the end lies beyond
    the year 9999.
    """
    if hours < 1:
        raise ValueError(f"A period of {hours} hours is none; it has at least 1")
    begin = in_utc(aware)
    try:
        return begin + timedelta(hours=hours)
    except OverflowError:
        raise ValueError(f"{hours} hours from {begin.isoformat()} would end after the year 9999") from None


def retention_end(start: datetime, period: Period) -> datetime:
    """When data must be gone, in UTC: a period of the register after its start (Art. 5(1)(e) GDPR).

    Hours and days are absolute: a day is 24 hours. Months and years go by the calendar in UTC, where all stores keep their
    times, and where a date does not exist they end on the last day of the month: 31 January and a month is 28 or 29
    February, 29 February and a year is 28 February. Holidays never extend it, for a shorter time protects the person.
    So one moment has one end, in whatever zone it is written. Of two starts at the end of a month the later may end
    some hours earlier: 29 January 12:00 and 30 January 8:00 both end on 28 February, at their hours.

    start: with a zone. Raises ValueError for a naive datetime, and where the end lies beyond the year 9999.
    """
    begin = in_utc(start)
    try:
        match period.unit:
            case Unit.HOURS:
                return begin + timedelta(hours=period.count)
            case Unit.DAYS:
                return begin + timedelta(days=period.count)
            case Unit.MONTHS:
                return _later(begin, period.count)
            case Unit.YEARS:
                return _later(begin, period.count * 12)
    except (OverflowError, ValueError):
        raise ValueError(f"{period} from {begin.isoformat()} would end after the year 9999; shorten the period") from None


def _later(day: Day, months: int) -> Day:
    """The same date so many months later, or the last day of that month."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


@cache
def _holidays(country: str, year: int) -> Mapping[date, str]:
    """Public holidays of one year and their names. Made whole at once: the library's own object fills itself while it is read,
    and a second thread would find a year that is announced and still empty."""
    from holidays import country_holidays, list_supported_countries  # every command would wait for it

    known = list_supported_countries(include_aliases=False)
    if country not in known:
        raise ValueError(f"The country {country!r} is not known; allowed are the {len(known)} codes of ISO 3166-1 whose "
                         f"holidays are known, two capital letters, among them {_NAMED}")
    return MappingProxyType(dict(country_holidays(country, years=year, expand=False, language="en_US")))
