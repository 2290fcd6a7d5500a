"""What a check of the doctor is and what it finds."""

from dataclasses import dataclass
from typing import Protocol

from engine.settings import Settings

UP = "`rollcall up`"
NOT_YET = f"not yet: {UP} makes it"


@dataclass(frozen=True)
class Finding:
    """What a check found: whether that is well, and what to do if not."""

    name: str
    ok: bool
    found: str
    todo: str = ""


class Check(Protocol):
    """One thing that must be right. Looking never changes anything; an error of ours is a finding too."""

    name: str

    def look(self, settings: Settings) -> Finding: ...


class Well:
    """What checks have in common: a name, and how they answer."""

    name = ""

    def ok(self, found: str) -> Finding:
        """It is as it should be."""
        return Finding(self.name, True, found)

    def bad(self, found: str, todo: str) -> Finding:
        """It is not, and this helps."""
        return Finding(self.name, False, found, todo)
