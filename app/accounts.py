"""The parts of the Accounts page: making and changing accounts. A password is shown once, to who asked for it."""

import time
from collections.abc import Callable, Sequence

import streamlit as st

from app import words
from app import words_watching as said
from app.acts import act
from app.jobs import HalfDone
from app.parts import say, viewer
from app.stores import console
from engine.stores.accounts import Account, HalfChanged
from governance.permissions import Role

PASSWORD_LOOKED_AT_S = 2.0
"""Seconds between two looks at whether a password may still be shown."""

_PASSWORD = "password-once"    # noqa: S105 - the name of a place


KEPT_S = 300.0
"""Seconds for which a password that was made is shown: a page is drawn again by much that its reader did not do."""


def show_once(name: str, password: str) -> None:
    """Has the page show the password that was just made for this name, until its reader has it or KEPT_S are over."""
    if looks := viewer():
        _shown()[looks.session, name] = password, time.monotonic() + KEPT_S


def password_once() -> None:
    """Passwords that were just made by who looks, each until they say that they have it."""
    @st.fragment(run_every=PASSWORD_LOOKED_AT_S if _shown() else None)
    def panel() -> None:
        looks, now = viewer(), time.monotonic()
        for (session, name), (password, until) in list(_shown().items()):
            if looks is None or session != looks.session or now >= until:    # the tab may be another's by now
                _seen(session, name)
                continue
            st.warning(said.shown_once(name, KEPT_S / 60), icon=":material/key:")
            st.code(password, language=None)
            st.button(said.HAVE_IT, key=f"password-have {name}", icon=":material/check:", on_click=_seen, args=(session, name))

    panel()


def _shown() -> dict[tuple[str, str], tuple[str, float]]:
    """Session and name -> password, and until when (time.monotonic)."""
    shown: dict[tuple[str, str], tuple[str, float]] = st.session_state.setdefault(_PASSWORD, {})
    return shown


def _seen(session: str, name: str) -> None:
    _shown().pop((session, name), None)


def add_panel() -> None:
    """A new account."""
    with st.expander(said.NEW_ACCOUNT, key="accounts-new-box", icon=":material/person_add:"), \
            st.form("accounts-new", border=False):
        st.text_input(words.ACCOUNT, key="accounts-name", help=said.ACCOUNT_NAME_HELP)
        st.multiselect(said.ROLES, [role.value for role in Role], key="accounts-roles")
        st.form_submit_button(said.ADD, key="accounts-add", on_click=_add)


def change_panel(there: Sequence[Account]) -> None:
    """A change of one account."""
    with st.expander(said.CHANGE_ACCOUNT, key="accounts-change-box", icon=":material/manage_accounts:"):
        by_name = {one.name: one for one in there}
        name = st.selectbox(words.ACCOUNT, list(by_name), index=None, key="accounts-which")
        if name is None:
            st.caption(said.CHOOSE_ACCOUNT)
            return
        account = by_name[name]
        has = sorted(account.roles)
        # of this account as it is now: what was chosen for another, or before its roles were changed, is not kept
        # a role that there is no more is shown, so that it can be taken away
        there_are = list(dict.fromkeys([*(role.value for role in Role), *has]))
        roles = st.multiselect(said.ROLES, there_are, has, key=f"accounts-new-roles {name} {has}")
        with st.container(horizontal=True):
            for word, key, what, do in (
                    (said.SET_ROLES, "set", f"roles {', '.join(roles)}", lambda: _set_roles(name, roles)),
                    (said.ENABLE, "enable", "enable", lambda: _disable(name, False)),
                    (said.REVOKE, "revoke", "sign out everywhere", lambda: _revoke(name)),
                    (said.UNBIND, "unbind", "unbind", lambda: _bind(name, False))):
                st.button(word, key=f"accounts-{key}", on_click=_change, args=(name, what, do))
        with st.form("accounts-sure", border=False):
            st.text_input(said.ACCOUNT_SURE, key=f"accounts-sure {name}", autocomplete="off")
            with st.container(horizontal=True):
                st.form_submit_button(said.RESET, key="accounts-reset", on_click=_surely,
                                      args=(name, "new password", lambda: _reset(name)))
                st.form_submit_button(said.DISABLE, key="accounts-disable", on_click=_surely,
                                      args=(name, "disable", lambda: _disable(name, True)))
                if console().settings.console.oidc_issuer:    # it hands the account to whoever comes first under its name
                    st.form_submit_button(said.BIND, key="accounts-bind", on_click=_surely, help=said.BIND_HELP,
                                          args=(name, "bind", lambda: _bind(name, True)))


def _add() -> None:
    name, roles = st.session_state["accounts-name"].strip().lower(), st.session_state["accounts-roles"]

    def do(_: str) -> str:
        show_once(name, console().accounts().add(name, roles))
        return said.account_made(name)

    act("accounts.change", name, do, f"add as {', '.join(roles)}")


def _surely(name: str, what: str, do: Callable[[], str]) -> None:
    """Changes an account whose name was typed: these lock its owner out at once, or let somebody else in."""
    typed = st.session_state[f"accounts-sure {name}"].strip().lower()
    st.session_state[f"accounts-sure {name}"] = ""
    if typed != name:
        say("failed", said.NOT_NAMED)
        return
    _change(name, what, do)


def _change(name: str, what: str, do: Callable[[], str]) -> None:
    """Changes one account; nobody takes their own way in."""
    looks = viewer()
    if looks is not None and looks.name == name and what.startswith(("disable", "roles", "new password", "bind", "unbind")):
        say("failed", said.NOT_YOURSELF)
        return

    def done(_: str) -> str:
        try:
            came_to = do()
        except HalfChanged as error:
            if error.password:
                show_once(name, error.password)
            console().sessions.account_ended(name)
            raise HalfDone(str(error)) from None
        console().sessions.account_ended(name)
        return came_to

    act("accounts.change", name, done, what)


def _set_roles(name: str, roles: Sequence[str]) -> str:
    console().accounts().set_roles(name, roles)
    return said.account_is(name, roles)


def _reset(name: str) -> str:
    show_once(name, console().accounts().reset(name))
    return said.password_made(name)


def _disable(name: str, disabled: bool) -> str:
    console().accounts().disable(name, disabled)
    return said.account_disabled(name, disabled)


def _bind(name: str, bound: bool) -> str:
    console().accounts().bind(name, bound)
    return said.account_bound(name, bound)


def _revoke(name: str) -> str:
    return said.sessions_ended(console().accounts().end_all(name), name)
