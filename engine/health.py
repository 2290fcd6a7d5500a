"""How the flow is, hop by hop: what the supervisor says of each program, and what the stores themselves answer.

A hop is ok when its program runs *and* it answers *and* what it last did is recent: a flag somebody set is not believed.
"""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from pymongo.database import Database

from engine.backlog import backlog
from engine.clients import cassandra_session, kafka_consumer, mapped, mongo_client
from engine.errors import RollcallError, StoreAway
from engine.processes import ENDED_WELL, PROGRAMS, Processes
from engine.processes import Status as Program
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings
from engine.stores import dead_letters
from engine.stores.status import Status

STALE_S = 30.0
"""Seconds after which a heartbeat is old: the producer beats each second, the stream each lease_s / 6."""

TURN_WITHIN_S = 60.0
"""Seconds within which a stream that has records to read closes a turn."""

COUNT_WITHIN_S = 3.0
"""Seconds a count of all rows may take; a status that is slow is no status."""

LETTERS_COUNTED = 5000
"""Records of the dead-letter topic that a status reads through: about half a second."""

PAGES = ("view", "console")
"""Programs that serve pages: what is asked of them is whether they do."""

PAGE_WITHIN_S = 5.0

LAST_LINES = 200
_OURS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ ")
"""How a line of our programs' logs begins (engine/cli/output.py)."""

Facts = dict[str, Any]


@dataclass(frozen=True)
class Hop:
    """One hop: its name, whether it is ok, one sentence, and the facts behind it."""

    name: str
    ok: bool
    says: str
    facts: Facts = field(default_factory=dict)


class Stores(Protocol):
    """The stores as whoever looks has them: opened for one look, or kept open by a program that looks all the time."""

    settings: Settings
    principal: str

    def cassandra(self) -> AbstractContextManager[Any]:
        """A session. Raises StoreAway, SignInRefused."""

    def mongo(self) -> AbstractContextManager[Database[Any]]:
        """The database of the aggregates."""

    def kafka(self) -> AbstractContextManager[KafkaConsumer]:
        """A consumer nobody else uses meanwhile."""

    def letters(self) -> dict[str, int]:
        """How many dead letters are in each state."""

    def rows(self) -> int | None:
        """How many rows there are; None when they cannot be counted in the time a look may take."""


class Opened:
    """`Stores` for one look: each is opened when it is asked and closed after."""

    principal = "verify"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @contextmanager
    def cassandra(self) -> Iterator[Any]:
        with cassandra_session(self.settings, self.principal) as session:
            yield session

    @contextmanager
    def mongo(self) -> Iterator[Database[Any]]:
        with mongo_client(self.settings, self.principal) as client:
            yield client[self.settings.mongo.database]

    @contextmanager
    def kafka(self) -> Iterator[KafkaConsumer]:
        consumer = kafka_consumer(self.settings, self.principal)
        try:
            yield consumer
        finally:
            consumer.close()

    def letters(self) -> dict[str, int]:
        return dead_letters.read(self.settings, self.principal, self._keys()).counts

    def rows(self) -> int | None:
        with self.cassandra() as session:
            return counted(self.settings, session)

    def _keys(self) -> KeyRing:
        return load_keys(self.settings)


def look(stores: Stores, processes: Processes) -> list[Hop]:
    """Every hop in the order of the flow. Does not raise for what is away: that is what it reports."""
    programs = processes.status()
    hops = [("producer", _producer), ("kafka", _kafka), ("stream", _stream), ("cassandra", _cassandra),
            ("mongo", _mongo), ("view", _view), ("console", _console)]
    return [_hop(name, programs[name], ask, stores, processes) for name, ask in hops]


def counted(settings: Settings, session: Any) -> int | None:
    """All rows, if they can be counted in COUNT_WITHIN_S."""
    try:
        with mapped("counting rows"):
            found = session.execute(f"SELECT COUNT(*) FROM {settings.cassandra.keyspace}.profiles", timeout=COUNT_WITHIN_S)
            return int(found.one()[0])
    except StoreAway:    # a time-out: whether it answers at all was asked before
        return None


def turned_since(settings: Settings, moment: datetime) -> bool:
    """Whether the stream has closed a turn since: one small reading, where `look` counts rows and letters."""
    try:
        with Opened(settings).mongo() as database:
            figures = Status(database).read("figures")
    except RollcallError:
        return False
    return figures is not None and bool(figures["at"] > moment)


def _hop(name: str, program: Program, ask: Callable[[Stores], tuple[bool, str, Facts]], stores: Stores,
         processes: Processes) -> Hop:
    known: Facts = {"program": program.state}
    if program.state != "running":
        return Hop(name, False, _not_running(name, program, _last_line(processes, name)), known)
    try:
        ok, says, facts = ask(stores)
    except RollcallError as error:
        if name not in PROGRAMS or name in PAGES:
            return Hop(name, False, str(error), known)
        # a program of ours that runs but cannot be asked: what it said last
        return Hop(name, False, f"it runs, but cannot be asked: {error} It said last: {_last_line(processes, name)}", known)
    return Hop(name, ok, says, {**known, **facts})


def _not_running(name: str, program: Program, last: str) -> str:
    """Why a program does not run, and what to do."""
    note = f" ({program.note})" if program.note else ""
    since = f" since {program.since:%Y-%m-%d %H:%M:%S} UTC" if program.since else ""
    remedy = "`rollcall stream start` starts it" if name == "stream" else "`rollcall up` starts it"
    said = f" It said last: {last}" if last else ""
    match program.state:
        case "starting" | "stopping":
            return f"its program is {program.state}{note}; wait a moment"
        case "failing":
            return f"its program fails{since}{note}; it is started again and again.{said}"
        case "failed" | "ended" if program.note != ENDED_WELL:
            return f"its program is {program.state}{since}{note}; when that is put right, {remedy}.{said}"
        case _:
            return f"its program is {program.state}{note}; {remedy}"


