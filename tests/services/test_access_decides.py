"""May X do Y on Z? For each kind of rule generated cases: our answer is what the broker does when a real client tries."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from engine.access.apply import Access
from engine.settings import Settings
from governance.kafka_access.rule import ALL, ANY, EVERYBODY, Rule
from tests.services.access import ACTIONS, Clients, having_topics, having_users, wanting, without

pytestmark = pytest.mark.services

EACH = 24
"""Cases of a kind: each of six actions four times."""

ONE, OTHER, SUPER = "case-one", "case-other", "provision"
HERE, ELSEWHERE = "127.0.0.1", "10.0.0.1"
OPERATIONS = ("READ", "WRITE", "CREATE", "DESCRIBE", "ALTER", "ALTER_CONFIGS", "DELETE")


@dataclass(frozen=True)
class Case:
    """Rules about topics of its own, and a try."""

    rules: frozenset[Rule]
    who: str
    action: str
    topic: str


def about(base: str, operation: str, name: str, allow: bool = True, who: str = ONE, host: str = ANY) -> Rule:
    """One rule; a trailing asterisk is a beginning."""
    principal = EVERYBODY if who == ANY else f"User:{who}"
    pattern = "prefixed" if name.endswith("*") else "literal"
    return Rule(principal, host, operation, allow, "topic", base + name.removesuffix("*"), pattern)


def fitting(draw: random.Random, action: str) -> str:
    """An operation that lets the action through, mostly."""
    return draw.choice([ACTIONS[action][-1], ACTIONS[action][-1], ALL, draw.choice(OPERATIONS)])


def tried_at(number: int) -> str:
    """The action of a case: each in turn."""
    return list(ACTIONS)[number % len(ACTIONS)]


def exact(draw: random.Random, base: str, number: int) -> Case:
    action = tried_at(number)
    return Case(frozenset({about(base, fitting(draw, action), ".abc"), about(base, draw.choice(OPERATIONS), ".ab")}),
                ONE, action, base + draw.choice([".abc", ".abc", ".ab", ".abcd"]))


def prefixed(draw: random.Random, base: str, number: int) -> Case:
    action = tried_at(number)
    return Case(frozenset({about(base, fitting(draw, action), ".abc*"), about(base, draw.choice(OPERATIONS), ".a*")}),
                ONE, action, base + draw.choice([".abc", ".abcd", ".abc-x", ".ab"]))


def of_a_host(draw: random.Random, base: str, number: int) -> Case:
    action = tried_at(number)
    rules = {about(base, fitting(draw, action), ".abc", host=draw.choice([HERE, ELSEWHERE]))}
    if draw.random() < 0.4:
        rules.add(about(base, ACTIONS[action][-1], ".*", allow=draw.random() < 0.3, host=draw.choice([HERE, ELSEWHERE])))
    return Case(frozenset(rules), ONE, action, base + ".abc")


def deny_over_allow(draw: random.Random, base: str, number: int) -> Case:
    action = tried_at(number)
    if number // len(ACTIONS) % 2:    # of each action half are refused by it
        denied = about(base, draw.choice([ACTIONS[action][-1], ALL]), draw.choice([".*", ".abc", ".ab*"]), allow=False,
                       who=draw.choice([ONE, ANY]), host=draw.choice([ANY, HERE]))
    else:
        denied = about(base, draw.choice([ACTIONS[action][-1], ALL, draw.choice(OPERATIONS)]),
                       draw.choice([".*", ".abc", ".abcd"]), allow=False, who=draw.choice([ONE, ANY, OTHER]),
                       host=draw.choice([ANY, HERE, ELSEWHERE]))
    return Case(frozenset({about(base, ALL, draw.choice([".*", ".abc"])), denied}), ONE, action, base + ".abc")


def implied(draw: random.Random, base: str, _: int) -> Case:
    rules = {about(base, draw.choice([*OPERATIONS, "DESCRIBE_CONFIGS"]), ".abc")}
    if draw.random() < 0.5:
        rules.add(about(base, draw.choice(["READ", "WRITE", "ALTER", "DESCRIBE"]), ".abc", allow=False))
    return Case(frozenset(rules), ONE, "describe", base + ".abc")


def super_user(draw: random.Random, base: str, number: int) -> Case:
    action = tried_at(number)
    return Case(frozenset({about(base, draw.choice([ACTIONS[action][-1], ALL]), draw.choice([".*", ".abc"]), allow=False,
                                 who=draw.choice([SUPER, ANY]))}), SUPER, action, base + ".abc")


def everybody(draw: random.Random, base: str, number: int) -> Case:
    action = tried_at(number)
    rules = {about(base, fitting(draw, action), draw.choice([".abc", ".*"]), who=ANY, host=draw.choice([ANY, HERE, ELSEWHERE]))}
    if draw.random() < 0.4:
        rules.add(about(base, ACTIONS[action][-1], ".abc", allow=draw.random() < 0.5, who=draw.choice([ONE, OTHER, ANY])))
    return Case(frozenset(rules), draw.choice([ONE, OTHER]), action, base + ".abc")


KINDS: dict[str, Callable[[random.Random, str, int], Case]] = {
    "exact": exact, "prefixed": prefixed, "host": of_a_host, "deny": deny_over_allow, "implied": implied,
    "super": super_user, "everybody": everybody}
CASES = {kind: [make(random.Random(f"{kind} {number}"), f"case-{kind}-{number:02}", number) for number in range(EACH)]
         for kind, make in KINDS.items()}


@dataclass
class Tried:
    """The broker with the rules of all cases."""

    access: Access
    rules: frozenset[Rule]
    clients: dict[str, Clients]


@pytest.fixture(scope="module")
def tried(stack: Settings) -> Iterator[Tried]:
    every = [case for cases in CASES.values() for case in cases]
    made = frozenset(rule for case in every for rule in case.rules)
    with ExitStack() as having:
        having.enter_context(having_topics(stack, sorted({case.topic for case in every if case.action != "create"})))
        clients = {**having.enter_context(having_users(stack, ONE, OTHER)), SUPER: Clients(stack, SUPER)}
        having.callback(clients[SUPER].close)
        access = having.enter_context(wanting(stack))
        having.callback(without, access.broker, made)
        for rule in made:
            access.broker.create(rule)
        yield Tried(access, access.broker.rules(), clients)


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_what_the_broker_does(tried: Tried, kind: str) -> None:
    said, done, denied = [], [], 0
    for case in CASES[kind]:
        verdicts = [tried.access.decide(tried.rules, f"User:{case.who}", HERE, operation, "topic", case.topic)
                    for operation in ACTIONS[case.action]]
        said.append(all(verdict.allowed for verdict in verdicts))
        denied += any(isinstance(verdict.by, Rule) and not verdict.by.allow for verdict in verdicts)
        done.append(tried.clients[case.who].tries(case.action, case.topic))
    wrong = [case for case, ours, theirs in zip(CASES[kind], said, done, strict=True) if ours != theirs]
    assert wrong == []
    assert set(done) == ({True} if kind == "super" else {True, False}), "cases of this kind are of both sorts"
    assert kind != "deny" or denied >= EACH / 2, "decided by a refusal"


def test_the_broker_has_each_rule_as_it_was_made(tried: Tried) -> None:
    made = frozenset(rule for cases in CASES.values() for case in cases for rule in case.rules)
    assert made <= tried.rules
    assert len(made) > 7 * EACH
    prefixed_one = next(rule for rule in made if rule.pattern == "prefixed")
    assert replace(prefixed_one, pattern="literal") not in tried.rules
