"""Erasures beside their verdicts: what a run is told, how it ends when nothing carries it, what a command says of it."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.cli import persons_rights
from engine.rights import control, erasure
from engine.rights.erasure import BEGUN, NotCommanded, _Erasure
from engine.rights.persons import About, Person
from engine.rights.topics import Letters, Said
from engine.settings import Settings
from engine.stores.records import ENDED, ERASURE, Record
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome, Verdict
from tests.app.requests_place import FakeRecords
from tests.test_persons import ADA

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
COPIES = Verdict("backups", Outcome.EXTERNAL, "snapshots stand", recipient="who runs Cassandra")


def begun(records: FakeRecords, ago: timedelta) -> None:
    """A run that was killed before its command."""
    at = datetime.now(UTC) - ago
    proof = Proof("R-1", at, 1, (), (Verdict("kafka:people", Outcome.NOT_ERASED, "a run was begun"),))
    records.add(Record(ERASURE, "R-1", 1, "open", json.dumps(proof.as_json()), at, "erasure", ""))


def test_an_erasure_that_broke_off_before_its_command_is_said_and_not_taken_from_a_run_that_goes_on(
        settings: Settings, records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rights.topics.control", lambda *_: Said([], 0, 0))
    begun(records, BEGUN - timedelta(minutes=1))
    assert erasure.again(settings, "R-1", 1.0, lambda _: None, nullcontext()) is None
    assert erasure.waiting(settings) == ["R-1"], "whoever began it may be about to send the command"
    records.there.clear()
    begun(records, BEGUN)
    with pytest.raises(NotCommanded, match=r"Erasure R-1 was begun at .*, and nothing was commanded.*run it again"):
        erasure.again(settings, "R-1", 1.0, lambda _: None, nullcontext())
    assert erasure.waiting(settings) == []
    assert [one.state for one in records.versions(ERASURE, "R-1")] == ["open", ENDED]


def test_a_run_on_top_of_one_that_broke_off_is_begun_anew(settings: Settings, records: FakeRecords) -> None:
    begun(records, BEGUN)
    erasing = _Erasure(settings, [ADA], "R-1", 1.0, lambda _: None)
    for _ in range(2):
        erasing._begin()
    assert [one.state for one in records.versions(ERASURE, "R-1")] == ["open", "open"], "once, for a while"


def test_the_command_says_what_is_in_other_hands(capsys: pytest.CaptureFixture[str]) -> None:
    persons_rights._show(Proof("R-1", NOW, 2, (7,), (COPIES,)))
    assert "2 people, request R-1: erased here; in other hands: backups." in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("records")
def test_the_address_of_the_request_is_looked_for_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[About] = []

    def taken_away(*given: Any) -> Letters:
        looked.append(given[2])
        return Letters((), (), ())

    monkeypatch.setattr("engine.rights.erasure.known", lambda *_: [Person(ADA, "a", frozenset({"another"}))])
    monkeypatch.setattr("engine.rights.erasure.taken_away", taken_away)
    (settings.home / "export.csv").write_text("ada@example.org,\n")
    plain, asked = (_Erasure(settings, [ADA], "R-1", 1.0, lambda _: None, emails) for emails in ([], [" ada@example.org"]))
    for erasing, hers in ((plain, set()), (asked, {ADA})):
        assert erasing._in_files().naming == len(hers), "also when the letters could not be read"
        list(erasing._letters())
        assert looked[-1](b'{"email": "ada@example.org"}') == hers
        assert {verdict.red for verdict in erasing._elsewhere()} == {bool(hers)}


def test_an_import_that_meets_other_commands_says_which_and_what_to_do(
        settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [{"at": n, "request": f"r-2026-00{n}", "value": "{}"} for n in range(3)]
    file = tmp_path / "commands.jsonl"
    file.write_text("\n".join(map(json.dumps, kept)))
    monkeypatch.setattr(control, "_stamped_by_the_broker", lambda _: None)
    monkeypatch.setattr(control, "_append", lambda *_: pytest.fail("nothing may be appended"))
    since = [{**kept[1], "request": request} for request in ("retention-20261128T120000Z", "r-2026-009", "r-2026-009")]
    monkeypatch.setattr(control, "_standing", lambda _: iter([kept[0], *since]))
    with pytest.raises(control.OtherCommands) as error:
        control.import_commands(settings, file)
    assert "from offset 1 on" in str(error.value)
    assert "has there those of retention-20261128T120000Z, r-2026-009. Is it" in str(error.value)
    assert "kafka-topics.sh --delete --topic" in str(error.value)
