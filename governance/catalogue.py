"""Which field of a person is personal, of what kind, what becomes of it, who may see it and where it may stand.

One table, `FIELDS`, over every shape the randomuser API has answered with (0.4 to 1.4); the producer, the stream, the
console and the register read it. Two pure functions apply it: `project` before a person enters Kafka, and
`without_secrets` before anything becomes a dead letter. A field that is not in the table is never passed on.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType


class Category(StrEnum):
    """What kind of personal data a field is."""

    KEY = "key"                    # the person's number in all stores
    NAME = "name"
    CONTACT = "contact"
    ADDRESS = "address"
    BIRTH = "birth"
    DEMOGRAPHIC = "demographic"
    ACCOUNT = "account"
    SECRET = "secret"              # noqa: S105 - what signs the person in elsewhere
    OFFICIAL_ID = "official id"
    IMAGE = "image"


class Treatment(StrEnum):
    """What becomes of a field, or of one trace of it in a column."""

    DROP = "drop"                  # never enters Kafka
    ENCRYPT = "encrypt"
    TOKENISE = "tokenise"          # HMAC: equal values stay equal, nothing else can be told
    GENERALISE = "generalise"      # a month for a day, initials for a name
    KEEP = "keep"


class Audience(StrEnum):
    """Who may see a field unmasked; each sees what the ones before it see."""

    EVERYONE = "everyone"          # only as published figures
    CONSOLE = "console"            # people who work with the rows
    OFFICER = "officer"            # after a reveal: reason, one person, limited time
    NOBODY = "nobody"


@dataclass(frozen=True)
class Field:
    """One field of a person.

    path: dotted, as in the API's answer. becomes: what happens to the field as a whole. mask: the name of its rule in
    governance/masking.py. stands: `table.column` or `collection.part` -> what of the field is found there (in markers.pins
    where it was rectified); beside these, every field that is not dropped stands in the topic of people for its bounded
    retention.
    """

    path: str
    category: Category
    becomes: Treatment
    audience: Audience
    mask: str
    stands: Mapping[str, Treatment] = field(default_factory=dict)


def _dropped(category: Category, *paths: str) -> tuple[Field, ...]:
    return tuple(Field(path, category, Treatment.DROP, Audience.NOBODY, "hidden") for path in paths)


def _kept(path: str, category: Category, becomes: Treatment, audience: Audience, mask: str,
          **stands: Treatment) -> Field:
    """`profiles__city` reads `profiles.city`: keywords hold no dots."""
    places = {place.replace("__", ".", 1): treatment for place, treatment in stands.items()}
    return Field(path, category, becomes, audience, mask, MappingProxyType(places))


_DROP, _ENCRYPT, _TOKEN, _GENERAL, _KEEP = Treatment

LOGIN_SECRETS = ("username", "password", "salt", "md5", "sha1", "sha256")
"""The login block but its uuid. In 0.x these stood at the top of the person."""

OFFICIAL_IDS = ("SSN", "TFN", "CPF", "SIN", "AVS", "SVNR", "CPR", "DNI", "HETU", "INSEE", "NINO", "PPS", "UIDAI", "NSS",
                "BSN", "FN", "SID")
"""How 0.x named a national number at the top of the person: by the name that is `id.name` since 1.0."""

FIELDS: tuple[Field, ...] = (
    _kept("login.uuid", Category.KEY, _KEEP, Audience.CONSOLE, "none",
          profiles__uuid=_KEEP, markers__suppression=_TOKEN),
    _kept("gender", Category.DEMOGRAPHIC, _KEEP, Audience.EVERYONE, "none",
          profiles__gender=_KEEP, users_by_nationality__by_gender=_KEEP, users_by_nationality__births=_KEEP,
          markers__pins=_ENCRYPT),
    _kept("name.first", Category.NAME, _ENCRYPT, Audience.OFFICER, "initials",
          profiles__full_name=_ENCRYPT, profiles__display_name=_GENERAL, markers__pins=_ENCRYPT),
    _kept("name.last", Category.NAME, _ENCRYPT, Audience.OFFICER, "initials",
          profiles__full_name=_ENCRYPT, profiles__display_name=_GENERAL, markers__pins=_ENCRYPT),
    _kept("location.street", Category.ADDRESS, _ENCRYPT, Audience.OFFICER, "hidden",    # text up to 1.2
          profiles__full_address=_ENCRYPT, markers__pins=_ENCRYPT),
    _kept("location.street.number", Category.ADDRESS, _ENCRYPT, Audience.OFFICER, "hidden",
          profiles__full_address=_ENCRYPT),
    _kept("location.street.name", Category.ADDRESS, _ENCRYPT, Audience.OFFICER, "hidden",
          profiles__full_address=_ENCRYPT),
    _kept("location.city", Category.ADDRESS, _KEEP, Audience.CONSOLE, "none",
          profiles__city=_KEEP, profiles__full_address=_ENCRYPT, markers__pins=_ENCRYPT),
    _kept("location.state", Category.ADDRESS, _KEEP, Audience.CONSOLE, "none",
          profiles__state=_KEEP, profiles__full_address=_ENCRYPT, markers__pins=_ENCRYPT),
    _kept("location.country", Category.ADDRESS, _KEEP, Audience.CONSOLE, "none",
          profiles__country=_KEEP, profiles__full_address=_ENCRYPT, markers__pins=_ENCRYPT),
    _kept("location.postcode", Category.ADDRESS, _GENERAL, Audience.OFFICER, "postcode_area",
          profiles__postcode_area=_GENERAL, profiles__full_address=_ENCRYPT, markers__pins=_ENCRYPT),
    _kept("email", Category.CONTACT, _ENCRYPT, Audience.OFFICER, "email",
          profiles__email=_ENCRYPT, profiles__email_token=_TOKEN, profiles__email_domain=_GENERAL,
          users_by_email_domain___id=_GENERAL, markers__pins=_ENCRYPT),
    _kept("phone", Category.CONTACT, _ENCRYPT, Audience.OFFICER, "hidden", profiles__phone=_ENCRYPT,
          markers__pins=_ENCRYPT),
    _kept("dob", Category.BIRTH, _ENCRYPT, Audience.OFFICER, "year_month",              # text or seconds up to 1.1
          profiles__birth_date=_ENCRYPT, profiles__birth_month=_GENERAL, profiles__age=_GENERAL,
          users_by_nationality__births=_GENERAL),
    _kept("dob.date", Category.BIRTH, _ENCRYPT, Audience.OFFICER, "year_month",
          profiles__birth_date=_ENCRYPT, profiles__birth_month=_GENERAL, profiles__age=_GENERAL,
          users_by_nationality__births=_GENERAL, markers__pins=_ENCRYPT),
    # compared with the age worked out from the birth date, then forgotten: it stands in the topic alone
    _kept("dob.age", Category.BIRTH, _KEEP, Audience.CONSOLE, "none"),
    _kept("registered", Category.ACCOUNT, _GENERAL, Audience.CONSOLE, "year_month",     # text or seconds up to 1.1
          profiles__registered_month=_GENERAL),
    _kept("registered.date", Category.ACCOUNT, _GENERAL, Audience.CONSOLE, "year_month",
          profiles__registered_month=_GENERAL, markers__pins=_ENCRYPT),
    _kept("nat", Category.DEMOGRAPHIC, _KEEP, Audience.EVERYONE, "none",
          profiles__nat=_KEEP, users_by_nationality___id=_KEEP, markers__pins=_ENCRYPT),
    *_dropped(Category.SECRET, *(f"login.{name}" for name in LOGIN_SECRETS), *LOGIN_SECRETS),
    *_dropped(Category.OFFICIAL_ID, "id.name", "id.value", *OFFICIAL_IDS),
    *_dropped(Category.IMAGE, "picture", "picture.large", "picture.medium", "picture.thumbnail"),
    *_dropped(Category.NAME, "name.title"),
    *_dropped(Category.ADDRESS, "location.coordinates.latitude", "location.coordinates.longitude",
              "location.timezone.offset", "location.timezone.description",
              "location.zip"),                                                          # 0.x, which had no uuid
    *_dropped(Category.CONTACT, "cell"),
    *_dropped(Category.ACCOUNT, "registered.age"),
)

UNKNOWN = "(unknown)"
"""What a field outside the table is counted under; its own name comes from outside and may be anything."""


@dataclass(frozen=True)
class Projection:
    """What of a person may enter Kafka.

    person: the known fields that are not dropped. dropped: path -> how many fields of it were left out. problems: one
    sentence for each field of a wrong structure (names and types only, never a value); when there are any, `person`
    must not be sent.
    """

    person: dict[str, object]
    dropped: Counter[str]
    problems: tuple[str, ...]


@dataclass
class _Node:
    """One name in the tree of paths: a leaf, a group of names, or (`dob`, `street`, `picture`) either."""

    path: str
    leaf: Treatment | None = None
    under: dict[str, "_Node"] = field(default_factory=dict)

    @cached_property
    def all_dropped(self) -> bool:
        """Whether nothing at or under this name is ever passed on."""
        return self.leaf in (None, Treatment.DROP) and all(node.all_dropped for node in self.under.values())


def _tree(fields: tuple[Field, ...]) -> _Node:
    root = _Node("")
    for known in fields:
        node = root
        for name in known.path.split("."):
            node = node.under.setdefault(name, _Node(f"{node.path}.{name}".lstrip(".")))
        node.leaf = known.becomes
    return root


_TREE = _tree(FIELDS)


def project(person: Mapping[str, object]) -> Projection:
    """The known fields of a person that are not dropped, in their order; everything else is counted, not passed on."""
    dropped: Counter[str] = Counter()
    problems: list[str] = []
    return Projection(_project(person, _TREE, dropped, problems), dropped, tuple(problems))


def _project(group: Mapping[str, object], node: _Node, dropped: Counter[str], problems: list[str]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, value in group.items():
        known = node.under.get(name)
        if known is None:
            dropped[f"{node.path}.{UNKNOWN}".lstrip(".")] += 1
        elif isinstance(value, dict) and known.under:
            inner = _project(value, known, dropped, problems)
            if inner:
                kept[name] = inner
        elif known.all_dropped:
            dropped[known.path] += 1
        elif isinstance(value, dict | list):
            problems.append(f"{known.path} holds {kind(value)} where {_allowed(known)} is allowed")
        elif known.leaf is not None:
            kept[name] = value
        elif value is not None:
            problems.append(f"{known.path} holds {kind(value)} where {_allowed(known)} is allowed")
    return kept


def _allowed(node: _Node) -> str:
    return " or ".join(["text or a number"] * (node.leaf is not None) + ["an object"] * bool(node.under))


def kind(value: object) -> str:
    """What a JSON value is, in words: for messages, which must not hold the value itself."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "text"
        case bool():
            return "true or false"
        case _:
            return "a number"


