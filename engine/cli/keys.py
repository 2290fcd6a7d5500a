"""`rollcall keys list|rotate`: the keys that seal rows, and new ones in their place."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from engine.cli.audited import audited
from engine.cli.output import show, show_json, tell
from engine.clients import mongo_client
from engine.rotation import keys as rotation
from engine.sealing import load_keys
from engine.settings import load
from engine.stores.status import Status


class Which(StrEnum):
    """A key that can be rotated."""

    PII = "pii"
    EMAIL = "email"


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="See and rotate the keys of rows.", no_args_is_help=True)
    for command in (list_, rotate):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="keys")


def list_(
    rows: Annotated[bool, typer.Option("--rows", help="Look at every row: how many use which key.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say which keys the ring holds for rows, how far a rotation is and, on request, which keys rows use.

    No key is shown, only names. Example: rollcall keys list --rows
    """
    settings = load()
    keys = load_keys(settings)
    with mongo_client(settings, rotation.READER) as client:
        sealing = Status(client[settings.mongo.database]).writer().sealing
    found = rotation.uses(settings, keys) if rows else None
    if as_json:
        show_json({"current": keys.current, "columns": sorted(keys.columns), "email": 1 + len(keys.email_before),
                   "rotating": keys.rotating, "sealing": asdict(sealing) if sealing else None,
                   "rows": vars(found) if found else None})
        return
    for name in sorted(keys.columns):
        used = f": {found.keys[name]:,} rows" if found else ""
        show(f"{name}{used}" + (" (new rows)" if name == keys.current else " (until no row needs it)"))
    show(f"e-mail tokens: {1 + len(keys.email_before)} key{'s, of which one is current' if keys.email_before else ''}")
    show(rotation.said(sealing))
    if found:
        show(f"{found.rows:,} rows, {found.old:,} of them need an earlier key, {found.shut:,} hold a value that no key opens")
    if keys.rotating:
        show("A rotation was begun: `rollcall keys rotate " + ("pii" if len(keys.columns) > 1 else "email") + "` ends it.")


def rotate(
    which: Annotated[Which, typer.Argument(help="pii: the key that seals rows; email: the key of e-mail tokens.")],
    within: Annotated[float, typer.Option(help="Seconds to wait; the stream goes on with it all the same.", min=0)] = 3600.0,
) -> None:
    """Exchange a key while everything runs: new rows have it at once, old ones are sealed anew, then the old key goes.

    The stream must run. Interrupted, killed, or after exit code 75, it can be given again and goes on.
    Example: rollcall keys rotate pii
    """
    settings = load()
    with audited(settings, "keys.rotate", which.value):
        found = rotation.rotate(settings, which.value, within, tell)
    show(f"The old key is gone: all {found.rows:,} rows use the new one. Make a backup now: one from before needs the key ring "
         "from before.")
    if found.shut:
        show(f"{found.shut:,} rows hold a value that no key opened before either; `rollcall verify` names them.")
