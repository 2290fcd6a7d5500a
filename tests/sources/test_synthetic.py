"""People made here: the API's shape, the same for the same seed, in all 21 nationalities."""

import re
import time
import uuid
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from engine.settings import Producer, Settings
from engine.settings import Synthetic as Shares
from engine.sources import Page
from engine.sources.synthetic import COUNTRIES, DOMAINS, Synthetic, postcode
from governance.catalogue import project
from tests.people import generated


def source(seed: str = "s", page: int = 500, repeats: float = 0.0, updates: float = 0.0) -> Synthetic:
    return Synthetic(Settings(
        producer=Producer(seed=seed, page=page), synthetic=Shares(repeats=repeats, updates=updates)))


def pulled(made: Synthetic, count: int, position: str | None = None) -> list[Page]:
    def no_wait(seconds: float, why: str) -> bool:
        raise AssertionError("made people are never waited for")

    return list(islice(made.pages(position, no_wait), count))


def people(pages: list[Page]) -> list[dict[str, Any]]:
    return [item.person for page in pages for item in page.items]  # type: ignore[misc]


@pytest.fixture(scope="module")
def many() -> list[dict[str, Any]]:
    return people(pulled(source(), 20))


def test_the_shape_is_that_of_the_api_after_the_catalogue(many: list[dict[str, Any]]) -> None:
    wanted = project(generated()[0]).person

    def shape(value: Any) -> Any:
        return {name: shape(inner) for name, inner in sorted(value.items())} if isinstance(value, dict) else None

    for person in many:
        projection = project(person)
        assert (projection.problems, dict(projection.dropped)) == ((), {})
        assert shape(person) == shape(wanted)
        assert uuid.UUID(person["login"]["uuid"]).version == 4
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", person["dob"]["date"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", person["registered"]["date"])
        assert int(person["registered"]["date"][:4]) - int(person["dob"]["date"][:4]) >= 12
    assert len({person["login"]["uuid"] for person in many}) == len(many)


def test_all_nationalities_of_the_api_and_a_dozen_unequal_domains(many: list[dict[str, Any]]) -> None:
    nationalities = Counter(person["nat"] for person in many)
    assert set(nationalities) == {person["nat"] for person in generated()} == set(COUNTRIES)
    assert min(nationalities.values()) > 350
    domains = Counter(person["email"].partition("@")[2] for person in many)
    assert set(domains) == set(DOMAINS)
    assert [name for name, _ in domains.most_common(4)] == list(DOMAINS)[:4]
    assert all(re.search(r"(^|\.)example(\.(com|org|net))?$", name) for name in domains)


def test_the_awkward_values_occur(many: list[dict[str, Any]]) -> None:
    postcodes = [person["location"]["postcode"] for person in many]
    assert any(isinstance(code, str) and code.startswith("0") for code in postcodes)
    assert any(isinstance(code, int) for code in postcodes)
    assert any(isinstance(code, str) and re.search("[A-Z]", code) for code in postcodes)
    assert any("'" in person["email"] for person in many)
    assert all("؀" <= person["name"]["first"][0] <= "ۿ" for person in many if person["nat"] == "IR")
    assert all(re.fullmatch(r"[a-z.']+\d+@[a-z.-]+", person["email"]) for person in many)


def test_a_postcode_never_loses_a_leading_zero() -> None:
    assert postcode("0800", COUNTRIES["AU"]) == "0800"
    assert postcode("2000", COUNTRIES["AU"]) == 2000
    assert postcode("01067", COUNTRIES["DE"]) == "01067"


def test_the_same_seed_gives_the_same_people_and_another_seed_others(many: list[dict[str, Any]]) -> None:
    assert people(pulled(source(), 20)) == many
    other = {person["login"]["uuid"] for person in people(pulled(source("t"), 2))}
    assert not other & {person["login"]["uuid"] for person in many}


def test_a_restart_goes_on_with_the_next_person_even_with_another_page_size() -> None:
    whole = people(pulled(source(repeats=0.2, updates=0.2), 3))
    first = pulled(source(repeats=0.2, updates=0.2), 1)
    then = pulled(source(repeats=0.2, updates=0.2, page=1000), 1, first[0].position)
    assert people(first) + people(then) == whole
    assert then[0].items[0].place == "synthetic:s:500"


def test_without_a_seed_one_is_drawn_once_and_kept_in_the_position() -> None:
    first = pulled(source(seed=""), 1)
    places = {item.place.split(":")[1] for page in [*first, *pulled(source(seed=""), 1, first[0].position)]
              for item in page.items}
    assert len(places) == 1
    assert pulled(source(seed=""), 1)[0].items[0].place.split(":")[1] not in places


def test_repeats_and_updates_have_their_shares() -> None:
    seen: dict[str, list[dict[str, Any]]] = {}
    repeats = updates = 0
    drawn = people(pulled(source(repeats=0.1, updates=0.2), 20))
    for person in drawn:
        before = seen.setdefault(person["login"]["uuid"], [])
        if before:
            repeats += person in before
            updates += person not in before
            assert all(person[same] == before[0][same] for same in ("name", "gender", "nat", "dob", "registered"))
        before.append(person)
    assert repeats / len(drawn) == pytest.approx(0.1, abs=0.015)
    assert updates / len(drawn) == pytest.approx(0.2, abs=0.015)


def test_only_repeats_still_begin_with_a_person() -> None:
    assert len({person["login"]["uuid"] for person in people(pulled(source(repeats=1.0), 1))}) == 1


def test_it_is_fast_enough_to_feed_the_flow() -> None:
    made = source(repeats=0.05, updates=0.05, page=3000)
    pulled(made, 1)
    began = time.process_time()
    pulled(made, 1)
    assert time.process_time() - began < 4.0
