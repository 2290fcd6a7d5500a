"""What is published of live aggregates: each rule by itself, and that anything odd holds everything back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from governance.disclosure import publish
from governance.disclosure.figures import Figures
from governance.disclosure.ledger import Back, Held, Ledger, Why
from governance.disclosure.merged import Merged, computable
from governance.disclosure.method import DOMAINS, PERIODS, STEP, K
from governance.disclosure.snapshot import Snapshot
from governance.masking import HIDDEN_DOMAIN
from tests.governance.disclosed import HOUR, T0, attempt, figures, of_table, released, shown, why

ENOUGH = {"FR": 48, "DE": 35, "GB": 30}


def test_figures_are_whole_tens_that_add_up() -> None:
    (first,) = released(figures(ENOUGH))
    assert first.snapshot.people == 110, "of 113"
    assert shown(first) == {"FR": 40, "DE": 30, "GB": 30, "": 10}, "what rounding left is in other"


def test_a_step_is_no_smaller_than_k() -> None:
    assert STEP % 5 == 0
    assert STEP >= K, "else a difference of two figures may change by less than k"


# ---- threshold, complement, other, secondary suppression ----------------------------------------------------------------

def test_threshold() -> None:
    (first,) = released(figures({"FR": 60, "DE": 40, "AA": 4, "BB": 4, "CC": 5}))
    assert shown(first) == {"FR": 60, "DE": 40, "": 10}
    assert (why(first, "AA"), why(first, "FR")) == (Why.SMALL, None)


def test_threshold_holds_when_people_leave() -> None:
    _, second = released(figures({**ENOUGH, "NL": 14}), figures({**ENOUGH, "NL": 9, "FR": 70, "CC": 8, "BB": 5}))
    assert "NL" not in shown(second), "14 and 9 differ by less than k, and yet 9 is too few"


def test_complement() -> None:
    """All but nine people are of two nationalities: they would be computed from the total."""
    (first,) = released(figures({"FR": 60, "DE": 41, "AA": 5, "BB": 4}))
    assert shown(first) == {"FR": 60, "": 50}
    assert why(first, "DE") is Why.MERGED


def test_complement_of_one_that_has_nearly_all() -> None:
    (first,) = released(figures({"FR": 60, "DE": 5, "GB": 4}))
    assert shown(first) == {"": 60}


def test_nobody_left_is_no_complement() -> None:
    (first,) = released(figures({"FR": 60}))
    assert shown(first) == {"FR": 60}


def test_other_is_never_under_ten_when_it_holds_anybody() -> None:
    """13 people are merged, and none of them can be computed; but the figures of the others, which are late, leave nothing."""
    small = {"AA": 4, "BB": 4, "CC": 5}
    first, second = released(figures({"FR": 40, "DE": 30, **small}), figures({"FR": 34, "DE": 26, **small}))
    assert shown(first) == {"FR": 40, "DE": 30, "": 10}
    assert second.snapshot.people == 70
    assert shown(second) == {"FR": 40, "": 30}


def test_other_is_never_negative() -> None:
    """Everybody leaves little by little: each figure may be nine people late, the total is not."""
    first, second = released(figures({"FR": 40, "DE": 30, "GB": 20}), figures({"FR": 36, "DE": 27, "GB": 15}))
    assert shown(first) == {"FR": 40, "DE": 30, "GB": 20}
    assert second.snapshot.people == 70
    assert shown(second) == {"FR": 40, "": 30}, "GB gives way, and DE, for GB alone could be computed"


@pytest.mark.parametrize(("counts", "not_shown"), [
    ({"FR": 90, "DE": 41, "GB": 36, "NL": 9}, {"NL", "GB", "DE"}),             # a lone small one would be total - FR - DE - GB
    ({"FR": 90, "DE": 41, "GB": 36, "NL": 9, "BE": 9}, {"NL", "BE", "GB", "DE"}),    # both 9 is the only way to get 18
    ({"FR": 90, "DE": 41, "GB": 36, "NL": 5, "BE": 6, "LU": 5}, {"NL", "BE", "LU"}),   # 16 can be had in many ways
])
def test_secondary_suppression(counts: dict[str, int], not_shown: set[str]) -> None:
    (first,) = released(figures(counts))
    assert set(counts) - set(shown(first)) == not_shown


def test_what_was_shown_before_covers_less() -> None:
    """GB was shown as 40, so it has 31 at least: of the 38 that would be merged with it, 7 at most are left for the others."""
    _, second = released(figures({"FR": 90, "DE": 60, "GB": 40}), figures({"FR": 95, "DE": 60, "GB": 31, "NL": 4, "BE": 3}))
    assert shown(second) == {"FR": 90, "": 100}
    (first,) = released(figures({"FR": 95, "DE": 60, "GB": 31, "NL": 4, "BE": 3}))
    assert shown(first) == {"FR": 90, "DE": 60, "": 40}, "while nothing is known of it"


def merged(*counts: int, high: int = 40) -> list[Merged]:
    return [Merged(n, 0 if n < K else K, K - 1 if n < K else high) for n in counts]


@pytest.mark.parametrize(("some", "is_computable"), [
    (merged(5), True), (merged(9, 9), True), (merged(9, 5), True), (merged(5, 5), True), (merged(5, 4), False),
    (merged(4, 4, 4), False), (merged(4, 12), True), (merged(4, 20), True), (merged(4, 14, high=14), True),
    (merged(1, 1), True), (merged(4, 3, 30), False), (merged(4, 39), True), (merged(14, 14, high=14), True),
    (merged(12, 12, high=14), False), ([], False),
])
def test_computable(some: list[Merged], is_computable: bool) -> None:
    assert computable(some) is is_computable


# ---- increments ---------------------------------------------------------------------------------------------------------

def test_a_figure_stays_until_ten_people_came_or_left() -> None:
    up, down = {"FR": 57, "DE": 50, "GB": 30}, {"FR": 40, "DE": 55, "GB": 36}
    _, second, third = released(figures(ENOUGH), figures(up), figures(down))
    assert shown(second)["FR"] == 40, "48, then 57"
    assert why(second, "FR") is Why.KEPT
    assert shown(second)["DE"] == 50, "35, then 50"
    assert shown(third)["FR"] == 40, "48, then 40: counted ever against 48"
    assert why(second, "GB") is None


def test_the_total_is_tested_too() -> None:
    _, second, third = released(*(figures(dict(zip(ENOUGH, counts, strict=True)))
                                  for counts in ((48, 35, 30), (58, 35, 22), (58, 45, 30))))
    assert second.snapshot.people == 110, "113, then 115"
    assert third.snapshot.people == 130


def test_a_figure_goes_back_to_an_earlier_one_that_is_near() -> None:
    """52 differs from 61 by nine only, but from 48, which was seen, by four: what came between would be seen as well."""
    lives = [figures({"FR": n, "DE": 100}) for n in (48, 61, 75, 52)]
    releases = released(*lives)
    assert [shown(one)["FR"] for one in releases] == [40, 60, 70, 40]
    assert releases[3].ledger.marks["nationalities"]["FR"] == releases[0].ledger.marks["nationalities"]["FR"]


def test_a_figure_that_may_stay_does_even_if_an_earlier_one_is_nearer() -> None:
    """Else one person to and fro would change it by ten, again and again."""
    releases = released(*(figures({"FR": n, "DE": m, "NL": 39}) for n, m in ((48, 100), (60, 100), (53, 130))))
    assert [shown(one)["FR"] for one in releases] == [40, 60, 60]


def test_of_two_earlier_ones_the_nearer() -> None:
    releases = released(*(figures({"FR": n, "DE": 100}) for n in (40, 52, 90, 48)))
    assert [shown(one)["FR"] for one in releases] == [40, 50, 90, 50]


def test_it_is_tested_against_every_earlier_snapshot_however_long_ago() -> None:
    counts = [48, 60, 75, 90, 110, 140]
    releases = released(*(figures({"FR": n, "DE": 100}) for n in [*counts, 55]))
    assert shown(releases[-1])["FR"] == 60
    assert why(releases[-1], "FR") is Why.KEPT


def test_also_while_a_category_was_not_shown() -> None:
    releases = released(*(figures({"FR": n, "DE": 100, "NL": 30}) for n in (48, 8, 53)))
    assert "FR" not in shown(releases[1])
    assert releases[2].ledger.marks["nationalities"]["FR"].count == 48


def test_a_withdrawn_snapshot_was_seen() -> None:
    """Withdrawing leaves the release among the earlier ones; leaving it out would hold everything."""
    releases = released(figures(ENOUGH), figures({"FR": 60, "DE": 35, "GB": 30}))
    held = attempt(figures({"FR": 75, "DE": 35, "GB": 30}), releases[1:])
    assert isinstance(held, Held)
    assert "snapshot 1 or its ledger is missing" in held.why


# ---- tables with little room --------------------------------------------------------------------------------------------

def test_only_the_largest_domains() -> None:
    counts = {f"mail{n:02}.example": 200 - 10 * n for n in range(DOMAINS + 2)}
    (first,) = released(of_table("domains", counts))
    assert list(shown(first, "domains")) == [*sorted(counts)[:DOMAINS], ""]
    assert shown(first, "domains")[""] == 50 + 40
    assert Back(table="domains", key="", why=Why.NOT_AMONG, categories=2) in first.ledger.held_back


def test_of_domains_that_look_the_same_the_one_that_is_there_stays() -> None:
    """Else one person who comes would change the order, and be seen."""
    counts = {f"mail{n:02}.example": 300 - 10 * n for n in range(DOMAINS - 1)} | {f"own{n}.example": 4 for n in range(6)}
    first, second = released(of_table("domains", counts | {"b.example": 51, "a.example": 40, "c.example": 40}),
                             of_table("domains", counts | {"b.example": 59, "a.example": 59, "c.example": 40}))
    assert "b.example" in shown(first, "domains")
    assert ("a.example" in shown(second, "domains"), "b.example" in shown(second, "domains")) == (False, True)
    assert Back(table="domains", key="", why=Why.NOT_AMONG, categories=2) in second.ledger.held_back


def test_a_domain_that_is_what_somebody_typed_is_only_counted() -> None:
    typed = "mail.example ada lovelace +44 1234"
    (first,) = released(of_table("domains", {"mail.example": 80, "post.example": 60, typed: 30}))
    assert typed not in first.snapshot.model_dump_json()
    assert typed not in first.ledger.model_dump_json()
    assert Back(table="domains", key="", why=Why.NO_NAME, categories=1) in first.ledger.held_back


def test_domains_that_rows_hide_are_only_counted() -> None:
    (first,) = released(of_table("domains", {"mail.example": 80, "post.example": 60, HIDDEN_DOMAIN: 90}))
    assert HIDDEN_DOMAIN not in first.snapshot.model_dump_json()
    assert HIDDEN_DOMAIN not in first.ledger.model_dump_json()
    assert Back(table="domains", key="", why=Why.NO_NAME, categories=1) in first.ledger.held_back


def test_domains_of_few_people_are_not_named_in_the_ledger_either() -> None:
    own = {f"ada{n}.example": 4 for n in range(6)}
    (first,) = released(of_table("domains", {"mail.example": 80, "post.example": 60, **own}))
    assert "ada" not in first.ledger.model_dump_json()
    assert [back for back in first.ledger.held_back if back.table == "domains"] == [
        Back(table="domains", key="", why=Why.SMALL, categories=6)]


def test_only_the_newest_periods() -> None:
    counts = {f"2026-11-{day:02}T{hour:02}": 20 for day in (26, 27, 28) for hour in range(24)}
    (first,) = released(of_table("arrivals", counts))
    assert list(shown(first, "arrivals")) == [*sorted(counts)[-PERIODS:], ""]


# ---- average ages -------------------------------------------------------------------------------------------------------

def averages(release: Any) -> dict[str, float]:
    return {one.key: one.years for one in release.snapshot.average_ages}


def test_an_average_age_is_to_half_a_year_and_only_of_what_is_shown() -> None:
    (first,) = released(figures({"FR": 60, "DE": 40, "AA": 4, "BB": 4, "CC": 5}, age=41.37))
    assert averages(first) == {"DE": 41.5, "FR": 41.5}


def test_an_average_age_changes_with_its_figure_only() -> None:
    first, second, third = released(figures(ENOUGH, age=40), figures({"FR": 60, "DE": 44, "GB": 30}, age=50),
                                    figures({"FR": 49, "DE": 60, "GB": 30}, age=60))
    assert averages(first) == {"FR": 40, "DE": 40, "GB": 40}
    assert averages(second) == {"FR": 50, "DE": 40, "GB": 40}, "nine people came to DE, nobody to GB"
    assert averages(third) == {"FR": 40, "DE": 60, "GB": 40}, "FR is near what it was: a new average would tell of one person"


# ---- failing closed -----------------------------------------------------------------------------------------------------

GOOD = figures(ENOUGH)
ODD: list[tuple[Callable[[Figures], Figures], str]] = [
    (lambda one: replace(one, nationalities={**ENOUGH, "FR": -1}), "nationalities/FR is -1"),
    (lambda one: replace(one, nationalities={**ENOUGH, "FR": 48.0}), "nationalities/FR is 48.0"),    # type: ignore[dict-item]
    (lambda one: replace(one, nationalities={**ENOUGH, "FR": True}), "nationalities/FR is True"),
    (lambda one: replace(one, arrivals=None), "the table arrivals is missing"),    # type: ignore[arg-type]
    (lambda one: replace(one, domains=None), "the table domains is missing"),    # type: ignore[arg-type]
    (lambda one: replace(one, ages=None), "the table ages is missing"),    # type: ignore[arg-type]
    (lambda one: replace(one, nationalities={**ENOUGH, "France": 1}), "nationalities has a key of an unknown kind: 'France'"),
    (lambda one: replace(one, nationalities={**ENOUGH, 7: 1}), "nationalities has a key of an unknown kind: 7"),  # type: ignore[dict-item]
    (lambda one: replace(one, gender_ages={"female": 113}), "gender_ages has a key of an unknown kind"),
    (lambda one: replace(one, arrivals={"yesterday": 113}), "arrivals has a key of an unknown kind"),
    (lambda one: replace(one, domains={"mail.example": 112}), "do not count the same people: .*domains 112"),
    (lambda one: replace(one, ages={"FR": 1920.0, "DE": 1400.0}), "ages/GB is nan for 30 people"),
    (lambda one: replace(one, ages={**one.ages, "FR": -1.0}), "ages/FR is -1.0"),
    (lambda one: replace(one, ages={**one.ages, "FR": 48 * 131.0}), "ages/FR"),
    (lambda one: replace(one, ages={**one.ages, "FR": float("inf")}), "ages/FR is inf"),
    (lambda one: replace(one, ages={**one.ages, "XX": 1.0}), "ages has a nationality that nobody has: XX"),
    (lambda _: figures({"FR": 9}), "there are fewer than 10 people"),
    (lambda _: figures({}), "there are fewer than 10 people"),
]


@pytest.mark.parametrize(("odd", "said"), ODD, ids=[said for _, said in ODD])
def test_what_is_odd_holds_everything_back(odd: Callable[[Figures], Figures], said: str) -> None:
    held = attempt(odd(GOOD), released(GOOD))
    assert isinstance(held, Held)
    with pytest.raises(ValueError, match=said):
        raise ValueError(held.why)


def test_a_release_that_is_out_of_order_in_time_is_held() -> None:
    earlier = released(GOOD)
    for now, next_at, said in ((T0, T0 + HOUR, "not before"), (T0 + HOUR, T0 + HOUR, "not after"),
                               ((T0 + HOUR).replace(tzinfo=None), T0 + 2 * HOUR, "zone")):
        held = publish(GOOD, earlier, now, next_at)
        assert isinstance(held, Held)
        assert said in held.why


def test_a_ledger_that_is_not_of_its_snapshot_is_held() -> None:
    first, second = released(GOOD, figures({"FR": 90, "DE": 35, "GB": 30}))
    held = attempt(GOOD, [first, replace(second, ledger=first.ledger)])
    assert isinstance(held, Held)
    assert "snapshot 2 or its ledger" in held.why


# ---- what comes out -----------------------------------------------------------------------------------------------------

def test_both_halves_go_to_json_and_back() -> None:
    for one in released(GOOD, figures({"FR": 57, "DE": 50, "GB": 30}), figures({"FR": 57, "DE": 51, "GB": 30})):
        assert Snapshot.model_validate_json(one.snapshot.model_dump_json()) == one.snapshot
        assert Ledger.model_validate_json(one.ledger.model_dump_json()) == one.ledger


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"marks": {}}, {"people": 0}, {"at": "2026-11-28T12:00:00"}])
def test_another_schema_or_anything_private_is_no_snapshot(change: dict[str, Any]) -> None:
    (first,) = released(GOOD)
    with pytest.raises(ValidationError):
        Snapshot.model_validate({**first.snapshot.model_dump(), **change})


def test_the_public_half_holds_no_count_that_is_not_rounded() -> None:
    (first,) = released(figures({"FR": 487, "DE": 351, "GB": 303}))
    text = first.snapshot.model_dump_json()
    assert [n for n in ("487", "351", "303", "1141") if n in text] == []
    assert first.ledger.marks["nationalities"]["FR"].count == 487


def test_a_snapshot_says_how_it_was_made_and_until_when_it_stands() -> None:
    (first,) = released(GOOD)
    assert (first.snapshot.method.k, first.snapshot.method.step) == (K, STEP)
    assert "fewer than 10 people" in first.snapshot.method.text
    assert first.snapshot.next_at - first.snapshot.at == timedelta(hours=1)
    with pytest.raises(ValidationError):
        first.snapshot.people = 1    # type: ignore[misc]
