"""Does a batch take longer when more people are stored? The same batches at three sizes of the store.

    python -m bench.growth --json docs/proofs/growth.json                     (make proof-growth)
    python -m bench.growth --stored 5000,10000 --batches 8 --warm 5000        (to try it)

An installation of its own, filled by its own stream, whose batches are at most half as large as the smallest store, so that
updates of nobody twice fill them there, too. At each size Cassandra first ends its merging; then so many full batches of people
from all over the store are sent while the stream stands still, aggregates and pages of the console are read, the aggregates are
counted anew, and full batches of new people are sent. The stream's own figures say how long each batch took; only those count
that are Spark's, for the last few records of each go another way (engine/spark/small_batch.py). Growth is from the quickest of
the smaller sizes, for at the smallest Java has not seen much yet. New people are warmed up with new people, who stay stored.
"""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pyspark.sql import DataFrame

from bench.installation import Installation, for_speed
from bench.people import People, spark_of, synthetic
from bench.report import keep, percentiles, say, table
from bench.watching import Timed, Watch
from engine.carried_out import send_and_wait
from engine.clients import cassandra_session, mongo_client
from engine.native import nodetool
from engine.settings import Stream
from engine.spark.small_batch import FEW
from engine.stores.aggregates import COLLECTIONS, Aggregates
from engine.stores.browse import Browse, Wanted

STORED = "10000,300000,2000000"
AT_A_TIME = 500_000
READS = 30
FULL = 0.9
RECOUNT_WITHIN_S = 1200.0
LIMIT_S = 7200.0
READ = ("aggregates_s", "page_s", "page_of_one_s")
FLAT, FLAT_S = 1.5, 0.005
"""Times, or seconds more, that still count as flat."""

ALLOWED = {"new": 1.3, "updates": 1.6}
"""Times as long a batch may take at the largest size as at smaller ones."""


