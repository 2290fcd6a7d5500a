"""What one person looks like at each hop, as far as the order of writes depends on it.

hop 1   a JSON object of the source, `drop` fields gone          (governance/catalogue.py)
hop 2   a record: that JSON under the person's uuid              (Record: what of it the order needs)
hop 3   a row: what the person is counted under, and from where  (Row)
hop 4   cells: the places of the aggregates the row is counted in
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

NATIONALITIES = "users_by_nationality"
DOMAINS = "users_by_email_domain"
ARRIVALS = "arrivals"

GENDER_FORM, NAT_FORM = r"[a-z]{1,20}", r"[A-Z]{2,5}"
"""What a gender and a nationality look like, whole; the same in Python and in Java."""

UUID_FORM = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""A person's number as keys and rows write it; the same in Python and in Java."""

SCHEMA_FORM = r"1(\.\d{1,3})*"
"""Versions of a person's shape that are understood, as the header `schema` of a record names them."""

NUMBER_FORM = rf"{UUID_FORM}|(?<![0-9a-f])[0-9a-f]{{32}}(?![0-9a-f])"
"""A person's number in a text, in which somebody may have left the dashes out; the same in Python and in Java."""

DASHLESS_FORM = r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})"
"""A number without dashes, in the five parts that they stand between."""

_NUMBERS = re.compile(NUMBER_FORM.encode(), re.IGNORECASE)


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
    email_domain: str    # as governance/masking.py shows it
    full_name: str = field(default="", compare=False, repr=False)
    email: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Bad:
    """A record that is no person: where it stood, when it was appended (ms), whose number it gives; empty for nobody's."""

    place: str
    appended_at: int
    uuid: str = ""


@dataclass(frozen=True)
class Row:
    """A row of `profiles`, as far as counting depends on it: one atomic read.

    full_name, email: empty where they are not known; whether a domain is shown depends on both once one is corrected.
    """

    uuid: str
    at: Position
    first_seen: int    # milliseconds since 1970
    counted: bool
    nat: str
    gender: str
    birth_month: str
    email_domain: str
    rectified: int = -1    # offset of the rectification whose pins it follows; -1 for none
    full_name: str = field(default="", compare=False, repr=False)
    email: str = field(default="", compare=False, repr=False)

    def cells(self) -> tuple[Cell, ...]:
        """What this row is counted under: nothing when it is not counted."""
        if not self.counted:
            return ()
        return (
            Cell(NATIONALITIES, self.nat, self.gender, self.birth_month),
            Cell(DOMAINS, self.email_domain),
            Cell(ARRIVALS, hour(self.first_seen)),
        )


def numbers(text: bytes) -> set[str]:
    """The uuids that stand in a text, in the form of keys: of those whom it is about, whatever else is wrong with it. What has
    32 digits may be none."""
    return {dashed(found.decode().lower()) for found in _NUMBERS.findall(text)}


def is_number(text: str) -> bool:
    """Whether it is somebody's number, in the form of keys."""
    return re.fullmatch(UUID_FORM, text) is not None


def dashed(number: str) -> str:
    """A number in lower case as keys write it; anything else as it is."""
    parts = re.fullmatch(DASHLESS_FORM, number)
    return "-".join(parts.groups()) if parts else number


def hour(milliseconds: int) -> str:
    """The hour (UTC) of a moment, as `arrivals` names its documents: `2026-11-24T11`."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H")
