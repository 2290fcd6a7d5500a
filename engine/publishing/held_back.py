"""What a release holds back, for the officer: how many categories for which reason, and which, as far as that may be said."""

from collections.abc import Iterable
from dataclasses import dataclass

from governance.disclosure.figures import DOMAINS
from governance.disclosure.ledger import Back, Why

MOST = 40
"""Categories that are named of one reason: of hours of arrival there are ever more."""

_TYPED = frozenset({Why.SMALL, Why.NO_NAME})
"""Why a domain is held back that few people have: it may be one person's own, or what somebody typed, so it is only counted."""


@dataclass(frozen=True)
class Group:
    """Categories of one table that are held back for one reason; keys: the first of them, none where they are only counted."""

    table: str
    why: str
    number: int
    keys: tuple[str, ...]


def groups(held_back: Iterable[Back]) -> list[Group]:
    """By table and reason, in the order of the tables."""
    found: dict[tuple[str, Why], list[str]] = {}
    for back in held_back:
        found.setdefault((back.table, back.why), []).append(back.key)
    return [Group(table, str(why), len(keys), () if table == DOMAINS and why in _TYPED else tuple(keys[:MOST]))
            for (table, why), keys in found.items()]


def listed(group: Group) -> str:
    """Its categories in a line."""
    named = ", ".join(group.keys)
    more = group.number - len(group.keys)
    if not more:
        return named
    return f"{named} and {more} more" if named else f"{more}, not named"
