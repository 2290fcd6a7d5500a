"""The rules of infra/metrics/rules.yml hold when they should, over what stream and producer really show, and only then."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from bench.installation import free_ports
from engine.alerts import rules
from engine.alerts.figures import Figures, Shown, _read, addresses, shown
from engine.errors import SettingsInvalid
from engine.metrics import ProducerMetrics, StreamMetrics, served
from engine.settings import Settings
from tests.test_metrics import BEAT, FIGURES, TOTALS
from tests.waiting import until

RULES = rules.read()
BEGAN = datetime(2026, 11, 29, 1, 0, 0, tzinfo=UTC)
STREAM = {"job": "rollcall-stream", "instance": "127.0.0.1:9464"}
PRODUCER = {"job": "rollcall-producer", "instance": "127.0.0.1:9465"}


class World:
    """Stream and producer over twenty minutes; `change` spoils what they show at a moment (seconds since the beginning)."""

    def __init__(self, change: Callable[[float, "World"], None] = lambda *_: None) -> None:
        self.change = change
        self.totals, self.behind, self.turn_s = dict(TOTALS), 0, 0.3
        self.sent, self.stream_waits, self.producer_waits = 0, "", ""
        self.turned: float = 0
        self.beaten: float = 0
        self.up = {"rollcall-stream", "rollcall-producer"}

    def look(self, seconds: float, stream: StreamMetrics, producer: ProducerMetrics) -> Shown:
        """What is shown then."""
        self.totals = {**self.totals, "read": self.totals["read"] + 750}
        self.sent, self.turned, self.beaten = self.sent + 750, seconds, seconds
        self.change(seconds, self)
        at = BEGAN + timedelta(seconds=self.turned)
        steps = {name: self.turn_s / len(FIGURES["seconds"]) for name in FIGURES["seconds"]}
        stream.closed({**FIGURES, "totals": self.totals, "behind": self.behind, "at": at, "seconds": steps})
        stream.waits.on(self.stream_waits)
        producer.document = {**BEAT, "sent": self.sent, "at": BEGAN + timedelta(seconds=self.beaten)}
        producer.waits.on(self.producer_waits)
        found: Shown = {"up": {frozenset(given.items()): float(given["job"] in self.up) for given in (STREAM, PRODUCER)}}
        for metrics, given in ((stream, STREAM), (producer, PRODUCER)):
            if given["job"] in self.up:
                found |= _read(generate_latest(metrics.registry).decode(), given)
        return found


def holding(change: Callable[[float, World], None] = lambda *_: None) -> dict[str, str]:
    """Rule -> summary, of what holds after twenty minutes."""
    world, figures = World(change), Figures(900)
    stream, producer = StreamMetrics(), ProducerMetrics()
    for seconds in range(0, 1200, 15):
        figures.add(BEGAN.timestamp() + seconds, world.look(seconds, stream, producer))
    return {one.rule.name: one.summary for one in rules.holding(RULES, figures)}


def no_stream(_: float, world: World) -> None:
    world.up = {"rollcall-producer"}


def kafka_away(_: float, world: World) -> None:
    world.stream_waits = world.producer_waits = "Kafka"


def stands(seconds: float, world: World) -> None:
    world.turned, world.behind = min(seconds, 600), 50


def reads_none(_: float, world: World) -> None:
    world.totals = {**world.totals, "read": 5}


def falls_behind(_: float, world: World) -> None:
    world.behind = 50 * 301


def slow(_: float, world: World) -> None:
    world.turn_s = 29.0


def garbage(_: float, world: World) -> None:
    world.totals = {**world.totals, "dead": world.totals["dead"] + 8}


def little_garbage(_: float, world: World) -> None:
    world.totals = {**world.totals, "dead": world.totals["dead"] + 7}


def silent(seconds: float, world: World) -> None:
    world.beaten, world.sent = min(seconds, 1100), 0


@pytest.mark.parametrize(("change", "wanted"), [
    (lambda *_: None, {}),
    (no_stream, {"RollcallDown": "rollcall-stream does not answer at 127.0.0.1:9464"}),
    (kafka_away, {"RollcallStreamWaits": "The stream waits for Kafka",
                  "RollcallProducerWaits": "The producer waits for Kafka"}),
    (stands, {"RollcallStreamStands": "The stream waits for nothing and closes no turn"}),
    (reads_none, {"RollcallPeopleNotRead": "The producer sends people and the stream reads none"}),
    (falls_behind, {"RollcallStreamFallsBehind": "The stream has 5m 1s of reading before it"}),
    (slow, {"RollcallTurnsSlow": "One turn in twenty takes more than 29s"}),
    (garbage, {"RollcallDeadLetters": "More than one record in a hundred becomes a dead letter (rollcall-stream)"}),
    (little_garbage, {}),
    (silent, {"RollcallProducerSilent": "The producer answers and has done nothing for 1m 25s"})])
def test_each_rule_holds_when_it_should_and_no_other(change: Callable[[float, World], None], wanted: dict[str, str]) -> None:
    assert holding(change) == wanted


def test_all_rules_of_the_file_are_read_as_they_stand_there() -> None:
    written = [rule for group in yaml.safe_load(rules.FILE.read_text())["groups"] for rule in group["rules"]]
    assert [(rule.name, rule.severity, rule.runbook) for rule in RULES] == [
        (rule["alert"], rule["labels"]["severity"], rule["annotations"]["runbook_url"]) for rule in written]
    assert {rule.name: rule.for_s for rule in RULES}["RollcallStreamFallsBehind"] == 600


@pytest.mark.parametrize(("text", "says"), [
    ("groups: [{rules: [{alert: A, expr: 'avg(x)', labels: {severity: page}, annotations: {summary: s, runbook_url: r}}]}]",
     "A: 'avg' is not understood there"),
    ("groups: [{rules: [{alert: A, labels: {severity: page}}]}]", "cannot be read as rules after A"),
    ("groups: 5", "cannot be read as rules (TypeError)"),
    ("{", "cannot be read as rules")])
def test_a_rule_that_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rules.yml").write_text(text)
    with pytest.raises(SettingsInvalid) as refused:
        rules.read(tmp_path / "rules.yml")
    assert says in str(refused.value)


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def test_the_figures_are_read_where_they_are_served_under_the_names_of_prometheus() -> None:
    jobs = yaml.safe_load((rules.FILE.parent / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs}
    assert addresses(settings()) == {name: f"http://{target}/metrics" for name, target in targets.items()}
    away = addresses(settings(metrics={"host": "0.0.0.0"}, alerts={"stream_figures": "http://stream:9464/metrics"}))  # noqa: S104
    assert away == {"rollcall-stream": "http://stream:9464/metrics", "rollcall-producer": "http://127.0.0.1:9465/metrics"}
    with pytest.raises(SettingsInvalid, match="ROLLCALL_METRICS__SERVE is false"):
        addresses(settings(metrics={"serve": False}))


def test_one_that_does_not_answer_is_down_and_the_other_is_read() -> None:
    stream_port, nobody = free_ports(2)
    made, metrics = settings(metrics={"stream_port": stream_port, "producer_port": nobody}), StreamMetrics()
    metrics.document = FIGURES
    stream = "rollcall-stream", 1.0
    with served(made, metrics, lambda _: None):
        found = until("the stream answers", lambda: stream in ups(looked := shown(addresses(made))) and looked)
    assert ups(found) == {stream, ("rollcall-producer", 0.0)}
    assert list(found["rollcall_stream_lag_records"].values()) == [42.0]
    assert not any(name.startswith("rollcall_producer") for name in found)


def ups(found: Shown) -> set[tuple[str, float]]:
    """Job -> whether it answered."""
    return {(dict(labels)["job"], value) for labels, value in found["up"].items()}
