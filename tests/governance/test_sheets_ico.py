"""ICO's workbook: its headings word by word, every cell as pandas reads it, nothing lost on the way back."""

import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from governance.register import CONTENT, Derived, Entry, Measure, Party, Role, changed, entries
from governance.sheets import ico
from governance.sheets.imported import Imported
from tests.governance.activities import ACCOUNTS, CLINIC, DERIVED, ENTRIES, GENERATED, KNOWN, ODD, STREAM, VERSIONS, version
from tests.governance.workbooks import changed_book, edited, sheets

SLOW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

EXPORT = ico.workbook(VERSIONS, DERIVED)
GRID = sheets(EXPORT)["Template"]

HEADINGS = """
Business function
Purpose of processing
Name and contact details of joint controller (if applicable)
Categories of individuals
Categories of personal data
Categories of recipients
Link to contract with processor
Names of third countries or international organisations that personal data are transferred to (if applicable)
Safeguards for exceptional transfers of personal data to third countries or international organisations (if applicable)
Retention schedule (if possible)
General description of technical and organisational security measures (if possible)
Article 6 lawful basis for processing personal data
Article 9 condition for processing special category data
Legitimate interests for the processing (if applicable)
Link to record of legitimate interests assessment (if applicable)
Rights available to individuals
Existence of automated decision-making, including profiling (if applicable)
The source of the personal data (if applicable)
Link to record of consent
Location of personal data
Data Protection Impact Assessment required?
Data Protection Impact Assessment progress
Link to Data Protection Impact Assessment
Has a personal data breach occurred?
Link to record of personal data breach
Data Protection Act 2018 Schedule 1 Condition for processing
GDPR Article 6 lawful basis for processing
Link to retention and erasure policy document
Is personal data retained and erased in accordance with the policy document?
Reasons for not adhering to policy document (if applicable)
""".strip().splitlines()

