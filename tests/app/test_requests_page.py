"""The Requests page: what the clocks say, a request from its receipt to its end, and by whom."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import words_requests as words
from engine.compliance import request_acts
from engine.compliance.request_acts import NOBODY
from engine.errors import StoreAway
from engine.stores.records import ERASURE, REQUEST, SUBJECT, Record
from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.result import Result
from governance.requests.step import Name
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome, Verdict
from tests.app.console_fake import UUID, FakeConsole
from tests.app.pages import opened, page_of, placed, said, until
from tests.app.requests_place import WON, Place

RED = Result(done=False, says="NOT ERASED in mongo", verdicts=(Verdict("mongo", Outcome.NOT_ERASED, "it does not answer"),))
ERASED = Result(done=True, says="Erased everywhere", evidence={"commands": "17"},
                verdicts=(Verdict("cassandra:profiles", Outcome.ERASED, "no file holds it"),))


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, in place of the process's."""
    return placed(tmp_path, monkeypatch)


@pytest.fixture
def place(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> Place:
    """No request yet."""
    made = Place(console.settings)
    for module in ("requests", "requests_one", "requests_package", "requests_steps"):
        monkeypatch.setattr(f"app.{module}.opened", made.opened)
    monkeypatch.setattr(request_acts, "ACTS", made.acts)
    return made


def page(console: FakeConsole, *roles: str) -> AppTest:
    test = opened(console, page_of("requests"), *(roles or ("officer",)))
    assert not test.exception, test.exception
    return test


def shown(test: AppTest) -> str:
    """Every text and every table."""
    return said(test) + "".join(str(frame.value.to_dict()) for frame in [*test.dataframe, *test.table])


def pressed(test: AppTest, key: str) -> AppTest:
    test.button(key).click().run()
    assert not test.exception, test.exception
    return test


def acts(console: FakeConsole) -> list[tuple[str, ...]]:
    return [entry[1:4] for entry in console.log.wrote]


def identified(place: Place, kind: str = "erasure") -> str:
    ref = place.logged(kind).request.ref
    place.requests.change(ref, None, "ada", "x", lambda asked: life.identified(asked, place.requests.today, "signed in"))
    return ref


def did(place: Place, ref: str, *names: str) -> None:
    for name in names:
        place.requests.did(ref, name, None, "ada", "e-mail of today", to="Printer Ltd")


@pytest.mark.parametrize("role", ["operator", "kafka admin", "analyst", "admin"])
def test_only_officers_see_requests(console: FakeConsole, place: Place, role: str) -> None:
    place.logged()
    test = opened(console, page_of("requests"), role, home=False)
    assert "r-" not in shown(test)
    assert any("requests.read" in one.value or "officer" in one.value for one in test.error)


def test_before_the_first_it_says_that_there_is_none(console: FakeConsole, place: Place) -> None:
    assert words.NONE in said(page(console))


def test_a_request_is_logged_and_the_page_says_what_gives_its_day(console: FakeConsole, place: Place) -> None:
    test = page(console)
    test.selectbox("request-new-f-request-new-kind").select("erasure")
    test.text_input("request-new-f-request-new-channel").input("letter")
    test.text_input("request-new-f-request-new-email").input("pia@example.org")
    pressed(test, "request-log")
    (kept,) = place.requests.all()
    days = place.requests.days(kept.request)
    assert words.logged(kept.request.ref, days.legal) in said(test)
    for line in days.law:
        assert line in said(test)
    assert {str(day) for day in (days.legal, days.target, days.first)} <= set(
        " ".join(f"{metric.value}" for metric in test.metric).split())
    assert ("requests.change", "new erasure", "done") in acts(console)
    text = shown(test) + "".join(str(entry) for entry in console.log.wrote)
    assert "pia@example.org" not in text, "neither the page nor the audit names anybody"
    assert "pia@example.org" not in kept.request.model_dump_json()
    assert place.requests.subject(kept.request.ref).email == "pia@example.org"    # type: ignore[union-attr]


def test_what_cannot_be_logged_says_why_and_stays_typed(console: FakeConsole, place: Place) -> None:
    test = page(console)
    test.text_input("request-new-f-request-new-channel").input("letter")
    pressed(test, "request-log")
    assert "say whom it is about" in said(test)
    assert test.text_input("request-new-f-request-new-channel").value == "letter"
    test.text_area("request-new-f-request-new-fields").input("{")
    pressed(test, "request-log")
    assert words.NOT_A_FIELD in said(test)
    test.text_area("request-new-f-request-new-fields").input('{"name": {"first": "Ada"}}')
    test.text_input("request-new-f-request-new-uuid").input(UUID)
    pressed(test, "request-log")
    assert "go with a rectification" in said(test)
    assert place.requests.all() == []


def test_what_is_late_and_what_is_behind_stands_first(console: FakeConsole, place: Place) -> None:
    today = place.requests.today
    late = place.requests.log(Kind.ACCESS, today - timedelta(days=60), "letter", {"uuid": UUID}, "ada", "x").request.ref
    behind = next(one.request.ref for days in range(27, 34) if (one := place.requests.log(
        Kind.ACCESS, today - timedelta(days=days), "letter", {"uuid": UUID}, "ada", "x")) and
        place.requests.days(one.request).behind(today) and not place.requests.days(one.request).late(today))
    test = page(console)
    assert [words.over_time([late])] == [one.value for one in test.error]
    assert behind in test.warning[0].value
    listed = test.dataframe[0].value
    assert listed.iloc[0][words.REF] == late
    assert "days late" in listed.iloc[0][words.CLOCK]


def test_an_erasure_from_receipt_to_proof(console: FakeConsole, place: Place) -> None:
    ref = place.logged().request.ref
    test = page(console)
    assert words.ASK_FIRST in said(test)
    test.text_input(f"request-identify-f-{ref}-how").input("signed in")
    pressed(test, "request-identify-do")
    pressed(test, f"request-run-{Name.FIND}")
    until(test, lambda test: words.step_came_to(ref, "find", WON.says) in said(test))
    pressed(test.run(), f"request-run-{Name.ERASE}")
    assert words.UNSURE in said(test), "what nobody undoes asks for the number"
    place.results[Name.ERASE] = RED
    test.text_input("request-sure").input(ref)
    pressed(test, f"request-run-{Name.ERASE}")
    until(test, lambda test: words.step_open(ref, "erase", RED.says) in said(test))
    test.run()
    assert "NOT ERASED" in shown(test)
    assert words.CLOSE not in said(test)
    place.results[Name.ERASE] = ERASED
    test.text_input("request-sure").input(ref)
    pressed(test, f"request-run-{Name.ERASE}")
    until(test, lambda test: words.step_came_to(ref, "erase", ERASED.says) in said(test))
    test.run()
    assert "no file holds it" in shown(test)
    for name in ("recipients", "answer"):
        test.text_input(f"request-evidence-{name}").input("e-mail of today")
        pressed(test, f"request-did-{name}")
    assert words.ALL_DONE in said(test)
    pressed(test, "request-close")
    assert words.closed(ref) in said(test)
    assert place.requests.subject(ref) is None
    assert place.did == [f"find {UUID}", f"erase {UUID}", f"erase {UUID}"]
    assert UUID not in "".join(one.body for one in place.records.there), "the proof holds nobody"
    assert ("requests.run", f"{ref} {Name.ERASE}", "failed") in acts(console), "what is not done was not done"
    assert ("requests.run", f"{ref} {Name.ERASE}", "done") in acts(console)


def test_a_package_that_is_gone_is_made_anew_and_none_that_waits_is_closed_away(console: FakeConsole, place: Place) -> None:
    ref = identified(place, "access")
    place.requests.run(ref, "find", place.acts[Name.FIND], "ada", lambda _: None)
    test = page(console)
    pressed(test, f"request-run-{Name.PACKAGE}")
    until(test, lambda test: words.step_came_to(ref, "package", WON.says) in said(test))
    assert f"request-run-{Name.PACKAGE}" not in [one.key for one in test.run().button], "one waits"
    did(place, ref, "hand over", "answer")
    pressed(test.run(), "request-close")
    assert "its package waits until" in said(test)
    assert place.packages.state(ref) is not None
    pressed(test, "request-take")
    assert "request-zip" in str(test.main), "the download may break"
    assert "make it again (tab Steps)" in said(test)
    pressed(test, f"request-run-{Name.PACKAGE}")
    until(test, lambda _: place.did.count(f"package {UUID}") == 2)
    until(test, lambda test: words.step_came_to(ref, "package", WON.says) in said(test))
    state = place.packages.state(ref)
    assert state is not None
    assert state.taken_at is None, "the new one waits"
    pressed(test.run(), "request-take")
    pressed(test, "request-close")
    assert words.closed(ref) in said(test)


def test_a_closed_erasure_shows_what_was_found_since(console: FakeConsole, place: Place) -> None:
    ref = identified(place)
    place.results[Name.ERASE] = RED.model_copy(update={"done": True, "evidence": {"commands": "17"}, "verdicts": (
        Verdict("kafka:people", Outcome.EXPIRES_ON, "compaction", datetime(2027, 1, 1, tzinfo=UTC)),)})
    for name in (Name.FIND, Name.ERASE):
        place.requests.run(ref, name, place.acts[name], "ada", lambda _: None)
    did(place, ref, "recipients", "answer")
    place.requests.close(ref, None, "ada", "done")
    proof = Proof(ref, datetime.now(UTC), 1, (17,), (Verdict("kafka:people", Outcome.ERASED, "a scan finds nothing"),))
    place.records.add(Record(ERASURE, ref, 1, "done", json.dumps(proof.as_json()), proof.at, "erasure", ""))
    test = page(console)
    test.toggle("request-closed-too").set_value(True).run()
    assert "a scan finds nothing" in shown(test)
    assert "erased everywhere" in shown(test)
    assert "compaction" not in shown(test), "that is what was true before"


def test_over_a_look_that_is_red_nothing_is_said_to_be_done(console: FakeConsole, place: Place) -> None:
    ref = identified(place)
    for name in (Name.FIND, Name.ERASE):
        place.requests.run(ref, name, place.acts[name], "ada", lambda _: None)
    did(place, ref, "recipients", "answer")
    assert words.ALL_DONE in said(page(console))
    proof = Proof(ref, datetime.now(UTC), 1, (17,), RED.verdicts)
    place.records.add(Record(ERASURE, ref, 1, "open", json.dumps(proof.as_json()), proof.at, "erasure", ""))
    test = page(console)
    assert words.not_erased(["mongo"]) in said(test)
    assert words.ALL_DONE not in said(test)
    pressed(test, "request-close")
    assert "the last look found NOT ERASED in mongo" in said(test)
    assert f"request-run-{Name.ERASE}" in [one.key for one in test.button], "it is offered again"


def test_somebody_who_was_not_found_can_be_sought_again(console: FakeConsole, place: Place) -> None:
    ref = place.logged(email="pia@example.org").request.ref
    place.requests.change(ref, None, "ada", "x", lambda asked: life.identified(asked, place.requests.today, "x"))
    place.results[Name.FIND] = NOBODY
    test = page(console)
    for times in (1, 2):
        pressed(test, f"request-run-{Name.FIND}")
        until(test, lambda _, times=times: place.did.count("find ") == times)    # type: ignore[misc]
        until(test, lambda test: words.step_came_to(ref, "find", NOBODY.says) in said(test))
        test.run()
    place.results.clear()
    pressed(test, f"request-run-{Name.FIND}")
    until(test, lambda test: words.step_came_to(ref, "find", WON.says) in said(test))
    assert f"request-run-{Name.FIND}" not in [one.key for one in test.run().button], "now it is settled"


def test_a_step_that_breaks_off_says_so_and_can_be_run_again(console: FakeConsole, place: Place) -> None:
    ref = identified(place)
    place.results[Name.FIND] = StoreAway("Cassandra does not answer.", "Cassandra")
    test = page(console)
    pressed(test, f"request-run-{Name.FIND}")
    until(test, lambda test: "Cassandra does not answer." in said(test))
    test.run()
    assert not place.requests.newest(ref).request.done("find")
    assert words.run_of("find", True, False) in said(test)
    place.results.clear()
    pressed(test, f"request-run-{Name.FIND}")
    until(test, lambda test: words.step_came_to(ref, "find", WON.says) in said(test))
    assert place.requests.newest(ref).request.run_of("find").times == 2    # type: ignore[union-attr]


def test_of_several_with_one_address_the_officer_says_which(console: FakeConsole, place: Place) -> None:
    ref = place.logged(email="pia@example.org").request.ref
    place.requests.change(ref, None, "ada", "x", lambda asked: life.identified(asked, place.requests.today, "x"))
    place.results[Name.FIND] = Result(done=False, says="2 people have this address")
    test = page(console)
    pressed(test, f"request-run-{Name.FIND}")
    until(test, lambda test: words.step_open(ref, "find", "2 people have this address") in said(test))
    test.run()
    test.text_input("request-whom-uuid").input("nobody")
    pressed(test, "request-whom-do")
    assert "a uuid looks like" in said(test)
    test.text_input("request-whom-uuid").input(UUID)
    pressed(test, "request-whom-do")
    assert place.requests.subject(ref).uuid == UUID    # type: ignore[union-attr]
    newest = place.requests.newest(ref)
    assert words.changed(ref, newest.n, "under way") in said(test)


def test_requests_are_read_once_a_run(console: FakeConsole, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (place.logged().request.ref for _ in range(2))
    test, read, newest = page(console), list[str](), place.records.newest

    def counted(kind: str) -> list[Record]:
        read.append(kind)
        return newest(kind)

    monkeypatch.setattr(place.records, "newest", counted)
    test.run()
    assert [kind for kind in read if kind in (REQUEST, SUBJECT)] == [REQUEST, SUBJECT]
    assert words.same_person([second]) in said(test) or words.same_person([first]) in said(test)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(console: FakeConsole, place: Place) -> None:
    ref = place.logged().request.ref
    test = page(console)
    test.text_input(f"request-assign-f-{ref}-to").input("eve")
    place.requests.change(ref, None, "bob", "assigned", lambda asked: life.assigned(asked, "bob"))
    pressed(test, "request-assign-do")
    assert "Meanwhile bob saved version 2" in said(test)
    assert "They changed assigned" in said(test)
    assert place.requests.newest(ref).request.assigned == "bob"
    assert test.text_input(f"request-assign-f-{ref}-to").value == "eve", "nothing typed is lost"
    pressed(test, "request-assign-do")
    assert place.requests.newest(ref).request.assigned == "eve"


def test_identity_extension_refusal_and_notes(console: FakeConsole, place: Place) -> None:
    ref = place.logged("access").request.ref
    test = page(console)
    test.text_input(f"request-ask-f-{ref}-why").input("another address")
    test.text_input(f"request-ask-f-{ref}-wanted").input("the last order")
    pressed(test, "request-ask-do")
    assert place.requests.newest(ref).request.state == "waiting for identity"
    pressed(test, "request-given")
    assert place.requests.newest(ref).request.state == "received"
    pressed(test, "request-extend-do")
    assert "extension.reason" in said(test)
    test.text_input(f"request-extend-f-{ref}-reason").input("40 came at once")
    pressed(test, "request-extend-do")
    assert "three months from the receipt" in said(test)
    test.text_input(f"request-note-f-{ref}-text").input("asked the archive")
    pressed(test, "request-note-do")
    assert "asked the archive" in shown(test)
    test.selectbox(f"request-refuse-f-{ref}-ground").select("excessive")
    test.text_input(f"request-refuse-f-{ref}-reason").input("the same each week")
    pressed(test, "request-refuse-do")
    assert place.requests.newest(ref).request.state == "refused"
    pressed(test, "request-close")
    assert words.closed(ref) in said(test)


def test_letters_are_prepared_when_the_audit_has_it(console: FakeConsole, place: Place) -> None:
    ref = place.logged().request.ref
    test = page(console)
    pressed(test, "request-prepare")
    assert "request-download" in str(test.main), "the letter is there"
    test.selectbox("request-letter-which").select("refusal").run()
    pressed(test, "request-prepare")
    assert "is not refused" in said(test)
    console.log.away = True
    test.selectbox("request-letter-which").select("receipt").run()
    pressed(test, "request-prepare")
    assert "The audit cannot be written" in said(test)
    assert [entry[3] for entry in console.log.wrote if entry[1] == "requests.export" and entry[2] == f"{ref} receipt"] == [
        "begun", "done"]


def test_whom_it_is_about_is_shown_when_asked_for_and_written_down(console: FakeConsole, place: Place) -> None:
    ref = place.logged().request.ref
    test = page(console)
    assert UUID not in shown(test)
    pressed(test, "request-whom-show")
    assert UUID in shown(test)
    assert ("requests.read", ref, "done") in acts(console)
    pressed(test, "request-whom-hide")
    assert UUID not in shown(test)
    console.log.away = True
    pressed(test, "request-whom-show")
    assert UUID not in shown(test)


def test_a_subject_that_was_not_forgotten_is_said_and_forgotten(console: FakeConsole, place: Place) -> None:
    ref = identified(place, "access")
    for name in ("find", "package"):
        place.requests.run(ref, name, place.acts[Name(name)], "ada", lambda _: None)
    did(place, ref, "hand over", "answer")
    place.requests.change(ref, None, "ada", "broke off", lambda asked: life.closed(asked, asked.runs[-1].began))
    test = page(console)
    assert words.not_forgotten([ref]) in said(test)
    pressed(test, "request-close")
    assert place.requests.leftover().closed == ()


def test_a_request_whose_logging_broke_off_is_said_and_forgotten_when_asked(console: FakeConsole, place: Place) -> None:
    began = datetime.now(UTC) - timedelta(hours=2)
    place.records.add(Record(SUBJECT, "r-2026-001", 1, "", f'{{"uuid": "{UUID}"}}', began, "ada", ""))
    test = page(console)
    assert words.not_logged("r-2026-001", began) in said(test)
    assert words.not_forgotten(["r-2026-001"]) not in said(test)
    pressed(test, "request-drop-r-2026-001")
    assert words.dropped("r-2026-001") in said(test)
    assert place.requests.leftover().unlogged == {}


def test_a_store_that_is_away_is_said(console: FakeConsole) -> None:
    assert "Cassandra does not answer." in said(page(console))
