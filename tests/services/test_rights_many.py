"""Many people are erased at once while people arrive: done in time, exact, and everybody else is there."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from kafka import TopicPartition

from engine.clients import kafka_consumer, read_until
from engine.settings import CLONE, Settings
from governance.rights.proof import Proof as Erasure
from governance.rights.verdict import Outcome
from tests.proof import Proof
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.proof, pytest.mark.timeout(1800)]

PEOPLE, RATE = 100, 100
IN_A_PROOF = 1000
WITHIN_S = 120.0
"""For those of a proof, and people a second meanwhile: as the acceptance asks for."""


@pytest.fixture
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow whose stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("many"), "many") as made:
        made.start()
        yield made


def test_many_are_erased_while_people_arrive(flow: Flow, proof: Proof, tmp_path: Path) -> None:
    count = IN_A_PROOF if proof.path else PEOPLE
    rate = IN_A_PROOF if proof.path else RATE
    with subprocess.Popen([sys.executable, "-m", "engine.cli", "produce", "--source", "synthetic", "--rate", str(rate)],
                          cwd=CLONE, env=flow.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as producer:
        try:
            flow.until("enough people are rows", lambda: len(flow.sealed_rows()) > count * 2)
            chosen = sorted(str(row["uuid"]) for row in flow.sealed_rows())[:count]
            file = tmp_path / "people.txt"
            file.write_text("\n".join(chosen))
            began, first = time.perf_counter(), ends(flow)
            done = flow.rollcall("erase", "--file", str(file), "--request", "many", "--within", "200", "--json")
            took_s, last = time.perf_counter() - began, ends(flow)
            assert producer.poll() is None    # people arrived all the time
        finally:
            producer.send_signal(signal.SIGINT)
    arrived = people_between(flow, first, last) / took_s
    said = Erasure.from_json(json.loads(done.stdout))
    outcomes = {verdict.store: verdict.outcome for verdict in said.verdicts}
    assert outcomes["cassandra:profiles"] == outcomes["mongo"] == Outcome.ERASED
    assert outcomes["kafka:people"] == Outcome.EXPIRES_ON
    assert len(said.commands) == count
    flow.quiet()
    rows = {str(row["uuid"]) for row in flow.sealed_rows()}
    assert not rows & set(chosen)
    report = flow.verified()
    assert report.erased >= count
    proof.add("many_at_once", people=count, rate_asked=rate, rate=round(arrived), seconds=round(took_s, 1), rows=len(rows))
    assert arrived >= 0.9 * rate
    if proof.path:
        assert took_s <= WITHIN_S


Ends = Mapping[TopicPartition, int]


def ends(flow: Flow) -> Ends:
    """Offset after the newest record of each partition of the topic of people."""
    with closing(kafka_consumer(flow.settings, "verify")) as consumer:
        topic = flow.settings.kafka.topic
        found: Ends = consumer.end_offsets([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)])
        return found


def people_between(flow: Flow, first: Ends, last: Ends) -> int:
    """How many people came; nulls are the stream's own."""
    with closing(kafka_consumer(flow.settings, "verify")) as consumer:
        consumer.assign(list(last))
        for place in last:
            consumer.seek(place, first[place])
        return sum(record.value is not None for record in read_until(consumer, last, flow.settings.kafka.request_timeout_s))
