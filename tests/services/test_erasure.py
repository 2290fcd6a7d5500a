"""An erased person stays erased: through replays, in the very same batch, after a lost checkpoint, until it is lifted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from engine.clients import kafka_consumer
from engine.person import NATIONALITIES
from engine.settings import Settings
from engine.stores.dead_letters import DeadLetters
from tests.people import CAPTURED, captured
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

FILE = CAPTURED["1.4"]
UUIDS = [person["login"]["uuid"] for person in captured("1.4")]
ERASED, IN_SAME_BATCH, BEFORE_ITS_REPEAT = UUIDS[:3]
NOW_GONE = {ERASED, IN_SAME_BATCH, BEFORE_ITS_REPEAT}


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow for the tests of this file, which build on one another in their order."""
    with Flow(stack, tmp_path_factory.mktemp("erasure"), "erasure") as made:
        yield made


def users(flow: Flow) -> int:
    return sum(n for cell, n in flow.cells().items() if cell.collection == NATIONALITIES)


def test_erase_removes_the_person_from_rows_and_aggregates(flow: Flow) -> None:
    flow.start()
    flow.produce(FILE)
    flow.quiet()
    assert (len(flow.rows()), users(flow)) == (115, 115)
    flow.rollcall("erase", ERASED.upper(), "--request", "R-1")
    assert ERASED not in flow.rows()
    assert (len(flow.rows()), users(flow)) == (114, 114)


def test_a_replay_past_the_producers_own_skip_does_not_bring_the_person_back(flow: Flow) -> None:
    assert flow.produce(FILE, "--no-skip-erased")["sent"] == 115
    flow.quiet()
    assert set(flow.rows()) == set(UUIDS) - {ERASED}
    assert users(flow) == 114
    assert _nulls(flow) >= {ERASED}


def test_the_producer_leaves_the_person_out_by_itself(flow: Flow) -> None:
    said = flow.produce(FILE)
    assert (said["sent"], said["erased_skipped"]) == (114, 1)


@pytest.mark.proof
def test_a_repeat_in_the_same_batch_as_the_command_stays_out(flow: Flow) -> None:
    flow.quiet()    # so that no batch is planned already
    assert flow.stop() == 0
    before = flow.documents("batches")
    flow.produce(FILE, "--no-skip-erased")
    for uuid in (IN_SAME_BATCH, BEFORE_ITS_REPEAT):
        said = flow.rollcall("erase", uuid, "--within", "0", code=75)    # kept; the stream is down
        assert "It will when it runs" in " ".join(said.stderr.split())
    again = next(person for person in captured("1.4") if person["login"]["uuid"] == BEFORE_ITS_REPEAT)
    flow.send(BEFORE_ITS_REPEAT.encode(), json.dumps(again).encode())    # appended after the command, read before it
    flow.start()
    flow.quiet()
    batch = [turn for number, turn in flow.documents("batches").items() if number not in before and turn["batch"] is not None]
    assert any(turn["counts"]["commands"] == 2 and turn["counts"]["barred"] >= 2 for turn in batch), batch
    assert set(flow.rows()) == set(UUIDS) - NOW_GONE
    assert users(flow) == 112


@pytest.mark.proof
def test_what_is_no_person_and_theirs_becomes_no_letter_and_what_is_another_persons_does(flow: Flow, tmp_path: Path) -> None:
    before, theirs, other = flow.documents("batches"), captured("1.4")[0], captured("1.4")[5]
    bad, others_bad = json.dumps({**theirs, "gender": "NONE"}).encode(), json.dumps({**other, "gender": "NONE"}).encode()
    for key, value in ((ERASED, bad), (ERASED, bad[:40]), ("nobody", bad), (UUIDS[5], others_bad), (ERASED, others_bad)):
        flow.send(key.encode(), value)
    flow.quiet()
    assert [json.loads(letter.value)["login"]["uuid"] for letter in flow.dead_letters()] == [UUIDS[5], UUIDS[5]]
    counts = [turn["counts"] for number, turn in flow.documents("batches").items() if number not in before]
    assert [sum(one[name] for one in counts) for name in ("barred", "dead", "new", "changed")] == [3, 2, 0, 0], counts
    records = _records(flow, ERASED)
    assert all(values[-1] is None for values in records.values()), "a null lies behind what came under their number"
    file = tmp_path / "bad.jsonl"
    file.write_bytes(bad + b"\n" + bad[:-9] + b"\n" + others_bad + b"\n")
    said = flow.produce(file)
    assert (said["read"], said["dead"], said["erased_skipped"], said["sent"]) == (3, 0, 2, 1)
    flow.quiet()
    assert len(flow.dead_letters()) == 3
    flow.verified()


def test_verify_names_a_letter_of_somebody_who_is_erased(flow: Flow) -> None:
    letters = DeadLetters(flow.settings, "producer", flow.keys)
    try:
        letters.put("people.jsonl:9", "bad", {"phone": ERASED.upper()}, "2026-11-28T00:00:00Z")
        letters.flush()
        assert [(one.where, one.what) for one in flow.verify().findings] == [
            ("letter people.jsonl:9", "it is about somebody who is erased")]
        letters.remove("people.jsonl:9")
        letters.flush()
    finally:
        letters.close()


@pytest.mark.proof
def test_a_lost_checkpoint_does_not_bring_anybody_back(flow: Flow) -> None:
    assert flow.stop() == 0
    flow.forget_place()
    flow.start()
    flow.quiet()
    assert set(flow.rows()) == set(UUIDS) - NOW_GONE
    assert users(flow) == 112
    assert flow.verified().erased == 3


@pytest.mark.proof
def test_after_a_lift_only_newer_records_count(flow: Flow) -> None:
    assert flow.stop() == 0
    flow.forget_place()    # its old records are read again, and do not count
    flow.rollcall("lift", ERASED, "--request", "R-2", "--within", "0", code=75)
    flow.start()
    flow.quiet()
    assert ERASED not in flow.rows()
    flow.produce(FILE)
    flow.quiet()
    assert set(flow.rows()) == set(UUIDS) - NOW_GONE | {ERASED}
    assert users(flow) == 113
    flow.verified()


def test_a_uuid_that_is_none_is_refused_with_a_remedy(flow: Flow) -> None:
    said = flow.rollcall("erase", "Leon Nichols", code=65)
    assert "is not a uuid" in said.stderr
    assert "Traceback" not in said.stderr


def _nulls(flow: Flow) -> set[str]:
    """Uuids the topic of people holds a null for."""
    return {record.key.decode() for record in _people(flow) if record.value is None}


def _records(flow: Flow, uuid: str) -> dict[int, list[bytes | None]]:
    """What came under a number, by partition, in its order."""
    found: dict[int, list[bytes | None]] = {}
    for record in _people(flow):
        if record.key == uuid.encode():
            found.setdefault(record.partition, []).append(record.value)
    return found


def _people(flow: Flow) -> list[Any]:
    """The topic of people."""
    consumer = kafka_consumer(flow.settings, "verify")
    try:
        partitions = [TopicPartition(flow.settings.kafka.topic, number)
                      for number in consumer.partitions_for_topic(flow.settings.kafka.topic)]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += records
        return found
    finally:
        consumer.close()
