"""Rows whose time is over go through the stream, with their counts, and only they; what was done is kept as evidence."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from engine import commands
from engine.clients import cassandra_session, kafka_admin, kafka_consumer, kafka_producer
from engine.compliance import retention, shorter, topics
from engine.compliance.register import Register
from engine.errors import NotServed
from engine.provision.changes import settled
from engine.settings import Settings
from engine.stores.records import Records
from governance.register import Entry, entry
from governance.retention import Keeping
from tests.people import generated
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ENTRY = "people-stream"
FIRST, SECOND = 30, 12


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow whose stream runs and whose register keeps rows for an hour."""
    with Flow(stack, tmp_path_factory.mktemp("retention"), "retention") as made:
        with Records.opened(made.settings) as records:
            register = Register(records)
            register.seed("system test")
            there = register.get(ENTRY).newest
            register.save(keeping_rows_for(there.entry, {"count": 1, "unit": "hours"}), there.n, "ada", "an hour")
            register.publish(ENTRY, there.n + 1, "ada", "an hour")
        made.start()
        yield made


def keeping_rows_for(known: Entry, period: dict[str, object]) -> Entry:
    """The entry with another time limit for rows."""
    fields = known.model_dump(mode="json")
    for item in fields["items"]:
        for limit in item["retention"]:
            if limit["place"] == retention.PEOPLE:
                limit["period"] = period
    return entry(fields)


def in_force(flow: Flow) -> list[Entry]:
    with Records.opened(flow.settings) as records:
        return [version.entry for version in Register(records).in_force()]


def keeping(flow: Flow, now: datetime) -> dict[str, tuple[Keeping, int]]:
    return {line.place: (line.keeping, line.due) for line in retention.measured(flow.settings, in_force(flow), now)}


def newest_row(flow: Flow) -> datetime:
    with cassandra_session(flow.settings, "verify") as session:
        found = session.execute(f"SELECT max(appended_at) AS at FROM {flow.settings.cassandra.keyspace}.profiles").one().at
    at: datetime = found.replace(tzinfo=UTC)
    return at


def sent(flow: Flow, folder: Path, people: list[dict[str, Any]]) -> None:
    """Sends people, and waits until they are rows."""
    file = folder / "people.jsonl"
    file.write_text("".join(f"{json.dumps(person)}\n" for person in people))
    flow.produce(file)
    flow.quiet()


def test_rows_over_their_time_go_and_the_others_stay(flow: Flow, tmp_path: Path) -> None:
    uuids = [person["login"]["uuid"] for person in generated()]
    sent(flow, tmp_path, generated()[:FIRST])
    ends = newest_row(flow)
    sent(flow, tmp_path, generated()[FIRST:FIRST + SECOND])
    assert set(flow.rows()) == set(uuids[:FIRST + SECOND])
    late = ends + timedelta(hours=1)
    assert keeping(flow, late - timedelta(hours=1, minutes=5))[retention.PEOPLE] == (Keeping.KEPT, 0)
    assert keeping(flow, late)[retention.PEOPLE] == (Keeping.DUE, FIRST)
    said: list[str] = []
    done = retention.run(flow.settings, "ada", said.append, 120, now=late)
    assert (done.due, done.expired, done.left) == (FIRST, FIRST, 0)
    assert done.cut_off == ends.isoformat(timespec="milliseconds")
    assert set(flow.rows()) == set(uuids[FIRST:FIRST + SECOND])
    assert keeping(flow, late)[retention.PEOPLE] == (Keeping.KEPT, 0)
    flow.verified()
    kept = retention.measure(flow.settings, "ada", late)
    with Records.opened(flow.settings) as records:
        assert retention.runs(records) == [(done, "ada")], "the evidence"
        assert retention.newest(records) == kept
    assert {line["place"]: line["keeping"] for line in kept.lines}[retention.PEOPLE] == "kept"


def test_who_comes_again_is_a_row_again_and_a_run_with_nothing_due_says_so(flow: Flow) -> None:
    flow.send(generated()[0]["login"]["uuid"].encode(), json.dumps(generated()[0]).encode())
    flow.quiet()
    assert generated()[0]["login"]["uuid"] in flow.rows()
    done = flow.rollcall("retention", "run")
    assert "0 of 0 due rows" in done.stdout
    shown = json.loads(flow.rollcall("retention", "show", "--json").stdout)
    runs = [(run["due"], run["left"]) for run in shown["runs"] if run["place"] == retention.PEOPLE]
    assert runs == [(0, 0), (FIRST, 0)]
    assert {run["place"] for run in shown["runs"]} == set(retention.RUNS), "that nothing was due is evidence, too"
    assert {line["place"]: line["keeping"] for line in shown["lines"]}["kafka:people"] == "kept"
    audited = flow.rollcall("audit", "list", "--containing", "retention.run").stdout
    assert ", ".join(retention.RUNS) in audited, "all that it makes an end to"
    flow.verified()


