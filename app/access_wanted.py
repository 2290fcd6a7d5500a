"""The part of the page Kafka access in which people edit what is wanted: a text, its faults, its versions."""

from collections.abc import Sequence
from difflib import unified_diff

import streamlit as st

from app import words_access as words
from app.access import wanted
from app.access_seen import Seen
from app.acts import act
from app.parts import TIME, say, table
from app.register_form import begin_again, drop, drop_reason, reason, stands, typed_reason, typing, widget
from app.sessions import Viewer
from app.stores import console
from engine.access.broker import AccessRefused
from engine.access.state import Text, keepable
from governance.kafka_access.document import NotWanted
from governance.kafka_access.sentence import sentence
from governance.kafka_access.wanted import parsed

_FORM, _REF, _TEXT = "access", "kafka", "text"
_TALL = 480


def wanted_text(looks: Viewer, seen: Seen) -> None:
    """The text, to be edited by who may; then every version."""
    if looks.may("access.change"):
        _edit(seen)
    else:
        st.code(seen.version.text, language="yaml")
    _versions(seen.versions)


def _edit(seen: Seen) -> None:
    now = stands(_FORM, _REF, seen.version.n, {_TEXT: seen.version.text})
    base, text = now.shown[_TEXT], now.texts[_TEXT]
    stale = now.n != seen.version.n
    if stale:
        _stale_panel(seen, base, text)
    st.caption(words.EDIT_SAYS)
    why = reason(_FORM, _REF)
    with st.form("access-edit", border=False):
        st.text_area(words.TEXT, key=widget(_FORM, _REF, _TEXT), height=_TALL)
        st.text_input(words.WHY, key=why, help=words.WHY_HELP)
        with st.container(horizontal=True):    # all of one form: a click sends what is typed
            st.form_submit_button(words.LOOK, key="access-look", icon=":material/preview:")
            st.form_submit_button(words.SAVE, key="access-save", icon=":material/save:", on_click=_save)
    st.button(words.BEGIN_AGAIN, key="access-undo", on_click=_begin_again, args=(seen,))
    if text != base:
        _means(seen, base, text)


def _means(seen: Seen, base: str, text: str) -> None:
    """What a text that is typed amounts to: why Save would refuse it, each fault with its line; or the rules that are more and
    less."""
    try:
        parsed(text)
        made = keepable(console().settings, text)
    except NotWanted as error:
        # whole sentences, which a cell of a data frame would cut
        st.table({words.LINE: [one.line for one in error.faults], words.FAULT: [one.what for one in error.faults]})
        return
    except AccessRefused as error:
        st.error(f"{words.SAVE_REFUSED} {error}", icon=":material/error:")
        return
    st.caption(f"{words.SOUND} {seen.version.n}:")
    more = [{words.CHANGE: words.MORE, words.RULE: sentence(rule, made.teams)}
            for rule in sorted(made.rules - seen.version.rules)]
    less = [{words.CHANGE: words.LESS, words.RULE: sentence(rule, seen.version.teams)}
            for rule in sorted(seen.version.rules - made.rules)]
    table(more + less, "access-means", empty=words.SAME_RULES)
    st.code(_difference(base, text), language="diff")


def _stale_panel(seen: Seen, base: str, text: str) -> None:
    newest = seen.version
    st.warning(words.STALE, icon=":material/sync_problem:")
    st.text(words.stale(newest.n, newest.by, newest.at, newest.why))
    for label, other in ((words.THEIRS, newest.text), (words.MINE, text)):
        st.caption(label)
        st.code(_difference(base, other), language="diff")
    with st.container(horizontal=True):
        st.button(words.TAKE_THEIRS, key="access-take", on_click=_begin_again, args=(seen,))
        st.button(words.ON_THEIRS, key="access-on-theirs", help=words.ON_THEIRS_HELP, on_click=_on_theirs, args=(seen,))


def _versions(there: Sequence[Text]) -> None:
    st.subheader(words.VERSIONS, anchor=False)
    table([{words.VERSION: one.n, words.CHANGED: one.at, words.BY: one.by, words.WHY: one.why} for one in reversed(there)],
          "access-versions", {words.CHANGED: TIME})
    by_number = {one.n: one for one in there}
    n = st.selectbox(words.VERSION, sorted(by_number, reverse=True), key="access-version")
    if n:
        st.code(_difference(by_number[n - 1].text, by_number[n].text) or words.NOTHING_CHANGED, language="diff")
    else:
        st.caption(words.FIRST_VERSION)


def _difference(before: str, after: str) -> str:
    return "\n".join(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))


def _begin_again(seen: Seen) -> None:
    begin_again(_FORM, _REF, seen.version.n, {_TEXT: seen.version.text})


def _on_theirs(seen: Seen) -> None:
    """What is typed stays, and is from now on compared with the newest version."""
    now = typing(_FORM, _REF)
    text = now.texts[_TEXT] if now else seen.version.text
    _begin_again(seen)
    st.session_state[widget(_FORM, _REF, _TEXT)] = text


def _save() -> None:
    if (now := typing(_FORM, _REF)) is None:
        say("failed", words.FORM_GONE)
        return
    text, base_n, why = str(now.texts[_TEXT]), now.n, typed_reason(_FORM, _REF)
    if not now.touched:
        say("failed", words.NOTHING_CHANGED)
        return

    def do(name: str) -> str:
        try:
            with wanted() as state:
                n = state.save(text, base_n, name, why).n
        finally:    # also where somebody else has saved: the page then shows what
            console().access.again()
        drop(_FORM, _REF)
        drop_reason(_FORM, _REF)
        return words.saved(n)

    act("access.change", "kafka", do, why)
