"""The clocks of the law against tables that were worked out by hand, and what holds for every day and every period.

First days, for whoever checks a row: 2024 begins on a Monday, 2026 on a Thursday (1 February Sunday, 1 March Sunday,
1 April Wednesday, 1 May Friday, 1 October Thursday, 1 December Tuesday), 2027 on a Friday, 2028 on a Saturday, 2100 on a
Friday.
"""

from calendar import timegm
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from governance.clocks import HOURS_TO_NOTIFY, Clock, hours_clock, in_utc, month_clock, retention_end, working_day
from governance.register import Period, Unit

PARIS = ZoneInfo("Europe/Paris")
COUNTRIES = ("FR", "DE", "IE", "BE", "GB")
NONE = timedelta(0)

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
ZONES = st.sampled_from([UTC, PARIS, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"),
                         timezone(timedelta(hours=-5))])
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=ZONES)
MONTHS = st.integers(1, 36)

RECEIVED = [
    # end of months: the same date, or the last day where there is none
    ("2026-08-31", 1, "FR", "2026-09-30"),    # September has 30 days; a Wednesday
    ("2026-01-31", 1, "FR", "2026-03-02"),    # 28 February is a Saturday (1 February a Sunday): Monday
    ("2026-03-31", 1, "FR", "2026-04-30"),    # a Thursday
    ("2026-10-31", 1, "FR", "2026-11-30"),    # a Monday
    ("2026-08-31", 3, "FR", "2026-11-30"),    # extended by two months: three from the receipt; a Monday
    ("2026-11-30", 3, "FR", "2027-03-01"),    # 28 February 2027 is a Sunday (1 February a Monday): Monday
    ("2026-09-30", 1, "FR", "2026-10-30"),    # the same date, not the last day of October; a Friday
    # leap days
    ("2024-01-31", 1, "FR", "2024-02-29"),    # 2024 is a leap year; a Thursday
    ("2024-01-30", 1, "FR", "2024-02-29"),    # there is no 30 February either
    ("2024-01-29", 1, "FR", "2024-02-29"),    # there is a 29 February
    ("2024-02-29", 12, "FR", "2025-02-28"),   # 2025 is none; a Friday
    ("2024-02-29", 1, "FR", "2024-03-29"),    # Good Friday is no holiday in France
    ("2024-02-29", 1, "DE", "2024-04-02"),    # in Germany it is: Saturday, Easter Sunday, Easter Monday 1 April, Tuesday
    ("2028-01-31", 1, "FR", "2028-02-29"),    # 1 February 2028 is a Tuesday, so is the 29th
    ("2028-02-29", 1, "FR", "2028-03-29"),    # a Wednesday
    ("2100-01-31", 1, "FR", "2100-03-01"),    # 2100 is no leap year; 28 February is day 59, so a Sunday: Monday
    # Easter 2026 is on 5 April
    ("2026-03-05", 1, "FR", "2026-04-07"),    # Easter Sunday, Easter Monday, Tuesday
    ("2026-03-06", 1, "DE", "2026-04-07"),    # Easter Monday, Tuesday
    ("2026-03-06", 1, "IE", "2026-04-07"),
    ("2026-03-06", 1, "BE", "2026-04-07"),
    ("2026-03-03", 1, "FR", "2026-04-03"),    # Good Friday, worked in France
    ("2026-03-03", 1, "DE", "2026-04-07"),    # not in Germany: four days without work
    # 1 May 2026 is a Friday
    ("2026-04-01", 1, "FR", "2026-05-04"),    # Labour Day, Saturday, Sunday, Monday
    ("2026-04-01", 1, "DE", "2026-05-04"),
    ("2026-04-01", 1, "BE", "2026-05-04"),
    ("2026-04-01", 1, "IE", "2026-05-01"),    # no holiday in Ireland, which has the first Monday of May
    ("2026-04-02", 1, "IE", "2026-05-05"),    # Saturday, Sunday, that Monday (the 4th), Tuesday
    # Christmas: 25 December 2026 is a Friday, 25 December 2028 a Monday
    ("2026-11-25", 1, "FR", "2026-12-28"),    # Friday, Saturday, Sunday, Monday
    ("2026-11-26", 1, "IE", "2026-12-28"),    # Saint Stephen's Day is a Saturday
    ("2028-11-25", 1, "FR", "2028-12-26"),    # 26 December is worked in France
    ("2028-11-25", 1, "BE", "2028-12-26"),    # and in Belgium
    ("2028-11-25", 1, "DE", "2028-12-27"),    # not in Germany
    ("2028-11-26", 1, "IE", "2028-12-27"),    # and not in Ireland
    ("2026-12-01", 1, "FR", "2027-01-04"),    # New Year's Day, a Friday: Monday
    # days of one country
    ("2026-06-14", 1, "FR", "2026-07-15"),    # 14 July, a Tuesday
    ("2026-06-14", 1, "DE", "2026-07-14"),
    ("2026-06-21", 1, "BE", "2026-07-22"),    # 21 July, a Tuesday
    ("2026-02-17", 1, "IE", "2026-03-18"),    # 17 March, a Tuesday
    ("2026-09-26", 1, "IE", "2026-10-27"),    # the last Monday of October
    ("2026-09-03", 1, "DE", "2026-10-05"),    # 3 October is a Saturday anyway
    # the day of receipt may be any day
    ("2026-01-01", 1, "FR", "2026-02-02"),    # received on a holiday; 1 February is a Sunday
    ("2026-01-01", 1, "IE", "2026-02-03"),    # that Monday is Saint Brigid's Day
    ("2026-12-15", 1, "FR", "2027-01-15"),    # over the turn of the year; a Friday
]

