"""Requests in memory: the table of records under the product's own code, and acts of the test's own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from engine.compliance.requests import Doing, Kept, Requests
from engine.errors import RollcallError
from engine.rights.packages import Packages, PackageState
from engine.settings import Settings
from engine.stores.records import REGISTER, SUBJECT, Record, Records, Stale
from governance.register import CONTENT, Recipient, RecipientKind, entries
from governance.requests.kind import Kind
from governance.requests.result import Result
from governance.requests.step import Name
from tests.app.console_fake import KEYS, UUID

WON = Result(done=True, says="it was so", evidence={"offset": "17"})


class FakeRecords:
    """The table `records`. A write can be made to fail: `crash` is called before each with what is to be added."""

    def __init__(self) -> None:
        self.there: list[Record] = []
        self.crash: Callable[[Record], None] = lambda _: None
        entry = entries(CONTENT.read_text(encoding="utf-8"))[0]
        printer = Recipient(name="Printer Ltd", kind=RecipientKind.PROCESSOR, country="FR")
        self.there.append(Record(REGISTER, entry.ref, 1, "published", entry.model_copy(update={
            "recipients": (*entry.recipients, printer)}).model_dump_json(), datetime.now(UTC), "ada", "first"))

    def all(self, kind: str) -> list[Record]:
        return sorted((one for one in self.there if one.kind == kind), key=lambda one: (one.name, one.n))

    def newest(self, kind: str) -> list[Record]:
        return list({one.name: one for one in self.all(kind)}.values())

    def versions(self, kind: str, name: str) -> list[Record]:
        return [one for one in self.all(kind) if one.name == name]

    def last(self, kind: str, name: str) -> Record | None:
        return next(iter(self.versions(kind, name)[::-1]), None)

    def add(self, record: Record) -> Record:
        self.crash(record)
        last = self.last(record.kind, record.name)
        if record.n != (last.n if last else 0) + 1:
            raise Stale(last)
        self.there.append(record)
        return record

    def forget(self, name: str) -> None:
        self.there = [one for one in self.there if (one.kind, one.name) != (SUBJECT, name)]


class FakePackages:
    """The table `packages`: what became of the package of each request, without what it holds."""

    def __init__(self) -> None:
        self.there: dict[str, PackageState] = {}

    def keep(self, ref: str) -> None:
        self.there[ref] = PackageState(ref, now := datetime.now(UTC), now + timedelta(hours=1), None)

    def state(self, ref: str) -> PackageState | None:
        return self.there.get(ref)

    def take(self, secret: str = "", request: str = "") -> tuple[str, bytes]:
        self.there[request] = replace(self.there[request], taken_at=datetime.now(UTC))
        return request, b"PK"

    def purge(self, ref: str) -> None:
        self.there.pop(ref, None)


class InMemory(Requests):
    """The product's requests, with packages of the test's own."""

    kept: FakePackages

    @contextmanager
    def packages(self) -> Iterator[Packages]:
        yield cast(Packages, self.kept)


@dataclass
class Place:
    """An installation's requests. did: the acts that were run; results: what each comes to, WON where it is not said."""

    settings: Settings
    records: FakeRecords = field(default_factory=FakeRecords)
    did: list[str] = field(default_factory=list)
    results: dict[str, Result | RollcallError] = field(default_factory=dict)
    packages: FakePackages = field(default_factory=FakePackages)

    @property
    def requests(self) -> Requests:
        made = InMemory(self.settings, cast(Records, self.records), KEYS)
        made.kept = self.packages
        return made

    @contextmanager
    def opened(self) -> Iterator[Requests]:
        """In place of what signs in."""
        yield self.requests

    @property
    def acts(self) -> Mapping[Name, Callable[[Doing], Result]]:
        """In place of engine/compliance/request_acts.py."""
        return {name: self._act(name) for name in Name}

    def logged(self, kind: str = "erasure", **about: Any) -> Kept:
        """A request that came today, about somebody."""
        return self.requests.log(Kind(kind), self.requests.today, "letter", about or {"uuid": UUID}, "ada", "received")

    def _act(self, name: Name) -> Callable[[Doing], Result]:
        def do(doing: Doing) -> Result:
            self.did.append(f"{name} {doing.subject.uuid}")
            doing.say(f"{name} of {doing.request.ref}")
            result = self.results.get(name, WON)
            if name is Name.PACKAGE:
                self.packages.keep(doing.request.ref)
            if isinstance(result, RollcallError):
                raise result
            return result
        return do
