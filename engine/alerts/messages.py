"""What a receiver is told: an alert begins, goes on, has ended, or this is a trial. Nobody's name is in it: its words are those
of the rules, its labels those of the metrics (docs/decisions/0015-metrics.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Event = Literal["begins", "goes on", "has ended", "trial"]


@dataclass(frozen=True)
class Message:
    """One. runbook: what to do, as an address or a path of the repository. console: where this installation is looked at."""

    event: Event
    alert: str
    severity: str
    summary: str
    since: datetime
    runbook: str
    console: str
    ended: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """In one line."""
        return f"Rollcall: {self.severity}: {self.alert} {self.event}"

    @property
    def text(self) -> str:
        """In a few lines."""
        until = f", until {self.ended:%Y-%m-%d %H:%M:%S} UTC" if self.ended else ""
        return (f"{self.subject}\n{self.summary}.\nSince {self.since:%Y-%m-%d %H:%M:%S} UTC{until}.\n"
                f"What to do: {self.runbook}\nConsole: {self.console}")

    def as_json(self) -> dict[str, Any]:
        """For a webhook. `text` is what Slack, Mattermost and their like show."""
        return {"event": self.event, "alert": self.alert, "severity": self.severity, "summary": self.summary,
                "since": self.since.isoformat(), "ended": self.ended.isoformat() if self.ended else None,
                "runbook": self.runbook, "console": self.console, "labels": dict(self.labels), "text": self.text}
