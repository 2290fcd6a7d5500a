"""Sending a command to the control topic and waiting until the stream has carried it out."""

import time

from engine import commands
from engine.cli.output import Say
from engine.clients import mongo_client
from engine.errors import NotServed
from engine.sealing import load_keys
from engine.settings import load
from engine.stores.status import Status

LOOK_EVERY_S = 0.2


def send_and_wait(verb: str, uuid: str, request: str, within: float, say: Say) -> None:
    """Appends the command and waits; NotServed if the stream has not carried it out in time (it still will)."""
    settings = load()
    offset = commands.send(settings, load_keys(settings), verb, uuid, request, say)
    until = time.monotonic() + within
    with mongo_client(settings, "governance") as client:
        status = Status(client[settings.mongo.database])
        while True:
            state = status.writer()
            if state.control > offset and not state.recount:
                return
            if time.monotonic() > until:
                raise NotServed(f"The command is kept, but the stream did not carry it out within {within:.0f} s. It will "
                                "when it runs: `rollcall status` shows whether it does, `rollcall stream start` starts it.")
            time.sleep(LOOK_EVERY_S)
