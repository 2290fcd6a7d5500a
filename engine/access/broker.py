"""Kafka's side of access: the rules there are, one more, one less, and who is above all rules.

Signed in as `gatekeeper`, which may change rules and users and nothing else; no other part of the product uses it.
kafka-python's traps are met here: a filter that looks for anything says None (`*` would mean the asterisk), patterns are asked
for by ANY (prefixed rules would stay unseen), an operation that it has no name for fails the whole list, and errors of single
rules are lost on their way, so each change is read back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import kafka.errors
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from engine.clients import kafka_admin, mapped
from engine.errors import Final, StoreRefused
from engine.kafka_signin import connected
from engine.provision.changes import settled
from engine.settings import CLONE, Settings
from governance.kafka_access.rule import Rule, faults

PRINCIPAL = "gatekeeper"

SERVER_PROPERTIES = CLONE / "infra" / "native" / "kafka" / "server.properties"

_SIGN_IN = ("bootstrap_servers", "security_protocol", "ssl_context", "sasl_mechanism", "request_timeout_ms",
            "bootstrap_timeout_ms")
"""What somebody else's sign-in has in common with ours."""

_ANYTHING = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)


class AccessRefused(Final):
    """A change of access that is not made: nonsense, a lockout, or a plan that is out of date."""

    exit_code = 65


@dataclass(frozen=True)
class Grounds:
    """What decides beside rules. super_users: `User:name`. allow_if_none: allow.everyone.if.no.acl.found."""

    super_users: frozenset[str]
    allow_if_none: bool


def grounds() -> Grounds:
    """What our brokers are started with: Kafka itself tells the values of an authorizer's settings to nobody."""
    lines = (line.partition("=") for line in SERVER_PROPERTIES.read_text(encoding="utf-8").splitlines())
    config = {name.strip(): value.strip() for name, _, value in lines}
    return Grounds(frozenset(filter(None, config.get("super.users", "").split(";"))),
                   config.get("allow.everyone.if.no.acl.found") == "true")


class Broker:
    """The rules of one Kafka. Raises StoreAway, SignInRefused and StoreRefused throughout.

    unreadable: whether the last reading met rules about operations that kafka-python has no name for; they were left out.
    """

    def __init__(self, admin: KafkaAdminClient, principal: str = PRINCIPAL) -> None:
        self.admin, self.principal = admin, principal
        self.unreadable = False

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str = PRINCIPAL) -> Iterator[Self]:
        """The broker, over a connection of its own."""
        admin = kafka_admin(settings, principal)
        try:
            yield cls(admin, principal)
        finally:
            admin.close()

    def rules(self) -> frozenset[Rule]:
        """Every rule there is, of whomever, of a kind that is known here."""
        with asked("reading the rules of Kafka", self.principal):
            try:
                self.unreadable, found = False, self._found(ACLOperation.ANY)
            except ValueError:    # one of a newer Kafka: asked for one by one, those that have a name are all found
                self.unreadable = True
                found = frozenset().union(*(self._found(one) for one in ACLOperation if one > ACLOperation.ANY))
        return found

    def signs_in(self, name: str, password: str) -> bool:
        """Whether Kafka lets somebody in with this password, over a connection of its own."""
        like = {option: self.admin.config[option] for option in _SIGN_IN}
        with asked(f"signing in as {name}", self.principal):
            try:
                connected(KafkaAdminClient, {**like, "client_id": f"rollcall-{self.principal}", "sasl_plain_username": name,
                                             "sasl_plain_password": password}).close()
            except kafka.errors.SaslAuthenticationFailedError:
                return False
        return True

    def create(self, rule: Rule) -> None:
        """Creates one rule and waits until Kafka shows it; one that is there stays. Raises AccessRefused for nonsense."""
        if wrong := faults(rule):
            raise AccessRefused(f"Not sent to Kafka: {'; '.join(wrong)}.")
        with asked("creating a rule of Kafka", self.principal):
            if failed := self.admin.create_acls([acl_of(rule)])["failed"]:
                raise failed[0]
            settled(lambda: self._has(rule), "Kafka does not show a rule that it took")

    def delete(self, rule: Rule) -> None:
        """Deletes exactly this rule and waits until Kafka shows it no more; one that is gone already is no error."""
        with asked("deleting a rule of Kafka", self.principal):
            for _, _, refused in self.admin.delete_acls([_exactly(rule)]):
                if refused.errno:
                    raise refused
            settled(lambda: not self._has(rule), "Kafka still shows a rule that it deleted")

    def _found(self, operation: ACLOperation) -> frozenset[Rule]:
        acls, _ = self.admin.describe_acls(ACLFilter(None, None, operation, ACLPermissionType.ANY, _ANYTHING))
        return frozenset(map(rule_of, acls))

    def _has(self, rule: Rule) -> bool:
        acls, _ = self.admin.describe_acls(_exactly(rule))
        return bool(acls)


@contextmanager
def asked(what: str, principal: str) -> Iterator[None]:
    """As `mapped`; says what to do where Kafka looks at no rule at all."""
    with mapped(what, principal):
        try:
            yield
        except kafka.errors.SecurityDisabledError:
            raise StoreRefused("This Kafka has no authorizer, so it looks at no rule and everybody may everything. Set "
                               "authorizer.class.name on brokers and controllers (infra/native/kafka/server.properties shows "
                               "how) and start them again.") from None


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


def _exactly(rule: Rule) -> ACLFilter:
    acl = acl_of(rule)
    pattern = acl.resource_pattern
    return ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, ResourcePatternFilter(
        pattern.resource_type, pattern.resource_name, pattern.pattern_type))
