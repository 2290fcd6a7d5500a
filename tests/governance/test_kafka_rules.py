"""What is nonsense in a rule of Kafka, its sentence, and its line for kafka-acls.sh."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.kafka_access.acl_command import BEGIN, lines
from governance.kafka_access.rule import (
    ALL,
    CLUSTER,
    OPERATIONS,
    SHORTEST_PASSWORD,
    Rule,
    faults,
    named,
    password_faults,
)
from governance.kafka_access.sentence import sentence
from tests.governance.kafka_cases import SLOW, any_rule, rule

SOUND = Rule("User:alice", "*", "READ", True, "topic", "orders", "literal")


def but(operation: str, changes: Mapping[str, Any]) -> Rule:
    """The sound one with some of it otherwise; operation: unless that is among it."""
    return Rule(**{**asdict(SOUND), "operation": operation, **changes})


FITS = """
topic READ WRITE CREATE DESCRIBE DELETE ALTER DESCRIBE_CONFIGS ALTER_CONFIGS
group READ DESCRIBE DELETE DESCRIBE_CONFIGS ALTER_CONFIGS
cluster CREATE CLUSTER_ACTION DESCRIBE_CONFIGS ALTER_CONFIGS IDEMPOTENT_WRITE ALTER DESCRIBE
transactional_id DESCRIBE WRITE
delegation_token DESCRIBE
user CREATE_TOKENS DESCRIBE_TOKENS
"""
"""What Kafka's own tool takes, resource by resource."""

EACH = sorted({operation for line in FITS.split("\n") for operation in line.split()[1:]})


@SLOW
@given(any_rule())
def test_a_sound_rule_has_no_fault(one: Rule) -> None:
    assert faults(one) == []


@pytest.mark.parametrize(("wrong", "says"), [
    ({"principal": "alice"}, "has no type: Kafka would fail every request that the rule concerns; write User:alice"),
    ({"principal": ""}, "has no type"),
    ({"principal": "user:alice"}, "of the type 'user'"),
    ({"principal": "Group:staff"}, "of the type 'Group'"),
    ({"principal": "User:"}, "names nobody"),
    ({"principal": "User:team-*"}, "no beginnings of names here"),
    ({"principal": "User:alice "}, "begins or ends with blanks"),
    ({"principal": "User:ali\nce"}, "characters that are not seen"),
    ({"host": "db.example.org"}, "no IP address, and Kafka looks no names up"),
    ({"host": ""}, "no IP address"),
    ({"host": "10.0.0.0/8"}, "Kafka knows no networks"),
    ({"host": "10.0.0.1,10.0.0.2"}, "one rule for each of them"),
    ({"host": "10.0.0.256"}, "no IP address"),
    ({"host": "2001:db8::1"}, "Kafka writes this address 2001:db8:0:0:0:0:0:1"),
    ({"host": "2001:DB8:0:0:0:0:0:1"}, "Kafka writes this address 2001:db8:0:0:0:0:0:1"),
    ({"host": "::ffff:10.0.0.1"}, "Kafka writes this address 10.0.0.1"),
    ({"operation": "IDEMPOTENT_WRITE"}, "cannot be done with a topic"),
    ({"operation": "read"}, "cannot be done with a topic"),
    ({"operation": "ANY"}, "cannot be done with a topic"),
    ({"resource": "topics"}, "resource 'topics' is not known"),
    ({"pattern": "match"}, "can only be looked for"),
    ({"pattern": "prefixed", "name": "*"}, "matches only names that start with an asterisk"),
    ({"name": "orders-*"}, "for names that start so the pattern is prefixed and the name 'orders-'"),
    ({"name": "orders-*", "pattern": "prefixed"}, "meant letter by letter"),
    ({"name": ""}, "the topic has no name"),
    ({"name": "", "pattern": "prefixed"}, "the topic has no name"),
    ({"name": "a,b"}, "no topic can be called 'a,b'"),
    ({"name": "bücher"}, "no topic can be called"),
    ({"name": ".."}, "no topic can be called"),
    ({"name": "x" * 250}, "no topic can be called"),
    ({"resource": "group", "name": " g"}, "begins or ends with blanks"),
    ({"resource": "cluster"}, "the cluster is called 'kafka-cluster'"),
    ({"resource": "cluster", "name": CLUSTER, "pattern": "prefixed"}, "and not 'kafka-cluster', prefixed"),
    ({"resource": "cluster", "name": "*"}, "the cluster is called 'kafka-cluster'"),
    ({"resource": "user", "operation": ALL, "name": "alice"}, "is no principal; write User:alice"),
    ({"resource": "user", "operation": ALL, "name": "ali", "pattern": "prefixed"}, "is no principal"),
])
def test_nonsense_is_named(wrong: dict[str, str], says: str) -> None:
    assert says in " / ".join(faults(but("DESCRIBE", wrong)))


