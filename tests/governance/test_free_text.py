"""What is recognised of people in texts is masked, what holds none stays as it is, and no text takes long."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.free_text import LONGEST, scrubbed, scrubbed_value
from tests.governance.test_catalogue import JSON
from tests.people import CAPTURED, Person, captured, generated, of_every_nationality

PEOPLE = [*(captured(version)[0] for version in CAPTURED), *of_every_nationality()]


def values(person: Person) -> set[str]:
    """What must not be seen: name, address, phone, street, birth date."""
    street = person["location"]["street"]
    born = person["dob"]["date"] if isinstance(person["dob"], dict) else person["dob"]
    found = {person["name"]["first"], person["name"]["last"], person["email"].partition("@")[0], person["phone"],
             person["cell"], street["name"] if isinstance(street, dict) else street, born[:10]}
    clear = " ".join(str(person["location"].get(part)) for part in ("city", "state", "country"))
    return {way for value in found if value not in clear for way in (value, json.dumps(value)[1:-1], str(value.encode())[2:-1])}


def told(person: Person) -> str:
    """The person in a sentence, as somebody may raise or log it."""
    return (f"cannot read {person['name']['first']} {person['name']['last']}, {person['email']}, {person['phone']}, "
            f"{person['cell']}, {person['location']['street']}, {person['dob']}")


def seen(person: Person, text: str) -> set[str]:
    """Values of the person in a text, a short name as a word of its own."""
    words = set(text.replace(",", " ").replace("'", " ").replace('"', " ").split())
    return {value for value in values(person) if (value in text if len(value) > 5 else value in words)}


def test_the_search_finds_whoever_is_not_kept_out() -> None:
    for person in PEOPLE:
        assert len(seen(person, told(person))) >= 7
        assert len(seen(person, json.dumps(person, ensure_ascii=False))) >= 7
        assert len(seen(person, str(json.dumps(person, ensure_ascii=False).encode()))) >= 6


def test_all_people_are_recognised_in_a_text() -> None:
    for person in generated():
        text = scrubbed(f"{person} {json.dumps(person)} {person['email']} {person['phone']} / {person['cell']}.")
        assert seen(person, text) == set(), text
        assert person["login"]["uuid"] in text, "the key may be seen"


@pytest.mark.parametrize("text", [
    "Kafka does not answer while reading markers as producer (NodeNotReadyError). `rollcall status` shows what runs.",
    "signing in to Cassandra at 127.0.0.1:9042", "waiting for Kafka since 12:13:14 UTC", "2026-11-24 12:13:14Z turn 17",
    "partition 0 offsets 12345678 to 23456789", "rollcall.people-0-123456789 is a letter", "turn 123456789 batch 12345678",
    "12345678 records, 104857600 bytes, 1,234,567 rows behind", "person 0123456789abcdef (16 letters)",
    "error 12345678: KeyError", "GET /_stcore/health",
    "row 9a723211-0e87-41f1-b1e4-ed1a15226b80 and 12345678-1234-4234-8234-abcdefabcdef", "arrivals 2026-11-24T11",
    "{'ok': 0.0, 'errmsg': 'no', 'code': 13}", "[INFO] (main) {x} [] {} () }{ ][", "version 3.5.7 on Java 17.0.1",
    "exit code 75: the same call may succeed later", "{'nat': 'FR', 'users': 12345678}", '{"turn": 5, "behind": 0}'])
def test_what_holds_no_person_stays_as_it_is(text: str) -> None:
    assert scrubbed(text) == text


def test_a_number_beside_a_word_that_counts_is_a_telephone_number_all_the_same() -> None:
    assert scrubbed("line 0479-155-388, port (044) Q12-3456 users") == "line ********, port ******** users"


def test_a_person_of_whom_a_part_cannot_be_read_is_hidden_whole() -> None:
    assert scrubbed(repr({"dob": datetime(1992, 3, 18, tzinfo=UTC), "email": "x"}) + " is bad") == "{********} is bad"
    assert scrubbed('{"postcode": 2722, "phone": 4') == "{********}"


def test_a_person_in_bytes_is_masked_not_just_hidden() -> None:
    person = {**captured("1.4")[0], "id": None}
    assert "'1992-03'" in str(scrubbed_value([repr(person).encode()]))
    assert '"1992-03"' in str(scrubbed_value(json.dumps(person, ensure_ascii=False).encode()))


@given(st.text() | st.text("{}[]()'\"\\ ab1:,=", max_size=300))
def test_any_text_is_looked_through_without_an_error(text: str) -> None:
    assert isinstance(scrubbed(text), str)
    if not any(sign in text for sign in "{}[]@=:'\"0123456789") and not any(map(str.isdigit, text)):
        assert scrubbed(text) == text


@given(JSON)
def test_any_value_loses_a_planted_person(value: Any) -> None:
    person = captured("1.4")[0]
    both = [value, person]
    for shown in (str(scrubbed_value({"x": both})), scrubbed(json.dumps(both)), scrubbed(repr(both))):
        assert seen(person, shown) == set()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", [
    "[" * 20_000, "{" * 20_000, "{'" * 10_000, "a" * 1_000_000, "'" * 20_000, "\\" * 20_000, "1 " * 10_000, "name=" * 4_000,
    '{"a":' * 4_000, "a@" * 10_000, "a." * 10_000, "[1," * 6_000], ids=lambda text: text[:5])
def test_no_text_takes_long(text: str) -> None:
    assert len(scrubbed(text)) < 2 * LONGEST
