"""What was seen in the stores after a rectification or a restriction: names of columns and places, no value of anybody."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Evidence:
    """One act. command: its offset on the control topic; holds: what was found as it should be; missing: what was not."""

    act: str
    request: str
    at: datetime
    command: int
    holds: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing
