"""The domain of an e-mail address as rows hold it, natively: governance/masking.py's `domain_shown`, said for Spark.

Spark has nothing that takes accents off, so each sign is translated by a table that is made from Python's own.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from governance.masking import EMAIL_FORM, HIDDEN_DOMAIN, LETTERS, LONG_PART, UNTOLD, folded

BEYOND = 0x20000    # no sign from here on folds to a letter of a domain; a test looks at all there are
WORD = r"[\p{L}\p{Nl}\p{No}]{2,}"
"""What governance/masking.py finds with LETTERS: Java's classes are others."""


class Folds(NamedTuple):
    """Signs that folding makes another one of, in the order of `one_each`, or none; and those that become several."""

    one: str
    one_each: str
    several: dict[str, str]


def domain_shown(email: Column, name: Column) -> Column:
    """The domain in lower case, HIDDEN_DOMAIN where it may tell more than a domain, null of null. name: first and last."""
    address = F.trim(email)
    domain = F.lower(F.regexp_extract(address, f"^{EMAIL_FORM}\\z", 1))    # nothing where it does not match
    theirs = words(F.concat_ws(" ", name, F.substring_index(address, "@", 1)))
    # as the one item of an array both have names, and are not made anew wherever they are used
    labels = F.concat(F.lit("."), F.translate(domain, "-", "."), F.lit("."))
    made = F.array(F.struct(domain.alias("domain"), labels.alias("labels"), theirs.alias("words")))
    return F.transform(made, lambda one: _judged(one["domain"], one["labels"], one["words"]))[0]


def _judged(domain: Column, labels: Column, theirs: Column) -> Column:
    own = F.exists(theirs, lambda word: F.contains(labels, F.concat(F.lit("."), word, F.lit(".")))
                   | ((F.length(word) >= LONG_PART) & F.contains(domain, word)))
    return F.when((domain == "") | domain.rlike(UNTOLD) | own, HIDDEN_DOMAIN).otherwise(domain)


def words(text: Column) -> Column:
    """Words of two letters and more, without case and accents, as far as the domain of an address could hold them."""
    return F.regexp_extract_all(_folded(text), F.lit(WORD), F.lit(0))


def is_ascii(text: Column) -> Column:
    """Whether it has no sign beyond ASCII; asked without a look at the signs."""
    return F.length(text) == F.octet_length(text)


def _folded(text: Column) -> Column:
    return F.when(is_ascii(text), F.lower(text)).otherwise(_folded_beyond_ascii(text))


def _folded_beyond_ascii(text: Column) -> Column:
    table = folds()
    one = F.translate(text, table.one, table.one_each)
    of_several = F.from_json(F.lit(json.dumps(table.several)), "map<string,string>")
    spread = F.array_join(F.transform(F.split(one, ""), lambda sign: F.coalesce(of_several[sign], sign)), "")
    return F.when(one.rlike(_any_of(table.several)), spread).otherwise(one)


def _any_of(signs: Iterable[str]) -> str:
    """A class of these signs, in ranges: Java asks each part of a class in turn, hundreds of them for each sign of a text."""
    ranges: list[list[int]] = []
    for sign in sorted(map(ord, signs)):
        if ranges and ranges[-1][1] == sign - 1:
            ranges[-1][1] = sign
        else:
            ranges.append([sign, sign])
    return "[" + "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges) + "]"


@cache
def folds() -> Folds:
    """The table. What folds from letters to letters beyond ASCII is not in it: no word of a domain that is shown holds one."""
    one, gone, several = {}, "", {}
    for sign in map(chr, (*range(0xD800), *range(0xE000, BEYOND))):
        becomes = folded(sign)
        if not becomes:
            gone += sign
        elif becomes == sign or (re.fullmatch(f"{LETTERS}+", sign + becomes) and not re.search(r"[\x00-\x7f]", becomes)):
            continue
        elif len(becomes) == 1:
            one[sign] = becomes
        else:
            several[sign] = becomes
    return Folds("".join(one) + gone, "".join(one.values()), several)
