"""The form of CNIL's models, in French: sections, labels and headings, and what stands under them for one entry.

Sections and their order are those of CNIL's "registre de base" and of its simplified workbook (2019).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from governance.register import Derived, Entry, Role, Version
from governance.sheets.draft import shown, shown_list, shown_rows
from governance.sheets.language import FRENCH
from governance.sheets.rows import MEASURES, PARTIES, RECIPIENTS, TRANSFERS, Table, Texts, items, kept_texts, subjects

TITLE = "Registre des activités de traitement (article 30 du RGPD)"

DESCRIPTION, ACTORS, PURPOSES, DATA, SENSITIVE, PEOPLE, RECIPIENT, SECURITY, ABROAD = SECTIONS = (
    "Description du traitement", "Acteurs", "Finalités du traitement", "Catégories de données personnelles concernées",
    "Données sensibles", "Catégories de personnes concernées", "Destinataires", "Mesures de sécurité",
    "Transferts hors de l'Union européenne")

DESCRIBED = {"activity": "Nom de l'activité", "ref": "N°/REF", "created": "Date de création de la fiche",
             "role": "Registre", "software": "Nom du logiciel ou de l'application"}
"""Field of the entry -> label."""

UPDATED, VERSION = "Date de dernière mise à jour", "Version"
PURPOSE, SUB_PURPOSE = "Finalité principale", "Sous-finalité"

ACTED = {"controller": "Responsable du traitement", "dpo": "Délégué à la protection des données",
         "representative": "Représentant", "joint_controllers": "Responsable conjoint", "processor": "Sous-traitant"}
COMPANY = "Société du DPO (si externe)"
AS_ABOVE = "Voir la ligne du délégué : le nom y est celui de la société, la personne à contacter celui du délégué."

SUBJECTS, ITEMS = subjects("fr"), items("fr")
TABLES: Mapping[str, tuple[str, Table]] = {"subjects": (PEOPLE, SUBJECTS), "recipients": (RECIPIENT, RECIPIENTS),
                                           "measures": (SECURITY, MEASURES), "transfers": (ABROAD, TRANSFERS)}

_PARTY = {"name": "Nom", "address": "Adresse", "postcode": "Code postal", "town": "Ville", "country": "Pays",
          "phone": "Téléphone", "email": "Courriel", "contact": "Responsable légal ou personne à contacter",
          "arrangement": "Accord entre responsables conjoints (art. 26)"}
_KEPT = {"period": "Durée de conservation", "criteria": "Critères (à défaut de durée)", "start": "Point de départ",
         "fate": "Sort final", "reason": "Motif de la durée", "place": "Lieu de conservation", "enforced_by": "Mise en œuvre"}
_ITEM = {"n": "N°", "category": "Catégorie", "label_fr": "Description", **_KEPT, "nature": "Nature", "source": "Source"}

HEADINGS: Mapping[str, Mapping[str, str]] = {
    ACTORS: {"n": "Acteur", **_PARTY},
    DATA: _ITEM,
    SENSITIVE: _ITEM,
    PEOPLE: {"n": "N°", "name_fr": "Catégorie", "detail": "Description", "minors": "Mineurs", "volume": "Précisions"},
    RECIPIENT: {"n": "N°", "kind": "Type", "name": "Destinataire", "country": "Pays", "contract": "Contrat (art. 28)"},
    SECURITY: {"n": "N°", "kind": "Type", "detail": "Précisions", "technical": "Mesure technique", "evidence": "Justificatif"},
    ABROAD: {"n": "N°", "recipient": "Organisme destinataire", "country": "Pays", "mechanism": "Type de garanties",
             "document": "Lien vers la documentation"}}
"""Section -> column -> its heading. The first column never holds a text of an entry, so a section is told from a row."""

ASKED = {SENSITIVE: "Des données sensibles sont-elles traitées ?",
         ABROAD: "Des données sont-elles transférées hors de l'Union européenne ?"}


class Look(Enum):
    """How a line looks."""

    TITLE = "title"
    SECTION = "section"
    HEADINGS = "headings"
    LABELLED = "labelled"
    ROW = "row"


@dataclass(frozen=True)
class Line:
    """One row of a sheet."""

    look: Look
    texts: Sequence[str] = ()


def sensitive(one: Entry) -> bool:
    """Whether data of Art. 9 or 10 are processed."""
    return any(item.special or item.criminal for item in one.items)


def card(version: Version) -> Iterator[Line]:
    """The sheet of one entry."""
    one = version.entry
    yield Line(Look.TITLE, [one.activity or one.ref])
    yield Line(Look.SECTION, [DESCRIPTION])
    for field, label in DESCRIBED.items():
        for text in shown_list(one, field, FRENCH) if field == "software" else [shown(one, field, FRENCH)]:
            yield Line(Look.LABELLED, [label, text])
        if field == "created":
            yield Line(Look.LABELLED, [UPDATED, FRENCH.said(version.at.date())])
            yield Line(Look.LABELLED, [VERSION, f"{version.n} ({FRENCH.said(version.state)})"])
    yield from _section(ACTORS, _actors(one))
    yield Line(Look.SECTION, [PURPOSES])
    yield Line(Look.LABELLED, [PURPOSE, shown(one, "purpose", FRENCH)])
    for number, text in enumerate(shown_list(one, "sub_purposes", FRENCH), 1):
        yield Line(Look.LABELLED, [f"{SUB_PURPOSE} {number}", text])
    yield from _section(DATA, _items(one, DATA))
    yield from _section(SENSITIVE, _items(one, SENSITIVE), sensitive(one))
    for field, (section, table) in TABLES.items():
        rows = shown_rows(one, field, table, FRENCH)
        numbered = [row | {"n": str(number) if getattr(one, field) else ""} for number, row in enumerate(rows, 1)]
        yield from _section(section, numbered, bool(one.transfers))


def _section(section: str, rows: Sequence[Texts], answer: bool = False) -> Iterator[Line]:
    yield Line(Look.SECTION, [section])
    if section in ASKED:
        yield Line(Look.LABELLED, [ASKED[section], FRENCH.said(answer)])
    yield Line(Look.HEADINGS, list(HEADINGS[section].values()))
    for row in rows:
        yield Line(Look.ROW, [row.get(column, "") for column in HEADINGS[section]])


def _actors(one: Entry) -> list[Texts]:
    rows = []
    for field, label in ACTED.items():
        rows += [row | {"n": label} for row in shown_rows(one, field, PARTIES, FRENCH)]
        if field == "dpo":
            rows.append({"n": COMPANY, "name": AS_ABOVE})
    return rows


def _items(one: Entry, section: str) -> list[Texts]:
    """The rows of the ordinary or of the sensitive data: one for each time limit, numbered by the item through both."""
    rows: list[Texts] = []
    for number, item in enumerate(one.items, 1):
        if (item.special or item.criminal) == (section == SENSITIVE):
            said, kept = kept_texts(item, ITEMS, FRENCH)
            rows += [{"n": str(number), **said, **each}
                     for each in kept or [{"period": FRENCH.absent(one.because("retention"))}]]
    if rows:
        return rows
    return [{"category": FRENCH.none if one.items or section == SENSITIVE else FRENCH.absent(one.because("items"))}]


def front(versions: Sequence[Version], derived: Mapping[str, Derived]) -> Iterator[Line]:
    """The front page: who answers for the register, and the list of activities."""
    yield Line(Look.TITLE, [TITLE])
    yield Line(Look.LABELLED, ["Cette page", "est tirée des fiches ; elle n'est pas relue à l'importation."])
    yield Line(Look.SECTION, [ACTORS])
    yield Line(Look.HEADINGS, list(HEADINGS[ACTORS].values())[:-1])
    for row in _ourselves(versions):
        yield Line(Look.ROW, [row.get(column, "") for column in HEADINGS[ACTORS]][:-1])
    yield Line(Look.SECTION, ["Liste des activités"])
    yield Line(Look.HEADINGS, [
        "Nom du traitement", "N°/REF", "Registre", "Date de création", "Dernière mise à jour", "Finalité",
        "Données sensibles ?", "Transferts hors UE ?", "Durées respectées ?", "Violations de données"])
    for version in versions:
        one, found = version.entry, derived.get(version.entry.ref)
        yield Line(Look.ROW, [
            shown(one, "activity", FRENCH), one.ref, FRENCH.said(one.role), FRENCH.said(one.created),
            FRENCH.said(version.at.date()), shown(one, "purpose", FRENCH), FRENCH.said(sensitive(one)),
            FRENCH.said(bool(one.transfers)), _adheres(found),
            "inconnu" if found is None else ", ".join(found.breaches) or "aucune"])


def _adheres(found: Derived | None) -> str:
    if found is None or found.adheres is None:
        return "non mesuré"
    return FRENCH.yes if found.adheres else f"{FRENCH.no} : {found.reasons or 'motif non renseigné'}"


def _ourselves(versions: Sequence[Version]) -> list[Texts]:
    """Each organisation that keeps this register, its officers and representatives: once, however many entries name it."""
    rows: list[Texts] = []
    for version in versions:
        one = version.entry
        for field in ("processor" if one.role is Role.PROCESSOR else "controller", "dpo", "representative"):
            for row in shown_rows(one, field, PARTIES, FRENCH):
                if (named := row | {"n": ACTED[field]}) not in rows:
                    rows.append(named)
    stated = {row["n"] for row in rows if row["name"] != FRENCH.not_stated}
    return sorted((row for row in rows if row["name"] != FRENCH.not_stated or row["n"] not in stated),
                  key=lambda row: list(ACTED.values()).index(row["n"]))
