"""A console without servers, for what pages and the door make of answers: the stores' own behaviour is tested on real ones.

What it answers is set by the test: who is signed in, what is read, what is away.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from app.access_seen import Seen
from app.counted import Counted, of
from app.readings import Kept
from app.sessions import Sessions
from app.throttle import Throttle
from engine.access.broker import grounds
from engine.access.state import Text, first
from engine.access.users import User
from engine.errors import RollcallError, StoreAway
from engine.health import Hop
from engine.processes import PROGRAMS, SERVERS, Status
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.stores.accounts import AWAITED, SHORTEST, Account, AccountRefused, Accounts, HalfChanged, SignedIn, hashed
from engine.stores.audit import Acting, Checked, NotAudited
from engine.stores.dead_letters import Box, DeadLetter
from governance.audit import BEGUN, DONE, FAILED, Broken, Entry
from governance.permissions import UNAUDITED_TOO

KEYS = KeyRing("k001", {"k001": bytes(32)}, *(bytes([n]) * 32 for n in range(1, 5)))
NOW = datetime.now(UTC)
PASSWORD = "a good password"
UUID = "9a723211-0e87-41f1-b1e4-ed1a15226b80"

FIGURES = {"at": NOW, "turn": 7, "checkpoint": "c1", "offsets": {"0": 5}, "totals": {"read": 9, "rows": 9}, "synthetic": True,
           "behind": 0, "seconds": {"read": 0.5, "rows": 1.5}, "counts": {"read": 9}}
HISTORY = [{"_id": n, "at": NOW - timedelta(seconds=20 * n), "behind": n, "counts": {"read": 50 * n},
            "seconds": {"read": 0.5, "rows": 1.0 + n}} for n in range(5, 0, -1)]
PRODUCER = {"source": "synthetic", "rate": 50.0, "sent": 1200, "dead": 1, "skipped": 0, "dropped": 9, "state": "running",
            "place": "page 3", "synthetic": True, "at": NOW}
HOPS = [Hop("producer", True, "1200 people sent", {"rate": 50.0, "at": NOW, "program": "running"}),
        Hop("kafka", True, "1200 records", {"standing": 2}),
        Hop("stream", True, "turn 7 done", {"behind": 0, "at": NOW, "open": False}),
        Hop("cassandra", True, "1200 rows", {"rows": 1200, "restricted": 0}),
        Hop("mongo", True, "1200 users", {"users": 1200}), Hop("view", True, "http://127.0.0.1:8050/"),
        Hop("console", True, "http://127.0.0.1:8501/"), Hop("keeper", True, "it waits for its next run")]
LETTERS = [DeadLetter(f"people-0-{n}", "no e-mail" if n % 2 else "login.uuid is missing", "2026-11-28T09:00:00+00:00",
                      b'{"email": "x@y.example", "name": {"first": "Ada"}}', True) for n in range(3)]


def counted() -> Counted:
    """Six people of two nationalities."""
    births = {"female": {"1992-03": 2, "1960-12": 1}, "male": {"1985-07": 3}}
    return of([{"_id": "FR", "users": 6, "births": births}], [{"_id": "example.com", "users": 6}],
              [{"_id": "2026-11-28T09", "users": 6}], FIGURES, True, NOW.date())


def seen(settings: Settings) -> Seen:
    """Kafka as it is wanted, with one user of ours."""
    wanted = first(settings)
    users = (User("stream", ("SCRAM-SHA-256",), True),)
    return Seen(settings, wanted, (Text(0, wanted.text),), wanted.rules, False, users, (), "", grounds())


class FakeProcesses:
    """Programs that do as they are told."""

    def __init__(self) -> None:
        self.states = {name: Status(name, "running", 1, NOW) for name in (*SERVERS, *PROGRAMS)}
        self.did: list[str] = []

    def start(self, *names: str) -> None:
        for name in names:
            self.did.append(f"start {name}")
            self.states[name] = Status(name, "running", 1, NOW)

    def stop(self, *names: str, within_s: float | None = None, meanwhile: object = None) -> bool:
        for name in names:
            self.did.append(f"stop {name}")
            self.states[name] = Status(name, "stopped")
        return True

    def status(self) -> dict[str, Status]:
        return self.states

    def tail(self, name: str, lines: int = 50) -> list[str]:
        return [f"2026-11-28 09:00:00Z line of {name}"]


class FakeAccounts:
    """Accounts and sessions in memory."""

    def __init__(self) -> None:
        self.there: dict[str, Account] = {}
        self.passwords: dict[str, str] = {}
        self.running: dict[str, SignedIn] = {}
        self.away: RollcallError | None = None
        self.not_ended: RollcallError | None = None
        """What the end of sessions fails with, after the change that it belongs to."""
        self.begun = 0

    def make(self, name: str, *roles: str) -> None:
        """An account of the test."""
        self.there[name], self.passwords[name] = Account(name, frozenset(roles), False, NOW, NOW), PASSWORD

    def all(self) -> list[Account]:
        return list(self.there.values())

    def get(self, name: str) -> Account | None:
        return self.there.get(name)

    def add(self, name: str, roles: Collection[str], password: str = "") -> str:
        self.make(name, *roles)
        return "made password"

    def reset(self, name: str, password: str = "") -> str:
        self.passwords[name] = "another password"
        self._changed(name, made="another password")
        return "another password"

    def set_roles(self, name: str, roles: Collection[str]) -> None:
        self.there[name] = replace(self.there[name], roles=frozenset(roles))
        self._changed(name)

    def disable(self, name: str, disabled: bool = True) -> None:
        self.there[name] = replace(self.there[name], disabled=disabled)
        self._changed(name)

    def bind(self, name: str, bound: bool = True) -> None:
        self.there[name] = replace(self.there[name], subject=AWAITED if bound else "")
        self._changed(name)

    def bind_to(self, name: str, subject: str) -> Account:
        if any(one.subject == subject for one in self.there.values()):
            raise AccountRefused("Another account is bound to this person of the provider.")
        self.there[name] = replace(self.there[name], subject=subject)
        return self.there[name]

    def change_password(self, name: str, password: str, session: str) -> None:
        if len(password) < SHORTEST:
            raise AccountRefused(f"A password has at least {SHORTEST} printable characters.")
        self.passwords[name] = password
        self._changed(name, session)

    def admitted(self, name: str, password: str) -> Account | None:
        self._here()
        return self.there[name] if self.passwords.get(name) == password and not self.there[name].disabled else None

    def begin(self, account: str, roles: Collection[str], address: str, agent: str) -> tuple[str, SignedIn]:
        self._here()
        self.begun += 1
        cookie = f"cookie-{self.begun}-{account}"
        made = SignedIn(hashed(cookie), account, frozenset(roles), NOW, address, agent)
        self.running[made.id] = made
        return cookie, made

    def session(self, number: str) -> SignedIn | None:
        self._here()
        return self.running.get(number)

    def sessions(self) -> list[SignedIn]:
        return list(self.running.values())

    def end(self, number: str) -> None:
        self._here()
        self.running.pop(number, None)

    def _changed(self, name: str, keep: str = "", made: str = "") -> None:
        try:
            self.end_all(name, keep)
        except RollcallError as error:
            raise HalfChanged(f"Account {name} is changed, but who is signed in to it may still be: {error}", made) from None

    def end_all(self, account: str, keep: str = "") -> int:
        if self.not_ended:
            raise self.not_ended
        found = [number for number, one in self.running.items() if one.account == account and number != keep]
        for number in found:
            del self.running[number]
        return len(found)

    def _here(self) -> None:
        if self.away:
            raise self.away


class FakeAudit:
    """An audit in memory that can be away."""

    def __init__(self) -> None:
        self.wrote: list[tuple[str, str, str, str, str]] = []
        self.spooled: list[str] = []
        self.away = False
        self.broken_links: list[Broken] = []
        self.not_chained: RollcallError | None = None
        """What chaining in fails with; without it what waits goes into the chain unless it is away."""

    @property
    def kept(self) -> int:
        return len(self.spooled)

    @contextmanager
    def acting(self, who: str, act: str, target: str = "", why: str = "") -> Iterator[Acting]:
        (self.append_or_keep if act in UNAUDITED_TOO else self.append)(who, act, target, BEGUN, why)
        doing = Acting(why)
        try:
            yield doing
        except BaseException as error:
            self.append_or_keep(who, act, target, FAILED, str(error))
            raise
        self.append_or_keep(who, act, target, DONE, doing.why)

    def append(self, who: str, act: str, target: str, result: str, why: str = "") -> None:
        if self.away:
            raise NotAudited("The audit cannot be written, so this was not done: Cassandra does not answer.")
        self.wrote.append((who, act, target, result, why))

    def append_or_keep(self, who: str, act: str, target: str, result: str, why: str = "") -> None:
        if self.away:
            self.spooled.append(act)
        else:
            self.wrote.append((who, act, target, result, why))

    def chain_in(self, within_s: float | None = None) -> None:
        if self.spooled and self.away:
            raise StoreAway("Cassandra does not answer.", "Cassandra")
        if self.spooled and self.not_chained:
            raise self.not_chained
        self.wrote += [("somebody", act, "", DONE, "") for act in self.spooled]
        self.spooled.clear()

    def entries(self, before: int | None = None) -> Iterator[Entry]:
        for n, (who, act, target, result, why) in reversed(list(enumerate(self.wrote, 1))):
            if before is None or n < before:
                yield Entry(n, NOW, who, act, target, result, why)

    def checked(self, told: Callable[[int], None] = lambda _: None) -> Checked:
        told(len(self.wrote))
        return Checked(len(self.wrote), self.broken_links)


class FakeStores:
    """No session at all: who asks Cassandra or MongoDB gets that it is away."""

    @contextmanager
    def cassandra(self, principal: str = "console") -> Iterator[Any]:
        raise StoreAway("Cassandra does not answer.", "Cassandra")
        yield

    @contextmanager
    def mongo(self) -> Iterator[Any]:
        raise StoreAway("MongoDB does not answer.", "MongoDB")
        yield


class FakeConsole:
    """What `app.stores.console()` gives."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.keys = KEYS
        self.processes = FakeProcesses()
        self.store, self.log, self.stores = FakeAccounts(), FakeAudit(), FakeStores()
        self.sessions = Sessions(cast(Callable[[], Accounts], self.accounts), self.settings.console.believed_minutes * 60.0)
        self.throttle = Throttle(self.settings.console.tries_a_minute)
        self.hops = Kept(lambda: HOPS, 3600)
        self.history = Kept(lambda: HISTORY, 3600)
        self.status: Kept[dict[str, dict[str, Any]]] = Kept(lambda: {"producer": PRODUCER, "figures": FIGURES}, 3600)
        self.letters = Kept(lambda: Box({letter.place: letter for letter in LETTERS}, {}), 3600)
        self.counted = Kept(counted, 3600)
        self.access = Kept(lambda: seen(self.settings), 3600)

    def accounts(self) -> FakeAccounts:
        """Accounts and sessions."""
        return self.store

    def audit(self) -> FakeAudit:
        """The audit."""
        return self.log

    def signed_in(self, name: str, *roles: str) -> str:
        """Begins a session; returns its id."""
        self.store.make(name, *roles)
        return self.store.begin(name, roles, "127.0.0.1", "")[1].id
