"""What is handed to a person is everything that is held of them, once; who restricts is left out wherever people count."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import jsonschema
import pytest

from engine.clients import cassandra_session, mongo_client
from engine.compliance.requests import Requests
from engine.publishing import live
from engine.rights import package, rectification, restriction
from engine.rights.find import find
from engine.rights.packages import Packages
from engine.settings import Settings
from engine.stores.browse import Browse, Wanted
from engine.stores.records import Records
from engine.stores.schema import BY_EMAIL_DOMAIN, BY_NATIONALITY, MARKERS, PROFILES
from governance.catalogue import FIELDS, Treatment, project
from governance.requests.kind import Kind
from tests.people import CAPTURED, captured
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

PERSON, OTHER = captured("1.4")[:2]
UUID, EMAIL = PERSON["login"]["uuid"], PERSON["email"]
PHONE = "0479-canary"
WITHIN_S = 120.0


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow that holds a person in every place: a row, a correction, a dead letter, records, commands."""
    with Flow(stack, tmp_path_factory.mktemp("package"), "package") as made:
        made.start()
        made.produce(CAPTURED["1.4"])
        made.send(UUID.encode(), json.dumps({**project(PERSON).person, "gender": "NONE"}).encode())
        made.quiet()
        evidence = rectification.rectify(made.settings, UUID, {"phone": PHONE}, "R-16", WITHIN_S, lambda _: None)
        assert evidence.done, evidence
        with Records.opened(made.settings) as records:
            requests = Requests(made.settings, records, made.keys)
            requests.log(Kind.ACCESS, requests.today, "letter", {"uuid": UUID, "reply_to": "12 Long Lane"}, "ada", "received")
        yield made


