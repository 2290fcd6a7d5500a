"""CNIL's workbook: every cell as calamine reads it, nothing lost on the way back, each change taken over and nothing else."""

from itertools import pairwise
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
    STREAM,
    VERSIONS,
    version,
)
from tests.governance.workbooks import changed_book, edited, place, sheets

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

EXPORT = cnil.workbook(VERSIONS, DERIVED)
GRIDS = sheets(EXPORT)
NONE, PARTY = "non renseigné", ["Acteur", "Nom", "Adresse", "Code postal", "Ville", "Pays", "Téléphone", "Courriel",
                                "Responsable légal ou personne à contacter", "Accord entre responsables conjoints (art. 26)"]
DATA = ["N°", "Catégorie", "Description", "Durée de conservation", "Critères (à défaut de durée)", "Point de départ",
        "Sort final", "Motif de la durée", "Lieu de conservation", "Mise en œuvre", "Nature", "Source"]
IDENTITY = "État civil, identité, données d'identification, images"
NATIONAL = "Numéro d'identification national (dont numéro de sécurité sociale)"
WEEK = ["7 jours", NONE, "the record is sent", "effacées", "Replay; no longer", "kafka:people", "durée de rétention du topic"]
YEAR = ["1 an", NONE, "the newest record", "effacées", NONE, "cassandra:profiles", "commande d'expiration"]
COUNTED = ["selon les critères", "as long as the rows\nthat are counted", "the row", "archivées", NONE, "mongo:counts",
           "disparaît avec les données d'origine"]
SENSITIVE = "catégorie particulière (art. 9)"
NIR = "numéro d'identification national (art. 87)"

STREAM_SHEET = [
    ["Flux de profils"],
    [],
    ["Description du traitement"],
    ["Nom de l'activité", "Flux de profils"],
    ["N°/REF", "people-stream"],
    ["Date de création de la fiche", "03/02/2026"],
    ["Date de dernière mise à jour", "06/05/2026"],
    ["Version", "3 (publiée)"],
    ["Registre", "Responsable du traitement (art. 30, § 1)"],
    ["Nom du logiciel ou de l'application", "Rollcall"],
    ["Nom du logiciel ou de l'application", "Apache Kafka\n(4.0)"],
    ["Nom du logiciel ou de l'application", "1. MongoDB"],
    [],
    ["Acteurs"],
    PARTY,
    ["Responsable du traitement", "Société Générale d'Appel", "12, rue de l'Église\nBâtiment C", "75004", "Paris", "FR",
     "+33 1 99 00 00 00", "contact@appel.example", "Zoë Lefèvre; gérante", NONE],
    ["Délégué à la protection des données", "Čeněk & Fils", NONE, NONE, NONE, NONE, "+33 1 99 00 00 01", "dpo@appel.example",
     "Hélène Noël", NONE],
    ["Société du DPO (si externe)",
     "Voir la ligne du délégué : le nom y est celui de la société, la personne à contacter celui du délégué."],
    ["Représentant", "sans objet: Nous sommes établis dans l'Union ; « art. 27 »"],
    ["Responsable conjoint", "Ærø Data ApS", "Havnegade 1", "5970", "Ærøskøbing", "DK", NONE, "@aero.example", NONE,
     '=HYPERLINK("http://evil.example")'],
    ["Responsable conjoint", "Deuxième & Cie", *[NONE] * 8],
    ["Sous-traitant", "sans objet: We act as the controller."],
    [],
    ["Finalités du traitement"],
    ["Finalité principale", '=1+1; keep one "exact" profile\nof each person'],
    ["Sous-finalité 1", "+ clean"],
    ["Sous-finalité 2", "publish; nobody is disclosed"],
    [],
    ["Catégories de données personnelles concernées"],
    DATA,
    ["1", IDENTITY, "Prénom et nom", *WEEK, "donnée ordinaire", "the source"],
    ["1", IDENTITY, "Prénom et nom", *YEAR, "donnée ordinaire", "the source"],
    ["3", NATIONAL, "=NIR()", *COUNTED, NIR, "the state"],
    ["3", NATIONAL, "=NIR()", *YEAR, NIR, "the state"],
    ["3", NATIONAL, "=NIR()", *WEEK, NIR, "the state"],
    ["5", "Autre", "Case", *COUNTED, "donnée ordinaire", "the form"],
    [],
    ["Données sensibles"],
    ["Des données sensibles sont-elles traitées ?", "oui"],
    DATA,
    ["2", "health", "Allergies; « graves »", *YEAR, SENSITIVE, "the person"],
    ["4", "courts", "Condamnations", "sans objet: Courts keep them; we only look", *[""] * 6,
     f"{SENSITIVE} + condamnations et infractions (art. 10)", "courts"],
    [],
    ["Catégories de personnes concernées"],
    ["N°", "Catégorie", "Description", "Mineurs", "Précisions"],
    ["1", "Personnes de la source", "-invented, all", "oui", "some millions"],
    ["2", "Salariés", NONE, "non", NONE],
    [],
    ["Destinataires"],
    ["N°", "Type", "Destinataire", "Pays", "Contrat (art. 28)"],
    ["1", "Service interne qui traite les données", "Data platform", "FR", NONE],
    ["2", "Sous-traitants", "=cmd|' /C calc'!A0", "IE", "contracts/7; annex"],
    ["3", "Partenaires institutionnels ou commerciaux", "Archive\nof the town", NONE, NONE],
    ["4", "Destinataires dans des pays tiers ou organisations internationales", "Acme Inc.", "US", NONE],
    [],
    ["Mesures de sécurité"],
    ["N°", "Type", "Précisions", "Mesure technique", "Justificatif"],
    ["1", "Contrôle d'accès des utilisateurs", "Least rights", "oui", "rollcall register check"],
    ["2", "Autres mesures", 'Reasons are "read"\nonce a month', "non", "minutes"],
    [],
    ["Transferts hors de l'Union européenne"],
    ["Des données sont-elles transférées hors de l'Union européenne ?", "oui"],
    ["N°", "Organisme destinataire", "Pays", "Type de garanties", "Lien vers la documentation"],
    ["1", "Acme Inc.", "US", "Clauses contractuelles types (art. 46)", "https://acme.example/scc"],
    ["2", "Acme Inc.", "IN", "Dérogation (art. 49)", "letter; 2026"],
]


