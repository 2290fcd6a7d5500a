"""Requests on the real store: what is logged stays version by version, steps end the same after a crash, the subject goes."""

import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.clients import cassandra_session
from engine.compliance.register import Register
from engine.compliance.requests import Doing, Kept, RequestRefused, Requests, StaleRequest
from engine.errors import StoreAway
from engine.rights.forgotten import Forgotten
from engine.settings import CLONE, Settings
from engine.stores.records import REQUEST, SUBJECT, Record, Records
from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.letters import Letter
from governance.requests.request import Ground, Request, State
from governance.requests.result import Result
from governance.rights.verdict import Outcome, Verdict
from tests.people import CAPTURED, captured
from tests.services.flow import Flow
from tests.services.search import found

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

UUID = "9a723211-0e87-41f1-b1e4-ed1a15226b80"
RUNS = 50


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    with Flow(stack, tmp_path_factory.mktemp("requests"), "requests") as made:
        with Records.opened(made.settings) as records:
            Register(records).seed("system test")
        yield made


@contextmanager
def opened(flow: Flow) -> Iterator[Requests]:
    with Records.opened(flow.settings) as records:
        yield Requests(flow.settings, records, flow.keys)


def logged(requests: Requests, kind: Kind = Kind.ERASURE, **about: Any) -> str:
    return requests.log(kind, requests.today, "letter", about or {"uuid": UUID}, "ada", "received").request.ref


def identified(requests: Requests, ref: str) -> Kept:
    return requests.change(ref, None, "ada", "known", lambda asked: life.identified(asked, requests.today, "signed in"))


def test_the_life_of_a_request_by_commands(flow: Flow, tmp_path: Path) -> None:
    done = flow.rollcall("request", "log", "access", "--received", "2026-03-06", "--channel", "letter", "--uuid", UUID)
    assert "r-2026-001 is logged: Access (Art. 15 GDPR)" in done.stdout
    assert "6 April 2026 (Easter Monday) is no working day in FR" in done.stdout
    late = flow.rollcall("request", "list", code=1)
    assert "days late, it was due 2026-04-07" in late.stdout
    early = flow.rollcall("request", "step", "r-2026-001", "find", code=65)
    assert "before it is known who asks" in early.stderr
    assert "Traceback" not in early.stderr
    flow.rollcall("request", "ask", "r-2026-001", "--because", "a doubt", "--wanted", "the last order", "--on", "2026-03-10")
    flow.rollcall("request", "identify", "r-2026-001", "--how", "the last order", "--on", "2026-03-12")
    shown = flow.rollcall("request", "show", "r-2026-001").stdout
    assert "The clock stood for 2 days" in shown
    assert UUID not in shown
    assert f"about: {UUID}" in flow.rollcall("request", "show", "r-2026-001", "--subject").stdout
    flow.rollcall("request", "extend", "r-2026-001", "--because", "many", "--on", "2026-03-20")
    too_late = flow.rollcall("request", "refuse", "r-2026-001", "--ground", "excessive", "--because", "x", "--on", "2099-01-01",
                             code=65)
    assert "has not come yet" in too_late.stderr
    flow.rollcall("request", "assign", "r-2026-001", "ada")
    flow.rollcall("request", "note", "r-2026-001", "asked the archive")
    stale = flow.rollcall("request", "refuse", "r-2026-001", "--ground", "excessive", "--because", "x", "--base", "2", code=65)
    assert "They changed" in stale.stderr
    open_now = flow.rollcall("request", "close", "r-2026-001", code=65)
    assert "cannot be closed yet: find (Art. 12(2), 11(2) GDPR), package" in open_now.stderr
    letter = tmp_path / "receipt.html"
    flow.rollcall("request", "letter", "r-2026-001", "receipt", "--file", str(letter))
    assert letter.stat().st_mode & 0o777 == 0o600
    assert "data protection" in letter.read_text().lower() or "Whom you can ask" in letter.read_text()
    assert "is not refused" in flow.rollcall("request", "letter", "r-2026-001", "refusal", code=65).stderr
    flow.rollcall("request", "refuse", "r-2026-001", "--ground", "excessive", "--because", "each week", "--on", "2026-03-25")
    flow.rollcall("request", "close", "r-2026-001")
    assert "about: forgotten" in flow.rollcall("request", "show", "r-2026-001", "--subject").stdout
    said = json.loads(flow.rollcall("request", "show", "r-2026-001", "--json").stdout)
    assert (said["state"], said["late"], said["n"]) == ("closed", False, len(said["versions"]))
    assert said["request"]["extension"]["reason"] == "many"
    assert "No request is open." in flow.rollcall("request", "list").stdout
    audit = flow.rollcall("audit", "list").stdout
    assert "requests.change" in audit
    assert UUID not in audit


