"""The page: its parts in order, and what each reading puts into them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from dash import dcc, html

from app.public import figures as draw
from app.public import words
from app.public.countries import name
from app.public.records import Figures, Reading, State, Unreadable, state

INDEX = f"""<!DOCTYPE html>
<html lang="en">
    <head>
        {{%metas%}}
        <title>{{%title%}}</title>
        {{%favicon%}}
        {{%css%}}
    </head>
    <body>
        <a class="skip" href="#figures">{words.SKIP}</a>
        <noscript><p class="noscript">{words.NO_SCRIPT}</p></noscript>
        {{%app_entry%}}
        <footer>
            {{%config%}}
            {{%scripts%}}
            {{%renderer%}}
        </footer>
    </body>
</html>"""

GRAPH = {
    "displayModeBar": False, "displaylogo": False, "showSendToCloud": False, "showLink": False, "scrollZoom": False,
}


class Shown(TypedDict):
    """What a page remembers of the figures on it: their version and the time they are of (ISO 8601, or empty)."""

    version: str
    at: str


@dataclass(frozen=True)
class Part:
    """One figure of the page: how its heading, sentence, chart and table come from a reading."""

    key: str
    heading: Callable[[Figures], str]
    sentence: Callable[[Figures], str]
    chart: Callable[[Figures], Any]
    columns: tuple[str, ...]
    rows: Callable[[Figures], list[tuple[str, ...]]]


def nationality_rows(figures: Figures) -> list[tuple[str, ...]]:
    """Table twin of the nationalities."""
    return [(name(one.code), words.count(one.users), words.share(one.users, figures.people))
            for one in figures.nationalities]


def age_rows(figures: Figures) -> list[tuple[str, ...]]:
    """Table twin of the average ages."""
    return [(name(one.code), words.years(one.average_age), words.count(one.users)) for one in figures.by_age]


def domain_rows(figures: Figures) -> list[tuple[str, ...]]:
    """Table twin of the e-mail domains: what the chart draws, its last bar included."""
    whole = sum(one.users for one in figures.domains)
    top = [(one.name, one.users) for one in figures.domains[:draw.TOP_DOMAINS]]
    rest = whole - sum(users for _, users in top)
    shown = [*top, (words.OTHER, rest)] if rest else top
    return [(label, words.count(users), words.share(users, whole)) for label, users in shown]


PARTS = (
    Part("nationality", words.nationality_heading, words.nationality_sentence, draw.nationality_bars,
         words.NATIONALITY_COLUMNS, nationality_rows),
    Part("age", words.age_heading, words.age_sentence, draw.age_dots, words.AGE_COLUMNS, age_rows),
    Part("domain", words.domain_heading, lambda figures: words.domain_sentence(figures, draw.TOP_DOMAINS),
         draw.domain_bars, words.DOMAIN_COLUMNS, domain_rows),
)

CARDS: tuple[tuple[str, str, Callable[[Figures], str]], ...] = (
    ("people", words.PEOPLE, lambda figures: words.count(figures.people)),
    ("average-age", words.AVERAGE_AGE, lambda figures: words.years(figures.average_age)),
    ("nationalities", words.NATIONALITIES, lambda figures: words.count(len(figures.nationalities))),
    ("domains", words.DOMAINS, lambda figures: words.count(len(figures.domains))),
)

def page(refresh_s: int) -> Any:
    """The page before its first reading; the first refresh follows at once, others each `refresh_s` seconds."""
    return html.Div(id="body", className="body loading", children=[
        html.Header(className="top", children=[
            html.Div(className="inner", children=[
                html.Div(className="brand", children=[
                    html.H1(words.PRODUCT),
                    html.P(words.TAGLINE),
                ]),
                html.P(id="status", className="status", role="status", children=words.LOADING),
                html.Dl(className="cards", children=[
                    html.Div(className="card", children=[html.Dt(label), html.Dd(words.NOTHING, id=key)])
                    for key, label, _ in CARDS
                ]),
                html.P(id="origin", className="origin"),
            ]),
        ]),
        html.Main(id="figures", className="inner", children=[
            html.Div(id="notice"),
            html.Div(className="figures", children=[_section(part) for part in PARTS]),
            html.Section(className="method", children=[html.H2(words.METHOD_HEADING), html.P(words.METHOD)]),
        ]),
        dcc.Interval(id="clock", interval=refresh_s * 1000),
        dcc.Store(id="shown"),
    ])


def freshness(reading: Reading, now: datetime, shown: Shown | None, refresh_s: int, stale_s: int) -> dict[str, Any]:
    """What every refresh sets: the line of state, the notice, and the class that hides charts of nothing.

    `shown` is what the page remembers of the figures on it, None when there are none.
    """
    now_is = state(reading, now, stale_s)
    sign, word = words.STATE_WORDS[now_is]
    bare = now_is is State.EMPTY or (now_is is State.BROKEN and shown is None)
    return {
        "status": [html.Span(sign, className="sign", **{"aria-hidden": "true"}), html.Strong(word), " ",
                   words.as_of(reading, now_is, now, refresh_s)],
        "status_class": f"status {now_is.value}",
        "notice": _notice(reading, now_is, now, shown),
        "body_class": "body bare" if bare else "body",
        "shown": shown if isinstance(reading, Unreadable) else _remembered(reading),
    }


def drawn(figures: Figures) -> dict[str, Any]:
    """What new figures set: cards, the origin's sentence, and each part's heading, sentence, chart and table."""
    values: dict[str, Any] = {key: value(figures) for key, _, value in CARDS}
    values["origin"] = words.origin(figures.synthetic)
    values["origin_class"] = "origin synthetic" if figures.synthetic else "origin"
    for part in PARTS:
        empty = not figures.people
        values[f"{part.key}_heading"] = "" if empty else part.heading(figures)
        values[f"{part.key}_sentence"] = "" if empty else part.sentence(figures)
        chart = part.chart(figures)
        values[f"{part.key}_chart"] = chart
        values[f"{part.key}_height"] = {"height": f"{chart.layout.height}px"}
        values[f"{part.key}_table"] = table(part.columns, part.rows(figures))
    return values


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """A plain table: the first column names the row."""
    return html.Table([
        html.Thead(html.Tr([html.Th(column, scope="col") for column in columns])),
        html.Tbody([
            html.Tr([html.Th(row[0], scope="row"), *(html.Td(cell) for cell in row[1:])]) for row in rows
        ]),
    ])


def _section(part: Part) -> Any:
    return html.Section(className=f"part {part.key}", **{"aria-labelledby": f"{part.key}-heading"}, children=[
        html.H2(id=f"{part.key}-heading"),
        html.P(id=f"{part.key}-sentence", className="sentence"),
        # the table twin below is what a screen reader gets; the picture would only repeat it, badly
        html.Div(className="chart", **{"aria-hidden": "true"}, children=[
            dcc.Graph(id=f"{part.key}-chart", figure=draw.blank(1), config=GRAPH, responsive=True),
        ]),
        html.Details([html.Summary(words.TABLE), html.Div(id=f"{part.key}-table", className="table")]),
    ])


def _notice(reading: Reading, now_is: State, now: datetime, shown: Shown | None) -> Any:
    if isinstance(reading, Unreadable):
        text = [reading.reason, words.meanwhile(_time(shown["at"]), now)] if shown else [reading.reason]
        heading = words.BROKEN_HEADING
    elif now_is is State.EMPTY:
        heading, text = words.EMPTY_HEADING, [words.EMPTY]
    else:
        return None
    return html.Div(className=f"notice {now_is.value}", children=[
        html.H2(heading), *(html.P(coded(paragraph)) for paragraph in text)])


def coded(text: str) -> list[Any]:
    """The text with what stands between backticks as code."""
    return [html.Code(piece) if at % 2 else piece for at, piece in enumerate(text.split("`")) if piece]


def _remembered(figures: Figures) -> Shown | None:
    if not figures.people:
        return None
    return {"version": figures.version, "at": figures.at.isoformat() if figures.at else ""}


def _time(written: str) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
