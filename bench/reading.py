"""Somebody who reads all the time, as the console does: with the key ring as it was read once, and every row that stands."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cassandra.query import SimpleStatement

from engine.clients import cassandra_session
from engine.sealing import CannotOpen, KeyRing, load_keys
from engine.settings import Settings
from engine.stores.schema import SEALED

PAGE = 500
PAUSE_S = 0.05
"""Seconds between two pages: who reads does not have the machine alone."""


@dataclass
class Readings:
    """What a reader has met. looks: at every row; keys: ids of keys that were met; unreadable: values that did not open."""

    looks: int = 0
    rows: int = 0
    values: int = 0
    keys: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@contextmanager
def reading(settings: Settings, pause_s: float = PAUSE_S) -> Iterator[Readings]:
    """Reads meanwhile, in a thread; the last look begins after the block."""
    found, over = Readings(), threading.Event()

    def read() -> None:
        keys = load_keys(settings)
        with cassandra_session(settings, "verify") as session:
            last = False
            while not last:
                last = over.is_set()
                try:
                    _look(settings, session, keys, found, 0.0 if last else pause_s)
                except Exception as error:    # of the store; a reader who ended unseen would find nothing wrong
                    found.failed.append(repr(error))
                found.looks += 1

    thread = threading.Thread(target=read, name="reader")
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _look(settings: Settings, session: Any, keys: KeyRing, found: Readings, pause_s: float) -> None:
    slow = threading.Event()
    for row in session.execute(SimpleStatement(
            f"SELECT uuid, {', '.join(SEALED)} FROM {settings.cassandra.keyspace}.profiles", fetch_size=PAGE)):
        found.rows += 1
        for name in SEALED:
            if box := getattr(row, name):
                found.values += 1
                found.keys.add(bytes(box[:4]).decode())
                try:
                    keys.open_column(str(row.uuid), name, bytes(box))
                except CannotOpen as error:
                    found.unreadable.append(f"{row.uuid}: {error}")
        if found.rows % PAGE == 0:
            slow.wait(pause_s)
