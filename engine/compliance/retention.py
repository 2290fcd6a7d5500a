"""Retention on the running systems: how old the oldest is in each place, and an end to rows whose time is over.

Servers end what has a TTL. Rows of people have no TTL, for their counts must go with them: those that are due are expired by
commands that the stream carries out, like an erasure but for the records of that time alone. Rows of
people who restrict stay until that is lifted: they may have asked for just this (Art. 18(1)(b), (c)), and an erasure is
processing, too. Topics are ended by Kafka only segment by segment, and compaction joins segments: engine/compliance/topics.py
ends their old records to the hour.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import TopicPartition

from engine.carried_out import wait
from engine.clients import cassandra_session, kafka_consumer, mapped, mongo_client, read_until
from engine.commands import send_expiries
from engine.compliance.register import Register
from engine.compliance.survey import PRINCIPAL, named
from engine.errors import Final, NotServed
from engine.sealing import load_keys
from engine.settings import Settings
from engine.stores.records import RETENTION, TRIES, Record, Records, Stale
from engine.stores.status import Status
from governance.clocks import retention_end
from governance.register import Entry
from governance.retention import Line, Measured, cut_off, expired, lines

PEOPLE = "cassandra:profiles"
MEASURED = "measured"
RUNS_MISSED = 2
"""A measurement is old when so many runs of the keeper should have been since."""

RUNS = {PEOPLE: "profiles", "kafka:people": "people", "kafka:dead": "dead"}
"""Place -> the record whose versions are the evidence of runs there."""

SCAN_TIMEOUT_S = 300.0
"""Seconds that reading a whole table may take."""

AT_ONCE = 2_000
"""People whose expiry is sent and waited for at a time."""

_AGES = {"profiles": "appended_at", "sessions": "began", "audit": "at", "records": "at", "packages": "made_at"}
"""Table -> the column that says from when a row is."""

LOOKED_AFTER = timedelta(hours=1)
"""How often the keeper ends old records of topics, and looks whether rows are due."""

_A_LOOK_TAKES = timedelta(minutes=5)


class NothingStated(Final):
    """The register states no time limit that commands of ours enforce."""

    exit_code = 65


@dataclass(frozen=True)
class Run:
    """What one run of the job did. at, cut_off: ISO 8601, UTC; stated: the limit; due, expired, left: rows (of a topic offsets:
    compaction may have taken their records before); left: what stands all the same; place: as the register names it;
    restricted: how many of those left stay because their people restrict, which are not due; oldest_restricted: from when the
    oldest of these is (ISO 8601), empty for none."""

    at: str
    stated: str
    cut_off: str
    due: int
    expired: int
    left: int
    seconds: float
    place: str = PEOPLE
    restricted: int = 0
    oldest_restricted: str = ""


@dataclass(frozen=True)
class Kept:
    """A measurement that was kept: when, by whom, and its lines as `said` gives them (`oldest` in ISO 8601)."""

    at: datetime
    by: str
    lines: tuple[dict[str, Any], ...]


def measured(settings: Settings, entries: Sequence[Entry], now: datetime) -> list[Line]:
    """Every stated limit against what stands. Raises StoreAway, SignInRefused."""
    return lines(entries, {**_tables(settings, entries, now), **_topics(settings)}, now)


def _tables(settings: Settings, entries: Sequence[Entry], now: datetime) -> dict[str, Measured]:
    keyspace, limit = settings.cassandra.keyspace, expired(entries, PEOPLE)
    found = {}
    with cassandra_session(settings, PRINCIPAL) as session, mapped("looking for the oldest rows", PRINCIPAL):
        for table, column in _AGES.items():
            which = " WHERE counted = true ALLOW FILTERING" if table == "profiles" else ""
            oldest = session.execute(f"SELECT min({column}) AS at FROM {keyspace}.{table}{which}",
                                     timeout=SCAN_TIMEOUT_S).one().at
            found[f"cassandra:{table}"] = Measured(oldest.replace(tzinfo=UTC) if oldest else None)
        if limit is not None and limit.period is not None:
            found[PEOPLE] = Measured(found[PEOPLE].oldest, len(_over(session, keyspace, cut_off(now, limit.period))))
    return found


def _topics(settings: Settings) -> dict[str, Measured]:
    """The oldest record of each topic; it may wait for the keeper's next look."""
    return {f"kafka:{short}": Measured(_oldest(settings, name), slack=LOOKED_AFTER + _A_LOOK_TAKES)
            for short, name in named(settings.kafka).items() if short != "control"}


