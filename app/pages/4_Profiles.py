"""People as rows, masked by the database itself; for the officer one of them in clear, with a reason."""

import streamlit as st

from app import profiles, words
from app.parts import as_read, broken_page, open_page, table, whole_page
from app.stores import console
from engine.errors import RollcallError

looks = open_page("profiles")
st.caption(words.MASKED)
if looks.may("profiles.reveal"):
    profiles.reveal_panel()
counted = console().counted.now().value
wanted = profiles.filters(counted)
try:
    page, number = profiles.current(wanted)
except RollcallError as error:
    broken_page(error)
whole_page()
as_read()
count = profiles.count(wanted, counted)
st.caption(words.shown_of(len(page.rows), number, count))
nobody = words.NO_PROFILES if number == 1 else words.NO_PROFILES_FURTHER
table([{**row, "uuid": str(row["uuid"]), "pinned": sorted(row["pinned"] or ())} for row in page.rows], "profiles-rows",
      profiles.COLUMNS, words.looked_to(page.looked_to) if page.looked_to else nobody)
if page.rows and page.looked_to:
    st.caption(words.looked_to(page.looked_to))
with st.container(horizontal=True):
    st.button(words.PREVIOUS_PAGE, key="profiles-previous", on_click=profiles.step, args=(-1,), disabled=number == 1)
    st.button(words.NEXT_PAGE, key="profiles-next", on_click=profiles.step, args=(1,), disabled=page.after is None)
