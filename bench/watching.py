"""The stream as it can be seen from outside: what it has read, what its turns did, and how long a topic full of people takes.

`timed` is how every bench measures the stream: it holds it still (as a verify does) while the topic fills, lets it go, and
waits until all is rows. Between the two nothing else runs, so that the machine is the stream's and its servers'.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition

from bench.installation import LIMIT_S, Installation
from bench.report import percentiles
from engine.clients import kafka_consumer, mapped, mongo_client
from engine.settings import Settings
from engine.stores.status import Status
from engine.writer.hold import still

Ends = dict[str, int]
"""Partition, as text, -> offset after its last record."""


@dataclass(frozen=True)
class Timed:
    """People through the stream. records: as the topic holds them; seconds: from when the stream was let go until the last of
    them was counted and a row; turns: `batches` of MongoDB; ends: where the topic ended before and after."""

    records: int
    seconds: float
    turns: Sequence[Mapping[str, Any]]
    ends: tuple[Ends, Ends]

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def steps(self) -> dict[str, float]:
        """Seconds of a turn by step, the mean; `between` is what lies outside all steps: Spark's own, and the figures."""
        return mean_steps(self.turns, self.seconds)

    def told(self) -> dict[str, Any]:
        """As a report keeps it."""
        whole = [sum(turn["seconds"].values()) for turn in self.turns]
        counts: dict[str, int] = {}
        for turn in self.turns:
            counts = {name: counts.get(name, 0) + n for name, n in turn["counts"].items()}
        return {"records": self.records, "seconds": round(self.seconds, 2), "records_a_second": round(self.rate, 1),
                "turns": len(self.turns), "turn_s": percentiles(whole), "step_s": self.steps,
                "counts": {name: n for name, n in counts.items() if n}}


def mean_steps(turns: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, float]:
    """Mean seconds of a turn by step, the longest first, and `between`: the rest of `seconds`, by turn."""
    if not turns:
        return {}
    names = {name for turn in turns for name in turn["seconds"]}
    found = {name: sum(turn["seconds"].get(name, 0.0) for turn in turns) / len(turns) for name in names}
    found["between"] = seconds / len(turns) - sum(found.values())
    return {name: round(taken, 3) for name, taken in sorted(found.items(), key=lambda item: -item[1])}


class Watch:
    """One installation's stream and topic, over connections of its own; close it, or use it as a context manager."""

    def __init__(self, one: Installation) -> None:
        self.one, self.settings = one, one.settings
        self._client = mongo_client(one.settings, "verify")
        self.database = self._client[one.settings.mongo.database]
        self.status = Status(self.database)
        self._consumer: KafkaConsumer = kafka_consumer(one.settings, "verify")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
        self._client.close()

    def ends(self) -> Ends:
        """Where the topic of people ends."""
        topic = self.settings.kafka.topic
        with mapped("looking at the topic", "verify"):
            places = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()]
            return {str(place.partition): int(end) for place, end in self._consumer.end_offsets(places).items()}

    def figures(self) -> dict[str, Any]:
        """What the last turn left; empty before the first."""
        return self.status.read("figures") or {}

    def total(self, name: str) -> int:
        """A total since the first turn, as `new` or `read`."""
        return int(self.figures().get("totals", {}).get(name, 0))

    def read_to(self, ends: Ends) -> bool:
        """Whether turns that are closed have read so far."""
        read = self.figures().get("offsets", {})
        return all(read.get(number, 0) >= end for number, end in ends.items() if end)

    def all_read(self, limit_s: float = LIMIT_S) -> None:
        """Waits until the stream has read what is on the topic now."""
        ends = self.ends()
        self.one.until("everything is read", lambda: self.read_to(ends), limit_s)

    def turns(self, after: int = 0) -> list[dict[str, Any]]:
        """The turns that read something, from the one after this number on."""
        found = self.status.history.find({"_id": {"$gt": after}}).sort("_id", 1)
        return [turn for turn in found if turn["counts"].get("read")]

    @contextmanager
    def held(self) -> Iterator[None]:
        """The stream stands still in the block."""
        with still(self.settings, self.status) as streaming:
            assert streaming, "the stream does not run"
            yield

    def timed(self, send: Callable[[], object], limit_s: float = LIMIT_S) -> Timed:
        """Fills the topic by `send` while the stream stands still, and times how it reads that."""
        with self.held():
            before, last = self.ends(), int(self.figures().get("turn", 0))
            send()
            after = self.ends()
        began = time.monotonic()
        self.one.until("everything is read", lambda: self.read_to(after), limit_s, every_s=0.1)
        seconds = time.monotonic() - began
        turn = self.figures()["turn"]    # which is in the history a moment after it is in the figures
        self.one.until("it is in the history", lambda: self.status.history.count_documents({"_id": turn}) > 0)
        return Timed(sum(after.values()) - sum(before.values()), seconds, self.turns(last), (before, after))

    def started(self) -> float:
        """Starts the stream; returns when, by the monotonic clock."""
        began = time.monotonic()
        self.one.processes.start("stream")
        return began


def rows_of(settings: Settings, session: Any) -> int:
    """Rows of `profiles`, counted."""
    return int(session.execute(f"SELECT count(*) FROM {settings.cassandra.keyspace}.profiles", timeout=120).one().count)
