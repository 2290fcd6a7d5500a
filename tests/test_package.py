"""What a package holds of the officer's files and of the register: all that is the person's, and of others no word."""

import json
from datetime import UTC, datetime

import jsonschema

from engine.rights.package import SCHEMA, holds, processing, schema
from engine.rights.persons import Person
from engine.stores.records import BREACH, REQUEST, SUBJECT, Record
from governance.register import CONTENT, entries
from governance.requests.subject import Subject
from tests.governance.request_cases import through
from tests.test_persons import ADA, BOB

TOKEN = "0123456789abcdef"
PERSON = Person(ADA, f"{TOKEN}ff", frozenset({"e"}))


def record(kind: str, body: str) -> Record:
    return Record(kind, "r-2026-001", 1, "", body, datetime(2026, 11, 28, tzinfo=UTC), "ada", "")


def test_what_requests_say_of_a_person_is_theirs_without_who_worked_on_it() -> None:
    asked = through("rectification").model_copy(update={"person": f"person {TOKEN}", "assigned": "officer-ada"})
    found = holds(record(REQUEST, asked.model_dump_json()), PERSON)
    assert found is not None
    assert (found["ref"], found["channel"]) == ("r-2026-001", "letter")
    assert {run["step"] for run in found["runs"]} == {"find", "rectify", "recipients", "answer"}
    assert "ada" not in json.dumps(found)
    assert holds(record(REQUEST, asked.model_copy(update={"person": "person ff"}).model_dump_json()), PERSON) is None
    subject = Subject(uuid=ADA, reply_to="12 Long Lane", fields={"phone": "0479-1"})
    found = holds(record(SUBJECT, subject.model_dump_json()), PERSON)
    assert found is not None
    assert (found["reply_to"], found["fields"]) == ("12 Long Lane", {"phone": "0479-1"})
    for other in (Subject(uuid=BOB, email="both@example.com"), Subject(email="both@example.com")):
        assert holds(record(SUBJECT, other.model_dump_json()), PERSON) is None, "somebody else's, or nobody knows whose"
    assert holds(record(BREACH, json.dumps({"title": f"{ADA} and {BOB}"})), PERSON) is None
    parts = json.loads(schema())["properties"]
    assert parts["schema"] == {"const": SCHEMA}
    jsonschema.validate([{"record": "subject/r-2026-001", "holds": found}, {"record": "breach/b", "holds": None}],
                        parts["kept_by_the_officer"])


def test_every_entry_of_the_register_that_is_about_a_person_is_there() -> None:
    inside = {one["ref"] for one in processing(entries(CONTENT.read_text(encoding="utf-8")))}
    assert inside == {"people-stream", "console-and-audit", "rights-register-breaches", "markers"}
