"""What comes of a sheet that is read: entries, and what did not fit, each named so that a person can mend it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.register import Entry


class NotASheet(ValueError):
    """What was given cannot be read as a sheet at all; the message says why and what to do."""


class TooLong(ValueError):
    """A text has no room in a cell; the message says which, and what to do. Nothing is cut off in silence."""


@dataclass(frozen=True)
class Imported:
    """Entries as they are after the sheet, in its order; unfit: a sentence for each thing that was not taken over; based_on:
    ref -> number of the version that the sheet was made of, where it says so."""

    entries: tuple[Entry, ...]
    unfit: tuple[str, ...]
    based_on: Mapping[str, int] = field(default_factory=dict, compare=False)


def version_in(text: str) -> int | None:
    """The number of a version at the beginning of a cell ("3", "3 (draft)"); None where there is none."""
    found = re.match(r"\s*'?([1-9][0-9]{0,8})\b", text)
    return int(found[1]) if found else None


def shortened(text: str, longest: int = 40) -> str:
    """A text for a message: one line, quoted, not longer than can be read at a glance."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= longest else line[:longest - 1] + "…"}"'
