"""The form of ICO's template for controllers: its headings word by word, and what stands under them for one entry.

The headings are those of sheet "Template", row 9, columns A to AD; the columns after them are the register's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.register import Assessment, AutomatedDecision, Derived, Entry, Party, RecipientKind, Role, Version
from governance.sheets.draft import shown, shown_list, shown_rows
from governance.sheets.language import ENGLISH
from governance.sheets.lines import Record, listed, written
from governance.sheets.rows import MEASURES, PARTIES, RECIPIENTS, TRANSFERS, Table, Texts, items, kept_texts, subjects

HEADINGS = {
    "department": "Business function",
    "purpose": "Purpose of processing",
    "joint_controllers": "Name and contact details of joint controller (if applicable)",
    "subjects": "Categories of individuals",
    "items": "Categories of personal data",
    "recipients": "Categories of recipients",
    "contracts": "Link to contract with processor",
    "transfers": "Names of third countries or international organisations that personal data are transferred to "
                 "(if applicable)",
    "safeguards": "Safeguards for exceptional transfers of personal data to third countries or international organisations "
                  "(if applicable)",
    "retention": "Retention schedule (if possible)",
    "measures": "General description of technical and organisational security measures (if possible)",
    "art6": "Article 6 lawful basis for processing personal data",
    "art9": "Article 9 condition for processing special category data",
    "legitimate_interest": "Legitimate interests for the processing (if applicable)",
    "lia_link": "Link to record of legitimate interests assessment (if applicable)",
    "rights": "Rights available to individuals",
    "automated": "Existence of automated decision-making, including profiling (if applicable)",
    "sources": "The source of the personal data (if applicable)",
    "consent_link": "Link to record of consent",
    "locations": "Location of personal data",
    "dpia": "Data Protection Impact Assessment required?",
    "progress": "Data Protection Impact Assessment progress",
    "dpia_link": "Link to Data Protection Impact Assessment",
    "breach": "Has a personal data breach occurred?",
    "breach_record": "Link to record of personal data breach",
    "schedule1": "Data Protection Act 2018 Schedule 1 Condition for processing",
    "art6_again": "GDPR Article 6 lawful basis for processing",
    "retention_policy_link": "Link to retention and erasure policy document",
    "adheres": "Is personal data retained and erased in accordance with the policy document?",
    "reasons": "Reasons for not adhering to policy document (if applicable)"}
"""Key -> heading, A to AD. A key that is a field of the entry has the field under it."""

OURS = {"ref": "Reference in the register", "activity": "Name of the activity", "role": "Register",
        "created": "Date of creation", "controller": "Controller (if not as above)",
        "dpo": "Data protection officer (if not as above)", "representative": "Representative (if not as above)",
        "processor": "Processor (where we act for a controller)", "version": "Based on version"}
"""The register's own columns, from AE on. The last says on what a change is based."""

GROUPS = {"department": "Article 30 Record of Processing Activities", "art6": "Privacy Notices", "consent_link": "Consent",
          "locations": "Access Requests", "dpia": "Data Protection Impact Assessments", "breach": "Personal Data Breaches",
          "schedule1": "Data Protection Act 2018 - Special Category or Criminal Conviction and Offence Data",
          "ref": "Kept by the register"}
"""The first column of each group -> its heading, in row 8."""

REQUIRED = [*list(HEADINGS)[:11], *list(HEADINGS)[25:30]]
"""What Art. 30 or Schedule 1 asks for: green in ICO's template, the others blue."""

TOP = {"controller": "Controller", "dpo": "Data Protection Officer (if applicable)",
       "representative": "Representative (if applicable)"}
CONTACT = {"name": "Name", "address": "Address", "email": "Email", "phone": "Telephone"}
AS_ABOVE = "as above"

SUBJECTS, ITEMS = subjects("en"), items("en")
AUTOMATED = Table(AutomatedDecision, "exists", ("exists", "logic", "consequences"))
DPIA = Table(Assessment, "status", ("required", "status", "link"), {"required": True})

NAMED = {"name": "", "contact": "Contact"}
ADDRESSED = {"address": "", "postcode": "Postcode", "town": "Town", "country": "Country"}
PARTY = {"name": "", "address": "Address", "postcode": "Postcode", "town": "Town", "country": "Country", "email": "Email",
         "phone": "Telephone", "contact": "Contact", "arrangement": "Arrangement (Art. 26)"}
