"""Activities for tests of the register: rich ones, with accents, line breaks, quotes and texts that look like formulas."""

from datetime import UTC, date, datetime
from types import MappingProxyType

from hypothesis import strategies as st

from governance.register import (
    Assessment,
    AutomatedDecision,
    Derived,
    Enforcement,
    Entry,
    Item,
    Measure,
    MeasureKind,
    Mechanism,
    Party,
    Period,
    Recipient,
    RecipientKind,
    Retention,
    Role,
    State,
    Subjects,
    Transfer,
    Unit,
    Version,
)

COMPANY = Party(name="Société Générale d'Appel", address="12, rue de l'Église\nBâtiment C", postcode="75004", town="Paris",
                country="FR", email="contact@appel.example", phone="+33 1 99 00 00 00", contact="Zoë Lefèvre; gérante")
OFFICER = Party(name="Čeněk & Fils", email="dpo@appel.example", phone="+33 1 99 00 00 01", contact="Hélène Noël")
PARTNER = Party(name="Ærø Data ApS", address="Havnegade 1", postcode="5970", town="Ærøskøbing", country="DK",
                email="@aero.example", arrangement="=HYPERLINK(\"http://evil.example\")")
CLINIC = Party(name="Clinique Saint-Côme", address="-3 quai Sud", town="Lyon", country="FR", email="dpd@clinique.example")

TOPIC = Retention(place="kafka:people", period=Period(count=7, unit=Unit.DAYS), start="the record is sent",
                  enforced_by=Enforcement.TOPIC, reason="Replay; no longer")
ROWS = Retention(place="cassandra:profiles", period=Period(count=1, unit=Unit.YEARS), start="the newest record",
                 fate="erased", enforced_by=Enforcement.EXPIRE)
COUNTS = Retention(place="mongo:counts", criteria="as long as the rows\nthat are counted", start="the row",
                   fate="archived", enforced_by=Enforcement.BOUND)

STREAM = Entry(
    ref="people-stream", activity="Flux de profils", role=Role.CONTROLLER, department="Équipe « données »",
    software=("Rollcall", "Apache Kafka\n(4.0)", "1. MongoDB"), created=date(2026, 2, 3), controller=COMPANY,
    joint_controllers=(PARTNER, Party(name="Deuxième & Cie")), dpo=OFFICER,
    purpose='=1+1; keep one "exact" profile\nof each person', sub_purposes=("+ clean", "publish; nobody is disclosed"),
    art6="f", art6_justification="Knowing how many\nthere are", legitimate_interest="@statistics", lia_link="docs/lia.md",
    subjects=(Subjects(name_en="People of the source", name_fr="Personnes de la source", detail="-invented, all", minors=True,
                       volume="some millions"),
              Subjects(name_en="Staff", name_fr="Salariés")),
    items=(
        Item(category="name", label_en="First and last name", label_fr="Prénom et nom", fields=("name.first", "name.last"),
             places=("kafka:people:name.first", "cassandra:profiles.full_name"), source="the source", mask="initials",
             minimisation="The title is dropped", encryption="AES-256-GCM", retention=(TOPIC, ROWS)),
        Item(category="health", label_en="Allergies", label_fr="Allergies; « graves »", source="the person", special=True,
             mandatory=False, mask="hidden", retention=(ROWS,)),
        Item(category="official id", label_en="Number\nof the state", label_fr="=NIR()", national_id=True, source="the state",
             mask="hidden", pseudonymisation="HMAC", places=("cassandra:profiles.nir",), retention=(COUNTS, ROWS, TOPIC)),
        Item(category="courts", label_en="Convictions", label_fr="Condamnations", special=True, criminal=True, source="courts",
             mask="hidden", retention=()),
        Item(category="Autre", label_en="Tick", label_fr="Case", source="the form", mask="none", retention=(COUNTS,))),
    art9="j", schedule1="Part 1, paragraph 4",
    recipients=(
        Recipient(name="Data platform", kind=RecipientKind.INTERNAL, country="FR", principals=("stream", "fence"), clear=True),
        Recipient(name="=cmd|' /C calc'!A0", kind=RecipientKind.PROCESSOR, country="IE", contract="contracts/7; annex",
                  principals=("host",)),
        Recipient(name="Archive\nof the town", kind=RecipientKind.PARTNER),
        Recipient(name="Acme Inc.", kind=RecipientKind.THIRD_COUNTRY, country="US", principals=("acme",))),
    transfers=(Transfer(recipient="Acme Inc.", country="US", mechanism=Mechanism.CLAUSES, document="https://acme.example/scc"),
               Transfer(recipient="Acme Inc.", country="IN", mechanism=Mechanism.DEROGATION, document="letter; 2026")),
    measures=(Measure(kind=MeasureKind.ACCESS, technical=True, detail="Least rights", evidence="rollcall register check"),
              Measure(kind=MeasureKind.OTHER, technical=False, detail='Reasons are "read"\nonce a month', evidence="minutes")),
    locations=("Paris, salle n° 3", "-Lyon"),
    automated=AutomatedDecision(exists=True, logic="a score", consequences="a letter"),
    rights=("15", "16", "21", "Art. 77"), rights_channel="dpo@appel.example", privacy_notice_link="https://appel.example/n",
    retention_policy_link="docs/retention.md",
    dpia=Assessment(required=True, criteria=("large scale", "vulnerable"), status="under way", link="docs/dpia.md",
                    reviewed=date(2026, 3, 1)),
    reviewed=date(2026, 4, 1), next_review=date(2027, 4, 1),
    not_applicable={"representative": "Nous sommes établis dans l'Union ; « art. 27 »",
                    "processor": "We act as the controller.", "consent_link": "The basis is not consent.",
                    "retention": "Courts keep them; we only look"})