ROW = [    # A to AL of the first entry
    "Équipe « données »",
    '1. =1+1; keep one "exact" profile\n      of each person\n2. + clean\n3. publish; nobody is disclosed',
    "1. Ærø Data ApS\n   Address: Havnegade 1\n   Postcode: 5970\n   Town: Ærøskøbing\n   Country: DK\n"
    '   Email: @aero.example\n   Arrangement (Art. 26): =HYPERLINK("http://evil.example")\n2. Deuxième & Cie',
    "1. People of the source\n   Description: -invented, all\n   Minors among them: yes\n   How many: some millions\n2. Staff\n"
    "   Minors among them: no",
    "1. First and last name\n   Category: name\n2. Allergies\n   Category: health\n   Nature: special category (Art. 9)\n"
    "3. Number\n      of the state\n   Category: official id\n   Nature: national identification number (Art. 87)\n"
    "4. Convictions\n   Category: courts\n   Nature: special category (Art. 9) + convictions and offences (Art. 10)\n"
    "5. Tick\n   Category: Autre",
    "1. Data platform\n   Kind: internal\n   Country: FR\n2. =cmd|' /C calc'!A0\n   Kind: processor\n   Country: IE\n"
    "3. Archive\n      of the town\n   Kind: institutional or commercial partner\n"
    "4. Acme Inc.\n   Kind: third country\n   Country: US",
    "2. =cmd|' /C calc'!A0\n   Contract: contracts/7; annex",
    "1. US\n   Recipient: Acme Inc.\n2. IN\n   Recipient: Acme Inc.",
    "1. standard contractual clauses (Art. 46)\n   Document: https://acme.example/scc\n2. derogation (Art. 49)\n"
    "   Document: letter; 2026",
    "1. First and last name\n   Period: 7 days\n   From: the record is sent\n   Then: erased\n   Reason: Replay; no longer\n"
    "   Place: kafka:people\n   Enforced by: retention of the topic\n"
    "1. First and last name\n   Period: 1 year\n   From: the newest record\n   Then: erased\n   Place: cassandra:profiles\n"
    "   Enforced by: expire command\n"
    "2. Allergies\n   Period: 1 year\n   From: the newest record\n   Then: erased\n   Place: cassandra:profiles\n"
    "   Enforced by: expire command\n"
    "3. Number\n      of the state\n   Period: by the criteria\n   Criteria: as long as the rows\n      that are counted\n"
    "   From: the row\n   Then: archived\n   Place: mongo:counts\n   Enforced by: goes with what it was made of\n"
    "3. Number\n      of the state\n   Period: 1 year\n   From: the newest record\n   Then: erased\n"
    "   Place: cassandra:profiles\n   Enforced by: expire command\n"
    "3. Number\n      of the state\n   Period: 7 days\n   From: the record is sent\n   Then: erased\n"
    "   Reason: Replay; no longer\n   Place: kafka:people\n   Enforced by: retention of the topic\n"
    "4. Convictions\n   Period: not applicable: Courts keep them; we only look\n"
    "5. Tick\n   Period: by the criteria\n   Criteria: as long as the rows\n      that are counted\n   From: the row\n"
    "   Then: archived\n   Place: mongo:counts\n   Enforced by: goes with what it was made of",
    "1. Least rights\n   Kind: access control\n   Technical: yes\n   Evidence: rollcall register check\n"
    '2. Reasons are "read"\n      once a month\n   Kind: other\n   Technical: no\n   Evidence: minutes',
    "(f) legitimate interests\nJustification: Knowing how many\nthere are",
    "(j) archiving, research and statistics",
    "@statistics",
    "docs/lia.md",
    "1. Article 15 (access)\n2. Article 16 (rectification)\n3. Article 21 (objection)\n4. Art. 77\nThrough: dpo@appel.example",
    "yes\n   Logic: a score\n   Consequences: a letter",
    "1. First and last name\n   Source: the source\n2. Allergies\n   Source: the person\n3. Number\n      of the state\n"
    "   Source: the state\n4. Convictions\n   Source: courts\n5. Tick\n   Source: the form",
    "not applicable: The basis is not consent.",
    "1. Paris, salle n° 3\n2. -Lyon\nIn the systems: cassandra:profiles.full_name, cassandra:profiles.nir, "
    "kafka:people:name.first",
    "yes",
    "under way",
    "docs/dpia.md",
    "yes",
    "2026-01, 2026-02",
    "Part 1, paragraph 4",
    "(f) legitimate interests",
    "docs/retention.md",
    "no",
    "=kafka:people keeps 9 days; 7 are stated",
    "people-stream",
    "Flux de profils",
    "Controller (Art. 30(1))",
    "2026-02-03",
    "as above",
    "as above",
    "as above",
    "not applicable: We act as the controller.",
    "3",
]

COLUMN = {heading: get_column_letter(number) for number, heading in enumerate(HEADINGS, 1)}


def at(heading: str, row: int = 10) -> tuple[str, str]:
    """Sheet and address of a cell of the table; heading: how it begins."""
    return "Template", f"{next(column for name, column in COLUMN.items() if name.startswith(heading))}{row}"


def one(content: bytes, ref: str = "people-stream") -> tuple[Entry, tuple[str, ...]]:
    """What a workbook makes of one entry, and what did not fit."""
    read = ico.read(content, KNOWN)
    return next(entry for entry in read.entries if entry.ref == ref), read.unfit


def test_the_thirty_headings_word_by_word_in_row_nine() -> None:
    assert len(HEADINGS) == 30
    assert GRID[8][:30] == HEADINGS
    assert get_column_letter(GRID[8].index(HEADINGS[-1]) + 1) == "AD"
    assert GRID[8][30] == "Reference in the register"


def test_every_cell_of_a_row_as_pandas_reads_it() -> None:
    frame = pd.read_excel(io.BytesIO(EXPORT), engine="calamine", header=None, dtype=str, keep_default_na=False)
    assert [list(row) for row in frame.iloc[9:10].to_numpy()] == [ROW]
    assert frame.shape == (12, len(ROW))


