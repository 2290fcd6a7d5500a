"""The package of a person (Art. 15, 20): everything held of them, in clear, and what the register says of it.

One zip: `person.json` for programs, its schema beside it, and `person.html` to read. It is kept sealed and handed out once.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib import resources
from types import SimpleNamespace
from typing import Any, NamedTuple

from engine.commands import Command, canonical
from engine.compliance.register import Register
from engine.errors import Retryable
from engine.person import is_number
from engine.rights import persons, topics
from engine.rights.find import OFFICER, TOKEN, in_audit, in_records, known
from engine.rights.packages import AlreadyTaken, Link, NoPackage, Packages, PackageState
from engine.rights.persons import About, Person, number_of, people_of
from engine.rights.topics import Held
from engine.sealing import CannotOpen, KeyRing, load_keys
from engine.settings import Settings
from engine.stores.profiles import row_of
from engine.stores.records import REQUEST, SUBJECT, Record, Records
from governance.register import Entry
from governance.rights.page import page

__all__ = ["AlreadyTaken", "Contents", "Link", "NoPackage", "Overtaken", "Package", "PackageState", "link", "make", "purge",
           "state", "take"]

SCHEMA = "rollcall-person-2"

STANDS = ("kafka:", *(f"cassandra:{table}" for table in ("profiles", "markers", "packages", "records", "audit")))
"""Where data of a person of the source can stand: entries of the register about these are hers, too."""


@dataclass(frozen=True)
class Package:
    """What was made, without its content. size: bytes of the zip; digest: its SHA-256; fields: how many values it holds."""

    request: str
    made_at: datetime
    expires: datetime
    size: int
    digest: str
    fields: int


class Overtaken(Retryable):
    """Something was commanded about the person while the package was made: it may hold what is erased since."""

    def __init__(self) -> None:
        super().__init__("Meanwhile something was commanded about this person, so the package was thrown away. Make it again.")


class Contents(NamedTuple):
    """What is handed out: a file's name and its bytes."""

    name: str
    zip: bytes


def make(settings: Settings, request: str, uuid: str) -> Package:
    """Builds the package of a person and keeps it sealed, in the place of an earlier one of this request.

    Raises CommandRefused (a uuid that is none), Overtaken, StoreAway, SignInRefused.
    """
    keys, now = load_keys(settings), datetime.now(UTC)
    held = collected(settings, keys, canonical(uuid), request, now)
    content = _zipped(held, now)
    token = keys.suppression_token(canonical(uuid))
    with Packages.opened(settings) as kept:
        state = kept.keep(request, token, content, now)
        newest = persons.markers(settings, [token]).get(token, {}).get("last_command")
        if newest != (held["marker"] or {}).get("last_command"):    # an erasure may have looked for packages just before
            kept.purge(request)
            raise Overtaken
    return Package(request, state.made_at, state.expires, len(content), hashlib.sha256(content).hexdigest(), _count(held))


def link(settings: Settings, request: str) -> Link:
    """A link to a package that waits; an earlier one ends. Raises NoPackage, AlreadyTaken, StoreAway, SignInRefused."""
    with Packages.opened(settings) as kept:
        return kept.link(request)


def take(settings: Settings, secret: str = "", request: str = "") -> Contents:
    """Hands a package out, by the secret of its link or by its request: once, and then it is gone.

    Raises NoPackage, AlreadyTaken, StoreAway, SignInRefused.
    """
    with Packages.opened(settings) as kept:
        name, content = kept.take(secret, request)
    return Contents(f"{name}.zip", content)


def state(settings: Settings, request: str) -> PackageState | None:
    """Whether there is a package, and whether it was handed out. Raises StoreAway, SignInRefused."""
    with Packages.opened(settings) as kept:
        return kept.state(request)


def purge(settings: Settings, request: str) -> None:
    """Takes a package away. Raises StoreAway, SignInRefused."""
    with Packages.opened(settings) as kept:
        kept.purge(request)


def collected(settings: Settings, keys: KeyRing, uuid: str, request: str, now: datetime) -> dict[str, Any]:
    """Everything that any store holds of a person, as `person.json` has it."""
    person = known(settings, keys, [uuid])[0]
    about = About(keys, [person])
    alone = replace(person, emails=frozenset(one for one in person.emails if set(persons.by_email(settings, one)) <= {uuid}))
    row = persons.rows(settings, [uuid]).get(uuid)
    marker = persons.markers(settings, [person.token]).get(person.token)
    letters = topics.of_letters(settings, keys, about)
    kept = in_records(settings, keys, [person])
    return {
        "schema": SCHEMA, "made_at": now.isoformat(timespec="seconds"), "request": request, "uuid": uuid,
        "profile": _clear(row, keys, uuid) if row else None,
        "counted_in": _cells(row, keys) if row else [],
        "marker": _marker(marker, keys) if marker else None,
        "records": [_record(one, alone, keys) for one in topics.of_people(settings, [uuid], about)
                    if one.value is not None],
        "dead_letters": [_record(one, alone, keys) for one in letters.standing],
        "commands": commanded(topics.of_commands(settings, keys, [person.token])),
        "audit": [{"at": _plain(row.at), "act": row.act, "result": row.result, "why": row.why or ""}
                  for row in in_audit(settings, [person], kept)],
        "kept_by_the_officer": [{"record": name, "holds": holds(record, person)} for name, record in kept.items()],
        "processing": _processing(settings),
    }


