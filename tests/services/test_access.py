"""Access to Kafka on the real broker: planned, applied, read back, refused; users; who was denied; a broker that goes."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from kafka.admin import UserScramCredentialUpsertion

from engine.access.apply import Access, Unfinished, plan_id
from engine.access.broker import AccessRefused, Broker
from engine.access.denied import denied
from engine.access.state import first, version
from engine.access.users import Users
from engine.clients import kafka_admin
from engine.errors import SignInRefused, StoreAway
from engine.native import kafka as native
from engine.processes import Supervisor
from engine.provision import provision
from engine.provision.changes import settled
from engine.sealing import ensure_keys
from engine.settings import Settings
from engine.stores.audit import AuditLog
from governance.kafka_access.rule import Rule
from tests.governance.kafka_cases import rule
from tests.services.access import Clients, Reading, having_topics, having_users, keep_password, of_others, wanting

pytestmark = pytest.mark.services

OLD, NEW = "orders.old.x", "orders.new.x"
OTHERS = f"""
  orders:
    principals:
      acc-writer:
        - {{role: producer, topics: [{OLD}, {NEW}]}}
      acc-reader:
        - {{role: reader, topics: [orders.old.*]}}
      acc-keeper:
        - {{role: reader, topics: [{OLD}]}}
  shipping:
    principals:
      acc-shipping:
        - {{role: reader, topics: [{OLD}]}}
"""
MOVED = f"""
  orders:
    principals:
      acc-writer:
        - {{role: producer, topics: [{OLD}, {NEW}]}}
      acc-reader:
        - {{role: reader, topics: [orders.new.*]}}
      acc-keeper:
        - {{role: reader, topics: [orders.old.*]}}
"""
NAMES = ("acc-writer", "acc-reader", "acc-keeper", "acc-shipping")


@pytest.fixture(scope="module")
def provisioned(stack: Settings) -> Settings:
    """The servers with keys, and with the permissions of this installation."""
    ensure_keys(stack)
    provision(stack, lambda _: None)
    return stack


@pytest.fixture(scope="module")
def clients(provisioned: Settings) -> Iterator[dict[str, Clients]]:
    """Real clients of the teams' principals, and the topics."""
    with having_topics(provisioned, [OLD, NEW]), having_users(provisioned, *NAMES) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_left(provisioned: Settings) -> Iterator[None]:
    """Each test begins without rules of the others."""
    yield
    with Broker.opened(provisioned) as broker:
        for one in of_others(broker):
            broker.delete(one)


@pytest.fixture
def audit(provisioned: Settings) -> Iterator[AuditLog]:
    with AuditLog.opened(provisioned) as opened:
        yield opened


def applied(access: Access, audit: AuditLog, deletes: bool = True) -> list[str]:
    """Plans and applies; what was said."""
    said: list[str] = []
    access.apply(access.plan(deletes), audit, "system test", "test", said.append)
    return said


def test_what_provisioning_gives_is_what_is_wanted(provisioned: Settings) -> None:
    with Access.opened(provisioned) as access:
        assert access.plan(deletes=True).empty
        assert not access.drift()
        assert access.grounds.super_users == {"User:broker", "User:provision"}
        assert not access.grounds.allow_if_none


def test_teams_move_and_who_keeps_a_right_is_never_refused(provisioned: Settings, clients: dict[str, Clients],
                                                           audit: AuditLog) -> None:
    with wanting(provisioned, OTHERS) as access:
        assert not clients["acc-reader"].tries("consume", OLD)
        made = access.plan(deletes=True)
        assert not made.deletes
        assert applied(access, audit) == [f"create: {made.says(one)}" for one in made.creates]
        assert access.broker.rules() >= access.version.rules
        assert access.plan(deletes=True).empty
        assert applied(access, audit) == [], "a second time nothing is done"
        for name in ("acc-reader", "acc-keeper", "acc-shipping"):
            assert clients[name].tries("consume", OLD)
        assert not clients["acc-reader"].tries("consume", NEW)

    with wanting(provisioned, MOVED, ", acc-shipping") as access:
        made = access.plan(deletes=True)
        assert set(made.creates) == {rule("allow acc-reader READ topic orders.new.*"),
                                     rule("allow acc-reader DESCRIBE topic orders.new.*"),
                                     rule("allow acc-keeper READ topic orders.old.*"),
                                     rule("allow acc-keeper DESCRIBE topic orders.old.*")}
        assert set(made.deletes) == {rule("allow acc-reader READ topic orders.old.*"),
                                     rule("allow acc-reader DESCRIBE topic orders.old.*"),
                                     rule(f"allow acc-keeper READ topic {OLD}"), rule(f"allow acc-keeper DESCRIBE topic {OLD}"),
                                     rule(f"allow acc-shipping READ topic {OLD}"),
                                     rule(f"allow acc-shipping DESCRIBE topic {OLD}")}
        kept: list[bool] = []    # whether it may still read, after each step
        reading = Reading(provisioned, "acc-keeper", OLD)    # and all the time
        reading.start()

        def reads_on(_: str) -> None:
            kept.append(clients["acc-keeper"].tries("consume", OLD))
            rounds = reading.rounds
            settled(lambda: reading.rounds > rounds or bool(reading.error), "the consumer that keeps its right reads no more")

        try:
            settled(lambda: reading.rounds > 0, "the consumer does not read yet")
            access.apply(made, audit, "system test", "moved", reads_on)
            assert kept == [True] * len(made.steps)
            assert reading.error == ""
            right = rule("allow acc-keeper READ topic orders.old.*")
            access.broker.delete(right)    # it would have noticed
            settled(lambda: reading.error == "TopicAuthorizationFailedError", "a reader without a right reads on")
            access.broker.create(right)
        finally:
            reading.stop()
        assert clients["acc-reader"].tries("consume", NEW)
        assert not clients["acc-reader"].tries("consume", OLD)
        assert not clients["acc-shipping"].tries("consume", OLD)
        assert access.plan(deletes=True).empty

    steps = [entry.target for entry in audit.entries() if entry.act == "access.apply" and entry.result == "done"]
    assert f"delete: acc-shipping may read topic '{OLD}' from any address" in steps


