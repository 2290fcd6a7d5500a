"""Documents into records, the states of a reading, and what a page does with each of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.public import words
from app.public.dashboard import outputs, refreshed
from app.public.data import ATTEMPTS, TURN_BITS, figures_of, read_settled, turn_of
from app.public.records import Figures, Reading, State, Unreadable, state
from engine.birth_months import average_age
from engine.settings import View

NOW = datetime(2026, 11, 24, 14, 2, 10, tzinfo=UTC)
TURN = 1_795_000_000_000
STAMP = (3 << TURN_BITS) + TURN

NATIONALITIES: list[dict[str, Any]] = [
    {"_id": "IE", "users": 1, "by_gender": {"male": 1}, "births": {"male": {"1980-01": 1}}, "stamp": STAMP},
    {"_id": "FR", "users": 3, "by_gender": {"female": 2, "male": 1}, "stamp": STAMP,
     "births": {"female": {"1992-03": 1, "1960-12": 1, "1970-01": 0}, "male": {"1992-03": 1}}},
    {"_id": "NO", "users": 0, "by_gender": {}, "births": {"male": {"1950-01": 0}}, "stamp": STAMP},
]
DOMAINS: list[dict[str, Any]] = [
    {"_id": "b.org", "users": 2, "stamp": STAMP}, {"_id": "a.org", "users": 2, "stamp": STAMP},
    {"_id": "gone.org", "users": 0, "stamp": STAMP}]
LAST: dict[str, Any] = {"_id": "figures", "at": NOW - timedelta(seconds=4), "turn": TURN, "synthetic": False}


def reading(**changes: Any) -> Figures:
    """The documents above as a reading, with the `figures` document changed."""
    return figures_of(NATIONALITIES, DOMAINS, {"figures": LAST | changes}, NOW)


def test_documents_become_ranked_records() -> None:
    figures = reading()
    assert [(one.code, one.users) for one in figures.nationalities] == [("FR", 3), ("IE", 1)]
    assert [one.name for one in figures.domains] == ["a.org", "b.org"]
    assert figures.people == 4
    assert figures.nationalities[0].average_age == average_age({"1992-03": 2, "1960-12": 1}, NOW.date())
    assert figures.average_age == average_age({"1992-03": 2, "1960-12": 1, "1980-01": 1}, NOW.date())
    assert (figures.at, figures.turn) == (NOW - timedelta(seconds=4), TURN)


def test_an_empty_store_is_nobody() -> None:
    figures = figures_of([], [], {}, NOW)
    assert (figures.people, figures.average_age, figures.at, figures.synthetic) == (0, None, None, None)
    assert state(figures, NOW, 60) is State.EMPTY


def test_a_time_without_a_zone_is_utc() -> None:
    assert reading(at=datetime(2026, 11, 24, 14, 2, 6)).at == NOW - timedelta(seconds=4)


@pytest.mark.parametrize("broken", [
    {"_id": "FR"}, {"_id": "FR", "users": "many"}, {"_id": "FR", "users": 1, "births": {"male": {"1992": 1}}},
    {"_id": "FR", "users": 1, "births": {"male": 3}}, {"_id": "FR", "users": 1, "births": []}])
def test_documents_of_another_shape_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        figures_of([broken], [], {}, NOW)


@pytest.mark.parametrize(("stream", "producer", "said"), [
    (None, None, None), (True, None, True), (False, None, False), (None, True, True), (False, True, True),
    (True, False, True), (False, False, False)])
def test_synthetic_as_soon_as_one_says_so(stream: bool | None, producer: bool | None, said: bool | None) -> None:
    statuses = {"figures": {"synthetic": stream}, "producer": {"synthetic": producer}}
    assert figures_of([], [], statuses, NOW).synthetic is said


def test_states() -> None:
    assert state(reading(), NOW, 60) is State.LIVE
    assert state(reading(), NOW + timedelta(seconds=56), 60) is State.OLD
    assert state(reading(at=None), NOW, 60) is State.OLD
    assert state(Unreadable(NOW, "why"), NOW, 60) is State.BROKEN


def test_the_version_follows_what_is_drawn() -> None:
    same = reading(turn=TURN + 1, at=NOW)
    assert same.version == reading().version
    assert reading(synthetic=True).version != reading().version
    changed = figures_of([*NATIONALITIES[1:], NATIONALITIES[0] | {"users": 2}], DOMAINS, {"figures": LAST}, NOW)
    assert changed.version != reading().version


def test_the_turn_in_a_stamp() -> None:
    assert turn_of(STAMP) == TURN
    assert turn_of((4 << TURN_BITS) - 1) == -1


class Documents:
    """A database whose answers to pipeline_status follow a script; the aggregates stay."""

    def __init__(self, turns: list[int], stamp: int) -> None:
        self.turns: Iterator[int] = iter(turns)
        self.stamp = stamp

    def __getitem__(self, name: str) -> "Collection":
        return Collection(self, name)


class Collection:
    """One collection of the script."""

    def __init__(self, database: Documents, name: str) -> None:
        self.database, self.name = database, name

    def find(self, query: object = None) -> list[dict[str, Any]]:
        """The documents of now."""
        if self.name == "pipeline_status":
            return [LAST | {"turn": next(self.database.turns)}]
        documents = NATIONALITIES if self.name == "users_by_nationality" else DOMAINS
        return [document | {"stamp": self.database.stamp} for document in documents]


def test_a_reading_across_a_closing_turn_is_taken_again() -> None:
    pauses: list[float] = []
    figures = read_settled(Documents([TURN, TURN + 9, TURN + 9, TURN + 9], STAMP), pauses.append)
    assert (figures.turn, figures.settled, len(pauses)) == (TURN + 9, True, 1)


def test_a_reading_inside_a_turn_says_so_in_the_end() -> None:
    pauses: list[float] = []
    figures = read_settled(Documents([TURN] * 2 * ATTEMPTS, STAMP + 1), pauses.append)
    assert not figures.settled
    assert len(pauses) == ATTEMPTS - 1
    assert "being written" in words.as_of(figures, State.LIVE, NOW, 5)


class Fixed:
    """A reader that always reads the same."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def read(self) -> Reading:
        """The reading."""
        return self.reading


