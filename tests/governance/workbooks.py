"""Workbooks in tests: read by a library that did not write them, and changed as somebody in Excel would change them."""

import io
from collections.abc import Callable, Mapping

from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

Grid = list[list[str]]


def sheets(content: bytes) -> dict[str, Grid]:
    """Sheet -> its rows of cells, as calamine reads them; an empty cell is ""."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: [[cell if isinstance(cell, str) else f"no text: {cell!r}" for cell in row]
                   for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)] for name in book.sheet_names}


def place(grid: Grid, label: str, beside: int = 0, which: int = 0) -> str:
    """The address of a cell that says `label` (or of one beside it)."""
    at = [(row, column) for row, cells in enumerate(grid) for column, cell in enumerate(cells) if cell == label][which]
    return f"{chr(65 + at[1] + beside) if at[1] + beside < 26 else 'A' + chr(39 + at[1] + beside)}{at[0] + 1}"


def edited(content: bytes, cells: Mapping[tuple[str, str], object]) -> bytes:
    """The workbook with other values in some cells: (sheet, address) -> value."""
    def change(book: Workbook) -> None:
        for (sheet, address), value in cells.items():
            book[sheet][address] = value    # type: ignore[assignment]
    return changed_book(content, change)


def changed_book(content: bytes, change: Callable[[Workbook], None]) -> bytes:
    """The workbook after a change, saved anew."""
    book = load_workbook(io.BytesIO(content))
    for sheet in book.worksheets:
        keep_texts(sheet)
    change(book)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def keep_texts(sheet: Worksheet) -> None:
    """Texts stay texts: openpyxl forgets, when it opens a workbook, that "=1" was none of its formulas."""
    for row in sheet.iter_rows():
        for cell in row:
            if isinstance(cell.value, str):
                cell.data_type = "s"