def test_while_the_stream_does_not_follow_nothing_more_is_sent(flow: Flow) -> None:
    flow.stop()
    late = newest_row(flow) + timedelta(hours=1)
    with pytest.raises(NotServed, match="did not carry it out within 0 s"):
        retention.run(flow.settings, "ada", lambda _: None, 0, now=late)
    with pytest.raises(NotServed, match="has not carried out 13 earlier commands, so nothing was sent"):
        retention.run(flow.settings, "ada", lambda _: None, 0, now=late)
    flow.start()
    flow.quiet()
    assert flow.rows() == {}
    flow.verified()


@pytest.mark.proof
def test_the_keeper_looks_again_when_the_oldest_row_is_over_its_time(flow: Flow, tmp_path: Path) -> None:
    sent(flow, tmp_path, generated()[50:52])
    retention.measure(flow.settings, "ada")
    with Records.opened(flow.settings) as records:
        kept, due = retention.newest(records), retention.due_at(records)
    assert due is not None
    assert due <= newest_row(flow) + timedelta(hours=1), "not when the next daily run is"
    late = due + timedelta(hours=2 * flow.settings.governance.retention_hours)
    assert retention.stale(flow.settings, None, due)
    assert not retention.stale(flow.settings, kept, due)
    assert retention.stale(flow.settings, kept, late)
    made = made_due(flow, {"count": 1, "unit": "hours"}, due)
    assert made == [], "no shorter than what is in force"
    (made_shorter,) = made_due(flow, {"count": 1, "unit": "hours"}, due + timedelta(days=1),
                               before={"count": 2, "unit": "days"})
    assert "makes 2 rows due that are not due now" in made_shorter
    retention.run(flow.settings, "ada", lambda _: None, 120, now=due + timedelta(minutes=30))
    assert flow.rows() == {}


def test_who_restricts_is_not_ended_until_that_is_lifted(flow: Flow, tmp_path: Path) -> None:
    sent(flow, tmp_path, generated()[60:62])
    uuid, late = generated()[60]["login"]["uuid"], newest_row(flow) + timedelta(hours=1)
    commands.send(flow.settings, flow.keys, "restrict", uuid, "R-18")
    flow.quiet()
    assert keeping(flow, late)[retention.PEOPLE] == (Keeping.DUE, 1)
    done = retention.run(flow.settings, "ada", lambda _: None, 120, now=late)
    assert (done.due, done.expired, done.left, done.restricted) == (1, 1, 1, 1)
    assert datetime.fromisoformat(done.oldest_restricted) <= newest_row(flow)
    assert not retention.any_due(flow.settings, late)
    assert keeping(flow, late)[retention.PEOPLE] == (Keeping.KEPT, 0)
    commands.send_expiries(flow.settings, flow.keys, [uuid], int(late.timestamp() * 1000), "R-19")    # begun just before
    flow.quiet()
    assert set(flow.rows()) == {uuid}
    flow.verified()
    commands.send(flow.settings, flow.keys, "unrestrict", uuid, "R-18")
    flow.quiet()
    assert keeping(flow, late)[retention.PEOPLE] == (Keeping.DUE, 1)


def made_due(flow: Flow, period: dict[str, object], now: datetime, before: dict[str, object] | None = None) -> list[str]:
    """What another period of rows would make due. before: the one in force instead of the present one."""
    entries = in_force(flow)
    there = next(one for one in entries if one.ref == ENTRY)
    others = [one for one in entries if one.ref != ENTRY]
    return list(shorter.comes_due(flow.settings, [*others, keeping_rows_for(there, before) if before else there],
                                  [*others, keeping_rows_for(there, period)], now))


def test_what_a_server_should_have_ended_is_overdue(flow: Flow) -> None:
    now = datetime.now(UTC)
    slack = timedelta(minutes=flow.settings.kafka.segment_minutes + 6)
    assert keeping(flow, now + timedelta(days=7) + slack)["kafka:people"][0] is Keeping.OVERDUE
    assert keeping(flow, now + timedelta(days=6))["kafka:people"][0] is Keeping.KEPT
    assert keeping(flow, now)["cassandra:markers"][0] is Keeping.BY_HAND
    assert keeping(flow, now)["mongo:users_by_nationality"][0] is Keeping.BOUND
    assert keeping(flow, now)["cassandra:accounts"][0] is Keeping.BY_HAND


def first_offset(flow: Flow, topic: str) -> int:
    consumer = kafka_consumer(flow.settings, "verify")
    try:
        return int(consumer.beginning_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)])
    finally:
        consumer.close()


def end_offset(flow: Flow, topic: str) -> int:
    consumer = kafka_consumer(flow.settings, "verify")
    try:
        return int(consumer.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)])
    finally:
        consumer.close()


