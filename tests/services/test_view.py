"""The view as a process over a real store: its page, its headers, its states, and what its one password opens."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cassandra import AuthenticationFailed
from cassandra.cluster import Cluster, NoHostAvailable
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from app.public import words
from app.public.data import Reader
from app.public.layout import PARTS
from bench.view_store import mongo_alone
from engine.clients import CASSANDRA_PROTOCOL, cassandra_session, kafka_admin, mongo_client
from engine.errors import SettingsInvalid, SignInRefused
from engine.health import _page
from engine.mongo import FERRETDB, kind_of
from engine.provision.mongo import SNAPSHOT_READER, privileges, wanted_roles
from engine.secrets import PRINCIPALS, password, write_secret
from engine.settings import Settings
from engine.stores.schema import (
    ARRIVALS,
    BATCHES,
    BY_EMAIL_DOMAIN,
    BY_NATIONALITY,
    COLLECTIONS,
    PIPELINE_STATUS,
    SNAPSHOTS,
)
from engine.tls import trust
from tests.services.flow import Flow
from tests.services.test_nothing_in_clear import CITY, LOGIN, PERSONAL, holds, person
from tests.view_process import View, installation, serving, view_alone

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """One running view for all tests of this file."""
    folder: Path = tmp_path_factory.mktemp("view")
    with view_alone(folder) as running:
        yield running


def test_nothing_then_a_release_then_another_then_that_one_withdrawn(view: View) -> None:
    view.empty()
    view.until("empty")
    assert words.EMPTY_HEADING in view.answer().text
    first = view.publish(5000).snapshot
    version = view.until("current", first.number)
    page = view.answer()
    assert words.count(first.people) in page.text
    assert words.moment(first.counted_at) in page.text
    assert words.moment(first.next_at) in page.text
    assert first.method.text.split(":")[0] in page.text
    assert view.answer("/version").text == version
    second = view.publish(6000).snapshot
    assert second.number == first.number + 1
    view.until("current", second.number)
    assert view.answer(**{"If-None-Match": page.headers["ETag"]}).status_code == 200
    shown = view.publish(7000, withdrawn=1).snapshot
    view.until("current", shown.number)
    assert f"Release {shown.number + 1} is no longer shown" in view.answer().text


def test_a_release_that_is_long_due_is_said_to_be_late(view: View) -> None:
    number = view.publish(5000, due_in=timedelta(hours=-2)).snapshot.number
    view.until("stale", number)
    assert words.LATE_HEADING in view.answer().text


def test_answers_are_marked_by_their_snapshot(view: View) -> None:
    number = view.publish().snapshot.number
    version = view.until("current", number)
    for path in ("/", "/_dash-layout", *(f"/csv/{part.key}.csv" for part in PARTS)):
        answer = view.answer(path)
        assert answer.headers["ETag"] == f'"{version}"'
        again = view.answer(path, **{"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "Content-Security-Policy" in again.headers


def test_files_hold_the_figures_of_the_snapshot(view: View) -> None:
    snapshot = view.publish().snapshot
    view.until("current", snapshot.number)
    answer = view.answer("/csv/nationalities.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="rollcall-nationalities-{snapshot.number}.csv"' in answer.headers["Content-Disposition"]
    lines = answer.text.splitlines()
    assert lines[0] == "code,country,people"
    assert {line.split(",")[0]: int(line.split(",")[2]) for line in lines[1:]} == {
        **{cell.key: cell.people for cell in snapshot.nationalities.cells}, "other": snapshot.nationalities.other}


def test_the_page_speaks_english_and_names_no_other_host(view: View) -> None:
    page = view.answer()
    assert page.status_code == 200
    assert '<html lang="en">' in page.text
    assert f"<title>{words.TITLE}</title>" in page.text
    assert words.SKIP in page.text
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']*""", page.text) == []


def test_everything_the_page_asks_for_is_served(view: View) -> None:
    view.until("current", view.publish().snapshot.number)
    parts = re.findall(r"""(?:src|href)=["'](/[^"']+)""", view.answer().text)
    assert any("style" in part for part in parts)
    assert any("plotly" in part for part in parts)
    assert any(part.startswith("/csv/") for part in parts)
    for part in (*parts, "/assets/topojson/world_110m.json"):
        assert view.answer(part).status_code == 200, part


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/_dash-layout", "/csv/domains.csv", "/assets/style.css",
                                  "/nothing-here"])