def one(content: bytes, ref: str = "people-stream") -> tuple[Entry, tuple[str, ...]]:
    """What a workbook makes of one entry, and what did not fit."""
    read = cnil.read(content, KNOWN)
    return next(entry for entry in read.entries if entry.ref == ref), read.unfit


def at(label: str, beside: int = 0, which: int = 0, ref: str = "people-stream") -> tuple[str, str]:
    """Sheet and address of the cell that says `label`, or of one beside it."""
    return ref, place(GRIDS[ref], label, beside, which)


def test_every_cell_of_a_sheet() -> None:
    grid = [[*row, *[""] * (12 - len(row))] for row in STREAM_SHEET]
    assert GRIDS["people-stream"] == grid


def test_the_sections_of_cnil_in_order_on_every_sheet() -> None:
    wanted = ["Description du traitement", "Acteurs", "Finalités du traitement",
              "Catégories de données personnelles concernées", "Données sensibles", "Catégories de personnes concernées",
              "Destinataires", "Mesures de sécurité", "Transferts hors de l'Union européenne"]
    for entry in ENTRIES:
        first = [row[0] for row in GRIDS[entry.ref]]
        places = [first.index(section) for section in wanted]
        assert all(before < after for before, after in pairwise(places))


def test_the_front_page_lists_organisations_and_activities() -> None:
    front = [[cell for cell in row if cell] for row in GRIDS["Registre"]]
    assert front[0] == ["Registre des activités de traitement (article 30 du RGPD)"]
    assert [row[:2] for row in front if row[:1] == ["Responsable du traitement"]] == [
        ["Responsable du traitement", "Société Générale d'Appel"], ["Responsable du traitement", "Ærø Data ApS"]]
    assert [row[1] for row in front if row[:1] == ["Délégué à la protection des données"]] == [
        "Čeněk & Fils", "sans objet: No duty under Art. 37"]
    assert [row[1] for row in front if row[:1] == ["Sous-traitant"]] == ["Société Générale d'Appel"]
    assert front[-3:] == [
        ["Flux de profils", "people-stream", "Responsable du traitement (art. 30, § 1)", "03/02/2026", "06/05/2026",
         '=1+1; keep one "exact" profile\nof each person', "oui", "oui",
         "non : =kafka:people keeps 9 days; 7 are stated", "2026-01, 2026-02"],
        ["Accounts and audit", "console-and-audit", "Responsable du traitement (art. 30, § 1)", "31/01/2026", "06/05/2026",
         "Let in only who may", "non", "non", "oui", "aucune"],
        ["Hébergement", "hosting-of-the-clinic", "Sous-traitant (art. 30, § 2)", "01/12/2025", "06/05/2026",
         "Storing and backing up files", "non", "non", "non mesuré", "inconnu"]]


def test_what_art_30_asks_for_is_never_empty() -> None:
    nothing = Entry.model_validate({"ref": "nothing", "activity": "", "role": "controller", "created": "2026-01-01",
                                    "controller": {"name": ""}, "purpose": ""})
    grid = sheets(cnil.workbook([version(nothing)], {}))["nothing"]
    tables = [number for number, row in enumerate(grid) if row[0] in ("N°", "Acteur")]
    assert [sum(cell != "" for cell in grid[number + 1]) > 0 for number in tables] == [True] * 7
    labels = ("Nom de l'activité", "Finalité principale", *(row[0] for row in STREAM_SHEET if row[1:] and row[0][:6] in (
        "Respon", "Délégu", "Représ", "Sous-t")))
    assert [row[:2] for row in grid if row[0] in labels] == [[row[0], NONE] for row in grid if row[0] in labels]
    assert len([row for row in grid if row[0] in labels]) == 7


def test_an_untouched_workbook_gives_back_exactly_the_entries() -> None:
    assert cnil.read(EXPORT, KNOWN) == Imported(ENTRIES, ())
    assert [len(STREAM.places), len(STREAM.principals)] == [3, 4]    # what was worked out and kept is no field
    assert cnil.read(EXPORT, KNOWN) == Imported(ENTRIES, ())


def test_the_delivered_register_comes_back() -> None:
    delivered = entries(Path(CONTENT).read_text())
    made = cnil.workbook([version(entry) for entry in delivered], {})
    assert cnil.read(made, {entry.ref: entry for entry in delivered}) == Imported(tuple(delivered), ())


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
        at("Sous-finalité 1", 1): "Sans objet : rien de plus", at("Sous-finalité 2", 1): None,
        at("Représentant", 1): "Cabinet Léa", at("Sous-traitant", 1): None}))
    assert unfit == ()
    assert (entry.sub_purposes, entry.because("sub_purposes")) == ((), "rien de plus")
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
