"""What `make proof-public` holds against its figures."""

from copy import deepcopy
from typing import Any

import pytest

from bench.public import SIZES, beyond, ratios
from bench.view_store import hourly
from tests.governance.disclosed import HOUR, figures, released

ONE = {"failed": 0, "p50_ms": 2.0, "p95_ms": 3.0, "first_view": {"whole_p50_s": 1.0}}


def report(**larger: Any) -> dict[str, Any]:
    """A report whose figures of the larger release are other ones."""
    by_people = {str(people): deepcopy(ONE) for people in SIZES}
    by_people[str(SIZES[1])] |= larger
    return {"by_people": by_people, "larger_by_smaller": ratios(by_people)}


@pytest.mark.parametrize(("larger", "said"), [
    ({}, []), ({"failed": 1}, ["1000000 people: 1 requests failed"]),
    ({"p95_ms": 50.1}, ["1000000 people: 95 of 100 answers within 50.1 ms, not 50.0"]),
    ({"first_view": {"whole_p50_s": 1.51}}, ["1000000 people: half of first views within 1.51 s, not 1.5",
                                             "whole_p50_s of the larger release is 1.51 times that of the smaller, not 1.5"]),
    ({"p50_ms": 3.1}, ["p50_ms of the larger release is 1.55 times that of the smaller, not 1.5"])])
def test_each_limit_is_held_against_the_figures(larger: dict[str, Any], said: list[str]) -> None:
    assert beyond(report(**larger)) == said


def test_a_year_of_releases_ends_with_the_newest() -> None:
    (made,) = released(figures({"FR": 60}))
    documents = hourly(made.snapshot.model_copy(update={"number": 9}), 4)
    assert [one["_id"] for one in documents] == [9, 8, 7, 6]
    assert f'"at":"{made.snapshot.at - 3 * HOUR:%Y-%m-%dT%H:%M:%SZ}"' in documents[3]["body"]
