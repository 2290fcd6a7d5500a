"""After a restore: nothing is begun where commands are missing, and nothing but the stream starts before it is looked after."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine import shut
from engine.cli import restore as command
from engine.cli import retention
from engine.commands import Command, encode
from engine.compliance.requests import Requests
from engine.errors import CommandRefused, NotServed, ServerFailed
from engine.native.nodetool import sweep
from engine.processes import PROGRAMS, Status, Supervisor
from engine.rights import restore
from engine.rights.packages import Packages
from engine.rights.topics import Letters, Said, read_commands
from engine.settings import Settings
from engine.stores.records import REQUEST, RESTORED, Record, Records
from tests.app.requests_place import FakeRecords
from tests.test_persons import ADA, BOB, KEYS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def record(offset: int, value: bytes | None, key: bytes = b"R-1") -> Any:
    return SimpleNamespace(offset=offset, timestamp=1000, key=key, value=value)


def test_a_command_that_cannot_be_read_is_counted_and_what_names_nobody_is_not() -> None:
    other = type(KEYS)(KEYS.current, KEYS.columns, KEYS.email, KEYS.suppression, b"9" * 32, KEYS.dead)
    control = [record(0, encode(KEYS, "erase", "R-1", ADA)), record(1, encode(KEYS, "recount", "R-1")), record(2, None),
               record(3, b"tick"), record(4, encode(other, "erase", "R-1", BOB))]
    said = read_commands(KEYS, control, None)
    assert ([one.offset for one in said.commands], said.unread, said.end) == ([0, 1], 1, 5)
    assert [one.uuid for one in read_commands(KEYS, control, [KEYS.suppression_token(ADA)]).commands] == [ADA]


def test_nothing_may_be_said_to_be_in_order_with_commands_missing() -> None:
    restore.complete(Said([], 0, 5), 4)
    with pytest.raises(restore.CommandsMissing, match="2 of 5 commands"):
        restore.complete(Said([], 2, 5), 4)
    with pytest.raises(restore.CommandsMissing, match="at least 3 commands are missing"):
        restore.complete(Said([], 0, 5), 7)


@pytest.mark.parametrize("left", ["standing", "unmarked", "letters", "in_files", "segments"])
def test_what_is_left_keeps_everything_shut(left: str) -> None:
    assert restore.Restored(3, 1, 0, packages=2, in_files=0, segments=0).ok
    assert not restore.Restored(**{"commands": 3, "erased": 1, "standing": 0, left: 1}).ok


def test_while_it_is_shut_only_the_stream_starts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.execve", lambda *_: pytest.fail("it became a supervisord"))
    supervisor = Supervisor(settings)
    shut.shut(settings)
    assert shut.stale(settings) is None
    with pytest.raises(shut.KeptShut, match="restore-check"):
        supervisor.start("stream", "view")
    with pytest.raises(shut.KeptShut):
        supervisor.run("producer")
    with pytest.raises(ServerFailed):    # no supervisord runs here: it was asked
        supervisor.start("stream")
    shut.shut(settings, {"", "one"})
    assert shut.stale(settings) == {"", "one"}
    shut.opened(settings)
    with pytest.raises(ServerFailed):
        supervisor.start("console")


class Installation:
    """What `rollcall restore-check` works with; notes what is done."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, ok: bool = False) -> None:
        self.ok, self.pid = ok, 0
        self.done: list[str] = []
        monkeypatch.setattr(command, "load", lambda: settings)
        monkeypatch.setattr(command, "Supervisor", lambda _: self)
        monkeypatch.setattr("engine.stack.servers_up", lambda *_: None)
        monkeypatch.setattr(command, "require_current", lambda *_: None)
        monkeypatch.setattr(command, "audited", lambda *_: nullcontext())
        monkeypatch.setattr(restore, "check", self.check)
        monkeypatch.setattr(restore, "look", self.look)
        monkeypatch.setattr(restore, "requests", lambda _: (["r-2026-001"], ["r-2026-007"], ["r-2026-008"]))

    def status(self) -> dict[str, Status]:
        return {name: Status(name, "stopped", (self.pid or None) if name == "stream" else None) for name in PROGRAMS}

    def check(self, settings: Settings, *_: object) -> restore.Restored:
        assert shut.stands(settings)
        shut.shut(settings, {"old"})
        self.done.append("checkpoint set aside")
        self.pid = 4711
        return restore.Restored(1, 1, int(not self.ok))

    def look(self, _: Settings, before: set[str], *__: object) -> restore.Restored:
        self.done.append(f"waited, not for {sorted(before)}")
        return restore.Restored(1, 1, int(not self.ok))