# --- dead letters

DEEPEST = 100
"""Levels of a dead letter that are looked through; what lies deeper is nulled, since it cannot be vouched for."""

LONGEST_EMBEDDED = 8_000_000
"""Characters of a text that is looked at for JSON inside it; a longer one that could be JSON is nulled."""


def without_secrets(value: object) -> object:
    """A copy of any JSON value in which every `drop` field is nulled wherever it stands, for dead letters.

    The login secrets and other names that stand alone are found under any wrapper; `id.value`, `name.title` and the
    like by the end of their path. Names are compared without case and surrounding blanks; a name may be dotted, as in
    the API's CSV. Within a login block only the uuid stays. JSON inside a text is looked through too.
    """
    return _nulled(value, (), 0)


def _suffixes(node: _Node) -> Iterator[tuple[str, ...]]:
    """The ends of paths that are nulled: the highest names under which everything is dropped."""
    for under in node.under.values():
        if under.all_dropped:
            yield tuple(under.path.casefold().split("."))
        else:
            yield from _suffixes(under)


_NULLED = frozenset(_suffixes(_TREE))
_LONGEST_SUFFIX = max(map(len, _NULLED))


def _nulled(value: object, path: tuple[str, ...], depth: int) -> object:
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        copy: dict[str, object] = {}
        for name, inner in value.items():
            parts = _names(name)
            ways = [path + parts[:length] for length in range(1, len(parts) + 1)]
            copy[name] = None if any(map(_is_dropped, ways)) else _nulled(inner, ways[-1], depth + 1)
        return copy
    if isinstance(value, list):
        return [_nulled(inner, path, depth + 1) for inner in value]
    if path and path[-1] == "login":
        return None                        # text where the login block should be
    return _embedded(value, path, depth) if isinstance(value, str) else value


def _names(name: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(name).casefold().split("."))


def _is_dropped(path: tuple[str, ...]) -> bool:
    if len(path) > 1 and path[-2] == "login" and path[-1] != "uuid":
        return True
    return any(path[-length:] in _NULLED for length in range(1, _LONGEST_SUFFIX + 1))


def _embedded(text: str, path: tuple[str, ...], depth: int) -> object:
    start = text.lstrip()[:1]
    if start not in ("{", "[", '"'):
        return text
    if len(text) > LONGEST_EMBEDDED:
        return None
    try:
        inner = json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        return None
    cleaned = _nulled(inner, path, depth + 1)
    return text if cleaned == inner else json.dumps(cleaned, ensure_ascii=False)