PEOPLE = {"name_en": "", "detail": "Description", "minors": "Minors among them", "volume": "How many"}
DATA = {"label_en": "", "category": "Category", "nature": "Nature"}
SOURCE = {"label_en": "", "source": "Source"}
KEPT = {"label_en": "", "period": "Period", "criteria": "Criteria", "start": "From", "fate": "Then", "reason": "Reason",
        "place": "Place", "enforced_by": "Enforced by"}
RECEIVED = {"name": "", "kind": "Kind", "country": "Country"}
CONTRACT = {"name": "", "contract": "Contract"}
COUNTRY = {"country": "", "recipient": "Recipient"}
SAFEGUARD = {"mechanism": "", "document": "Document"}
MEASURE = {"detail": "", "kind": "Kind", "technical": "Technical", "evidence": "Evidence"}
DECISION = {"exists": "", "logic": "Logic", "consequences": "Consequences"}

ALONE = {"contracts": "contract", "safeguards": "mechanism", "retention": "criteria", "sources": "source"}
"""What a cell says that names nothing, where there is one thing it can be about."""

JUSTIFIED, THROUGH, SYSTEMS = "\nJustification: ", "\nThrough: ", "\nIn the systems: "

ART6 = {"a": "consent", "b": "contract", "c": "legal obligation", "d": "vital interests", "e": "public task",
        "f": "legitimate interests"}
ART9 = {"a": "explicit consent", "b": "employment, social security and social protection", "c": "vital interests",
        "d": "not-for-profit bodies", "e": "made public by the data subject", "f": "legal claims or judicial acts",
        "g": "reasons of substantial public interest", "h": "health or social care", "i": "public health",
        "j": "archiving, research and statistics"}
RIGHTS = {"15": "access", "16": "rectification", "17": "erasure", "18": "restriction", "20": "portability", "21": "objection",
          "22": "no automated decision"}


@dataclass(frozen=True)
class Above:
    """The parties that stand above the table: of the first entry for which we are the controller, or of the first."""

    one: Entry | None = None

    @staticmethod
    def of(versions: Sequence[Version]) -> "Above":
        """The parties above a table of these."""
        entries = [version.entry for version in versions]
        return Above(next((one for one in entries if one.role is Role.CONTROLLER), entries[0] if entries else None))

    def holds_for(self, one: Entry, field: str) -> bool:
        """Whether a party of an entry is the one above."""
        return self.one is not None and getattr(self.one, field) == getattr(one, field) and (
            self.one.because(field) == one.because(field))


def above(one: Entry, field: str) -> Texts:
    """A party as it stands above the table: what stands beside Name, Address, Email and Telephone."""
    party: Party | None = getattr(one, field)
    if party is None:
        return {"name": ENGLISH.absent(one.because(field)), "address": "", "email": "", "phone": ""}
    said = PARTIES.texts(party, ENGLISH)
    return {"name": _cell([(None, said)], NAMED), "address": _cell([(None, said)], ADDRESSED), "email": said["email"],
            "phone": said["phone"]}


def cells(one: Entry, top: Above, found: Derived | None) -> Texts:
    """The row of one entry: key -> text. found: what the product knows of it, None where it was not asked."""
    return {**{field: shown(one, field, ENGLISH) for field in ("ref", *TEXTS)},
            **_lists(one), **_items(one), **_law(one), **_derived(found),
            **{field: AS_ABOVE if top.holds_for(one, field) else _parts(one, field, PARTIES, PARTY, numbered=False)
               for field in TOP},
            "processor": _parts(one, "processor", PARTIES, PARTY, numbered=False)}


TEXTS = ("department", "legitimate_interest", "lia_link", "consent_link", "schedule1", "retention_policy_link", "activity",
         "role", "created")
"""Fields that are one text in a cell of their own."""


