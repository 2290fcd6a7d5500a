"""Which rules are ours to delete: apply touches no rule of others on a shared cluster, and says which it left."""

from collections.abc import Collection
from dataclasses import dataclass, field

from governance.kafka_access.rule import ANY, LITERAL, PREFIXED, Rule

Named = tuple[str, str]
"""A name and its pattern."""


@dataclass(frozen=True)
class Managed:
    """A rule is ours if its principal is (`User:name` or a beginning of it), or if what it is about lies within our topics or
    groups; the name `*` owns all of its kind."""

    principals: Collection[Named] = field(default_factory=frozenset)
    topics: Collection[Named] = field(default_factory=frozenset)
    groups: Collection[Named] = field(default_factory=frozenset)

    def owns(self, rule: Rule) -> bool:
        """Whether apply may delete it."""
        if any(_within(rule.principal, LITERAL, *mine) for mine in self.principals):
            return True
        mine_too = {"topic": self.topics, "group": self.groups}.get(rule.resource, ())
        return any(_within(rule.name, rule.pattern, *mine) for mine in mine_too)

    def meets(self, rule: Rule) -> bool:
        """Whether it speaks of one of our topics, whoever's it is."""
        return rule.resource == "topic" and any(
            _within(rule.name, rule.pattern, *mine) or _within(*mine, rule.name, rule.pattern) for mine in self.topics)


EVERYTHING = Managed(principals=frozenset({(ANY, LITERAL)}))
"""Of a cluster that is managed as a whole."""


def _within(name: str, pattern: str, mine: str, how: str) -> bool:
    """Whether everything that the first speaks of is mine."""
    if how == PREFIXED:
        return name.startswith(mine)
    return mine == ANY or (pattern == LITERAL and name == mine)
