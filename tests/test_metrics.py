"""What stream and producer tell Prometheus: the figures that they keep anyway, nobody's name, and never in the flow's way."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client import generate_latest, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from app import words
from bench.installation import settings_toml
from engine import metrics as ours
from engine import secrets
from engine.doctor import CHECKS
from engine.heartbeat import LONGEST_WAIT_S, Heartbeat
from engine.metrics import Metrics, ProducerMetrics, StreamMetrics, served
from engine.producer import _Run
from engine.sealing import ensure_keys
from engine.settings import CLONE, Settings, load
from engine.sources.auto import open_source
from engine.sources.randomuser import Randomuser
from engine.spark_stream import recorded
from tests.services.producing import having
from tests.waiting import until

AT = datetime(2026, 11, 29, 1, 2, 3, tzinfo=UTC)
TOTALS = {name: 10 * number for number, name in enumerate(words.COUNTS, 1)}
FIGURES: dict[str, Any] = {
    "turn": 7, "at": AT, "behind": 42, "totals": TOTALS, "counts": {"read": 3}, "offsets": {"0": 5}, "checkpoint": "c",
    "synthetic": False, "seconds": dict.fromkeys(words.STEPS, 0.3)}
BEAT: dict[str, Any] = {
    "source": "replay", "synthetic": False, "state": "running", "read": 9, "sent": 6, "dead": 2, "skipped": 1, "dropped": 40,
    "pages": 1, "rate": 5.0, "at": AT, "dropped_fields": [{"field": "login.salt", "times": 6}], "place": "people.jsonl:9"}

Samples = dict[str, float]


def parsed(text: str) -> Samples:
    """Each series as it is written -> its value."""
    return {sample.name + "".join(f"|{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def shown(metrics: Metrics) -> Samples:
    """What a scrape would find."""
    return parsed(generate_latest(metrics.registry).decode())


def scraped(port: int, trusted: SSLContext | None = None) -> str:
    """What a scrape finds; nothing while nobody answers. trusted: whom it trusts under TLS."""
    try:
        return httpx.get(f"{'https' if trusted else 'http'}://127.0.0.1:{port}/metrics", timeout=5, verify=trusted or True).text
    except httpx.TransportError:
        return ""


@pytest.fixture
def stream() -> StreamMetrics:
    metrics = StreamMetrics()
    metrics.closed(FIGURES)
    return metrics


@pytest.fixture
def producer() -> ProducerMetrics:
    metrics = ProducerMetrics()
    metrics.document = BEAT
    return metrics


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation whose servers do not run."""
    (tmp_path / "settings.toml").write_text(settings_toml(mongo={"request_timeout_s": 2}, spark={"driver_memory": "512m"}))
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    made = load()
    secrets.ensure_passwords(made)
    return made


def test_each_count_of_a_turn_has_a_metric_that_is_the_total_of_the_status(stream: StreamMetrics) -> None:
    assert set(StreamMetrics.COUNTERS) == set(words.COUNTS), "the console shows the same counts"
    found = shown(stream)
    assert {key: found[f"rollcall_stream_{name}_total"] for key, (name, _) in StreamMetrics.COUNTERS.items()} == TOTALS
    assert found["rollcall_stream_lag_records"] == 42
    assert found["rollcall_stream_last_turn_timestamp_seconds"] == AT.timestamp()


def test_counters_go_on_where_they_were_after_a_restart(stream: StreamMetrics) -> None:
    again = StreamMetrics()
    assert "rollcall_stream_records_read_total" not in shown(again), "not known is not 0"
    again.document = FIGURES    # as the stream reads it when it has the lease
    counters = {name: value for name, value in shown(stream).items() if name.endswith("_total") and "process" not in name}
    assert counters.items() <= shown(again).items()
    assert shown(again)["rollcall_stream_turn_seconds_count"] == 0, "no turn was done by this one"


def test_seconds_of_turns_and_steps_are_counted_once_a_turn(stream: StreamMetrics) -> None:
    stream.closed({**FIGURES, "seconds": {"read": 6.0, "rows": 3.0}})
    for _ in range(3):
        found = shown(stream)
    assert (found["rollcall_stream_turn_seconds_count"], found["rollcall_stream_step_seconds_count|step=rows"]) == (2, 2)
    assert found["rollcall_stream_turn_seconds_sum"] == pytest.approx(0.3 * len(words.STEPS) + 9)
    assert found["rollcall_stream_step_seconds_sum|step=rows"] == pytest.approx(3.3)
    assert found["rollcall_stream_turn_seconds_bucket|le=4.0"] == 1
    assert {name.partition("step=")[2] for name in found if "step_seconds_sum" in name} == set(words.STEPS)


