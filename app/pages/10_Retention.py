"""How long data are kept: what the register states against what was measured, what is due, and the runs of the job."""

import streamlit as st

from app import retention, words_law
from app.parts import again_later, broken_page, fresh, live, open_page, whole_page
from app.stores import RETENTION_EVERY_S, RETENTION_WITHIN_S, console
from engine.errors import RollcallError

looks = open_page("retention")
reading = console().retention.now(wait_s=0.3)    # whole tables are read: the page says so and comes again
found = fresh(reading, RETENTION_EVERY_S + RETENTION_WITHIN_S)
if reading.error or found is None:
    again_later()
if found is not None:
    retention.stated(found["lines"])
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
