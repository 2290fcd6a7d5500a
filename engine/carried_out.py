"""Sending a command to the control topic and waiting until the stream has carried it out."""

import threading
import time
from collections.abc import Callable

from engine import commands
from engine.clients import cassandra_session, mapped, mongo_client
from engine.errors import CommandRefused, NotServed
from engine.sealing import load_keys
from engine.settings import Settings
from engine.stores.status import Status

LOOK_EVERY_S = 0.2


def send_and_wait(settings: Settings, verb: str, uuid: str, request: str, within: float, say: Callable[[str], None]) -> None:
    """Appends the command and waits; NotServed if the stream has not carried it out in time (it still will)."""
    keys = load_keys(settings)
    offset = commands.send(settings, keys, verb, uuid, request, say)
    wait(settings, offset, within)
    if uuid and not _in_marker(settings, keys.suppression_token(commands.canonical(uuid)), offset):
        raise CommandRefused("The stream could not read this command and kept it as a dead letter. Does this installation "
                             "hold the same key ring (keys.json) as the stream's?")


def wait(settings: Settings, offset: int, within: float, over: threading.Event | None = None) -> None:
    """Waits until the command of this offset is carried out; NotServed if it is not in time (it still will be).

    over: ends the waiting when it is set.
    """
    over = over or threading.Event()
    until = time.monotonic() + within
    with mongo_client(settings, "governance") as client:
        status = Status(client[settings.mongo.database])
        while True:
            state = status.writer()
            if state.control > offset and not state.recount:
                break
            if time.monotonic() > until or over.is_set():
                raise NotServed(f"The command is kept, but the stream did not carry it out within {within:.0f} s. It will "
                                "when it runs: `rollcall status` shows whether it does, `rollcall stream start` starts it.")
            over.wait(LOOK_EVERY_S)


def _in_marker(settings: Settings, token: str, offset: int) -> bool:
    """Whether the person's marker has folded the command of this offset in."""
    with cassandra_session(settings, "governance") as session, mapped("reading the marker", "governance"):
        kept = session.execute(
            f"SELECT last_command FROM {settings.cassandra.keyspace}.markers WHERE suppression = %s", (token,)).one()
    return kept is not None and kept.last_command >= offset
