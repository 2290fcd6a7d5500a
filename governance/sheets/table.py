"""The register as one CSV table (RFC 4180): every field of every entry, so a table is entries again without knowing them.

A text that a spreadsheet would take for a formula has an apostrophe before it, as has one that would be taken for the words
of an empty field, and one that begins with an apostrophe itself: reading takes one away. What is no text is JSON.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from governance.register import Entry, NotAnEntry, Version, entry
from governance.sheets.imported import Imported, NotASheet, shortened, version_in
from governance.sheets.language import ENGLISH

LARGEST = 20_000_000
"""Characters of a table that is read."""

csv.field_size_limit(LARGEST)         # Python's 131,072 is less than the data of one large activity may have

GUARDED = ("'", "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

ABOUT = ("version", "state", "changed_at", "changed_by", "change_reason")
"""Columns about the version; of them its number alone is read back."""

FIELDS = tuple(Entry.model_fields)


def csv_text(versions: Sequence[Version]) -> str:
    """A row of headings and a row for each entry, in their order."""
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow((*FIELDS, *ABOUT))
    for version in versions:
        fields = version.entry.model_dump(mode="json")
        about = (str(version.n), version.state.value, version.at.isoformat(), version.by, version.why)
        rows.writerow([*(_cell(version.entry, name, value) for name, value in fields.items()), *map(_guarded, about)])
    return out.getvalue()


def _cell(one: Entry, name: str, value: Any) -> str:
    if value in (None, "", []):
        return ENGLISH.absent(one.because(name))
    return _guarded(value) if _is_text(name) else json.dumps(value, ensure_ascii=False)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(GUARDED) or (text and ENGLISH.reason(text) is not None) else text


def _is_text(name: str) -> bool:
    kind = Entry.model_fields[name].annotation
    return kind in (str, date, date | None) or (isinstance(kind, type) and issubclass(kind, StrEnum))


def read(text: str) -> Imported:
    """The entries of a table. Raises NotASheet. Separators may be commas, semicolons or tabs, as Excel writes them."""
    rows = _rows(text)
    headings = [heading.strip() for heading in rows[0][1]]
    unfit = [f"Column {heading!r} is no field of the register; it was not read." for heading in headings
             if heading not in (*FIELDS, *ABOUT)]
    unfit += [f"There is no column {name!r}: the field is empty." for name in FIELDS if name not in headings]
    found: dict[str, Entry] = {}
    based_on: dict[str, int] = {}
    for line, row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(headings):
            unfit.append(f"Row {line} has {len(row)} cells where there are {len(headings)} columns; it was left out. Look for "
                         "a quotation mark or a separator too many.")
            continue
        try:
            cells = dict(zip(headings, row, strict=True))
            made = entry(_fields(cells, line))
        except (NotASheet, NotAnEntry) as error:
            unfit.append(str(error) if isinstance(error, NotASheet) else f"Row {line} was left out. {error}")
            continue
        if made.ref in found:
            unfit.append(f"Row {line} was left out: {made.ref} stands in a row before it, too.")
        else:
            found[made.ref] = made
            if (n := version_in(cells.get("version", ""))) is not None:
                based_on[made.ref] = n
    return Imported(tuple(found.values()), tuple(unfit), based_on)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The line each row begins in, and its cells."""
    if len(text) > LARGEST:
        raise NotASheet(f"This table has more than {LARGEST:,} characters, which no register has.")
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0].strip()
    separator = next((one for one in ",;\t" if "ref" in [name.strip(' "') for name in first.split(one)]), None)
    if separator is None:
        raise NotASheet("The first row of this table has no heading 'ref'. Start from the CSV export of the register, and keep "
                        "its first row.")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    made, begins = [], 1
    try:
        for row in rows:
            made.append((begins, row))
            begins = rows.line_num + 1
    except csv.Error as error:
        raise NotASheet(f"This is no CSV after RFC 4180: the row that begins in line {begins} cannot be read ({error}). Look "
                        "for a quotation mark that is not doubled.") from None
    return made


def _fields(cells: dict[str, str], line: int) -> dict[str, object]:
    """The fields of a row. Raises NotASheet, for this row."""
    fields: dict[str, object] = {}
    reasons: dict[str, str] = {}
    for name in FIELDS:
        cell = cells.get(name, "")
        reason = ENGLISH.reason(cell)
        if reason is not None:
            about = Entry.model_fields[name]
            if cell.strip() and about.annotation is str:
                fields[name] = ""
            if reason:
                reasons[name] = reason
        elif _is_text(name):
            fields[name] = cell.removeprefix("'")
        else:
            try:
                fields[name] = json.loads(cell)
            except (ValueError, RecursionError):
                raise NotASheet(f"Row {line} was left out: column {name!r} holds {shortened(cell)}, which is no JSON. Write it "
                                "as the export does.") from None
    said = fields.get("not_applicable")
    if isinstance(said, dict):
        changed = {name: reason for name, reason in reasons.items() if cells[name] != ENGLISH.absent(str(said.get(name, "")))}
        fields["not_applicable"] = said | changed
    elif said is None and reasons:
        fields["not_applicable"] = reasons
    return fields
