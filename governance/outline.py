"""What a dead letter is made of, without what it says: for people who must find out why it is no person.

Of each known field its kind, its length and the catalogue's category are told; the name of an unknown one comes from
outside and may itself be personal, so it is not told either. Of what is no JSON, size and the sort of its first bytes.
"""

from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from governance.catalogue import DEEPEST, FIELDS, UNKNOWN, kind

LOOKED_AT = 64

_CATEGORIES = {known.path: known.category.value for known in FIELDS}
_NAMES = {".".join(path.split(".")[:length]) for path in _CATEGORIES for length in range(1, path.count(".") + 2)}
_WRAPPERS = {"results", "info", "user"}

_BEGINS = (
    (b"\x1f\x8b", "a file packed by gzip"), (b"PK\x03\x04", "a file packed by zip"),
    (b"\xef\xbb\xbf", "a byte order mark and UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
    (b"<", "a tag, as of HTML or XML"), (b"{", "a JSON object"), (b"[", "a JSON list"), (b'"', "a JSON text"))


@dataclass(frozen=True)
class Part:
    """One leaf: its path (`results[3].email`), what it is (`text of 17 characters`), and its category, if it is known."""

    path: str
    holds: str
    category: str = ""


def outline(value: object) -> list[Part]:
    """The parts of any JSON value, no value among them."""
    return list(_parts(value, "", "", 0))


def first_bytes(raw: bytes) -> str:
    """Size and sort of what is no JSON: `1,204 bytes that begin like a JSON object`."""
    if not raw:
        return "no bytes"
    sort = next((said for begin, said in _BEGINS if raw.lstrip(b" \t\r\n").startswith(begin)), "")
    try:
        text = getincrementaldecoder("utf-8")().decode(raw[:LOOKED_AT])    # the last letter may be cut in two
        sort = sort or ("text" if text.isprintable() else "binary data")
    except UnicodeDecodeError:
        sort = sort or "binary data"
    return f"{len(raw):,} bytes that begin like {sort}"


def _parts(value: object, shown: str, path: str, depth: int) -> Iterator[Part]:
    """shown: the path with indexes; path: the catalogue's, without indexes and wrappers."""
    if depth < DEEPEST and isinstance(value, Mapping) and value:
        for name, inner in value.items():
            known = f"{path}.{name}".lstrip(".")
            if name in _WRAPPERS and not path:
                yield from _parts(inner, f"{shown}.{name}".lstrip("."), "", depth + 1)
            elif known in _NAMES:
                yield from _parts(inner, f"{shown}.{name}".lstrip("."), known, depth + 1)
            else:
                yield Part(f"{shown}.{UNKNOWN}".lstrip("."), _holds(inner))
    elif depth < DEEPEST and isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _parts(inner, f"{shown}[{index}]", path, depth + 1)
    else:
        yield Part(shown or "(the whole)", _holds(value), _CATEGORIES.get(path, ""))


def _holds(value: object) -> str:
    match value:
        case str():
            return f"text of {len(value)} characters"
        case bool():
            return kind(value)
        case dict() | list():
            return f"{kind(value)} of {len(value)}"
        case int() | float():
            return f"a number of {len(str(value))} characters"
        case _:
            return kind(value)
