"""Releases without servers: what goes in, when the next one is due, what a death in between leaves, and who says what."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from bson.int64 import Int64
from pymongo.database import Database

from engine.errors import StoreAway
from engine.provision.mongo import privileges, wanted_roles
from engine.publishing import live
from engine.publishing.altered import CHANGED, NO_LEDGER, altered
from engine.publishing.held_back import MOST, groups, listed
from engine.publishing.release import Kept, Overtaken, Prepared, Publishing
from engine.publishing.schedule import AGAIN_S, HELD_S, TRIED_AGAIN_S, Schedule
from engine.publishing.snapshots import Body, NoSuchSnapshot, Snapshots, digest
from engine.settings import Mongo, Settings
from engine.stores.schema import BY_NATIONALITY, PIPELINE_STATUS, SNAPSHOTS
from engine.stores.status import Status
from engine.writer.write_order import OpenTurn, WriterState
from governance.disclosure.figures import contradiction
from governance.disclosure.ledger import Back, Held, Why
from governance.disclosure.snapshot import Cell, Table
from tests.app.publishing_place import Place

T0 = datetime(2026, 11, 28, 12, tzinfo=UTC)
TODAY = date(2026, 11, 5)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A hundred people."""
    return Place(Settings(home=tmp_path), {"FR": 60, "DE": 40})


def test_documents_become_counts_of_plain_whole_numbers() -> None:
    births = {"female": {"1992-03": Int64(2)}, "male": {"1960-12": 1}}
    newborn = {"male": {"2026-11": 1}}
    made = live.figures([{"_id": "FR", "users": Int64(3), "births": births}, {"_id": "NO", "users": 1, "births": newborn},
                         {"_id": "DE", "users": 0}],
                        [{"_id": "example.com", "users": Int64(4)}], [{"_id": "2026-11-05T09", "users": 4}], TODAY, False)
    assert made.gender_ages == {"female 30-39": 2, "male 60-69": 1, "male 0-9": 1}
    assert all(type(count) is int for table in (made.nationalities, made.gender_ages, made.domains) for count in table.values())
    assert made.ages["FR"] == pytest.approx(2 * 34.64 + 65.89, abs=0.02)
    assert made.ages["NO"] == 0.0, "the 15th of this month is still to come"
    assert made.ages["DE"] == 0.0
    assert contradiction(made) == ""


@pytest.mark.parametrize("wrong", [{"_id": "FR"}, {"_id": "FR", "users": "many"}, {"_id": "FR", "users": 1, "births": 7},
                                   {"_id": "FR", "users": 1, "births": {"female": {"March": 1}}}])
def test_a_document_of_another_shape_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(live.Misshapen):
        live.figures([wrong], [], [], TODAY, False)


def read(place: Place) -> Any:
    return live.read(cast(Database[Any], place), TODAY, 0.0, lambda _: None)


def is_so(place: Place, writer: WriterState) -> None:
    place[PIPELINE_STATUS].documents["writer"] = {"_id": "writer", "lease": 1, **asdict(writer)}


def test_that_people_were_made_up_goes_into_the_figures(place: Place) -> None:
    assert not read(place).synthetic
    place[PIPELINE_STATUS].documents["figures"] = {"_id": "figures", "synthetic": True}
    assert read(place).synthetic


def test_a_reading_in_the_middle_of_a_turn_is_none(place: Place) -> None:
    assert read(place).people == 100
    is_so(place, WriterState(turn=4, open=OpenTurn(4, 1, "", 0, 0)))
    assert read(place).people == 100, "what is open has written no document yet"
    place[BY_NATIONALITY].documents["FR"]["counts"]["stamp"] += 1
    with pytest.raises(live.Unsettled):
        read(place)
    is_so(place, WriterState(turn=4))
    assert read(place).people == 100
    is_so(place, WriterState(turn=4, recount=True))
    with pytest.raises(live.Unsettled):
        read(place)


def test_a_first_turn_that_is_open_is_not_read(place: Place) -> None:
    is_so(place, WriterState(turn=3, open=OpenTurn(3, 0, "", 0, 0)))
    with pytest.raises(live.Unsettled):
        read(place)


@pytest.mark.parametrize(("meanwhile", "readings"), [(WriterState(turn=3), 1), (WriterState(turn=9), 1),
                                                     (WriterState(epoch=2, turn=3), 2), (WriterState(recount=True), 2)])
