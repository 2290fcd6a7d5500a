"""Rows as people look through them: masked ones page by page, and one revealed for the officer.

The console's role has no UNMASK, so what is personal comes as null from Cassandra itself; nothing here hides anything.
A paging state names a place inside Cassandra: it stays on the server and is never taken from outside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from cassandra.query import SimpleStatement

from engine.clients import mapped
from engine.errors import StoreAway
from engine.sealing import CannotOpen, KeyRing
from engine.stores.schema import PROFILES

PAGE = 50
COUNTED_TO = 1000
"""Up to how many people a combination of filters is counted: each is read."""

COUNT_WITHIN_S = 3.0

SHOWN = ("uuid", "display_name", "nat", "country", "gender", "age", "city", "email_domain", "first_seen", "pinned")
SEALED = tuple(column.name for column in PROFILES.columns if column.masked)


@dataclass(frozen=True)
class Wanted:
    """Which rows. ages: from and to, both included, in whole years. email_token: of an exact address."""

    nat: str = ""
    domain: str = ""
    ages: tuple[int, int] | None = None
    email_token: str = ""

    def where(self, today: date) -> tuple[str, tuple[Any, ...]]:
        """A CQL condition and its values. Ages are turned into months of birth, which do not grow old in the store; people who
        are restricted are not counted, and are left out."""
        parts: list[tuple[str, Any]] = []
        if self.email_token:
            parts.append(("email_token = %s", self.email_token))
        if self.nat:
            parts.append(("nat = %s", self.nat))
        if self.domain:
            parts.append(("email_domain = %s", self.domain))
        if born := self.born(today):
            parts += [("birth_month >= %s", born[0]), ("birth_month <= %s", born[1])]
        parts.append(("counted = %s", True))
        return " AND ".join(text for text, _ in parts), tuple(value for _, value in parts)

    def born(self, today: date) -> tuple[str, str] | None:
        """The months of birth of these ages, both included; whoever has a birthday this month may be on either side."""
        if self.ages is None:
            return None
        youngest, oldest = self.ages
        return f"{today.year - oldest - 1:04}-{today.month:02}", f"{today.year - youngest:04}-{today.month:02}"

    @property
    def filters(self) -> int:
        """How many filters are set."""
        return sum(map(bool, (self.nat, self.domain, self.ages, self.email_token)))


@dataclass(frozen=True)
class Page:
    """One page of rows. after: the paging state of the next one, None on the last."""

    rows: list[dict[str, Any]]
    after: bytes | None


class Browse:
    """Masked rows, over a session of `console`."""

    def __init__(self, session: Any, keyspace: str, today: date) -> None:
        self._session, self._table, self._today = session, f"{keyspace}.{PROFILES.name}", today

    def page(self, wanted: Wanted, state: bytes | None) -> Page:
        """One page from a paging state on; None for the first. Raises StoreAway."""
        where, values = wanted.where(self._today)
        statement = SimpleStatement(
            f"SELECT {', '.join(SHOWN)} FROM {self._table} WHERE {where} ALLOW FILTERING", fetch_size=PAGE)
        with mapped("reading rows", "console"):
            answer = self._session.execute(statement, values, paging_state=state)
            rows = [{name: getattr(row, name) for name in SHOWN} for row in answer.current_rows]
            return Page(rows, answer.paging_state)

    def count(self, wanted: Wanted) -> int | None:
        """How many fit, at most COUNTED_TO + 1; None when they cannot be counted in the time a page may take."""
        where, values = wanted.where(self._today)
        statement = SimpleStatement(
            f"SELECT uuid FROM {self._table} WHERE {where} LIMIT {COUNTED_TO + 1} ALLOW FILTERING", fetch_size=COUNTED_TO + 1)
        try:
            with mapped("counting rows", "console"):
                return sum(1 for _ in self._session.execute(statement, values, timeout=COUNT_WITHIN_S))
        except StoreAway:
            return None


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
