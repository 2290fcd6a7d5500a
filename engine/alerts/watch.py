"""Looks at the figures every few seconds, and tells of what begins and ends, in a thread of the keeper that nothing waits for.

    with watched(settings, say):
        ...                       # meanwhile

A receiver that does not take a message is tried again after a pause that doubles; meanwhile the others are told all the same.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from engine.alerts import rules, standing
from engine.alerts.figures import Figures, Shown, addresses, shown
from engine.alerts.receivers import Receiver, receivers
from engine.alerts.section import SAYS
from engine.errors import RollcallError
from engine.logs import said
from engine.settings import Settings
from engine.tls import trust

Say = Callable[[str], None]

KEPT_EVERY_S = 60.0
"""Seconds after which the file is written though nothing changed: it says when somebody last looked."""


@dataclass
class Pause:
    """For how long a receiver is left alone. failed: how often in a row it has not taken a message."""

    failed: int = 0
    until: float = 0.0


class Watch:
    """One installation's. Each `look` is one look, and what has to be told after it."""

    def __init__(self, settings: Settings, told: Sequence[Receiver], say: Say,
                 ask: Callable[[Mapping[str, str]], Shown] | None = None) -> None:
        """Raises SettingsInvalid when rules or settings are wrong."""
        self._settings, self._receivers, self._say = settings, told, say
        self._ask = ask or partial(shown, trusted=trust.context(settings))
        self._where, self._rules = addresses(settings), rules.read()
        self._figures = Figures(max(rule.asks.looks_back_s for rule in self._rules))
        self._path = standing.state_file(settings)
        self._standing, self._kept = standing.read(self._path), 0.0
        self._pauses = {receiver.name: Pause() for receiver in told}

    def look(self, now: float) -> None:
        """Looks, keeps what is on and tells it. now: seconds since 1970. Raises OSError where the file cannot be written."""
        before = self._standing.model_copy(deep=True)
        self._figures.add(now, self._ask(self._where))
        unsure = frozenset(rule.name for rule in self._rules if rule.asks.looks_back_s > self._figures.for_s + 1)
        self._standing.look(now, rules.holding(self._rules, self._figures), unsure)
        self._said(before)
        for receiver in self._receivers:
            if self._pauses[receiver.name].until <= now:
                self._told(receiver, now)
        self._standing.forget_ended(self._pauses)
        if self._standing.alerts != before.alerts or not 0 <= now - self._kept < KEPT_EVERY_S:
            standing.keep(self._path, self._standing)
            self._kept = now

    def _said(self, before: standing.Standing) -> None:
        """Into the log: what begins and ends, whoever can be told."""
        was, on = ([(alert.name, alert.labels) for alert in one.on] for one in (before, self._standing))
        for alert in self._standing.on:
            if (alert.name, alert.labels) not in was:
                self._say(f"{SAYS}{alert.name} begins: {alert.summary}.")
        for alert in before.on:
            if (alert.name, alert.labels) not in on:
                self._say(f"{SAYS}{alert.name} has ended: {alert.summary}.")

    def _told(self, receiver: Receiver, now: float) -> None:
        """Tells one receiver what it has to know; at the first message that it does not take it is left alone for a while."""
        alerts, pause = self._settings.alerts, self._pauses[receiver.name]
        for alert in sorted(self._standing.alerts.values(), key=lambda alert: alert.since):
            event = alert.due(receiver.name, now, alerts.remind_hours * 3600)
            if event is None:
                continue
            try:
                note = receiver.tell(alert.message(event, self._settings))
            except RollcallError as error:
                wait_s = min(alerts.wait_first_s * 2.0 ** min(pause.failed, 30), alerts.wait_most_s)
                if not pause.failed:
                    self._say(f"{SAYS}{error} It is tried again in {wait_s:.0f} s, and then at growing pauses.")
                pause.failed, pause.until = pause.failed + 1, now + wait_s
                return
            alert.told[receiver.name] = standing.Told(event=event, at=now)
            standing.keep(self._path, self._standing)    # before the next is told: a restart tells no message again
            if note or pause.failed:
                self._say(f"{SAYS}{note or f'{receiver.where} takes messages again'}.")
            pause.failed, pause.until = 0, 0.0


@contextmanager
def watched(settings: Settings, say: Say) -> Iterator[None]:
    """Looks and tells meanwhile, if anybody is to be told."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(settings, say, over), name="alerts", daemon=True)
    if settings.alerts.wanted:
        thread.start()
    try:
        yield
    finally:
        over.set()    # it is not waited for: a receiver that does not answer must not keep the keeper


def _watch(settings: Settings, say: Say, over: threading.Event) -> None:
    """Until it is over. Whatever is wrong is said once, and tried again."""
    watch: Watch | None = None
    trouble = ""
    while not over.is_set():
        try:
            watch = watch or Watch(settings, receivers(settings), say)
            watch.look(time.time())
            wrong = ""
        except (RollcallError, OSError) as error:
            wrong = str(error) if isinstance(error, RollcallError) else said(error)
        except Exception as error:    # nobody foresaw it: alerts go on, and so does the keeper
            wrong = said(error)
        if wrong and wrong != trouble:
            say(f"{SAYS}{wrong} Nobody is told meanwhile; it is tried again every {settings.alerts.every_s:.0f} s.")
        trouble = wrong
        over.wait(settings.alerts.every_s)
