"""The register as one page of HTML to read and to print: each item of Art. 30 stands under its letter.

The page needs nothing beside it: no script, no picture, no address that is followed. Every text is escaped.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from governance.register import Derived, Entry, Item, Role, Version
from governance.sheets.draft import shown, shown_list, shown_rows
from governance.sheets.ico_form import ART6, ART9, AUTOMATED, DPIA, RIGHTS
from governance.sheets.language import ENGLISH
from governance.sheets.rows import MEASURES, PARTIES, RECIPIENTS, TRANSFERS, Table, Texts

NARROW = """
@media screen and (max-width: 40rem) { article thead { display: none } article tr { display: block; padding: .4rem 0 }
  article td, article tbody th { display: block; border: 0 } article td[data-column]::before { content: attr(data-column) ": ";
  font-weight: 600 } article tr { border-bottom: 1px solid #b4b4b4 } }
"""
"""On a phone a row stands as lines, each with the name of its column, for no screen of that width holds eight columns."""

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } h2 { border-bottom: 2px solid #1f3864; padding-bottom: .2rem; margin-top: 3rem }
h3 { margin: 1.5rem 0 .4rem; font-size: 1rem } .article { color: #1f3864; font-weight: normal }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 } caption { text-align: left; font-style: italic }
th, td { border: 1px solid #b4b4b4; padding: .25rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eef2f8; overflow-wrap: normal } nav li { margin: .2rem 0 } .none { color: #595959; font-style: italic }
@media print { @page { size: A4 landscape; margin: 15mm } body { margin: 0; max-width: none; font-size: 9pt }
  article { break-before: page } tr, h3 { break-inside: avoid } h2, h3 { break-after: avoid }
  thead { display: table-header-group } a { color: inherit; text-decoration: none } }
"""

_PARTY = {"name": "Name", "address": "Address", "postcode": "Postcode", "town": "Town", "country": "Country", "email": "E-mail",
          "phone": "Telephone", "contact": "Contact", "arrangement": "Arrangement (Art. 26)"}
_RECIPIENT = {"name": "Recipient", "kind": "Kind", "country": "Country", "contract": "Contract (Art. 28)"}
_TRANSFER = {"recipient": "Recipient", "country": "Country", "mechanism": "Safeguard", "document": "Document"}
_MEASURE = {"kind": "Kind", "technical": "Technical", "detail": "Measure", "evidence": "Evidence"}


def html_page(versions: Sequence[Version], derived: Mapping[str, Derived], made: datetime) -> str:
    """The page. derived: by ref. made: when, with its time zone; shown in UTC."""
    when = made.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    listed = "".join(f'<li><a href="#{escape(one.entry.ref)}">{_text(one.entry.activity or one.entry.ref)}</a> '
                     f"({_text(one.entry.ref)}, {_text(ENGLISH.said(one.entry.role))})</li>" for one in versions)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Record of processing activities</title>\n<style>{_STYLE}{NARROW}</style>\n</head>\n<body>\n<header>\n"
        f"<h1>Record of processing activities</h1>\n<p>Art. 30 GDPR. Made on {when}; {len(versions)} "
        f'{"activity" if len(versions) == 1 else "activities"}.</p>\n</header>\n'
        f'<nav aria-label="Contents">\n<h2>Contents</h2>\n<ol>{listed}</ol>\n</nav>\n<main>\n'
        + "\n".join(article(one, derived.get(one.entry.ref)) for one in versions) + "\n</main>\n</body>\n</html>\n")


def article(version: Version, found: Derived | None) -> str:
    """One version as HTML, each item under its letter of Art. 30; everything in it is escaped."""
    one = version.entry
    about = {"Reference": one.ref, "Version": f"{version.n} ({version.state.value})",
             "Last change": f"{version.at.astimezone(UTC):%Y-%m-%d %H:%M UTC} by {version.by}: {version.why}",
             "Register": ENGLISH.said(one.role), "Department": shown(one, "department", ENGLISH),
             "Software": "\n".join(shown_list(one, "software", ENGLISH)), "Begun": ENGLISH.said(one.created),
             "Reviewed": shown(one, "reviewed", ENGLISH), "Next review": shown(one, "next_review", ENGLISH)}
    items = _controller(one) if one.role is Role.CONTROLLER else _processor(one)
    parts = [f"<h3>{_text(title)} <span class=\"article\">{article}</span></h3>\n{body}" for article, title, body in items]
    return (f'<article id="{escape(one.ref)}">\n<h2>{_text(one.activity or one.ref)}</h2>\n{_pairs(about)}\n'
            + "\n".join(parts) + f"\n<h3>Beside Art. 30</h3>\n{_pairs(_beside(one, found))}\n</article>")


def _controller(one: Entry) -> Iterator[tuple[str, str, str]]:
    """Article, title and body of each item of Art. 30(1)."""
    parties = {"controller": "Controller", "joint_controllers": "Joint controllers", "representative": "Representative",
               "dpo": "Data protection officer"}
    yield "Art. 30(1)(a)", "Names and contact details", _parties(one, parties)
    yield "Art. 30(1)(b)", "Purposes", _purposes(one)
    yield "Art. 30(1)(c)", "Categories of data subjects and of personal data", _subjects(one) + _items(one)
    yield "Art. 30(1)(d)", "Recipients", _table(one, "recipients", RECIPIENTS, _RECIPIENT)
    yield "Art. 30(1)(e)", "Transfers to third countries or international organisations", _table(
        one, "transfers", TRANSFERS, _TRANSFER)
    yield "Art. 30(1)(f)", "Time limits for erasure", _retention(one)
    yield "Art. 30(1)(g)", "Security measures", _table(one, "measures", MEASURES, _MEASURE)


def _processor(one: Entry) -> Iterator[tuple[str, str, str]]:
    """Article, title and body of each item of Art. 30(2), then what else the entry says."""
    parties = {"processor": "Processor", "controller": "Controller on whose behalf", "representative": "Representative",
               "dpo": "Data protection officer"}
    yield "Art. 30(2)(a)", "Names and contact details", _parties(one, parties)
    yield "Art. 30(2)(b)", "Categories of processing", _purposes(one)
    yield "Art. 30(2)(c)", "Transfers to third countries or international organisations", _table(
        one, "transfers", TRANSFERS, _TRANSFER)
    yield "Art. 30(2)(d)", "Security measures", _table(one, "measures", MEASURES, _MEASURE)
    yield "(not asked of a processor)", "People, data and recipients", (
        _subjects(one) + _items(one) + _retention(one) + _table(one, "recipients", RECIPIENTS, _RECIPIENT))


def _parties(one: Entry, parties: Mapping[str, str]) -> str:
    rows = [{"role": title, **row} for field, title in parties.items() for row in shown_rows(one, field, PARTIES, ENGLISH)]
    return _rows(rows, {"role": "Role", **_PARTY})


def _purposes(one: Entry) -> str:
    texts = [shown(one, "purpose", ENGLISH), *one.sub_purposes]
    return "<ul>" + "".join(f"<li>{_text(text)}</li>" for text in texts) + "</ul>"


def _subjects(one: Entry) -> str:
    rows = [{"name": f"{each.name_en} / {each.name_fr}", "detail": ENGLISH.said(each.detail),
             "volume": ENGLISH.said(each.volume), "minors": ENGLISH.said(each.minors)} for each in one.subjects]
    return _rows(rows, {"name": "People", "detail": "Description", "volume": "How many", "minors": "Minors among them"}
                 ) if rows else _absent(one, "subjects")


def _items(one: Entry) -> str:
    rows = [{"category": ENGLISH.said(each.category), "label": _label(each),
             "nature": "\n".join(words for flag, words in ENGLISH.natures.items() if getattr(each, flag)) or ENGLISH.ordinary,
             "source": ENGLISH.said(each.source), "mandatory": ENGLISH.said(each.mandatory), "mask": ENGLISH.said(each.mask),
             "protection": "\n".join(filter(None, [each.minimisation, each.pseudonymisation, each.encryption])),
             "places": "\n".join(each.places)} for each in one.items]
    return _rows(rows, {"category": "Category", "label": "Data", "nature": "Nature", "source": "Source",
                        "mandatory": "Mandatory", "mask": "Mask", "protection": "Minimised, pseudonymised, encrypted",
                        "places": "Where it stands"}) if rows else _absent(one, "items")


def _retention(one: Entry) -> str:
    none = [{"said": ENGLISH.absent(one.because("retention"))}]
    rows = [{"label": _label(item), **row} for item in one.items for row in [
        {"said": each.said, "criteria": each.criteria, "reason": each.reason, "place": each.place,
         "enforced": ENGLISH.said(each.enforced_by)} for each in item.retention] or none]
    return _rows(rows, {"label": "Data", "said": "Kept", "criteria": "Criteria", "reason": "Reason", "place": "Where",
                        "enforced": "Enforced by"}) if rows else _absent(one, "items")


def _label(item: Item) -> str:
    return f"{item.label_en} / {item.label_fr}"


def _beside(one: Entry, found: Derived | None) -> dict[str, str]:
    automated = shown_rows(one, "automated", AUTOMATED, ENGLISH)[0]
    dpia = shown_rows(one, "dpia", DPIA, ENGLISH)[0]
    rights = "\n".join(f"Article {right} ({RIGHTS[right]})" if right in RIGHTS else right
                       for right in shown_list(one, "rights", ENGLISH))
    adheres = None if found is None else found.adheres
    return {
        "Lawful basis (Art. 6)": f"({one.art6}) {ART6[one.art6]}" if one.art6 else shown(one, "art6", ENGLISH),
        "Why this basis": shown(one, "art6_justification", ENGLISH),
        "Legitimate interest": shown(one, "legitimate_interest", ENGLISH),
        "Assessment of it": shown(one, "lia_link", ENGLISH), "Record of consent": shown(one, "consent_link", ENGLISH),
        "Condition of Art. 9": f"({one.art9}) {ART9[one.art9]}" if one.art9 else shown(one, "art9", ENGLISH),
        "Condition of Schedule 1, DPA 2018": shown(one, "schedule1", ENGLISH), "Rights": rights,
        "How to exercise them": shown(one, "rights_channel", ENGLISH),
        "Privacy notice": shown(one, "privacy_notice_link", ENGLISH),
        "Automated decisions (Art. 22)": "\n".join(text for text in automated.values() if text != ENGLISH.not_stated),
        "Impact assessment required (Art. 35)": dpia["required"],
        "Its state": dpia["status"] or ENGLISH.not_stated, "Its place": dpia["link"] or ENGLISH.not_stated,
        "Its criteria": ", ".join(one.dpia.criteria) if one.dpia else "",
        "Locations": "\n".join(shown_list(one, "locations", ENGLISH)),
        "Policy of retention and erasure": shown(one, "retention_policy_link", ENGLISH),
        "Data are kept as stated": "not measured" if adheres is None else ENGLISH.said(adheres),
        "If not, why": found.reasons if found else "",
        "Breaches that concern it": "not known" if found is None else ", ".join(found.breaches) or ENGLISH.none}


def _absent(one: Entry, field: str) -> str:
    return f'<p class="none">{_text(ENGLISH.absent(one.because(field)))}</p>'


def _table(one: Entry, field: str, table: Table, headings: Mapping[str, str]) -> str:
    return _rows(shown_rows(one, field, table, ENGLISH), headings) if getattr(one, field) else _absent(one, field)


def _rows(rows: Sequence[Texts], headings: Mapping[str, str]) -> str:
    head = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in headings.values())
    body = "".join("<tr>" + "".join(f'<td data-column="{escape(heading)}">{_text(row.get(column, ""))}</td>'
                                    for column, heading in headings.items()) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _pairs(pairs: Mapping[str, str]) -> str:
    """Titles and texts; a text that is empty has no row."""
    rows = "".join(f'<tr><th scope="row">{_text(title)}</th><td>{_text(text)}</td></tr>'
                   for title, text in pairs.items() if text)
    return f"<table><tbody>{rows}</tbody></table>"


def _text(text: str) -> str:
    """A text as HTML; characters that HTML has no place for are shown as what they are."""
    printable = "".join(one if one >= " " or one in "\n\t" else f"\\x{ord(one):02x}" for one in text)
    return escape(printable).replace("\n", "<br>")
