"""Who would lose what by a plan: all requests there are, by one of each sort, decided before and after it.

Rules tell requests apart by finitely many names, beginnings and addresses; so one request for each of them, and one for
whatever else there is, stand for all.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from governance.kafka_access.decide import IMPLIED_BY, decide
from governance.kafka_access.plan import Plan
from governance.kafka_access.rule import ALL, ANY, EVERYBODY, LITERAL, OPERATIONS, PREFIXED, Rule
from governance.kafka_access.sentence import act, sentence, who

_ELSE = "\U0010ffff"
"""What no name has: `abc-` and this stand for all names that start with `abc-` and that no longer rule speaks of."""

_ELSEWHERE = "another address"


@dataclass(frozen=True)
class Loss:
    """What a principal could do before and not after: operations on one name (or beginning), from one address (`*`: from those
    that no rule names), and the change that does it."""

    principal: str
    operations: tuple[str, ...]
    resource: str
    name: str
    pattern: str
    host: str
    by: Rule


def lockouts(plan: Plan, protected: Collection[str], super_users: Collection[str],
             needed: Collection[Rule] | None = None) -> list[str]:
    """What protected principals (`User:name`) would lose, as sentences; none, and the plan may go.

    needed: the rules that they must not be without, if any loss is too much to ask; without it each right they have counts.
    Then what is needed counts as had too: where Kafka has not given it yet, a refusal that comes with it or before it takes it.
    """
    had = replace(plan, there=plan.there.union(needed or ()))
    return [_said(loss, plan) for principal in sorted(set(protected) - set(super_users))
            for loss in {loss.by: loss for made in (had, plan)
                         for loss in losses(made.there, made.after, principal, super_users, needed)}.values()]


def losses(before: Iterable[Rule], after: Iterable[Rule], principal: str, super_users: Collection[str] = (),
           needed: Collection[Rule] | None = None) -> list[Loss]:
    """What one principal loses between two states, one example for each change that takes something from it."""
    before, after = frozenset(before), frozenset(after)
    harmful = [rule for rule in after - before if not rule.allow or rule.nameless]
    harmful += [rule for rule in before - after if rule.allow]
    found = []
    for rule in sorted(harmful):
        if rule.principal not in (principal, EVERYBODY) and not rule.nameless:
            continue
        # only rules of its kind have a say
        kin = [[one for one in state if one.resource == rule.resource] for state in (before, after, needed or ())]
        hosts = [*sorted({one.host for state in kin for one in state} - {ANY}), _ELSEWHERE]
        for name, host in ((name, host) for name in _names(rule, kin) for host in hosts if rule.host in (ANY, host)):
            lost = tuple(
                operation for operation in _operations(rule)
                if (needed is None or _asks(kin[2], principal, host, operation, name))
                and decide(kin[0], super_users, principal, host, operation, rule.resource, name).allowed
                and not decide(kin[1], super_users, principal, host, operation, rule.resource, name).allowed)
            if lost:
                shown = name.removesuffix(_ELSE)
                pattern = PREFIXED if shown and shown != name else LITERAL
                found.append(Loss(principal, lost, rule.resource, shown or ANY, pattern,
                                  ANY if host == _ELSEWHERE else host, rule))
                break
    return found


def _names(rule: Rule, kin: list[list[Rule]]) -> Iterator[str]:
    """One name of each sort that the rule covers, first the one that says it best: what it speaks of as a whole."""
    known = {(one.name, one.pattern) for state in kin for one in state}
    exact = {name for name, pattern in known if (name, pattern) != (ANY, LITERAL)}
    other = {name + _ELSE for name, pattern in known if pattern == PREFIXED} | {_ELSE}
    own = rule.name + _ELSE if rule.pattern == PREFIXED else _ELSE
    yield from (name for name in [own, *sorted(exact), *sorted(other - {own})] if rule.covers(name))


def _operations(rule: Rule) -> list[str]:
    known = OPERATIONS.get(rule.resource, (rule.operation,))
    if rule.operation == ALL or rule.nameless:
        return list(known)
    implied = [name for name in known if rule.allow and rule.operation in IMPLIED_BY.get(name, ())]
    return [rule.operation, *(name for name in implied if name != rule.operation)]


def _asks(needed: list[Rule], principal: str, host: str, operation: str, name: str) -> bool:
    """Whether one of the rules that are needed gives this."""
    own = [rule for rule in needed if rule.allow and rule.principal == principal]
    return bool(own) and decide(own, (), principal, host, operation, own[0].resource, name).allowed


def _said(loss: Loss, plan: Plan) -> str:
    doing = " and ".join(act(operation, loss.resource, loss.name, loss.pattern) for operation in loss.operations)
    whence = "" if loss.host == ANY else f" from {loss.host}"
    cause = f"this would be created: {plan.says(loss.by)}" if loss.by in plan.creates else (
        f"this would be deleted and nothing else allows it: {sentence(loss.by, plan.teams)}")
    return f"{who(loss.principal, plan.teams)} is protected and could no longer {doing}{whence}; {cause}."
