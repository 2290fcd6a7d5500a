"""What stream and producer tell Prometheus: the documents they keep in `pipeline_status`, and what they wait for.

    metrics = StreamMetrics()
    with served(settings, metrics, say):
        run(settings, say, metrics)

Nothing is counted a second time here: a counter is the number that `rollcall status` shows, and goes on where it was after a
restart of the stream as that does. Labels are names from the code, never from a record, a file or an error.
docs/operating.md lists every metric; infra/metrics has the dashboard and the alerts.
"""

import ssl
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.machine import ports
from engine.settings import Settings
from engine.tls import trust
from engine.tls.pages import scheme
from engine.tls.served import Served

Document = Mapping[str, Any]
Named = Mapping[str, tuple[str, str]]

RETRY_S = 15.0
"""Seconds between two tries to listen at a port that is taken."""

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the buckets of what turns and their steps take."""

disable_created_metrics()    # type: ignore[no-untyped-call]  # a series beside each counter, which nobody asks


class Waits:
    """What a program waits for, and for how many seconds it has: counted on with each try. One thread at a time."""

    def __init__(self, program: str, registry: CollectorRegistry, systems: tuple[str, ...]) -> None:
        self._now = Gauge(f"rollcall_{program}_waiting", "1 while it waits for the system, else 0.", ["system"],
                          registry=registry)
        self._total = Counter(f"rollcall_{program}_waited_seconds", "Seconds for which it has waited for the system.",
                              ["system"], registry=registry)
        for system in systems:
            self._now.labels(system)
            self._total.labels(system)
        self._system, self._since = "", 0.0

    def on(self, system: str) -> None:
        """It waits for this system, still or from now on; empty: for none."""
        now = time.monotonic()
        if self._system:
            self._total.labels(self._system).inc(now - self._since)
            self._now.labels(self._system).set(0)
        if system:
            self._now.labels(system).set(1)
        self._system, self._since = system, now


class Metrics(Collector):
    """The metrics of one program. `document` is what it last wrote of itself; None until then."""

    program: str
    systems: tuple[str, ...]
    document: Document | None = None

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.waits = Waits(self.program, self.registry, self.systems)
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """What the document says."""
        if (document := self.document) is not None:
            yield from self.said(document)

    @abstractmethod
    def said(self, document: Document) -> Iterator[Metric]:
        """The document as metrics."""


class StreamMetrics(Metrics):
    """Those of the stream. `document` is `figures` as the last turn left it."""

    program = "stream"
    systems = ("Kafka", "Cassandra", "MongoDB")
    COUNTERS: ClassVar[Named] = {
        "read": ("records_read", "Records read from the topic of people."),
        "valid": ("records_valid", "Records that are people."),
        "nulls": ("records_null", "Marks for compaction."),
        "dead": ("dead_letters", "Records kept as dead letters."),
        "stale": ("records_stale", "Records that were not newer than the row."),
        "barred": ("records_barred", "Records of people erased, or of before a lift."),
        "age_differs": ("records_age_differs", "Records whose age is not that of their birth date."),
        "new": ("rows_new", "Rows of new people."),
        "changed": ("rows_changed", "Rows that were changed."),
        "deleted": ("rows_deleted", "Rows that were deleted."),
        "commands": ("commands", "Commands carried out."),
        "sealed": ("rows_sealed", "Rows that were sealed anew after a rotation of keys.")}
    """Count of a turn (engine/writer/write_order.py, Figures) -> its metric, and what that is."""

    def __init__(self) -> None:
        super().__init__()
        self.running: Callable[[], tuple[str, datetime] | None] = lambda: None
        """The turn that runs, and since when."""
        self._turn = Histogram("rollcall_stream_turn_seconds", "Seconds of a turn.", buckets=SECONDS, registry=self.registry)
        self._step = Histogram("rollcall_stream_step_seconds", "Seconds of a step of a turn.", ["step"], buckets=SECONDS,
                               registry=self.registry)

    def closed(self, document: Document) -> None:
        """A turn was closed, with this document."""
        self._turn.observe(sum(document["seconds"].values()))
        for step, seconds in document["seconds"].items():
            self._step.labels(step).observe(seconds)
        self.document = document

    def collect(self) -> Iterator[Metric]:
        """What the document says, and for how long the turn that runs does."""
        running = self.running()
        yield GaugeMetricFamily("rollcall_stream_running_turn_seconds", "Seconds for which a turn runs; 0: none does.",
                                (datetime.now(UTC) - running[1]).total_seconds() if running else 0)
        yield from super().collect()

    def said(self, document: Document) -> Iterator[Metric]:
        """Totals since the first turn, and where it stands."""
        yield from _counters(self.program, self.COUNTERS, document["totals"])
        yield GaugeMetricFamily("rollcall_stream_lag_records", "Records that lay unread when the last turn was closed.",
                                document["behind"])
        yield GaugeMetricFamily("rollcall_stream_last_turn_timestamp_seconds", "When the last turn was closed.",
                                document["at"].timestamp())


class ProducerMetrics(Metrics):
    """Those of the producer. `document` is `producer`, its sign of life."""

    program = "producer"
    systems = ("Kafka", "Cassandra", "the randomuser API")
    COUNTERS: ClassVar[Named] = {
        "read": ("people_read", "People read from the source since the producer started."),
        "sent": ("people_sent", "People whose record the broker has acknowledged."),
        "dead": ("dead_letters", "People kept as dead letters."),
        "skipped": ("people_skipped", "People left out, for they are erased."),
        "dropped": ("fields_dropped", "Fields left out, for the catalogue drops them."),
        "pages": ("pages", "Pages of the source that are done.")}
    """Field of the document -> its metric, and what that is."""

    def said(self, document: Document) -> Iterator[Metric]:
        """Counts since it started, and when it said so."""
        yield from _counters(self.program, self.COUNTERS, document)
        yield GaugeMetricFamily("rollcall_producer_heartbeat_timestamp_seconds", "When the producer last gave a sign of life.",
                                document["at"].timestamp())
        yield InfoMetricFamily("rollcall_producer_source", "Where people come from.", {
            "source": document["source"], "synthetic": str(document["synthetic"]).lower()})


def _counters(program: str, named: Named, counts: Mapping[str, int]) -> Iterator[Metric]:
    return (CounterMetricFamily(f"rollcall_{program}_{name}", what, counts.get(key, 0)) for key, (name, what) in named.items())


def _speak_tls(server: Any, context: ssl.SSLContext) -> None:
    """prometheus_client's own way would wait in its one accepting thread for whoever connects and says nothing. Here each
    connection's thread shakes hands; who does not speak TLS is not worth a traceback in the log."""
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None


