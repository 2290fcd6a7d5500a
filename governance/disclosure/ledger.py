"""What is kept beside each snapshot to test the next one against it. Private: it holds counts that are not rounded.

It is read by the release job alone. The public process must not be able to read it. Without the ledger of every snapshot that
was ever seen, withdrawn ones too, there is no next one. What is held back and why is told by a preview and when somebody
publishes; it tests nothing, and engine/publishing does not keep it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt, field_validator

from governance.disclosure.figures import NATIONALITIES
from governance.disclosure.snapshot import Part, Snapshot


class Why(StrEnum):
    """Why a category, or its newest count, is not shown."""

    SMALL = "fewer than 10 people"
    MERGED = "merged into other, so that nothing within it can be computed"
    NOT_AMONG = "not among those the table has room for"
    NO_NAME = "not an ordinary domain name"
    KEPT = "changed by fewer than 10 people against an earlier figure, which stays"
    UNMOVED = "fewer than 10 people came, left or changed in this table since it was last counted"


class Mark(Part):
    """A figure that was shown and the count behind it: one fixed point of a category's history. average: of age, in years, as
    shown with it."""

    count: PositiveInt
    figure: PositiveInt
    average: float | None = None


class Back(Part):
    """Something that is held back: a category, or so many together, without their names (key is empty then)."""

    table: str
    key: str
    why: Why
    categories: PositiveInt = 1


class Ledger(Part):
    """The private half of one publication. marks: table -> category that is shown -> what stands behind; base: table -> its
    counts when it was last counted. A table with little room names only what it shows there; the rest is one sum."""

    schema_version: Literal[1, 2] = 2
    number: PositiveInt
    people: Mark
    marks: dict[str, dict[str, Mark]]
    base: dict[str, dict[str, NonNegativeInt]]
    held_back: tuple[Back, ...]

    @field_validator("base", mode="before")
    @classmethod
    def _of_version_1(cls, base: Any) -> Any:
        """Ledgers are kept for ever. The first ones counted people by nationality alone."""
        flat = isinstance(base, dict) and base and all(type(count) is int for count in base.values())
        return {NATIONALITIES: base} if flat else base


@dataclass(frozen=True)
class Release:
    """Both halves of a publication."""

    snapshot: Snapshot
    ledger: Ledger


@dataclass(frozen=True)
class Held:
    """Nothing is published. why: what an officer needs to know, in a sentence."""

    why: str
    at: datetime
