"""The charts: a reading in, a plotly figure out. Pure: nothing is read, nothing is kept.

Bars start at nought because their length is the number; averages are dots, because the part of an age axis where
nobody's average lies would hide the differences. Every value is written beside its mark, so no axis needs reading.
"""

from typing import Any

import plotly.graph_objects as go

from app.public import words
from app.public.countries import name
from app.public.records import Figures

INK, SOFT, LINE = "#16232b", "#56666f", "#d9e0e2"
LEAD, BAR, REST = "#0b5a63", "#7fb0b1", "#c3cdd0"

ROW_PX = 27
HEAD_PX = 24
TEXT_PX = 112
"""Width of the longest text beside a bar: a count of seven digits and its share."""
TEXT_REACH = 1.7
"""How far an age axis goes beyond the farthest dot, for the text beside it."""
TOP_DOMAINS = 10
NARROWEST_AGE_AXIS = 4.0
"""Years: a narrower axis would blow differences of weeks up to the whole width."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def nationality_bars(figures: Figures) -> Any:
    """Users by nationality, largest on top, the lead in the dark colour."""
    ranked = figures.nationalities
    return _bars([name(one.code) for one in ranked], [one.users for one in ranked], figures.people)


def domain_bars(figures: Figures) -> Any:
    """The TOP_DOMAINS largest e-mail domains, and all others as one last bar in grey."""
    top = figures.domains[:TOP_DOMAINS]
    labels, users = [one.name for one in top], [one.users for one in top]
    whole = sum(one.users for one in figures.domains)
    rest = whole - sum(users)
    if rest:
        labels, users = [*labels, words.OTHER], [*users, rest]
    return _bars(labels, users, whole, rest=bool(rest))


def age_dots(figures: Figures) -> Any:
    """Average age by nationality, oldest on top, each hanging on the line of the overall average."""
    ranked = figures.by_age
    figure = blank(len(ranked))
    if not ranked or figures.average_age is None:
        return figure
    overall = figures.average_age
    labels = [name(one.code) for one in ranked]
    ages = [one.average_age or 0.0 for one in ranked]
    stems_x = [x for age in ages for x in (overall, age, None)]
    stems_y = [y for label in labels for y in (label, label, None)]
    figure.add_scatter(x=stems_x, y=stems_y, mode="lines", line={"color": BAR, "width": 2}, hoverinfo="skip")
    figure.add_scatter(
        x=ages, y=labels, mode="markers+text", marker={"color": LEAD, "size": 10},
        text=[words.years(age) for age in ages], cliponaxis=False,
        textposition=["middle right" if age >= overall else "middle left" for age in ages],
        customdata=[words.count(one.users) for one in ranked],
        hovertemplate="%{y}: %{text} years, %{customdata} people<extra></extra>")
    figure.add_vline(x=overall, line={"color": SOFT, "width": 1, "dash": "dot"}, layer="below")
    figure.add_annotation(x=overall, y=1, yref="paper", yanchor="bottom", showarrow=False, font={"color": SOFT},
                          text=words.everybody(overall))
    figure.update_layout(margin_t=HEAD_PX, height=max(figure.layout.height, ROW_PX + 2 * HEAD_PX))
    reach = max(max(abs(age - overall) for age in ages) * TEXT_REACH, NARROWEST_AGE_AXIS / 2)
    figure.update_xaxes(range=[overall - reach, overall + reach])
    return _rows(figure, labels)


def _bars(labels: list[str], users: list[int], whole: int, rest: bool = False) -> Any:
    """Ranked horizontal bars, first label on top; `rest`: the last bar stands for what is not shown one by one."""
    figure = blank(len(labels))
    if not labels:
        return figure
    lead = users[0]
    colours = [LEAD if number == lead else BAR for number in users]
    if rest:
        colours[-1] = REST
    figure.add_bar(
        x=users, y=labels, orientation="h", marker={"color": colours}, cliponaxis=False, textposition="outside",
        text=[f"{words.count(number)}  <span style='color:{SOFT}'>{words.share(number, whole)}</span>"
              for number in users],
        hovertemplate="%{y}: %{x:,} people<extra></extra>")
    # the text beside the longest bar stands in the margin, whose width does not depend on the screen's
    figure.update_layout(margin_r=TEXT_PX)
    figure.update_xaxes(range=[0, max(users)])
    return _rows(figure, labels)


def _rows(figure: Any, labels: list[str]) -> Any:
    """Each label in its row, first on top, without the room plotly leaves for marks at both ends."""
    figure.update_yaxes(categoryarray=labels, range=[len(labels) - 0.5, -0.5])
    return figure


def blank(rows: int) -> Any:
    """A chart of `rows` rows without anything that is not data."""
    figure = go.Figure()
    figure.update_layout(
        template="none", height=max(rows, 1) * ROW_PX + 16, margin={"l": 0, "r": 0, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", showlegend=False, bargap=0.34,
        font={"family": FONT, "size": 13, "color": INK}, dragmode=False, hovermode="closest",
        hoverlabel={"bgcolor": INK, "bordercolor": INK, "font": {"color": "#ffffff"}})
    figure.update_xaxes(visible=False, fixedrange=True, zeroline=False, showgrid=False)
    figure.update_yaxes(
        fixedrange=True, automargin=True, categoryorder="array", type="category", ticks="outside",
        ticklen=6, tickcolor="rgba(0,0,0,0)", showgrid=False, zeroline=False, dtick=1)
    return figure