def test_an_address_is_read_from_standard_input_and_never_stands_in_clear(flow: Flow) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "request", "log", "access", "--channel", "e-mail", "--email"], cwd=CLONE,
        env=flow.environment(), input="pia.quist@example.org\n", capture_output=True, text=True, check=True)
    ref = done.stdout.split()[0]
    wrong = flow.rollcall("request", "log", "access", "--channel", "e-mail", code=65)
    assert "say whom it is about" in wrong.stderr
    with opened(flow) as requests, cassandra_session(flow.settings, "governance") as session:
        subject = requests.subject(ref)
        assert subject is not None
        assert subject.email == "pia.quist@example.org"
        rows = list(session.execute(f"SELECT * FROM {flow.settings.cassandra.keyspace}.records"))
        assert {row.record for row in rows} >= {f"{REQUEST}/{ref}", f"{SUBJECT}/{ref}"}
        assert "quist" not in str(rows).lower()
        assert "quist" not in requests.newest(ref).request.model_dump_json().lower()
        assert "quist" not in done.stdout.lower() + flow.rollcall("audit", "list").stdout.lower()


def test_what_two_do_at_once_is_refused_or_kept_and_never_lost(flow: Flow) -> None:
    with opened(flow) as requests, opened(flow) as others:
        first, second = logged(requests), logged(others)
        assert first != second
        others.change(first, 1, "eve", "mine", lambda asked: life.assigned(asked, "eve"))
        with pytest.raises(StaleRequest, match="eve saved version 2") as error:
            requests.change(first, 1, "ada", "mine too", lambda asked: life.assigned(asked, "ada"))
        assert error.value.theirs == {"assigned": ("", "eve")}
        same = requests.change(first, None, "ada", "again", lambda asked: life.assigned(asked, "eve"))
        assert same.n == 2, "nothing changed, so nothing is kept"
        with pytest.raises(RequestRefused, match="There is no request"):
            requests.newest("r-1999-001")
        with pytest.raises(RequestRefused, match="has not come yet"):
            requests.log(Kind.ACCESS, requests.today + timedelta(days=1), "letter", {"uuid": UUID}, "ada", "x")
        with pytest.raises(RequestRefused, match="which fields are to be corrected"):
            logged(requests, Kind.RECTIFICATION)
        assert second in requests.same_person(requests.newest(first).request)


def test_a_step_is_kept_while_a_note_is_written_during_its_act(flow: Flow) -> None:
    with opened(flow) as requests:
        ref = logged(requests)
        identified(requests, ref)

        def find(doing: Doing) -> Result:
            requests.change(ref, None, "eve", "note", lambda asked: life.noted(asked, asked.runs[0].began, "eve", "meanwhile"))
            return Result(done=True, says="found", evidence={"people": "1"})

        kept = requests.run(ref, "find", find, "ada", lambda _: None)
        assert kept.request.done("find")
        assert [note.text for note in kept.request.notes] == ["meanwhile"]
        with pytest.raises(RequestRefused, match="find is done by the product"):
            requests.did(ref, "find", None, "ada", "by hand")
        with pytest.raises(RequestRefused, match="comes after erase"):
            requests.did(ref, "answer", None, "ada", "letter")


def test_a_person_who_was_found_by_address_is_kept_and_no_other(flow: Flow) -> None:
    with opened(flow) as requests:
        ref = logged(requests, email="pia@example.org")
        requests.whom(ref, UUID.upper(), "ada")
        subject = requests.subject(ref)
        assert subject is not None
        assert subject.uuid == UUID
        requests.whom(ref, UUID, "ada")
        with pytest.raises(RequestRefused, match="about another person already"):
            requests.whom(ref, UUID.replace("9a", "9b"), "ada")
        assert "Whom you can ask" in requests.letter(requests.newest(ref), Letter.RECEIPT)
        assert "pia@example.org" in requests.letter(requests.newest(ref), Letter.RECEIPT)


