"""Hop 3: Kafka to the stores. One query whose foreachBatch does turns, and idle turns for commands when no people flow.

`run` is the whole life of a stream: wait for the stores, take the lease, start the query, do turns, stop at the gate.
Stopping is asked by SIGTERM or SIGINT and answered at the entry of the next turn, never in the middle of one.
"""

import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from engine import lease as leases
from engine.clients import cassandra_session, mongo_client
from engine.errors import OffsetsLost, RollcallError, ServerFailed, StoreAway
from engine.lease import Lease
from engine.person import NATIONALITIES, Cell
from engine.plain_batch import PlainBatch
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings
from engine.spark_batch import CASSANDRA, SparkBatch, Surroundings, counted_cells
from engine.spark_session import cassandra_table, kafka_options, spark_session
from engine.stores.dead_letters import DeadLetters
from engine.stores.stream_stores import StreamStores
from engine.write_order import Batch, Figures, WriteOrder

Say = Callable[[str], None]

WAIT_MOST_S = 15.0
PATIENCE_WITH_SPARK_S = 15.0    # how long an open batch turn is left to Spark before it is recounted
QUIET_S = 1.0                   # how long Spark must have rested before commands are served without it
LOG_LINE_S = 60.0
TRACE_LINES = 12


class StopRequested(Exception):
    """The stream was asked to stop; the turn that met this wrote nothing."""


class Stream:
    """A running stream. `turn` is entered by Spark's batches and by idle turns, one at a time."""

    def __init__(self, settings: Settings, keys: KeyRing, spark: SparkSession, stores: StreamStores, lease: Lease,
                 stop: threading.Event, say: Say) -> None:
        self.settings, self.keys, self.spark, self.stores, self.lease = settings, keys, spark, stores, lease
        self.stop, self.say = stop, say
        self.around = Surroundings(settings, keys, stores.dead_letters)
        self.lock, self.started = threading.Lock(), threading.Event()
        self.order: WriteOrder | None = None
        self.failure: BaseException | None = None
        self.last_line = time.monotonic()
        self.quiet_since = time.monotonic() + 2 * QUIET_S    # a query that has just started looks at rest

    def start(self) -> Any:
        """Starts the query; its id is that of the checkpoint, new if the checkpoint is."""
        records = (self.spark.readStream.format("kafka").options(**kafka_options(self.settings, "stream"))
                   .option("subscribe", self.settings.kafka.topic).option("startingOffsets", "earliest")
                   .option("includeHeaders", "true").option("failOnDataLoss", "true")
                   .option("maxOffsetsPerTrigger", self.settings.stream.max_offsets_per_trigger).load())
        query = (records.writeStream.foreachBatch(self.on_batch).queryName("rollcall")
                 .option("checkpointLocation", self.settings.checkpoint_url)
                 .trigger(processingTime=f"{self.settings.stream.trigger_ms} milliseconds").start())
        self.order = WriteOrder(
            self.stores, str(query.id), lambda: int(time.time() * 1000), self.settle, self.enter,
            self.idle_batch, self.lease.clean, self.say)
        self.started.set()
        return query

    def on_batch(self, raw: DataFrame, number: int) -> None:
        """Spark's foreachBatch."""
        self.started.wait()
        batch = SparkBatch(self.around, raw, number)
        try:
            with self.lock:
                self.close_turn(self.do_turn(batch), batch)
        except BaseException as error:
            self.failure = self.failure or error
            if not isinstance(error, StopRequested | RollcallError):
                self.say(f"batch {number} failed:\n" + "".join(traceback.format_exception(error)[-TRACE_LINES:]))
            raise
        finally:
            batch.close()

    def do_turn(self, batch: Batch) -> Figures:
        """One turn of the writer."""
        if self.order is None:
            raise RuntimeError("the stream was not started")
        return self.order.turn(batch)

    def idle_batch(self) -> PlainBatch:
        """The batch of an idle turn: no records."""
        return PlainBatch(None, (), self.keys.suppression_token, self.stores.markers, self.stores.profiles.rows)

    def idle(self, trigger_active: bool) -> None:
        """An idle turn, if there is something to do that Spark's next batch will not do anyway."""
        now = time.monotonic()
        if trigger_active:
            self.quiet_since = now
        if now - self.quiet_since < QUIET_S or not self.lock.acquire(blocking=False):
            return
        try:
            state = self.stores.state()
            pending = state.open is not None and state.open.batch is not None
            if pending and now - self.quiet_since < PATIENCE_WITH_SPARK_S:
                return
            if (self.stores.control_end() > state.control or state.open is not None or state.recount
                    or (self.order is not None and state.checkpoint != self.order.checkpoint)):
                self.close_turn(self.do_turn(self.idle_batch()), None)
            else:
                self.enter()
        finally:
            self.lock.release()

    def enter(self) -> None:
        """The gate at the entry of every turn: stop, lease, and a verify that asks for stillness."""
        if self.stop.is_set():
            raise StopRequested
        self.lease.check()
        self.stand_still()

    def settle(self) -> None:
        """Waits until nothing that was sent with unknown outcome can still land."""
        wait = self.settings.longest_client_timeout_s + 1
        self.say(f"the outcome of earlier writes is not known: waiting {wait:.0f} s until none can still land")
        if self.stop.wait(wait):
            raise StopRequested
        self.lease.check()

    def stand_still(self) -> None:
        """While a verify holds the stream, says so to it and waits."""
        status, told = self.stores.status, False
        while (hold := status.read("hold")) and hold["until"] > datetime.now(UTC) and not hold["released"]:
            if not told:
                status.write("standing", {"hold": hold["number"]})
                self.say("standing still while verify reads")
                told = True
            if self.stop.wait(0.2):
                raise StopRequested
        if told:
            self.say("going on")

    def close_turn(self, figures: Figures, batch: SparkBatch | None) -> None:
        """Writes the figures, and once a minute the log line."""
        checkpoint = self.order.checkpoint if self.order else ""
        document = self.stores.status.closed(figures, checkpoint, batch.ends if batch else {}, self.stores.behind,
                                             bool(batch and batch.synthetic))
        counts = {name: n for name, n in figures.counts.items() if n}
        took = sum(figures.seconds.values())
        self.say(f"turn {figures.turn} batch {figures.batch}: {counts} in {took:.2f} s, {document['behind']} behind")

    def say_line(self) -> None:
        """Once a minute: the aggregates and the totals as one line, and the history trimmed."""
        if time.monotonic() - self.last_line < LOG_LINE_S:
            return
        self.last_line = time.monotonic()
        self.stores.status.trim()
        nationalities = sorted(((kept["users"], kept["_id"]) for kept in
                                self.stores.aggregates.documents(NATIONALITIES)), reverse=True)
        first = ", ".join(f"{name} {users}" for users, name in nationalities[:5])
        totals = (self.stores.status.read("figures") or {}).get("totals", {})
        self.say(f"aggregates: {sum(users for users, _ in nationalities)} users, most {first}; totals: {totals}")


