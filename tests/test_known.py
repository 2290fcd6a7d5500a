"""Who is known to stand in Cassandra: nobody is called new who may have a row."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StoreAway
from engine.stores.known import Known, Numbers, more_than_once, number_of
from tests.waiting import until

HERE, OTHER = str(uuid4()), str(uuid4())
TOKEN = "c0ffee" * 10


def test_a_uuid_is_its_last_digits_with_and_without_dashes() -> None:
    assert number_of("9a723211-0e87-41f1-b1e4-ed1a15226b80") == UUID("9a723211-0e87-41f1-b1e4-ed1a15226b80").int & 2 ** 60 - 1
    assert number_of(HERE) == number_of(HERE.replace("-", ""))
    assert number_of("f" * 64) < 2 ** 63


@given(st.lists(st.lists(st.integers(0, 500))), st.lists(st.integers(0, 500)))
def test_numbers_are_a_set(added: list[list[int]], asked: list[int]) -> None:
    numbers = Numbers()
    for some in added:
        numbers.add(some)
    there = {number for some in added for number in some}
    assert numbers.held(asked) == there & set(asked)


def test_numbers_stay_few_arrays_of_eight_bytes_each() -> None:
    numbers = Numbers()
    for start in range(0, 100_000, 1000):
        numbers.add(range(start, start + 1000))
    assert len(numbers) == 100_000
    assert len(numbers._parts) < 10
    assert all(part.dtype == np.int64 for part in numbers._parts)


class Table:
    """Keys of rows that come only when they are let go."""

    def __init__(self) -> None:
        self.go, self.fails = threading.Event(), False

    def every_uuid(self) -> Iterator[str]:
        self.go.wait(60)
        if self.fails:
            raise StoreAway("Cassandra is away", "Cassandra")
        yield HERE

    def every_token(self) -> Iterator[str]:
        yield TOKEN


@pytest.fixture
def table() -> Any:
    made = Table()
    yield made
    made.go.set()


def test_until_all_was_read_everybody_may_have_a_row(table: Any) -> None:
    known, said, new = Known(), list[str](), number_of(OTHER)
    assert known.may_have_rows([new]) is None
    known.learn(table, said.append)
    assert known.noting
    assert known.may_have_rows([number_of(str(uuid4()))]) is None
    assert known.may_have_markers([number_of("ab" * 32)]) is None
    table.go.set()
    until("it has learnt", lambda: said)
    assert known.may_have_rows([new]) == set()
    assert known.may_have_rows([number_of(str(uuid4())), number_of(HERE)]) == {number_of(HERE)}
    assert known.may_have_markers([number_of("ab" * 32)]) == set()
    assert known.may_have_markers([number_of("ab" * 32), number_of(TOKEN)]) == {number_of(TOKEN)}


def test_whom_a_turn_writes_is_known_from_the_moment_the_look_begins(table: Any) -> None:
    known, said, during, after = Known(), list[str](), number_of(str(uuid4())), number_of(str(uuid4()))
    known.learn(table, said.append)
    known.may_have_rows([during])
    known.marked(["ab" * 32])
    table.go.set()
    until("it has learnt", lambda: said)
    assert known.may_have_rows([during]) == {during}
    assert known.may_have_markers([number_of("ab" * 32)]) == {number_of("ab" * 32)}
    assert known.may_have_rows([after]) == set()
    assert known.may_have_rows([after]) == {after}, "the turn that asked writes them"


def test_where_cassandra_does_not_answer_nobody_is_known_and_it_may_be_asked_again(table: Any) -> None:
    known, said = Known(), list[str]()
    table.fails = True
    known.learn(table, said.append)
    table.go.set()
    until("it has said so", lambda: not known.noting)
    assert "Cassandra is away" in said[0]
    assert known.may_have_rows([number_of(OTHER)]) is None
    table.fails = False
    known.learn(table, said.append)
    until("it has learnt", lambda: len(said) == 2)
    assert known.may_have_rows([number_of(OTHER)]) == set()


def test_who_comes_more_than_once_is_found() -> None:
    assert more_than_once([3, 1, 3, 2, 1, 3]) == {1, 3}
    assert more_than_once([]) == set()
