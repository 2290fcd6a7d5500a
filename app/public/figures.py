"""The charts: a snapshot in, a plotly figure out. Pure: nothing is read, nothing is kept. The map is in world.py.

Bars start at nought because their length is the number; averages are dots, because the part of an age axis where
nobody's average lies would hide the differences. Every value is written beside its mark, so no axis needs reading.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from app.public import words
from app.public.countries import name
from app.public.tables import by_age, gender_and_age, ranked
from governance.disclosure.snapshot import Snapshot

INK, SOFT, LINE = "#16232b", "#56666f", "#d9e0e2"
LEAD, BAR, REST = "#0b5a63", "#7fb0b1", "#c3cdd0"
LEFT, RIGHT = "#8a5a00", "#0b5a63"
"""The two sides of the pyramid: told apart by lightness too, and no pink and blue."""

ROW_PX = 27
HEAD_PX = 24
TEXT_PX = 128
"""Width of the longest text beside a bar: a count of seven digits and its share."""
SIDE = 1.85
"""How far a side of the pyramid goes beyond its longest bar, for the count beside it."""
TEXT_REACH = 0.35
"""How far an age axis goes beyond the farthest dot, for the text beside it, as a part of what the dots span."""
NARROWEST_AGE_AXIS = 4.0
"""Years: a narrower axis would blow differences of half a year up to the whole width."""
ARRIVALS_PX = 240
TICKS, TICK_HOURS = 5, (1, 2, 3, 4, 6, 12, 24, 48)
"""Below the axis of arrivals: how many at most, for a phone has room for no more; and how far they may be apart."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def nationality_bars(snapshot: Snapshot) -> Any:
    """People by nationality, largest on top, the lead in the dark colour, other as a last bar in grey."""
    cells = ranked(snapshot.nationalities)
    return _bars([name(cell.key) for cell in cells], [cell.people for cell in cells], snapshot, snapshot.nationalities.other)


def domain_bars(snapshot: Snapshot) -> Any:
    """People by e-mail domain, largest on top, other as a last bar in grey."""
    cells = ranked(snapshot.domains)
    return _bars([cell.key for cell in cells], [cell.people for cell in cells], snapshot, snapshot.domains.other)


def pyramid(snapshot: Snapshot) -> Any:
    """People by age, oldest on top: one gender to the left, one to the right. A group that is not shown has no bar."""
    sides: dict[str, dict[str, int]] = {words.LEFT: {}, words.RIGHT: {}}
    for cell in by_age(snapshot.gender_ages):
        gender, age = gender_and_age(cell)
        if gender in sides:
            sides[gender][age] = cell.people
    bands = sorted({*sides[words.LEFT], *sides[words.RIGHT]}, key=lambda age: -int(age.split("-")[0]))
    figure = blank(len(bands))
    if not bands:
        return figure
    labels = [words.ages(age) for age in bands]
    for gender, sign, colour in ((words.LEFT, -1, LEFT), (words.RIGHT, 1, RIGHT)):
        people = [sides[gender].get(age) for age in bands]
        figure.add_bar(
            x=[None if one is None else sign * one for one in people], y=labels, orientation="h", marker={"color": colour},
            text=[words.NOTHING if one is None else words.count(one) for one in people], textposition="outside",
            cliponaxis=False, customdata=[words.count(one or 0) for one in people], meta=words.gender(gender),
            hovertemplate=words.HOVER_SIDE)
        figure.add_annotation(x=0.5 + sign * 0.02, xref="paper", xanchor="right" if sign < 0 else "left", y=1, yref="paper",
                              yanchor="bottom", showarrow=False, font={"color": colour},
                              text=f"<b>{words.gender(gender)}</b>")
    most = max(max(one.values(), default=0) for one in sides.values())
    figure.update_layout(barmode="overlay", margin_t=HEAD_PX,
                         height=figure.layout.height + HEAD_PX)
    figure.update_xaxes(range=[-most * SIDE, most * SIDE])
    return _rows(figure, labels)


