"""The clock of requests against a table that was worked out by hand, with the law that gives each day, as the page shows it.

First days, for whoever checks a row: 2026 begins on a Thursday (1 February Sunday, 1 March Sunday, 1 April Wednesday), 2027 on
a Friday, 2028 on a Saturday.
"""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.clocks import day_off, working_day
from governance.requests import life
from governance.requests.deadlines import TARGET_DAYS, Deadlines, deadlines
from governance.requests.request import Ground, NotARequest, Request
from tests.governance.request_cases import made, question

MONTH = "one month to answer (Art. 12(3) GDPR)"
SAME = "(Art. 3(2)(c) of Regulation 1182/71)"
NEXT = "(Art. 3(4) of Regulation 1182/71)"

TABLE = [
    # received, country, due, what the page says of how it comes about
    ("2026-01-31", "FR", "2026-03-02", [
        f"Received on Saturday 31 January 2026: {MONTH}.",
        f"One month later there is no day 31, so the period ends with the month: Saturday 28 February 2026 {SAME}.",
        "28 February 2026 (a Saturday), 1 March 2026 (a Sunday) are no working days in FR, so it ends with the next one, "
        f"Monday 2 March 2026 {NEXT}."]),
    ("2026-08-31", "FR", "2026-09-30", [
        f"Received on Monday 31 August 2026: {MONTH}.",
        f"One month later there is no day 31, so the period ends with the month: Wednesday 30 September 2026 {SAME}."]),
    ("2028-02-29", "FR", "2028-03-29", [
        f"Received on Tuesday 29 February 2028: {MONTH}.",
        f"The period ends on the same date one month later: Wednesday 29 March 2028 {SAME}."]),
    ("2028-01-31", "FR", "2028-02-29", [
        f"Received on Monday 31 January 2028: {MONTH}.",
        f"One month later there is no day 31, so the period ends with the month: Tuesday 29 February 2028 {SAME}."]),
    ("2026-03-06", "FR", "2026-04-07", [    # Easter Sunday is 5 April
        f"Received on Friday 6 March 2026: {MONTH}.",
        f"The period ends on the same date one month later: Monday 6 April 2026 {SAME}.",
        "6 April 2026 (Easter Monday) is no working day in FR, so it ends with the next one, Tuesday 7 April 2026 "
        f"{NEXT}."]),
    ("2026-03-05", "DE", "2026-04-07", [
        f"Received on Thursday 5 March 2026: {MONTH}.",
        f"The period ends on the same date one month later: Sunday 5 April 2026 {SAME}.",
        "5 April 2026 (a Sunday), 6 April 2026 (Easter Monday) are no working days in DE, so it ends with the next one, "
        f"Tuesday 7 April 2026 {NEXT}."]),
    ("2026-12-01", "FR", "2027-01-04", [    # over the end of a year; 1 January 2027 is a Friday
        f"Received on Tuesday 1 December 2026: {MONTH}.",
        f"The period ends on the same date one month later: Friday 1 January 2027 {SAME}.",
        "1 January 2027 (New Year's Day), 2 January 2027 (a Saturday), 3 January 2027 (a Sunday) are no working days in FR, so "
        f"it ends with the next one, Monday 4 January 2027 {NEXT}."]),
    ("2026-12-31", "FR", "2027-02-01", [    # 31 January 2027 is a Sunday
        f"Received on Thursday 31 December 2026: {MONTH}.",
        f"The period ends on the same date one month later: Sunday 31 January 2027 {SAME}.",
        f"31 January 2027 (a Sunday) is no working day in FR, so it ends with the next one, Monday 1 February 2027 {NEXT}."]),
]

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
COUNTRIES = st.sampled_from(("FR", "DE", "IE"))


def day(text: str) -> date:
    return date.fromisoformat(text)


def clock(asked: Request, today: str, country: str = "FR") -> Deadlines:
    return deadlines(asked, day(today), country)


@pytest.mark.parametrize(("received", "country", "due", "law"), TABLE)
def test_the_day_and_what_law_gives_it(received: str, country: str, due: str, law: list[str]) -> None:
    found = clock(made(received=received), received, country)
    assert found.legal == day(due)
    assert found.first == day(due)
    assert list(found.law) == law


@pytest.mark.parametrize(("received", "told", "due", "first"), [
    ("2026-08-31", "2026-09-30", "2026-11-30", "2026-09-30"),    # a Monday; told on the last day
    ("2026-11-30", "2026-12-01", "2027-03-01", "2026-12-30"),    # 28 February 2027 is a Sunday
    ("2026-01-31", "2026-03-02", "2026-04-30", "2026-03-02"),    # the first month ends on the Monday
    ("2028-02-29", "2028-03-01", "2028-05-29", "2028-03-29"),    # a Monday
])
def test_an_extension_makes_three_months_from_the_receipt(received: str, told: str, due: str, first: str) -> None:
    extended = life.extended(made(received=received), day(told), "many came at once", "FR")
    found = clock(extended, told)
    assert (found.legal, found.first) == (day(due), day(first))
    assert "three months from the receipt; the person was told with the reasons on" in found.law[1]
    assert "Art. 12(3)" in found.law[1]