def test_the_parties_stand_above_the_table() -> None:
    assert [row[:6] for row in GRID[:5]] == [
        ["Controller", "", "Data Protection Officer (if applicable)", "", "Representative (if applicable)", ""],
        ["Name", "Société Générale d'Appel\n   Contact: Zoë Lefèvre; gérante", "Name", "Čeněk & Fils\n   Contact: Hélène Noël",
         "Name", "not applicable: Nous sommes établis dans l'Union ; « art. 27 »"],
        ["Address", "12, rue de l'Église\n      Bâtiment C\n   Postcode: 75004\n   Town: Paris\n   Country: FR", "Address",
         "not stated", "Address", ""],
        ["Email", "contact@appel.example", "Email", "dpo@appel.example", "Email", ""],
        ["Telephone", "+33 1 99 00 00 00", "Telephone", "+33 1 99 00 00 01", "Telephone", ""]]


def test_no_cell_of_the_table_is_empty_and_a_processor_names_both() -> None:
    assert [row.count("") for row in GRID[9:12]] == [0, 0, 0]
    assert GRID[11][32] == "Processor (Art. 30(2))"
    assert GRID[11][34].startswith("Clinique Saint-Côme\n   Address: -3 quai Sud")
    assert GRID[11][37].startswith("Société Générale d'Appel\n   Address: 12, rue de l'Église\n      Bâtiment C")
    assert GRID[10][7:9] == ["not applicable: Nothing is sent on"] * 2
    assert GRID[10][35] == "not applicable: No duty under Art. 37"


@pytest.mark.parametrize(("derived", "wanted"), [
    ({}, ["not known", "not known", "not measured", "not measured"]),
    ({"console-and-audit": Derived()}, ["no", "none", "not measured", "not stated"]),
    ({"console-and-audit": Derived(("b-1",), True)}, ["yes", "b-1", "yes", "none"]),
    ({"console-and-audit": Derived((), False, "7 rows are late")}, ["no", "none", "no", "7 rows are late"])])
def test_what_the_product_knows(derived: dict[str, Derived], wanted: list[str]) -> None:
    row = sheets(ico.workbook([version(ACCOUNTS)], derived))["Template"][9]
    assert [row[23], row[24], row[28], row[29]] == wanted


def test_an_untouched_workbook_gives_back_exactly_the_entries() -> None:
    assert ico.read(EXPORT, KNOWN) == Imported(ENTRIES, ())
    assert ico.read(ico.workbook(VERSIONS[::-1], {}), KNOWN) == Imported(ENTRIES[::-1], ())


def test_the_delivered_register_comes_back() -> None:
    delivered = entries(Path(CONTENT).read_text())
    made = ico.workbook([version(entry) for entry in delivered], {})
    assert ico.read(made, {entry.ref: entry for entry in delivered}) == Imported(tuple(delivered), ())


def test_texts_that_are_the_words_for_nothing_come_back() -> None:
    assert ico.read(ico.workbook([version(ODD)], {}), {"odd": ODD}) == Imported((ODD,), ())


@SLOW
@given(GENERATED, GENERATED)
def test_whatever_the_texts_are_they_come_back(entry: Entry, other: Entry) -> None:
    both = tuple({each.ref: each for each in (entry, other)}.values())
    made = ico.workbook([version(each) for each in both], {})
    assert ico.read(made, {each.ref: each for each in both}) == Imported(both, ())


@pytest.mark.parametrize(("heading", "text", "field", "value"), [
    ("Business function", "Data office", "department", "Data office"),
    ("Legitimate interests", "not applicable: consent", "legitimate_interest", ""),
    ("Article 6", "Article 6(1)(c) legal obligation\nJustification: Knowing how many\nthere are", "art6", "c"),
    ("Article 6", "Public task\nJustification: Knowing how many\nthere are", "art6", "e"),
    ("Article 9", "(a) explicit consent", "art9", "a"),
    ("Article 9", None, "art9", ""),
    ("Location", "1. Lyon\n2. Metz\n      Nord\nIn the systems: anything", "locations", ("Lyon", "Metz\nNord")),
    ("Location", "Lyon", "locations", ("Lyon",)),
    ("Rights", "1. Article 17 (erasure)\n2. none but this\nThrough: dpo@appel.example", "rights", ("17", "none but this")),
    ("Link to retention", "docs/new.md", "retention_policy_link", "docs/new.md")])
