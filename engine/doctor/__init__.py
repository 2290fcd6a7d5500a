"""What the flow needs around it, looked at in order and never changed.

Each check is one small class that says what it found and, where that is not well, what to do. What `rollcall up` still
has to make is well: "not yet".

    for finding in examine(settings):
        print(finding.ok, finding.name, finding.found, finding.todo)
"""

from collections.abc import Iterator

from engine.doctor.finding import Check, Finding
from engine.doctor.machine import MACHINE
from engine.doctor.stores import STORES
from engine.errors import RollcallError
from engine.machine import folders
from engine.settings import Settings

__all__ = ["CHECKS", "Check", "Finding", "examine", "found"]

CHECKS: tuple[Check, ...] = (*MACHINE, *STORES)
"""All, in order."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in order, each as soon as it is known. Raises nothing of ours: that is what it reports."""
    for check in CHECKS:
        yield found(check, settings)


def found(check: Check, settings: Settings) -> Finding:
    """One check's finding; an error that it meets is one."""
    try:
        return check.look(settings)
    except RollcallError as error:
        what, _, todo = str(error).partition(". ")
        return Finding(check.name, False, what, todo)
    except OSError as error:
        return Finding(check.name, False, str(folders.unusable(error, settings) or error), "")
