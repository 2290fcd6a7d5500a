"""Breaches: the log, the clock of each, what is still missing, and the letters."""

import streamlit as st

from app import breaches, words_law
from app.parts import broken_page, open_page, whole_page
from engine.errors import RollcallError

looks = open_page("breaches")
try:
    with breaches.opened() as log:
        logged = log.all()
except RollcallError as error:
    broken_page(error)
whole_page()
breaches.listed(logged)
if looks.may("breaches.change"):
    breaches.new_panel()
if not logged:
    st.stop()
ref = st.selectbox(words_law.CHOOSE, [one.breach.ref for one in logged], key="breach-which")
breaches.one_panel(next(one for one in logged if one.breach.ref == ref), looks)
