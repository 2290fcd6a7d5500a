"""How long data are kept: what the register states against what was measured, what is due, and the runs of the job."""

import streamlit as st

from app import retention, words_law
from app.parts import broken_page, live, open_page, whole_page
from engine.errors import RollcallError

looks = open_page("retention")
with st.container(horizontal=True):
    st.button(words_law.MEASURE, key="retention-measure", icon=":material/straighten:", help=words_law.MEASURE_SAYS,
              on_click=retention.measure, disabled=not looks.may("retention.measure"))
    st.button(words_law.RUN, key="retention-run", icon=":material/auto_delete:", help=words_law.RUN_SAYS,
              on_click=retention.run, disabled=not looks.may("retention.run"))
live("retention.read", retention.jobs)
try:
    retention.shown()
except RollcallError as error:
    broken_page(error)
whole_page()