@pytest.mark.proof
def test_each_kind_is_carried_out_by_the_stream(flow: Flow, tmp_path: Path) -> None:
    """The acts behind the steps, by the command: a correction, restrictions and their end, packages, an erasure."""
    flow.start()
    flow.produce(CAPTURED["1.4"])
    flow.quiet()
    one, other, third, fourth, last = (person["login"]["uuid"] for person in captured("1.4")[:5])

    def begun(kind: str, uuid: str, *more: str) -> str:
        ref = flow.rollcall("request", "log", kind, "--channel", "form", "--uuid", uuid, *more).stdout.split()[0]
        flow.rollcall("request", "identify", ref, "--how", "signed in")
        assert "Data about the person stand in" in flow.rollcall("request", "step", ref, "find").stdout
        return ref

    def did(ref: str, *names: str) -> None:
        for name in names:
            flow.rollcall("request", "step", ref, name, "--evidence", "letter")

    fields = tmp_path / "fields.json"
    fields.write_text('{"name": {"first": "Corrected", "last": "Quist"}}')
    ref = begun("rectification", one, "--fields", str(fields))
    flow.rollcall("request", "step", ref, "rectify")
    assert "Corrected" in flow.rows()[one]["full_name"]
    ref = begun("restriction", other)
    flow.rollcall("request", "step", ref, "restrict")
    assert not flow.rows()[other]["counted"]
    flow.rollcall("request", "step", ref, "lift", code=65)
    did(ref, "recipients", "answer", "announce")
    flow.rollcall("request", "step", ref, "lift")
    assert flow.rows()[other]["counted"]
    ref = begun("objection", other)
    flow.rollcall("request", "step", ref, "restrict")
    assert not flow.rows()[other]["counted"]
    did(ref, "weigh", "recipients", "answer")
    flow.rollcall("request", "close", ref)
    again = begun("restriction", other)
    flow.rollcall("request", "step", again, "restrict")
    did(again, "recipients", "answer", "announce")
    assert f"{ref} restricts the same person" in flow.rollcall("request", "step", again, "lift", code=65).stderr
    assert not flow.rows()[other]["counted"]
    flow.rollcall("request", "note", again, f"the person was told that {ref} ends, too")
    flow.rollcall("request", "step", again, "lift")
    assert flow.rows()[other]["counted"]
    for kind, person in (("access", third), ("portability", fourth)):
        ref, file = begun(kind, person), tmp_path / f"{kind}.zip"
        flow.rollcall("request", "step", ref, "package")
        assert "/package/" in flow.rollcall("request", "link", ref).stdout
        did(ref, "hand over", "answer")
        assert "its package waits until" in flow.rollcall("request", "close", ref, code=65).stderr
        missing = flow.rollcall("request", "package", ref, str(tmp_path / "missing" / "package.zip"), code=65)
        assert "nothing was taken" in missing.stderr
        flow.rollcall("request", "package", ref, str(file))
        assert file.stat().st_mode & 0o777 == 0o600
        with zipfile.ZipFile(file) as package:
            assert person in package.read("person.json").decode()
        gone = flow.rollcall("request", "package", ref, str(tmp_path / "again.zip"), code=65).stderr
        assert "handed out" in gone
        assert "`rollcall request step REF package` makes it anew" in gone
        assert not (tmp_path / "again.zip").exists()
        flow.rollcall("request", "step", ref, "package")
        assert "begun 2 times" not in flow.rollcall("request", "show", ref).stdout
        flow.rollcall("request", "package", ref, str(tmp_path / f"{kind}-again.zip"))
        flow.rollcall("request", "close", ref)
    ref = begun("erasure", last)
    done = flow.rollcall("request", "step", ref, "erase")
    assert "cassandra:profiles" in done.stdout
    assert last not in flow.rows()
    assert "NOT ERASED" not in flow.rollcall("request", "step", ref, "erase").stdout
    refused = flow.rollcall("request", "refuse", ref, "--ground", "excessive", "--because", "x", code=65)
    assert "erase of" in refused.stderr
    flow.rollcall("request", "step", ref, "recipients", "--evidence", "letter", "--to", "who makes the copies")
    did(ref, "answer")
    flow.rollcall("request", "close", ref)
    shown = flow.rollcall("request", "show", ref)
    assert "looked at" in shown.stdout
    assert "cassandra:profiles" in shown.stdout
    assert json.loads(flow.rollcall("request", "show", ref, "--json").stdout)["proofs"][-1]["done"]
    assert flow.stop() == 0


