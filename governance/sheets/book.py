"""Workbooks: every cell is written as text that nothing can take for a formula, and what comes back is opened with care.

A workbook from outside may be a bomb (a small file that unpacks to gigabytes), may hold entities of XML, formulas and
errors, or be no workbook at all. All of these end in a sentence.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from governance.sheets.imported import NotASheet, TooLong, shortened

UNPACKED = 20_000_000
"""Bytes that a workbook may have when it is unpacked."""

FILES, ROWS, COLUMNS = 1_000, 5_000, 60
"""How many files a workbook may be made of; rows and columns that are read of a sheet. A register has far fewer."""

LONGEST = 32_767
"""Characters that Excel takes in a cell; openpyxl would cut the rest off without a word."""

FORMULA = ("=", "+", "-", "@")

_NO_XML = "\x00-\x08\x0b-\x1f\ufffe\uffff"
_HIDDEN = re.compile(f"[{_NO_XML}]|_(?=x[0-9A-Fa-f]{{4}}[_{_NO_XML}])")
_SHOWN = re.compile("_x([0-9A-Fa-f]{4})_")
_ENTITIES = [word.encode(code) for word in ("<!DOCTYPE", "<!ENTITY") for code in ("utf-8", "utf-16-le", "utf-16-be")]

PLAIN, BOLD = Font(), Font(bold=True)
TITLE, HEADING = Font(bold=True, size=14), Font(bold=True, color="FFFFFF")
BAND, HEAD, GREEN, BLUE = (PatternFill("solid", fgColor=colour) for colour in ("1F3864", "D9E2F3", "C6E0B4", "BDD7EE"))
_WRAPPED = Alignment(wrap_text=True, vertical="top")


@dataclass(frozen=True)
class Seen:
    """A cell as it came back: its text, where it stands, and whether it was worked out (a formula or an error)."""

    text: str
    where: str = ""
    formula: bool = False

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def refused(self, advice: str) -> str:
        """The sentence for a cell that is not taken over."""
        return f"{self.where} holds {shortened(self.text) if self else 'nothing'}: {advice}."


@dataclass(frozen=True)
class Sheet:
    """One sheet that came back, as rows of cells from A1."""

    name: str
    rows: tuple[tuple[Seen, ...], ...]


def escaped(text: str) -> str:
    """A text as XLSX keeps it: characters that XML has no place for become `_x0007_` (ECMA-376, ST_Xstring)."""
    return _HIDDEN.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def unescaped(text: str) -> str:
    """The text of an escaped one."""
    return _SHOWN.sub(lambda found: chr(int(found[1], 16)), text)


def put(sheet: Worksheet, row: int, column: int, text: str, font: Font = PLAIN, fill: PatternFill | None = None) -> None:
    """Writes a text into a cell, as text. Raises TooLong."""
    kept = escaped(text)
    if len(kept.encode("utf-16-le")) // 2 > LONGEST:
        raise TooLong(f"The text for sheet {sheet.title!r}, cell {get_column_letter(column)}{row} ({shortened(text)}) has more "
                      f"than the {LONGEST:,} characters that a cell takes. Shorten it, or export as CSV or HTML.")
    cell = sheet.cell(row, column, kept)
    cell.data_type = "s"              # openpyxl would make a formula of "=1", and an error of "#N/A"
    cell.number_format = "@"
    cell.alignment = _WRAPPED
    cell.font = font
    if text.startswith(FORMULA):
        cell.quotePrefix = True       # so that it stays text when somebody edits it
    if fill:
        cell.fill = fill


def put_row(sheet: Worksheet, row: int, texts: Sequence[str], font: Font = PLAIN, fill: PatternFill | None = None) -> None:
    """Writes texts side by side from column A; an empty one leaves its cell empty. Raises TooLong."""
    for column, text in enumerate(texts, 1):
        if text:
            put(sheet, row, column, text, font, fill)


def widths(sheet: Worksheet, *wide: float) -> None:
    """Sets the widths of the columns from A, and that the sheet is printed as wide as a page."""
    for column, width in enumerate(wide, 1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def name_of_sheet(wanted: str, taken: Sequence[str]) -> str:
    """A name that Excel takes: at most 31 characters, none of []:*?/\\, no other sheet has it in any case."""
    plain = re.sub(r"[\[\]:*?/\\]", "-", wanted).strip("'")[:31] or "-"
    used, name, number = {one.casefold() for one in taken}, plain, 2
    while name.casefold() in used:
        name = f"{plain[:31 - len(str(number)) - 1]}~{number}"
        number += 1
    return name


def saved(book: Workbook, title: str) -> bytes:
    """The bytes of a workbook."""
    book.properties.title, book.properties.creator = title, "Rollcall"
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def opened(content: bytes) -> list[Sheet]:
    """The sheets of a workbook. Raises NotASheet, and nothing else whatever the bytes are."""
    packed = _repacked(content)
    try:
        # openpyxl warns of parts it does not read (validations, charts); of these nothing is wanted
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(packed, read_only=True)
            try:
                return [Sheet(sheet.title, tuple(_rows(sheet))) for sheet in book.worksheets]
            finally:
                book.close()
    except NotASheet:
        raise
    except Exception as error:        # openpyxl raises nearly anything over a file that is broken inside
        raise NotASheet(f"This workbook is damaged and cannot be read ({type(error).__name__}). Open it in Excel or "
                        "LibreOffice, save it again as XLSX and try once more.") from None


def _repacked(content: bytes) -> io.BytesIO:
    """The same workbook, unpacked piece by piece within the bound: what a file declares of its own size may be a lie."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise NotASheet("This is an old XLS workbook or one with a password. Save it as XLSX without a password.")
    if len(content) > UNPACKED:
        raise _large()
    packed, left = io.BytesIO(), UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(packed, "w") as honest:
            names = given.namelist()
            if "content.xml" in names:
                raise NotASheet("This is an OpenDocument file. Open it and save it as XLSX (Excel workbook).")
            if len(names) > FILES or len(set(names)) < len(names):
                raise NotASheet(f"This workbook is made of more than {FILES:,} files, or of two of the same name. Save it anew "
                                "as XLSX.")
            for part in given.infolist():
                if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):    # others unpack without a bound
                    raise NotASheet("This file is packed in a way that XLSX does not know. Save it anew as XLSX.")
                with given.open(part) as source, honest.open(part.filename, "w") as target:
                    data = b"".join(_pieces(source, left))
                    left -= len(data)
                    if any(word in data for word in _ENTITIES):
                        raise NotASheet("This workbook defines XML entities, which no register needs. Save it anew as XLSX.")
                    target.write(data)
    except NotASheet:
        raise
    except Exception as error:        # zipfile and zlib, too, raise nearly anything
        raise NotASheet(f"This is no XLSX workbook ({type(error).__name__}). Give a file that Excel or LibreOffice saved as "
                        "XLSX, for example one that was exported here.") from None
    packed.seek(0)
    return packed


