"""Accounts and who is signed in: add, new password, roles, disable, end sessions."""

import streamlit as st

from app import accounts, words
from app.parts import TIME, broken_page, open_page, table, whole_page
from app.stores import console
from engine.errors import RollcallError

looks = open_page("accounts")
accounts.password_once()
try:
    there, sessions = console().accounts().all(), console().accounts().sessions()
except RollcallError as error:
    broken_page(error)
whole_page()
table([{words.ACCOUNT: one.name, words.ROLES: sorted(one.roles), words.DISABLED: one.disabled,
        words.SIGNED_IN: sum(session.account == one.name for session in sessions), words.CHANGED: one.changed_at}
       for one in there], "accounts-table", {words.CHANGED: TIME})
if looks.may("accounts.change"):
    accounts.add_panel()
    accounts.change_panel([one.name for one in there])
st.subheader(words.SESSIONS, anchor=False)
table([{words.ACCOUNT: one.account, words.BEGAN: one.began, words.ADDRESS: one.address, words.BROWSER: one.agent}
       for one in sessions], "accounts-sessions", {words.BEGAN: TIME})