ACCOUNTS = Entry(
    ref="console-and-audit", activity="Accounts and audit", role=Role.CONTROLLER, created=date(2026, 1, 31), controller=PARTNER,
    purpose="Let in only who may", art6="c", subjects=(Subjects(name_en="Staff", name_fr="Salariés"),),
    items=(Item(category="account", label_en="Account", label_fr="Compte", source="the administrator", mask="none",
                retention=(ROWS,)),),
    not_applicable={"joint_controllers": "Nobody else decides", "transfers": "Nothing is sent on", "art9": "Nothing special",
                    "dpo": "No duty under Art. 37", "recipients": "Nobody receives them", "dpia": "No risk is high"})

HOSTING = Entry(
    ref="hosting-of-the-clinic", activity="Hébergement", role=Role.PROCESSOR, created=date(2025, 12, 1), controller=CLINIC,
    processor=COMPANY, dpo=OFFICER, purpose="Storing and backing up files", locations=("Paris",),
    recipients=(Recipient(name="Data centre", kind=RecipientKind.PROCESSOR, contract="contracts/9"),),
    measures=(Measure(kind=MeasureKind.BACKUP, technical=True, detail="Nightly", evidence="report"),),
    not_applicable={"items": "The clinic decides what it stores", "transfers": "None leaves the Union",
                    "subjects": "The clinic knows"})

# texts that are the very words for nothing, parts without a text, reasons of odd characters or for what is not empty
NOT_KEPT = Retention(place="", start="", criteria="not stated", fate="effacées", enforced_by=Enforcement.HAND)
ODD = Entry(
    ref="odd", activity="non renseigné", role=Role.CONTROLLER, department="not stated", software=("", "néant"),
    created=date(1, 1, 1), controller=Party(name=""), joint_controllers=(Party(name=""), Party(name="none")),
    dpo=Party(name=""), purpose="sans objet: not applicable: x", sub_purposes=("non renseigné", "not stated"),
    art6_justification="none",
    subjects=(Subjects(name_en="", name_fr=""), Subjects(name_en="x", name_fr=""), Subjects(name_en="", name_fr="x")),
    items=(Item(category="", label_en="", label_fr="", source="", mask="", retention=(NOT_KEPT, NOT_KEPT)),
           Item(category="x", label_en="", label_fr="", source="", special=True, mask="a", retention=()),
           Item(category="x", label_en="", label_fr="", source="", special=True, mask="b", retention=())),
    recipients=(Recipient(name="", kind=RecipientKind.INTERNAL, principals=("a",)),
                Recipient(name="", kind=RecipientKind.INTERNAL, principals=("b",))),
    transfers=(Transfer(recipient="", country="", mechanism=Mechanism.CODE, document=""),), rights_channel="not stated",
    locations=("", "1. x"), rights=("", "Article 15 (access)"),
    not_applicable={"representative": "\x1cx", "measures": "\x1f", "retention": "\x1cy", "purpose": "not empty",
                    "dpia": "", "processor": "non renseigné", "lia_link": "a\nb\n   Kind: c", "anything": "else"})