def _clear(row: Mapping[str, Any], keys: KeyRing, uuid: str) -> dict[str, Any]:
    opened: dict[str, Any] = {}
    for name, value in row.items():
        opened[name] = _plain(value)
        if isinstance(value, bytes):
            try:
                opened[name] = keys.open_column(uuid, name, value)
            except CannotOpen as error:
                opened[name] = f"({error})"
    return opened


def _cells(row: Mapping[str, Any], keys: KeyRing) -> list[dict[str, str]]:
    """The counts of which a person is one."""
    counted = row_of(SimpleNamespace(**row), keys)
    return [{"collection": cell.collection, "document": cell.document, "gender": cell.gender, "month": cell.month}
            for cell in counted.cells()]


def _marker(marker: Mapping[str, Any], keys: KeyRing) -> dict[str, Any]:
    return {**{name: _plain(value) for name, value in marker.items()}, "pins": persons.pins_of(marker, keys)}


def commanded(said: Sequence[Command]) -> list[dict[str, Any]]:
    """The commands about a person; what was corrected only since the last erasure, which ended it."""
    erased = max((one.offset for one in said if one.verb == "erase"), default=-1)
    return [{"at": _moment(one.at), "command": one.verb, "request": one.request,
             "corrected": json.loads(one.pins) if one.pins and one.offset > erased else None} for one in said]


def theirs(held: Held, person: Person, keys: KeyRing) -> Any:
    """What of a record is of one person: all of it, where nobody else stands in it; their items of an answer with many; else
    nothing, for a text in which they are named may be about others, too. person: with e-mails that nobody else has."""
    try:
        value = json.loads(held.value or b"")
        found = list(people_of(value))
    except (ValueError, RecursionError):
        return None
    if found == [value]:
        return value if _of_whom(value, person, keys, held.key if held.keyed else "") else None
    return [one for one in found if _of_whom(one, person, keys) and list(people_of(one)) == [one]] or None


def _of_whom(value: Mapping[str, Any], person: Person, keys: KeyRing, key: str = "") -> bool:
    """Whether a value is this person's: its number decides, or the key it came under; without one its e-mail does."""
    number, email = number_of(value, key), value.get("email")
    if is_number(number):
        return number == person.uuid
    return isinstance(email, str) and not person.emails.isdisjoint(keys.email_tokens(email.strip()))


def holds(record: Record, person: Person) -> dict[str, Any] | None:
    """What a record of the officer holds, where it is of one person alone: a request of theirs, what they said in it; who
    worked on it is left out. A breach may be about others, too."""
    said = json.loads(record.body) if record.kind in (REQUEST, SUBJECT) else {}
    if number_of(said) == person.uuid or said.get("person") == f"person {person.token[:TOKEN]}":
        found: dict[str, Any] = _without(said, {"by", "assigned"})
        return found
    return None


def _without(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    return [_without(inner, names) for inner in value] if isinstance(value, list) else value


def _record(held: Held, person: Person, keys: KeyRing) -> dict[str, Any]:
    return {"place": held.key if held.place.count(".dead-") else held.place, "appended_at": _moment(held.at),
            "headers": {name: bytes(text or b"").decode(errors="replace") for name, text in held.headers},
            "value": theirs(held, person, keys)}


def _processing(settings: Settings) -> list[dict[str, Any]]:
    """What Art. 15(1)(a) to (h) asks for, from the entries in force."""
    with Records.opened(settings, OFFICER) as records:
        entries = [version.entry for version in Register(records).in_force()]
    return processing(entries)


def processing(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The same, of these entries: of those that are about a person of the source."""
    return [_activity(entry) for entry in entries if any(place.startswith(STANDS) for place in entry.places)]


def _activity(entry: Entry) -> dict[str, Any]:
    said = entry.model_dump(mode="json")
    return {
        "activity": entry.activity, "ref": entry.ref, "controller": said["controller"], "dpo": said["dpo"],
        "purposes": [entry.purpose, *entry.sub_purposes],
        "lawful_basis": {"article_6": said["art6"], "justification": said["art6_justification"]},
        "data": [{"label": item["label_en"], "category": item["category"], "fields": item["fields"], "places": item["places"],
                  "source": item["source"], "retention": item["retention"]} for item in said["items"]],
        "recipients": said["recipients"], "transfers": said["transfers"], "automated_decision": said["automated"],
        "rights": said["rights"], "rights_channel": said["rights_channel"]}


def _zipped(held: Mapping[str, Any], now: datetime) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("person.json", json.dumps(held, indent=1, ensure_ascii=False))
        made.writestr("person.html", page(held, now))
        made.writestr("schema.json", schema())
    return buffer.getvalue()


def schema() -> str:
    """The JSON schema of `person.json`."""
    return (resources.files("governance.rights") / "person.schema.json").read_text(encoding="utf-8")


def _count(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_count(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(_count(inner) for inner in value)
    return int(value is not None and value != "")


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _plain(value: Any) -> Any:
    """As JSON can say it; moments of Cassandra are naive and in UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    if hasattr(value, "date") and not isinstance(value, date):    # Cassandra's own day
        return str(value)
    if isinstance(value, set | frozenset) or type(value).__name__ == "SortedSet":
        return sorted(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
