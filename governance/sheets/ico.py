"""The register as an XLSX workbook after ICO's template for controllers, and such a workbook as entries again.

What the product works out (places in the systems, breaches, whether data are kept as stated) is written, not read back.
"""

import re
from collections.abc import Mapping, Sequence

from openpyxl import Workbook

from governance.register import Derived, Entry, Version
from governance.sheets import book, ico_form
from governance.sheets.book import Seen, Sheet
from governance.sheets.draft import Draft, free_ref
from governance.sheets.ico_form import CONTACT, GROUPS, HEADINGS, OURS, REQUIRED, TEXTS, TOP, Above, above, cells
from governance.sheets.imported import Imported, NotASheet, version_in
from governance.sheets.language import ENGLISH
from governance.sheets.lines import Record, parsed, tied, unlisted
from governance.sheets.rows import MEASURES, PARTIES, RECIPIENTS, TRANSFERS, Kept, Table

NAME = "Template"
ROW = 9
"""Of the headings, as in ICO's own file; the entries follow."""

FIELDS = (*TEXTS, *OURS, "purpose", "sub_purposes", "joint_controllers", "subjects", "items", "recipients", "transfers",
          "measures", "locations", "rights", "rights_channel", "art6", "art6_justification", "art9", "automated", "dpia")
"""What a row has a place for."""

Cells = Mapping[str, Seen]
"""The row of an entry as it came back, by key; a key is missing where the sheet has no such column."""


def workbook(versions: Sequence[Version], derived: Mapping[str, Derived]) -> bytes:
    """An XLSX workbook: one sheet, a row for each entry in their order. derived: by ref. Raises TooLong."""
    made = Workbook()
    sheet = made.worksheets[0]
    sheet.title = NAME
    top = Above.of(versions)
    for number, (field, title) in enumerate(TOP.items()):
        book.put(sheet, 1, 2 * number + 1, title, book.BOLD, book.GREEN)
        texts = above(top.one, field) if top.one else {}
        for row, (part, label) in enumerate(CONTACT.items(), 2):
            book.put(sheet, row, 2 * number + 1, label, book.BOLD)
            if texts.get(part):
                book.put(sheet, row, 2 * number + 2, texts[part])
    book.put(sheet, 6, 1, f"These hold for each row that says {ico_form.AS_ABOVE!r} in its last columns.")
    columns = HEADINGS | OURS
    for number, (key, heading) in enumerate(columns.items(), 1):
        if key in GROUPS:
            book.put(sheet, ROW - 1, number, GROUPS[key], book.BOLD)
        book.put(sheet, ROW, number, heading, book.BOLD, book.GREEN if key in REQUIRED else book.BLUE)
    for number, version in enumerate(versions, ROW + 1):
        texts = cells(version.entry, top, derived.get(version.entry.ref)) | {"version": str(version.n)}
        book.put_row(sheet, number, [texts[key] for key in columns])
    book.widths(sheet, *[36] * len(columns))
    sheet.freeze_panes = f"A{ROW + 1}"
    return book.saved(made, "Record of processing activities")


def read(content: bytes, known: Mapping[str, Entry]) -> Imported:
    """The entries that a workbook says, laid over the known ones (by ref). Raises NotASheet."""
    found: list[Entry] = []
    unfit: list[str] = []
    sheets = [(sheet, at) for sheet in book.opened(content) if (at := _heading_row(sheet)) is not None]
    if not sheets:
        raise NotASheet("No sheet of this workbook has the headings of ICO's template (Business function, Purpose of "
                        "processing ...). Start from the ICO export of the register.")
    taken: set[str] = set()
    based_on: dict[str, int] = {}
    for sheet, at in sheets:
        columns = _columns(sheet.rows[at])
        unfit += [f"Sheet {sheet.name!r} has no column {heading!r}: what belongs there was not read."
                  for key, heading in HEADINGS.items() if key not in columns.values()]
        top = _top(sheet, at)
        for number, row in enumerate(sheet.rows[at + 1:], at + 2):
            said = {key: row[column] if column < len(row) else Seen("", f"{_where(sheet, number)}, {key}")
                    for column, key in columns.items()}
            if any(said.values()):
                draft = _draft(said, known, taken, f"{_where(sheet, number)}", unfit)
                if draft:
                    _Reading(draft, said, top).all()
                    entry = draft.finished()
                    found += [entry] if entry else []
                    unfit += draft.unfit
                    if "version" in said and (n := version_in(said["version"].text)) is not None:
                        based_on[str(draft.fields["ref"])] = n
    return Imported(tuple(found), tuple(unfit), based_on)


