"""Rows whose time is over go through the stream, with their counts, and only they; what was done is kept as evidence."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.clients import cassandra_session
from engine.compliance import retention
from engine.compliance.register import Register
from engine.errors import NotServed
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
    assert [(run["due"], run["left"]) for run in shown["runs"]] == [(0, 0), (FIRST, 0)]
    assert {line["place"]: line["keeping"] for line in shown["lines"]}["kafka:people"] == "kept"
    assert "retention.run" in flow.rollcall("audit", "list").stdout
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


def test_what_a_server_should_have_ended_is_overdue(flow: Flow) -> None:
    now = datetime.now(UTC)
    slack = timedelta(minutes=flow.settings.kafka.segment_minutes + 6)
    assert keeping(flow, now + timedelta(days=7) + slack)["kafka:people"][0] is Keeping.OVERDUE
    assert keeping(flow, now + timedelta(days=6))["kafka:people"][0] is Keeping.KEPT
    assert keeping(flow, now)["cassandra:markers"][0] is Keeping.BY_HAND
    assert keeping(flow, now)["mongo:users_by_nationality"][0] is Keeping.BOUND
    assert keeping(flow, now)["cassandra:accounts"][0] is Keeping.BY_HAND


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
    sent(flow, tmp_path, generated()[1:2])
    done = flow.rollcall("retention", "run", code=65)
    assert "No entry in force states a period" in done.stderr
    with Records.opened(flow.settings) as records:
        Register(records).archive(ENTRY, there.n + 2, "ada", "gone")
    assert set(flow.rows()) == {generated()[1]["login"]["uuid"]}, "and no row has gone"
