"""`rollcall backup` and `rollcall restore`: what is asked for, what is said, and that only a good end opens."""

import io
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from engine import shut
from engine.backup import loading, making, passphrase
from engine.backup.manifest import Kept, Manifest
from engine.backup.passphrase import PassphraseRefused
from engine.cli import backup as command
from engine.errors import NotServed, SettingsInvalid
from engine.settings import Settings
from engine.stores.audit import AuditLog

WORD = "four words nobody says"
MADE = Manifest("rollcall", "2026-11-30T06:00:00+00:00", 7, {"profiles": 2, "markers": 1}, {"batches": 3}, 4, {},
                {"commands.jsonl": Kept(5, "")}, seal="one")


class Terminal(io.StringIO):
    """Somebody sits there."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def done(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done, in order, in an installation whose parts do nothing."""
    seen: list[Any] = []

    def into_empty(*_: object) -> None:
        seen.append("loaded")
        shut.load(settings, MADE.seal, done=True)

    monkeypatch.setattr(command, "load", lambda: settings)
    monkeypatch.setattr(command, "audited", lambda _, act, *__: nullcontext(noted(seen, act, None)))
    monkeypatch.setattr(command, "require_closed", lambda _: False)
    monkeypatch.setattr(making, "make", lambda _, folder, keys, word, __: noted(
        seen, (folder, keys, word), MADE))
    monkeypatch.setattr(loading, "looked_at", lambda _, __, ring, ___, ____: noted(seen, ring, (MADE, settings)))
    monkeypatch.setattr(loading, "into_empty", into_empty)
    monkeypatch.setattr("engine.stack.servers_up", lambda *_: None)
    monkeypatch.setattr(AuditLog, "opened", lambda _: nullcontext(SimpleNamespace(
        checked=lambda: SimpleNamespace(entries=9, broken=[]))))
    monkeypatch.setattr(command, "carried_out_again", lambda *_: seen.append("carried out again"))
    monkeypatch.setattr("engine.verify.verify", lambda *_: noted(seen, "verified", report()))
    return seen


def noted(seen: list[Any], what: Any, answer: Any) -> Any:
    """The answer of a part of which it is noted that it was asked, and for what."""
    seen.append(what)
    return answer


def report(findings: int = 0) -> Any:
    from engine.verify import Finding, Report

    return Report(1, True, findings=[Finding(f"row {n}", "differs") for n in range(findings)])


def test_a_passphrase_is_read_or_asked_for_twice(settings: Settings, done: list[Any], tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder, keys, word = tmp_path / "monday", tmp_path / "keys", tmp_path / "word"
    word.write_text(f"{WORD}\n")
    command.backup(folder, keys, word)
    assert done == ["installation.backup", (folder, keys, WORD)]
    assert "2 rows, 1 markers, 3 documents, 4 commands" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SettingsInvalid, match="--passphrase-file"):
        command.backup(folder, keys, None)
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(typer, "prompt", lambda _, **how: noted(asked, how, "short"))
    with pytest.raises(PassphraseRefused):
        command.backup(folder, keys, None)
    assert asked == [{"hide_input": True, "confirmation_prompt": True, "err": True}]
    assert len(done) == 2, "nothing else was begun"


def test_without_keys_it_says_what_must_be_kept(settings: Settings, done: list[Any], tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    command.backup(tmp_path / "monday", None, None)
    said = " ".join(capsys.readouterr().out.split())
    assert "key ring is NOT in it" in said
    assert "keys.json nobody can read this backup: keep a copy" in said
    assert done[-1] == (tmp_path / "monday", None, "")


def test_a_restore_opens_when_all_agrees(settings: Settings, done: list[Any], tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    passphrase.write_keys(tmp_path / "keys", b"ring", WORD)
    (tmp_path / "word").write_text(WORD)
    command.restore(tmp_path, tmp_path / "keys", tmp_path / "word", None, 1.0)
    assert done == [b"ring", "loaded", "installation.restore", "carried out again", "verified"]
    assert not shut.stands(settings)
    assert shut.loaded(settings) is None
    said = capsys.readouterr()
    assert "they come back" in said.err, "nobody is known who was erased since"
    assert "Everything may open" in said.out


def test_what_differs_keeps_everything_shut(settings: Settings, done: list[Any], tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("engine.verify.verify", lambda *_: report(findings=2))
    with pytest.raises(typer.Exit) as ended:
        command.restore(tmp_path, None, None, tmp_path / "newest", 1.0)
    assert ended.value.exit_code == 1
    assert shut.stands(settings)
    said = capsys.readouterr()
    assert "2 places differ" in said.out
    assert "Nothing may open yet" in said.out
    assert "may open: " not in said.out
    assert "they come back" not in said.err


def test_what_was_loaded_is_not_loaded_again(settings: Settings, done: list[Any], tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise NotServed("it takes longer")

    with monkeypatch.context() as patch:
        patch.setattr(command, "carried_out_again", late)
        with pytest.raises(NotServed):
            command.restore(tmp_path, None, None, None, 1.0)
    assert shut.stands(settings)
    command.restore(tmp_path, None, None, None, 1.0)
    assert done.count("loaded") == 1
    assert not shut.stands(settings)
