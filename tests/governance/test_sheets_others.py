"""CSV, JSON-LD and the page: each read by another library and compared; CSV comes back whole without knowing anything."""

import csv
import io
import json
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import RDF, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from governance.register import CONTENT, Entry, Role, entries
from governance.sheets import dpv, page, table
from governance.sheets.imported import Imported, NotASheet
from tests.governance.activities import ACCOUNTS, DERIVED, ENTRIES, GENERATED, HOSTING, ODD, STREAM, VERSIONS, version

SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
RDFLIB = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")    # rdflib's own parser uses it

TABLE = table.csv_text(VERSIONS)

# --- CSV


def frame() -> pd.DataFrame:
    """The table as pandas reads it."""
    return pd.read_csv(io.StringIO(TABLE), dtype=str, keep_default_na=False)


def test_every_field_of_every_entry_as_pandas_reads_it() -> None:
    read = frame()
    assert list(read.columns) == [*Entry.model_fields, "version", "state", "changed_at", "changed_by", "change_reason"]
    assert len(read) == len(ENTRIES)
    for entry, row in zip(ENTRIES, read.to_dict("records"), strict=True):
        for name, value in entry.model_dump(mode="json").items():
            cell = row[name]
            if value in (None, "", []):
                assert cell == (f"not applicable: {entry.because(name)}" if entry.because(name) else "not stated")
            elif isinstance(value, str):
                assert cell == ("'" + value if value[0] in "=@" else value)
            else:
                assert json.loads(cell) == value
    first = read.iloc[0]
    assert list(first[["version", "state", "changed_at", "changed_by", "change_reason"]]) == [
        "3", "published", "2026-05-06T07:08:09+00:00", "officer", "'=first; \"content\""]


def test_the_form_is_that_of_rfc_4180() -> None:
    rows = re.split(r"\r\n(?=(?:[a-z-]+),)", TABLE.removesuffix("\r\n"))
    assert len(rows) == 4
    assert '\r\n' not in TABLE.replace('\r\n', '', 4)
    assert '"\'=1+1; keep one ""exact"" profile\nof each person"' in TABLE


def test_no_cell_begins_like_a_formula() -> None:
    cells = [cell for row in csv.reader(io.StringIO(TABLE, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))]
    assert len([cell for cell in cells if cell.startswith("'")]) == 5       # purpose, interest, and three reasons for a change


def test_a_table_gives_back_exactly_the_entries() -> None:
    assert table.read(TABLE) == Imported(ENTRIES, ())
    assert table.read(table.csv_text([version(ODD)])) == Imported((ODD,), ())
    delivered = entries(Path(CONTENT).read_text())
    assert table.read(table.csv_text([version(entry) for entry in delivered])) == Imported(tuple(delivered), ())


@SLOW
@given(GENERATED)
def test_whatever_the_texts_are_they_come_back(entry: Entry) -> None:
    text = table.csv_text([version(entry)])
    assert table.read(text) == Imported((entry,), ())
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), strict=True) for cell in row]
    assert not [cell for cell in cells if cell.startswith(table.GUARDED[1:])]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_that_excel_saved_is_read(separator: str) -> None:
    saved = io.StringIO(newline="")
    csv.writer(saved, delimiter=separator).writerows(csv.reader(io.StringIO(TABLE, newline="")))
    assert table.read("\ufeff" + saved.getvalue()) == Imported(ENTRIES, ())


def test_large_data_come_back() -> None:
    large = STREAM.model_copy(update={"items": STREAM.items * 200})
    assert len(large.model_dump_json()) > 131_072
    assert table.read(table.csv_text([version(large)])) == Imported((large,), ())


def changed_table(**cells: str) -> str:
    """The table with other cells in the row of the second entry."""
    read = frame()
    for name, cell in cells.items():
        read.loc[1, name] = cell
    return str(read.to_csv(index=False, lineterminator="\r\n"))


def test_changed_cells_are_taken_over() -> None:
    read = table.read(changed_table(purpose="'=x", lia_link="not applicable: no interest", dpo="not applicable: we are few",
                                    transfers="none", reviewed="2026-09-09", rights='["15"]'))
    assert read.unfit == ()
    wanted = {**ACCOUNTS.model_dump(), "purpose": "=x", "reviewed": date(2026, 9, 9), "rights": ("15",),
              "not_applicable": {**ACCOUNTS.not_applicable, "lia_link": "no interest", "dpo": "we are few"}}
    assert read.entries == (STREAM, Entry.model_validate(wanted), HOSTING)


