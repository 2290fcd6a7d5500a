"""What the page Kafka access shows: what is wanted and what Kafka has, read at one time; and what follows from both.

Read as `gatekeeper`, over a connection that is closed again: only this page has a use for it.
"""

from dataclasses import dataclass
from functools import cached_property

from engine.access.apply import lost
from engine.access.broker import Broker, Grounds, grounds
from engine.access.denied import Denied, denied
from engine.access.state import Text, Version, WantedState
from engine.access.users import User, Users
from engine.errors import StoreRefused
from engine.settings import Settings
from engine.stores.records import Records
from engine.topics import all_topics
from governance.kafka_access.decide import Verdict, decide
from governance.kafka_access.drift import Differences, differences
from governance.kafka_access.plan import Plan, plan
from governance.kafka_access.rule import ANY, EVERYBODY, LITERAL, Rule

Question = tuple[str, str, str, str, str]
"""Principal, host, operation, resource, name: as `governance/kafka_access/decide.py` takes them."""


@dataclass(frozen=True)
class Seen:
    """One reading. rules: all of Kafka; unreadable: there are others, which this version does not know. refused: attempts that
    the broker's log has, the latest first; log_error: why they cannot be read."""

    settings: Settings
    version: Version
    versions: tuple[Text, ...]
    rules: frozenset[Rule]
    unreadable: bool
    users: tuple[User, ...]
    refused: tuple[Denied, ...]
    log_error: str
    grounds: Grounds

    @cached_property
    def plans(self) -> dict[bool, Plan]:
        """The whole way from what Kafka has to what is wanted, without and with deletions."""
        wanted = self.version
        return {deletes: plan(wanted.rules, self.rules, wanted.managed, deletes, wanted.teams) for deletes in (False, True)}

    @cached_property
    def drift(self) -> Differences:
        """How Kafka differs from what is wanted."""
        return differences(self.version.rules, self.rules, self.version.managed)

    @cached_property
    def principals(self) -> list[str]:
        """Everybody who is wanted, has a rule or a password, or was refused (`User:name`)."""
        known = {rule.principal for rule in self.version.rules | self.rules} | set(self.version.teams)
        known |= {f"User:{user.name}" for user in self.users} | {one.attempt.principal for one in self.refused}
        return sorted(known)

    @cached_property
    def topics(self) -> list[str]:
        """Names of topics that are known here: Kafka tells `gatekeeper` of none."""
        known = {topic.name for topic in all_topics(self.settings.kafka)}
        known |= {rule.name for rule in self.version.rules | self.rules
                  if rule.resource == "topic" and rule.pattern == LITERAL and rule.name != ANY}
        return sorted(known | {one.attempt.name for one in self.refused if one.attempt.resource == "topic"})

    def rules_of(self, principal: str) -> list[Rule]:
        """Rules that speak of one, or of everybody; wanted or there."""
        return sorted(rule for rule in self.version.rules | self.rules if rule.principal in (principal, EVERYBODY))

    def rules_about(self, topic: str) -> list[Rule]:
        """Rules that speak of a topic, by its name, by a beginning or of every topic; wanted or there."""
        return sorted(rule for rule in self.version.rules | self.rules if rule.resource == "topic" and rule.covers(topic))

    def answer(self, asked: Question, deletes: bool | None = None) -> Verdict:
        """Kafka's answer today; with `deletes`, after the plan without or with deletions."""
        rules = self.rules if deletes is None else self.plans[deletes].after
        return decide(rules, self.grounds.super_users, *asked, self.grounds.allow_if_none)

    def lost(self, made: Plan) -> list[str]:
        """Whom a plan would lock out, as sentences."""
        return lost(self.settings, self.version, self.grounds, made)


def read(settings: Settings, records: Records) -> Seen:
    """Reads all of it. Raises StoreAway, SignInRefused, StoreRefused, AccessRefused."""
    state = WantedState(settings, records)
    version, versions, decisive = state.newest(), tuple(state.versions()), grounds()
    with Broker.opened(settings) as broker:
        rules, users = broker.rules(), tuple(Users(broker).all())
        unreadable = broker.unreadable
    try:
        refused = tuple(denied(settings, lambda who, host, operation, resource, name: decide(
            rules, decisive.super_users, who, host, operation, resource, name, decisive.allow_if_none)))
        log_error = ""
    except StoreRefused as error:
        refused, log_error = (), str(error)
    return Seen(settings, version, versions, rules, unreadable, users, refused, log_error, decisive)
