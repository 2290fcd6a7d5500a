"""What a turn makes of a document of aggregates, beside the sum cell by cell."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.person import DOMAINS, NATIONALITIES, Cell
from engine.stores.aggregates import Document, cells_of, counts_of, flat, with_cells

COUNTS = st.dictionaries(
    st.builds(Cell, st.just(NATIONALITIES), st.just("FR"), st.sampled_from(["female", "male"]),
              st.sampled_from(["1990-01", "1990-02", "1992-12", "", "1992-13"])),
    st.integers(-2, 3), min_size=1)


@given(COUNTS, COUNTS)
def test_what_stands_and_what_comes_is_their_sum_cell_by_cell(stands: dict[Cell, int], comes: dict[Cell, int]) -> None:
    made = with_cells(counts_of(stands, 1), comes, 2)
    together = Counter(stands)
    together.update(comes)
    kept = flat({"_id": "FR", "counts": made})
    assert {cell: n for cell, n in cells_of(NATIONALITIES, kept).items() if n} == {
        cell: n for cell, n in together.items() if n}
    assert made == counts_of(together, 2), "a document does not say how many turns made it"
    assert next(iter(made)) == "stamp"
    assert made["users"] == sum(together.values())


def test_a_domain_counts_its_people() -> None:
    assert with_cells({"stamp": 1, "users": 4}, {Cell(DOMAINS, "x.org"): -1}, 2) == {"stamp": 2, "users": 3}
    assert counts_of({Cell(DOMAINS, "x.org"): 0}, 2) == {"stamp": 2, "users": 0}


@pytest.mark.parametrize("births", [None, 7, "Ada", {"female": None}, {"female": {"1992": "1 2 3"}}, {"female": {"1992": 4.5}}])
def test_what_another_hand_put_there_counts_for_nothing(births: object) -> None:
    one = {Cell(NATIONALITIES, "FR", "female", "1990-01"): 1}
    kept: Document = {"stamp": 1, "users": 99, "by_gender": {"female": 99}, "births": births}
    assert with_cells(kept, one, 2) == counts_of(one, 2)


def test_births_by_month_of_an_older_version_are_taken_over() -> None:
    cell = Cell(NATIONALITIES, "FR", "female", "1990-01")
    kept: Document = {"stamp": 1, "users": 3, "births": {"female": {"1990-01": 2, "1990-02": 1, "1991-01": 0}}}
    assert with_cells(kept, {cell: 1}, 2) == counts_of({cell: 3, cell._replace(month="1990-02"): 1}, 2)
