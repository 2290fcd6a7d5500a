"""Sending a command to the control topic and waiting until the stream has carried it out."""

import threading
import time
from collections.abc import Callable, Mapping

from engine import commands
from engine.clients import mongo_client
from engine.errors import CommandUnread, NotServed
from engine.rights import persons
from engine.sealing import load_keys
from engine.settings import Settings
from engine.stores.status import Status

LOOK_EVERY_S = 0.2
SENDER = "governance"
"""Who sends commands, and looks whether they are carried out."""


def send_and_wait(settings: Settings, verb: str, uuid: str, request: str, within: float, say: Callable[[str], None]) -> None:
    """Appends the command and waits; NotServed if the stream has not carried it out in time (it still will)."""
    keys = load_keys(settings)
    offset = commands.send(settings, keys, verb, uuid, request, say)
    if uuid:
        wait_and_look(settings, {keys.suppression_token(commands.canonical(uuid)): offset}, within)
    else:
        wait(settings, offset, within)


def wait_and_look(settings: Settings, offsets: Mapping[str, int], within: float) -> None:
    """Waits until the commands of these offsets are carried out, and looks whether the markers have them. offsets: of one
    command a person, by the person's token. Raises as `wait` does, CommandUnread, StoreAway, SignInRefused."""
    wait(settings, max(offsets.values()), within)
    marked = persons.markers(settings, offsets, SENDER)
    if any(token not in marked or marked[token]["last_command"] < offset for token, offset in offsets.items()):
        raise CommandUnread("The stream could not read the command and kept it as a dead letter. Does this installation "
                            "hold the same key ring (keys.json) as the stream's?")


def wait(settings: Settings, offset: int, within: float, over: threading.Event | None = None) -> None:
    """Waits until the command of this offset is carried out; NotServed if it is not in time (it still will be).

    over: ends the waiting when it is set.
    """
    over = over or threading.Event()
    until = time.monotonic() + within
    with mongo_client(settings, SENDER) as client:
        status = Status(client[settings.mongo.database])
        while True:
            state = status.writer()
            if state.control > offset and not state.recount:
                break
            if time.monotonic() > until or over.is_set():
                raise NotServed(f"The command is kept, but the stream did not carry it out within {within:.0f} s. It will "
                                "when it runs: `rollcall status` shows whether it does, `rollcall stream start` starts it.")
            over.wait(LOOK_EVERY_S)
