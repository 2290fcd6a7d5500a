"""Who may use which topic of Kafka: by principal, by topic, drift, a checker; what is wanted, planned, applied; users."""

import streamlit as st

from app import access, words_access
from app.access_plan import drift, plan
from app.access_users import users
from app.access_wanted import wanted_text
from app.accounts import password_once
from app.parts import again_later, fresh, live, open_page
from app.stores import console

looks = open_page("access")
with st.container():    # always there, so that the tabs below stay where they are and as they are
    live("access.read", access.jobs)
with st.container():
    password_once()
with st.container():
    # not live: what is read must not change under the hand that is about to act on it
    reading = console().access.now()
    seen = fresh(reading)
    if reading.error or seen is None or access.awaited(reading):
        again_later()
if seen is None:
    st.stop()
with st.container():
    if seen.unreadable:
        st.warning(words_access.UNREADABLE, icon=":material/visibility_off:")
st.button(words_access.READ_AGAIN, key="access-again", icon=":material/refresh:", on_click=access.read_again)
names = [words_access.BY_PRINCIPAL, words_access.BY_TOPIC, words_access.DRIFT]
if looks.may("access.check"):
    names.append(words_access.CHECKER)
names += [words_access.WANTED, words_access.PLAN, words_access.USERS, words_access.DENIED]
for name, tab in zip(names, st.tabs(names), strict=True):
    with tab:
        if name == words_access.BY_PRINCIPAL:
            access.by_principal(seen)
        elif name == words_access.BY_TOPIC:
            access.by_topic(seen)
        elif name == words_access.DRIFT:
            drift(looks, seen)
        elif name == words_access.CHECKER:
            access.checker(seen)
        elif name == words_access.WANTED:
            wanted_text(looks, seen)
        elif name == words_access.PLAN:
            plan(looks, seen)
        elif name == words_access.USERS:
            users(looks, seen)
        else:
            access.denied(seen)
