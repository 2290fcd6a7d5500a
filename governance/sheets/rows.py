"""The parts of an entry (people, recipients, measures ...) as rows of text, and rows of text as parts again.

A row that came back is laid over the part it belongs to: first the one whose row would read the same, then the one of the
same name. A cell that reads as that part's would is left alone, so what a sheet has no column for, and what it can only
show in a shortened way, stays as it is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.register import (
    Enforcement,
    Item,
    Measure,
    MeasureKind,
    Mechanism,
    Part,
    Party,
    Recipient,
    RecipientKind,
    Retention,
    Subjects,
    Transfer,
)
from governance.sheets.book import Seen
from governance.sheets.imported import shortened
from governance.sheets.language import Language, Unclear

Texts = dict[str, str]
"""A row as it is written: column -> text."""

Row = Mapping[str, Seen]
"""A row as it came back."""


@dataclass(frozen=True)
class Table:
    """How parts of one kind are rows.

    key: the column a part is known by. columns: its fields that have one. stand_ins: field -> what stands there in a new
    part that does not say it (a text that is required is said to be missing).
    """

    part: type[Part]
    key: str
    columns: tuple[str, ...]
    stand_ins: Mapping[str, object] = field(default_factory=dict)

    def texts(self, one: Any, language: Language) -> Texts:
        """One part as a row."""
        return {column: language.said(getattr(one, column)) for column in self.columns}

    def read(self, rows: Sequence[Row], known: Sequence[Any], language: Language, unfit: list[str]) -> list[Any]:
        """The parts that rows say, laid over the known ones."""
        before = [self.texts(one, language) for one in known]
        found = matches([texts(row) for row in rows], before, self.key)
        return [self.one(row, None if at is None else known[at], language, unfit) for row, at in zip(rows, found, strict=True)]

    def one(self, row: Row, known: Any, language: Language, unfit: list[str]) -> Any:
        """One row laid over a known part, or over the stand-ins."""
        before = self.texts(known, language) if known else {}
        fields = fields_of(known) if known else {}
        for column, seen in row.items():
            if seen.text != before.get(column):
                try:
                    fields.update(self.meant(column, seen, language))
                except Unclear as error:
                    if known:
                        unfit.append(seen.refused(f"{error}; it stays as it was"))
                    elif language.reason(seen.text) is None:    # that it is missing is said below
                        unfit.append(seen.refused(f"{error}; something stands in for it"))
        self.stand_in(fields, row, language, unfit)
        return fields

    def meant(self, column: str, seen: Seen, language: Language) -> Mapping[str, object]:
        """The fields that a cell says. Raises Unclear."""
        about = self.part.model_fields[column]
        if seen.formula:
            raise Unclear("it was worked out by a formula; write the text itself")
        if language.reason(seen.text) is not None and about.is_required():
            raise Unclear("it must not be empty")
        if language.reason(seen.text) is not None and about.annotation is bool:
            return {column: about.default}
        return {column: language.meant(seen.text, about.annotation)}

    def stand_in(self, fields: dict[str, Any], row: Row, language: Language, unfit: list[str]) -> None:
        """Fills what is required and not said, and says so."""
        missing = [name for name, about in self.part.model_fields.items() if about.is_required() and name not in fields]
        for name in missing:
            same = fields.get(self.key) if name.startswith(("label_", "name_")) else None
            fields[name] = self.stand_ins.get(name, same or language.not_stated)
        said = "; ".join(f"{name}: {fields[name]}" for name in missing if fields[name] != ())
        if said:
            where = next((seen.where for seen in row.values() if seen.where), "A row")
            unfit.append(f"{where}: {shortened(str(fields[self.key]))} is new and does not say everything. There stands now "
                         f"{said}. Complete it in the register.")


def fields_of(one: Part) -> dict[str, Any]:
    """Field -> value; not `dict(one)`, which has what was worked out and remembered, too."""
    return {name: getattr(one, name) for name in type(one).model_fields}


def texts(row: Row) -> Texts:
    """The texts of a row that came back."""
    return {column: seen.text for column, seen in row.items()}


def matches(rows: Sequence[Texts], known: Sequence[Texts], key: str) -> list[int | None]:
    """For each row the known one it belongs to, if any: one that reads the same, else one of the same name; each once."""
    found: list[int | None] = [None] * len(rows)
    free = list(range(len(known)))

    def take(number: int, candidates: Iterable[int]) -> None:
        at = next(iter(candidates), None)
        if at is not None and found[number] is None:
            found[number] = at
            free.remove(at)

    for number, row in enumerate(rows):
        take(number, (at for at in free if all(known[at].get(column) == text for column, text in row.items())))
    for number, row in enumerate(rows):
        if found[number] is None:
            take(number, (at for at in free if row.get(key, "").strip() == known[at][key].strip()))
    return found


PARTIES = Table(Party, "name", ("name", "address", "postcode", "town", "country", "phone", "email", "contact", "arrangement"))
RECIPIENTS = Table(Recipient, "name", ("name", "kind", "country", "contract"), {"kind": RecipientKind.EXTERNAL})
TRANSFERS = Table(Transfer, "recipient", ("recipient", "country", "mechanism", "document"),
                  {"mechanism": Mechanism.DEROGATION})
MEASURES = Table(Measure, "detail", ("detail", "kind", "technical", "evidence"),
                 {"kind": MeasureKind.OTHER, "technical": True})


def subjects(spoken: str) -> Table:
    """Categories of people; spoken: the language of their names, `en` or `fr`."""
    return Table(Subjects, f"name_{spoken}", (f"name_{spoken}", "detail", "minors", "volume"))


class RetentionTable(Table):
    """Periods: one that cannot be given is said to go by the criteria; usual fates are said in the language."""

    def texts(self, one: Any, language: Language) -> Texts:
        by_criteria = {"period": language.by_criteria} if one.period is None and one.criteria else {}
        return super().texts(one, language) | by_criteria | {"fate": language.said(language.fates.get(one.fate, one.fate))}

    def meant(self, column: str, seen: Seen, language: Language) -> Mapping[str, object]:
        usual = {said: fate for fate, said in language.fates.items()}
        if column == "fate" and (fate := usual.get(seen.text.strip().casefold())):
            return {"fate": fate}
        return super().meant(column, seen, language)


RETENTION = RetentionTable(Retention, "place", ("period", "criteria", "start", "fate", "reason", "place", "enforced_by"),
                           {"enforced_by": Enforcement.HAND})


class ItemTable(Table):
    """Categories of data: the flags of Art. 9, 10 and 87 are one column, `nature`; an authority's word for the category."""

    def texts(self, one: Any, language: Language) -> Texts:
        said = [words for flag, words in language.natures.items() if getattr(one, flag)]
        return {"category": language.said(language.categories.get(one.category, one.category)),
                self.key: language.said(getattr(one, self.key)), "nature": " + ".join(said) or language.ordinary,
                "source": language.said(one.source)}

    def meant(self, column: str, seen: Seen, language: Language) -> Mapping[str, object]:
        if column != "nature" or seen.formula:
            return super().meant(column, seen, language)
        if language.reason(seen.text) is not None or seen.text.strip().casefold() == language.ordinary:
            return dict.fromkeys(language.natures, False)
        flags = natures(seen.text, language)
        if None in flags:
            raise Unclear(f"write {language.ordinary}, or one or several, with + between them, of: "
                          f"{'; '.join(language.natures.values())}")
        return {flag: flag in flags for flag in language.natures}


