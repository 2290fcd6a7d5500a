"""Hop 3: Kafka to the stores. One query whose foreachBatch does turns, and idle turns for commands when no people flow.

`run` is the whole life of a stream: take the lease, wait for the stores, start the query, do turns, stop at the gate.
Stopping is asked by SIGTERM or SIGINT and answered at the entry of the next turn, never in the middle of one.
A store that goes away is waited for: the turn stays open and the same batch is tried again (engine/outage.py).
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pymongo
from pyspark.sql import DataFrame, SparkSession

from engine.clients import cassandra_session, mongo_client
from engine.errors import (
    LeaseHeld,
    LeaseLost,
    OffsetsLost,
    Retryable,
    RoleGone,
    RollcallError,
    ServerFailed,
    SignInRefused,
    StoreAway,
)
from engine.log_lines import in_turn
from engine.metrics import StreamMetrics
from engine.migrations.versions import require_current
from engine.outage import Outage
from engine.person import NATIONALITIES
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings
from engine.spark.batch import Surroundings, recounted
from engine.spark.failures import FAILURES, translated, unforeseen
from engine.spark.pins import repin
from engine.spark.session import kafka_options, spark_session
from engine.spark.small_batch import FEW, Batches
from engine.spark.watchdog import Watchdog
from engine.stopping import Stopping, StopRequested
from engine.stores.dead_letters import DeadLetters
from engine.stores.status import Status
from engine.stores.stream_stores import StreamStores
from engine.writer import fence
from engine.writer import lease as leases
from engine.writer.lease import Lease
from engine.writer.lost import offsets_lost
from engine.writer.plain_batch import PlainBatch
from engine.writer.write_order import Batch, Figures, WriteOrder

Say = Callable[[str], None]

PATIENCE_WITH_SPARK_S = 15.0    # how long an open batch turn is left to Spark before it is recounted
QUIET_S = 1.0                   # how long Spark must have rested before commands are served without it
LOG_LINE_S = 60.0
RECORD_WITHIN_S = 2.0           # how long the note for `rollcall status` may take
LEARNT_FROM = 500               # records of a turn from which on it pays to know who has a row


class Stream:
    """A running stream. `turn` is entered by Spark's batches and by idle turns, one at a time."""

    def __init__(self, settings: Settings, keys: KeyRing, spark: SparkSession, stores: StreamStores, lease: Lease,
                 outage: Outage, say: Say, fenced: float, metrics: StreamMetrics) -> None:
        self.settings, self.keys, self.spark, self.stores, self.lease = settings, keys, spark, stores, lease
        self.outage, self.stop, self.say, self.metrics = outage, outage.stop, say, metrics
        self.batches = Batches(Surroundings(settings, keys, stores.dead_letters, stores.known), stores.profiles)
        self.lock, self.started = threading.Lock(), threading.Event()
        self.order: WriteOrder | None = None
        self.failure: BaseException | None = None
        self.running: tuple[str, datetime] | None = None
        self.last_line, self.quiet_since = time.monotonic(), 0.0
        self.stood, self.offsets = 0, dict[str, int]()    # up to which everything was read, by partition
        self.unsure_since = None if lease.clean else fenced    # of others' writes, until this stream has waited for them
        outage.again = self.afresh
        metrics.running = lambda: self.running
        Watchdog(spark, self.sign, say, 2 * settings.longest_client_timeout_s).start()

    def start(self) -> Any:
        """Starts the query; its id is that of the checkpoint, new if the checkpoint is."""
        self.failure, self.quiet_since = None, time.monotonic() + 2 * QUIET_S    # a query that has just started looks at rest
        records = (self.spark.readStream.format("kafka").options(**kafka_options(self.settings, "stream"))
                   .option("subscribe", self.settings.kafka.topic).option("startingOffsets", "earliest")
                   .option("includeHeaders", "true").option("failOnDataLoss", "true")
                   # a broker that is away is waited for here, where it is seen, not in Spark
                   .option("fetchOffset.numRetries", "1")
                   .option("kafkaConsumer.pollTimeoutMs", self.settings.kafka.request_timeout_s * 1000)
                   .option("maxOffsetsPerTrigger", self.settings.stream.max_offsets_per_trigger).load())
        query = (records.writeStream.foreachBatch(self.on_batch).queryName("rollcall")
                 .option("checkpointLocation", self.settings.checkpoint_url)
                 .trigger(processingTime=f"{self.settings.stream.trigger_ms} milliseconds").start())
        if self.order is None or self.order.checkpoint != str(query.id):
            self.offsets, self.order = {}, WriteOrder(
                self.stores, str(query.id), lambda: int(time.time() * 1000), self.settle, self.enter,
                self.idle_batch, self.lease.clean if self.order is None else self.order.sure, self.say)
        self.started.set()
        return query

    def on_batch(self, raw: DataFrame, number: int) -> None:
        """Spark's foreachBatch. Returns when the turn is closed, however long a store is away."""
        self.started.wait()
        try:
            with self.lock:
                self.running = f"batch {number}", datetime.now(UTC)
                try:
                    figures, ends, synthetic = self.outage.through(partial(self.attempt, raw, number))
                    self.outage.through(partial(self.close_turn, figures, ends, synthetic))
                    if self.order and self.order.unsealed and not self.stop.is_set():    # while people flow no turn is idle
                        self.outage.through(self.idle_turn)
                    if figures.counts["read"] >= LEARNT_FROM:
                        self.stores.known.learn(self.stores.profiles, self.say)
                finally:
                    self.running = None    # whatever ended it: a stop must not be told of a batch that is over
        except BaseException as error:
            self.failure = self.failure or error
            if not isinstance(error, StopRequested | RollcallError):
                self.say(f"batch {number} failed:\n{unforeseen(error)}")
            raise

    def attempt(self, raw: DataFrame, number: int) -> tuple[Figures, dict[str, int], bool]:
        """One attempt at a batch's turn: its figures, where its records end by partition, whether they are synthetic."""
        most = self.stores.behind(self.offsets) if self.offsets else FEW
        batch = self.batches.next(most, raw, number)
        try:
            return self.do_turn(batch), batch.ends, batch.synthetic
        except Exception:
            self.evict()    # before the batch is closed, for Spark asks the connector even then
            raise
        finally:
            batch.close()

    def afresh(self) -> None:
        """Before a turn is tried again: forgets what was sent for it, and the connector's session."""
        self.stores.give_up()
        self.evict()

    def evict(self) -> None:
        """Forgets the connector's session. Its driver never reads the schema again once it failed to
        (engine/spark/watchdog.py), and the connector does so with every table it reads or writes."""
        with suppress(*FAILURES):
            jvm: Any = self.spark._jvm
            jvm.com.datastax.spark.connector.cql.CassandraConnector.evictCache()

    def sign(self) -> object:
        """What changes as a turn moves; None while none runs."""
        step = self.order.figures.running if self.order else ""
        return self.running and (self.running[0], step, self.outage.tries, self.stood)

    def do_turn(self, batch: Batch) -> Figures:
        """One turn of the writer."""
        if self.order is None:
            raise RuntimeError("the stream was not started")
        return self.order.turn(batch)

    def idle_turn(self) -> None:
        """A turn without records."""
        figures = self.do_turn(self.idle_batch())
        self.outage.through(partial(self.close_turn, figures, {}, False))

    def idle_batch(self) -> PlainBatch:
        """The batch of an idle turn: no records."""
        return PlainBatch(None, (), self.keys.suppression_token, self.stores.markers, self.stores.profiles.rows)

    def idle(self, trigger_active: bool) -> None:
        """An idle turn, if there is something to do that Spark's next batch will not do anyway."""
        now = time.monotonic()
        if trigger_active:
            self.quiet_since = now
        if now < self.outage.again_at or now - self.quiet_since < QUIET_S or not self.lock.acquire(blocking=False):
            return
        try:
            if self._idle_turn_due(now):
                self.running = "an idle turn", datetime.now(UTC)
                self.idle_turn()
            else:
                self.enter()
            self.outage.over()
        except (Retryable, SignInRefused, *FAILURES) as error:
            self.outage.met(error)
        finally:
            self.running = None
            self.lock.release()

    def _idle_turn_due(self, now: float) -> bool:
        state = self.stores.state()
        pending = state.open is not None and state.open.batch is not None
        if pending and now - self.quiet_since < PATIENCE_WITH_SPARK_S:
            return False
        return (self.stores.control_end() > state.control or state.open is not None or state.recount or state.unsealed
                or (self.order is not None and state.checkpoint != self.order.checkpoint))

    def enter(self) -> None:
        """The gate at the entry of every turn: stop, lease, and a verify that asks for stillness."""
        if self.stop.is_set():
            raise StopRequested
        self.lease.check()
        self.stand_still()

    def settle(self) -> None:
        """Waits until nothing that was sent with unknown outcome can still land."""
        since, self.unsure_since = self.unsure_since, None
        wait = self.settings.longest_client_timeout_s + fence.CACHED_S
        left = wait if since is None else since + wait - time.monotonic()
        self.say(f"the outcome of earlier writes is not known: waiting {wait:.0f} s until none can still land"
                 + ("" if since is None else f", of which {max(left, 0):.0f} s are left"))
        if self.stop.wait(max(left, 0)):
            raise StopRequested
        self.lease.check()

    def stand_still(self) -> None:
        """While a verify or backup holds it, says so to it and waits. Not before a turn that is open or a recount that is due:
        that comes first, for a verify of half a turn would find what is none."""
        status, told = self.stores.status, False
        while (hold := status.read("hold")) and hold["until"] > datetime.now(UTC) and not hold["released"]:
            if not told:
                state = self.stores.state()
                if state.open is not None or state.recount:
                    return
                status.write("standing", {"hold": hold["number"]})
                self.say("standing still while the stores are read")
                told = True
            self.stood += 1
            if self.stop.wait(0.2):
                raise StopRequested
        if told:
            self.say("going on")

    def close_turn(self, figures: Figures, ends: dict[str, int], synthetic: bool) -> None:
        """Writes the figures, and says the turn's line."""
        checkpoint = self.order.checkpoint if self.order else ""
        document = self.stores.status.closed(figures, checkpoint, ends, self.stores.behind, synthetic, self.lease.number)
        self.offsets = document["offsets"] if ends else self.offsets    # an idle turn may close before a batch that comes again
        self.metrics.closed(document)
        counts, took = {name: n for name, n in figures.counts.items() if n}, sum(figures.seconds.values())
        self.say(f"turn {figures.turn} batch {figures.batch}: {counts} in {took:.2f} s, {document['behind']} behind")
        in_turn(None)

    def doing(self) -> str:
        """What a stop waits for."""
        if (running := self.running) is None:
            return "Spark to end"
        step = self.order.figures.running if self.order else ""
        return f"{running[0]}, which runs since {running[1]:%H:%M:%S} UTC{f' (step: {step})' if step else ''}"

    def say_line(self) -> None:
        """Once a minute: the aggregates and the totals as one line, and the history trimmed."""
        if time.monotonic() - self.last_line < LOG_LINE_S:
            return
        self.last_line = time.monotonic()
        self.stores.status.trim()
        if self.order is not None:
            self.order.tidy()
        nationalities = sorted(((kept.get("users", 0), kept["_id"]) for kept in
                                self.stores.aggregates.documents(NATIONALITIES)), reverse=True)
        first = ", ".join(f"{name} {users}" for users, name in nationalities[:5])
        totals = (self.stores.status.read("figures") or {}).get("totals", {})
        self.say(f"aggregates: {sum(users for users, _ in nationalities)} users, most {first}; totals: {totals}")


