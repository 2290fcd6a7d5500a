"""The register as JSON-LD in the terms of W3C's Data Privacy Vocabulary (DPV 2) and its extension for the GDPR.

Every term here was looked up in DPV 2.0. The context stands in the document: nothing is fetched, and no text of an entry is
taken for an address.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.register import Entry, Item, Mechanism, Party, RecipientKind, Retention, Role, Unit, Version

CONTEXT = {"dpv": "https://w3id.org/dpv#", "gdpr": "https://w3id.org/dpv/legal/eu/gdpr#", "dct": "http://purl.org/dc/terms/",
           "xsd": "http://www.w3.org/2001/XMLSchema#", "owl": "http://www.w3.org/2002/07/owl#"}

URN = "urn:rollcall:activity:"

_RIGHTS = {"13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "77"}
_RECIPIENTS = {RecipientKind.PROCESSOR: "dpv:DataProcessor", RecipientKind.EXTERNAL: "dpv:ThirdParty",
               RecipientKind.PARTNER: "dpv:ThirdParty", RecipientKind.THIRD_COUNTRY: "dpv:DataImporter"}
_TRANSFERS = {Mechanism.ADEQUACY: "gdpr:A45-3", Mechanism.BINDING_RULES: "gdpr:A46-2-b"}
"""The others may be one of several terms each (the clauses of the Commission or of an authority): they are said in words."""

_UNITS = {Unit.HOURS: "PT{}H", Unit.DAYS: "P{}D", Unit.MONTHS: "P{}M", Unit.YEARS: "P{}Y"}

Node = dict[str, Any]


def document(versions: Sequence[Version]) -> dict[str, object]:
    """A record of processing activities (`dpv:ROPA`) with a `dpv:Process` for each entry, as JSON holds it."""
    return {"@context": CONTEXT, "@type": "dpv:ROPA", "dct:title": _text("Record of processing activities", "en"),
            "dpv:hasProcess": [_process(version) for version in versions]}


def _process(version: Version) -> Node | None:
    one = version.entry
    return _node("dpv:PersonalDataProcess", {
        "@id": URN + one.ref, "dct:identifier": one.ref, "dct:title": one.activity,
        "dct:created": {"@value": one.created.isoformat(), "@type": "xsd:date"},
        "dct:modified": {"@value": version.at.isoformat(), "@type": "xsd:dateTime"},
        "owl:versionInfo": f"{version.n} ({version.state.value})",
        "dpv:hasOrganisationalUnit": _titled("dpv:Entity", one.department),
        "dpv:isImplementedUsingTechnology": [_titled("dpv:Technology", name) for name in one.software],
        "dpv:hasDataController": _controller(one),
        "dpv:hasJointDataControllers": _node("dpv:JointDataControllers", {
            "dpv:hasDataController": [_party("dpv:DataController", party) for party in one.joint_controllers]}),
        "dpv:hasDataProcessor": one.processor and _officers(one, _party("dpv:DataProcessor", one.processor)),
        "dpv:hasPurpose": [_described("dpv:Purpose", purpose) for purpose in (one.purpose, *one.sub_purposes)],
        **_law(one),
        "dpv:hasDataSubject": [_node("dpv:DataSubject", {
            "dct:title": [_text(each.name_en, "en"), _text(each.name_fr, "fr")],
            "dct:description": [each.detail, "Minors are among them" if each.minors else ""],
            "dct:extent": _described("dct:SizeOrDuration", each.volume)}) for each in one.subjects],
        "dpv:hasPersonalData": [_item(item) for item in one.items],
        "dpv:hasProcessing": {"@id": "dpv:Store"} if any(item.retention for item in one.items) else None,
        "dpv:hasRecipient": [_node(_RECIPIENTS.get(each.kind, "dpv:Recipient"), {
            "dpv:hasName": each.name, "dct:type": each.kind.value, "dpv:hasCountry": _titled("dpv:Country", each.country),
            "dct:source": each.contract}) for each in one.recipients],
        "dpv:hasDataImporter": [_node("dpv:DataImporter", {
            "dpv:hasName": each.recipient, "dpv:hasThirdCountry": _titled("dpv:ThirdCountry", each.country),
            "dpv:hasLegalBasis": _node(["dpv:DataTransferLegalBasis", *([_TRANSFERS[each.mechanism]]
                                                                        if each.mechanism in _TRANSFERS else [])],
                                       {"dct:title": each.mechanism.value, "dct:source": each.document})})
                                for each in one.transfers],
        **{f"dpv:has{kind}Measure": [_node(f"dpv:{kind}Measure", {
            "dct:type": each.kind.value, "dct:description": each.detail, "dct:source": each.evidence})
            for each in one.measures if each.technical is technical]
            for kind, technical in (("Technical", True), ("Organisational", False))},
        "dpv:hasLocation": [_titled("dpv:Location", place) for place in one.locations],
        **_rights(one),
        "dpv:hasApplicability": [_node("dpv:NotApplicable", {"dct:subject": field, "dct:description": reason})
                                 for field, reason in one.not_applicable.items()]})


def _controller(one: Entry) -> Node | None:
    controller = _party("dpv:DataController", one.controller)
    return _officers(one, controller) if controller and one.role is Role.CONTROLLER else controller


def _officers(one: Entry, ourselves: Node | None) -> Node | None:
    """Ourselves with our officer and representative."""
    return ourselves and ourselves | _filled({
        "dpv:hasDataProtectionOfficer": one.dpo and _party("dpv:DataProtectionOfficer", one.dpo),
        "dpv:hasRepresentative": one.representative and _party("dpv:Representative", one.representative)})


def _party(kind: str, party: Party) -> Node | None:
    return _node(kind, {
        "dpv:hasName": party.name,
        "dpv:hasAddress": "\n".join(filter(None, [party.address, f"{party.postcode} {party.town}".strip(), party.country])),
        "dpv:hasContact": [party.email, party.phone, party.contact],
        "dct:source": party.arrangement})


def _law(one: Entry) -> Node:
    letters = [("gdpr:A6-1-", one.art6), ("gdpr:A9-2-", one.art9)]
    why = [("Art. 6", one.art6_justification), ("Legitimate interest", one.legitimate_interest),
           ("DPA 2018, Schedule 1", one.schedule1)]
    documents = [("dpv:LegitimateInterestAssessment", one.lia_link), ("dpv:DPIA", one.dpia and one.dpia.link)]
    return {
        "dpv:hasLegalBasis": [{"@id": term + letter} for term, letter in letters if letter],
        "dpv:hasJustification": [_node("dpv:Justification", {"dct:title": title, "dct:description": text})
                                 for title, text in why if text],
        "dpv:hasAssessment": [_node(kind, {"dct:source": link, "dct:description": one.dpia.status
                                           if one.dpia and kind == "dpv:DPIA" else ""})
                              for kind, link in documents if link or (one.dpia and kind == "dpv:DPIA")],
        "dpv:hasRecordOfActivity": _node("dpv:ConsentRecord", {"dct:source": one.consent_link}),
        "dpv:hasContext": _node("dpv:AutomatedDecisionMaking", {
            "dpv:hasAlgorithmicLogic": _described("dpv:AlgorithmicLogic", one.automated.logic),
            "dct:description": one.automated.consequences or "Decisions are made by automated means alone"})
        if one.automated.exists else None}


def _rights(one: Entry) -> Node:
    return {
        "dpv:hasRight": [{"@id": f"gdpr:A{right}"} if right in _RIGHTS else _titled("dpv:DataSubjectRight", right)
                         for right in one.rights],
        "dpv:hasNotice": [_node("dpv:PrivacyNotice", {"dct:source": one.privacy_notice_link}),
                          _node("dpv:RightExerciseNotice", {"dct:description": one.rights_channel})],
        "dpv:hasPolicy": _node("dpv:DataStoragePolicy", {"dct:source": one.retention_policy_link})}


def _item(item: Item) -> Node | None:
    kinds = [kind for kind, holds in (("dpv:SpecialCategoryPersonalData", item.special),
                                      ("dpv:SensitivePersonalData", item.criminal or item.national_id)) if holds]
    return _node(["dpv:PersonalData", *kinds], {
        "dct:title": [_text(item.label_en, "en"), _text(item.label_fr, "fr")], "dct:type": item.category,
        "dct:description": [item.minimisation, item.pseudonymisation, item.encryption],
        "dpv:hasDataSource": _titled("dpv:DataSource", item.source),
        "dpv:hasStorageCondition": [_retention(each) for each in item.retention]})


def _retention(each: Retention) -> Node | None:
    duration = each.period and {"@value": _UNITS[each.period.unit].format(each.period.count), "@type": "xsd:duration"}
    return _node("dpv:StorageDuration", {
        "dpv:hasDuration": duration or _described("dpv:UntilEventDuration", each.criteria),
        "dct:description": each.said, "dpv:hasLocation": _titled("dpv:StorageLocation", each.place),
        "dpv:hasJustification": _described("dpv:Justification", each.reason)})


def _text(text: str, language: str) -> Node | None:
    return {"@value": text, "@language": language} if text else None


def _titled(kind: str, title: str) -> Node | None:
    return _node(kind, {"dct:title": title})


def _described(kind: str, text: str) -> Node | None:
    return _node(kind, {"dct:description": text})


def _filled(fields: Mapping[str, object]) -> Node:
    """Fields that say something; of lists what says something."""
    made = {}
    for name, value in fields.items():
        kept = [one for one in value if one] if isinstance(value, list) else value
        if kept:
            made[name] = kept
    return made


def _node(kind: str | list[str], fields: Mapping[str, object]) -> Node | None:
    """A thing of this kind; nothing, if there is nothing to say of it."""
    filled = _filled(fields)
    return {"@type": kind, **filled} if filled else None
