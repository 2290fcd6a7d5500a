"""When an alert is on, and what each receiver has to be told: once when it begins, once when it ends, now and then between."""

from pathlib import Path

import pytest

from engine.alerts.expressions import parsed
from engine.alerts.rules import Found, Rule
from engine.alerts.section import Alerts
from engine.alerts.standing import GAP_S, Standing, Told, keep, read
from engine.settings import Settings
from engine.tls.pages import console_address

RULE = Rule("RollcallStreamWaits", parsed("x == 1"), 120, "page", "", "docs/operating.md#rollcallstreamwaits")
WAITS = Found(RULE, frozenset({("system", "Kafka")}), "The stream waits for Kafka")
KEY = "RollcallStreamWaits{system=Kafka}"
HOUR = 3600.0


class Story:
    """Looks every 15 s, tells one receiver what is due, and notes it."""

    def __init__(self, standing: Standing | None = None, now: float = 1_000_000.0) -> None:
        self.standing, self.now, self.told = standing or Standing(), now, list[tuple[float, str]]()
        self.began, self.away = now, False

    def go(self, seconds: float, holds: bool, unsure: frozenset[str] = frozenset()) -> "Story":
        """So long it holds, or does not."""
        for _ in range(int(seconds / 15)):
            self.standing.look(self.now, [WAITS] if holds else [], unsure)
            if (alert := self.standing.alerts.get(KEY)) and not self.away and (event := alert.due("webhook", self.now, HOUR)):
                self.told.append((self.now - self.began, event))
                alert.told["webhook"] = Told(event=event, at=self.now)
            self.standing.forget_ended(["webhook"])
            self.now += 15
        return self


def test_it_begins_after_the_time_of_its_rule_and_ends_at_once() -> None:
    story = Story().go(600, True).go(60, False)
    assert story.told == [(120, "begins"), (600, "has ended")]
    assert story.standing.alerts == {}


def test_what_passes_before_its_time_is_told_to_nobody() -> None:
    story = Story().go(120, True).go(15, False).go(120, True).go(60, False)
    assert story.told == []
    assert story.standing.alerts == {}


def test_it_is_told_again_after_the_set_time() -> None:
    assert Story().go(120 + 2 * HOUR + 60, True).told == [(120, "begins"), (120 + HOUR, "goes on"), (120 + 2 * HOUR, "goes on")]


def test_a_restart_tells_nothing_again(tmp_path: Path) -> None:
    story = Story().go(600, True)
    keep(tmp_path / "alerts.json", story.standing)
    assert (tmp_path / "alerts.json").stat().st_mode & 0o777 == 0o600
    after = Story(read(tmp_path / "alerts.json"), story.now).go(600, True)
    assert after.told == []
    assert after.standing.on[0].since == story.began
    assert after.go(30, False).told == [(600, "has ended")]


def test_a_rule_that_looks_further_back_than_there_are_figures_ends_nothing() -> None:
    story = Story().go(300, True)
    after = Story(story.standing, story.now).go(300, False, frozenset({RULE.name}))
    assert after.told == []
    assert after.go(30, True).told == []
    assert after.go(15, False).told == [(330, "has ended")]


def test_what_held_before_a_long_gap_has_not_held_since() -> None:
    story = Story().go(60, True)
    assert Story(story.standing, story.now + GAP_S + 15).go(135, True).told == [(120, "begins")]
    story = Story().go(60, True)
    assert Story(story.standing, story.now).go(135, True).told == [(60, "begins")], "a short restart does not begin anew"


def test_who_was_away_is_told_of_what_ended_meanwhile_once() -> None:
    story = Story()
    story.away = True
    story.go(300, True).go(300, False)
    story.away = False
    assert story.go(60, False).told == [(600, "has ended")]
    assert story.standing.alerts == {}


def test_what_comes_back_before_its_end_was_told_has_not_ended() -> None:
    story = Story().go(300, True)
    story.away = True
    story.go(60, False)
    assert story.standing.on == []
    story.go(60, True)
    story.away = False
    assert story.go(60, True).told == [(120, "begins")]
    assert len(story.standing.on) == 1


def test_each_receiver_is_told_for_itself() -> None:
    story = Story().go(300, True)
    alert = story.standing.alerts[KEY]
    assert alert.due("mail", story.now, HOUR) == "begins"
    story.standing.look(story.now, [])
    alert.told["webhook"] = Told(event="has ended", at=story.now)
    story.standing.forget_ended(["webhook", "mail"])
    assert KEY in story.standing.alerts, "mail does not know yet"
    story.standing.forget_ended(["webhook"])
    assert story.standing.alerts == {}


def test_a_message_says_what_to_do_and_where(tmp_path: Path) -> None:
    alert = Story().go(300, True).standing.alerts[KEY]
    settings = Settings(home=tmp_path, alerts=Alerts(pages="https://example.org/rollcall/"))
    message = alert.message("begins", settings)
    assert message.subject == "Rollcall: page: RollcallStreamWaits begins"
    assert message.text.splitlines()[1:] == [
        "The stream waits for Kafka.", "Since 1970-01-12 13:46:40 UTC.",
        "What to do: https://example.org/rollcall/docs/operating.md#rollcallstreamwaits",
        f"Console: {console_address(settings)}"]
    assert message.as_json() | {"text": ""} == {
        "event": "begins", "alert": "RollcallStreamWaits", "severity": "page", "summary": "The stream waits for Kafka",
        "since": "1970-01-12T13:46:40+00:00", "ended": None, "labels": {"system": "Kafka"}, "text": "",
        "runbook": "https://example.org/rollcall/docs/operating.md#rollcallstreamwaits", "console": console_address(settings)}
    assert alert.message("begins", Settings(home=tmp_path)).runbook == "docs/operating.md#rollcallstreamwaits"


@pytest.mark.parametrize("content", [b"", b"{", b'{"alerts": 5}', None])
def test_a_file_that_cannot_be_read_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "alerts.json").write_bytes(content)
    assert read(tmp_path / "alerts.json") == Standing()
