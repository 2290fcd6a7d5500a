"""The parts of the Breaches page: the log with its clocks, a new one, versions of one, its letters."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from app import words_law as words
from app.acts import act
from app.parts import TIME, now, say, table
from app.register_form import (
    as_yaml,
    begin_again,
    both_changed,
    drop,
    drop_reason,
    reason,
    stale_table,
    stands,
    typed_reason,
    typing,
    widget,
)
from app.sessions import Viewer
from app.stores import console
from engine.compliance.breaches import Breaches, BreachRefused, Logged, To, breach_of, letters_of
from engine.stores.records import Records, Stale
from governance.breaches import Breach, Kind, NotABreach, State, breach, clock, missing
from governance.clocks import Clock
from governance.register import Role, changed

_FORM, _TEXT, _LETTER, _NEW = "breach", "text", "breach-letter", "breach-new"
_EMPTY: Mapping[str, Any] = {"ref": "", "title": "", "role": str(Role.CONTROLLER), "kinds": [], "detected_at": "",
                             "aware_at": "", "nature": ""}
"""What stands in the form of a new breach in which nothing is typed."""


@contextmanager
def opened() -> Iterator[Breaches]:
    """The log, over the officer's session. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        yield Breaches(Records(console().settings, session))


def listed(logged: Sequence[Logged]) -> None:
    """Every breach with its clock; first what is late."""
    late = [one.breach.ref for one in logged if one.breach.state_at(now()) is State.KNOWN and _clock(one.breach).late(now())]
    if late:
        st.error(words.over_time(late), icon=":material/alarm:")
    table([{words.REF: one.breach.ref, words.TITLE: one.breach.title, words.STATE: f"{one.n}: {one.breach.state_at(now())}",
            words.CLOCK: _said(one.breach), words.AWARE: one.breach.aware_at} for one in logged], "breach-list",
          {words.AWARE: TIME}, words.NO_BREACHES)


def new_panel() -> None:
    """A new breach: what is known in the first minute."""
    with st.expander(words.NEW, key="breach-new-box", icon=":material/add_alert:"):
        st.caption(words.NEW_SAYS)
        stands(_NEW, _NEW, 0, _EMPTY)
        key = {name: widget(_NEW, _NEW, name) for name in _EMPTY}
        with st.form("breach-new", border=False):
            st.text_input(words.NAME, key=key["ref"], help=words.NAME_HELP)
            st.text_input(words.TITLE, key=key["title"])
            st.selectbox(words.ROLE, [role.value for role in Role], key=key["role"], help=words.ROLE_HELP)
            st.multiselect(words.KINDS, [kind.value for kind in Kind], key=key["kinds"])
            st.text_input(words.DETECTED_AT, key=key["detected_at"], help=words.MOMENT_HELP)
            st.text_input(words.AWARE_AT, key=key["aware_at"], help=words.MOMENT_HELP)
            st.text_area(words.NATURE, key=key["nature"])
            st.form_submit_button(words.LOG, key="breach-log", on_click=_new)


def one_panel(one: Logged, looks: Viewer) -> None:
    """One breach: what is missing, all that is known, its letters and versions."""
    with opened() as log:
        versions = log.versions(one.breach.ref)
    one = versions[-1]
    lacking = missing(one.breach, now(), _hours())
    if lacking:
        st.warning("\n".join([f"{words.MISSING}:", *[f"- {sentence}" for sentence in lacking]]), icon=":material/checklist:")
    elif one.breach.state_at(now()) is not State.CLOSED:
        st.success(words.NOTHING_MISSING, icon=":material/check_circle:")
    if looks.may("breaches.change"):
        _change_panel(versions)
    if looks.may("breaches.export"):
        _letter_panel(one)
    table([{words.VERSION: each.n, words.STATE: str(each.breach.state_at(each.at)), words.CHANGED: each.at, words.BY: each.by,
            words.WHY: each.why} for each in reversed(versions)], "breach-versions", {words.CHANGED: TIME})


def _change_panel(versions: Sequence[Logged]) -> None:
    newest = versions[-1]
    ref = newest.breach.ref
    typed = stands(_FORM, ref, newest.n, _shown(newest.breach))
    stale = typed.n != newest.n
    if stale:
        _stale_panel(versions, typed.n, typed.texts[_TEXT])
    st.caption(words.CHANGE_SAYS)
    why = reason(_FORM, ref)
    with st.form("breach-change", border=False):
        st.text_area(words.BREACHES, key=widget(_FORM, ref, _TEXT), height=360, label_visibility="collapsed")
        st.text_input(words.WHY, key=why, help=words.WHY_HELP)
        with st.container(horizontal=True):
            st.form_submit_button(words.CHANGE, key="breach-save", icon=":material/save:", on_click=_change, args=(ref,))
            if stale:
                st.form_submit_button(words.ON_TOP, key="breach-on-top", help=words.ON_TOP_HELP, on_click=_on_top,
                                      args=(versions,))
            st.form_submit_button(words.CLOSE, key="breach-close", on_click=_close, args=(ref,))
    st.button(words.BEGIN_AGAIN, key="breach-undo", on_click=_begin_again, args=(newest,))


