"""Packages that wait to be handed out: sealed in Cassandra, each handed out once, by a link or by the officer, then gone.

Of a link only the hash is kept. A conditional update decides who is first, and takes the content away in the same write.
"""

import hashlib
import secrets as random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cassandra import ConsistencyLevel
from cassandra.query import SimpleStatement

from engine.clients import cassandra_session, mapped
from engine.errors import Final
from engine.sealing import CannotOpen, load_keys
from engine.settings import Settings
from engine.stores.schema import PACKAGES

KEEPER = "governance"


class NoPackage(Final):
    """There is no package, or no link leads to it (any more)."""

    exit_code = 65

    def __init__(self) -> None:
        super().__init__("There is no such package: its time is over, another has taken its place, or it was never made. "
                         "`rollcall request step REF package` makes it anew as long as the request is open.")


class AlreadyTaken(Final):
    """A package was handed out before; it is handed out once."""

    exit_code = 65

    def __init__(self, at: datetime) -> None:
        super().__init__(f"This package was handed out at {at:%Y-%m-%d %H:%M:%S} UTC and is gone since. If that was not the "
                         "person, it is a breach. `rollcall request step REF package` makes it anew as long as the request is "
                         "open.")


@dataclass(frozen=True)
class Link:
    """A way to a package. secret: what whoever has it may fetch the package with, once, until it expires (UTC)."""

    secret: str
    expires: datetime


@dataclass(frozen=True)
class PackageState:
    """A package without its content. All moments in UTC; taken_at: None while it waits."""

    request: str
    made_at: datetime
    expires: datetime
    taken_at: datetime | None


class Packages:
    """The table `packages`, over a session of `governance` or `officer`."""

    def __init__(self, settings: Settings, session: Any) -> None:
        self._settings, self._session = settings, session
        self._table = f"{settings.cassandra.keyspace}.{PACKAGES.name}"

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str = KEEPER) -> Iterator[Self]:
        """The packages, over a session of its own. Raises StoreAway, SignInRefused."""
        with cassandra_session(settings, principal) as session, mapped("keeping packages", principal):
            yield cls(settings, session)

    def keep(self, request: str, person: str, content: bytes, now: datetime) -> PackageState:
        """Keeps a package, in the place of an earlier one of the request. person: suppression token."""
        sealed = load_keys(self._settings).seal_package(content, request)
        self._decide(f"DELETE FROM {self._table} WHERE request = %s IF EXISTS", (request,))
        self._decide(f"INSERT INTO {self._table} (request, person, body, made_at) VALUES (%s, %s, %s, %s) IF NOT EXISTS",
                     (request, person, sealed, now))
        return self._state(self._row(request))

    def link(self, request: str) -> Link:
        """A new link; an earlier one leads nowhere from then on. Raises NoPackage, AlreadyTaken."""
        state = self._waiting(self._row(request))
        secret = random.token_urlsafe(32)
        left_s = max(1, int((state.expires - datetime.now(UTC)).total_seconds()))
        if not self._decide(f"UPDATE {self._table} USING TTL {left_s} SET link = %s WHERE request = %s IF made_at = %s "
                            "AND taken_at = null", (_hash(secret), request, state.made_at)):
            raise NoPackage
        return Link(secret, state.expires)

    def take(self, secret: str = "", request: str = "") -> tuple[str, bytes]:
        """Request and content of a package, this once. Raises NoPackage, AlreadyTaken."""
        if secret:
            request = self.of_link(secret)
        row = self._row(request)
        self._waiting(row)
        now = datetime.now(UTC)
        linked = " AND link = %s" if secret else ""    # a newer link may have been made since it was looked up
        if not self._decide(f"UPDATE {self._table} SET taken_at = %s, body = null WHERE request = %s IF made_at = %s "
                            f"AND taken_at = null{linked}", (now, request, row.made_at, *([_hash(secret)] if secret else []))):
            self._waiting(self._row(request))
            raise NoPackage
        try:
            return request, load_keys(self._settings).open_package(bytes(row.body), request)
        except CannotOpen:
            raise NoPackage from None

    def of_link(self, secret: str) -> str:
        """The request to whose package a link leads, whether or not that was handed out. Raises NoPackage."""
        found = self._session.execute(f"SELECT request FROM {self._table} WHERE link = %s", (_hash(secret),)).one()
        if found is None:
            raise NoPackage
        return str(found.request)

    def state(self, request: str) -> PackageState | None:
        """A package of which somebody might still ask; None where there is none."""
        try:
            return self._state(self._row(request))
        except NoPackage:
            return None

    def of(self, people: Sequence[str]) -> list[str]:
        """The requests of whose people (suppression tokens) a package is known."""
        return sorted(row.request for person in people for row in self._session.execute(
            f"SELECT request FROM {self._table} WHERE person = %s", (person,)))

    def purge_all(self) -> int:
        """Takes every package away; returns how many there were."""
        found = [row.request for row in self._session.execute(f"SELECT request FROM {self._table}")]
        for request in found:
            self.purge(request)
        return len(found)

    def purge(self, request: str) -> None:
        """Takes a package away, whether or not it was handed out."""
        self._decide(f"DELETE FROM {self._table} WHERE request = %s IF EXISTS", (request,))

    def _row(self, request: str) -> Any:
        row = self._session.execute(SimpleStatement(
            f"SELECT request, body, made_at, taken_at FROM {self._table} WHERE request = %s",
            consistency_level=ConsistencyLevel.LOCAL_SERIAL), (request,)).one()
        if row is None or (row.made_at is None and row.taken_at is None):
            raise NoPackage
        return row

    def _waiting(self, row: Any) -> PackageState:
        if row.taken_at is not None:
            raise AlreadyTaken(_utc(row.taken_at))
        return self._state(row)

    def _state(self, row: Any) -> PackageState:
        made_at = _utc(row.made_at or row.taken_at)
        return PackageState(row.request, made_at, made_at + timedelta(hours=self._settings.governance.package_hours),
                            _utc(row.taken_at) if row.taken_at else None)

    def _decide(self, statement: str, values: tuple[Any, ...]) -> bool:
        return bool(self._session.execute(statement, values).was_applied)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