@pytest.mark.parametrize(("cells", "sentence"), [
    ({"items": "[{"}, 'Row {row} was left out: column \'items\' holds "[{{", which is no JSON. Write it as the export does.'),
    ({"items": "[" * 100_000}, "which is no JSON"),
    ({"role": "both"}, "Row {row} was left out. This is no register entry: role: input should be 'controller' or 'processor'"),
    ({"created": "not stated"}, "created: field required"),
    ({"dpia": '{{"required": true}}'}, "dpia.status: field required"),
    ({"ref": "people-stream"}, "Row {row} was left out: people-stream stands in a row before it, too.")])
def test_a_row_that_does_not_fit_is_named_and_left_out(cells: dict[str, str], sentence: str) -> None:
    read = table.read(changed_table(**{name: cell.replace("{{", "{").replace("}}", "}") for name, cell in cells.items()}))
    assert read.entries == (STREAM, HOSTING)
    assert len(read.unfit) == 1
    line = TABLE[:TABLE.index("console-and-audit,")].count("\n") + 1
    assert sentence.format(row=line) in read.unfit[0]


def test_columns_and_rows_too_many_or_too_few_are_told() -> None:
    read = table.read("ref,activity,role,created,controller,purpose,colour\n"
                      'a-b,A,controller,2026-01-01,"{""name"": ""X""}",P,red\n\na-c,C\n')
    assert [(entry.ref, entry.role, entry.controller.name) for entry in read.entries] == [("a-b", Role.CONTROLLER, "X")]
    assert read.unfit[0] == "Column 'colour' is no field of the register; it was not read."
    assert "There is no column 'items': the field is empty." in read.unfit
    assert read.unfit[-1] == ("Row 4 has 2 cells where there are 7 columns; it was left out. Look for a quotation mark or a "
                              "separator too many.")


@pytest.mark.parametrize(("text", "advice"), [
    ("", "The first row of this table has no heading 'ref'. Start from the CSV export of the register"),
    ("a,b\r\n1,2\r\n", "no heading 'ref'"),
    ('ref,activity\r\nx,"y\r\n', "the row that begins in line 2 cannot be read"),
    ('ref,activity\r\nx,"y"z\r\n', "Look for a quotation mark that is not doubled"),
    ("ref," + "x" * 20_000_000, "more than 20,000,000 characters")])
def test_what_is_no_table_ends_in_a_sentence(text: str, advice: str) -> None:
    with pytest.raises(NotASheet, match=re.escape(advice)):
        table.read(text)


@SLOW
@given(st.text(max_size=200) | st.text('ref,;"\n\r\t\'={[x', max_size=60).map("ref,activity\n".__add__))
def test_texts_of_any_kind_bring_sentences_only(text: str) -> None:
    with suppress(NotASheet):
        assert table.read(text).entries == ()


# --- JSON-LD

DPV, GDPR = Namespace("https://w3id.org/dpv#"), Namespace("https://w3id.org/dpv/legal/eu/gdpr#")
DCT, XSD = Namespace("http://purl.org/dc/terms/"), Namespace("http://www.w3.org/2001/XMLSchema#")


def graph(*versions: Any) -> Graph:
    """The document as rdflib reads it, through JSON."""
    return Graph().parse(data=json.dumps(dpv.document(versions or VERSIONS)), format="json-ld")


def said(read: Graph, node: Node, *path: URIRef) -> list[str]:
    """The texts at the end of a path, sorted."""
    nodes = [node]
    for step in path:
        nodes = [found for each in nodes for found in read.objects(each, step)]
    return sorted(str(each) for each in nodes)


