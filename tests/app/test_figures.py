"""The charts, tables and words of the view: a snapshot in, figures and sentences out."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from app.public import figures as draw
from app.public import layout, words, world
from app.public.countries import LANDS, NAMES, SHAPES, name
from app.public.layout import CHART, PARTS, page
from app.public.records import Reading, State
from app.public.still import markup
from app.public.tables import SHEETS, as_csv
from governance.disclosure.snapshot import Snapshot
from tests.governance.disclosed import T0, figures, of_table, released

NATIONALITIES = {"FR": 500, "IE": 250, "LEGO": 30, "IR": 7, "NO": 5, "TR": 8, "UA": 4}
GENDERS = {"female 30-39": 400, "male 30-39": 200, "male 40-49": 100, "female 0-9": 50, "other 30-39": 54}
DOMAINS = {"example.com": 600, "beispiel.de": 204}
ARRIVALS = {"2026-11-24T11": 300, "2026-11-24T13": 504}


def snapshot(nationalities: Mapping[str, int] = NATIONALITIES, **tables: Any) -> Snapshot:
    """The first release of these aggregates."""
    return released(figures(nationalities, **tables))[0].snapshot


FULL = snapshot(gender_ages=GENDERS, domains=DOMAINS, arrivals=ARRIVALS,
                ages={"FR": 500 * 52.3, "IE": 250 * 44.0, "LEGO": 30 * 38.0,
                      **{nat: NATIONALITIES[nat] * 30.0 for nat in ("IR", "NO", "TR", "UA")}})


def bare() -> Snapshot:
    """A snapshot in which every group is too small to be shown."""
    small = {f"{letter}{letter}": 9 for letter in "ABCDE"}
    return snapshot(small, gender_ages={f"male {at}-{at + 9}": 9 for at in range(0, 50, 10)},
                    domains={f"{one}.org": 9 for one in small}, arrivals={f"2026-11-24T0{at}": 9 for at in range(5)})


def test_nationality_bars_are_ranked_and_end_with_other_in_grey() -> None:
    (trace,) = draw.nationality_bars(FULL).data
    assert list(trace.y) == ["France", "Ireland", "Legoland", words.OTHER]
    assert list(trace.x) == [500, 250, 30, 20]
    assert list(trace.marker.color) == [draw.LEAD, draw.BAR, draw.BAR, draw.REST]
    assert "62.5\N{NO-BREAK SPACE}%" in trace.text[0]
    layout = draw.nationality_bars(FULL).layout
    # the first label is the upper one, and bars start at nought
    assert tuple(layout.yaxis.range) == (3.5, -0.5)
    assert tuple(layout.xaxis.range) == (0, 500)


def test_other_may_be_larger_than_the_lead() -> None:
    many = of_table("domains", {"lead.org": 20, **{f"d{at}.org": 5 for at in range(20)}})
    bars = draw.domain_bars(released(many)[0].snapshot)
    assert tuple(bars.layout.xaxis.range) == (0, 100)


def test_the_pyramid_has_a_side_for_each_gender_and_no_bar_where_nothing_is_shown() -> None:
    figure = draw.pyramid(FULL)
    left, right = figure.data
    assert list(left.y) == list(right.y) == ["40–49", "30–39", "0–9"]
    assert list(left.x) == [None, -400, -50]
    assert list(right.x) == [100, 200, None]
    assert list(left.text) == [words.NOTHING, "400", "50"]
    low, high = figure.layout.xaxis.range
    assert -low == high > 400


def test_age_dots_are_ranked_and_to_half_a_year() -> None:
    figure = draw.age_dots(FULL)
    (marks,) = figure.data
    assert list(marks.y) == ["France", "Ireland", "Legoland"]
    assert list(marks.x) == [52.5, 44.0, 38.0]
    low, high = figure.layout.xaxis.range
    assert low < 38.0
    assert high > 52.5
    assert len(figure.layout.shapes) == 3


def test_an_age_axis_never_blows_up_small_differences() -> None:
    low, high = draw.age_dots(snapshot({"FR": 20})).layout.xaxis.range
    assert high - low >= draw.NARROWEST_AGE_AXIS


def test_arrivals_stand_in_the_middle_of_their_period() -> None:
    (trace,) = draw.arrival_bars(FULL).data
    assert list(trace.x) == ["2026-11-24T11:30", "2026-11-24T13:30"]
    assert list(trace.y) == [300, 500]
    (trace,) = draw.arrival_bars(snapshot({"FR": 50}, arrivals={"2026-11-24": 50})).data
    assert (list(trace.x), list(trace.width)) == (["2026-11-24T12:00"], [86_400 * 900])


@pytest.mark.parametrize(("keys", "ticks"), [
    (["2026-11-24T11"], ["11:00<br>24 Nov"]),
    ([f"2026-11-{day}T{hour:02}" for day in (24, 25) for hour in range(24)],
     ["00:00<br>24 Nov", "12:00<br>24 Nov", "00:00<br>25 Nov", "12:00<br>25 Nov"]),
    (["2026-11-30", "2026-12-01", "2026-12-02"], ["30 Nov", "1 Dec", "2 Dec"]),
    (["2025-01-01", "2026-01-01"], ["1 Jan", "16 Mar", "29 May", "11 Aug", "24 Oct"])])
def test_an_axis_of_time_has_a_few_round_times(keys: list[str], ticks: list[str]) -> None:
    axis = draw.arrival_bars(snapshot({"FR": 10 * len(keys)}, arrivals=dict.fromkeys(keys, 10))).layout.xaxis
    assert list(axis.ticktext) == ticks
    assert len(axis.tickvals) == len(ticks) <= draw.TICKS


def test_every_country_has_a_shape_and_no_figure_is_not_nought() -> None:
    rest, shown = world.world_map(FULL).data
    assert len(world.shapes()) >= 170
    assert sorted([*rest.locations, *shown.locations]) == list(world.shapes())
    assert list(shown.locations) == ["FRA", "IRL"]    # Legoland has no shape
    assert [tuple(one) for one in shown.customdata] == [("France", "500"), ("Ireland", "250")]
    assert words.NOT_SHOWN in rest.hovertemplate
    named = dict(zip(rest.locations, rest.customdata, strict=True))
    assert (named["AFG"], named["DEU"]) == ("Afghanistan", "Germany")
    assert {shape for shape, name in named.items() if name == words.NO_COUNTRY} == {
        "XAC", "XAP", "XBT", "XHT", "XIT", "XJK"}, "the map's own codes"
    assert shown.zmin < min(shown.z) <= max(shown.z) <= shown.zmax


def test_a_map_without_a_figure_is_all_grey() -> None:
    (rest,) = world.world_map(bare()).data
    assert list(rest.locations) == list(world.shapes())


def test_countries_are_those_of_the_api_and_have_shapes() -> None:
    assert len(NAMES) == 22
    assert len(set(NAMES.values())) == 22
    assert {*NAMES} - {*SHAPES} == {"LEGO"}
    assert {*SHAPES.values()} <= {*world.shapes()}
    assert name("RS") == "Serbia"
    assert name("ZZ") == "ZZ"


@pytest.mark.parametrize("key", SHEETS)
def test_tables_and_files_hold_the_same_numbers_and_add_up(key: str) -> None:
    sheet = SHEETS[key](FULL)
    lines = list(csv.reader(io.StringIO(as_csv(sheet), newline="")))
    assert tuple(lines[0]) == sheet.header
    assert [tuple(line) for line in lines[1:]] == [tuple(str(value) for value in line) for line in sheet.lines]
    if key == "average_ages":
        assert [row[-1] for row in sheet.rows] == [line[-1] for line in lines[1:]]
        return
    assert sum(int(line[-1]) for line in lines[1:]) == FULL.people
    at = sheet.columns.index("People")
    # a file always has its line of other; the page leaves out one of nobody
    assert [row[at].replace(",", "") for row in sheet.rows] == [line[-1] for line in lines[1:] if line[-1] != "0"]
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)


def test_tables_of_ages_and_periods_are_in_their_order() -> None:
    assert [row[:2] for row in SHEETS["gender_ages"](FULL).rows] == [
        ("women", "0–9"), ("women", "30–39"), ("men", "30–39"), ("other", "30–39"), ("men", "40–49")]
    assert SHEETS["arrivals"](FULL).rows[0][0] == "24 November 2026, 13:00–13:59"


@pytest.mark.parametrize("shown", [FULL, bare(), snapshot({"FR": 10})], ids=["full", "bare", "one"])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.key)
def test_every_part_says_and_draws_something_for_much_and_for_nothing(part: Any, shown: Snapshot) -> None:
    assert part.heading(shown)
    assert part.sentence(shown).endswith(".")
    for drawn in part.charts.values():
        assert drawn(shown) is not None


def test_headings_state_the_finding() -> None:
    assert words.nationality_heading(FULL) == "France has the most people"
    assert words.nationality_heading(snapshot({"FR": 50, "IE": 50})) == "France and Ireland have the most people"
    assert words.nationality_heading(snapshot({"FR": 50, "IE": 50, "NO": 50})) == "3 nationalities share the lead"
    assert words.gender_age_heading(FULL) == "Women aged 30–39 are the largest group"
    assert words.age_heading(FULL) == "Average ages go from 38.0 to 52.5 years"
    assert words.age_heading(snapshot({"FR": 20})) == "People are 40.0 years old on average"
    assert words.domain_heading(FULL) == "example.com is the most common e-mail domain"
    assert words.arrival_heading(FULL) == "Most people arrived on 24 November 2026, 13:00–13:59"
    assert words.nationality_heading(bare()) == "No nationality can be shown"


def test_sentences_say_how_much_and_what_is_in_other() -> None:
    assert words.nationality_sentence(FULL) == (
        "3 nationalities are shown, from 500 of 800 people in France (62.5\N{NO-BREAK SPACE}%) to 30 in Legoland. "
        "20 are in “other”.")
    assert words.nationality_sentence(snapshot({"FR": 20})) == "One nationality is shown, with 20 of 20 people."
    assert words.gender_age_sentence(FULL) == "450 women, 300 men and 50 other are shown by age."
    assert words.age_sentence(FULL) == ("People of Legoland are the youngest on average (38.0), those of France the oldest "
                                        "(52.5); to half a year.")
    assert words.domain_sentence(FULL) == "The 2 largest domains that can be shown have 800 of 800 people."
    assert words.arrival_sentence(FULL).startswith(
        "2 periods from 24 November 2026, 11:00–11:59 to 24 November 2026, 13:00–13:59: 800 of 800 people.")
    assert words.nationality_sentence(bare()) == words.ALL_SMALL


@pytest.mark.parametrize(("part", "whole", "said"), [
    (0, 0, "0"), (0, 9, "0"), (9, 9, "100"), (1, 3, "33.3"), (1, 10_000, "<0.1"), (9_999, 10_000, ">99.9")])
def test_shares_never_round_to_what_is_not_true(part: int, whole: int, said: str) -> None:
    assert words.share(part, whole) == f"{said}\N{NO-BREAK SPACE}%"


def test_times_are_utc_and_say_so() -> None:
    assert words.moment(datetime(2026, 11, 3, 9, 0, 1, tzinfo=UTC)) == "3 November 2026, 09:00 UTC"


def test_months_are_those_of_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MONTHS", tuple(f"{number}. month" for number in range(1, 13)))
    assert words.period("2026-11-28T11") == "28 11. month 2026, 11:00–11:59"
    assert words.moment(T0).startswith("28 11. month 2026, ")
    assert words.tick(T0, hours=False) == "28 11."


def test_figures_that_stay_say_why() -> None:
    first, again = released(figures({"FR": 50}), figures({"FR": 55}))
    assert words.unchanged(first.snapshot) == ""
    assert "28 November 2026, 12:00 UTC" in words.unchanged(again.snapshot)


def test_what_others_wrote_is_escaped_in_the_page_as_text() -> None:
    odd = FULL.model_copy(update={"method": FULL.method.model_copy(update={"text": '<script>"x" & y'})})
    text = markup(page(Reading(odd), State.CURRENT, "v", 5))
    assert "&lt;script&gt;&quot;x&quot; &amp; y" in text
    assert "<script>" not in text


def test_the_page_as_text_has_every_table_and_no_id() -> None:
    text = markup(page(Reading(FULL), State.CURRENT, "v", 5))
    assert text.count("<table>") == len(PARTS)
    assert " id=" not in text
    assert 'style="height:' in text


def foreign(value: Any) -> Any:
    """What a file of words gives, as it would be in a language without letters; what plotly fills in stays."""
    if isinstance(value, str):
        return "".join(part if part[:2] == "%{" or part[:1] == "<" else re.sub(r"[^\W\d_]", "¤", part)
                       for part in re.split(r"(%{[^}]*}|<[^>]*>)", value))
    if isinstance(value, tuple):
        return tuple(map(foreign, value))
    if isinstance(value, dict):
        return {key: foreign(one) for key, one in value.items()}
    if getattr(value, "__module__", "") == words.__name__:
        return lambda *given: foreign(value(*given))
    return value


def seen_in(figure: Any) -> Iterator[str]:
    """Every text that a chart shows, or would show below the pointer."""
    def within(value: Any, name: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, one in value.items():
                yield from within(one, key if isinstance(one, dict | list | str) else "")
        elif isinstance(value, list | tuple):
            for one in value:
                yield from within(one, name)
        elif isinstance(value, str) and name in ("text", "y", "ticktext", "hovertemplate", "customdata", "meta"):
            yield re.sub(r"%{[^}]*}|<[^>]*>", "", value)

    made = figure.to_plotly_json()
    for axis in made["layout"].get("xaxis", {}), made["layout"].get("yaxis", {}):
        assert axis.get("type") != "date" or axis["ticktext"], "plotly would write its own"
    yield from within(made, "")


def test_another_language_is_another_file_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has letters when all words have none is written somewhere else: names, what people have, the stored method."""
    others = {*NAMES.values(), *LANDS.values(), *DOMAINS, FULL.method.text}
    parts = [replace(part, heading=foreign(part.heading), sentence=foreign(part.sentence)) for part in layout.PARTS]
    monkeypatch.setattr(layout, "PARTS", parts)
    for key, value in vars(words).items():
        said = key.isupper() and key not in ("LEFT", "RIGHT", "LANGUAGE")
        if said or getattr(value, "__module__", "") == words.__name__:
            monkeypatch.setattr(words, key, foreign(value))
    texts = [text for part in parts for drawn in part.charts.values() for text in seen_in(drawn(FULL))]
    assert len(texts) > 200
    for shown, reading in ((State.STALE, Reading(FULL, withdrawn=2)), (State.EMPTY, Reading()), (State.KEPT, Reading(FULL))):
        html = markup(page(reading, shown, "v", 5))
        texts += [unescape(text) for text in re.findall(r">([^<]*)", html)]
        texts += [unescape(text) for text in re.findall(r'(?:aria-label|title)="([^"]*)"', html)]
    assert {text for text in texts if text not in others and re.search(r"[^\W\d_]", text)} == set()


def test_no_chart_offers_to_send_its_data_elsewhere_or_asks_elsewhere_for_shapes() -> None:
    assert CHART["showSendToCloud"] is False
    assert CHART["displayModeBar"] is False
    assert str(CHART["topojsonURL"]).startswith("/")
