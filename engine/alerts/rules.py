"""The rules of infra/metrics/rules.yml, which Prometheus reads too: no threshold is written down a second time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine.alerts.expressions import Expression, Labels, NotUnderstood, Source, duration_s, parsed
from engine.errors import SettingsInvalid
from engine.settings import CLONE

FILE = CLONE / "infra/metrics/rules.yml"
SHOWN = re.compile(r"\{\{\s*\$(?:labels\.(\w+)|value)\s*(?:\|\s*(humanizeDuration)\s*)?\}\}")


@dataclass(frozen=True)
class Rule:
    """One: what it asks, and for how many seconds that must hold before anybody is told."""

    name: str
    asks: Expression
    for_s: float
    severity: str
    summary: str
    runbook: str


@dataclass(frozen=True)
class Found:
    """A rule that holds for the series of these labels; summary: in one sentence, with what they say in it."""

    rule: Rule
    labels: Labels
    summary: str

    @property
    def key(self) -> str:
        """What tells it from any other: the rule's name and its labels."""
        said = ",".join(f"{name}={value}" for name, value in sorted(self.labels))
        return f"{self.rule.name}{{{said}}}" if said else self.rule.name


def read(path: Path = FILE) -> tuple[Rule, ...]:
    """All rules. Raises SettingsInvalid, which names the rule and what is wrong with it."""
    name = ""
    try:
        rules = []
        for rule in [rule for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]:
            name = str(rule["alert"])
            rules.append(_rule(name, rule))
    except NotUnderstood as error:
        raise SettingsInvalid(f"{path}: {name}: {error}. engine/alerts/expressions.py says how much of PromQL is known; a "
                              "Prometheus knows all of it.") from None
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        after = f" after {name}" if name else ""
        raise SettingsInvalid(f"{path} cannot be read as rules{after} ({type(error).__name__}). It is a file of this clone: "
                              "`git diff` shows what was changed.") from None
    return tuple(rules)


def _rule(name: str, rule: dict[str, Any]) -> Rule:
    notes = rule["annotations"]
    return Rule(name, parsed(rule["expr"]), duration_s(rule.get("for", "0s")), rule["labels"]["severity"],
                notes["summary"], notes["runbook_url"])


def holding(rules: tuple[Rule, ...], source: Source) -> Iterator[Found]:
    """What holds now, whether for long enough or not."""
    for rule in rules:
        for labels, value in rule.asks.of(source).items():
            yield Found(rule, labels, _said(rule.summary, dict(labels), value))


def _said(summary: str, labels: dict[str, str], value: float) -> str:
    def shown(place: re.Match[str]) -> str:
        if place[1]:
            return labels.get(place[1], "")
        return in_words(value) if place[2] else f"{value:g}"
    return SHOWN.sub(shown, summary)


def in_words(seconds: float) -> str:
    """A time as Prometheus' humanizeDuration writes it: 1h 2m 3s."""
    if seconds in (float("inf"), float("-inf")) or seconds != seconds:
        return "no end of time"
    left = round(abs(seconds))
    parts = [f"{left // size % most}{unit}" for unit, size, most in (
        ("d", 86400, 10**9), ("h", 3600, 24), ("m", 60, 60), ("s", 1, 60)) if left >= size or unit == "s"]
    return ("-" if seconds < 0 else "") + " ".join(parts)
