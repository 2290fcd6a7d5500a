"""Our flow beside the usual designs, on the same servers, the same topic and the same people.

    python -m bench.peers --people 100000 --json docs/proofs/peers.json          (make proof-peers)
    python -m bench.peers --paths b2 --commit-log periodic                       (a log that is not forced before an answer)
    python -m bench.peers --people 3000 --warm 3000 --one-by-one 10              (to try it)

An installation of its own. Each path (bench/peer_paths.py, bench/peer_seed.py) in its turn, while the others do not run: people
of its own are put on the topic, and it is timed until it has read them, when it is warm; what is in the stores is compared with
who was sent (bench/peer_findings.py). Then all of them are sent once more, as a producer does that begins again, and it is
compared once more. The people are those that the API's own published generator made, under uuids of their own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.installation import Installation, for_speed
from bench.peer_findings import PATHS, Truth, found, ours, truth
from bench.peer_paths import CONNECTOR
from bench.people import People, spark_of
from bench.report import keep, say, table
from bench.watching import Watch
from engine.native import fetch
from engine.settings import CLONE
from tests.people import generated

WHILE_DOWN = 5
"""People who are sent to path A while it does not listen."""

NAMES = {"a": "A, one message at a time", "b1": "B1, connectors as they are", "b2": "B2, text and one parse",
         "d": "D, counts kept by Spark", "ours": "Rollcall"}
TIMES_B2, TIMES_A = 1.5, 1000.0
ENDS_WITHIN_S = 60


class Program:
    """A path's program: asked by lines, answers by lines of JSON."""

    def __init__(self, one: Installation, module: str, arguments: tuple[str, ...]) -> None:
        self._log = one.settings.logs_dir / f"{module}-{'-'.join(arguments[:1])}.log"
        with self._log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"bench.{module}", *arguments], cwd=one.settings.run, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=file, text=True,
                env={**os.environ, "ROLLCALL_HOME": str(one.settings.home), "PYTHONPATH": str(CLONE)})

    def answer(self) -> dict[str, Any]:
        """Its next line. An AssertionError with the end of its log when it has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self._log.read_text(errors="replace")[-4000:]
        said: dict[str, Any] = json.loads(line)
        return said

    def ask(self, line: str) -> dict[str, Any]:
        """Its answer to a line."""
        self.tell(line)
        return self.answer()

    def tell(self, line: str) -> None:
        """Gives it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@contextmanager
def running(one: Installation, module: str, *arguments: str) -> Iterator[Program]:
    """A path's program, which ends with the block."""
    program = Program(one, module, arguments)
    try:
        yield program
    finally:
        with suppress(OSError):
            program.process.stdin.close()    # type: ignore[union-attr]
        try:
            program.process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            program.process.kill()
            program.process.wait()


