"""Rows as people look through them: masked ones page by page, and one revealed for the officer.

The console's role has no UNMASK, so what is personal comes as null from Cassandra itself; nothing here hides anything.
A paging state names a place inside Cassandra: it stays on the server and is never taken from outside.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from cassandra.query import SimpleStatement

from engine.clients import mapped
from engine.errors import StoreAway
from engine.sealing import CannotOpen, KeyRing
from engine.stores.schema import PROFILES, SEALED

PAGE = 50
COUNTED_TO = 1000
"""Up to how many people a combination of filters is counted: each is read."""

PAGE_WITHIN_S = 0.8
"""Seconds after which a page ends with what it has: the next goes on from there."""

COUNT_WITHIN_S = 1.0
COUNTED_BY_MONTH = 120
"""Up to how many months of birth are counted one after the other; of more one request soon has COUNTED_TO people."""

ANSWERS_WITHIN_S = 3.0
"""Seconds a page waits for one answer; a store that takes longer counts as away."""

SHOWN = ("uuid", "display_name", "nat", "country", "gender", "age", "city", "email_domain", "first_seen", "pinned")


@dataclass(frozen=True)
class Wanted:
    """Which rows. ages: from and to, both included, in whole years. email_tokens: of an exact address, all by which rows may
    have it (KeyRing.email_tokens)."""

    nat: str = ""
    domain: str = ""
    ages: tuple[int, int] | None = None
    email_tokens: tuple[str, ...] = ()

    def where(self, today: date, part: str = "") -> tuple[str, tuple[Any, ...]]:
        """A CQL condition and its values. part: one of `parts`. Ages are turned into months of birth, which do not grow old in
        the store; people who are restricted are not counted, and are left out."""
        parts: list[tuple[str, Any]] = []
        if self.email_tokens:
            parts.append(("email_token = %s", part))
        if self.nat:
            parts.append(("nat = %s", self.nat))
        if self.domain:
            parts.append(("email_domain = %s", self.domain))
        if part and not self.email_tokens:
            parts.append(("birth_month = %s", part))
        elif born := self.born(today):
            parts += [("birth_month >= %s", born[0]), ("birth_month <= %s", born[1])]
        parts.append(("counted = %s", True))
        return " AND ".join(text for text, _ in parts), tuple(value for _, value in parts)

    def born(self, today: date) -> tuple[str, str] | None:
        """The months of birth of these ages, both included; whoever has a birthday this month may be on either side."""
        if self.ages is None:
            return None
        youngest, oldest = self.ages
        return f"{today.year - oldest - 1:04}-{today.month:02}", f"{today.year - youngest:04}-{today.month:02}"

    def parts(self, today: date) -> list[str]:
        """What is looked through one after the other: the tokens of an address, which leaves few rows anyway; or the months of
        birth, the youngest first, for the index of a text finds one, and of a range Cassandra would read the whole table."""
        if self.email_tokens:
            return list(self.email_tokens)
        if (born := self.born(today)) is None:
            return [""]
        first, last = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in born)
        return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(last, first - 1, -1)]

    @property
    def filters(self) -> int:
        """How many filters are set."""
        return sum(map(bool, (self.nat, self.domain, self.ages, self.email_tokens)))


class Place(NamedTuple):
    """Where a page begins: one of the parts (Wanted.parts), and the paging state in it."""

    part: str
    state: bytes | None


@dataclass(frozen=True)
class Page:
    """One page of rows. after: the place of the next one, None on the last."""

    rows: list[dict[str, Any]]
    after: Place | None

    @property
    def looked_to(self) -> str:
        """The month of birth down to which it has looked, where PAGE_WITHIN_S ended it before it was full; else empty."""
        month = self.after is not None and len(self.after.part) == len("1990-01")
        return self.after.part if self.after is not None and month and len(self.rows) < PAGE else ""


class Browse:
    """Masked rows, over a session of `console`."""

    def __init__(self, session: Any, keyspace: str, today: date) -> None:
        self._session, self._table, self._today = session, f"{keyspace}.{PROFILES.name}", today

    def page(self, wanted: Wanted, place: Place | None) -> Page:
        """One page from a place on; None for the first. Raises StoreAway."""
        limit = time.monotonic() + PAGE_WITHIN_S
        left = wanted.parts(self._today)
        if place is None or place.part not in left:    # the month has changed since
            place = Place(left[0], None)
        left = left[left.index(place.part):]
        rows: dict[Any, dict[str, Any]] = {}    # by uuid: a row goes from one token to the next while it is looked for
        with mapped("reading rows", "console"):
            while left:
                where, values = wanted.where(self._today, left[0])
                answer = self._session.execute(SimpleStatement(
                    f"SELECT {', '.join(SHOWN)} FROM {self._table} WHERE {where} ALLOW FILTERING", fetch_size=PAGE - len(rows)),
                    values, timeout=ANSWERS_WITHIN_S, paging_state=place.state)
                rows |= {row.uuid: {name: getattr(row, name) for name in SHOWN} for row in answer.current_rows}
                if answer.paging_state is None:
                    del left[0]
                place = Place(left[0] if left else "", answer.paging_state)
                if len(rows) >= PAGE or time.monotonic() > limit:
                    break
        return Page(list(rows.values()), place if left else None)

    def count(self, wanted: Wanted) -> int | None:
        """How many fit, at most COUNTED_TO + 1; None when they cannot be counted in the time a page may take."""
        limit, found = time.monotonic() + COUNT_WITHIN_S, 0
        parts = wanted.parts(self._today)
        try:
            for part in parts if len(parts) <= COUNTED_BY_MONTH else [""]:
                if (left := limit - time.monotonic()) <= 0:
                    return None
                where, values = wanted.where(self._today, part)
                statement = SimpleStatement(f"SELECT uuid FROM {self._table} WHERE {where} LIMIT {COUNTED_TO + 1 - found} "
                                            "ALLOW FILTERING", fetch_size=COUNTED_TO + 1)
                with mapped("counting rows", "console"):
                    found += sum(1 for _ in self._session.execute(statement, values, timeout=left))
                if found > COUNTED_TO:
                    break
        except StoreAway:
            return None
        return found


def reveal(session: Any, keyspace: str, keys: KeyRing, uuid: str) -> Mapping[str, str] | None:
    """One person's personal columns in clear, over a session of `officer`; None when there is no row.

    Raises StoreAway. A column that cannot be opened says so in place of its value.
    """
    with mapped("revealing a row", "officer"):
        row = session.execute(
            f"SELECT {', '.join(SEALED)} FROM {keyspace}.{PROFILES.name} WHERE uuid = %s", (UUID(uuid),)).one()
    return None if row is None else dict(_opened(row, keys, uuid))


def _opened(row: Any, keys: KeyRing, uuid: str) -> Iterator[tuple[str, str]]:
    for name in SEALED:
        sealed = getattr(row, name)
        try:
            yield name, keys.open_column(uuid, name, bytes(sealed)) if sealed is not None else ""
        except CannotOpen as error:
            yield name, f"({error})"
