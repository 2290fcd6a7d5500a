"""Records that retention removed before they were read: the stream says which and stops, a person accepts, it goes on."""

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import TopicPartition

from engine.clients import kafka_admin, kafka_consumer
from engine.errors import LeaseHeld, OffsetsLost
from engine.provision import provision
from engine.rights import restore
from engine.settings import Settings
from tests.people import generated
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    with Flow(stack, tmp_path_factory.mktemp("losses"), "losses") as made:
        yield made


def sent(flow: Flow, first: int, last: int) -> None:
    """Sends some of the generated people."""
    file = flow.settings.home / f"people-{first}.jsonl"
    file.write_text("".join(json.dumps(person) + "\n" for person in generated()[first:last]))
    assert flow.produce(file)["sent"] == last - first


def ends(flow: Flow) -> dict[int, int]:
    """Partition -> the offset after its newest record."""
    topic = flow.settings.kafka.topic
    consumer = kafka_consumer(flow.settings, "verify")
    try:
        found = consumer.end_offsets([TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)])
    finally:
        consumer.close()
    return {place.partition: int(end) for place, end in found.items()}


def removed(flow: Flow, before: dict[int, int]) -> None:
    """Removes the records before these offsets, as retention does."""
    admin = kafka_admin(flow.settings, "provision")
    try:
        admin.delete_records({TopicPartition(flow.settings.kafka.topic, n): offset for n, offset in before.items()})
    finally:
        admin.close()


def test_lost_offsets_stop_the_stream_are_written_down_and_passed_over(flow: Flow) -> None:
    flow.start()
    sent(flow, 0, 300)
    flow.quiet()
    refused = flow.rollcall("stream", "accept-loss", code=LeaseHeld.exit_code)
    assert "is alive and writes to these stores" in refused.stderr
    assert flow.stop() == 0

    read = ends(flow)
    sent(flow, 300, 600)
    now = ends(flow)
    removed(flow, {0: read[0] + 10, 1: now[1], 2: read[2]})    # some, all, and only what was read already
    flow.start()
    assert flow.stream is not None
    assert flow.stream.wait(120) == OffsetsLost.exit_code
    flow.stream = None
    (last,) = [line for line in flow.log.read_text().splitlines() if "no longer holds" in line]
    first, second = (f"partition 0 offsets {read[0]} to {read[0] + 9}", f"partition 1 offsets {read[1]} to {now[1] - 1}")
    assert f"({first}; {second})" in last
    assert "rollcall stream accept-loss" in last
    assert "Traceback" not in flow.log.read_text()

    dry = flow.rollcall("stream", "accept-loss", "--dry-run")
    assert f"lost: {first}" in dry.stdout
    assert flow.documents("losses") == {}
    assert (flow.settings.home / "checkpoint").is_dir()

    done = flow.rollcall("stream", "accept-loss")
    assert f"lost: {first}" in done.stdout
    assert f"lost: {second}" in done.stdout
    kept = sorted(flow.documents("losses").values(), key=lambda loss: loss["partition"])
    assert [(loss["topic"], loss["partition"], loss["first"], loss["last"]) for loss in kept] == [
        (flow.settings.kafka.topic, 0, read[0], read[0] + 9), (flow.settings.kafka.topic, 1, read[1], now[1] - 1)]
    assert all(loss["by"] and loss["at"] and loss["checkpoint"] for loss in kept)
    assert len(list(flow.settings.home.glob("checkpoint.lost-*"))) == 1
    assert not (flow.settings.home / "checkpoint").exists()

    flow.start()
    flow.quiet()
    assert len(flow.rows()) == 600 - 10 - (now[1] - read[1]), "what was read before the loss stays, what is left is read"
    assert flow.stop() == 0
    flow.verified()
    again = flow.rollcall("stream", "accept-loss")
    assert "Nothing is lost" in again.stdout
    assert len(flow.documents("losses")) == 2
    assert re.search(r"recounted", flow.log.read_text())


@pytest.mark.proof
def test_after_a_loss_of_kafka_what_comes_is_newer_than_the_rows(flow: Flow) -> None:
    before, changed = flow.rows(), generated()[0]
    assert changed["login"]["uuid"] in before
    with closing(kafka_admin(flow.settings, "provision")) as admin:
        admin.delete_topics([flow.settings.kafka.topic])
    flow.until("the topic is gone", lambda: not topics_of(flow))
    provision(flow.settings, lambda _: None)
    flow.until("the topic is there again", lambda: topics_of(flow))
    said: list[str] = []
    assert restore.check(flow.settings, 240, said.append, flow.start).ok
    assert any("is not the topic that the rows were made of" in line for line in said)
    assert set(flow.rows()) == set(before)
    flow.send(changed["login"]["uuid"].encode(), json.dumps({**changed, "phone": "0479-new"}).encode())
    flow.quiet()
    assert flow.rows()[changed["login"]["uuid"]]["phone"] == "0479-new"
    assert flow.stop() == 0
    flow.verified()
    said.clear()
    assert restore.check(flow.settings, 240, said.append, flow.start).ok
    assert not any("is not the topic" in line for line in said), "now it is"
    assert flow.stop() == 0
    flow.verified()


def topics_of(flow: Flow) -> bool:
    """Whether the topic of people is there."""
    with closing(kafka_consumer(flow.settings, "verify")) as consumer:
        return bool(consumer.partitions_for_topic(flow.settings.kafka.topic))