def test_a_turn_that_hangs_is_seen_while_it_does(stream: StreamMetrics) -> None:
    assert shown(stream)["rollcall_stream_running_turn_seconds"] == 0
    stream.running = lambda: ("batch 4", datetime.now(UTC) - timedelta(seconds=90))
    assert 90 <= shown(stream)["rollcall_stream_running_turn_seconds"] < 100


def test_the_producers_metrics_are_its_sign_of_life(producer: ProducerMetrics) -> None:
    found = shown(producer)
    assert {key: found[f"rollcall_producer_{name}_total"] for key, (name, _) in ProducerMetrics.COUNTERS.items()} == {
        "read": 9, "sent": 6, "dead": 2, "skipped": 1, "dropped": 40, "pages": 1}
    assert found["rollcall_producer_heartbeat_timestamp_seconds"] == AT.timestamp()
    assert found["rollcall_producer_source_info|source=replay|synthetic=false"] == 1
    assert f"the {Randomuser.name} API" in ProducerMetrics.systems


def test_waits_are_counted_on_with_each_try_and_never_twice(stream: StreamMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("engine.metrics.time.monotonic", lambda: clock[0])

    def seen() -> tuple[set[str], Samples]:
        waited = "rollcall_stream_waited_seconds_total|system="
        return waits_for(stream), {name.removeprefix(waited): value for name, value in shown(stream).items() if waited in name}

    assert seen() == (set(), {"Kafka": 0, "Cassandra": 0, "MongoDB": 0}), "what may come is there from the start"
    for clock[0], system in ((100, "Kafka"), (101, "Kafka"), (103, "MongoDB"), (110, ""), (150, ""), (200, "Kafka")):
        stream.waits.on(system)
    assert seen() == ({"Kafka"}, {"Kafka": 3, "Cassandra": 0, "MongoDB": 7})


def waits_for(metrics: Metrics) -> set[str]:
    """The systems that a program says it waits for."""
    return {name.partition("=")[2] for name, value in shown(metrics).items() if "_waiting|" in name and value == 1}


def test_the_producer_tells_when_a_wait_begins_and_ends(settings: Settings) -> None:
    ensure_keys(settings)
    metrics, stop, said = ProducerMetrics(), threading.Event(), list[str]()
    with ExitStack() as stack:
        source = open_source(having(settings, source="synthetic"), said.append, stop)
        run = _Run(settings, source, said.append, stop, None, True, metrics, stack)
        run._pause(0.0, "Kafka", "it is away")
        assert waits_for(metrics) == {"Kafka"}
        run._wait(0.0, "it is slow")
        assert waits_for(metrics) == {"the synthetic API"}
        run._running()
        assert waits_for(metrics) == set()


def test_the_stream_tells_of_mongodb_too_which_cannot_be_noted_there(stream: StreamMetrics) -> None:
    nothing: Any = None
    waiting = {"for": "MongoDB", "since": AT, "why": "it is away"}
    recorded(nothing, nothing, stream, waiting)
    assert waits_for(stream) == {"MongoDB"}


@pytest.mark.parametrize("program", ["stream", "producer"])
def test_names_are_as_prometheus_wants_them(program: str, request: pytest.FixtureRequest) -> None:
    metrics: Metrics = request.getfixturevalue(program)
    families = list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))
    assert len(families) > 10
    for family in families:
        assert re.fullmatch(rf"(rollcall_{program}|process)_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert not sample.name.endswith("_created")
    durations = [family.name for family in families if re.search(r"second|timestamp|time", family.name)]
    assert all(re.search(r"_seconds$", name) for name in durations)


def test_no_person_is_in_a_metric_or_a_label() -> None:
    canary = "canary.person@example.com"
    stream, producer = StreamMetrics(), ProducerMetrics()
    stream.closed({**FIGURES, "checkpoint": canary, "offsets": {canary: 4}, "totals": {**TOTALS, canary: 3},
                   "read": {"lease": canary}, canary: canary})
    producer.document = {**BEAT, "place": canary, "state": f"waiting for Kafka because {canary}", canary: canary,
                         "dropped_fields": [{"field": canary, "times": 4}]}
    text = (generate_latest(stream.registry) + generate_latest(producer.registry)).decode()
    assert "rollcall_producer_people_sent_total 6.0" in text
    assert "canary" not in text
    labels = {(name, value) for family in text_string_to_metric_families(text) for sample in family.samples
              for name, value in sample.labels.items() if name != "le"}
    assert labels == {*(("system", one) for one in (*StreamMetrics.systems, *ProducerMetrics.systems)),
                      *(("step", one) for one in words.STEPS), ("source", "replay"), ("synthetic", "false")}


def test_they_are_served_on_this_machine_while_the_program_runs(settings: Settings, stream: StreamMetrics) -> None:
    said, port = list[str](), settings.metrics.stream_port
    with served(settings, stream, said.append):
        text = until("an answer", lambda: scraped(port))
        assert parsed(text)["rollcall_stream_lag_records"] == 42
        assert {one.laddr.ip for one in psutil.net_connections("tcp") if one.laddr and one.laddr.port == port
                and one.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    assert said == [f"figures for Prometheus: http://127.0.0.1:{port}/metrics"]
    with socket.create_server(("127.0.0.1", port)):
        pass    # it was let go of


def test_a_port_that_is_taken_is_said_once_and_had_as_soon_as_it_is_free(
        settings: Settings, producer: ProducerMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "RETRY_S", 0.05)
    said, port, tries = list[str](), settings.metrics.producer_port, list[int]()

    def counted(*given: Any) -> Any:
        tries.append(1)
        return start_http_server(*given)

    monkeypatch.setattr(ours, "start_http_server", counted)
    with socket.create_server(("127.0.0.1", port)) as other, served(settings, producer, said.append):
        until("a third try", lambda: len(tries) > 2)
        assert len(said) == 1, "the flow was let in at once, and nobody is told again and again"
        assert said[0].startswith("no figures for Prometheus, all else goes on: 127.0.0.1:")
        assert "Address already in use" in said[0]
        assert "ROLLCALL_METRICS__PRODUCER_PORT=" in said[0]
        other.close()
        until("an answer", lambda: scraped(port))
    assert said[1:] == [f"figures for Prometheus: http://127.0.0.1:{port}/metrics"]


def test_nobody_listens_where_they_are_not_wanted(settings: Settings, stream: StreamMetrics) -> None:
    off = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"serve": False})})
    said = list[str]()
    with served(off, stream, said.append), socket.create_server(("127.0.0.1", off.metrics.stream_port)):
        assert "metrics" not in {thread.name for thread in threading.enumerate()}
    assert said == []
    check = next(check for check in CHECKS if check.name == "port metrics.stream_port")
    with socket.create_server(("127.0.0.1", off.metrics.stream_port)):
        assert not check.look(settings).ok
        assert check.look(off).found == "not needed: metrics are not served"


