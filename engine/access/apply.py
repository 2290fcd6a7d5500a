"""From what is wanted to what Kafka has: planned, refused where it would lock somebody out, carried out step by step.

    with Access.opened(settings) as access:
        plan = access.plan(deletes=False)
        access.apply(plan, audit, "system ada", "a new team", print)

Each step is in the audit before it is done, is read back, and is never undone: where one fails the rest is left, and the next
plan has it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Self

from engine.access.broker import AccessRefused, Broker, Grounds, grounds
from engine.access.state import Version, WantedState, program_rules
from engine.access.users import Users
from engine.errors import Final, RollcallError
from engine.provision.kafka import USERS
from engine.settings import Settings
from engine.stores.audit import AuditLog, NotAudited
from engine.stores.records import Records
from governance.audit import REFUSED
from governance.kafka_access.decide import Verdict, decide
from governance.kafka_access.drift import Differences, differences
from governance.kafka_access.lockouts import lockouts
from governance.kafka_access.plan import Plan, Step, fingerprint, in_order, part, plan, stale
from governance.kafka_access.rule import Rule

ACT = "access.apply"
"""What it is called in the audit: the plan as a whole, and each of its steps."""

USERS_ACT = "access.users"

OURS = frozenset(f"User:{name}" for name in USERS)
"""Programs of this installation, `gatekeeper` among them: protected whatever the wanted state says."""


class Unfinished(RollcallError):
    """An application that stopped. done: read back. doubtful: the step that failed, of which the answer may be lost; none if
    the audit could not be written, for then it was not tried."""

    def __init__(self, made: Plan, done: int, cause: RollcallError, user: str = "") -> None:
        """done: how many steps are. user: who was to go after these rules, if anybody."""
        tried = done + (not isinstance(cause, NotAudited))
        self.done, self.doubtful, self.left = made.steps[:done], made.steps[done:tried], made.steps[tried:]
        self.exit_code = cause.exit_code

        def told(steps: Iterable[Step]) -> str:
            return "; ".join(said(made, step) for step in steps) or "nothing"

        super().__init__(
            f"Stopped after {done} of {len(made.steps)} steps: {cause} Done: {told(self.done)}. Tried, and not known whether "
            f"done: {told(self.doubtful)}. Not done: {told(self.left)}. Nothing is undone; {_goes_on(made, user)}.")


class StillThere(RollcallError):
    """A user whose rules went and who did not, or perhaps not."""

    def __init__(self, name: str, gone: Plan, cause: RollcallError) -> None:
        """gone: what was taken away before."""
        self.exit_code = cause.exit_code
        went = "; ".join(gone.says(rule) for rule in gone.deletes) or "none"
        stands = "is still there" if isinstance(cause, Final | NotAudited) else "may still be there or be gone"
        super().__init__(f"{cause} The user {name} {stands}. Rules that went and stay gone: {went}. {_goes_on(gone, name)}.")


class Access:
    """The wanted state beside the broker. Raises StoreAway, SignInRefused and StoreRefused throughout."""

    def __init__(self, settings: Settings, broker: Broker, version: Version) -> None:
        self._settings, self.broker, self.version = settings, broker, version
        self.grounds = grounds()

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str = "governance") -> Iterator[Self]:
        """Both, over connections of their own. principal: who reads what is wanted."""
        with Records.opened(settings, principal) as records:
            version = WantedState(settings, records).newest()
        with Broker.opened(settings) as broker:
            yield cls(settings, broker, version)

    def plan(self, deletes: bool) -> Plan:
        """What would be done now. deletes: whether rules of ours that are not wanted go."""
        return plan(self.version.rules, self.broker.rules(), self.version.managed, deletes, self.version.teams)

    def removal(self, rules: Iterable[Rule]) -> Plan:
        """A plan that takes these rules away and does nothing else."""
        there = self.broker.rules()
        return Plan(there, (), in_order(there.intersection(rules), create=False), teams=dict(self.version.teams),
                    wanted=fingerprint(self.version.rules))

    def drift(self) -> Differences:
        """How Kafka differs from what is wanted."""
        return differences(self.version.rules, self.broker.rules(), self.version.managed)

    def decide(self, rules: Iterable[Rule], principal: str, host: str, operation: str, resource: str, name: str) -> Verdict:
        """Kafka's answer under these rules, and what decides it."""
        return decide(rules, self.grounds.super_users, principal, host, operation, resource, name, self.grounds.allow_if_none)

    def lost(self, made: Plan) -> list[str]:
        """Whom a plan would lock out of what, as sentences."""
        return lost(self._settings, self.version, self.grounds, made)

    def apply(self, made: Plan, audit: AuditLog, who: str, why: str, say: Callable[[str], None]) -> None:
        """Carries out a plan, or part of one. say: called with each step when it is read back.

        Raises AccessRefused, and nothing was done, if Kafka or what is wanted is not as the plan says any more, or if it would
        lock out a protected principal; NotAudited; Unfinished where a step fails.
        """
        self._carry_out(made, outdated(made, self.plan(deletes=True)), audit, who, why, say)

    def delete_user(self, name: str, keep_rules: bool, audit: AuditLog, who: str, why: str, say: Callable[[str], None]) -> None:
        """Takes a user away, and first every rule of its own, wanted or not, so that connections that stay open can do nothing
        more. Raises as `apply` does, AccessRefused as `deletable` does, and StillThere if the rules went and the user did
        not."""
        self.deletable(name, audit, who)
        gone = self.removal(()) if keep_rules else self.of(f"User:{name}")
        if not gone.empty:
            self._carry_out(gone, "", audit, who, why, say, name)
        try:
            with audit.acting(who, USERS_ACT, name, why):
                Users(self.broker).delete(name)
        except RollcallError as error:
            if gone.empty and isinstance(error, Final | NotAudited):    # nothing was done, and it is known
                raise
            raise StillThere(name, gone, error) from None

    def deletable(self, name: str, audit: AuditLog, who: str) -> None:
        """Raises AccessRefused, which then stands in the audit, for nobody, a program of ours, and a protected principal."""
        try:
            Users(self.broker).known(name)
            if f"User:{name}" in self.version.wanted.protected_principals:
                raise AccessRefused(f"Nothing was done: {name} is protected; take it out of `protected` in the wanted state "
                                    "first.")
        except AccessRefused as refusal:
            audit.append_or_keep(who, USERS_ACT, name, REFUSED, str(refusal))
            raise

    def of(self, principal: str) -> Plan:
        """A plan that takes every rule of a principal (`User:name`) away."""
        return self.removal(rule for rule in self.broker.rules() if rule.principal == principal)

    def _carry_out(self, made: Plan, outdated: str, audit: AuditLog, who: str, why: str, say: Callable[[str], None],
                   user: str = "") -> None:
        target = f"plan {plan_id(made)}"
        if refusal := outdated or " ".join(self.lost(made)):
            audit.append_or_keep(who, ACT, target, REFUSED, refusal)
            raise AccessRefused(f"Nothing was done: {refusal}")
        with audit.acting(who, ACT, f"{target}: {made.reach()}", why):
            for done, step in enumerate(made.steps):
                try:
                    with audit.acting(who, ACT, said(made, step), why):
                        (self.broker.create if step.create else self.broker.delete)(step.rule)
                except RollcallError as error:
                    raise Unfinished(made, done, error, user) from None
                say(said(made, step))