def main(
    people: Annotated[int, typer.Option(help="People of each path but A.")] = 100_000,
    warm: Annotated[int, typer.Option(help="People ours is warmed up with; the others take theirs twice.")] = 60_000,
    one_by_one: Annotated[int, typer.Option(help="People of path A.")] = 60,
    paths: Annotated[str, typer.Option(help="Which paths beside ours, by comma.")] = "b1,b2,d,a",
    commit_log: Annotated[str, typer.Option(help="How Cassandra forces its log (commitlog_sync); empty: as delivered. The "
                                                 "connector's defaults wait for it with five rows under way.")] = "",
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if ours is not exact, or not so many times as fast as B2 and A as is promised."""
    with for_speed("peers", say, cassandra={"commitlog_sync": commit_log} if commit_log else {}) as one:
        fetch.fetch(one.settings, say, (CONNECTOR,))
        with spark_of(one) as spark:
            report = run(one, People(one.settings, spark, generated()), people, warm, one_by_one, paths.split(","))
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def run(one: Installation, crowd: People, people: int, warm: int, one_by_one: int, paths: list[str]) -> dict[str, Any]:
    """Each path in its turn, on running servers."""
    report: dict[str, Any] = {"people": people, "commit_log": one.settings.cassandra.commitlog_sync}
    with Watch(one) as watch:
        for name in ("ours", *paths):
            say(f"{NAMES[name]}: {one_by_one if name == 'a' else people} people")
            if name == "ours":
                report[name] = of_ours(one, watch, crowd, people, warm)
            elif name == "a":
                report[name] = of_seed(one, watch, crowd, one_by_one)
            else:
                report[name] = of_peer(one, watch, crowd, name, people)
            say(f"{NAMES[name]}: {report[name]}")
    return report


def of_ours(one: Installation, watch: Watch, crowd: People, people: int, warm: int) -> dict[str, Any]:
    """Our own stream."""
    path = ours(one.settings)
    warmed, sent = sent_as(crowd, "warm", warm), sent_as(crowd, "ours", people)
    watch.started()
    for version in (0, 1):
        crowd.send(crowd.records("warm", warm, version=version))
        watch.all_read()
    crowd.send(crowd.records("warm", warm))    # as `warmed` has them
    watch.all_read()
    phase = watch.timed(lambda: crowd.send(crowd.records("ours", people)))
    first = found(one.settings, path, sent, warmed)
    again = watch.timed(lambda: crowd.send(crowd.records("ours", people)))
    after = found(one.settings, path, sent, warmed)
    one.processes.stop("stream")
    return {"people_a_second": round(phase.rate, 1), "again_a_second": round(again.rate, 1), "first": first, "after": after,
            "verify": one.verified()["exit"]}


def of_peer(one: Installation, watch: Watch, crowd: People, name: str, people: int) -> dict[str, Any]:
    """A path that Spark runs."""
    starts, sent = watch.ends(), sent_as(crowd, name, people)
    crowd.send(crowd.records(name, people))
    with running(one, "peer_paths", name, json.dumps(starts), json.dumps(watch.ends())) as program:
        seconds = program.answer()["seconds"]
        first = found(one.settings, PATHS[name], sent)
        crowd.send(crowd.records(name, people))
        program.ask(json.dumps(watch.ends()))
        after = found(one.settings, PATHS[name], sent)
    return {"people_a_second": round(people / seconds, 1), "first": first, "after": after}


def of_seed(one: Installation, watch: Watch, crowd: People, people: int) -> dict[str, Any]:
    """Path A, of whose people some are sent while it does not listen."""
    sent = [*sent_as(crowd, "a", people + WHILE_DOWN), *sent_as(crowd, "warm", 1)]
    crowd.send(crowd.records("a", WHILE_DOWN, people))
    with running(one, "peer_seed") as program:
        program.answer()
        crowd.send(crowd.records("warm", 1))
        program.ask("1")
        crowd.send(crowd.records("a", people))
        seconds = program.ask(str(people))["seconds"]
        first = found(one.settings, PATHS["a"], sent)
        crowd.send(crowd.records("a", people))
        program.ask(str(people))
        after = found(one.settings, PATHS["a"], sent)
    return {"people_a_second": round(people / seconds, 2), "first": first, "after": after}


def sent_as(crowd: People, name: str, people: int) -> list[Truth]:
    """Who is sent under a name."""
    return [truth(bytes(row.value)) for row in crowd.records(name, people).select("value").toLocalIterator()]


def kept(report: Mapping[str, Any]) -> bool:
    """Whether what is promised was measured; of paths that were not asked for nothing is."""
    one = report["ours"]
    exact = all(some["figures_right"] and not some["lost"] and not some["wrong_ages"] and not some["in_clear"]
                and some["rows"] == some["people"] for some in (one["first"], one["after"]))
    rate, slowest = one["people_a_second"], {"b2": TIMES_B2, "a": TIMES_A}
    fast = all(rate >= times * report[name]["people_a_second"] for name, times in slowest.items() if name in report)
    return bool(exact and fast and one["verify"] == 0)


def told(report: Mapping[str, Any]) -> str:
    """The report as tables."""
    names = [name for name in NAMES if name in report]
    every = {name: report[name] for name in names}
    speed = table(("path", "people/s", "rows", "documents", "rows after all came again", "documents after that",
                   "figures right", "and after that", "figures read in, s"), (
        (NAMES[name], float(one["people_a_second"]), one["first"]["rows"], one["first"]["documents"], one["after"]["rows"],
         one["after"]["documents"], one["first"]["figures_right"], one["after"]["figures_right"], one["after"]["figures_s"])
        for name, one in every.items()))
    right = table(("path", "people sent", "lost", "wrong ages, %", "wrong addresses, %", "garbled rows, %", "in clear"), (
        (NAMES[name], one["first"]["people"], one["first"]["lost"], _percent(one["first"]["wrong_ages"]),
         _percent(one["first"]["wrong_addresses"]), _percent(one["first"]["garbled"]),
         ", ".join(f"{kind} {100 * part:.0f} %" for kind, part in one["first"]["in_clear"].items()) or "nothing")
        for name, one in every.items()))
    return f"{speed}\n\n{right}"


def _percent(part: float | None) -> float | None:
    return None if part is None else 100 * part


if __name__ == "__main__":
    typer.run(main)