@RDFLIB
def test_the_record_of_an_entry_as_rdflib_reads_it() -> None:
    read, one = graph(), URIRef("urn:rollcall:activity:people-stream")
    record = next(read.subjects(RDF.type, DPV.ROPA))
    assert said(read, record, DPV.hasProcess) == [f"urn:rollcall:activity:{ref}" for ref in (
        "console-and-audit", "hosting-of-the-clinic", "people-stream")]
    assert (one, RDF.type, DPV.PersonalDataProcess) in read
    assert (one, DCT.title, Literal("Flux de profils")) in read
    assert (one, DCT.created, Literal("2026-02-03", datatype=XSD.date)) in read
    assert said(read, one, DPV.hasDataController, DPV.hasName) == ["Société Générale d'Appel"]
    assert said(read, one, DPV.hasDataController, DPV.hasContact) == ["+33 1 99 00 00 00", "Zoë Lefèvre; gérante",
                                                                     "contact@appel.example"]
    assert said(read, one, DPV.hasJointDataControllers, DPV.hasDataController, DPV.hasName) == [
        "Deuxième & Cie", "Ærø Data ApS"]
    assert said(read, one, DPV.hasDataController, DPV.hasDataProtectionOfficer, DPV.hasName) == ["Čeněk & Fils"]
    assert said(read, one, DPV.hasPurpose, DCT.description) == sorted([STREAM.purpose, *STREAM.sub_purposes])
    assert said(read, one, DPV.hasLegalBasis) == [str(GDPR["A6-1-f"]), str(GDPR["A9-2-j"])]
    names = [each for node in read.objects(one, DPV.hasDataSubject) for each in read.objects(node, DCT.title)]
    assert {(str(each), each.language) for each in names if isinstance(each, Literal)} == {
        ("People of the source", "en"), ("Personnes de la source", "fr"), ("Staff", "en"), ("Salariés", "fr")}
    assert said(read, one, DPV.hasPersonalData, DCT.title) == sorted(
        {label for item in STREAM.items for label in (item.label_en, item.label_fr)})
    assert {each.language for node in read.objects(one, DPV.hasPersonalData) for each in read.objects(node, DCT.title)
            if isinstance(each, Literal) and str(each) in ("Prénom et nom", "Case", "=NIR()")} == {"fr"}
    special = [node for node in read.objects(one, DPV.hasPersonalData)
               if (node, RDF.type, DPV.SpecialCategoryPersonalData) in read]
    assert sorted(name for node in special for name in said(read, node, DCT.title)) == [
        "Allergies", "Allergies; « graves »", "Condamnations", "Convictions"]
    assert said(read, one, DPV.hasRecipient, DPV.hasName) == sorted(each.name for each in STREAM.recipients)
    assert said(read, one, DPV.hasDataImporter, DPV.hasThirdCountry, DCT.title) == ["IN", "US"]
    assert said(read, one, DPV.hasDataImporter, DPV.hasLegalBasis, DCT.title) == [
        "derogation (Art. 49)", "standard contractual clauses (Art. 46)"]
    assert said(read, one, DPV.hasTechnicalMeasure, DCT.description) == ["Least rights"]
    assert said(read, one, DPV.hasOrganisationalMeasure, DCT.description) == ['Reasons are "read"\nonce a month']
    assert said(read, one, DPV.hasRight) == sorted(said(read, one, DPV.hasRight))
    assert {str(GDPR[f"A{right}"]) for right in ("15", "16", "21")} < set(said(read, one, DPV.hasRight))
    assert "Courts keep them; we only look" in said(read, one, DPV.hasApplicability, DCT.description)


@RDFLIB
def test_time_limits_stand_with_their_data() -> None:
    read, one = graph(), URIRef("urn:rollcall:activity:people-stream")
    for item in STREAM.items:
        node = next(node for node in read.objects(one, DPV.hasPersonalData) if item.label_en in said(read, node, DCT.title))
        conditions = list(read.objects(node, DPV.hasStorageCondition))
        assert len(conditions) == len(item.retention)
        durations = {str(each) for condition in conditions for each in read.objects(condition, DPV.hasDuration)
                     if isinstance(each, Literal)}
        assert durations == {{"7 days": "P7D", "1 year": "P1Y"}[str(each.period)] for each in item.retention if each.period}
        assert said(read, node, DPV.hasStorageCondition, DPV.hasLocation, DCT.title) == sorted(
            each.place for each in item.retention)


@RDFLIB
def test_a_processor_is_told_from_its_controller() -> None:
    read, one = graph(), URIRef("urn:rollcall:activity:hosting-of-the-clinic")
    assert said(read, one, DPV.hasDataController, DPV.hasName) == ["Clinique Saint-Côme"]
    assert said(read, one, DPV.hasDataProcessor, DPV.hasName) == ["Société Générale d'Appel"]
    assert said(read, one, DPV.hasDataProcessor, DPV.hasDataProtectionOfficer, DPV.hasName) == ["Čeněk & Fils"]
    assert said(read, one, DPV.hasDataController, DPV.hasDataProtectionOfficer) == []


@RDFLIB
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(GENERATED)
def test_no_text_of_an_entry_becomes_an_address(entry: Entry) -> None:
    read = graph(version(entry))
    addresses = {str(node) for triple in read for node in triple if isinstance(node, URIRef)}
    ours = ("https://w3id.org/dpv", "http://purl.org/dc/terms/", "http://www.w3.org/", f"urn:rollcall:activity:{entry.ref}")
    assert [address for address in addresses if not address.startswith(ours)] == []
    assert said(read, URIRef(f"urn:rollcall:activity:{entry.ref}"), DCT.identifier) == [entry.ref]


# --- the page

PAGE = page.html_page(VERSIONS, DERIVED, datetime(2026, 7, 8, 11, 10, tzinfo=timezone(timedelta(hours=2))))
VOID = {"meta", "br"}


