"""The audit in Cassandra: entries are appended one after the other, by whoever acts, and read newest first.

Two who append at once cannot take the same number: it is taken by a conditional insert. What cannot be written while
Cassandra is away, of acts that are done all the same, stands in a file of the installation until it can be chained in.
The head, the newest entry known to be written, is kept in a file too, so that a cut end is seen.
"""

import fcntl
import json
import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from cassandra import ConsistencyLevel, ReadTimeout, WriteTimeout
from cassandra.query import SimpleStatement

from engine.clients import cassandra_session, mapped
from engine.errors import RollcallError, SignInRefused, StoreAway
from engine.sealing import KeyRing, load_keys
from engine.secrets import write_secret
from engine.settings import Settings
from engine.stores.schema import AUDIT
from governance.audit import BEGUN, DONE, FAILED, Broken, Entry, Head, broken, moment
from governance.permissions import UNAUDITED_TOO

log = logging.getLogger("rollcall.audit")

IN_ONE_BUCKET = 10_000
"""Entries of one partition."""

TRIED_FOR_S = 30.0
RETRY_WITHIN_S = 0.5
_CHANCE = random.SystemRandom()

PAGE = 500
COLUMNS = ", ".join(f'"{column.name}"' for column in AUDIT.columns if column.name != AUDIT.key)


class NotAudited(RollcallError):
    """An act was not done because the audit could not be written."""


class Away:
    """A session of a Cassandra that is away: whatever is asked fails as signing in did."""

    def __init__(self, error: RollcallError) -> None:
        self._error = error

    def execute(self, *_: object, **__: object) -> Any:
        raise self._error


@dataclass
class Acting:
    """An act under way. why: what the last entry of it says; set it to tell how it ended."""

    why: str = ""


