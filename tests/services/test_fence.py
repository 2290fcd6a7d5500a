"""The fence on the real Cassandra: whoever takes the lease can write, and nobody who had it before."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.clients import Role, cassandra_session, mapped
from engine.errors import SignInRefused
from engine.provision import provision
from engine.provision.changes import settled
from engine.settings import Settings
from engine.writer import fence

pytestmark = pytest.mark.services

SOMEBODY = uuid.UUID("00000000-0000-4000-8000-00000000fe2c")
FIRST = 901    # lease numbers that no stream of the other tests comes to


@pytest.fixture
def keyspace(stack: Settings) -> Iterator[str]:
    """The keyspace, without what these tests wrote afterwards."""
    name = stack.cassandra.keyspace
    yield name
    with cassandra_session(stack, "provision") as session:
        session.execute(f"DELETE FROM {name}.profiles WHERE uuid = %s", (SOMEBODY,))
        for role in roles(stack):
            session.execute(f"DROP ROLE IF EXISTS {role}")


def roles(stack: Settings) -> list[str]:
    """Roles of streams."""
    with cassandra_session(stack, "provision") as session:
        return sorted(row.role for row in session.execute("LIST ROLES") if row.role.startswith("stream_"))


@contextmanager
def signed_in(stack: Settings, role: Role) -> Iterator[Any]:
    """A session of a holder."""
    with cassandra_session(stack, "stream", role) as session:
        yield session


def may_write(session: Any, keyspace: str) -> bool:
    """Whether a row can be written."""
    try:
        with mapped("writing", "stream"):
            session.execute(f"UPDATE {keyspace}.profiles SET nat = 'FR' WHERE uuid = %s", (SOMEBODY,))
    except SignInRefused:
        return False
    return True


def test_the_next_holder_writes_and_an_earlier_one_that_is_signed_in_does_not(stack: Settings, keyspace: str) -> None:
    with signed_in(stack, fence.raised(stack, FIRST)) as one:
        assert may_write(one, keyspace)
        with signed_in(stack, fence.raised(stack, FIRST + 2)) as three:
            assert may_write(three, keyspace)
            settled(lambda: not may_write(one, keyspace), "The earlier holder can still write")
            late = fence.raised(stack, FIRST + 1)    # it was paused before it came to its fence, and has no lease any more
            settled(lambda: not may_write(three, keyspace), "Two can write")
        with signed_in(stack, late) as two, signed_in(stack, fence.raised(stack, FIRST + 3)) as four:
            assert may_write(four, keyspace)    # the later one has started again
            settled(lambda: not may_write(two, keyspace), "Two can write")
    with cassandra_session(stack, "provision") as session:
        assert fence.roles(session, keyspace) == [f"stream_{keyspace}_{FIRST + 3}"]


def test_a_role_that_nobody_may_drop_is_mended_by_provisioning(stack: Settings, keyspace: str) -> None:
    """Cassandra died between making it and writing down that its maker may drop it."""
    orphan, said = f"stream_{keyspace}_{FIRST}", list[str]()
    with cassandra_session(stack, "provision") as session:
        session.execute(f"CREATE ROLE {orphan} WITH LOGIN = true")
    with pytest.raises(SignInRefused, match="rollcall up"):
        fence.raised(stack, FIRST + 1)
    provision(stack, said.append)
    assert [line for line in said if orphan in line] == [f"Cassandra role fence: granted DROP on role {orphan}"]
    settled(lambda: raised(stack), "The role stays")
    again = list[str]()
    provision(stack, again.append)
    assert again == []


def raised(stack: Settings) -> bool:
    """Whether a fence can be raised; Cassandra keeps what it knew of permissions for two seconds."""
    try:
        fence.raised(stack, FIRST + 1)
    except SignInRefused:
        return False
    return True


def test_a_fence_that_was_broken_off_is_raised_again(stack: Settings, keyspace: str) -> None:
    fence.raised(stack, FIRST)
    with signed_in(stack, fence.raised(stack, FIRST)) as session:
        assert may_write(session, keyspace)


def test_streams_of_other_keyspaces_keep_their_roles(stack: Settings, keyspace: str) -> None:
    others = [f"stream_{keyspace}_more_{FIRST}", f"stream_more_{keyspace}_{FIRST}", f"stream_{keyspace}_{FIRST}x"]
    with cassandra_session(stack, "provision") as session:
        for name in others:
            session.execute(f"CREATE ROLE IF NOT EXISTS {name}")
    fence.raised(stack, FIRST + 5)
    assert set(others) <= set(roles(stack))
