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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cassandra import ConsistencyLevel, ReadTimeout, WriteTimeout
from cassandra.query import SimpleStatement

from engine.clients import cassandra_session, mapped
from engine.errors import FolderUnusable, RollcallError, SignInRefused, StoreAway
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
KEPT_AFTER_S = 1.0
"""Seconds an entry of an act of UNAUDITED_TOO is tried for: a Cassandra that hangs answers nobody, and a stop has two."""

LOCKED_EVERY_S = 0.02
_CHANCE = random.SystemRandom()

PAGE = 500
TOLD_EVERY = 5000
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


@dataclass
class Checked:
    """What a check of the chain came to. entries: how many it looked at; broken: the links that do not hold."""

    entries: int = 0
    broken: list[Broken] = field(default_factory=list)


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
        return self._appended(who, act, target, result, why, None)

    def _appended(self, who: str, act: str, target: str, result: str, why: str, until: float | None) -> Entry:
        """As `append`. until: the moment of time.monotonic() at which it is given up; None: when Cassandra's time-outs say."""
        try:
            with self._usable(), mapped("writing the audit"), self._alone("lock", until):
                self._chain_in(until)
                return self._append(datetime.now(UTC), who, act, target, result, why, until)
        except RollcallError as error:
            raise NotAudited(f"The audit cannot be written, so this was not done: {error}") from None

    def append_or_keep(self, who: str, act: str, target: str, result: str, why: str = "") -> None:
        """Appends one entry; when that fails, or takes an act of UNAUDITED_TOO longer than KEPT_AFTER_S, it is kept in the file
        and chained in by the next that is appended."""
        at, until = datetime.now(UTC), time.monotonic() + KEPT_AFTER_S if act in UNAUDITED_TOO else None
        try:
            self._appended(who, act, target, result, why, until)
        except NotAudited:
            try:
                self._keep(json.dumps([at.isoformat(), who, act, target, result, why]))
            except OSError as error:    # a full disk is no reason not to stop the stream
                log.error("the audit has lost an entry (%s): %s %s %s", error.strerror, who, act, result)

    def _keep(self, line: str) -> None:
        with self._alone("spool.lock"), self._spool.open("a+b") as file:
            file.seek(max(0, file.tell() - 1))
            whole = file.read() in (b"", b"\n")
            file.write((b"" if whole else b"\n") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def kept(self) -> int:
        """Entries that stand in the file and are not in the chain yet. Raises FolderUnusable."""
        with self._usable():
            return len(self._kept_lines())

    def chain_in(self, within_s: float | None = None) -> None:
        """Chains in what the file holds. within_s: seconds after which it is given up, with all that waiting for those who
        append; None: when Cassandra's time-outs say. Raises StoreAway, SignInRefused, FolderUnusable."""
        until = None if within_s is None else time.monotonic() + within_s
        if self.kept:
            with self._usable(), mapped("writing the audit"), self._alone("lock", until):
                self._chain_in(until)

    def entries(self, before: int | None = None) -> Iterator[Entry]:
        """Entries, newest first, of numbers below `before`."""
        with mapped("reading the audit"):
            newest = self._newest(settled=False)
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

    def broken(self, told: Callable[[int], None] = lambda _: None) -> list[Broken]:
        """Every link of the chain that does not hold; as `checked`."""
        return self.checked(told).broken

    def checked(self, told: Callable[[int], None] = lambda _: None, copy: Head | None = None) -> Checked:
        """Looks at every link of the chain. told: the number of each TOLD_EVERY-th entry that was looked at; copy: a head that
        was kept elsewhere, which must be in the chain too: our own stands where who cuts the chain may write."""
        head = self.head()    # before the chain: what is appended meanwhile is no end that is missing
        done, last, seal = Checked(), 0, ""

        def watched() -> Iterator[Entry]:
            nonlocal last, seal
            for done.entries, entry in enumerate(self.chain(), 1):
                last, seal = entry.n, entry.seal if copy is not None and entry.n == copy.n else seal
                yield entry
                if done.entries % TOLD_EVERY == 0:
                    told(entry.n)

        done.broken = list(broken(watched(), self._keys.audit_seal, head))
        if copy is not None and last < copy.n:
            done.broken.append(Broken(last + 1, f"the kept head is of entry {copy.n}, and the chain ends at {last}: what was "
                                                "written after it has been cut"))
        elif copy is not None and copy.n and seal != copy.seal:
            done.broken.append(Broken(copy.n, f"the entry of the kept head, {copy.n}, is not in the chain: it was cut or "
                                              "exchanged"))
        return done

    def head(self) -> Head:
        """The newest entry that this installation knows to have been written; that of an empty chain where that is not known
        any more, which `broken` names. Raises FolderUnusable."""
        with self._usable():
            try:
                return head_in(self._head)
            except FileNotFoundError:
                return Head()
            except ValueError:
                log.error("%s is damaged", self._head)
                return Head()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Where the folder cannot be read or written - a full disk, another owner - says so as FolderUnusable."""
        try:
            yield
        except OSError as error:
            raise FolderUnusable(f"{self._folder}: {error.strerror}. Make room there, or give it back to its owner.") from None

    @contextmanager
    def _alone(self, lock: str, until: float | None = None) -> Iterator[None]:
        """One of this machine's processes and threads at a time: `lock`, so that they do not race for numbers, may last as long
        as Cassandra takes; `spool.lock`, within it or without, is only held while the file is changed. Raises StoreAway."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / lock).open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if until is not None else 0))
                    break
                except BlockingIOError:
                    _left(until)
                    time.sleep(LOCKED_EVERY_S)
            yield

    def _chain_in(self, until: float | None) -> None:
        while lines := self._kept_lines():
            line = lines[0]
            try:
                at, who, act, target, result, why = json.loads(line)
                self._append(datetime.fromisoformat(at), who, act, target, result, why, until)
            except (ValueError, TypeError):    # half a line, of a disk that was full: what can be read of it stays beside
                with self._damaged.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                self._append(datetime.now(UTC), "system audit", "audit.spool", self._damaged.name, FAILED, "a damaged line",
                             until)
            with self._alone("spool.lock"):    # others may have kept more meanwhile
                left = "".join(f"{rest}\n" for rest in self._kept_lines()[1:])
                write_secret(self._spool, left.encode())    # killed here, one entry may stand twice; none is lost
                if not left:
                    self._spool.unlink()

    def _kept_lines(self) -> list[str]:
        try:
            return self._spool.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _append(self, at: datetime, who: str, act: str, target: str, result: str, why: str, until: float | None) -> Entry:
        limit = time.monotonic() + TRIED_FOR_S
        tried: Entry | None = None    # one of which nobody said whether it was in time
        while time.monotonic() < limit:
            try:
                if tried is not None and self._stands(tried, until):
                    return self._written(tried)
                tried = None
                # what this installation knows to have been written stays a gap for ever when it is cut off
                last = max(self._newest(until), self.head(), key=lambda known: known.n)
                made = Entry(last.n + 1, moment(at), who, act, target, result, why, last.seal).sealed(self._keys.audit_seal)
                tried = made
                if self._insert(made, until):
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

    def _insert(self, entry: Entry, until: float | None) -> bool:
        """Whether the entry has the place now."""
        done = self._ask(
            f"INSERT INTO {self._table} (bucket, {COLUMNS}) VALUES ({', '.join(['%s'] * 10)}) IF NOT EXISTS",
            (entry.n // IN_ONE_BUCKET, entry.n, entry.at, entry.who, entry.act, entry.target, entry.result, entry.why,
             entry.previous, entry.seal), until)
        return bool(done.was_applied)

    def _stands(self, entry: Entry, until: float | None) -> bool:
        """Whether an entry has its place although nobody said so."""
        there = self._ask(SimpleStatement(
            f"SELECT seal FROM {self._table} WHERE bucket = %s AND n = %s",
            consistency_level=ConsistencyLevel.LOCAL_SERIAL), (entry.n // IN_ONE_BUCKET, entry.n), until).one()
        return there is not None and bool(there.seal == entry.seal)

    def _newest(self, until: float | None = None, settled: bool = True) -> Head:
        """The newest entry in the store. settled: also what is being written is waited for, which takes long on a machine that
        is busy; an addition must, who reads need not."""
        statement = f"SELECT n, seal FROM {self._table} WHERE bucket = %s ORDER BY n DESC LIMIT 1"
        known = [row.bucket for row in self._ask(f"SELECT DISTINCT bucket FROM {self._table}", (), until)]
        if not known:
            return Head()
        row = self._ask(SimpleStatement(statement, consistency_level=ConsistencyLevel.LOCAL_SERIAL if settled else None),
                        (max(known),), until).one()
        return Head(row.n, row.seal or "") if row else Head()

    def _ask(self, statement: Any, values: tuple[Any, ...], until: float | None) -> Any:
        if until is None:
            return self._session.execute(statement, values)
        return self._session.execute(statement, values, timeout=_left(until))


def head_in(path: Path) -> Head:
    """The head that stands in a file, ours or a copy of it. Raises OSError, and ValueError where it is none."""
    match json.loads(path.read_text(encoding="utf-8")):
        case {"n": int(n), "seal": str(seal), **more} if n > 0 and not more:
            return Head(n, seal)
    raise ValueError(f"{path} holds no head")


def _left(until: float | None) -> float:
    """Seconds that are left. Raises StoreAway where there are none."""
    left = float("inf") if until is None else until - time.monotonic()
    if left <= 0:
        raise StoreAway("Cassandra has not taken the entry in the time there was.", "Cassandra")
    return left


def _entry(row: Any) -> Entry:
    """An entry as it stands; of what somebody took out of it, something that cannot be what was sealed."""
    at = row.at.replace(tzinfo=UTC) if row.at else datetime.min.replace(tzinfo=UTC)
    return Entry(row.n, at, *(text or "" for text in (
        row.who, row.act, row.target, row.result, row.why, row.previous, row.seal)))
