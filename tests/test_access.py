"""Access to Kafka without one: what the broker's log says, rules that kafka-python cannot read, what is asked before."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from kafka.admin import ACL, ACLFilter, ACLOperation, UserScramCredentialUpsertion

from engine.access.apply import StillThere, Unfinished, plan_id
from engine.access.broker import AccessRefused, Broker, acl_of, rule_of
from engine.access.denied import Attempt, counted
from engine.access.scripts import scripts
from engine.access.state import first, version
from engine.access.users import PasswordUnsure, Users
from engine.cli import access as command
from engine.errors import RollcallError, StoreAway, StoreRefused
from engine.provision import changes
from engine.settings import Settings
from engine.stores.audit import AuditLog, NotAudited
from engine.stores.records import Record, Records
from governance.kafka_access.decide import Ground, Verdict
from governance.kafka_access.ownership import EVERYTHING
from governance.kafka_access.plan import Plan, plan
from tests.app.console_fake import FakeAudit
from tests.app.kafka_fake import FakeAdmin, FakeBroker, FakeRecords
from tests.governance.kafka_cases import rule, rules

READ = ("{at} INFO Principal = User:{who} is Denied operation = Read from host = 127.0.0.1 on resource = Topic:LITERAL:{topic} "
        "for request = Fetch with resourceRefCount = 1 based on rule {rule}")
CONFIGS = ("2026-11-28T16:00:03.000+02:00 INFO Principal = User:a is Denied operation = DescribeConfigs "
           "from host = 0:0:0:0:0:0:0:1 on resource = TransactionalId:LITERAL:a: is Denied b "
           "for request = DescribeConfigs with resourceRefCount = 2")


def read(at: str, who: str = "a", topic: str = "x", by: str = "DefaultDeny") -> str:
    return READ.format(at=f"2026-11-28T{at}.250Z", who=who, topic=topic, rule=by)


def test_refusals_are_counted_the_latest_first() -> None:
    lines = [read("10:00:02", by="MatchingAcl(acl=StandardAcl(...))"), read("10:00:00"), read("10:00:01"),
             "half a li", read("10:00:03", who="b"),
             CONFIGS, "2026-11-28T10:00:00.000Z INFO Principal = User:a is Allowed operation = Read from host"]
    mine = Attempt("User:a", "127.0.0.1", "READ", "topic", "x", "Fetch")
    latest, second, third, fourth = counted(lines)
    assert latest.attempt == Attempt("User:a", "0:0:0:0:0:0:0:1", "DESCRIBE_CONFIGS", "transactional_id", "a: is Denied b",
                                     "DescribeConfigs")
    assert latest.last == datetime(2026, 11, 28, 14, 0, 3, tzinfo=UTC)
    assert (second.attempt.principal, second.count) == ("User:b", 1)
    assert (third.attempt, third.count, third.rule) == (mine, 1, "MatchingAcl(acl=StandardAcl(...))")
    assert (fourth.attempt, fourth.count, fourth.rule) == (mine, 2, "DefaultDeny"), "counted by the broker's rule too"
    assert (fourth.first.second, fourth.last.second) == (0, 1)
    assert [one.attempt for one in counted(lines, since=second.first)] == [latest.attempt]
    no = Verdict(False, Ground.NOTHING_ALLOWS)
    asked: list[tuple[str, ...]] = []
    assert all(one.today is no for one in counted(lines, lambda *of: asked.append(of) or no))    # type: ignore[func-returns-value]
    assert ("User:a", "127.0.0.1", "READ", "topic", "x") in asked


class Newer:
    """An administrator's client of a Kafka with a rule that kafka-python has no name for: it fails the whole list."""

    def describe_acls(self, asked: ACLFilter) -> tuple[list[ACL], Any]:
        if asked.operation is ACLOperation.ANY:
            raise ValueError("15 is not a valid ACLOperation")
        known = [rule("allow a READ topic x"), rule("deny b ALL group g*")]
        return [acl_of(one) for one in known if ACLOperation[one.operation] is asked.operation], None


def test_a_rule_that_has_no_name_here_hides_no_other() -> None:
    broker = Broker(Newer())
    assert broker.rules() == rules("allow a READ topic x\ndeny b ALL group g*")
    assert broker.unreadable


def test_a_rule_is_the_same_there_and_back() -> None:
    for one in rules("allow a READ topic x\ndeny b ALL group g* 10.0.0.1\nallow * DESCRIBE_CONFIGS cluster kafka-cluster"):
        assert rule_of(acl_of(one)) == one


def a_plan(lines: str) -> Plan:
    return plan(rules(lines), (), EVERYTHING, deletes=False)


@pytest.mark.parametrize(("lines", "answer", "applied"), [
    ("allow a READ topic x", True, True), ("allow a READ topic x", False, False),
    ("allow a READ topic *", "the id", True), ("allow a READ topic *", "y", False),
    ("allow * READ topic x", "the id", True), ("allow a ALTER cluster kafka-cluster", "yes", False)])
