"""The map: people by nationality on the shapes of app/public/assets/topojson (its README says where they are from).

Every country has a shape. Those without a figure are grey, which is not the same as nought; the others go from light to dark
by the order of magnitude, since a few countries have most of the people.
"""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from app.public import words
from app.public.countries import SHAPES, name, shape_name
from app.public.figures import FONT, INK
from governance.disclosure.method import STEP
from governance.disclosure.snapshot import Snapshot

FOLDER = Path(__file__).parent / "assets" / "topojson"
BORDER, NONE = "#ffffff", "#dfe5e6"
SCALE = [[0.0, "#c6dedd"], [0.5, "#5f9ea2"], [1.0, "#0b4a52"]]
"""One hue, light to dark."""


@cache
def shapes() -> tuple[str, ...]:
    """Every shape of the map by its ISO 3166-1 alpha-3 code, or the map's own code where there is none."""
    world = json.loads((FOLDER / "world_110m.json").read_text())
    return tuple(sorted({shape["id"] for shape in world["objects"]["countries"]["geometries"]}))


def world_map(snapshot: Snapshot) -> Any:
    """The choropleth; a nationality without a shape stands in the list beside it alone."""
    cells = [cell for cell in snapshot.nationalities.cells if SHAPES.get(cell.key) in shapes()]
    shown = [SHAPES[cell.key] for cell in cells]
    rest = [shape for shape in shapes() if shape not in shown]
    figure = go.Figure()
    figure.add_choropleth(locations=rest, z=[0] * len(rest), colorscale=[[0, NONE], [1, NONE]], showscale=False,
                          marker={"line": {"color": BORDER, "width": 0.5}}, hovertemplate=words.HOVER_NONE,
                          customdata=[shape_name(shape) or words.NO_COUNTRY for shape in rest])
    if cells:
        most = max(max(cell.people for cell in cells), 2 * STEP)
        ticks = [10 ** power for power in range(1, 12) if 10 ** power <= most]
        figure.add_choropleth(
            locations=shown, z=[math.log10(cell.people) for cell in cells], colorscale=SCALE,
            zmin=math.log10(ticks[0]), zmax=math.log10(most), marker={"line": {"color": BORDER, "width": 0.5}},
            customdata=[(name(cell.key), words.count(cell.people)) for cell in cells], hovertemplate=words.HOVER,
            colorbar={"orientation": "h", "thickness": 10, "len": 0.5, "x": 0.5, "y": 0, "yanchor": "top", "outlinewidth": 0,
                      "tickvals": [math.log10(tick) for tick in ticks], "ticktext": [words.count(tick) for tick in ticks],
                      "title": {"text": words.LEGEND, "side": "top", "font": {"size": 12}}})
    figure.update_layout(
        template="none", margin={"l": 0, "r": 0, "t": 0, "b": 56}, paper_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": INK}, dragmode=False,
        hoverlabel={"bgcolor": INK, "bordercolor": INK, "font": {"color": "#ffffff"}})
    figure.update_geos(
        projection_type="natural earth", fitbounds=False, showland=False, showcoastlines=False, showframe=False,
        showcountries=False, showlakes=False, bgcolor="rgba(0,0,0,0)", lataxis_range=[-58, 85])
    return figure