def test_who_was_refused_is_shown_with_the_rule(provisioned: Settings, clients: dict[str, Clients]) -> None:
    with wanting(provisioned, MOVED) as access:
        assert not clients["acc-shipping"].tries("consume", NEW)
        rules = access.broker.rules()
        found = denied(provisioned, lambda *asked: access.decide(rules, *asked))
        mine = [one for one in found if (one.attempt.principal, one.attempt.name) == ("User:acc-shipping", NEW)]
        assert {(one.attempt.operation, one.attempt.resource, one.attempt.host) for one in mine} == {
            ("DESCRIBE", "topic", "127.0.0.1")}
        assert {str(one.today) for one in mine} == {"No: no rule allows it."}
        assert all(one.rule == "DefaultDeny" and one.count >= 1 for one in mine)
        once = mine[0].count

        access.broker.create(rule(f"deny acc-shipping ALL topic {NEW}"))
        assert not clients["acc-shipping"].tries("consume", NEW)
        rules = access.broker.rules()
        again, before = (one for one in denied(provisioned, lambda *asked: access.decide(rules, *asked))
                         if one.attempt == mine[0].attempt)
        assert again.count >= 1
        assert "MatchingAcl" in again.rule
        assert (before.count, before.rule) == (once, "DefaultDeny"), "counted by rule"
        assert str(again.today) == f"No: acc-shipping may not do everything with topic '{NEW}' from any address."
        assert denied(provisioned, since=again.last) == [one for one in denied(provisioned) if one.last > again.last]


def test_a_plan_that_locks_out_or_is_out_of_date_is_refused(provisioned: Settings, audit: AuditLog) -> None:
    refusal = "rules:\n  - {principal: gatekeeper, permission: deny, operation: ALTER, resource: cluster}"
    text = first(provisioned).text
    with wanting(provisioned) as access:
        before = access.broker.rules()
        locking = Access(provisioned, access.broker, version(provisioned, text.replace("rules: []", refusal)))
        with pytest.raises(AccessRefused, match="gatekeeper is protected and could no longer change rules"):
            applied(locking, audit)
        with pytest.raises(AccessRefused, match="producer is protected and could no longer write"):
            access._carry_out(access.removal([rule(f"allow producer WRITE topic {provisioned.kafka.topic}")]), "", audit,
                              "system test", "test", lambda _: None)
        assert access.broker.rules() == before
        refused = next(entry for entry in audit.entries() if entry.act == "access.apply")
        assert (refused.result, "producer is protected" in refused.why) == ("refused", True)

        access.broker.create(rule("allow acc-odd READ topic orders.odd"))
        removal = access.removal([rule("allow acc-odd READ topic orders.odd")])
        with pytest.raises(AccessRefused, match="not what the wanted state asks for"):
            access.apply(removal, audit, "system test", "test", lambda _: None)
        access.broker.delete(rule("allow acc-odd READ topic orders.odd"))
        with pytest.raises(AccessRefused, match="1 rule went"):
            access.apply(removal, audit, "system test", "test", lambda _: None)
        access.broker.delete(rule("allow acc-odd READ topic orders.odd"))    # gone already: no error


@pytest.mark.parametrize(("nonsense", "why"), [
    (rule("allow a READ topic x host.example"), "is no IP address"),
    (rule("allow a IDEMPOTENT_WRITE topic x"), "cannot be done with a topic"),
    (rule("allow a READ topic ** 10.0.0.1"), "names that start with an asterisk"),
    (replace(rule("allow a READ topic x"), principal="a"), "write User:a")])