def age_dots(snapshot: Snapshot) -> Any:
    """Average age by nationality, oldest on top, each on a thin line of its row."""
    averages = sorted(snapshot.average_ages, key=lambda one: (-one.years, one.key))
    figure = blank(len(averages))
    if not averages:
        return figure
    labels, years = [name(one.key) for one in averages], [one.years for one in averages]
    span = max(max(years) - min(years), NARROWEST_AGE_AXIS)
    middle = (max(years) + min(years)) / 2
    low, high = middle - span * (0.5 + TEXT_REACH / 2), middle + span * (0.5 + TEXT_REACH)
    for label in labels:
        figure.add_shape(type="line", x0=low, x1=high, y0=label, y1=label, line={"color": LINE, "width": 1}, layer="below")
    figure.add_scatter(x=years, y=labels, mode="markers+text", marker={"color": LEAD, "size": 10}, cliponaxis=False,
                       text=[words.years(one) for one in years], textposition="middle right",
                       hovertemplate=words.HOVER_AGE)
    figure.update_xaxes(range=[low, high])
    return _rows(figure, labels)


def arrival_bars(snapshot: Snapshot) -> Any:
    """People by period of arrival, along time. A period that is not shown is a gap."""
    figure = blank(1)
    figure.update_layout(height=ARRIVALS_PX)
    cells = sorted(snapshot.arrivals.cells, key=lambda cell: cell.key)
    if not cells:
        return figure
    lengths = [timedelta(hours=1) if "T" in cell.key else timedelta(days=1) for cell in cells]
    begins = [datetime.strptime(cell.key, "%Y-%m-%dT%H" if "T" in cell.key else "%Y-%m-%d").replace(tzinfo=UTC)
              for cell in cells]
    figure.add_bar(
        x=[f"{begin + length / 2:%Y-%m-%dT%H:%M}" for begin, length in zip(begins, lengths, strict=True)],
        y=[cell.people for cell in cells], width=[length.total_seconds() * 900 for length in lengths],
        marker={"color": BAR}, customdata=[words.period(cell.key) for cell in cells],
        hovertemplate=words.HOVER_PERIOD)
    figure.update_layout(margin={"l": 0, "r": 8, "t": 8, "b": 0})
    first, last = begins[0] - lengths[0] / 2, begins[-1] + lengths[-1] * 1.5
    ticks, hours = _ticks(begins[0], begins[-1], min(lengths))
    figure.update_xaxes(visible=True, type="date", showline=True, linecolor=LINE, ticks="outside", tickcolor=LINE,
                        automargin=True, tickangle=0, ticklabeloverflow="allow",
                        range=[f"{first:%Y-%m-%dT%H:%M}", f"{last:%Y-%m-%dT%H:%M}"],
                        tickvals=[f"{at:%Y-%m-%dT%H:%M}" for at in ticks], ticktext=[words.tick(at, hours) for at in ticks])
    figure.update_yaxes(type="linear", categoryorder=None, dtick=None, nticks=5, rangemode="tozero", showgrid=True,
                        gridcolor=LINE, tickformat=",d")
    return figure


def _ticks(first: datetime, last: datetime, shortest: timedelta) -> tuple[list[datetime], bool]:
    """At most TICKS round times between two, and whether they are hours of a day. Plotly would write months in its words."""
    hour, midnight = timedelta(hours=1), first.replace(hour=0)
    span = (last - first) / hour
    step = next((hours for hours in TICK_HOURS if hours * hour >= shortest and span < hours * TICKS),
                24 * (1 + int(span / 24 / TICKS)))
    times = (midnight + number * step * hour for number in range(1 + int((last - midnight) / hour / step)))
    return [at for at in times if at >= first], step < 24


def _bars(labels: list[str], people: list[int], snapshot: Snapshot, other: int) -> Any:
    """Ranked horizontal bars, first label on top; other: the last bar, which stands for what is not shown one by one."""
    if not labels:
        return blank(0)
    colours = [LEAD if number == people[0] else BAR for number in people]
    if other:
        labels, people, colours = [*labels, words.OTHER], [*people, other], [*colours, REST]
    figure = blank(len(labels))
    figure.add_bar(
        x=people, y=labels, orientation="h", marker={"color": colours}, cliponaxis=False, textposition="outside",
        text=[f"{words.count(number)}  <span style='color:{SOFT}'>{words.share(number, snapshot.people)}</span>"
              for number in people],
        hovertemplate=words.HOVER_BARS)
    # the text beside the longest bar stands in the margin, whose width does not depend on the screen's
    figure.update_layout(margin_r=TEXT_PX)
    figure.update_xaxes(range=[0, max(people)])
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
