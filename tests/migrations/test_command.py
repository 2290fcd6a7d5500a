"""`rollcall migrate`: nothing else runs meanwhile, a dry run changes nothing, and what is done is said."""

from contextlib import nullcontext
from typing import Any

import pytest
import typer

from engine import shut
from engine.cli import migrate as command
from engine.cli.restore import StillOpen
from engine.migrations import migrating
from engine.migrations.documents import CountsAsOneValue
from engine.migrations.versions import Ahead
from engine.settings import Settings

STEP = Ahead("mongo", 2, CountsAsOneValue(), "12 documents of the aggregates")


@pytest.fixture
def done(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done, in order, in an installation with one step ahead."""
    seen: list[Any] = []

    def run(*_: object) -> int:
        seen.append("run")
        return 1

    def audited(_: Settings, act: str, __: str) -> nullcontext[None]:
        seen.append(act)
        return nullcontext()

    monkeypatch.setattr(command, "load", lambda: settings)
    monkeypatch.setattr(command, "require_closed", lambda _: seen.append("closed"))
    monkeypatch.setattr("engine.stack.servers_up", lambda *_: seen.append("servers"))
    monkeypatch.setattr(command, "audited", audited)
    monkeypatch.setattr(migrating, "look", lambda _: [STEP])
    monkeypatch.setattr(migrating, "run", run)
    return seen


def test_it_is_done_with_all_closed_and_in_the_audit(done: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    command.migrate()
    assert done == ["closed", "servers", "installation.migrate", "run"]
    assert "1 step taken" in capsys.readouterr().out


def test_a_dry_run_says_what_is_ahead_and_touches_nothing(done: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        command.migrate(dry_run=True)
    assert (ended.value.exit_code, done) == (1, [])
    said = " ".join(capsys.readouterr().out.split())
    assert "MongoDB, version 1 to 2: 12 documents of the aggregates. counts of a document become one value" in said
    assert "Nothing was changed" in said


def test_where_nothing_is_ahead_nothing_is_done(done: list[Any], monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(migrating, "look", lambda _: [])
    command.migrate()
    assert done == ["closed", "servers"]
    command.migrate(dry_run=True)
    assert "already: `rollcall up`" in capsys.readouterr().out


def test_neither_beside_a_program_nor_on_half_a_backup(settings: Settings, done: list[Any],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    def open_still(_: Settings) -> bool:
        raise StillOpen("stream runs")

    monkeypatch.setattr(command, "require_closed", open_still)
    with pytest.raises(StillOpen):
        command.migrate()
    shut.load(settings, "one")
    with pytest.raises(shut.HalfLoaded):
        command.migrate()
    assert done == []
