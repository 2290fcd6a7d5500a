"""Publishing on the real stores: what is shown is the rule applied to a recount of rows, whatever comes in between."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from bson.int64 import Int64

from engine import commands
from engine.cli.audited import audited
from engine.clients import cassandra_session, mongo_client
from engine.compliance.register import Register
from engine.compliance.survey import survey
from engine.publishing import live
from engine.publishing.altered import CHANGED
from engine.publishing.release import Overtaken, Prepared, Publishing
from engine.publishing.schedule import AGAIN_S, Schedule
from engine.settings import CLONE, Settings
from engine.stores.records import PUBLICATION, Records
from engine.stores.schema import SNAPSHOTS
from engine.writer.write_order import EPOCH
from governance.disclosure.snapshot import Snapshot
from governance.drift import drift
from tests.governance.test_disclosure_recount import TABLES, Recount
from tests.people import generated
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

FIRST, SECOND = 260, 400
DIES = ("import os, signal, sys; from engine.publishing.snapshots import Snapshots; from engine.cli import main; "
        "Snapshots.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL); sys.argv = ['rollcall', 'publish', 'run']; main()")
"""`rollcall publish run`, killed when the ledger is kept and the snapshot is not."""


class Published:
    """A flow whose figures are published, and the same counted again from its rows."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.recount = flow, Recount()

    def rows(self) -> list[dict[str, Any]]:
        """Every row as the recount wants it; of the aggregates nothing is used."""
        return [self._row(row) for row in self.flow.rows().values() if row["counted"]]

    @staticmethod
    def _row(row: dict[str, Any]) -> dict[str, Any]:
        age = (datetime.now(UTC).date() - date.fromisoformat(row["birth_month"] + "-15")).days / 365.2425
        tens = int(age / 10) * 10
        return {"nationalities": row["nat"], "gender_ages": f"{row['gender']} {tens}-{tens + 9}",
                "domains": row["email_domain"], "arrivals": f"{row['first_seen']:%Y-%m-%dT%H}", "age": age}

    def is_as_recounted(self, snapshot: Snapshot) -> None:
        """A snapshot is what the rule makes of the rows that there are now."""
        wanted = self.recount.publish(self.rows())
        assert wanted is not None
        found: dict[str, Any] = {"people": snapshot.people, "averages": {one.key: one.years for one in snapshot.average_ages}}
        for name in TABLES:
            table = snapshot.table(name)
            found[name] = {cell.key: cell.people for cell in table.cells} | {"": table.other}
        assert found == wanted

    def documents(self) -> dict[int, dict[str, Any]]:
        """The collection."""
        return {int(number): kept for number, kept in self.flow.documents(SNAPSHOTS).items()}

    def versions(self) -> int:
        """How many releases there are, seen or not."""
        with Records.opened(self.flow.settings) as records:
            return len(records.versions(PUBLICATION, "figures"))

    def run(self, *options: str, code: int = 0) -> Snapshot | str:
        """`rollcall publish run`; what it says on an error."""
        done = self.flow.rollcall("publish", "run", "--json", *options, code=code)
        return done.stderr if code else Snapshot.model_validate_json(json.dumps(json.loads(done.stdout)["snapshot"]))

    def published(self) -> Snapshot:
        """Publishes, and looks at the figures."""
        made = self.run()
        assert isinstance(made, Snapshot)
        assert Snapshot.model_validate_json(self.documents()[made.number]["body"]) == made
        self.is_as_recounted(made)
        return made


@pytest.fixture(scope="module")
def there(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A flow whose stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("publishing"), "publishing") as made:
        made.start()
        yield Published(made)


def sent(flow: Flow, folder: Path, people: list[dict[str, Any]]) -> None:
    """Sends people, and waits until they are counted."""
    file = folder / "people.jsonl"
    file.write_text("".join(f"{json.dumps(person)}\n" for person in people))
    flow.produce(file)
    flow.quiet()


def test_the_keeper_publishes_when_there_are_enough_people_and_says_once_why_not(there: Published, tmp_path: Path) -> None:
    settings, said = there.flow.settings, list[str]()
    keeper = Schedule(settings, "keeper", said.append, lambda target: audited(settings, "publishing.publish", target))
    there.flow.quiet()
    assert [keeper.look(), keeper.look()] == [AGAIN_S, AGAIN_S]
    assert said == ["nothing is published: there are fewer than 10 people"]
    assert there.documents() == {}
    assert "fewer than 10 people" in str(there.run(code=65))
    sent(there.flow, tmp_path, generated()[:FIRST])
    assert 1 < keeper.look() <= 60, "the second follows the first within a minute"
    (kept,) = there.documents().values()
    first = Snapshot.model_validate_json(kept["body"])
    there.is_as_recounted(first)
    assert said[1:] == [f"snapshot 1 is published, of {first.people} people"]
    assert 1 < keeper.look() <= 60
    assert len(there.documents()) == 1, "none is due"
    assert "publishing.publish" in there.flow.rollcall("audit", "list").stdout


