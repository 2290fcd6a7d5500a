"""`rollcall erase` and `rollcall lift`: commands about one person, carried out by the stream."""

from typing import Annotated

import typer

from engine.carried_out import send_and_wait
from engine.cli.audited import audited
from engine.cli.output import show, tell
from engine.commands import canonical
from engine.sealing import load_keys
from engine.settings import Settings, load

Uuid = Annotated[str, typer.Argument(help="The person's uuid.", metavar="UUID")]
Request = Annotated[str, typer.Option(help="Id of the request this answers, kept with the marker.")]
Within = Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(erase)
    app.command()(lift)


def erase(uuid: Uuid, request: Request = "", within: Within = 60.0) -> None:
    """Erase a person: row and counts go, and stay gone whatever is replayed, until the erasure is lifted.

    Example: rollcall erase 9a723211-0e87-41f1-b1e4-ed1a15226b80 --request R-2026-017
    """
    settings = load()
    _commanded(settings, "erase", uuid, request, within)
    kafka = settings.kafka
    hours = (kafka.segment_minutes + kafka.max_compaction_lag_minutes) / 60
    show("Erased: whatever row stood under this uuid is gone, and its records count no more. Those still in the topic are "
         f"compacted away within about {hours:.0f} hours of the next record in their partition.")


def lift(uuid: Uuid, request: Request = "", within: Within = 60.0) -> None:
    """Lift an erasure: records of this person that arrive from now on count again.

    Example: rollcall lift 9a723211-0e87-41f1-b1e4-ed1a15226b80 --request R-2026-018
    """
    _commanded(load(), "lift", uuid, request, within)
    show("Lifted. Records that arrive from now on count.")


def _commanded(settings: Settings, verb: str, uuid: str, request: str, within: float) -> None:
    """Sends a command about one person, whom the audit knows by a token only."""
    token = load_keys(settings).suppression_token(canonical(uuid))
    with audited(settings, f"person.{verb}", f"person {token[:16]}", request):
        send_and_wait(settings, verb, uuid, request, within, tell)
