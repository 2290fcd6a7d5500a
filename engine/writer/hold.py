"""Stillness: a verify, or a backup, asks the stream to stand still between two turns, so that topic, rows and aggregates are of
one moment.

The stream answers at the gate of its next turn (engine/spark_stream.py). A hold ends by itself after a time, so that
a verify that dies holds nobody for ever.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from engine.errors import NotServed
from engine.settings import Settings
from engine.stores.status import Status

LOOK_EVERY_S = 0.1


@contextmanager
def still(settings: Settings, status: Status) -> Iterator[bool]:
    """Holds the stream while the block runs; yields whether one was running. NotServed if it does not answer."""
    number = str(uuid4())
    until = datetime.now(UTC) + timedelta(seconds=settings.stream.hold_s)
    other = status.read("hold")
    if other and not other["released"] and other["until"] > datetime.now(UTC):
        raise NotServed("Another verify, or a backup, holds the stream; run this one when it is done.")
    status.write("hold", {"number": number, "until": until, "released": False})
    try:
        streaming = _standing(settings, status, number)
        yield streaming
        if streaming and datetime.now(UTC) > until:
            raise NotServed(f"This took longer than the stream may be held ({settings.stream.hold_s} s), so what was read is "
                            "not of one moment. Give it longer: ROLLCALL_STREAM__HOLD_S=...")
    finally:
        status.write("hold", {"number": number, "until": until, "released": True})


def _standing(settings: Settings, status: Status, number: str) -> bool:
    limit = time.monotonic() + settings.stream.hold_s
    beat, moved = _beat(status), time.monotonic()
    while beat is not None:
        if (status.read("standing") or {}).get("hold") == number:
            return True
        now = _beat(status)
        if now != beat:
            beat, moved = now, time.monotonic()
        elif time.monotonic() - moved > settings.stream.lease_s:
            return False    # no beat: it is dead
        if time.monotonic() > limit:
            raise NotServed(f"The stream did not come to rest within {settings.stream.hold_s} s. `rollcall logs stream` "
                            "shows what it does; `rollcall stream stop` stops it.")
        time.sleep(LOOK_EVERY_S)
    return False


def _beat(status: Status) -> tuple[Any, ...] | None:
    """Number and beat of the lease that is held, None if none is."""
    held = status.lease()
    return None if held is None or held["released"] else (held["n"], held["beat"])
