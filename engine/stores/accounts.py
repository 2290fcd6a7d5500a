"""Who may sign in to the console, and who is signed in: tables `accounts` and `sessions` in Cassandra.

Passwords are kept as argon2id hashes. A session is known by the hash of what stands in its cookie, so that who reads the
table cannot become anybody; it ends by itself (TTL), at sign-out, and whenever its account changes.
"""

import hashlib
import re
import secrets as random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from engine.clients import mapped
from engine.errors import Final
from engine.settings import Settings
from engine.stores.schema import ACCOUNTS, SESSIONS
from governance.audit import moment
from governance.permissions import Role

NAME = re.compile(r"[a-z][a-z0-9._@-]{1,63}")
SHORTEST = 12
SESSION_WITHIN_S = 2.0
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(random.token_hex(16))
"""Compared with when there is no such account, so that the time tells nothing."""


class AccountRefused(Final):
    """An account cannot be made or changed as asked."""

    exit_code = 65


@dataclass(frozen=True)
class Account:
    """One account. roles: values of governance/permissions.py's Role."""

    name: str
    roles: frozenset[str]
    disabled: bool
    made_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class SignedIn:
    """One session. id: the hash of its cookie's token."""

    id: str
    account: str
    roles: frozenset[str]
    began: datetime
    address: str = ""
    agent: str = ""