def _oldest(settings: Settings, topic: str) -> datetime | None:
    with mapped("looking for the oldest records", PRINCIPAL):
        consumer = kafka_consumer(settings, PRINCIPAL)
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
            held = [place for place in places if first[place] < ends[place]]
            patience_s = settings.kafka.request_timeout_s
            firsts = [_first(consumer, place, int(first[place]), int(ends[place]), patience_s) for place in held]
        finally:
            consumer.close()
    stamps = [at for at in firsts if at is not None]
    return datetime.fromtimestamp(min(stamps) / 1000, UTC) if stamps else None


def _first(consumer: Any, place: TopicPartition, first: int, end: int, patience_s: float) -> int | None:
    """When the first record of a partition was appended (ms); None where compaction has left none. Raises StoreAway, for a
    broker that does not answer says nothing of what is there."""
    consumer.assign([place])
    consumer.seek(place, first)
    return next((int(record.timestamp) for record in read_until(consumer, {place: end}, patience_s)), None)


def run(settings: Settings, by: str, say: Callable[[str], None], within: float, now: datetime | None = None,
        over: threading.Event | None = None) -> Run:
    """Expires every row that is due, through the stream, and keeps the evidence.

    within: seconds to wait for the stream each time; over: ends the waiting. now: another time than the present. Raises
    NothingStated, NotServed when the stream does not carry it out in time (it still will) or is behind with earlier commands
    (then nothing is sent: the control topic is kept for ever), StoreAway, SignInRefused.
    """
    at, began = now or datetime.now(UTC), time.monotonic()
    with Records.opened(settings) as records:
        limit = expired([version.entry for version in Register(records).in_force()], PEOPLE)
        if limit is None or limit.period is None:
            raise NothingStated(f"No entry in force states a period for {PEOPLE} that is enforced by `expire`, so nothing is "
                                "due. `rollcall register show` prints what is stated.")
        until = cut_off(at, limit.period)
        due, restricted = list(_due(settings, until)), _due(settings, until, counted=False)
        say(f"{limit.period} from {limit.start}: {len(due)} rows are due, of {until:%Y-%m-%d %H:%M:%S} UTC or earlier"
            + (f"; {len(restricted)} more stay as long as their people restrict" if restricted else ""))
        request = f"retention-{at:%Y%m%dT%H%M%SZ}"
        if due and (behind := _behind(settings)):
            raise NotServed(f"{len(due)} rows are due, but the stream has not carried out {behind} earlier commands, so "
                            "nothing was sent. `rollcall status` shows whether it runs, `rollcall stream start` starts it.")
        for start in range(0, len(due), AT_ONCE):
            some = due[start:start + AT_ONCE]
            wait(settings, send_expiries(settings, load_keys(settings), some, int(until.timestamp() * 1000), request), within,
                 over)
            say(f"{start + len(some)} of {len(due)} are expired")
        standing = set(_due(settings, until)) if due else set()
        restricted = _due(settings, until, counted=False) if due else restricted    # somebody may have begun to meanwhile
        done = Run(at.isoformat(timespec="seconds"), limit.said, until.isoformat(timespec="milliseconds"), len(due),
                   len({*due} - standing - restricted.keys()), len(standing) + len(restricted),
                   round(time.monotonic() - began, 1), restricted=len(restricted),
                   oldest_restricted=min(restricted.values()).isoformat(timespec="seconds") if restricted else "")
        keep(records, done, by)
    return done


def keep(records: Records, done: Run, by: str) -> None:
    """Keeps the evidence of a run. Raises StoreAway."""
    _added(records, RUNS[done.place], "left" if done.left else "done", json.dumps(asdict(done)), by, done.stated)


def _added(records: Records, name: str, state: str, body: str, by: str, why: str) -> Record:
    """Adds a version after the newest. Whoever was faster (the keeper, the page, a command) is no contradiction, for none of
    them is based on the one before: then after theirs."""
    def once() -> Record:
        earlier = records.last(RETENTION, name)
        return records.add(Record(RETENTION, name, earlier.n + 1 if earlier else 1, state, body, datetime.now(UTC), by, why))

    for _ in range(TRIES - 1):
        with suppress(Stale):
            return once()
    return once()


