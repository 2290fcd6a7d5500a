"""What each store holds of a person: by number, or by an e-mail's token, never by looking through what is in clear.

Records of the officer (breaches, requests) have no token: their sealed bodies are opened and looked through for the number.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.clients import cassandra_session, mapped
from engine.commands import canonical
from engine.errors import CommandRefused
from engine.rights import persons, topics
from engine.rights.packages import Packages
from engine.rights.persons import About, Person
from engine.sealing import CannotOpen, KeyRing, load_keys
from engine.settings import Settings
from engine.stores.dead_letters import MARK
from engine.stores.records import Record, Records

OFFICER = "governance"
"""Who reads what the officer keeps."""

TOKEN = 16
"""Characters of a token by which requests and the audit know a person."""


@dataclass(frozen=True)
class Held:
    """What one store holds. places: columns, offsets, names of records; no value."""

    store: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """One person. token: of the marker, as uuid empty where only an e-mail is known; pinned: groups of fields that were
    corrected; held: stores that hold something."""

    uuid: str
    token: str
    held: tuple[Held, ...]
    restricted: bool
    erased: bool
    pinned: tuple[str, ...]


def find(settings: Settings, uuid: str = "", email: str = "", beside: str = "") -> list[Found]:
    """Everybody who has this number or this e-mail, with what is held of them; by number always one, who may be unknown. By
    e-mail also one without a number: whose the letters are that name the address and no number. beside: the request that asks,
    which speaks of the person itself.

    Raises CommandRefused (a uuid that is none, or neither of the two), StoreAway, SignInRefused.
    """
    if not uuid and not email:
        raise CommandRefused("A person is found by uuid or by e-mail; neither was given.")
    keys = load_keys(settings)
    sought = [canonical(uuid)] if uuid else _by_email(settings, keys, email)
    found = [_found(settings, keys, person, beside) for person in known(settings, keys, sought)]
    return found if uuid else [*found, *_of_no_number(settings, keys, email)]


def known(settings: Settings, keys: KeyRing, uuids: Iterable[str]) -> list[Person]:
    """These people, with the tokens of every e-mail that row, topic and pins have of them. What another person's value says
    under their key, or beside them, is not theirs."""
    people = [Person(uuid, keys.suppression_token(uuid)) for uuid in uuids]
    rows = persons.rows(settings, [one.uuid for one in people], "uuid, email_token")
    marked = persons.markers(settings, [one.token for one in people])
    emails: dict[str, set[str]] = {one.uuid: set() for one in people}
    for number, row in rows.items():
        emails[number] |= {row["email_token"]} - {None}
    for record in topics.of_people(settings, list(emails), About(keys, people)):
        for number in record.about if record.value else ():
            bound = persons.bound(record.value or b"", record.key, keys)
            emails[number] |= {email for whose, email in bound if whose == number}
    for one in people:
        if email := persons.pins_of(marked.get(one.token), keys).get("email"):
            emails[one.uuid].add(keys.email_token(email))
    return [Person(one.uuid, one.token, frozenset(emails[one.uuid])) for one in people]


def in_records(settings: Settings, keys: KeyRing, people: Collection[Person]) -> dict[str, Record]:
    """The officer's records whose newest version speaks of one of these people: name (`breach/lost-laptop`) -> that version."""
    about, tokens = About(keys, people), _tokens(people)
    with Records.opened(settings, OFFICER) as records:
        return {f"{kind}/{name}": last for kind, name in _names(settings, records)
                if (last := records.last(kind, name)) and speaks(about, tokens, last.body)}


def in_audit(settings: Settings, people: Collection[Person], names: Iterable[str]) -> list[Any]:
    """The entries of the audit (at, act, target, result, why) about these people, oldest first: it knows them by the beginning
    of a token, or by the ref of a record that speaks of them. names: what `in_records` found."""
    tokens, refs = _beginnings(people), {name.partition("/")[2] for name in names}
    with cassandra_session(settings, OFFICER) as session, mapped("reading the audit", OFFICER):
        return sorted((row for row in session.execute(
            f"SELECT at, act, target, result, why FROM {settings.cassandra.keyspace}.audit")
            if told_of(row.target or "", tokens, refs)), key=lambda row: row.at)


def told_of(target: str, tokens: Collection[str], refs: Collection[str]) -> bool:
    """Whether the target of an entry is one of these people, or one of these records: its ref is the first word."""
    words = target.split()
    return bool(words) and (words[0] in refs or any(word in tokens for word in words))


