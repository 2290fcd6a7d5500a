"""An end to records of topics that are over their time, to the moment.

Kafka ends a segment when its newest record is over its time, and compaction joins segments of many days into one: by itself
an old record may stay about twice as long as it is told to. Here each partition is made to begin at its first record that is
not over its time (Kafka's DeleteRecords). No reader gets what lies before; its bytes go with their segment.

Of the topic of people nothing goes that the stream may still ask for. Of dead letters everything goes that is due, whether or
not somebody has dealt with it: the register gives them that long "to mend and redrive".
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from kafka import TopicPartition

from engine.clients import kafka_admin, kafka_consumer, mapped, mongo_client
from engine.compliance.register import Register
from engine.compliance.retention import RUNS, Run, keep
from engine.compliance.survey import PRINCIPAL, named
from engine.settings import Settings
from engine.stores.records import RETENTION, Records
from engine.stores.status import Status
from governance.register import Enforcement
from governance.retention import cut_off, expired

KEEPER = "governance"
"""Who may delete records."""

READ_BY_STREAM = "people"
COMMITTED_AFTER = timedelta(seconds=60)
"""A stream that has lived so long after a turn has written down in Spark's checkpoint that it was; one that ended sooner may
ask for the records of the turn again, and so may the one after it, however long that lives."""


def end_old(settings: Settings, by: str, say: Callable[[str], None], now: datetime | None = None) -> list[Run]:
    """Ends what is over its time in each topic whose limit the entries in force state, and keeps the evidence: of each in which
    something was due, and of each once a day (governance.retention_hours), for nobody could tell a keeper that found nothing
    from one that did not look. now: another time than the present. Raises StoreAway, SignInRefused."""
    at, done = now or datetime.now(UTC), []
    with Records.opened(settings) as records:
        entries = [version.entry for version in Register(records).in_force()]
        for short, topic in named(settings.kafka).items():
            limit = expired(entries, f"kafka:{short}", Enforcement.TOPIC)
            if limit is None or limit.period is None:
                continue
            began, until = time.monotonic(), cut_off(at, limit.period)
            read = _read(settings) if short == READ_BY_STREAM else None
            due, gone = _ended(settings, topic, until, read)
            one = Run(at.isoformat(timespec="seconds"), limit.said, until.isoformat(timespec="milliseconds"), due, gone,
                      due - gone, round(time.monotonic() - began, 1), f"kafka:{short}")
            if due:
                say(f"{one.place}: {gone} of {due} offsets are ended, of {until:%Y-%m-%d %H:%M:%S} UTC or earlier"
                    + (f"; {one.left} wait, for the stream has not read them for good" if one.left else ""))
            if due or _long_ago(settings, records, one.place, at):
                keep(records, one, by)
            done.append(one)
    return done


def _long_ago(settings: Settings, records: Records, place: str, at: datetime) -> bool:
    kept = records.last(RETENTION, RUNS[place])
    return kept is None or at - kept.at >= timedelta(hours=settings.governance.retention_hours)


def _ended(settings: Settings, topic: str, until: datetime, read: Mapping[int, int] | None) -> tuple[int, int]:
    """Makes each partition begin after the records of `until` or earlier, but not beyond what is read (None: no matter).

    Returns how many offsets were due, and how many of them are gone.
    """
    with mapped("looking for old records", PRINCIPAL):
        consumer = kafka_consumer(settings, PRINCIPAL)
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not places:
                return 0, 0
            # the ends first: where no record is newer than `until`, none before these is, whatever is appended meanwhile
            first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
            newer = consumer.offsets_for_times(dict.fromkeys(places, int(until.timestamp() * 1000) + 1))
            due = {place: int(newer[place].offset if newer[place] else ends[place]) for place in places}
            to = {place: offset if read is None else min(offset, read.get(place.partition, 0)) for place, offset in due.items()}
            to = {place: offset for place, offset in to.items() if offset > first[place]}
            if to:
                _delete(settings, to)
            after = consumer.beginning_offsets(places)
        finally:
            consumer.close()
    return (sum(max(0, due[place] - int(first[place])) for place in places),
            sum(max(0, min(int(after[place]), due[place]) - int(first[place])) for place in places))


def _delete(settings: Settings, to: Mapping[TopicPartition, int]) -> None:
    with mapped("ending old records", KEEPER):
        admin = kafka_admin(settings, KEEPER)
        try:
            admin.delete_records(dict(to))
        finally:
            admin.close()


def _read(settings: Settings) -> dict[int, int]:
    """Partition -> offset before which the stream asks for nothing any more; none where that is not sure."""
    with mongo_client(settings, KEEPER) as client:
        status = Status(client[settings.mongo.database])
        figures, state, waiting = status.read("figures"), status.writer(), status.read("waiting")
        read = (figures or {}).get("read")
        # of the stream that closed the turn, not the newest: its last sign of life was taken with the same clock, too
        lease = status.read(f"lease:{read['lease']}") if read else None
    if figures is None or read is None or figures["checkpoint"] != state.checkpoint:
        return {}
    if lease is None or lease["at"] - read["at"] < COMMITTED_AFTER:
        return {}
    if waiting and waiting["for"] and waiting["lease"] == lease["n"]:    # it lives, and may have to begin its batch again
        return {}
    return {int(number): int(offset) for number, offset in figures["offsets"].items()}