def test_a_recount_meanwhile_makes_it_read_again(place: Place, monkeypatch: pytest.MonkeyPatch, meanwhile: WriterState,
                                                 readings: int) -> None:
    states = iter([WriterState(turn=3), meanwhile, WriterState(turn=3), WriterState(turn=3)])
    monkeypatch.setattr(Status, "writer", lambda _: next(states))
    assert live.read(cast(Database[Any], place), TODAY, 9.0, lambda _: None).people == 100
    assert len(list(states)) == 4 - 2 * readings


def test_the_first_releases_follow_faster_until_the_hour_is_reached(place: Place) -> None:
    at, pauses = T0, []
    for _ in range(9):
        place.released(at=at)
        last = place.publishing.last()
        assert last is not None
        pauses.append((last.snapshot.next_at - at).total_seconds() / 60)
        at = last.snapshot.next_at
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60]


def test_who_dies_in_between_counts_as_seen_and_the_next_is_due_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.released(at=T0)
    assert place.publishing.due_at() == T0 + timedelta(minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        place.count({"FR": 75, "DE": 40})
        with pytest.raises(KeyboardInterrupt):
            place.released(at=T0 + timedelta(hours=1))
    assert place.publishing.due_at() is None
    assert set(place[SNAPSHOTS].documents) == {1}
    place.count({"FR": 84, "DE": 40})    # nine more than nobody saw
    assert place.released(at=T0 + timedelta(hours=2)) == 3
    (cell,) = [cell for cell in place.publishing.snapshots.newest(1)[0].snapshot.nationalities.cells if cell.key == "FR"]
    assert cell.people == 70, "as of 75, which is taken as seen"
    assert set(place[SNAPSHOTS].documents) == {1, 3}


def test_what_another_has_published_meanwhile_stays_alone(place: Place) -> None:
    prepared = place.publishing.prepare(T0)
    place.released("ada", T0)
    with pytest.raises(Overtaken, match="Meanwhile ada has published release 1"):
        place.publishing.carry_out(prepared, "bob")
    assert set(place[SNAPSHOTS].documents) == {1}


def test_a_number_that_is_there_is_never_replaced(place: Place) -> None:
    place.released(at=T0)
    body = place[SNAPSHOTS].documents[1]["body"]
    last = place.publishing.last()
    assert last is not None
    with pytest.raises(NoSuchSnapshot, match="is there already"):
        place.publishing.snapshots.add(last.snapshot.model_copy(update={"people": 5000}))
    assert place[SNAPSHOTS].documents[1]["body"] == body


def test_a_snapshot_without_its_ledger_holds_everything(place: Place) -> None:
    place.released(at=T0)
    place.versions_there.clear()
    outcome = place.publishing.prepare(T0 + timedelta(hours=1)).outcome
    assert isinstance(outcome, Held)
    assert "its ledger is not in Cassandra" in outcome.why


@pytest.mark.parametrize("other", ["{}", None, 7])
def test_a_snapshot_that_was_altered_holds_everything_until_it_is_out_of_view(place: Place, other: object) -> None:
    for hour in range(3):
        place.released(at=T0 + timedelta(hours=hour))
    place[SNAPSHOTS].documents[2]["body"] = other or place[SNAPSHOTS].documents[1]["body"]
    outcome = place.publishing.prepare(T0 + timedelta(hours=4)).outcome
    assert isinstance(outcome, Held)
    assert outcome.why == ("snapshot 2 is altered in MongoDB: its figures are not those that were published; "
                           "`rollcall publish withdraw 2` takes it out of view")
    place.publishing.snapshots.withdraw(2, "altered", T0)
    assert place.released(at=T0 + timedelta(hours=4)) == 4


def test_what_is_no_number_is_no_snapshot_of_ours(place: Place) -> None:
    place.released(at=T0)
    body = place[SNAPSHOTS].documents[1]["body"]
    place[SNAPSHOTS].documents["1"] = {"_id": "1", "body": body, "withdrawn": None}
    found = altered(place.publishing.snapshots.bodies(), place.versions())
    assert [(one.number, one.what) for one in found] == [("'1'", NO_LEDGER)]


def test_a_snapshot_is_found_in_its_record_whatever_stands_in_it(place: Place) -> None:
    place.released(at=T0)
    last = place.publishing.last()
    assert last is not None
    odd = Table(cells=(Cell(key='a","ledger":{"b', people=100),), other=0)
    snapshot = last.snapshot.model_copy(update={"domains": odd})
    record = replace(place.versions_there[0], body=Kept(snapshot=snapshot, ledger=last.ledger).model_dump_json())
    assert altered([Body(1, digest(snapshot.model_dump_json()), shown=True)], [record]) == []
    assert [one.what for one in altered([Body(1, digest(last.snapshot.model_dump_json()), shown=True)], [record])] == [CHANGED]


def test_the_keeper_says_once_why_not_and_again_when_that_changes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Publishing, "opened", classmethod(lambda cls, _: place.opened()))

    @contextmanager
    def audited(target: str) -> Iterator[None]:
        said.append(target)
        yield

    keeper = Schedule(place.settings, "keeper", said.append, audited)
    place.count({"FR": 9})
    assert [keeper.look() for _ in range(3)] == [AGAIN_S] * 3
    assert said == ["nothing is published: there are fewer than 10 people"]
    place.count({"FR": 30, "DE": 30})
    assert 50 < keeper.look() <= 60
    assert said[1:] == ["snapshot 1", "snapshot 1 is published, of 60 people"]
    assert 50 < keeper.look() <= 60
    assert len(said) == 3
    is_so(place, WriterState(recount=True))
    place[SNAPSHOTS].documents.clear()    # the newest has no snapshot, so a release is due
    monkeypatch.setattr(live.read, "__defaults__", (0.0, lambda _: None))
    assert [keeper.look(), keeper.look()] == [TRIED_AGAIN_S] * 2
    assert len(said) == 4
    assert said[-1].startswith("The stream was writing")


