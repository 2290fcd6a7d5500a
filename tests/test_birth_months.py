"""Ages from months of birth: by hand and by pandas, which counts its days independently of ours."""

import random
from collections import Counter
from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.birth_months import NOBODY, age, average_age, in_months, in_years, merged, total, with_more

TODAY = date(2026, 11, 24)


def test_age_worked_by_hand() -> None:
    # 1992-03-15 to 2026-03-15 is 34 years with the 8 leap days of 1996 to 2024: 34*365 + 8 = 12418;
    # 2026-03-15 to 2026-11-24 is 16 + 30 + 31 + 30 + 31 + 31 + 30 + 31 + 24 = 254 days
    assert age("1992-03", TODAY) == pytest.approx((12418 + 254) / 365.2425, abs=1e-12)


def test_average_worked_by_hand() -> None:
    # two people of 2000-11-15 (26 years and 9 days: 26*365 + 6 leap days of 2004..2024 + 9 = 9505 days)
    # and one of 2026-11-15 (9 days): (2 * 9505 + 9) / 3 days
    assert average_age({"2000-11": 2, "2026-11": 1}, TODAY) == pytest.approx(19019 / 3 / 365.2425, abs=1e-12)


def test_nobody_has_no_average() -> None:
    assert average_age({}, TODAY) is None
    assert average_age({"1990-01": 0}, TODAY) is None


def test_months_of_nobody_do_not_count() -> None:
    assert average_age({"1990-01": 3, "1930-01": 0}, TODAY) == average_age({"1990-01": 1}, TODAY)


def test_a_birth_later_this_month_counts_as_the_15th() -> None:
    assert age("2026-11", date(2026, 11, 14)) == pytest.approx(-1 / 365.2425)


@pytest.mark.parametrize("month", ["", "1992", "1992-13", "92-03", "1992-3", "1992-03-18", "abcd-ef"])
def test_what_is_not_a_month_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match=r"month|invalid literal"):
        average_age({month: 1}, TODAY)


def test_months_are_kept_by_year_and_come_back() -> None:
    months = {"1992-01": 3, "1992-12": 40, "2001-07": 1, "1899-02": -2, "1992-05": 0}
    assert in_years(months) == {"1992": "3 0 0 0 0 0 0 0 0 0 0 40", "2001": "0 0 0 0 0 0 1 0 0 0 0 0",
                                "1899": "0 -2 0 0 0 0 0 0 0 0 0 0"}
    assert in_years({"1992-13": 1, "": 1}) == {"1992-13": 1, "": 1}, "what is no month is not lost"
    assert in_months(in_years(months)) == {month: people for month, people in months.items() if people}


@pytest.mark.parametrize("odd", [{"1992-03": 4}, {"1992": "1 2 3"}, {"1992": 12}, {"Ada": "0 0 0 0 0 0 0 0 0 0 0 1"},
                                 {"1992": "0 0 0 0 0 0 0 0 0 0 0 Ada"}, {"1992-13": 1}, {"": 1}])
def test_what_another_hand_put_there_is_left_as_it_is(odd: dict[str, Any]) -> None:
    assert in_months(odd) == odd


@given(*[st.dictionaries(st.sampled_from(["1992-01", "1992-03", "1992-12", "2001-07", "1899-02", "", "1992-13"]),
                         st.integers(-3, 3)) for _ in range(2)])
def test_more_people_are_added_to_months_as_they_are_kept(before: dict[str, int], more: dict[str, int]) -> None:
    made = with_more(in_years(before), more)
    both = Counter(before)
    both.update(more)
    assert in_months(made) == {month: people for month, people in both.items() if people}
    assert made == in_years(in_months(made)), "nothing of nobody stays"
    assert total(made) == sum(both.values())


def test_what_is_no_count_is_left_out_when_people_are_added() -> None:
    kept = {"1992": "1 0 0 0 0 0 0 0 0 0 0 0", "1993": NOBODY, "1994": "Ada", "1995-03": 2, "1995": "0 0 1 0 0 0 0 0 0 0 0 0",
            "1996": 5, "1997-01": True}
    assert in_months(made := with_more(kept, {"1992-01": 1, "1996-03": 1})) == {"1992-01": 2, "1995-03": 1, "1996-03": 1}
    assert total(made) == 4


def test_merged_adds_up_and_drops_noughts() -> None:
    parts = [{"1992-03": 1, "1960-12": 2}, {"1992-03": 4}, {"1960-12": -2}, {}]
    assert merged(parts) == {"1992-03": 5}
    assert merged([]) == {}


def test_average_of_merged_parts_equals_pandas_over_the_people() -> None:
    draw = random.Random(7)
    months = [f"{draw.randint(1930, 2008)}-{draw.randint(1, 12):02d}" for _ in range(2000)]
    genders = [draw.choice(("female", "male", "unknown")) for _ in months]
    people = pd.DataFrame({"month": months, "gender": genders})
    births = {str(gender): {str(month): int(count) for month, count in group["month"].value_counts().items()}
              for gender, group in people.groupby("gender")}
    days = pd.Timestamp(TODAY) - pd.to_datetime(people["month"] + "-15")
    assert average_age(merged(births.values()), TODAY) == pytest.approx(days.dt.days.mean() / 365.2425, abs=1e-9)
