"""Whom requests are about, each in a record of its own, sealed like all, until its request is closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.sealing import KeyRing
from engine.stores.records import SUBJECT, Record, Records
from governance.requests import life
from governance.requests.request import NotARequest, State
from governance.requests.subject import Subject

TOKEN = 16
"""Characters of a token that are shown, as in the audit."""

ORPHAN_S = 3600.0
"""Seconds after which a subject without a request is none that is being logged just now."""


@dataclass(frozen=True)
class Leftover:
    """Subjects that stand by themselves, by ref. closed: of requests that are closed, to be forgotten; unlogged: of such as
    were never logged to their end, with the moment at which that began: their clocks run, and nothing else tells of them."""

    closed: tuple[str, ...]
    unlogged: Mapping[str, datetime]


class Subjects:
    """Over the records of an installation."""

    def __init__(self, records: Records, keys: KeyRing) -> None:
        self._records, self._keys = records, keys

    def of(self, ref: str) -> Subject | None:
        """Whom a request is about; None when that is forgotten."""
        record = self._records.last(SUBJECT, ref)
        return Subject.model_validate_json(record.body) if record else None

    def keep(self, ref: str, subject: Subject, by: str, n: int = 1) -> None:
        """Adds version n. Raises Stale."""
        self._records.add(Record(SUBJECT, ref, n, "", subject.model_dump_json(), datetime.now(UTC), by, ""))

    def is_about(self, ref: str, uuid: str, by: str) -> Subject:
        """Keeps which person it is, of a request that came with an e-mail address. Raises NotARequest, Stale."""
        record = self._records.last(SUBJECT, ref)
        if record is None:
            raise NotARequest(f"Whom {ref} is about is forgotten.")
        known = Subject.model_validate_json(record.body)
        wanted = life.subject({**dict(known), "uuid": uuid})
        if known.uuid and known.uuid != wanted.uuid:
            raise NotARequest(f"{ref} is about another person already; log a request of its own.")
        if known != wanted:
            self.keep(ref, wanted, by, record.n + 1)
        return wanted

    def token(self, subject: Subject) -> str:
        """By what a request names its subject: of the uuid, or of the address as long as that is all that is known."""
        return (f"person {self._keys.suppression_token(subject.uuid)[:TOKEN]}" if subject.uuid else
                f"e-mail {self._keys.email_token(subject.email)[:TOKEN]}")

    def leftover(self, states: Mapping[str, State]) -> Leftover:
        """Those that stand by themselves. states: of every request, by ref."""
        began = {record.name: record.at for record in self._records.newest(SUBJECT)}
        now = datetime.now(UTC)
        return Leftover(tuple(ref for ref in began if states.get(ref) is State.CLOSED), {
            ref: at for ref, at in began.items() if ref not in states and (now - at).total_seconds() > ORPHAN_S})
