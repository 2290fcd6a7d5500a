"""The figures of a snapshot as tables: what is read on the page beside each chart, and the same numbers as CSV.

Table            columns of its CSV
nationalities    code, country, people        the last line is `other`
gender_ages      gender, age, people
average_ages     code, country, years
domains          domain, people
arrivals         period, people               a day or an hour, UTC
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.public import words
from app.public.countries import name
from governance.disclosure.snapshot import Cell, Snapshot, Table

OTHER = "other"


class Sheet(NamedTuple):
    """One table. columns, rows: as they are read; header, lines: as CSV."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    header: tuple[str, ...]
    lines: Sequence[tuple[str | int | float, ...]]


def ranked(table: Table) -> list[Cell]:
    """The cells of a table, largest first."""
    return sorted(table.cells, key=lambda cell: (-cell.people, cell.key))


def gender_and_age(cell: Cell) -> tuple[str, str]:
    """`female 30-39` as its two parts."""
    gender, age = cell.key.split(" ", 1)
    return gender, age


def by_age(table: Table) -> list[Cell]:
    """Cells of gender and age: youngest first, within an age by gender."""
    def place(cell: Cell) -> tuple[int, str]:
        gender, age = gender_and_age(cell)
        return int(age.split("-")[0]), gender
    return sorted(table.cells, key=place)


def nationalities(snapshot: Snapshot) -> Sheet:
    """People by nationality, largest first."""
    table = snapshot.nationalities
    cells = ranked(table)
    return Sheet(words.NATIONALITY_COLUMNS, _counted(((name(cell.key), cell.people) for cell in cells), table, snapshot),
                 ("code", "country", "people"),
                 [*((cell.key, name(cell.key), cell.people) for cell in cells), (OTHER, OTHER, table.other)])


def gender_ages(snapshot: Snapshot) -> Sheet:
    """People by gender and age, youngest first."""
    table = snapshot.gender_ages
    cells = by_age(table)
    rows = [(words.gender(one), words.ages(age), words.count(cell.people), words.share(cell.people, snapshot.people))
            for cell in cells for one, age in [gender_and_age(cell)]]
    rest = [(words.OTHER, words.NOTHING, words.count(table.other), words.share(table.other, snapshot.people))]
    return Sheet(words.GENDER_AGE_COLUMNS, rows + (rest if table.other else []), ("gender", "age", "people"),
                 [*((*gender_and_age(cell), cell.people) for cell in cells), (OTHER, OTHER, table.other)])


def average_ages(snapshot: Snapshot) -> Sheet:
    """Average age by nationality, oldest first."""
    averages = sorted(snapshot.average_ages, key=lambda one: (-one.years, one.key))
    return Sheet(words.AGE_COLUMNS, [(name(one.key), words.years(one.years)) for one in averages],
                 ("code", "country", "years"), [(one.key, name(one.key), one.years) for one in averages])


def domains(snapshot: Snapshot) -> Sheet:
    """People by e-mail domain, largest first."""
    table = snapshot.domains
    cells = ranked(table)
    return Sheet(words.DOMAIN_COLUMNS, _counted(((cell.key, cell.people) for cell in cells), table, snapshot),
                 ("domain", "people"), [*((cell.key, cell.people) for cell in cells), (OTHER, table.other)])


def arrivals(snapshot: Snapshot) -> Sheet:
    """People by period of arrival, newest first."""
    table = snapshot.arrivals
    cells = sorted(table.cells, key=lambda cell: cell.key, reverse=True)
    return Sheet(words.ARRIVAL_COLUMNS, _counted(((words.period(cell.key), cell.people) for cell in cells), table, snapshot),
                 ("period", "people"), [*((cell.key, cell.people) for cell in cells), (OTHER, table.other)])


SHEETS = {"nationalities": nationalities, "gender_ages": gender_ages, "average_ages": average_ages, "domains": domains,
          "arrivals": arrivals}


def as_csv(sheet: Sheet) -> str:
    """RFC 4180: CRLF, a header. No cell can be taken for a formula: keys are of the forms that governance/disclosure lets
    through, none of which begins with one of = + - @."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(sheet.header)
    writer.writerows(sheet.lines)
    return text.getvalue()


def _counted(people: Iterable[tuple[str, int]], table: Table, snapshot: Snapshot) -> list[tuple[str, ...]]:
    rest = [(words.OTHER, table.other)] if table.other else []
    return [(label, words.count(number), words.share(number, snapshot.people)) for label, number in [*people, *rest]]
