"""When the certificates end that are served right now: asked of the ports themselves, for a file that was renewed is not served
before its server is started again, and servers elsewhere have files of their own.

An answer is kept for a minute: whoever shows it looks far more often than certificates change.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.addresses import HERE, MONGODB_PORT, addresses
from engine.settings import Settings
from engine.tls.authority import RENEWED_BEFORE

WITHIN_S = 2.0
KEPT_S = 60
EVERYWHERE = ("0.0.0.0", "::")    # noqa: S104 - what is listened at, not where


def ends(settings: Settings, name: str) -> datetime | None:
    """When the certificate of kafka, cassandra, mongo, view or console ends; of several nodes the first to end. None where TLS
    is off, or nobody answers."""
    if not settings.tls.on:
        return None
    found = [_ends(host, port, int(time.monotonic() // KEPT_S)) for host, port in _places(settings, name)]
    return min((end for end in found if end), default=None)


def ending(settings: Settings, name: str, now: datetime) -> datetime | None:
    """The same, if it is so soon that somebody has to see to it."""
    end = ends(settings, name)
    return end if end and end - now <= RENEWED_BEFORE else None


def says(end: datetime, now: datetime) -> str:
    """That sentence."""
    left = end - now
    when = f"ends in {left.days} days, on {end:%Y-%m-%d}" if left.total_seconds() > 0 else f"has ended on {end:%Y-%m-%d}"
    return f"its certificate {when}: `rollcall down` and `rollcall up` renew it"


class Served(Collector):
    """The ends as a metric."""

    NAMES = ("kafka", "cassandra", "mongo", "view", "console")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """One series a server that answers."""
        yield family({name: end for name in self.NAMES if (end := ends(self._settings, name))})


def family(found: Mapping[str, datetime]) -> Metric:
    """Server -> the end of its certificate, as a metric."""
    made = GaugeMetricFamily("rollcall_certificate_ends_timestamp_seconds",
                             "When the certificate that a server shows ends; only under TLS.", labels=["server"])
    for name, end in found.items():
        made.add_metric([name], end.timestamp())
    return made


def _places(settings: Settings, name: str) -> list[tuple[str, int]]:
    match name:
        case "kafka":
            return addresses(settings.kafka_address)
        case "cassandra":
            return addresses(settings.cassandra_address)
        case "mongo":    # of mongodb+srv a name server knows hosts and ports
            return addresses(settings.elsewhere.get("mongo", f"{HERE}:{settings.mongo.port}"), MONGODB_PORT)
        case _:
            ours = settings.view if name == "view" else settings.console
            return [(HERE if ours.host in EVERYWHERE else ours.host, ours.port)]


@lru_cache(maxsize=32)
def _ends(host: str, port: int, _: int) -> datetime | None:
    """Of one port. Whether the certificate is to be trusted is for clients to find out: one that has ended is looked at too."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=WITHIN_S) as plain, \
                looking.wrap_socket(plain, server_hostname=host) as wrapped:
            shown = wrapped.getpeercert(binary_form=True)
    except OSError:    # away, or it speaks no TLS
        return None
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.astimezone(UTC) if shown else None
