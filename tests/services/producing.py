"""A producer as the tests run it, and what it leaves in the topics and in its heartbeat."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from engine.clients import kafka_consumer, mongo_client
from engine.producer import Produced, produce
from engine.sealing import load_keys
from engine.settings import Settings
from engine.sources.auto import open_source
from engine.stores.dead_letters import DeadLetter, read

LIMIT_S = 60.0


class Tail:
    """The topic of people from now on. New records only, so that other tests on the same servers do not matter."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = kafka_consumer(settings, "verify")
        topic = settings.kafka.topic
        self._partitions = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic)]
        self._consumer.assign(self._partitions)
        for partition, end in self._consumer.end_offsets(self._partitions).items():
            self._consumer.seek(partition, end)

    def read(self) -> list[Any]:
        """What came since the last read, in the order of each partition."""
        ends, records = self._ends(), []
        while any(self._consumer.position(partition) < ends[partition] for partition in self._partitions):
            for some in self._consumer.poll(timeout_ms=500).values():
                records += some
        return records

    def _ends(self) -> dict[TopicPartition, int]:
        """The ends of the partitions; of a broker that has just come back it is asked until it knows them."""
        limit = time.monotonic() + LIMIT_S
        while True:
            try:
                return dict(self._consumer.end_offsets(self._partitions))
            except KafkaTimeoutError:
                if time.monotonic() > limit:
                    raise

    def close(self) -> None:
        """Lets go of the broker."""
        self._consumer.close()


def having(settings: Settings, **fields: Any) -> Settings:
    """The settings with another producer section, as fast as it goes unless a rate is given."""
    return settings.model_copy(update={"producer": settings.producer.model_copy(update={"rate": 0.0, **fields})})


def run(settings: Settings, limit: int | None = None, said: list[str] | None = None,
        stop: threading.Event | None = None) -> Produced:
    """One run of the producer; `said` collects its sentences."""
    say: Callable[[str], None] = (said if said is not None else []).append
    stop = stop or threading.Event()
    return produce(settings, open_source(settings, say, stop), say, stop, limit)


def replayed(settings: Settings, path: Path) -> Produced:
    """One file, replayed."""
    return run(having(settings, source="replay", file=str(path)))


def letters(settings: Settings, name: str) -> dict[str, DeadLetter]:
    """Dead letters by place, of the places that begin with `name`."""
    return {letter.place: letter for letter in read(settings, "verify", load_keys(settings)).standing
            if letter.place.startswith(name)}


class Running:
    """A producer in a thread, as one in a process of its own."""

    def __init__(self, settings: Settings, limit: int | None = None) -> None:
        self.said: list[str] = []
        self.stop = threading.Event()
        self.result: Produced | None = None
        self._settings, self._limit = settings, limit
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self._thread.join(LIMIT_S)

    def _run(self) -> None:
        self.result = run(self._settings, self._limit, self.said, self.stop)

    def ended(self) -> Produced:
        """What it did, once it has ended by itself."""
        self._thread.join(LIMIT_S)
        assert self.result is not None, self.said
        return self.result

    def stopped(self) -> Produced:
        """What it did, told to stop now."""
        self.stop.set()
        return self.ended()


def heartbeat(settings: Settings) -> dict[str, Any]:
    """The document `producer`; empty without one."""
    with mongo_client(settings, "verify") as client:
        return client[settings.mongo.database].pipeline_status.find_one({"_id": "producer"}) or {}


def sent(settings: Settings, place: str) -> int:
    """People that a run has sent, by its heartbeat; 0 while that of another run stands there."""
    said = heartbeat(settings)
    return int(said["sent"]) if said.get("place", "").startswith(place) else 0
