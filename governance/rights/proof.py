"""The proof of an erasure: what was found to be so in each place, when. It holds nothing of the people themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from governance.rights.verdict import Outcome, Verdict

RECIPIENTS = "recipients"
"""In place of a store, of verdicts on those who have to be told (Art. 19)."""


@dataclass(frozen=True)
class Proof:
    """One run of an erasure. request: its ref; at: UTC; people: how many; commands: their offsets on the control topic.
    places: of records still in the topics' files (`people.dead-0-17@` and their append time), and of files (`file:`, how many
    of their first bytes, a token of these), that were theirs by an e-mail, which nobody knows when the row is gone: later runs
    look there."""

    request: str
    at: datetime
    people: int
    commands: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    places: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether no verdict is red: the request may be closed."""
        return not any(verdict.red for verdict in self.verdicts)

    @property
    def waits(self) -> bool:
        """Whether something is still to expire by itself: a later run finds it gone."""
        return any(verdict.outcome is Outcome.EXPIRES_ON for verdict in self.verdicts)

    @property
    def said(self) -> str:
        """What it found, in a few words. Recipients are not of it: what they hold is theirs, and they are told."""
        if red := [verdict.store for verdict in self.verdicts if verdict.red]:
            return f"NOT ERASED in {', '.join(red)}"
        others = dict.fromkeys(one.store for one in self.verdicts
                               if one.outcome is Outcome.EXTERNAL and one.store != RECIPIENTS)
        said = [f"erased here; in other hands: {', '.join(others)}" if others else "erased"]
        if self.waits:
            said.append("what is still in the topics goes by itself")
        return "; ".join(said) if others or self.waits else "erased everywhere"

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"request": self.request, "at": self.at.isoformat(timespec="milliseconds"), "people": self.people,
                "done": self.done, "commands": list(self.commands), "verdicts": [one.as_json() for one in self.verdicts],
                "places": list(self.places)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(kept["request"], datetime.fromisoformat(kept["at"]), kept["people"], tuple(kept["commands"]),
                   tuple(Verdict.from_json(one) for one in kept["verdicts"]), tuple(kept.get("places", ())))
