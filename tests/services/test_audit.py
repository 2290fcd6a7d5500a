"""The audit on a real Cassandra: appended by many at once, strict, spooled while it is away, and found out when touched."""

import errno
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.clients import cassandra_session
from engine.errors import StoreAway
from engine.provision import provision
from engine.sealing import ensure_keys, load_keys
from engine.settings import CLONE, Settings
from engine.stores import audit as audits
from engine.stores.audit import AuditLog, Away, NotAudited
from governance.audit import BEGUN, DONE, FAILED, REFUSED, Head, moment
from tests.services.flow import Flow

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A keyspace and a folder of its own; no stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("audit"), "audit") as made:
        yield made


@pytest.fixture
def session(flow: Flow) -> Iterator[Any]:
    """As `console`, over an audit that is empty."""
    with cassandra_session(flow.settings, "provision") as admin:
        admin.execute(f"TRUNCATE {flow.settings.cassandra.keyspace}.audit", timeout=60)
    for path in (flow.settings.state / "audit").glob("*"):
        path.unlink()
    with cassandra_session(flow.settings, "console") as made:
        yield made


@pytest.fixture
def log(flow: Flow, session: Any) -> AuditLog:
    """The audit over that session."""
    return AuditLog(flow.settings, session, flow.keys)


@pytest.fixture
def away(flow: Flow) -> AuditLog:
    """The audit while Cassandra is away."""
    return AuditLog(flow.settings, Away(StoreAway("Cassandra does not answer.", "Cassandra")), flow.keys)


def test_entries_come_back_as_they_were_written_newest_first(log: AuditLog) -> None:
    for number in range(5):
        log.append("ada", "stream.stop", f"stream {number}", DONE, "a reason, with “signs” and 日本")
    assert [entry.target for entry in log.entries()] == [f"stream {number}" for number in (4, 3, 2, 1, 0)]
    assert [entry.n for entry in log.entries(before=3)] == [2, 1]
    assert log.broken() == []
    assert log.head().n == 5


