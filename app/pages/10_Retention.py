"""How long data are kept: what the register states against what was measured, what is due, and the runs of the job."""

import streamlit as st

from app import retention, words_law
from app.parts import again_later, broken_page, fresh, live, open_page, whole_page
from app.stores import console
from engine.errors import RollcallError

looks = open_page("retention")
reading = console().retention.now(wait_s=0.3)    # whole tables are read: the page says so and comes again
lines = fresh(reading)
if reading.error or lines is None:
    again_later()
if lines is not None:
    retention.stated(lines)
st.subheader(words_law.RUNS, anchor=False)
if looks.may("retention.run"):
    st.button(words_law.RUN, key="retention-run", icon=":material/auto_delete:", help=words_law.RUN_SAYS,
              on_click=retention.run)
live("retention.read", retention.job)
try:
    retention.evidence()
except RollcallError as error:
    broken_page(error)
whole_page()