def main(
    stored: Annotated[str, typer.Option(help="People stored, by comma, growing.")] = STORED,
    batches: Annotated[int, typer.Option(help="Full batches of each kind at each size.")] = 6,
    warm: Annotated[int, typer.Option(help="People before it is measured; they count as stored.")] = 80_000,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if a batch takes too much longer at the largest size, or verify finds anything."""
    sizes = [int(size) for size in stored.split(",")]
    full = min(Stream().max_offsets_per_trigger, *(size // 2 for size in sizes))
    if len(sizes) < 2 or full * batches < FEW + full:
        raise typer.BadParameter(f"two sizes at least, and {FEW // full + 1} batches of {full}: fewer are none of Spark's")
    batch = {"max_offsets_per_trigger": full}
    with for_speed("growth", say, stream=batch) as one, spark_of(one) as spark:
        report = run(one, People(one.settings, spark, synthetic()), sizes, batches, warm)
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def run(one: Installation, crowd: People, sizes: list[int], batches: int, warm: int) -> dict[str, Any]:
    """Fills and measures on running servers. What warms it up are the first people sent over and over again."""
    full = one.settings.stream.max_offsets_per_trigger
    found: dict[str, Any] = {}
    there = 0
    with Watch(one) as watch:
        watch.started()
        for size in sizes:
            began = time.monotonic()
            while there < size:
                some = min(AT_A_TIME, size - there)
                crowd.send(crowd.records("stored", some, there))
                watch.all_read(LIMIT_S)
                there += some
                say(f"{there} people after {time.monotonic() - began:.0f} s")
            if size == sizes[0]:
                again = [crowd.records("stored", size, version=version) for version in range(2, 2 + max(1, warm // size))]
                watch.timed(partial(every, crowd, again))    # at once, or they would be small batches
                crowd.send(crowd.records("warm", full * batches))    # new people are another way than known ones
                watch.all_read(LIMIT_S)
            found[str(size)] = sized(one, watch, crowd, size, full, batches)
            say(f"{size} stored: {found[str(size)]}")
    one.processes.stop("stream")
    said = one.verified()
    return {"batch": full, "sizes": found, "verify": {name: said[name] for name in ("ok", "exit", "records", "rows")}}


def sized(one: Installation, watch: Watch, crowd: People, size: int, full: int, batches: int) -> dict[str, Any]:
    """All that is measured at one size."""
    merged(one)
    people, rows = full * batches, watch.total("new")
    once = min(people, size)    # nobody twice in a batch: it would have fewer rows to write than others
    updates = [crowd.records("stored", once, every=size // once, version=1000 + number) for number in range(-(-people // once))]
    updated = batched([watch.timed(partial(every, crowd, updates))], full)
    found = {"rows": rows, "updates": updated, **read(one), "recount_s": recounted(one, watch)}
    return {**found, "new": batched([watch.timed(lambda: crowd.send(crowd.records(f"new at {size}", people)))], full)}


def every(crowd: People, updates: Sequence[DataFrame]) -> None:
    """Sends them one after the other."""
    for some in updates:
        crowd.send(some)


def merged(one: Installation) -> None:
    """Waits until Cassandra has merged what came before: that is not of this size."""
    node = nodetool.local(one.settings)
    assert node is not None, "Cassandra of this installation does not run"
    with nodetool.opened(one.settings, node) as run:
        run("flush", one.settings.cassandra.keyspace)
        one.until("Cassandra has merged its files", lambda: nothing_pending(run("compactionstats")), every_s=2.0)


def nothing_pending(told: str) -> bool:
    """Whether `nodetool compactionstats` says that nothing waits to be merged. Raises AssertionError if it does not say it."""
    found = re.search(r"^pending tasks:?\s+(\d+)", told, re.MULTILINE)
    assert found, f"nodetool compactionstats does not name pending tasks: {told}"
    return int(found[1]) == 0


def batched(phases: Sequence[Timed], full: int) -> dict[str, Any]:
    """Seconds of a full batch, the median of those that were nearly full, and of its steps."""
    turns = [turn for phase in phases for turn in phase.turns]
    whole = [turn for turn in turns if turn["counts"]["read"] > FULL * full and turn["counts"]["read"] + turn["behind"] >= FEW]
    assert whole, f"no batch of Spark's was nearly full: {[turn['counts']['read'] for turn in turns]} of {full}"
    steps = {name for turn in whole for name in turn["seconds"]}
    return {"batches": len(whole), "batch_s": round(statistics.median(sum(turn["seconds"].values()) for turn in whole), 3),
            "records_a_second": round(sum(phase.records for phase in phases) / sum(phase.seconds for phase in phases), 1),
            "step_s": {name: round(statistics.median(turn["seconds"].get(name, 0.0) for turn in whole), 3)
                       for name in sorted(steps)}}


def read(one: Installation) -> dict[str, Any]:
    """Seconds of what the console reads: all aggregates, the first page of all rows, and of one nationality."""
    settings = one.settings
    with mongo_client(settings, "console") as client, cassandra_session(settings, "console") as session:
        aggregates = Aggregates(client[settings.mongo.database], settings.mongo.bulk)
        browse = Browse(session, settings.cassandra.keyspace, datetime.now(UTC).date())
        return {"aggregates_s": percentiles(_times(lambda: [aggregates.documents(name) for name in COLLECTIONS]), (50, 95)),
                "page_s": percentiles(_times(lambda: browse.page(Wanted(), None)), (50, 95)),
                "page_of_one_s": percentiles(_times(lambda: browse.page(Wanted(nat="FR"), None)), (50, 95))}


def _times(what: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(READS):
        began = time.perf_counter()
        what()
        taken.append(time.perf_counter() - began)
    return taken


def recounted(one: Installation, watch: Watch) -> float:
    """Seconds of a recount, by the stream's own figures."""
    last = int(watch.figures()["turn"])
    send_and_wait(one.settings, "recount", "", "", RECOUNT_WITHIN_S, say)
    one.until("the recount is in the figures", lambda: "recount" in watch.figures()["seconds"]
              and watch.figures()["turn"] > last, 60)
    return float(watch.figures()["seconds"]["recount"])


def grown(report: dict[str, Any], kind: str) -> float:
    """How many times as long a batch takes at the largest size as at the quickest of the smaller ones."""
    *smaller, largest = (size[kind]["batch_s"] for size in report["sizes"].values())
    return float(largest / min(smaller))


def flat(report: dict[str, Any], kind: str) -> bool:
    """Whether what is read takes as long at the largest size as at the quickest of the smaller ones."""
    *smaller, largest = (size[kind]["p50"] for size in report["sizes"].values())
    return bool(largest <= max(FLAT * min(smaller), min(smaller) + FLAT_S))


def kept(report: dict[str, Any]) -> bool:
    """Whether what is promised was measured."""
    return (report["verify"]["exit"] == 0 and all(grown(report, kind) <= times for kind, times in ALLOWED.items())
            and all(flat(report, kind) for kind in READ))


def told(report: dict[str, Any]) -> str:
    """The report as tables."""
    sizes = report["sizes"]
    times = table(
        ("people stored", "batch of new people, s", "batch of updates, s", "aggregates read, s", "page, s", "page of one "
         "nationality, s", "recount, s"),
        ((one["rows"], one["new"]["batch_s"], one["updates"]["batch_s"], one["aggregates_s"]["p50"], one["page_s"]["p50"],
          one["page_of_one_s"]["p50"], one["recount_s"]) for one in sizes.values()))
    steps = table(("seconds of a batch", *(f"{kind}, {size}" for kind in ALLOWED for size in sizes)), (
        (step, *(one[kind]["step_s"].get(step) for kind in ALLOWED for one in sizes.values()))
        for step in next(iter(sizes.values()))["new"]["step_s"]))
    return f"{times}\n\n{steps}\n\n" + ", ".join(f"{kind}: {grown(report, kind):.2f} x" for kind in ALLOWED)


if __name__ == "__main__":
    typer.run(main)
