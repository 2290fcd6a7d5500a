"""What one run of a step came to: done or not, in words, with evidence that anybody may read."""

from collections.abc import Mapping
from typing import Self

from pydantic import model_validator

from governance.breaches import Line
from governance.register import Part
from governance.rights.verdict import Outcome, Verdict

PEOPLE_FOUND = "people found"
"""Of evidence: how many people a search came to."""

REFUSED = "refused"
"""Of evidence: what the product cannot command, so that nothing was sent."""


class Result(Part):
    """What a run came to. Nothing in it is personal data.

    says: one sentence. evidence: what shows it: an offset, a digest, a count, who was told how. verdicts: store by store, of a
    step that has them. A result is done only with evidence, and with no store that is NOT ERASED.
    """

    done: bool
    says: Line
    evidence: Mapping[str, str] = {}
    verdicts: tuple[Verdict, ...] = ()

    @property
    def nobody(self) -> bool:
        """Whether nobody was found, upon whom anything could be done."""
        return self.evidence.get(PEOPLE_FOUND) == "0"

    @property
    def refused(self) -> bool:
        """Whether the product refused it before anything was sent: for the officer to mend, or to tell the person."""
        return REFUSED in self.evidence

    @property
    def waits(self) -> bool:
        """Whether something is still to expire by itself: then the step can be run again, to see that it has."""
        return any(one.outcome is Outcome.EXPIRES_ON for one in self.verdicts)

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if self.done and not any(value.strip() for value in self.evidence.values()):
            raise ValueError("evidence: nothing is done without something that shows it")
        if self.done and (red := [one.store for one in self.verdicts if one.red]):
            raise ValueError(f"verdicts: it is not done while something is NOT ERASED ({', '.join(red)})")
        return self