def test_the_sign_of_life_is_made_each_second_though_mongodb_is_away(settings: Settings) -> None:
    heart = Heartbeat(settings, "producer")
    heart.beat(1, {})    # in vain
    until("the next being due", lambda: heart.due, 2)
    began = time.monotonic()
    assert heart.beat(2, {"pages": 5}).items() >= {"sent": 2, "pages": 5}.items()
    assert time.monotonic() - began < LONGEST_WAIT_S, "the store is not tried again so soon"
    heart.close()


@pytest.fixture(params=[("stream", "MongoDB", ("stream", "run")), ("producer", "Cassandra", ("produce", "--supervised"))],
                ids=lambda given: given[0])
def waiting(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[str, str, subprocess.Popen[bytes], int]]:
    """A program, the system it waits for since nothing runs here, its process, its port."""
    program, system, command = request.param
    rollcall = [sys.executable, "-m", "engine.cli"]
    env = {**os.environ, "ROLLCALL_PRODUCER__SOURCE": "synthetic"}
    subprocess.run([*rollcall, "provision", "--secrets-only"], cwd=CLONE, env=env, check=True, capture_output=True)
    process = subprocess.Popen([*rollcall, *command], cwd=CLONE, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield program, system, process, getattr(settings.metrics, f"{program}_port")
    finally:
        process.kill()
        process.wait()


@pytest.mark.long
def test_a_program_tells_what_it_waits_for_whatever_is_away(
        waiting: tuple[str, str, subprocess.Popen[bytes], int]) -> None:
    program, system, process, port = waiting
    now, waited = (f"rollcall_{program}_{name}|system={system}" for name in ("waiting", "waited_seconds_total"))
    until("the wait being seen", lambda: parsed(scraped(port)).get(now) == 1)
    first = parsed(scraped(port))[waited]
    until("the wait being counted on", lambda: parsed(scraped(port))[waited] > first)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert scraped(port) == ""