@pytest.mark.parametrize(("told", "left"), [
    ("2026-09-30", 0),      # the month ends on a Wednesday
    ("2026-10-01", -1),     # in time for an answer, and a day late for a refusal
    ("2026-11-30", -61),    # the last day of the three months
])
def test_a_refusal_is_told_within_the_first_month_extended_or_not(told: str, left: int) -> None:
    extended = life.extended(made(received="2026-08-31"), day("2026-09-01"), "many came at once", "FR")
    found = clock(life.refused(extended, day(told), Ground.EXCESSIVE, "the same each day"), told)
    assert (found.legal, found.left(day(told)), found.late(day(told))) == (day("2026-09-30"), left, left < 0)
    assert found.law[1] == ("The extension of which the person was told on 1 September 2026 does not count for a refusal: it "
                            "is told within one month of the receipt (Art. 12(4) GDPR).")
    assert found.law[2].startswith("One month later there is no day 31")


def test_an_extension_that_was_told_too_late_is_none() -> None:
    asked = made(received="2026-01-31")
    with pytest.raises(NotARequest, match=r"had to be told by 2 March 2026.*Art\. 12\(3\)"):
        life.extended(asked, day("2026-03-03"), "many", "FR")
    with pytest.raises(NotARequest, match="reason"):
        life.extended(asked, day("2026-03-02"), " ", "FR")
    once = life.extended(asked, day("2026-03-02"), "many", "FR")
    with pytest.raises(NotARequest, match="allows it once"):
        life.extended(once, day("2026-03-02"), "more", "FR")


def test_the_clock_stands_while_we_wait_for_what_shows_who_asks() -> None:
    asked = question(made(received="2026-03-10"), "2026-03-12")
    assert clock(asked, "2026-03-12").legal == day("2026-04-10"), "asked today: nothing is won"
    assert clock(asked, "2026-03-17").legal == day("2026-04-15"), "five days later"
    given_ = life.identity_given(asked, day("2026-03-17"))
    found = clock(given_, "2026-04-01")
    assert found.legal == day("2026-04-15"), "it runs on, whether or not that settled it"
    assert found.law[2] == ("The clock stood for 5 days while we waited for what shows who asks, so it ends on Wednesday 15 "
                            "April 2026 (Art. 12(6) GDPR; EDPB Guidelines 01/2022, section 5.3).")
    again = life.identity_given(question(given_, "2026-04-02"), day("2026-04-04"))
    assert clock(again, "2026-05-01").legal == day("2026-04-17"), "a second question adds its own days"


def test_a_question_after_the_month_stops_nothing() -> None:
    asked = question(made(received="2026-03-10"), "2026-04-11")    # due 10 April
    assert clock(asked, "2026-05-20").legal == day("2026-04-10")
    assert clock(asked, "2026-05-20").late(day("2026-05-20"))


def test_the_clock_of_a_question_ends_with_the_refusal() -> None:
    asked = question(made(received="2026-03-10"), "2026-03-12")
    told = life.refused(asked, day("2026-03-20"), Ground.UNIDENTIFIED, "nothing came")
    assert clock(told, "2026-06-01").legal == day("2026-04-20"), "8 days: to 18 April, a Saturday; not to June"
    assert not clock(told, "2026-06-01").late(day("2026-06-01"))


def test_late_counts_from_the_day_after_and_stops_with_the_answer() -> None:
    asked = made(received="2026-08-31")
    assert not clock(asked, "2026-09-30").late(day("2026-09-30")), "the last day is in time"
    assert clock(asked, "2026-10-01").late(day("2026-10-01"))
    assert clock(asked, "2026-10-01").left(day("2026-10-01")) == -1
    told = life.refused(asked, day("2026-09-30"), Ground.EXCESSIVE, "the same each day")
    assert not clock(told, "2026-12-01").late(day("2026-12-01"))
    late = life.refused(asked, day("2026-10-02"), Ground.EXCESSIVE, "the same each day")
    assert clock(late, "2026-12-01").late(day("2026-12-01"))
    assert clock(late, "2026-12-01").left(day("2026-12-01")) == -2


def test_our_target_is_a_working_day_before_the_legal_one() -> None:
    assert clock(made(received="2026-03-09"), "2026-03-09").target == day("2026-04-03"), "6 April is Easter Monday: the Friday"
    found = clock(made(received="2026-03-09"), "2026-04-04")
    assert found.behind(day("2026-04-04"))
    assert not found.late(day("2026-04-04"))


@given(DAYS, COUNTRIES)
def test_the_target_never_lies_after_the_law(received: date, country: str) -> None:
    found = deadlines(made(received=received), received, country)
    assert received <= found.target <= found.legal
    assert working_day(found.target, country)
    assert (found.target - received).days <= TARGET_DAYS


@given(DAYS, st.integers(0, 60), COUNTRIES)
def test_every_day_that_is_passed_over_is_named(received: date, waited: int, country: str) -> None:
    asked = question(made(received=received), received)
    asked = life.identity_given(asked, received + timedelta(days=waited))
    found = deadlines(asked, received + timedelta(days=waited), country)
    passed = [line for line in found.law if "working day" in line]
    nominal = found.legal
    while day_off(nominal - timedelta(days=1), country):
        nominal -= timedelta(days=1)
    assert len(passed) <= 1
    assert all(why in passed[0] for why in (day_off(found.legal - timedelta(days=1), country),) if passed)
    assert ("The clock stood" in " ".join(found.law)) is (waited > 0)
