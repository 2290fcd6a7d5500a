"""A rectification pins what it sets: the row and the counts follow, later records do not undo it, an erasure forgets it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine import commands
from engine.clients import cassandra_session
from engine.person import NATIONALITIES, Cell
from engine.settings import Settings
from governance.masking import HIDDEN_DOMAIN
from tests.people import CAPTURED, captured
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

PERSON = captured("1.4")[0]
UUID, OTHER = (person["login"]["uuid"] for person in captured("1.4")[:2])
PINS = {"name": {"first": "Ada", "last": "Canary-Lovelace"}, "email": "Ada@Pinned.example", "nat": "IE",
        "dob": {"date": "1970-05-06"}, "location": {"city": "Cork", "postcode": "0691"}}
FOLLOW = {"full_name": "Ada Canary-Lovelace", "display_name": "A. C.", "email": "Ada@Pinned.example",
          "email_domain": "pinned.example", "nat": "IE", "birth_date": "1970-05-06", "birth_month": "1970-05",
          "full_address": "0691 Cork", "city": "Cork", "postcode_area": "06", "state": None, "country": None,
          "pinned": {"name", "email", "nat", "dob", "location"}}


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow for the tests of this file, which build on one another in their order."""
    with Flow(stack, tmp_path_factory.mktemp("rectify"), "rectify") as made:
        yield made


def rectify(flow: Flow, uuid: str, fields: dict[str, Any]) -> int:
    """Sends the command and waits until it is carried out."""
    offset = commands.send(flow.settings, flow.keys, "rectify", uuid, "R-9", fields=fields)
    flow.quiet()
    return offset


def test_row_and_counts_follow_and_what_is_not_pinned_stays(flow: Flow) -> None:
    flow.start()
    flow.produce(CAPTURED["1.4"])
    flow.quiet()
    before, cells = flow.rows()[UUID], flow.cells()
    offset = rectify(flow, UUID, PINS)
    row = flow.rows()[UUID]
    assert {name: row[name] for name in FOLLOW} == FOLLOW
    assert row["rectified"] == offset
    unpinned = set(before) - set(FOLLOW) - {"rectified", "age", "email_token"}
    assert {name: row[name] for name in unpinned} == {name: before[name] for name in unpinned}
    assert row["email_token"] == flow.keys.email_token("ada@pinned.example")
    assert row["age"] == before["age_as_of"].date().year - 1970 - (before["age_as_of"].date().strftime("%m-%d") < "05-06")
    after = flow.cells()
    assert after[Cell("users_by_email_domain", "pinned.example")] == 1
    assert after[Cell(NATIONALITIES, "IE", before["gender"], "1970-05")] == 1
    gone = Cell(NATIONALITIES, before["nat"], before["gender"], before["birth_month"])
    assert after.get(gone, 0) == cells[gone] - 1
    flow.verified()


def test_a_later_record_of_the_source_changes_only_what_is_not_pinned(flow: Flow) -> None:
    flow.send(UUID.encode(), json.dumps({**PERSON, "phone": "555-canary"}).encode())
    flow.quiet()
    row = flow.rows()[UUID]
    assert {name: row[name] for name in FOLLOW} == FOLLOW
    assert row["phone"] == "555-canary"
    later = rectify(flow, UUID, {"phone": "112", "nat": "FR"})    # of a group pinned before, and a new one
    row = flow.rows()[UUID]
    assert (row["phone"], row["nat"], row["full_name"], row["rectified"]) == ("112", "FR", FOLLOW["full_name"], later)
    assert row["pinned"] == {*FOLLOW["pinned"], "phone"}    # type: ignore[misc]
    flow.verified()


def test_a_domain_of_her_own_is_hidden_by_whatever_makes_it_hers(flow: Flow) -> None:
    """The row is corrected in an idle turn, by its pins and by what it seals; counts follow, and so would her record."""
    whose, hidden = captured("1.4")[2], Cell("users_by_email_domain", HIDDEN_DOMAIN)
    uuid, last = whose["login"]["uuid"], "Quillfeather"
    before = flow.cells()[Cell("users_by_email_domain", whose["email"].rpartition("@")[2])]
    rectify(flow, uuid, {"email": f"me@{last}.name"})
    assert flow.rows()[uuid]["email_domain"] == f"{last.lower()}.name"
    rectify(flow, uuid, {"name": {"first": "Ada", "last": last}})
    assert (flow.rows()[uuid]["email_domain"], flow.cells()[hidden]) == (HIDDEN_DOMAIN, 1)
    rectify(flow, uuid, {"name": {"first": "Ada", "last": "Name-Less"}})
    assert flow.rows()[uuid]["email_domain"] == HIDDEN_DOMAIN    # `name` is a label of it
    rectify(flow, uuid, {"name": {"first": "Ada", "last": "Byron"}})
    cells = flow.cells()
    assert (flow.rows()[uuid]["email_domain"], cells.get(hidden, 0)) == (f"{last.lower()}.name", 0)
    assert cells[Cell("users_by_email_domain", whose["email"].rpartition("@")[2])] == before - 1
    flow.verified()


@pytest.mark.proof
def test_pins_are_sealed_at_rest_and_survive_a_lost_checkpoint(flow: Flow) -> None:
    with cassandra_session(flow.settings, "verify") as session:
        kept = session.execute(f"SELECT pins FROM {flow.settings.cassandra.keyspace}.markers WHERE suppression = %s",
                               (flow.keys.suppression_token(UUID),)).one().pins
    assert b"Lovelace" not in kept
    assert "Lovelace" in flow.keys.open_pins(flow.keys.suppression_token(UUID), kept)
    assert flow.stop() == 0
    before = flow.rows()[UUID]
    flow.forget_place()
    flow.start()
    flow.quiet()
    assert flow.rows()[UUID] == before
    flow.verified()


def test_a_pin_that_the_row_does_not_follow_is_found(flow: Flow) -> None:
    rectify(flow, OTHER, {"phone": "999"})
    table = f"{flow.settings.cassandra.keyspace}.profiles"
    with cassandra_session(flow.settings, "provision") as session:
        session.execute(f"UPDATE {table} SET rectified = 0 WHERE uuid = {OTHER}")
    found = flow.verify().findings
    assert [(finding.where, "rectified" in finding.what) for finding in found] == [(f"row {OTHER}", True)]
    rectify(flow, OTHER, {"phone": "998"})
    flow.verified()


@pytest.mark.proof
def test_an_erasure_forgets_the_pins(flow: Flow) -> None:
    flow.rollcall("erase", UUID)
    flow.rollcall("lift", UUID)
    flow.produce(CAPTURED["1.4"])
    flow.quiet()
    row = flow.rows()[UUID]
    assert (row["nat"], row["pinned"], row["rectified"]) == (PERSON["nat"], None, None)
    flow.verified()
