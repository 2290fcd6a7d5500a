"""An installation as some version of Rollcall leaves it, packed for the tests of later ones. In a clone of that version:

    PYTHONPATH=. .venv/bin/python -P THIS_FILE var.tar.xz

It holds made-up people, of whom one is erased and one restricted, a dead letter, and what provisioning makes. It is stopped as
`rollcall down` does. Works with whatever clone it is run in, so it uses little of it.
"""

import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from bench.installation import Installation, installed
from engine import stack
from engine.clients import cassandra_session, kafka_producer
from engine.commands import send
from engine.sealing import load_keys
from engine.settings import CLONE

PEOPLE = 60
KEPT = ("data", "secrets", "state", "checkpoint", "settings.toml")
LEFT_OUT = ("data/cassandra/hints", "data/cassandra/saved_caches")
LIMIT_S = 1000.0


def rollcall(one: Installation, *arguments: str) -> None:
    """Runs a command of that version."""
    one.say(f"rollcall {' '.join(arguments)}")
    subprocess.run(one.command(*arguments), cwd=CLONE, check=True, timeout=LIMIT_S)


def uuids(one: Installation) -> list[str]:
    """Who has a row."""
    with cassandra_session(one.settings, "provision") as session:
        return sorted(str(row.uuid) for row in session.execute(
            f"SELECT uuid FROM {one.settings.cassandra.keyspace}.profiles"))


def fill(one: Installation) -> None:
    """Lets people in, and commands be carried out."""
    stack.provide(one.settings, one.say)    # the register's first content
    one.processes.start("stream")
    rollcall(one, "produce", "--source", "synthetic", "--limit", str(PEOPLE), "--rate", "0")
    producer = kafka_producer(one.settings, "producer")
    producer.send(one.settings.kafka.topic, key=b"nobody", value=b"no person").get(timeout=10)
    producer.close()
    one.until("people are rows", lambda: len(uuids(one)) > PEOPLE // 2, LIMIT_S)
    time.sleep(5)    # the rest of them
    rollcall(one, "erase", uuids(one)[0], "--request", "R-1", "--within", "900")
    send(one.settings, load_keys(one.settings), "restrict", uuids(one)[0], "R-2")
    rollcall(one, "recount", "--within", "900")
    rollcall(one, "verify")


def packed(home: Path, file: Path) -> None:
    """Packs what an installation keeps, owners and times left out."""
    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        return None if info.name.startswith(LEFT_OUT) else info

    with tarfile.open(file, "w:xz", preset=9) as archive:
        for name in KEPT:
            if (home / name).exists():
                archive.add(home / name, name, filter=plain)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="rollcall-old-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "var"
        with installed(place, print, producer={"rate": 0.0}, stream={"lease_s": 5.0}, metrics={"serve": False}) as made:
            fill(made)
            stack.down(made.settings, made.say)
        packed(place, Path(sys.argv[1]))
