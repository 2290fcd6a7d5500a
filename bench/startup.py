"""From `make up` in a fresh clone to the first row, and how much memory all that then runs holds.

    python -m bench.startup --minutes 10 --json docs/proofs/startup.json      (make proof-startup)
    python -m bench.startup --minutes 1                                       (to try it)

What is committed is cloned, and `make up` is typed in the clone, with an installation of its own: once from nothing, its
environment in .venv included, and once more after `make down`. Jars and FerretDB are in the machine's cache before; what pip
fetched for this clone is, too. The first row of a start is the first new person whom a closed turn counts. Then people come at
the rate, and every few seconds it is noted how much memory each process of the installation holds (bench/memory.py):
supervisord, the three servers, stream, producer, view, console and keeper, with all that they have started; nobody has a page
open. `make` itself, the bench, and what the system caches of files are not counted.
"""

import os
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.installation import Installation, for_speed
from bench.memory import resident
from bench.report import ENOUGH, keep, say, table
from bench.watching import Watch
from engine.native import fetch
from engine.settings import CLONE

FIRST_ROW_S, WHOLE_MB = 75.0, 5 * 1024.0
"""What is promised."""

SAMPLE_S = 5.0
UP_WITHIN_S, DOWN_WITHIN_S = 600.0, 300.0

SAID = {"installed": "^(?!Installing)", "kafka ready": "^kafka is ready", "mongo ready": "^mongo is ready",
        "cassandra ready": "^cassandra is ready", "provided": "^Provisioned", "programs begun": "^Starting stream"}
"""What has been reached when `make up` says so."""

SECRET = "password"    # noqa: S105
"""A line with this word is not repeated."""

Sample = Mapping[str, tuple[int, int]]


