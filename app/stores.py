"""What all pages share in one process: settings, clients that stay open, sessions, the audit, and the last readings.

Nothing here is made when the module is imported: a test puts its own in place of `console`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from kafka import KafkaConsumer
from pymongo.database import Database

from app import access_seen
from app.access_seen import Seen
from app.counted import Counted, read
from app.readings import Kept
from app.sessions import Sessions
from app.throttle import Throttle
from engine import health
from engine.clients import cassandra_session, kafka_consumer, mapped, mongo_client
from engine.errors import RollcallError, SettingsInvalid, StoreAway
from engine.health import Hop, Rows
from engine.processes import Processes, Supervisor
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings, load
from engine.stores import dead_letters
from engine.stores.accounts import Accounts
from engine.stores.audit import AuditLog, Away
from engine.stores.dead_letters import Box
from engine.stores.records import Records
from engine.stores.status import Status

PRINCIPAL = "console"
TRIED_EVERY_S = 2.0
LETTERS_EVERY_S = 5.0
"""Seconds between two looks at the dead letters. However many there are it may stay so short: a look reads what is new, not
all of them. A longer interval for many letters, as for the count of rows, would show the list minutes old."""
ACCESS_EVERY_S = 15.0
"""Seconds between two looks at Kafka's rules and users, while somebody has their page open."""
COUNTED_EVERY_S, COUNTING_SHARE = 5.0, 0.02
"""Seconds between two counts of all rows at least, and the share of the time that counting may take: it reads the table."""


class Held:
    """`engine.health.Stores` with clients that stay open; each is opened when it is first asked, and again after it failed."""

    principal = PRINCIPAL

    def __init__(self, settings: Settings) -> None:
        self.settings, self._keys = settings, load_keys(settings)
        self._open = ExitStack()
        self._sessions: dict[str, Any] = {}
        self._database: Database[Any] | None = None
        self._consumer: KafkaConsumer | None = None
        self._failed: dict[str, tuple[float, RollcallError]] = {}
        self._locks = {name: threading.Lock() for name in ("mongo", "kafka", "letters")}
        self._followed = dead_letters.Followed(settings, PRINCIPAL, self.keys, values=False)
        self._box: tuple[float, Box | None] = (float("-inf"), None)
        self._rows: Rows | None = None
        self._count_at = float("-inf")

    @property
    def keys(self) -> KeyRing:
        """The key ring, as it is kept now: keys may be rotated while the console runs."""
        with suppress(SettingsInvalid):    # where its file is gone, what was read of it serves
            self._keys.renew()
        return self._keys

    @contextmanager
    def cassandra(self, principal: str = PRINCIPAL) -> Iterator[Any]:
        """A session as `console`, or as `officer` for what the officer keeps; shared."""
        if (session := self._sessions.get(principal)) is None:
            # one lock a principal: nobody who has a session waits while another signs in, which a store that hangs draws out
            with self._locks.setdefault(f"cassandra as {principal}", threading.Lock()):
                if (session := self._sessions.get(principal)) is None:
                    session = self._sessions[principal] = self._opened(
                        "Cassandra", lambda: self._open.enter_context(cassandra_session(self.settings, principal)), principal)
        yield session

    @contextmanager
    def mongo(self) -> Iterator[Database[Any]]:
        """The database as `console`, shared."""
        if (database := self._database) is None:
            with self._locks["mongo"]:
                if (database := self._database) is None:
                    client = self._open.enter_context(mongo_client(self.settings, PRINCIPAL))
                    database = self._database = client[self.settings.mongo.database]
        yield database

    @contextmanager
    def kafka(self) -> Iterator[KafkaConsumer]:
        """A consumer as `console`, by one at a time; made anew after an error."""
        with self._locks["kafka"]:
            if self._consumer is None:
                self._consumer = self._opened("Kafka", lambda: kafka_consumer(self.settings, PRINCIPAL))
            try:
                yield self._consumer
            except BaseException:
                self._consumer.close()
                self._consumer = None
                raise

    def letters(self) -> dict[str, int]:
        """How many dead letters are in each state, as they were read a moment ago, for Flow or for their own page. However
        many there are, only what is new is read."""
        at, box = self._box
        fresh = box if box is not None and time.monotonic() - at < LETTERS_EVERY_S else self.box()
        return fresh.counts

    def box(self) -> Box:
        """All dead letters, as they are now."""
        with self._locks["letters"]:
            box = self._followed.box()
            self._box = time.monotonic(), box
        return box

    @contextmanager
    def records(self) -> Iterator[Records]:
        """What the officer keeps, by the officer's principal: the console's own reads none of it."""
        with self.cassandra("officer") as session:
            yield Records(self.settings, session)

    def rows(self) -> Rows | None:
        """How many rows there are, counted now and then."""
        if time.monotonic() > self._count_at:
            began = time.monotonic()
            with self.cassandra() as session:
                self._rows = health.counted(self.settings, session)
            taken = time.monotonic() - began
            self._count_at = time.monotonic() + max(COUNTED_EVERY_S, taken / COUNTING_SHARE)
        return self._rows

    def close(self) -> None:
        """Closes what is open."""
        if self._consumer is not None:
            self._consumer.close()
        self._open.close()

    def _opened(self, store: str, make: Callable[[], Any], principal: str = PRINCIPAL) -> Any:
        """What was made; what failed a moment ago is not tried again at once, for many pages ask."""
        whose = f"{store} as {principal}"
        at, error = self._failed.get(whose, (float("-inf"), StoreAway("", store)))
        if time.monotonic() - at < TRIED_EVERY_S:
            raise error
        try:
            return make()
        except RollcallError as failed:
            self._failed[whose] = time.monotonic(), failed
            raise


