"""From a person's record being sent until she is a row, and until she is counted, at several rates.

    python -m bench.latency --seconds 120 --json docs/proofs/latency.json        (make proof-latency)
    python -m bench.latency --seconds 15 --rates 100 --warm 10                   (to try it)

An installation of its own; our producer sends people at each rate. Beside them ten people a second are sent whose
nationality nobody else has, all to one partition: so the count of that nationality says how many of them are counted, and in
which order. Every 100 ms Cassandra is asked for the rows of the ten who have waited longest (once they are there, for the
next), and MongoDB for that count: a time may be too long by that, never too short. To ask for twice as many twice as often took
a sixth of the machine that was measured. Whoever is not seen in the end counts as having waited until then.

It is warmed up with large batches and with small ones, which are different code.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from cassandra.concurrent import execute_concurrent_with_args

from bench.installation import Installation, for_speed
from bench.load import producing
from bench.report import ENOUGH, keep, percentiles, say, table
from bench.watching import Watch
from engine.clients import cassandra_session, kafka_producer, mongo_client
from engine.person import NATIONALITIES
from engine.producer import judged
from engine.sources import Item
from engine.sources.synthetic import made
from engine.stores.aggregates import flat

RATES = "100,1000,4000"
WARM_AT = 4000.0, 1000.0
PROBES_A_SECOND = 10.0
LOOK_EVERY_S = 0.1
AT_A_TIME = 10
LATE_S = 120.0
"""Seconds after the last of them was sent in which one must be seen."""

NOBODYS = "ZZ"
PROMISED_AT, PROMISED_S = 1000.0, 3.0


class Probes:
    """People who are waited for. Sent by `send`; `rows` and `counted` look for them until `over`."""

    def __init__(self, one: Installation) -> None:
        self._settings = one.settings
        self.sent: list[tuple[str, float]] = []
        self.rows: dict[str, float] = {}
        self.counted: list[float] = []
        self.over = threading.Event()

    def send(self, seconds: float) -> None:
        """Sends them, evenly over so many seconds."""
        producer = kafka_producer(self._settings, "producer", linger_ms=0)
        try:
            began, draw = time.monotonic(), random.Random(repr(time.monotonic()))
            for number in range(int(seconds * PROBES_A_SECOND)):
                time.sleep(max(0.0, began + number / PROBES_A_SECOND - time.monotonic()))
                record = judged(Item("bench", {**made(draw), "nat": NOBODYS}))
                self.sent.append((record.uuid, time.monotonic()))
                producer.send(self._settings.kafka.topic, key=record.uuid.encode(), value=record.value, partition=0)
        finally:
            producer.close()

    def look_for_rows(self) -> None:
        """Notes when each has a row."""
        with cassandra_session(self._settings, "verify") as session:
            asked = session.prepare(f"SELECT uuid FROM {self._settings.cassandra.keyspace}.profiles WHERE uuid = ?")

            def look() -> None:
                unseen = [(UUID(uuid),) for uuid, _ in list(self.sent) if uuid not in self.rows]
                for some in (unseen[at:at + AT_A_TIME] for at in range(0, len(unseen), AT_A_TIME)):
                    found = execute_concurrent_with_args(session, asked, some, concurrency=AT_A_TIME)
                    seen = [str(row.uuid) for _, rows in found for row in rows]
                    self.rows.update(dict.fromkeys(seen, time.monotonic()))
                    if len(seen) < len(some):    # whoever is later is not there yet
                        break

            self._again_and_again(look)

    def look_for_counts(self) -> None:
        """Notes when the count reached each number."""
        with mongo_client(self._settings, "verify") as client:
            documents = client[self._settings.mongo.database][NATIONALITIES]

            def users() -> int:
                return int(flat(documents.find_one({"_id": NOBODYS}) or {"users": 0})["users"])

            before = users()

            def look() -> None:
                there, now = users(), time.monotonic()
                self.counted += [now] * (there - before - len(self.counted))

            self._again_and_again(look)

    def _again_and_again(self, look: Callable[[], None]) -> None:
        while not self.over.wait(LOOK_EVERY_S):
            look()

    def all_seen(self) -> bool:
        """Whether each was seen in both stores."""
        return len(self.rows) == len(self.counted) == len(self.sent)

    def found(self) -> dict[str, Any]:
        """Seconds to the row and to the count, and how many were never seen."""
        now = time.monotonic()
        to_row = [self.rows.get(uuid, now) - at for uuid, at in self.sent]
        counted = [*self.counted, *[now] * (len(self.sent) - len(self.counted))]
        to_count = [seen - at for (_, at), seen in zip(self.sent, counted, strict=True)]
        return {"probes": len(self.sent), "row_s": percentiles(to_row), "aggregate_s": percentiles(to_count),
                "unseen": 2 * len(self.sent) - len(self.rows) - len(self.counted)}


def main(
    rates: Annotated[str, typer.Option(help="People a second, by comma.")] = RATES,
    seconds: Annotated[float, typer.Option(help="Seconds at each rate.")] = 120.0,
    warm: Annotated[float, typer.Option(help="Seconds at each rate of the warm-up.")] = 60.0,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if at 1,000 a second the 95th percentile to the row or to the aggregate is above 3 s."""
    with for_speed("latency", say) as one:
        report = run(one, [float(rate) for rate in rates.split(",")], seconds, warm)
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def run(one: Installation, rates: list[float], seconds: float, warm: float) -> dict[str, Any]:
    """Measures at each rate on running servers."""
    found = {}
    with Watch(one) as watch:
        watch.started()
        for rate in WARM_AT:
            say(f"warming up at {rate:g} a second")
            with producing(one, rate):
                one.until("people flow", lambda: watch.total("new") > 0)
                time.sleep(warm)
            watch.all_read()
        for rate in rates:
            say(f"{rate:g} a second")
            found[f"{rate:g}"] = at(one, watch, rate, seconds)
            say(f"{rate:g} a second: {found[f'{rate:g}']}")
            watch.all_read()
    return {"seconds": seconds, "warm_s": warm, "rates": found}


