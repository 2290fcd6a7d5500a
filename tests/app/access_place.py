"""For tests of the page Kafka access: a console over a Kafka in memory, and what one does on the page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import access, access_seen, jobs
from app import words_access as words
from app.access_seen import Seen
from app.readings import Kept
from engine.access.broker import Broker
from engine.access.state import first
from engine.errors import StoreAway
from engine.settings import Settings
from engine.stores.records import Record
from tests.app.console_fake import NOW, FakeConsole
from tests.app.kafka_fake import FakeAdmin, FakeRecords
from tests.app.pages import opened, page_of, placed, until
from tests.governance.kafka_cases import rule

AWAY = StoreAway("Kafka does not answer.", "Kafka")
TEAM = """
  orders:
    principals:
      ada-reader:
        - {role: reader, topics: [orders-*]}
"""
READS, DESCRIBES = rule("allow ada-reader READ topic orders-*"), rule("allow ada-reader DESCRIBE topic orders-*")
ODD = rule("allow verify WRITE topic odd")
DENIED = ("2026-11-28T09:00:00.000Z INFO Principal = User:ada-reader is Denied operation = Read from host = 10.0.0.9 on "
          "resource = Topic:LITERAL:orders-1 for request = Fetch with resourceRefCount = 1 based on rule DefaultDeny\n")


class Place:
    """The console of the test, its Kafka, and the versions of what is wanted."""

    def __init__(self, console: FakeConsole) -> None:
        self.console, self.records = console, FakeRecords()
        self.kafka = FakeAdmin(first(console.settings).rules)

    @property
    def settings(self) -> Settings:
        return self.console.settings

    def reads(self) -> Seen:
        """A reading as the console takes it."""
        return access_seen.read(self.settings, self.records)    # type: ignore[arg-type]

    def page(self, role: str = "kafka admin") -> AppTest:
        """The page as this role sees it."""
        return opened(self.console, page_of("access"), role)

    def wants(self, text: str) -> None:
        """Another has saved a version."""
        n = len(self.records.kept) + 1
        self.records.add(Record("access", "kafka", n, "kept", json.dumps({"text": text}), NOW, "bob", "moved"))

    def wants_team(self) -> None:
        """Another has saved a version with a team of others in it."""
        self.wants(with_team(first(self.settings).text))


def with_team(text: str) -> str:
    return text.replace("\nteams:\n", f"\nteams:{TEAM}", 1)


def kafka_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Kafka has what is wanted, and its log one refusal."""
    console = placed(tmp_path, monkeypatch)
    made = Place(console)

    @contextmanager
    def cassandra(_: str = "") -> Iterator[None]:
        yield None

    monkeypatch.setattr(console.stores, "cassandra", cassandra)
    monkeypatch.setattr(access, "Records", lambda *_: made.records)
    monkeypatch.setattr(Broker, "opened", made.kafka.opened)
    console.access = Kept(made.reads, 3600)
    log = console.settings.logs_dir / "kafka-authorizer.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(DENIED)
    return made


def tables(test: AppTest) -> dict[str, list[dict[str, Any]]]:
    """Rows of each table, by its first column."""
    return {str(frame.value.columns[0]): [{str(name): value for name, value in row.items()}
                                          for row in frame.value.to_dict("records")] for frame in test.dataframe}


def column(test: AppTest, name: str) -> list[Any]:
    """A column, wherever it stands, of all tables."""
    return [value for frame in test.dataframe if name in frame.value.columns for value in frame.value[name]]


def ended(test: AppTest) -> None:
    """Waits until the job has ended and the page shows it."""
    until(test, lambda _: (job := jobs.JOBS.get(access.KIND)) is not None and not job.running)
    test.run()


def choose(test: AppTest, *numbers: int) -> AppTest:
    """Chooses differences."""
    rows = next(one for one in test.multiselect if one.label == words.ROWS)
    rows.set_value([rows.options[number] for number in numbers])
    return test.run()


def apply(test: AppTest, why: str = "a new team", sure: str = "") -> None:
    test.text_input("access-why").set_value(why)
    if sure:
        test.text_input("access-sure").set_value(sure)
    test.button("access-apply-do").click().run()
