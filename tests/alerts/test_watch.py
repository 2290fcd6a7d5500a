"""The keeper's watch: who is told when a receiver is away, after a restart, and that nothing waits for it."""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from bench.installation import free_ports
from engine import health
from engine.alerts import watch as ours
from engine.alerts.figures import Shown
from engine.alerts.messages import Message
from engine.alerts.receivers import Receiver
from engine.alerts.section import SAYS
from engine.alerts.standing import state_file
from engine.alerts.watch import Watch, watched
from engine.cli import alerts as command
from engine.errors import ReceiverAway
from engine.settings import Settings
from tests.alerts.servers import Hook
from tests.waiting import until

STREAM = frozenset({("job", "rollcall-stream"), ("instance", "127.0.0.1:9464")})
KAFKA = STREAM | {("system", "Kafka")}
T0 = 1_800_000_000.0


class Fake:
    """A receiver that takes messages, or does not. told: events and alerts, with the moment by `clock`."""

    def __init__(self, name: str, clock: list[float]) -> None:
        self.name, self.where, self.away, self.tried, self.clock = name, f"the {name}", False, list[float](), clock
        self.told: list[tuple[float, str, str]] = []

    def tell(self, message: Message) -> str:
        """One message."""
        self.tried.append(self.clock[0])
        if self.away:
            raise ReceiverAway(f"{self.where} answers 500.")
        self.told.append((self.clock[0], message.event, message.alert))
        return ""


