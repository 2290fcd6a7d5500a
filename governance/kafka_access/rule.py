"""One rule (ACL) of Kafka as data, and what is wrong with it: Kafka keeps nonsense, and then fails on it or ignores it.

Sources: what the broker accepts unseen (AclControlManager.validateNewAcl), which operations its own tool takes for which
resource (AclEntry.supportedOperations), how it compares (StandardAuthorizerData.findResult); Kafka 4.3.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

ANY = "*"
"""Any host, any name."""

EVERYBODY = "User:*"
CLUSTER = "kafka-cluster"
"""What Kafka calls itself in rules."""

LITERAL, PREFIXED = "literal", "prefixed"

ALL = "ALL"
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "topic": ("READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"),
    "group": ("READ", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"),
    "cluster": ("CREATE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE"),
    "transactional_id": ("WRITE", "DESCRIBE"),
    "delegation_token": ("DESCRIBE",),
    "user": ("CREATE_TOKENS", "DESCRIBE_TOKENS"),
}
"""Resource -> what one can do with it, beside ALL."""

SHORTEST_PASSWORD = 12

_TYPE = "User"
_LONGEST_TOPIC = 249
_TOPIC = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(frozen=True, order=True)
class Rule:
    """One permission or refusal.

    principal: `User:name`, `User:*` for everybody. host: an IP address as Kafka writes it, or `*`. operation: as in OPERATIONS,
    or ALL. allow: else it is a DENY. resource: a key of OPERATIONS. pattern: `literal` (`*` is then every name) or `prefixed`.
    """

    principal: str
    host: str
    operation: str
    allow: bool
    resource: str
    name: str
    pattern: str

    def covers(self, name: str) -> bool:
        """Whether it speaks of the resource of this name (of its own kind)."""
        return name.startswith(self.name) if self.pattern == PREFIXED else self.name in (name, ANY)

    @property
    def nameless(self) -> bool:
        """Whether its principal has no type: Kafka then fails each request about what the rule covers, whoever asks."""
        return ":" not in self.principal


def named(text: str) -> tuple[str, str]:
    """Name and pattern of the short form: `abc` exactly, `abc-*` what starts with `abc-`, `*` everything."""
    if text.endswith(ANY) and text != ANY:
        return text.removesuffix(ANY), PREFIXED
    return text, LITERAL


def faults(rule: Rule) -> list[str]:
    """Everything that makes it nonsense, as sentences with what to write instead; none for a sound rule."""
    return [*principal_faults(rule.principal), *host_faults(rule.host), *operation_faults(rule.resource, rule.operation),
            *name_faults(rule.resource, rule.name, rule.pattern)]


def principal_faults(principal: str) -> list[str]:
    """What is wrong with `User:name`."""
    kind, colon, name = principal.partition(":")
    if not colon:
        return [f"principal {principal!r} has no type: Kafka would fail every request that the rule concerns; "
                f"write {_TYPE}:{principal or 'name'}"]
    if kind != _TYPE:
        return [f"principal {principal!r} is of the type {kind!r}, and Kafka signs everybody in as {_TYPE} "
                f"(it tells small letters from capitals); write {_TYPE}:{name or 'name'}"]
    if not name:
        return [f"principal {principal!r} names nobody; write {_TYPE}:name, or {EVERYBODY} for everybody"]
    if name != ANY and name.endswith(ANY):
        return [f"principal {principal!r} matches nobody: Kafka knows no beginnings of names here; "
                f"name each one, or {EVERYBODY} for everybody"]
    return _blanks("principal", principal, name)


def host_faults(host: str) -> list[str]:
    """What is wrong with an address: Kafka compares it letter by letter with how it writes the client's."""
    if host == ANY:
        return []
    try:
        written = _as_kafka_writes(host)
    except ValueError:
        remedy = "one rule for each of them" if "," in host else (
            "one address, Kafka knows no networks" if "/" in host else f'its address, or "{ANY}" for any')
        return [f"host {host!r} is no IP address, and Kafka looks no names up; write {remedy}"]
    if written != host:
        return [f"host {host!r} would match nobody: Kafka writes this address {written}; write it so"]
    return []


def operation_faults(resource: str, operation: str) -> list[str]:
    """Whether one can do this with such a resource at all."""
    if resource not in OPERATIONS:
        return [f"resource {resource!r} is not known; it is one of {', '.join(OPERATIONS)}"]
    if operation not in (*OPERATIONS[resource], ALL):
        return [f"{operation!r} cannot be done with a {resource}, so the rule would do nothing; "
                f"one of {', '.join(OPERATIONS[resource])} or {ALL} can"]
    return []


def name_faults(resource: str, name: str, pattern: str) -> list[str]:
    """What is wrong with the name of what a rule is about, given its pattern."""
    if pattern not in (LITERAL, PREFIXED):
        return [f"pattern {pattern!r} can only be looked for; a rule is {LITERAL} or {PREFIXED}"]
    if resource == "cluster":
        return [] if (name, pattern) == (CLUSTER, LITERAL) else [
            f"the cluster is called {CLUSTER!r}, {LITERAL}, and not {name!r}, {pattern}"]
    if not name:
        return [f"the {resource} has no name; write one, or \"{ANY}\", {LITERAL}, for every {resource}"]
    if name == ANY:
        return [] if pattern == LITERAL else [
            f"a {PREFIXED} \"{ANY}\" matches only names that start with an asterisk; for every {resource} it is {LITERAL}"]
    if name.endswith(ANY):
        return [f"name {name!r} is meant letter by letter, with its asterisk; for names that start so the pattern is "
                f"{PREFIXED} and the name {name.rstrip(ANY)!r}"]
    if resource == "topic":
        return _no_topic(name, pattern)
    if resource == "user" and (principal_faults(name) if pattern == LITERAL else not name.startswith(f"{_TYPE}:")):
        return [f"user {name!r} is no principal; write {_TYPE}:{name}"]
    return _blanks(resource, name, name)


def password_faults(password: str) -> list[str]:
    """What is wrong with a new SCRAM password; Kafka sees only its hash and takes an empty one. The password is not told."""
    found = []
    if not password:
        found.append("the password is empty, and Kafka would take it; leave the field out to have one made")
    elif len(password) < SHORTEST_PASSWORD:
        found.append(f"the password has {len(password)} characters; at least {SHORTEST_PASSWORD} are needed")
    if "," in password:
        found.append("the password has a comma, at which Kafka's own tools cut it in two; use another character")
    return found


def _no_topic(name: str, pattern: str) -> list[str]:
    if not _TOPIC.fullmatch(name) or len(name) > _LONGEST_TOPIC or (pattern == LITERAL and name in (".", "..")):
        return [f"no topic can be called {name!r}: letters without accents, digits, dots, dashes and underscores, "
                f"at most {_LONGEST_TOPIC}, but not only one or two dots"]
    return []


def _blanks(what: str, whole: str, name: str) -> list[str]:
    if name != name.strip() or not name.isprintable():
        return [f"{what} {whole!r} begins or ends with blanks or has characters that are not seen, which Kafka's own tool "
                "cannot name; write it without them"]
    return []


def _as_kafka_writes(host: str) -> str:
    """As Java's getHostAddress gives it: IPv6 in eight groups without `::`; raises ValueError."""
    address = ip_address(host)
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    groups = (int.from_bytes(address.packed[at:at + 2]) for at in range(0, 16, 2))
    return ":".join(f"{group:x}" for group in groups) + (f"%{address.scope_id}" if address.scope_id else "")