class AuditLog:
    """The audit of one installation. session: of a principal that may write it (`console`, `governance`)."""

    def __init__(self, settings: Settings, session: Any, keys: KeyRing) -> None:
        self._session, self._keys = session, keys
        self._table = f"{settings.cassandra.keyspace}.{AUDIT.name}"
        self._folder = settings.state / "audit"
        self._spool, self._head = self._folder / "spool.jsonl", self._folder / "head.json"
        self._damaged = self._folder / "spool.damaged"

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, principal: str = "governance") -> Iterator[Self]:
        """The audit over a session of its own. Raises StoreAway, SignInRefused."""
        with cassandra_session(settings, principal) as session:
            yield cls(settings, session, load_keys(settings))

    @classmethod
    @contextmanager
    def opened_or_kept(cls, settings: Settings, principal: str = "governance") -> Iterator[Self]:
        """As `opened`; but while Cassandra is away one that keeps entries in the file, for acts of UNAUDITED_TOO."""
        with ExitStack() as stack:
            try:
                audit = stack.enter_context(cls.opened(settings, principal))
            except (StoreAway, SignInRefused) as error:
                audit = cls(settings, Away(error), load_keys(settings))
            yield audit

    @contextmanager
    def acting(self, who: str, act: str, target: str = "", why: str = "") -> Iterator[Acting]:
        """Writes down an act before it is done and how it ended. Raises NotAudited, and the act is not done, when the audit
        cannot be written; but acts of UNAUDITED_TOO are done all the same and kept in the file."""
        if act in UNAUDITED_TOO:
            self.append_or_keep(who, act, target, BEGUN, why)
        else:
            self.append(who, act, target, BEGUN, why)
        doing = Acting(why)
        try:
            yield doing
        except BaseException as error:
            said = str(error) if isinstance(error, RollcallError) else type(error).__name__    # other texts may quote a value
            self.append_or_keep(who, act, target, FAILED, said)
            raise
        self.append_or_keep(who, act, target, DONE, doing.why)

    def append(self, who: str, act: str, target: str, result: str, why: str = "") -> Entry:
        """Appends one entry, and before it what the file still holds. Raises NotAudited."""
        try:
            with mapped("writing the audit"), self._alone():
                self._chain_in()
                return self._append(datetime.now(UTC), who, act, target, result, why)
        except RollcallError as error:
            raise NotAudited(f"The audit cannot be written, so this was not done: {error}") from None
        except OSError as error:
            raise NotAudited(f"The audit cannot be written, so this was not done: {self._folder}: {error.strerror}. Make room "
                             "there, or give it back to its owner.") from None

    def append_or_keep(self, who: str, act: str, target: str, result: str, why: str = "") -> None:
        """Appends one entry; when that fails it is kept in the file and chained in by the next that is appended."""
        at = datetime.now(UTC)
        try:
            self.append(who, act, target, result, why)
        except NotAudited:
            try:
                self._keep(json.dumps([at.isoformat(), who, act, target, result, why]))
            except OSError as error:    # a full disk is no reason not to stop the stream
                log.error("the audit has lost an entry (%s): %s %s %s", error.strerror, who, act, result)

    def _keep(self, line: str) -> None:
        with self._alone(), self._spool.open("a+b") as file:
            file.seek(max(0, file.tell() - 1))
            whole = file.read() in (b"", b"\n")
            file.write((b"" if whole else b"\n") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def kept(self) -> int:
        """Entries that stand in the file and are not in the chain yet."""
        try:
            return len(self._spool.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return 0

    def chain_in(self) -> None:
        """Chains in what the file holds. Raises StoreAway, SignInRefused."""
        if self.kept:
            with mapped("writing the audit"), self._alone():
                self._chain_in()

    def entries(self, before: int | None = None) -> Iterator[Entry]:
        """Entries, newest first, of numbers below `before`."""
        with mapped("reading the audit"):
            newest = self._newest()
            n = newest.n + 1 if before is None else min(before, newest.n + 1)
            while n > 1:
                rows = self._session.execute(
                    f"SELECT {COLUMNS} FROM {self._table} WHERE bucket = %s AND n < %s ORDER BY n DESC LIMIT {PAGE}",
                    ((n - 1) // IN_ONE_BUCKET, n))
                found = [_entry(row) for row in rows]
                yield from found
                n = found[-1].n if found else (n - 1) // IN_ONE_BUCKET * IN_ONE_BUCKET

    def chain(self) -> Iterator[Entry]:
        """Every entry, oldest first."""
        with mapped("reading the audit"):
            for bucket in sorted(row.bucket for row in self._session.execute(f"SELECT DISTINCT bucket FROM {self._table}")):
                statement = SimpleStatement(f"SELECT {COLUMNS} FROM {self._table} WHERE bucket = %s", fetch_size=PAGE)
                yield from (_entry(row) for row in self._session.execute(statement, (bucket,)))

    def broken(self) -> list[Broken]:
        """Every link of the chain that does not hold."""
        return list(broken(self.chain(), self._keys.audit_seal, self.head()))

    def head(self) -> Head:
        """The newest entry that this installation knows to have been written; that of an empty chain where that is not known
        any more, which `broken` names."""
        try:
            return Head(**json.loads(self._head.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Head()
        except (ValueError, TypeError):
            log.error("%s is damaged", self._head)
            return Head()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One of this machine's processes and threads at a time, so that they do not race for numbers."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _chain_in(self) -> None:
        try:
            lines = self._spool.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            try:
                at, who, act, target, result, why = json.loads(line)
                self._append(datetime.fromisoformat(at), who, act, target, result, why)
            except (ValueError, TypeError):    # half a line, of a disk that was full: what can be read of it stays beside
                with self._damaged.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                self._append(datetime.now(UTC), "system audit", "audit.spool", self._damaged.name, FAILED, "a damaged line")
            left = "".join(f"{rest}\n" for rest in lines[number:])
            write_secret(self._spool, left.encode())    # killed here, one entry may stand twice; none is lost
        self._spool.unlink()

    def _append(self, at: datetime, who: str, act: str, target: str, result: str, why: str) -> Entry:
        limit = time.monotonic() + TRIED_FOR_S
        tried: Entry | None = None    # one of which nobody said whether it was in time
        while time.monotonic() < limit:
            try:
                if tried is not None and self._stands(tried):
                    return self._written(tried)
                tried = None
                # what this installation knows to have been written stays a gap for ever when it is cut off
                last = max(self._newest(), self.head(), key=lambda known: known.n)
                made = Entry(last.n + 1, moment(at), who, act, target, result, why, last.seal).sealed(self._keys.audit_seal)
                tried = made
                if self._insert(made):
                    return self._written(made)
                tried = None    # another has the place, and what stands there is no entry of ours however alike it is
            except (WriteTimeout, ReadTimeout):    # others want the same place: not all at the same time again
                time.sleep(_CHANCE.uniform(0.0, RETRY_WITHIN_S))
        raise StoreAway("Cassandra gives no place in the audit: others write to it all the time.", "Cassandra")

    def _written(self, entry: Entry) -> Entry:
        try:
            write_secret(self._head, json.dumps({"n": entry.n, "seal": entry.seal}).encode())
        except OSError as error:    # the entry is in the store: a full disk here is no reason to say that it is not
            log.error("%s was not written (%s)", self._head, error.strerror)
        return entry

    def _insert(self, entry: Entry) -> bool:
        """Whether the entry has the place now."""
        done = self._session.execute(SimpleStatement(
            f"INSERT INTO {self._table} (bucket, {COLUMNS}) VALUES ({', '.join(['%s'] * 10)}) IF NOT EXISTS",
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL),
            (entry.n // IN_ONE_BUCKET, entry.n, entry.at, entry.who, entry.act, entry.target, entry.result, entry.why,
             entry.previous, entry.seal))
        return bool(done.was_applied)

    def _stands(self, entry: Entry) -> bool:
        """Whether an entry has its place although nobody said so."""
        there = self._session.execute(SimpleStatement(
            f"SELECT seal FROM {self._table} WHERE bucket = %s AND n = %s",
            consistency_level=ConsistencyLevel.LOCAL_SERIAL), (entry.n // IN_ONE_BUCKET, entry.n)).one()
        return there is not None and bool(there.seal == entry.seal)

    def _newest(self) -> Head:
        """The newest entry in the store."""
        statement = f"SELECT n, seal FROM {self._table} WHERE bucket = %s ORDER BY n DESC LIMIT 1"
        known = [row.bucket for row in self._session.execute(f"SELECT DISTINCT bucket FROM {self._table}")]
        if not known:
            return Head()
        row = self._session.execute(SimpleStatement(statement, consistency_level=ConsistencyLevel.LOCAL_SERIAL),
                                    (max(known),)).one()
        return Head(row.n, row.seal or "") if row else Head()


def _entry(row: Any) -> Entry:
    """An entry as it stands; of what somebody took out of it, something that cannot be what was sealed."""
    at = row.at.replace(tzinfo=UTC) if row.at else datetime.min.replace(tzinfo=UTC)
    return Entry(row.n, at, *(text or "" for text in (
        row.who, row.act, row.target, row.result, row.why, row.previous, row.seal)))