def lost(settings: Settings, version: Version, grounds: Grounds, made: Plan) -> list[str]:
    """Whom a plan would lock out of what, as sentences. Of our programs what they need counts; of others each right."""
    others = version.wanted.protected_principals - OURS
    return [*lockouts(made, OURS, grounds.super_users, program_rules(settings)), *lockouts(made, others, grounds.super_users)]


def outdated(made: Plan, full: Plan) -> str:
    """Why a plan, or part of one, may not be applied any more, or nothing. full: all that is due now, deletions too."""
    return stale(made, part(full, made.creates, made.deletes))


def plan_id(made: Plan) -> str:
    """Of a plan with all it was made from, so that what is confirmed is what was read (12 hexadecimal digits)."""
    return sha256(made.to_json().encode()).hexdigest()[:12]


def _goes_on(made: Plan, user: str) -> str:
    """What takes up again what stopped."""
    if user:
        return f"`rollcall access users delete {user}` again goes on with it"
    deletes = " --deletes" if made.deletes else ""
    return f"`rollcall access plan{deletes}` shows what is left, and `rollcall access apply{deletes}` goes on with it"


def said(made: Plan, step: Step) -> str:
    """A step in words: `create: reader may read topic 'abc' from any address`."""
    return f"{'create' if step.create else 'delete'}: {made.says(step.rule)}"
