"""People in texts: what can be recognised of them there is masked, for logs and for messages of errors.

Recognised are persons and parts of them as JSON and as Python writes its values (cut in the middle too), `email='...'` as
records and models print themselves, addresses, telephone and other long numbers, and days of birth. A name in the middle
of a sentence is recognised by nothing; so that none stands there, texts of foreign errors are not shown at all
(engine/logs.py).
"""

import ast
import json
import re
from collections.abc import Callable, Mapping

from governance.catalogue import DEEPEST, FIELDS, Treatment
from governance.masking import HIDDEN, MASKS, masked

LONGEST = 20_000
"""Characters of a text that are looked through; what follows is left out."""

TRIED = 100
"""Brackets at which a value may be looked for in vain; from there on the rest of the text is left out."""

LEFT_OUT = f"{HIDDEN} (the rest is left out)"

ANYBODYS = frozenset({"id", "value", "number", "date", "age", "offset", "description"})
"""Names of fields that any program's data have; an object with none but these is no person."""

PERSONAL = frozenset(
    [part.casefold() for known in FIELDS if known.mask != "none" for part in known.path.split(".") if part not in ANYBODYS]
    + [place.partition(".")[2] for known in FIELDS for place, how in known.stands.items() if how is Treatment.ENCRYPT])
"""Names by which a person or a part of one is known: those of the catalogue, and of the columns that are sealed."""

ANY_NAME = "|".join(sorted(map(re.escape, PERSONAL), key=len, reverse=True))
QUOTED_NAME = re.compile(rf"""(?i)['"](?:[\w ]+\.)*\s*(?:{ANY_NAME})\s*\\*['"]\s*:""")
NAMED = re.compile(rf"""(?isx) (?<![\w.]) ((?:\\{{0,8}}['"])? (?:{ANY_NAME}) (?:\\{{0,8}}['"])? \s* [=:] \s*)
                         b?\\{{0,8}} (?: '(?:[^'\\]|\\.)*(?:'|$) | "(?:[^"\\]|\\.)*(?:"|$) )""")
SET_TO = re.compile(rf"""(?i)(?<![\w.])((?!name=)(?:{ANY_NAME})=)(?!['"])[^\s,;)\]][^,;)\]\n]*""")
REFUSED_INPUT = re.compile(r"\b(input_value=).*?(?=, input_type=|$)", re.MULTILINE)
REFUSED = "input"
"""How pydantic quotes what it refuses: in texts, and in its lists of errors."""

TELLING = re.compile(r"""(?ix)
    (?P<uuid> \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b )
  | (?P<email> (?<![^\s@<>()\[\]{},;:'"=/\\]) (?: [^\s@<>()\[\]{},;:'"=/\\] | (?<=\w)'(?=\w) )+ @ (?:[\w-]+\.)+\w+ )
  | (?P<day> \b(?:1[89]\d\d|20[01]\d)-[01]\d-[0-3]\d (?:[T ]\d\d:[\d:.]+Z?)? (?![\d-]) )
  | (?P<number> (?<![\w.@\#/-]) \+?\(?(?-i:[A-Z])?\d (?: [\d ()./-] | (?<=[ -])(?-i:[A-Z])(?=\d) ){5,22} \d
                (?![\w@]|[-/:.]\d) )
""")
"""uuid: a row's key, which may be seen. day: no moment of this flow is before 2020, so it is one of a person."""

FEWEST_DIGITS = 8
"""Of a telephone number, as of any other number of a person, in all that the API ever answered."""

COUNTED = re.compile(r"(?i)\b(?:offsets?|turn|batch|lease|process|pid|port|code|error|line)[ =:#]+(?:\d+ to )?$")
COUNTS = re.compile(r"(?i) (?:bytes|[kmg]i?b|m?s|seconds|records|rows|people|users|letters|commands|documents|behind)\b")
NO_PHONE = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d?)?|\d{1,3}(?:\.\d{1,3}){3}|\d{1,3}(?: \d{1,3}){4,}", re.ASCII)
"""A day, an address of the net, small numbers in a row."""

