"""The wanted state of Kafka: its first content, roles to rules, errors with line and remedy, adopting what was found."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from engine import secrets
from engine.provision import kafka as provision
from engine.settings import Kafka
from governance.kafka_access.adopt import adopted
from governance.kafka_access.document import Document, NotWanted
from governance.kafka_access.roles import ROLES, Role
from governance.kafka_access.rule import Rule, faults
from governance.kafka_access.wanted import CONTENT, Wanted, managed, parsed, rules
from tests.governance import kafka_cases
from tests.governance.kafka_cases import NAMES, SLOW, any_rules, rule

FIRST = CONTENT.read_text()


def test_the_first_content_is_what_provisioning_gives_the_programs() -> None:
    kafka = Kafka(topic="other")
    names = {"people": kafka.topic, "control": kafka.control_topic, "dead": kafka.dead_topic}
    given_now = {
        Rule(f"User:{one.principal}", "*", one.operation, True, "cluster" if one.topic == provision.CLUSTER else "topic",
             one.topic, "literal") for one in provision.wanted_rules(kafka)}
    assert rules(parsed(FIRST), names) == given_now


def test_every_program_of_ours_is_protected_and_every_principal_of_ours_is_managed() -> None:
    first = parsed(FIRST)
    assert first.protected_principals == {f"User:{name}" for name in provision.USERS}
    ours = managed(first, NAMES)
    assert all(ours.owns(rule(f"allow {name} READ topic elsewhere")) for name in secrets.PRINCIPALS)
    assert ours.owns(rule("allow stranger READ topic user_profiles"))
    assert not ours.owns(rule("allow stranger READ topic user_profiles2"))
    assert not ours.owns(rule("allow stranger READ topic *"))
    assert not ours.owns(rule("allow * READ topic orders"))


def test_the_example_in_the_comments_works() -> None:
    example = FIRST.split("change the names:\n")[1].split("\n\n")[0]
    with_it = FIRST.replace(example, "\n".join(line.removeprefix("#") for line in example.splitlines()))
    refusal = next(line for line in FIRST.splitlines() if line.startswith("#  - {principal: orders-reader"))
    with_it = with_it.replace("rules: []", f"rules:\n{refusal.removeprefix('#')}")
    assert rules(parsed(with_it), NAMES) - rules(parsed(FIRST), NAMES) == kafka_cases.rules("""
        allow orders-writer WRITE topic orders-* 10.0.0.7
        allow orders-writer WRITE topic orders-* 10.0.0.8
        allow orders-reader READ topic orders-*
        allow orders-reader READ group orders-reader
        deny orders-reader READ topic orders-secret""")


def test_the_comments_list_every_role() -> None:
    listed = FIRST.split("(and may have):\n")[1].split("\n\n")[0].splitlines()
    assert len(listed) == len(ROLES) == len(Role)
    for role, shape in ROLES.items():
        line = next(line for line in listed if line.startswith(f"#   {role} "))
        assert all(name in line for name in shape.lists)


def team(grant: str) -> str:
    return f"teams:\n  t:\n    principals:\n      a:\n        - {grant}\n"


@pytest.mark.parametrize(("grant", "wanted"), [
    ("{role: producer, topics: [x]}", "allow a WRITE topic x"),
    ("{role: producer, topics: [x-*, y], hosts: [10.0.0.1]}",
     "allow a WRITE topic x-* 10.0.0.1\nallow a WRITE topic y 10.0.0.1"),
    ("{role: spark source, topics: [x]}", "allow a READ topic x\nallow a DESCRIBE topic x"),
    ("{role: spark source, topics: [x], groups: [spark-kafka-source*]}",
     "allow a READ topic x\nallow a DESCRIBE topic x\nallow a READ group spark-kafka-source*"),
    ("{role: reader, topics: [x]}", "allow a READ topic x\nallow a DESCRIBE topic x"),
    ("{role: consumer, topics: [x], groups: [g]}", "allow a READ topic x\nallow a READ group g"),
    ("{role: redriver, dead_letters: [x.dead], topics: [x]}", "allow a READ topic x.dead\nallow a WRITE topic x"),
    ("{role: transactional producer, topics: [x], transactional_ids: [t-*]}",
     "allow a WRITE topic x\nallow a WRITE transactional_id t-*"),
    ("{role: transactional producer, topics: [x], transactional_ids: [t], groups: [g]}",
     "allow a WRITE topic x\nallow a WRITE transactional_id t\nallow a READ group g"),
    ("{role: observer}", "allow a DESCRIBE cluster kafka-cluster\nallow a DESCRIBE topic *\n"
                         "allow a DESCRIBE_CONFIGS topic *\nallow a DESCRIBE group *"),
    ("{role: observer, topics: [x], groups: []}", "allow a DESCRIBE cluster kafka-cluster\nallow a DESCRIBE topic x\n"
                                                  "allow a DESCRIBE_CONFIGS topic x"),
    ("{role: describer, topics: [x]}", "allow a DESCRIBE topic x"),
    ("{role: keeper, topics: [x]}", "allow a DELETE topic x"),
    ("{role: topic administrator, topics: [x-*]}", "allow a CREATE topic x-*\nallow a ALTER_CONFIGS topic x-*"),
    ("{role: acl administrator}", "allow a DESCRIBE cluster kafka-cluster\nallow a ALTER cluster kafka-cluster"),
    ('{role: producer, topics: ["{people}", "{dead}*"]}',
     "allow a WRITE topic user_profiles\nallow a WRITE topic user_profiles.dead*"),
    ('{role: producer, topics: ["*"]}', "allow a WRITE topic *"),
    ("{role: producer, topics: [123, no, 2024-01-01]}",    # text, whatever it looks like
     "allow a WRITE topic 123\nallow a WRITE topic no\nallow a WRITE topic 2024-01-01"),
])
def test_a_role_gives_the_least_it_needs(grant: str, wanted: str) -> None:
    found = rules(parsed(team(grant)), NAMES)
    assert found == kafka_cases.rules(wanted)
    assert [what for one in found for what in faults(one)] == []


WRONG: list[tuple[str, list[str]]] = [
    (team("{role: prodcer, topics: [x]}"),
     ["line 5: teams.t.principals.a.1.role: 'prodcer' is none of those that are known; write producer"]),
    (team("{role: dancer}"), ["line 5: ", "write one of: producer, transactional producer, spark source"]),
    (team("{topics: [x]}"), ["line 5: teams.t.principals.a.1: `role` is missing"]),
    (team("{role: producer, topcis: [x]}"), ["line 5: ", "nothing here is called so; write topics"]),
    (team("{role: producer}"), ["line 5: ", "a producer needs topics; write topics: [name]"]),
    (team("{role: producer, topics: []}"), ["line 5: ", "a producer needs topics"]),
    (team("{role: producer, topics: [x], groups: [g]}"),
     ["line 5: ", "a producer has no groups (writes to topics); take them out"]),
    (team("{role: consumer, topics: [x]}"), ["line 5: ", "a consumer needs groups"]),
    (team("{role: producer, topics: x}"), ["line 5: ", "a list is expected here; write [x], or [] for none"]),
    (team("{role: producer, topics: [{people}]}"), ["line 5: ", 'a name in braces must stand in quotes; write "{people}"']),
    (team('{role: producer, topics: ["{peple}"]}'),
     ["line 5: ", '"{peple}" stands for no topic of the installation; write people']),
    (team("{role: producer, topics: [[x]]}"), ["line 5: ", "one name is expected here, not several"]),
    (team("{role: producer, topics: [ok, 'a b']}"), ["line 5: teams.t.principals.a.1.topics.2: no topic can be called 'a b'"]),
    (team('{role: producer, topics: ["**"]}'), ["line 5: ", "matches only names that start with an asterisk"]),
    (team("{role: producer, topics: [x], hosts: [db.example.org]}"), ["line 5: ", "no IP address"]),
    (team("{role: producer, topics: [x], hosts: []}"), ["line 5: ", "leave hosts out for any address"]),
    (team("{role: producer, topics: [*]}"), ["line 5: what begins with an asterisk must stand in quotes"]),
    (team("{role: producer, topics: [*x]}"), ["line 5: what begins with an asterisk must stand in quotes"]),
    (team("\n            role: producer\n            topics:\n              - x\n              - 'a,b'"),
     ["line 9: teams.t.principals.a.1.topics.2: no topic can be called 'a,b'"]),
    ("teams:\n  t:\n    principals:\n      User:a: []\n", ["line 4: ", "the type is understood here; write a"]),
    ("teams:\n  t:\n    principals:\n      a-*: []\n", ["line 4: ", "no beginnings of names here"]),
    ('teams:\n  t:\n    principals:\n      "*": []\n', ["line 4: ", "everybody is in no team"]),
    ("teams:\n  t:\n    principals:\n      a: []\n  u:\n    principals:\n      a: []\n", ["line 7: ", "team t has it too"]),
    ("teams:\n  t:\n    principals:\n      a: []\n      a: []\n", ["line 5: 'a' stands twice (first on line 4)"]),
    ("teams:\n  t:\n    about: x\n", ["line 2: teams.t: `principals` is missing"]),
    ("teams: [t]\n", ["line 1: teams: names with what belongs to them are expected here"]),
    ("team: {}\n", ["line 1: team: nothing here is called so; write teams"]),
    ("teams:\n  t:\n    principals:\n      producer: []\nprotected: [prodcuer]\n",
     ["line 5: ", "nobody would be protected; write producer"]),
    ("protected: [User:x]\n", ["line 1: ", "the type is understood here; write x"]),
    ("managed:\n  principals: ['']\n", ["line 2: managed.principals.1: ", "names nobody"]),
    ("managed:\n  topics: ['a b']\n", ["line 2: managed.topics.1: no topic can be called"]),
    ("managed:\n  topic: [x]\n", ["line 2: managed.topic: nothing here is called so; write topics"]),
    ("rules:\n  - {principal: a, permission: deny, operation: IDEMPOTENT_WRITE, resource: topic, name: x}\n",
     ["line 2: rules.1.operation: 'IDEMPOTENT_WRITE' cannot be done with a topic"]),
    ("rules:\n  - {principal: a, permission: deny, operation: READ, resource: topics, name: x}\n",
     ["line 2: rules.1.resource: resource 'topics' is not known"]),
    ("rules:\n  - {principal: a, permission: maybe, operation: READ, resource: topic, name: x}\n",
     ["line 2: rules.1.permission: 'maybe' is none of those that are known; write one of: allow, deny"]),
    ("rules:\n  - {principal: a, permission: deny, operation: READ, resource: topic, name: x, host: here}\n",
     ["line 2: rules.1.host: host 'here' is no IP address"]),
    ("rules:\n  - {principal: a, permission: deny, operation: ALTER, resource: cluster, name: x}\n", ["the cluster is called"]),
    ("teams:\n  t:\n\tprincipals: {}\n", ["line 3: this is no YAML"]),
    ("teams: {\n", ["this is no YAML"]),
    ("a: 1\n---\nb: 2\n", ["line 2: this is no YAML"]),
    ("teams:\n  t: \x07\n", ["line 2: there is a character that cannot be seen"]),
    ("", ["line 1: there is nothing here"]),
    ("# only words\n", ["line 1: there is nothing here"]),
    ("[a, b]\n", ["line 1: names with what belongs to them"]),
    ("? [a]\n: b\n", ["line 1: a list or a group of names cannot be a name"]),
    ("a: &x [1]\nb: *x\n", ["line 2: what begins with an asterisk must stand in quotes"]),
    ("[" * 5000, ["line 1: this is nested too deeply"]),
]


@pytest.mark.parametrize(("text", "says"), WRONG, ids=[f"{at}" for at in range(len(WRONG))])
def test_what_is_wrong_is_told_with_its_line_and_a_remedy(text: str, says: list[str]) -> None:
    with pytest.raises(NotWanted) as refused:
        parsed(text)
    assert all(words in str(refused.value) for words in says), str(refused.value)
    assert len(refused.value.faults) == 1


def test_all_that_is_wrong_is_told_in_order_of_lines() -> None:
    with pytest.raises(NotWanted) as refused:
        parsed(FIRST.replace("role: spark source", "role: sparks").replace("protected: [", "protect: ["))
    assert [str(fault).partition(":")[0] for fault in refused.value.faults] == [
        f"line {next(at for at, line in enumerate(FIRST.splitlines(), 1) if words in line)}"
        for words in ("role: spark source", "protected: [")]


def test_a_document_knows_its_lines() -> None:
    document = Document("a:\n  - b: 1\n    c: [x,\n        y]\n")
    assert document.content == {"a": [{"b": "1", "c": ["x", "y"]}]}
    paths: list[tuple[str | int, ...]] = [("a",), ("a", 0), ("a", 0, "c"), ("a", 0, "c", 1), ("a", 0, "gone"), ("gone",), ()]
    assert [document.line(path) for path in paths] == [1, 2, 3, 4, 2, 1, 1]


def test_a_protected_principal_of_others_need_not_be_in_a_team() -> None:
    assert parsed("protected: [backup]\n").protected_principals == {"User:backup"}


def test_who_is_in_which_team() -> None:
    assert parsed(FIRST).teams_by_principal["User:stream"] == "rollcall"


@pytest.mark.parametrize(("owned", "line", "mine"), [
    ({"principals": ["x"]}, "allow x READ topic t", True),
    ({"principals": ["x"]}, "allow xy READ topic t", False),
    ({"principals": ["team-*"]}, "allow team-a READ topic t", True),
    ({"principals": ["team-*"]}, "allow tea READ topic t", False),
    ({"principals": ["team-*"]}, "allow * READ topic t", False),
    ({"principals": ["*"]}, "allow * READ topic t", True),
    ({"principals": ["*"]}, "deny x ALTER cluster kafka-cluster", True),
    ({"topics": ["t"]}, "allow * READ topic t", True),
    ({"topics": ["t"]}, "allow x READ topic t*", False),
    ({"topics": ["t"]}, "allow x READ group t", False),
    ({"topics": ["t-*"]}, "allow x READ topic t-1", True),
    ({"topics": ["t-*"]}, "allow x READ topic t-1*", True),
    ({"topics": ["t-*"]}, "allow x READ topic t*", False),
    ({"topics": ["t-*"]}, "allow x READ topic *", False),
    ({"groups": ["g*"]}, "allow x READ group g1", True),
    ({}, "allow x READ topic t", False),
])
def test_what_is_ours_to_delete(owned: dict[str, Any], line: str, mine: bool) -> None:
    assert managed(Wanted.model_validate({"managed": owned}), NAMES).owns(rule(line)) == mine


def test_principals_of_teams_and_of_single_rules_are_ours_but_never_everybody() -> None:
    single = "rules:\n  - {principal: %s, permission: deny, operation: READ, resource: topic, name: x}\n"
    both = managed(parsed(team("{role: producer, topics: [x]}") + single % "b"), NAMES)
    assert both.owns(rule("allow a READ group g"))
    assert both.owns(rule("allow b READ group g"))
    everybody = managed(parsed(single % '"*"'), NAMES)
    assert not everybody.owns(rule("deny * READ topic x"))
    assert not everybody.owns(rule("allow z READ topic x"))


LAYOUTS = [
    "", "rules: []\n", "rules: []   # none yet\nprotected: [q]\n",
    "rules:\n  - {principal: q, permission: deny, operation: READ, resource: topic, name: x}   # kept\n\n# z\nprotected: []\n",
    "rules:\n- principal: q\n  permission: deny\n  operation: READ\n  resource: topic\n  name: x\n# after\nprotected: []\n",
    "rules: [{principal: q, permission: deny, operation: READ, resource: topic, name: x}]   # in a row",
    "rules: [\n  {principal: q, permission: deny, operation: READ, resource: topic, name: x},\n]\n",
]


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(SLOW, max_examples=15)
@given(any_rules(4))
def test_what_was_found_is_adopted_and_the_text_stays(layout: str, found: frozenset[Rule]) -> None:
    text = f"# words\n{team('{role: producer, topics: [x]}')}{layout}"
    new = adopted(text, found, "it's \"in use\": see #12")
    assert rules(parsed(new), NAMES) == rules(parsed(text), NAMES) | found
    assert parsed(new).teams == parsed(text).teams
    assert all(line in new for line in text.splitlines() if line.startswith("#") or "# kept" in line)
    assert not found or parsed(new).rules[-1].why == "it's \"in use\": see #12"


def test_nonsense_is_not_adopted() -> None:
    with pytest.raises(NotWanted, match="has no type"):
        adopted(FIRST, [replace(rule("allow a READ topic x"), principal="a")], "")
    with pytest.raises(NotWanted, match="stands for no topic"):
        adopted(FIRST, [rule("allow a READ group {x}")], "")


def test_the_first_content_takes_a_rule_and_keeps_its_words() -> None:
    new = adopted(FIRST, [rule("deny * READ topic secret-* 10.0.0.1")], "")
    assert new.startswith(FIRST.removesuffix("rules: []\n"))
    assert rule("deny * READ topic secret-* 10.0.0.1") in rules(parsed(new), NAMES)
