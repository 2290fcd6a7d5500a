"""Of one request: its clock, whom it is about, what is decided, its letters and its history."""

import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import streamlit as st

from app import words_requests as words
from app.acts import act
from app.parts import TIME, now, table, viewer
from app.register_form import drop, stands, typing, widget
from app.requests import changed, opened
from app.requests_package import forget_package, package_panel
from app.stores import console
from engine.compliance.requests import Kept, Requests
from governance.letter_page import day_of
from governance.requests import life
from governance.requests.letters import Letter
from governance.requests.request import Ground, Request, State
from governance.requests.step import Name
from governance.requests.subject import Subject

SHOWN_FOR_S = 60
_WHOM, _LETTER = "request-about", "request-letter"


def clock_panel(requests: Requests, asked: Request, kept: Sequence[Kept]) -> None:
    """The days of a request, and what law gives each. kept: every request."""
    days, today = requests.days(asked), requests.today
    with st.container(horizontal=True):
        st.metric(words.LEGAL_DAY, str(days.legal))
        st.metric(words.TARGET_DAY, str(days.target))
        st.metric(words.TELL_BY, str(days.first))
    st.caption(words.days(days.left(today), days.answered))
    st.markdown("\n".join([f"{words.HOW_COUNTED}:", *[f"- {line}" for line in days.law]]))
    if others := requests.same_person(asked, kept):
        st.caption(words.same_person(others))


def whom_panel(ref: str) -> None:
    """Whom it is about, for a minute, when the audit has that somebody looked."""
    st.button(words.WHOM, key="request-whom-show", icon=":material/visibility:", help=words.WHOM_SAYS, on_click=_show,
              args=(ref,))
    _shown(ref)


@st.fragment(run_every=5)
def _shown(ref: str) -> None:
    """The person while the minute lasts; looked at by itself, so that it goes without a click."""
    looks, kept = viewer(), st.session_state.get(_WHOM)
    if looks is None:
        st.rerun(scope="app")
    if kept is None or kept[0] != ref or time.monotonic() > kept[2] or not looks.may("requests.read"):
        st.session_state.pop(_WHOM, None)
        return
    subject: Subject | None = kept[1]
    if subject is None:
        st.caption(words.FORGOTTEN)
        return
    fields = {"uuid": subject.uuid, "email": subject.email, "reply_to": subject.reply_to,
              words.CORRECTED: str(dict(subject.fields)) if subject.fields else ""}
    known = {name: value for name, value in fields.items() if value}
    st.table({"field": list(known), "value": list(known.values())})
    st.button(words.HIDE, key="request-whom-hide", on_click=lambda: st.session_state.pop(_WHOM, None))


def decide_panel(one: Kept, today: date) -> None:
    """Who asks, more time, refusal, who works on it, a note, the end."""
    asked, ref = one.request, one.request.ref
    if asked.state in (State.RECEIVED, State.WAITING):
        st.subheader(words.IDENTITY, anchor=False)
        st.caption(words.IDENTITY_SAYS)
        _form(one, "identify", {"how": words.IDENTIFIED_HOW}, words.IDENTIFIED, today, words.ON_DAY,
              lambda asked, texts, on: life.identified(asked, on, texts["how"]))
        if asked.state is State.WAITING:
            last = asked.identity.asked[-1]
            st.caption(f"{words.ASK}, {day_of(last.on)}: {last.wanted}")
            st.button(words.GIVEN, key="request-given", on_click=_given, args=(ref, one.n))
        else:
            _form(one, "ask", {"why": words.DOUBT, "wanted": words.WANTED}, words.ASK, today, words.ON_DAY,
                  lambda asked, texts, on: life.identity_wanted(asked, on, texts["why"], texts["wanted"]))
    if asked.state not in (State.REFUSED, State.CLOSED) and not asked.answered:
        if not asked.extension:
            st.subheader(words.EXTEND, anchor=False)
            st.caption(words.EXTEND_SAYS)
            country = console().settings.governance.country
            _form(one, "extend", {"reason": words.EXTEND_REASON}, words.EXTEND, today, words.ON_TOLD,
                  lambda asked, texts, on: life.extended(asked, on, texts["reason"], country))
        st.subheader(words.REFUSE, anchor=False)
        st.caption(words.REFUSE_SAYS)
        _form(one, "refuse", {"ground": words.GROUND, "reason": words.REFUSE_REASON}, words.REFUSE, today, words.ON_TOLD,
              lambda asked, texts, on: life.refused(asked, on, Ground(texts["ground"]), texts["reason"]))
    if asked.state is not State.CLOSED:
        _form(one, "assign", {"to": words.ASSIGN_TO}, words.ASSIGN, today, "",
              lambda asked, texts, _: life.assigned(asked, texts["to"]))
    by = viewer()
    _form(one, "note", {"text": words.NOTE_TEXT}, words.NOTE, today, "",
          lambda asked, texts, _: life.noted(asked, now(), by.name if by else "", texts["text"]))