def _pieces(source: IO[bytes], most: int) -> Iterator[bytes]:
    while piece := source.read(65_536):
        most -= len(piece)
        if most < 0:
            raise _large()
        yield piece


def _large() -> NotASheet:
    return NotASheet(f"This workbook has more than {UNPACKED // 1_000_000} MB when it is unpacked. A register is far smaller: "
                     "remove pictures and sheets that do not belong to it.")


def _rows(sheet: Any) -> Iterator[tuple[Seen, ...]]:
    """sheet: openpyxl's, read-only, which its type stubs do not know."""
    for number, row in enumerate(sheet.iter_rows(max_col=COLUMNS), 1):
        if number > ROWS:             # empty ones count, too: a cell in row 999,999,999 has as many before it
            raise NotASheet(f"Sheet {sheet.title!r} has more than {ROWS:,} rows. Remove those below the register, also empty "
                            "ones that have a format.")
        yield tuple(_seen(cell, f"Sheet {sheet.title!r}, cell {get_column_letter(column)}{number}")
                    for column, cell in enumerate(row, 1))


def _seen(cell: Any, where: str) -> Seen:
    match cell.value:
        case None:
            return Seen("", where)
        case datetime() as moment:
            return Seen(f"{moment.year:04}-{moment.month:02}-{moment.day:02}", where)
        case float() as number if number.is_integer():
            return Seen(str(int(number)), where)
        case value:
            return Seen(unescaped(str(value)), where, cell.data_type in ("f", "e"))