def test_a_changed_cell_is_taken_over_and_nothing_else(heading: str, text: object, field: str, value: object) -> None:
    entry, unfit = one(edited(EXPORT, {at(heading): text}))
    assert unfit == ()
    assert set(changed(STREAM, entry)) - {"not_applicable"} == {field}
    assert getattr(entry, field) == value


def test_purposes_are_a_list_whose_first_is_the_main_one() -> None:
    entry, unfit = one(edited(EXPORT, {at("Purpose"): "1. Count\nexactly"}))
    assert (entry.purpose, entry.sub_purposes, unfit) == ("Count", ("exactly",), ())
    entry, unfit = one(edited(EXPORT, {at("Purpose"): "Count"}))
    assert (entry.purpose, entry.sub_purposes, unfit) == ("Count", (), ())
    numbered = ACCOUNTS.model_copy(update={"purpose": "1. Count"})
    assert ico.read(ico.workbook([version(numbered)], {}), {}).entries[0].purpose == "1. Count"
    accounts, _ = one(edited(EXPORT, {at("Purpose", 11): "Count\nexactly"}), "console-and-audit")
    assert (accounts.purpose, accounts.not_applicable) == ("Count\nexactly", ACCOUNTS.not_applicable)


def test_changed_parts_keep_what_the_sheet_has_no_column_for() -> None:
    def swap(heading: str, before: str, after: str, row: int = 10) -> tuple[tuple[str, str], str]:
        text = GRID[row - 1][HEADINGS.index(next(name for name in HEADINGS if name.startswith(heading)))]
        assert before in text
        return at(heading, row), text.replace(before, after)
    entry, unfit = one(edited(EXPORT, dict([
        swap("Categories of individuals", "2. Staff", "2. Staff\n   Description: of the seat"),
        swap("Categories of personal data", "Nature: special category (Art. 9)\n3", "Nature: ordinary\n3"),
        swap("Retention", "Period: 7 days\n   From: the record is sent\n   Then: erased\n   Reason: Replay; no longer\n"
             "   Place: kafka:people\n   Enforced by: retention of the topic\n1", "Period: 30 days\n"
             "   From: the record is sent\n   Then: erased\n   Place: kafka:people\n   Enforced by: by hand\n1"),
        swap("The source", "Source: courts", "Source: newspapers"),
        swap("Categories of recipients", "   Country: FR", "   Country: DE"),
        swap("Link to contract", "contracts/7; annex", "contracts/8\n1. Data platform\n   Contract: house rules"),
        swap("Safeguards", "letter; 2026", "a new letter"),
        swap("General description", "once a month", "once a week")])))
    assert unfit == ()
    assert entry.subjects[1].model_dump() == {**STREAM.subjects[1].model_dump(), "detail": "of the seat"}
    assert [item.special for item in entry.items] == [False, False, False, True, False]
    assert entry.items[3].model_dump() == {**STREAM.items[3].model_dump(), "source": "newspapers"}
    assert (entry.items[1].label_fr, entry.items[1].mandatory) == ("Allergies; « graves »", False)
    week = entry.items[0].retention[0]
    assert (str(week.period), week.reason, week.enforced_by.value) == ("30 days", "", "hand")
    assert entry.items[0].places == STREAM.items[0].places
    assert [each.contract for each in entry.recipients] == ["house rules", "contracts/8", "", ""]
    assert (entry.recipients[0].country, entry.recipients[0].principals, entry.recipients[0].clear) == (
        "DE", ("stream", "fence"), True)
    assert [each.document for each in entry.transfers] == ["https://acme.example/scc", "a new letter"]
    assert entry.measures == (STREAM.measures[0], Measure.model_validate(
        {**STREAM.measures[1].model_dump(), "detail": 'Reasons are "read"\nonce a week'}))
    assert set(changed(STREAM, entry)) == {"subjects", "items", "recipients", "transfers", "measures"}


