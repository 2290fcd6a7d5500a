"""Who may do what on the console: one table of actions and roles. What is not in it nobody may.

Every page asks `allowed` before it shows anything, and every act asks again where it is done (app/acts.py). A test goes
through each role and each action, and finds an action that is asked for and has no line here.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What an account is for; an account may have several."""

    OPERATOR = "operator"          # starts, stops, watches
    OFFICER = "officer"            # the GDPR officer
    KAFKA_ADMIN = "kafka admin"    # access to topics
    ANALYST = "analyst"            # figures
    ADMIN = "admin"                # accounts; sees everything that is masked, reveals nothing


_WATCH = frozenset({Role.OPERATOR, Role.OFFICER, Role.KAFKA_ADMIN, Role.ADMIN})
_LOOK = frozenset({Role.OPERATOR, Role.OFFICER, Role.ADMIN})
_RUN = frozenset({Role.OPERATOR})
_ACCESS = frozenset({Role.KAFKA_ADMIN})

MAY: Mapping[str, frozenset[Role]] = MappingProxyType({
    "flow.read": _WATCH,
    "producer.read": _WATCH,
    "producer.start": _RUN,
    "producer.stop": _RUN,
    "producer.change": _RUN,
    "stream.read": _WATCH,
    "stream.start": _RUN,
    "stream.stop": _RUN,
    "stream.recount": _RUN,
    "stream.verify": _RUN | {Role.OFFICER},
    "profiles.read": _LOOK,
    "profiles.search": _LOOK,
    "profiles.reveal": frozenset({Role.OFFICER}),
    "aggregates.read": _LOOK | {Role.ANALYST},
    "aggregates.compare": _LOOK | {Role.ANALYST},
    "letters.read": _LOOK,
    "letters.redrive": _RUN,
    "letters.discard": _RUN,
    "access.read": _WATCH,
    "access.check": _WATCH,
    "access.change": _ACCESS,
    "access.apply": _ACCESS,
    "access.users": _ACCESS,
    "accounts.read": frozenset({Role.ADMIN}),
    "accounts.change": frozenset({Role.ADMIN}),
    "audit.read": frozenset({Role.OFFICER, Role.ADMIN}),
    "audit.verify": frozenset({Role.OFFICER, Role.ADMIN}),
    "register.read": frozenset({Role.OFFICER, Role.ADMIN}),
    "register.change": frozenset({Role.OFFICER}),
    "register.publish": frozenset({Role.OFFICER}),
    "register.export": frozenset({Role.OFFICER}),
    "register.check": frozenset({Role.OFFICER, Role.ADMIN}),
    "retention.read": frozenset({Role.OFFICER, Role.ADMIN}),
    "retention.measure": frozenset({Role.OFFICER, Role.ADMIN}),
    "retention.run": frozenset({Role.OFFICER}),
    "publishing.read": frozenset({Role.OFFICER, Role.ADMIN}),
    "publishing.preview": frozenset({Role.OFFICER}),
    "publishing.publish": frozenset({Role.OFFICER}),
    "publishing.withdraw": frozenset({Role.OFFICER}),
    "requests.read": frozenset({Role.OFFICER}),
    "requests.change": frozenset({Role.OFFICER}),
    "requests.run": frozenset({Role.OFFICER}),
    "requests.export": frozenset({Role.OFFICER}),
    "breaches.read": frozenset({Role.OFFICER}),
    "breaches.change": frozenset({Role.OFFICER}),
    "breaches.export": frozenset({Role.OFFICER}),
})
"""Action -> the roles that may. `<page>.read` opens a page."""

OF_THE_DOOR = frozenset({"sign-in", "sign-out", "password"})
"""Acts of the door (app/door.py, app/oidc.py) that the audit has too: everybody's own way in and out, for which no role is
asked. A test finds an act that is written down and stands neither here nor in MAY."""

UNAUDITED_TOO = frozenset({"producer.start", "producer.stop", "stream.start", "stream.stop"})
"""Acts that are done although the audit cannot be written, for an outage is when they are needed: they are kept in a file
and chained in later. Every other act is not done unless the audit has it first."""


def allowed(roles: Collection[str], action: str) -> bool:
    """Whether one of these roles may; an action or a role that nobody knows may not."""
    return not MAY.get(action, frozenset()).isdisjoint(role for role in Role if role.value in roles)
