"""What one person looks like at each hop, as far as the order of writes depends on it.

hop 1   a JSON object of the source, `drop` fields gone          (governance/catalogue.py)
hop 2   a record: that JSON under the person's uuid              (Record: what of it the order needs)
hop 3   a row: what the person is counted under, and from where  (Row)
hop 4   cells: the places of the aggregates the row is counted in
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

NATIONALITIES = "users_by_nationality"
DOMAINS = "users_by_email_domain"
ARRIVALS = "arrivals"

GENDER_FORM, NAT_FORM = r"[a-z]{1,20}", r"[A-Z]{2,5}"
"""What a gender and a nationality look like, whole; the same in Python and in Java."""

SCHEMA_FORM = r"1(\.\d{1,3})*"
"""Versions of a person's shape that are understood, as the header `schema` of a record names them."""


class Position(NamedTuple):
    """Where a record stands: append time in milliseconds since 1970, partition, offset."""

    appended_at: int
    partition: int
    offset: int

    def newer_than(self, other: "Position") -> bool:
        """Within a partition the offset decides, for clocks step back; between partitions the append time."""
        if self.partition == other.partition:
            return self.offset > other.offset
        return (self.appended_at, self.partition) > (other.appended_at, other.partition)


class Cell(NamedTuple):
    """One place a person is counted in: a document of a collection, and within it gender and birth month."""

    collection: str
    document: str
    gender: str = ""
    month: str = ""


@dataclass(frozen=True)
class Record:
    """A valid record of the topic: whose, where, and what its row would be counted under."""

    uuid: str
    at: Position
    nat: str
    gender: str
    birth_month: str
    email_domain: str


@dataclass(frozen=True)
class Row:
    """A row of `profiles`, as far as counting depends on it: one atomic read."""

    uuid: str
    at: Position
    first_seen: int    # milliseconds since 1970
    counted: bool
    nat: str
    gender: str
    birth_month: str
    email_domain: str
    rectified: int = -1    # offset of the rectification whose pins it follows; -1 for none

    def cells(self) -> tuple[Cell, ...]:
        """What this row is counted under: nothing when it is not counted."""
        if not self.counted:
            return ()
        return (
            Cell(NATIONALITIES, self.nat, self.gender, self.birth_month),
            Cell(DOMAINS, self.email_domain),
            Cell(ARRIVALS, hour(self.first_seen)),
        )


def hour(milliseconds: int) -> str:
    """The hour (UTC) of a moment, as `arrivals` names its documents: `2026-11-24T11`."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H")
