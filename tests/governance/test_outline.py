"""What a letter is made of is told, what it says is not."""

import json
from typing import Any

import pytest

from governance.catalogue import FIELDS
from governance.outline import first_bytes, outline
from tests.people import generated


def told(value: Any) -> dict[str, tuple[str, str]]:
    """Path -> what it holds, category."""
    return {part.path: (part.holds, part.category) for part in outline(value)}


def leaves(value: Any) -> list[Any]:
    """Every value at the end of a path."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for one in inner for leaf in leaves(one)]
    return [value]


def test_no_value_of_a_person_is_told_and_every_field_is() -> None:
    for person in generated()[:200]:
        parts = outline(person)
        assert len(parts) == len(leaves(person))
        assert {part.path for part in parts} <= {known.path for known in FIELDS}
        assert all(part.category for part in parts)
        said = json.dumps([[part.path, part.holds] for part in parts])
        for value in leaves(person):
            assert not isinstance(value, str) or len(value) < 4 or value not in said, value


def test_kinds_and_lengths_and_categories_are_told() -> None:
    assert told({"email": "a@b.org", "dob": {"date": None, "age": 41}, "nat": True}) == {
        "email": ("text of 7 characters", "contact"), "dob.date": ("nothing", "birth"),
        "dob.age": ("a number of 2 characters", "birth"), "nat": ("true or false", "demographic")}


def test_names_that_come_from_outside_are_not_told() -> None:
    found = told({"leon@example.com": "x", "name": {"leon": {"first": "y"}}, "email": ["a@b.org", {}]})
    assert found == {"(unknown)": ("text of 1 characters", ""), "name.(unknown)": ("an object of 1", ""),
                     "email[0]": ("text of 7 characters", "contact"), "email[1]": ("an object of 0", "contact")}


def test_wrappers_are_looked_through() -> None:
    assert told({"results": [{"email": "a"}, 5], "info": {"seed": "s"}}) == {
        "results[0].email": ("text of 1 characters", "contact"), "results[1]": ("a number of 1 characters", ""),
        "info.(unknown)": ("text of 1 characters", "")}
    deep: Any = "end"
    for _ in range(500):
        deep = {"name": deep}
    assert len(outline({"name": deep})) == 1
    assert told("x") == {"(the whole)": ("text of 1 characters", "")}


@pytest.mark.parametrize(("raw", "said"), [
    (b"", "no bytes"), (b"\x1f\x8b123", "5 bytes that begin like a file packed by gzip"),
    (b'{"a"', "4 bytes that begin like a JSON object"),
    (b"\xff\xfea\0", "4 bytes that begin like UTF-16"), (b"leon" * 500, "2,000 bytes that begin like text"),
    ("é".encode() * 100, "200 bytes that begin like text"), (b"\0\1\2", "3 bytes that begin like binary data"),
    (b"\x80abc", "4 bytes that begin like binary data"), (b"<html>", "6 bytes that begin like a tag, as of HTML or XML")])
def test_of_what_is_no_json_size_and_sort_are_told(raw: bytes, said: str) -> None:
    assert first_bytes(raw) == said
