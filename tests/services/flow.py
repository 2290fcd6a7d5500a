"""A whole flow of its own on the running servers: own topics, keyspace, database, checkpoint and keys."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from kafka import TopicPartition

from engine.backlog import backlog
from engine.clients import cassandra_session, kafka_consumer, kafka_producer, mongo_client
from engine.processes import Supervisor
from engine.provision import provision
from engine.sealing import ensure_keys, load_keys
from engine.settings import CLONE, Settings
from engine.stores import dead_letters
from engine.stores.aggregates import Aggregates
from engine.stores.status import Status
from engine.verify import Report, verify
from tests.forked import forks
from tests.plain_spark import end_java

PERSONAL = ("full_name", "full_address", "email", "phone", "birth_date")
MOVING = ("appended_at", "source_partition", "source_offset", "age_as_of", "age", *PERSONAL)
LIMIT_S = 240.0


class Flow:
    """Settings of its own in a folder of its own, on the servers of `stack`."""

    def __init__(self, stack: Settings, home: Path, name: str, more: dict[str, dict[str, Any]] | None = None) -> None:
        """more: settings that differ from those of every flow, by section."""
        shutil.copytree(stack.secrets, home / "secrets")
        (home / "secrets" / "keys.json").unlink(missing_ok=True)
        sections: dict[str, dict[str, Any]] = {
            "kafka": {"port": stack.kafka.port, "topic": f"people_{name}", "request_timeout_s": 5},
            "cassandra": {"port": stack.cassandra.port, "keyspace": f"people_{name}", "request_timeout_s": 5},
            "mongo": {"port": stack.mongo.port, "database": f"people_{name}", "request_timeout_s": 5},
            "stream": {"lease_s": 5.0, "idle_turn_s": 0.3}, "producer": {"rate": 0.0, "page": 1000},
            "metrics": {"serve": False}, "tls": {"on": stack.tls.on},
        }
        for section, fields in (more or {}).items():
            sections[section] = {**sections.get(section, {}), **fields}
        (home / "settings.toml").write_text("\n".join(
            f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
            for section, fields in sections.items()))
        self._stack = stack
        self.settings = stack.model_copy(update={"home": home, **{
            section: getattr(stack, section).model_copy(update=fields) for section, fields in sections.items()}})
        ensure_keys(self.settings)
        self.keys = load_keys(self.settings)
        provision(self.settings, lambda _: None)
        self.stream: subprocess.Popen[bytes] | None = None
        self.log = home / "stream.log"
        self.log.touch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends its stream and the Java that verified it, which would grow from flow to flow, and gives the other tests their
        permissions again: provisioning took them for this flow's."""
        self.stop(signal.SIGKILL)
        end_java()
        provision(self._stack, lambda _: None)

    def rollcall(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Runs the command; `code` is the exit code that is expected."""
        done = forks().run(["rollcall", *arguments], self.environment(), LIMIT_S)
        assert code is None or done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def environment(self) -> dict[str, str]:
        """Of a process that works in this flow; its clock is far from UTC, which must make no difference."""
        return {**{key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")},
                "ROLLCALL_HOME": str(self.settings.home), "TZ": "America/New_York"}

    def produce(self, file: Path, *options: str) -> dict[str, Any]:
        """Sends a file; returns what the producer says it did."""
        done = self.rollcall("produce", "--source", "replay", "--file", str(file), "--json", *options)
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def send(self, key: bytes, value: bytes | None) -> None:
        """Appends a record as it is, past our producer."""
        producer = kafka_producer(self.settings, "producer")
        producer.send(self.settings.kafka.topic, key=key, value=value).get(timeout=10)
        producer.close()

    def supervised(self) -> Supervisor:
        """A supervisord of this flow's own, for its programs; the servers are the stack's. `close()` ends it."""
        supervisor = Supervisor(self.settings)
        supervisor._configure()
        text = supervisor.configuration.read_text().replace("autostart=true", "autostart=false")
        supervisor.configuration.write_text(text)
        subprocess.run([sys.executable, "-m", "supervisor.supervisord", "-c", str(supervisor.configuration)], cwd=CLONE,
                       env={**self.environment(), "TZ": "UTC"}, check=True)
        self.until("supervisord answers", supervisor.alive, 30)
        return supervisor

    def start(self) -> None:
        """Starts the stream as a process."""
        with self.log.open("ab") as log:
            self.stream = subprocess.Popen([sys.executable, "-m", "engine.cli", "stream", "run"], cwd=CLONE,
                                           env=self.environment(), stdout=log, stderr=subprocess.STDOUT,
                                           start_new_session=True)

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Stops it: SIGTERM asks, SIGKILL kills its Java too, as the supervisor would. Returns the exit code."""
        stream, self.stream = self.stream, None
        if stream is None:
            return 0
        if how == signal.SIGKILL:
            with suppress(ProcessLookupError):    # it has ended by itself
                os.killpg(stream.pid, signal.SIGKILL)
        else:
            stream.send_signal(how)
        return stream.wait(timeout=90)

    def forget_place(self) -> None:
        """Deletes Spark's checkpoint."""
        shutil.rmtree(self.settings.home / "checkpoint")

    def until(self, what: str, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Waits for a condition; fails with the end of the stream's log."""
        limit = time.monotonic() + limit_s
        while not condition():
            dead = self.stream is not None and self.stream.poll() is not None
            if dead or time.monotonic() > limit:
                end = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
                raise AssertionError(f"{what}: {'the stream ended' if dead else 'not in time'}\n{end}")
            time.sleep(0.2)

    def quiet(self) -> None:
        """Waits until everything on both topics has been carried out."""
        with mongo_client(self.settings, "verify") as client:
            status = Status(client[self.settings.mongo.database])
            consumer = kafka_consumer(self.settings, "verify")
            try:
                self.until("everything is read", lambda: self._all_read(status, consumer))
            finally:
                consumer.close()

    def _all_read(self, status: Status, consumer: Any) -> bool:
        topic, control = self.settings.kafka.topic, TopicPartition(self.settings.kafka.control_topic, 0)
        state, figures = status.writer(), status.read("figures") or {}
        mine = figures.get("checkpoint") == state.checkpoint and state.checkpoint == self._checkpoint()
        return (mine and state.open is None and not state.recount
                and backlog(consumer, topic, figures["offsets"]) == 0
                and state.control == consumer.end_offsets([control])[control])

    def _checkpoint(self) -> str:
        try:
            kept = json.loads((self.settings.home / "checkpoint" / "metadata").read_text())
        except (FileNotFoundError, ValueError):
            return "none yet"
        return str(kept["id"])

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every row, by uuid, sealed columns opened."""
        with cassandra_session(self.settings, "verify") as session:
            found = [row._asdict() for row in session.execute(f"SELECT * FROM {self.settings.cassandra.keyspace}.profiles")]
        return {str(row["uuid"]): {**row, "uuid": str(row["uuid"]), **{
            name: row[name] and self.keys.open_column(str(row["uuid"]), name, row[name]) for name in PERSONAL}}
            for row in found}

    def sealed_rows(self) -> list[dict[str, Any]]:
        """Every row as it is at rest."""
        with cassandra_session(self.settings, "verify") as session:
            return [row._asdict() for row in session.execute(f"SELECT * FROM {self.settings.cassandra.keyspace}.profiles")]

    def cells(self) -> dict[Any, int]:
        """Every aggregate, cell by cell."""
        with mongo_client(self.settings, "verify") as client:
            aggregates = Aggregates(client[self.settings.mongo.database], self.settings.mongo.bulk)
            assert aggregates.contradictions() == []
            return dict(aggregates.cells())

    def documents(self, collection: str) -> dict[str, dict[str, Any]]:
        """The documents of a collection, by id."""
        with mongo_client(self.settings, "verify") as client:
            return {str(kept["_id"]): kept for kept in client[self.settings.mongo.database][collection].find({})}

    def dead_letters(self) -> list[dead_letters.DeadLetter]:
        """Every dead letter, opened."""
        return dead_letters.read(self.settings, "verify", self.keys).standing

    def verify(self) -> Report:
        """What `rollcall verify` finds. In this process, where Spark's Java starts once for all tests."""
        return verify(self.settings, lambda _: None)

    def verified(self) -> Report:
        """What it finds, where everything must agree."""
        report = self.verify()
        assert report.findings == []
        return report
