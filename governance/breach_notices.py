"""The letters about a breach: to the authority (Art. 33(3) GDPR), to a controller (Art. 33(2)), to people (Art. 34(2)).

Each is one page of HTML that needs nothing else: no script, no font, no picture, nothing fetched. Whatever a breach says is
escaped in one place (`_text`). Times are in UTC and say so.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

from governance.breaches import Breach, Concerned, Controller, Exemption, Risk, clock, undescribed
from governance.clocks import Clock, in_utc
from governance.register import Party, Role

OPEN = "Not known yet"
"""What stands where something is not said."""

Value = str | Sequence[str]
Row = tuple[str, Value]
Section = tuple[str, Sequence[Row]]

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")    # strftime would follow the locale of the machine
_RISKS = {Risk.UNLIKELY: "Unlikely to result in a risk", Risk.RISK: "Likely to result in a risk",
          Risk.HIGH: "Likely to result in a high risk"}
_EXEMPTIONS = {
    Exemption.ENCRYPTED: "The data cannot be read by anybody who is not authorised (Art. 34(3)(a))",
    Exemption.MITIGATED: "Measures taken since make a high risk no longer likely (Art. 34(3)(b))",
    Exemption.DISPROPORTIONATE: "Telling each would take disproportionate effort; there is a public communication instead "
                                "(Art. 34(3)(c))"}
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


class NoSuchNotice(ValueError):
    """This breach has no such letter; the message says who writes it, or to whom."""


def to_authority(known: Breach, hours: int, now: datetime) -> str:
    """The notification of Art. 33(1) as an HTML page: every item of Art. 33(3) under its letter.

    It is as of `now` (with a zone, else ValueError); hours: to notify, from awareness. When late it gives the reasons for
    the delay. After a first notification, or while something is not known, it is a phase of Art. 33(4): it lists what was
    told before and what will follow. Raises NoSuchNotice for a processor's breach.
    """
    if known.role is not Role.CONTROLLER:
        raise NoSuchNotice(f"{known.ref} is a processor's breach: each controller is notified (Art. 33(2)), who notifies the "
                           "authority")
    follows = [_sentence(clause) for _, clause in undescribed(known)]
    limit = Clock(clock(known, hours).due, known.notified_at)
    sections: list[Section] = [
        ("", [("To", known.authority), ("From", _party(known.organisation)), ("Date", _at(now)), ("Our reference", known.ref),
              ("Breach", known.title),
              *([("Phase (Art. 33(4))", f"Phase {len(known.phases) + 1}")] if known.phases or follows else []),
              ("Register entries", known.activities or "None stated"),
              ("Other countries whose people are concerned", known.cross_border or "None")]),
        ("Times", [*_times(known), (f"{hours} hours end", _at(limit.due)),
                   ("First notified", _at(known.notified_at) if known.notified_at else "With this letter")])]
    if limit.late(now):
        sections.append(("Delay (Art. 33(1))", [("Late by", _length(-limit.left(now))),
                                                ("Reasons for the delay", known.late_because)]))
    sections += [*_items(known), ("Risk, and telling the people (Art. 34)", _decision(known))]
    if known.phases:
        sections.append(("Told since the first notification (Art. 33(4))", [(_at(one.at), one.what) for one in known.phases]))
    if follows:
        sections.append(("To follow without undue further delay (Art. 33(4))", [("Open", follows)]))
    return _page("Notification of a personal data breach (Art. 33 GDPR)", sections)


def to_controller(known: Breach, controller: Controller) -> str:
    """A processor's notice to one of its controllers (Art. 33(2)) as an HTML page, with what is known of Art. 33(3).

    It names no other controller, and no entry of our own register. controller: one of known.controllers. Raises
    NoSuchNotice for another one, and for a controller's own breach.
    """
    if known.role is not Role.PROCESSOR:
        raise NoSuchNotice(f"{known.ref} is a controller's breach: the authority is notified (Art. 33(1))")
    if controller not in known.controllers:
        raise NoSuchNotice(f"{controller.party.name} is no controller of {known.ref}; it has "
                           f"{', '.join(one.party.name for one in known.controllers) or 'none yet'}")
    follows = [_sentence(clause) for _, clause in undescribed(known)]
    sections: list[Section] = [
        ("", [("To", _party(controller.party)), ("From", _party(known.organisation)), ("Our reference", known.ref),
              ("Breach", known.title),
              ("Notified", _at(controller.notified_at) if controller.notified_at else "With this letter")]),
        ("Times", _times(known)), *_items(known)]
    if follows:
        sections.append(("To follow without undue further delay", [("Open", follows)]))
    return _page("Notice of a personal data breach to the controller (Art. 33(2) GDPR)", sections, lead=(
        "We process personal data on your behalf, and there was a breach of them. Whether the authority and the people "
        "concerned must be told is for you to decide (Art. 33(1) and 34 GDPR): you count as aware from when this reaches you. "
        "People and records are counted over everything that was breached."))


def to_people(known: Breach) -> str:
    """What people are told (Art. 34(2)) as an HTML page in plain language: what happened, whom to ask, what it can mean for
    them, what was and will be done, and what they can do.

    It holds nothing of our own work: no title, reference, cause, register entry, lesson. While something that the law asks
    is missing it is headed as a draft and says what. Raises NoSuchNotice for a processor's breach.
    """
    if known.role is not Role.CONTROLLER:
        raise NoSuchNotice(f"{known.ref} is a processor's breach: the controllers tell the people (Art. 34(1))")
    draft = [*([] if known.people.to_tell else ["It is not decided that people are told (Art. 34(1))."]),
             *([] if known.people.text else ["What happened is not yet said in plain language (Art. 34(2))."]),
             *(_sentence(f"{clause} (Art. 34(2))") for letter, clause in undescribed(known) if letter != "a")]
    happened: list[Row] = [("", known.people.text or known.nature)]
    happened += [("When", _span(known))] if known.occurred_from else []
    happened += [("Which data", known.records.categories)] if known.records.categories else []
    sections: list[Section] = [("What happened", happened), ("What this can mean for you", [("", known.consequences)])]
    for heading, lines in (("What we have done", known.measures_taken), ("What we are going to do", known.measures_proposed),
                           ("What you can do", known.people.advice)):
        sections += [(heading, [("", lines)])] if lines else []
    sections.append(("Whom you can ask", [("", _party(known.contact))]))
    return _page("About your personal data", sections, draft=draft, lead=(
        f"{known.organisation.name if known.organisation else 'We'} must tell you of a breach of security that concerns "
        "personal data about you."))


def _items(known: Breach) -> list[Section]:
    """Art. 33(3), letter by letter."""
    return [
        ("(a) Nature of the breach (Art. 33(3)(a))", [
            ("What was breached", tuple(known.kinds)), ("What happened", known.nature), ("Cause", known.cause),
            ("Origin", known.origin.capitalize()), ("Categories of people", known.subjects.categories),
            ("Approximate number of people", _number(known.subjects)), ("Categories of records", known.records.categories),
            ("Approximate number of records", _number(known.records))]),
        ("(b) Where to ask (Art. 33(3)(b))", [("Data protection officer or contact point", _party(known.contact))]),
        ("(c) Likely consequences (Art. 33(3)(c))", [("Likely consequences", known.consequences)]),
        ("(d) Measures (Art. 33(3)(d))", [("Taken", known.measures_taken or "None stated"),
                                          ("Proposed", known.measures_proposed or "None stated")])]


def _times(known: Breach) -> list[Row]:
    return [("Occurred from", _at(known.occurred_from)), ("Occurred until", _at(known.occurred_to)),
            ("Detected", _at(known.detected_at)), ("Aware of it", _at(known.aware_at))]


def _decision(known: Breach) -> list[Row]:
    """Art. 34, as the authority asks for it."""
    people = known.people
    told = {True: "Yes", False: "No", None: "Not decided yet"}[people.needed]
    rows: list[Row] = [("Risk to people", _RISKS[known.risk] if known.risk else "Not assessed yet"), ("People are told", told)]
    if people.exemption:
        rows.append(("Why not each", _EXEMPTIONS[people.exemption]))
    if people.exemption or people.reason:
        rows.append(("Reason", people.reason))
    if people.to_tell:
        rows += [("Told", _at(people.informed_at) if people.informed_at else "Not yet"), ("What they are told", people.text)]
    return rows


def _at(at: datetime | None) -> str:
    """`29 March 2026, 01:30 UTC`."""
    return f"{_day(at)}, {in_utc(at):%H:%M} UTC" if at else OPEN


def _day(at: datetime) -> str:
    at = in_utc(at)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def _span(known: Breach) -> str:
    begin, end = known.occurred_from, known.occurred_to
    if not begin:
        return OPEN
    if not end:
        return f"From {_day(begin)}"
    return _day(begin) if _day(begin) == _day(end) else f"From {_day(begin)} to {_day(end)}"


def _length(length: timedelta) -> str:
    """`5 hours 3 minutes`; every begun minute counts."""
    hours, minutes = divmod(-(-length // timedelta(minutes=1)), 60)
    said = [f"{count:,} {unit if count > 1 else unit.removesuffix('s')}"
            for count, unit in ((hours, "hours"), (minutes, "minutes")) if count]
    return " ".join(said)


def _number(concerned: Concerned) -> str:
    if concerned.number is not None:
        return f"About {concerned.number:,}"
    return f"{OPEN}: {concerned.unknown_because}" if concerned.unknown_because else OPEN


def _party(party: Party | None) -> str:
    """A line each: the name, whom to ask, and every way to reach them."""
    if not party:
        return OPEN
    town = " ".join(part for part in (party.postcode, party.town) if part)
    lines = (party.name, party.contact, party.address, town, party.country, party.email, party.phone)
    return "\n".join(line for line in lines if line)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _text(value: Value) -> str:
    """A value as HTML: the only place where something becomes HTML, so the only one that has to escape."""
    if isinstance(value, str):
        return escape(value or OPEN)
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in value)}</ul>" if value else OPEN


def _page(title: str, sections: Iterable[Section], lead: str = "", draft: Sequence[str] = ()) -> str:
    """The page. A section without a heading begins it; a row without a label is a paragraph."""
    body = ""
    for heading, rows in sections:
        body += f"<h2>{_text(heading)}</h2>\n" if heading else ""
        body += "".join(f"<div>{_text(value)}</div>\n" for label, value in rows if not label)
        lines = "".join(f'<tr><th scope="row">{_text(label)}</th><td>{_text(value)}</td></tr>\n'
                        for label, value in rows if label)
        body += f"<table>\n{lines}</table>\n" if lines else ""
    warning = f"<aside><strong>Draft, not to be sent yet</strong>{_text(draft)}</aside>\n" if draft else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{_text(title)}</h1>
{warning}{f'<p>{_text(lead)}</p>' if lead else ''}
{body}</body>
</html>
"""