def test_a_second_run_goes_on_waiting_and_only_a_good_end_opens(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = Installation(settings, monkeypatch)
    for _ in range(2):
        with pytest.raises(NotServed, match="Somebody erased is still there"):
            command.restore_check(None, 1.0)
        assert shut.stands(settings)
    assert installation.done == ["checkpoint set aside", "waited, not for ['old']"]
    installation.ok = True
    command.restore_check(None, 1.0)
    assert not shut.stands(settings)
    with pytest.raises(command.StillOpen):    # as ever: a stream that runs is none that a check began
        command.restore_check(None, 1.0)


def test_after_another_copy_was_put_back_it_begins_anew(
        settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installation = Installation(settings, monkeypatch, ok=True)
    shut.shut(settings, {"old"})    # a copy is put back with everything down
    command.restore_check(None, 1.0)
    assert installation.done == ["checkpoint set aside"]
    said = " ".join(capsys.readouterr().out.split())
    assert "Open there: r-2026-001; whom they are about stands there, too" in said
    assert "Commanded since, and not there: r-2026-007; log those again" in said
    assert "Named before by a restore-check, and not there: r-2026-008; log" in said
    assert "take them from your post" in said
    monkeypatch.setattr(restore, "requests", lambda _: ([], [], []))
    shut.shut(settings, {"old"})
    installation.pid = 0
    command.restore_check(None, 1.0)
    said = " ".join(capsys.readouterr().out.split())
    assert "not there: none" in said
    assert "(access, portability, not begun) nothing here tells of: take them from your post" in said, "also of an empty list"


def test_requests_are_as_old_as_the_copy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    records = FakeRecords()
    for ref, state in (("r-2026-001", "under way"), ("r-2026-002", "closed")):
        records.add(Record(REQUEST, ref, 1, state, "", datetime(2026, 11, 28, tzinfo=UTC), "ada", ""))
    said = [Command(n, 0, "erase", "a", ADA, ref) for n, ref in enumerate(("r-2026-001", "r-2026-007", "expire-1"))]
    monkeypatch.setattr(restore, "load_keys", lambda _: KEYS)
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: said)
    monkeypatch.setattr("engine.stores.records.Records.opened", lambda *_: nullcontext(records))
    assert restore.requests(settings) == (["r-2026-001"], ["r-2026-007"], [])
    assert restore.requests(settings) == (["r-2026-001"], [], ["r-2026-007"]), "it may have been logged again since"
    said[1] = Command(3, 0, "erase", "a", ADA, "r-2025-009")
    assert restore.requests(settings) == (["r-2026-001"], ["r-2025-009"], [])
    assert [json.loads(one.body) for one in records.versions(RESTORED, REQUEST)] == [
        ["r-2026-007"], ["r-2025-009", "r-2026-007"]]
    free = Requests(settings, cast(Records, records), KEYS)._free
    assert (free(2026), free(2025), free(2024)) == ("r-2026-008", "r-2025-010", "r-2024-001"), "of theirs none is given again"


class NoPackages:
    """A table of packages in which none is."""

    def purge_all(self) -> int:
        return 0


def test_who_is_erased_has_a_marker_that_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    token, marked = KEYS.suppression_token(ADA), dict[str, Any]()
    said = [Command(2, 0, "erase", token, ADA, "R-1")]
    answers: dict[str, Any] = {"load_keys": KEYS, "require_commands": None, "_wait": None, "known": [],
                               "taken_away": Letters((), (), ())}
    for name, answer in answers.items():
        monkeypatch.setattr(restore, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(Packages, "opened", lambda _: nullcontext(NoPackages()))
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: said)
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: marked)
    monkeypatch.setattr("engine.native.nodetool.local", lambda _: None)

    def ok() -> bool:
        return restore.look(settings, set(), 1.0, lambda _: None).ok

    assert not ok(), "there is none"
    marked[token] = {"erased": False, "last_command": 3}    # of a topic that is no more: the command was passed over
    assert not ok()
    marked[token] = {"erased": True, "last_command": 2}
    assert ok()


def test_half_a_backup_is_not_checked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = Installation(settings, monkeypatch, ok=True)
    shut.load(settings, "a backup")
    with pytest.raises(shut.HalfLoaded):
        command.restore_check(None, 1.0)
    assert installation.done == []
    shut.load(settings, "a backup", done=True)
    command.restore_check(None, 1.0)
    assert shut.loaded(settings) is None, "it opens what a restore has loaded, too"


def test_refs_are_kept_before_it_waits_and_what_no_marker_says_is_said(
        settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Installation(settings, monkeypatch)

    def late(*_: object) -> restore.Restored:
        raise NotServed("it takes longer")

    monkeypatch.setattr(restore, "check", late)
    with pytest.raises(NotServed):
        command.restore_check(None, 1.0)
    assert "not there: r-2026-007" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr(restore, "check", lambda *_: restore.Restored(3, 2, 0, unmarked=1))
    with pytest.raises(NotServed, match=r"1 of the 2 erased have no marker.*copy of Cassandra once more"):
        command.restore_check(None, 1.0)
    assert shut.stands(settings)


def test_one_erasure_that_is_refused_keeps_none_of_the_others_waiting(settings: Settings,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def again(_: Settings, request: str, *__: object) -> None:
        asked.append(request)
        if request == "R-1":
            raise CommandRefused("no")

    monkeypatch.setattr("engine.rights.erasure.waiting", lambda _: ["R-1", "R-2"])
    monkeypatch.setattr("engine.rights.erasure.again", again)
    monkeypatch.setattr(retention, "audited", lambda *_: nullcontext())
    with pytest.raises(CommandRefused):
        retention._erased(settings, lambda _: None)
    assert asked == ["R-1", "R-2"]


def test_what_killed_callers_of_nodetool_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "nodetool-dead").mkdir()
    (tmp_path / "nodetool-dead" / "nodetool.args").write_text(ADA)
    (tmp_path / "nodetool.lock").touch()
    (tmp_path / "cassandra").mkdir()
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"nodetool.lock", "cassandra"}