@pytest.fixture(scope="module")
def held(flow: Flow) -> Mapping[str, Any]:
    """The package of the person, opened."""
    package.make(flow.settings, "R-15", UUID)
    name, content = package.take(flow.settings, request="R-15")
    assert name == "R-15.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        found: dict[str, Any] = json.loads(opened.read("person.json"))
        jsonschema.validate(found, json.loads(opened.read("schema.json")))
        page = opened.read("person.html").decode()
    for text in (PERSON["name"]["first"], EMAIL, PHONE):
        assert text in page
    return found


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of a record."""
    if not isinstance(value, dict):
        yield path
    else:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}".lstrip("."))


def test_it_holds_every_field_that_any_store_holds_and_no_other(flow: Flow, held: Mapping[str, Any]) -> None:
    kept = {field.path: field for field in FIELDS if field.becomes is not Treatment.DROP}
    in_topic = {path for record in held["records"] for path in leaves(record["value"])}
    assert in_topic <= set(kept)
    whole = {path for path in kept if not any(other.startswith(f"{path}.") for other in kept)}    # older shapes left out
    assert whole <= in_topic
    assert set(held["profile"]) == {column.name for column in PROFILES.columns}
    assert set(held["marker"]) == {column.name for column in MARKERS.columns}
    for field in kept.values():
        for place in field.stands:
            table, _, part = place.partition(".")
            match table:
                case PROFILES.name:
                    assert held["profile"][part] is not None, place
                case MARKERS.name:
                    assert held["marker"][part] is not None, place
                case _:
                    assert table in {cell["collection"] for cell in held["counted_in"]}, place
    assert {cell["collection"] for cell in held["counted_in"]} == {BY_NATIONALITY, BY_EMAIL_DOMAIN, "arrivals"}
    row = flow.rows()[UUID]
    assert {name: held["profile"][name] for name in ("full_name", "email", "phone", "birth_date", "full_address")} == {
        name: row[name] for name in ("full_name", "email", "phone", "birth_date", "full_address")}
    assert held["marker"]["pins"] == {"phone": PHONE}
    assert [one["command"] for one in held["commands"]] == ["rectify"]
    assert len(held["dead_letters"]) == 1
    assert held["dead_letters"][0]["value"]["email"] == EMAIL
    assert {record["value"]["login"]["uuid"] for record in held["records"]} == {UUID}


def test_it_holds_what_a_request_says(held: Mapping[str, Any]) -> None:
    (asked, subject) = held["kept_by_the_officer"]
    assert (asked["record"], subject["record"]) == (f"request/{asked['holds']['ref']}", f"subject/{asked['holds']['ref']}")
    assert (asked["holds"]["kind"], subject["holds"]["reply_to"]) == ("access", "12 Long Lane")


def test_a_second_download_is_refused_by_link_and_by_request(flow: Flow, held: Mapping[str, Any]) -> None:
    with pytest.raises(package.AlreadyTaken):
        package.take(flow.settings, request="R-15")
    made = package.make(flow.settings, "R-20", UUID)
    first = package.link(flow.settings, "R-20")
    second = package.link(flow.settings, "R-20")
    with pytest.raises(package.NoPackage):
        package.take(flow.settings, secret=first.secret)
    assert len(package.take(flow.settings, secret=second.secret).zip) == made.size
    with pytest.raises(package.AlreadyTaken):
        package.take(flow.settings, secret=second.secret)
    state = package.state(flow.settings, "R-20")
    assert state is not None
    assert state.taken_at is not None
    with cassandra_session(flow.settings, "governance") as session:
        rows = list(session.execute(f"SELECT body, ttl(made_at) AS left FROM {flow.settings.cassandra.keyspace}.packages"))
    assert [row.body for row in rows] == [None, None]
    assert all(0 < row.left <= flow.settings.governance.package_hours * 3600 for row in rows)


def test_a_link_that_was_superseded_while_it_was_looked_up_hands_nothing_out(
        flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    package.make(flow.settings, "R-22", UUID)
    first, second = (package.link(flow.settings, "R-22") for _ in range(2))
    monkeypatch.setattr(Packages, "of_link", lambda *_: "R-22")    # as the index said before the second was made
    with pytest.raises(package.NoPackage):
        package.take(flow.settings, secret=first.secret)
    assert package.take(flow.settings, secret=second.secret).zip
    package.purge(flow.settings, "R-22")


def test_a_package_that_waits_is_sealed(flow: Flow) -> None:
    package.make(flow.settings, "R-21", UUID)
    with cassandra_session(flow.settings, "officer") as session:
        table = f"{flow.settings.cassandra.keyspace}.packages"
        body = session.execute(f"SELECT body FROM {table} WHERE request = 'R-21'").one().body
    assert body[:4] == b"ctrl"
    assert b"person.json" not in body
    package.purge(flow.settings, "R-21")
    with pytest.raises(package.NoPackage):
        package.take(flow.settings, request="R-21")


def test_a_person_is_found_by_number_and_by_the_token_of_an_e_mail(flow: Flow) -> None:
    (by_number,), by_email = find(flow.settings, uuid=UUID.upper()), find(flow.settings, email=f" {EMAIL.upper()} ")
    assert by_number in by_email
    counts = {one.store: one.count for one in by_number.held}
    assert counts["cassandra:profiles"] == counts["cassandra:markers"] == counts["kafka:dead"] == 1
    assert counts["kafka:people"] == 2
    assert by_number.pinned == ("phone",)
    assert find(flow.settings, email="nobody@nowhere.example") == []


def test_who_restricts_is_left_out_everywhere_and_comes_back(flow: Flow) -> None:
    uuid = OTHER["login"]["uuid"]
    before, published = flow.cells(), people(flow)
    assert uuid in listed(flow)
    evidence = restriction.restrict(flow.settings, uuid, "R-18", WITHIN_S, lambda _: None)
    assert evidence.done, evidence
    assert "lists and exports" in evidence.holds
    assert uuid not in listed(flow)
    assert people(flow) == published - 1
    assert restriction.restrict(flow.settings, uuid, "R-18", WITHIN_S, lambda _: None).command == evidence.command
    assert restriction.unrestrict(flow.settings, uuid, "R-18", WITHIN_S, lambda _: None).done
    assert uuid in listed(flow)
    assert (people(flow), flow.cells()) == (published, before)
    flow.verified()


def listed(flow: Flow) -> set[str]:
    """Whom the console lists of this nationality."""
    with cassandra_session(flow.settings, "console") as session:
        page = Browse(session, flow.settings.cassandra.keyspace, date.today()).page(Wanted(nat=OTHER["nat"]), None)
    return {str(row["uuid"]) for row in page.rows}


def people(flow: Flow) -> int:
    """How many there are in the input of the next release."""
    with mongo_client(flow.settings, "governance") as client:
        return live.read(client[flow.settings.mongo.database], date.today()).people
