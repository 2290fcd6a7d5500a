"""What becomes of an item before it is sent: the pure half of the producer."""

import json
import re
import threading
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.metrics import ProducerMetrics
from engine.producer import LARGEST, _Run, judged
from engine.sealing import ensure_keys, load_keys
from engine.settings import Settings
from engine.sources import Item
from tests.people import captured, generated, of_every_nationality

PERSON = generated()[0]
UUID = PERSON["login"]["uuid"]


def changed(**fields: Any) -> dict[str, Any]:
    return {**PERSON, **fields}


def test_real_people_become_records_under_their_uuid() -> None:
    for person in [*of_every_nationality(), *captured("1.2"), *captured("1.4")]:
        verdict = judged(Item("p", person))
        assert verdict.reason == ""
        assert verdict.uuid == person["login"]["uuid"]
        sent = json.loads(verdict.value)
        assert sent["login"] == {"uuid": verdict.uuid}
        assert sent["name"] == {"first": person["name"]["first"], "last": person["name"]["last"]}
        assert sent["location"]["postcode"] == person["location"]["postcode"]
        assert person["name"]["last"].encode() in verdict.value or '"' in person["name"]["last"]


@pytest.mark.parametrize("version", ["0.4", "1.1"])
def test_people_of_versions_without_a_uuid_are_dead_letters(version: str) -> None:
    for person in captured(version):
        assert judged(Item("p", person)).reason.startswith("login.uuid is missing")


def test_the_uuid_is_small_in_key_and_value() -> None:
    verdict = judged(Item("p", changed(login={"uuid": f" {UUID.upper()}"})))
    assert verdict.uuid == UUID
    assert json.loads(verdict.value)["login"]["uuid"] == UUID


@pytest.mark.parametrize(("person", "reason"), [
    (None, "The record holds nothing"), ([], "The record holds a list"), ("Ada", "The record holds text"),
    (7, "The record holds a number"), (True, "The record holds true or false"),
    ({}, "login.uuid is missing"), ({"error": "Uh oh"}, "login.uuid is missing"),
    ({"results": {"login": {"uuid": UUID}}}, "login.uuid is missing"),
    (changed(login={"uuid": None}), "login.uuid is missing"),
    (changed(login={"uuid": ""}), "login.uuid is no uuid"), (changed(login={"uuid": 5}), "login.uuid is no uuid"),
    (changed(login={"uuid": True}), "login.uuid is no uuid"),
    (changed(login={"uuid": UUID[:-1]}), "login.uuid is no uuid"),
    (changed(login={"uuid": "{" + UUID + "}"}), "login.uuid is no uuid"),
    (changed(login={"uuid": UUID.replace("-", "")}), "login.uuid is no uuid"),
    (changed(login=UUID), "login holds text where an object is allowed"),
    (changed(name=["Ada"]), "name holds a list where an object is allowed"),
    (changed(email={"a": 1}), "email holds an object where text or a number is allowed"),
    (changed(nat="\ud800"), "A field holds text that is not Unicode"),
    (changed(phone=float("nan")), "A field holds text that is not Unicode or a number"),
    (changed(phone="9" * LARGEST), "The person has"),
])
def test_what_is_no_person_has_a_reason_with_a_remedy_and_no_value(person: Any, reason: str) -> None:
    verdict = judged(Item("p", person))
    assert verdict.reason.startswith(reason)
    assert re.search(r"send (it|them|the record) again\.$", verdict.reason)
    assert (verdict.uuid, verdict.value) == ("", b"")
    for value in (UUID, PERSON["email"], PERSON["name"]["last"], "Ada"):
        assert value not in verdict.reason


def test_what_the_source_could_not_read_keeps_its_reason() -> None:
    assert judged(Item("p", None, b"{", "The line is not JSON.")).reason == "The line is not JSON."


def test_dropped_and_unknown_fields_are_counted() -> None:
    dropped = judged(Item("p", changed(shoe=43))).dropped
    assert dropped["login.password"] == dropped["id.value"] == dropped["(unknown)"] == 1


def test_no_letter_is_made_of_somebody_erased_whatever_the_setting(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings = settings.model_copy(update={"producer": settings.producer.model_copy(update={"skip_erased": False})})
    ensure_keys(settings)
    (settings.secrets / "producer.password").write_text("never used")
    letters: list[str] = []
    with ExitStack() as stack:
        source: Any = SimpleNamespace(name="replay", synthetic=False)
        run = _Run(settings, source, lambda _: None, threading.Event(), None, False, ProducerMetrics(), stack)
        run._erased._tokens = frozenset({load_keys(settings).suppression_token(UUID)})
        run._letters.put = lambda place, *_, **__: letters.append(place)    # type: ignore[method-assign]
        whose = {"erased": UUID, "bare": UUID.replace("-", "").upper(), "another": generated()[1]["login"]["uuid"]}
        for name, value in whose.items():
            run._item(Item(name, {**PERSON, "name": [], "login": {"uuid": value}}), b"now")
        assert [place.partition("#")[0] for place in letters] == ["another"]
        assert run._counts["erased_skipped"] == 2
        run._item(Item("good", PERSON), b"now")
        assert run._counts["erased_skipped"] == 2, "the stream bars a record"
