"""What comes of a sheet that is read: entries, and what did not fit, each named so that a person can mend it."""

from dataclasses import dataclass

from governance.register import Entry


class NotASheet(ValueError):
    """What was given cannot be read as a sheet at all; the message says why and what to do."""


class TooLong(ValueError):
    """A text has no room in a cell; the message says which, and what to do. Nothing is cut off in silence."""


@dataclass(frozen=True)
class Imported:
    """Entries as they are after the sheet, in its order; unfit: a sentence for each thing that was not taken over."""

    entries: tuple[Entry, ...]
    unfit: tuple[str, ...]


def shortened(text: str, longest: int = 40) -> str:
    """A text for a message: one line, quoted, not longer than can be read at a glance."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= longest else line[:longest - 1] + "…"}"'