def aged(flow: Flow, topic: str, ages_days: list[int], now: datetime) -> None:
    """Leaves in partition 0 nothing but people who came so many days ago, in a segment that Kafka alone would keep whole."""
    admin = kafka_admin(flow.settings, "provision")
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)

    def shown() -> dict[str, str]:
        found = admin.describe_configs([resource], config_filter="all")["topic"][topic]
        return {name: found[name]["value"] for name in ("message.timestamp.type", "segment.ms")}

    def altered(wanted: dict[str, str]) -> None:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
        settled(lambda: shown() == wanted, f"Kafka does not show {wanted}")

    before = shown()
    admin.delete_records({TopicPartition(topic, 0): end_offset(flow, topic)})
    # a segment goes with its newest record: were each day to open one of its own, Kafka could end them before we look
    altered({"message.timestamp.type": "CreateTime", "segment.ms": str(timedelta(days=365) // timedelta(milliseconds=1))})
    producer = kafka_producer(flow.settings, "producer")
    try:
        for age, person in zip(ages_days, generated()[100:], strict=False):
            producer.send(topic, key=person["login"]["uuid"].encode(), value=json.dumps(person).encode(), partition=0,
                          timestamp_ms=int((now - timedelta(days=age)).timestamp() * 1000)).get(timeout=10)
    finally:
        producer.close()
        altered(before)
        admin.close()


@pytest.mark.proof
def test_old_records_of_topics_are_ended_but_none_that_the_stream_has_not_read(
        flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    now, people, dead = datetime.now(UTC), flow.settings.kafka.topic, flow.settings.kafka.dead_topic
    flow.quiet()
    flow.stop()
    # a year is over any time: what other tests have sent into partition 0 is older than what follows, so it goes, too
    end = end_offset(flow, people)
    aged(flow, people, [9, 8, 6, 0], now)
    aged(flow, dead, [31, 29], now)
    assert keeping(flow, now)["kafka:people"][0] is Keeping.OVERDUE
    assert keeping(flow, now)["kafka:dead"][0] is Keeping.OVERDUE
    said: list[str] = []
    ended = {run.place: run for run in topics.end_old(flow.settings, "ada", said.append, now)}
    assert first_offset(flow, people) == end, "what nobody has read stays"
    assert (ended["kafka:people"].due, ended["kafka:people"].expired, ended["kafka:people"].left) == (2, 0, 2)
    assert any("wait, for the stream has not read them for good" in line for line in said)
    assert (ended["kafka:dead"].due, ended["kafka:dead"].expired, ended["kafka:dead"].left) == (1, 1, 0)
    assert keeping(flow, now)["kafka:dead"][0] is Keeping.KEPT
    flow.start()
    flow.quiet()
    monkeypatch.setattr(topics, "COMMITTED_AFTER", timedelta(seconds=2))

    def gone() -> bool:    # the stream lives on for some seconds after its turn
        return {run.place: run.left for run in topics.end_old(flow.settings, "ada", said.append, now)}["kafka:people"] == 0

    flow.until("what was read is ended", gone)
    assert first_offset(flow, people) == end + 2, "from the first record that is not over its time"
    assert keeping(flow, now)["kafka:people"][0] is Keeping.KEPT
    with Records.opened(flow.settings) as records:
        kept = [run for run, by in retention.runs(records) if by == "ada" and run.place == "kafka:people"]
    assert (kept[0].left, kept[-1].left) == (0, ended["kafka:people"].left), "the evidence, the newest first"
    flow.stop()
    flow.start()
    flow.send(generated()[120]["login"]["uuid"].encode(), json.dumps(generated()[120]).encode())
    flow.quiet()    # and the stream misses nothing
    flow.verified()


def test_nothing_is_expired_where_the_register_states_no_period(flow: Flow, tmp_path: Path) -> None:
    with Records.opened(flow.settings) as records:
        register = Register(records)
        there = register.get(ENTRY).newest
        fields = there.entry.model_dump(mode="json")
        for item in fields["items"]:
            item["retention"] = [limit for limit in item["retention"] if limit["place"] != retention.PEOPLE] or [
                {"place": "kafka:people", "period": {"count": 7, "unit": "days"}, "start": "x", "enforced_by": "topic"}]
        register.save(entry(fields), there.n, "ada", "no limit")
        register.publish(ENTRY, there.n + 1, "ada", "no limit")
    there_before = set(flow.rows())
    sent(flow, tmp_path, generated()[1:2])
    done = flow.rollcall("retention", "run", code=65)
    assert "No entry in force states a period" in done.stderr
    with Records.opened(flow.settings) as records:
        Register(records).archive(ENTRY, there.n + 2, "ada", "gone")
    assert set(flow.rows()) == there_before | {generated()[1]["login"]["uuid"]}, "and no row has gone"
