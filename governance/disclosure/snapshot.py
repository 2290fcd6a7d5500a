"""One publication: what everybody sees, and all that the public process reads. Immutable, numbered, as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class Part(BaseModel):
    """A part of a publication: frozen; an unknown name is an error, so that nothing private slips in."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Cell(Part):
    """People of one category."""

    key: str
    people: PositiveInt


class Table(Part):
    """One table. The people of the cells and of `other` add up to the snapshot's people, exactly. other: small categories
    and changes that are not shown yet, together."""

    cells: tuple[Cell, ...]
    other: NonNegativeInt


class Average(Part):
    """The average age of one nationality, in years."""

    key: str
    years: float


class Told(Part):
    """The method, as the public is told it."""

    version: int
    k: int
    step: int
    text: str


class Snapshot(Part):
    """Everything that is published at one moment. at: when it was made; counted_at: when any of its tables was last
    counted, which is `at` unless too few people came, left or changed since; next_at: when the next one is due; synthetic:
    people were made up, some or all of them, at counted_at."""

    schema_version: Literal[1] = 1
    number: PositiveInt
    at: AwareDatetime
    counted_at: AwareDatetime
    next_at: AwareDatetime
    method: Told
    people: PositiveInt
    synthetic: bool = False
    nationalities: Table
    gender_ages: Table
    domains: Table
    arrivals: Table
    average_ages: tuple[Average, ...]

    def table(self, name: str) -> Table:
        """One of the four tables of counts, by its field's name."""
        found: Table = getattr(self, name)
        return found

    def again(self, at: datetime, next_at: datetime) -> "Snapshot":
        """The same figures in the next publication."""
        return self.model_copy(update={"number": self.number + 1, "at": at, "next_at": next_at})
