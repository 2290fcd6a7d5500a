"""A store that goes away while people flow: the same stream waits, says so where it is looked for, and goes on by itself."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from engine import health
from engine.errors import SignInRefused, StoreAway
from engine.health import Hop
from engine.processes import PROGRAMS, SERVERS, Status, Supervisor
from engine.settings import Settings
from tests.services.flow import Flow
from tests.services.producing import Running, having, run

# kafka-python leaves sockets of connections that were refused to the garbage collector
pytestmark = [pytest.mark.services, pytest.mark.timeout(900),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

AWAY_S = 8.0
RECOVERED_WITHIN_S = 60.0
NAMES = {"cassandra": "Cassandra", "mongo": "MongoDB", "kafka": "Kafka"}


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow whose stream is never started a second time."""
    with Flow(stack, tmp_path_factory.mktemp("outages"), "outages") as made:
        made.start()
        yield made


class AllRun:
    """The processes of a flow as a supervisor would see them: all run, the stream logs into the flow's file."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def start(self, *names: str) -> None: ...

    def stop(self, *names: str, within_s: float | None = None, meanwhile: object = None) -> bool:
        raise AssertionError("a look stops nothing")

    def status(self) -> dict[str, Status]:
        return {name: Status(name, "running", 1, datetime.now(UTC)) for name in (*SERVERS, *PROGRAMS)}

    def tail(self, name: str, lines: int = 50) -> list[str]:
        return self.flow.log.read_text().splitlines()[-lines:]


def stream_hop(flow: Flow) -> Hop:
    """What `rollcall status` says of the stream."""
    return next(hop for hop in health.look(health.Opened(flow.settings), AllRun(flow)) if hop.name == "stream")


def answers(stack: Settings, name: str) -> bool:
    """Whether a server lets us sign in again. `servers_up` would also take the flow's permissions for the stack's topics."""
    try:
        SERVERS[name].probe(stack)
    except (StoreAway, SignInRefused):
        return False
    return True


@pytest.mark.parametrize("name", ["cassandra", *(pytest.param(name, marks=pytest.mark.proof) for name in ("mongo", "kafka"))])
def test_a_store_that_is_away_is_waited_for_and_the_flow_resumes_by_itself(stack: Settings, flow: Flow, name: str) -> None:
    supervisor, store, stream = Supervisor(stack), NAMES[name], flow.stream
    assert stream is not None
    rows = len(flow.rows())
    people = having(flow.settings, source="synthetic", seed=f"outage-{name}", page=100, rate=60.0)
    people = people.model_copy(update={"synthetic": people.synthetic.model_copy(update={"repeats": 0.0, "updates": 0.0})})
    seen = len(flow.log.read_text())

    def said(pattern: str) -> bool:
        return re.search(pattern, flow.log.read_text()[seen:]) is not None

    with Running(people) as running:
        flow.until("people are rows", lambda: said(r"'new': \d"))
        supervisor.stop(name)
        away = time.monotonic()
        try:
            flow.until("the wait is said", lambda: said(rf"waiting for {store} since \d\d:\d\d:\d\d UTC"), 60)
            hop = stream_hop(flow)
            assert not hop.ok
            assert re.search(rf"waiting for {store} since \d\d:\d\d:\d\d UTC", hop.says), hop.says
            flow.until("so long away", lambda: time.monotonic() - away > AWAY_S)
        finally:
            supervisor.start(name)
            flow.until("it answers", lambda: answers(stack, name))
        back = time.monotonic()
        flow.until("it goes on", lambda: said(rf"going on: {store} answers again after \d+ s"), RECOVERED_WITHIN_S)
        print(f"{store}: {time.monotonic() - away:.0f} s away, went on {time.monotonic() - back:.1f} s after it was back")
        after = len(flow.log.read_text())
        flow.until("people are rows again", lambda: re.search(r"'new': \d", flow.log.read_text()[after:]) is not None, 60)
        done = running.stopped()
    flow.quiet()
    assert done.sent == done.read > AWAY_S
    assert len(flow.rows()) == rows + done.sent
    flow.verified()
    assert flow.stream is stream
    assert stream.poll() is None, "the same process runs"
    assert "Traceback" not in flow.log.read_text()[seen:]


def test_a_broker_that_goes_while_nothing_flows_is_waited_for_in_the_same_process(stack: Settings, flow: Flow) -> None:
    supervisor, stream = Supervisor(stack), flow.stream
    assert stream is not None
    flow.quiet()
    seen = len(flow.log.read_text())
    supervisor.stop("kafka")
    try:
        flow.until("Spark, too, misses it", lambda: "in Spark" in flow.log.read_text()[seen:], 90)
        assert "waiting for Kafka since" in stream_hop(flow).says
    finally:
        supervisor.start("kafka")
        flow.until("it answers", lambda: answers(stack, "kafka"))
    rows = len(flow.rows())
    people = having(flow.settings, source="synthetic", seed="rest", page=100)
    assert run(people, limit=100).sent == 100
    flow.quiet()
    assert len(flow.rows()) > rows
    assert "going on: Kafka answers again" in flow.log.read_text()[seen:]
    assert stream.poll() is None, "the same process runs"
    assert "Traceback" not in flow.log.read_text()[seen:]
