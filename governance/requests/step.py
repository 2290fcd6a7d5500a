"""The steps of each kind of request, in their order, and what law asks for each.

    access, portability         find ─► package ─► hand over ─► answer
    rectification               find ─► rectify ─► recipients ─► answer
    erasure                     find ─► erase ─► recipients ─► answer
    restriction                 find ─► restrict ─► recipients ─► answer ╌╌► announce ╌╌► lift
    objection                   find ─► restrict ─► weigh ─► recipients ─► answer ╌╌► announce ╌╌► lift

Dotted steps need not be done before a request is closed: a restriction may last. Each can be run again: a step that is done
does nothing, one that was broken off ends the same as if it had not been.
"""

from dataclasses import dataclass
from enum import StrEnum

from governance.requests.kind import Kind


class Name(StrEnum):
    """What is done."""

    FIND = "find"
    PACKAGE = "package"
    HAND_OVER = "hand over"
    RECTIFY = "rectify"
    ERASE = "erase"
    RESTRICT = "restrict"
    WEIGH = "weigh"
    RECIPIENTS = "recipients"
    ANSWER = "answer"
    ANNOUNCE = "announce"
    LIFT = "lift"


@dataclass(frozen=True)
class Step:
    """A step. machine: done by the product, else by the officer, who says what shows it; optional: a request can be closed
    without; says: what it is."""

    name: Name
    machine: bool
    says: str
    law: str
    optional: bool = False


_FIND = Step(Name.FIND, True, "Search every store for the person", "Art. 12(2), 11(2) GDPR")
_ANSWER = Step(Name.ANSWER, False, "Tell the person what was done", "Art. 12(3) GDPR")
_RECIPIENTS = Step(Name.RECIPIENTS, False, "Tell each recipient of the register", "Art. 19 GDPR")
_HAND_OVER = Step(Name.HAND_OVER, False, "Give the person the link to the package, once", "Art. 12(1), 12(3) GDPR")
_RESTRICT = Step(Name.RESTRICT, True, "Leave the person out of lists, exports and figures", "Art. 18(1), 18(2) GDPR")
_LASTS = (Step(Name.ANNOUNCE, False, "Tell the person before the restriction is lifted", "Art. 18(3) GDPR", optional=True),
          Step(Name.LIFT, True, "Lift the restriction", "Art. 18(3) GDPR", optional=True))

STEPS: dict[Kind, tuple[Step, ...]] = {
    Kind.ACCESS: (_FIND, Step(Name.PACKAGE, True, "Make the package of everything held", "Art. 15(1), 15(3) GDPR"), _HAND_OVER,
                  _ANSWER),
    Kind.PORTABILITY: (_FIND, Step(Name.PACKAGE, True, "Make the package in a form that a machine reads", "Art. 20(1) GDPR"),
                       _HAND_OVER, _ANSWER),
    Kind.RECTIFICATION: (_FIND, Step(Name.RECTIFY, True, "Correct the fields and pin them", "Art. 16 GDPR"), _RECIPIENTS,
                         _ANSWER),
    Kind.ERASURE: (_FIND, Step(Name.ERASE, True, "Erase, and look whether it is so, store by store", "Art. 17(1) GDPR"),
                   Step(Name.RECIPIENTS, False, "Tell each recipient of the register", "Art. 17(2), 19 GDPR"), _ANSWER),
    Kind.RESTRICTION: (_FIND, _RESTRICT, _RECIPIENTS, _ANSWER, *_LASTS),
    Kind.OBJECTION: (_FIND, Step(Name.RESTRICT, True, "Leave the person out while it is weighed", "Art. 18(1)(d) GDPR"),
                     Step(Name.WEIGH, False, "Weigh our grounds against those of the person", "Art. 21(1) GDPR"), _RECIPIENTS,
                     _ANSWER, *_LASTS),
}
"""Kind -> its steps, in the order in which they are done."""


def step_of(kind: Kind, name: str) -> Step | None:
    """The step of this name; None where the kind has none."""
    return next((step for step in STEPS[kind] if step.name == name), None)
