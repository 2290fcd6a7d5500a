"""When figures move at all: each table waits until ten people came, left or changed in it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from governance.disclosure.figures import COUNTS
from governance.disclosure.ledger import Ledger, Release, Why
from governance.disclosure.method import VERSION
from tests.governance.disclosed import HOUR, T0, attempt, figures, of_table, released, shown, why

ENOUGH, TWO = {"FR": 48, "DE": 35, "GB": 30}, {"FR": 60, "DE": 53}


@pytest.mark.parametrize("now", [
    {"FR": 57, "DE": 35, "GB": 30}, {"FR": 39, "DE": 35, "GB": 30}, {"FR": 53, "DE": 31, "GB": 25},
    {"FR": 48, "DE": 35, "GB": 39},
])
def test_nothing_moves_until_ten_people_came_or_left(now: dict[str, int]) -> None:
    """A figure that moves says that somebody came since the last time. Who was alone in that time would be given away."""
    first, second = released(figures(ENOUGH), figures(now))
    assert second.snapshot.number == 2
    assert second.snapshot.counted_at == first.snapshot.at
    assert all(second.snapshot.table(name) == first.snapshot.table(name) for name in COUNTS)
    assert why(second, "FR") is Why.UNMOVED


def test_people_who_change_move_the_table_in_which_they_do() -> None:
    """Nobody comes or leaves. By nationality alone the domain would be 77 people late, and stay so."""
    first, second = released(figures(TWO), figures(TWO, domains={"mail.example": 33, "post.example": 80}))
    assert shown(first, "domains") == {"mail.example": 110}
    assert shown(second, "domains") == {"mail.example": 30, "post.example": 80}
    assert second.snapshot.counted_at == T0 + HOUR
    assert [why(second, key) for key in TWO] == [Why.UNMOVED, Why.UNMOVED]
    assert why(second, "female 40-49", "gender_ages") is Why.UNMOVED


def test_birthdays_move_the_table_of_ages() -> None:
    _, second = released(figures(TWO), figures(TWO, gender_ages={"female 40-49": 63, "female 50-59": 50}))
    assert shown(second, "gender_ages") == {"female 40-49": 60, "female 50-59": 50}


def test_who_comes_alone_is_not_given_away_by_ten_who_change() -> None:
    """FR is one person from its next figure. That ten people changed their domains meanwhile hides nobody's nationality."""
    _, at_the_edge, second = released(
        figures({"FR": 48, "DE": 52}), figures({"FR": 57, "DE": 53}, domains={"mail.example": 60, "post.example": 50}),
        figures({"FR": 58, "DE": 53}, domains={"mail.example": 40, "post.example": 71}))
    assert shown(at_the_edge)["FR"] == 40
    assert second.snapshot.counted_at == second.snapshot.at
    assert shown(second, "domains") == {"mail.example": 40, "post.example": 70}
    assert shown(second)["FR"] == 40


def stays(*nationalities: dict[str, int]) -> list[Release]:
    """Releases of these, the last one with domains of its own: so the last moves, whatever nationalities do."""
    *some, last = (sum(one.values()) for one in nationalities)
    domains = [{"a.example": n} for n in some] + [{"a.example": last - 50, "b.example": 50}]
    return released(*(figures(one, domains=two) for one, two in zip(nationalities, domains, strict=True)))


def test_a_table_that_stays_gives_way_to_the_total() -> None:
    """Too many are shown for the total of now. GB gives way, and DE, for GB alone could be computed."""
    was = {"FR": 50, "DE": 27, "GB": 15}
    first, second, third = stays({"FR": 45, "DE": 33, "GB": 20}, was, {"FR": 48, "DE": 26, "GB": 14})
    assert shown(first) == shown(second) == {"FR": 40, "DE": 30, "GB": 20}
    assert [one.snapshot.people for one in (first, second, third)] == [90, 90, 80], "98, 92, then 88"
    assert shown(third) == {"FR": 40, "": 40}
    assert second.ledger.base["nationalities"] == third.ledger.base["nationalities"] == was, "it was not counted"
    assert (why(third, "DE"), why(third, "FR")) == (Why.MERGED, Why.UNMOVED)


