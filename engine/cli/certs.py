"""`rollcall certs`: the private authority, the certificates it gives, and whether TLS is spoken."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from engine.cli.output import show, tell
from engine.errors import SettingsInvalid
from engine.processes import Supervisor
from engine.settings import Settings, load
from engine.settings_file import change
from engine.tls import authority

NOT_WELL = 1


def register(app: typer.Typer) -> None:
    """Adds the command of this group."""
    app.command()(certs)


def certs(
    renew: Annotated[bool, typer.Option("--renew", help="Make every certificate of ours anew, whenever it ends.")] = False,
    on: Annotated[bool | None, typer.Option(
        "--on/--off", help="Have everything speak TLS, or nothing, from the next `rollcall up`.")] = None,
) -> None:
    """Make the private authority and the certificates that are missing, renew those that end within 30 days, and say when
    each ends; exit 1 if one ends within 30 days all the same.

    What runs keeps the certificate it was started with. Example: rollcall certs --on
    """
    settings = load()
    if on is not None and on != settings.tls.on:
        _require_still(settings)
    if made := authority.ensure(settings, anew=renew):
        tell(f"Made {', '.join(made)} in {authority.folder(settings)}")
    if running := [name for name, status in Supervisor(settings).status().items()
                   if status.pid and name in made and settings.tls.on]:
        tell(f"{' and '.join(running)} still {'shows' if len(running) == 1 else 'show'} the one before: `rollcall down`, then "
             "`rollcall up`.")
    if on is not None and on != settings.tls.on:
        change(settings, "tls", {"on": on})
    speaks = settings.tls.on if on is None else on
    now, kept = datetime.now(UTC), authority.kept(settings)
    for one in kept:
        left = (one.ends - now).days
        show(f"{'NOT' if one.ends_soon(now) else 'ok '}  {one.name:10} ends {one.ends:%Y-%m-%d}, in {left} days"
             f"{'' if one.ours else '; of somebody else, who renews it'}")
    show("TLS is on: `rollcall up` starts everything with it." if speaks else
         "TLS is off; `rollcall certs --on` has everything speak it.")
    if any(one.ends_soon(now) for one in kept):
        raise typer.Exit(NOT_WELL)


def _require_still(settings: Settings) -> None:
    """Servers and clients of one installation speak the same."""
    if running := [name for name, status in Supervisor(settings).status().items() if status.pid]:
        raise SettingsInvalid(f"Whether TLS is spoken is changed while nothing runs, and {', '.join(running)} run: first "
                              "`rollcall down`.")
