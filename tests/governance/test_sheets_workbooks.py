"""Workbooks from outside: none of them brings anything but entries or a sentence; and no cell of ours is a formula."""

import io
import random
import re
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import date, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from governance.register import Derived, Entry, Measure, MeasureKind
from governance.sheets import book, cnil, ico
from governance.sheets.book import escaped, name_of_sheet, opened, unescaped
from governance.sheets.draft import free_ref
from governance.sheets.imported import Imported, NotASheet, TooLong, shortened
from governance.sheets.lines import Record, listed, parsed, unlisted, written
from tests.governance.activities import ACCOUNTS, DERIVED, KNOWN, STREAM, VERSIONS, version
from tests.governance.workbooks import sheets

Read = Callable[[bytes, Mapping[str, Entry]], Imported]

READERS = pytest.mark.parametrize("read", [cnil.read, ico.read], ids=["cnil", "ico"])
EXPORTS = {"cnil": cnil.workbook(VERSIONS, DERIVED), "ico": ico.workbook(VERSIONS, DERIVED)}
BOTH = pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)


def parts(content: bytes) -> dict[str, bytes]:
    """File -> its bytes, of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return made.getvalue()


@BOTH
def test_no_cell_is_a_formula_an_error_or_a_link(export: bytes) -> None:
    files = parts(export)
    grids = [data.decode() for name, data in files.items() if name.startswith("xl/worksheets/")]
    assert sum(grid.count("=1+1") for grid in grids) >= 1
    for grid in grids:
        assert "<f" not in grid.replace("<formula", "")
        assert set(re.findall(r'<c [^>]*t="(\w+)"', grid)) == {"inlineStr"}
    assert not any("externalLink" in name or "hyperlink" in name.lower() for name in files)


@BOTH
def test_cells_that_begin_like_a_formula_stay_text_when_they_are_edited(export: bytes) -> None:
    files = parts(export)
    styles = re.findall(r"<xf [^>]*>", files["xl/styles.xml"].decode().split("<cellXfs")[1].split("</cellXfs")[0])
    seen = 0
    for name, data in files.items():
        if name.startswith("xl/worksheets/"):
            for style, text in re.findall(r'<c r="\w+" s="(\d+)" t="inlineStr"><is><t[^>]*>([^<]*)', data.decode()):
                quoted = 'quotePrefix="1"' in styles[int(style)]
                assert quoted == text.startswith(("=", "+", "-", "@")), text
                assert 'numFmtId="49"' in styles[int(style)], text      # 49: text
                seen += quoted
    assert seen >= 4


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "TRUE", "12", "1e5", "2026-01-01", "  x", "'x", "\x07", "a\r\nb",
                                  "\x0b", "\ufffe", "_x0041_", "_x005F_x0041_", "_x0041\x07", "_x0041_x0042_", "\x00"])
def test_other_libraries_read_the_text_that_was_written(text: str) -> None:
    made = Workbook()
    book.put(made.worksheets[0], 1, 1, text)
    content = book.saved(made, "t")
    if text not in ("  x", "\ufffe"):             # calamine cuts blanks off, and has no letter for U+FFFE
        assert CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python() == [[text]]
    assert opened(content)[0].rows[0][0].text == text


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("_x0041AaFf\x07", max_size=20))
@example("_x0041\x07")
def test_escaping_is_undone(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not re.search("[\x00-\x08\x0b-\x1f\ufffe\uffff]", escaped(text))


def test_a_text_that_no_cell_takes_is_refused_not_cut() -> None:
    long = STREAM.model_copy(update={"purpose": "é" * 32_768})
    for module in (cnil, ico):
        with pytest.raises(TooLong, match=r"has more than the 32,767 characters .* export as CSV or HTML"):
            module.workbook([version(long)], {})
        fits = ACCOUNTS.model_copy(update={"purpose": "é" * 32_767})
        assert module.read(module.workbook([version(fits)], {}), {fits.ref: fits}).entries == (fits,)
    with pytest.raises(TooLong):
        ico.workbook([version(STREAM.model_copy(update={"purpose": "𝄞" * 16_384}))], {})
    with pytest.raises(TooLong):                                # what a formula is known by is no way around
        ico.workbook([version(STREAM)], {STREAM.ref: Derived((), False, "x" * 40_000)})


def test_names_of_sheets_are_such_as_excel_takes() -> None:
    assert name_of_sheet("a" * 60, []) == "a" * 31
    assert name_of_sheet("a" * 60, ["A" * 31]) == "a" * 29 + "~2"
    assert name_of_sheet("a" * 60, ["a" * 31, "a" * 29 + "~2"]) == "a" * 29 + "~3"
    assert name_of_sheet("REF", ["ref"]) == "REF~2"
    assert name_of_sheet("'a/b[1]:*?\\'", []) == "a-b-1-----"
    twins = [version(ACCOUNTS.model_copy(update={"ref": "a" * 40 + end})) for end in ("b", "c", "d")]
    content = cnil.workbook(twins, {})
    assert len({name.casefold() for name in sheets(content)}) == 4
    known = {each.entry.ref: each.entry for each in twins}
    assert cnil.read(content, known).entries == tuple(known.values())
    front = ACCOUNTS.model_copy(update={"ref": "registre"})       # as the front page is called
    assert cnil.read(cnil.workbook([version(front)], {}), {"registre": front}).entries == (front,)


def test_a_reference_that_is_missing_is_made_of_the_name() -> None:
    assert free_ref("Hébergement & Œuvres (n° 2)", ["x"]) == "hebergement-oeuvres-n-2"
    assert free_ref("Staff", ["staff", "staff-2"]) == "staff-3"
    assert [free_ref(text, []) for text in ("", "给", "a", "-")] == ["new-activity"] * 4
    assert free_ref("a" * 300, ["a" * 50]) == "a" * 50 + "-2"


def test_an_empty_register_is_a_workbook_too() -> None:
    assert list(sheets(cnil.workbook([], {}))) == ["Registre"]
    assert ico.read(ico.workbook([], {}), {}) == Imported((), ())
    with pytest.raises(NotASheet, match="No sheet of this workbook has a cell 'N°/REF'"):
        cnil.read(cnil.workbook([], {}), {})


@READERS
@pytest.mark.parametrize(("content", "advice"), [
    (b"", "no XLSX workbook"),
    (b"ref,activity\r\n", "no XLSX workbook"),
    (b"PK\x03\x04", "no XLSX workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old XLS workbook or one with a password"),
    (packed({"mimetype": b"", "content.xml": b"<office/>"}), "OpenDocument file. Open it and save it as XLSX"),
    (packed({"a.txt": b"x"}), "damaged"),
    (packed({"a.txt": b"x"}, zipfile.ZIP_BZIP2), "packed in a way that XLSX does not know"),
    (packed({f"{number}.txt": b"" for number in range(1_001)}), "more than 1,000 files"),
    (packed({"a.xml": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}), "defines XML entities"),
    (packed({"a.xml": "<!DOCTYPE a><a/>".encode("utf-16")}), "defines XML entities"),
    (packed({"xl/workbook.xml": bytes(20_000_001)}), "more than 20 MB when it is unpacked"),
    (bytes(20_000_001), "more than 20 MB when it is unpacked")])
def test_what_is_no_workbook_ends_in_a_sentence_that_says_what_to_do(read: Read, content: bytes, advice: str) -> None:
    with pytest.raises(NotASheet, match=re.escape(advice)) as refused:
        read(content, KNOWN)
    assert str(refused.value).endswith(".")
    assert refused.value.__cause__ is None


@READERS
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")     # what zipfile says of it while the test makes it
def test_two_files_of_one_name_are_refused(read: Read) -> None:
    made = io.BytesIO(EXPORTS["ico"])
    with zipfile.ZipFile(made, "a") as target:
        target.writestr("xl/workbook.xml", b"<other/>")
    with pytest.raises(NotASheet, match="two of the same name"):
        read(made.getvalue(), KNOWN)


@READERS
def test_a_size_that_is_a_lie_gains_nothing(read: Read) -> None:
    """A file of 50 MB that says it has 10 bytes, and a checksum of these: it is unpacked piece by piece, no further."""
    content = bytearray(packed({"xl/workbook.xml": bytes(50_000_000)}))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 16:entry + 20] = zlib.crc32(bytes(10)).to_bytes(4, "little")
    content[entry + 24:entry + 28] = (10).to_bytes(4, "little")
    tracemalloc.start()
    try:
        with pytest.raises(NotASheet, match="damaged"):
            read(bytes(content), KNOWN)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@READERS
def test_a_workbook_of_something_else_is_told(read: Read) -> None:
    made = Workbook()
    made.worksheets[0].append(["Name", "Sum"])
    content = io.BytesIO()
    made.save(content)
    with pytest.raises(NotASheet, match=r"No sheet of this workbook has .* Start from the (CNIL|ICO) export"):
        read(content.getvalue(), KNOWN)


@READERS
@pytest.mark.parametrize("last", [5_001, 1_048_576])
def test_sheets_without_an_end_are_refused(read: Read, last: int) -> None:
    made = Workbook()
    made.worksheets[0].cell(last, 16_384, "x")
    content = io.BytesIO()
    made.save(content)
    with pytest.raises(NotASheet, match=r"has more than 5,000 rows\. Remove those below the register"):
        read(content.getvalue(), KNOWN)
    far = packed({name: data.replace(b'r="1048576"', b'r="999999999"') for name, data in parts(content.getvalue()).items()})
    with pytest.raises(NotASheet, match="has more than 5,000 rows"):
        read(far, KNOWN)


@pytest.mark.parametrize("kind", EXPORTS)
def test_broken_copies_bring_entries_or_a_sentence_and_nothing_else(kind: str) -> None:
    read: Read = {"cnil": cnil.read, "ico": ico.read}[kind]
    dice = random.Random(7)
    files, ends = parts(EXPORTS[kind]), {"entries": 0, "refused": 0}
    for _ in range(120):
        name = dice.choice([name for name in files if "theme" not in name])
        data = bytearray(files[name])
        match dice.randrange(4):
            case 0:
                del data[dice.randrange(len(data)):]
            case 1:
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            case 2:
                at = dice.randrange(len(data))
                data[at:at + dice.randrange(40)] = dice.randbytes(dice.randrange(40))
            case _:
                at = dice.randrange(len(data))
                data[at:at] = dice.choice([b"<c/>", b'<c r="ZZZ1"/>', b'<c t="s"><v>9</v></c>', b"&#0;", b'<row r="-1"/>',
                                           b"</row>", b"\xff", b'<c t="d"><v>x</v></c>', b'<c t="n"><v>1e999</v></c>'])
        broken = packed({**files, name: bytes(data)})
        try:
            assert isinstance(read(broken, KNOWN), Imported)
            ends["entries"] += 1
        except NotASheet:
            ends["refused"] += 1
    assert min(ends.values()) > 5, ends


@READERS
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused(read: Read, content: bytes) -> None:
    with pytest.raises(NotASheet):
        read(content, KNOWN)


def test_numbers_and_days_that_excel_made_of_a_text_are_read() -> None:
    made = Workbook()
    made.worksheets[0].append([75005, 1.0, 1.5, datetime(2026, 3, 4, 5, 6), date(2026, 3, 4), True, None])
    content = io.BytesIO()
    made.save(content)
    assert [seen.text for seen in opened(content.getvalue())[0].rows[0]][:7] == [
        "75005", "1", "1.5", "2026-03-04", "2026-03-04", "True", ""]
    others = {name: data.replace(b"<v>1.5</v>", b"<v>75005.0</v>") for name, data in parts(content.getvalue()).items()}
    assert opened(packed(others))[0].rows[0][2].text == "75005"


# --- lines of a cell

LABELS = {"detail": "", "kind": "Kind", "where": "Where"}
ANY = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(ANY, min_size=1, max_size=12).map(str.strip).filter(bool) | st.sampled_from(
    ["1. x", "Kind: x", "   Kind: x", "a\nb", "a\n\nb", "a\n1. b", "a\n   Kind: c", "a\n      b"])


@given(st.lists(st.fixed_dictionaries({"detail": TEXTS}, optional={"kind": TEXTS, "where": TEXTS}), max_size=4))
def test_numbered_lines_are_read_back(things: list[dict[str, str]]) -> None:
    records = [Record(number, texts) for number, texts in enumerate(things, 1)]
    assert parsed(written(records, LABELS), LABELS) == records
    texts = [thing["detail"] for thing in things]
    assert unlisted(listed(texts)) == texts


def test_lines_that_people_write_are_understood() -> None:
    assert parsed("Locks\n\n  kind: other\n2. Keys\nwhere:cellar", LABELS) == [
        Record(None, {"detail": "Locks", "kind": "other"}), Record(2, {"detail": "Keys", "where": "cellar"})]
    assert parsed("1 High Street\nOld Town\n   Kind: x", LABELS, numbered=False) == [
        Record(None, {"detail": "1 High Street\nOld Town", "kind": "x"})]


def test_messages_quote_no_more_than_a_glance() -> None:
    assert shortened("a\nb" + "c" * 60) == '"a b' + "c" * 36 + '…"'
    measure = Measure(kind=MeasureKind.OTHER, technical=True, detail="d", evidence="e")
    assert shortened(measure.detail) == '"d"'
