"""Retention on the running systems: how old the oldest is in each place, and an end to rows whose time is over.

Servers end what has a TTL or a topic's retention. Rows of people have no TTL, for their counts must go with them: those that
are due are expired by commands that the stream carries out, like an erasure but for the records of that time alone.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import TopicPartition

from engine.carried_out import wait
from engine.clients import cassandra_session, kafka_consumer, mapped, mongo_client
from engine.commands import send_expiries
from engine.compliance.register import Register
from engine.compliance.survey import PRINCIPAL, named
from engine.errors import Final, NotServed
from engine.sealing import load_keys
from engine.settings import Settings
from engine.stores.records import RETENTION, Record, Records
from engine.stores.status import Status
from governance.register import Entry
from governance.retention import Line, Measured, cut_off, expired, lines

PEOPLE = "cassandra:profiles"
MEASURED = "measured"
SCAN_TIMEOUT_S = 300.0
"""Seconds that reading a whole table may take."""

AT_ONCE = 2_000
"""People whose expiry is sent and waited for at a time."""

_AGES = {"profiles": "appended_at", "sessions": "began", "audit": "at", "records": "at"}
"""Table -> the column that says from when a row is."""

_POLL_S = 5.0
_CHECKED_EVERY = timedelta(minutes=5)
"""How often Kafka looks for segments whose time is over, by its default."""


class NothingStated(Final):
    """The register states no time limit that commands of ours enforce."""

    exit_code = 65


@dataclass(frozen=True)
class Run:
    """What one run of the job did. at, cut_off: ISO 8601, UTC; stated: the limit; left: due rows that stand all the same."""

    at: str
    stated: str
    cut_off: str
    due: int
    expired: int
    left: int
    seconds: float


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
            oldest = session.execute(f"SELECT min({column}) AS at FROM {keyspace}.{table}", timeout=SCAN_TIMEOUT_S).one().at
            found[f"cassandra:{table}"] = Measured(oldest.replace(tzinfo=UTC) if oldest else None)
        if limit is not None and limit.period is not None:
            due = session.execute(f"SELECT count(*) AS n FROM {keyspace}.profiles WHERE appended_at <= %s ALLOW FILTERING",
                                  (cut_off(now, limit.period),), timeout=SCAN_TIMEOUT_S).one().n
            found[PEOPLE] = Measured(found[PEOPLE].oldest, due)
    return found


def _topics(settings: Settings) -> dict[str, Measured]:
    """The oldest record of each topic; a segment goes when its newest record is over its time, and stays that much longer."""
    slack = timedelta(minutes=settings.kafka.segment_minutes) + _CHECKED_EVERY
    return {f"kafka:{short}": Measured(_oldest(settings, name), slack=slack)
            for short, name in named(settings.kafka).items() if short != "control"}


def _oldest(settings: Settings, topic: str) -> datetime | None:
    with mapped("looking for the oldest records", PRINCIPAL):
        consumer = kafka_consumer(settings, PRINCIPAL)
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
            held = [place for place in places if first[place] < ends[place]]
            stamps = [at for place in held if (at := _first(consumer, place, int(first[place]), int(ends[place]))) is not None]
        finally:
            consumer.close()
    return datetime.fromtimestamp(min(stamps) / 1000, UTC) if stamps else None


def _first(consumer: Any, place: TopicPartition, first: int, end: int) -> int | None:
    """When the first record of a partition was appended (ms); None where compaction has left none."""
    consumer.assign([place])
    consumer.seek(place, first)
    limit = time.monotonic() + _POLL_S
    while consumer.position(place) < end and time.monotonic() < limit:
        for records in consumer.poll(timeout_ms=500, max_records=1).values():
            return int(records[0].timestamp)
    return None


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
        due = _due(settings, until)
        say(f"{limit.period} from {limit.start}: {len(due)} rows are due, of {until:%Y-%m-%d %H:%M:%S} UTC or earlier")
        request = f"retention-{at:%Y%m%dT%H%M%SZ}"
        if due and (behind := _behind(settings)):
            raise NotServed(f"{len(due)} rows are due, but the stream has not carried out {behind} earlier commands, so "
                            "nothing was sent. `rollcall status` shows whether it runs, `rollcall stream start` starts it.")
        for start in range(0, len(due), AT_ONCE):
            some = due[start:start + AT_ONCE]
            wait(settings, send_expiries(settings, load_keys(settings), some, int(until.timestamp() * 1000), request), within,
                 over)
            say(f"{start + len(some)} of {len(due)} are expired")
        left = len(_due(settings, until)) if due else 0
        done = Run(at.isoformat(timespec="seconds"), limit.said, until.isoformat(timespec="milliseconds"), len(due),
                   len(due) - left, left, round(time.monotonic() - began, 1))
        earlier = records.last(RETENTION, "profiles")
        records.add(Record(RETENTION, "profiles", earlier.n + 1 if earlier else 1, "done" if not left else "left",
                           json.dumps(asdict(done)), datetime.now(UTC), by, limit.said))
    return done


def measure(settings: Settings, by: str, now: datetime | None = None) -> Kept:
    """Measures, and keeps what was found: the Retention page shows the newest. Raises StoreAway, SignInRefused."""
    at = now or datetime.now(UTC)
    with Records.opened(settings) as records:
        found = measured(settings, [version.entry for version in Register(records).in_force()], at)
        body = json.dumps([said(line) for line in found], default=datetime.isoformat)
        earlier = records.last(RETENTION, MEASURED)
        return _kept(records.add(Record(RETENTION, MEASURED, earlier.n + 1 if earlier else 1, "measured", body,
                                        datetime.now(UTC), by, "")))


def newest(records: Records) -> Kept | None:
    """The newest measurement that was kept."""
    kept = records.last(RETENTION, MEASURED)
    return _kept(kept) if kept else None


def said(line: Line) -> dict[str, Any]:
    """A line as JSON has it; `oldest` is a moment or nothing."""
    return {"place": line.place, "limit": line.limit.said, "enforced_by": str(line.limit.enforced_by), "entries": line.refs,
            "data": line.labels, "keeping": str(line.keeping), "oldest": line.oldest, "due": line.due}


def _kept(record: Record) -> Kept:
    return Kept(record.at, record.by, tuple(json.loads(record.body)))


def runs(records: Records) -> list[tuple[Run, str]]:
    """The evidence: each run and who began it, newest first."""
    return [(Run(**json.loads(record.body)), record.by) for record in reversed(records.versions(RETENTION, "profiles"))]


def count_due(settings: Settings, now: datetime) -> int:
    """How many rows a run would expire now; 0 where nothing is stated."""
    with Records.opened(settings) as records:
        limit = expired([version.entry for version in Register(records).in_force()], PEOPLE)
    return len(_due(settings, cut_off(now, limit.period))) if limit is not None and limit.period is not None else 0


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


def _due(settings: Settings, until: datetime) -> list[str]:
    with cassandra_session(settings, PRINCIPAL) as session, mapped("looking for rows that are due", PRINCIPAL):
        return [str(row.uuid) for row in session.execute(
            f"SELECT uuid FROM {settings.cassandra.keyspace}.profiles WHERE appended_at <= %s ALLOW FILTERING", (until,),
            timeout=SCAN_TIMEOUT_S)]