def at(one: Installation, watch: Watch, rate: float, seconds: float) -> dict[str, Any]:
    """One rate: what came of it, and the times of the people who were waited for."""
    probes = Probes(one)
    looking = [threading.Thread(target=look) for look in (probes.look_for_rows, probes.look_for_counts)]
    with ExitStack() as ending:
        with producing(one, rate):
            began = sum(watch.ends().values())
            one.until("the producer sends", lambda: sum(watch.ends().values()) > began + rate)
            for thread in looking:
                thread.start()
                ending.callback(thread.join)
            ending.callback(probes.over.set)    # before the joins: callbacks are called last in, first out
            began, since = sum(watch.ends().values()), time.monotonic()
            probes.send(seconds)
            came = (sum(watch.ends().values()) - began) / (time.monotonic() - since)
            behind = sum(watch.ends().values()) - sum(watch.figures()["offsets"].values())
        try:
            one.until("each is seen", probes.all_seen, LATE_S)
        except AssertionError:
            say("not each of them was seen in time")
    return {"came_a_second": round(came, 1), "behind_at_the_end": behind, **probes.found()}


def kept(report: dict[str, Any]) -> bool:
    """Whether what is promised was measured; what was not asked for promises nothing."""
    one = report["rates"].get(f"{PROMISED_AT:g}")
    return one is None or (not one["unseen"] and one["came_a_second"] >= ENOUGH * PROMISED_AT
                           and max(one["row_s"]["p95"], one["aggregate_s"]["p95"]) <= PROMISED_S)


def told(report: dict[str, Any]) -> str:
    """The report as a table."""
    marks = ("p50", "p95", "p99")
    return table(
        ("people/s", "came/s", "behind at the end", *(f"row {mark}, s" for mark in marks),
         *(f"aggregate {mark}, s" for mark in marks), "unseen"),
        ((float(rate), one["came_a_second"], one["behind_at_the_end"], *(one["row_s"].get(mark) for mark in marks),
          *(one["aggregate_s"].get(mark) for mark in marks), one["unseen"]) for rate, one in report["rates"].items()))


if __name__ == "__main__":
    typer.run(main)
