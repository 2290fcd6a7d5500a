"""What a run of retention says of those who restrict: they are not due, they are left, and who waits longest is named."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app import retention as page
from app import words_law as words
from engine.cli import retention as command
from engine.compliance import retention
from engine.settings import Settings
from engine.stores.records import RETENTION, Records
from governance.register import CONTENT, entries
from tests.app.requests_place import FakeRecords

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=900)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Rows that are over their time, and whether each is counted; a command ends those that are."""
    rows = {"ada": True, "bob": True, "eve": False}

    def ended(_: object, __: object, people: list[str], *___: object) -> int:
        rows["bob"] = False    # who restricts just now
        for one in people:
            if rows[one]:
                del rows[one]
        return 1

    monkeypatch.setattr(retention, "_due", lambda _, __, limit="", counted=True: {
        one: OLD + timedelta(hours=len(one) + ord(one[0])) for one, so in rows.items() if so is counted})
    monkeypatch.setattr(retention, "_behind", lambda _: 0)
    monkeypatch.setattr(retention, "load_keys", lambda _: None)
    monkeypatch.setattr(retention, "wait", lambda *_: None)
    monkeypatch.setattr(retention, "send_expiries", ended)
    monkeypatch.setattr(retention, "Register", lambda _: SimpleNamespace(
        in_force=lambda: [SimpleNamespace(entry=one) for one in entries(CONTENT.read_text())]))
    return rows


def test_who_restricts_is_left_and_not_due_also_who_does_meanwhile(there: dict[str, bool], records: FakeRecords) -> None:
    done = retention.run(Settings(), "ada", lambda _: None, 1.0, NOW)
    assert (done.due, done.expired, done.left, done.restricted) == (2, 1, 2, 2)
    assert datetime.fromisoformat(done.oldest_restricted) == OLD + timedelta(hours=3 + ord("b"))
    assert f"2 are left, 2 of them of people who restrict, the oldest of {done.oldest_restricted[:10]}" in command._left(done)
    again = retention.run(Settings(), "ada", lambda _: None, 1.0, NOW)
    assert (again.due, again.expired, again.left, again.restricted) == (0, 0, 2, 2)
    there.clear()
    assert retention.run(Settings(), "ada", lambda _: None, 1.0, NOW).oldest_restricted == ""
    assert len(records.versions(RETENTION, "profiles")) == 3


def test_the_page_says_why_rows_are_left(there: dict[str, bool], records: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, warned = list[dict[str, Any]](), list[str]()
    monkeypatch.setattr(page, "table", lambda rows, *_, **__: shown.extend(rows))
    monkeypatch.setattr("streamlit.warning", lambda text, **_: warned.append(text))
    retention.run(Settings(), "ada", lambda _: None, 1.0, NOW)
    page._runs(retention.runs(cast(Records, records)))
    assert [(row[words.LEFT], row[words.RESTRICTED]) for row in shown] == [(2, 2)]
    assert len(warned) == 1
    assert "2 rows are over their time" in warned[0]
    assert f"{OLD + timedelta(hours=3 + ord('b')):%Y-%m-%d}" in warned[0]
    there.clear()
    retention.run(Settings(), "ada", lambda _: None, 1.0, NOW)
    warned.clear()
    page._runs(retention.runs(cast(Records, records)))
    assert warned == [], "the newest run left none"
