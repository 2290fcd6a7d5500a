"""The world a writer lives in: people and commands arrive, processes work, die and are paused, checkpoints are lost.

Each public method is a step of a history (steps.py). `World` is the same over stores in memory and over real ones.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from pymongo.errors import DuplicateKeyError

from engine.commands import OF_NOBODY, Command, Marker
from engine.errors import LeaseLost
from engine.person import Bad, Cell, Record, Row
from engine.writer.plain_batch import PlainBatch
from engine.writer.write_order import Stores, WriteOrder
from tests.histories.judge import judged
from tests.histories.memory import Memory, MemoryStores
from tests.histories.process import Crash, Process
from tests.histories.steps import Step
from tests.histories.topic import PARTITIONS, START, Topic

BATCHES = (4, 12, 60)   # one more than the most records of a partition that a process takes at once
DRIFT = 0.05    # share of writes after which one of a dead process lands, as long as nobody has waited
WAKES = 0.05    # share of writes before which a paused process wakes up that has lost its lease meanwhile
PATIENCE = 0.03    # share of idle turns in which Spark's batch was waited for in vain


class BatchStores(Stores, Protocol):
    """The stores of a process, with the look-ups and writes of its batches."""

    def read_rows(self, uuids: Iterable[str]) -> dict[str, Row]: ...

    def put_rows(self, rows: Sequence[tuple[Row, Record]], timestamp: int) -> None: ...

    def put_letters(self, places: Sequence[str]) -> None: ...


class Servers(Protocol):
    """What outlives a process; read for the judgement. memory.py, real.py."""

    topic: Topic
    commands: list[Command]
    fence: int

    def rows(self) -> dict[str, Row]: ...

    def markers(self) -> dict[str, Marker]: ...

    def cells(self) -> dict[Cell, int]: ...

    def letters(self) -> Counter[str]: ...

    def purge(self) -> None: ...

    def back_up(self) -> None: ...

    def restore(self) -> bool: ...


@dataclass(frozen=True)
class Design:
    """What is tried: the product, unless something is exchanged for something wrong."""

    order: type[WriteOrder] = WriteOrder
    batch: type[PlainBatch] = PlainBatch
    stores: type[MemoryStores] = MemoryStores
    waits: bool = True
    fences: bool = True
    clock_steps: bool = False


PRODUCT = Design()


@dataclass(frozen=True)
class Names:
    """Whom and what a history speaks of: its own on real servers, so that histories do not meet."""

    history: int = 0

    @property
    def uuids(self) -> tuple[str, ...]:
        return tuple(f"00000000-0000-4000-8000-{self.history:06d}{number:06d}" for number in range(8))

    def nat(self, letter: str) -> str:
        return f"{_letters(self.history)}{letter}"

    def domain(self, name: str) -> str:
        return f"h{self.history}.{name}"

    def token(self, uuid: str) -> str:
        return f"t{uuid}"

    def pins(self, number: int) -> str:
        """A rectification."""
        nat, domain = self.nat("PQRST"[number]), self.domain("pinned.org")
        return json.dumps(({"nat": nat}, {"email": f"a@{domain}"}, {"nat": nat, "dob": {"date": "1955-05-05"}},
                           {"gender": "pinned"}, {"name": {"first": "Ada"}, "phone": "112"})[number])


NAMES = Names()


def _letters(number: int) -> str:
    """A number as three capital letters."""
    return "".join(chr(ord("A") + number // 26 ** place % 26) for place in (2, 1, 0))


class World:
    """One history in progress."""

    def __init__(self, servers: Servers, stores: Callable[[Process], BatchStores], design: Design,
                 names: Names = NAMES) -> None:
        self.servers, self.stores_of, self.design, self.names = servers, stores, design, names
        self.uuids = names.uuids
        self.topic = servers.topic
        self.checkpoint, self.batch = "c0", 0
        self.read: tuple[int, ...] = (0,) * PARTITIONS        # Spark's place: what it has committed
        self.plan: tuple[int, ...] | None = None              # the ends of the batch it has written down
        self.lease = 0
        self.clean = True                                     # whether the last process ended with nothing in flight
        self.flying: list[Callable[[], None]] = []
        self.paused: Process | None = None
        self.away: tuple[Process, WriteOrder] | None = None   # a process that goes on after an outage

    # arrivals

    def person(self, who: int, elsewhere: bool, nat: str, gender: str, month: str, domain: str, later: int) -> None:
        self.topic.now += later
        self.topic.person((who + elsewhere) % PARTITIONS, self.uuids[who], self.names.nat(nat), gender, month,
                          self.names.domain(domain))

    def again(self, count: int, later: int) -> None:
        """The same seed is pulled again: the last people once more."""
        self.topic.now += later
        for last in self.topic.ever[-count:]:
            self.topic.person(last.at.partition, last.uuid, last.nat, last.gender, last.birth_month,
                              last.email_domain)

    def rubbish(self, partition: int, later: int, bad: int | None) -> None:
        self.topic.now += later
        self.topic.spoil(partition, "" if bad is None else self.uuids[bad])

    def command(self, verb: str, who: int, pins: int, back: int, later: int) -> None:
        self.topic.now += later
        uuid = "" if verb in OF_NOBODY else self.uuids[who]
        self.servers.commands.append(Command(
            len(self.servers.commands), self.topic.now, verb, self.names.token(uuid) if uuid else "", uuid, "r",
            self.topic.now - back if verb == "expire" else -1, self.names.pins(pins) if verb == "rectify" else ""))

    def step_back(self, by: int) -> None:
        """The broker's clock steps back."""
        self.topic.now = max(START, self.topic.now - by)

    # processes

    def work(self, crash: int | None, how: str, luck: int) -> None:
        """A process works until nothing is left to do or it dies. how: `torn` loses the batch that was planned, too;
        `away` is an outage, after which the same process goes on."""
        process, order = self.away or self._started(luck)
        self.away, process.crash, process.written = None, crash, 0
        process.run(lambda: self.drain(process, order))
        self._ended(process)
        if isinstance(process.failure, Crash):
            if how == "away":
                self.away, process.failure = (process, order), None
            elif how == "torn":
                self.plan = None    # the batch id may get another range

    def pause(self, at: int, luck: int) -> None:
        """A process works, and stands still before one of its writes."""
        self.bury()
        process, order = self._started(luck)
        process.pause = at
        self.clean = False
        process.run(lambda: self.drain(process, order))
        if process.ended:
            self._ended(process)
        else:
            self.paused = process

    def wake(self, killed: bool = False) -> None:
        """The paused process goes on, whoever took over meanwhile."""
        process, self.paused = self.paused, None
        if process is not None:
            process.wake(killed)
            self._ended(process)

    def bury(self) -> None:
        """The paused process dies: nobody loses a checkpoint, or brings a backup back, before that is sure."""
        overtaken = self.paused is not None and self.paused.number < self.lease
        self.wake(killed=True)
        if overtaken:
            self.land_all()    # and what it had sent

    def _started(self, luck: int) -> tuple[Process, WriteOrder]:
        self.away = None
        self.lease += 1
        number = self.lease
        process = Process(number, luck, lambda: self.check(number), self.drift)
        stores = self.stores_of(process)
        order = self.design.order(
            stores, self.checkpoint, lambda: self.topic.now, lambda: self.settle(number), process.check,
            lambda: self.packed(stores, None, self.read, self.read), self.clean, lambda _: None)
        return process, order

    def _ended(self, process: Process) -> None:
        self.flying += process.flight
        process.flight = []
        if process.failure is not None and not isinstance(process.failure, Crash | LeaseLost):
            raise process.failure
        if process.number == self.lease:
            self.clean = process.failure is None

    def check(self, number: int) -> None:
        """Whether a process still has the lease."""
        if self.lease > number:
            raise LeaseLost("another process has the lease")

    def settle(self, number: int) -> None:
        """Whatever dead processes have sent lands, and what earlier holders that live send from now on is refused."""
        if self.design.waits:
            self.land_all()
            self.servers.fence = number if self.design.fences else 0

    def packed(self, stores: BatchStores, number: int | None, starts: tuple[int, ...], ends: tuple[int, ...]) -> PlainBatch:
        """The batch of a range of the topic."""
        entries = self.topic.between(starts, ends)
        return self.design.batch(number, [entry for entry in entries if isinstance(entry, Record)], self.names.token,
                                 stores.markers, stores.read_rows, stores.put_rows,
                                 [entry for entry in entries if isinstance(entry, Bad)], stores.put_letters)

    def drain(self, process: Process, order: WriteOrder) -> None:
        """Turns until nothing is left to do: Spark's batches, and idle turns between them."""
        stores, random = order.stores, process.random
        most = random.choice(BATCHES)
        while True:
            state = stores.state()
            mine = state.open is None or state.open.batch is None
            pending = (state.control < stores.control_end() or state.open is not None or state.recount
                       or state.unsealed or state.checkpoint != self.checkpoint)
            everything = self.plan is None and self.read == self.topic.ends()
            if everything and not pending:
                order.tidy()
                return
            impatient = random.random() < PATIENCE
            if everything or (random.random() < 0.12 and ((self.plan is None and mine) or impatient)):
                order.turn(self.packed(stores, None, self.read, self.read))    # type: ignore[arg-type]
                continue
            if self.plan is None:
                process.keep(lambda: self._planned(process, most))
            number, ends = self.batch, self.plan
            order.turn(self.packed(stores, number, self.read, ends))    # type: ignore[arg-type]
            process.keep(lambda number=number, ends=ends: self._committed(process, number, ends))    # type: ignore[misc]

    def _planned(self, process: Process, most: int) -> None:
        """Writes down where the next batch ends: some records of each partition, so that one may be read long after the
        other. Of two processes over one checkpoint Spark ends the earlier one."""
        process.check()
        while self.plan is None:
            ends = tuple(min(end, start + process.random.randrange(most))
                         for start, end in zip(self.read, self.topic.ends(), strict=True))
            self.plan = ends if ends != self.read else None

    def _committed(self, process: Process, number: int, ends: tuple[int, ...]) -> None:
        process.check()
        self.read, self.batch, self.plan = ends, number + 1, None

    # faults

    def land(self, luck: int) -> None:
        """Some of what dead processes have sent lands."""
        random = Random(luck)
        while self.flying and random.random() < 0.5:
            self._land(random.randrange(len(self.flying)))

    def drift(self, random: Random) -> None:
        """Between any two writes, something that a dead process has sent may land, or one that was paused and overtaken
        wakes up."""
        if self.paused is not None and self.paused.number < self.lease and random.random() < WAKES:
            self.wake()
        if self.flying and random.random() < DRIFT:
            self._land(random.randrange(len(self.flying)))

    def land_all(self) -> None:
        while self.flying:
            self._land(0)

    def _land(self, number: int) -> None:
        with suppress(LeaseLost, DuplicateKeyError):    # refused, and nobody is left to hear it
            self.flying.pop(number)()

    def compact(self, luck: int) -> None:
        self.topic.compact(Random(luck))

    def purge(self) -> None:
        """Tombstones go, long after everything has landed."""
        self.bury()
        self.land_all()
        self.servers.purge()

    def lose_checkpoint(self) -> None:
        """Spark starts from the first offset, under a new id."""
        self.away = None
        self.checkpoint, self.batch, self.read, self.plan = f"{self.checkpoint}+", 0, (0,) * PARTITIONS, None

    def back_up(self) -> None:
        self.servers.back_up()

    def restore(self) -> None:
        """Cassandra comes back as it was; its keeper deletes the checkpoint."""
        self.bury()
        self.land_all()
        if self.servers.restore():
            self.lose_checkpoint()

    # the end

    def ended(self) -> str:
        """`exact`, or what is not, when all is done, and again after one more replay from the first offset."""
        for more in ("", "after one more replay: "):
            self.bury()
            self.land_all()
            self.work(None, "killed", 0)
            verdict = judged(self.servers, self.uuids, self.names.token, contents=not self.design.clock_steps)
            if verdict != "exact":
                return more + verdict
            self.lose_checkpoint()
        return "exact"


def run(steps: Sequence[Step], design: Design = PRODUCT) -> str:
    """One history in memory: `exact`, or what is not."""
    memory = Memory(Topic())
    return lived(World(memory, lambda process: design.stores(memory, process), design), steps)


def lived(world: World, steps: Sequence[Step]) -> str:
    """Lets a history happen to a world."""
    methods: Mapping[str, Any] = {step.name: getattr(world, step.name) for step in steps}
    try:
        for step in steps:
            methods[step.name](**step.said)
        return world.ended()
    except (TypeError, ValueError, KeyError, RuntimeError) as error:    # rows in pieces: a wrong order may break on them
        return f"broke: {type(error).__name__}: {error}"
    finally:
        if world.paused is not None:
            world.paused.wake(killed=True)
