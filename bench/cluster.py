"""The same people through one machine's local stream and through a cluster of three, where one node of each system is killed.

    python -m bench.cluster --people 100000 --json docs/proofs/cluster.json      (make proof-cluster)
    python -m bench.cluster --people 4000 --warm 2000                            (to try it)

First local Spark, one broker and one Cassandra node, with heaps as small as those of the cluster's nodes. Then an
installation whose settings name a Spark cluster (a master, two workers), three brokers and three Cassandra nodes, with three
copies of everything; nothing else differs. Both are warmed up and timed on the same people (bench/watching.py) and verified. On
the cluster people then go on coming while a Spark worker, a broker and a Cassandra node are killed, each in the middle of a
topic that is read, and started again; in the end everything is compared as after any faults (bench/faults.py). All of it shares
this machine: what a cluster costs shows in these figures, what it gains does not.
"""

import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cluster_servers import COPIES, Cluster
from bench.faults import Fault, Run
from bench.installation import LIMIT_S, Installation, installed
from bench.memory import resident
from bench.people import People, spark_of, synthetic
from bench.report import keep, say, table
from bench.soak import sized
from bench.watching import Watch
from engine.clients import cassandra_session
from engine.native import nodetool
from engine.stores.schema import PROFILES

KILLED = ("worker-1", "kafka-1", "cassandra-1")
"""The first of each: of Cassandra the node that the others joined, of Kafka the first address in the settings."""

LOCAL = "local[2]"
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHORT = 16
"""Letters up to which a text of the key ring is a name and no key."""

RATE = 50.0
"""People a second of the producer while nodes are killed, as it is delivered; what waits in the topic is beside it."""


@dataclass
class Loss:
    """A node that was killed. stood_s: until a turn was closed after it; recovered_s: until people who came after it were rows;
    whole_s: from its start until the cluster had all copies again; behind: records that waited when it was killed."""

    node: str
    behind: int
    stood_s: float
    recovered_s: float
    whole_s: float


class Kills(Run):
    """The plan of bench/faults.py on a cluster's nodes."""

    def __init__(self, one: Installation, cluster: Cluster, seed: int) -> None:
        super().__init__(one, seed, stopped_s=0.0)
        self.cluster = cluster

    def _until(self, what: str, condition: Callable[[], bool], limit_s: float) -> None:
        """Longer than on one machine: here a node more or less is a third of what runs."""
        super()._until(what, condition, max(limit_s, LIMIT_S))

    def lose(self, watch: Watch, name: str) -> Loss:
        """Kills a node, sees that people flow without it, and starts it again."""
        at = datetime.now(UTC)
        behind = sum(watch.ends().values()) - sum(watch.figures()["offsets"].values())
        self.say(f"kill {name}, {behind} behind ...")
        os.killpg(self.cluster.group(name), signal.SIGKILL)
        began = time.monotonic()
        stood = self.goes_on(began)
        recovered = self.flows_again(began)
        self.report.faults.append(Fault(f"kill {name}", at.isoformat(timespec="seconds"), round(recovered, 1)))
        self.say(f"kill {name}: a turn after {stood:.1f} s, new people after {recovered:.1f} s; starting it again")
        began = time.monotonic()
        self.cluster.back(name)
        whole = time.monotonic() - began
        self.say(f"{name}: whole again after {whole:.1f} s")
        return Loss(name, behind, round(stood, 1), round(recovered, 1), round(whole, 1))