class MakeUp:
    """`make up` in a clone. at: what was reached -> seconds since it was typed."""

    def __init__(self, clone: Path) -> None:
        self.began, self.at, self._last = time.monotonic(), dict[str, float](), list[str]()
        self._process = subprocess.Popen(["make", "up"], cwd=clone, env=environment(), stdin=subprocess.DEVNULL, text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last = [*self._last[-15:], line if SECRET not in line else "...\n"]
            for name, pattern in SAID.items():
                if re.search(pattern, line):
                    self.at.setdefault(name, self.passed())

    def passed(self) -> float:
        """Seconds since it was typed."""
        return round(time.monotonic() - self.began, 1)

    def reached(self, name: str) -> bool:
        """Whether it has come so far. An AssertionError with the end of what it said when it has failed."""
        assert not self._process.poll(), "".join(self._last)
        return name in self.at

    def ended(self) -> None:
        """Waits until it has ended."""
        code = self._process.wait(UP_WITHIN_S)
        self._reader.join()
        assert code == 0, "".join(self._last)


def main(
    minutes: Annotated[float, typer.Option(help="Minutes at the rate.")] = 10.0,
    rate: Annotated[float, typer.Option(help="People a second while memory is looked at.")] = 1000.0,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if the first row comes too late, too much memory is held, or verify finds anything."""
    with for_speed("startup", say, lambda *_: None) as one:
        report = run(one, minutes * 60, rate)
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def run(one: Installation, seconds: float, rate: float) -> dict[str, Any]:
    """Clones, starts twice, looks at the memory, compares."""
    fetch.fetch(one.settings, say)
    clone = one.settings.home.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", str(CLONE), str(clone)], check=True)
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=clone, text=True)
    starts = {"from nothing": started(one, clone)}
    say(f"from nothing: {starts['from nothing']}")
    subprocess.run(["make", "down"], cwd=clone, env=environment(), check=True, capture_output=True, timeout=DOWN_WITHIN_S)
    starts["again"] = started(one, clone)
    say(f"again: {starts['again']}")
    memory = held(one, seconds, rate)
    said = one.verified()
    return {"commit": commit.strip(), "starts": starts, "minutes": seconds / 60, "rate": rate, **memory,
            "verify": {name: said[name] for name in ("ok", "exit", "records", "rows", "counted")}}


def environment() -> dict[str, str]:
    """Ours, without what a `make` that started the bench has left in it."""
    return {**{name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")},
            "PYTHONUNBUFFERED": "1"}


def started(one: Installation, clone: Path) -> dict[str, float]:
    """Seconds from `make up` until each of SAID, a first new row, and its end."""
    making = MakeUp(clone)
    one.until("the programs are begun", lambda: making.reached("programs begun"), UP_WITHIN_S, every_s=0.1)
    with Watch(one) as watch:
        before = watch.total("new")
        one.until("a row", lambda: watch.total("new") > before, UP_WITHIN_S)
        row = making.passed()
    making.ended()
    return {**making.at, "first row": row, "`make up` ended": making.passed()}


def held(one: Installation, seconds: float, rate: float) -> dict[str, Any]:
    """What each process holds while so many people a second come; afterwards all is read and the stream still runs."""
    with (one.settings.home / "settings.toml").open("a") as file:
        file.write(f'[producer]\nsource = "synthetic"\nrate = {rate}\n')
    one.processes.stop("producer")
    one.processes.start("producer")
    samples: list[Sample] = []
    with Watch(one) as watch:
        first = sum(watch.ends().values())
        one.until("people come", lambda: sum(watch.ends().values()) > first + rate)
        first, began = sum(watch.ends().values()), time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            samples.append(resident(one))
            if len(samples) % 12 == 1:
                say(f"{passed:.0f} s: {whole(samples[-1])[0]:,.0f} MB resident")
            time.sleep(max(0.0, min(began + len(samples) * SAMPLE_S, began + seconds) - time.monotonic()))
        last, passed = sum(watch.ends().values()), time.monotonic() - began
        behind = last - sum(watch.figures()["offsets"].values())
        one.processes.stop("producer")
        watch.all_read()
    return {"came_a_second": round((last - first) / passed, 1), "behind_at_the_end": behind, **summed(samples)}


def whole(sample: Sample) -> tuple[float, float]:
    """MB resident and MB proportional of everything."""
    return tuple(sum(one[kind] for one in sample.values()) / 2**20 for kind in (0, 1))    # type: ignore[return-value]


def summed(samples: Sequence[Sample]) -> dict[str, Any]:
    """Everything's median and most, and each process's at the moment of the most."""
    sums = [whole(sample) for sample in samples]
    most = max(range(len(sums)), key=lambda number: sums[number][0])
    return {
        "samples": len(samples),
        "whole": {kind: {"median_mb": round(statistics.median(one[place] for one in sums), 1),
                         "most_mb": round(max(one[place] for one in sums), 1)}
                  for place, kind in enumerate(("resident", "proportional"))},
        "processes": {name: {"resident_mb": round(rss / 2**20, 1), "proportional_mb": round(pss / 2**20, 1)}
                      for name, (rss, pss) in sorted(samples[most].items(), key=lambda item: -item[1][0])}}


def kept(report: Mapping[str, Any]) -> bool:
    """Whether what is promised was measured."""
    soon = report["starts"]["from nothing"]["first row"] <= FIRST_ROW_S
    small = report["whole"]["resident"]["most_mb"] < WHOLE_MB and report["came_a_second"] >= ENOUGH * report["rate"]
    return bool(soon and small and report["verify"]["exit"] == 0)


def told(report: Mapping[str, Any]) -> str:
    """The report as tables."""
    starts = report["starts"]
    steps = table(("seconds from `make up`", *starts), (
        (step, *(one.get(step) for one in starts.values())) for step in starts["from nothing"]))
    memory = table(("MB at the most", "resident", "proportional"), (
        *((name, one["resident_mb"], one["proportional_mb"]) for name, one in report["processes"].items()),
        ("together", *(one["most_mb"] for one in report["whole"].values())),
        ("together, the median", *(one["median_mb"] for one in report["whole"].values()))))
    return f"{steps}\n\n{memory}\n\n{report['came_a_second']:,.0f} people/s came"


if __name__ == "__main__":
    typer.run(main)