def test_whom_a_closed_request_was_about_goes_from_the_files(flow: Flow, stack: Settings) -> None:
    with opened(flow) as requests, cassandra_session(flow.settings, "governance") as session:
        ref = logged(requests, Kind.ACCESS, email="forgotten@canary-mail.example")
        place = f"{flow.settings.cassandra.keyspace}.records"
        body = session.execute(f"SELECT body FROM {place} WHERE record = '{SUBJECT}/{ref}'").one().body
        sealed = [body[-60:].encode()]
        assert found(stack, flow.settings, sealed)
        requests.change(ref, None, "ada", "x", lambda asked: life.refused(asked, requests.today, Ground.EXCESSIVE, "each week"))
        requests.close(ref, None, "ada", "done")
    assert found(stack, flow.settings, sealed), "deleted, and still in files"
    assert Forgotten(flow.settings).look()
    assert found(stack, flow.settings, sealed) == {}


class Crashing(Records):
    """Records of a process that ends: before its nth write, or after it before anybody learns of it."""

    def __init__(self, settings: Settings, session: Any, at: int, after: bool) -> None:
        super().__init__(settings, session)
        self._left, self._after = at, after

    def add(self, record: Record) -> Record:
        self._left -= 1
        if self._left != 0:
            return super().add(record)
        if self._after:
            super().add(record)
        raise StoreAway("the process ends here", "Cassandra")


def worked(requests: Requests, ref: str, told: list[str], fails: random.Random) -> None:
    """Everything that is to be done, as whoever begins again does it. told: what the acts did, as stores would have it."""
    def act(name: str) -> Any:
        def do(_: Doing) -> Result:
            if fails.random() < 0.2:
                raise StoreAway("a store ends here", "MongoDB")
            told.append(name)
            if name == "erase" and told.count("erase") == 1:
                return Result(done=False, says="NOT ERASED in mongo", verdicts=(
                    Verdict("mongo", Outcome.NOT_ERASED, "it does not answer"),))
            return Result(done=True, says="so", evidence={"offset": "17"})
        return do

    identified(requests, ref)
    for name in ("find", "erase"):
        requests.run(ref, name, act(name), "ada", lambda _: None)
    for name in ("recipients", "answer"):
        requests.did(ref, name, None, "ada", "letter of today")
    requests.close(ref, None, "ada", "done")


def test_a_crash_at_any_step_ends_the_same_when_it_is_run_again(flow: Flow) -> None:
    """50 seeded runs: a process ends before or after a write that is drawn, acts fail as drawn, and somebody begins again."""
    ends: set[str] = set()
    with Records.opened(flow.settings) as records, cassandra_session(flow.settings, "governance") as session:
        sound = Requests(flow.settings, records, flow.keys)
        for seed in range(RUNS):
            drawn, tries = random.Random(seed), 0
            told: list[str] = []
            ref = logged(sound)
            while sound.newest(ref).request.state is not State.CLOSED:
                tries += 1
                assert tries < 40, "it never ends"
                doomed = tries < 6 and drawn.random() < 0.8
                store = Crashing(flow.settings, session, drawn.randint(1, 9), drawn.random() < 0.5) if doomed else records
                try:
                    worked(Requests(flow.settings, store, flow.keys), ref, told, drawn)
                except (StoreAway, RequestRefused):
                    _claims_no_more_than_was_done(sound.newest(ref).request, told)
            sound.close(ref, None, "ada", "again, for the process may have ended before the subject went")
            assert sound.subject(ref) is None
            assert {"find", "erase"} <= set(told)
            assert told.count("erase") >= 2, "the first was NOT ERASED"
            ends.add(_end(sound.newest(ref).request))
    assert len(ends) == 1, "all ended the same"


def _claims_no_more_than_was_done(asked: Request, told: list[str]) -> None:
    for name in ("find", "erase"):
        assert not asked.done(name) or name in told, f"{name} is said to be done and never was"
    assert not asked.done("erase") or told.count("erase") >= 2, "NOT ERASED is no erasure"


def _end(asked: Request) -> str:
    """How it ended, without its number and moments."""
    return json.dumps([asked.kind, asked.state, *([run.step, bool(run.done), run.result.model_dump(mode="json") if run.result
                                                   else None] for run in asked.runs)])
