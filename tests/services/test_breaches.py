"""The breach log on the real store: what is logged stays, version by version, and is closed only when nothing is missing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from engine.clients import cassandra_session
from engine.compliance.breaches import Breaches, BreachRefused, breach_of
from engine.settings import Settings
from engine.stores.records import RecordDamaged, Records, Stale
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

LAPTOP = """
ref: lost-laptop
title: A laptop was left in a train
kinds: [confidentiality]
role: controller
detected_at: 2026-03-27T18:00+01:00
aware_at: 2026-03-27T20:00+01:00
activities: [people-stream]
"""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    with Flow(stack, tmp_path_factory.mktemp("breaches"), "breaches") as made:
        yield made


def test_the_life_of_a_breach_by_commands(flow: Flow, tmp_path: Path) -> None:
    file = tmp_path / "breach.yaml"
    file.write_text(LAPTOP)
    done = flow.rollcall("breach", "log", str(file), "--why", "found missing")
    assert "version 1 is logged" in done.stdout
    assert "h late" in done.stdout, "72 hours from 27 March are over"
    late = flow.rollcall("breach", "list", code=1)
    assert "lost-laptop" in late.stdout
    refused = flow.rollcall("breach", "close", "lost-laptop", "--why", "done", code=65)
    assert "Art. 33(3)" in refused.stderr
    shown = flow.rollcall("breach", "show", "lost-laptop").stdout
    assert "# missing: Art. 33(1)" in shown
    letter = tmp_path / "letter.html"
    flow.rollcall("breach", "letter", "lost-laptop", "--to", "authority", "--file", str(letter))
    assert "A laptop was left in a train" in letter.read_text()
    none = flow.rollcall("breach", "letter", "lost-laptop", "--to", "controllers", code=65)
    assert "Traceback" not in none.stderr
    fields = {**yaml.safe_load(LAPTOP), "risk": "unlikely", "not_notified_because": "the disk is encrypted",
              "decided_at": "2026-03-28T09:00+01:00", "nature": "a laptop with an encrypted disk",
              "subjects": {"categories": ["people of the source"], "number": 12},
              "records": {"categories": ["profiles"], "number": 12}, "consequences": "none is likely",
              "measures_taken": ["the key was revoked"], "cause": "forgotten", "people": {"needed": False, "reason": "no risk"},
              "contact": {"name": "DPO", "email": "dpo@rollcall.example"}}
    file.write_text(yaml.safe_dump(fields))
    flow.rollcall("breach", "log", str(file), "--why", "assessed")
    flow.rollcall("breach", "close", "lost-laptop", "--why", "all said")
    state = json.loads(flow.rollcall("breach", "list", "--json").stdout)[0]
    assert (state["state"], state["n"], state["late"]) == ("closed", 3, False)
    versions = json.loads(flow.rollcall("breach", "show", "lost-laptop", "--json").stdout)["versions"]
    assert [(one["n"], one["why"]) for one in versions] == [(1, "found missing"), (2, "assessed"), (3, "all said")]
    assert "breaches.change" in flow.rollcall("audit", "list").stdout


def test_what_is_told_of_a_breach_is_sealed_at_rest_and_tied_to_its_place(flow: Flow) -> None:
    told = breach_of(LAPTOP.replace("lost-laptop", "sealed").replace("A laptop", "The laptop of Ada Quist"))
    table = f"{flow.settings.cassandra.keyspace}.records"
    with Records.opened(flow.settings) as records, cassandra_session(flow.settings, "governance") as session:
        Breaches(records).save(told, 0, "ada", "first")
        body = session.execute(f"SELECT body FROM {table} WHERE record = 'breach/sealed' AND n = 1").one().body
        assert body.startswith("sealed:")
        assert "Ada Quist" not in body
        assert Breaches(records).versions("sealed")[0].breach == told
        clear = f"INSERT INTO {table} (record, n, kind, state, body, at, \"by\", why) VALUES (%s, %s, %s, '', %s, %s, '', '')"
        session.execute(clear, ("breach/old", 1, "breach", told.model_dump_json(), datetime.now(UTC)))
        assert Breaches(records).versions("old")[0].breach == told, "written before bodies were sealed"
        session.execute(clear, ("breach/moved", 1, "other", body, datetime.now(UTC)))
        with pytest.raises(RecordDamaged, match="Version 1 of moved is damaged"):
            records.versions("breach", "moved")
        for name in ("old", "moved"):
            session.execute(f"DELETE FROM {table} WHERE record = %s AND n = 1", (f"breach/{name}",))


def test_a_version_on_top_of_an_old_one_is_refused_and_so_is_what_cannot_be(flow: Flow, tmp_path: Path) -> None:
    with Records.opened(flow.settings) as records:
        log = Breaches(records)
        one = breach_of(LAPTOP.replace("lost-laptop", "two-officers"))
        log.save(one, 0, "ada", "first")
        with pytest.raises(Stale, match="ada saved version 1"):
            log.save(one, 0, "eve", "first, too")
        with pytest.raises(BreachRefused, match="Say why"):
            log.save(one, 1, "eve", "")
        assert "two-officers" in log.concerning("people-stream")
        with pytest.raises(BreachRefused, match="no breach 'nowhere'"):
            log.versions("nowhere")
    file = tmp_path / "mine.yaml"
    shown = flow.rollcall("breach", "show", "two-officers").stdout
    assert "based_on: 1" in shown
    file.write_text(shown.replace("title: A laptop", "title: My laptop"))
    with Records.opened(flow.settings) as records:
        Breaches(records).save(one.model_copy(update={"cause": "forgotten"}), 1, "ada", "cause")
    done = flow.rollcall("breach", "log", str(file), "--why", "mine", code=65)
    assert "Meanwhile ada saved version 2" in done.stderr
    assert "They changed cause." in done.stderr
    file.write_text(LAPTOP.replace("lost-laptop", "two-officers"))
    done = flow.rollcall("breach", "log", str(file), "--why", "foreign")
    assert "does not say on which version it is based (based_on), so it goes on top of version 2" in done.stderr
    with pytest.raises(BreachRefused, match="aware_at"):
        breach_of(LAPTOP.replace("2026-03-27T20:00+01:00", "2026-03-27T20:00"))
    with pytest.raises(BreachRefused, match="no YAML"):
        breach_of("a: [")
