"""Faults on the real processes: kill or stop anything while people flow, and see that nothing is lost or counted twice.

An installation of its own is started, people flow, and a seeded plan kills (SIGKILL) or stops (SIGSTOP for 30 s) the
stream, the producer, Kafka, Cassandra, MongoDB and supervisord, deletes the checkpoint, or lets the topic fill while the
stream is down. After each fault it is measured when the flow goes on: records that were appended after the fault are
rows. Meanwhile garbage arrives and people are erased. In the end all is read, `rollcall verify` compares, and what the
source made is made once more to see that nobody is missing.

    python -m bench.faults --each 3 --seed 1 --json docs/proofs/faults.json      (make proof-faults)
    python -m bench.faults --outages 120 --rate 1000 --each 0                    (make proof-outages)
"""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from kafka import TopicPartition

from bench.installation import Installation, installed
from bench.report import keep, say
from engine import commands
from engine.backlog import backlog
from engine.clients import cassandra_session, kafka_consumer, mongo_client
from engine.errors import RollcallError
from engine.person import NATIONALITIES
from engine.sealing import load_keys
from engine.sender import Outgoing, Sender
from engine.settings import CLONE, Producer
from engine.sources.synthetic import Synthetic
from engine.stores.aggregates import documents
from engine.stores.status import Status

STOPPED_S = 30.0
WAITED_FOR_S = 240.0
RECOVERY_S = 60.0    # what is promised; a lost checkpoint is read again whole and promises nothing
DOWN_S = 20.0
READ_WITHIN_S = 1200.0
TARGETS = ("stream", "producer", "kafka", "cassandra", "mongo", "supervisord")
KINDS = (*(f"{how} {target}" for how in ("kill", "stop") for target in TARGETS), "lose checkpoint", "fill topic")
GARBAGE = b'{"results": "canary, no person"'


@dataclass
class Fault:
    """One fault: what was done, and seconds until records appended after it were rows (after its end, for a stop); for an
    outage, from when the server was started until a turn was closed."""

    kind: str
    at: str
    recovered_s: float
    replayed: int = 0          # records read again, for a lost checkpoint
    replay_rate: float = 0.0   # of those, a second


