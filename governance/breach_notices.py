"""The letters about a breach: to the authority (Art. 33(3) GDPR), to a controller (Art. 33(2)), to people (Art. 34(2)).

Each is one page (governance/letter_page.py). Times are in UTC and say so.
"""

from datetime import datetime, timedelta

from governance.breaches import Breach, Concerned, Controller, Exemption, Risk, clock, undescribed
from governance.clocks import Clock, in_utc
from governance.letter_page import OPEN, Row, Section, day_of, page, party_lines
from governance.register import Role

_RISKS = {Risk.UNLIKELY: "Unlikely to result in a risk", Risk.RISK: "Likely to result in a risk",
          Risk.HIGH: "Likely to result in a high risk"}
_EXEMPTIONS = {
    Exemption.ENCRYPTED: "The data cannot be read by anybody who is not authorised (Art. 34(3)(a))",
    Exemption.MITIGATED: "Measures taken since make a high risk no longer likely (Art. 34(3)(b))",
    Exemption.DISPROPORTIONATE: "Telling each would take disproportionate effort; there is a public communication instead "
                                "(Art. 34(3)(c))"}


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
        ("", [("To", known.authority), ("From", party_lines(known.organisation)), ("Date", _at(now)),
              ("Our reference", known.ref), ("Breach", known.title),
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
    return page("Notification of a personal data breach (Art. 33 GDPR)", sections)


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
        ("", [("To", party_lines(controller.party)), ("From", party_lines(known.organisation)), ("Our reference", known.ref),
              ("Breach", known.title),
              ("Notified", _at(controller.notified_at) if controller.notified_at else "With this letter")]),
        ("Times", _times(known)), *_items(known)]
    if follows:
        sections.append(("To follow without undue further delay", [("Open", follows)]))
    return page("Notice of a personal data breach to the controller (Art. 33(2) GDPR)", sections, lead=(
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
    sections.append(("Whom you can ask", [("", party_lines(known.contact))]))
    return page("About your personal data", sections, draft=draft, lead=(
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
        ("(b) Where to ask (Art. 33(3)(b))", [("Data protection officer or contact point", party_lines(known.contact))]),
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
    return f"{day_of(at)}, {in_utc(at):%H:%M} UTC" if at else OPEN


def _span(known: Breach) -> str:
    begin, end = known.occurred_from, known.occurred_to
    if not begin:
        return OPEN
    if not end:
        return f"From {day_of(begin)}"
    return day_of(begin) if day_of(begin) == day_of(end) else f"From {day_of(begin)} to {day_of(end)}"


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


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."