def refresh(reading: Reading, shown: Any = None) -> dict[str, Any]:
    """What a page gets; `no_update` is left out."""
    values = refreshed(Fixed(reading), View.model_validate({}), shown)    # type: ignore[arg-type]
    assert set(values) == set(outputs())
    return {key: value for key, value in values.items() if type(value).__name__ != "NoUpdate"}


def fresh(**changes: Any) -> Figures:
    """A reading whose turn was closed just now by the real clock."""
    return reading(at=datetime.now(UTC), **changes)


def test_a_first_look_draws_everything_and_a_second_only_the_state() -> None:
    first = refresh(fresh())
    assert first["people"] == "4"
    assert first["nationality_heading"] == "France has the most people"
    assert first["status_class"] == "status live"
    assert first["body_class"] == "body"
    assert first["notice"] is None
    second = refresh(fresh(), first["shown"])
    assert set(second) == {"status", "status_class", "notice", "body_class", "shown"}


def test_a_store_away_leaves_the_charts_and_says_of_when_they_are() -> None:
    shown = refresh(fresh())["shown"]
    broken = refresh(Unreadable(NOW, words.AWAY), shown)
    assert broken["status_class"] == "status broken"
    assert broken["body_class"] == "body"
    assert broken["shown"] == shown
    assert "What stands below is as of" in str(broken["notice"])


def test_a_store_away_from_the_start_shows_no_charts() -> None:
    broken = refresh(Unreadable(NOW, words.AWAY))
    assert broken["body_class"] == "body bare"
    assert words.BROKEN_HEADING in str(broken["notice"])
    assert "nationality_chart" not in broken


def test_nobody_is_a_page_of_its_own() -> None:
    empty = refresh(figures_of([], [], {}, NOW))
    assert empty["body_class"] == "body bare"
    assert words.EMPTY_HEADING in str(empty["notice"])
    assert empty["shown"] is None


def test_old_figures_say_that_they_are_old() -> None:
    old = refresh(reading(at=datetime.now(UTC) - timedelta(hours=2)))
    assert old["status_class"] == "status old"
    assert "2 hours ago" in str(old["status"])
