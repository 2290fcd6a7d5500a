"""Does the register say what the running systems are? Both are compared, in both directions, and each difference is named.

What is compared: every column, document field and topic field with the places of the register's items and with the
catalogue; masks of columns; TTLs of tables and the retention of topics with every time limit that is stated; who may read a
table or topic, and who sees people there unmasked, with the recipients of the entries that speak of that very table or
topic. engine/compliance/survey.py reads the systems into `Live`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from governance.catalogue import FIELDS, Treatment
from governance.register import Enforcement, Entry, Retention
from governance.register_checks import Finding, Level, hours

MASK = "mask_null"
"""The only mask of columns: others show a part, or something that is not so."""

COLLECTIONS = frozenset({"users_by_nationality", "users_by_email_domain"})
"""Of the places that the catalogue names, those in MongoDB; the others are columns in Cassandra."""

PLAIN = "people"
"""The topic whose records are plain JSON: who may read it sees people unmasked. The others are sealed."""

_SECONDS = 3600
SUPER = frozenset({"broker", "provision"})
"""Who sets the systems up and may everything there: people who run the machine, named in docs/privacy.md."""


@dataclass(frozen=True)
class LiveTable:
    """A table of Cassandra: column -> name of its masking function ("" for none); seconds after which a row expires (0: never);
    role -> its permissions that concern reading ("SELECT", "SELECT_MASKED", "UNMASK")."""

    columns: Mapping[str, str]
    ttl_s: int = 0
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveTopic:
    """A topic: hours a record stays (None: for ever), the field paths of sampled records, who may read it."""

    retention_h: float | None
    fields: frozenset[str] = frozenset()
    readers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Live:
    """The running systems by the register's names: tables, topics (people, control, dead), collection -> sampled fields,
    as dotted paths (engine/compliance/survey.py, inside)."""

    tables: Mapping[str, LiveTable]
    topics: Mapping[str, LiveTopic]
    collections: Mapping[str, frozenset[str]]


Said = Iterator[tuple[str, str, str]]
"""Ref of an entry (or ""), place, and what is otherwise."""


def drift(entries: Sequence[Entry], live: Live) -> list[Finding]:
    """Every difference between the entries in force and the systems."""
    rules = (_unknown_places, _vanished, _uncatalogued, _masks, _nowhere, _limits, _readers, _unmasked, _in_clear,
             _idle_recipients)
    return [Finding(Level.DRIFT, *said) for rule in rules for said in rule(entries, live)]


def _places(live: Live) -> set[str]:
    """Every place there is, as the register writes it."""
    return ({f"cassandra:{table}.{column}" for table, facts in live.tables.items() for column in facts.columns}
            | {f"mongo:{name}.{part}" for name, fields in live.collections.items() for part in fields}
            | {f"kafka:{topic}:{path}" for topic, facts in live.topics.items() for path in facts.fields})


def _wholes(live: Live) -> set[str]:
    return ({f"cassandra:{table}" for table in live.tables} | {f"mongo:{name}" for name in live.collections}
            | {f"kafka:{topic}" for topic in live.topics})


def whole(place: str) -> str:
    """The table, collection or topic of a place: `kafka:people:name.first` -> `kafka:people`."""
    system, _, rest = place.partition(":")
    return f"{system}:{rest.partition(':' if system == 'kafka' else '.')[0]}"


def _stated(entries: Sequence[Entry]) -> dict[str, str]:
    """Place -> ref of the entry that speaks of it."""
    return {place: one.ref for one in entries for place in one.places}


def _unknown_places(entries: Sequence[Entry], live: Live) -> Said:
    stated = _stated(entries)
    for place in sorted(_places(live) | _wholes(live)):
        if place not in stated and whole(place) not in stated and not any(whole(known) == place for known in stated):
            yield "", place, "stands in the running systems, and no entry of the register speaks of it"


def _vanished(entries: Sequence[Entry], live: Live) -> Said:
    # what flows is known by samples, and no sample shows that a field flows no more: the catalogue says what may
    flowing = {f"kafka:people:{one.path}" for one in FIELDS if one.becomes is not Treatment.DROP}
    there = _places(live) | _wholes(live) | flowing
    for place, ref in sorted(_stated(entries).items()):
        if ":" in place and place not in there and not _unseen(live, whole(place)):
            yield ref, place, "the register says that data stand here; there is no such place any more"


def _unseen(live: Live, place: str) -> bool:
    """Whether it is a collection in which there was no document to see fields in."""
    system, _, name = place.partition(":")
    return system == "mongo" and not live.collections.get(name, {name})


def _uncatalogued(entries: Sequence[Entry], live: Live) -> Said:
    """The catalogue against what flows and against the register."""
    known = {one.path: one for one in FIELDS}
    people = live.topics.get("people", LiveTopic(None)).fields
    for path in sorted(people):
        if path not in known:
            yield "", f"kafka:people:{path}", "flows in the topic, and the catalogue has no such field"
        elif known[path].becomes is Treatment.DROP:
            yield "", f"kafka:people:{path}", "the catalogue drops this field before Kafka, and it flows in the topic"
    stated = _stated(entries)
    columns = {f"cassandra:{table}.{column}" for table, facts in live.tables.items() for column in facts.columns}
    for one in FIELDS:
        for place in one.stands:
            name = place.partition(".")[0]
            system = "mongo" if name in COLLECTIONS else "cassandra"
            full = f"{system}:{place}"
            if full not in stated and whole(full) not in stated:
                yield "", full, f"the catalogue says that {one.path} stands here, and no entry speaks of it"
            if system == "cassandra" and full not in columns:
                yield stated.get(full, ""), full, f"the catalogue says that {one.path} stands here; there is no such column"
            elif system == "mongo" and name not in live.collections:
                yield stated.get(full, ""), full, (f"the catalogue says that {one.path} stands here; there is no such "
                                                   "collection")


def _masks(entries: Sequence[Entry], live: Live) -> Said:
    """Columns that hold a person sealed are masked for every role without UNMASK; no others are, so that nothing is hidden
    that the register calls readable."""
    stated = _stated(entries)
    sealed = {place for one in FIELDS for place, treatment in one.stands.items() if treatment is Treatment.ENCRYPT}
    for table, facts in sorted(live.tables.items()):
        for column, mask in sorted(facts.columns.items()):
            place = f"cassandra:{table}.{column}"
            if f"{table}.{column}" in sealed and not mask:
                yield stated.get(place, ""), place, "holds a person and should be masked; it is not. `rollcall up` masks it"
            elif f"{table}.{column}" in sealed and mask != MASK:
                yield stated.get(place, ""), place, (f"holds a person and is masked by {mask}, which is not {MASK}. "
                                                     "`rollcall up` masks it")
            elif f"{table}.{column}" not in sealed and mask:
                yield stated.get(place, ""), place, f"is masked ({mask}), and the catalogue calls it readable"


def _stated_limits(entries: Sequence[Entry]) -> dict[str, dict[Retention, str]]:
    """Place -> each limit that is stated for it -> ref of the first entry that states it."""
    found: dict[str, dict[Retention, str]] = {}
    for one in entries:
        for item in one.items:
            for limit in item.retention:
                found.setdefault(limit.place, {}).setdefault(limit, one.ref)
    return found


def _nowhere(entries: Sequence[Entry], live: Live) -> Said:
    there = _wholes(live)
    for place, limits in sorted(_stated_limits(entries).items()):
        if ":" in place and place not in there:
            for ref in sorted(set(limits.values())):
                yield ref, place, "a time limit is stated for it; there is no such table, topic or collection"


def _limits(entries: Sequence[Entry], live: Live) -> Said:
    """Every time limit that a server enforces is what it is set to; no server ends what is said to stay."""
    stated = _stated_limits(entries)
    for place in sorted(_wholes(live) - set(stated)):
        yield "", place, "no entry states how long what stands here stays"
    for name, topic in sorted(live.topics.items()):
        for limit, ref in stated.get(f"kafka:{name}", {}).items():
            yield from _compared(ref, limit, Enforcement.TOPIC, topic.retention_h,
                                 f"the topic keeps {_said(topic.retention_h)}")
    for name, table in sorted(live.tables.items()):
        ttl_h = table.ttl_s / _SECONDS
        for limit, ref in stated.get(f"cassandra:{name}", {}).items():
            yield from _compared(ref, limit, Enforcement.TTL, ttl_h or None, f"the table's TTL is {ttl_h:g} h")


def _compared(ref: str, limit: Retention, server: Enforcement, set_h: float | None, so: str) -> Said:
    """One limit against what the server is set to (None: it ends nothing)."""
    said = f"the register states {limit.period or limit.criteria} ({limit.enforced_by})"
    if limit.enforced_by is not server:
        if set_h is not None:
            yield ref, limit.place, f"{said}, {so}"
    elif (want := hours(limit)) is None:
        yield ref, limit.place, f"{said}, to which no server can be set; state hours or days. Now {so}"
    elif want != set_h:
        yield ref, limit.place, f"{said}, that is {want:g} h; {so}"


def _said(retention_h: float | None) -> str:
    return "for ever" if retention_h is None else f"{retention_h:g} h"


def _principals(entries: Sequence[Entry], place: str, clear: bool = False) -> set[str]:
    """Who acts for the recipients of the entries that speak of a table or topic; clear: of those who see people unmasked."""
    about = [one for one in entries if any(whole(known) == place for known in one.places)]
    return {principal for one in about for to in one.recipients if to.clear or not clear for principal in to.principals} | SUPER


def _readers(entries: Sequence[Entry], live: Live) -> Said:
    for name, topic in sorted(live.topics.items()):
        place = f"kafka:{name}"
        for principal in sorted(topic.readers - _principals(entries, place)):
            yield "", place, f"{principal} may read it, and no entry about it names {principal} as a recipient's"
    for name, table in sorted(live.tables.items()):
        place = f"cassandra:{name}"
        for role in sorted({role for role, permissions in table.roles.items() if permissions} - _principals(entries, place)):
            yield "", place, f"role {role} may read it, and no entry about it names {role} as a recipient's"


def _unmasked(entries: Sequence[Entry], live: Live) -> Said:
    for name, table in sorted(live.tables.items()):
        place = f"cassandra:{name}"
        able = {role for role, permissions in table.roles.items() if "UNMASK" in permissions and any(table.columns.values())}
        for role in sorted(able - _principals(entries, place, clear=True)):
            yield "", place, f"role {role} sees its columns unmasked, and is no recipient of clear data of it"


def _in_clear(entries: Sequence[Entry], live: Live) -> Said:
    place = f"kafka:{PLAIN}"
    readers = live.topics.get(PLAIN, LiveTopic(None)).readers & _principals(entries, place)    # `_readers` names the others
    for principal in sorted(readers - _principals(entries, place, clear=True)):
        yield "", place, f"{principal} may read its records, which are plain JSON, and is no recipient of clear data of it"


def _idle_recipients(entries: Sequence[Entry], live: Live) -> Said:
    """Principals that are named and may read nothing anywhere: somebody has gone, or was misspelt."""
    able = {role for table in live.tables.values() for role, may in table.roles.items() if may}
    able |= {reader for topic in live.topics.values() for reader in topic.readers}
    for one in entries:
        for principal, to in sorted(one.principals.items()):
            if principal not in able | SUPER | NOT_SEEN:
                yield one.ref, to.name, f"{principal} is named as one of its principals and may read nothing"


NOT_SEEN = frozenset({"view"})
"""Principals whose rights are not in what is surveyed: the view reads MongoDB alone."""