def test_what_is_asked_grows_with_the_reach(monkeypatch: pytest.MonkeyPatch, lines: str, answer: Any, applied: bool) -> None:
    made = a_plan(lines)
    monkeypatch.setattr(typer, "confirm", lambda *_: answer is True)
    monkeypatch.setattr(typer, "prompt", lambda *_: plan_id(made) if answer == "the id" else answer)
    if applied:
        command._confirmed(made, "")
    else:
        with pytest.raises(AccessRefused, match="Nothing was done"):
            command._confirmed(made, "")
    command._confirmed(made, plan_id(made))
    with pytest.raises(AccessRefused, match="another plan"):
        command._confirmed(made, plan_id(a_plan("allow z READ topic x")))


def test_scripts_have_refusals_first_and_take_them_away_last() -> None:
    text = first(Settings()).text.replace(
        "rules: []", "rules:\n  - {principal: zoe, permission: deny, operation: READ, resource: topic, name: x}")
    made = scripts(version(Settings(), text))
    adds, removes = ([line for line in content.splitlines() if line.startswith("kafka-acls.sh")] for content in made.values())
    assert "--deny-principal User:zoe" in adds[0]
    assert removes[-1].endswith("--cluster")
    last_allow = max(number for number, line in enumerate(removes) if "--allow-principal" in line and "--cluster" not in line)
    assert next(number for number, line in enumerate(removes) if "User:zoe" in line) > last_allow


@pytest.mark.parametrize(("cause", "tried"), [(StoreAway("Kafka does not answer."), 1), (NotAudited("The audit is away."), 0)])
def test_where_an_application_stopped_is_said(cause: RollcallError, tried: int) -> None:
    made = a_plan("allow a READ topic x\nallow b READ topic x\nallow c READ topic x")
    stopped = Unfinished(made, 1, cause)
    assert (stopped.done, stopped.doubtful, stopped.left) == (made.steps[:1], made.steps[1:1 + tried], made.steps[1 + tried:])
    assert stopped.exit_code == cause.exit_code
    assert f"after 1 of 3 steps: {cause} Done: create: a may read topic 'x'" in str(stopped)
    assert "`rollcall access apply` goes on with it" in str(stopped)


@pytest.mark.parametrize(("user", "says"), [
    ("", "`rollcall access plan --deletes` shows what is left, and `rollcall access apply --deletes` goes on with it."),
    ("a", "`rollcall access users delete a` again goes on with it.")])
def test_what_goes_on_with_deletions_is_told(user: str, says: str) -> None:
    made = plan([], rules("allow a READ topic x\nallow a READ topic y"), EVERYTHING, deletes=True)
    assert str(Unfinished(made, 1, StoreAway("Kafka does not answer."), user)).endswith(says)


@pytest.mark.parametrize(("cause", "stands"), [(StoreAway("Kafka does not answer."), "may still be there or be gone"),
                                               (StoreRefused("Kafka does not."), "is still there"),
                                               (NotAudited("The audit is away."), "is still there")])
def test_rules_that_went_before_a_user_that_did_not_are_named(cause: RollcallError, stands: str) -> None:
    made = plan([], rules("allow a READ topic x"), EVERYTHING, deletes=True)
    said = str(StillThere("a", made, cause))
    assert f"{cause} The user a {stands}. Rules that went and stay gone: a may read topic 'x' from any address." in said


ADA = "ada-reader"


