"""An entry in the making: what a sheet says is laid over the entry as it is known; what does not fit is told, not lost.

A field whose cells read as the known entry's would is left alone. So an untouched sheet gives back exactly the entry it was
made of, whatever its texts are, and a sheet changes nothing but what somebody changed in it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from unicodedata import normalize

from governance.register import Entry, Item, NotAnEntry, Party, Role, entry
from governance.sheets.book import Seen
from governance.sheets.language import Language, Unclear
from governance.sheets.rows import ItemTable, Kept, Row, Table, Texts, fields_of, kept_texts, read_items, texts

LONG_AGO = date(1970, 1, 1)
"""Stands in for the day on which an activity began, where a sheet does not say it: nobody takes it for true."""


def shown(one: Entry, field: str, language: Language) -> str:
    """A field that is one text, as a cell: what it says, or why it says nothing."""
    value = getattr(one, field)
    return language.absent(one.because(field)) if value in (None, "") else language.said(value)


def shown_list(one: Entry, field: str, language: Language) -> list[str]:
    """A field of several texts, each as a cell; why there is none, as a cell."""
    return [language.said(value) for value in getattr(one, field)] or [language.absent(one.because(field))]


def shown_rows(one: Entry, field: str, table: Table, language: Language) -> list[Texts]:
    """A field of several parts (or one that may be missing), each as a row; why there is none, as a row of one text."""
    found = getattr(one, field)
    parts = () if found is None else found if isinstance(found, tuple) else (found,)
    return [table.texts(part, language) for part in parts] or [
        {column: language.absent(one.because(field)) if column == table.columns[0] else "" for column in table.columns}]


class Draft:
    """The fields of one entry while a sheet is read. unfit: what was not taken over, as sentences."""

    def __init__(self, ref: str, known: Entry | None, language: Language, where: str, places: Collection[str]) -> None:
        """where: the sheet or row that speaks of this entry, for messages. places: the fields it has a place for."""
        self.known, self.language, self.where = known, language, where
        self.fields: dict[str, Any] = fields_of(known) if known else {"ref": ref}
        self.reasons = dict(known.not_applicable) if known else {}
        self.unfit: list[str] = []
        self._places = {"ref", "not_applicable", *places}

    def text(self, field: str, seen: Seen | None) -> None:
        """Takes over a field that is one text, a day, an enumeration. None: the sheet lacks the cell."""
        if seen is None or (self.known and seen.text == shown(self.known, field, self.language)):
            return
        about = Entry.model_fields[field]
        reason = self.language.reason(seen.text)
        try:
            if seen.formula:
                raise Unclear("it was worked out by a formula; write the text itself")
            if reason is None:
                self.put(field, self.language.meant(seen.text, about.annotation))
            elif about.is_required():
                raise Unclear("it must not be empty")
            else:
                self.put(field, about.default, reason)
        except Unclear as error:
            self.refuse(seen, str(error))

    def texts(self, field: str, seen: Sequence[Seen] | None) -> None:
        """Takes over a field of several texts."""
        if seen is None or (self.known and [one.text for one in seen] == shown_list(self.known, field, self.language)):
            return
        said = [one for one in seen if self.language.reason(one.text) is None]
        for one in said:
            if one.formula:
                self.refuse(one, "it was worked out by a formula; write the text itself")
        if not any(one.formula for one in said):
            self.put(field, tuple(one.text for one in said), self._reason(seen))

    def parts(self, field: str, table: Table, rows: Sequence[Row] | None) -> None:
        """Takes over a field of several parts."""
        if rows is None or self._unchanged(field, table, rows):
            return
        before = getattr(self.known, field) if self.known else ()
        said = [row for row in rows if self._says(row)]
        self.put(field, tuple(table.read(said, before, self.language, self.unfit)),
                 self._reason(seen for row in rows for seen in row.values()))

    def part(self, field: str, table: Table, row: Row | None) -> None:
        """Takes over a field that is one part (a party, the impact assessment), or that there is none."""
        if row is None or self._unchanged(field, table, [row]):
            return
        if self._says(row):
            before = getattr(self.known, field) if self.known else None
            self.put(field, table.one(row, before, self.language, self.unfit))
        elif Entry.model_fields[field].is_required():
            self.refuse(next(iter(row.values()), Seen("", self.where)), "it must not be empty")
        else:
            self.put(field, Entry.model_fields[field].default, self._reason(row.values()))

    def items(self, table: ItemTable, rows: Sequence[Kept] | None, empty: Sequence[Seen] = ()) -> None:
        """Takes over the categories of data. empty: cells that say why there are none, or why one has no time limit."""
        if rows is None:
            return
        known: tuple[Item, ...] = self.known.items if self.known else ()
        why = self.known.because("retention" if rows else "items") if self.known else ""
        changed = [one for one in empty if not self.known or one.text != self.language.absent(why)]
        if not rows and (known or changed):
            self.put("items", (), self._reason(changed))
        elif [row.texts for row in rows] != [kept_texts(one, table, self.language) for one in known]:
            self.put("items", tuple(read_items(rows, known, table, self.language, self.unfit)))
        if rows and self._reason(changed):
            self.reasons["retention"] = self._reason(changed)

    def put(self, field: str, value: object, reason: str | None = None) -> None:
        """Sets a field, and why it is empty if it is."""
        self.fields[field] = value
        self.reasons.pop(field, None)
        if reason and value == Entry.model_fields[field].default:
            self.reasons[field] = reason

    def refuse(self, seen: Seen, advice: str) -> None:
        """Notes a cell that is not taken over."""
        self.unfit.append(seen.refused(f"{advice}; {'it stays as it was' if self.known else 'it is left out'}"))

    def finished(self) -> Entry | None:
        """The entry, or nothing where it cannot be one; `unfit` says why."""
        if self.known is None:
            self._stand_in()
        try:
            return entry({**self.fields, "not_applicable": self.reasons})
        except NotAnEntry as error:
            self.unfit.append(f"{self.where} was left out. {error}")
            return None

    def _unchanged(self, field: str, table: Table, rows: Sequence[Row]) -> bool:
        """Whether rows read as the known field would, in the columns that the sheet still has."""
        columns = {column for row in rows for column in row}
        return self.known is not None and [texts(row) for row in rows] == [
            {column: text for column, text in row.items() if column in columns}
            for row in shown_rows(self.known, field, table, self.language)]

    def _says(self, row: Row) -> bool:
        return any(self.language.reason(seen.text) is None for seen in row.values())

    def _reason(self, seen: Iterable[Seen]) -> str:
        return next(filter(None, (self.language.reason(one.text) for one in seen)), "")

    def _stand_in(self) -> None:
        """Fills what a new entry must have and the sheet did not say, and tells what it could not say."""
        stand_ins: Mapping[str, object] = {
            "activity": self.fields["ref"], "role": Role.CONTROLLER, "created": LONG_AGO, "purpose": self.language.not_stated,
            "controller": Party(name=self.language.not_stated)}
        missing = [name for name, about in Entry.model_fields.items() if about.is_required() and name not in self.fields]
        for name in missing:
            self.fields[name] = stand_ins[name]
        if missing:
            said = "; ".join(f"{name}: {self.language.said(value.name if isinstance(value, Party) else value)}"
                             for name, value in stand_ins.items() if name in missing)
            self.unfit.append(f"{self.where} does not say {', '.join(missing)}. There stands now {said}. Complete it in the "
                              "register.")
        unseen = [name for name in Entry.model_fields if name not in self._places and name not in missing]
        if unseen:
            self.unfit.append(f"{self.where}: {self.fields['ref']} is new here, and this sheet has no place for "
                              f"{', '.join(unseen)}. Fill them in in the register before you publish it.")


def free_ref(said: str, taken: Collection[str]) -> str:
    """A ref for an entry that came without one, made of its name; one that nobody has."""
    plain = normalize("NFKD", said.casefold().replace("œ", "oe").replace("æ", "ae")).encode("ascii", "ignore").decode()
    made = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    ref = wanted = made if len(made) > 1 else "new-activity"
    number = 2
    while ref in taken:
        ref, number = f"{wanted}-{number}", number + 1
    return ref