@contextmanager
def served(settings: Settings, metrics: Metrics, say: Callable[[str], None]) -> Iterator[None]:
    """Answers at the program's port meanwhile, in a thread. Where the port cannot be had it says so, once, and tries again:
    the flow never waits for those who watch it."""
    over = threading.Event()
    thread = threading.Thread(target=_answer, args=(settings, metrics, say, over), name="metrics", daemon=True)
    if settings.tls.on and metrics.program == "stream":    # one of the two tells it
        metrics.registry.register(Served(settings))
    if settings.metrics.serve:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if settings.metrics.serve:
            thread.join()


def _answer(settings: Settings, metrics: Metrics, say: Callable[[str], None], over: threading.Event) -> None:
    setting = f"{metrics.program}_port"
    host, port = settings.metrics.host, getattr(settings.metrics, setting)
    refused = False
    while not over.is_set():
        try:
            server, thread = start_http_server(port, host, metrics.registry)
            if (context := trust.serving(settings, "metrics")) is not None:
                _speak_tls(server, context)
        except OSError as error:
            if not refused:
                say(f"no figures for Prometheus, all else goes on: {host}:{port} cannot be listened at ({error.strerror}). "
                    f"{ports.remedy(settings, f'metrics.{setting}')} It is tried again every {RETRY_S:.0f} s.")
            refused = True
            over.wait(RETRY_S)
        else:
            say(f"figures for Prometheus: {scheme(settings)}://{host}:{port}/metrics")
            over.wait()
            server.shutdown()
            server.server_close()
            thread.join()