@pytest.mark.parametrize("right", [
    {"host": "10.0.0.1"}, {"host": "2001:db8:0:0:0:0:0:1"}, {"host": "fe80:0:0:0:0:0:0:1%eth0"}, {"principal": "User:*"},
    {"principal": "User:CN=a,OU=b"}, {"principal": "User:a:b"}, {"name": "*"}, {"name": ".", "pattern": "prefixed"},
    {"name": "x" * 249}, {"resource": "group", "name": "any words, here"}, {"resource": "user", "operation": ALL, "name": "*"},
    {"resource": "user", "operation": "CREATE_TOKENS", "name": "User:bob"},
    {"resource": "user", "operation": "CREATE_TOKENS", "name": "User:", "pattern": "prefixed"},
])
def test_what_is_unusual_and_right_is_taken(right: dict[str, str]) -> None:
    assert faults(but("READ", right)) == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(faults(Rule("alice", "nowhere", "FLY", True, "topic", "", "literal"))) == 4


@pytest.mark.parametrize("line", FITS.split("\n")[1:-1])
def test_an_operation_fits_its_resource_or_is_refused(line: str) -> None:
    resource, *fitting = line.split()
    name = {"cluster": CLUSTER, "user": "User:bob"}.get(resource, "x")
    taken = {one for one in [*EACH, ALL] if not faults(replace(SOUND, operation=one, resource=resource, name=name))}
    assert taken == {*fitting, ALL}


def test_a_prefix_covers_what_starts_so_and_a_literal_only_itself() -> None:
    assert rule("allow a READ topic abc*").covers("abc")
    assert rule("allow a READ topic abc*").covers("abcd")
    assert not rule("allow a READ topic abc*").covers("ab")
    assert not rule("allow a READ topic abc").covers("abcd")
    assert rule("allow a READ topic *").covers("anything")
    assert not Rule("User:a", "*", "READ", True, "group", "*", "prefixed").covers("anything")


@pytest.mark.parametrize(("text", "pair"), [
    ("abc", ("abc", "literal")), ("abc-*", ("abc-", "prefixed")), ("*", ("*", "literal")), ("**", ("*", "prefixed"))])
def test_the_short_form_of_a_name(text: str, pair: tuple[str, str]) -> None:
    assert named(text) == pair


@pytest.mark.parametrize(("password", "says"), [
    ("", ["is empty"]), ("short", ["has 5 characters"]), ("long enough, it has a comma", ["has a comma"]),
    ("a,b", ["has 3 characters", "has a comma"]), ("x" * SHORTEST_PASSWORD, [])])
def test_passwords(password: str, says: list[str]) -> None:
    found = password_faults(password)
    assert len(found) == len(says)
    assert all(words in told for words, told in zip(says, found, strict=True))
    assert not password or all(password not in told for told in found)


@pytest.mark.parametrize(("line", "says"), [
    ("allow reader READ topic abc-*", "reader may read topics that start with 'abc-' from any address"),
    ("allow reader READ topic abc 10.0.0.7", "reader may read topic 'abc' from 10.0.0.7"),
    ("deny reader READ topic *", "reader may not read every topic from any address"),
    ("deny * ALL topic abc", "nobody may do everything with topic 'abc' from any address"),
    ("allow * DESCRIBE topic abc", "everybody may see the partitions of topic 'abc' from any address"),
    ("allow reader READ group g*", "reader may join groups that start with 'g' from any address"),
    ("allow w WRITE transactional_id t", "w may run transactions as transactional id 't' from any address"),
    ("allow admin ALTER cluster kafka-cluster", "admin may change rules and passwords of everybody from any address"),
    ("allow a DELETE topic x*", "a may delete topics that start with 'x' and records in them from any address"),
    ("allow a DESCRIBE_CONFIGS group x", "a may see the settings of group 'x' from any address"),
])
def test_a_rule_in_plain_words(line: str, says: str) -> None:
    assert sentence(rule(line)) == says


def test_a_sentence_names_the_team() -> None:
    found = sentence(rule("allow reader READ topic abc-*"), {"User:reader": "team-a"})
    assert found == "team-a's reader may read topics that start with 'abc-' from any address"


def test_each_operation_has_words_of_its_own() -> None:
    for resource, operations in OPERATIONS.items():
        said = [sentence(replace(SOUND, operation=one, resource=resource)) for one in (*operations, ALL)]
        assert len(set(said)) == len(said)
        assert not [words for words in said if "_" in words.replace(resource, "") or "{" in words or "READ" in words]


