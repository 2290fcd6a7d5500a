"""What stream and producer showed at their ports, for as long as a rule looks back: read every few seconds, kept in memory.

A program that does not answer has no figures then; `up` says which did, under the names that Prometheus gives them
(infra/metrics/prometheus.yml).
"""

import ssl
from collections import deque
from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from engine.addresses import HERE
from engine.alerts.expressions import Labels, Samples, Vector
from engine.errors import SettingsInvalid
from engine.settings import Settings
from engine.tls.pages import scheme

Shown = dict[str, Vector]
"""Name of a series -> its values by their labels, of all programs at one moment."""

ANSWERS_WITHIN_S = 5.0
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what is listened at, not where


def addresses(settings: Settings) -> dict[str, str]:
    """Job -> the address of its figures. Raises SettingsInvalid where they are not served."""
    if not settings.metrics.serve:
        raise SettingsInvalid("Alerts are looked for in the figures of stream and producer, and ROLLCALL_METRICS__SERVE is "
                              "false: set it to true, or leave webhook and mail server out.")
    host = HERE if settings.metrics.host in EVERYWHERE else settings.metrics.host
    given = {"stream": settings.alerts.stream_figures, "producer": settings.alerts.producer_figures}
    ours = f"{scheme(settings)}://{host}"
    return {f"rollcall-{program}": address or f"{ours}:{getattr(settings.metrics, f'{program}_port')}/metrics"
            for program, address in given.items()}


def shown(where: Mapping[str, str], trusted: ssl.SSLContext | None = None) -> Shown:
    """What all programs show now. where: job -> address; one that does not answer is only not `up`. trusted: under TLS, by whom
    they are certified."""
    found: Shown = {"up": {}}
    for job, address in where.items():
        instance = httpx.URL(address).netloc.decode()
        given = {"job": job, "instance": instance}
        try:
            # no proxy of the environment: these are our own ports
            text = httpx.get(address, timeout=ANSWERS_WITHIN_S, trust_env=False, verify=trusted or True).raise_for_status().text
            series = _read(text, given)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            found["up"][_labels(given)] = 0.0
            continue
        found["up"][_labels(given)] = 1.0
        for name, values in series.items():
            found.setdefault(name, {}).update(values)
    return found


def _read(text: str, given: Mapping[str, str]) -> Shown:
    found: Shown = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("rollcall_"):
                found.setdefault(sample.name, {})[_labels({**sample.labels, **given})] = float(sample.value)
    return found


def _labels(named: Mapping[str, str]) -> Labels:
    return frozenset(named.items())


class Figures:
    """The last looks. keep_s: for how long they are kept."""

    now = began = 0.0

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._looks: deque[tuple[float, Shown]] = deque()

    def add(self, now: float, found: Shown) -> None:
        """One more look. A clock that was set back makes the ones before worthless."""
        if self._looks and now <= self._looks[-1][0]:
            self._looks.clear()
        self.began = self.began if self._looks else now
        self._looks.append((now, found))
        while self._looks[0][0] < now - self._keep_s:
            self._looks.popleft()
        self.now = now

    @property
    def for_s(self) -> float:
        """For how many seconds there have been figures."""
        return self.now - self.began

    def last(self, name: str) -> Vector:
        """The series of this name, as the newest look found them."""
        return self._looks[-1][1].get(name, {}) if self._looks else {}

    def within(self, name: str, seconds: float) -> Mapping[Labels, Samples]:
        """What all looks of so many seconds found of them."""
        found: dict[Labels, Samples] = {}
        for at, look in self._looks:
            if at >= self.now - seconds:
                for labels, value in look.get(name, {}).items():
                    found.setdefault(labels, []).append((at, value))
        return found
