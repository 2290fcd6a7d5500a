"""`rollcall erase` and `rollcall lift`: commands about people, carried out by the stream."""

from pathlib import Path
from typing import Annotated

import typer

from engine.carried_out import send_and_wait
from engine.cli.audited import audited
from engine.cli.output import show, show_json, tell
from engine.commands import canonical
from engine.errors import InputUnreadable, NotServed, SettingsInvalid
from engine.rights import erasure
from engine.sealing import load_keys
from engine.settings import load
from governance.rights.proof import Proof

Uuid = Annotated[str, typer.Argument(help="The person's uuid.", metavar="UUID")]
Request = Annotated[str, typer.Option(help="Id of the request this answers, kept with the marker.")]
Within = Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(erase)
    app.command()(lift)


def erase(
    uuids: Annotated[list[str] | None, typer.Argument(help="Uuids of people.", metavar="UUID...")] = None,
    file: Annotated[Path | None, typer.Option(help="File of uuids, one a line.")] = None,
    request: Request = "", within: Within = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the proof as JSON.")] = False,
) -> None:
    """Erase people from every store, for good until it is lifted, and say of each store what it holds; run it again any time.

    Exit code 75 while a store says NOT ERASED. Example: rollcall erase 9a723211-0e87-41f1-b1e4-ed1a15226b80 --request R-17
    """
    settings, people = load(), [canonical(uuid) for uuid in [*(uuids or ()), *_lines(file)]]
    if not people:
        raise SettingsInvalid("Nobody is named: give uuids, or a file of them with --file.")
    request = request or erasure.unnamed(people, load_keys(settings))
    target = f"person {load_keys(settings).suppression_token(people[0])[:16]}" if len(people) == 1 else f"{len(people)} people"
    with audited(settings, "person.erase", target, request):
        proof = erasure.erase(settings, people, request, within, tell)
        if as_json:
            show_json(proof.as_json())
        else:
            _show(proof)
        if not proof.done:
            raise NotServed("Not everything is erased. Run the same again when the reasons above are gone; it goes on where it "
                            "is.")


def lift(uuid: Uuid, request: Request = "", within: Within = 60.0) -> None:
    """Lift an erasure: records of this person that arrive from now on count again.

    Example: rollcall lift 9a723211-0e87-41f1-b1e4-ed1a15226b80 --request R-2026-018
    """
    settings = load()
    token = load_keys(settings).suppression_token(canonical(uuid))
    with audited(settings, "person.lift", f"person {token[:16]}", request):
        send_and_wait(settings, "lift", uuid, request, within, tell)
    show("Lifted. Records that arrive from now on count.")


def _show(proof: Proof) -> None:
    for verdict in proof.verdicts:
        show(f"{verdict.store:20} {verdict.said}")
    show(f"{proof.people} people, request {proof.request}: {proof.said}.")


def _lines(file: Path | None) -> list[str]:
    try:
        return [line.strip() for line in file.read_text().splitlines() if line.strip()] if file else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputUnreadable(f"{file} cannot be read ({type(error).__name__}); it holds one uuid a line.") from None