OPENING = re.compile(r"[\[{]")
CLOSING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\[\](){}]""", re.DOTALL)
_JSON = json.JSONDecoder()


def scrubbed(text: str) -> str:
    """The text without what is recognised of people in it. Never raises."""
    if len(text) > LONGEST:
        return scrubbed(text[:LONGEST]) + LEFT_OUT
    try:
        return _scrubbed(text, 0)
    except RecursionError:
        return LEFT_OUT


def scrubbed_value(value: object, depth: int = 0) -> object:
    """A value without what is recognised of people in it: persons masked, texts scrubbed, numbers as they are.

    What is neither an object, a list nor a text is taken for the text that Python makes of it.
    """
    if depth > DEEPEST:
        return HIDDEN
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping() if any(map(_is_personal, value)):
            return masked(value)
        case Mapping():
            return {name if isinstance(name, int) else _scrubbed(str(name), depth):
                    HIDDEN if name == REFUSED else scrubbed_value(inner, depth + 1) for name, inner in value.items()}
        case list() | set() | frozenset():
            return [scrubbed_value(inner, depth + 1) for inner in value]
        case tuple() if not (hasattr(value, "_fields") or hasattr(value, "__fields__")):    # rows print their names
            return tuple(scrubbed_value(inner, depth + 1) for inner in value)
        case BaseException():
            return type(value).__name__
        case bytes() | bytearray():
            return scrubbed(bytes(value[:LONGEST + 1]).decode(errors="replace"))
        case _:
            return scrubbed(str(value))


def _is_personal(name: object) -> bool:
    return any(part.strip() in PERSONAL for part in str(name).casefold().split("."))


def _scrubbed(text: str, depth: int) -> str:
    """Values that stand in the text are taken out of it first: a pattern would see parts of them only."""
    done: list[str] = []
    plain_from = at = tried = 0
    while (found := OPENING.search(text, at)) is not None:
        opening = found.start()
        shown, at = _value(text, opening, depth)
        if shown is not None:
            done += [_plain(text[plain_from:opening]), shown]
            plain_from = at
        elif (tried := tried + 1) > TRIED:
            return "".join([*done, _plain(text[plain_from:opening]), LEFT_OUT])
    return "".join([*done, _plain(text[plain_from:])])


def _value(text: str, opening: int, depth: int) -> tuple[str | None, int]:
    """What is shown of the value that begins with this bracket, None where it is none; and where to go on."""
    try:
        value, end = _JSON.raw_decode(text, opening)
        return _shown(text[opening:end], value, depth, lambda safe: json.dumps(safe, ensure_ascii=False)), end
    except (ValueError, RecursionError):
        closing = _closing(text, opening)
    try:
        if closing is not None:
            value = ast.literal_eval(text[opening:closing])
            return _shown(text[opening:closing], value, depth, repr), closing
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass    # objects that Python does not write as a value, or no value at all
    if text[opening] == "{" and QUOTED_NAME.search(text, opening, closing or len(text)):
        return f"{{{HIDDEN}}}", closing or len(text)
    return None, opening + 1


def _shown(written: str, value: object, depth: int, write: Callable[[object], str]) -> str:
    safe = scrubbed_value(value, depth + 1)
    return written if safe == value else write(safe)


def _closing(text: str, opening: int) -> int | None:
    """Where the value ends that begins with this bracket."""
    depth = 0
    for token in CLOSING.finditer(text, opening):
        depth += (token[0] in "([{") - (token[0] in ")]}")
        if depth == 0:
            return token.end()
    return None


def _plain(text: str) -> str:
    text = REFUSED_INPUT.sub(rf"\1{HIDDEN}", text)
    text = NAMED.sub(rf"\1'{HIDDEN}'", text)
    text = SET_TO.sub(rf"\1{HIDDEN}", text)
    return TELLING.sub(_telling, text)


def _telling(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "email":
            return str(masked({"email": found[0]})["email"])
        case "day":
            return str(MASKS["year_month"](found[0][:10]))
        case "number" if not _counts(found):
            return HIDDEN
        case _:
            return found[0]


def _counts(number: re.Match[str]) -> bool:
    """Whether a number says how many or the how manieth, or what else is no person's."""
    digits, text = number[0], number.string
    if sum(map(str.isdigit, digits)) < FEWEST_DIGITS or NO_PHONE.fullmatch(digits):
        return True
    beside = COUNTED.search(text, max(0, number.start() - 40), number.start()) or COUNTS.match(text, number.end())
    return digits.isdigit() and beside is not None
