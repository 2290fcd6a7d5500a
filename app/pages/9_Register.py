"""The register of processing activities: what is done with people's data, and whether the systems do just that."""

import streamlit as st

from app import register, words_law
from app.parts import broken_page, live, open_page, whole_page
from engine.compliance.register import searched
from engine.errors import RollcallError

looks = open_page("register")
try:
    with register.opened() as kept_in:
        kept = kept_in.all()
except RollcallError as error:
    broken_page(error)
whole_page()
text = st.text_input(words_law.SEARCH, key="register-contains", help=words_law.SEARCH_HELP)
found = searched(kept, text) if text else kept
register.listed(found)
if not found:
    st.stop()
ref = st.selectbox(words_law.CHOOSE, [one.ref for one in found], key="register-which")
chosen = next(one for one in found if one.ref == ref)
names = [words_law.SHOW, words_law.VERSIONS, words_law.CHECK]
if looks.may("register.change"):
    names[1:1] = [words_law.EDIT]
    names.append(words_law.FILES)
for name, tab in zip(names, st.tabs(names), strict=True):
    with tab:
        if name == words_law.SHOW:
            register.shown(chosen.newest)
        elif name == words_law.EDIT:
            register.edit(chosen)
        elif name == words_law.VERSIONS:
            register.versions(chosen)
        elif name == words_law.CHECK:
            st.caption(words_law.CHECK_SAYS)
            st.button(words_law.CHECK_NOW, key="register-check", icon=":material/fact_check:", on_click=register.check)
            live("register.read", register.check_panel)
        else:
            register.export_panel(kept)
            register.import_panel()
