"""The aggregates: each as a chart, a table and a CSV; and a comparison with a recount of the rows."""

import pandas as pd
import streamlit as st

from app import charts, words
from app.checks import verify
from app.counted import Counted, top
from app.parts import fresh, live, open_page
from app.programs import job_panel
from app.sessions import Viewer
from app.stores import console


def part(title: str, chart: charts.Drawn, frame: pd.DataFrame, key: str) -> None:
    """One figure with its table and its CSV."""
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.altair_chart(chart, key=f"{key}-chart", alt=title)
        with st.expander(words.TABLE, key=f"{key}-box"):
            st.dataframe(frame, key=f"{key}-table", hide_index=True)
            st.download_button(words.CSV, frame.to_csv(index=False), f"{key}.csv", "text/csv", key=f"{key}-csv",
                               on_click="ignore")


def figures(counted: Counted) -> None:
    """All of them, two a row."""
    with st.container(horizontal=True):
        st.metric(words.COUNTED, f"{counted.people:,}", border=True)
        st.metric(words.AVERAGE_AGE, f"{counted.average_age:.2f}" if counted.average_age is not None else "-", border=True)
    nationalities, ages = counted.nationalities, counted.nationalities.dropna(subset=["average_age"])
    left, right = st.columns(2)
    with left:
        part(words.BY_NATIONALITY, charts.bars(nationalities, "country", "users", words.COUNTED), nationalities, "nationality")
        part(words.BY_DOMAIN, charts.bars(top(counted.domains), "domain", "users", words.COUNTED), counted.domains, "domain")
    with right:
        by_age = ages.sort_values("average_age", ascending=False)
        part(words.AVERAGE_AGES, charts.bars(by_age, "country", "average_age", words.AVERAGE_AGE, ".2f"), by_age, "age")
        part(words.PYRAMID, charts.pyramid(counted.pyramid, words.AGE),
             counted.pyramid.drop(columns="from"), "pyramid")
        part(words.ARRIVALS, charts.columns(counted.arrivals, "hour", "users", words.COUNTED), counted.arrivals,
             "arrivals")


def draw(_: Viewer) -> None:
    """The figures, as of the turn that they are of."""
    counted = fresh(console().counted.now(), lambda counted: counted.at)
    if counted is None:
        return
    if counted.synthetic:
        st.caption(words.SYNTHETIC)
    if not counted.settled:
        st.caption(words.SETTLING)
    if not counted.people:
        st.info(words.NOBODY_COUNTED, icon=":material/inbox:")
        return
    figures(counted)


looks = open_page("aggregates")
st.button(words.COMPARE, key="aggregates-compare", icon=":material/balance:", help=words.VERIFY_HELP, on_click=verify,
          args=("aggregates.compare",), disabled=not looks.may("aggregates.compare"))
live("aggregates.read", lambda _: job_panel("verify"))
live("aggregates.read", draw)
