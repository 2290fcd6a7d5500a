"""Half an hour of everything at once: does any process grow, does the stream fall behind, does all agree in the end?

    python -m bench.soak --minutes 30 --json docs/proofs/soak.json            (make proof-soak)
    python -m bench.soak --minutes 3 --rate 200                               (to try it)

An installation of its own, brought up as `rollcall up` does it, view, console and keeper included. People come at the rate, a
fifth of them changed ones; every few seconds somebody is erased. Every ten seconds it is noted how much anonymous memory each
process holds (what is its own, without files that the system may take back), how many files it has open, how far the stream is
behind and how large the installation's folders are. Growth is from the first third of the time to its end.
"""

import itertools
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.installation import Installation, for_speed
from bench.memory import GONE, anonymous, processes
from bench.report import ENOUGH, growth, keep, percentiles, say, table
from bench.watching import Watch
from engine import commands, stack
from engine.errors import RollcallError
from engine.sealing import load_keys
from engine.sources.synthetic import Synthetic

SAMPLE_S = 10.0
A_MINUTE = 6
"""Samples: one of so many is said, and kept."""

ERASED_EVERY_S = 5.0
WINDOW_S = 60.0
"""Seconds of samples at either end of which the medians are compared."""

ALLOWED = 0.10
BEHIND_S = 10.0
"""Seconds of people that the stream may be behind, after the first third and in the end."""

BLOCK = 512
"""Bytes of what a file system counts as a block."""

Sample = dict[str, Any]


