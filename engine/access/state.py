"""The wanted state as it is kept: the text that people edit, version by version, on top of governance/kafka_acls.yaml.

As long as nothing was saved that file itself is version 0, so that it can be kept in git and edited there. What the programs of
this installation need is no matter of choice: `rollcall up` gives them that, and a text that says otherwise is not kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from engine import secrets
from engine.access.broker import AccessRefused
from engine.compliance.survey import named
from engine.settings import Settings
from engine.stores.records import ACCESS, Record, Records, Stale
from governance.kafka_access.document import NotWanted
from governance.kafka_access.ownership import Managed
from governance.kafka_access.rule import Rule
from governance.kafka_access.sentence import sentence
from governance.kafka_access.wanted import CONTENT, Wanted, managed, parsed, rules

NAME = "kafka"
"""There is one wanted state."""

KEPT = "kept"

FIRST = "first content"


@dataclass(frozen=True)
class Text:
    """A version as it was written, whether or not it would be taken today."""

    n: int
    text: str
    by: str = ""
    at: datetime | None = None
    why: str = FIRST


@dataclass(frozen=True)
class Version:
    """A version and what follows from it in this installation. n: 0 for the first content, which is in no store."""

    n: int
    text: str
    wanted: Wanted
    rules: frozenset[Rule]
    managed: Managed
    by: str = ""
    at: datetime | None = None
    why: str = FIRST

    @property
    def teams(self) -> Mapping[str, str]:
        """`User:name` -> its team, for sentences."""
        return self.wanted.teams_by_principal


class WantedState:
    """The wanted state of an installation, over its records."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self._settings, self._records = settings, records

    def newest(self) -> Version:
        """What is wanted now. Raises AccessRefused if it was altered in the store."""
        record = self._records.last(ACCESS, NAME)
        return self._version(record) if record else first(self._settings)

    def versions(self) -> list[Text]:
        """Every version, oldest first, from version 0 on."""
        return [Text(0, CONTENT.read_text(encoding="utf-8")),
                *(Text(one.n, _text(one), one.by, one.at, one.why) for one in self._records.versions(ACCESS, NAME))]

    def save(self, text: str, base_n: int, by: str, why: str) -> Version:
        """Keeps a text on top of version `base_n`. Raises AccessRefused with each fault and its line, and Stale if somebody
        saved another meanwhile."""
        if not why.strip():
            raise AccessRefused("Say why: a version of the wanted state is kept with its reason.")
        keepable(self._settings, text)
        record = Record(ACCESS, NAME, base_n + 1, KEPT, json.dumps({"text": text}), datetime.now(UTC), by, why.strip())
        try:
            return self._version(self._records.add(record))
        except Stale as stale:
            if stale.newest is None:
                raise AccessRefused(f"There is no version {base_n} of the wanted state to base this on.") from None
            raise

    def _version(self, record: Record) -> Version:
        return version(self._settings, _text(record), record)


def first(settings: Settings) -> Version:
    """The first content: governance/kafka_acls.yaml as it stands. Raises AccessRefused with the lines of its faults."""
    return version(settings, CONTENT.read_text(encoding="utf-8"))


def version(settings: Settings, text: str, record: Record | None = None) -> Version:
    """What a text amounts to in this installation. Raises AccessRefused with the lines of its faults."""
    try:
        wanted = parsed(text)
    except NotWanted as error:
        raise AccessRefused(f"This is no wanted state: {error}") from None
    topics = named(settings.kafka)
    made = Version(0, text, wanted, rules(wanted, topics), managed(wanted, topics))
    return Version(record.n, text, wanted, made.rules, made.managed, record.by, record.at, record.why) if record else made


def keepable(settings: Settings, text: str) -> Version:
    """What a text that may be kept amounts to. Raises AccessRefused with the lines of its faults, and where it gives the
    programs of this installation more or less than they need."""
    made = version(settings, text)
    _programs_as_they_are(settings, made.rules)
    return made


def program_rules(settings: Settings) -> frozenset[Rule]:
    """What the programs of this installation need."""
    return _of_programs(first(settings).rules)


def _text(record: Record) -> str:
    try:
        return str(json.loads(record.body)["text"])
    except (ValueError, KeyError, TypeError):
        raise AccessRefused(f"Version {record.n} of the wanted state is damaged in Cassandra (table records); "
                            "restore it from its backup.") from None


def _of_programs(found: frozenset[Rule]) -> frozenset[Rule]:
    programs = {f"User:{name}" for name in secrets.PRINCIPALS}
    return frozenset(rule for rule in found if rule.principal in programs)


def _programs_as_they_are(settings: Settings, wanted: frozenset[Rule]) -> None:
    needed, given = program_rules(settings), _of_programs(wanted)
    missing, more = sorted(needed - given), sorted(given - needed)
    if missing or more:
        said = [f"missing: {sentence(rule)}" for rule in missing] + [f"too much: {sentence(rule)}" for rule in more]
        raise AccessRefused("What the programs of this installation may do is fixed, and `rollcall up` sets it; write their "
                            f"team as {CONTENT.name} has it. {'; '.join(said)}.")
