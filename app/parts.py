"""What every page is made of: who looks and whether they may, live panels, freshness, and what the last act came to."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

import streamlit as st

from app import words
from app.listing import BY_KEY
from app.readings import Reading
from app.sessions import Viewer
from app.stores import console
from engine.errors import RollcallError

T = TypeVar("T")

REFRESH = {"2 s": 2, "5 s": 5, "15 s": 15, "60 s": 60}
WATCHED_EVERY_S = 2.0
"""Seconds between two looks at whether the session lasts: what it showed must not outlive it."""

STALE_S = 15.0
"""Age in seconds from which a reading is called old: some refreshes were missed."""

TIME = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", help="UTC")

_SAID, _BROKEN = "said", "broken-since"


def viewer() -> Viewer | None:
    """Who looks, as the door said when they connected and their session says now."""
    session = getattr(st.user, "session", None)
    return console().sessions.get(str(session)) if session else None


def open_page(key: str) -> Viewer:
    """The first statement of every page: its title, what the last act came to, and nothing more for who may not see it."""
    page = BY_KEY[key]
    looks = viewer()
    if looks is not None and not looks.confirmed and not looks.may(page.action):
        st.title(page.title, anchor=False)
        _tell()
        st.warning(words.not_while_away(console().sessions.away_since), icon=":material/cloud_off:")
        again_later()
        st.stop()
    looks = _required(page.action)
    st.title(page.title, anchor=False)
    with st.container():    # always there, so that nothing below changes its place when something is said
        _watch()
        _tell()
    return looks


def sign_in_link() -> None:
    """The way to the door, as a plain link: what a button needs is no longer served to somebody whose session has ended."""
    st.html(f'<a href="/sign-in" target="_self">{words.SIGN_IN}</a>')


def changed(name: str, now_is: bool) -> None:
    """Runs the whole page again when something it does not read by itself is otherwise than at its last run."""
    if st.session_state.get(name, False) != now_is:
        st.session_state[name] = now_is
        st.rerun(scope="app")


def _watch() -> None:
    """Says on any page, live or not, that the session cannot be confirmed or has ended."""
    @st.fragment(run_every=WATCHED_EVERY_S)
    def watch() -> None:
        looks = viewer()
        if looks is None:    # then the whole page goes, and what stands on it
            st.rerun(scope="app")
        changed("away", not looks.confirmed)
        if not looks.confirmed:
            st.warning(words.unconfirmed(console().sessions.away_since), icon=":material/cloud_off:")

    watch()


def _tell() -> None:
    for kind, text in st.session_state.pop(_SAID, ()):
        (st.success if kind == "done" else st.error)(text, icon=words.ICON_DONE if kind == "done" else words.ICON_FAILED)


def live(action: str, draw: Callable[[Viewer], None]) -> None:
    """A panel that draws itself again at the viewer's refresh rate, and asks each time whether they still may."""
    @st.fragment(run_every=refresh_s())
    def panel() -> None:
        # an act of this panel has something to say at the top, or the session has ended: then all of the page goes
        if st.session_state.get(_SAID) or viewer() is None:
            st.rerun(scope="app")
        draw(_required(action))

    panel()


def refresh_s() -> int:
    """Seconds between two refreshes, as the viewer chose them in the side bar (app/Home.py)."""
    return REFRESH[st.session_state.get("refresh", "5 s")]


def fresh(reading: Reading[T], of: Callable[[T], datetime | None] = lambda _: None) -> T | None:
    """Says of when a reading is, or since when and why there is none; returns its value, None where there never was one.

    of: of when the value itself is, where it says so: figures that nobody renews are not newer for being read again.
    """
    if reading.error is not None and reading.since is not None:
        st.warning(words.broken(str(reading.error), reading.since, reading.at), icon=":material/cloud_off:")
    elif reading.at is None:
        st.info(words.LOADING, icon=":material/hourglass_top:")
    elif reading.age_s > STALE_S + refresh_s():
        st.warning(words.stale(reading.at, reading.age_s), icon=":material/schedule:")
    else:
        st.caption(words.as_of((of(reading.value) if reading.value is not None else None) or reading.at))
    return reading.value


def as_read() -> None:
    """Says of when a page is that reads its store itself each time it is drawn."""
    st.caption(words.as_of(now()))


def broken_page(error: RollcallError) -> NoReturn:
    """Ends a page whose store is away: says what and since when, and runs the page again until it is back."""
    since = st.session_state.setdefault(_BROKEN, now())
    st.warning(words.broken(str(error), since, None), icon=":material/cloud_off:")
    again_later()
    st.stop()


def whole_page() -> None:
    """Says that nothing the page needs is away (any more)."""
    st.session_state.pop(_BROKEN, None)


def again_later() -> None:
    """Runs the whole page again after a refresh: what it waits for may be there then."""
    begun: list[bool] = []

    @st.fragment(run_every=refresh_s())
    def again() -> None:
        if begun:
            st.rerun(scope="app")
        begun.append(True)

    again()


def say(kind: str, text: str) -> None:
    """Keeps what an act came to (`done` or `failed`) for the next run of the page, which shows it at the top."""
    st.session_state.setdefault(_SAID, []).append((kind, text))


def table(rows: list[dict[str, Any]], key: str, columns: dict[str, Any] | None = None, empty: str = "") -> None:
    """A table, or a sentence where there is nothing."""
    if not rows:
        st.info(empty or words.NOTHING, icon=":material/inbox:")
        return
    st.dataframe(rows, key=key, hide_index=True, column_config=columns, width="stretch")


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def _required(action: str) -> Viewer:
    looks = viewer()
    if looks is None:
        st.error(words.SESSION_ENDED, icon=":material/lock:")
        sign_in_link()
        st.stop()
    if not looks.may(action):
        st.error(words.may_not(action, looks.roles) if looks.confirmed
                 else words.not_while_away(console().sessions.away_since), icon=":material/lock:")
        st.stop()
    return looks
