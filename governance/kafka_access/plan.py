"""What would be created and deleted in Kafka to bring it to the wanted state: to be read, kept as a file, and applied in order.

The order: refusals are created first, then permissions; permissions are deleted, and refusals last. A request that is allowed
before and after finds an ALLOW at each step and no DENY ever, since a DENY that matches it stands on neither side; one that is
refused before and after is not let through in between either, by a permission that comes before its refusal or outlives it.
(With allow.everyone.if.no.acl.found there is no such order: the first rule about a resource takes the default from everybody.)
What is about the cluster is deleted at the very end, for it is the right by which a plan is applied.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from governance.kafka_access.acl_command import lines
from governance.kafka_access.ownership import Managed
from governance.kafka_access.rule import ANY, EVERYBODY, LITERAL, PREFIXED, Rule, faults
from governance.kafka_access.sentence import sentence

FORMAT = "rollcall kafka access plan 2"
MANY = 10
"""A plan that touches more rules than this is far-reaching."""


class NotAPlan(ValueError):
    """What was given is no plan file that can be applied; the message says why."""


class Why(StrEnum):
    """Why a rule that is not wanted stays."""

    OF_OTHERS = "of others"
    DELETES_OFF = "deletes are off"


@dataclass(frozen=True)
class Left:
    """A rule that is not wanted and stays."""

    rule: Rule
    why: Why


@dataclass(frozen=True)
class Step:
    """One rule that is created or deleted."""

    create: bool
    rule: Rule


@dataclass(frozen=True)
class Reach:
    """How much a plan touches, so that its confirmation can be scaled to that.

    topics: those that rules speak of by name, else names and beginnings of names. every: kinds of which it reaches all, or all
    that is known (`topic`, `known group`).
    """

    rules: int
    principals: int
    topics: int
    everybody: bool
    every: tuple[str, ...]
    cluster: bool

    @property
    def far(self) -> bool:
        """Whether it takes more than a click: many rules, everybody, all of a kind, or rights over the cluster itself."""
        return self.rules > MANY or self.everybody or bool(self.every) or self.cluster

    def __str__(self) -> str:
        whom = "everybody" if self.everybody else _counted(self.principals, "principal")
        all_of = [f"every {kind}" for kind in self.every]
        what = all_of if any(kind.endswith("topic") for kind in self.every) else [_counted(self.topics, "topic"), *all_of]
        return f"{_counted(self.rules, 'rule')} of {whom} on {' and '.join([*what, *['the cluster'] * self.cluster])}"


@dataclass(frozen=True)
class Plan:
    """there: all rules of Kafka when it was made. creates and deletes: in the order of application. teams: for its words.
    wanted: fingerprint of all that was wanted then."""

    there: frozenset[Rule]
    creates: tuple[Rule, ...]
    deletes: tuple[Rule, ...]
    left: tuple[Left, ...] = ()
    teams: Mapping[str, str] = field(default_factory=dict)
    wanted: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.creates and not self.deletes

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done, in order."""
        return (*(Step(True, rule) for rule in self.creates), *(Step(False, rule) for rule in self.deletes))

    @property
    def after(self) -> frozenset[Rule]:
        """The rules of Kafka when it was applied."""
        return self.there - frozenset(self.deletes) | frozenset(self.creates)

    @property
    def fingerprint(self) -> str:
        """Of the state it was made from."""
        return fingerprint(self.there)

    @property
    def commands(self) -> list[str]:
        """The same as lines of kafka-acls.sh, in order."""
        return [*lines(self.creates, add=True), *lines(self.deletes, add=False)]

    def says(self, rule: Rule) -> str:
        """A rule of it in plain words."""
        return sentence(rule, self.teams)

    def reach(self) -> Reach:
        """How much it touches. What there is in Kafka nobody tells `gatekeeper`: known is what rules speak of."""
        touched = [*self.creates, *self.deletes]
        known = {(rule.resource, rule.name, rule.pattern) for rule in self.there.union(touched)
                 if (rule.name, rule.pattern) != (ANY, LITERAL)}
        about = [rule for rule in touched if rule.resource == "topic"]
        topics = {name for kind, name, pattern in known if kind == "topic" and pattern == LITERAL}
        met = {topic for topic in topics for rule in about if rule.covers(topic)}
        names = {(rule.name, rule.pattern) for rule in about if not any(rule.covers(topic) for topic in met)}
        return Reach(
            len(touched), len({rule.principal for rule in touched} - {EVERYBODY}), len(met) + len(names),
            everybody=any(rule.principal == EVERYBODY for rule in touched),
            every=tuple(sorted({kind for rule in touched if (kind := _every(rule, known))})),
            cluster=any(rule.resource == "cluster" for rule in touched))

    def to_json(self) -> str:
        """The plan file: all of it, with its sentences and commands for who reads it."""
        return json.dumps(self._file(), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan of a file. Raises NotAPlan if it is none, if it is at odds with itself, or if its words do not say what it
        does, as when somebody has changed one without the other."""
        try:
            file = _File.model_validate_json(text)
        except ValidationError as error:
            one = error.errors()[0]
            raise NotAPlan(f"This is no plan file: {'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg'].lower()}. "
                           "Make a plan again and use its file.") from None
        if file.format != FORMAT:
            raise NotAPlan(f"This is a file of the form {file.format!r}, and {FORMAT!r} is needed. Make a plan again.")
        plan = cls(frozenset(file.there), tuple(one.rule for one in file.creates), tuple(one.rule for one in file.deletes),
                   tuple(Left(one.rule, one.why) for one in file.left), file.teams, file.wanted)
        if wrong := [what for rule in plan.creates for what in faults(rule)]:
            raise NotAPlan(f"This plan would create nonsense: {wrong[0]}.")
        if not plan.there >= set(plan.deletes) or plan.there & set(plan.creates) or json.loads(text) != plan._file():
            raise NotAPlan("This plan file does not fit together: it was changed by hand or written by another version. "
                           "Make a plan again.")
        return plan

    def _file(self) -> dict[str, Any]:
        def said(rule: Rule) -> dict[str, Any]:
            return {"says": self.says(rule), "rule": asdict(rule)}

        return {
            "format": FORMAT, "made_from": self.fingerprint, "wanted": self.wanted,
            "creates": [said(rule) for rule in self.creates], "deletes": [said(rule) for rule in self.deletes],
            "left": [{**said(one.rule), "why": one.why.value} for one in self.left],
            "commands": self.commands, "teams": dict(self.teams), "there": [asdict(rule) for rule in sorted(self.there)],
        }


def plan(wanted: Iterable[Rule], there: Iterable[Rule], managed: Managed, deletes: bool,
         teams: Mapping[str, str] | None = None) -> Plan:
    """The way from what is there to what is wanted. deletes: whether rules that are not wanted go; those of others never do."""
    wanted, there = frozenset(wanted), frozenset(there)
    surplus = there - wanted
    gone = {rule for rule in surplus if deletes and managed.owns(rule)}
    left = (Left(rule, Why.DELETES_OFF if managed.owns(rule) else Why.OF_OTHERS) for rule in sorted(surplus - gone))
    return Plan(there, in_order(wanted - there, create=True), in_order(gone, create=False), tuple(left), dict(teams or {}),
                fingerprint(wanted))


def part(full: Plan, creates: Iterable[Rule], deletes: Iterable[Rule]) -> Plan:
    """Of a plan just this, in its order."""
    creates, deletes = frozenset(creates), frozenset(deletes)
    return replace(full, creates=tuple(rule for rule in full.creates if rule in creates),
                   deletes=tuple(rule for rule in full.deletes if rule in deletes), left=())


def in_order(rules: Iterable[Rule], create: bool) -> tuple[Rule, ...]:
    """Rules in the order in which they may be created or deleted."""
    if create:
        return tuple(sorted(rules, key=lambda rule: (rule.allow, rule)))
    return tuple(sorted(rules, key=lambda rule: (rule.resource == "cluster", not rule.allow, rule)))


def stale(kept: Plan, now: Plan) -> str:
    """Why a plan that was kept may not be applied any more, or nothing. now: made of today's wanted state and Kafka."""
    new, gone = len(now.there - kept.there), len(kept.there - now.there)
    if new or gone:
        return (f"Since this plan was made {_counted(new, 'rule')} appeared in Kafka and {_counted(gone, 'rule')} went. "
                "Make a plan again and read it.")
    if kept.wanted != now.wanted:
        return "What is wanted was changed since this plan was made. Make a plan again and read it."
    if (kept.creates, kept.deletes, kept.teams) != (now.creates, now.deletes, now.teams):
        return "This plan is not what the wanted state asks for today. Make a plan again and read it."
    return ""


def fingerprint(rules: Iterable[Rule]) -> str:
    """Of a set of rules: the same for the same rules, whatever their order (SHA-256, hexadecimal)."""
    return sha256(json.dumps([asdict(rule) for rule in sorted(set(rules))]).encode()).hexdigest()


def _every(rule: Rule, known: Collection[tuple[str, str, str]]) -> str:
    """Of which kind a rule reaches everything, or everything that others speak of; empty if of none."""
    if rule.resource == "cluster":
        return ""
    kind = rule.resource.replace("_", " ")
    if (rule.name, rule.pattern) == (ANY, LITERAL):
        return kind
    others = [name for resource, name, pattern in known
              if resource == rule.resource and (name, pattern) != (rule.name, rule.pattern)]
    covers = rule.pattern == PREFIXED and bool(others) and all(name.startswith(rule.name) for name in others)
    return f"known {kind}" if covers else ""


def _counted(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Said(_Part):
    says: str
    rule: Rule


class _LeftSaid(_Said):
    why: Why


class _File(_Part):
    format: str
    made_from: str
    wanted: str
    creates: list[_Said]
    deletes: list[_Said]
    left: list[_LeftSaid]
    commands: list[str]
    teams: dict[str, str]
    there: list[Rule]
