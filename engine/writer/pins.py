"""Pins: what a rectification sets of a person, and how it lies over what the source says.

A pin is a whole group of a person as the source writes it (`{"email": ...}`, `{"name": {"first": ..., "last": ...}}`):
every column of a row comes from one group, so a row can be corrected from its pins alone; but whether the domain of an
e-mail is shown depends on the name too, and what is not pinned of the two is read from the row. Pins stand in the marker,
sealed, and are copied into each row; a later record of the source does not undo them.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from engine.errors import CommandRefused
from engine.person import GENDER_FORM, NAT_FORM, Row
from governance.masking import domain_shown

GROUPS: Mapping[str, tuple[str, ...]] = {
    "name": ("full_name", "display_name"),
    "location": ("full_address", "country", "city", "state", "postcode_area"),
    "email": ("email", "email_domain", "email_token"),
    "phone": ("phone",),
    "dob": ("birth_date", "birth_month", "age"),
    "registered": ("registered_month",),
    "gender": ("gender",),
    "nat": ("nat",),
}
"""Group of a person -> the columns of a row that come from it."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "name": ("first", "last"), "location": ("street", "city", "state", "country", "postcode"),
    "dob": ("date",), "registered": ("date",)}
"""Groups that are objects, and their parts."""

LONGEST = 250


def _day(value: str) -> bool:
    try:
        return date(1900, 1, 1) <= date.fromisoformat(value) <= datetime.now(UTC).date()
    except ValueError:
        return False


RULES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "email": (re.compile(r"[^@\s\x00-\x1f\x7f{]+@[^@\s\x00-\x1f\x7f]+").fullmatch, "text with one @ and a domain"),
    "gender": (re.compile(GENDER_FORM).fullmatch, "a lower-case word"),
    "nat": (re.compile(NAT_FORM).fullmatch, "the upper-case code of a nationality"),
    "date": (_day, "a date as 1992-03-18, between 1900 and today"),
}


def checked(fields: Any) -> str:
    """Pins as JSON text, from a partial person; CommandRefused, without a value in it, for what cannot be pinned."""
    if not isinstance(fields, Mapping) or not fields:
        raise CommandRefused(f"A rectification holds what to set, of: {', '.join(GROUPS)}.")
    kept: dict[str, Any] = {}
    for group, value in fields.items():
        if group not in GROUPS:
            raise CommandRefused(f"A rectification can set {', '.join(GROUPS)}; received {str(group)[:30]!r}.")
        parts = PARTS.get(group)
        if parts is None:
            kept[group] = _text(group, value)
            continue
        if not isinstance(value, Mapping) or set(value) - set(parts):
            raise CommandRefused(f"{group} is an object of {', '.join(parts)}; what is left out is empty from then on.")
        kept[group] = {part: _text(part, value[part]) for part in parts if part in value}
        if not kept[group]:
            raise CommandRefused(f"{group} needs at least one of {', '.join(parts)}.")
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def over(earlier: str, later: str) -> str:
    """Pins of two rectifications: the later one's groups win."""
    return json.dumps({**json.loads(earlier or "{}"), **json.loads(later)}, ensure_ascii=False, sort_keys=True)


def pinned(row: Row, pins: str, rectified: int) -> Row:
    """The row as its pins make it, as far as counting depends on it."""
    said = json.loads(pins)
    name = " ".join(filter(None, map(said["name"].get, PARTS["name"]))) if "name" in said else row.full_name
    email = said.get("email", row.email)
    follows = email and ("name" in said or "email" in said)
    return replace(
        row, rectified=rectified, full_name=name, email=email,
        nat=said.get("nat", row.nat), gender=said.get("gender", row.gender),
        birth_month=said["dob"]["date"][:7] if "dob" in said else row.birth_month,
        email_domain=domain_shown(name, email) if follows else row.email_domain)


def _text(name: str, value: Any) -> str:
    rule, allowed = RULES.get(name, (str.strip, "text that is not empty"))
    if not isinstance(value, str) or len(value) > LONGEST or value.startswith(("{", "[")) or not rule(value.strip()):
        raise CommandRefused(f"{name} must be {allowed}, of at most {LONGEST} characters.")
    return value.strip()
