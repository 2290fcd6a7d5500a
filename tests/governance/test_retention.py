"""Stated against measured: what is kept, due, overdue, and up to when rows are due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.clocks import retention_end
from governance.register import CONTENT, Enforcement, Period, Retention, Unit, entries
from governance.retention import Keeping, Measured, cut_off, expired, lines

FIRST = entries(CONTENT.read_text())
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def keeping(**measured: Measured) -> dict[str, Keeping]:
    found = lines(FIRST, {place.replace("__", ":"): one for place, one in measured.items()}, NOW)
    return {line.place: line.keeping for line in found}


def test_each_limit_is_listed_once_with_all_that_state_it() -> None:
    found = lines(FIRST, {}, NOW)
    assert len({(line.place, line.limit) for line in found}) == len(found)
    rows = next(line for line in found if line.place == "cassandra:profiles")
    assert rows.refs == ("people-stream",)
    assert "E-mail and phone" in rows.labels
    assert {line.keeping for line in found} == {Keeping.NOT_MEASURED, Keeping.BOUND, Keeping.BY_HAND}


@pytest.mark.parametrize(("place", "oldest", "slack", "wanted"), [
    # rows: 24 months from the newest record, by commands
    ("cassandra__profiles", "2024-11-28T12:00:01", 0, Keeping.KEPT),
    ("cassandra__profiles", "2024-11-28T12:00:00", 0, Keeping.DUE),
    # the topic: 7 days by Kafka, which may take one segment longer
    ("kafka__people", "2026-11-21T12:00:01", 0, Keeping.KEPT),
    ("kafka__people", "2026-11-21T11:00:01", 60, Keeping.KEPT),
    ("kafka__people", "2026-11-21T11:00:00", 60, Keeping.OVERDUE),
    # sessions: 12 hours by Cassandra
    ("cassandra__sessions", "2026-11-28T00:00:00", 0, Keeping.OVERDUE),
    ("cassandra__sessions", "2026-11-28T00:00:01", 0, Keeping.KEPT),
    # the audit: 36 months, somebody has to do it
    ("cassandra__audit", "2023-11-28T12:00:00", 0, Keeping.DUE),
])
def test_what_is_older_than_stated_is_due_or_overdue(place: str, oldest: str, slack: int, wanted: Keeping) -> None:
    assert keeping(**{place: Measured(at(oldest), slack=timedelta(minutes=slack))})[place.replace("__", ":")] is wanted


def test_an_empty_place_is_kept() -> None:
    assert keeping(kafka__people=Measured(None))["kafka:people"] is Keeping.KEPT


@pytest.mark.parametrize(("now", "count", "unit", "wanted"), [
    ("2026-11-28T12:00:00", 1, Unit.HOURS, "2026-11-28T11:00:00"),
    ("2026-03-01T00:00:00", 7, Unit.DAYS, "2026-02-22T00:00:00"),
    ("2026-11-28T12:00:00", 24, Unit.MONTHS, "2024-11-28T12:00:00"),
    # 29 February 2024 and two years end on 28 February 2026 at its hour, and so does 28 February 2024
    ("2026-02-28T12:00:00", 2, Unit.YEARS, "2024-02-29T12:00:00"),
])
def test_up_to_when_rows_are_due(now: str, count: int, unit: Unit, wanted: str) -> None:
    assert cut_off(at(now), Period(count=count, unit=unit)) == at(wanted)


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))
PERIODS = st.builds(lambda count, unit: Period(count=count, unit=unit), st.integers(1, 60), st.sampled_from(list(Unit)))


@given(MOMENTS, PERIODS)
def test_at_the_cut_off_the_time_is_over_and_a_moment_later_it_is_not(now: datetime, period: Period) -> None:
    last = cut_off(now, period)
    assert retention_end(last, period) <= now
    assert retention_end(last + timedelta(milliseconds=1), period) > now


def test_the_shortest_limit_that_commands_enforce_counts() -> None:
    found = expired(FIRST, "cassandra:profiles")
    assert found is not None
    assert str(found.period) == "24 months"
    assert expired(FIRST, "kafka:people") is None
    assert expired([], "cassandra:profiles") is None


def test_what_is_due_is_counted_beside_the_limit_that_it_was_counted_for() -> None:
    other = Retention(place="cassandra:profiles", criteria="as long as the contract", start="the contract",
                      enforced_by=Enforcement.HAND)
    longer = Retention(place="cassandra:profiles", period=Period(count=60, unit=Unit.MONTHS), start="the newest record",
                       enforced_by=Enforcement.EXPIRE)
    stream = next(one for one in FIRST if one.ref == "people-stream")
    items = (stream.items[0].model_copy(update={"retention": (*stream.items[0].retention, other, longer)}), *stream.items[1:])
    found = lines([stream.model_copy(update={"items": items})],
                  {"cassandra:profiles": Measured(at("2024-01-01T00:00:00"), 7)}, NOW)
    assert sorted((line.limit.said.split(" from ")[0], line.due) for line in found if line.place == "cassandra:profiles") == [
        ("24 months", 7), ("60 months", 0), ("as long as the contract", 0)]