def _stale_panel(versions: Sequence[Logged], n: int, text: str) -> None:
    base, newest = versions[n - 1].breach, versions[-1]
    theirs = changed(base, newest.breach)
    try:
        mine = changed(base, breach_of(text))
    except BreachRefused as wrong:
        mine = {}
        st.error(words.unreadable(str(wrong)))
    st.warning(words.STALE, icon=":material/sync_problem:")
    st.write(words.stale(newest.by, newest.at, newest.why, both_changed(theirs, mine)))
    stale_table(theirs, mine, "breach-stale-fields")
    st.button(words.TAKE_THEIRS, key="breach-take", on_click=_begin_again, args=(newest,))


def _letter_panel(one: Logged) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        to = st.selectbox(f"{words.LETTER} {words.TO.lower()}", [to.value for to in To], key="breach-to")
        st.button(words.PREPARE, key="breach-prepare", on_click=_prepare, args=(one, to))
    if (ready := st.session_state.get(_LETTER)) is not None and ready[0] == (one.breach.ref, one.n, to):
        for reader, html in ready[1].items():    # of several controllers each has a letter of its own
            st.download_button(words.DOWNLOAD if len(ready[1]) == 1 else f"{words.DOWNLOAD}: {reader}", html,
                               file_name=f"{one.breach.ref}-{reader}.html", mime="text/html",
                               key=f"breach-download-{reader}", icon=":material/download:")


def _begin_again(newest: Logged) -> None:
    begin_again(_FORM, newest.breach.ref, newest.n, _shown(newest.breach))


def _new() -> None:
    if (typed := typing(_NEW, _NEW)) is None:
        say("failed", words.FORM_GONE)
        return
    fields = {name: value if isinstance(value, list) or name == "nature" else value.strip()
              for name, value in typed.texts.items()}
    try:
        if _keep(breach(fields), 0, words.NEW):
            drop(_NEW, _NEW)
    except NotABreach as wrong:
        say("failed", words.not_logged(str(wrong)))


def _wanted(ref: str) -> tuple[int, Breach] | None:
    """Number of the version the text is based on, and the breach it says now; None if that is none, which is said."""
    if (typed := typing(_FORM, ref)) is None:
        say("failed", words.FORM_GONE)
        return None
    try:
        wanted = breach_of(typed.texts[_TEXT])
    except BreachRefused as wrong:
        say("failed", words.unreadable(str(wrong)))
        return None
    if wanted.ref != ref:
        say("failed", words.unreadable(words.other_ref(ref)))
        return None
    return typed.n, wanted


def _change(ref: str) -> None:
    if (said := _wanted(ref)) is not None:
        n, wanted = said
        _keep(wanted, n, typed_reason(_FORM, ref))


def _on_top(versions: Sequence[Logged]) -> None:
    """What the text says otherwise than its base, at this click, over the newest version that the panel showed."""
    newest = versions[-1]
    if (said := _wanted(newest.breach.ref)) is None:
        return
    n, wanted = said
    mine = {name: after for name, (_, after) in changed(versions[n - 1].breach, wanted).items()}
    try:
        _keep(breach({**newest.breach.model_dump(mode="json"), **mine}), newest.n, typed_reason(_FORM, newest.breach.ref))
    except NotABreach as wrong:    # each can be, and both together cannot
        say("failed", words.unreadable(str(wrong)))


def _keep(wanted: Breach, n: int, why: str) -> bool:
    """Whether the version is kept."""
    def do(name: str) -> str:
        with opened() as log:
            kept = log.save(wanted, n, name, why)
        drop(_FORM, wanted.ref)
        drop_reason(_FORM, wanted.ref)
        return words.logged(wanted.ref, kept.n)

    return act("breaches.change", wanted.ref, do, why)


def _close(ref: str) -> None:
    why = typed_reason(_FORM, ref)
    if (typed := typing(_FORM, ref)) is None or typed.touched:
        say("failed", words.SAVE_FIRST if typed else words.FORM_GONE)
        return
    n = typed.n

    def do(name: str) -> str:
        try:
            with opened() as log:
                log.close(ref, n, _hours(), name, why)
        except Stale:    # nothing is typed: the form may show the newest
            drop(_FORM, ref)
            raise
        drop(_FORM, ref)
        drop_reason(_FORM, ref)
        return words.closed(ref)

    act("breaches.change", ref, do, why)


def _prepare(one: Logged, to: str) -> None:
    def do(_: str) -> str:
        st.session_state[_LETTER] = (one.breach.ref, one.n, to), letters_of(one.breach, To(to), _hours(), now())
        return f"{words.LETTER}: {to}"

    act("breaches.export", f"{one.breach.ref} {to}", do)


def _shown(known: Breach) -> dict[str, str]:
    """All fields, also empty ones: their names are what an officer looks for."""
    return {_TEXT: as_yaml(known.model_dump(mode="json"))}


def _hours() -> int:
    return console().settings.governance.notify_hours


def _clock(known: Breach) -> Clock:
    return clock(known, _hours(), now())


def _said(known: Breach) -> str:
    runs = _clock(known)
    if runs.stopped is not None:
        return words.STOPPED_LATE if runs.late(now()) else words.STOPPED_IN_TIME
    return words.hours(runs.left(now()).total_seconds(), runs.due)