def test_many_who_append_at_once_make_one_chain(flow: Flow, log: AuditLog) -> None:
    def appended(name: str) -> None:
        with cassandra_session(flow.settings, "console") as session:
            for number in range(10):
                AuditLog(flow.settings, session, flow.keys).append(name, "flow.read", str(number), DONE)

    threads = [threading.Thread(target=appended, args=(f"person {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.n for entry in log.entries()) == list(range(1, 41))
    assert log.broken() == []


def test_those_on_another_machine_take_no_number_twice(flow: Flow, log: AuditLog, tmp_path: Path, session: Any) -> None:
    elsewhere = AuditLog(flow.settings.model_copy(update={"home": tmp_path}), session, flow.keys)

    def appended(one: AuditLog) -> None:
        for number in range(10):
            one.append(who[one], "flow.read", str(number), DONE)

    who = {log: "somebody here", elsewhere: "somebody there"}
    threads = [threading.Thread(target=appended, args=(one,)) for one in who]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.n for entry in log.entries()] == list(range(20, 0, -1))
    assert log.broken() == []
    assert elsewhere.broken() == []


def test_an_entry_exactly_like_ours_is_not_taken_for_ours(flow: Flow, log: AuditLog, session: Any, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    at = moment(datetime.now(UTC))
    monkeypatch.setattr(audits, "moment", lambda _: at)
    elsewhere = AuditLog(flow.settings.model_copy(update={"home": tmp_path}), session, flow.keys)
    newest, old = elsewhere._newest, [Head()]
    monkeypatch.setattr(elsewhere, "_newest", lambda _: old.pop() if old else newest())    # just before the other writes
    for one in (log, elsewhere):
        one.append("ada", "stream.stop", "stream", DONE)
    assert [entry.n for entry in log.entries()] == [2, 1]
    assert log.broken() == []


def test_the_chain_goes_on_from_bucket_to_bucket(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "IN_ONE_BUCKET", 4)
    monkeypatch.setattr(audits, "PAGE", 3)
    for number in range(11):
        log.append("ada", "flow.read", str(number), DONE)
    assert [entry.n for entry in log.entries()] == list(range(11, 0, -1))
    assert [entry.n for entry in log.entries(before=8)] == list(range(7, 0, -1))
    assert log.broken() == []


@pytest.mark.parametrize(("change", "says"), [
    ("UPDATE {t} SET why = 'another' WHERE bucket = 0 AND n = 3", "entry 3 is not as it was written"),
    ("UPDATE {t} SET who = 'bob' WHERE bucket = 0 AND n = 1", "entry 1 is not as it was written"),
    ("DELETE FROM {t} WHERE bucket = 0 AND n = 2", "entry 2 is missing"),
    ("DELETE FROM {t} WHERE bucket = 0 AND n >= 4", "entries 4 to 5 are missing: the chain had reached 5"),
    ("DELETE FROM {t} WHERE bucket = 0", "entries 1 to 5 are missing: the chain had reached 5"),
    ("INSERT INTO {t} (bucket, n, at, who, act, target, result, why, previous, seal) "
     "VALUES (0, 6, '2026-11-28', 'eve', 'a', '', 'done', '', 'x', 'y')", "entry 6 is not as it was written")])
def test_verify_names_what_was_cut_edited_or_added(flow: Flow, log: AuditLog, session: Any, change: str, says: str) -> None:
    for number in range(5):
        log.append("ada", "stream.stop", str(number), DONE)
    assert "The audit is whole: 5 entries" in flow.rollcall("audit", "verify").stdout
    session.execute(change.format(t=f"{flow.settings.cassandra.keyspace}.audit"))
    told = flow.rollcall("audit", "verify", code=1).stdout
    assert says in told
    report = json.loads(flow.rollcall("audit", "verify", "--json", code=1).stdout)
    assert not report["ok"]
    assert says in report["broken"][0]["what"]


def test_a_cut_end_stays_named_whatever_is_appended_after(flow: Flow, log: AuditLog, session: Any) -> None:
    for number in range(5):
        log.append("ada", "stream.stop", str(number), DONE)
    session.execute(f"DELETE FROM {flow.settings.cassandra.keyspace}.audit WHERE bucket = 0 AND n >= 4")
    log.append("eve", "audit.verify", "audit", BEGUN)
    assert [link.what for link in log.broken()] == ["entries 4 to 5 are missing"]
    assert [entry.n for entry in log.entries()] == [6, 3, 2, 1]


def test_a_kept_head_names_a_cut_end_although_our_own_head_was_changed_to_fit(flow: Flow, log: AuditLog, session: Any,
                                                                             tmp_path: Path) -> None:
    copy, ours = tmp_path / "head.json", flow.settings.state / "audit" / "head.json"
    for number in range(5):
        log.append("ada", "stream.stop", str(number), DONE)
        if number == 2:
            third = ours.read_bytes()
    copy.write_bytes(ours.read_bytes())
    assert "The audit is whole: 5 entries" in flow.rollcall("audit", "verify", "--head", str(copy)).stdout
    session.execute(f"DELETE FROM {flow.settings.cassandra.keyspace}.audit WHERE bucket = 0 AND n >= 4")
    ours.write_bytes(third)
    assert "The audit is whole: 3 entries" in flow.rollcall("audit", "verify").stdout
    told = flow.rollcall("audit", "verify", "--head", str(copy), code=1).stdout
    assert "the kept head is of entry 5, and the chain ends at 3" in told
    copy.write_text("no head")
    assert "no copy of a head" in flow.rollcall("audit", "verify", "--head", str(copy), code=66).stderr


def test_an_entry_of_which_parts_were_taken_is_named(flow: Flow, log: AuditLog, session: Any) -> None:
    for number in range(3):
        log.append("ada", "stream.stop", str(number), DONE)
    session.execute(f"DELETE at, who, seal FROM {flow.settings.cassandra.keyspace}.audit WHERE bucket = 0 AND n = 2")
    assert "entry 2 is not as it was written" in flow.rollcall("audit", "verify", code=1).stdout


def test_a_damaged_line_of_the_file_holds_nothing_up(flow: Flow, log: AuditLog, away: AuditLog) -> None:
    away.append_or_keep("ada", "stream.stop", "stream", DONE)
    spool = flow.settings.state / "audit" / "spool.jsonl"
    with spool.open("a") as file:
        file.write('["2026-11-28T09:00')    # the disk was full
    away.append_or_keep("bob", "producer.stop", "producer", DONE)
    log.append("ada", "sign-out", "ada", DONE)
    assert [(entry.who, entry.act) for entry in log.entries()] == [
        ("ada", "sign-out"), ("bob", "producer.stop"), ("system audit", "audit.spool"), ("ada", "stream.stop")]
    assert '"2026-11-28T09:00' in spool.with_name("spool.damaged").read_text()
    assert log.broken() == []


def test_a_full_disk_does_not_keep_the_stream_from_stopping(away: AuditLog, monkeypatch: pytest.MonkeyPatch,
                                                            caplog: pytest.LogCaptureFixture) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.stores.audit.os.fsync", full)
    done = []
    with away.acting("ada", "stream.stop", "stream"):
        done.append("stopped")
    assert done == ["stopped"]
    assert "the audit has lost an entry" in caplog.text


def test_two_entries_that_changed_places_are_named(flow: Flow, log: AuditLog, session: Any) -> None:
    for number in range(4):
        log.append("ada", "stream.stop", str(number), DONE)
    table = f"{flow.settings.cassandra.keyspace}.audit"
    two, three = (session.execute(f"SELECT target, why, seal, previous, at FROM {table} WHERE bucket = 0 AND n = {n}").one()
                  for n in (2, 3))
    for n, row in ((3, two), (2, three)):
        session.execute(f"UPDATE {table} SET target = %s, why = %s, seal = %s, previous = %s, at = %s WHERE bucket = 0 "
                        f"AND n = {n}", (row.target, row.why, row.seal, row.previous, row.at))
    assert [link.n for link in log.broken()][:2] == [2, 3]


def test_an_act_stands_there_before_it_is_done_and_how_it_ended(log: AuditLog) -> None:
    with log.acting("ada", "letters.discard", "3 letters", "not wanted"):
        assert [(entry.act, entry.result) for entry in log.entries()] == [("letters.discard", BEGUN)]
    with pytest.raises(StoreAway), log.acting("ada", "letters.redrive", "1 letter"):
        raise StoreAway("Kafka does not answer.", "Kafka")
    with pytest.raises(ValueError, match="secret"), log.acting("ada", "accounts.change", "bob"):
        raise ValueError("a secret text of a library")
    assert [(entry.result, entry.why) for entry in log.entries()][:4] == [
        (FAILED, "ValueError"), (BEGUN, ""), (FAILED, "Kafka does not answer."), (BEGUN, "")]


def test_a_strict_act_is_not_done_while_the_audit_is_away(away: AuditLog) -> None:
    done = []
    with pytest.raises(NotAudited, match="so this was not done: Cassandra does not answer"), away.acting(
            "ada", "profiles.reveal", "person 1", "a complaint"):
        done.append("shown")
    assert done == []
    assert away.kept == 0, "nothing happened, so there is nothing to chain in later"


def test_a_stop_is_done_while_the_audit_is_away_and_chained_in_later(log: AuditLog, away: AuditLog) -> None:
    log.append("ada", "sign-in", "ada", DONE)
    with away.acting("ada", "stream.stop", "stream"):
        pass
    away.append_or_keep("eve", "producer.stop", "producer", REFUSED)
    assert away.kept == 3
    log.append("ada", "sign-out", "ada", DONE)
    assert log.kept == 0
    assert [(entry.act, entry.result) for entry in log.entries()] == [
        ("sign-out", DONE), ("producer.stop", REFUSED), ("stream.stop", DONE), ("stream.stop", BEGUN), ("sign-in", DONE)]
    assert log.broken() == []


def test_commands_that_change_accounts_are_in_the_audit(flow: Flow, log: AuditLog) -> None:
    made = flow.rollcall("accounts", "add", "grace", "--role", "operator", "--role", "analyst").stdout
    assert "shown this once: " in made
    flow.rollcall("accounts", "roles", "grace", "--role", "officer")
    for command, state in (("bind", "awaited"), ("unbind", "no")):
        flow.rollcall("accounts", command, "grace")
        there = json.loads(flow.rollcall("accounts", "list", "--json").stdout)
        assert [one["provider"] for one in there if one["name"] == "grace"] == [state]
    flow.rollcall("accounts", "disable", "grace")
    flow.rollcall("accounts", "disable", "nobody-here", code=65)
    there = json.loads(flow.rollcall("accounts", "list", "--json").stdout)
    assert [(one["name"], one["roles"], one["disabled"]) for one in there if one["name"] == "grace"] == [
        ("grace", ["officer"], True)]
    told = flow.rollcall("audit", "list", "--containing", "GRACE").stdout
    assert told.count("accounts.change") == 10
    password = made.rpartition("shown this once: ")[2].strip()
    assert len(password) >= 16
    assert password not in told + "".join(path.read_text() for path in (flow.settings.state / "audit").glob("*.json*"))


def test_a_search_looks_at_what_was_written_down_and_at_no_seal(flow: Flow, log: AuditLog) -> None:
    for number in range(1, 4):
        log.append("zoe", "stream.stop", f"stream {'xyz'[number - 1]}", DONE, "Wanted")
    for text, found in (("ZOE", [3, 2, 1]), ("stream y", [2]), ("wanted", [3, 2, 1]), ("3", [3]), ("00000", []), ("[", [])):
        report = json.loads(flow.rollcall("audit", "list", "--containing", text, "--json").stdout)
        assert [entry["n"] for entry in report] == found, text
    assert not any(entry.has(next(iter(log.entries())).seal[:4]) for entry in log.entries())


def test_a_check_tells_how_far_it_is(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "TOLD_EVERY", 2)
    for number in range(5):
        log.append("ada", "flow.read", str(number), DONE)
    told: list[int] = []
    assert log.broken(told.append) == []
    assert told == [2, 4]


def test_the_audit_holds_while_a_process_is_killed_between_its_writes(flow: Flow, log: AuditLog) -> None:
    """Killed after an append and before its head is kept, the next append goes on from what the store has."""
    log.append("ada", "sign-in", "ada", DONE)
    script = ("import os\nfrom engine.stores import audit\nfrom engine.settings import load\n"
              "audit.write_secret = lambda *_: os._exit(9)\n"
              "with audit.AuditLog.opened(load(), 'console') as log:\n    log.append('bob', 'sign-in', 'bob', 'done')\n")
    ended = subprocess.run([sys.executable, "-c", script], cwd=CLONE, env=flow.environment(), check=False)
    assert ended.returncode == 9
    log.append("ada", "sign-out", "ada", DONE)
    assert [(entry.n, entry.who) for entry in log.entries()] == [(3, "ada"), (2, "bob"), (1, "ada")]
    assert log.broken() == []


def test_provisioning_again_leaves_the_audit_as_it_is(flow: Flow, log: AuditLog) -> None:
    log.append("ada", "sign-in", "ada", DONE)
    ensure_keys(flow.settings)
    assert provision(flow.settings, lambda _: None, "cassandra") == 0
    assert load_keys(flow.settings) == flow.keys
    assert log.broken() == []
