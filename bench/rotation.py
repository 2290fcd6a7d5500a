"""The PII key is rotated with many people stored while more arrive, the stream is killed in the middle, and somebody reads.

    python -m bench.rotation --people 200000 --rate 500 --json docs/proofs/rotation.json      (make proof-rotation)
    python -m bench.rotation --people 5000 --rate 100                                         (to try it)

An installation of its own. People are stored under the first key; then our producer sends more, a reader looks at every row
again and again and opens what is sealed with the key ring as it read it once, and `rollcall keys rotate pii` runs. When half of
the rows are sealed anew, stream and command are killed (SIGKILL); the supervisor starts the stream again, and the command is
given again. In the end every row is looked at once more, and verify compares everything.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from bench.installation import Installation, for_speed
from bench.load import producing
from bench.people import People, spark_of, synthetic
from bench.reading import Readings, reading
from bench.report import ENOUGH, keep, percentiles, say, table
from bench.watching import Watch
from engine.rotation.keys import share, uses
from engine.sealing import load_keys
from engine.settings import CLONE
from engine.writer.write_order import Sealing

KILLED_AT = 0.5
AT_A_TIME = 50_000
"""People that are put on the topic at once, before the rotation."""


def main(
    people: Annotated[int, typer.Option(help="People stored before it begins.")] = 200_000,
    rate: Annotated[float, typer.Option(help="People a second that come meanwhile.")] = 500.0,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if a row was unreadable at any time, the old key stays, or verify finds anything."""
    with for_speed("rotation", say) as one:
        with Watch(one) as watch:
            stored(one, watch, people)
            report = run(one, watch, people, rate)
        report["verify"] = {name: value for name, value in one.verified().items()
                            if name in ("ok", "exit", "records", "rows", "counted")}
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def stored(one: Installation, watch: Watch, people: int) -> None:
    """Stores so many people under the key of now."""
    say(f"storing {people:,} people")
    watch.started()
    with spark_of(one) as spark:
        crowd = People(one.settings, spark, synthetic())
        for first in range(0, people, AT_A_TIME):
            crowd.send(crowd.records("before", min(AT_A_TIME, people - first), first))
    watch.all_read()


def run(one: Installation, watch: Watch, people: int, rate: float) -> dict[str, Any]:
    """Rotates, kills and rotates on, while people come and somebody reads."""
    last = int(watch.figures()["turn"])
    behind: list[int] = []
    with reading(one.settings) as readings, producing(one, rate):
        one.until("people come", lambda: watch.total("new") > people)
        came, began = sum(watch.ends().values()), time.monotonic()
        say("rotating")
        command = rotating(one)
        while (walk := sealing(watch)) is None or share(walk) < KILLED_AT:
            assert command.poll() is None, f"it ended with {command.returncode}"
            behind.append(lag(watch))
            time.sleep(0.5)
        say(f"killing stream and command at {share(walk):.0%}")
        kill(one)
        command.kill()
        command.wait()
        killed_at, at_kill = time.monotonic() - began, walk
        ring = load_keys(one.settings)
        one.until("the stream runs again", lambda: one.processes.status()["stream"].state == "running")
        command = rotating(one)
        while command.poll() is None:
            behind.append(lag(watch))
            time.sleep(0.5)
        seconds, new = time.monotonic() - began, sum(watch.ends().values()) - came
    watch.all_read()
    after = load_keys(one.settings)
    found = uses(one.settings, after)
    turns = watch.turns(last)
    return {"people_before": people, "rate": rate, "came_a_second": round(new / seconds, 1), "seconds": round(seconds, 1),
            "killed_after_s": round(killed_at, 1), "looked_at_when_killed": at_kill.looked,
            "keys_when_killed": sorted(ring.columns), "exit": command.returncode, "keys_in_the_end": sorted(after.columns),
            "rows_by_key": dict(found.keys), "rows": found.rows, "reader": told_of(readings),
            "behind": percentiles(behind, (50, 95, 99), 0), "behind_in_the_end": behind[-1],
            "turn_s": percentiles([sum(turn["seconds"].values()) for turn in turns])}


def rotating(one: Installation) -> "subprocess.Popen[bytes]":
    """The command, begun; what it says goes where ours goes."""
    return subprocess.Popen(one.command("keys", "rotate", "pii"), cwd=CLONE, stdout=sys.stderr)


def kill(one: Installation) -> None:
    """The stream and its Java, as a machine that fails would."""
    pid = one.processes.status()["stream"].pid
    assert pid is not None, "it does not run"
    for process in (*psutil.Process(pid).children(recursive=True), psutil.Process(pid)):
        process.kill()


def sealing(watch: Watch) -> Sealing | None:
    """How far the walk is."""
    return watch.status.writer().sealing


def lag(watch: Watch) -> int:
    """Records that lie unread."""
    return int(sum(watch.ends().values()) - sum(watch.figures()["offsets"].values()))


def told_of(readings: Readings) -> dict[str, Any]:
    """What the reader met, as a report keeps it."""
    return {"looks": readings.looks, "rows": readings.rows, "values": readings.values, "keys": sorted(readings.keys),
            "unreadable": len(readings.unreadable), "failed": readings.failed[:5], "first_unreadable": readings.unreadable[:5]}


def kept(report: dict[str, Any]) -> bool:
    """Whether what is promised was seen."""
    reader, verify = report["reader"], report["verify"]
    readable = not reader["unreadable"] and not reader["failed"] and reader["values"] > 0 and len(reader["keys"]) > 1
    rotated = (report["exit"] == 0 and len(report["keys_when_killed"]) == 2 and len(report["keys_in_the_end"]) == 1
               and list(report["rows_by_key"]) == report["keys_in_the_end"])
    return bool(readable and rotated and report["came_a_second"] >= ENOUGH * report["rate"] and verify["exit"] == 0
                and verify["rows"] == report["rows"])


def told(report: dict[str, Any]) -> str:
    """The report as tables."""
    reader = report["reader"]
    return "\n\n".join((
        table(("", ""), (("people before", report["people_before"]), ("rows in the end", report["rows"]),
                         ("seconds", report["seconds"]), ("people a second meanwhile", report["came_a_second"]),
                         ("rows looked at when killed", report["looked_at_when_killed"]),
                         ("keys then", ", ".join(report["keys_when_killed"])),
                         ("keys in the end", ", ".join(report["keys_in_the_end"])))),
        table(("reader: looks", "rows", "values opened", "unreadable", "failed"), (
            (reader["looks"], reader["rows"], reader["values"], reader["unreadable"], len(reader["failed"])),)),
        table(("", "p50", "p95", "p99"), (("records behind", *report["behind"].values()),
                                          ("seconds of a turn", *report["turn_s"].values())))))


if __name__ == "__main__":
    typer.run(main)
