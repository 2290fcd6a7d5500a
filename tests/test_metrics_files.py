"""infra/metrics: the dashboard and the alerts ask for what stream and producer export, and each alert leads to what to do.

PromQL is only taken apart here, not parsed; decision 0015 says what parsed it once.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from engine.health import TURN_WITHIN_S
from engine.metrics import ProducerMetrics, StreamMetrics
from engine.settings import CLONE
from engine.settings import Metrics as Section
from engine.tls.served import family
from tests.test_docs import anchors
from tests.test_metrics import BEAT, FIGURES

FOLDER = CLONE / "infra/metrics"
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
BOARD = json.loads((FOLDER / "dashboard.json").read_text())
PROMETHEUS = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
TARGETS = [(panel["title"], target) for panel in BOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [*((rule["alert"], rule["expr"]) for rule in RULES), *((title, target["expr"]) for title, target in TARGETS)]
OPERATING = (CLONE / "docs/operating.md").read_text()

GIVEN = {"job", "instance"}
"""Labels that Prometheus adds to every series."""

FUNCTIONS = {"rate", "increase", "sum", "max", "time", "histogram_quantile", "by", "on", "group_left"}
WORDS = {"and", "or", "unless"}
SAYS = re.compile(r"\{\{\s*\$?(labels\.)?(\w+)\s*(?:\|\s*humanizeDuration\s*)?\}\}")


class Certified(Collector):
    """What the stream shows beside the rest under TLS."""

    def collect(self) -> Iterator[Metric]:
        """One server."""
        yield family({"kafka": datetime.now(UTC)})


def exported() -> dict[str, set[str]]:
    """Every series of stream and producer -> its labels."""
    stream, producer = StreamMetrics(), ProducerMetrics()
    stream.closed(FIGURES)
    producer.document = BEAT
    under_tls = CollectorRegistry()
    under_tls.register(Certified())
    text = b"".join(generate_latest(one) for one in (stream.registry, producer.registry, under_tls)).decode()
    return {sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples}


SERIES = {**exported(), "up": set[str]()}


def asked(expression: str) -> set[str]:
    """The series that an expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|group_left) \([^)]*\)", "", expression)
    return {name for name in re.findall(r"(?<![\w.$])[a-zA-Z_:][\w:]*(?!\w*\s*\()", bare) if name not in WORDS}


def wrong(expression: str) -> Iterator[str]:
    """What is wrong with an expression, as far as that can be told without a parser."""
    if any(expression.count(left) != expression.count(right) for left, right in ("()", "[]", "{}")):
        yield "brackets"
    yield from (f"{name} is no function" for name in re.findall(r"(\w+)\s*\(", expression) if name not in FUNCTIONS | WORDS)
    names = asked(expression)
    yield from (f"{name} is not exported" for name in names - set(SERIES))
    known = GIVEN.union(*(SERIES.get(name, ()) for name in names))
    used = re.findall(r"(?:by|on) \(([^)]*)\)", expression) + re.findall(r"\{(\w+)=", expression)
    yield from (f"there is no label {label}" for label in re.findall(r"\w+", " ".join(used)) if label not in known)
    for name in names:
        counts = re.search(r"_(total|sum|count|bucket)$", name) is not None
        for before, after in re.findall(rf"(\w*)\(?\b{name}\b(?:\{{[^}}]*\}})?(\[)?", expression):
            if counts != (before in ("rate", "increase") and after == "["):
                yield f"{name} is {'a counter, whose growth' if counts else 'a gauge, whose value'} is to be asked"


def labels_said(text: str) -> set[str]:
    """Labels that a legend or an annotation shows."""
    return {name for prefix, name in SAYS.findall(text) if prefix or name != "value"}


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=lambda given: re.sub(r"\s+", " ", given)[:60])
def test_what_is_asked_for_is_exported(where: str, expression: str) -> None:
    assert list(wrong(expression)) == []
    assert asked(expression)


@pytest.mark.parametrize(("expression", "says"), [
    ("rate(rollcall_stream_records_read_total[5m]", "brackets"),
    ("rate(rollcall_stream_records_total[5m])", "rollcall_stream_records_total is not exported"),
    ("rollcall_stream_records_read_total > 5", "rollcall_stream_records_read_total is a counter, whose growth is to be asked"),
    ("rate(rollcall_stream_lag_records[5m])", "rollcall_stream_lag_records is a gauge, whose value is to be asked"),
    ("sum by (store) (rollcall_stream_waiting)", "there is no label store"),
    ('rollcall_stream_waiting{store="Kafka"}', "there is no label store"),
    ("rates(rollcall_stream_records_read_total[5m])", "rates is no function")])
def test_what_is_asked_wrongly_would_be_found(expression: str, says: str) -> None:
    assert says in list(wrong(expression))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    page, _, heading = rule["annotations"]["runbook_url"].partition("#")
    assert heading in anchors((CLONE / page).read_text())
    assert heading == rule["alert"].lower()
    known = GIVEN.union(*(SERIES[name] for name in asked(rule["expr"])))
    assert labels_said(rule["annotations"]["summary"]) <= known


def test_each_heading_has_its_alert_and_says_something() -> None:
    parts = dict(re.findall(r"^#### (\w+)\n\n(.+?)(?=\n\n#|\Z)", OPERATING, re.MULTILINE | re.DOTALL))
    assert set(parts) == {rule["alert"] for rule in RULES}
    assert all(re.search(r"`rollcall [a-z]+", text) for text in parts.values()), "what to type"


def test_the_stream_stands_when_the_status_says_so() -> None:
    stands = next(rule for rule in RULES if rule["alert"] == "RollcallStreamStands")["expr"]
    assert re.findall(r"seconds > (\d+)", stands) == [f"{TURN_WITHIN_S:.0f}"] * 2


def test_the_page_lists_every_metric_and_no_other() -> None:
    table = re.findall(r"^\| `(rollcall_\w+)", OPERATING, re.MULTILINE)
    bases = {re.sub(r"(?<=_seconds)_(bucket|sum|count)$", "", name) for name in SERIES if name.startswith("rollcall_")}
    assert sorted(table) == sorted(bases)


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=lambda given: str(given)[:40])
def test_a_legend_shows_labels_that_are_there(title: str, target: dict[str, Any]) -> None:
    known = GIVEN.union(*(SERIES[name] for name in asked(target["expr"])))
    assert labels_said(target["legendFormat"]) <= known
    assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_panels_have_their_own_place_and_say_what_they_show() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["title"] and panel["description"].endswith(".") for panel in BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        squares = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not squares & taken
        assert at["x"] + at["w"] <= 24
        taken |= squares
    assert [one["name"] for one in BOARD["templating"]["list"]] == ["datasource"]


def test_the_example_asks_at_the_default_ports_and_takes_the_rules() -> None:
    ports = Section()
    assert {job["job_name"]: job["static_configs"] for job in PROMETHEUS["scrape_configs"]} == {
        "rollcall-stream": [{"targets": [f"{ports.host}:{ports.stream_port}"]}],
        "rollcall-producer": [{"targets": [f"{ports.host}:{ports.producer_port}"]}]}
    assert [(FOLDER / name).exists() for name in PROMETHEUS["rule_files"]] == [True]
    text = (FOLDER / "prometheus.yml").read_text()
    assert f"stream:{ports.stream_port} and producer:{ports.producer_port}" in text
    patterns = re.findall(r'job=~"([^"]+)"', " ".join(expression for _, expression in EXPRESSIONS))
    assert patterns
    assert all(re.fullmatch(pattern, job["job_name"]) for pattern in patterns for job in PROMETHEUS["scrape_configs"])