class Outline(HTMLParser):
    """What a browser sees: headings, rows of tables under the heading before them, links and ids; and that tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.rows: list[tuple[str, str, list[str]]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.activity = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "tr":
            self.rows.append((self.activity, self.headings[-1], []))
        elif tag in ("td", "th"):
            self.rows[-1][2].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")
        if tag not in VOID:
            self.open.append(tag)
        elif tag == "br":
            self.line("\n")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "h2":
            self.activity = self.headings[-1]

    def handle_data(self, data: str) -> None:
        self.line(data.replace("\n", " "))       # as a browser shows it: only a tag breaks a line

    def line(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][2][-1] += data
        elif {"h1", "h2", "h3"} & set(self.open):
            self.headings[-1] += data


def outline(text: str) -> Outline:
    """The outline of a page."""
    read = Outline()
    read.feed(text)
    read.close()
    assert read.open == []
    return read


def test_each_item_of_art_30_stands_under_its_letter() -> None:
    letters = re.compile(r"Art\. 30\(\d\)\([a-g]\)")
    found: dict[str, list[str]] = {}
    activity = ""
    for heading in outline(PAGE).headings:
        if heading in [entry.activity for entry in ENTRIES]:
            activity = heading
        found.setdefault(activity, []).extend(letters.findall(heading))
    assert found["Flux de profils"] == found["Accounts and audit"] == [f"Art. 30(1)({letter})" for letter in "abcdefg"]
    assert found["Hébergement"] == [f"Art. 30(2)({letter})" for letter in "abcd"]


def test_what_stands_under_the_letters() -> None:
    rows = [row for activity, heading, row in outline(PAGE).rows if activity == "Flux de profils"]
    for wanted in (
            ["Controller", "Société Générale d'Appel", "12, rue de l'Église\nBâtiment C", "75004", "Paris", "FR",
             "contact@appel.example", "+33 1 99 00 00 00", "Zoë Lefèvre; gérante", "not stated"],
            ["Representative", "not applicable: Nous sommes établis dans l'Union ; « art. 27 »", *[""] * 8],
            ["People of the source / Personnes de la source", "-invented, all", "some millions", "yes"],
            ["official id", "Number\nof the state / =NIR()", "national identification number (Art. 87)", "the state", "yes",
             "hidden", "HMAC", "cassandra:profiles.nir"],
            ["=cmd|' /C calc'!A0", "processor", "IE", "contracts/7; annex"],
            ["Acme Inc.", "US", "standard contractual clauses (Art. 46)", "https://acme.example/scc"],
            ["First and last name / Prénom et nom", "7 days from the record is sent, then erased", "", "Replay; no longer",
             "kafka:people", "retention of the topic"],
            ["Convictions / Condamnations", "not applicable: Courts keep them; we only look", "", "", "", ""],
            ["other", "no", 'Reasons are "read"\nonce a month', "minutes"],
            ["Lawful basis (Art. 6)", "(f) legitimate interests"],
            ["Data are kept as stated", "no"], ["If not, why", "=kafka:people keeps 9 days; 7 are stated"],
            ["Breaches that concern it", "2026-01, 2026-02"],
            ["Last change", '2026-05-06 07:08 UTC by officer: =first; "content"'], ["Version", "3 (published)"]):
        assert wanted in rows, wanted


def test_the_contents_lead_to_every_activity_and_nothing_leads_out() -> None:
    read = outline(PAGE)
    assert read.links == [f"#{entry.ref}" for entry in ENTRIES]
    assert read.ids == [entry.ref for entry in ENTRIES]
    assert "2026-07-08 09:10 UTC; 3 activities." in PAGE
    assert "default-src 'none'" in PAGE
    assert "@media print" in PAGE
    assert read.tags <= {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "nav", "h2", "ol", "li", "a",
                         "main", "article", "table", "thead", "tbody", "tr", "th", "td", "h3", "span", "ul", "br"}


@SLOW
@given(GENERATED, st.sampled_from(["<script>alert(1)</script>", "</style><img src=x onerror=y>", '" onload="x', "&lt;b&gt;",
                                   "]]>"]))
def test_no_text_is_taken_for_a_tag(entry: Entry, attack: str) -> None:
    entry = entry.model_copy(update={"activity": attack, "purpose": attack, "locations": (attack,),
                                     "not_applicable": {"dpo": attack, "items": attack}})
    made = page.html_page([version(entry)], {}, datetime(2026, 7, 8, tzinfo=UTC))
    read = outline(made)
    assert read.tags == read.tags & outline(PAGE).tags
    assert (read.links, read.ids) == ([f"#{entry.ref}"], [entry.ref])
    assert attack in read.headings
    assert [row for _, _, row in read.rows if attack in row]


def test_an_empty_register_is_a_page_too() -> None:
    assert "0 activities." in page.html_page([], {}, datetime(2026, 7, 8, tzinfo=UTC))
    assert dpv.document([])["dpv:hasProcess"] == []
    assert table.read(table.csv_text([])) == Imported((), ())
