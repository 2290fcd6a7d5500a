"""The record of processing activities (Art. 30 GDPR): one entry an activity, as data.

governance/register.yaml is the first content.

The fields are those of Art. 30(1) and 30(2), and what CNIL's and ICO's templates ask beside them. An empty field is said to
be so: `not_applicable` gives the reason. `places` and `principals` tie an entry to the running systems, with which
governance/drift.py compares it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

CONTENT = Path(__file__).with_name("register.yaml")


class NotAnEntry(ValueError):
    """What was given is no register entry; the message names the field and what is allowed."""


class Part(BaseModel):
    """A part of an entry: frozen; an unknown name is an error rather than a silent typo."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Role(StrEnum):
    """As what the organisation acts: the two registers of Art. 30(1) and 30(2)."""

    CONTROLLER = "controller"
    PROCESSOR = "processor"


class Unit(StrEnum):
    """Units of a period."""

    HOURS = "hours"
    DAYS = "days"
    MONTHS = "months"
    YEARS = "years"


class Enforcement(StrEnum):
    """What makes an end to data whose time is over."""

    TOPIC = "topic"        # retention.ms of a topic
    TTL = "ttl"            # rows of a table that expire
    EXPIRE = "expire"      # `rollcall retention run`: commands that the stream carries out
    BOUND = "bound"        # goes when what it was made of goes (aggregates, tokens)
    HAND = "hand"          # somebody does it; the evidence says who and when


class RecipientKind(StrEnum):
    """CNIL's and ICO's kinds of recipients."""

    INTERNAL = "internal"
    EXTERNAL = "external body"
    PROCESSOR = "processor"
    PARTNER = "institutional or commercial partner"
    THIRD_COUNTRY = "third country"


class Mechanism(StrEnum):
    """What a transfer to a third country rests on."""

    ADEQUACY = "adequacy decision (Art. 45)"
    CLAUSES = "standard contractual clauses (Art. 46)"
    BINDING_RULES = "binding corporate rules (Art. 46)"
    CODE = "code of conduct or certification (Art. 46)"
    DEROGATION = "derogation (Art. 49)"


class MeasureKind(StrEnum):
    """CNIL's vocabulary of security measures."""

    ACCESS = "access control"
    TRACEABILITY = "traceability"
    SOFTWARE = "protection of software"
    BACKUP = "backup"
    ENCRYPTION = "encryption"
    PROCESSORS = "control of processors"
    OTHER = "other"


class Party(Part):
    """Who: an organisation or a person with the ways to reach them."""

    name: str
    address: str = ""
    postcode: str = ""
    town: str = ""
    country: str = ""
    email: str = ""
    phone: str = ""
    contact: str = Field("", description="The legal head or the person to ask for.")
    arrangement: str = Field("", description="Of a joint controller: where the arrangement of Art. 26 stands.")


class Period(Part):
    """A number of hours, days, months or years."""

    count: int = Field(gt=0)
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count > 1 else self.unit.removesuffix('s')}"


class Retention(Part):
    """How long, from when, and what makes an end to it (Art. 30(1)(f)).

    period, or criteria where no number can be given. place: the topic, table or collection it is enforced in
    (`kafka:people`, `cassandra:profiles`).
    """

    place: str
    period: Period | None = None
    criteria: str = ""
    start: str
    fate: str = "erased"
    reason: str = ""
    enforced_by: Enforcement

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.period or self.criteria} from {self.start}, then {self.fate}"


class Item(Part):
    """One category of data (Art. 30(1)(c)), tied to fields of the catalogue and to where they stand.

    fields: paths of governance/catalogue.py. places: `cassandra:profiles.city`, `mongo:users_by_nationality.births`,
    `kafka:people:name.first`, `kafka:dead`, `kafka:control`. mask: how operators see it.
    """

    category: str
    label_en: str
    label_fr: str
    fields: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    source: str
    mandatory: bool = True
    special: bool = Field(False, description="Art. 9")
    criminal: bool = Field(False, description="Art. 10")
    national_id: bool = Field(False, description="Art. 87")
    minimisation: str = ""
    mask: str
    pseudonymisation: str = ""
    encryption: str = ""
    retention: tuple[Retention, ...]


class Recipient(Part):
    """To whom data are disclosed (Art. 30(1)(d)); principals: who acts for them in Kafka, Cassandra and MongoDB."""

    name: str
    kind: RecipientKind
    country: str = ""
    contract: str = Field("", description="Of a processor: where the contract of Art. 28 stands.")
    principals: tuple[str, ...] = ()
    clear: bool = Field(False, description="Whether they can see names and the like unmasked.")


class Transfer(Part):
    """A transfer to a third country or an international organisation (Art. 30(1)(e))."""

    recipient: str
    country: str
    mechanism: Mechanism
    document: str


class Measure(Part):
    """A technical or organisational measure (Art. 30(1)(g)); evidence: where one can see that it is so."""

    kind: MeasureKind
    technical: bool
    detail: str
    evidence: str


class Subjects(Part):
    """A category of people (Art. 30(1)(c))."""

    name_en: str
    name_fr: str
    detail: str = ""
    minors: bool = False
    volume: str = ""