def _where(sheet: Sheet, number: int) -> str:
    return f"Sheet {sheet.name!r}, row {number}"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _columns(row: Sequence[Seen]) -> dict[int, str]:
    keys = {_plain(heading): key for key, heading in (HEADINGS | OURS).items()}
    return {at: keys[_plain(seen.text)] for at, seen in enumerate(row) if _plain(seen.text) in keys}


def _heading_row(sheet: Sheet) -> int | None:
    """Which row has the headings: the first with three of them, which nothing else has."""
    return next((at for at, row in enumerate(sheet.rows) if len(_columns(row)) >= 3), None)


def _top(sheet: Sheet, before: int) -> dict[str, Cells]:
    """The parties above the table: a cell beside each Name, Address, Email and Telephone, party after party."""
    labels = {label.casefold(): part for part, label in CONTACT.items()}
    blocks: dict[int, dict[str, Seen]] = {}
    for row in sheet.rows[:before]:
        for at, seen in enumerate(row):
            part = labels.get(_plain(seen.text).rstrip(":"))
            if part and part not in blocks.get(at, {}):
                beside = row[at + 1] if at + 1 < len(row) else Seen("", seen.where)
                blocks.setdefault(at, {})[part] = beside
    complete = [block for _, block in sorted(blocks.items()) if set(block) == set(CONTACT)]
    return dict(zip(TOP, complete, strict=False))


def _draft(said: Cells, known: Mapping[str, Entry], taken: set[str], where: str, unfit: list[str]) -> Draft | None:
    """The entry that a row speaks of; None, and a sentence, if another row did already."""
    ref = said.get("ref", Seen("", where))
    name = ref.text.strip()
    if not name:
        called = next((said[key].text for key in ("activity", "purpose", "department") if said.get(key)), "")
        name = free_ref(called, taken | set(known))
        unfit.append(f"{where} has no reference: the entry is new, and called {name}.")
    if name in taken:
        unfit.append(ref.refused("another row has it; this one was left out"))
        return None
    taken.add(name)
    return Draft(name, known.get(name), ENGLISH, where, FIELDS)


