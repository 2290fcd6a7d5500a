"""A rule in plain words, so that who reviews a plan need not know Kafka's: `reader may read topic 'abc' from any address`."""

from collections.abc import Mapping

from governance.kafka_access.rule import ALL, ANY, EVERYBODY, PREFIXED, Rule

_KINDS = {"topic": ("topic", "topics"), "group": ("group", "groups"), "user": ("user", "users"),
          "transactional_id": ("transactional id", "transactional ids"),
          "delegation_token": ("delegation token", "delegation tokens")}

_ACTS = {
    ("topic", "READ"): "read {}",
    ("topic", "WRITE"): "write to {}",
    ("topic", "CREATE"): "create {}",
    ("topic", "DELETE"): "delete {} and records in it",
    ("topic", "ALTER"): "add partitions to {}",
    ("topic", "DESCRIBE"): "see the partitions of {}",
    ("group", "READ"): "join {}",
    ("transactional_id", "WRITE"): "run transactions as {}",
    ("user", "CREATE_TOKENS"): "make tokens for {}",
    ("user", "DESCRIBE_TOKENS"): "see tokens of {}",
    ("cluster", "CREATE"): "create any topic",
    ("cluster", "ALTER"): "change rules and passwords of everybody",
    ("cluster", "DESCRIBE"): "see the cluster, its groups, users and rules",
    ("cluster", "CLUSTER_ACTION"): "act as a broker",
    ("cluster", "DESCRIBE_CONFIGS"): "see the settings of the brokers",
    ("cluster", "ALTER_CONFIGS"): "change the settings of the brokers",
    ("cluster", "IDEMPOTENT_WRITE"): "number its records against repeats",
}
_ACTS_OF_ANY = {"DESCRIBE": "see {}", "DELETE": "delete {}", "DESCRIBE_CONFIGS": "see the settings of {}",
                "ALTER_CONFIGS": "change the settings of {}", ALL: "do everything with {}"}
_MANY = {("topic", "DELETE"): "delete {} and records in them"}


def sentence(rule: Rule, teams: Mapping[str, str] | None = None) -> str:
    """Who may or may not do what, and from where. teams: principal -> its team, which is then named."""
    doing = act(rule.operation, rule.resource, rule.name, rule.pattern)
    whence = "any address" if rule.host == ANY else rule.host
    if rule.principal == EVERYBODY:
        return f"{'everybody' if rule.allow else 'nobody'} may {doing} from {whence}"
    return f"{who(rule.principal, teams)} may {'' if rule.allow else 'not '}{doing} from {whence}"


def who(principal: str, teams: Mapping[str, str] | None = None) -> str:
    """A principal as people call it: `team-a's reader`; as it stands where it has no type."""
    kind, colon, name = principal.partition(":")
    called = name if colon and kind == "User" and name.isprintable() else repr(principal)
    return f"{teams[principal]}'s {called}" if teams and principal in teams else called


def act(operation: str, resource: str, name: str, pattern: str) -> str:
    """What is done: `read topics that start with 'abc-'`."""
    one, many = _KINDS.get(resource, (resource, f"each {resource}"))
    if resource == "cluster":
        object_ = "the cluster"
    elif pattern == PREFIXED:
        object_ = f"{many} that start with {name!r}"
    else:
        object_ = f"every {one}" if name == ANY else f"{one} {name!r}"
    several = pattern == PREFIXED and _MANY.get((resource, operation))
    doing = several or _ACTS.get((resource, operation)) or _ACTS_OF_ANY.get(operation) or f"do {operation} with {{}}"
    return doing.replace("{}", object_)
