"""Who may sign in to the console, and who is signed in: tables `accounts` and `sessions` in Cassandra.

Passwords are kept as argon2id hashes. Whom an OpenID Connect provider vouches for gets in only where an admin said so, and
then the account is theirs: it is bound to the provider's own number of them, for names there can be chosen. A session is
known by the hash of what stands in its cookie, so that who reads the table cannot become anybody; it ends by itself (TTL),
at sign-out, and whenever its account changes.
"""

import hashlib
import re
import secrets as random
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from cassandra import OperationTimedOut, ReadTimeout, WriteTimeout

from engine.clients import mapped
from engine.errors import Final, RollcallError, StoreAway
from engine.settings import Settings
from engine.stores.schema import ACCOUNTS, SESSIONS
from governance.audit import moment
from governance.permissions import Role

NAME = re.compile(r"[a-z][a-z0-9._@-]{1,63}")
SHORTEST = 12
SESSION_WITHIN_S = 2.0
COLUMNS = "name, roles, disabled, made_at, changed_at, subject"
AWAITED = "awaited"
"""What stands for the subject of an account that is bound by its next sign-in; one that is bound has a space in it."""

_HASHER = PasswordHasher()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$Hgxauj5NMYr8qepRfcCBqg$RzOzT7WSaELT9+tMRN8UubLZDS/QHju6r87Vd/5dkTU"
"""Of a word that nobody knows, made with the same cost. Compared with when there is no such account, so that the time tells
nothing; made anew at each start it would cost every command a tenth of a second."""


class AccountRefused(Final):
    """An account cannot be made or changed as asked."""

    exit_code = 65


class HalfChanged(Final):
    """A change of an account stands, or may stand, and what belongs to it is not all done: the message says what. password:
    the new one, where one was made here; nobody is told it but by who catches this."""

    def __init__(self, message: str, password: str = "") -> None:
        super().__init__(message)
        self.password = password


@dataclass(frozen=True)
class Account:
    """One account.

    roles: values of governance/permissions.py's Role. subject: whom it is bound to at the provider, as issuer, a space and
    their `sub`; AWAITED until they first come; empty: nobody gets in through the provider.
    """

    name: str
    roles: frozenset[str]
    disabled: bool
    made_at: datetime
    changed_at: datetime
    subject: str = ""

    @property
    def provider(self) -> str:
        """How far it is open to the provider: `no`, `awaited` or `bound`."""
        return self.subject if self.subject == AWAITED else "bound" if self.subject else "no"


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
            rows = self._session.execute(f"SELECT {COLUMNS} FROM {self._accounts}")
        return sorted((_account(row) for row in rows), key=lambda account: account.name)

    def get(self, name: str) -> Account | None:
        """One account."""
        if not NAME.fullmatch(name):
            return None
        with mapped("reading accounts"):
            row = self._session.execute(
                f"SELECT {COLUMNS} FROM {self._accounts} WHERE name = %s", (name,)).one()
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
        """Sets a new password and ends the account's sessions; returns it. Raises AccountRefused, and HalfChanged, which has
        the password."""
        word = _usable(password)
        try:
            self._change(name, "password = %s", _HASHER.hash(word))
        except HalfChanged as error:
            raise HalfChanged(str(error), word) from None
        return word

    def set_roles(self, name: str, roles: Collection[str]) -> None:
        """Sets the roles and ends the account's sessions. Raises AccountRefused, HalfChanged."""
        self._change(name, "roles = %s", _known(roles))

    def disable(self, name: str, disabled: bool = True) -> None:
        """Lets an account sign in no more (or again) and ends its sessions. Raises AccountRefused, HalfChanged."""
        self._change(name, "disabled = %s", disabled)

    def bind(self, name: str, bound: bool = True) -> None:
        """Binds an account to whoever next signs in under its name through the provider, or takes that way away; and ends its
        sessions. Raises AccountRefused, HalfChanged."""
        self._change(name, "subject = %s", AWAITED if bound else None)

    def bind_to(self, name: str, subject: str) -> Account:
        """Binds an account that is AWAITED to who came; returns it. Raises AccountRefused when it no longer waits, or when
        another account is bound to them."""
        if any(one.subject == subject for one in self.all()):
            raise AccountRefused("Another account is bound to this person of the provider. `rollcall accounts list` shows "
                                 "which are bound, `rollcall accounts unbind NAME` ends it.")
        with mapped("changing an account"):
            done = self._session.execute(f"UPDATE {self._accounts} SET subject = %s WHERE name = %s IF subject = %s",
                                         (subject, name, AWAITED))
        account = self.get(name)
        if not done.was_applied or account is None:
            raise AccountRefused(f"Account {name!r} has been bound or changed meanwhile. Begin again.")
        return account

    def change_password(self, name: str, password: str, session: str) -> None:
        """Sets the password that its owner chose, and ends the account's sessions but this one. Raises AccountRefused,
        HalfChanged."""
        if not password:
            raise AccountRefused(f"A password has at least {SHORTEST} printable characters.")
        self._change(name, "password = %s", _HASHER.hash(_usable(password)), keep=session)

    def _change(self, name: str, assignment: str, value: object, keep: str = "") -> None:
        stands, late = f"Account {name} is changed", ""
        try:
            with mapped("changing an account"):
                applied = self._applied(
                    f"UPDATE {self._accounts} SET {assignment}, changed_at = %s WHERE name = %s IF EXISTS",
                    (value, datetime.now(UTC), name))
        except StoreAway:    # a connection that broke may have carried it there, too
            with suppress(RollcallError):
                self.end_all(name, keep)
            raise
        if applied is None:
            stands = f"Account {name} may be changed or not"
            late = f"{stands}: Cassandra has not said so in time. Do it again."
        elif not applied:
            raise AccountRefused(f"There is no account {name!r}. `rollcall accounts list` names them.")
        try:    # not before the change: who signs in between the two would stay as they were
            self.end_all(name, keep)
        except RollcallError as error:
            raise HalfChanged(f"{stands}, but who is signed in to it may still be: {error} `rollcall accounts sign-out {name}` "
                              "ends that.") from None
        if late:
            raise HalfChanged(late)

    def _applied(self, statement: str, values: tuple[object, ...]) -> bool | None:
        """Whether a conditional change was made; None when nobody said so in time, and it may have been all the same."""
        try:
            return bool(self._session.execute(statement, values).was_applied)
        except (WriteTimeout, ReadTimeout, OperationTimedOut):
            return None

    def admitted(self, name: str, password: str) -> Account | None:
        """The account, if the password is its own and it may sign in. Takes as long either way."""
        row = None
        if NAME.fullmatch(name):
            with mapped("reading accounts"):
                row = self._session.execute(
                    f"SELECT password, {COLUMNS} FROM {self._accounts} WHERE name = %s", (name,)).one()
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

    def end_all(self, account: str, keep: str = "") -> int:
        """Ends every session of an account, but one that is kept; returns how many."""
        with mapped("reading sessions"):
            rows = self._session.execute(f"SELECT id FROM {self._sessions} WHERE account = %s", (account,))
            found = [row.id for row in rows if row.id != keep]
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
                   row.changed_at.replace(tzinfo=UTC), row.subject or "")


def _signed_in(row: Any) -> SignedIn:
    return SignedIn(row.id, row.account, frozenset(row.roles or ()), row.began.replace(tzinfo=UTC), row.address or "",
                    row.agent or "")
