"""`rollcall alerts list|test`: which alerts are on, and whether whoever is to be told can be told."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from engine.alerts import standing
from engine.alerts.messages import Message
from engine.alerts.rules import in_words
from engine.cli.output import complain, show, tell
from engine.errors import RollcallError, SettingsInvalid
from engine.settings import Settings, load
from engine.tls.pages import console_address

if TYPE_CHECKING:
    from engine.alerts.receivers import Receiver

NOT_WELL = 1
RUNBOOK = "docs/operating.md#alerts"


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Which alerts are on, and who is told.", no_args_is_help=True)
    group.command("list")(list_on)
    group.command("test")(trial)
    app.add_typer(group, name="alerts")


def list_on() -> None:
    """Show which alerts are on, since when, and who was told; exit 1 if one is.

    Example: rollcall alerts list
    """
    settings = load()
    told = _receivers(settings)
    kept = standing.read(standing.state_file(settings))
    old = time.time() - kept.looked
    if not kept.looked:
        tell("Nobody has looked yet: the keeper does when it runs (`rollcall status keeper`).")
    elif old > standing.GAP_S:
        tell(f"This is {in_words(old)} old: the keeper looks when it runs (`rollcall status keeper`).")
    for alert in kept.on:
        heard = ", ".join(receiver.name for receiver in told if receiver.name in alert.told) or "nobody yet"
        show(f"{alert.severity:6} {alert.name}: {alert.summary}, since "
             f"{datetime.fromtimestamp(alert.since, UTC):%Y-%m-%d %H:%M:%S} UTC; told: {heard}; {alert.runbook}")
    if kept.on:
        raise typer.Exit(NOT_WELL)
    show("No alert is on.")


def trial() -> None:
    """Send everybody who is to be told a trial message, and say what came of it; exit 1 if one could not be told.

    Example: rollcall alerts test
    """
    settings, failed = load(), False
    message = Message("trial", "RollcallTrial", "ticket", "This is a trial: nothing is wrong, nothing has to be done",
                      datetime.now(UTC), settings.alerts.page(RUNBOOK), console_address(settings))
    for receiver in _receivers(settings):
        try:
            note = receiver.tell(message)
        except RollcallError as error:
            complain(str(error))
            failed = True
        else:
            show(f"{receiver.where} has taken the trial message{f'; {note}' if note else ''}.")
    if failed:
        raise typer.Exit(NOT_WELL)


def _receivers(settings: Settings) -> "list[Receiver]":
    if not settings.alerts.wanted:
        raise SettingsInvalid("Nobody is told of alerts: set ROLLCALL_ALERTS__WEBHOOK, or ROLLCALL_ALERTS__MAIL_HOST with "
                              "__MAIL_FROM and __MAIL_TO; docs/operating.md says more under Alerts.")
    from engine.alerts.receivers import receivers  # what it takes to tell is imported only by those who tell

    return receivers(settings)