def run(settings: Settings, say: Say, metrics: StreamMetrics) -> None:
    """Runs the stream until it is asked to stop, waiting for stores that are away.

    Raises LeaseHeld, LeaseLost, OffsetsLost, SignInRefused, FolderUnusable, ServerFailed.
    """
    stopping = Stopping(say)
    outage = Outage(stopping.asked, say, translated)
    outage.record = lambda waiting: metrics.waits.on(waiting["for"])
    keys = load_keys(settings)
    with ExitStack() as stack, suppress(StopRequested):
        client = stack.enter_context(mongo_client(settings, "stream"))
        database = client[settings.mongo.database]
        lease = taken(database, settings, outage, say)
        outage.record = partial(recorded, Status(database), lease, metrics)
        say(f"holding lease {lease.number}")
        stream = None
        try:
            metrics.document = outage.through(partial(Status(database).read, "figures"))
            role = outage.through(lambda: fence.raised(settings, lease.number))
            outage.known = partial(explained, lease)
            fenced = time.monotonic()    # Spark starts while earlier writes may still land
            session = outage.through(lambda: stack.enter_context(cassandra_session(settings, "stream", role)))
            spark = spark_session(settings, "stream", "stream", role)
            letters = DeadLetters(settings, "stream", keys)
            stores = outage.through(partial(StreamStores, settings, keys, session, database, lease, letters,
                                            partial(recounted, settings, spark), partial(repin, settings, spark, keys)))
            stream = Stream(settings, keys, spark, stores, lease, outage, say, fenced, metrics)
            stopping.doing = stream.doing
            live(stream)
            stores.close()
            letters.close()
            spark.stop()
        finally:
            try:
                lease.release(clean=lease.clean if stream is None or stream.order is None else stream.order.sure)
            except StoreAway:
                say("the lease could not be given back: the next start waits until this one's writes can no longer land")
    stopping.ended.set()
    say("stopped")


