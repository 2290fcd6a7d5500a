"""Requests as they are kept, over records in memory: what an officer can do with one, and what keeps it open."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.compliance import request_acts
from engine.compliance.requests import RequestRefused
from engine.compliance.subjects import Leftover
from engine.errors import CommandRefused, CommandUnread, NotServed, RollcallError
from engine.rights.erasure import Lifted
from engine.settings import Settings
from engine.stores.records import ERASURE, REGISTER, REQUEST, SUBJECT, Record
from governance.register import Entry, Recipient, RecipientKind
from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.letters import Letter
from governance.requests.request import Ground
from governance.requests.result import Result
from governance.requests.step import Name
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome, Verdict
from tests.app.console_fake import UUID
from tests.app.requests_place import WON, Place
from tests.governance.request_cases import RED

PRINTER, POST, NODE = "Printer Ltd", "Post", "who runs Cassandra"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Settings(home=tmp_path))


def begun(place: Place, kind: str = "erasure", *steps: Name, **about: Any) -> str:
    """A request of somebody who is known, with these steps of the product done."""
    ref = place.logged(kind, **about).request.ref
    place.requests.change(ref, None, "ada", "x", lambda asked: life.identified(asked, place.requests.today, "signed in"))
    for name in steps:
        ran(place, ref, name)
    return ref


def ran(place: Place, ref: str, name: Name) -> Result | None:
    run = place.requests.run(ref, name, place.acts[name], "ada", lambda _: None).request.run_of(name)
    return run.result if run else None


def looked(place: Place, ref: str, *verdicts: Verdict) -> None:
    """What the keeper found since: a proof knows milliseconds."""
    run = place.requests.newest(ref).request.run_of(Name.ERASE)
    assert run is not None
    proof = Proof(ref, run.began + timedelta(milliseconds=1), 1, (17,), verdicts)
    place.records.add(Record(ERASURE, ref, 1, "open", json.dumps(proof.as_json()), proof.at, "erasure", ""))


def refused(place: Place, ref: str) -> None:
    place.requests.change(ref, None, "ada", "refused", lambda asked: life.refused(
        asked, place.requests.today, Ground.EXEMPT, "what is not there cannot be corrected"))


def told(place: Place, ref: str, to: str, says: str = "letter of today") -> Result:
    run = place.requests.did(ref, Name.RECIPIENTS, None, "ada", says, to=to).request.run_of(Name.RECIPIENTS)
    assert run is not None
    assert run.result is not None
    return run.result


def test_each_recipient_is_told_one_at_a_time_and_then_the_step_is_done(place: Place) -> None:
    (record,) = (one for one in place.records.there if one.kind == REGISTER)
    entry = Entry.model_validate_json(record.body)
    post = Recipient(name=POST, kind=RecipientKind.PROCESSOR, country="FR")
    place.records.there[place.records.there.index(record)] = replace(record, body=entry.model_copy(
        update={"recipients": (*entry.recipients, post)}).model_dump_json())
    node = Verdict("cassandra:profiles", Outcome.EXTERNAL, "nodes hold them", recipient=NODE)
    place.results[Name.ERASE] = Result(done=True, says="so", evidence={"command": "17"}, verdicts=(node,))
    ref = begun(place, "erasure", Name.FIND, Name.ERASE)
    with pytest.raises(RequestRefused, match="Say which recipient was told"):
        told(place, ref, "nobody of them")
    first = told(place, ref, PRINTER, "letter of Monday")
    assert (first.done, first.says) == (False, "1 of 3 recipients are told; not yet: Post, who runs Cassandra")
    assert told(place, ref, PRINTER, "letter of Monday") == first, "the same once more is nobody else"
    assert not told(place, ref, POST).done
    last = told(place, ref, NODE)
    assert (last.done, last.says) == (True, "3 of 3 recipients are told")
    assert dict(last.evidence) == {PRINTER: "letter of Monday", POST: "letter of today", NODE: "letter of today"}
    place.requests.did(ref, Name.ANSWER, None, "ada", "letter")
    assert place.requests.close(ref, None, "ada", "done").request.closed_at


@pytest.mark.parametrize("fields", [{"nationality": "FR"}, {"phone": ""}, {"name": "Ada"}, {"email": "no address"}])
def test_what_cannot_be_corrected_is_refused_when_it_is_logged(place: Place, fields: dict[str, Any]) -> None:
    with pytest.raises(RequestRefused) as error:
        place.logged("rectification", uuid=UUID, fields=fields)
    assert "no address" not in str(error.value), "no value is repeated"
    assert [one for one in place.records.there if one.kind in (REQUEST, SUBJECT)] == []


def test_a_correction_that_cannot_be_commanded_is_refused_with_reasons_and_closed(place: Place) -> None:
    ref = begun(place, "rectification", Name.FIND, uuid=UUID, fields={"phone": "0479-1"})
    place.results[Name.RECTIFY] = CommandRefused("The person is erased.")
    result = ran(place, ref, Name.RECTIFY)
    assert result is not None
    assert (result.done, result.says) == (False, "The person is erased.")
    with pytest.raises(RequestRefused, match="rectify"):
        place.requests.close(ref, None, "ada", "done")
    refused(place, ref)
    assert place.requests.close(ref, None, "ada", "done").request.closed_at


@pytest.mark.parametrize("error", [CommandUnread("The stream could not read it."), NotServed("It did not come in time.")])
def test_what_was_sent_and_not_seen_to_be_carried_out_is_not_refused(place: Place, error: RollcallError) -> None:
    ref = begun(place, "rectification", Name.FIND, uuid=UUID, fields={"phone": "0479-1"})
    place.results[Name.RECTIFY] = error
    with pytest.raises(type(error)):
        ran(place, ref, Name.RECTIFY)
    with pytest.raises(RequestRefused, match="was begun at"):
        refused(place, ref)


def test_a_request_without_a_reason_leaves_nothing(place: Place) -> None:
    before = list(place.records.there)
    with pytest.raises(RequestRefused, match="Say why"):
        place.requests.log(Kind.ERASURE, place.requests.today, "letter", {"uuid": UUID}, "ada", " ")
    assert place.records.there == before


def test_an_erasure_whose_person_was_lifted_comes_to_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.results[Name.ERASE] = RED
    ref = begun(place, "erasure", Name.FIND, Name.ERASE)

    def lifted(*_: object) -> Proof:
        raise Lifted("Somebody was lifted since.")

    monkeypatch.setattr(request_acts, "erase", lifted)
    run = place.requests.run(ref, Name.ERASE, request_acts.ACTS[Name.ERASE], "ada", lambda _: None).request.run_of(Name.ERASE)
    assert run is not None
    assert run.result is not None
    assert (run.result.done, run.result.verdicts) == (True, ())
    assert "lifted since" in run.result.says
    told(place, ref, PRINTER)
    place.requests.did(ref, Name.ANSWER, None, "ada", "letter")
    assert place.requests.close(ref, None, "ada", "they came back").request.closed_at


def test_over_a_newer_look_that_is_red_nothing_is_closed_and_the_letter_is_a_draft(place: Place) -> None:
    waits = Verdict("kafka:people", Outcome.EXPIRES_ON, "compaction", datetime(2027, 1, 1, tzinfo=UTC))
    place.results[Name.ERASE] = Result(done=True, says="so", evidence={"command": "17"}, verdicts=(waits,))
    ref = begun(place, "erasure", Name.FIND, Name.ERASE)
    told(place, ref, PRINTER)
    place.requests.did(ref, Name.ANSWER, None, "ada", "letter")
    assert "Draft" not in place.requests.letter(place.requests.newest(ref), Letter.DONE)
    looked(place, ref, Verdict("files", Outcome.NOT_ERASED, "an export names them"))
    with pytest.raises(RequestRefused, match="the last look found NOT ERASED in files"):
        place.requests.close(ref, None, "ada", "done")
    letter = place.requests.letter(place.requests.newest(ref), Letter.DONE)
    assert "Draft, not to be sent yet" in letter
    assert "Not erased yet" in letter
    place.results[Name.ERASE] = WON    # the export is deleted
    ran(place, ref, Name.ERASE)
    assert place.did.count(f"erase {UUID}") == 2
    assert place.requests.close(ref, None, "ada", "done").request.closed_at


def test_also_an_erasure_of_which_nothing_was_to_expire_is_done_anew_when_a_look_is_red(place: Place) -> None:
    ref = begun(place, "erasure", Name.FIND, Name.ERASE)
    assert ran(place, ref, Name.ERASE) == WON
    assert place.did.count(f"erase {UUID}") == 1, "it is settled"
    looked(place, ref, Verdict("mongo", Outcome.NOT_ERASED, "counts of nobody"))
    place.results[Name.ERASE] = RED
    ran(place, ref, Name.ERASE)
    assert not place.requests.newest(ref).request.done(Name.ERASE), "it is not done while it is red"


def test_a_request_whose_logging_broke_off_is_said_and_kept_until_it_is_logged_again(place: Place) -> None:
    def killed(record: Record) -> None:
        if record.kind == REQUEST:
            raise KeyboardInterrupt

    place.records.crash = killed
    with pytest.raises(KeyboardInterrupt):
        place.logged()
    place.records.crash = lambda _: None
    assert place.requests.leftover() == Leftover((), {}), "it may be being logged just now"
    with pytest.raises(RequestRefused, match="is none whose logging broke off"):
        place.requests.drop("r-2026-001")
    (broken,) = (one for one in place.records.there if one.kind == SUBJECT)
    began = datetime.now(UTC) - timedelta(hours=2)
    place.records.there[place.records.there.index(broken)] = replace(broken, at=began)
    assert place.requests.leftover() == Leftover((), {broken.name: began})
    other = begun(place, "access")
    assert other != broken.name
    refused(place, other)
    place.requests.close(other, None, "ada", "done")
    assert place.requests.subject(broken.name) is not None, "nobody else's close takes it away"
    place.requests.drop(broken.name)
    assert place.requests.subject(broken.name) is None
    assert place.requests.leftover() == Leftover((), {})