def version(entry: Entry, n: int = 3, state: State = State.PUBLISHED) -> Version:
    """A version of an entry."""
    return Version(entry, n, state, datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC), "officer", "=first; \"content\"")


ENTRIES = (STREAM, ACCOUNTS, HOSTING)
VERSIONS = (version(STREAM), version(ACCOUNTS, 1, State.DRAFT), version(HOSTING, 2))
KNOWN = MappingProxyType({one.ref: one for one in ENTRIES})
DERIVED = MappingProxyType({
    "people-stream": Derived(("2026-01", "2026-02"), False, "=kafka:people keeps 9 days; 7 are stated"),
    "console-and-audit": Derived((), True)})

# --- entries as hypothesis makes them

WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "=1+1", "+x", "-x", "@x", "'x", "a\nb", "1. x", "- x", "   Kind: x", "oui", "sans objet: x", "néant",
                     "not applicable: x", "not stated", "non renseigné", "none", "selon les critères", "as above",
                     "_x0041_", "_x000", "\x07", "_x0041\x07", "\r\n", "\x1c", "\ufffe", "N°/REF", "Destinataires", '"', ";",
                     "#N/A", "TRUE", "12", "In the systems: x", "Justification: x"]))
PLACES = st.lists(WORDS, max_size=2).map(tuple)


def _several(part: type, /, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(st.builds(part, **fields), max_size=3).map(tuple)


_PARTY: dict[str, st.SearchStrategy[object]] = dict.fromkeys(Party.model_fields, WORDS)
_PERIOD = st.none() | st.builds(Period, count=st.integers(1, 10**9), unit=st.sampled_from(Unit))
_RETENTION = _several(Retention, place=WORDS, period=_PERIOD, criteria=WORDS, start=WORDS, fate=WORDS, reason=WORDS,
                      enforced_by=st.sampled_from(Enforcement))

GENERATED: st.SearchStrategy[Entry] = st.builds(
    Entry, ref=st.from_regex(r"[a-z0-9][a-z0-9-]{1,59}", fullmatch=True), activity=WORDS, role=st.sampled_from(Role),
    department=WORDS, software=PLACES, created=st.dates(), controller=st.builds(Party, **_PARTY),
    joint_controllers=_several(Party, **_PARTY), representative=st.none() | st.builds(Party, **_PARTY),
    dpo=st.none() | st.builds(Party, **_PARTY), processor=st.none() | st.builds(Party, **_PARTY), purpose=WORDS,
    sub_purposes=PLACES, art6=st.sampled_from(["", *"abcdef"]), art6_justification=WORDS, legitimate_interest=WORDS,
    lia_link=WORDS, consent_link=WORDS,
    subjects=_several(Subjects, name_en=WORDS, name_fr=WORDS, detail=WORDS, minors=st.booleans(), volume=WORDS),
    items=_several(Item, category=WORDS, label_en=WORDS, label_fr=WORDS, places=PLACES, source=WORDS, special=st.booleans(),
                   criminal=st.booleans(), national_id=st.booleans(), mask=WORDS, retention=_RETENTION),
    art9=st.sampled_from(["", *"abcdefghij"]), schedule1=WORDS,
    recipients=_several(Recipient, name=WORDS, kind=st.sampled_from(RecipientKind), country=WORDS, contract=WORDS,
                        principals=PLACES),
    transfers=_several(Transfer, recipient=WORDS, country=WORDS, mechanism=st.sampled_from(Mechanism), document=WORDS),
    measures=_several(Measure, kind=st.sampled_from(MeasureKind), technical=st.booleans(), detail=WORDS, evidence=WORDS),
    locations=PLACES, automated=st.builds(AutomatedDecision, exists=st.booleans(), logic=WORDS, consequences=WORDS),
    rights=PLACES, rights_channel=WORDS, privacy_notice_link=WORDS, retention_policy_link=WORDS,
    dpia=st.none() | st.builds(Assessment, required=st.booleans(), criteria=PLACES, status=WORDS, link=WORDS,
                               reviewed=st.none() | st.dates()),
    not_applicable=st.dictionaries(st.sampled_from([*Entry.model_fields, "retention", "anything"]), WORDS, max_size=12))