def test_what_comes_from_kafka_cannot_garble_a_sentence() -> None:
    assert "\n" not in sentence(replace(SOUND, principal="User:a\nb may do everything", name="x\ny"))
    assert sentence(replace(SOUND, principal="alice")) == "'alice' may read topic 'orders' from any address"


@pytest.mark.parametrize(("line", "add", "words"), [
    ("allow spark READ topic cdr", True,
     "--add --allow-principal User:spark --allow-host '*' --operation Read --topic cdr"),
    ("allow spark READ topic cdr-* 10.0.0.1", False,
     "--remove --force --allow-principal User:spark --allow-host 10.0.0.1 --operation Read --topic cdr- "
     "--resource-pattern-type prefixed"),
    ("deny * ALTER_CONFIGS topic *", True,
     "--add --deny-principal 'User:*' --deny-host '*' --operation AlterConfigs --topic '*'"),
    ("allow a ALTER cluster kafka-cluster", True,
     "--add --allow-principal User:a --allow-host '*' --operation Alter --cluster"),
    ("allow a READ group g", True, "--add --allow-principal User:a --allow-host '*' --operation Read --group g"),
    ("allow a WRITE transactional_id t*", True,
     "--add --allow-principal User:a --allow-host '*' --operation Write --transactional-id t --resource-pattern-type prefixed"),
    ("allow a CREATE_TOKENS user User:b", True,
     "--add --allow-principal User:a --allow-host '*' --operation CreateTokens --user-principal User:b"),
    ("allow a DESCRIBE delegation_token t", True,
     "--add --allow-principal User:a --allow-host '*' --operation Describe --delegation-token t"),
])
def test_a_rule_as_a_line_of_the_tool(line: str, add: bool, words: str) -> None:
    assert lines([rule(line)], add) == [f"{BEGIN} {words}"]


def test_neighbours_that_differ_in_the_operation_share_a_line() -> None:
    three = [rule("allow a READ topic x"), rule("allow a DESCRIBE topic x"), rule("allow a READ topic y")]
    found = lines(three, add=True, begin="t")
    assert found == ["t --add --allow-principal User:a --allow-host '*' --operation Read --operation Describe --topic x",
                     "t --add --allow-principal User:a --allow-host '*' --operation Read --topic y"]


def understood(words: list[str]) -> set[Rule]:
    """What the tool takes a line for (AclCommand's options), written anew."""
    options: dict[str, list[str]] = {}
    rest = [word for word in words if word not in ("--add", "--remove", "--force", "--cluster")]
    for option, value in zip(rest[::2], rest[1::2], strict=True):
        options.setdefault(option, []).append(value)
    side = "allow" if "--allow-principal" in options else "deny"
    kinds = {"--topic": "topic", "--group": "group", "--transactional-id": "transactional_id", "--user-principal": "user",
             "--delegation-token": "delegation_token"}
    (resource, name), = [(kind, options[one][0]) for one, kind in kinds.items() if one in options] or [("cluster", CLUSTER)]
    assert ("--cluster" in words) == (resource == "cluster")
    enum = {"".join(part.title() for part in one.split("_")): one for one in [*EACH, ALL]}
    return {Rule(options[f"--{side}-principal"][0], options[f"--{side}-host"][0], enum[operation], side == "allow", resource,
                 name, options.get("--resource-pattern-type", ["literal"])[0]) for operation in options["--operation"]}


ODD = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).filter(lambda text: text == text.strip())


@SLOW
@given(st.lists(st.builds(lambda one, name, resource: replace(one, name=name, resource=resource, operation="DESCRIBE"),
                          any_rule(), ODD, st.sampled_from(["topic", "group"])), max_size=6), st.booleans())
def test_a_shell_gives_the_tool_exactly_the_rules(given_rules: list[Rule], add: bool) -> None:
    found = [shlex.split(line) for line in lines(given_rules, add, begin="tool")]
    assert set().union(*(understood(words[1:]) for words in found)) == set(given_rules)
    assert all(words[1:3] == ["--remove", "--force"] or add for words in found)


@pytest.mark.parametrize("wrong", [
    {"principal": "alice"}, {"name": "abc "}, {"operation": "IDEMPOTENT_WRITE"}, {"principal": "nobody\n--force"},
    {"resource": "cluster", "name": CLUSTER, "pattern": "prefixed", "operation": "ALTER"}])
def test_what_the_tool_cannot_name_is_a_comment(wrong: dict[str, str]) -> None:
    line, = lines([but("READ", wrong)], add=False)
    assert line.startswith("# kafka-acls.sh cannot name this one")
    assert "\n" not in line
