"""Charts, pure: tables in, Altair charts out. One hue for amounts; a second only where two things must be told apart."""

from typing import Any

import altair as alt
import pandas as pd
from altair.utils.schemapi import disable_debug_mode

disable_debug_mode()    # it compares each chart with Vega-Lite's schema, which takes longer than all else of a page

Drawn = alt.Chart | alt.LayerChart

LEAD = "#2a8a96"
SERIES = ["#2a8a96", "#c98a2b", "#7a6fc0", "#b5545c", "#5b8f4e", "#8a8f93", "#3b6fb0", "#a0763a"]
ROW = 24


def bars(frame: pd.DataFrame, label: str, value: str, title: str, format_: str = ",") -> Drawn:
    """Ranked horizontal bars with their values beside them."""
    base = alt.Chart(frame, height=ROW * max(1, len(frame))).encode(
        y=alt.Y(f"{label}:N", sort=None, title=None, axis=alt.Axis(labelLimit=140)),
        x=alt.X(f"{value}:Q", title=title, axis=alt.Axis(format=format_, tickCount=4)),
        tooltip=[alt.Tooltip(f"{label}:N"), alt.Tooltip(f"{value}:Q", format=format_)])
    texts = base.mark_text(align="left", dx=4, color="gray").encode(text=alt.Text(f"{value}:Q", format=format_))
    drawn: Drawn = base.mark_bar(color=LEAD) + texts
    return drawn


def pyramid(frame: pd.DataFrame, gender: str, age: str) -> Drawn:
    """Bars of age bands, one gender to the left, the others to the right; each side is labelled as positive."""
    left = frame["gender"].min() if len(frame) else ""
    shown = frame.assign(side=[-users if one == left else users
                               for users, one in zip(frame["users"], frame["gender"], strict=True)])
    drawn: Drawn = alt.Chart(shown, height=ROW * max(1, shown["band"].nunique())).mark_bar().encode(
        y=alt.Y("band:N", sort=alt.EncodingSortField("from", order="descending"), title=age),
        x=alt.X("side:Q", title=None, axis=alt.Axis(labelExpr="format(abs(datum.value), ',')", tickCount=6)),
        color=alt.Color("gender:N", title=gender, scale=alt.Scale(range=SERIES), legend=alt.Legend(orient="top")),
        tooltip=["band:N", "gender:N", alt.Tooltip("users:Q", format=",")])
    return drawn


def line(frame: pd.DataFrame, at: str, value: str, title: str, step: bool = False) -> Drawn:
    """One line over time."""
    drawn: Drawn = alt.Chart(frame, height=180).mark_area(
        line={"color": LEAD}, color=LEAD, opacity=0.25, interpolate="step-after" if step else "linear").encode(
        x=alt.X(f"{at}:T", title=None), y=alt.Y(f"{value}:Q", title=title),
        tooltip=[alt.Tooltip(f"{at}:T", format="%H:%M:%S"), alt.Tooltip(f"{value}:Q", format=",.1f")])
    return drawn


def stacked(frame: pd.DataFrame, at: str, value: str, by: str, title: str) -> Drawn:
    """Bars over time, split by a name."""
    drawn: Drawn = alt.Chart(frame, height=220).mark_bar().encode(
        x=alt.X(f"{at}:T", title=None), y=alt.Y(f"{value}:Q", title=title),
        color=alt.Color(f"{by}:N", title=None, scale=alt.Scale(range=SERIES), legend=alt.Legend(orient="top", columns=4)),
        tooltip=[alt.Tooltip(f"{at}:T", format="%H:%M:%S"), f"{by}:N", alt.Tooltip(f"{value}:Q", format=".2f")])
    return drawn


def turns(history: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The turns of a history as two frames: at, behind, per_second; and at, step, seconds. At most one point in 10 s, so that
    an hour of short turns stays quick to draw."""
    every: dict[int, list[dict[str, Any]]] = {}
    for turn in history:
        every.setdefault(int(turn["at"].timestamp()) // 10, []).append(turn)
    points, steps = [], []
    for slot, some in every.items():
        at = pd.Timestamp(slot * 10, unit="s")
        points.append({"at": at, "behind": some[-1]["behind"],
                       "per_second": sum(turn["counts"].get("read", 0) for turn in some) / 10})
        for step in {step for turn in some for step in turn["seconds"]}:
            steps.append({"at": at, "step": step, "seconds": sum(turn["seconds"].get(step, 0.0) for turn in some) / len(some)})
    return (pd.DataFrame(points, columns=["at", "behind", "per_second"]),
            pd.DataFrame(steps, columns=["at", "step", "seconds"]))
