"""The data folder of an older Rollcall, as that left it: refused with the command to run, migrated, and clean.

tests/data/SOURCE.md says how it was made.
"""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from bench.installation import settings_toml
from engine import stack as stacks
from engine.backup import manifest
from engine.clients import mongo_client
from engine.migrations import versions
from engine.person import NATIONALITIES, Cell
from engine.processes import PROGRAMS, Supervisor, left_over
from engine.settings import Settings, load
from engine.stores.aggregates import COLLECTIONS, Aggregates, is_ours
from engine.stores.status import Status
from tests.people import DATA
from tests.services.test_backup import LIMIT_S, Held, Place, killed_while, quiet, rollcall, rows
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

OLD = DATA / "upgrade" / "var-928d415.tar.xz"
STANDING_STILL = ("profiles", "markers", "records", "accounts")
MORE = 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The old folder with ports of this run; everything ends with the tests."""
    made = Place(tmp_path_factory.mktemp("upgrade"))
    subprocess.run(["tar", "--extract", "--file", str(OLD), "--directory", str(made.home)], check=True)
    (made.home / "settings.toml").write_text(settings_toml(
        producer={"rate": 0.0}, stream={"lease_s": 5.0}, metrics={"serve": False}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROLLCALL_HOME", str(made.home))
        settings = load()
        try:
            yield made
        finally:
            stacks.down(settings, quiet)
        assert left_over(settings) == []


def counted(settings: Settings) -> dict[Cell, int]:
    with mongo_client(settings, "verify") as client:
        aggregates = Aggregates(client[settings.mongo.database], settings.mongo.bulk)
        assert aggregates.contradictions() == []
        return aggregates.cells()


def forms(settings: Settings) -> set[bool]:
    """Whether documents of the aggregates are of today's form."""
    with mongo_client(settings, "verify") as client:
        return {is_ours(kept) for name in COLLECTIONS for kept in client[settings.mongo.database][name].find()}


def running(settings: Settings) -> list[str]:
    return [name for name, status in Supervisor(settings).status().items() if name in PROGRAMS and status.pid]


def test_it_is_refused_and_migrated_and_nothing_is_lost(place: Place) -> None:
    settings = load()
    assert "`rollcall migrate`" in rollcall("up", code=71)
    assert running(settings) == []
    assert "`rollcall migrate`" in rollcall("stream", "run", code=71)
    before, cells = Held(settings), counted(settings)
    assert forms(settings) == {False}
    assert len(before.tables["profiles"]) > 30
    assert sum(n for cell, n in cells.items() if cell.collection == NATIONALITIES) == sum(
        row["counted"] for row in before.tables["profiles"].values())
    rollcall("backup", str(place.backup), *place.with_keys)    # may be made before: of what is there, as it is
    assert manifest.read(place.backup).versions == {"cassandra": 1, "mongo": 1, "topics": 1}

    said = rollcall("migrate", "--dry-run", code=1)
    assert "MongoDB, version 1 to 2" in said
    assert Held(settings).documents == before.documents, "a dry run changes nothing"

    killed_while(("migrate",), "documents of the aggregates")
    assert "`rollcall migrate`" in rollcall("up", code=71)
    assert running(settings) == []
    assert "1 step taken" in rollcall("migrate")
    assert forms(settings) == {True}
    assert counted(settings) == cells
    after = Held(settings)
    assert {name: after.tables[name] for name in STANDING_STILL} == {name: before.tables[name] for name in STANDING_STILL}
    assert before.tables["audit"].items() <= after.tables["audit"].items()
    assert "Everything agrees." in rollcall("verify")
    assert "of the form of this Rollcall already" in rollcall("migrate")


@pytest.mark.proof
def test_then_the_flow_goes_on_where_it_was(place: Place) -> None:
    settings = load()
    people = len(rows(settings, "profiles"))
    Supervisor(settings).start("stream")
    rollcall("produce", "--source", "synthetic", "--limit", str(MORE))
    until("newer people are rows", lambda: len(rows(settings, "profiles")) > people + MORE // 2, LIMIT_S)
    assert "stream run(s)" in rollcall("migrate", code=75)
    assert "Everything agrees." in rollcall("verify")
    assert forms(settings) == {True}
    rollcall("audit", "verify")
    rollcall("stream", "stop", "--within", "300")


@pytest.mark.proof
def test_what_a_newer_one_has_written_is_left_alone(place: Place) -> None:
    settings = load()
    with mongo_client(settings, "provision") as client:
        status = Status(client[settings.mongo.database])
        status.write(versions.DOCUMENT, {"mongo": 9, "topics": 1})
        try:
            for begin in (("up",), ("provision",), ("migrate",), ("migrate", "--dry-run"), ("stream", "run")):
                assert "newer version than this Rollcall knows: MongoDB 9 (known: 2)" in rollcall(*begin, code=71)
            assert running(settings) == []
        finally:
            status.write(versions.DOCUMENT, {"mongo": 2, "topics": 1})


@pytest.mark.proof
def test_a_backup_of_it_is_migrated_before_it_opens(place: Place) -> None:
    """It was made in the first test, before anything was migrated."""
    settings = load()
    people = manifest.read(place.backup).rows["profiles"]
    stacks.down(settings, quiet)
    shutil.rmtree(place.home)
    said = rollcall("restore", str(place.backup), *place.with_keys, "--within", "300")
    assert "MongoDB, version 1 to 2" in said
    assert "Everything agrees." in said
    settings = load()
    assert len(rows(settings, "profiles")) == people
    assert forms(settings) == {True}
    with mongo_client(settings, "verify") as client:
        assert versions.in_mongo(client[settings.mongo.database]) == {"mongo": 2, "topics": 1}
