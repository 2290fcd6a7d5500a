"""The register as an XLSX workbook after CNIL's models, in French, and such a workbook as entries again.

The front page, the dates of versions and what the product measures are worked out; they are not read back. The number of a
version says on what a change is based.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from governance.register import Derived, Entry, Version
from governance.sheets import book
from governance.sheets.book import Seen, Sheet
from governance.sheets.cnil_form import (
    ACTED,
    ACTORS,
    AS_ABOVE,
    ASKED,
    COMPANY,
    DATA,
    DESCRIBED,
    DESCRIPTION,
    HEADINGS,
    ITEMS,
    PURPOSE,
    PURPOSES,
    SECTIONS,
    SENSITIVE,
    SUB_PURPOSE,
    TABLES,
    TITLE,
    UPDATED,
    VERSION,
    Line,
    Look,
    card,
    front,
)
from governance.sheets.draft import Draft, free_ref
from governance.sheets.imported import Imported, NotASheet, version_in
from governance.sheets.language import FRENCH
from governance.sheets.rows import PARTIES, RETENTION, Kept, Row, natures

FRONT = "Registre"

FIELDS = (*DESCRIBED, *ACTED, *TABLES, "purpose", "sub_purposes", "items")
"""What a sheet has a place for."""


def workbook(versions: Sequence[Version], derived: Mapping[str, Derived]) -> bytes:
    """An XLSX workbook: the front page, and a sheet for each entry in their order. derived: by ref. Raises TooLong."""
    made = Workbook()
    _write(made.worksheets[0], FRONT, front(versions, derived))
    for version in versions:
        _write(made.create_sheet(), book.name_of_sheet(version.entry.ref, made.sheetnames), card(version))
    return book.saved(made, TITLE)


def _write(sheet: Worksheet, name: str, lines: Iterable[Line]) -> None:
    sheet.title = name
    book.widths(sheet, 44, 34, 30, 22, 26, 26, 24, 24, 26, 28, 28, 28)
    number = 0
    for line in lines:
        number += 2 if line.look is Look.SECTION else 1
        match line.look:
            case Look.TITLE:
                book.put_row(sheet, number, line.texts, book.TITLE)
            case Look.SECTION:
                book.put_row(sheet, number, line.texts, book.HEADING, book.BAND)
            case Look.HEADINGS:
                book.put_row(sheet, number, line.texts, book.BOLD, book.HEAD)
            case Look.LABELLED:
                book.put(sheet, number, 1, line.texts[0], book.BOLD)
                book.put(sheet, number, 2, line.texts[1])
            case Look.ROW:
                book.put_row(sheet, number, line.texts)


def read(content: bytes, known: Mapping[str, Entry]) -> Imported:
    """The entries that a workbook says, laid over the known ones (by ref). Raises NotASheet."""
    found: list[Entry] = []
    unfit: list[str] = []
    cards = 0
    taken: set[str] = set()
    based_on: dict[str, int] = {}
    for sheet in book.opened(content):
        strange: list[str] = []
        sections = dict(_sections(sheet, strange))
        labelled = list(_labelled(sections.get(DESCRIPTION, [])))
        ref = next((seen for label, seen in labelled if label == DESCRIBED["ref"].casefold()), None)
        if ref is None:
            if not sheet.rows or not any(seen.text == TITLE for seen in sheet.rows[0]):
                unfit.append(f"Sheet {sheet.name!r} was not read: it has no {DESCRIBED['ref']!r} under {DESCRIPTION!r}.")
            continue
        cards += 1
        name = ref.text.strip()
        if not name:
            name = free_ref(next((seen.text for label, seen in labelled if label == DESCRIBED["activity"].casefold()), ""),
                            taken | set(known))
            unfit.append(ref.refused(f"the entry is new, and called {name}"))
        if name in taken:
            unfit.append(ref.refused("another sheet of this workbook has it; this one was left out"))
            continue
        taken.add(name)
        draft = Draft(name, known.get(name), FRENCH, f"Sheet {sheet.name!r}", FIELDS)
        _read(draft, sections, labelled)
        entry = draft.finished()
        found += [entry] if entry else []
        unfit += strange + draft.unfit
        if (n := version_in(next((seen.text for label, seen in labelled if label == VERSION.casefold()), ""))) is not None:
            based_on[name] = n
    if not cards:
        raise NotASheet(f"No sheet of this workbook has a cell {DESCRIBED['ref']!r} under {DESCRIPTION!r}. Start from the CNIL "
                        "export of the register, which has one sheet for each activity.")
    return Imported(tuple(found), tuple(unfit), based_on)


def _read(draft: Draft, sections: Mapping[str, list[Sequence[Seen]]], labelled: Sequence[tuple[str, Seen]]) -> None:
    """Lays what a sheet says over the entry."""
    for section in SECTIONS:
        if section not in sections:
            draft.unfit.append(f"{draft.where} has no section {section!r}: nothing of it was read.")
    described = {field: [seen for label, seen in labelled if label == wanted.casefold()]
                 for field, wanted in DESCRIBED.items() if field != "ref"}
    purposes = list(_labelled(sections.get(PURPOSES, [])))
    described |= {"purpose": [seen for label, seen in purposes if label == PURPOSE.casefold()],
                  "sub_purposes": [seen for label, seen in purposes if label.startswith(SUB_PURPOSE.casefold())]}
    for field, seen in described.items():
        if field in ("software", "sub_purposes"):
            draft.texts(field, seen or None)
        else:
            draft.text(field, seen[0] if seen else None)
    _actors(draft, _rows(sections, ACTORS, draft) or [])
    _items(draft, _rows(sections, DATA, draft), _rows(sections, SENSITIVE, draft))
    for field, (section, table) in TABLES.items():
        rows = _rows(sections, section, draft)
        draft.parts(field, table, None if rows is None else [_unnumbered(row) for row in rows])


def _actors(draft: Draft, rows: Sequence[Row]) -> None:
    for field, label in ACTED.items():
        named = [_unnumbered(row) for row in rows if row["n"].text.strip().casefold() == label.casefold()]
        if field == "joint_controllers":
            draft.parts(field, PARTIES, named or None)
        else:
            draft.part(field, PARTIES, named[0] if named else None)
            draft.unfit += [row["name"].refused(f"there is one row {label!r}; this second one was left out")
                            for row in named[1:] if "name" in row]
    for row in rows:
        actor, name = row["n"], row.get("name", row["n"])
        called = actor.text.strip().casefold()
        if called == COMPANY.casefold() and name and name.text != AS_ABOVE:
            draft.unfit.append(name.refused("write the company as the name of the officer, who is the person to contact"))
        elif called not in {label.casefold() for label in (*ACTED.values(), COMPANY)}:
            draft.unfit.append(actor.refused(f"a row of this section is one of: {'; '.join(ACTED.values())}"))


def _items(draft: Draft, ordinary: Sequence[Row] | None, sensitive: Sequence[Row] | None) -> None:
    """Both sections of data as one list, in the order of the numbers; rows without a number go last."""
    if ordinary is None or sensitive is None:
        return
    made: list[tuple[float, dict[str, Seen], list[Row]]] = []
    empty: list[Seen] = []
    for rows in (ordinary, sensitive):
        before: tuple[str, ...] = ()
        for row in rows:
            item = {column: row[column] for column in ITEMS.columns if column in row}
            kept = {column: row[column] for column in RETENTION.columns if column in row}
            if all(FRENCH.reason(seen.text) is not None for seen in (*item.values(), *kept.values())):
                empty += [seen for seen in item.values() if seen and rows is ordinary and seen.text != FRENCH.none]
                before = ()
                continue
            said_so = natures(item["nature"].text, FRENCH) if "nature" in item else set()
            if rows is sensitive and not said_so & {"special", "criminal"}:
                item["nature"] = Seen(FRENCH.natures["special"], next(iter(item.values())).where)
            number = row["n"].text.strip()
            said = (number, *(item[column].text for column in ("category", "label_fr") if column in item))
            if not number or said != before:
                made.append((float(number) if number.isdecimal() else float("inf"), item, []))
            before = said
            if any(FRENCH.reason(seen.text) is None for seen in kept.values()):
                made[-1][2].append(kept)
            else:
                empty += [seen for seen in kept.values() if seen]
    draft.items(ITEMS, [Kept(item, tuple(kept)) for _, item, kept in sorted(made, key=lambda one: one[0])], empty)


def _sections(sheet: Sheet, unfit: list[str]) -> Iterator[tuple[str, list[Sequence[Seen]]]]:
    """Section -> the rows under it that are not empty. What stands under a heading that is none of ours is not read."""
    names = {section.casefold(): section for section in SECTIONS}
    rows: list[Sequence[Seen]] = []
    begun = False
    for row in sheet.rows:
        said = row[0].text.strip().casefold() if row else ""
        alone = bool(said) and not any(row[1:])
        if alone and said in names:
            rows, begun = [], True
            yield names[said], rows
        elif alone and begun and not said.isdecimal() and not said.startswith(_LABELS):
            rows = []
            unfit.append(row[0].refused("no section and no row is called so; what stands under it was not read"))
        elif any(row):
            rows.append(row)


_LABELS = tuple(label.casefold() for label in (*DESCRIBED.values(), UPDATED, VERSION, PURPOSE, SUB_PURPOSE, *ACTED.values(),
                                               COMPANY, *ASKED.values()))


def _labelled(rows: Iterable[Sequence[Seen]]) -> Iterator[tuple[str, Seen]]:
    """Label in small letters -> the cell beside it."""
    for row in rows:
        if row[0]:
            yield row[0].text.strip().casefold(), row[1] if len(row) > 1 else Seen("", row[0].where)


def _rows(sections: Mapping[str, list[Sequence[Seen]]], section: str, draft: Draft) -> list[Row] | None:
    """The rows of a table, by column; the columns may stand in any order. None: the table was not found."""
    columns: dict[int, str] = {}
    rows: list[Row] = []
    headings = {heading.casefold(): column for column, heading in HEADINGS[section].items()}
    for row in sections.get(section, []):
        if not columns:
            found = {at: headings[text] for at, seen in enumerate(row) if (text := seen.text.strip().casefold()) in headings}
            columns = found if len(found) > 1 else {}
        elif any(row[at] for at, column in columns.items() if at < len(row) and (column != "n" or section == ACTORS)):
            beside = Seen("", row[0].where)
            rows.append({"n": beside} | {column: row[at] if at < len(row) else beside for at, column in columns.items()})
    if section in sections and not columns:
        draft.unfit.append(f"{draft.where}, section {section!r} has no row of headings ({', '.join(headings)}): nothing of it "
                           "was read.")
    return rows if columns else None


def _unnumbered(row: Row) -> Row:
    return {column: seen for column, seen in row.items() if column != "n"}
