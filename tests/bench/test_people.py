"""People in bulk: what Spark multiplies is what a producer would send, the same each time, and everybody is somebody else."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from bench.people import NOBODY, People, synthetic
from engine.producer import judged
from engine.settings import Settings
from engine.sources import Item
from engine.sources.synthetic import changed, made
from tests.people import generated
from tests.plain_spark import plain_spark

pytestmark = pytest.mark.long
TEMPLATES = 40


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with plain_spark("people") as session:
        yield People(Settings(home=tmp_path_factory.mktemp("home")), session, synthetic(TEMPLATES))


def test_a_record_is_what_a_producer_would_send(crowd: People) -> None:
    records = crowd.records("a", 100).collect()
    assert len({bytes(row.key) for row in records}) == 100
    for row in records:
        person = json.loads(bytes(row.value))
        assert person["login"]["uuid"] == bytes(row.key).decode()
        assert UUID(person["login"]["uuid"]).version == 4
        assert judged(Item("", person)).value == bytes(row.value)
        assert {header.key for header in row.headers} == {"source", "schema", "synthetic"}
    emails = [json.loads(bytes(row.value))["email"] for row in records]
    assert len(set(emails)) == 100


def test_the_same_person_comes_again_the_same_or_changed(crowd: People) -> None:
    first, again, later = (
        {bytes(row.key): json.loads(bytes(row.value)) for row in crowd.records("a", people, start, version, every).collect()}
        for people, start, version, every in ((90, 0, 0, 1), (90, 0, 0, 1), (30, 1, 2, 3)))
    assert again == first
    assert later.keys() < first.keys()
    for key, person in later.items():
        assert person["email"] != first[key]["email"]
        assert (person["name"], person["dob"], person["nat"]) == tuple(first[key][part] for part in ("name", "dob", "nat"))
    other = {bytes(row.key) for row in crowd.records("b", 90).collect()}
    assert not other & first.keys()


def test_people_of_the_api_can_be_multiplied(tmp_path: Path, crowd: People) -> None:
    people = generated()[:200]
    several = People(Settings(home=tmp_path), crowd._spark, people)
    assert several.templates > 190
    values = [bytes(row.value).decode() for row in several.records("a", 200).collect()]
    assert not any(NOBODY in value or '"password"' in value for value in values)


def test_who_has_an_at_elsewhere_is_left_out(tmp_path: Path, crowd: People) -> None:
    person = made(random.Random(1))
    assert changed(person, random.Random(2))["name"] == person["name"]
    odd = {**person, "name": {"first": "A@B", "last": "C"}}
    assert People(Settings(home=tmp_path), crowd._spark, [odd, person]).templates == 1
