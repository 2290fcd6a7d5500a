"""A letter as one page of HTML that needs nothing else: no script, no font, no picture, nothing fetched.

Whatever a breach or a request says is escaped in one place (`text_of`).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape

from governance.clocks import in_utc
from governance.register import Party

OPEN = "Not known yet"
"""What stands where something is not said."""

Value = str | Sequence[str]
Row = tuple[str, Value]
Section = tuple[str, Sequence[Row]]

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")    # strftime would follow the locale of the machine
_STYLE = """
:root { color-scheme: light; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; background: #fff; color: #16232b;
  font: 11pt/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 17pt; line-height: 1.25; } h2 { font-size: 12.5pt; margin: 1.6em 0 .3em; break-after: avoid; }
table { width: 100%; margin-top: .6em; border-collapse: collapse; } tr { break-inside: avoid; }
th, td { padding: .35em .5em; border-top: 1px solid #9fb0b5; text-align: left; vertical-align: top; white-space: pre-line; }
th { width: 34%; font-weight: 600; } p, div, li { white-space: pre-line; } ul { margin: 0; padding-left: 1.2em; }
aside { padding: .6em 1em; border: 2px solid #a3202b; }
@page { margin: 20mm; } @media print { body { margin: 0; max-width: none; padding: 0; } }
"""


def day_of(at: date) -> str:
    """`29 March 2026`; of a moment its day in UTC."""
    at = in_utc(at) if isinstance(at, datetime) else at
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def party_lines(party: Party | None) -> str:
    """A line each: the name, whom to ask, and every way to reach them."""
    if not party:
        return OPEN
    town = " ".join(part for part in (party.postcode, party.town) if part)
    lines = (party.name, party.contact, party.address, town, party.country, party.email, party.phone)
    return "\n".join(line for line in lines if line)


def text_of(value: Value) -> str:
    """A value as HTML: the only place where something becomes HTML, so the only one that has to escape."""
    if isinstance(value, str):
        return escape(value or OPEN)
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in value)}</ul>" if value else OPEN


def page(title: str, sections: Iterable[Section], lead: str = "", draft: Sequence[str] = ()) -> str:
    """The page. A section without a heading begins it; a row without a label is a paragraph."""
    body = ""
    for heading, rows in sections:
        body += f"<h2>{text_of(heading)}</h2>\n" if heading else ""
        body += "".join(f"<div>{text_of(value)}</div>\n" for label, value in rows if not label)
        lines = "".join(f'<tr><th scope="row">{text_of(label)}</th><td>{text_of(value)}</td></tr>\n'
                        for label, value in rows if label)
        body += f"<table>\n{lines}</table>\n" if lines else ""
    warning = f"<aside><strong>Draft, not to be sent yet</strong>{text_of(draft)}</aside>\n" if draft else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text_of(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{text_of(title)}</h1>
{warning}{f'<p>{text_of(lead)}</p>' if lead else ''}
{body}</body>
</html>
"""
