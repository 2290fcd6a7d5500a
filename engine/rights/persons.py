"""Who a request is about, and what else speaks of them: by number, and by the tokens of their e-mails."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from typing import Any
from uuid import UUID

from cassandra.concurrent import execute_concurrent_with_args

from engine.clients import cassandra_session, mapped
from engine.person import dashed, is_number, numbers
from engine.sealing import CannotOpen, KeyRing
from engine.settings import Settings
from engine.stores.profiles import CONCURRENCY
from engine.stores.schema import MARKERS, PROFILES

READER = "verify"
"""Who reads for the officer: the one principal that may look into all three stores and see people unmasked."""

_BETWEEN = re.compile(r'[\s"\\<>,;:]+')
LONGEST = 254
"""Characters of an e-mail address (RFC 5321)."""
_PLAIN = re.compile(r"[\w.+-]*[\w+-]@[\w.-]*\w")
"""An address of usual characters, in what stands around it: a full stop, brackets, `to=`."""

_ESCAPED = re.compile(rb"[\\\0]")
"""In what may be JSON in which letters do not stand as themselves (`\\u0040`, UTF-16)."""


@dataclass(frozen=True)
class Person:
    """uuid in the form of keys; token: of the marker; emails: tokens of the addresses known of them."""

    uuid: str
    token: str
    emails: frozenset[str] = frozenset()


class About:
    """Of which of these people a text speaks: of those whose number or e-mail it names. Of a value of JSON a person's e-mail
    is not looked at beside a number, which decides: an address may be shared."""

    def __init__(self, keys: KeyRing, people: Iterable[Person]) -> None:
        self._keys = keys
        self._uuids = {person.uuid for person in people}
        self._emails: dict[str, set[str]] = {}
        for person in people:
            for email in person.emails:
                self._emails.setdefault(email, set()).add(person.uuid)

    def numbered(self, text: bytes) -> set[str]:
        """Whose numbers stand in it."""
        return numbers(text) & self._uuids

    def addressed(self, text: bytes) -> set[str]:
        """Whose e-mails stand in it."""
        found: set[str] = set()
        said = text.decode(errors="replace") if self._emails and b"@" in text else ""
        for word in _BETWEEN.split(f"{said} {unescape(said)}" if "&#" in said else said):    # as pages of HTML write it, too
            for left, right in pairwise(word.split("@")):
                email = f"{left[-LONGEST:]}@{right[:LONGEST]}"
                for one in {email, email.strip(".'()[]{}!?*"), *_PLAIN.findall(email)}:
                    for token in self._keys.email_tokens(one):
                        found |= self._emails.get(token, set())
        return found

    def __call__(self, text: bytes) -> set[str]:
        """Uuids of the people."""
        numbered, addressed = self.numbered(text), self.addressed(text)
        if addressed or _ESCAPED.search(text):    # else nothing is to be told apart
            with suppress(ValueError, RecursionError):    # no JSON: what stands there is named
                words = "\n".join(_words(json.loads(text, object_pairs_hook=_once))).encode(errors="replace")
                return self.numbered(words) | self.addressed(words)
        return numbered | addressed


def rows(settings: Settings, uuids: Iterable[str], columns: str = "*") -> dict[str, dict[str, Any]]:
    """The rows of these people as they stand, sealed columns sealed. Raises StoreAway, SignInRefused."""
    found = _read(settings, f"SELECT {columns} FROM {settings.cassandra.keyspace}.{PROFILES.name} WHERE uuid = ?",
                  [(UUID(uuid),) for uuid in uuids])
    return {str(row["uuid"]): row for row in found}


def markers(settings: Settings, tokens: Iterable[str], principal: str = READER) -> dict[str, dict[str, Any]]:
    """The markers of these tokens as they stand, pins sealed. Raises StoreAway, SignInRefused."""
    found = _read(settings, f"SELECT * FROM {settings.cassandra.keyspace}.{MARKERS.name} WHERE suppression = ?",
                  [(token,) for token in tokens], principal)
    return {row["suppression"]: row for row in found}


def by_email(settings: Settings, email_tokens: Iterable[str]) -> set[str]:
    """Uuids of the rows whose e-mail has one of these tokens, looked for in this order (KeyRing.email_tokens): several people
    may share one. Raises StoreAway, SignInRefused."""
    with cassandra_session(settings, READER) as session, mapped("looking for an e-mail token", READER):
        return {str(row.uuid) for token in email_tokens for row in session.execute(
            f"SELECT uuid FROM {settings.cassandra.keyspace}.{PROFILES.name} WHERE email_token = %s", (token,))}


def people_in(value: bytes) -> list[Mapping[str, Any]]:
    """Everybody who stands in a record or a letter, as JSON objects: itself, or the items of an answer with many."""
    with suppress(ValueError, RecursionError):
        return list(people_of(json.loads(value)))
    return []


def people_of(value: Any) -> Iterator[Mapping[str, Any]]:
    """The same, of a value of JSON; one that holds another is given with it."""
    if isinstance(value, Mapping):
        if isinstance(value.get("login"), Mapping) or isinstance(value.get("email"), str):
            yield value
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from people_of(inner)


def number_of(person: Mapping[str, Any], key: str = "") -> str:
    """The number that a person's value gives, or the subject of a request, in the form of keys; else the key it came under."""
    login = person.get("login")
    number = login.get("uuid") if isinstance(login, Mapping) else person.get("uuid")
    return dashed((number if isinstance(number, str) else key).strip().lower())


