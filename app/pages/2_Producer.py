"""The producer: what it takes from where, how fast, what it left out; start, stop, another source or rate."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app import words, words_law
from app.acts import begin
from app.jobs import HalfDone
from app.parts import changed, fresh, live, open_page, say
from app.programs import controls, job_panel, log_tail, rate
from app.register_form import Typing, begin_again, stale_table, stands, typing, widget
from app.sessions import Viewer
from app.stores import console
from engine.errors import RollcallError, SettingsInvalid
from engine.settings import load
from engine.settings_file import change

SOURCES = ["auto", "randomuser", "synthetic", "replay"]
FIELDS = ("source", "rate", "file")
CHANGE = "change producer"
FORM, REF = "producer", "settings"
_MINE, _AGAIN = "producer-mine", "producer-drawn-again"


def progress(_: Viewer) -> None:
    """What the producer said last."""
    kept = fresh(console().status.now(), lambda kept: kept.get("producer", {}).get("at"))
    if kept is None:
        return
    if (said := kept.get("producer")) is None:
        st.info(words.NOT_SENT_YET, icon=":material/inbox:")
        return
    if said.get("synthetic"):
        st.caption(words.SYNTHETIC)
    sending = rate(said, console().processes.status()["producer"].state)
    with st.container(horizontal=True):
        st.metric(words.SOURCE, said["source"], border=True)
        st.metric(words.RATE, "-" if sending is None else f"{sending:.0f}", border=True)
        st.metric(words.SENT, f"{said['sent']:,}", border=True)
        st.metric(words.DEAD, f"{said.get('dead', 0):,}", border=True)
        st.metric(words.SKIPPED, f"{said.get('skipped', 0):,}", border=True)
        st.metric(words.DROPPED, f"{said.get('dropped', 0):,}", border=True)
    st.text(f"{words.STATE}: {said['state']}")
    if said.get("place"):
        st.caption(f"{words.PLACE}: {said['place']}")


def standing() -> Mapping[str, Any]:
    """Source, rate and file as settings.toml has them now. Raises SettingsInvalid."""
    ours = load().producer
    return {name: getattr(ours, name) for name in FIELDS}


def form() -> None:
    """Another source, rate or file; filled with what stood when it was drawn first, which Apply compares with what stands."""
    one = settled()
    try:
        now_is = standing()
    except SettingsInvalid:    # change_job says it; what is typed stays
        if one is None:
            return
        now_is = one.shown
    stands(FORM, REF, 0, now_is)
    with st.expander(words.CHANGE, key="producer-box", icon=":material/tune:"), st.form("producer-form", border=False):
        st.selectbox(words.SOURCE_LABEL, SOURCES, key=widget(FORM, REF, "source"))
        st.number_input(words.RATE_LABEL, min_value=0.0, max_value=100_000.0, step=10.0, key=widget(FORM, REF, "rate"))
        st.text_input(words.FILE_LABEL, key=widget(FORM, REF, "file"))
        st.form_submit_button(words.APPLY, key="producer-apply", on_click=apply)
        st.caption(words.CHANGE_HELP)


def settled() -> Typing | None:
    """What stands in the form; once a change of this session is kept, that is what it is based on. Also for callbacks."""
    one, mine = typing(FORM, REF), st.session_state.get(_MINE)
    if mine is not None and not mine[0].running:
        del st.session_state[_MINE]
        job, applied = mine
        if one is not None and (job.half or not job.failed):
            one.shown = applied
    return one


def change_job(_: Viewer) -> None:
    """How a change gets on, and whether the settings stand otherwise than the form was filled with, whoever changed them. The
    form stays as it is, for a form sends what is typed in it only with Apply."""
    if st.session_state.pop(_AGAIN, False):
        st.rerun(scope="app")
    job_panel(CHANGE)
    one, wrong = settled(), ""
    try:
        now_is = standing()
    except SettingsInvalid as error:
        wrong = str(error)
    changed("producer-wrong", bool(wrong))
    if wrong:
        st.error(wrong, icon=words.ICON_FAILED)
    elif one is not None and one.shown != now_is:
        if (mine := st.session_state.get(_MINE)) is not None and now_is == mine[1]:    # a change of its own, still under way
            return
        st.warning(words.FORM_OLDER, icon=":material/sync_problem:")
        stale_table({name: (one.shown[name], value) for name, value in now_is.items() if value != one.shown[name]},
                    {name: (one.shown[name], value) for name, value in one.texts.items() if value != one.shown[name]},
                    "producer-stale")
        st.button(words.BEGIN_AGAIN, key="producer-again", icon=":material/refresh:", on_click=again)


def again() -> None:
    """Fills the form with what stands now; what was typed is dropped. For callbacks."""
    try:
        begin_again(FORM, REF, 0, standing())
    except SettingsInvalid as error:
        say("failed", words.failed(str(error)))
    st.session_state[_AGAIN] = True    # the form is drawn by the whole page only


def apply() -> None:
    """Keeps another source, rate or file, and starts a running producer again with it. For callbacks."""
    if (one := settled()) is None:
        say("failed", words_law.FORM_GONE)
        return
    seen, asked = dict(one.shown), {**one.texts, "file": one.texts["file"].strip()}
    fields = {name: value for name, value in asked.items() if value != seen[name]}
    processes = console().processes

    def work(_: str, say: Callable[[str], None]) -> str:
        if not fields:
            raise SettingsInvalid(words.NOTHING_CHANGED)
        if asked["source"] == "replay" and not asked["file"]:
            raise SettingsInvalid(words.REPLAY_FILE)
        running = processes.status()["producer"].pid is not None
        change(load(), "producer", fields, seen)
        if running:
            say(words.STARTING_AGAIN)
            try:
                processes.stop("producer")
                processes.start("producer")
            except RollcallError as error:
                raise HalfDone(words.kept_not_restarted(asked["source"], asked["rate"], str(error))) from error
        return words.changed(asked["source"], asked["rate"])

    if job := begin("producer.change", CHANGE, f"{asked['source']}, {asked['rate']:g} a second", work):
        st.session_state[_MINE] = job, asked


looks = open_page("producer")
controls("producer")
live("producer.read", progress)
if looks.may("producer.change"):
    form()
    live("producer.change", change_job)
log_tail("producer")