def main(
    minutes: Annotated[float, typer.Option(help="Minutes it lasts.")] = 30.0,
    rate: Annotated[float, typer.Option(help="People a second.")] = 2000.0,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if a process grows by more than a tenth, the stream falls behind, or verify finds anything."""
    with for_speed("soak", say, stack.up, producer={"source": "synthetic", "rate": rate},
                   synthetic={"repeats": 0.05, "updates": 0.2}) as one:
        report = run(one, minutes * 60, rate)
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def run(one: Installation, seconds: float, rate: float) -> dict[str, Any]:
    """Watches running programs for so long, then compares everything."""
    erased, unseen, samples = 0, 0, list[Sample]()
    with Watch(one) as watch:
        one.until("people are rows", lambda: watch.total("new") > 0 and place_of(one).exists())
        keys, somebody = load_keys(one.settings), people(one)
        began = time.monotonic()
        sampled = erasing = began
        while (now := time.monotonic()) - began < seconds:
            if now >= sampled:
                sampled += SAMPLE_S
                try:
                    samples.append(sample(one, watch, now - began))
                except (RollcallError, OSError) as error:    # a folder that goes while it is looked through, say
                    unseen += 1
                    say(f"{now - began:.0f} s: not seen: {error}")
                else:
                    if len(samples) % A_MINUTE == 1:
                        say(f"{now - began:.0f} s: {summed(samples[-1])}")
            if now >= erasing:
                erasing += ERASED_EVERY_S
                try:
                    commands.send(one.settings, keys, "erase", next(somebody))
                    erased += 1
                except RollcallError as error:
                    say(f"nobody was erased: {error}")
            time.sleep(min(1.0, max(0.0, min(sampled, erasing) - time.monotonic())))
        one.processes.stop("producer")
        say("waiting until all is read")
        watch.all_read()
        turns = watch.turns()
        totals = watch.figures()["totals"]
    one.processes.stop("stream")    # it would not stand still for as long as so many records are read
    said = one.verified()
    third = seconds / 3
    taken = [sum(turn["seconds"].values()) for turn in turns]
    return {"minutes": seconds / 60, "rate": rate, "commands_of_erasure": erased, "totals": totals, "samples_missed": unseen,
            "read_a_second": round((samples[-1]["read"] - samples[0]["read"]) / (samples[-1]["at_s"] - samples[0]["at_s"]), 1),
            "memory": grown(samples, third), "started_again": started_again(samples),
            "behind": percentiles([some["behind"] for some in samples if some["at_s"] >= third], (50, 95, 99), 0),
            "behind_at_the_end": samples[-1]["behind"],
            "turn_s": {"first half": percentiles(taken[:len(taken) // 2]),
                       "second half": percentiles(taken[len(taken) // 2:])},
            "verify": {name: said[name] for name in ("ok", "exit", "records", "rows", "counted", "erased")},
            "samples": samples[::A_MINUTE]}


def place_of(one: Installation) -> Path:
    """Where the producer keeps how far it is."""
    return one.settings.state / "producer-synthetic.json"


def people(one: Installation) -> Iterator[str]:
    """Uuids of people whom the producer has sent, of any age, without end."""
    source, draw = Synthetic(one.settings), random.Random(1)
    while True:
        place = json.loads(place_of(one).read_text())
        person: Any = source.person(place["seed"], draw.randrange(max(1, place["next"])))
        yield str(person["login"]["uuid"])


def sample(one: Installation, watch: Watch, at_s: float) -> Sample:
    """What there is at one moment. memory_mb, files: by process; folders: of the installation; began: when each program did."""
    memory: dict[str, int] = {}
    files: dict[str, int] = {}
    for name, process in processes(one):
        with suppress(*GONE):
            memory[name] = memory.get(name, 0) + anonymous(process)
            files[name] = files.get(name, 0) + process.num_fds()
    figures, began = watch.figures(), {name: str(status.since) for name, status in one.processes.status().items()}
    return {"at_s": round(at_s, 1), "memory_mb": {name: round(size / 2**20, 1) for name, size in sorted(memory.items())},
            "files": files, "behind": sum(watch.ends().values()) - sum(figures["offsets"].values()),
            "read": figures["totals"]["read"], "began": began,
            "folders": {folder: dict(zip(("files", "mb"), sized(one.settings.home / folder), strict=True))
                        for folder in ("data/kafka", "data/cassandra", "data/mongo", "checkpoint", "logs", "run", "state")}}


def sized(folder: Path) -> tuple[int, float]:
    """Files of a folder, and the MB that they take on disk."""
    count, size = 0, 0
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                count, size = count + 1, size + path.stat().st_blocks * BLOCK    # Kafka's indexes are mostly holes
        except FileNotFoundError:    # compacted away meanwhile
            continue
    return count, round(size / 2**20, 1)


def grown(samples: Sequence[Sample], since_s: float) -> dict[str, dict[str, float | None]]:
    """By process: MB after `since_s` and at the end, medians over WINDOW_S, and the growth between: a share, None where nothing
    was there."""
    last = samples[-1]["at_s"]
    first = [one for one in samples if since_s <= one["at_s"] < since_s + WINDOW_S] or samples[:1]
    end = [one for one in samples if one["at_s"] > last - WINDOW_S]
    names = sorted(set(itertools.chain.from_iterable(one["memory_mb"] for one in end)))
    found = {}
    for name in names:
        was, now = ([one["memory_mb"].get(name, 0.0) for one in some] for some in (first, end))
        found[name] = {"mb": statistics.median(was), "mb_at_the_end": statistics.median(now),
                       "growth": growth(was, now)}
    return found


def started_again(samples: Sequence[Sample]) -> list[str]:
    """Programs that ended meanwhile: what is started again has not grown, and is not well."""
    first, last = samples[0]["began"], samples[-1]["began"]
    return sorted(name for name, began in last.items() if began != first[name])


def summed(sample: Sample) -> str:
    """A sample as one line."""
    return (f"{sum(sample['memory_mb'].values()):.0f} MB, {sum(sample['files'].values())} files open, "
            f"{sample['behind']} behind, {sum(folder['mb'] for folder in sample['folders'].values()):.0f} MB on disk")


def kept(report: dict[str, Any]) -> bool:
    """Whether what is promised was measured."""
    steady = all(one["growth"] is not None and one["growth"] <= ALLOWED for one in report["memory"].values())
    near = max(report["behind_at_the_end"], report["behind"]["p95"]) <= BEHIND_S * report["rate"]
    busy = report["read_a_second"] >= ENOUGH * report["rate"] and report["verify"]["erased"]
    seen = report["samples_missed"] <= ALLOWED * report["minutes"] * 60 / SAMPLE_S
    return bool(steady and near and busy and seen and not report["started_again"] and report["verify"]["exit"] == 0)


def told(report: dict[str, Any]) -> str:
    """The report as tables."""
    first, last = report["samples"][0], report["samples"][-1]
    again = f"\n\nstarted again: {', '.join(report['started_again'])}" if report["started_again"] else ""
    memory = table(("process", "MB after a third", "MB at the end", "growth, %", "files open"), (
        (name, one["mb"], one["mb_at_the_end"], one["growth"] and 100 * one["growth"], last["files"].get(name))
        for name, one in report["memory"].items()))
    folders = table(("folder", "files at the start", "files at the end", "MB at the start", "MB at the end"), (
        (name, first["folders"][name]["files"], one["files"], first["folders"][name]["mb"], one["mb"])
        for name, one in last["folders"].items()))
    flow = table(("", "p50", "p95", "p99"), (
        ("records behind", *report["behind"].values()),
        *((f"seconds of a batch, {half}", *some.values()) for half, some in report["turn_s"].items())))
    return "\n\n".join((memory, folders, flow)) + again


if __name__ == "__main__":
    typer.run(main)
