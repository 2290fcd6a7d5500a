"""How the flow is, hop by hop: what the supervisor says of each program, and what the stores themselves answer.

A hop is ok when its program runs *and* it answers *and* what it last did is recent: a flag somebody set is not believed.
"""

import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from kafka import KafkaConsumer, TopicPartition
from pymongo.database import Database

from engine.alerts.section import SAYS
from engine.backlog import backlog
from engine.clients import cassandra_session, kafka_consumer, mapped, mongo_client
from engine.compliance import retention
from engine.errors import RollcallError, StoreAway
from engine.log_lines import OURS, as_text
from engine.person import NATIONALITIES
from engine.processes import ENDED_WELL, PROGRAMS, Processes
from engine.processes import Status as Program
from engine.rotation.keys import share
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings
from engine.stores import dead_letters
from engine.stores.aggregates import documents
from engine.stores.records import Records
from engine.stores.status import Status
from engine.tls import served, trust
from engine.tls.pages import address

STALE_S = 30.0
"""Seconds after which a heartbeat is old: the producer beats each second, the stream each lease_s / 6."""

TURN_WITHIN_S = 60.0
"""Seconds within which a stream that has records to read closes a turn."""

COUNT_WITHIN_S = 3.0
"""Seconds a count of all rows may take; a status that is slow is no status."""

LETTERS_COUNTED = 5000
"""Offsets of the dead-letter topic that one look reads through: about half a second."""

NOT_COUNTED = "more dead letters than can be counted here: `rollcall dead-letters list`"

PAGES = ("view", "console")
"""Programs that serve pages: what is asked of them is whether they do."""

STARTABLE = ("producer", "stream")
"""Programs that have a Start on the console."""

PAGE_WITHIN_S = 5.0

LAST_LINES = 200
_OURS = re.compile(f"{OURS.pattern}(?!{SAYS})")
"""How a line of our programs' logs begins; what alerts say in between is not what the keeper came to."""

_FAILED = re.compile(r" (Tried|Looked at) again in \d+ s\.$")
"""How the keeper ends what it says of a run that came to nothing (engine/cli/retention.py)."""

MEASURES_WITHIN = timedelta(hours=1)
"""A keeper that has run so long has had its chance to measure again, however long it did not run before."""

Facts = dict[str, Any]


@dataclass(frozen=True)
class Hop:
    """One hop: its name, whether it is ok, one sentence, and the facts behind it."""

    name: str
    ok: bool
    says: str
    facts: Facts = field(default_factory=dict)


class Rows(NamedTuple):
    """How many rows stand. restricted: those of people who are restricted, which no aggregate counts; None when these could
    not be counted in time."""

    all: int
    restricted: int | None


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

    def letters(self) -> dict[str, int] | None:
        """How many dead letters are in each state; None when they cannot be counted in the time a look may take."""

    def records(self) -> AbstractContextManager[Records]:
        """What the keeper's runs came to, among what the officer keeps."""

    def rows(self) -> "Rows | None":
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

    def letters(self) -> dict[str, int] | None:
        topic = self.settings.kafka.dead_topic
        with mapped("looking at the topics", self.principal), self.kafka() as consumer:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            ends, firsts = (consumer.end_offsets(places), consumer.beginning_offsets(places)) if places else ({}, {})
        held = sum(ends[place] - firsts[place] for place in places)
        return None if held > LETTERS_COUNTED else dead_letters.read(self.settings, self.principal, self._keys()).counts

    @contextmanager
    def records(self) -> Iterator[Records]:
        with Records.opened(self.settings, "inspector") as records:
            yield records

    def rows(self) -> Rows | None:
        with self.cassandra() as session:
            return counted(self.settings, session)

    def _keys(self) -> KeyRing:
        return load_keys(self.settings)


def look(stores: Stores, processes: Processes, *names: str) -> list[Hop]:
    """Every hop, or those of these names, in the order of the flow. Does not raise for what is away: it reports that."""
    programs = processes.status()
    hops = [("producer", _producer), ("kafka", _kafka), ("stream", _stream), ("cassandra", _cassandra),
            ("mongo", _mongo), ("view", _view), ("console", _console),
            ("keeper", lambda stores: _keeper(stores, programs["keeper"], processes))]
    found = [_hop(name, programs[name], ask, stores, processes) for name, ask in hops if name in (names or programs)]
    if {"kafka", "mongo"} <= {hop.name for hop in found if hop.ok}:    # else it would be waited for once more
        found = [replace(hop, facts={**hop.facts, **_behind(stores)}) if hop.name == "stream" and "behind" not in hop.facts
                 else hop for hop in found]
    return found


def counted(settings: Settings, session: Any) -> Rows | None:
    """All rows, if they can be counted in COUNT_WITHIN_S, and those of restricted people, if the first took less than half."""
    began = time.monotonic()
    if (every := _counted(settings, session, "", COUNT_WITHIN_S)) is None:
        return None
    left = COUNT_WITHIN_S - (time.monotonic() - began)
    aside = _counted(settings, session, " WHERE counted = false ALLOW FILTERING", left) if left > COUNT_WITHIN_S / 2 else None
    return Rows(every, aside)