class Console:
    """One console process."""

    def __init__(self, settings: Settings, stores: Held, processes: Processes) -> None:
        self.settings, self.stores, self.processes = settings, stores, processes
        self.sessions = Sessions(self.accounts, settings.console.believed_minutes * 60.0)
        self.throttle = Throttle(settings.console.tries_a_minute)
        self.hops: Kept[list[Hop]] = Kept(lambda: health.look(stores, processes), 2.0)
        self.history: Kept[list[dict[str, Any]]] = Kept(self._history, 10.0)
        self.status: Kept[dict[str, dict[str, Any]]] = Kept(self._status, 2.0)
        self.letters: Kept[Box] = Kept(stores.box, LETTERS_EVERY_S)
        self.counted: Kept[Counted] = Kept(self._counted, 4.0)
        self.access: Kept[Seen] = Kept(self._access, ACCESS_EVERY_S)

    @property
    def keys(self) -> KeyRing:
        """The key ring of this installation."""
        return self.stores.keys

    def accounts(self) -> Accounts:
        """Accounts and sessions. Raises StoreAway, SignInRefused."""
        with self.stores.cassandra() as session:
            return Accounts(self.settings, session)

    def audit(self) -> AuditLog:
        """The audit. While Cassandra is away it can only keep entries for later."""
        try:
            with self.stores.cassandra() as session:
                return AuditLog(self.settings, session, self.keys)
        except RollcallError as error:
            return AuditLog(self.settings, Away(error), self.keys)

    def _history(self) -> list[dict[str, Any]]:
        """The turns of the last hour, oldest first, as engine/stores/status.py keeps them."""
        hour = datetime.now(UTC) - timedelta(hours=1)
        with self.stores.mongo() as database, mapped("reading the history", PRINCIPAL):
            return list(Status(database).history.find({"at": {"$gte": hour}}).sort("_id", 1))

    def _access(self) -> Seen:
        """What is wanted of Kafka's rules, kept by the officer's principal, beside what Kafka has."""
        with self.stores.records() as records:
            return access_seen.read(self.settings, records)

    def _counted(self) -> Counted:
        with self.stores.mongo() as database:
            return read(database)

    def _status(self) -> dict[str, dict[str, Any]]:
        """The documents `producer` and `figures`, where there are any."""
        with self.stores.mongo() as database:
            status = Status(database)
            return {name: found for name in ("producer", "figures") if (found := status.read(name)) is not None}


@cache
def console() -> Console:
    """The console of this process. Raises SettingsInvalid."""
    settings = load()
    return Console(settings, Held(settings), Supervisor(settings))
