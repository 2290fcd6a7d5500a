"""The stream: how fast, how far behind, where the seconds go; start, stop after the batch, verify, recount."""

import streamlit as st

from app import charts, words
from app.checks import recount, verify
from app.parts import fresh, live, open_page
from app.programs import controls, job_panel, log_tail
from app.sessions import Viewer
from app.stores import console


def hour(_: Viewer) -> None:
    """The last hour as charts."""
    history = fresh(console().history.now())
    if history is None:
        return
    if not history:
        st.info(words.NO_TURNS, icon=":material/inbox:")
        return
    points, steps = charts.turns(history)
    left, right = st.columns(2)
    with left:
        st.altair_chart(charts.line(points, "at", "per_second", words.RECORDS_A_SECOND), alt=words.RECORDS_A_SECOND)
    with right:
        st.altair_chart(charts.line(points, "at", "behind", words.LAG, step=True), alt=words.LAG)
    st.altair_chart(charts.stacked(steps, "at", "seconds", "step", words.SECONDS_BY_STEP), alt=words.SECONDS_BY_STEP)


def totals(_: Viewer) -> None:
    """What was counted since the first turn, and where the stream stands."""
    kept = fresh(console().status.now())
    if kept is None or (figures := kept.get("figures")) is None:
        return
    with st.container(horizontal=True):
        for name, number in figures["totals"].items():
            st.metric(name, f"{number:,}", border=True)
    offsets = ", ".join(f"{number}: {end:,}" for number, end in sorted(figures["offsets"].items()))
    st.caption(f"{words.CHECKPOINT} {figures['checkpoint']} · {words.OFFSETS} {offsets}")


def checks(_: Viewer) -> None:
    """What a check that was asked for does."""
    job_panel("verify")
    job_panel("recount")


looks = open_page("stream")
controls("stream")
with st.container(horizontal=True):
    st.button(words.VERIFY, key="stream-verify", icon=":material/fact_check:", help=words.VERIFY_HELP, on_click=verify,
              args=("stream.verify",), disabled=not looks.may("stream.verify"))
    st.button(words.RECOUNT, key="stream-recount", icon=":material/calculate:", help=words.RECOUNT_HELP, on_click=recount,
              disabled=not looks.may("stream.recount"))
live("stream.read", checks)
st.subheader(words.LAST_HOUR, anchor=False)
live("stream.read", hour)
st.subheader(words.TOTALS, anchor=False)
live("stream.read", totals)
log_tail("stream")
