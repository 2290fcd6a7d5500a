"""What became of a person's data in one place, said so that nobody takes for gone what is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class Outcome(StrEnum):
    """What a place holds from now on."""

    ERASED = "erased"
    EXPIRES_ON = "expires_on"              # still in the files, and gone by a date without anybody's doing
    GOVERNED = "governed_by_retention"     # kept on purpose, for a reason and a time that the register states
    EXTERNAL = "external_manual"           # somebody else has to do something
    NOT_ERASED = "NOT ERASED"


@dataclass(frozen=True)
class Verdict:
    """One place of the register (`cassandra:profiles`) or a recipient.

    why: the rule, the reason, what is to be done; it names nobody. on: of EXPIRES_ON, in UTC; of
    NOT_ERASED, until when the rest of what was found is there, which no later look may find. recipient: of EXTERNAL, who.
    """

    store: str
    outcome: Outcome
    why: str
    on: datetime | None = None
    recipient: str = ""

    @property
    def red(self) -> bool:
        """Whether a request must stay open because of it."""
        return self.outcome is Outcome.NOT_ERASED

    @property
    def said(self) -> str:
        """As a line of text, without the store."""
        until = self.on and not self.red    # no promise of what is not erased
        more = f" {self.on:%Y-%m-%d %H:%M} UTC" if until else f" by {self.recipient}" if self.recipient else ""
        return f"{self.outcome}{more} ({self.why})"

    def as_json(self) -> dict[str, Any]:
        """As JSON has it; moments in ISO 8601."""
        return {"store": self.store, "outcome": str(self.outcome), "why": self.why,
                "on": self.on.isoformat() if self.on else None, "recipient": self.recipient}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(kept["store"], Outcome(kept["outcome"]), kept["why"],
                   datetime.fromisoformat(kept["on"]) if kept["on"] else None, kept["recipient"])