def test_a_party_above_the_table_holds_for_all_rows_that_say_so() -> None:
    read = ico.read(edited(EXPORT, {("Template", "D4"): "new@appel.example",
                                    ("Template", "B3"): "Place\n   Town: Lyon"}), KNOWN)
    assert read.unfit == ()
    assert [entry.dpo.email if entry.dpo else "" for entry in read.entries] == ["new@appel.example", "", "new@appel.example"]
    assert [entry.controller.town for entry in read.entries] == ["Lyon", "Ærøskøbing", "Lyon"]
    assert read.entries[0].controller == Party(**{**STREAM.controller.model_dump(), "address": "Place", "town": "Lyon",
                                                  "postcode": "", "country": ""})
    assert read.entries[2].controller == CLINIC


def test_a_row_may_have_parties_of_its_own() -> None:
    entry, unfit = one(edited(EXPORT, {("Template", "AI10"): "Autre\n   Email: a@b.example", ("Template", "AJ10"): "none",
                                       ("Template", "AK10"): "Cabinet Léa", ("Template", "AL10"): None}))
    assert unfit == ()
    assert (entry.controller.name, entry.controller.email, entry.controller.phone) == ("Autre", "a@b.example", "")
    assert (entry.dpo, entry.because("representative")) == (None, "")
    assert entry.representative == Party(name="Cabinet Léa")
    assert (entry.processor, entry.because("processor")) == (None, "")


def test_the_impact_assessment_and_automated_decisions() -> None:
    entry, unfit = one(edited(EXPORT, {at("Data Protection Impact Assessment progress"): "done", at("Existence"): "no"}))
    assert unfit == ()
    assert entry.dpia is not None
    assert (entry.dpia.status, entry.dpia.criteria) == ("done", ("large scale", "vulnerable"))
    assert entry.automated.model_dump() == {"exists": False, "logic": "", "consequences": ""}
    columns = ("required?", "progress")
    entry, unfit = one(edited(EXPORT, {
        **{at(f"Data Protection Impact Assessment {name}"): "not applicable: no risk" for name in columns},
        at("Link to Data"): None, at("Existence"): "not applicable: people decide"}))
    assert (entry.dpia, entry.because("dpia"), entry.because("automated"), unfit) == (None, "no risk", "people decide", ())


def test_what_the_product_works_out_is_not_read() -> None:
    entry, unfit = one(edited(EXPORT, {at(name): "x" for name in (
        "Has a", "Link to record of personal", "GDPR Article 6", "Is personal data", "Reasons")}))
    assert (entry, unfit) == (STREAM, ())


@pytest.mark.parametrize(("heading", "text", "advice"), [
    ("Article 6", "because", "write one of: (a) consent; (b) contract;"),
    ("Article 9", "Schedule", "write one of: (a) explicit consent;"),
    ("Purpose", None, "it must not be empty"),
    ("Business function", "=A1&A2", "it was worked out by a formula"),
    ("Categories of recipients", "=A1&A2", "it was worked out by a formula"),
    ("Existence", GRID[9][16].replace("yes", "perhaps"), "write yes or no"),
    ("Categories of recipients", GRID[9][5].replace("internal", "ours"), "write one of: internal; external body;"),
    ("Retention", GRID[9][9].replace("7 days", "long"), "write a number with hours, days, months, years, for example 3 years"),
    ("Retention", GRID[9][9] + "\n9. Fax\n   Period: 1 day", "begin it with the number of the thing it belongs to"),
    ("Link to contract", GRID[9][6] + "\nsomething", "begin it with the number of the thing it belongs to")])
def test_a_cell_that_does_not_fit_is_named_and_left_as_it_was(heading: str, text: object, advice: str) -> None:
    entry, unfit = one(edited(EXPORT, {at(heading): text}))
    assert entry == STREAM
    assert unfit
    assert all(sentence.startswith(f"Sheet 'Template', cell {at(heading)[1]} holds ") for sentence in unfit)
    assert advice in unfit[0]


