"""The register on paper: its first content is complete, whatever the law asks and lacks is named, drift goes both ways."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.compliance.survey import READING, named
from engine.provision.cassandra import GRANTS
from engine.provision.kafka import wanted_rules
from engine.settings import Kafka
from engine.stores.schema import COLLECTIONS, MARKERS, PROFILES
from engine.writer import fence
from governance import drift as drift_module
from governance.catalogue import FIELDS, Treatment
from governance.drift import Live, LiveTable, LiveTopic, drift, whole
from governance.register import CONTENT, Entry, NotAnEntry, changed, entries, entry
from governance.register_checks import Finding, Level, check

TODAY = date(2026, 12, 1)
FIRST = entries(CONTENT.read_text())
STREAM = next(one for one in FIRST if one.ref == "people-stream")

ART_30_1 = ("controller", "purpose", "subjects", "items", "recipients", "transfers", "measures")
"""Fields of Art. 30(1)(a) to (g); (f) stands in each item."""


@pytest.mark.parametrize("one", FIRST, ids=lambda one: one.ref)
def test_the_first_content_leaves_no_item_of_article_30_empty(one: Entry) -> None:
    for name in (*ART_30_1, "joint_controllers", "representative", "dpo"):
        assert getattr(one, name) or one.because(name), name
    for item in one.items:
        assert item.retention
        assert all(limit.period or limit.criteria for limit in item.retention), item.label_en
        assert item.label_fr
        assert item.places
    assert {measure.technical for measure in one.measures} <= {True, False}
    assert all(measure.evidence for measure in one.measures)


BY_HAND = {"cassandra:audit", "cassandra:records"}
"""Places with a period that no job ends."""


def test_the_first_content_has_no_error_and_warns_of_its_parties_and_of_what_nothing_ends() -> None:
    found = check(FIRST, TODAY)
    assert {finding.level for finding in found} == {Level.WARNING}
    assert {(finding.ref, finding.where) for finding in found if "demonstration" in finding.what} == {
        (one.ref, "Art. 30(1)(a)") for one in FIRST}
    assert {finding.where for finding in found if "nothing ends it by itself" in finding.what} == BY_HAND
    assert len(found) == len(FIRST) + len(BY_HAND), [str(one) for one in found]


def altered(**fields: Any) -> Entry:
    """The entry of the stream with other fields."""
    return entry({**STREAM.model_dump(mode="json"), **fields})


def part(name: str, change: Callable[[dict[str, Any]], object]) -> Entry:
    """The entry of the stream with its first part of a list changed."""
    fields = STREAM.model_dump(mode="json")
    change(fields[name][0])
    return entry(fields)


NOWHERE = {"name": "Nowhere Ltd", "kind": "third country", "country": "XX"}
HOST = {"name": "Host", "kind": "processor", "country": "FR"}
EMPTY: dict[str, Any] = {"not_applicable": {}}


def limited(number: int, **fields: Any) -> Entry:
    """The entry of the stream with other fields in a limit of its first item: the topic's (0) or the rows' (1)."""
    return part("items", lambda item: item["retention"][number].update(fields))


MONTH = {"count": 1, "unit": "months"}
NUMBER = "Number of the person"

LACKS: dict[str, tuple[Entry, Level, str, str]] = {
    "controller cannot be reached": (altered(controller={"name": "We"}), Level.ERROR, "Art. 30(1)(a)", "cannot be reached"),
    "no dpo": (altered(dpo=None), Level.ERROR, "Art. 30(1)(a)", "dpo is empty"),
    "no joint controllers and no reason": (altered(**EMPTY), Level.ERROR, "Art. 30(1)(a)", "joint_controllers is empty"),
    "no arrangement": (altered(joint_controllers=[{"name": "Two", "phone": "1"}]), Level.ERROR, "Art. 26", "Two"),
    "no purpose": (altered(purpose=""), Level.ERROR, "Art. 30(1)(b)", "purpose is empty"),
    "no subjects": (altered(subjects=[]), Level.ERROR, "Art. 30(1)(c)", "subjects is empty"),
    "no data": (altered(items=[]), Level.ERROR, "Art. 30(1)(c)", "items is empty"),
    "no recipients": (altered(recipients=[]), Level.ERROR, "Art. 30(1)(d)", "recipients is empty"),
    "no transfers and no reason": (altered(**EMPTY), Level.WARNING, "Art. 30(1)(e)", "transfers is empty"),
    "no time limit": (part("items", lambda item: item.update(retention=[])), Level.ERROR, "Art. 30(1)(f)", "no time limit"),
    "a limit without a period or criteria": (
        limited(2, criteria=""), Level.ERROR, "Art. 30(1)(f)", "neither a period nor criteria"),
    "a limit without a start": (limited(0, start=""), Level.ERROR, "Art. 30(1)(f)", "has no start"),
    "a topic of months": (limited(0, period=MONTH), Level.ERROR, NUMBER, "hours or days alone (topic), not to '1 month'"),
    "a topic of criteria": (limited(0, period=None, criteria="some time"), Level.ERROR, NUMBER, "not to 'some time'"),
    "a TTL of months": (limited(1, period=MONTH, enforced_by="ttl"), Level.ERROR, NUMBER, "hours or days alone (ttl)"),
    "a TTL of criteria": (
        limited(1, period=None, criteria="some time", enforced_by="ttl"), Level.ERROR, NUMBER, "not to 'some time'"),
    "a TTL on a topic": (limited(0, enforced_by="ttl"), Level.ERROR, NUMBER, "kafka:people: enforced_by ttl is for cassandra:"),
    "a topic's end on a table": (limited(1, enforced_by="topic"), Level.ERROR, NUMBER, "enforced_by topic is for kafka:"),
    "what expires elsewhere": (
        limited(2, period=MONTH, enforced_by="expire"), Level.ERROR, NUMBER, "cassandra:markers: enforced_by expire is for"),
    "what expires without a period": (limited(1, period=None, criteria="some time"), Level.ERROR, NUMBER, "needs a period"),
    "a mask weaker than the catalogue's": (
        part("items", lambda item: item.update(fields=["login.uuid", "email"])), Level.WARNING, NUMBER,
        "the catalogue masks email (email)"),
    "no measures": (altered(measures=[]), Level.WARNING, "Art. 30(1)(g)", "measures is empty"),
    "no organisational measure": (
        altered(measures=[one.model_dump(mode="json") for one in STREAM.measures if one.technical]),
        Level.WARNING, "Art. 32(1)", "organisational"),
    "no lawful basis": (altered(art6=""), Level.ERROR, "Art. 6(1)", "art6 is empty"),
    "interest not weighed": (altered(lia_link=""), Level.ERROR, "Art. 6(1)(f)", "weighed"),
    "consent not recorded": (altered(art6="a"), Level.ERROR, "Art. 7(1)", "consent"),
    "special data without a condition": (
        part("items", lambda item: item.update(special=True)), Level.ERROR, "Art. 9(2)", "special category"),
    "processor without a contract": (altered(recipients=[HOST]), Level.ERROR, "Art. 28(3)", "Host"),
    "third country without a transfer": (altered(recipients=[NOWHERE]), Level.ERROR, "Art. 44", "Nowhere"),
    "transfer without its document": (
        altered(transfers=[{"recipient": "Nowhere Ltd", "country": "XX", "document": "",
                            "mechanism": "standard contractual clauses (Art. 46)"}]), Level.ERROR, "Art. 46", "safeguards"),
    "a field that the catalogue lacks": (
        part("items", lambda item: item.update(fields=["hobby"])), Level.ERROR, "Number of the person", "no field hobby"),
    "a mask that does not exist": (
        part("items", lambda item: item.update(mask="foggy")), Level.ERROR, "Number of the person", "no mask foggy"),
    "a vague limit": (
        part("items", lambda item: item["retention"][0].update(period=None, criteria="as long as necessary")),
        Level.WARNING, "Number of the person", "no time limit"),
    "not reviewed": (altered(reviewed="2025-01-01"), Level.WARNING, "reviewed", "once a year"),
    "a review that is due": (altered(next_review="2026-11-30"), Level.WARNING, "next_review", "is due"),
    "no word on an assessment": (altered(dpia=None), Level.WARNING, "Art. 35", "impact assessment"),
    "an assessment that is expected": (
        altered(dpia={"required": False, "criteria": ["scoring", "large scale"], "status": "no"}),
        Level.WARNING, "Art. 35", "expected"),
    "a processor without itself": (altered(role="processor"), Level.ERROR, "Art. 30(2)(a)", "processor is empty"),
}


@pytest.mark.parametrize("what", LACKS)
def test_what_an_entry_lacks_is_named_with_its_article(what: str) -> None:
    one, level, where, said = LACKS[what]
    found = check([one], TODAY)
    assert any(finding.level is level and finding.where == where and said in finding.what for finding in found), found
    usual = {(finding.where, finding.what) for finding in check([STREAM], TODAY)}
    assert (where, said) not in usual


def test_an_empty_register_is_an_error() -> None:
    assert [(finding.level, finding.where) for finding in check([], TODAY)] == [(Level.ERROR, "Art. 30")]


def test_a_malformed_entry_says_which_field_and_what_is_allowed() -> None:
    with pytest.raises(NotAnEntry, match=r"ref: .*; role: "):
        entry({**STREAM.model_dump(mode="json"), "ref": "Two words", "role": "owner"})
    with pytest.raises(NotAnEntry, match="hobby"):
        entry({**STREAM.model_dump(mode="json"), "hobby": "chess"})
    with pytest.raises(NotAnEntry, match="line 2"):
        entries("entries:\n  - ref: [")
    with pytest.raises(NotAnEntry, match="no list under"):
        entries("ref: x")


def test_what_changed_is_told_field_by_field() -> None:
    other = altered(department="Another", purpose="Other")
    assert changed(STREAM, other) == {"department": ("Data platform", "Another"), "purpose": (STREAM.purpose, "Other")}
    assert changed(STREAM, STREAM) == {}
    fresh = changed(None, STREAM)
    assert {name for name in Entry.model_fields if getattr(STREAM, name) is not None} == set(fresh)
    assert all(before is None for before, _ in fresh.values())


# --- drift

TTL_S = {"sessions": 12 * 3600, "packages": 168 * 3600}


def live_as_stated() -> Live:
    """Systems that are just what the first content says."""
    tables: dict[str, dict[str, str]] = {}
    collections: dict[str, set[str]] = {}
    sealed = {place for one in FIELDS for place, treatment in one.stands.items() if treatment is Treatment.ENCRYPT}
    for place in {place for one in FIRST for place in one.places}:
        system, _, rest = place.partition(":")
        if system == "cassandra":
            table, _, column = rest.partition(".")
            tables.setdefault(table, {})[column] = "mask_null" if rest in sealed else ""
        elif system == "mongo":
            name, _, part_of = rest.partition(".")
            collections.setdefault(name, set()).update([part_of] if part_of else [])
    return Live(
        {name: LiveTable(columns, TTL_S.get(name, 0), granted(name)) for name, columns in tables.items()},
        {"people": LiveTopic(168, frozenset({"login.uuid", "email"}), allowed("people")),
         "control": LiveTopic(None, readers=allowed("control")), "dead": LiveTopic(720, readers=allowed("dead"))},
        {name: frozenset(parts) for name, parts in collections.items()})


def granted(name: str) -> dict[str, frozenset[str]]:
    """Who may read a table, as `rollcall up` and the fence grant it."""
    given = GRANTS | {"stream": dict.fromkeys((PROFILES.name, MARKERS.name), frozenset(fence.PERMISSIONS))}
    return {role: may for role, by_table in given.items() if (may := by_table.get(name, frozenset()) & READING)}


def allowed(name: str) -> frozenset[str]:
    """Who may read a topic, as `rollcall up` allows it."""
    return frozenset(rule.principal for rule in wanted_rules(Kafka())
                     if rule.operation == "READ" and rule.topic == named(Kafka())[name])


def table(live: Live, name: str, **other: Any) -> Live:
    return replace(live, tables={**live.tables, name: replace(live.tables[name], **other)})


def topic(live: Live, name: str, **other: Any) -> Live:
    return replace(live, topics={**live.topics, name: replace(live.topics[name], **other)})


def reading(live: Live, name: str, role: str, *may: str) -> Live:
    return table(live, name, roles={**live.tables[name].roles, role: frozenset(may)})


def without_collection(live: Live, name: str) -> Live:
    return replace(live, collections={other: parts for other, parts in live.collections.items() if other != name})


def columns(live: Live, **other: str) -> dict[str, str]:
    return {**live.tables["profiles"].columns, **other}


def without(live: Live, column: str) -> Live:
    return table(live, "profiles", columns={name: mask for name, mask in columns(live).items() if name != column})


DRIFTS: dict[str, tuple[Callable[[Live], Live], str, str]] = {
    "a column more": (lambda live: table(live, "profiles", columns=columns(live, hobby="")), "cassandra:profiles.hobby",
                      "no entry"),
    "a column less": (lambda live: without(live, "city"), "cassandra:profiles.city", "no such place"),
    "a column that the catalogue knows less": (lambda live: without(live, "city"), "cassandra:profiles.city", "no such column"),
    "a mask less": (lambda live: table(live, "profiles", columns=columns(live, email="")), "cassandra:profiles.email",
                    "should be masked"),
    "a mask of pins less": (lambda live: table(live, "markers", columns={**live.tables["markers"].columns, "pins": ""}),
                            "cassandra:markers.pins", "should be masked"),
    "who sees pins unmasked": (lambda live: reading(live, "markers", "governance", "SELECT", "UNMASK"), "cassandra:markers",
                               "role governance sees"),
    "a mask more": (lambda live: table(live, "profiles", columns=columns(live, city="mask_null")), "cassandra:profiles.city",
                    "calls it readable"),
    "a TTL more": (lambda live: table(live, "profiles", ttl_s=3600), "cassandra:profiles", "TTL is 1 h"),
    "a TTL less": (lambda live: table(live, "sessions", ttl_s=0), "cassandra:sessions", "TTL is 0 h"),
    "a topic that keeps longer": (lambda live: topic(live, "people", retention_h=169), "kafka:people", "169 h"),
    "a topic that keeps for ever": (lambda live: topic(live, "dead", retention_h=None), "kafka:dead", "for ever"),
    "a topic that forgets": (lambda live: topic(live, "control", retention_h=24), "kafka:control", "24 h"),
    "a reader of a topic": (lambda live: topic(live, "people", readers=frozenset({"*"})), "kafka:people", "* may read it"),
    "a reader of a table": (lambda live: table(live, "audit", roles={"snoop": frozenset({"SELECT"})}), "cassandra:audit",
                            "role snoop"),
    "who sees it unmasked": (lambda live: table(live, "profiles", roles={"console": frozenset({"SELECT", "UNMASK"})}),
                             "cassandra:profiles", "role console sees"),
    "a field that flows": (lambda live: topic(live, "people", fields=frozenset({"hobby"})), "kafka:people:hobby",
                           "the catalogue has no such field"),
    "a field that should be dropped": (lambda live: topic(live, "people", fields=frozenset({"login.password"})),
                                       "kafka:people:login.password", "drops this field"),
    "a collection more": (lambda live: replace(live, collections={**live.collections, "names": frozenset({"_id"})}),
                          "mongo:names._id", "no entry"),
    "a collection less": (lambda live: without_collection(live, "arrivals"), "mongo:arrivals", "no such place"),
    "a collection less that the catalogue knows": (
        lambda live: without_collection(live, "users_by_nationality"), "mongo:users_by_nationality.births",
        "no such collection"),
    "a collection less that has a limit": (lambda live: without_collection(live, "users_by_email_domain"),
                                           "mongo:users_by_email_domain", "no such table, topic or collection"),
    "a collection without a limit": (lambda live: replace(live, collections={**live.collections, "names": frozenset()}),
                                     "mongo:names", "no entry states how long"),
    "another mask": (lambda live: table(live, "profiles", columns=columns(live, email="mask_inner")),
                     "cassandra:profiles.email", "masked by mask_inner, which is not mask_null"),
    "who reads another topic alone": (lambda live: topic(live, "control", readers=frozenset({"console"})), "kafka:control",
                                      "console may read it"),
    "who reads another table alone": (lambda live: reading(live, "accounts", "producer", "SELECT"), "cassandra:accounts",
                                      "role producer may read it"),
    "who reads a table masked": (lambda live: reading(live, "profiles", "snoop", "SELECT_MASKED"), "cassandra:profiles",
                                 "role snoop may read it"),
    "who sees it unmasked and may only read": (lambda live: reading(live, "profiles", "producer", "SELECT", "UNMASK"),
                                               "cassandra:profiles", "role producer sees"),
    "who reads plain records": (lambda live: topic(live, "people", readers=frozenset({"console", "stream"})), "kafka:people",
                                "console may read its records, which are plain JSON"),
}


def test_systems_that_are_as_stated_do_not_drift() -> None:
    assert drift(FIRST, live_as_stated()) == []


@pytest.mark.parametrize("what", DRIFTS)
def test_each_difference_is_named(what: str) -> None:
    change, place, said = DRIFTS[what]
    found = drift(FIRST, change(live_as_stated()))
    assert any(finding.where == place and said in finding.what for finding in found), found
    assert {whole(finding.where) for finding in found} == {whole(place)}
    assert all(finding.level is Level.DRIFT for finding in found)


def test_a_principal_that_may_read_nothing_is_named() -> None:
    live = live_as_stated()
    for name in live.tables:
        live = table(live, name, roles={role: may for role, may in live.tables[name].roles.items() if role != "redrive"})
    for name in live.topics:
        live = topic(live, name, readers=live.topics[name].readers - {"redrive"})
    assert {(finding.ref, finding.where) for finding in drift(FIRST, live)} == {
        ("people-stream", "Data platform"), ("markers", "Stream and its checks")}


def test_a_field_of_the_catalogue_that_no_entry_places_is_named() -> None:
    less = part("items", lambda item: item.update(places=["kafka:people:login.uuid", "cassandra:profiles.uuid"]))
    found = drift([less, *FIRST[1:]], live_as_stated())
    assert Finding(Level.DRIFT, "", "cassandra:markers.suppression",
                   "the catalogue says that login.uuid stands here, and no entry speaks of it") in found


TOPIC = {"place": "kafka:people", "period": {"count": 14, "unit": "days"}, "start": "it is sent", "enforced_by": "topic"}
SESSION = {"place": "cassandra:sessions", "period": {"count": 1, "unit": "hours"}, "start": "sign-in", "enforced_by": "ttl"}
STATED: dict[str, tuple[dict[str, Any], str]] = {
    "another limit of a topic": (TOPIC, "14 days (topic), that is 336 h; the topic keeps 168 h"),
    "a topic of months": (TOPIC | {"period": MONTH}, "no server can be set"),
    "a topic of criteria": (TOPIC | {"period": None, "criteria": "some time"}, "some time (topic), to which no server"),
    "a topic that somebody empties": (TOPIC | {"enforced_by": "hand"}, "14 days (hand), the topic keeps 168 h"),
    "another limit of a table": (SESSION, "1 hour (ttl), that is 1 h; the table's TTL is 12 h"),
    "a TTL of years": (SESSION | {"period": {"count": 1, "unit": "years"}}, "no server can be set"),
    "a TTL of criteria where there is none": (
        SESSION | {"place": "cassandra:audit", "period": None, "criteria": "some time"}, "no server can be set"),
    "a limit of a column": (SESSION | {"place": "cassandra:sessions.began"}, "no such table, topic or collection"),
    "a limit of nothing": (TOPIC | {"place": "kafka:persons"}, "no such table, topic or collection"),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("what", STATED)
def test_every_limit_that_is_stated_is_compared(what: str, first: bool) -> None:
    limit, said = STATED[what]
    more = part("items", lambda item: item["retention"].insert(0 if first else len(item["retention"]), limit))
    found = drift([more, *FIRST[1:]], live_as_stated())
    assert [(one.ref, one.where) for one in found] == [("people-stream", limit["place"])], found
    assert said in found[0].what


def test_what_stands_outside_the_systems_can_be_stated() -> None:
    limit = TOPIC | {"place": "backups", "enforced_by": "hand"}
    more = part("items", lambda item: item.update(places=[*item["places"], "backups"], retention=[*item["retention"], limit]))
    assert drift([more, *FIRST[1:]], live_as_stated()) == []


def test_each_collection_has_a_limit_and_the_catalogue_s_are_known() -> None:
    stated = {limit.place for one in FIRST for item in one.items for limit in item.retention}
    assert {f"mongo:{name}" for name in COLLECTIONS} <= stated
    named_there = {place.partition(".")[0] for one in FIELDS for place in one.stands}
    assert named_there - {PROFILES.name, MARKERS.name} == drift_module.COLLECTIONS <= set(COLLECTIONS)


def test_who_sees_people_in_clear_is_who_can() -> None:
    live = live_as_stated()
    able = live.topics["people"].readers | {
        role for role, may in live.tables["profiles"].roles.items() if "UNMASK" in may}
    assert {principal for to in STREAM.recipients if to.clear for principal in to.principals} == able
