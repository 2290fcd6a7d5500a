"""Several things in one cell: numbered lines with labelled lines under them, exact enough to be read back.

    1. Data platform
       Kind: internal
       Country: FR
    2. Archive
          of the town          (the second line of the name, deeper than any label)

The numbers tie what one cell says of a thing to what another cell says of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

UNDER, DEEP = " " * 3, " " * 6


@dataclass
class Record:
    """One thing: its number, if it has one, and column -> text."""

    number: int | None
    texts: dict[str, str] = field(default_factory=dict)


def written(records: Sequence[Record], labels: Mapping[str, str]) -> str:
    """The text of a cell. labels: column -> label; the column whose label is "" stands in the first line."""
    lines = []
    for record in records:
        for column, label in labels.items():
            if column in record.texts:
                before = f"{UNDER}{label}: " if label else "" if record.number is None else f"{record.number}. "
                lines.append(before + record.texts[column].replace("\n", f"\n{DEEP}"))
    return "\n".join(lines)


def parsed(text: str, labels: Mapping[str, str], numbered: bool = True) -> list[Record]:
    """The things that a cell names. A line that is neither numbered nor labelled is a thing without a number.

    numbered: whether a number at the start of a line is one; if not, the cell names one thing.
    """
    columns = {label.casefold(): column for column, label in labels.items()}
    names = "|".join(re.escape(label) for label in labels.values() if label)
    labelled = re.compile(rf" {{0,5}}({names}): ?(.*)", re.IGNORECASE)
    records: list[Record] = []
    column = columns[""]
    for line in text.split("\n"):
        if records and line.startswith(DEEP):
            records[-1].texts[column] += "\n" + line.removeprefix(DEEP)
        elif records and names and (found := labelled.fullmatch(line)):
            column = columns[found[1].casefold()]
            records[-1].texts[column] = found[2]
        elif numbered and (found := re.fullmatch(r"(\d{1,6})\. (.*)", line)):
            column = columns[""]
            records.append(Record(int(found[1]), {column: found[2]}))
        elif records and not numbered:
            records[-1].texts[column] += "\n" + line
        elif line.strip():
            column = columns[""]
            records.append(Record(None, {column: line}))
    return records


def listed(texts: Sequence[str]) -> str:
    """Texts as numbered lines."""
    return written([Record(number, {"": text}) for number, text in enumerate(texts, 1)], {"": ""})


def unlisted(text: str) -> list[str]:
    """The texts of numbered lines."""
    return [record.texts[""] for record in parsed(text, {"": ""})]


def tied(records: Sequence[Record], main: Sequence[Record], head: str, alone: str
         ) -> tuple[list[list[Record]], list[Record]]:
    """What another cell says of each thing of the main cell, and what it says of none.

    A record belongs to the thing of its number; without a number to the thing of its name (column `head`). Where there is one
    thing and one record that does not name it, that is what the cell says: its text is of column `alone`.
    """
    belonging: list[list[Record]] = [[] for _ in main]
    left = []
    numbers = {record.number: at for at, record in reversed(list(enumerate(main))) if record.number is not None}
    names = {record.texts[head].strip().casefold(): at for at, record in reversed(list(enumerate(main)))}
    for record in records:
        name = record.texts[head].strip().casefold()
        at = names.get(name) if record.number is None else numbers.get(record.number, names.get(name))
        if at is None and record.number is None and len(main) == 1 and len(records) == 1:
            at = 0
            record.texts.setdefault(alone, record.texts[head])
        if at is None:
            left.append(record)
        else:
            belonging[at].append(record)
    return belonging, left
