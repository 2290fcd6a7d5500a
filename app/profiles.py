"""The parts of the Profiles page: filters, the stack of paging states, counts, and the reveal."""

import time
from uuid import UUID

import streamlit as st

from app import words
from app.acts import act
from app.counted import Counted
from app.parts import now, say, viewer
from app.public.countries import name
from app.stores import console
from engine.clients import cassandra_session
from engine.errors import CommandRefused
from engine.stores.browse import COUNTED_TO, Browse, Page, Wanted, reveal

REVEALED_FOR_S = 60
COUNTED_FOR_S = 30
SHORTEST_REASON = 10
OLDEST = 110
DOMAINS_OFFERED = 200

COLUMNS = {
    "uuid": st.column_config.TextColumn(words.UUID, width=310),
    "display_name": words.INITIALS, "nat": words.NATIONALITY, "country": words.COUNTRY,
    "gender": words.GENDER, "age": words.AGE,
    "city": words.CITY, "email_domain": words.DOMAIN, "pinned": words.RECTIFIED,
    "first_seen": st.column_config.DatetimeColumn(words.FIRST_SEEN, format="YYYY-MM-DD HH:mm:ss"),
}

_STATES, _FOR, _REVEALED = "profiles-states", "profiles-for", "profiles-revealed"


def filters(counted: Counted | None) -> Wanted:
    """The filters as they are set. The address that is searched for becomes its token and is forgotten."""
    nats = [] if counted is None else sorted(counted.nationalities["code"])
    domains = [] if counted is None else list(counted.domains["domain"][:DOMAINS_OFFERED])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        nat = st.selectbox(words.NATIONALITY, nats, index=None, format_func=name, placeholder=words.ANY, key="profiles-nat")
        domain = st.selectbox(words.DOMAIN, domains, index=None, placeholder=words.ANY, accept_new_options=True,
                              key="profiles-domain")
        ages = st.slider(words.AGE, 0, OLDEST, (0, OLDEST), key="profiles-ages")
        st.text_input(words.EMAIL, key="profiles-email", help=words.EMAIL_HELP, on_change=_searched, autocomplete="off")
    tokens = st.session_state.get("profiles-token", ())
    if tokens:
        st.button(f"{words.EMAIL}: {tokens[-1][:8]}…", icon=":material/close:", key="profiles-clear", on_click=_cleared)
    return Wanted(nat or "", domain or "", None if ages == (0, OLDEST) else ages, tokens)


def current(wanted: Wanted) -> tuple[Page, int]:
    """The page where one is, and its number from 1. Other filters begin at the first page."""
    if st.session_state.get(_FOR) != wanted:
        st.session_state[_FOR], st.session_state[_STATES] = wanted, [None]
    states = st.session_state[_STATES]
    page = _browse().page(wanted, states[-1])
    st.session_state["profiles-after"] = page.after
    return page, len(states)


def step(direction: int) -> None:
    """To the next page or back: the states stay here, a browser never has one."""
    states = st.session_state[_STATES]
    if direction > 0 and st.session_state.get("profiles-after"):
        states.append(st.session_state["profiles-after"])
    elif direction < 0 and len(states) > 1:
        states.pop()


def count(wanted: Wanted, counted: Counted | None) -> str:
    """How many fit: of no or one filter from the aggregates, of others by reading, as far as that is quick."""
    if wanted.filters <= 1 and not wanted.email_tokens and counted is not None:
        return f"{counted.users_of(wanted.nat, wanted.domain, wanted.born(now().date())):,}"
    key = (wanted, time.monotonic() // COUNTED_FOR_S)
    if st.session_state.get("profiles-counted-for") != key:
        st.session_state["profiles-counted-for"], st.session_state["profiles-counted"] = key, _browse().count(wanted)
    number = st.session_state["profiles-counted"]
    return words.MANY if number is None else f"{number:,}" if number <= COUNTED_TO else f"{COUNTED_TO:,}+"


def reveal_panel() -> None:
    """One person in clear, for a minute, with a reason."""
    with st.expander(words.REVEAL, key="profiles-reveal-box", icon=":material/visibility:"):
        st.caption(words.REVEAL_SAYS)
        with st.form("profiles-reveal", border=False):
            st.text_input(words.REVEAL_WHO, key="profiles-who")
            st.text_input(words.REVEAL_WHY, key="profiles-why")
            st.form_submit_button(words.REVEAL_DO, key="profiles-do", on_click=_reveal)
        _shown()


@st.fragment(run_every=5)
def _shown() -> None:
    """The person while the minute lasts; looked at by itself, so that it goes without a click."""
    looks, standing = viewer(), _standing()
    if looks is None:
        st.rerun(scope="app")
    if standing is None or not looks.may("profiles.reveal"):
        return
    uuid, values, _ = standing
    st.table({"field": ["uuid", *values], "value": [uuid, *values.values()]})
    st.button(words.REVEAL_HIDE, key="profiles-hide", on_click=_hide)


def _reveal() -> None:
    who, why = st.session_state["profiles-who"].strip(), " ".join(st.session_state["profiles-why"].split())
    _hide()
    try:
        uuid = str(UUID(who))
    except ValueError:
        say("failed", words.failed(words.NO_UUID))
        return
    if len(why) < SHORTEST_REASON:
        say("failed", words.NO_REASON)
        return

    def do(_: str) -> str:
        settings = console().settings
        with cassandra_session(settings, "officer") as session:
            found = reveal(session, settings.cassandra.keyspace, console().keys, uuid)
        if found is None:
            raise CommandRefused(words.NO_SUCH_PERSON)
        st.session_state[_REVEALED] = uuid, found, time.monotonic() + REVEALED_FOR_S
        return words.REVEALED

    act("profiles.reveal", f"person {console().keys.suppression_token(uuid)[:16]}", do, why)


def _standing() -> tuple[str, dict[str, str], float] | None:
    """What is revealed and may still be shown."""
    standing: tuple[str, dict[str, str], float] | None = st.session_state.get(_REVEALED)
    if standing is not None and time.monotonic() > standing[2]:
        _hide()
        return None
    return standing


def _hide() -> None:
    st.session_state.pop(_REVEALED, None)


def _searched() -> None:
    """Looks a person up by their address: written down first, as a token, for it is a question about somebody."""
    address = st.session_state["profiles-email"].strip()
    st.session_state["profiles-email"], st.session_state["profiles-token"] = "", ()
    if not address:
        return
    tokens = tuple(console().keys.email_tokens(address))

    def do(_: str) -> str:
        st.session_state["profiles-token"] = tokens
        return words.SEARCHED

    act("profiles.search", f"e-mail {tokens[-1][:16]}", do)


def _cleared() -> None:
    st.session_state["profiles-token"] = ()


def _browse() -> Browse:
    with console().stores.cassandra() as session:
        return Browse(session, console().settings.cassandra.keyspace, now().date())