def test_every_answer_carries_the_security_headers_and_no_cookie(view: View, path: str) -> None:
    headers = view.answer(path).headers
    policy = headers["Content-Security-Policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'sha256-" in script
    assert "unsafe" not in script
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers


def test_the_flow_finds_it_well(view: View) -> None:
    assert _page(f"{view.address}/", 5.0)[0]
    assert httpx.post(view.address).status_code == 405


def test_a_store_that_goes_away_leaves_the_last_release_with_a_notice(tmp_path: Path) -> None:
    settings = installation(tmp_path / "var")
    with ExitStack() as both:
        store = both.enter_context(ExitStack())
        store.enter_context(mongo_alone(settings))
        view = both.enter_context(serving(settings, tmp_path))
        snapshot = view.publish().snapshot
        view.until("current", snapshot.number)
        store.close()
        view.until("kept", snapshot.number)
        page = view.answer()
        assert words.KEPT_HEADING in page.text
        assert words.count(snapshot.people) in page.text
        assert "Traceback" not in (tmp_path / "view.log").read_text()
        assert "The snapshots cannot be read" in (tmp_path / "view.log").read_text()
        store.enter_context(mongo_alone(settings))
        view.until("current", snapshot.number)


def test_a_store_away_from_the_start_and_a_wrong_password_show_no_figures(tmp_path: Path) -> None:
    settings = installation(tmp_path / "var")
    write_secret(settings.secrets / "view.password", b"wrong")
    reader = Reader(settings)
    assert reader.read().away
    reader.close()
    with mongo_alone(settings):    # it makes its users with these passwords
        write_secret(settings.secrets / "view.password", b"another")
        reader = Reader(settings)
        reading = reader.read()
        reader.close()
    assert (reading.away, reading.snapshot) == (True, None)


def test_its_password_opens_neither_cassandra_nor_kafka(stack: Settings) -> None:
    with pytest.raises(SignInRefused), cassandra_session(stack, "view"):
        pass
    with pytest.raises(SignInRefused):
        kafka_admin(stack, "view")
    words_of_others = {password(stack, name).get_secret_value() for name in PRINCIPALS if name != "view"}
    assert password(stack, "view").get_secret_value() not in words_of_others


def test_on_mongodb_its_role_reads_snapshots_alone(stack: Settings) -> None:
    assert wanted_roles(stack.mongo)["view"] == [{"role": SNAPSHOT_READER, "db": stack.mongo.database}]
    (right,) = privileges(stack.mongo)[SNAPSHOT_READER]
    assert (right["resource"]["collection"], right["actions"]) == (SNAPSHOTS, ["find"])


@pytest.mark.timeout(600)
def test_on_ferretdb_its_password_reads_everything_and_finds_no_person(stack: Settings, tmp_path: Path) -> None:
    """FerretDB has no roles: what stands there is counts, what was published, and records of runs."""
    key = "33333333-3333-4333-8333-333333333333"
    with Flow(stack, tmp_path, "seen") as flow:
        flow.start()
        flow.send(key.encode(), person(key))
        flow.quiet()
        assert PERSONAL[0] in repr(flow.rows()), "she is there"
        with mongo_client(flow.settings, "view") as client:
            if kind_of(client) != FERRETDB:
                pytest.fail("this is no FerretDB: try here what the role may not read")
            names = {name: client[name].list_collection_names() for name in client.list_database_names()}
            everything = [repr(list(client[name][one].find())).encode() for name, some in names.items() for one in some]
    own = names[flow.settings.mongo.database]
    assert {BY_NATIONALITY, BY_EMAIL_DOMAIN, ARRIVALS, PIPELINE_STATUS, BATCHES} <= {*own} <= {*COLLECTIONS}
    assert holds(everything, [PERSONAL[2].split("@")[1]]) == {"example.com"}, "her domain is counted"
    assert holds(everything, [*PERSONAL, *LOGIN, CITY, key]) == set()


def test_without_a_name_no_store_answers(stack: Settings) -> None:
    nobody = Cluster(["127.0.0.1"], port=stack.cassandra.port, protocol_version=CASSANDRA_PROTOCOL,
                     ssl_context=trust.context(stack))
    with pytest.raises(NoHostAvailable) as refused:
        nobody.connect()
    assert [type(error) for error in refused.value.errors.values()] == [AuthenticationFailed]
    nobody.shutdown()
    stranger: MongoClient[Any] = MongoClient(f"mongodb://127.0.0.1:{stack.mongo.port}/", **trust.mongo(stack))
    with stranger, pytest.raises(OperationFailure) as said:
        list(stranger[stack.mongo.database][SNAPSHOTS].find())
    assert said.value.code in (13, 18), said.value


def test_no_password_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid), mongo_client(installation(tmp_path), "view"):
        pass