def test_an_unknown_entry_is_made_of_what_is_there() -> None:
    read = ico.read(EXPORT, {})
    made = read.entries[0]
    assert set(changed(STREAM, made)) == {"software", "subjects", "items", "recipients", "privacy_notice_link", "dpia",
                                          "reviewed", "next_review"}
    assert [item.model_dump(exclude={"label_fr", "fields", "places", "mask", "mandatory", "minimisation", "pseudonymisation",
                                     "encryption"}) for item in made.items] == [
        item.model_dump(exclude={"label_fr", "fields", "places", "mask", "mandatory", "minimisation", "pseudonymisation",
                                 "encryption"}) for item in STREAM.items]
    assert [one.model_copy(update={"principals": (), "clear": False}) for one in STREAM.recipients] == list(made.recipients)
    assert "no place for software, privacy_notice_link, reviewed, next_review." in "\n".join(read.unfit)
    assert read.entries[2].role is Role.PROCESSOR
    assert set(changed(ENTRIES[2], read.entries[2])) == set()
    bad = ico.read(edited(EXPORT, {at("Article 6"): "because", at("Rights", 9): "?"}), {})
    assert [sentence for sentence in bad.unfit if "no place for" in sentence] == [
        sentence for sentence in read.unfit if "no place for" in sentence]


def test_a_foreign_template_becomes_entries_with_what_is_missing_told() -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Name", "Town council", "Name", "Ms Smith"])
    for label in ("Address", "Email", "Telephone"):
        sheet.append([label, f"{label} 1", label, f"{label} 2"])
    sheet.append(["Name", "of the one who wrote this down"])
    sheet.append(HEADINGS)
    sheet.append(["Housing", "Let flats", None, "Tenants\nNeighbours", "Names", "Courts", "deed 7", "Norway",
                  "Adequacy decision (Art. 45)", "while they live here", "Locks and keys", "Public task", *[None] * 5,
                  "the town"])
    content = changed_book(_packed(book), lambda _: None)
    read = ico.read(content, {})
    made, = read.entries
    assert (made.ref, made.role, made.created.year, made.activity) == ("let-flats", Role.CONTROLLER, 1970, "let-flats")
    assert (made.department, made.purpose, made.art6) == ("Housing", "Let flats", "e")
    assert made.controller == Party(name="Town council", address="Address 1", email="Email 1", phone="Telephone 1")
    assert made.dpo == Party(name="Ms Smith", address="Address 2", email="Email 2", phone="Telephone 2")
    assert [one.name_en for one in made.subjects] == ["Tenants", "Neighbours"]
    assert [(one.name, one.kind.value, one.contract) for one in made.recipients] == [("Courts", "external body", "deed 7")]
    assert [(one.country, one.mechanism.value) for one in made.transfers] == [("Norway", "adequacy decision (Art. 45)")]
    assert [(one.label_en, one.source, [each.criteria for each in one.retention]) for one in made.items] == [
        ("Names", "the town", ["while they live here"])]
    assert [(one.detail, one.kind.value, one.technical) for one in made.measures] == [("Locks and keys", "other", True)]
    said = "\n".join(read.unfit)
    for sentence in ("row 7 has no reference: the entry is new, and called let-flats.",
                     "row 7 does not say activity, role, created. There stands now activity: let-flats; role: Controller "
                     "(Art. 30(1)); created: 1970-01-01. Complete it in the register.",
                     '"Courts" is new and does not say everything. There stands now kind: external body.',
                     '"Locks and keys" is new and does not say everything. There stands now kind: other; technical: True; '
                     "evidence: not stated."):
        assert sentence in said


def test_missing_columns_keep_their_fields_and_two_rows_of_one_entry_are_told() -> None:
    read = ico.read(edited(EXPORT, {at("Rights", 9): "?", at("Categories of recipients", 9): "?",
                                    ("Template", "AE12"): "people-stream"}), KNOWN)
    assert read.entries == ENTRIES[:2]
    assert read.unfit == (
        "Sheet 'Template' has no column 'Categories of recipients': what belongs there was not read.",
        "Sheet 'Template' has no column 'Rights available to individuals': what belongs there was not read.",
        "Sheet 'Template', cell AE12 holds \"people-stream\": another row has it; this one was left out.")


def _packed(book: Workbook) -> bytes:
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()