def main(
    people: Annotated[int, typer.Option(help="New people; a third of them again as updates, and for each kill.")] = 108_000,
    warm: Annotated[int, typer.Option(help="People before it is measured, half of them sent twice.")] = 40_000,
    seed: Annotated[int, typer.Option(help="Of whom is erased meanwhile.")] = 1,
    only: Annotated[str, typer.Option(help="`local` or `cluster`: that one alone, to try it.")] = "",
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if a verify finds anything, or anything is lost or double after a kill. How soon it recovers is told and
    promised nowhere: each kill comes on top of a topic full of people."""
    report: dict[str, Any] = {"people": people, "copies": COPIES}
    with tempfile.TemporaryDirectory(prefix="rollcall-cluster-", ignore_cleanup_errors=True) as folder:
        if only != "cluster":
            with installed(Path(folder) / "local", say, spark={"driver_memory": "1g"}) as one, filling(one) as crowd, \
                    Watch(one) as watch:
                report["local"] = {**timed(one, crowd, watch, people, warm), **local_store(one), "memory_mb": memory(one)}
        if only != "local":
            (place := Path(folder) / "nodes").mkdir()
            more = {"producer": {"source": "synthetic", "rate": RATE}}
            with Cluster(place) as cluster, \
                    installed(Path(folder) / "cluster", say, cluster.up, **cluster.settings, **more) as one, \
                    filling(one) as crowd, Watch(one) as watch:
                report["cluster"] = {**timed(one, crowd, watch, people, warm), **cluster_store(one, cluster),
                                     "memory_mb": {**memory(one), **cluster.memory_mb()}}
                report["faults"] = kills(one, cluster, crowd, watch, people // 3, seed)
    typer.echo(told(report))
    keep({**report, "ok": kept(report)}, as_json)
    raise typer.Exit(0 if kept(report) else 1)


@contextmanager
def filling(one: Installation) -> Iterator[People]:
    """Who fills the topic; in a local Spark of the bench's own, whatever the installation's stream runs on."""
    local = one.settings.spark.model_copy(update={"master": LOCAL})
    with spark_of(replace(one, settings=one.settings.model_copy(update={"spark": local}))) as spark:
        yield People(one.settings, spark, synthetic())


def timed(one: Installation, crowd: People, watch: Watch, people: int, warm: int) -> dict[str, Any]:
    """Starts the stream, warms it up, times new people and updates, verifies."""
    crowd.send(crowd.records("warm", warm))
    watch.started()
    watch.all_read()
    crowd.send(crowd.records("warm", warm // 2, version=1))
    watch.all_read()
    third = max(1, people // 3)
    sent = {"new": crowd.records("new", people), "updates": crowd.records("new", third, every=3, version=1)}
    flow = {}
    for name, records in sent.items():
        say(f"{name}: filling the topic")
        phase = watch.timed(lambda records=records: crowd.send(records))    # type: ignore[misc]
        say(f"{name}: {phase.rate:,.0f} a second, {phase.steps}")
        flow[name] = phase.told()
    said = one.verified()
    say(f"verify ends with {said['exit']}: {verdict(said)}")
    return {"master": one.settings.spark.master.partition("://")[0], "flow": flow, "verify": verdict(said),
            "records": sum(watch.ends().values())}


def verdict(said: dict[str, Any]) -> dict[str, Any]:
    """Of what `rollcall verify` says, what a report keeps."""
    return {name: said[name] for name in ("ok", "exit", "records", "rows", "counted")}


def local_store(one: Installation) -> dict[str, Any]:
    """Bytes on disk where each system is one node of ours."""
    node = nodetool.local(one.settings)
    assert node is not None, "Cassandra of this installation does not run"
    with nodetool.opened(one.settings, node) as run:
        run("flush", one.settings.cassandra.keyspace)
    return stored(one, [one.settings.data / "kafka"], [one.settings.data / "cassandra"])


def cluster_store(one: Installation, cluster: Cluster) -> dict[str, Any]:
    """The same, of all nodes together."""
    for number in range(1, COPIES + 1):
        cluster.nodetool(number, "flush", one.settings.cassandra.keyspace)
    kafka, cassandra = ([cluster.data(system, number) for number in range(1, COPIES + 1)] for system in ("kafka", "cassandra"))
    return stored(one, kafka, cassandra)


def stored(one: Installation, kafka: Iterable[Path], cassandra: Iterable[Path]) -> dict[str, Any]:
    """MB of people: in the topic, in the table of rows, and of all that MongoDB keeps."""
    topic, keyspace = one.settings.kafka.topic, one.settings.cassandra.keyspace
    return {"stored_mb": {
        "topic": megabytes(part for node in kafka for part in node.glob(f"{topic}-[0-9]*")),
        "rows": megabytes(part for node in cassandra for part in (node / "data" / keyspace).glob(f"{PROFILES.name}-*")),
        "aggregates": megabytes([one.settings.data / "mongo"])}}


def megabytes(folders: Iterable[Path]) -> float:
    """Of all their files."""
    return round(sum(sized(folder)[1] for folder in folders), 1)


def memory(one: Installation) -> dict[str, float]:
    """Process -> MB resident, of what the installation's supervisord runs."""
    return {name: round(resident_bytes / 2**20, 1) for name, (resident_bytes, _) in resident(one).items()}


def kills(one: Installation, cluster: Cluster, crowd: People, watch: Watch, people: int, seed: int) -> dict[str, Any]:
    """Kills one of each while a topic full of people is read and others come and are erased; then compares everything."""
    run = Kills(one, cluster, seed)
    one.processes.start("producer")
    run.flows_again(time.monotonic())
    losses = []
    for name in KILLED:
        run.disturb(erased=1.0)    # there are only three
        crowd.send(crowd.records(f"before {name}", people))
        before = watch.total("read")
        one.until("the stream reads what came", lambda before=before: watch.total("read") > before)    # type: ignore[misc]
        losses.append(run.lose(watch, name))
    report, told, named = run.finish(), told_secrets(one, cluster), people_in_logs(one, cluster)
    return {"losses": [asdict(loss) for loss in losses], "report": asdict(report), "secrets_in_clear": told,
            "people_in_logs": named, "ok": report.exact and report.erased > 0 and not told and not named}


def people_in_logs(one: Installation, cluster: Cluster) -> int:
    """How many people whose rows there are have their number in what the nodes and the executors have printed."""
    named = {found.decode() for path in printed(one, cluster) for found in UUID.findall(path.read_bytes())}
    with cassandra_session(one.settings, "verify") as session:
        rows = session.execute(f"SELECT uuid FROM {one.settings.cassandra.keyspace}.{PROFILES.name}")
        return len(named.intersection(str(row.uuid) for row in rows))


def printed(one: Installation, cluster: Cluster) -> Iterator[Path]:
    """What everything has printed; not what it keeps, which Kafka and Cassandra call logs, too."""
    for folder in (cluster.folder, one.settings.logs_dir):
        for pattern in ("*.log", "stderr", "stdout"):
            yield from (path for path in folder.rglob(pattern) if "data" not in path.relative_to(folder).parts)


def told_secrets(one: Installation, cluster: Cluster) -> list[str]:
    """Where a password or key of the installation stands that should not: command lines of this machine, and what the nodes and
    the executors have printed."""
    words = secret_words(one.settings.secrets)
    lines = Path("/proc").glob("[0-9]*/cmdline")
    found = []
    for path in (*printed(one, cluster), *lines):
        with suppress(OSError):    # it has ended, or is somebody else's
            if any(word in path.read_bytes() for word in words):
                found.append(str(path))
    return found


def secret_words(folder: Path) -> set[bytes]:
    """Passwords, and each key of the ring, as they are written."""
    ring = json.loads((folder / "keys.json").read_text())
    keys = [part for value in ring.values() for part in (value.values() if isinstance(value, dict) else [value])]
    texts = [*(key for key in keys if len(key) > SHORT), *(path.read_text().strip() for path in folder.glob("*.password")),
             *(path.read_text().strip() for path in folder.glob("*.secret"))]
    return {text.encode() for text in texts}


def kept(report: dict[str, Any]) -> bool:
    """Whether what is promised was seen."""
    verified = [report[name]["verify"]["exit"] == 0 for name in ("local", "cluster") if name in report]
    return all(verified) and report.get("faults", {"ok": True})["ok"]


def told(report: dict[str, Any]) -> str:
    """The report as tables."""
    sides = {name: report[name] for name in ("local", "cluster") if name in report}
    rows: list[tuple[object, ...]] = []
    for phase in ("new", "updates"):
        flows = [one["flow"][phase] for one in sides.values()]
        rows.append((f"{phase}, records/s", *(flow["records_a_second"] for flow in flows)))
        rows.append((f"{phase}, seconds a batch, p50", *(flow["turn_s"].get("p50") for flow in flows)))
        rows.extend((f"{phase}: {step}, s a batch", *(flow["step_s"].get(step) for flow in flows))
                    for step in flows[0]["step_s"])
    rows.extend((f"{store}, MB", *(one["stored_mb"][store] for one in sides.values()))
                for store in ("topic", "rows", "aggregates"))
    rows.append(("memory of all processes, MB", *(sum(one["memory_mb"].values()) for one in sides.values())))
    rows.append(("rows", *(one["verify"]["rows"] for one in sides.values())))
    rows.append(("verify ends with", *(one["verify"]["exit"] for one in sides.values())))
    parts = [table(("", *sides), rows)]
    if faults := report.get("faults"):
        parts.append(table(("killed", "records behind", "next turn, s", "new people are rows, s", "whole again, s"), (
            tuple(loss.values()) for loss in faults["losses"])))
        parts.append("; ".join(f"{name}: {faults['report'][name]}" for name in (
            "records", "people_made", "rows", "garbage", "erased", "lost", "double", "mismatches")))
    return "\n\n".join(parts)


if __name__ == "__main__":
    typer.run(main)
