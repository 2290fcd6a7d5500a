"""Rows as people look through them, on a real Cassandra: filters, pages, counts, and the reveal."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from engine.clients import cassandra_session
from engine.settings import Settings
from engine.stores import browse
from engine.stores.browse import Browse, Place, Wanted, reveal
from engine.stores.schema import SEALED
from tests.services.flow import Flow

pytestmark = pytest.mark.services

TODAY = date(2026, 11, 28)
NATS, DOMAINS, YEARS = ("FR", "DE", "IE"), ("example.com", "beispiel.de"), range(1950, 2000)
PEOPLE = 150
SLACK_S = 5.0
"""For a machine that is busy."""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """150 people, every tenth restricted; no stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("browse"), "browse") as made:
        table = f"{made.settings.cassandra.keyspace}.profiles"
        with cassandra_session(made.settings, "provision") as session:
            statement = session.prepare(
                f"INSERT INTO {table} (uuid, nat, email_domain, email_token, birth_month, counted, display_name, first_seen, "
                f"{', '.join(SEALED)}) VALUES ({', '.join(['?'] * (8 + len(SEALED)))})")
            for n in range(PEOPLE):
                who = person(n)
                session.execute(statement, (
                    uuid.UUID(who), NATS[n % 3], DOMAINS[n % 2], made.keys.email_token(f"p{n // 2}@x.example"),
                    f"{YEARS[n % 50]}-{n % 12 + 1:02}", n % 10 != 0, f"P {n}", datetime.now(UTC),
                    *(made.keys.seal_column(who, name, f"clear {name} {n}") for name in SEALED)))
        yield made


def person(n: int) -> str:
    """Uuid of the n-th."""
    return f"00000000-0000-4000-8000-{n:012}"


@pytest.fixture(scope="module")
def look(flow: Flow) -> Iterator[Browse]:
    """As `console`."""
    with cassandra_session(flow.settings, "console") as session:
        yield Browse(session, flow.settings.cassandra.keyspace, TODAY)


def everything(look: Browse, wanted: Wanted) -> list[dict[str, Any]]:
    """All pages, one after the other."""
    rows, state = [], None
    while True:
        page = look.page(wanted, state)
        rows += page.rows
        if page.after is None:
            return rows
        state = page.after


def expected(**wanted: Any) -> set[str]:
    """Who fits, counted by hand."""
    found = set()
    for n in range(PEOPLE):
        age = (TODAY.year - YEARS[n % 50]) - (n % 12 + 1 > TODAY.month)
        low, high = wanted.get("ages", (0, 200))
        if n % 10 and wanted.get("nat", NATS[n % 3]) == NATS[n % 3] and low <= age <= high \
                and wanted.get("domain", DOMAINS[n % 2]) == DOMAINS[n % 2]:
            found.add(person(n))
    return found


@pytest.mark.parametrize("filters", [
    {}, {"nat": "FR"}, {"domain": "example.com"}, {"ages": (30, 45)}, {"nat": "DE", "domain": "beispiel.de"},
    {"nat": "IE", "ages": (50, 60)}, {"nat": "FR", "domain": "example.com", "ages": (27, 76)}, {"nat": "XX"}])
def test_filters_find_who_fits_and_nobody_restricted(look: Browse, filters: dict[str, Any],
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "PAGE", 7)
    monkeypatch.setattr(browse, "COUNT_WITHIN_S", 10.0)    # how many, on a busy machine too
    rows = everything(look, Wanted(**filters))
    found = [str(row["uuid"]) for row in rows]
    assert len(found) == len(set(found))
    sure, never = expected(**filters), set(map(person, range(0, PEOPLE, 10)))
    assert set(found) & never == set()
    if "ages" in filters:    # by the month of birth: who has a birthday this month may be on either side
        low, high = filters["ages"]
        assert expected(**{**filters, "ages": (low + 1, high - 1)}) <= set(found)
        assert set(found) <= expected(**{**filters, "ages": (low - 1, high + 1)})
    else:
        assert set(found) == sure
    assert look.count(Wanted(**filters)) == len(found)


class Watched:
    """A session that takes its time with each answer, or has each traced."""

    def __init__(self, session: Any, slow_s: float = 0.0, traced: bool = False) -> None:
        self._session, self._slow_s, self._traced = session, slow_s, traced
        self.did: list[list[str]] = []

    def execute(self, *what: Any, **how: Any) -> Any:
        time.sleep(self._slow_s)
        answer = self._session.execute(*what, trace=self._traced, **how)
        self.did.append([event.description for event in answer.get_query_trace(30).events] if self._traced else [])
        return answer