class Accounts:
    """Both tables, over a session of `console` or `governance`."""

    def __init__(self, settings: Settings, session: Any) -> None:
        self._session, self._for_s = session, settings.console.session_hours * 3600
        self._accounts = f"{settings.cassandra.keyspace}.{ACCOUNTS.name}"
        self._sessions = f"{settings.cassandra.keyspace}.{SESSIONS.name}"

    def all(self) -> list[Account]:
        """Every account, by name."""
        with mapped("reading accounts"):
            rows = self._session.execute(f"SELECT name, roles, disabled, made_at, changed_at FROM {self._accounts}")
        return sorted((_account(row) for row in rows), key=lambda account: account.name)

    def get(self, name: str) -> Account | None:
        """One account."""
        if not NAME.fullmatch(name):
            return None
        with mapped("reading accounts"):
            row = self._session.execute(
                f"SELECT name, roles, disabled, made_at, changed_at FROM {self._accounts} WHERE name = %s", (name,)).one()
        return _account(row) if row else None

    def add(self, name: str, roles: Collection[str], password: str = "") -> str:
        """Makes an account; returns its password, made here if none is given. Raises AccountRefused."""
        if not NAME.fullmatch(name):
            raise AccountRefused(f"{name!r} is no name of an account: 2 to 64 of a-z, 0-9 and . _ @ -, a letter first.")
        word, now = _usable(password), datetime.now(UTC)
        with mapped("making an account"):
            done = self._session.execute(
                f"INSERT INTO {self._accounts} (name, password, roles, disabled, made_at, changed_at) "
                "VALUES (%s, %s, %s, false, %s, %s) IF NOT EXISTS", (name, _HASHER.hash(word), _known(roles), now, now))
        if not done.was_applied:
            raise AccountRefused(f"There is an account {name!r} already. `rollcall accounts reset {name}` gives it a new "
                                 "password.")
        return word

    def reset(self, name: str, password: str = "") -> str:
        """Sets a new password and ends the account's sessions; returns it. Raises AccountRefused."""
        word = _usable(password)
        self._change(name, "password = %s", _HASHER.hash(word))
        return word

    def set_roles(self, name: str, roles: Collection[str]) -> None:
        """Sets the roles and ends the account's sessions."""
        self._change(name, "roles = %s", _known(roles))

    def disable(self, name: str, disabled: bool = True) -> None:
        """Lets an account sign in no more (or again) and ends its sessions."""
        self._change(name, "disabled = %s", disabled)

    def _change(self, name: str, assignment: str, value: object) -> None:
        try:
            with mapped("changing an account"):
                done = self._session.execute(
                    f"UPDATE {self._accounts} SET {assignment}, changed_at = %s WHERE name = %s IF EXISTS",
                    (value, datetime.now(UTC), name))
            if not done.was_applied:
                raise AccountRefused(f"There is no account {name!r}. `rollcall accounts list` names them.")
        finally:
            self.end_all(name)    # after a time-out, too: the change may have been in time

    def admitted(self, name: str, password: str) -> Account | None:
        """The account, if the password is its own and it may sign in. Takes as long either way."""
        row = None
        if NAME.fullmatch(name):
            with mapped("reading accounts"):
                row = self._session.execute(
                    f"SELECT name, password, roles, disabled, made_at, changed_at FROM {self._accounts} WHERE name = %s",
                    (name,)).one()
        try:
            _HASHER.verify(row.password if row else _NOBODY, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return None
        return _account(row) if row and not row.disabled else None

    def begin(self, account: str, roles: Collection[str], address: str, agent: str) -> tuple[str, SignedIn]:
        """Begins a session; returns what its cookie holds, and the session."""
        cookie = random.token_urlsafe(32)
        made = SignedIn(hashed(cookie), account, frozenset(roles), moment(datetime.now(UTC)), address, agent[:200])
        with mapped("beginning a session"):
            self._session.execute(
                f"INSERT INTO {self._sessions} (id, account, roles, began, address, agent) VALUES (%s, %s, %s, %s, %s, %s) "
                f"USING TTL {self._for_s}", (made.id, account, set(made.roles), made.began, address, made.agent))
        return cookie, made

    def session(self, number: str) -> SignedIn | None:
        """A session by its id, if it has not ended. Asked all the time, so a slow answer is none: StoreAway."""
        with mapped("reading sessions"):
            row = self._session.execute(
                f"SELECT id, account, roles, began, address, agent FROM {self._sessions} WHERE id = %s", (number,),
                timeout=SESSION_WITHIN_S).one()
        return _signed_in(row) if row else None

    def sessions(self) -> list[SignedIn]:
        """Everybody who is signed in, newest first."""
        with mapped("reading sessions"):
            rows = self._session.execute(f"SELECT id, account, roles, began, address, agent FROM {self._sessions}")
        return sorted((_signed_in(row) for row in rows), key=lambda session: session.began, reverse=True)

    def end(self, number: str) -> None:
        """Ends one session."""
        with mapped("ending a session"):
            self._session.execute(f"DELETE FROM {self._sessions} WHERE id = %s", (number,))

    def end_all(self, account: str) -> int:
        """Ends every session of an account; returns how many."""
        with mapped("reading sessions"):
            found = [row.id for row in self._session.execute(f"SELECT id FROM {self._sessions} WHERE account = %s", (account,))]
        for number in found:
            self.end(number)
        return len(found)


def hashed(cookie: str) -> str:
    """The id of the session whose cookie holds this."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def _usable(password: str) -> str:
    if password and (len(password) < SHORTEST or not password.isprintable()):
        raise AccountRefused(f"A password has at least {SHORTEST} printable characters. Without one a good one is made.")
    return password or random.token_urlsafe(15)


def _known(roles: Collection[str]) -> set[str]:
    unknown = sorted(set(roles) - {role.value for role in Role})
    if unknown or not roles:
        raise AccountRefused(f"{', '.join(unknown) or 'No role'} is no role; there are {', '.join(Role)}.")
    return {str(role) for role in roles}    # of an enumeration the driver would write its name into the statement


def _account(row: Any) -> Account:
    return Account(row.name, frozenset(row.roles or ()), bool(row.disabled), row.made_at.replace(tzinfo=UTC),
                   row.changed_at.replace(tzinfo=UTC))


def _signed_in(row: Any) -> SignedIn:
    return SignedIn(row.id, row.account, frozenset(row.roles or ()), row.began.replace(tzinfo=UTC), row.address or "",
                    row.agent or "")
