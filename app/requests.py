"""The parts of the Requests page: the list with its clocks, a new one, and what all parts share."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import streamlit as st

from app import words_requests as words
from app.acts import act
from app.parts import say, table
from app.register_form import drop, stands, typing, widget
from app.stores import console
from engine.compliance.requests import Kept, Requests
from engine.compliance.subjects import Leftover
from engine.stores.records import Records
from governance.requests.kind import Kind
from governance.requests.request import Request, State

DAY = st.column_config.DateColumn(format="YYYY-MM-DD")
CHOSEN = "request-which"
_NEW, _CLOSED_TOO = "request-new", "request-closed-too"


@contextmanager
def opened() -> Iterator[Requests]:
    """The requests, over the officer's session. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        yield Requests(console().settings, Records(console().settings, session), console().keys)


def listed(requests: Requests, kept: Sequence[Kept], leftover: Leftover, may_change: bool) -> list[Kept]:
    """Every request with its clock, first what is late; returns those that are listed. leftover: subjects that stand by
    themselves."""
    today = requests.today
    days = {one.request.ref: requests.days(one.request) for one in kept}
    if late := [ref for ref, clock in days.items() if clock.answered is None and clock.late(today)]:
        st.error(words.over_time(late), icon=words.OVERDUE_ICON)
    if behind := [ref for ref, clock in days.items() if clock.behind(today) and ref not in late]:
        st.warning(words.behind(behind), icon=words.BEHIND_ICON)
    if leftover.closed:
        st.warning(words.not_forgotten(leftover.closed), icon=":material/person_off:")
    for ref, began in leftover.unlogged.items():
        st.error(words.not_logged(ref, began), icon=words.OVERDUE_ICON)
        if may_change:
            st.button(words.DROP, key=f"request-drop-{ref}", icon=":material/person_off:", on_click=_drop, args=(ref,))
    every = st.toggle(words.CLOSED_TOO, key=_CLOSED_TOO)
    shown = [one for one in kept if every or one.request.state is not State.CLOSED or one.request.ref in leftover.closed]
    shown.sort(key=lambda one: (days[one.request.ref].answered is not None, days[one.request.ref].legal, one.request.ref))
    table([{words.REF: one.request.ref, words.KIND: one.request.kind.said, words.STATE: str(one.request.state),
            words.CLOCK: words.days(days[one.request.ref].left(today), days[one.request.ref].answered),
            words.DUE: days[one.request.ref].legal, words.TARGET: days[one.request.ref].target,
            words.RECEIVED: one.request.received, words.ASSIGNED: one.request.assigned, words.PERSON: one.request.person}
           for one in shown], "request-list",
          {**dict.fromkeys((words.DUE, words.TARGET, words.RECEIVED), DAY),
           words.PERSON: st.column_config.TextColumn(help=words.PERSON_HELP)}, words.NONE_OPEN if kept else words.NONE)
    return shown


def new_panel(today: date) -> None:
    """A new request: what came, when, and about whom."""
    with st.expander(words.NEW, key="request-new-box", icon=":material/mark_email_unread:"):
        st.caption(words.NEW_SAYS)
        empty = _empty(today)
        stands(_NEW, _NEW, 0, empty)
        key = {name: widget(_NEW, _NEW, name) for name in empty}
        with st.form("request-new", border=False):
            st.selectbox(words.KIND, [kind.value for kind in Kind], key=key["kind"], format_func=lambda kind: Kind(kind).said)
            st.date_input(words.RECEIVED_ON, key=key["received"], max_value=today, format="YYYY-MM-DD")
            st.text_input(words.CHANNEL, key=key["channel"], help=words.CHANNEL_HELP)
            st.text_input(words.UUID, key=key["uuid"], autocomplete="off")
            st.text_input(words.EMAIL, key=key["email"], autocomplete="off")
            st.text_input(words.ADDRESS, key=key["reply_to"], help=words.ADDRESS_HELP, autocomplete="off")
            st.text_area(words.FIELDS, key=key["fields"], help=words.FIELDS_HELP, height=80)
            st.form_submit_button(words.LOG, key="request-log", on_click=_new)


def changed(ref: str, n: int, move: Callable[[Request, date], Request], why: str) -> bool:
    """Whether a change on top of version `n`, the one that was shown, is kept. For callbacks."""
    def do(name: str) -> str:
        with opened() as requests:
            kept = requests.change(ref, n, name, why, lambda asked: move(asked, requests.today))
        return words.changed(ref, kept.n, str(kept.request.state))

    return act("requests.change", ref, do, why)


def _drop(ref: str) -> None:
    def do(_: str) -> str:
        with opened() as requests:
            requests.drop(ref)
        return words.dropped(ref)

    act("requests.change", ref, do, words.DROP_WHY)


def _new() -> None:
    if (typed := typing(_NEW, _NEW)) is None:
        return
    fields = dict(typed.texts)
    try:
        corrected = json.loads(fields["fields"]) if fields["fields"].strip() else {}
    except ValueError:
        say("failed", words.NOT_A_FIELD)
        return
    about: Mapping[str, Any] = {"fields": corrected, **{name: fields[name].strip() for name in ("uuid", "email", "reply_to")}}

    def do(name: str) -> str:
        with opened() as requests:
            kept = requests.log(Kind(fields["kind"]), fields["received"], fields["channel"], about, name, words.WHY_LOGGED)
            said = [words.logged(kept.request.ref, requests.days(kept.request).legal)]
            if others := requests.same_person(kept.request):
                said.append(words.same_person(others))
        st.session_state[CHOSEN] = kept.request.ref
        return " ".join(said)

    if act("requests.change", f"new {fields['kind']}", do, words.WHY_LOGGED):
        drop(_NEW, _NEW)


def _empty(today: date) -> dict[str, Any]:
    """What stands in the form of a new request in which nothing is typed."""
    return {"kind": Kind.ACCESS.value, "received": today, "channel": "", "uuid": "", "email": "", "reply_to": "", "fields": ""}