def _words(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, escapes resolved, without the e-mails of people whose number stands with them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        theirs = "email" if is_number(number_of(value)) else None
        for name, inner in value.items():
            yield name
            if name != theirs or not isinstance(inner, str):
                yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError where a name stands twice: readers differ in which of the two they take."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def bound(value: bytes, key: str, keys: KeyRing) -> set[tuple[str, str]]:
    """Which number a value gives which e-mail's token: for one person without a number the key stands. A key that another
    person's value came under binds nobody."""
    found = people_in(value)
    return {(number, keys.email_token(email.strip())) for person in found
            if isinstance(email := person.get("email"), str) and (number := number_of(person, key if len(found) == 1 else ""))}


def pins_of(marker: Mapping[str, Any] | None, keys: KeyRing) -> dict[str, Any]:
    """What a marker pins, opened; nothing where there is none or it cannot be opened."""
    if marker is None or not marker["pins"]:
        return {}
    with suppress(CannotOpen):
        opened: dict[str, Any] = json.loads(keys.open_pins(marker["suppression"], bytes(marker["pins"])))
        return opened
    return {}


def carried_out_in(settings: Settings, tokens: Iterable[str]) -> int:
    """The newest turn that wrote one of these markers, -1 where there is none. Raises StoreAway, SignInRefused."""
    found = _read(settings, f"SELECT WRITETIME(last_command) AS at FROM {settings.cassandra.keyspace}.{MARKERS.name} "
                  "WHERE suppression = ?", [(token,) for token in tokens])
    return max((row["at"] // 1000 for row in found if row["at"]), default=-1)    # engine/writer/write_order.py, `writing`


def newest_command(settings: Settings) -> int:
    """The newest command that any marker knows, -1 for none. Raises StoreAway, SignInRefused."""
    with cassandra_session(settings, READER) as session, mapped("reading markers", READER):
        return max((row.last_command for row in session.execute(
            f"SELECT last_command FROM {settings.cassandra.keyspace}.{MARKERS.name}") if row.last_command is not None),
            default=-1)


def _read(settings: Settings, statement: str, parameters: list[tuple[Any, ...]],
          principal: str = READER) -> list[dict[str, Any]]:
    if not parameters:
        return []
    with cassandra_session(settings, principal) as session, mapped("reading rows and markers", principal):
        results = execute_concurrent_with_args(session, session.prepare(statement), parameters, concurrency=CONCURRENCY)
        return [row._asdict() for result in results for row in result.result_or_exc]
