"""Every sheet of every export against the register, cell by cell: the delivered one and one of odd texts, read by others."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from engine.compliance.forms import Form
from engine.compliance.sheets import written
from governance.register import CONTENT, Entry, Version, entries
from governance.sheets import cnil_form, ico_form, table
from governance.sheets.cnil_form import card, front
from governance.sheets.ico import ROW
from governance.sheets.ico_form import HEADINGS, OURS, Above, cells
from tests.governance.activities import DERIVED, VERSIONS, version
from tests.governance.workbooks import Grid, sheets

DELIVERED = tuple(version(one, n) for n, one in enumerate(entries(CONTENT.read_text(encoding="utf-8")), 1))
REGISTERS = pytest.mark.parametrize("versions", [DELIVERED, VERSIONS], ids=["delivered", "odd"])


def filled(grid: Grid) -> list[list[str]]:
    """The rows of a sheet that say something, each up to its last cell that does."""
    rows = ["\0".join(row).rstrip("\0").split("\0") for row in grid]
    return [row for row in rows if row != [""]]


def lean(texts: list[str]) -> list[str]:
    return "\0".join(texts).rstrip("\0").split("\0")


@REGISTERS
def test_every_cell_of_every_sheet_of_the_french_workbook(versions: tuple[Version, ...]) -> None:
    read = sheets(written(Form.CNIL, versions, DERIVED))
    assert len(read) == 1 + len(versions)
    grids = list(read.values())
    assert filled(grids[0]) == [row for line in front(versions, DERIVED) if (row := lean(list(line.texts))) != [""]]
    for one, grid in zip(versions, grids[1:], strict=True):
        assert filled(grid) == [row for line in card(one) if (row := lean(list(line.texts))) != [""]], one.entry.ref
        said = {text for row in grid for text in row}
        assert {one.entry.ref, one.entry.activity, one.entry.purpose, *one.entry.sub_purposes} <= said
        for item in one.entry.items:
            assert item.label_fr in said
        for to in one.entry.recipients:
            assert to.name in said
        for measure in one.entry.measures:
            assert {measure.detail, measure.evidence} <= said | {""}


@REGISTERS
def test_every_cell_of_every_row_of_the_english_workbook(versions: tuple[Version, ...]) -> None:
    (grid,) = sheets(written(Form.ICO, versions, DERIVED)).values()
    assert lean(grid[ROW - 1]) == list((HEADINGS | OURS).values())
    assert len(grid) == ROW + len(versions)
    top = Above.of(versions)
    for one, row in zip(versions, grid[ROW:], strict=True):
        wanted = cells(one.entry, top, DERIVED.get(one.entry.ref)) | {"version": str(one.n)}
        assert dict(zip(HEADINGS | OURS, row, strict=False)) == {key: wanted[key] for key in HEADINGS | OURS}
        at = dict(zip(HEADINGS | OURS, row, strict=False))
        assert (at["ref"], at["activity"]) == (one.entry.ref, one.entry.activity)
        assert at["department"] == one.entry.department or "not stated" in at["department"]
        assert all(item.label_en.split("\n")[0] in at["items"] for item in one.entry.items)
        assert all(to.name.split("\n")[0] in at["recipients"] for to in one.entry.recipients)
        assert all(measure.detail.split("\n")[0] in at["measures"] for measure in one.entry.measures)


@REGISTERS
def test_every_cell_of_every_row_of_the_table(versions: tuple[Version, ...]) -> None:
    rows = list(csv.DictReader(io.StringIO(written(Form.CSV, versions, DERIVED).decode(), newline=""), strict=True))
    assert len(rows) == len(versions)
    for one, row in zip(versions, rows, strict=True):
        assert list(row) == [*Entry.model_fields, *table.ABOUT]
        for name, value in one.entry.model_dump(mode="json").items():
            if value in (None, "", []):
                reason = one.entry.because(name)
                assert row[name] == (f"not applicable: {reason}" if reason else "not stated"), name
            elif isinstance(value, str):
                assert row[name].removeprefix("'") == value.removeprefix("'") or row[name] == f"'{value}", name
            else:
                assert json.loads(row[name]) == value, name
        assert [row[name].removeprefix("'") for name in table.ABOUT] == [
            str(one.n), one.state.value, one.at.isoformat(), one.by, one.why]


@REGISTERS
def test_every_field_of_the_yaml(versions: tuple[Version, ...]) -> None:
    read = yaml.safe_load(written(Form.YAML, versions, DERIVED))
    assert read["entries"] == [one.entry.model_dump(mode="json") for one in versions]
    assert read["based_on"] == {one.entry.ref: one.n for one in versions}


def texts(value: Any) -> Iterator[str]:
    """Every text in JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


@REGISTERS
def test_what_the_linked_data_say_of_every_entry(versions: tuple[Version, ...]) -> None:
    read = json.loads(written(Form.JSON, versions, DERIVED))["dpv:hasProcess"]
    for one, node in zip(versions, read, strict=True):
        said = set(texts(node))
        assert {one.entry.ref, one.entry.activity, one.entry.purpose, *one.entry.sub_purposes} <= said
        assert {text for item in one.entry.items for text in (item.label_en, item.label_fr)} <= said
        assert {to.name for to in one.entry.recipients} <= said
        assert {measure.detail for measure in one.entry.measures} <= said
        assert {limit.said for item in one.entry.items for limit in item.retention} <= said
        assert set(one.entry.not_applicable.values()) <= said


def test_no_heading_stands_twice() -> None:
    assert len(set((HEADINGS | OURS).values())) == len(HEADINGS | OURS)
    assert all(len(set(columns.values())) == len(columns) for columns in cnil_form.HEADINGS.values())
    assert set(ico_form.REQUIRED) <= set(HEADINGS)
