"""Two breaches with every field filled: one of a controller, one of a processor."""

from typing import Any

Fields = dict[str, Any]

CONTACT: Fields = {"name": "Ada Quist", "address": "1 rue des Lilas", "postcode": "75011", "town": "Paris", "country": "FR",
                   "email": "dpo@example.org", "phone": "+33 1 23 45 67 89", "contact": "the office of the officer"}


def controller(**others: Any) -> Fields:
    """A controller's breach, closed in time."""
    return {
        "ref": "lost-backup-2026", "title": "A backup was left on a train", "kinds": ["confidentiality", "availability"],
        "role": "controller", "organisation": {"name": "Roll Call SAS", "town": "Lyon", "email": "post@example.org"},
        "occurred_from": "2026-03-26T17:00+01:00", "occurred_to": "2026-03-26T18:00+01:00",
        "detected_at": "2026-03-27T09:00+01:00", "aware_at": "2026-03-27T18:00+01:00",
        "notified_at": "2026-03-30T18:30+02:00", "authority": "CNIL",
        "phases": [{"at": "2026-04-02T10:00+02:00", "what": "the number of records was counted"}],
        "cause": "carried by hand", "origin": "internal, by accident", "activities": ["user-profiles", "figures"],
        "nature": "A disk with a backup was left on a train.",
        "subjects": {"categories": ["users", "testers"], "number": 1204},
        "records": {"categories": ["names", "e-mail addresses"], "unknown_because": "the index was on the disk"},
        "contact": CONTACT, "consequences": "Letters that pretend to come from us.",
        "measures_taken": ["The disk was reported lost", "Keys were changed"],
        "measures_proposed": ["Backups travel by network only"],
        "risk": "high", "late_because": "",
        "people": {"needed": True, "text": "A disk with your name and address was lost.",
                   "advice": ["Distrust letters from us"], "reason": "nobody knows who has it",
                   "informed_at": "2026-04-01T12:00+02:00"},
        "cross_border": ["DE", "BE"], "closed_at": "2026-05-04T09:00+02:00", "lessons": "No disk leaves the house.", **others}


def processor(**others: Any) -> Fields:
    """A processor's breach, closed."""
    return {
        "ref": "leak-2026", "title": "A log was public", "kinds": ["confidentiality"], "role": "processor",
        "organisation": {"name": "Roll Call SAS", "email": "post@example.org"},
        "detected_at": "2026-10-23T18:00+02:00", "aware_at": "2026-10-23T18:30+02:00", "cause": "a rule was too wide",
        "activities": ["hosting-of-others"], "nature": "A log could be read by anybody.",
        "subjects": {"categories": ["customers"], "number": 12}, "records": {"categories": ["orders"], "number": 31},
        "contact": CONTACT, "consequences": "Orders are known.", "measures_taken": ["The log was closed"],
        "controllers": [{"party": {"name": "North Ltd", "email": "north@example.org"}, "notified_at": "2026-10-24T09:00+02:00"},
                        {"party": {"name": "South GmbH", "phone": "+49 30 1"}, "notified_at": "2026-10-24T10:00+02:00"}],
        "closed_at": "2026-11-02T09:00+01:00", **others}