def test_nonsense_is_not_sent(provisioned: Settings, nonsense: Rule, why: str) -> None:
    with Broker.opened(provisioned) as broker:
        before = broker.rules()
        with pytest.raises(AccessRefused, match=f"Not sent to Kafka: .*{why}"):
            broker.create(nonsense)
        assert broker.rules() == before


def test_a_user_is_made_signs_in_gets_another_password_and_goes(provisioned: Settings) -> None:
    def signs_in(word: str) -> bool:
        keep_password(provisioned, "acc-ada", word)
        try:
            kafka_admin(provisioned, "acc-ada").close()
        except SignInRefused:
            return False
        return True

    with Broker.opened(provisioned) as broker:
        users = Users(broker)
        try:
            first_word = users.create("acc-ada")
            made = next(user for user in users.all() if user.name == "acc-ada")
            assert made.credentials == ("SCRAM-SHA-256, 8192 iterations",)
            settled(lambda: signs_in(first_word), "acc-ada cannot sign in")
            with pytest.raises(AccessRefused, match="has a user 'acc-ada' already"):
                users.create("acc-ada")
            second_word = users.rotate("acc-ada")
            settled(lambda: signs_in(second_word), "acc-ada cannot sign in with the new password")
            assert not signs_in(first_word)
            signs_in(second_word)    # keeps it
            stays = kafka_admin(provisioned, "acc-ada")
            stays.list_topics()
            users.delete("acc-ada")
            settled(lambda: not signs_in(second_word), "acc-ada can still sign in")
            stays.list_topics()    # what is said of open connections is so
            stays.close()
        finally:
            (provisioned.secrets / "acc-ada.password").unlink(missing_ok=True)
        assert "acc-ada" not in {user.name for user in users.all()}
        for name, password, why in (("acc-ada", "", "is empty"), ("acc-ada", "short", "5 characters"),
                                    ("acc-ada", "long, but a comma", "comma"), ("*", None, "nobody|everybody"),
                                    ("producer", None, "program of this installation")):
            with pytest.raises(AccessRefused, match=why):
                users.create(name, password)
        with Broker.opened(provisioned, "inspector") as unfit, pytest.raises(SignInRefused, match="refuses inspector"):
            Users(unfit).create("acc-ada")
        for change in (users.rotate, users.delete):
            with pytest.raises(AccessRefused, match="no user 'acc-nobody'"):
                change("acc-nobody")


def test_a_new_password_is_the_only_one(provisioned: Settings) -> None:
    with Broker.opened(provisioned) as broker:
        users = Users(broker)
        old = users.create("acc-two")
        try:
            other = UserScramCredentialUpsertion("acc-two", "SCRAM-SHA-512", "the password of another mechanism")
            assert broker.admin.alter_user_scram_credentials([other]) == {"acc-two": None}
            settled(lambda: len(users.known("acc-two").credentials) == 2, "the second credential does not show")
            new = users.rotate("acc-two")
            assert broker.signs_in("acc-two", new), "it is so as soon as it is told"
            assert not broker.signs_in("acc-two", old)
            assert users.known("acc-two").mechanisms == ["SCRAM-SHA-256"]
        finally:
            users.delete("acc-two")


def test_a_broker_that_goes_in_the_middle_leaves_the_rest_to_the_next_plan(provisioned: Settings, audit: AuditLog) -> None:
    hasty = provisioned.model_copy(update={"kafka": provisioned.kafka.model_copy(update={"request_timeout_s": 3})})
    supervisor, said = Supervisor(provisioned), []

    def goes_after_two(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            supervisor.stop("kafka")

    def answers() -> bool:
        with suppress(StoreAway, SignInRefused):
            native.probe(provisioned)
            return True
        return False

    try:
        with wanting(hasty, OTHERS) as access:
            made = access.plan(deletes=False)
            assert len(made.steps) == 8
            with pytest.raises(Unfinished, match="Stopped after 2 of 8 steps: Kafka does not answer") as stopped:
                access.apply(made, audit, "system test", "test", goes_after_two)
            assert stopped.value.exit_code == StoreAway.exit_code
            assert stopped.value.done == made.steps[:2]
            assert (stopped.value.doubtful, stopped.value.left) == (made.steps[2:3], made.steps[3:])
            for step in made.steps:
                assert made.says(step.rule) in str(stopped.value)
    finally:
        supervisor.start("kafka")
        settled(answers, "Kafka does not come back", 60)
    with wanting(provisioned, OTHERS) as access:
        rest = access.plan(deletes=False)
        assert set(made.creates[3:]) <= set(rest.creates) <= set(made.creates[2:])
        applied(access, audit)
        assert access.plan(deletes=False).empty
    failed = [entry for entry in audit.entries() if entry.result == "failed" and entry.act == "access.apply"]
    assert failed[0].why.startswith("Stopped after 2 of 8 steps")
    assert f"plan {plan_id(made)}" in failed[0].target