def test_other_keeps_ten_in_a_table_that_stays() -> None:
    small = {"AA": 5, "BB": 6, "CC": 3}
    first, second, third = stays({"FR": 50, "DE": 30, **small, "CC": 1}, {"FR": 43, "DE": 27, **small},
                                 {"FR": 42, "DE": 26, **small})
    assert shown(first) == shown(second) == {"FR": 50, "DE": 30, "": 10}
    assert [one.snapshot.people for one in (second, third)] == [90, 80], "92, then 82"
    assert shown(third) == {"FR": 50, "": 30}


def test_a_figure_is_late_by_nine_when_it_is_counted_and_by_nine_more_until_it_is_again() -> None:
    lives = [{"FR": 48, "DE": 100}, {"FR": 57, "DE": 110}, {"FR": 66, "DE": 110}, {"FR": 67, "DE": 110}]
    assert [shown(one)["FR"] for one in released(*map(figures, lives))] == [40, 40, 40, 60]


def test_what_nobody_sees_moves_nothing_and_is_not_named() -> None:
    """Domains that few people have are one sum in what is kept, and so are those the table has no room for."""
    own = {f"ada{n}.example": 4 for n in range(6)}
    other = {f"bob{n}.example": 4 for n in range(6)}
    first, second = released(of_table("domains", {"mail.example": 80} | own), of_table("domains", {"mail.example": 80} | other))
    assert first.ledger.base["domains"] == {"mail.example": 80, "": 24}
    assert "ada" not in second.ledger.model_dump_json() + second.snapshot.model_dump_json()
    assert second.snapshot.counted_at == T0


def test_small_steps_add_up_until_figures_move() -> None:
    releases = released(*(figures({"FR": 48 + 4 * n, "DE": 35, "GB": 30}) for n in range(4)))
    assert [one.snapshot.counted_at for one in releases] == [T0, T0, T0, T0 + 3 * HOUR]
    assert shown(releases[3])["FR"] == 60


def test_ten_who_come_and_ten_who_leave_move_it() -> None:
    _, second = released(figures(ENOUGH), figures({"FR": 58, "DE": 25, "GB": 30}))
    assert shown(second) == {"FR": 50, "DE": 20, "GB": 30, "": 10}


# ---- releases that were made by version 1 -------------------------------------------------------------------------------

def of_version_1(release: Release) -> Release:
    """As it was kept: people by nationality only, and a text of then."""
    ledger = json.loads(release.ledger.model_dump_json())
    ledger |= {"schema_version": 1, "base": ledger["base"]["nationalities"]}
    snapshot = release.snapshot.model_copy(update={"method": release.snapshot.method.model_copy(update={"version": 1})})
    return replace(release, snapshot=snapshot, ledger=Ledger.model_validate_json(json.dumps(ledger)))


def test_releases_of_version_1_go_on() -> None:
    """By nationality until that moves: what changed in the other tables since they were counted is not known."""
    (made,) = released(figures(TWO))
    first = of_version_1(made)
    assert first.ledger.base == {"nationalities": TWO}
    changed: dict[str, Any] = {"domains": {"mail.example": 33, "post.example": 80}}
    second = attempt(figures(TWO, **changed), [first])
    assert isinstance(second, Release)
    assert second.snapshot.domains == first.snapshot.domains
    assert (second.snapshot.counted_at, second.snapshot.method.version) == (T0, 1), "these figures were made by it"
    third = attempt(figures({"FR": 70, "DE": 53}, domains={"mail.example": 43, "post.example": 80}), [first, second])
    assert isinstance(third, Release)
    assert shown(third, "domains") == {"mail.example": 40, "post.example": 80}
    assert (third.snapshot.method.version, set(third.ledger.base)) == (VERSION, set(COUNTS))
