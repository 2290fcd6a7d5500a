"""May X do Y on Z, decided as Kafka decides: by tables, and against a second, slow procedure written from the reference."""

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.kafka_access.decide import Ground, decide, question
from governance.kafka_access.rule import Rule
from tests.governance.kafka_cases import SLOW, Request, any_request, any_rules, rule, rules

CASES = """
# what is asked | the answer | the rule that decides, or why | the other rules
a READ topic abc 10.0.0.1             | no  | none                          |
a READ topic abc 10.0.0.1             | yes | allow a READ topic abc        |
a READ topic abc 10.0.0.1             | no  | none                          | allow b READ topic abc
a READ topic abc 10.0.0.1             | no  | none                          | allow a READ topic ab
a READ topic abc 10.0.0.1             | no  | none                          | allow a READ topic abcd
a READ topic abc 10.0.0.1             | yes | allow a READ topic ab*        |
a READ topic abc 10.0.0.1             | yes | allow a READ topic abc*       |
a READ topic abc 10.0.0.1             | no  | none                          | allow a READ topic abcd*
a READ topic abc 10.0.0.1             | yes | allow a READ topic *          |
a READ topic abc 10.0.0.1             | yes | allow * READ topic abc        |
a READ topic abc 10.0.0.1             | yes | allow a ALL topic abc         |
a READ topic abc 10.0.0.1             | no  | none                          | allow a READ group abc
# hosts, letter by letter
a READ topic abc 10.0.0.1             | yes | allow a READ topic abc 10.0.0.1 |
a READ topic abc 10.0.0.1             | no  | none                          | allow a READ topic abc 10.0.0.2
a READ topic abc 10.0.0.1             | no  | deny a READ topic abc 10.0.0.1 | allow a READ topic abc
a READ topic abc 10.0.0.2             | yes | allow a READ topic abc        | deny a READ topic abc 10.0.0.1
# a refusal beats every permission, however near
a READ topic abc 10.0.0.1             | no  | deny a READ topic *           | allow a READ topic abc
a READ topic abc 10.0.0.1             | no  | deny a READ topic ab*         | allow a READ topic abc
a READ topic abc 10.0.0.1             | no  | deny * READ topic abc         | allow a READ topic abc
a READ topic abc 10.0.0.1             | no  | deny * ALL topic *            | allow a ALL topic abc
a READ topic abc 10.0.0.1             | no  | deny a READ topic abc         | deny a READ topic * ; deny a ALL topic ab*
# what a permission implies
a DESCRIBE topic abc 10.0.0.1         | yes | allow a READ topic abc        |
a DESCRIBE topic abc 10.0.0.1         | yes | allow a WRITE topic abc       |
a DESCRIBE topic abc 10.0.0.1         | yes | allow a DELETE topic abc      |
a DESCRIBE topic abc 10.0.0.1         | yes | allow a ALTER topic abc       |
a DESCRIBE topic abc 10.0.0.1         | no  | none                          | allow a CREATE topic abc
a DESCRIBE topic abc 10.0.0.1         | no  | none                          | allow a ALTER_CONFIGS topic abc
a DESCRIBE topic abc 10.0.0.1         | no  | none                          | allow a DESCRIBE_CONFIGS topic abc
a DESCRIBE_CONFIGS topic abc 10.0.0.1 | yes | allow a ALTER_CONFIGS topic abc |
a DESCRIBE_CONFIGS topic abc 10.0.0.1 | no  | none                          | allow a DESCRIBE topic abc; allow a ALTER topic *
a READ topic abc 10.0.0.1             | no  | none                          | allow a DESCRIBE topic abc
a WRITE topic abc 10.0.0.1            | no  | none                          | allow a READ topic abc
a DESCRIBE group g 10.0.0.1           | yes | allow a READ group g          |
a DESCRIBE cluster kafka-cluster 10.0.0.1 | yes | allow a ALTER cluster kafka-cluster |
# a refusal implies nothing
a DESCRIBE topic abc 10.0.0.1         | yes | allow a DESCRIBE topic abc    | deny a READ topic abc
a DESCRIBE topic abc 10.0.0.1         | yes | allow a READ topic abc        | deny a WRITE topic abc
a DESCRIBE_CONFIGS topic abc 10.0.0.1 | yes | allow a DESCRIBE_CONFIGS topic abc | deny a ALTER_CONFIGS topic abc
a READ topic abc 10.0.0.1             | yes | allow a READ topic abc        | deny a DESCRIBE topic abc
a DESCRIBE topic abc 10.0.0.1         | no  | deny a DESCRIBE topic abc     | allow a READ topic abc
a DESCRIBE topic abc 10.0.0.1         | no  | deny a ALL topic abc          | allow a DESCRIBE topic abc
a READ topic abc 10.0.0.1             | no  | deny a ALL topic abc          | allow a READ topic abc
# super users
root READ topic abc 10.0.0.1          | yes | super                         | deny root ALL topic *
root ALTER cluster kafka-cluster 10.0.0.1 | yes | super                         |
# of several permissions the last that Kafka comes to is named: shorter names later
a READ topic abc 10.0.0.1             | yes | allow a READ topic ab*        | allow a READ topic abc
a READ topic abc 10.0.0.1             | yes | allow a READ topic *          | allow a READ topic ab*
"""


def cases() -> list[tuple[str, str, str, str]]:
    found = [tuple(part.strip() for part in line.split("|")) for line in CASES.splitlines() if line and line[0] != "#"]
    return [(asked, answer, by, others) for asked, answer, by, others in found]


