"""The audit: who did what, when and why, newest first; searched, and checked link by link."""

import streamlit as st

from app import audit, words
from app.parts import TIME, broken_page, open_page, table, whole_page
from app.stores import console
from engine.errors import RollcallError

looks = open_page("audit")
with st.container(horizontal=True, vertical_alignment="bottom"):
    text = st.text_input(words.AUDIT_SEARCH, key="audit-contains", on_change=audit.from_newest)
    st.button(words.VERIFY, key="audit-verify", icon=":material/fact_check:", on_click=audit.verify,
              disabled=not looks.may("audit.verify"))
if kept := console().audit().kept:
    st.info(words.audit_kept(kept), icon=":material/hourglass_top:")
try:
    shown, last = audit.page(text)
except RollcallError as error:
    broken_page(error)
whole_page()
table([{words.ENTRY: entry.n, words.WHEN: entry.at, words.WHO: entry.who, words.ACT: entry.act, words.TARGET: entry.target,
        words.RESULT: entry.result, words.WHY: entry.why} for entry in shown], "audit-table",
      {words.WHEN: TIME}, words.NO_ENTRIES)
with st.container(horizontal=True):
    st.button(words.NEWEST_FIRST, key="audit-newest", on_click=audit.from_newest)
    st.button(words.OLDER, key="audit-older", on_click=audit.older, args=(last,), disabled=last == 1)
