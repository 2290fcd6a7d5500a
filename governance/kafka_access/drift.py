"""How Kafka differs from the wanted state: what is missing, what is there unasked, and what is there otherwise."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from governance.kafka_access.ownership import Managed
from governance.kafka_access.rule import Rule


@dataclass(frozen=True, order=True)
class Different:
    """The same principal, operation and resource, with another host, pattern or permission."""

    wanted: Rule
    there: Rule


@dataclass(frozen=True)
class Differences:
    """Each rule that is not on both sides stands in one of the first three.

    others: rules of others that speak of our topics too; they are no difference, for nobody here may delete them.
    """

    missing: tuple[Rule, ...]
    unexpected: tuple[Rule, ...]
    different: tuple[Different, ...]
    others: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.different)


def differences(wanted: Iterable[Rule], there: Iterable[Rule], managed: Managed) -> Differences:
    """Both sides compared; rules of others are not unexpected."""
    wanted, there = frozenset(wanted), frozenset(there)
    surplus: defaultdict[tuple[str, ...], list[Rule]] = defaultdict(list)
    for rule in sorted(rule for rule in there - wanted if managed.owns(rule)):
        surplus[_same(rule)].append(rule)
    missing, different = [], []
    for rule in sorted(wanted - there):
        others = surplus[_same(rule)]
        if others:
            nearest = max(others, key=lambda other: _alike(rule, other))
            others.remove(nearest)
            different.append(Different(rule, nearest))
        else:
            missing.append(rule)
    unexpected = sorted(rule for others in surplus.values() for rule in others)
    foreign = sorted(rule for rule in there - wanted if not managed.owns(rule) and managed.meets(rule))
    return Differences(tuple(missing), tuple(unexpected), tuple(different), tuple(foreign))


def _same(rule: Rule) -> tuple[str, ...]:
    return rule.principal, rule.operation, rule.resource, rule.name


def _alike(one: Rule, other: Rule) -> int:
    return (one.host == other.host) + (one.pattern == other.pattern) + (one.allow == other.allow)
