"""The stream: how fast, how far behind, where the seconds go; start, stop after the batch, verify, recount."""

from typing import Any

import streamlit as st

from app import charts, words
from app.checks import recount, verify
from app.parts import fresh, live, open_page
from app.programs import controls, job_panel, log_tail
from app.sessions import Viewer
from app.stores import console


def hour(_: Viewer) -> None:
    """The last hour as charts."""
    reading = console().history.now()
    history = fresh(reading)
    if history is None or reading.at is None:
        return
    if not history:
        st.info(words.NO_TURNS, icon=":material/inbox:")
        return
    stands, over = present(), charts.hour_to(reading.at)
    turns = charts.turns(history, reading.at, stands.get("behind"), stands.get("open", False))
    left, right = st.columns(2)
    with left:
        st.altair_chart(charts.line(turns.rates, "at", "per_second", words.RECORDS_A_SECOND, over=over),
                        alt=words.RECORDS_A_SECOND)
    with right:
        st.altair_chart(charts.line(turns.lags, "at", "behind", words.LAG, step=True, over=over), alt=words.LAG)
    steps = turns.steps.assign(step=turns.steps["step"].map(lambda step: words.STEPS.get(step, step)))
    st.altair_chart(charts.stacked(steps, "at", "seconds", "step", words.SECONDS_BY_STEP, over),
                    alt=words.SECONDS_BY_STEP)


def present() -> dict[str, Any]:
    """What the stream's hop says of it now, its lag also while it does not run; nothing while the hops cannot be asked."""
    reading = console().hops.now()
    if reading.error is not None:    # what was so before is not the present
        return {}
    return next((hop.facts for hop in reading.value or () if hop.name == "stream"), {})


def totals(_: Viewer) -> None:
    """How far behind the stream is now; where it stood after its last turn, and what was counted since the first."""
    fresh(console().hops.now())
    lag = present().get("behind")
    st.metric(words.LAG, "-" if lag is None else f"{lag:,}", border=True)
    kept = fresh(console().status.now(), lambda kept: kept.get("figures", {}).get("at"))
    if kept is None or (figures := kept.get("figures")) is None:
        return
    with st.container(horizontal=True):
        st.metric(words.TURN, str(figures["turn"]), border=True)
        st.metric(words.BATCH, "-" if figures.get("batch") is None else f"{figures['batch']:,}", border=True,
                  help=words.BATCH_HELP)
        st.metric(words.LAST_TURN, words.moment(figures["at"]), border=True)
    st.subheader(words.TOTALS, anchor=False)
    with st.container(horizontal=True):
        for name, number in figures["totals"].items():
            st.metric(words.COUNTS.get(name, name), f"{number:,}", border=True)
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
st.subheader(words.WHERE_IT_STANDS, anchor=False)
live("stream.read", totals)
log_tail("stream")