def _lists(one: Entry) -> Texts:
    purposes = [shown(one, "purpose", ENGLISH), *one.sub_purposes]
    plain = len(purposes) == 1 and not purposes[0].startswith("1. ")
    places = ", ".join(" ".join(place.split()) for place in sorted(one.places))
    recipients = [RECIPIENTS.texts(each, ENGLISH) for each in one.recipients]
    contracts = [(number, said) for number, said in enumerate(recipients, 1) if one.recipients[number - 1].contract]
    processors = any(each.kind is RecipientKind.PROCESSOR for each in one.recipients)
    return {
        "purpose": purposes[0] if plain else listed(purposes),
        "joint_controllers": _parts(one, "joint_controllers", PARTIES, PARTY),
        "subjects": _parts(one, "subjects", SUBJECTS, PEOPLE),
        "recipients": _parts(one, "recipients", RECIPIENTS, RECEIVED),
        "contracts": _cell(contracts, CONTRACT) or (ENGLISH.not_stated if processors else ENGLISH.none),
        "transfers": _parts(one, "transfers", TRANSFERS, COUNTRY),
        "safeguards": _parts(one, "transfers", TRANSFERS, SAFEGUARD),
        "measures": _parts(one, "measures", MEASURES, MEASURE),
        "locations": _several(one, "locations") + (SYSTEMS + places if places else "")}


def _items(one: Entry) -> Texts:
    said, kept, sources = [], [], []
    for number, item in enumerate(one.items, 1):
        texts, periods = kept_texts(item, ITEMS, ENGLISH)
        if texts["nature"] == ENGLISH.ordinary:
            del texts["nature"]
        said.append((number, texts))
        sources.append((number, texts))
        name = {"label_en": texts["label_en"]}
        kept += [(number, name | each) for each in periods or [{"period": ENGLISH.absent(one.because("retention"))}]]
    none = ENGLISH.absent(one.because("items"))
    return {"items": _cell(said, DATA) or none, "sources": _cell(sources, SOURCE) or none,
            "retention": written([Record(number, {column: text for column, text in texts.items() if column in KEPT and (
                text != ENGLISH.not_stated or column in ("label_en", "period"))}) for number, texts in kept], KEPT) or none}


def _law(one: Entry) -> Texts:
    art6, justified, through = (shown(one, field, ENGLISH) for field in ("art6", "art6_justification", "rights_channel"))
    basis = f"({one.art6}) {ART6[one.art6]}" if one.art6 else art6
    rights = [f"Article {right} ({RIGHTS[right]})" if right in RIGHTS else right for right in one.rights]
    automated = shown_rows(one, "automated", AUTOMATED, ENGLISH)[0]
    none = one.because("automated") and one.automated == AutomatedDecision()
    dpia = shown_rows(one, "dpia", DPIA, ENGLISH)[0]
    return {
        "art6": basis + (JUSTIFIED + justified if justified != ENGLISH.not_stated else ""),
        "art9": f"({one.art9}) {ART9[one.art9]}" if one.art9 else shown(one, "art9", ENGLISH),
        "art6_again": basis if one.schedule1 else shown(one, "schedule1", ENGLISH),
        "rights": (listed(rights) if rights else _several(one, "rights"))
        + (THROUGH + through if through != ENGLISH.not_stated else ""),
        "automated": ENGLISH.absent(one.because("automated")) if none else _cell([(None, automated)], DECISION),
        "dpia": dpia["required"], "progress": dpia["status"] or ENGLISH.not_stated,
        "dpia_link": dpia["link"] or ENGLISH.not_stated}


def _derived(found: Derived | None) -> Texts:
    if found is None:
        return {"breach": "not known", "breach_record": "not known", "adheres": "not measured", "reasons": "not measured"}
    adheres = "not measured" if found.adheres is None else ENGLISH.said(found.adheres)
    return {"breach": ENGLISH.said(bool(found.breaches)), "breach_record": ", ".join(found.breaches) or ENGLISH.none,
            "adheres": adheres, "reasons": found.reasons or (ENGLISH.none if found.adheres else ENGLISH.not_stated)}


def _several(one: Entry, field: str) -> str:
    return listed(getattr(one, field)) or shown_list(one, field, ENGLISH)[0]


def _parts(one: Entry, field: str, table: Table, labels: Mapping[str, str], numbered: bool = True) -> str:
    rows = shown_rows(one, field, table, ENGLISH)
    if getattr(one, field) in (None, ()):
        return ENGLISH.absent(one.because(field))
    return _cell([(number if numbered else None, row) for number, row in enumerate(rows, 1)], labels)


def _cell(rows: Sequence[tuple[int | None, Texts]], labels: Mapping[str, str]) -> str:
    """Rows as lines of a cell; what is not stated has no line, but the first."""
    return written([Record(number, {column: row[column] for column, label in labels.items()
                                    if column in row and not (label and row[column] == ENGLISH.not_stated)})
                    for number, row in rows], labels)
