"""Masks: what is shown of a person to whoever may not see them in clear, by the names that the catalogue gives its rules.

They are made for a whole person: an e-mail address is the name again, so nothing of it is shown but the domain, and not
even that where it is a domain of the person's own. Each mask has one width, so that a short value is not told from a long
one or from none, and fails closed: a field that the catalogue does not know, a value of another type and text that is not
what it should be are hidden. What a mask shows is what the stream writes into `profiles` (engine/spark/columns.py), or less.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from governance.catalogue import FIELDS, UNKNOWN

HIDDEN = "********"
NO_INITIAL = "*"

EAST_ASIAN = ("[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
              "\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff]")
"""Signs that are a syllable or a word: Chinese, Japanese, Korean, Yi, Tangut. A pattern for Python and for Java."""

SPACES = r"\s\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"    # what Python's \s is; Java's is less
EMAIL_FORM = rf"[^@{SPACES}]+@((?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9_-]+)"
UNTOLD = r"xn--|[0-9]{4}"
"""An address, whole, and what its domain in lower case is hidden for. Patterns for Python and for Java."""

HIDDEN_DOMAIN = "(hidden)"
"""What rows and counts hold instead of a domain that is not shown: no domain, for none has brackets."""

LETTERS, LONG_PART = r"[^\W\d_]", 4

DAY_FORM = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z?)?", re.ASCII)
POSTCODE_FORM = r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9 -]{2,9}"
UNCLEAR = re.compile(r"@|\d{4}|[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""An address, a number, what would begin a line of its own in a log, and what cannot be written at all."""

LONGEST_POSTCODE = 10
LONGEST_CLEAR = 100
OLDEST = 150


class Mask(Protocol):
    """What is shown of one value. Takes any JSON value and never raises."""

    def __call__(self, value: object) -> object:
        """What may be seen of it."""


class Hidden:
    """Nothing: not whether there is a value at all."""

    def __call__(self, value: object) -> str:
        """Eight stars."""
        return HIDDEN


class Initials:
    """The first letter of a name, upper case, with a point: `É.`; a star for what begins with no letter.

    A name of one letter is its own initial. It stays: of `X.` nobody can say whether it is short for Xavier. Where one
    sign is a syllable or a word that does not hold (`李` is a whole family name), so East Asian signs are not shown;
    nor is what a name hardly begins with: a digit, an emoji, half a surrogate pair, a mark without its letter. A letter
    whose upper case is two (`ﬁ`, `ß`) gives the first. `É` as letter and mark gives `E`. Spark's columns do the same.
    """

    def __call__(self, value: object) -> str:
        """`A.` of `ada`; a star instead of the letter where one would tell more."""
        name = value.strip(" ") if isinstance(value, str) else ""
        if not name:
            return HIDDEN
        first = name[0]
        shown = first.upper()[0] if first.isalpha() and not re.match(EAST_ASIAN, first) else NO_INITIAL
        return f"{shown}."


class EmailDomain:
    """The domain of an address, in lower case: `********@example.com`. No letter of what stands before it, nor its length.

    Hidden with the rest: a domain without a point, one that holds a number or ends in one, and one in letters beyond ASCII
    or in Punycode, which is the same and may spell a name. `masked` hides those that hold the person's own name.
    """

    def __call__(self, value: object) -> str:
        """Stars, an @ and the domain."""
        found = re.fullmatch(EMAIL_FORM, value.strip(" ")) if isinstance(value, str) else None
        if found is None or re.search(UNTOLD, domain := found[1].lower()):
            return HIDDEN
        return f"{HIDDEN}@{domain}"


class PostcodeArea:
    """The first two characters of a postcode, which say a region. A code of two would be shown whole, so it is hidden."""

    def __call__(self, value: object) -> str:
        """`SW` of `sw1a 1aa`."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10 ** LONGEST_POSTCODE:
            value = str(value)
        text = value.strip(" ") if isinstance(value, str) else ""
        return text[:2].upper() if re.fullmatch(POSTCODE_FORM, text) else HIDDEN


class YearMonth:
    """The month of a day: `1992-03`. Seconds, as 0.x writes days, are hidden: the stream takes no such person either."""

    def __call__(self, value: object) -> str:
        """The month of a day of the calendar."""
        text = value.strip(" ") if isinstance(value, str) else ""
        try:
            return f"{date.fromisoformat(text[:10]):%Y-%m}" if DAY_FORM.fullmatch(text) else HIDDEN
        except ValueError:
            return HIDDEN


class Clear:
    """The value itself: an age, the row's uuid, or a short text. An address or a number that strayed there is hidden."""

    def __call__(self, value: object) -> object:
        """The value, without blanks around it."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value if 0 <= value <= OLDEST else HIDDEN
        text = value.strip(" ") if isinstance(value, str) else ""
        if _uuid(text):
            return text
        return text if 0 < len(text) <= LONGEST_CLEAR and not UNCLEAR.search(text) else HIDDEN


MASKS: Mapping[str, Mask] = MappingProxyType({
    "hidden": Hidden(), "initials": Initials(), "email": EmailDomain(), "postcode_area": PostcodeArea(),
    "year_month": YearMonth(), "none": Clear()})
"""The masks by the names that the catalogue gives them."""

_BY_PATH = {known.path: MASKS[known.mask] for known in FIELDS}
_GROUPS = {"", *(path.rsplit(".", depth)[0] for path in _BY_PATH for depth in range(1, path.count(".") + 1))}


def masked(person: Mapping[str, object]) -> dict[str, object]:
    """The person with every value masked, in the shape it has; what is no field of the catalogue loses its name too.

    Takes a bare person of any version of the API. Never raises, and leaves the person as it is.
    """
    shown = _group(person, "")
    if isinstance(domain := shown.get("email"), str) and _of_their_own(domain, person):
        shown["email"] = HIDDEN
    return shown


def domain_shown(name: str, email: str) -> str:
    """The domain of an address as rows and counts hold it, HIDDEN_DOMAIN where `masked` hides it. name: first and last."""
    return str(masked({"name": name, "email": email})["email"]).partition("@")[2] or HIDDEN_DOMAIN


def _group(values: Mapping[str, object], path: str) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in values.items():
        under = (f"{path}.{name}".lstrip(".") if isinstance(name, str) else "") or UNKNOWN
        if isinstance(value, Mapping) and under in _GROUPS:
            shown[name] = _group(value, under)
        elif (mask := _BY_PATH.get(under)) is not None:
            shown[name] = mask(value)
        else:
            shown[name if under in _GROUPS else UNKNOWN] = HIDDEN
    return shown


def _of_their_own(domain: str, person: Mapping[str, object]) -> bool:
    """Whether a domain holds the person's name: a part of it as a label (`li.family`), a longer one anywhere in it."""
    place = folded(domain.partition("@")[2])
    labels = set(re.split(r"[.-]", place))
    return any(part in labels or (len(part) >= LONG_PART and part in place) for part in _names(person))


def _names(person: Mapping[str, object]) -> Iterator[str]:
    """The words of a name and of what stands before the @, folded."""
    name, email = person.get("name"), person.get("email")
    parts = [name.get("first"), name.get("last")] if isinstance(name, Mapping) else [name]
    if isinstance(email, str):
        parts.append(email.rpartition("@")[0])
    for part in parts:
        if isinstance(part, str):
            yield from re.findall(f"{LETTERS}{{2,}}", folded(part))


def folded(text: str) -> str:
    """Text without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))


def _uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
