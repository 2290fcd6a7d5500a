"""May X do Y on Z? Decided as Kafka's StandardAuthorizer decides, and the rule that decides is named.

The order is its own: super users may everything, even what a DENY forbids; else the first DENY that matches refuses; else an
ALLOW that matches or implies it allows; else it is refused, or, with allow.everyone.if.no.acl.found and no rule of anybody
about this resource, allowed. Of several rules the one is named that Kafka's authorizer log names: the first DENY, the last
ALLOW. Source: StandardAuthorizerData.findAclRule and findResult, StandardAcl.compareTo; Kafka 4.3.1.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from governance.kafka_access.rule import (
    ALL,
    ANY,
    EVERYBODY,
    LITERAL,
    Rule,
    host_faults,
    name_faults,
    operation_faults,
    principal_faults,
)
from governance.kafka_access.sentence import act, sentence

IMPLIED_BY: Mapping[str, frozenset[str]] = {
    "DESCRIBE": frozenset({"DESCRIBE", "READ", "WRITE", "DELETE", "ALTER"}),
    "DESCRIBE_CONFIGS": frozenset({"DESCRIBE_CONFIGS", "ALTER_CONFIGS"}),
}
"""Operation -> those whose ALLOW allows it. A DENY implies nothing: who may not read may still describe."""

_ORDER = ("ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS",
          "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT")


class Ground(StrEnum):
    """What decides where no rule does."""

    SUPER_USER = "super user"
    NOTHING_ALLOWS = "no rule allows it"
    NO_RULE_AT_ALL = "no rule of anybody speaks of it"


@dataclass(frozen=True)
class Verdict:
    """The answer and what decides it. A rule whose principal has no type decides by making Kafka fail."""

    allowed: bool
    by: Rule | Ground

    def __str__(self) -> str:
        match self.by:
            case Ground.SUPER_USER:
                return "Yes: a super user may do everything, whatever the rules say."
            case Ground.NOTHING_ALLOWS:
                return "No: no rule allows it."
            case Ground.NO_RULE_AT_ALL if self.allowed:
                return "Yes: no rule of anybody speaks of it, and Kafka is set to allow that (allow.everyone.if.no.acl.found)."
            case Rule() if self.by.nameless:
                return (f"No: a rule for {self.by.principal!r}, a principal without a type, makes Kafka fail every request "
                        "about this. Remove the rule.")
            case Rule():
                return f"{'Yes' if self.allowed else 'No'}: {sentence(self.by)}."
        return "No: no rule of anybody speaks of it."


def decide(rules: Iterable[Rule], super_users: Collection[str], principal: str, host: str, operation: str, resource: str,
           name: str, allow_if_none: bool = False) -> Verdict:
    """What Kafka would answer to this principal (`User:name`) that comes from this address.

    name: of one resource, no pattern. allow_if_none: allow.everyone.if.no.acl.found.
    """
    if principal in super_users:
        return Verdict(True, Ground.SUPER_USER)
    about = sorted((rule for rule in rules if rule.resource == resource and rule.covers(name)), key=_met)
    allowing: Rule | None = None
    for rule in about:
        if rule.nameless:
            return Verdict(False, rule)
        if not _speaks_to(rule, principal, host, operation):
            continue
        if not rule.allow:
            return Verdict(False, rule)
        allowing = rule
    if allowing:
        return Verdict(True, allowing)
    return Verdict(True, Ground.NO_RULE_AT_ALL) if allow_if_none and not about else Verdict(False, Ground.NOTHING_ALLOWS)


def question_faults(principal: str, host: str, operation: str, resource: str, name: str) -> list[str]:
    """Why this cannot be asked, as sentences; none for a sound question."""
    wrong = [*principal_faults(principal), *host_faults(host), *operation_faults(resource, operation)]
    return wrong or name_faults(resource, name, LITERAL)


def question(principal: str, host: str, operation: str, resource: str, name: str) -> str:
    """What is asked, in words: `May reader read topic 'abc' from 10.0.0.1?`"""
    whence = "any address that no rule names" if host == ANY else host
    return f"May {principal.partition(':')[2]} {act(operation, resource, name, LITERAL)} from {whence}?"


def _speaks_to(rule: Rule, principal: str, host: str, operation: str) -> bool:
    if rule.principal not in (principal, EVERYBODY) or rule.host not in (host, ANY):
        return False
    if rule.operation in (operation, ALL):
        return True
    return rule.allow and rule.operation in IMPLIED_BY.get(operation, ())


def _met(rule: Rule) -> tuple[bool, int, bool, int, str, str, bool]:
    """When Kafka comes to it: longer names first, `*` last; then as it sorts its rules."""
    everything = rule.name == ANY and rule.pattern == LITERAL
    place = _ORDER.index(rule.operation) if rule.operation in _ORDER else len(_ORDER)
    return everything, -len(rule.name), rule.pattern != LITERAL, place, rule.principal, rule.host, rule.allow
