"""A right that is taken from a running program is said of its hop within 30 s; given back by a plan, it goes on."""

import time
from collections.abc import Iterator

import pytest

from engine.access.apply import Access
from engine.clients import kafka_producer
from engine.health import Hop, Opened, look
from engine.processes import Supervisor
from engine.settings import Settings
from engine.stores.audit import AuditLog
from governance.kafka_access.rule import Rule
from tests.governance.kafka_cases import rule
from tests.proof import Proof
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

SAID_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow into which people arrive all the time."""
    producer = {"source": "synthetic", "rate": 50.0, "page": 50}
    with Flow(stack, tmp_path_factory.mktemp("access"), "access", {"producer": producer}) as made:
        yield made


@pytest.fixture(scope="module")
def supervisor(flow: Flow) -> Iterator[Supervisor]:
    """A supervisord of the flow's own."""
    started = flow.supervised()
    try:
        yield started
    finally:
        started.close()


def hop(flow: Flow, supervisor: Supervisor, name: str) -> Hop:
    """One hop, as Flow shows it."""
    return next(one for one in look(Opened(flow.settings), supervisor) if one.name == name)


@pytest.mark.proof
@pytest.mark.parametrize(("program", "operation", "topic"), [
    ("producer", "WRITE", "{people}"), ("stream", "READ", "{people}"), ("stream", "READ", "{control}")])
def test_a_right_taken_away_shows_on_flow_as_what_it_is(flow: Flow, supervisor: Supervisor, proof: Proof, program: str,
                                                        operation: str, topic: str) -> None:
    names = {"{people}": flow.settings.kafka.topic, "{control}": flow.settings.kafka.control_topic}
    right = rule(f"allow {program} {operation} topic {names[topic]}")
    supervisor.start("producer", "stream")
    flow.until("both work", lambda: all(hop(flow, supervisor, name).ok for name in ("producer", "stream")))
    with Access.opened(flow.settings) as access:
        assert right in access.broker.rules()
        began = time.monotonic()
        access.broker.delete(right)    # by a hand from outside: a plan would refuse it
        if topic == "{control}":
            command(flow)    # a right is missed when it is used, and this one is used for commands only
        flow.until(f"{program} is not well", lambda: said(hop(flow, supervisor, program), program),
                   SAID_WITHIN_S if proof.path else 3 * SAID_WITHIN_S)
        proof.add("right_taken_away", program=program, operation=operation, topic=topic,
                  said_after_s=round(time.monotonic() - began, 1), says=hop(flow, supervisor, program).says)
        assert access.drift().missing == (right,)
        given_back(access, flow.settings, right)
    before = flow.documents("pipeline_status")["figures"]["turn"]
    supervisor.start(program)    # who was refused has ended, for a person; who waits is left alone
    flow.until(f"{program} goes on", lambda: hop(flow, supervisor, program).ok
               and flow.documents("pipeline_status")["figures"]["turn"] > before + 1)
    supervisor.stop("producer")
    flow.quiet()
    flow.verified()


def command(flow: Flow) -> None:
    """Something on the control topic that the stream has to read; it is no command, and becomes a dead letter."""
    producer = kafka_producer(flow.settings, "governance")
    producer.send(flow.settings.kafka.control_topic, key=b"none", value=b"none").get(timeout=10)
    producer.close()


def said(one: Hop, program: str) -> bool:
    """Whether the hop is not well and says that Kafka refuses this program."""
    return not one.ok and f"Kafka refuses {program}" in one.says and "Authorization" in one.says


def given_back(access: Access, settings: Settings, right: Rule) -> None:
    """By a plan, which has just this."""
    made = access.plan(deletes=True)
    assert (made.creates, made.deletes) == ((right,), ())
    with AuditLog.opened(settings) as audit:
        access.apply(made, audit, "system test", "given back", lambda _: None)
    assert access.plan(deletes=True).empty