def taken(database: Any, settings: Settings, outage: Outage, say: Say) -> Lease:
    """The lease. Raises LeaseHeld, StopRequested, and OtherVersion of stores that are to be migrated first."""
    outage.through(partial(require_current, settings, "stream"))
    try:
        return outage.through(lambda: leases.take(database, settings.stream.lease_s, outage.stop, say))
    except LeaseHeld:
        if outage.stop.is_set():
            raise StopRequested from None
        raise


def explained(lease: Lease, error: BaseException) -> RollcallError | None:
    """What a failure means. In a stream that stood still while another took over anything may fail, and that is why:
    Cassandra above all refuses it (engine/writer/fence.py), as it does where a backup was brought back without that role."""
    ours = error if isinstance(error, RollcallError) else translated(error)
    if ours is not None and not isinstance(ours, SignInRefused):
        return ours
    try:
        lease.check()
    except LeaseLost as lost:
        return lost
    except RollcallError:    # MongoDB does not answer: that says nothing of this failure
        return ours
    if isinstance(ours, SignInRefused) and ours.store == "Cassandra":
        return RoleGone("Cassandra refuses the role that this stream made for itself: one that was overtaken took it away, or "
                        "a backup without it was brought back. The next start makes a new one.", ours.store)
    return ours


def recorded(status: Status, lease: Lease, metrics: StreamMetrics, waiting: dict[str, Any]) -> None:
    """Notes what is waited for; where MongoDB itself is away, the log alone says it."""
    metrics.waits.on(waiting["for"])
    if waiting["for"] == "MongoDB":
        return
    with suppress(RollcallError), pymongo.timeout(RECORD_WITHIN_S):
        status.write("waiting", {**waiting, "lease": lease.number})