def run(settings: Settings, say: Say) -> None:
    """Runs the stream until it is asked to stop. Raises LeaseHeld, LeaseLost, OffsetsLost, SignInRefused, ServerFailed."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    keys = load_keys(settings)
    with ExitStack() as stack:
        try:
            session = waited("Cassandra", lambda: stack.enter_context(cassandra_session(settings, "stream")), stop, say)
            client = stack.enter_context(mongo_client(settings, "stream"))
            database = client[settings.mongo.database]
            lease = waited("MongoDB", lambda: leases.take(database, settings.stream.lease_s, stop, say), stop, say)
        except StopRequested:
            return
        say(f"holding lease {lease.number}")
        stream = None
        try:
            spark = spark_session(settings, "stream", "stream")
            letters = DeadLetters(settings, "stream", keys)
            stores = waited("Kafka", lambda: StreamStores(settings, keys, session, database, lease, letters,
                                                          lambda: recounted(settings, spark)), stop, say)
            stream = Stream(settings, keys, spark, stores, lease, stop, say)
            follow(stream, stream.start())
            stores.close()
            letters.close()
            spark.stop()
        except StopRequested:
            pass
        finally:
            lease.release(clean=lease.clean if stream is None or stream.order is None else stream.order.sure)
    say("stopped")


def follow(stream: Stream, query: Any) -> None:
    """Looks after commands while the query runs, until it is asked to stop or the query fails."""
    try:
        while not query.awaitTermination(stream.settings.stream.idle_turn_s):
            active = bool(query.status["isTriggerActive"])
            if stream.stop.is_set():
                if not active:
                    return
                continue    # the batch that runs ends as it would; the next one meets the gate
            with suppress(StopRequested):
                stream.idle(active)
            stream.say_line()
    except PySparkException as error:
        failure = stream.failure
        if isinstance(failure, StopRequested):
            return
        if isinstance(failure, RollcallError):
            raise failure from None
        raise _failed(error, failure) from failure
    finally:
        stream.stop.set()      # whatever ended this: no further turn begins,
        with stream.lock:      # and the one that runs has ended,
            pass
        query.stop()           # so that one which waited for the lock meets the gate, not this call


def _failed(error: PySparkException, failure: BaseException | None) -> RollcallError:
    text = str(error)
    if "failOnDataLoss" in text or "OffsetOutOfRange" in text or "data may have been lost" in text:
        return OffsetsLost("The topic no longer holds records that were not read yet: the stream stood still longer than "
                           "they are kept. Send their people again from the source, then delete the checkpoint and start "
                           "the stream: rows stay, aggregates are recounted (docs/operating.md).")
    kind = type(failure or error).__name__
    return ServerFailed(f"A batch failed ({kind}); its turn stays open and is resumed at the next start. The log of the "
                        f"stream has the details: `rollcall logs stream`.")


def waited(what: str, connect: Callable[[], Any], stop: threading.Event, say: Say) -> Any:
    """Connects, waiting visibly and with growing pauses while the store is away."""
    pause, since = 1.0, datetime.now(UTC)
    while True:
        try:
            return connect()
        except StoreAway as error:
            say(f"waiting for {what} since {since:%H:%M:%S} UTC: {error}")
        if stop.wait(pause):
            raise StopRequested
        pause = min(pause * 2, WAIT_MOST_S)


def recounted(settings: Settings, spark: SparkSession) -> dict[Cell, int]:
    """A count over all rows that are counted."""
    table = spark.read.format(CASSANDRA).options(**cassandra_table(settings, "profiles")).load()
    return {Cell(row.collection, row.document, row.gender, row.month): row.n for row in counted_cells(table).collect()}