def _last_line(processes: Processes, name: str) -> str:
    """The last line of a program's log that is its own (it begins with the time), for Java may go on talking after it."""
    lines = [line.strip() for line in reversed(processes.tail(name, LAST_LINES)) if line.strip()]
    return next((line for line in lines if _OURS.match(line)), lines[0] if lines else "")


def _producer(stores: Stores) -> tuple[bool, str, Facts]:
    with stores.mongo() as database:
        kept = Status(database).read("producer")
    if kept is None:
        return False, "it has not sent anything yet", {}
    old = _age(kept["at"])
    says = f"{kept['sent']} people sent from {kept['source']}, {kept['rate']:.0f} a second; {kept['state']}"
    if old > STALE_S:
        says = f"its last sign of life is {old:.0f} s old; {says}"
    return old <= STALE_S and kept["state"] == "running", says, {key: kept[key] for key in kept if key != "_id"}


def _kafka(stores: Stores) -> tuple[bool, str, Facts]:
    kafka = stores.settings.kafka
    with mapped("looking at the topics", stores.principal), stores.kafka() as consumer:
        ends = {topic: sum(_ends(consumer, topic).values()) for topic in (kafka.topic, kafka.control_topic, kafka.dead_topic)}
    says, facts = f"{ends[kafka.topic]} records ever appended, repeats included", Facts(ends=ends)
    if ends[kafka.dead_topic] > LETTERS_COUNTED:
        return True, f"{says}; more dead letters than can be counted here: `rollcall dead-letters list`", facts
    counts = stores.letters()
    standing = counts[dead_letters.WAITING] + counts[dead_letters.SENT]
    return True, f"{says}; {standing} dead letters", {**facts, "dead_letters": counts, "standing": standing}


def _ends(consumer: KafkaConsumer, topic: str) -> dict[int, int]:
    """The offset after the newest record, by partition."""
    ends = consumer.end_offsets([TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()])
    return {place.partition: int(end) for place, end in ends.items()}


def _stream(stores: Stores) -> tuple[bool, str, Facts]:
    with stores.mongo() as database:
        status = Status(database)
        lease, figures, state, waiting = status.lease(), status.read("figures"), status.writer(), status.read("waiting")
    if lease is None or lease["released"]:
        return False, "it is starting: it does not hold the lease yet", {}
    if (old := _age(lease["at"])) > stores.settings.stream.lease_s:
        return False, f"its last sign of life is {old:.0f} s old; `rollcall logs stream` shows what it does", {}
    if waiting and waiting["for"] and waiting["lease"] == lease["n"]:
        return False, (f"waiting for {waiting['for']} since {waiting['since']:%H:%M:%S} UTC; it goes on by itself when "
                       f"{waiting['for']} answers"), {"waiting": waiting}
    if figures is None:
        return False, "it is starting: it has not done a turn yet", {}
    with mapped("looking at the topics", stores.principal), stores.kafka() as consumer:
        behind = backlog(consumer, stores.settings.kafka.topic, figures["offsets"])
    since = _age(figures["at"])
    facts = {"turn": figures["turn"], "at": figures["at"], "behind": behind, "totals": figures["totals"],
             "seconds": figures["seconds"], "open": state.open is not None, "synthetic": figures["synthetic"]}
    says = f"turn {figures['turn']} done {since:.0f} s ago, {behind} records behind"
    return behind == 0 or since <= TURN_WITHIN_S, says, facts


def _cassandra(stores: Stores) -> tuple[bool, str, Facts]:
    table = f"{stores.settings.cassandra.keyspace}.profiles"
    with stores.cassandra() as session, mapped("reading rows", stores.principal):
        session.execute(f"SELECT uuid FROM {table} LIMIT 1").one()
    if (rows := stores.rows()) is None:
        return True, f"it answers; more rows than can be counted in {COUNT_WITHIN_S:.0f} s", {}
    return True, f"{rows} rows", {"rows": rows}


def _mongo(stores: Stores) -> tuple[bool, str, Facts]:
    with stores.mongo() as database, mapped("reading aggregates", stores.principal):
        kept = list(database["users_by_nationality"].find({}, {"users": 1}))
    users = sum(document["users"] for document in kept)
    return True, f"{users} users of {len(kept)} nationalities counted", {"users": users, "nationalities": len(kept)}


def _view(stores: Stores) -> tuple[bool, str, Facts]:
    view = stores.settings.view
    return _page(f"http://{view.host}:{view.port}/", view.refresh_s)


def _console(stores: Stores) -> tuple[bool, str, Facts]:
    console = stores.settings.console
    return _page(f"http://{console.host}:{console.port}/", PAGE_WITHIN_S)


def _page(address: str, within_s: float) -> tuple[bool, str, Facts]:
    """Whether what serves pages there says that it is well."""
    try:
        with urllib.request.urlopen(f"{address}healthz", timeout=within_s) as answer:  # noqa: S310
            ok = answer.status == 200 and answer.read(3).lower() == b"ok"
    except (urllib.error.URLError, OSError) as error:
        return False, f"{address} does not answer ({type(error).__name__})", {"address": address}
    return ok, address, {"address": address}


def _age(at: datetime) -> float:
    return (datetime.now(UTC) - at).total_seconds()
