"""Accounts and sessions on a real Cassandra: who gets in, what ends a session and when, what is stored of a password."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT

from app.sessions import Sessions
from engine.clients import cassandra_session
from engine.provision import provision
from engine.settings import Settings
from engine.stores import accounts as accounts_module
from engine.stores.accounts import Account, AccountRefused, Accounts, hashed
from tests.services.flow import Flow

pytestmark = pytest.mark.services

WORD = "a long enough password"
REVOKED_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A keyspace of its own, whose sessions end after an hour; no stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("accounts"), "accounts", {"console": {"session_hours": 1}}) as made:
        yield made


@pytest.fixture(scope="module")
def session(flow: Flow) -> Iterator[Any]:
    """As `console`."""
    with cassandra_session(flow.settings, "console") as made:
        yield made


@pytest.fixture
def accounts(flow: Flow, session: Any) -> Accounts:
    """Accounts, of which there are none yet."""
    for table, key in (("accounts", "name"), ("sessions", "id")):
        for row in session.execute(f"SELECT {key} FROM {flow.settings.cassandra.keyspace}.{table}"):
            session.execute(f"DELETE FROM {flow.settings.cassandra.keyspace}.{table} WHERE {key} = %s", (row[0],))
    return Accounts(flow.settings, session)


def test_what_is_decided_by_one_write_is_decided_in_this_data_centre(session: Any) -> None:
    assert session.get_execution_profile(EXEC_PROFILE_DEFAULT).serial_consistency_level == ConsistencyLevel.LOCAL_SERIAL


def test_the_right_password_gets_in_and_no_other(accounts: Accounts) -> None:
    accounts.add("ada", ["operator", "analyst"], WORD)
    admitted = accounts.admitted("ada", WORD)
    assert isinstance(admitted, Account)
    assert (admitted.name, set(admitted.roles)) == ("ada", {"operator", "analyst"})
    for name, word in (("ada", WORD + " "), ("ada", ""), ("Ada", WORD), ("bob", WORD), ("", "")):
        assert accounts.admitted(name, word) is None


def test_who_is_nobody_costs_a_guess_as_much_as_somebody() -> None:
    assert not accounts_module._HASHER.check_needs_rehash(accounts_module._NOBODY)


def test_a_password_is_made_if_none_is_given_and_never_stored(flow: Flow, accounts: Accounts, session: Any) -> None:
    word = accounts.add("bob", ["admin"])
    assert accounts.admitted("bob", word)
    stored = session.execute(f"SELECT password FROM {flow.settings.cassandra.keyspace}.accounts WHERE name = 'bob'").one()[0]
    assert stored.startswith("$argon2id$")
    assert word not in stored
    other = accounts.reset("bob")
    assert accounts.admitted("bob", word) is None
    assert accounts.admitted("bob", other)


@pytest.mark.parametrize(("name", "roles", "word", "says"), [
    ("A", ["operator"], WORD, "no name of an account"), ("x y", ["operator"], WORD, "no name of an account"),
    ("ada", [], WORD, "No role is no role"), ("ada", ["root"], WORD, "root is no role"),
    ("ada", ["operator"], "short", "at least 12"), ("ada", ["operator"], "twelve letters\n", "printable")])
def test_what_is_no_account_is_refused_with_the_remedy(accounts: Accounts, name: str, roles: list[str], word: str,
                                                       says: str) -> None:
    with pytest.raises(AccountRefused, match=says):
        accounts.add(name, roles, word)
    assert accounts.all() == []


def test_an_account_is_made_once(accounts: Accounts) -> None:
    accounts.add("ada", ["operator"], WORD)
    with pytest.raises(AccountRefused, match="accounts reset ada"):
        accounts.add("ada", ["admin"], WORD)
    assert [one.roles for one in accounts.all()] == [{"operator"}]
    with pytest.raises(AccountRefused, match="There is no account 'eve'"):
        accounts.disable("eve")


def test_the_table_of_sessions_makes_nobody_anybody(flow: Flow, accounts: Accounts, session: Any) -> None:
    cookie, made = accounts.begin("ada", ["operator"], "127.0.0.1", "a browser")
    row = session.execute(f"SELECT id, TTL(account) AS left FROM {flow.settings.cassandra.keyspace}.sessions").one()
    assert row.id == hashed(cookie) != cookie
    assert 3500 < row.left <= 3600
    assert accounts.session(row.id) == made
    assert accounts.session(hashed(row.id)) is None, "the id is no cookie"


@pytest.mark.parametrize("change", ["disable", "roles", "reset", "everywhere", "one"])
def test_a_revocation_works_within_five_seconds(accounts: Accounts, change: str) -> None:
    accounts.add("ada", ["operator"], WORD)
    cookie, made = accounts.begin("ada", ["operator"], "127.0.0.1", "")
    sessions = Sessions(lambda: accounts, 900.0)
    viewer = sessions.of_cookie(cookie)
    assert viewer is not None
    assert viewer.may("stream.stop")
    changes: dict[str, Callable[[], object]] = {
        "disable": lambda: accounts.disable("ada"), "roles": lambda: accounts.set_roles("ada", ["analyst"]),
        "reset": lambda: accounts.reset("ada"), "everywhere": lambda: accounts.end_all("ada"),
        "one": lambda: accounts.end(made.id)}
    changes[change]()
    began = time.monotonic()
    while sessions.get(made.id) is not None:
        assert time.monotonic() - began < REVOKED_WITHIN_S
        time.sleep(0.05)
    assert sessions.of_cookie(cookie) is None


def test_a_disabled_account_gets_in_no_more_until_it_is_enabled(accounts: Accounts) -> None:
    accounts.add("ada", ["operator"], WORD)
    accounts.disable("ada")
    assert accounts.admitted("ada", WORD) is None
    accounts.disable("ada", False)
    assert accounts.admitted("ada", WORD)


def test_ones_own_password_is_changed_and_the_session_that_did_it_goes_on(accounts: Accounts) -> None:
    accounts.add("ada", ["operator"], WORD)
    (_, here), (_, elsewhere) = (accounts.begin("ada", ["operator"], "", "") for _ in range(2))
    for bad in ("", "short", "twelve letters\n"):
        with pytest.raises(AccountRefused, match="at least 12"):
            accounts.change_password("ada", bad, here.id)
    assert accounts.session(elsewhere.id) is not None
    accounts.change_password("ada", WORD + " again", here.id)
    assert accounts.admitted("ada", WORD) is None
    assert accounts.admitted("ada", WORD + " again")
    assert [accounts.session(one.id) for one in (here, elsewhere)] == [here, None]


def test_an_account_is_bound_once_to_one_person_and_unbound(accounts: Accounts) -> None:
    for name in ("ada", "bob"):
        accounts.add(name, ["operator"], WORD)
    with pytest.raises(AccountRefused, match="changed meanwhile"):
        accounts.bind_to("ada", "https://issuer.example 1")
    assert [one.provider for one in accounts.all()] == ["no", "no"]
    for name in ("ada", "bob"):
        accounts.begin(name, ["operator"], "", "")
        accounts.bind(name)
    assert accounts.sessions() == []
    bound = accounts.bind_to("ada", "https://issuer.example 1")
    assert (bound.subject, bound.provider, bound) == ("https://issuer.example 1", "bound", accounts.get("ada"))
    for name, subject, says in (("ada", "https://issuer.example 2", "changed meanwhile"),
                                ("bob", "https://issuer.example 1", "Another account is bound")):
        with pytest.raises(AccountRefused, match=says):
            accounts.bind_to(name, subject)
    assert [one.provider for one in accounts.all()] == ["bound", "awaited"]
    accounts.begin("ada", ["operator"], "", "")
    accounts.bind("ada", False)
    assert (accounts.sessions(), accounts.get("ada").subject) == ([], "")    # type: ignore[union-attr]
    assert accounts.admitted("ada", WORD), "its password works as before"


def test_a_table_of_an_earlier_release_gets_the_column(flow: Flow, accounts: Accounts) -> None:
    accounts.add("ada", ["operator"], WORD)
    with cassandra_session(flow.settings, "provision") as admin:
        admin.execute(f"ALTER TABLE {flow.settings.cassandra.keyspace}.accounts DROP subject", timeout=60)
    assert provision(flow.settings, lambda _: None, "cassandra") == 1
    with cassandra_session(flow.settings, "console") as fresh:
        again = Accounts(flow.settings, fresh)
        assert [(one.name, one.provider) for one in again.all()] == [("ada", "no")]
        again.bind("ada")
        assert again.bind_to("ada", "https://issuer.example 1").provider == "bound"


def test_sessions_of_others_stay(accounts: Accounts) -> None:
    for name in ("ada", "bob"):
        accounts.add(name, ["operator"], WORD)
        accounts.begin(name, ["operator"], "", "")
    assert accounts.end_all("ada") == 1
    assert [one.account for one in accounts.sessions()] == ["bob"]