@dataclass
class Commands:
    """What the commands work with, in memory."""

    settings: Settings
    kafka: FakeAdmin
    records: FakeRecords
    log: FakeAudit
    closed: int = 0

    def saves(self, text: str) -> None:
        """Somebody keeps a version."""
        n = len(self.records.kept) + 1
        self.records.add(Record("access", "kafka", n, "kept", json.dumps({"text": text}), datetime.now(UTC), "bob", "x"))


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands over a Kafka that has what is wanted."""
    settings = Settings(home=tmp_path)
    made = Commands(settings, FakeAdmin(first(settings).rules), FakeRecords(), FakeAudit())

    @contextmanager
    def broker(*_: object) -> Iterator[Broker]:
        with made.kafka.opened() as opened:
            yield opened
        made.closed += 1

    monkeypatch.setattr(command, "load", lambda: settings)
    monkeypatch.setattr(Broker, "opened", broker)
    monkeypatch.setattr(Records, "opened", lambda *_: nullcontext(made.records))
    monkeypatch.setattr(AuditLog, "opened", lambda *_: nullcontext(made.log))
    return made


def with_rules(commands: Commands, *entries: str) -> str:
    """The first content and these."""
    listed = "".join(f"\n  - {entry}" for entry in entries)
    return first(commands.settings).text.replace("rules: []", f"rules:{listed}")


ALLOWS = f"{{principal: {ADA}, permission: allow, operation: READ, resource: topic, name: x}}"
DENIES = f"{{principal: {ADA}, permission: deny, operation: READ, resource: topic, name: x}}"


def test_a_version_that_is_saved_while_the_question_stands_is_noticed(
        commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    commands.saves(with_rules(commands, ALLOWS))
    before = commands.kafka.rules

    def meanwhile(_: str) -> bool:
        assert commands.closed == 1, "no connection of gatekeeper waits for the answer"
        commands.saves(with_rules(commands, ALLOWS, DENIES))
        return True

    monkeypatch.setattr(typer, "confirm", meanwhile)
    with pytest.raises(AccessRefused, match="What is wanted was changed"):
        command.apply(why="x")
    assert commands.kafka.rules == before
    assert commands.log.wrote[-1][3] == "refused"
    monkeypatch.setattr(typer, "confirm", lambda _: True)
    command.apply(why="x")
    assert rule(f"deny {ADA} READ topic x") in commands.kafka.rules


def test_a_user_that_is_protected_while_the_question_stands_is_noticed(
        commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    commands.kafka.users[ADA] = commands.kafka.users["stream"]
    commands.kafka.has(rule(f"allow {ADA} READ topic x"))
    protected = with_rules(commands, ALLOWS).replace("protected: [", f"protected: [{ADA}, ", 1)

    def meanwhile(_: str) -> str:
        assert commands.closed == 1
        commands.saves(protected)
        return ADA

    monkeypatch.setattr(typer, "prompt", meanwhile)
    with pytest.raises(AccessRefused, match="protected"):
        command.delete(ADA, why="x")
    assert ADA in commands.kafka.users
    assert rule(f"allow {ADA} READ topic x") in commands.kafka.rules


@pytest.mark.parametrize(("name", "why"), [("nobody", "no user 'nobody'"), ("stream", "program of this installation")])
def test_a_user_that_cannot_go_is_refused_before_the_question_and_in_the_audit(
        commands: Commands, monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
    monkeypatch.setattr(typer, "prompt", lambda *_: pytest.fail("asked"))
    with pytest.raises(AccessRefused, match=why):
        command.delete(name, why="x")
    (entry,) = commands.log.wrote
    assert entry[1:4] == ("access.users", name, "refused")
    assert why in entry[4]


def test_the_commands_say_what_the_page_says(commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    commands.kafka.has(rule("deny z READ topic user*"))
    command.drift()
    shown = capsys.readouterr().out
    assert "Kafka has what is wanted." in shown
    assert "Rules of others that are about our topics too, neither wanted nor deleted: 1." in shown
    log = commands.settings.logs_dir / "kafka-authorizer.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"{read('10:00:00', by='MatchingAcl(z)')}\n{read('10:00:01')}\n")
    command.show_denied(hours=1e5)
    shown = capsys.readouterr().out
    assert "1 times  User:a READ topic x" in shown
    assert "By the broker's rule: MatchingAcl(z). Today: No: no rule allows it." in shown
    assert "By the broker's rule: DefaultDeny. Today:" in shown


def test_rules_that_are_not_looked_at_are_said_by_each_command(
        commands: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    whole, log = commands.kafka.describe_acls, commands.settings.logs_dir / "kafka-authorizer.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()

    def newer(asked: ACLFilter) -> tuple[list[ACL], None]:
        if asked.operation is ACLOperation.ANY:
            raise ValueError("15 is not a valid ACLOperation")
        return whole(asked)

    monkeypatch.setattr(commands.kafka, "describe_acls", newer)
    commands.kafka.users[ADA] = commands.kafka.users["stream"]
    command.show_denied()
    assert "this version does not know" in capsys.readouterr().err
    command.delete(ADA, why="x", yes=ADA)
    assert "this version does not know" in capsys.readouterr().err


def test_a_lost_answer_leaves_no_password_that_is_said_to_hold(commands: Commands) -> None:
    users = Users(FakeBroker(commands.kafka))
    first_word = users.create(ADA)
    commands.kafka.lost_answers = 1
    with pytest.raises(PasswordUnsure, match=f"not known which password.*users rotate {ADA}") as lost:
        users.rotate(ADA)
    assert lost.value.exit_code == StoreAway.exit_code
    assert not commands.kafka.lets_in(ADA, first_word), "it was done all the same"
    assert commands.kafka.lets_in(ADA, users.rotate(ADA))


def test_a_password_that_does_not_hold_is_not_told(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    users = Users(FakeBroker(commands.kafka))
    first_word = users.create(ADA)
    monkeypatch.setattr(changes, "time", SimpleNamespace(sleep=lambda _: None, monotonic=iter(range(0, 9000, 9)).__next__))
    monkeypatch.setattr(FakeAdmin, "alter_user_scram_credentials", lambda *_: {ADA: None})    # taken, and not done
    with pytest.raises(PasswordUnsure, match="does not let ada-reader in"):
        users.rotate(ADA)
    assert commands.kafka.lets_in(ADA, first_word)


def test_another_password_is_the_only_one_whatever_the_mechanism(commands: Commands) -> None:
    users = Users(FakeBroker(commands.kafka))
    users.create(ADA)
    commands.kafka.alter_user_scram_credentials([UserScramCredentialUpsertion(ADA, "SCRAM-SHA-512", "an old password")])
    assert len(users.known(ADA).credentials) == 2
    word = users.rotate(ADA)
    assert users.known(ADA).mechanisms == ["SCRAM-SHA-256"]
    assert commands.kafka.lets_in(ADA, word)
    assert not commands.kafka.lets_in(ADA, "an old password")