AWARE = [
    # Paris puts its clocks forward on Sunday 29 March 2026, 2:00 -> 3:00, and back on Sunday 25 October 2026, 3:00 -> 2:00
    ("2026-03-27 18:00", 0, 72, "2026-03-30 17:00"),    # 17:00 UTC (+1); on the wall it will be 19:00 (+2)
    ("2026-10-23 18:00", 0, 72, "2026-10-26 16:00"),    # 16:00 UTC (+2); on the wall it will be 17:00 (+1)
    ("2026-10-25 02:30", 0, 72, "2026-10-28 00:30"),    # the first half past two (+2) is 0:30 UTC
    ("2026-10-25 02:30", 1, 72, "2026-10-28 01:30"),    # the second (+1) is 1:30 UTC
    ("2026-03-29 01:59", 0, 1, "2026-03-29 01:59"),     # 0:59 UTC and an hour; on the wall 3:59
    # weekends and holidays do not extend it
    ("2026-04-03 12:00", 0, 72, "2026-04-06 10:00"),    # Good Friday, +2: ends on Easter Monday
    ("2026-12-24 12:00", 0, 72, "2026-12-27 11:00"),    # Christmas Eve, +1: ends on a Sunday
    ("2028-02-27 12:00", 0, 72, "2028-03-01 11:00"),    # over a leap day: 28 and 29 February, 1 March
    ("2026-07-01 12:00", 0, 96, "2026-07-05 10:00"),    # as the Digital Omnibus proposes
]

KEPT = [
    ("2026-01-31T10:00+00:00", 1, "months", "2026-02-28T10:00+00:00"),    # a Saturday: not extended
    ("2024-01-31T10:00+00:00", 1, "months", "2024-02-29T10:00+00:00"),
    ("2028-01-30T10:00+00:00", 1, "months", "2028-02-29T10:00+00:00"),
    ("2024-02-29T10:00+00:00", 1, "years", "2025-02-28T10:00+00:00"),
    ("2024-02-29T10:00+00:00", 4, "years", "2028-02-29T10:00+00:00"),
    ("2096-02-29T10:00+00:00", 4, "years", "2100-02-28T10:00+00:00"),     # 2100 is no leap year
    ("2026-11-25T10:00+00:00", 1, "months", "2026-12-25T10:00+00:00"),    # Christmas Day: not extended
    ("2026-12-31T23:59+00:00", 2, "months", "2027-02-28T23:59+00:00"),
    ("2026-10-31T10:00+00:00", 13, "months", "2027-11-30T10:00+00:00"),
    # the calendar is UTC's: half past midnight of 1 March in Paris is 23:30 of 28 February
    ("2026-03-01T00:30+01:00", 1, "months", "2026-03-28T23:30+00:00"),
    # a day is 24 hours, also that of 29 March 2026 in Paris: 12:00 (+1) is 11:00 UTC
    ("2026-03-28T12:00+01:00", 1, "days", "2026-03-29T11:00+00:00"),
    ("2026-03-28T12:00+01:00", 24, "hours", "2026-03-29T11:00+00:00"),
    ("2026-02-27T10:00+00:00", 2, "days", "2026-03-01T10:00+00:00"),
    ("2028-02-27T10:00+00:00", 3, "days", "2028-03-01T10:00+00:00"),
]


@pytest.mark.parametrize(("received", "months", "country", "due"), RECEIVED)
def test_months_end_as_worked_out_by_hand(received: str, months: int, country: str, due: str) -> None:
    assert month_clock(date.fromisoformat(received), months, country) == date.fromisoformat(due)