def _by_email(settings: Settings, keys: KeyRing, email: str) -> list[str]:
    """Also those who have no row, in the topic and in dead letters that name a number."""
    token = keys.email_token(email.strip())
    found = set(persons.by_email(settings, keys.email_tokens(email.strip())))
    for record in topics.records(settings, settings.kafka.topic):
        found |= named_by(token, record.value, (record.key or b"").decode(errors="replace").lower(), keys)
    for record in topics.records(settings, settings.kafka.dead_topic):
        place = (record.key or b"").decode(errors="replace")
        if record.value and not place.startswith(MARK):
            with suppress(CannotOpen):
                found |= named_by(token, keys.open_dead_letter(record.value, place), "", keys)
    return sorted(number for number in found if _is_uuid(number))


def named_by(token: str, value: bytes | None, key: str, keys: KeyRing) -> set[str]:
    """Whose number a value gives this e-mail: its own, and the key it came under only where it has none. Who of several it is
    that asks is for the officer to say."""
    return {number for number, theirs in persons.bound(value or b"", key, keys) if theirs == token}


def _is_uuid(text: str) -> bool:
    try:
        return canonical(text) == text
    except CommandRefused:
        return False


def _of_no_number(settings: Settings, keys: KeyRing, email: str) -> list[Found]:
    """Letters that name the address and no number; they may also be of somebody who is found."""
    about = About(keys, [Person("", "", frozenset({keys.email_token(email.strip())}))])
    letters = _letters(topics.of_letters(settings, keys, about))
    return [Found("", "", (letters,), False, False, ())] if letters.count else []


def _letters(letters: topics.Letters) -> Held:
    return Held("kafka:dead", len(letters.standing), tuple(one.key for one in letters.standing))


def _found(settings: Settings, keys: KeyRing, person: Person, beside: str) -> Found:
    marker = persons.markers(settings, [person.token]).get(person.token)
    held = tuple(one for one in _held(settings, keys, person, marker, beside) if one.count)
    return Found(person.uuid, person.token, held, bool(marker and marker["restricted"]), bool(marker and marker["erased"]),
                 tuple(sorted(persons.pins_of(marker, keys))))


def _held(settings: Settings, keys: KeyRing, person: Person, marker: dict[str, Any] | None, beside: str) -> Iterator[Held]:
    about = About(keys, [person])
    row = persons.rows(settings, [person.uuid]).get(person.uuid)
    yield Held("cassandra:profiles", int(row is not None), _filled(row))
    yield Held("cassandra:markers", int(marker is not None), _filled(marker))
    values = [record.place for record in topics.of_people(settings, [person.uuid], about) if record.value is not None]
    yield Held("kafka:people", len(values), tuple(values))
    yield _letters(topics.of_letters(settings, keys, about))
    said = Counter(one.verb for one in topics.of_commands(settings, keys, [person.token]))
    yield Held("kafka:control", said.total(), tuple(sorted(said)))
    names = [name for name in in_records(settings, keys, [person]) if name.partition("/")[2] != beside]
    yield Held("cassandra:records", len(names), tuple(names))
    with Packages.opened(settings, OFFICER) as packages:
        waiting = packages.of([person.token])
    yield Held("cassandra:packages", len(waiting), tuple(waiting))
    yield Held("cassandra:audit", len(in_audit(settings, [person], names)), ("target",))


def _filled(row: dict[str, object] | None) -> tuple[str, ...]:
    return tuple(name for name, value in (row or {}).items() if value is not None)


def _names(settings: Settings, records: Records) -> list[tuple[str, str]]:
    with mapped("reading records", OFFICER):
        whole = {row.record for row in records.session.execute(
            f"SELECT DISTINCT record FROM {settings.cassandra.keyspace}.records")}
    return [(kind, name) for kind, _, name in (one.partition("/") for one in sorted(whole))]


def speaks(about: About, tokens: Iterable[bytes], body: str) -> bool:
    """Whether a body speaks of somebody: by number, by e-mail, or by a token, of which a request keeps the beginning."""
    text = body.encode()
    return bool(about(text)) or any(token in text for token in tokens)


def _tokens(people: Iterable[Person]) -> list[bytes]:
    return [token.encode() for token in _beginnings(people)]


def _beginnings(people: Iterable[Person]) -> set[str]:
    """How requests and the audit name these people: by number, or as long as that is not known by e-mail."""
    return {token[:TOKEN] for person in people for token in (person.token, *person.emails)}