class Stage:
    """A watch over figures that are made up."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.clock, self.lines = settings, [0.0], list[str]()
        self.waits, self.looked = False, 0
        self.hook, self.mail = (Fake(name, self.clock) for name in ("webhook", "mail"))
        self.watch = self.started()

    def started(self) -> Watch:
        """As after a restart of the keeper."""
        told: list[Receiver] = [self.hook, self.mail]
        self.watch = Watch(self.settings, told, self.lines.append, self.shown)
        return self.watch

    def shown(self, _: Mapping[str, str]) -> Shown:
        """What the programs show."""
        self.looked += 1
        return {"up": {STREAM: 1.0}, "rollcall_stream_waiting": {KAFKA: float(self.waits)}}

    def go(self, seconds: float) -> None:
        """Looks every 15 s."""
        for _ in range(int(seconds / 15)):
            self.watch.look(T0 + self.clock[0])
            self.clock[0] += 15


@pytest.fixture
def stage(home: Path) -> Stage:
    alerts = {"webhook": "https://example.org/", "remind_hours": 1, "wait_first_s": 30, "wait_most_s": 240}
    return Stage(Settings.model_validate({"home": home, "alerts": alerts}))


def test_who_is_there_is_told_when_it_begins_and_when_it_ends(stage: Stage) -> None:
    stage.go(60)
    stage.waits = True
    stage.go(300)
    stage.waits = False
    stage.go(60)
    wanted = [(180, "begins", "RollcallStreamWaits"), (360, "has ended", "RollcallStreamWaits")]
    assert stage.hook.told == stage.mail.told == wanted
    assert stage.lines == [f"{SAYS}RollcallStreamWaits begins: The stream waits for Kafka.",
                           f"{SAYS}RollcallStreamWaits has ended: The stream waits for Kafka."]


def test_one_that_is_away_is_tried_again_at_growing_pauses_and_keeps_nobody_waiting(stage: Stage) -> None:
    stage.waits, stage.hook.away = True, True
    stage.go(1200)
    assert stage.mail.told == [(120, "begins", "RollcallStreamWaits")]
    assert [after - before for before, after in zip(stage.hook.tried, stage.hook.tried[1:], strict=False)] == [
        30, 60, 120, 240, 240, 240]
    assert [line for line in stage.lines if "webhook" in line] == [
        f"{SAYS}the webhook answers 500. It is tried again in 30 s, and then at growing pauses."]
    assert stage.looked == 80, "the figures are looked at all the same"
    stage.hook.away = False
    stage.go(240)
    assert [event for _, event, _ in stage.hook.told] == ["begins"]
    assert stage.lines[-1] == f"{SAYS}the webhook takes messages again."
    stage.hook.tried.clear()
    stage.hook.away, stage.waits = True, False
    stage.go(60)
    assert stage.hook.tried[1] - stage.hook.tried[0] == 30, "its pauses begin anew"


def test_a_restart_tells_nobody_again_and_who_was_away_is_still_told(stage: Stage) -> None:
    stage.waits, stage.hook.away = True, True
    stage.go(300)
    stage.hook.away = False
    stage.started()
    stage.go(300)
    assert [event for _, event, _ in stage.mail.told] == ["begins"]
    assert [event for _, event, _ in stage.hook.told] == ["begins"]
    stage.started()
    stage.waits = False
    stage.go(15)
    assert [event for _, event, _ in stage.mail.told] == ["begins", "has ended"]


def test_killed_between_two_messages_it_tells_none_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.waits = True
    stage.go(120)
    monkeypatch.setattr(stage.mail, "tell", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stage.go(15)
    monkeypatch.undo()
    stage.started()
    stage.go(60)
    assert [event for _, event, _ in stage.hook.told] == ["begins"]
    assert [event for _, event, _ in stage.mail.told] == ["begins"]


def test_the_list_shows_what_is_on_and_who_knows(stage: Stage, shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_ALERTS__WEBHOOK", "https://example.org/")
    command.list_on()
    assert "Nobody has looked yet" in shown[0]
    stage.waits = True
    stage.go(300)
    shown.clear()
    monkeypatch.setattr(command, "time", SimpleNamespace(time=lambda: T0 + 300))
    with pytest.raises(typer.Exit) as ended:
        command.list_on()
    assert ended.value.exit_code == 1
    assert shown == ["page   RollcallStreamWaits: The stream waits for Kafka, since 2027-01-15 08:00:00 UTC; told: webhook; "
                     "docs/operating.md#rollcallstreamwaits"]
    stage.waits = False
    stage.go(15)
    shown.clear()
    monkeypatch.setattr(command, "time", SimpleNamespace(time=lambda: T0 + 1000))
    command.list_on()
    assert shown == ["This is 11m 40s old: the keeper looks when it runs (`rollcall status keeper`).", "No alert is on."]


def test_a_message_and_the_file_hold_nothing_but_words_of_the_code(stage: Stage) -> None:
    stage.waits = True
    stage.go(150)
    kept = json.loads(state_file(stage.settings).read_text())
    (alert,) = kept["alerts"].values()
    assert set(alert["labels"]) == {"job", "instance", "system"}
    assert set(alert) == {"name", "labels", "severity", "summary", "runbook", "since", "on", "ended", "told"}


# --- the thread

def made(home: Path, **given: Any) -> Settings:
    stream, producer = free_ports(2)
    return Settings.model_validate({"home": home, "alerts": {"every_s": 1, **given},
                                    "metrics": {"stream_port": stream, "producer_port": producer}})


def test_the_keeper_tells_a_real_webhook_meanwhile(home: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    now, lines = [T0], list[str]()

    def clock() -> float:
        now[0] += 60
        return now[0]

    monkeypatch.setattr(ours, "time", SimpleNamespace(time=clock))
    with watched(made(home, webhook=hook.address), lines.append):
        until("it is told", lambda: hook.told, 30)
    assert {(told["event"], told["alert"]) for told in hook.told} == {("begins", "RollcallDown")}


def test_where_nobody_is_to_be_told_nobody_looks(home: Path) -> None:
    before = set(threading.enumerate())    # one of another test may be about to end
    with watched(made(home), lambda _: None):
        assert set(threading.enumerate()) <= before
    assert not state_file(made(home)).exists()


def test_a_receiver_that_never_answers_keeps_the_keeper_from_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, met = threading.Event(), threading.Event()

    class Hanging(Watch):
        def look(self, now: float) -> None:
            met.set()
            hangs.wait(60)

    monkeypatch.setattr(ours, "Watch", Hanging)
    began = time.monotonic()
    with watched(made(home, webhook="https://example.org/"), lambda _: None):
        assert met.wait(10)
    assert time.monotonic() - began < 10
    hangs.set()


def test_what_is_wrong_is_said_once_and_looked_at_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    over = threading.Event()
    pauses = [0]

    def wait(_: float) -> bool:
        pauses[0] += 1
        if pauses[0] == 3:
            over.set()
        return over.is_set()

    monkeypatch.setattr(over, "wait", wait)
    without = Settings.model_validate(
        {"home": home, "alerts": {"webhook": "https://example.org/"}, "metrics": {"serve": False}})
    ours._watch(without, lines.append, over)
    assert len(lines) == 1
    assert lines[0].startswith(f"{SAYS}Alerts are looked for in the figures of stream and producer")


def test_what_the_watch_says_hides_no_failure_of_the_keeper() -> None:
    class Tailed:
        def tail(self, _: str, __: int) -> list[str]:
            return ["2026-11-29 01:00:00Z Kafka refuses. Looked at again in 3600 s.",
                    f"2026-11-29 01:00:01Z {SAYS}RollcallDown begins: x"]

    tailed: Any = Tailed()
    assert health._last_line(tailed, "keeper").endswith("Looked at again in 3600 s.")