@pytest.mark.parametrize(("aware", "fold", "hours", "due"), AWARE)
def test_hours_end_as_worked_out_by_hand(aware: str, fold: int, hours: int, due: str) -> None:
    at = datetime.fromisoformat(aware).replace(tzinfo=PARIS, fold=fold)
    end = datetime.fromisoformat(due).replace(tzinfo=UTC)
    assert hours_clock(at, hours) == end
    assert hours_clock(at, hours).tzinfo is UTC


@pytest.mark.parametrize(("start", "count", "unit", "end"), KEPT)
def test_retention_ends_as_worked_out_by_hand(start: str, count: int, unit: str, end: str) -> None:
    given_period = Period(count=count, unit=Unit(unit))
    assert retention_end(datetime.fromisoformat(start), given_period) == datetime.fromisoformat(end)


@pytest.mark.parametrize(("day", "country", "worked"), [
    ("2026-04-06", "FR", False), ("2026-04-06", "DE", False), ("2026-04-06", "IE", False), ("2026-04-06", "BE", False),
    ("2026-05-01", "FR", False), ("2026-05-01", "IE", True), ("2026-12-25", "FR", False), ("2026-12-25", "IE", False),
    ("2028-12-26", "FR", True), ("2028-12-26", "BE", True), ("2028-12-26", "DE", False), ("2028-12-26", "IE", False),
    ("2026-12-28", "GB", False),    # Boxing Day is a Saturday: the Monday instead
    ("2026-02-28", "FR", False), ("2026-03-01", "FR", False), ("2026-03-02", "FR", True), ("2026-11-06", "FR", True)])
def test_working_days(day: str, country: str, worked: bool) -> None:
    assert working_day(date.fromisoformat(day), country) is worked


def test_the_default_is_that_of_the_law() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert HOURS_TO_NOTIFY == 72
    assert hours_clock(at) == datetime(2026, 7, 4, 12, tzinfo=UTC)


@given(DAYS, MONTHS, st.sampled_from(COUNTRIES))
def test_the_last_day_to_answer_is_worked_and_the_first_since_the_date(received: date, months: int, country: str) -> None:
    due = month_clock(received, months, country)
    year, month = divmod(received.year * 12 + received.month - 1 + months, 12)
    first_of_next = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    nominal = min(date(year, month + 1, 1) + timedelta(days=received.day - 1), first_of_next - timedelta(days=1))
    assert working_day(due, country)
    assert nominal <= due
    assert not any(working_day(nominal + timedelta(days=n), country) for n in range((due - nominal).days))
    assert (due - nominal).days <= 5    # Friday to Monday off, and a day beside


@given(DAYS, DAYS, MONTHS, st.sampled_from(COUNTRIES))
def test_who_asks_later_is_not_answered_earlier(one: date, other: date, months: int, country: str) -> None:
    first, second = sorted((one, other))
    assert month_clock(first, months, country) <= month_clock(second, months, country)
    assert month_clock(first, months, country) <= month_clock(first, months + 1, country)


@given(MOMENTS, st.integers(1, 24 * 365), ZONES)
def test_hours_are_absolute_in_every_zone(aware: datetime, hours: int, zone: timezone | ZoneInfo) -> None:
    due = hours_clock(aware, hours)
    assert timegm(due.utctimetuple()) - timegm(aware.utctimetuple()) == hours * 3600
    assert due.microsecond == aware.microsecond
    assert hours_clock(in_utc(aware).astimezone(zone), hours) == due


@given(MOMENTS, MOMENTS, st.integers(1, 200))
def test_who_is_aware_later_has_no_less_time(one: datetime, other: datetime, hours: int) -> None:
    assert (in_utc(one) <= in_utc(other)) is (hours_clock(one, hours) <= hours_clock(other, hours))


@given(MOMENTS, st.integers(1, 400), st.sampled_from(Unit), ZONES)
def test_retention_ends_after_its_start_and_the_same_in_every_zone(start: datetime, count: int, unit: Unit,
                                                                   zone: timezone | ZoneInfo) -> None:
    longest = {Unit.HOURS: timedelta(hours=1), Unit.DAYS: timedelta(days=1), Unit.MONTHS: timedelta(days=31),
               Unit.YEARS: timedelta(days=366)}[unit]
    end = retention_end(start, Period(count=count, unit=unit))
    assert in_utc(start) < end <= in_utc(start) + count * longest
    assert retention_end(in_utc(start).astimezone(zone), Period(count=count, unit=unit)) == end
    if unit in (Unit.MONTHS, Unit.YEARS):
        months = count * (12 if unit is Unit.YEARS else 1)
        begin = in_utc(start)
        assert (end.year - begin.year) * 12 + end.month - begin.month == months
        assert end.day == begin.day or (end.day < begin.day and (end + timedelta(days=1)).day == 1)
        assert end.time() == begin.time()