def test_a_page_of_rare_ages_ends_in_time_and_the_next_goes_on(flow: Flow, look: Browse) -> None:
    rare, keyspace = Wanted(nat="FR", ages=(26, 110)), flow.settings.cassandra.keyspace    # 1021 months; the youngest are 26
    with cassandra_session(flow.settings, "console") as session:
        watched = Watched(session, slow_s=browse.PAGE_WITHIN_S / 4)
        began = time.monotonic()
        page = Browse(watched, keyspace, TODAY).page(rare, None)
        assert time.monotonic() - began < browse.PAGE_WITHIN_S + browse.PAGE_WITHIN_S / 4 + SLACK_S
        assert len(watched.did) <= 5
        assert page.after is not None
        assert page.looked_to == page.after.part > "1990"
        slow = Browse(Watched(session, slow_s=browse.COUNT_WITHIN_S / 4), keyspace, TODAY)
        assert slow.count(Wanted(nat="FR", ages=(100, 108))) is None, "not in the time a page may take"
    everybody = {row["uuid"] for row in everything(look, rare)}
    rest: set[Any] = {row["uuid"] for row in page.rows}
    place: Place | None = page.after
    while place is not None:
        page = look.page(rare, place)
        rest, place = rest | {row["uuid"] for row in page.rows}, page.after
    assert rest == everybody
    assert len(everybody) > 10


def test_however_little_time_there_is_all_pages_hold_everybody_once(look: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Wanted(ages=(30, 45))
    at_ease = [row["uuid"] for row in everything(look, wanted)]
    monkeypatch.setattr(browse, "PAGE_WITHIN_S", 0.0)
    monkeypatch.setattr(browse, "PAGE", 2)
    assert [row["uuid"] for row in everything(look, wanted)] == at_ease


@pytest.mark.parametrize("wanted", [Wanted(ages=(108, 110)), Wanted(nat="FR", ages=(108, 110)), Wanted(ages=(70, 71))])
def test_ages_are_found_by_the_index_and_not_by_reading_the_table(flow: Flow, wanted: Wanted) -> None:
    with cassandra_session(flow.settings, "provision") as session:
        watched = Watched(session, traced=True)
        Browse(watched, flow.settings.cassandra.keyspace, TODAY).page(wanted, None)
    assert watched.did
    for events in watched.did:
        assert any("profiles_birth_month" in event for event in events), events


def test_an_address_is_found_by_its_token_with_all_who_share_it(flow: Flow, look: Browse) -> None:
    rows = everything(look, Wanted(email_tokens=("0" * 64, *flow.keys.email_tokens("P4@X.example"))))
    assert {str(row["uuid"]) for row in rows} == {person(8), person(9)}


def test_a_page_has_no_personal_column(look: Browse) -> None:
    for row in look.page(Wanted(), None).rows:
        assert set(row).isdisjoint(SEALED)


def test_counting_stops_above_what_is_shown(look: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "COUNTED_TO", 20)
    assert look.count(Wanted(domain="example.com")) == 21


def test_the_officers_role_reveals_one_person(flow: Flow) -> None:
    with cassandra_session(flow.settings, "officer") as session:
        assert reveal(session, flow.settings.cassandra.keyspace, flow.keys, person(7)) == {
            name: f"clear {name} 7" for name in SEALED}
        assert reveal(session, flow.settings.cassandra.keyspace, flow.keys, str(uuid.uuid4())) is None


def test_the_consoles_role_reveals_nothing(flow: Flow) -> None:
    with cassandra_session(flow.settings, "console") as session:
        assert reveal(session, flow.settings.cassandra.keyspace, flow.keys, person(7)) == dict.fromkeys(SEALED, "")


def test_what_was_sealed_elsewhere_says_so(flow: Flow) -> None:
    table = f"{flow.settings.cassandra.keyspace}.profiles"
    with cassandra_session(flow.settings, "provision") as session:
        session.execute(f"UPDATE {table} SET email = 0x6b303031aabbcc WHERE uuid = {person(11)}")
    with cassandra_session(flow.settings, "officer") as session:
        shown = reveal(session, flow.settings.cassandra.keyspace, flow.keys, person(11))
    assert shown is not None
    assert shown["email"].startswith("(a value at email is damaged")
    assert shown["phone"] == "clear phone 11"