def natures(text: str, language: Language) -> set[str | None]:
    """The flags of an item that a text names; None among them, where a part of it names none."""
    flags = {words.casefold(): flag for flag, words in language.natures.items()}
    return {flags.get(" ".join(one.split()).casefold()) for one in text.split("+")}


def items(spoken: str) -> ItemTable:
    """Categories of data; spoken: the language of their labels, `en` or `fr`."""
    return ItemTable(Item, f"label_{spoken}", ("category", f"label_{spoken}", "nature", "source"),
                     {"mask": "hidden", "retention": ()})


@dataclass(frozen=True)
class Kept:
    """A category of data that came back, with how long it is kept, a row for each place or period."""

    item: Row
    retention: tuple[Row, ...]

    @property
    def texts(self) -> tuple[Texts, list[Texts]]:
        """As it would have been written."""
        return texts(self.item), [texts(row) for row in self.retention]


def kept_texts(one: Item, table: ItemTable, language: Language) -> tuple[Texts, list[Texts]]:
    """A category of data as it is written."""
    return table.texts(one, language), [RETENTION.texts(each, language) for each in one.retention]


def read_items(rows: Sequence[Kept], known: Sequence[Item], table: ItemTable, language: Language, unfit: list[str]
               ) -> list[Any]:
    """The categories of data that rows say, laid over the known ones."""
    flat = [{**item, "": str(retention)} for item, retention in (kept_texts(one, table, language) for one in known)]
    found = matches([{**item, "": str(retention)} for item, retention in (row.texts for row in rows)], flat, table.key)
    made = []
    for row, at in zip(rows, found, strict=True):
        one = None if at is None else known[at]
        fields = table.one(row.item, one, language, unfit)
        fields["retention"] = RETENTION.read(row.retention, one.retention if one else (), language, unfit)
        made.append(fields)
    return made