@given(MOMENTS, st.integers(1, 40))
def test_a_year_is_twelve_months(start: datetime, years: int) -> None:
    assert retention_end(start, Period(count=years, unit=Unit.YEARS)) == retention_end(
        start, Period(count=12 * years, unit=Unit.MONTHS))


@given(MOMENTS, MOMENTS, MONTHS)
def test_what_began_on_a_later_day_ends_on_no_earlier_day(one: datetime, other: datetime, months: int) -> None:
    first, second = sorted((in_utc(one), in_utc(other)))
    assume(first.date() < second.date())
    period = Period(count=months, unit=Unit.MONTHS)
    assert retention_end(first, period).date() <= retention_end(second, period).date()


def test_a_clock_runs_out_and_stops() -> None:
    due = datetime(2026, 3, 30, 17, tzinfo=UTC)
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    assert Clock(due).left(due - hour) == hour
    assert Clock(due).left(due + hour) == -hour
    assert not Clock(due).late(due), "not later than: the last moment is in time"
    assert Clock(due).late(due + second)
    in_time, too_late = Clock(due, due - hour), Clock(due, due + hour)
    assert (in_time.left(due + 5 * hour), in_time.late(due + 5 * hour)) == (hour, False)
    assert (too_late.left(due + 5 * hour), too_late.late(due + 5 * hour)) == (-hour, True)
    assert too_late.left(due - hour) == hour, "the stop has not come yet"
    assert not too_late.late(due - hour)


def test_what_is_left_counts_the_hour_of_a_change() -> None:
    due = datetime(2026, 3, 30, 19, tzinfo=PARIS)
    assert Clock(due).left(datetime(2026, 3, 27, 18, tzinfo=PARIS)) == timedelta(hours=72)    # on the wall 73
    autumn = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS)
    assert Clock(autumn).left(autumn.replace(fold=1)) == timedelta(hours=-1)                  # on the wall none
    assert Clock(autumn).late(autumn.replace(fold=1))


@given(MOMENTS, st.none() | MOMENTS, MOMENTS, MOMENTS)
def test_what_is_left_never_grows(due: datetime, stopped: datetime | None, one: datetime, other: datetime) -> None:
    clock = Clock(due, stopped)
    first, second = sorted((in_utc(one), in_utc(other)))
    assert clock.left(first) >= clock.left(second)
    assert clock.late(first) is (clock.left(first) < NONE)


NAIVE = datetime(2026, 3, 29, 2, 30)


def test_a_naive_moment_is_refused_everywhere() -> None:
    aware = NAIVE.replace(tzinfo=UTC)
    attempts: list[Callable[[], object]] = [
        lambda: hours_clock(NAIVE, 72), lambda: retention_end(NAIVE, Period(count=1, unit=Unit.DAYS)), lambda: in_utc(NAIVE),
        lambda: Clock(NAIVE), lambda: Clock(aware, NAIVE), lambda: Clock(aware).left(NAIVE), lambda: Clock(aware).late(NAIVE)]
    for attempt in attempts:
        with pytest.raises(ValueError, match="2026-03-29T02:30:00 does not say in which zone it is; write it as"):
            attempt()


@pytest.mark.parametrize("country", ["XX", "fr", "UK", "EL", "France", ""])
def test_an_unknown_country_is_refused_and_some_known_are_named(country: str) -> None:
    with pytest.raises(ValueError, match=f"The country {country!r} is not known; allowed are the .*BE, DE, ES, FR"):
        month_clock(date(2026, 3, 5), 1, country)
    with pytest.raises(ValueError, match="is not known"):
        working_day(date(2026, 3, 5), country)


def test_what_is_no_period_is_refused() -> None:
    at = datetime(2026, 3, 5, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="A period of 0 months is none"):
        month_clock(at.date(), 0, "FR")
    with pytest.raises(ValueError, match="A period of 0 hours is none"):
        hours_clock(at, 0)
    with pytest.raises(ValueError, match="is a moment; give the day on which it was received, as 2026-03-05"):
        month_clock(at, 1, "FR")
    beyond: list[Callable[[], object]] = [
        lambda: retention_end(at, Period(count=8000, unit=Unit.YEARS)), lambda: hours_clock(at, 10**9),
        lambda: retention_end(at, Period(count=10**10, unit=Unit.DAYS))]
    for attempt in beyond:
        with pytest.raises(ValueError, match="would end after the year 9999"):
            attempt()
    with pytest.raises(ValueError, match="outside the years 1 to 9999 in UTC"):
        in_utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))