@dataclass
class Report:
    """What a run did and found."""

    seed: int
    rate: float
    faults: list[Fault] = field(default_factory=list)
    seconds: float = 0.0
    records: int = 0           # of the topic but the garbage: repeats and the nulls of erased people among them
    people_made: int = 0
    rows: int = 0
    garbage: int = 0
    erased: int = 0
    dead_letters: int = 0
    lost: int = 0
    double: int = 0
    mismatches: int = 0
    findings: list[dict[str, str]] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Nothing lost, nothing double, nothing different."""
        return not (self.lost or self.double or self.mismatches)

    @property
    def ok(self) -> bool:
        """Exact, and nothing slow."""
        slow = [fault for fault in self.faults if fault.recovered_s > RECOVERY_S and not fault.kind.startswith("lose")]
        return self.exact and not slow


class Run:
    """One installation under faults."""

    def __init__(self, installation: Installation, seed: int, stopped_s: float) -> None:
        self.installation, self.stopped_s, self.random = installation, stopped_s, random.Random(seed)
        self.settings, self.say, self.processes = installation.settings, installation.say, installation.processes
        settings = self.settings
        self.keys = load_keys(settings)
        self.garbage = Sender(settings, "producer")
        self.report = Report(seed, settings.producer.rate)

    def fault(self, kind: str) -> None:
        """Does one fault, waits until the flow has recovered and notes how long it took."""
        self.say(f"{kind} ...")
        at = datetime.now(UTC)
        action, _, target = kind.partition(" ")
        done = {"kill": self._kill, "stop": self._stop, "outage": self._outage, "lose": self._lose, "fill": self._fill}[action]
        began = done(target)
        with self._somebody_ups(target) if action == "kill" else nullcontext():
            taken = self.goes_on(began) if action == "outage" else self.flows_again(began)
        fault = Fault(kind, at.isoformat(timespec="seconds"), round(taken, 1))
        if action == "lose":
            fault.replayed = self._read_by_stream()
            fault.replay_rate = round(fault.replayed / taken, 1)
        self.report.faults.append(fault)
        self.say(f"{kind}: recovered after {taken:.1f} s")

    def disturb(self, erased: float = 0.5) -> None:
        """Garbage to the topic, and now and then (in such a share of times) an erasure: both must come out right whatever
        happens meanwhile."""
        for _ in range(3):
            self.garbage.send(Outgoing(self.settings.kafka.topic, b"garbage", GARBAGE, [], "bench"))
        with suppress(RollcallError):
            self.report.garbage += self.garbage.settle().acknowledged
        if self.random.random() < erased and (uuid := self._somebody()):
            with suppress(RollcallError):
                commands.send(self.settings, self.keys, "erase", uuid)
                self.report.erased += 1

    def finish(self) -> Report:
        """Ends the producer, waits until all is read, compares everything."""
        self.processes.stop("producer")
        with suppress(RollcallError):
            self.report.garbage += self.garbage.settle().acknowledged
        self.say("waiting until all is read ...")
        self._until("all is read", lambda: self._behind() == 0, READ_WITHIN_S)
        said = self.installation.verified()
        report = self.report
        report.rows, report.dead_letters = said["rows"] or 0, said["dead_letters"] or 0
        report.mismatches = len(said["findings"]) + said["more"] + (said["exit"] != 0 and not said["findings"])
        report.findings = said["findings"]
        report.records = sum(self._ends().values()) - report.garbage
        report.people_made, report.lost = self._missing()
        with mongo_client(self.settings, "verify") as client:
            users = sum(kept["users"] for kept in documents(client[self.settings.mongo.database], NATIONALITIES))
        if said["counted"] is not None:    # otherwise verify ended in an error, which is a mismatch
            report.double = users - said["counted"]
        return report

    def _kill(self, target: str) -> float:
        os.killpg(self._group(target), signal.SIGKILL)
        return time.monotonic()

    def _stop(self, target: str) -> float:
        group = self._group(target)
        os.killpg(group, signal.SIGSTOP)
        try:
            time.sleep(self.stopped_s)
        finally:
            os.killpg(group, signal.SIGCONT)
        return time.monotonic()

    def _outage(self, target: str) -> float:
        name, _, seconds = target.partition(" ")
        self.processes.stop(name)
        time.sleep(float(seconds))
        began = time.monotonic()
        self.processes.start(name)
        return began

    def _lose(self, _: str) -> float:
        group = self._group("stream")
        os.killpg(group, signal.SIGKILL)
        shutil.rmtree(self.settings.home / "checkpoint", ignore_errors=True)
        return time.monotonic()

    def _fill(self, _: str) -> float:
        self.processes.stop("stream")
        time.sleep(DOWN_S)
        began = time.monotonic()
        self.processes.start("stream")
        return began

    def _group(self, target: str) -> int:
        """The process group of a program; supervisord starts each in its own."""
        if target == "supervisord":
            return os.getpgid(int((self.settings.run / "supervisord.pid").read_text()))
        self._until(f"{target} runs", lambda: self.processes.status()[target].pid is not None, 60)
        pid = self.processes.status()[target].pid
        assert pid is not None
        return os.getpgid(pid)

    @contextmanager
    def _somebody_ups(self, target: str) -> Iterator[None]:
        """Nothing starts a dead supervisord again but a person (or the machine's init): `rollcall up`, at once."""
        if target != "supervisord":
            yield
            return
        with subprocess.Popen(self.installation.command("up"), cwd=CLONE, stdout=subprocess.DEVNULL,
                              env={**os.environ, "ROLLCALL_HOME": str(self.settings.home)}) as up:
            yield
        assert up.returncode == 0, "up"

    def flows_again(self, began: float) -> float:
        """Seconds from `began` until records that were appended after it are rows."""
        ends: dict[int, int] = {}

        def flows() -> bool:
            nonlocal ends
            if not ends:
                if self.processes.alive():    # what a killed supervisord leaves behind flows on until `up` ends it
                    ends = self._ends()
                return False
            now, read = self._ends(), self._offsets()
            return any(end > ends[number] and read.get(number, 0) > ends[number] for number, end in now.items())

        self._until("people flow again", flows, WAITED_FOR_S)
        return time.monotonic() - began

    def goes_on(self, began: float) -> float:
        """Seconds until the stream closes a turn again. What piled up in an outage is more than a minute's reading."""
        read: list[int] = []

        def moves() -> bool:    # MongoDB, where the place stands, may be the server that is not up yet
            read.append(sum(self._offsets().values()))
            return read[-1] > read[0]

        self._until("the stream goes on", moves, WAITED_FOR_S)
        return time.monotonic() - began

    def _until(self, what: str, condition: Callable[[], bool], limit_s: float) -> None:
        """Each look signs in to Kafka and MongoDB, which the programs looked at pay for."""
        self.installation.until(what, condition, limit_s, every_s=1.5)

    def _ends(self) -> dict[int, int]:
        topic = self.settings.kafka.topic
        consumer = kafka_consumer(self.settings, "verify")
        try:
            places = [TopicPartition(topic, number) for number in range(self.settings.kafka.partitions)]
            return {place.partition: int(end) for place, end in consumer.end_offsets(places).items()}
        finally:
            consumer.close()

    def _offsets(self) -> dict[int, int]:
        with mongo_client(self.settings, "verify") as client:
            status = Status(client[self.settings.mongo.database])
            figures, state = status.read("figures") or {}, status.writer()
        if figures.get("checkpoint") != state.checkpoint:
            return {}
        return {int(number): offset for number, offset in figures["offsets"].items()}

    def _read_by_stream(self) -> int:
        return sum(self._offsets().values())

    def _behind(self) -> int:
        with mongo_client(self.settings, "verify") as client:
            state = Status(client[self.settings.mongo.database]).writer()
        read = self._offsets()
        control = TopicPartition(self.settings.kafka.control_topic, 0)
        consumer = kafka_consumer(self.settings, "verify")
        try:
            waiting = int(consumer.end_offsets([control])[control]) - state.control
            unread = backlog(consumer, self.settings.kafka.topic, {str(number): end for number, end in read.items()})
        finally:
            consumer.close()
        return waiting + unread + (state.open is not None) + state.recount

    def _somebody(self) -> str:
        """A person that the source has made."""
        source = Synthetic(self.settings)
        try:
            place = self._place()
        except FileNotFoundError:
            return ""
        person: Any = source.person(place["seed"], self.random.randrange(place["next"]))
        return str(person["login"]["uuid"])

    def _place(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads((self.settings.state / "producer-synthetic.json").read_text())
        return kept

    def _missing(self) -> tuple[int, int]:
        """People of acknowledged pages, made once more: how many, and how many have no row, or one of an older record."""
        place, source = self._place(), Synthetic(self.settings)
        newest: dict[str, str] = {}
        unsure: set[str] = set()    # of the page under way, of which some records may have been sent
        for number in range(place["next"] + self.settings.producer.page):
            person: Any = source.person(place["seed"], number)
            if number < place["next"]:
                newest[person["login"]["uuid"]] = self.keys.email_token(person["email"])
            else:
                unsure.add(person["login"]["uuid"])
        with cassandra_session(self.settings, "verify") as session:
            table = self.settings.cassandra.keyspace
            rows = {str(row.uuid): row.email_token for row in
                    session.execute(f"SELECT uuid, email_token FROM {table}.profiles")}
            erased = {row.suppression for row in session.execute(f"SELECT suppression, erased FROM {table}.markers")
                      if row.erased}
        lost = sum(1 for uuid, token in newest.items() if rows.get(uuid) != token and uuid not in unsure
                   and self.keys.suppression_token(uuid) not in erased)
        return len(newest), lost


def plan(each: int, seed: int, outage_s: float) -> list[str]:
    """Every kind `each` times, in a seeded order; then an outage of each server, if they are asked for."""
    kinds = [kind for kind in KINDS for _ in range(each)]
    random.Random(seed).shuffle(kinds)
    return kinds + ([f"outage {server} {outage_s:g}" for server in ("cassandra", "mongo", "kafka")] if outage_s else [])


def run(home: Path, kinds: list[str], seed: int, rate: float, say: Callable[[str], None],
        stopped_s: float = STOPPED_S) -> Report:
    """Sets an installation up in an empty folder, lets the faults happen, compares, ends everything."""
    began = time.monotonic()
    with installed(home, say, producer={"source": "synthetic", "rate": rate}, spark={"driver_memory": "1g"}) as installation:
        one = Run(installation, seed, stopped_s)
        one.processes.start("stream", "producer")
        one.flows_again(time.monotonic())
        one.processes.stop("stream")    # once well, as in any installation that is not new: engine/spark/archive.py
        one.processes.start("stream")
        one.flows_again(time.monotonic())
        for kind in kinds:
            one.disturb()
            time.sleep(one.random.uniform(1, 6))
            one.fault(kind)
        report = one.finish()
        report.seconds = round(time.monotonic() - began)
        return report


def table(report: Report) -> str:
    """The report as the table of docs/operating.md."""
    lines = ["| fault | times | recovery, seconds |", "|---|---|---|"]
    for kind, times in Counter(fault.kind for fault in report.faults).items():
        taken = [fault for fault in report.faults if fault.kind == kind]
        said = " · ".join(f"{fault.recovered_s:g}" + (f" ({fault.replay_rate:g} rows/s replayed)" if fault.replayed else "")
                          for fault in taken)
        lines.append(f"| {kind} | {times} | {said} |")
    return "\n".join([*lines[:2], *sorted(lines[2:])])


def main(
    each: Annotated[int, typer.Option(help="Times of each kind.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the order and the pauses.")] = 1,
    rate: Annotated[float, typer.Option(help="People a second; without a word the producer's own, as delivered.")] = (
        Producer().rate),
    outages: Annotated[float, typer.Option(help="Seconds each server is down in the end; 0: not at all.")] = 0.0,
    kinds: Annotated[str, typer.Option(help="Only these kinds, by comma; each as often as `each` says.")] = "",
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Runs the plan; exit 1 if anything is lost, double or different."""
    chosen = [kind for kind in plan(each, seed, outages) if not kinds or kind in kinds.split(",") or kind.startswith("outage")]
    with tempfile.TemporaryDirectory(prefix="rollcall-faults-") as home:
        report = run(Path(home) / "var", chosen, seed, rate, say)
    typer.echo(table(report))
    keep({"ok": report.ok, **asdict(report)}, as_json)
    raise typer.Exit(0 if report.ok else 1)


if __name__ == "__main__":
    typer.run(main)