def _counted(settings: Settings, session: Any, which: str, within_s: float) -> int | None:
    try:
        with mapped("counting rows"):
            table = f"{settings.cassandra.keyspace}.profiles"
            found = session.execute(f"SELECT COUNT(*) FROM {table}{which}", timeout=within_s)
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
    where = ""
    if program.state == "elsewhere":
        known["address"], where = program.note, f"elsewhere ({program.note}): "
    elif program.state != "running":
        return Hop(name, False, _not_running(name, program, _last_line(processes, name)), known)
    try:
        ok, says, facts = ask(stores)
    except RollcallError as error:
        if name not in PROGRAMS or name in PAGES:
            return Hop(name, False, f"{where}{error}", known)
        # a program of ours that runs but cannot be asked: what it said last
        return Hop(name, False, f"it runs, but cannot be asked: {error} It said last: {_last_line(processes, name)}", known)
    now = datetime.now(UTC)
    if end := served.ending(stores.settings, name, now) if name in served.Served.NAMES else None:
        says, facts = f"{says}; {served.says(end, now)}", {**facts, "certificate_ends": end}
    return Hop(name, ok, f"{where}{says}", {**known, **facts})


def _not_running(name: str, program: Program, last: str) -> str:
    """Why a program does not run, and what to do."""
    note = f" ({program.note})" if program.note else ""
    since = f" since {program.since:%Y-%m-%d %H:%M:%S} UTC" if program.since else ""
    by_command = "`rollcall stream start`" if name == "stream" else "`rollcall up`"
    remedy = f"{by_command}, or Start on its page of the console, starts it" if name in STARTABLE else f"{by_command} starts it"
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
    lines = [line.strip() for line in map(as_text, reversed(processes.tail(name, LAST_LINES))) if line.strip()]
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
    if (counts := stores.letters()) is None:
        return True, f"{says}; {NOT_COUNTED}", facts
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
    if state.sealing and state.unsealed:
        facts["sealing"] = share(state.sealing)
        says += f", {facts['sealing']:.0%} of the rows looked at to seal them anew"
    return behind == 0 or since <= TURN_WITHIN_S, says, facts


def _behind(stores: Stores) -> Facts:
    """How much of the topic of people is still to be read, for a stream that does not go on: just then one wants to know it.
    Nothing where a store is away."""
    try:
        with stores.mongo() as database:
            figures = Status(database).read("figures") or {"offsets": {}}
        with mapped("looking at the topics", stores.principal), stores.kafka() as consumer:
            return {"behind": backlog(consumer, stores.settings.kafka.topic, figures["offsets"])}
    except RollcallError:    # the hop of the store says so
        return {}


def _cassandra(stores: Stores) -> tuple[bool, str, Facts]:
    table = f"{stores.settings.cassandra.keyspace}.profiles"
    with stores.cassandra() as session, mapped("reading rows", stores.principal):
        session.execute(f"SELECT uuid FROM {table} LIMIT 1").one()
    if (rows := stores.rows()) is None:
        return True, f"it answers; more rows than can be counted in {COUNT_WITHIN_S:.0f} s", {}
    if rows.restricted is None:
        return True, f"{rows.all} rows", {"rows": rows.all}
    aside = f", {rows.restricted} of them of restricted people, who are not counted" if rows.restricted else ""
    return True, f"{rows.all} rows{aside}", {"rows": rows.all, "restricted": rows.restricted}


def _mongo(stores: Stores) -> tuple[bool, str, Facts]:
    with stores.mongo() as database, mapped("reading aggregates", stores.principal):
        kept = documents(database, NATIONALITIES, "users")
    users = sum(document["users"] for document in kept)
    return True, f"{users} users of {len(kept)} nationalities counted", {"users": users, "nationalities": len(kept)}


def _view(stores: Stores) -> tuple[bool, str, Facts]:
    return _page(f"{address(stores.settings, 'view')}/", PAGE_WITHIN_S, trust.context(stores.settings))


def _console(stores: Stores) -> tuple[bool, str, Facts]:
    return _page(f"{address(stores.settings, 'console')}/", PAGE_WITHIN_S, trust.context(stores.settings))


def _keeper(stores: Stores, program: Program, processes: Processes) -> tuple[bool, str, Facts]:
    """The keeper serves nothing that could be asked: what it said since its start, when it has said something, and whether it
    has measured lately. Where its measurements cannot be read the hop of Cassandra says so."""
    last = _last_line(processes, "keeper")
    spoke = bool(_OURS.match(last)) and program.since is not None and last >= f"{program.since:%Y-%m-%d %H:%M:%S}"
    if spoke and _FAILED.search(last):
        return False, f"its last run failed: {last}", {}
    says = f"it said last: {last}" if spoke else "it waits for its next run"
    now = datetime.now(UTC)
    try:
        with stores.records() as records:
            kept = retention.newest(records)
    except RollcallError:
        return True, says, {}
    measured = {"measured": kept.at} if kept else {}
    if retention.stale(stores.settings, kept, now) and program.since is not None and now - program.since > MEASURES_WITHIN:
        when = f"its last measurement is of {kept.at:%Y-%m-%d %H:%M:%S} UTC" if kept else "it has not measured anything yet"
        return False, (f"{when}, and it should measure every {stores.settings.governance.retention_hours:g} hours; `rollcall "
                       f"logs keeper` shows what it does. {says[0].upper()}{says[1:]}"), measured
    return True, says, measured


def _page(address: str, within_s: float, trusted: ssl.SSLContext | None = None) -> tuple[bool, str, Facts]:
    """Whether what serves pages there says that it is well."""
    try:
        with urllib.request.urlopen(f"{address}healthz", timeout=within_s, context=trusted) as answer:  # noqa: S310
            ok = answer.status == 200 and answer.read(3).lower() == b"ok"
    except (urllib.error.URLError, OSError) as error:
        said = trust.refused(str(error)) or f"does not answer ({type(error).__name__})"
        return False, f"{address} {said}", {"address": address}
    return ok, address, {"address": address}


def _age(at: datetime) -> float:
    return (datetime.now(UTC) - at).total_seconds()
