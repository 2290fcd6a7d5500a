"""The stream's last hour as charts: turns in, rates, lags and steps out; and what is drawn of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from app import charts

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def turn(ago: float, read: int, seconds: float = 4.0, behind: int = 0) -> dict[str, Any]:
    """A turn that ended so many seconds ago."""
    return {"at": NOW - timedelta(seconds=ago), "behind": behind, "counts": {"read": read},
            "seconds": {"markers": seconds / 4, "rows": seconds * 3 / 4}}


def rate(turns: charts.Turns, ago: float) -> float:
    """The rate that is drawn for a moment."""
    at = pd.Timestamp(NOW - timedelta(seconds=ago)).floor("10s")
    (found,) = turns.rates.loc[turns.rates["at"] == at, "per_second"]
    return float(found)


def everything(turns: charts.Turns) -> float:
    """The records under the line of rates."""
    return float(turns.rates["per_second"].sum() * charts.SLOT_S)


@pytest.mark.parametrize("pause", [5, 7, 12, 30])
def test_a_steady_stream_has_one_rate_however_long_its_turns_are(pause: int) -> None:
    history = [turn(ago, 50 * pause, pause - 1.0) for ago in range(1200, -1, -pause)]
    shown = charts.turns(history, NOW)
    assert [rate(shown, ago) for ago in range(20, 1000, 10)] == pytest.approx([50.0] * 98)


def test_where_no_turn_happened_nothing_was_read() -> None:
    history = [*(turn(ago, 100, 2.0) for ago in range(1200, 790, -10)), *(turn(ago, 100, 2.0) for ago in range(400, -1, -10))]
    shown = charts.turns(history, NOW)
    assert [rate(shown, ago) for ago in (1000, 900, 820)] == pytest.approx([10.0] * 3)
    assert [rate(shown, ago) for ago in range(420, 800, 10)] == [0.0] * 38
    assert [rate(shown, ago) for ago in (380, 200, 20)] == pytest.approx([10.0] * 3)


def test_a_stream_that_was_stopped_is_drawn_as_nothing_up_to_now() -> None:
    shown = charts.turns([turn(ago, 100, 2.0) for ago in range(900, 590, -10)], NOW)
    assert [rate(shown, ago) for ago in range(10, 600, 10)] == [0.0] * 59
    assert shown.rates["at"].max() == pd.Timestamp(NOW - timedelta(seconds=10))


def test_what_a_turn_under_way_reads_is_not_known_yet() -> None:
    shown = charts.turns([turn(100, 100), turn(60, 100)], NOW, under_way=True)
    assert shown.rates["at"].max() == pd.Timestamp(NOW - timedelta(seconds=70))
    assert charts.turns([], NOW, under_way=True).rates["per_second"].sum() == 0


def test_a_burst_of_short_turns_is_as_many_records_as_were_read() -> None:
    history = [turn(ago, 300, 0.5) for ago in (302, 301, 301, 300, 300)]
    shown = charts.turns(history, NOW)
    assert everything(shown) == pytest.approx(1500)
    assert [rate(shown, ago) for ago in (320, 290)] == [0.0, 0.0]


def test_a_turn_alone_is_spread_over_its_own_seconds() -> None:
    shown = charts.turns([turn(100, 6000, 60.0)], NOW)
    assert [rate(shown, ago) for ago in range(110, 161, 10)] == pytest.approx([100.0] * 6)
    assert [rate(shown, ago) for ago in (170, 100)] == [0.0, 0.0]
    assert everything(shown) == pytest.approx(6000)


def test_without_turns_the_hour_is_nothing() -> None:
    shown = charts.turns([], NOW)
    assert len(shown.rates) == 360
    assert shown.rates["per_second"].sum() == 0
    assert shown.lags.empty
    assert shown.steps.empty


def test_the_lag_goes_on_to_now_when_it_is_known() -> None:
    history = [turn(600, 100, behind=7), turn(300, 100, behind=3)]
    assert list(charts.turns(history, NOW).lags["behind"]) == [7, 3]
    carried = charts.turns(history, NOW, behind=5000).lags
    assert list(carried["behind"]) == [7, 3, 5000]
    assert carried["at"].iloc[-1] == pd.Timestamp(NOW)


@pytest.mark.parametrize("draw", [
    lambda shown, over: charts.line(shown.rates, "at", "per_second", "Rate", over=over),
    lambda shown, over: charts.stacked(shown.steps, "at", "seconds", "step", "Seconds", over)])
def test_the_whole_hour_is_drawn_in_utc(draw: Any) -> None:
    drawn = draw(charts.turns([turn(100, 100)], NOW), charts.hour_to(NOW)).to_dict()
    scale = drawn["encoding"]["x"]["scale"]
    assert scale["type"] == "utc"
    ends = [datetime(end["year"], end["month"], end["date"], end["hours"], end["minutes"], end["seconds"], tzinfo=UTC)
            for end in scale["domain"] if end["utc"]]
    assert ends == [NOW - timedelta(hours=1), NOW]
    assert drawn["encoding"]["tooltip"][0]["timeUnit"].startswith("utc")
    (rows,) = drawn["datasets"].values()
    assert all(row["at"].endswith("+00:00") for row in rows)


@pytest.mark.parametrize("rows", [1, 30])
def test_each_bar_has_its_name_beside_it_and_counts_are_whole_numbers(rows: int) -> None:
    frame = pd.DataFrame([{"nationality": f"N{number}", "users": 1_000_000 + number} for number in range(rows)])
    drawn = charts.bars(frame, "nationality", "users", "Users").to_dict()
    assert drawn["height"] >= rows * charts.ROW + charts.FRAME
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["bar", "text"]
    for layer in drawn["layer"]:
        assert layer["encoding"]["y"]["axis"]["labelOverlap"] is False
        assert layer["encoding"]["y"]["sort"] is None, "the order is that of the rows"
        assert layer["encoding"]["x"]["axis"]["format"] == ",d"
    assert drawn["layer"][1]["encoding"]["text"]["format"] == ",d"
    ages = charts.bars(frame, "nationality", "users", "Age", ".1f").to_dict()
    assert ages["layer"][0]["encoding"]["x"]["axis"]["format"] == ".1f"


def test_the_pyramid_has_a_gender_on_each_side_and_a_row_for_each_band() -> None:
    frame = pd.DataFrame([{"band": f"{low}-{low + 4}", "from": low, "gender": gender, "users": low + 1}
                          for low in range(0, 100, 5) for gender in ("female", "male")])
    drawn = charts.pyramid(frame, "Age").to_dict()
    assert drawn["height"] >= 20 * charts.ROW + charts.FRAME
    assert drawn["encoding"]["y"]["axis"]["labelOverlap"] is False
    assert drawn["encoding"]["y"]["sort"] == {"field": "from", "order": "descending"}
    assert drawn["encoding"]["x"]["axis"]["labelExpr"] == "format(abs(datum.value), ',d')"
    (rows,) = drawn["datasets"].values()
    assert {row["gender"]: row["side"] for row in rows if row["band"] == "20-24"} == {"female": -21, "male": 21}
    assert charts.pyramid(frame.iloc[:0], "Age").to_dict()["mark"]["type"] == "bar"


def test_an_hour_is_a_bar_in_utc() -> None:
    hours = pd.DataFrame([{"hour": pd.Timestamp(NOW - timedelta(hours=ago)), "users": 5} for ago in range(3)])
    drawn = charts.columns(hours, "hour", "users", "Arrivals").to_dict()
    assert drawn["mark"]["type"] == "bar"
    x, (when, many) = drawn["encoding"]["x"], drawn["encoding"]["tooltip"]
    assert (x["timeUnit"], x["title"], x["type"]) == ("utcyearmonthdatehours", "UTC", "temporal")
    assert when["timeUnit"] == "utcyearmonthdatehours"
    assert many["format"] == ",d"
    (rows,) = drawn["datasets"].values()
    assert rows[0]["hour"] == "2026-11-28T12:00:00+00:00"
