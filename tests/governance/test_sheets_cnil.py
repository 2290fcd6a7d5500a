"""CNIL's workbook on its way back: nothing is lost, each change is taken over and nothing else, what does not fit is named."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from governance.register import CONTENT, Entry, Item, Measure, Recipient, Role, Transfer, changed, entries
from governance.sheets import cnil
from governance.sheets.imported import Imported
from tests.governance.activities import (
    ACCOUNTS,
    DERIVED,
    ENTRIES,
    GENERATED,
    HOSTING,
    KNOWN,
    ODD,
    STREAM,
    VERSIONS,
    version,
)
from tests.governance.workbooks import changed_book, edited, place, sheets

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

EXPORT = cnil.workbook(VERSIONS, DERIVED)
GRIDS = sheets(EXPORT)
NONE, IDENTITY = "non renseigné", "État civil, identité, données d'identification, images"


def one(content: bytes, ref: str = "people-stream") -> tuple[Entry, tuple[str, ...]]:
    """What a workbook makes of one entry, and what did not fit."""
    read = cnil.read(content, KNOWN)
    return next(entry for entry in read.entries if entry.ref == ref), read.unfit


def at(label: str, beside: int = 0, which: int = 0, ref: str = "people-stream") -> tuple[str, str]:
    """Sheet and address of the cell that says `label`, or of one beside it."""
    return ref, place(GRIDS[ref], label, beside, which)


def test_an_untouched_workbook_gives_back_exactly_the_entries() -> None:
    assert cnil.read(EXPORT, KNOWN) == Imported(ENTRIES, ())
    assert [len(STREAM.places), len(STREAM.principals)] == [3, 4]    # what was worked out and kept is no field
    assert cnil.read(EXPORT, KNOWN) == Imported(ENTRIES, ())


def test_the_delivered_register_comes_back() -> None:
    delivered = entries(Path(CONTENT).read_text())
    made = cnil.workbook([version(entry) for entry in delivered], {})
    assert cnil.read(made, {entry.ref: entry for entry in delivered}) == Imported(tuple(delivered), ())


def test_texts_that_are_the_words_for_nothing_come_back() -> None:
    assert cnil.read(cnil.workbook([version(ODD)], {}), {"odd": ODD}) == Imported((ODD,), ())


@SLOW
@given(GENERATED)
def test_whatever_the_texts_are_they_come_back(entry: Entry) -> None:
    assert cnil.read(cnil.workbook([version(entry)], {}), {entry.ref: entry}) == Imported((entry,), ())


@pytest.mark.parametrize(("label", "field"), [
    ("Nom de l'activité", "activity"), ("Finalité principale", "purpose")])
def test_a_changed_text_is_taken_over_and_nothing_else(label: str, field: str) -> None:
    entry, unfit = one(edited(EXPORT, {at(label, 1): "Autre chose\nà faire"}))
    assert (changed(STREAM, entry), unfit) == ({field: (getattr(STREAM, field), "Autre chose\nà faire")}, ())


@SLOW
@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and text.isprintable()))
def test_any_text_written_over_the_purpose_is_the_purpose(text: str) -> None:
    def write(book: Workbook) -> None:
        cell = book["people-stream"][at("Finalité principale", 1)[1]]
        cell.value = text
        cell.data_type = "s"
    entry, unfit = one(changed_book(EXPORT, write))
    said = text.strip().casefold()
    if said.startswith("sans objet") or said in (NONE, "néant"):
        assert entry == STREAM
        assert len(unfit) == 1
    else:
        assert (entry.purpose, unfit) == (text.strip(), ())


def test_changed_parts_keep_what_the_sheet_has_no_column_for() -> None:
    entry, unfit = one(edited(EXPORT, {
        at("dpo@appel.example"): "nouveau@appel.example", at("75004"): 75005,
        at("7 jours"): "30 jours", at("Prénom et nom", 8, 1): "mongo:names", at("Salariés", 1): "du siège",
        at("Data platform", 1): "DE", at("Least rights", 1): "non", at("letter; 2026"): "nouvelle lettre",
        at("Allergies; « graves »", 8): "condamnations et infractions (art. 10)"}))
    assert unfit == ()
    assert entry.dpo is not None
    assert entry.dpo.email == "nouveau@appel.example"
    assert entry.controller.postcode == "75005"
    name, allergies = entry.items[0], entry.items[1]
    assert (str(name.retention[0].period), name.retention[0].reason) == ("30 days", "Replay; no longer")
    assert name.retention[0].place == "kafka:people"
    assert (name.places, name.mask, name.label_en) == (STREAM.items[0].places, "initials", "First and last name")
    assert (allergies.special, allergies.criminal, allergies.mandatory) == (False, True, False)
    assert entry.subjects[1].model_dump() == {"name_en": "Staff", "name_fr": "Salariés", "detail": "du siège", "minors": False,
                                              "volume": ""}
    assert (entry.recipients[0].country, entry.recipients[0].principals, entry.recipients[0].clear) == (
        "DE", ("stream", "fence"), True)
    assert not entry.measures[0].technical
    assert entry.transfers[1].document == "nouvelle lettre"
    assert set(changed(STREAM, entry)) == {"controller", "dpo", "items", "subjects", "recipients", "measures", "transfers"}


def test_rows_may_be_added_moved_and_taken_away() -> None:
    def change(book: Workbook) -> None:
        sheet = book["people-stream"]
        transfer = int(at("letter; 2026")[1][1:])
        sheet.delete_rows(transfer)
        measure = int(at("Least rights")[1][1:])
        sheet.insert_rows(measure)
        for column, text in enumerate(["", "Chiffrement des données", "TLS", "oui", "audit"], 1):
            sheet.cell(measure, column, text)
        recipient = int(at("Data platform")[1][1:])
        sheet.move_range(f"A{recipient}:E{recipient}", rows=4)       # over the empty row after the table
        sheet.insert_rows(recipient + 4)
    entry, unfit = one(changed_book(EXPORT, change))
    assert unfit == ()
    assert entry.transfers == STREAM.transfers[:1]
    assert entry.measures == (Measure.model_validate(
        {"kind": "encryption", "technical": True, "detail": "TLS", "evidence": "audit"}), *STREAM.measures)
    assert [each.name for each in entry.recipients] == [each.name for each in (*STREAM.recipients[1:], STREAM.recipients[0])]
    assert entry.recipients[-1] == STREAM.recipients[0]


def test_reasons_are_read_and_emptied_cells_empty_the_field() -> None:
    entry, unfit = one(edited(EXPORT, {
        at("Sous-finalité 1", 1): "Sans objet : rien\nde plus", at("Sous-finalité 2", 1): None,
        at("Représentant", 1): "Cabinet Léa", at("Sous-traitant", 1): None}))
    assert unfit == ()
    assert (entry.sub_purposes, entry.because("sub_purposes")) == ((), "rien\nde plus")
    assert entry.representative is not None
    assert (entry.representative.name, entry.because("representative")) == ("Cabinet Léa", "")
    assert (entry.processor, entry.because("processor")) == (None, "")
    assert entry.because("consent_link") == "The basis is not consent."


@pytest.mark.parametrize(("label", "beside", "value", "advice"), [
    ("7 jours", 0, "longtemps", "write a number with heures, jours, mois, ans, for example 3 ans"),
    ("7 jours", 0, "0 jours", "write a number with"),
    ("Date de création de la fiche", 1, "hier", "write a day as 31/12/2026"),
    ("Date de création de la fiche", 1, "31/02/2026", "write a day as 31/12/2026"),
    ("Registre", 1, "les deux", "write one of: Responsable du traitement (art. 30, § 1); Sous-traitant (art. 30, § 2)"),
    ("Least rights", 1, "peut-être", "write oui or non"),
    ("Data platform", -1, "Ami", "write one of: Service interne qui traite les données; Organisme externe;"),
    ("Finalité principale", 1, None, "it must not be empty"),
    ("Finalité principale", 1, "=A1&A2", "it was worked out by a formula"),
    ("Personnes de la source", 1, "=A1&A2", "it was worked out by a formula"),
    ("Sous-finalité 1", 1, "=A1&A2", "it was worked out by a formula"),
    ("Nom de l'activité", 1, "", "it must not be empty"),
    ("Prénom et nom", 8, "secret", "write donnée ordinaire, or one or several")])
def test_a_cell_that_does_not_fit_is_named_and_left_as_it_was(label: str, beside: int, value: object, advice: str) -> None:
    sheet, address = at(label, beside)
    entry, unfit = one(edited(EXPORT, {(sheet, address): value}))
    assert entry == STREAM
    assert len(unfit) == 1
    assert unfit[0].startswith(f"Sheet 'people-stream', cell {address} holds ")
    assert advice in unfit[0]
    assert unfit[0].endswith("it stays as it was.")


def test_an_unknown_entry_is_made_of_what_is_there() -> None:
    read = cnil.read(EXPORT, {"console-and-audit": ACCOUNTS})
    made, _, hosting = read.entries
    for field in ("activity", "role", "software", "created", "controller", "joint_controllers", "dpo", "representative",
                  "processor", "purpose", "sub_purposes", "measures", "transfers"):
        assert getattr(made, field) == getattr(STREAM, field), field
    assert [item.retention for item in made.items] == [item.retention for item in STREAM.items]
    assert [(item.label_fr, item.special, item.criminal, item.national_id, item.source) for item in made.items] == [
        (item.label_fr, item.special, item.criminal, item.national_id, item.source) for item in STREAM.items]
    assert (made.items[0].label_en, made.items[0].mask, made.items[0].category) == ("Prénom et nom", "hidden", IDENTITY)
    assert (made.because("representative"), made.because("retention")) == (
        "Nous sommes établis dans l'Union ; « art. 27 »", "Courts keep them; we only look")
    assert (hosting.role, hosting.because("items")) == (Role.PROCESSOR, "The clinic decides what it stores")
    said = "\n".join(read.unfit)
    assert ('cell B31: "Prénom et nom" is new and does not say everything. There stands now label_en: Prénom et nom; mask: '
            "hidden. Complete it in the register.") in said
    assert ("people-stream is new here, and this sheet has no place for department, art6, art6_justification, "
            "legitimate_interest, lia_link") in said
    assert "console-and-audit" not in said
    assert "write " not in said                      # every cell of ours is understood, also "selon les critères"


def test_a_sheet_without_a_reference_is_a_new_entry() -> None:
    read = cnil.read(edited(EXPORT, {at("hosting-of-the-clinic", ref="hosting-of-the-clinic"): None}), KNOWN)
    assert read.entries[2].ref == "hebergement"
    assert any("the entry is new, and called hebergement" in sentence for sentence in read.unfit)


@pytest.mark.parametrize("ref", ["Flux n° 1", "x" * 70])
def test_a_reference_that_is_none_leaves_the_sheet_out(ref: str) -> None:
    read = cnil.read(edited(EXPORT, {at("people-stream"): ref}), KNOWN)
    assert read.entries == (ACCOUNTS, HOSTING)
    assert any(sentence.startswith("Sheet 'people-stream' was left out. This is no register entry: ref:")
               for sentence in read.unfit)


def test_two_sheets_of_one_reference_and_sheets_that_are_none() -> None:
    read = cnil.read(edited(EXPORT, {at("hosting-of-the-clinic", ref="hosting-of-the-clinic"): "people-stream"}), KNOWN)
    assert read.entries == (STREAM, ACCOUNTS)
    assert "another sheet of this workbook has it; this one was left out." in read.unfit[0]
    read = cnil.read(changed_book(EXPORT, lambda book: book.create_sheet("5 - Listes").append(["a", "b"])), KNOWN)
    assert read.entries == ENTRIES
    assert read.unfit == ("Sheet '5 - Listes' was not read: it has no 'N°/REF' under 'Description du traitement'.",)


def test_a_section_or_its_headings_that_are_missing_are_told_and_nothing_of_them_is_changed() -> None:
    entry, unfit = one(edited(EXPORT, {at("Destinataires"): "Autre chose", at("Type", which=1): "?", at("Justificatif"): "?",
                                       at("Précisions", which=1): "?", at("Mesure technique"): "?"}))
    assert entry == STREAM
    assert unfit == (
        f"Sheet 'people-stream', cell {at('Destinataires')[1]} holds \"Autre chose\": no section and no row is called so; what "
        "stands under it was not read.",
        "Sheet 'people-stream' has no section 'Destinataires': nothing of it was read.",
        "Sheet 'people-stream', section 'Mesures de sécurité' has no row of headings (n°, type, précisions, mesure technique, "
        "justificatif): nothing of it was read.")


def test_rows_of_actors_that_nobody_knows_are_told() -> None:
    entry, unfit = one(edited(EXPORT, {at("Société du DPO (si externe)", 1): "Cabinet Léa", at("Représentant"): "Comptable"}))
    assert entry == STREAM
    assert ["write the company as the name of the officer" in unfit[0], "a row of this section is one of" in unfit[1]] == [
        True, True]


def test_words_of_cnil_are_understood_and_unclear_cells_of_new_rows_are_told() -> None:
    row = int(at("Autres mesures")[1][1:]) + 1
    entry, unfit = one(edited(EXPORT, {
        at("Data platform", -1): "Autre (Préciser)", ("people-stream", f"C{row}"): "Coffre",
        ("people-stream", f"D{row}"): "un peu"}))
    assert entry.recipients[0].kind.value == "external body"
    assert entry.measures[2].model_dump() == {"kind": "other", "technical": True, "detail": "Coffre", "evidence": NONE}
    assert unfit == (
        f"Sheet 'people-stream', cell D{row} holds \"un peu\": write oui or non; something stands in for it.",
        f"Sheet 'people-stream', cell B{row}: \"Coffre\" is new and does not say everything. There stands now kind: other; "
        f"technical: True; evidence: {NONE}. Complete it in the register.")


def test_there_is_one_row_for_each_actor_but_joint_controllers() -> None:
    def change(book: Workbook) -> None:
        number = int(at("Représentant")[1][1:])
        book["people-stream"].insert_rows(number)
        for column, text in enumerate(["Délégué à la protection des données", "Une autre"], 1):
            book["people-stream"].cell(number, column, text)
    entry, unfit = one(changed_book(EXPORT, change))
    assert entry == STREAM
    assert len(unfit) == 1
    assert "there is one row 'Délégué à la protection des données'; this second one was left out" in unfit[0]


def test_a_foreign_sensitive_row_is_sensitive() -> None:
    row = int(at("Condamnations")[1][1:]) + 1
    entry, unfit = one(edited(EXPORT, {("people-stream", f"B{row}"): "Santé", ("people-stream", f"C{row}"): "Groupe sanguin",
                                       ("people-stream", f"D{row}"): "5 ans", ("people-stream", f"E{row}"): "néant"}))
    made = entry.items[-1]
    assert isinstance(made, Item)
    assert (made.label_fr, made.category, made.special, made.criminal) == ("Groupe sanguin", "Santé", True, False)
    assert (str(made.retention[0].period), made.retention[0].enforced_by.value) == ("5 years", "hand")
    assert entry.items[:-1] == STREAM.items
    assert len(unfit) == 2
    assert all('is new and does not say everything' in sentence for sentence in unfit)


def test_renamed_recipients_are_new_ones() -> None:
    entry, unfit = one(edited(EXPORT, {at("Data platform"): "Équipe A"}))
    assert entry.recipients == (Recipient.model_validate({"name": "Équipe A", "kind": "internal", "country": "FR"}),
                                *STREAM.recipients[1:])
    assert unfit == ()


def test_transfers_of_one_recipient_are_told_apart() -> None:
    entry, _ = one(edited(EXPORT, {at("https://acme.example/scc"): "new", at("US", which=1): "CA"}))
    first = {**STREAM.transfers[0].model_dump(), "document": "new", "country": "CA"}
    assert entry.transfers == (Transfer.model_validate(first), STREAM.transfers[1])


def test_of_two_parts_of_one_name_the_right_one_stays() -> None:
    twins = tuple(Recipient.model_validate({"name": "Twin", "kind": kind, "principals": (kind,)})
                  for kind in ("internal", "processor"))
    known = {"people-stream": STREAM.model_copy(update={"recipients": twins})}
    content = cnil.workbook([version(known["people-stream"])], {})
    first = place(sheets(content)["people-stream"], "Twin")
    read = cnil.read(changed_book(content, lambda book: book["people-stream"].delete_rows(int(first[1:]))), known)
    assert (read.entries[0].recipients, read.unfit) == (twins[1:], ())
