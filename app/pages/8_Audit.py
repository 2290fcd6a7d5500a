"""The audit: who did what, when and why, newest first; searched, and checked link by link."""

import streamlit as st

from app import audit, words
from app import words_watching as said
from app.parts import TIME, as_read, broken_page, live, open_page, table, whole_page
from engine.errors import RollcallError

looks = open_page("audit")
with st.container(horizontal=True, vertical_alignment="bottom"):
    text = st.text_input(said.AUDIT_SEARCH, key="audit-contains", help=said.AUDIT_SEARCH_HELP, on_change=audit.from_newest)
    st.button(words.VERIFY, key="audit-verify", icon=":material/fact_check:", on_click=audit.verify,
              disabled=not looks.may("audit.verify"))
live("audit.read", audit.check)
audit.chained_in()
try:
    looked = audit.page(text)
except RollcallError as error:
    broken_page(error)
whole_page()
as_read()
table([{said.ENTRY: entry.n, said.WHEN: entry.at, said.WHO: entry.who, said.ACT: entry.act, said.TARGET: entry.target,
        said.RESULT: entry.result, said.WHY: entry.why} for entry in looked.found], "audit-table",
      {said.WHEN: TIME}, said.NO_ENTRIES)
if text and looked.last:
    st.caption(said.audit_looked(looked.newest, looked.last))
with st.container(horizontal=True):
    st.button(said.NEWEST_FIRST, key="audit-newest", on_click=audit.from_newest)
    st.button(said.OLDER, key="audit-older", on_click=audit.older, args=(looked.last,), disabled=looked.last <= 1)
