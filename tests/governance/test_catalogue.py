"""What the catalogue passes on, drops and refuses, over real people of every version of the API."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.writer.pins import GROUPS, PARTS
from governance.catalogue import DEEPEST, FIELDS, LOGIN_SECRETS, Treatment, project, without_secrets
from tests.people import CAPTURED, captured, generated, of_every_nationality

KEPT_1_4 = {"gender", "name.first", "name.last", "location.street.number", "location.street.name", "location.city",
            "location.state", "location.country", "location.postcode", "email", "login.uuid", "dob.date", "dob.age",
            "registered.date", "phone", "nat"}
PROFILES = {"uuid", "nat", "country", "gender", "age", "birth_month", "registered_month", "email_domain", "city",
            "state", "postcode_area", "display_name", "email_token", "full_name", "full_address", "email", "phone",
            "birth_date"}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}".lstrip("."))
    else:
        yield path, value


def secrets_of(person: dict[str, Any]) -> set[str]:
    block = person.get("login", person)
    return {block[name] for name in LOGIN_SECRETS if name in block}


@pytest.mark.parametrize("version", CAPTURED)
def test_every_field_the_api_ever_answered_is_in_the_table(version: str) -> None:
    known = {field.path for field in FIELDS}
    assert {path for person in captured(version) for path, _ in leaves(person)} <= known


def test_paths_are_unique_and_dropped_fields_stand_nowhere() -> None:
    assert len({field.path for field in FIELDS}) == len(FIELDS)
    for field in FIELDS:
        assert not (field.becomes is Treatment.DROP and field.stands), field.path


def test_places_are_the_columns_of_the_flow() -> None:
    columns = {place.removeprefix("profiles.") for field in FIELDS for place in field.stands
               if place.startswith("profiles.")}
    assert columns == PROFILES
    assert {place for field in FIELDS for place in field.stands if not place.startswith("profiles.")} == {
        "markers.suppression", "markers.pins", "users_by_nationality._id", "users_by_nationality.by_gender",
        "users_by_nationality.births", "users_by_email_domain._id"}


def test_what_can_be_rectified_stands_in_the_pins() -> None:
    paths = {f"{group}.{part}".rstrip(".") for group in GROUPS for part in PARTS.get(group, ("",))}
    assert {field.path for field in FIELDS if field.stands.get("markers.pins") is Treatment.ENCRYPT} == paths


def test_of_a_person_of_1_4_exactly_the_wanted_fields_stay() -> None:
    for person in of_every_nationality():
        projection = project(person)
        assert projection.problems == ()
        assert {path for path, _ in leaves(projection.person)} == KEPT_1_4
        before = dict(leaves(person))
        assert all(before[path] == value for path, value in leaves(projection.person))
        assert set(projection.dropped) == set(before) - KEPT_1_4
        assert set(projection.dropped.values()) == {1}


def test_no_secret_of_5000_people_is_passed_on() -> None:
    for person in generated():
        passed = {value for _, value in leaves(project(person).person)}
        # short passwords and user names are words ("wayne"), which a name or a street may equal by chance
        assert not {secret for secret in secrets_of(person) if len(secret) >= 32} & passed
        assert person["cell"] not in passed
        assert person["picture"]["large"] not in passed
        assert person["id"]["value"] is None or person["id"]["value"] not in passed


@pytest.mark.parametrize(("version", "street"), [("0.4", str), ("1.1", str), ("1.2", str), ("1.4", dict)])
def test_older_shapes_are_understood(version: str, street: type) -> None:
    for person in captured(version):
        projection = project(person)
        assert projection.problems == ()
        location = projection.person["location"]
        assert isinstance(location, dict)
        assert isinstance(location["street"], street)
        assert "dob" in projection.person
        assert "registered" in projection.person


def test_unknown_fields_are_dropped_and_counted_without_their_names() -> None:
    projection = project({"nat": "FR", "shoe size": 43, "eyes": {"left": "blue"}, "name": {"nick": "Jo", "last": "Li"}})
    assert projection.person == {"nat": "FR", "name": {"last": "Li"}}
    assert projection.dropped == {"(unknown)": 2, "name.(unknown)": 1}


@pytest.mark.parametrize(("person", "path"), [
    ({"name": ["Ada", "Lovelace"]}, "name"),
    ({"login": "3f1b-secret"}, "login"),
    ({"login": ["3f1b-secret"]}, "login"),
    ({"login": 5}, "login"),
    ({"email": {"address": "a@example.com"}}, "email"),
    ({"email": ["a@example.com"]}, "email"),
    ({"location": {"street": {"name": {"long": "Road"}}}}, "location.street.name"),
    ({"location": {"postcode": [1]}}, "location.postcode"),
    ({"dob": ["1990-01-01"]}, "dob"),
    ({"nat": {}}, "nat"),
])
def test_a_wrong_structure_is_a_problem_that_names_the_field_only(person: dict[str, Any], path: str) -> None:
    (problem,) = project(person).problems
    assert problem.startswith(f"{path} holds ")
    for _, value in leaves(person):
        for part in value if isinstance(value, list) else [value]:
            assert str(part) not in problem or isinstance(part, int)


def test_a_dropped_field_of_wrong_structure_is_just_dropped() -> None:
    projection = project({"id": "299-93-7242", "picture": ["x"], "cell": {"a": 1}, "nat": "US", "name": None})
    assert projection.problems == ()
    assert projection.person == {"nat": "US"}
    assert projection.dropped == {"id": 1, "picture": 1, "cell": 1}


WRAPPERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "bare": lambda person: person,
    "answer": lambda person: {"results": [person], "info": {"seed": "abc", "page": 1}},
    "0.x": lambda person: {"results": [{"user": person, "seed": "abc", "version": "0.4"}]},
    "list": lambda person: [[person]],
    "foreign": lambda person: {"payload": {"after": person, "op": "c"}},
    "text": lambda person: {"payload": json.dumps(person)},
    "text in text": lambda person: {"payload": json.dumps(json.dumps([person]))},
    "capitals": lambda person: _renamed(person, str.upper),
    "blanks": lambda person: _renamed(person, lambda name: f" {name} "),
    "csv": lambda person: dict(leaves(person)),
}


def _renamed(value: Any, how: Any) -> Any:
    if isinstance(value, dict):
        return {how(name): _renamed(inner, how) for name, inner in value.items()}
    return value


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("version", CAPTURED)
def test_no_secret_survives_in_a_dead_letter_under_any_wrapper(version: str, wrapper: str) -> None:
    for person in captured(version)[:5]:
        letter = json.dumps(without_secrets(WRAPPERS[wrapper](person)), ensure_ascii=False)
        for secret in secrets_of(person):
            assert f'"{secret}"' not in letter
            assert f'\\"{secret}\\"' not in letter
            assert len(secret) < 8 or secret not in letter
        for number in (person.get("SSN"), person.get("id", {}).get("value"), person["cell"]):
            assert number is None or number not in letter
        assert "portraits" not in letter
        assert person["email"] in letter
        if "uuid" in person.get("login", {}):
            assert person["login"]["uuid"] in letter


def test_odd_login_blocks_keep_nothing_but_the_uuid() -> None:
    assert without_secrets({"login": "hunter2"}) == {"login": None}
    assert without_secrets({"login": ["hunter2", {"uuid": "u", "Token": "t"}]}) == {
        "login": [None, {"uuid": "u", "Token": None}]}
    assert without_secrets({"a": {"Login": {"pin": 7, "uuid": "u"}}}) == {"a": {"Login": {"pin": None, "uuid": "u"}}}


def test_the_original_is_not_touched() -> None:
    person = generated()[0]
    before = json.dumps(person)
    without_secrets(person)
    project(person)
    assert json.dumps(person) == before


def test_what_lies_too_deep_to_be_vouched_for_is_nulled() -> None:
    value: Any = {"password": "hunter2", "nat": "FR"}
    for _ in range(DEEPEST * 5):
        value = [value]
    assert "hunter2" not in json.dumps(without_secrets(value))
    assert "FR" not in json.dumps(without_secrets(value))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text(max_size=6) | st.sampled_from(["login", "name", "user", "results", "location", "street", "uuid"]),
        inner, max_size=4),
    max_leaves=20)


@given(JSON, st.sampled_from(LOGIN_SECRETS), st.lists(st.text(max_size=5), max_size=4))
def test_any_json_loses_a_planted_secret_and_stays_json(value: Any, name: str, way: list[str]) -> None:
    planted: Any = {name.title(): "canary-3b1f", "rest": value}
    for step in way:
        planted = {step: [planted]}
    assert "canary-3b1f" in json.dumps(planted)
    cleaned = without_secrets(planted)
    assert "canary-3b1f" not in json.dumps(cleaned)
    assert without_secrets(cleaned) == cleaned


@given(st.dictionaries(st.sampled_from(["name", "login", "location", "dob", "email", "nat", "x"]), JSON))
def test_any_object_is_projected_without_an_error(person: dict[str, Any]) -> None:
    projection = project(person)
    assert {path for path, _ in leaves(projection.person)} <= {
        field.path for field in FIELDS if field.becomes is not Treatment.DROP}
