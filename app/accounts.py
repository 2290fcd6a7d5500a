"""The parts of the Accounts page: making and changing accounts. A password is shown once, to who asked for it."""

from collections.abc import Callable, Sequence

import streamlit as st

from app import words
from app.acts import act
from app.parts import say, viewer
from app.stores import console
from governance.permissions import Role

_PASSWORD = "accounts-password-once"    # noqa: S105 - the name of a place


def password_once() -> None:
    """The password that was just made; the next run of the page no longer has it."""
    made = st.session_state.pop(_PASSWORD, None)
    if made:
        st.warning(words.SHOWN_ONCE, icon=":material/key:")
        st.code(made, language=None)


def add_panel() -> None:
    """A new account."""
    with st.expander(words.NEW_ACCOUNT, key="accounts-new-box", icon=":material/person_add:"), \
            st.form("accounts-new", border=False):
        st.text_input(words.ACCOUNT, key="accounts-name", help=words.ACCOUNT_NAME_HELP)
        st.multiselect(words.ROLES, [role.value for role in Role], key="accounts-roles")
        st.form_submit_button(words.ADD, key="accounts-add", on_click=_add)


def change_panel(names: Sequence[str]) -> None:
    """A change of one account."""
    with st.expander(words.CHANGE_ACCOUNT, key="accounts-change-box", icon=":material/manage_accounts:"):
        name = st.selectbox(words.ACCOUNT, names, index=None, key="accounts-which")
        roles = st.multiselect(words.ROLES, [role.value for role in Role], key="accounts-new-roles")
        if name is None:
            st.caption(words.CHOOSE_ACCOUNT)
            return
        with st.container(horizontal=True):
            for word, key, what, do in (
                    (words.SET_ROLES, "set", f"roles {', '.join(roles)}", lambda: _set_roles(name, roles)),
                    (words.RESET, "reset", "new password", lambda: _reset(name)),
                    (words.DISABLE, "disable", "disable", lambda: _disable(name, True)),
                    (words.ENABLE, "enable", "enable", lambda: _disable(name, False)),
                    (words.REVOKE, "revoke", "sign out everywhere", lambda: _revoke(name))):
                st.button(word, key=f"accounts-{key}", on_click=_change, args=(name, what, do))


def _add() -> None:
    name, roles = st.session_state["accounts-name"].strip().lower(), st.session_state["accounts-roles"]

    def do(_: str) -> str:
        st.session_state[_PASSWORD] = console().accounts().add(name, roles)
        return words.account_made(name)

    act("accounts.change", name, do, f"add as {', '.join(roles)}")


def _change(name: str, what: str, do: Callable[[], str]) -> None:
    """Changes one account; nobody takes their own way in."""
    looks = viewer()
    if looks is not None and looks.name == name and what.startswith(("disable", "roles", "new password")):
        say("failed", words.NOT_YOURSELF)
        return
    if act("accounts.change", name, lambda _: do(), what):
        for session in console().sessions.of_account(name):
            console().sessions.ended(session)


def _set_roles(name: str, roles: Sequence[str]) -> str:
    console().accounts().set_roles(name, roles)
    return words.account_is(name, roles)


def _reset(name: str) -> str:
    st.session_state[_PASSWORD] = console().accounts().reset(name)
    return words.password_made(name)


def _disable(name: str, disabled: bool) -> str:
    console().accounts().disable(name, disabled)
    return words.account_disabled(name, disabled)


def _revoke(name: str) -> str:
    return words.sessions_ended(console().accounts().end_all(name), name)
