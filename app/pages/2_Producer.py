"""The producer: what it takes from where, how fast, what it left out; start, stop, another source or rate."""

import streamlit as st

from app import words
from app.acts import act
from app.parts import fresh, live, open_page
from app.programs import controls, log_tail
from app.sessions import Viewer
from app.stores import console
from engine.errors import SettingsInvalid
from engine.settings import load
from engine.settings_file import change

SOURCES = ["auto", "randomuser", "synthetic", "replay"]


def progress(_: Viewer) -> None:
    """What the producer said last."""
    kept = fresh(console().status.now())
    if kept is None:
        return
    if (said := kept.get("producer")) is None:
        st.info(words.NOT_SENT_YET, icon=":material/inbox:")
        return
    if said.get("synthetic"):
        st.caption(words.SYNTHETIC)
    with st.container(horizontal=True):
        st.metric(words.SOURCE, said["source"], border=True)
        st.metric(words.RATE, f"{said['rate']:.0f}", border=True)
        st.metric(words.SENT, f"{said['sent']:,}", border=True)
        st.metric(words.DEAD, f"{said.get('dead', 0):,}", border=True)
        st.metric(words.SKIPPED, f"{said.get('skipped', 0):,}", border=True)
        st.metric(words.DROPPED, f"{said.get('dropped', 0):,}", border=True)
    st.text(f"{words.STATE}: {said['state']}")
    if said.get("place"):
        st.caption(f"{words.PLACE}: {said['place']}")


def apply() -> None:
    """Keeps another source or rate, and starts a running producer again with it."""
    source, rate, file = (st.session_state[f"producer-{name}"] for name in ("source", "rate", "file"))

    def do(_: str) -> str:
        if source == "replay" and not file.strip():
            raise SettingsInvalid(words.REPLAY_FILE)
        running = console().processes.status()["producer"].pid is not None
        change(load(), "producer", {"source": source, "rate": float(rate), "file": file.strip()})
        if running:
            console().processes.stop("producer")
            console().processes.start("producer")
        return words.changed(source, rate)

    act("producer.change", f"{source}, {rate:g} a second", do)


looks = open_page("producer")
controls("producer")
live("producer.read", progress)
if looks.may("producer.change"):
    ours = load().producer    # as it stands now: somebody may have changed it
    with st.expander(words.CHANGE, key="producer-box", icon=":material/tune:"), st.form(
            "producer-form", border=False):
        st.selectbox(words.SOURCE_LABEL, SOURCES, index=SOURCES.index(ours.source), key="producer-source")
        st.number_input(words.RATE_LABEL, min_value=0.0, max_value=100_000.0, value=ours.rate, step=10.0, key="producer-rate")
        st.text_input(words.FILE_LABEL, value=ours.file, key="producer-file")
        st.form_submit_button(words.APPLY, key="producer-apply", on_click=apply)
        st.caption(words.CHANGE_HELP)
log_tail("producer")
