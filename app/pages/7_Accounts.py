"""Accounts and who is signed in: add, new password, roles, disable, bind to a provider, end sessions."""

import streamlit as st

from app import accounts, words
from app import words_watching as said
from app.parts import TIME, as_read, broken_page, open_page, table, whole_page
from app.stores import console
from engine.errors import RollcallError

looks = open_page("accounts")
accounts.password_once()
try:
    there, sessions = console().accounts().all(), console().accounts().sessions()
except RollcallError as error:
    broken_page(error)
whole_page()
as_read()
table([{words.ACCOUNT: one.name, said.ROLES: sorted(one.roles), said.DISABLED: one.disabled,
        said.PROVIDER: said.PROVIDERS[one.provider],
        said.SIGNED_IN: sum(session.account == one.name for session in sessions), said.CHANGED: one.changed_at}
       for one in there], "accounts-table", {said.CHANGED: TIME})
if looks.may("accounts.change"):
    accounts.add_panel()
    accounts.change_panel(there)
st.subheader(said.SESSIONS, anchor=False)
table([{words.ACCOUNT: one.account, said.BEGAN: one.began, said.ADDRESS: one.address, said.BROWSER: one.agent}
       for one in sessions], "accounts-sessions", {said.BEGAN: TIME})
