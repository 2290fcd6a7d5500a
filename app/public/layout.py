"""The page of a reading: header, notices, the figures in order, about the data.

There is no callback: another reading is another page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from app.public import figures as draw
from app.public import tables, words
from app.public.records import Reading, State
from app.public.world import world_map
from governance.disclosure.snapshot import Snapshot

AHEAD = '<link rel="preload" as="script" href="/_dash-component-suites/dash/dcc/async-graph.js">'
"""What Dash would ask for only when it comes to the first chart. What the chart is drawn with is an asset (infra/plotly)."""

MARK = "<!--still-->"
"""Where the page stands as text until Dash has drawn it."""

INDEX = f"""<!DOCTYPE html>
<html lang="{words.LANGUAGE}">
    <head>
        {{%metas%}}
        <title>{{%title%}}</title>
        {{%favicon%}}
        {{%css%}}
    </head>
    <body>
        <a class="skip" href="#figures">{words.SKIP}</a>
        <noscript><p class="noscript">{words.NO_SCRIPT}</p></noscript>
        <div id="still">{MARK}</div>
        {{%app_entry%}}
        <footer>
            {{%config%}}
            {{%scripts%}}
            {{%renderer%}}
        </footer>
    </body>
</html>"""

CHART = {
    "displayModeBar": False, "displaylogo": False, "showSendToCloud": False, "showLink": False, "scrollZoom": False,
    "doubleClick": False, "topojsonURL": "/assets/topojson/",
}


@dataclass(frozen=True)
class Part:
    """One figure of the page. key: its table in tables.SHEETS; charts: its name -> how it is drawn."""

    key: str
    heading: Callable[[Snapshot], str]
    sentence: Callable[[Snapshot], str]
    charts: dict[str, Callable[[Snapshot], Any]]


PARTS = (
    Part("nationalities", words.nationality_heading, words.nationality_sentence,
         {"map": world_map, "bars": draw.nationality_bars}),
    Part("gender_ages", words.gender_age_heading, words.gender_age_sentence, {"pyramid": draw.pyramid}),
    Part("average_ages", words.age_heading, words.age_sentence, {"dots": draw.age_dots}),
    Part("domains", words.domain_heading, words.domain_sentence, {"bars": draw.domain_bars}),
    Part("arrivals", words.arrival_heading, words.arrival_sentence, {"bars": draw.arrival_bars}),
)


def page(reading: Reading, now_is: State, version: str, refresh_s: int) -> Any:
    """The page. version: by which newer.js sees that there is another one; refresh_s: how often it looks."""
    snapshot = reading.snapshot
    sign, word = words.STATE_WORDS[now_is]
    told = {"data-version": version, "data-every": str(refresh_s)}
    return html.Div(id="body", className=f"body {now_is.value}", **told, children=[
        html.Header(className="top", children=[html.Div(className="inner", children=[
            html.Div(className="brand", children=[
                html.H1(words.PRODUCT), html.P(words.TAGLINE),
                *([html.P(words.SYNTHETIC, className="synthetic")] if snapshot and snapshot.synthetic else [])]),
            html.P(id="status", className="status", role="status", children=[
                html.Span(sign, className="sign", **{"aria-hidden": "true"}), html.Strong(word), " ",
                words.status(reading, now_is)]),
            *([_cards(snapshot)] if snapshot else []),
        ])]),
        html.Main(id="figures", className="inner", tabIndex="-1", children=[
            *_notices(reading, now_is),
            *([html.Div(className="figures", children=[_section(part, snapshot) for part in PARTS]), _about(snapshot)]
              if snapshot else []),
        ]),
    ])


def table(sheet: tables.Sheet) -> Any:
    """A plain table: the first column names the row."""
    return html.Table([
        html.Thead(html.Tr([html.Th(column, scope="col") for column in sheet.columns])),
        html.Tbody([
            html.Tr([html.Th(row[0], scope="row"), *(html.Td(cell) for cell in row[1:])]) for row in sheet.rows
        ]),
    ])


def _cards(snapshot: Snapshot) -> Any:
    cards = (("people", words.PEOPLE, words.count(snapshot.people)),
             ("time", words.FIGURES_OF, words.moment(snapshot.counted_at)),
             ("next", words.NEXT, words.moment(snapshot.next_at)), ("number", words.NUMBER, words.count(snapshot.number)))
    return html.Dl(className="cards", children=[
        html.Div(className=f"card {key}", children=[html.Dt(label), html.Dd(value, id=key)]) for key, label, value in cards])


def _notices(reading: Reading, now_is: State) -> list[Any]:
    snapshot, found = reading.snapshot, []
    if now_is is State.EMPTY and not reading.withdrawn:
        found.append((words.EMPTY_HEADING, words.EMPTY))
    if now_is is State.BROKEN:
        found.append((words.BROKEN_HEADING, words.BROKEN))
    if now_is is State.KEPT:
        found.append((words.KEPT_HEADING, words.KEPT))
    if now_is is State.STALE and snapshot:
        found.append((words.LATE_HEADING, words.late(snapshot)))
    if reading.withdrawn:
        found.append((words.WITHDRAWN_HEADING, words.withdrawn(reading)))
    return [html.Div(className=f"notice {now_is.value}", children=[html.H2(heading), html.P(text)]) for heading, text in found]


def _section(part: Part, snapshot: Snapshot) -> Any:
    key = part.key
    return html.Section(className=f"part {key}", **{"aria-labelledby": f"{key}-heading"}, children=[
        html.H2(part.heading(snapshot), id=f"{key}-heading"),
        html.P(part.sentence(snapshot), id=f"{key}-sentence", className="sentence"),
        # the table twin below is what a screen reader gets; the picture would only repeat it, badly
        html.Div(className="charts", **{"aria-hidden": "true"}, children=[
            _chart(f"{key}-{name}", name, drawn(snapshot)) for name, drawn in part.charts.items()]),
        html.Details([html.Summary(words.TABLE),
                      html.Div(table(tables.SHEETS[key](snapshot)), id=f"{key}-table", className="table")]),
        html.P(className="file", children=_file(key, words.CSV)),
    ])


def _chart(name: str, kind: str, figure: Any) -> Any:
    return html.Div(className=f"chart {kind}", children=[
        dcc.Graph(id=name, figure=figure, config=CHART, responsive=True,
                  style={"height": f"{figure.layout.height}px" if figure.layout.height else "100%"})])


def _about(snapshot: Snapshot) -> Any:
    said = [snapshot.method.text, words.ABOUT_OTHER, words.unchanged(snapshot), words.ABOUT_SOURCE, words.ABOUT_AGES,
            words.ABOUT_MAP, words.method(snapshot)]
    files = [piece for key, label in words.FILES.items() for piece in (" ", _file(key, label))]
    return html.Section(className="about", **{"aria-labelledby": "about"}, children=[
        html.H2(words.ABOUT_HEADING, id="about"), *(html.P(text) for text in said if text),
        html.P([words.ABOUT_FILES, *files], className="files")])


def _file(key: str, label: str) -> Any:
    return html.A(label, href=f"/csv/{key}.csv", **{"aria-label": f"{words.CSV}: {words.FILES[key]}"})