def test_what_failed_is_the_keepers_to_say_and_a_later_release_that_is_held_is_not_tried_all_the_time(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    keeper = Schedule(place.settings, "keeper", said.append, lambda _: nullcontext())

    def away(_: object) -> None:
        raise StoreAway("MongoDB does not answer.", "MongoDB")

    monkeypatch.setattr(Publishing, "opened", away)
    with pytest.raises(StoreAway, match="MongoDB does not answer"):
        keeper.look()
    assert said == []
    monkeypatch.setattr(Publishing, "opened", classmethod(lambda cls, _: place.opened()))
    place.released(at=datetime.now(UTC) - timedelta(days=1))
    monkeypatch.setattr(Publishing, "prepare", lambda _: Prepared(1, Held("the tables do not agree", datetime.now(UTC))))
    assert [keeper.look(), keeper.look()] == [HELD_S, HELD_S]
    assert said == ["nothing is published: the tables do not agree"]


def test_what_is_held_back_is_told_without_what_people_typed_and_never_without_end() -> None:
    hours = [Back(table="arrivals", key=f"h{n}", why=Why.NOT_AMONG) for n in range(MOST + 3)]
    back = [Back(table="nationalities", key="NZ", why=Why.SMALL), Back(table="domains", key="big.example", why=Why.KEPT),
            Back(table="domains", key="ada.example", why=Why.SMALL), Back(table="domains", key="ada home", why=Why.NO_NAME)]
    told = {(group.table, group.why): listed(group) for group in groups([*back, *hours])}
    assert told["nationalities", Why.SMALL] == "NZ"
    assert told["domains", Why.SMALL] == told["domains", Why.NO_NAME] == "1, not named"
    assert told["domains", Why.KEPT] == "big.example"
    assert told["arrivals", Why.NOT_AMONG].endswith(f"h{MOST - 1} and 3 more")


def test_what_is_held_back_is_not_kept(place: Place) -> None:
    place.count({"FR": 60, "DE": 40, "NO": 1})
    place.released(at=T0)
    kept = Kept.model_validate_json(place.versions_there[0].body)
    assert kept.ledger.held_back == ()
    assert kept.ledger.base["nationalities"]["NO"] == 1, "by which the next release sees what changed"


def test_on_a_real_mongodb_the_view_may_read_snapshots_and_nothing_else() -> None:
    mongo = Mongo()
    own = privileges(mongo)

    def may(user: str) -> set[tuple[str, str]]:
        return {(one["resource"]["collection"], action) for role in wanted_roles(mongo)[user]
                for one in own[role["role"]] for action in one["actions"]}

    assert may("view") == {("snapshots", "find")}
    assert {one for one in may("governance") if one[1] != "find"} == {
        (collection, action) for collection in ("snapshots", "pipeline_status") for action in ("insert", "update")}
    assert {collection for collection, _ in may("governance")} == {
        "snapshots", "pipeline_status", "users_by_nationality", "users_by_email_domain", "arrivals"}