def close_panel(one: Kept, leftover: Sequence[str]) -> None:
    """The end of a request, when nothing is left to do; or once more, for a subject that was not forgotten."""
    if one.request.state in (State.DONE, State.REFUSED) or one.request.ref in leftover:
        st.button(words.CLOSE, key="request-close", icon=":material/task_alt:", help=words.CLOSE_SAYS, on_click=_close,
                  args=(one.request.ref, one.n))


def letters_panel(one: Kept) -> None:
    """Letters, and the package."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.selectbox(words.LETTER, [letter.value for letter in Letter], key="request-letter-which",
                             format_func=lambda letter: words.LETTERS[letter])
        st.button(words.PREPARE, key="request-prepare", on_click=_prepare, args=(one, which))
    if (ready := st.session_state.get(_LETTER)) is not None and ready[0] == (one.request.ref, one.n, which):
        st.download_button(words.DOWNLOAD, ready[1], file_name=f"{one.request.ref}-{which}.html", mime="text/html",
                           key="request-download", icon=":material/download:")
    if one.request.done(Name.PACKAGE) and one.request.state is not State.CLOSED:
        package_panel(one.request.ref)


def history_panel(versions: list[Kept]) -> None:
    """Notes and versions, the newest first."""
    st.subheader(words.NOTES, anchor=False)
    table([{words.CHANGED: note.at, words.BY: note.by, words.NOTE_TEXT: note.text} for note in
           reversed(versions[-1].request.notes)], "request-notes", {words.CHANGED: TIME}, words.NO_NOTES)
    st.subheader(words.HISTORY_TAB, anchor=False)
    table([{words.VERSION: each.n, words.STATE: str(each.request.state), words.CHANGED: each.at, words.BY: each.by,
            words.WHY: each.why} for each in reversed(versions)], "request-versions", {words.CHANGED: TIME})


def _form(one: Kept, form: str, fields: dict[str, str], label: str, today: date, on_label: str,
          move: Callable[[Request, dict[str, str], date], Request]) -> None:
    """A form of texts and a day. fields: name -> label; what is typed stays until it is kept."""
    ref, name = one.request.ref, f"request-{form}"
    empty: dict[str, Any] = {field: Ground.UNFOUNDED.value if field == "ground" else "" for field in fields}
    if on_label:
        empty["on"] = today
    stands(name, ref, 0, empty)
    with st.form(name, border=False):
        for field, said in fields.items():
            if field == "ground":
                st.selectbox(said, [ground.value for ground in Ground], key=widget(name, ref, field))
            else:
                st.text_input(said, key=widget(name, ref, field), help=words.NOTE_HELP if form == "note" else None)
        if on_label:
            st.date_input(on_label, key=widget(name, ref, "on"), max_value=today, format="YYYY-MM-DD")
        st.form_submit_button(label, key=f"{name}-do", on_click=_kept, args=(name, ref, one.n, label, move))


def _kept(name: str, ref: str, n: int, label: str, move: Callable[[Request, dict[str, str], date], Request]) -> None:
    if (typed := typing(name, ref)) is not None:
        texts = {field: text.strip() for field, text in typed.texts.items() if isinstance(text, str)}
        if changed(ref, n, lambda asked, today: move(asked, texts, typed.texts.get("on", today)), label):
            drop(name, ref)


def _given(ref: str, n: int) -> None:
    changed(ref, n, life.identity_given, words.GIVEN)


def _show(ref: str) -> None:
    def do(_: str) -> str:
        with opened() as requests:
            st.session_state[_WHOM] = ref, requests.subject(ref), time.monotonic() + SHOWN_FOR_S
        return words.WHOM_SAYS

    act("requests.read", ref, do, words.WHOM)


def _close(ref: str, n: int) -> None:
    def do(name: str) -> str:
        with opened() as requests:
            requests.close(ref, n, name, words.CLOSE_WHY)
        return words.closed(ref)

    if act("requests.change", ref, do, words.CLOSE_WHY):
        for key in (_WHOM, _LETTER):
            st.session_state.pop(key, None)
        forget_package()


def _prepare(one: Kept, which: str) -> None:
    def do(_: str) -> str:
        with opened() as requests:
            st.session_state[_LETTER] = (one.request.ref, one.n, which), requests.letter(one, Letter(which))
        return f"{words.LETTER}: {words.LETTERS[which]}"

    act("requests.export", f"{one.request.ref} {which}", do)
