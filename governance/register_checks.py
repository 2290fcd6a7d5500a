"""Is an entry of the register complete, as the law asks? Errors keep an entry from being published, warnings are shown.

Sources: Art. 30(1) and 30(2) GDPR, item by item; Art. 6, 9, 13, 28, 35; which of them is named in each finding.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from governance.catalogue import FIELDS
from governance.register import Enforcement, Entry, Item, Party, RecipientKind, Retention, Role, Unit

REVIEWED_EVERY_DAYS = 366
DPIA_FROM_CRITERIA = 2
"""Of the nine criteria of WP248: from so many on an impact assessment is expected."""

VAGUE = re.compile(r"(?i)\b(as long as (necessary|needed|required)|tant que n[ée]cessaire|indefinite|unlimited|for ever)")
DEMONSTRATION = re.compile(r"(?i)\bdemonstration\b|@rollcall\.example\b")

EXPIRABLE = "cassandra:profiles"
"""The only place from which commands take what is over its time (`enforced_by: expire`)."""

_CATALOGUED = {known.path: known.mask for known in FIELDS}
_MASKS = frozenset(_CATALOGUED.values())
_UNMASKED = "none"
_HOURS = {Unit.HOURS: 1, Unit.DAYS: 24}
_SERVERS = {Enforcement.TOPIC: "kafka:", Enforcement.TTL: "cassandra:"}
"""What a server ends by itself -> where."""

_ART_6 = {"a": "consent", "b": "contract", "c": "legal obligation", "d": "vital interests", "e": "public task",
          "f": "legitimate interests"}


class Level(StrEnum):
    """How bad a finding is. Drift is the register and the running systems not agreeing (governance/drift.py)."""

    ERROR = "error"
    WARNING = "warning"
    DRIFT = "drift"


@dataclass(frozen=True)
class Finding:
    """What is not well: in which entry, where (an article, a field or a place), and what to do."""

    level: Level
    ref: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.level}: {self.ref or 'register'}: {self.where}: {self.what}"


Found = Iterator[tuple[str, str]]
"""Where and what."""


def check(entries: Sequence[Entry], today: date) -> list[Finding]:
    """Errors and warnings of the entries in force; and whether there are any at all."""
    findings: list[Finding] = [] if entries else [
        Finding(Level.ERROR, "", "Art. 30", "no entry is published; `rollcall up` publishes the first content")]
    for one in entries:
        rules: Sequence[tuple[Level, Callable[[Entry, date], Found]]] = (
            (Level.ERROR, _as_controller if one.role is Role.CONTROLLER else _as_processor), (Level.ERROR, _lawful),
            (Level.ERROR, _tied), (Level.ERROR, _limited), (Level.WARNING, _masked), (Level.WARNING, _where_possible),
            (Level.WARNING, _by_hand), (Level.WARNING, _reviewed), (Level.WARNING, _worded))
        findings += [Finding(level, one.ref, where, what) for level, rule in rules for where, what in rule(one, today)]
    return findings


def _as_controller(one: Entry, _: date) -> Found:
    """Art. 30(1)(a) to (d)."""
    yield from _party("Art. 30(1)(a)", "controller", one.controller)
    yield from _or_because(one, "Art. 30(1)(a)", "joint_controllers", "representative", "dpo")
    for name, party in (("representative", one.representative), ("dpo", one.dpo)):
        if party is not None:
            yield from _party("Art. 30(1)(a)", name, party)
    for party in one.joint_controllers:
        yield from _party("Art. 30(1)(a)", f"joint controller {party.name}", party)
        if not party.arrangement:
            yield "Art. 26", f"where does the arrangement with {party.name} stand?"
    if not one.purpose:
        yield "Art. 30(1)(b)", "purpose is empty; say what the processing is for"
    if not one.subjects:
        yield "Art. 30(1)(c)", "subjects is empty; name the categories of people"
    if not one.items:
        yield "Art. 30(1)(c)", "items is empty; name the categories of data"
    yield from _or_because(one, "Art. 30(1)(d)", "recipients")


def _as_processor(one: Entry, _: date) -> Found:
    """Art. 30(2)(a) and (b)."""
    yield from _party("Art. 30(2)(a)", "controller", one.controller)
    if one.processor is None:
        yield "Art. 30(2)(a)", "processor is empty; say who acts for the controller"
    else:
        yield from _party("Art. 30(2)(a)", "processor", one.processor)
    yield from _or_because(one, "Art. 30(2)(a)", "representative", "dpo")
    if not one.purpose:
        yield "Art. 30(2)(b)", "purpose is empty; say which processing is carried out for the controller"


def _party(where: str, name: str, party: Party) -> Found:
    if not party.name:
        yield where, f"{name} has no name"
    if not (party.email or party.phone or party.address):
        yield where, f"{name} cannot be reached; give an address, an e-mail or a phone number"


def _or_because(one: Entry, where: str, *fields: str) -> Found:
    for name in fields:
        if not getattr(one, name) and not one.because(name):
            yield where, f"{name} is empty; fill it, or say in not_applicable why there is none"


def _lawful(one: Entry, _: date) -> Found:
    """Art. 6, 9, 10, 28 and 46 to 49: what a lawful processing of this kind cannot do without."""
    if one.role is Role.CONTROLLER and not one.art6:
        yield "Art. 6(1)", f"art6 is empty; one of {', '.join(f'{letter} ({name})' for letter, name in _ART_6.items())}"
    if one.art6 == "f" and not (one.legitimate_interest and one.lia_link):
        yield "Art. 6(1)(f)", "say the legitimate interest and where it was weighed (legitimate_interest, lia_link)"
    if one.art6 == "a" and not one.consent_link:
        yield "Art. 7(1)", "say where the consent is recorded (consent_link)"
    if any(item.special for item in one.items) and not one.art9:
        yield "Art. 9(2)", "data of a special category need one of its conditions (art9)"
    for to in one.recipients:
        if to.kind is RecipientKind.PROCESSOR and not to.contract:
            yield "Art. 28(3)", f"where does the contract with {to.name} stand?"
        if to.kind is RecipientKind.THIRD_COUNTRY and to.name not in {sent.recipient for sent in one.transfers}:
            yield "Art. 44", f"{to.name} is in a third country; say in transfers what the transfer rests on"
    for sent in one.transfers:
        if not sent.document:
            yield "Art. 46", f"where do the safeguards of the transfer to {sent.recipient} stand?"


def _tied(one: Entry, _: date) -> Found:
    """What ties the entry to the catalogue exists there."""
    for item in one.items:
        for path in item.fields:
            if path not in _CATALOGUED:
                yield item.label_en, f"the catalogue has no field {path}"
        if item.mask not in _MASKS:
            yield item.label_en, f"there is no mask {item.mask}; there are {', '.join(sorted(_MASKS))}"
        if not item.retention and not one.because("retention"):
            yield "Art. 30(1)(f)", f"{item.label_en} has no time limit; state one, or say in not_applicable why not (retention)"


def _limited(one: Entry, _: date) -> Found:
    """Art. 30(1)(f), and that each limit is one that what enforces it can keep."""
    for item in one.items:
        for limit in item.retention:
            yield from _limit(item, limit)


def _limit(item: Item, limit: Retention) -> Found:
    if not (limit.period or limit.criteria):
        yield "Art. 30(1)(f)", f"the limit of {item.label_en} in {limit.place} has neither a period nor criteria; state one"
    if not limit.start:
        yield "Art. 30(1)(f)", f"the limit of {item.label_en} in {limit.place} has no start; say from when it runs"
    if limit.enforced_by in _SERVERS:
        if hours(limit) is None:
            yield item.label_en, (f"{limit.place}: a server can be set to hours or days alone ({limit.enforced_by}), not to "
                                  f"'{limit.period or limit.criteria}'; state a period in one of them, or enforce it otherwise")
        if not limit.place.startswith(where := _SERVERS[limit.enforced_by]):
            yield item.label_en, (f"{limit.place}: enforced_by {limit.enforced_by} is for {where}... alone; "
                                  "say what ends it here")
    elif limit.enforced_by is Enforcement.EXPIRE:
        if limit.place != EXPIRABLE:
            yield item.label_en, f"{limit.place}: enforced_by expire is for {EXPIRABLE} alone; say what ends it here"
        if limit.period is None:
            yield item.label_en, f"{limit.place}: what expires needs a period; state one, or enforce it otherwise"


def hours(limit: Retention) -> float | None:
    """A limit of hours or days in hours; None for others, which no server can be set to."""
    each = _HOURS.get(limit.period.unit) if limit.period else None
    return limit.period.count * each if limit.period and each else None


def _by_hand(one: Entry, _: date) -> Found:
    """A period that nothing here ends is kept only if somebody thinks of it."""
    for limit in dict.fromkeys(limit for item in one.items for limit in item.retention):
        if limit.enforced_by is Enforcement.HAND and limit.period:
            yield limit.place, (f"nothing ends it by itself after {limit.period}; `rollcall retention show` says when "
                                "something is due, and then it is to be taken out by hand")


def _masked(one: Entry, _: date) -> Found:
    for item in one.items:
        masked = [f"{path} ({_CATALOGUED[path]})" for path in item.fields if _CATALOGUED.get(path, _UNMASKED) != _UNMASKED]
        if item.mask == _UNMASKED and masked:
            yield item.label_en, f"its mask is none, and the catalogue masks {', '.join(masked)}; state the mask it is seen by"


def _where_possible(one: Entry, _: date) -> Found:
    """Art. 30(1)(e) and (g), which are asked for "where applicable" and "where possible"."""
    number = "1" if one.role is Role.CONTROLLER else "2"
    yield from _or_because(one, f"Art. 30({number})({'e' if number == '1' else 'c'})", "transfers")
    yield from _or_because(one, f"Art. 30({number})({'g' if number == '1' else 'd'})", "measures")
    for kind, technical in (("technical", True), ("organisational", False)):
        if one.measures and not any(measure.technical is technical for measure in one.measures) and not one.because("measures"):
            yield "Art. 32(1)", f"there is no {kind} measure"


def _reviewed(one: Entry, today: date) -> Found:
    if one.reviewed is None or (today - one.reviewed).days > REVIEWED_EVERY_DAYS:
        yield "reviewed", f"it was last reviewed {one.reviewed or 'never'}; look at it again at least once a year"
    if one.next_review is not None and one.next_review < today:
        yield "next_review", f"the review of {one.next_review} is due"
    if one.dpia is None and not one.because("dpia"):
        yield "Art. 35", "say whether an impact assessment is required (dpia)"
    elif one.dpia is not None and len(one.dpia.criteria) >= DPIA_FROM_CRITERIA and not one.dpia.required:
        yield "Art. 35", f"{len(one.dpia.criteria)} criteria of WP248 hold, so an impact assessment is expected"


def _worded(one: Entry, _: date) -> Found:
    for item in one.items:
        for limit in item.retention:
            if VAGUE.search(limit.criteria):
                yield item.label_en, f"'{limit.criteria}' is no time limit; say a number, or the event that ends it"
    if any(DEMONSTRATION.search(f"{party.name} {party.email}")
           for party in (one.controller, one.dpo, one.processor) if party is not None):
        yield "Art. 30(1)(a)", "the parties are still those of the demonstration; put your organisation in their place"
