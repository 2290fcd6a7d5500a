"""Rules as lines of kafka-acls.sh, for people without the console and for who wants to see what a plan amounts to.

Source: AclCommand, Kafka 4.3.1. Two traps are kept off: without --force the tool fails where there is no terminal, and without
--operation, principal and pattern it removes something else than meant.
"""

import shlex
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from governance.kafka_access.rule import ALL, CLUSTER, LITERAL, OPERATIONS, Rule

BEGIN = 'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG"'
"""How each line begins: who runs it sets the two; passwords stand in the file $CONFIG, never on the line."""

_OPTIONS = {"topic": "--topic", "group": "--group", "transactional_id": "--transactional-id",
            "delegation_token": "--delegation-token", "user": "--user-principal"}


def lines(rules: Iterable[Rule], add: bool, begin: str = BEGIN) -> list[str]:
    """The lines that add or remove exactly these rules, in the order of the rules; neighbours that differ in nothing but the
    operation share a line. What the tool cannot name is a comment that says so."""
    found = []
    for _, group in groupby(rules, key=lambda rule: replace(rule, operation="")):
        same = list(group)
        found += [_comment(rule) for rule in same if not _can_be_named(rule)]
        if together := [rule for rule in same if _can_be_named(rule)]:
            found.append(f"{begin} {shlex.join(_words(together, add))}")
    return found


def _words(rules: list[Rule], add: bool) -> list[str]:
    one = rules[0]
    side = "allow" if one.allow else "deny"
    words = ["--add"] if add else ["--remove", "--force"]
    words += [f"--{side}-principal", one.principal, f"--{side}-host", one.host]
    for rule in rules:
        words += ["--operation", "".join(part.capitalize() for part in rule.operation.split("_"))]
    if one.resource == "cluster":
        return [*words, "--cluster"]
    words += [_OPTIONS[one.resource], one.name]
    return words if one.pattern == LITERAL else [*words, "--resource-pattern-type", one.pattern]


def _can_be_named(rule: Rule) -> bool:
    """The tool takes blanks off, wants a type, and refuses operations that do not fit even when it should remove them."""
    texts = (rule.principal, rule.host, rule.name)
    return (not rule.nameless and all(text and text == text.strip() for text in texts)
            and rule.operation in (*OPERATIONS.get(rule.resource, ()), ALL)
            and (rule.resource != "cluster" or (rule.name, rule.pattern) == (CLUSTER, LITERAL)))


def _comment(rule: Rule) -> str:
    return (f"# kafka-acls.sh cannot name this one: {rule.principal!r} {rule.operation} {rule.resource} {rule.name!r} "
            f"({rule.pattern}) from {rule.host!r}; `rollcall access apply` can")
