"""Rules of Kafka for tests: a short way to write one, and strategies in a small world, so that rules meet often."""

from collections.abc import Mapping

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from governance.kafka_access.rule import ALL, CLUSTER, OPERATIONS, Rule

SLOW = settings(suppress_health_check=[HealthCheck.too_slow])
"""For machines on which other things run."""

NAMES = {"people": "user_profiles", "control": "user_profiles.control", "dead": "user_profiles.dead"}


def rule(line: str) -> Rule:
    """`allow a READ topic abc-* [host]`: a trailing asterisk is a beginning, alone it is everything."""
    permission, principal, operation, resource, name, host = (*line.split(), "*")[:6]
    prefixed = name.endswith("*") and name != "*"
    return Rule(f"User:{principal}", host, operation, permission == "allow", resource,
                name.removesuffix("*") if prefixed else name, "prefixed" if prefixed else "literal")


def rules(lines: str) -> frozenset[Rule]:
    """One a line."""
    return frozenset(rule(line) for line in lines.splitlines() if line.strip())


PRINCIPALS = ("User:a", "User:b", "User:*")
HOSTS = ("*", "10.0.0.1", "10.0.0.2")
PLACES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "topic": (("abc", "literal"), ("abc-x", "literal"), ("ab", "literal"), ("*", "literal"),
              ("abc", "prefixed"), ("ab", "prefixed"), ("abc-", "prefixed")),
    "group": (("g", "literal"), ("*", "literal"), ("g", "prefixed")),
    "cluster": ((CLUSTER, "literal"),),
}
ASKED = {"topic": ("abc", "abc-x", "abc-y", "ab", "zz"), "group": ("g", "gg", "h"), "cluster": (CLUSTER,)}
"""Names that requests are about: each that rules know, and some that they do not."""


@st.composite
def any_rule(draw: st.DrawFn) -> Rule:
    """A sound rule."""
    resource = draw(st.sampled_from(("topic", "topic", "topic", "group", "cluster")))
    operation = draw(st.sampled_from((*OPERATIONS[resource][:3], "DESCRIBE", "ALTER_CONFIGS", "DESCRIBE_CONFIGS", ALL)))
    name, pattern = draw(st.sampled_from(PLACES[resource]))
    return Rule(draw(st.sampled_from(PRINCIPALS)), draw(st.sampled_from(HOSTS)), operation, draw(st.integers(0, 3)) > 0,
                resource, name, pattern)


def any_rules(most: int = 14) -> st.SearchStrategy[frozenset[Rule]]:
    """A state of Kafka or a wanted one."""
    return st.frozensets(any_rule(), max_size=most)


Request = tuple[str, str, str, str, str]
"""Principal, host, operation, resource, name."""

REQUESTS: tuple[Request, ...] = tuple(
    (principal, host, operation, resource, name)
    for principal in ("User:a", "User:b", "User:c") for host in ("10.0.0.1", "10.0.0.2", "10.9.9.9")
    for resource, names in ASKED.items() for name in names for operation in OPERATIONS[resource])
"""Every request of the small world."""


def any_request() -> st.SearchStrategy[Request]:
    """One of them."""
    return st.sampled_from(REQUESTS)
