"""A stream that is asked to stop ends after its running batch, says for what it waits, and is not hurt by being asked twice."""

import re
import signal
import time
from collections.abc import Iterator

import pytest

from engine.clients import mongo_client
from engine.errors import NotServed
from engine.processes import Supervisor
from engine.settings import Settings
from engine.stopping import stop_stream
from engine.stores.status import Status
from tests.proof import Proof
from tests.services.flow import Flow
from tests.services.producing import having, run

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

BATCHES = 10
STOPS_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory, proof: Proof) -> Iterator[Flow]:
    """A flow with a backlog that its stream reads in several batches: in a proof of the size that is delivered."""
    size = stack.stream.max_offsets_per_trigger // (1 if proof.path else 10)
    with Flow(stack, tmp_path_factory.mktemp("stop"), "stop", {"stream": {"max_offsets_per_trigger": size}}) as made:
        run(having(made.settings, source="synthetic", seed="stop"), limit=BATCHES * size)
        yield made


@pytest.fixture
def supervisor(flow: Flow) -> Iterator[Supervisor]:
    """A supervisord of the flow's own."""
    started = flow.supervised()
    yield started
    started.close()


def turns(flow: Flow) -> int:
    """How many turns were closed."""
    return len(flow.documents("batches"))


def open_turn(flow: Flow) -> object:
    with mongo_client(flow.settings, "verify") as client:
        return Status(client[flow.settings.mongo.database]).writer().open


def test_at_full_load_a_stop_ends_after_the_running_batch(flow: Flow, supervisor: Supervisor, proof: Proof) -> None:
    supervisor.start("stream")
    flow.until("turns are closed", lambda: turns(flow) >= 2)
    began = time.monotonic()
    done = flow.rollcall("stream", "stop", "--within", "120")
    taken = time.monotonic() - began
    figures = flow.documents("pipeline_status")["figures"]
    batch_s = sum(figures["seconds"].values())
    proof.add("stop_at_full_load", seconds=round(taken, 1), behind=figures["behind"], the_batch_took_s=round(batch_s, 1),
              records_a_batch=flow.settings.stream.max_offsets_per_trigger)
    assert taken < max(STOPS_WITHIN_S, batch_s + 10), "on a machine that does other things, too, a batch may take longer"
    assert re.search(r"The stream is stopping: waiting for (batch \d+, which runs since \d\d:\d\d:\d\d UTC|Spark to end)",
                     done.stderr), done.stderr
    assert supervisor.status()["stream"].state == "stopped"
    assert flow.documents("pipeline_status")["figures"]["behind"] > 0, "it did stop in the middle of a backlog"
    assert open_turn(flow) is None
    assert "Traceback" not in "\n".join(supervisor.tail("stream", 1000))


def test_a_stop_that_takes_too_long_says_for_what_it_waits_and_a_second_waits_along(
        flow: Flow, supervisor: Supervisor) -> None:
    before = turns(flow)
    supervisor.start("stream")
    flow.until("turns are closed", lambda: turns(flow) > before)
    done = flow.rollcall("stream", "stop", "--within", "0", code=NotServed.exit_code)
    assert "has not ended within 0 s" in done.stderr
    assert "nothing is killed" in done.stderr
    assert supervisor.status()["stream"].state in ("stopping", "stopped")
    said: list[str] = []
    stop_stream(supervisor, said.append, 120)
    assert supervisor.status()["stream"].state == "stopped"
    assert open_turn(flow) is None
    stop_stream(supervisor, said.append, 0)    # once more, when there is nothing to stop


@pytest.mark.proof
def test_a_stream_at_a_terminal_answers_each_request_and_goes_on_where_it_was(flow: Flow) -> None:
    before = turns(flow)
    flow.start()
    flow.until("turns are closed", lambda: turns(flow) > before)
    stream = flow.stream
    assert stream is not None
    stream.send_signal(signal.SIGTERM)
    stream.send_signal(signal.SIGINT)
    assert flow.stop(signal.SIGINT) == 0
    text = flow.log.read_text()
    assert len(re.findall(r"stopping: waiting for ", text)) >= 2
    assert "Z stopped\n" in text
    assert "Traceback" not in text
    assert open_turn(flow) is None
    flow.start()
    flow.quiet()
    flow.until("one that was behind has learnt who is there", lambda: "of others nothing is read" in flow.log.read_text())
    assert flow.stop() == 0
    flow.verified()