class AutomatedDecision(Part):
    """Art. 22."""

    exists: bool = False
    logic: str = ""
    consequences: str = ""


class Assessment(Part):
    """The impact assessment (Art. 35). criteria: of the nine of WP248 those that hold; two or more, and one is expected."""

    required: bool
    criteria: tuple[str, ...] = ()
    status: str
    link: str = ""
    reviewed: date | None = None


class Entry(Part):
    """One activity: the content of one version. Its number, its state and who wrote it stand beside it (Version).

    not_applicable: field -> why it is empty.
    """

    ref: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,59}$", description="Short name: small letters, digits, dashes.")
    activity: str
    role: Role
    department: str = ""
    software: tuple[str, ...] = ()
    created: date
    controller: Party
    joint_controllers: tuple[Party, ...] = ()
    representative: Party | None = None
    dpo: Party | None = None
    processor: Party | None = Field(None, description="Ourselves, where we act for the controller.")
    purpose: str
    sub_purposes: tuple[str, ...] = ()
    art6: str = Field("", pattern="^[a-f]?$", description="Letter of Art. 6(1).")
    art6_justification: str = ""
    legitimate_interest: str = ""
    lia_link: str = ""
    consent_link: str = ""
    subjects: tuple[Subjects, ...] = ()
    items: tuple[Item, ...] = ()
    art9: str = Field("", pattern="^[a-j]?$", description="Letter of Art. 9(2).")
    schedule1: str = Field("", description="United Kingdom: condition of Schedule 1 of the DPA 2018.")
    recipients: tuple[Recipient, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    measures: tuple[Measure, ...] = ()
    locations: tuple[str, ...] = ()
    automated: AutomatedDecision = AutomatedDecision()
    rights: tuple[str, ...] = Field((), description="Articles that give a right here: 15, 16, 17, 18, 20, 21.")
    rights_channel: str = ""
    privacy_notice_link: str = ""
    retention_policy_link: str = ""
    dpia: Assessment | None = None
    reviewed: date | None = None
    next_review: date | None = None
    not_applicable: Mapping[str, str] = {}

    @cached_property
    def places(self) -> frozenset[str]:
        """Everything it says of where data stand."""
        return frozenset(place for item in self.items for place in item.places)

    @cached_property
    def principals(self) -> dict[str, Recipient]:
        """Principal -> the recipient it acts for."""
        return {principal: one for one in self.recipients for principal in one.principals}

    def because(self, field: str) -> str:
        """Why a field is empty, or nothing."""
        return self.not_applicable.get(field, "")


class State(StrEnum):
    """Of a version: drafts are worked on, one published version of an entry is in force, an archived entry is history."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


@dataclass(frozen=True)
class Version:
    """One version of an entry: n from 1 without gaps, when (UTC), by whom and why it was written."""

    entry: Entry
    n: int
    state: State
    at: datetime
    by: str
    why: str


@dataclass(frozen=True)
class Derived:
    """What the product itself knows of an activity: breaches that concern it (their refs), whether its data are kept no
    longer than it says (None: not measured), and if not why."""

    breaches: tuple[str, ...] = ()
    adheres: bool | None = None
    reasons: str = ""


def entry(fields: object) -> Entry:
    """An entry of its fields as JSON or YAML gives them. Raises NotAnEntry, which names each field that is wrong."""
    try:
        return Entry.model_validate(fields)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg'].lower()}"
                          for one in error.errors()[:5])
        raise NotAnEntry(f"This is no register entry: {wrong}. docs/privacy.md shows the form of one.") from None


def entries(text: str) -> list[Entry]:
    """The entries of a YAML file: a list of them under `entries`. Raises NotAnEntry."""
    try:
        content: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:    # a day that there is not is a ValueError
        where = getattr(error, "problem_mark", None)
        raise NotAnEntry(f"This is no YAML{f' (line {where.line + 1})' if where else ''}: write a list under `entries:`, as "
                         "governance/register.yaml does.") from None
    listed = content.get("entries") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise NotAnEntry("There is no list under `entries:`, as governance/register.yaml has it.")
    return [entry(fields) for fields in listed]


def based_on(text: str) -> dict[str, int]:
    """Ref -> number of the version that a YAML file was made of (`based_on:`), where it says so; text: one that `entries` took.

    Raises NotAnEntry for numbers that are none.
    """
    said = yaml.safe_load(text).get("based_on") or {}
    if not isinstance(said, dict) or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in said.values()):
        raise NotAnEntry("Under `based_on:` stands the number of a version for each entry, as `rollcall register show` has it.")
    return {str(ref): n for ref, n in said.items()}


def laid_over(newest: Entry, base: Entry | None, wanted: Entry) -> Entry:
    """What `wanted` says otherwise than the version it is based on, over the newest version."""
    mine = {name: after for name, (_, after) in changed(base, wanted).items()}
    return entry({**newest.model_dump(mode="json"), **mine})


def changed(before: Part | None, after: Part) -> dict[str, tuple[Any, Any]]:
    """Field -> its value before and after, as JSON holds them, of those that differ."""
    old: dict[str, Any] = before.model_dump(mode="json") if before else {}
    new = after.model_dump(mode="json")
    return {name: (old.get(name), value) for name, value in new.items() if old.get(name) != value}
