"""How the values of an entry are said in the language of a sheet, and understood again when the sheet comes back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from governance.catalogue import Category
from governance.register import Enforcement, MeasureKind, Mechanism, Period, RecipientKind, Role, State, Unit

Words = Mapping[str, str]
"""Member of an enumeration -> how it is said."""

_YES, _NO = {"yes", "oui", "true", "vrai", "x"}, {"no", "non", "false", "faux"}


class Unclear(ValueError):
    """A text that is no value of its kind; the message says what to write instead."""


@dataclass(frozen=True)
class Language:
    """The words of one language.

    not_applicable: before the reason why a field is empty. not_stated, none: an empty field without a reason.
    by_criteria: in place of a period, where criteria are given. natures: flag of an item -> its words. words: by
    enumeration (two of them may have equal members). also: other ways to say a member, in small letters. categories: what
    an authority calls a category of ours.
    """

    not_applicable: str
    not_stated: str
    none: str
    yes: str
    no: str
    by_criteria: str
    ordinary: str
    natures: Words
    units: Mapping[Unit, tuple[str, str]]
    words: Mapping[type[StrEnum], Words]
    day: str = "{0.year:04}-{0.month:02}-{0.day:02}"
    also: Mapping[type[StrEnum], Words] = field(default_factory=dict)
    categories: Words = field(default_factory=dict)
    fates: Words = field(default_factory=dict)

    def absent(self, reason: str) -> str:
        """What stands for an empty field."""
        return f"{self.not_applicable}: {reason}" if reason else self.not_stated

    def reason(self, text: str) -> str | None:
        """Why a text stands for nothing, as far as it says (maybe not at all: ""); None if it is content."""
        said = text.strip().casefold()
        if said in ("", self.not_stated, self.none, self.not_applicable):
            return ""
        found = re.match(rf"{self.not_applicable}\s*:\s*(.*)", text.strip(), re.IGNORECASE | re.DOTALL)
        return found[1] if found else None

    def said(self, value: object) -> str:
        """A value in words; nothing and an empty text are said to be so."""
        match value:
            case None | "":
                return self.not_stated
            case bool():
                return self.yes if value else self.no
            case StrEnum():
                return self.words[type(value)][value]
            case date():
                return self.day.format(value)
            case Period():
                return f"{value.count} {self.units[value.unit][value.count > 1]}"
            case _:
                return str(value)

    def meant(self, text: str, kind: object) -> object:
        """The value of this kind that a text says. Raises Unclear.

        kind: the annotation of the field: a text, a bool, a date, an enumeration or `Period | None`.
        """
        said = " ".join(text.split()).casefold()
        if kind is bool:
            if said not in _YES | _NO:
                raise Unclear(f"write {self.yes} or {self.no}")
            return said in _YES
        if kind is date:
            return self._day(said)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return self._member(said, kind)
        if kind == Period | None:
            return None if said == self.by_criteria or self.reason(text) is not None else self._period(said)
        return "" if self.reason(text) is not None else text

    def _day(self, said: str) -> date:
        ours, turned = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})\b", said), re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", said)
        year, month, day = ours.groups() if ours else turned.groups()[::-1] if turned else ("0", "0", "0")
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            raise Unclear(f"write a day as {self.day.format(date(2026, 12, 31))}") from None

    def _member(self, said: str, kind: type[StrEnum]) -> StrEnum:
        words = self.words[kind]
        ways = {**{word.casefold(): member for member, word in words.items()}, **{str(member): member for member in kind},
                **self.also.get(kind, {})}
        if said not in ways:
            raise Unclear(f"write one of: {'; '.join(words.values())}")
        return kind(ways[said])

    def _period(self, said: str) -> Period:
        units = {word: unit for unit, both in self.units.items() for word in both}
        found = re.fullmatch(rf"(\d{{1,9}})\s*({'|'.join(units)})", said)
        if not found or not int(found[1]):
            raise Unclear(f"write a number with {', '.join(both[1] for both in self.units.values())}, for example "
                          f"{self.said(Period(count=3, unit=Unit.YEARS))}; what is no number goes with the criteria")
        return Period(count=int(found[1]), unit=units[found[2]])


_IDENTITY = "État civil, identité, données d'identification, images"
_CONNECTION = "Données de connexion (adresses IP, journaux, identifiants de connexion, horodatage)"

FRENCH = Language(
    not_applicable="sans objet", not_stated="non renseigné", none="néant", yes="oui", no="non",
    by_criteria="selon les critères", ordinary="donnée ordinaire", day="{0.day:02}/{0.month:02}/{0.year:04}",
    natures=MappingProxyType({"special": "catégorie particulière (art. 9)",
                              "criminal": "condamnations et infractions (art. 10)",
                              "national_id": "numéro d'identification national (art. 87)"}),
    units=MappingProxyType({Unit.HOURS: ("heure", "heures"), Unit.DAYS: ("jour", "jours"), Unit.MONTHS: ("mois", "mois"),
                            Unit.YEARS: ("an", "ans")}),
    words=MappingProxyType({
        Role: {Role.CONTROLLER: "Responsable du traitement (art. 30, § 1)", Role.PROCESSOR: "Sous-traitant (art. 30, § 2)"},
        State: {State.DRAFT: "brouillon", State.PUBLISHED: "publiée", State.ARCHIVED: "archivée"},
        Enforcement: {Enforcement.TOPIC: "durée de rétention du topic", Enforcement.TTL: "expiration des lignes (TTL)",
                      Enforcement.EXPIRE: "commande d'expiration", Enforcement.HAND: "à la main",
                      Enforcement.BOUND: "disparaît avec les données d'origine"},
        RecipientKind: {
            RecipientKind.INTERNAL: "Service interne qui traite les données",
            RecipientKind.EXTERNAL: "Organisme externe",
            RecipientKind.PROCESSOR: "Sous-traitants",
            RecipientKind.PARTNER: "Partenaires institutionnels ou commerciaux",
            RecipientKind.THIRD_COUNTRY: "Destinataires dans des pays tiers ou organisations internationales"},
        Mechanism: {Mechanism.ADEQUACY: "Décision d'adéquation (art. 45)",
                    Mechanism.CLAUSES: "Clauses contractuelles types (art. 46)",
                    Mechanism.BINDING_RULES: "Règles d'entreprise contraignantes (art. 46)",
                    Mechanism.CODE: "Code de conduite ou certification (art. 46)",
                    Mechanism.DEROGATION: "Dérogation (art. 49)"},
        MeasureKind: {MeasureKind.ACCESS: "Contrôle d'accès des utilisateurs",
                      MeasureKind.TRACEABILITY: "Mesures de traçabilité",
                      MeasureKind.SOFTWARE: "Mesures de protection des logiciels",
                      MeasureKind.BACKUP: "Sauvegarde des données", MeasureKind.ENCRYPTION: "Chiffrement des données",
                      MeasureKind.PROCESSORS: "Contrôle des sous-traitants", MeasureKind.OTHER: "Autres mesures"}}),
    also=MappingProxyType({RecipientKind: {"autre": RecipientKind.EXTERNAL, "autre (préciser)": RecipientKind.EXTERNAL,
                                           "organismes externes": RecipientKind.EXTERNAL,
                                           "sous-traitant": RecipientKind.PROCESSOR},
                           MeasureKind: {"autre": MeasureKind.OTHER, "autres": MeasureKind.OTHER}}),
    categories=MappingProxyType({
        **dict.fromkeys((Category.KEY, Category.NAME, Category.CONTACT, Category.ADDRESS, Category.BIRTH,
                         Category.DEMOGRAPHIC, Category.IMAGE), _IDENTITY),
        Category.ACCOUNT: "Vie personnelle (compte, inscription)", Category.SECRET: _CONNECTION,
        Category.OFFICIAL_ID: "Numéro d'identification national (dont numéro de sécurité sociale)",
        "connection": _CONNECTION, "traces": _CONNECTION, "technical": "Autres catégories de données (techniques)",
        "requests": "Autres catégories de données (demandes des personnes)",
        "records": "Autres catégories de données (registres de conformité)",
        "dead letters": "Autres catégories de données (enregistrements inutilisables)"}),
    fates=MappingProxyType({"erased": "effacées", "archived": "archivées", "anonymised": "anonymisées",
                            "returned": "restituées"}))

ENGLISH = Language(
    not_applicable="not applicable", not_stated="not stated", none="none", yes="yes", no="no",
    by_criteria="by the criteria", ordinary="ordinary",
    natures=MappingProxyType({"special": "special category (Art. 9)", "criminal": "convictions and offences (Art. 10)",
                              "national_id": "national identification number (Art. 87)"}),
    units=MappingProxyType({unit: (unit.removesuffix("s"), unit.value) for unit in Unit}),
    words=MappingProxyType({
        Role: {Role.CONTROLLER: "Controller (Art. 30(1))", Role.PROCESSOR: "Processor (Art. 30(2))"},
        State: {state: state.value for state in State},
        Enforcement: {Enforcement.TOPIC: "retention of the topic", Enforcement.TTL: "expiry of rows (TTL)",
                      Enforcement.EXPIRE: "expire command", Enforcement.BOUND: "goes with what it was made of",
                      Enforcement.HAND: "by hand"},
        **{kind: {member: member.value for member in kind} for kind in (RecipientKind, Mechanism, MeasureKind)}}))
