"""The parts of the Breaches page: the log with its clocks, a new one, versions of one, its letters."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from app import words_law as words
from app.acts import act
from app.parts import TIME, now, say, table
from app.register_form import untyped
from app.sessions import Viewer
from app.stores import console
from engine.compliance.breaches import Breaches, BreachRefused, Logged, To, breach_of, letter_of
from engine.stores.records import Records, Stale
from governance.breaches import Breach, Kind, NotABreach, State, breach, clock, missing
from governance.clocks import Clock

_LETTER, _BASE = "breach-letter", "breach-base"


@contextmanager
def opened() -> Iterator[Breaches]:
    """The log, over the officer's session. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        yield Breaches(Records(console().settings, session))


def listed(logged: Sequence[Logged]) -> None:
    """Every breach with its clock; first what is late."""
    late = [one.breach.ref for one in logged if one.breach.state is State.KNOWN and _clock(one.breach).late(now())]
    if late:
        st.error(words.over_time(late), icon=":material/alarm:")
    table([{words.REF: one.breach.ref, words.TITLE: one.breach.title, words.STATE: f"{one.n}: {one.breach.state}",
            words.CLOCK: _said(one.breach), words.AWARE: one.breach.aware_at} for one in logged], "breach-list",
          {words.AWARE: TIME}, words.NO_BREACHES)


def new_panel() -> None:
    """A new breach: what is known in the first minute."""
    with st.expander(words.NEW, key="breach-new-box", icon=":material/add_alert:"):
        st.caption(words.NEW_SAYS)
        with st.form("breach-new", border=False):
            st.text_input(words.NAME, key="breach-ref", help=words.NAME_HELP)
            st.text_input(words.TITLE, key="breach-title")
            st.multiselect(words.KINDS, [kind.value for kind in Kind], key="breach-kinds")
            st.text_input(words.DETECTED_AT, key="breach-detected", help=words.MOMENT_HELP)
            st.text_input(words.AWARE_AT, key="breach-aware", help=words.MOMENT_HELP)
            st.text_area(words.NATURE, key="breach-nature")
            st.form_submit_button(words.LOG, key="breach-log", on_click=_new)


def one_panel(one: Logged, looks: Viewer) -> None:
    """One breach: what is missing, all that is known, its letters and versions."""
    lacking = missing(one.breach, now(), _hours())
    if lacking:
        st.warning("\n".join([f"{words.MISSING}:", *[f"- {sentence}" for sentence in lacking]]), icon=":material/checklist:")
    elif one.breach.state is not State.CLOSED:
        st.success(words.NOTHING_MISSING, icon=":material/check_circle:")
    if looks.may("breaches.change"):
        _change_panel(one)
    if looks.may("breaches.export"):
        _letter_panel(one)
    with opened() as log:
        table([{words.VERSION: each.n, words.STATE: str(each.breach.state), words.CHANGED: each.at, words.BY: each.by,
                words.WHY: each.why} for each in reversed(log.versions(one.breach.ref))], "breach-versions",
              {words.CHANGED: TIME})


def _change_panel(one: Logged) -> None:
    if st.session_state.get(_BASE, ("", 0))[0] != one.breach.ref:
        _begin_again(one)
    n = st.session_state[_BASE][1]
    st.caption(words.CHANGE_SAYS)
    with st.form("breach-change", border=False):
        st.text_area(words.BREACHES, key="breach-text", height=360, label_visibility="collapsed")
        st.text_input(words.WHY, key="breach-why", help=words.WHY_HELP)
        with st.container(horizontal=True):
            st.form_submit_button(words.CHANGE, key="breach-save", icon=":material/save:", on_click=_change,
                                  args=(one.breach.ref, n))
            st.form_submit_button(words.CLOSE, key="breach-close", on_click=_close, args=(one.breach.ref, one.n))
    st.button(words.BEGIN_AGAIN, key="breach-undo", on_click=_begin_again, args=(one,))


def _letter_panel(one: Logged) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        to = st.selectbox(f"{words.LETTER} {words.TO.lower()}", [to.value for to in To], key="breach-to")
        st.button(words.PREPARE, key="breach-prepare", on_click=_prepare, args=(one.breach, to))
    if (ready := st.session_state.get(_LETTER)) is not None and ready[0] == (one.breach.ref, to):
        st.download_button(words.DOWNLOAD, ready[1], file_name=f"{one.breach.ref}-{to}.html", mime="text/html",
                           key="breach-download", icon=":material/download:")


def _begin_again(one: Logged) -> None:
    st.session_state[_BASE] = one.breach.ref, one.n
    st.session_state["breach-text"] = untyped(one.breach.model_dump(mode="json"))


def _new() -> None:
    fields = {"ref": st.session_state["breach-ref"].strip(), "title": st.session_state["breach-title"].strip(),
              "kinds": st.session_state["breach-kinds"], "role": "controller", "nature": st.session_state["breach-nature"],
              "detected_at": st.session_state["breach-detected"].strip(), "aware_at": st.session_state["breach-aware"].strip()}
    try:
        _keep(breach(fields), 0, words.NEW)
    except NotABreach as wrong:
        say("failed", f"Not logged. {wrong}")


def _change(ref: str, n: int) -> None:
    try:
        wanted = breach_of(st.session_state["breach-text"])
    except BreachRefused as wrong:
        say("failed", f"Not saved. {wrong}")
        return
    if wanted.ref != ref:
        say("failed", f"Not saved. The ref is {ref}; another one would be another breach.")
        return
    _keep(wanted, n, st.session_state["breach-why"])


def _keep(wanted: Breach, n: int, why: str) -> None:
    def do(name: str) -> str:
        with opened() as log:
            try:
                kept = log.save(wanted, n, name, why)
            except Stale as stale:    # what was typed stays, and goes on top of the other's when it is saved again
                if stale.newest is not None and n:
                    st.session_state[_BASE] = wanted.ref, stale.newest.n
                raise
        st.session_state.pop(_BASE, None)
        return words.logged(wanted.ref, kept.n)

    act("breaches.change", wanted.ref, do, why)


def _close(ref: str, n: int) -> None:
    why = st.session_state["breach-why"]

    def do(name: str) -> str:
        with opened() as log:
            log.close(ref, n, _hours(), name, why)
        st.session_state.pop(_BASE, None)
        return words.closed(ref)

    act("breaches.change", ref, do, why)


def _prepare(known: Breach, to: str) -> None:
    def do(_: str) -> str:
        st.session_state[_LETTER] = (known.ref, to), letter_of(known, To(to), _hours(), now())
        return f"{words.LETTER}: {to}"

    act("breaches.export", f"{known.ref} {to}", do)


def _hours() -> int:
    return console().settings.governance.notify_hours


def _clock(known: Breach) -> Clock:
    return clock(known, _hours())


def _said(known: Breach) -> str:
    runs = _clock(known)
    if runs.stopped is not None:
        return words.STOPPED_LATE if runs.late(now()) else words.STOPPED_IN_TIME
    return words.hours(runs.left(now()).total_seconds(), runs.due)
