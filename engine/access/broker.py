"""Kafka's side of access: the rules there are, a plan applied step by step and read back.

Signed in as `gatekeeper`, which may change rules and nothing else; no other part of the product uses it. kafka-python's traps
are met here: filters that look for anything say None, patterns are asked for by ANY, and every step is read back, for errors
of single rules are lost on their way.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from engine.clients import kafka_admin, mapped
from engine.errors import Final, RollcallError, StoreAway, StoreRefused
from engine.settings import Settings
from governance.kafka_access.plan import Plan, Step
from governance.kafka_access.rule import Rule, faults

PRINCIPAL = "gatekeeper"
SETTLE_S = 10.0
LOOK_EVERY_S = 0.1

_ANYTHING = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)


class AccessRefused(Final):
    """A change of access that is not made: nonsense, a lockout, or a plan that is out of date."""

    exit_code = 65


@dataclass(frozen=True)
class Applied:
    """What an application came to: the steps that are done and read back, those that are not, and what stood in the way."""

    done: tuple[Step, ...]
    left: tuple[Step, ...] = ()
    error: RollcallError | None = None


class Broker:
    """The rules of one Kafka. Raises StoreAway, SignInRefused and StoreRefused throughout."""

    def __init__(self, settings: Settings, admin: KafkaAdminClient) -> None:
        self._settings, self._admin = settings, admin

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str = PRINCIPAL) -> Iterator[Self]:
        """The broker, over a connection of its own."""
        admin = kafka_admin(settings, principal)
        try:
            yield cls(settings, admin)
        finally:
            admin.close()

    def rules(self) -> frozenset[Rule]:
        """Every rule there is, of whomever."""
        with mapped("reading the rules of Kafka", PRINCIPAL):
            try:
                found, _ = self._admin.describe_acls(
                    ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, _ANYTHING))
            except ValueError as error:    # an operation that this version of kafka-python has no name for
                raise StoreRefused(f"Kafka has a rule about something that is not known here ({error}). "
                                   "kafka-acls.sh --list shows all of them.") from None
        return frozenset(map(rule_of, found))

    def super_users(self) -> frozenset[str]:
        """Who may everything, whatever the rules say: `User:broker`. It is a setting of the brokers and no rule."""
        with mapped("reading the super users of Kafka", PRINCIPAL):
            broker = str(self._admin.describe_cluster()["brokers"][0]["broker_id"])
            config = self._admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, broker)], config_filter="all")
        value = str(config["broker"][broker].get("super.users", {}).get("value") or "")
        return frozenset(name.strip() for name in value.split(";") if name.strip())

    def topics(self) -> list[str]:
        """The topics there are, Kafka's own left out."""
        with mapped("reading the topics of Kafka", PRINCIPAL):
            return sorted(name for name in self._admin.list_topics() if not name.startswith("__"))

    def apply(self, plan: Plan, say: Callable[[str], None]) -> Applied:
        """Carries a plan out, step by step in its order; stops at the first that fails. Nothing is undone: a new plan has the
        rest."""
        if wrong := [fault for rule in plan.creates for fault in faults(rule)]:
            raise AccessRefused(f"Nothing was done: {'; '.join(wrong)}.")
        done: list[Step] = []
        for number, step in enumerate(plan.steps):
            try:
                with mapped("changing the rules of Kafka", PRINCIPAL):
                    self._take(step)
            except RollcallError as error:
                return Applied(tuple(done), plan.steps[number:], error)
            done.append(step)
            say(f"{'created' if step.create else 'deleted'}: {plan.says(step.rule)}")
        return Applied(tuple(done))

    def _take(self, step: Step) -> None:
        acl = acl_of(step.rule)
        if step.create:
            if failed := self._admin.create_acls([acl])["failed"]:
                raise failed[0]
        else:
            pattern = acl.resource_pattern
            exactly = ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, ResourcePatternFilter(
                pattern.resource_type, pattern.resource_name, pattern.pattern_type))
            for _, _, refused in self._admin.delete_acls([exactly]):
                if refused.errno:
                    raise refused
        limit = time.monotonic() + SETTLE_S
        while (step.rule in self.rules()) is not step.create:
            if time.monotonic() > limit:
                what = "created" if step.create else "deleted"
                raise StoreAway(f"Kafka does not show the rule {what} within {SETTLE_S:.0f} s.", "Kafka")
            time.sleep(LOOK_EVERY_S)


def rule_of(acl: ACL) -> Rule:
    """A binding of kafka-python as a rule."""
    pattern = acl.resource_pattern
    return Rule(acl.principal, acl.host, acl.operation.name, acl.permission_type is ACLPermissionType.ALLOW,
                pattern.resource_type.name.lower(), pattern.resource_name, pattern.pattern_type.name.lower())


def acl_of(rule: Rule) -> ACL:
    """A rule as a binding of kafka-python."""
    return ACL(rule.principal, rule.host, ACLOperation[rule.operation],
               ACLPermissionType.ALLOW if rule.allow else ACLPermissionType.DENY,
               ResourcePattern(ResourceType[rule.resource.upper()], rule.name, ACLResourcePatternType[rule.pattern.upper()]))