@pytest.mark.parametrize(("asked", "answer", "by", "others"), cases())
def test_the_answer_and_what_decides_it(asked: str, answer: str, by: str, others: str) -> None:
    principal, operation, resource, name, host = asked.split()
    every = set(rules(others.replace(";", "\n")))
    ground: Rule | Ground = {"none": Ground.NOTHING_ALLOWS, "super": Ground.SUPER_USER}.get(by) or rule(by)
    if isinstance(ground, Rule):
        every.add(ground)
    verdict = decide(every, {"User:root"}, f"User:{principal}", host, operation, resource, name)
    assert (verdict.allowed, verdict.by) == (answer == "yes", ground)
    assert str(verdict).startswith(answer.capitalize())


@pytest.mark.parametrize(("lines", "allowed", "ground"), [
    ("", True, Ground.NO_RULE_AT_ALL),
    ("allow b READ topic abc", False, Ground.NOTHING_ALLOWS),       # the first rule for b takes the default from a
    ("deny b WRITE topic a* 10.0.0.2", False, Ground.NOTHING_ALLOWS),
    ("allow b READ topic other\nallow b READ group abc", True, Ground.NO_RULE_AT_ALL),
])
def test_allowed_if_nobody_has_a_rule(lines: str, allowed: bool, ground: Ground) -> None:
    verdict = decide(rules(lines), (), "User:a", "10.0.0.1", "READ", "topic", "abc", allow_if_none=True)
    assert (verdict.allowed, verdict.by) == (allowed, ground)
    assert not decide(rules(lines), (), "User:a", "10.0.0.1", "READ", "topic", "abc").allowed


def test_a_principal_without_a_type_makes_kafka_fail_whoever_asks() -> None:
    broken = Rule("alice", "*", "READ", True, "topic", "ab", "prefixed")
    verdict = decide({broken, rule("allow a READ topic abc")}, (), "User:a", "10.0.0.1", "READ", "topic", "abc")
    assert (verdict.allowed, verdict.by) == (False, broken)
    assert "without a type, makes Kafka fail" in str(verdict)
    assert decide({broken, rule("allow a READ topic x")}, (), "User:a", "10.0.0.1", "READ", "topic", "x").allowed
    assert decide({broken}, {"User:a"}, "User:a", "10.0.0.1", "READ", "topic", "abc").allowed
    # a refusal that Kafka comes to first is still only a refusal
    nearer = rule("deny a READ topic abc")
    assert decide({broken, nearer}, (), "User:a", "10.0.0.1", "READ", "topic", "abc").by == nearer


def test_question_and_answer_in_words() -> None:
    assert question("User:a", "10.0.0.1", "READ", "topic", "abc") == "May a read topic 'abc' from 10.0.0.1?"
    assert str(decide([rule("allow a READ topic ab*")], (), "User:a", "10.0.0.1", "DESCRIBE", "topic", "abc")) == (
        "Yes: a may read topics that start with 'ab' from any address.")
    assert str(decide([], (), "User:a", "10.0.0.1", "READ", "topic", "abc")) == "No: no rule allows it."
    assert "allow.everyone.if.no.acl.found" in str(decide([], (), "User:a", "1.1.1.1", "READ", "topic", "abc", True))


def literally(every: Collection[Rule], super_users: Collection[str], request: Request, allow_if_none: bool) -> bool:
    """Kafka's documentation read aloud: no sorting, no early end, each step over all rules."""
    principal, host, operation, resource, name = request
    if principal in super_users:
        return True
    about = []
    for one in every:
        if one.resource == resource and (
                (one.pattern == "literal" and one.name == name) or (one.pattern == "literal" and one.name == "*")
                or (one.pattern == "prefixed" and name[:len(one.name)] == one.name)):
            about.append(one)
    if not about:
        return allow_if_none
    mine = [one for one in about if one.principal == principal or one.principal == "User:*"]
    mine = [one for one in mine if one.host == host or one.host == "*"]
    for one in mine:
        if not one.allow and (one.operation == operation or one.operation == "ALL"):
            return False
    for one in mine:
        if one.allow:
            gives = {"READ": ["READ", "DESCRIBE"], "WRITE": ["WRITE", "DESCRIBE"], "DELETE": ["DELETE", "DESCRIBE"],
                     "ALTER": ["ALTER", "DESCRIBE"], "ALTER_CONFIGS": ["ALTER_CONFIGS", "DESCRIBE_CONFIGS"],
                     "ALL": [operation]}.get(one.operation, [one.operation])
            if operation in gives:
                return True
    return False


@settings(SLOW, max_examples=300)
@given(any_rules(), st.frozensets(st.sampled_from(["User:a", "User:c"]), max_size=1), any_request(), st.booleans())
def test_it_agrees_with_a_literal_reading(every: frozenset[Rule], root: frozenset[str], request: Request, none: bool) -> None:
    verdict = decide(every, root, *request, allow_if_none=none)
    assert verdict.allowed == literally(every, root, request, none)
    if isinstance(verdict.by, Rule):
        assert verdict.by in every
        assert verdict.by.allow == verdict.allowed


@SLOW
@given(any_rules(), any_request(), st.data())
def test_without_the_deciding_rule_another_decides(
        every: frozenset[Rule], request: Request, data: st.DataObject) -> None:
    verdict = decide(every, (), *request)
    if isinstance(verdict.by, Rule):
        assert decide(every - {verdict.by}, (), *request).by != verdict.by
    shuffled = data.draw(st.permutations(sorted(every)))
    assert decide(shuffled, (), *request) == verdict
