"""Who was refused what: the broker's authorizer log, counted, each with the rule that decides it today.

The broker writes one line a refused request (logger kafka.authorizer.logger, at INFO) into a file of its own, which it rotates;
only a broker on this machine can be read so. Of another cluster the file must be brought here.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import StoreRefused
from engine.settings import Settings
from governance.kafka_access.decide import Verdict

LINE = re.compile(
    r"(?P<at>\S+) INFO Principal = (?P<principal>.+?) is Denied operation = (?P<operation>\w+) from host = (?P<host>\S+) "
    r"on resource = (?P<resource>\w+):(?P<pattern>\w+):(?P<name>.*) for request = (?P<request>\w+) "
    r"with resourceRefCount = (?P<count>\d+)(?: based on rule (?P<rule>.*))?")

Decide = Callable[[str, str, str, str, str], Verdict]
"""Principal, host, operation, resource, name -> today's answer."""


@dataclass(frozen=True)
class Attempt:
    """What was refused: principal `User:name`; operation and resource as in rules; request: what the client asked for."""

    principal: str
    host: str
    operation: str
    resource: str
    name: str
    request: str


@dataclass(frozen=True)
class Denied:
    """One sort of refused attempts. first, last: UTC. rule: what the broker named, one sort for each. today: what it would
    answer now, None if nobody asked."""

    attempt: Attempt
    count: int
    first: datetime
    last: datetime
    rule: str
    today: Verdict | None = None


def denied(settings: Settings, decide: Decide | None = None, since: datetime | None = None) -> list[Denied]:
    """Refused attempts that the log still has, the latest first. since: only those after. Raises StoreRefused if the log cannot
    be read."""
    path = settings.logs_dir / "kafka-authorizer.log"
    try:
        return counted((line for file in _files(path) for line in _lines(file)), decide, since)
    except OSError as error:
        raise StoreRefused(f"The broker's authorizer log {path} cannot be read ({error.strerror}). It is there as soon as "
                           "`rollcall up` has started Kafka on this machine; of another cluster bring its file to this "
                           "place.") from None


def counted(lines: Iterable[str], decide: Decide | None = None, since: datetime | None = None) -> list[Denied]:
    """The same of any lines, in any order; what is no line of a refusal is passed over."""
    found: dict[tuple[Attempt, str], Denied] = {}
    for attempt, at, rule in filter(None, map(_read, lines)):
        if since and at <= since:
            continue
        one = found.get((attempt, rule), Denied(attempt, 0, at, at, rule))
        found[attempt, rule] = replace(one, count=one.count + 1, first=min(one.first, at), last=max(one.last, at))
    latest = sorted(found.values(), key=lambda one: one.last, reverse=True)
    if decide is None:
        return latest
    return [replace(one, today=decide(
        one.attempt.principal, one.attempt.host, one.attempt.operation, one.attempt.resource, one.attempt.name))
        for one in latest]


def _read(line: str) -> tuple[Attempt, datetime, str] | None:
    match = LINE.fullmatch(line)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(match["at"]).astimezone(UTC)
    except ValueError:
        return None
    return (Attempt(match["principal"], match["host"], _as_in_rules(match["operation"]).upper(),
                    _as_in_rules(match["resource"]), match["name"], match["request"]), at, match["rule"] or "")


def _as_in_rules(word: str) -> str:
    """`DescribeConfigs` -> `describe_configs`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower()


def _files(path: Path) -> list[Path]:
    """The log and what it was rotated to."""
    return [path, *sorted(path.parent.glob(f"{path.name}.*"))]


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except FileNotFoundError:
        if not path.name.endswith(".log"):    # rotated away just now
            return
        raise
