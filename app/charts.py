"""Charts, pure: tables in, Altair charts out. One hue for amounts; a second only where two things must be told apart."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
from altair.utils.schemapi import disable_debug_mode

disable_debug_mode()    # it compares each chart with Vega-Lite's schema, which takes longer than all else of a page

Drawn = alt.Chart | alt.LayerChart
Over = tuple[datetime, datetime]

LEAD = "#2a8a96"
SERIES = ["#2a8a96", "#c98a2b", "#7a6fc0", "#b5545c", "#5b8f4e", "#8a8f93", "#3b6fb0", "#a0763a"]
ROW, FRAME = 24, 64
"""Pixels of a row, and of what stands round the rows of a chart, which its height includes."""

HOUR = timedelta(hours=1)
SLOT_S = 10
"""Seconds of one point of the last hour."""

SHORTEST_S = 1.0
"""Seconds a turn is taken to last at least: its end is kept in whole seconds."""


class Turns(NamedTuple):
    """An hour of turns. Times are in UTC."""

    rates: pd.DataFrame    # at (each SLOT_S of the hour), per_second: 0 where nothing was read
    lags: pd.DataFrame     # at (the last turn of a SLOT_S), behind
    steps: pd.DataFrame    # at, step, seconds (the mean of a SLOT_S)


def bars(frame: pd.DataFrame, label: str, value: str, title: str, format_: str = ",d") -> Drawn:
    """Ranked horizontal bars with their values beside them."""
    base = alt.Chart(frame, height=ROW * len(frame) + FRAME).encode(
        y=alt.Y(f"{label}:N", sort=None, title=None, axis=alt.Axis(labelLimit=140, labelOverlap=False)),
        x=alt.X(f"{value}:Q", title=title, axis=alt.Axis(format=format_, tickCount=4)),
        tooltip=[alt.Tooltip(f"{label}:N"), alt.Tooltip(f"{value}:Q", format=format_)])
    texts = base.mark_text(align="left", dx=4, color="gray").encode(text=alt.Text(f"{value}:Q", format=format_))
    drawn: Drawn = base.mark_bar(color=LEAD) + texts
    return drawn


def pyramid(frame: pd.DataFrame, age: str) -> Drawn:
    """Bars of age bands, one gender to the left, the others to the right; each side is labelled as positive."""
    left = frame["gender"].min() if len(frame) else ""
    shown = frame.assign(side=[-users if one == left else users
                               for users, one in zip(frame["users"], frame["gender"], strict=True)])
    drawn: Drawn = alt.Chart(shown, height=ROW * shown["band"].nunique() + 2 * FRAME).mark_bar().encode(
        y=alt.Y("band:N", sort=alt.EncodingSortField("from", order="descending"), title=age, axis=alt.Axis(labelOverlap=False)),
        x=alt.X("side:Q", title=None, axis=alt.Axis(labelExpr="format(abs(datum.value), ',d')", tickCount=6)),
        color=alt.Color("gender:N", title=None, scale=alt.Scale(range=SERIES), legend=alt.Legend(orient="top")),
        tooltip=["band:N", "gender:N", alt.Tooltip("users:Q", format=",")])
    return drawn


def line(frame: pd.DataFrame, at: str, value: str, title: str, over: Over, step: bool = False) -> Drawn:
    """One line over time, in UTC; `over` is what of it is shown."""
    drawn: Drawn = alt.Chart(frame, height=180).mark_area(
        line={"color": LEAD}, color=LEAD, opacity=0.25, interpolate="step-after" if step else "linear", clip=True).encode(
        x=_time(at, over), y=alt.Y(f"{value}:Q", title=title),
        tooltip=[_moment(at), alt.Tooltip(f"{value}:Q", format=",.1f")])
    return drawn


def columns(frame: pd.DataFrame, hour: str, value: str, title: str) -> Drawn:
    """A bar an hour, in UTC."""
    drawn: Drawn = alt.Chart(frame, height=220).mark_bar(color=LEAD).encode(
        x=alt.X(f"{hour}:T", timeUnit="utcyearmonthdatehours", title="UTC", axis=alt.Axis(format="%b %d %H:%M")),
        y=alt.Y(f"{value}:Q", title=title),
        tooltip=[alt.Tooltip(f"{hour}:T", timeUnit="utcyearmonthdatehours", format="%Y-%m-%d %H:00", title="UTC"),
                 alt.Tooltip(f"{value}:Q", format=",d")])
    return drawn


def stacked(frame: pd.DataFrame, at: str, value: str, by: str, title: str, over: Over) -> Drawn:
    """Bars over time, in UTC, split by a name; `over` as above."""
    drawn: Drawn = alt.Chart(frame, height=220).mark_bar(clip=True).encode(
        x=_time(at, over), y=alt.Y(f"{value}:Q", title=title),
        color=alt.Color(f"{by}:N", title=None, scale=alt.Scale(range=SERIES), legend=alt.Legend(orient="top", columns=4)),
        tooltip=[_moment(at), f"{by}:N", alt.Tooltip(f"{value}:Q", format=".2f")])
    return drawn


def hour_to(now: datetime) -> Over:
    """The hour that ends now."""
    return now - HOUR, now


def turns(history: Sequence[Mapping[str, Any]], now: datetime, behind: int | None = None, under_way: bool = False) -> Turns:
    """The turns of the last hour (oldest first) as frames of what they did.

    behind: records behind now, which carries the lag on to now. under_way: a turn is open, so what is read since the last one
    is not known yet; otherwise nothing is. At most one point in SLOT_S, so that an hour of short turns stays quick to draw.
    """
    every: dict[int, list[Mapping[str, Any]]] = {}
    for turn in history:
        every.setdefault(_slot(turn["at"]), []).append(turn)
    lags, steps = [], []
    for slot, some in every.items():
        lags.append({"at": pd.Timestamp(some[-1]["at"]), "behind": some[-1]["behind"]})
        for step in {step for turn in some for step in turn["seconds"]}:
            steps.append({"at": _begin(slot), "step": step,
                          "seconds": sum(turn["seconds"].get(step, 0.0) for turn in some) / len(some)})
    if behind is not None:
        lags.append({"at": pd.Timestamp(now), "behind": behind})
    known = history[-1]["at"] if under_way and history else now
    read = _read(history)
    rates = [{"at": _begin(slot), "per_second": read.get(slot, 0.0) / SLOT_S}
             for slot in range(_slot(now - HOUR), _slot(known))]    # the slot that is not over yet would come out too low
    return Turns(pd.DataFrame(rates, columns=["at", "per_second"]), pd.DataFrame(lags, columns=["at", "behind"]),
                 pd.DataFrame(steps, columns=["at", "step", "seconds"]))


def _read(history: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """Records read in each slot: those of a turn are spread evenly over the time in which it read them."""
    read: dict[int, float] = {}
    before = float("-inf")
    for turn in history:
        until = turn["at"].timestamp()
        began = until - (sum(turn["seconds"].values()) or SLOT_S)
        # what arrived in the short pause after the turn before is read by this one; in a longer one nothing was read
        since = min(max(before, began) if began - before > SLOT_S else before, until - SHORTEST_S)
        per_second, place = turn["counts"].get("read", 0) / (until - since), since
        while place < until:
            slot = int(place // SLOT_S)
            there = min(until, (slot + 1) * SLOT_S)
            read[slot] = read.get(slot, 0.0) + per_second * (there - place)
            place = there
        before = until
    return read


def _slot(at: datetime) -> int:
    return int(at.timestamp() // SLOT_S)


def _begin(slot: int) -> pd.Timestamp:
    return pd.Timestamp(slot * SLOT_S, unit="s", tz="UTC")


def _time(at: str, over: Over) -> alt.X:
    ends = [_date(end.astimezone(UTC)) for end in over]
    return alt.X(f"{at}:T", title="UTC", axis=alt.Axis(format="%H:%M"), scale=alt.Scale(type="utc", domain=ends))


def _date(at: datetime) -> alt.DateTime:
    """A moment as Vega has it: a number would be taken for a year."""
    return alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute, seconds=at.second,
                        utc=True)


def _moment(at: str) -> alt.Tooltip:
    return alt.Tooltip(f"{at}:T", timeUnit="utcyearmonthdatehoursminutesseconds", format="%H:%M:%S", title="UTC")
