"""Public figures: the snapshots, what would be published now and what is held back and why, publishing, withdrawing."""

import streamlit as st

from app import publishing, words_law
from app.parts import broken_page, live, open_page, whole_page
from engine.errors import RollcallError

looks = open_page("publishing")
with st.container(horizontal=True):
    st.button(words_law.PREVIEW, key="publishing-preview", icon=":material/preview:", help=words_law.PREVIEW_SAYS,
              on_click=publishing.preview, disabled=not looks.may("publishing.preview"))
    st.button(words_law.PUBLISH_NOW, key="publishing-publish", icon=":material/campaign:", help=words_law.PUBLISH_NOW_SAYS,
              on_click=publishing.publish, disabled=not looks.may("publishing.publish"))
live("publishing.read", publishing.jobs)
above = st.container()
try:
    newest = publishing.shown()
except RollcallError as error:
    broken_page(error)
whole_page()
if looks.may("publishing.preview"):
    with above:
        publishing.previewed(newest)
if looks.may("publishing.withdraw"):
    publishing.withdraw_panel()