def test_a_preview_shows_what_is_held_back_and_writes_nothing(there: Published, tmp_path: Path) -> None:
    sent(there.flow, tmp_path, generated()[FIRST:FIRST + 60])
    before, versions = there.documents(), there.versions()
    shown = json.loads(there.flow.rollcall("publish", "preview", "--json").stdout)
    assert (shown["base"], shown["held"], shown["snapshot"]["number"]) == (1, None, 2)
    counts: dict[str, int] = {}
    for row in there.rows():
        counts[row["nationalities"]] = counts.get(row["nationalities"], 0) + 1
    small = {key for one in shown["held_back"] if (one["table"], one["why"]) == ("nationalities", "fewer than 10 people")
             for key in one["keys"]}
    assert small == {nat for nat, people in counts.items() if people < 10}
    assert "would be published (--base 1)" in there.flow.rollcall("publish", "preview").stdout
    assert (there.documents(), there.versions()) == (before, versions)
    assert there.published().number == 2


def test_of_two_who_publish_at_once_one_does(there: Published) -> None:
    base, before = there.versions(), len(there.documents())
    command = [sys.executable, "-m", "engine.cli", "publish", "run", "--base", str(base)]
    both = [subprocess.Popen(command, cwd=CLONE, env=there.flow.environment(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=240)[1] for one in both]
    assert sorted(one.returncode for one in both) == [0, 75], said
    assert (there.versions(), len(there.documents())) == (base + 1, before + 1)
    there.is_as_recounted(Snapshot.model_validate_json(there.documents()[base + 1]["body"]))


def test_of_two_who_have_prepared_the_same_one_publishes(there: Published) -> None:
    base, together = there.versions(), Barrier(2)
    came_to: list[object] = []

    def publish() -> None:
        with Publishing.opened(there.flow.settings) as publishing:
            prepared: Prepared = publishing.prepare()
            together.wait(60)
            try:
                came_to.append(publishing.carry_out(prepared, "ada").snapshot.number)
            except Overtaken as error:
                came_to.append(str(error))

    both = [Thread(target=publish) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
    assert sorted(map(str, came_to)) == sorted(
        [str(base + 1), f"Meanwhile ada has published release {base + 1}. Look at what would be published now."])
    assert there.versions() == base + 1
    there.is_as_recounted(Snapshot.model_validate_json(there.documents()[base + 1]["body"]))


def test_who_is_killed_before_the_snapshot_has_published_nothing_and_counts_as_seen(there: Published, tmp_path: Path) -> None:
    base, before = there.versions(), there.documents()
    sent(there.flow, tmp_path, generated()[FIRST + 60:SECOND])
    killed = subprocess.run([sys.executable, "-c", DIES], cwd=CLONE, env=there.flow.environment(), check=False, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    assert there.documents() == before, "nobody sees it"
    assert there.versions() == base + 1
    with Publishing.opened(there.flow.settings) as publishing:
        assert publishing.due_at() is None, "the next one is due at once"
        last = publishing.last()
    assert last is not None
    there.is_as_recounted(last.snapshot)
    log = tmp_path / "keeper.log"
    with log.open("w") as out:
        keeper = subprocess.Popen([sys.executable, "-m", "engine.cli", "retention", "keep"], cwd=CLONE,
                                  env=there.flow.environment(), stdout=out, stderr=subprocess.STDOUT)
        try:
            there.flow.until("the keeper publishes", lambda: f"snapshot {base + 2} is published" in log.read_text(), 120)
        finally:
            keeper.send_signal(signal.SIGTERM)
            ended = keeper.wait(120)
    assert ended == 0, log.read_text()
    assert "stopped" in log.read_text()
    there.is_as_recounted(Snapshot.model_validate_json(there.documents()[base + 2]["body"]))
    assert base + 1 not in there.documents()


@pytest.mark.proof
def test_people_who_are_erased_between_two_releases_leave_by_the_rule(there: Published) -> None:
    counts: dict[str, list[str]] = {}
    for uuid, row in there.flow.rows().items():
        counts.setdefault(row["nat"], []).append(uuid)
    nat, people = max(counts.items(), key=lambda one: len(one[1]))
    (cell,) = [cell for cell in there.published().nationalities.cells if cell.key == nat]
    for erased in (people[:3], people[3:12]):    # too few to be seen, then enough
        for uuid in erased:
            commands.send(there.flow.settings, there.flow.keys, "erase", uuid)
        there.flow.quiet()
        now_is = {one.key: one.people for one in there.published().nationalities.cells}
        if len(erased) == 3:
            assert now_is[nat] == cell.people
    there.flow.verified()


def test_a_withdrawn_snapshot_is_marked_and_still_counts_as_seen(there: Published) -> None:
    newest = max(there.documents())
    body = there.documents()[newest]["body"]
    there.flow.rollcall("publish", "withdraw", str(newest), "--because", "  ", code=2)
    there.flow.rollcall("publish", "withdraw", str(newest), "--because", "people came twice")
    kept = there.documents()[newest]
    assert kept["body"] == body
    assert kept["withdrawn"]["why"] == "people came twice"
    assert datetime.now(UTC) - kept["withdrawn"]["at"] < timedelta(minutes=5)
    listed = json.loads(there.flow.rollcall("publish", "list", "--json").stdout)
    assert [one["number"] for one in listed if one["withdrawn"]] == [newest]
    assert "people came twice" in there.flow.rollcall("publish", "list").stdout
    for number in (newest, 999):    # again, or one that never was
        done = there.flow.rollcall("publish", "withdraw", str(number), "--because", "x", code=65)
        assert f"no snapshot {number}" in done.stderr
    assert there.documents()[newest] == kept
    assert "people came twice" in there.flow.rollcall("audit", "list").stdout
    assert there.published().number == newest + 1, "tested against it, too"


@pytest.mark.proof
def test_a_snapshot_that_another_hand_has_altered_is_named(there: Published) -> None:
    """With the view's own password: on FerretDB it may write them."""
    before = there.documents()
    number = next(number for number, kept in sorted(before.items()) if not kept["withdrawn"])
    false = Snapshot.model_validate_json(before[number]["body"]).model_copy(update={"people": 5000}).model_dump_json()
    with mongo_client(there.flow.settings, "view") as client:
        snapshots = client[there.flow.settings.mongo.database][SNAPSHOTS]
        snapshots.update_one({"_id": number}, {"$set": {"body": false}})
        try:
            found = json.loads(there.flow.rollcall("verify", "--json", code=1).stdout)
            assert [(one["where"], one["what"]) for one in found["findings"]] == [(f"snapshot {number}", CHANGED)]
            assert found["snapshots"] == len(before)
            assert f"snapshot {number} is altered" in str(there.run(code=65))
        finally:
            snapshots.update_one({"_id": number}, {"$set": {"body": before[number]["body"]}})
    assert there.documents() == before
    there.flow.verified()


def test_a_snapshot_without_its_ledger_holds_everything(there: Published) -> None:
    before = there.documents()
    with mongo_client(there.flow.settings, "provision") as client:
        snapshots = client[there.flow.settings.mongo.database][SNAPSHOTS]
        snapshots.insert_one({"_id": 500, "body": "{}", "withdrawn": None})
        try:
            assert "snapshot 500 is in MongoDB, its ledger is not in Cassandra" in str(there.run(code=65))
            held = json.loads(there.flow.rollcall("publish", "preview", "--json", code=1).stdout)
            assert "snapshot 500" in held["held"]
        finally:
            snapshots.delete_one({"_id": 500})
    assert there.documents() == before


def test_aggregates_that_contradict_each_other_are_not_published(there: Published) -> None:
    before = there.documents()
    with mongo_client(there.flow.settings, "provision") as client:
        arrivals = client[there.flow.settings.mongo.database]["arrivals"]
        one = arrivals.find_one({"counts.users": {"$gt": 0}})
        assert one is not None
        arrivals.update_one({"_id": one["_id"]}, {"$inc": {"counts.users": 1}})
        try:
            assert "do not count the same people" in str(there.run(code=65))
        finally:
            arrivals.update_one({"_id": one["_id"]}, {"$inc": {"counts.users": -1}})
    assert there.documents() == before
    there.published()


def test_while_a_turn_is_open_nothing_is_read(there: Published) -> None:
    """A stream that died in the middle of the aggregates leaves documents newer than the last closed turn."""
    with mongo_client(there.flow.settings, "provision") as client:
        database = client[there.flow.settings.mongo.database]
        one = database["users_by_nationality"].find_one()
        assert one is not None
        ahead = (one["counts"]["stamp"] // EPOCH + 1) * EPOCH - 1    # the last turn there can be
        database["users_by_nationality"].update_one({"_id": one["_id"]}, {"$set": {"counts.stamp": Int64(ahead)}})
        try:
            with pytest.raises(live.Unsettled):
                live.read(database, datetime.now(UTC).date(), within_s=0.5)
        finally:
            database["users_by_nationality"].update_one({"_id": one["_id"]}, {"$set": {"counts.stamp": one["counts"]["stamp"]}})
        assert live.read(database, datetime.now(UTC).date()).people == len(there.rows())


def test_ledgers_are_sealed_at_rest(there: Published) -> None:
    with cassandra_session(there.flow.settings, "inspector") as session:
        bodies = [row.body for row in session.execute(
            f"SELECT body FROM {there.flow.settings.cassandra.keyspace}.records WHERE record = 'publication/figures'")]
    assert len(bodies) == there.versions()
    assert all(body.startswith("sealed:") for body in bodies)


def test_the_register_speaks_of_what_is_published(there: Published) -> None:
    with Records.opened(there.flow.settings) as records:
        register = Register(records)
        register.seed("system test")
        entries = [version.entry for version in register.in_force()]
    found = drift(entries, survey(there.flow.settings))
    assert [str(one) for one in found if "snapshots" in one.where or "records" in one.where] == []