def live(stream: Stream) -> None:
    """Keeps a query running until the stream is asked to stop; one that failed since Kafka is away is started again."""
    query = None
    try:
        while True:
            try:
                query = stream.start()
                follow(stream, query)
            except (StoreAway, SignInRefused, *FAILURES) as error:
                stream.outage.wait(error)
            else:
                return
    except OffsetsLost:
        raise offsets_lost(stream.settings, stream.spark) from None
    except FAILURES as error:
        raise failed(stream, error) from None
    finally:
        stream.stop.set()      # whatever ended this: no further turn begins,
        with stream.lock:      # and the one that runs has ended,
            pass
        with suppress(*FAILURES):
            if query is not None:
                query.stop()   # so that one which waited for the lock meets the gate, not this call


def follow(stream: Stream, query: Any) -> None:
    """Looks after commands while the query runs; returns when it was asked to stop and no turn runs.

    Raises what the turn that failed raised, otherwise what Spark did.
    """
    try:
        while not query.awaitTermination(stream.settings.stream.idle_turn_s):
            active = bool(query.status["isTriggerActive"])
            if stream.stop.is_set():
                if not active:
                    return
                continue    # the batch that runs ends as it would; the next one meets the gate
            with suppress(StopRequested):
                stream.idle(active)
            with suppress(Retryable, SignInRefused):    # the next turn meets the same and waits for it
                stream.say_line()
    except FAILURES as error:
        failure = stream.failure
        if isinstance(failure, StopRequested) or (failure is None and stream.stop.is_set()):
            return
        if isinstance(failure, RollcallError):
            raise failure from None
        if failure is not None:
            raise failed(stream, failure) from None
        raise error from None


def failed(stream: Stream, error: BaseException) -> RollcallError:
    """What a failure of no known kind becomes; the supervisor starts the stream again."""
    if stream.failure is None:
        stream.say(f"the query failed:\n{unforeseen(error)}")
    return ServerFailed(f"A batch failed ({type(error).__name__}); its turn stays open and is resumed at the next start. "
                        "The log of the stream has the details: `rollcall logs stream`.")