class _Reading:
    """One row while it is laid over an entry, cell by cell or, where several cells say one thing, group by group."""

    def __init__(self, draft: Draft, said: Cells, top: Mapping[str, Cells]) -> None:
        self.draft, self.said, self.top = draft, said, top
        known = draft.known
        self.before = cells(known, Above(), None) if known else {}

    def all(self) -> None:
        """Reads the whole row."""
        for field in TEXTS:
            self.draft.text(field, self.said.get(field))
        self._purpose()
        self._list("locations", ico_form.SYSTEMS)
        self._rights()
        self._letter("art6", ico_form.ART6)
        self._letter("art9", ico_form.ART9)
        self._parts("joint_controllers", PARTIES, {"joint_controllers": ico_form.PARTY})
        self._parts("subjects", ico_form.SUBJECTS, {"subjects": ico_form.PEOPLE})
        self._parts("recipients", RECIPIENTS, {"recipients": ico_form.RECEIVED, "contracts": ico_form.CONTRACT})
        self._parts("transfers", TRANSFERS, {"transfers": ico_form.COUNTRY, "safeguards": ico_form.SAFEGUARD})
        self._parts("measures", MEASURES, {"measures": ico_form.MEASURE})
        self._items()
        self._one("automated", ico_form.AUTOMATED, {"automated": ico_form.DECISION})
        self._one("dpia", ico_form.DPIA, {"dpia": {"required": ""}, "progress": {"status": ""}, "dpia_link": {"link": ""}})
        self._one("processor", PARTIES, {"processor": ico_form.PARTY})
        for field in TOP:
            self._party(field)

    def _changed(self, *keys: str) -> bool:
        """Whether cells say something else than the known entry would; and are there, and no formulas."""
        there = [self.said[key] for key in keys if key in self.said]
        for seen in there:
            if seen.formula:
                self.draft.refuse(seen, "it was worked out by a formula; write the text itself")
        return bool(there) and not any(seen.formula for seen in there) and (
            [self.said[key].text for key in keys if key in self.said]
            != [self.before.get(key) for key in keys if key in self.said])

    def _records(self, key: str, labels: Mapping[str, str], numbered: bool = True) -> list[Record]:
        text = self.said[key].text if key in self.said else ""
        return [] if ENGLISH.reason(text) is not None else parsed(text, labels, numbered)

    def _row(self, key: str, labels: Mapping[str, str], record: Record | None) -> dict[str, Seen]:
        """A record as a row; what it has no line for is not stated."""
        said = record.texts if record else {}
        where = self.said[key].where
        return {column: Seen(said.get(column, ENGLISH.not_stated), where) for column in labels}

    def _purpose(self) -> None:
        if not self._changed("purpose"):
            return
        seen = self.said["purpose"]
        texts = unlisted(seen.text) if seen.text.startswith("1. ") else [seen.text]
        more = [Seen(text, seen.where) for text in texts[1:]]
        self.draft.text("purpose", Seen(texts[0] if texts else "", seen.where))
        # a cell that is refused since it is empty is left alone as a whole
        self.draft.texts("sub_purposes", (more or [self._nothing("sub_purposes", seen)]) if seen else None)

    def _nothing(self, field: str, seen: Seen) -> Seen:
        """What stands for a field of which a cell says nothing, and would say nothing if it were empty."""
        known = self.draft.known
        return Seen(ENGLISH.absent(known.because(field)) if known and not getattr(known, field) else "", seen.where)

    def _list(self, field: str, tail: str) -> None:
        """Several texts; what the product adds after them (`tail`) is not read."""
        if not self._changed(field):
            return
        seen = self.said[field]
        text = seen.text.partition(tail)[0]
        said = unlisted(text) if ENGLISH.reason(text) is None else [text]
        self.draft.texts(field, [Seen(one, seen.where) for one in said])

    def _rights(self) -> None:
        if not self._changed("rights"):
            return
        seen = self.said["rights"]
        text, _, through = seen.text.partition(ico_form.THROUGH)
        said = unlisted(text) if ENGLISH.reason(text) is None else [text]
        numbers = [re.sub(r"^Article (\d+) \(.*\)$", r"\1", one) for one in said]
        self.draft.texts("rights", [Seen(one, seen.where) for one in numbers])
        self.draft.text("rights_channel", Seen(through or ENGLISH.not_stated, seen.where))

    def _letter(self, field: str, names: Mapping[str, str]) -> None:
        """The lawful basis and the condition, by letter or by name; after the first, why it is so."""
        if not self._changed(field):
            return
        seen = self.said[field]
        text, _, why = seen.text.partition(ico_form.JUSTIFIED)
        letter = re.search(rf"\(([{min(names)}-{max(names)}])\)", text)
        named = [one for one, name in names.items() if _plain(text).startswith(name)]
        if ENGLISH.reason(text) is None and not letter and len(named) != 1:
            return self.draft.refuse(seen, f"write one of: {'; '.join(f'({one}) {name}' for one, name in names.items())}")
        said = text if ENGLISH.reason(text) is not None else letter[1] if letter else named[0]
        self.draft.text(field, Seen(said, seen.where))
        if field == "art6":
            self.draft.text("art6_justification", Seen(why or ENGLISH.not_stated, seen.where))

    def _rows(self, forms: Mapping[str, Mapping[str, str]]) -> list[dict[str, Seen]] | None:
        """Rows of several cells: each thing of the first, with what the others say of it. None: the first is missing."""
        first, *others = forms
        if first not in self.said:
            return None
        head = next(column for column, label in forms[first].items() if not label)
        main = self._records(first, forms[first])
        rows = [self._row(first, forms[first], record) for record in main]
        for key in others:
            if key in self.said:
                column = next(column for column, label in forms[key].items() if not label)
                more = [Record(one.number, {head: one.texts.get(column, ""), **one.texts})
                        for one in self._records(key, forms[key])]
                belonging, left = tied(more, main, head, ico_form.ALONE[key])
                for row, records in zip(rows, belonging, strict=True):
                    row.update({name: seen for name, seen in self._row(key, forms[key], records[0] if records else None).items()
                                if name not in row})
                self._untied(key, left)
        return rows

    def _untied(self, key: str, records: Sequence[Record]) -> None:
        for record in records:
            said = "; ".join(record.texts.values())
            self.draft.refuse(Seen(said, self.said[key].where), "begin it with the number of the thing it belongs to (1. ...)")

    def _parts(self, field: str, table: Table, forms: Mapping[str, Mapping[str, str]]) -> None:
        if not self._changed(*forms):
            return
        rows = self._rows(forms)
        if rows == []:
            rows = [{table.columns[0]: next(self.said[key] for key in forms if key in self.said)}]
        self.draft.parts(field, table, rows)

    def _items(self) -> None:
        forms = {"items": ico_form.DATA, "sources": ico_form.SOURCE}
        if not self._changed(*forms, "retention") or "items" not in self.said:
            return
        rows = self._rows(forms) or []
        main = self._records("items", ico_form.DATA)
        records = self._records("retention", ico_form.KEPT)
        belonging, left = tied(records, main, "label_en", ico_form.ALONE["retention"])
        if "retention" in self.said:
            self._untied("retention", left)
        empty = [] if rows else [self.said["items"]]
        made = []
        for row, kept in zip(rows, belonging, strict=True):
            periods = [{column: seen for column, seen in self._row("retention", ico_form.KEPT, one).items()
                        if column != "label_en"} for one in kept]
            stated = [one for one in periods if any(ENGLISH.reason(seen.text) is None for seen in one.values())]
            empty += [one["period"] for one in periods if one not in stated]
            made.append(Kept({column: Seen(ENGLISH.ordinary, seen.where) if column == "nature" and not said else seen
                              for column, seen in row.items()
                              for said in [ENGLISH.reason(seen.text) is None]}, tuple(stated)))
        self.draft.items(ico_form.ITEMS, made, empty)

    def _one(self, field: str, table: Table, forms: Mapping[str, Mapping[str, str]]) -> None:
        """A field that is one thing, in a cell or in several that hold a text each."""
        if not self._changed(*forms):
            return
        row: dict[str, Seen] = {}
        for key, labels in forms.items():
            if key in self.said:
                records = self._records(key, labels, numbered=False)
                row |= self._row(key, labels, records[0]) if records else {next(iter(labels)): self.said[key]}
        self.draft.part(field, table, row)

    def _party(self, field: str) -> None:
        """A party of the row's own, or the one above the table."""
        own = self.said.get(field)
        if own and _plain(own.text) != ico_form.AS_ABOVE:
            return self._one(field, PARTIES, {field: ico_form.PARTY})
        block = self.top.get(field)
        known = self.draft.known
        if block is None or (known and {part: seen.text for part, seen in block.items()} == above(known, field)):
            return
        row: dict[str, Seen] = {}
        for part, labels in (("name", ico_form.NAMED), ("address", ico_form.ADDRESSED)):
            records = [] if ENGLISH.reason(block[part].text) is not None and part == "name" else parsed(
                block[part].text, labels, numbered=False)
            said = records[0].texts if records else {"name": block["name"].text} if part == "name" else {}
            row |= {column: Seen(said.get(column, ENGLISH.not_stated), block[part].where) for column in labels}
        self.draft.part(field, PARTIES, row | {part: block[part] for part in ("email", "phone")})
