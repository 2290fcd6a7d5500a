"""Which alerts are on, since when, and who was told what of them: kept in a file, so that a restart tells nobody again.

An alert waits until it has held for the time of its rule, is on from then, and goes once everybody was told of its end. Moments
are seconds since 1970, as the caller's clock has them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from engine.alerts.messages import Event, Message
from engine.alerts.rules import Found
from engine.secrets import write_secret
from engine.settings import Settings
from engine.tls.pages import console_address

GAP_S = 120.0
"""Seconds without a look after which nobody knows whether what held before has held since."""


class Told(BaseModel):
    """What a receiver was told last."""

    event: Event
    at: float


class Alert(BaseModel):
    """One. since: from when it holds; on: it has for long enough; ended: when it no longer did. told: by receiver."""

    name: str
    labels: dict[str, str]
    severity: str
    summary: str
    runbook: str
    since: float
    on: bool = False
    ended: float | None = None
    told: dict[str, Told] = {}

    def due(self, receiver: str, now: float, remind_s: float) -> Event | None:
        """What this receiver has to be told now. Of one that ended before it could be told it is told the end alone."""
        told = self.told.get(receiver)
        if not self.on or (told and told.event == "has ended"):
            return None
        if self.ended is not None:
            return "has ended"
        if told is None:
            return "begins"
        return "goes on" if now - told.at >= remind_s else None

    def message(self, event: Event, settings: Settings) -> Message:
        """The message of it."""
        return Message(event, self.name, self.severity, self.summary, _moment(self.since),
                       settings.alerts.page(self.runbook), console_address(settings),
                       None if self.ended is None else _moment(self.ended), self.labels)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Standing(BaseModel):
    """All of them, by what tells each from any other. looked: when the figures were last looked at; 0: never."""

    looked: float = 0.0
    alerts: dict[str, Alert] = {}

    def look(self, now: float, found: Iterable[Found], unsure: frozenset[str] = frozenset()) -> None:
        """What holds now. unsure: rules that look further back than there are figures, as after a restart: of these none
        ends yet."""
        held = {one.key: one for one in found}
        gap = now - self.looked > GAP_S
        for key, one in held.items():
            alert = self.alerts.get(key)
            if alert is None or (not alert.on and gap):
                alert = self.alerts[key] = Alert(
                    name=one.rule.name, labels=dict(one.labels), severity=one.rule.severity, summary=one.summary,
                    runbook=one.rule.runbook, since=now)
            alert.summary, alert.ended = one.summary, None    # back before its end was told: it has not ended
            alert.since = min(alert.since, now)    # a clock was set back
            alert.on = alert.on or now - alert.since >= one.rule.for_s
        for key, alert in list(self.alerts.items()):
            if key not in held and alert.name not in unsure:
                if alert.on:
                    alert.ended = alert.ended or now
                else:
                    del self.alerts[key]
        self.looked = now

    def forget_ended(self, receivers: Iterable[str]) -> None:
        """Lets go of what ended, once all were told so."""
        names = set(receivers)
        self.alerts = {key: alert for key, alert in self.alerts.items() if alert.ended is None or any(
            name not in alert.told or alert.told[name].event != "has ended" for name in names)}

    @property
    def on(self) -> list[Alert]:
        """Those that are on, the oldest first."""
        return sorted((alert for alert in self.alerts.values() if alert.on and alert.ended is None),
                      key=lambda alert: alert.since)


def state_file(settings: Settings) -> Path:
    """Where it is kept who was told what."""
    return settings.state / "alerts.json"


def read(path: Path) -> Standing:
    """What was kept; nothing where there is no file, or none that can be read: then all is told once more."""
    try:
        return Standing.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Standing()


def keep(path: Path, standing: Standing) -> None:
    """Writes it, whole or not at all. Raises OSError."""
    write_secret(path, standing.model_dump_json().encode())
