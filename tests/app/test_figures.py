"""The charts and the words: records in, figures and sentences out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.public import figures as draw
from app.public import words
from app.public.countries import NAMES, name
from app.public.layout import GRAPH, PARTS, age_rows, coded, domain_rows, drawn, nationality_rows
from app.public.records import Domain, Figures, Nationality

NOW = datetime(2026, 11, 24, 14, 2, 10, tzinfo=UTC)


def make(nationalities: tuple[Nationality, ...], domains: tuple[Domain, ...] = (), average: float | None = 50.0,
         synthetic: bool | None = True) -> Figures:
    """A reading with these parts."""
    return Figures(NOW, NOW, 7, nationalities, domains, average, synthetic, settled=True)


THREE = make(
    (Nationality("FR", 6, 52.25), Nationality("IE", 3, 44.0), Nationality("XX", 1, None)),
    tuple(Domain(f"d{at}.org", 30 - at) for at in range(13)))


def test_nationality_bars_are_ranked_and_labelled() -> None:
    bars = draw.nationality_bars(THREE)
    (trace,) = bars.data
    assert list(trace.y) == ["France", "Ireland", "XX"]
    assert list(trace.x) == [6, 3, 1]
    assert list(trace.marker.color) == [draw.LEAD, draw.BAR, draw.BAR]
    assert "60.0\N{NO-BREAK SPACE}%" in trace.text[0]
    # the first label is the upper one, and bars start at nought
    assert tuple(bars.layout.yaxis.range) == (2.5, -0.5)
    assert tuple(bars.layout.xaxis.range) == (0, 6)


def test_age_dots_leave_out_whose_age_is_unknown_and_rank_by_age() -> None:
    dots = draw.age_dots(THREE)
    stems, marks = dots.data
    assert list(marks.y) == ["France", "Ireland"]
    assert list(marks.x) == [52.25, 44.0]
    assert list(marks.text) == ["52.2", "44.0"]
    assert list(marks.textposition) == ["middle right", "middle left"]
    assert list(stems.x) == [50.0, 52.25, None, 50.0, 44.0, None]
    low, high = dots.layout.xaxis.range
    assert low < 44.0
    assert high > 52.25
    assert dots.layout.annotations[0].text == "everybody: 50.0"


def test_an_age_axis_never_blows_up_small_differences() -> None:
    low, high = draw.age_dots(make((Nationality("FR", 2, 50.01),))).layout.xaxis.range
    assert high - low == pytest.approx(draw.NARROWEST_AGE_AXIS)


def test_domain_bars_show_ten_and_all_others_in_grey() -> None:
    (trace,) = draw.domain_bars(THREE).data
    assert len(trace.y) == draw.TOP_DOMAINS + 1
    assert trace.y[0] == "d0.org"
    assert trace.y[-1] == words.OTHER
    assert trace.x[-1] == 20 + 19 + 18
    assert trace.marker.color[-1] == draw.REST
    assert sum(trace.x) == sum(one.users for one in THREE.domains)


def test_ten_domains_need_no_others() -> None:
    (trace,) = draw.domain_bars(make((), THREE.domains[:10])).data
    assert words.OTHER not in trace.y


@pytest.mark.parametrize("chart", [draw.nationality_bars, draw.age_dots, draw.domain_bars])
def test_nobody_is_an_empty_chart(chart: Any) -> None:
    assert len(chart(make((), average=None)).data) == 0


def test_all_others_may_be_larger_than_the_lead() -> None:
    many = tuple(Domain(f"d{at}.org", 2) for at in range(30))
    bars = draw.domain_bars(make((), many))
    assert tuple(bars.layout.xaxis.range) == (0, 40)


def test_tables_tell_what_the_charts_draw() -> None:
    assert nationality_rows(THREE)[0] == ("France", "6", "60.0\N{NO-BREAK SPACE}%")
    assert age_rows(THREE) == [("France", "52.2", "6"), ("Ireland", "44.0", "3")]
    assert domain_rows(THREE)[-1] == (words.OTHER, "57", "18.3\N{NO-BREAK SPACE}%")
    assert len(domain_rows(THREE)) == draw.TOP_DOMAINS + 1


def test_every_part_fills_its_places_even_for_nobody() -> None:
    for figures in (THREE, make((), average=None)):
        values = drawn(figures)
        for part in PARTS:
            for place in ("heading", "sentence", "chart", "table", "height"):
                assert f"{part.key}_{place}" in values


def test_headings_state_the_finding() -> None:
    assert words.nationality_heading(THREE) == "France has the most people"
    assert words.nationality_heading(make((Nationality("FR", 2, 1.0), Nationality("IE", 2, 1.0)))) \
        == "France and Ireland have the most people"
    assert words.nationality_heading(make(tuple(Nationality(code, 2, 1.0) for code in ("FR", "IE", "NO")))) \
        == "3 nationalities share the lead"
    assert words.nationality_heading(make((Nationality("FR", 2, 1.0),))) == "Everybody is from France"
    assert words.age_heading(THREE) == "People are 50.0 years old on average"
    assert words.age_heading(make((), average=None)) == "No age is known"
    assert words.domain_heading(THREE) == "d0.org is the most common e-mail domain"
    assert words.domain_heading(make((), (Domain("a.org", 1),))) == "Every e-mail address is at a.org"
    assert words.domain_heading(make(())) == "No e-mail domain is known"


def test_sentences_are_right_for_one_and_for_many() -> None:
    assert words.nationality_sentence(THREE) == \
        "3 nationalities, from 6 of 10 people in France (60.0\N{NO-BREAK SPACE}%) to 1 in XX (10.0\N{NO-BREAK SPACE}%)."
    assert words.nationality_sentence(make((Nationality("FR", 1, 1.0),))) == "One nationality, 1 of 1 person."
    assert words.age_sentence(THREE).startswith("Averages go from 44.0 years in Ireland to 52.2 in France")
    assert words.domain_sentence(THREE, 10) == "The 10 largest of 13 domains hold 81.7\N{NO-BREAK SPACE}% of 312 addresses."
    assert words.domain_sentence(make((), (Domain("a.org", 1),)), 10) == "1 domain for 1 address."


@pytest.mark.parametrize(("part", "whole", "said"), [
    (0, 0, "0"), (0, 9, "0"), (9, 9, "100"), (1, 3, "33.3"), (1, 10_000, "<0.1"), (9_999, 10_000, ">99.9")])
def test_shares_never_round_to_what_is_not_true(part: int, whole: int, said: str) -> None:
    assert words.share(part, whole) == f"{said}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(("seconds", "said"), [
    (-3, "just now"), (0, "just now"), (1, "1 second ago"), (59, "59 seconds ago"), (60, "1 minute ago"),
    (7_200, "2 hours ago"), (100_000, "1 day ago")])
def test_ages_of_figures_in_words(seconds: float, said: str) -> None:
    assert words.ago(seconds) == said


def test_the_day_is_said_unless_it_is_today() -> None:
    assert words.clock(NOW, NOW) == "14:02:10 UTC"
    assert words.clock(datetime(2026, 11, 3, 9, 0, 1, tzinfo=UTC), NOW) == "3 November 2026, 09:00:01 UTC"


def test_the_origin_is_said_plainly() -> None:
    assert words.origin(True) == words.SYNTHETIC
    assert words.origin(False) == words.NOT_SYNTHETIC
    assert words.origin(None) == words.ORIGIN_UNKNOWN
    assert drawn(THREE)["origin_class"] == "origin synthetic"


def test_commands_in_texts_become_code() -> None:
    assert [type(piece).__name__ for piece in coded("run `make up` now")] == ["str", "Code", "str"]


def test_countries_are_those_of_the_api() -> None:
    assert len(NAMES) == 22
    assert len(set(NAMES.values())) == 22
    assert name("RS") == "Serbia"
    assert name("ZZ") == "ZZ"


def test_no_chart_offers_to_send_its_data_elsewhere() -> None:
    assert GRAPH["showSendToCloud"] is False
    assert GRAPH["displayModeBar"] is False
