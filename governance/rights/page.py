"""A package as one page of HTML for the person it is about: what is held, where, why, for how long, who gets it.

Nothing beside it is needed: no script, no picture, no address that is followed. Every text is escaped.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from typing import Any

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } h2 { border-bottom: 2px solid #1f3864; padding-bottom: .2rem; margin-top: 2.5rem }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 } caption { text-align: left; font-style: italic }
th, td { border: 1px solid #b4b4b4; padding: .25rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eef2f8; width: 16rem } .none { color: #595959; font-style: italic }
@media screen and (max-width: 40rem) { tr, th, td { display: block; width: auto } }
@media print { body { margin: 0; max-width: none; font-size: 9pt } tr { break-inside: avoid } }
"""

_SECTIONS = (
    ("profile", "Your profile", "The row that the product works with. Sealed columns are opened here."),
    ("marker", "Marks", "What earlier requests of yours keep in force, and what was corrected."),
    ("counted_in", "Figures you are one of", "Counts hold nobody; you are one of those who are counted here."),
    ("records", "Records as they came", "What the source sent, as long as the topic keeps it."),
    ("dead_letters", "Records that could not be used", "Kept sealed for a while, so that they can be mended."),
    ("commands", "What was commanded about you", "By requests of yours, or when a time limit was over."),
    ("audit", "What was done about you", "From the audit; who did it is not about you and left out."),
    ("kept_by_the_officer", "Files that speak of you", 
     "Your requests, with what you said in them; of breaches and the like, which may be about others, too, the names."),
    ("processing", "Why, for how long, for whom", "From the register of processing activities (Art. 15(1) GDPR)."))
"""Key of the JSON -> heading and what it is."""


def page(held: Mapping[str, Any], made: datetime) -> str:
    """The page. held: as `person.json` has it; made: in UTC."""
    body = "\n".join(_section(held.get(key), title, told) for key, title, told in _SECTIONS)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>What is held of you</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>What is held of you</h1>\n"
        f"<p>Number {escape(str(held['uuid']))}, request {escape(str(held['request']))}, made on "
        f"{made:%Y-%m-%d %H:%M} UTC. The same stands in <code>person.json</code>, for programs.</p>\n"
        "<p>You may ask for a correction, an erasure or a restriction, object, and complain to a supervisory authority.</p>\n"
        f"{body}\n</main>\n</body>\n</html>\n")


def _section(value: Any, title: str, told: str) -> str:
    parts = [value] if isinstance(value, Mapping) else list(value or ())
    inner = "\n".join(_table(one) for one in parts) or '<p class="none">Nothing is held.</p>'
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(told)}</p>\n{inner}\n</section>"


def _table(one: Any) -> str:
    lines = "".join(f'<tr><th scope="row">{escape(path)}</th><td>{escape(text)}</td></tr>' for path, text in _lines(one, ""))
    return f"<table>{lines}</table>"


def _lines(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _lines(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(inner, Mapping | list) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _lines(inner, f"{path} {number}".strip())
    elif isinstance(value, list):
        yield path, ", ".join(map(str, value))
    elif value is not None and value != "":
        yield path, str(value)
