"""What only a person can put right ends a program with one sentence and its exit code, and is not tried for ever."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from engine.errors import FolderUnusable, SignInRefused
from engine.processes import Supervisor
from engine.settings import Settings
from tests.lookalike import Lookalike, uuids
from tests.services.flow import Flow
from tests.services.producing import Running, Tail, having
from tests.waiting import until

# kafka-python leaves sockets of connections that were refused to the garbage collector
pytestmark = [pytest.mark.services, pytest.mark.timeout(900),
              pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    with Flow(stack, tmp_path_factory.mktemp("ends"), "ends", {"producer": {"source": "synthetic", "page": 100}}) as made:
        yield made


@pytest.fixture
def supervisor(flow: Flow) -> Iterator[Supervisor]:
    started = flow.supervised()
    yield started
    started.close()


@pytest.fixture
def wrong_passwords(flow: Flow) -> Iterator[None]:
    """Secrets that the stores do not know."""
    kept = {path: path.read_text() for path in flow.settings.secrets.glob("*.password")}
    for name in ("stream", "producer"):
        (flow.settings.secrets / f"{name}.password").write_text("not the one")
    yield
    for path, text in kept.items():
        path.write_text(text)


@pytest.mark.usefixtures("wrong_passwords")
def test_a_refused_sign_in_is_said_once_and_not_tried_for_ever(flow: Flow, supervisor: Supervisor) -> None:
    supervisor.start("stream", "producer")
    flow.until("both have ended", lambda: all(
        supervisor.status()[name].state == "ended" for name in ("stream", "producer")), 180)
    for name in ("stream", "producer"):
        status = supervisor.status()[name]
        assert status.note.startswith(f"exit code {SignInRefused.exit_code}: a store refuses our name or password")
        lines = supervisor.tail(name, 100)
        assert any(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ (MongoDB|Cassandra|Kafka) refuses", line) for line in lines)
        assert "Traceback" not in "\n".join(lines)
    said = {line.split()[1]: line for line in flow.rollcall("status", code=1).stdout.splitlines()}
    for name in ("stream", "producer"):
        assert "NOT" in said[name]
        assert f"exit code {SignInRefused.exit_code}: a store refuses our name or password" in said[name]
        assert re.search(r"It said last: \S+ \S+Z (MongoDB|Cassandra|Kafka) refuses", said[name])


def test_a_folder_that_cannot_be_written_ends_the_stream_with_one_sentence(flow: Flow) -> None:
    settings = flow.settings.home / "settings.toml"
    kept = settings.read_text()
    settings.write_text(kept.replace("[stream]\n", '[stream]\ncheckpoint = "file:///proc/checkpoint"\n'))
    try:
        done = flow.rollcall("stream", "run", code=FolderUnusable.exit_code)
    finally:
        settings.write_text(kept)
    assert done.stderr.splitlines()[-1].startswith("Spark cannot write its checkpoint")
    assert "Traceback" not in done.stderr + done.stdout


def test_a_full_disk_ends_the_producer_with_one_sentence(flow: Flow) -> None:
    flow.settings.state.mkdir(exist_ok=True)
    place = flow.settings.state / "producer-synthetic.json.new"
    place.symlink_to("/dev/full")
    try:
        done = flow.rollcall("produce", "--supervised", "--limit", "100", code=FolderUnusable.exit_code)
    finally:
        place.unlink()
    assert "the disk is full" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr + done.stdout


def view_ends(supervisor: Supervisor) -> list[str]:
    """supervisord's lines about the view's ends."""
    return [line for line in supervisor.tail("supervisord", 100) if "exited: view (" in line]


def test_a_program_that_dies_at_once_is_tried_again_and_status_says_since_when(flow: Flow, supervisor: Supervisor) -> None:
    with socket.socket() as taken:    # gunicorn gives up when its port is taken
        taken.bind((flow.settings.view.host, flow.settings.view.port))
        taken.listen()
        supervisor.start("view")
        flow.until("it has failed twice", lambda: len(view_ends(supervisor)) >= 2, 300)
        flow.until("it is down", lambda: supervisor.status()["view"].state == "failing", 180)
        status = supervisor.status()["view"]
        line = next(one for one in flow.rollcall("status", code=1).stdout.splitlines() if " view " in one)
    assert status.since == datetime.strptime(view_ends(supervisor)[0][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert re.search(r"its program (fails since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|is starting)", line), line


def test_while_kafka_is_away_no_page_is_asked_for_and_none_is_left_out(stack: Settings, flow: Flow) -> None:
    processes, tail = Supervisor(stack), Tail(flow.settings)
    with Lookalike() as api:
        slow = having(flow.settings, source="randomuser", seed="aw4y", page=40, rate=80.0)
        slow = slow.model_copy(update={"randomuser": slow.randomuser.model_copy(update={"base_url": api.url})})
        with Running(slow, limit=800) as running:
            until("some pages", lambda: len(api.asked) >= 3)
            processes.stop("kafka")
            try:
                until("the wait being said", lambda: any(one.startswith("Waiting for Kafka") for one in running.said))
                asked, began = len(api.asked), datetime.now(UTC)
                until("some tries", lambda: datetime.now(UTC) - began > timedelta(seconds=12))
                assert len(api.asked) == asked, "nothing is asked for that could not be delivered"
            finally:
                processes.start("kafka")
            done = running.ended()
        assert (done.read, done.sent, done.pages) == (800, 800, 20)
        assert [int(one["page"]) for one in api.asked] == list(range(1, 21)), "each page once, in order"
        wanted = {name for number in range(1, 21) for name in uuids("aw4y", number, 40)}
    assert {record.key.decode() for record in tail.read()} == wanted
    tail.close()