def measure(settings: Settings, by: str, now: datetime | None = None) -> Kept:
    """Measures, and keeps what was found: the Retention page shows the newest. Raises StoreAway, SignInRefused."""
    at = now or datetime.now(UTC)
    with Records.opened(settings) as records:
        found = measured(settings, [version.entry for version in Register(records).in_force()], at)
        body = json.dumps([said(line) for line in found], default=datetime.isoformat)
        return _kept(_added(records, MEASURED, "measured", body, by, ""))


def newest(records: Records) -> Kept | None:
    """The newest measurement that was kept."""
    kept = records.last(RETENTION, MEASURED)
    return _kept(kept) if kept else None


def stale(settings: Settings, kept: Kept | None, now: datetime) -> bool:
    """Whether there is no measurement, or none since two runs of the keeper should have made one."""
    return kept is None or now - kept.at > RUNS_MISSED * timedelta(hours=settings.governance.retention_hours)


def due_at(records: Records) -> datetime | None:
    """When the oldest row that was measured last is over its time, as the entries in force state it; None if there is none."""
    limit = expired([version.entry for version in Register(records).in_force()], PEOPLE)
    kept = newest(records)
    if limit is None or limit.period is None or kept is None:
        return None
    oldest = next((line["oldest"] for line in kept.lines if line["place"] == PEOPLE), None)
    return retention_end(datetime.fromisoformat(oldest), limit.period) if oldest else None


def said(line: Line) -> dict[str, Any]:
    """A line as JSON has it; `oldest` is a moment or nothing."""
    return {"place": line.place, "limit": line.limit.said, "enforced_by": str(line.limit.enforced_by), "entries": line.refs,
            "data": line.labels, "keeping": str(line.keeping), "oldest": line.oldest, "due": line.due}


def _kept(record: Record) -> Kept:
    return Kept(record.at, record.by, tuple(json.loads(record.body)))


def runs(records: Records) -> list[tuple[Run, str]]:
    """The evidence: each run and who began it, newest first."""
    kept = [record for name in RUNS.values() for record in records.versions(RETENTION, name)]
    return [(Run(**json.loads(record.body)), record.by) for record in sorted(kept, key=lambda one: one.at, reverse=True)]


def any_due(settings: Settings, now: datetime) -> bool:
    """Whether a run would expire anybody now; not where nothing is stated."""
    with Records.opened(settings) as records:
        limit = expired([version.entry for version in Register(records).in_force()], PEOPLE)
    return limit is not None and limit.period is not None and bool(_due(settings, cut_off(now, limit.period), "LIMIT 1"))


def count_until(settings: Settings, until: datetime) -> int:
    """How many rows that may end have nothing newer than a moment. Raises StoreAway, SignInRefused."""
    return len(_due(settings, until))


def _behind(settings: Settings) -> int:
    """Commands on the control topic that the stream has not carried out."""
    with mapped("looking at the control topic", PRINCIPAL):
        consumer = kafka_consumer(settings, PRINCIPAL)
        try:
            place = TopicPartition(settings.kafka.control_topic, 0)
            end = int(consumer.end_offsets([place])[place])
        finally:
            consumer.close()
    with mongo_client(settings, "governance") as client:
        return max(0, end - Status(client[settings.mongo.database]).writer().control)


def _due(settings: Settings, until: datetime, limit: str = "", counted: bool = True) -> dict[str, datetime]:
    with cassandra_session(settings, PRINCIPAL) as session, mapped("looking for rows that are due", PRINCIPAL):
        return _over(session, settings.cassandra.keyspace, until, limit, counted)


def _over(session: Any, keyspace: str, until: datetime, limit: str = "", counted: bool = True) -> dict[str, datetime]:
    """Whose rows have nothing newer, and from when they are. counted: False for those who restrict, who alone are not
    counted."""
    return {str(row.uuid): row.appended_at.replace(tzinfo=UTC) for row in session.execute(
        f"SELECT uuid, appended_at FROM {keyspace}.profiles WHERE appended_at <= %s AND counted = %s {limit} ALLOW FILTERING",
        (until, counted), timeout=SCAN_TIMEOUT_S)}
