"""People a second to the topic, by source; beside it the usual way to send them, and sending alone.

    python -m bench.producer --people 50000 --json docs/proofs/producer.json     (make proof-producer)
    python -m bench.producer --people 2000 --one-by-one 200                      (to try it)

A broker and the other servers of an installation of its own, no stream. Each source is read by our producer as fast as it goes;
the randomuser API is the tests' server that behaves like it, as a process of its own. `one by one` waits for each record before
the next is sent, as the usual designs do; `sending alone` gives kafka-python records that were made before.
"""

import gzip
import json
import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.installation import Installation, for_speed
from bench.people import synthetic
from bench.report import keep, say, table
from engine.clients import kafka_producer
from engine.producer import judged, produce
from engine.settings import Settings
from engine.sources import Item
from engine.sources.auto import open_source
from tests.lookalike import Lookalike
from tests.people import generated

PAGE = 5000
"""The largest the API gives; a page is waited for until it is acknowledged."""


def main(
    people: Annotated[int, typer.Option(help="People of each source.")] = 50_000,
    one_by_one: Annotated[int, typer.Option(help="People sent one by one.")] = 3_000,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if anybody did not arrive."""
    with for_speed("producer", say) as one:
        report = run(one, people, one_by_one)
    typer.echo(table(("", "people", "seconds", "people/s"), (
        (name, found["people"], found["seconds"], found["people_a_second"]) for name, found in report["ways"].items())))
    keep(report, as_json)
    raise typer.Exit(0 if all(found["sent"] == found["people"] for found in report["ways"].values()) else 1)


def run(one: Installation, people: int, one_by_one: int) -> dict[str, Any]:
    """Measures every way on running servers."""
    settings = one.settings
    file = settings.run / "people.jsonl"
    with file.open("w") as lines:
        lines.writelines(json.dumps(person, ensure_ascii=False) + "\n" for person in many(people))
    packed = file.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(file.read_bytes(), 6))
    values = [(made.uuid.encode(), made.value) for made in (judged(Item("", person)) for person in synthetic(people))]
    found: dict[str, Any] = {}

    def timed(name: str, count: int, way: Callable[[], int]) -> None:
        began = time.monotonic()
        sent = way()
        taken = time.monotonic() - began
        found[name] = {"people": count, "sent": sent, "seconds": round(taken, 2), "people_a_second": round(sent / taken, 1)}
        say(f"{name}: {found[name]}")

    with api() as address:
        sources: dict[str, dict[str, Any]] = {
            "synthetic": {"source": "synthetic"}, "replay": {"source": "replay", "file": str(file)},
            "replay, gzip": {"source": "replay", "file": str(packed)}, "randomuser": {"source": "randomuser"}}
        sources |= {f"{name}, pages of {PAGE:,}": {**sources[name], "page": PAGE} for name in ("synthetic", "randomuser")}
        for name, fields in sources.items():
            ours = settings.model_copy(update={
                "producer": settings.producer.model_copy(update={"rate": 0.0, **fields}),
                "randomuser": settings.randomuser.model_copy(update={"base_url": address})})
            timed(name, people, lambda ours=ours: produced(ours, people))    # type: ignore[misc]
    timed("one by one", one_by_one, lambda: sent_one_by_one(settings, values[:one_by_one]))
    timed("sending alone", people, lambda: sent_alone(settings, values))
    return {"ways": found}


def many(count: int) -> Iterator[dict[str, Any]]:
    """People that the API's own published generator made, under uuids of their own."""
    people = generated()
    for number in range(count):
        person = people[number % len(people)]
        yield {**person, "login": {**person["login"], "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"bench {number}"))}}


def produced(settings: Settings, people: int) -> int:
    """A run of our producer, signing in included; how many were sent."""
    stop = threading.Event()
    return produce(settings, open_source(settings, say, stop), say, stop, people, supervised=False).sent


def sent_one_by_one(settings: Settings, values: list[tuple[bytes, bytes]]) -> int:
    """Each waits for the one before; only those that the broker acknowledged are counted."""
    producer, sent = kafka_producer(settings, "producer", linger_ms=0), []
    try:
        for key, value in values:
            sent.append(producer.send(settings.kafka.topic, key=key, value=value))
            producer.flush()
    finally:
        producer.close()
    return sum(one.succeeded() for one in sent)


def sent_alone(settings: Settings, values: list[tuple[bytes, bytes]]) -> int:
    """All at once; only those that the broker acknowledged are counted."""
    producer = kafka_producer(settings, "producer")
    try:
        sent = [producer.send(settings.kafka.topic, key=key, value=value) for key, value in values]
        producer.flush()
    finally:
        producer.close()
    return sum(one.succeeded() for one in sent)


@contextmanager
def api() -> Iterator[str]:
    """The server that behaves like the API, without its limit; its address."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,))
    server.start()
    try:
        yield str(here.recv())
    finally:
        here.send("enough")
        server.join(30)


def _serve(parent: Connection) -> None:
    with Lookalike(allowed=1_000_000_000) as server:
        parent.send(server.url)
        parent.recv()


if __name__ == "__main__":
    typer.run(main)
