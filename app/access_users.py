"""The part of the page Kafka access about who can sign in: made, given another password, taken away with their rules."""

from collections.abc import Callable

import streamlit as st

from app import words_access as words
from app.access import KIND, opened
from app.access_seen import Seen
from app.accounts import show_once
from app.acts import act, begin
from app.jobs import HalfDone
from app.parts import say, table
from app.sessions import Viewer
from app.stores import console
from engine.access.apply import StillThere, Unfinished
from engine.access.broker import Broker
from engine.access.users import STAYS_OPEN, PasswordUnsure, Users
from governance.kafka_access.sentence import sentence


def users(looks: Viewer, seen: Seen) -> None:
    """Everybody who has a password in Kafka, and what who may can do about it."""
    table([{words.USER: user.name, words.CREDENTIALS: "; ".join(user.credentials), words.OURS: user.ours}
           for user in seen.users], "access-users", empty=words.NO_USERS)
    st.caption(STAYS_OPEN)
    if not looks.may("access.users"):
        return
    with st.expander(words.NEW_USER, key="access-new-box", icon=":material/person_add:"), \
            st.form("access-new", border=False):
        st.caption(words.CREATE_SAYS)
        st.text_input(words.USER, key="access-new-name", autocomplete="off")
        st.text_input(words.WHY, key="access-new-why", help=words.WHY_HELP)
        st.form_submit_button(words.CREATE, key="access-create", on_click=_create)
    with st.expander(words.CHANGE_USER, key="access-change-box", icon=":material/manage_accounts:"):
        _change_panel(seen)


def _change_panel(seen: Seen) -> None:
    st.caption(words.CHOOSE_USER)
    name = st.selectbox(words.WHICH, [user.name for user in seen.users if not user.ours], index=None, key="access-user")
    if name is None:
        return
    rules = sorted(rule for rule in seen.rules if rule.principal == f"User:{name}")
    with st.form("access-user-do", border=False):
        table([{words.RULES_GO: sentence(rule)} for rule in rules], "access-user-rules", empty=words.NO_RULES)
        st.checkbox(words.KEEP_RULES, key=f"access-keep {name}", help=words.KEEP_RULES_HELP)
        st.text_input(words.WHY, key=f"access-user-why {name}", help=words.WHY_HELP)
        st.text_input(words.USER_SURE, key=f"access-user-sure {name}", autocomplete="off")
        with st.container(horizontal=True):
            st.form_submit_button(words.ROTATE, key="access-rotate", icon=":material/key:", on_click=_rotate, args=(name,))
            st.form_submit_button(words.DELETE, key="access-delete", icon=":material/person_remove:", on_click=_delete,
                                  args=(name,))


def _create() -> None:
    name, why = str(st.session_state["access-new-name"]).strip(), str(st.session_state["access-new-why"]).strip()
    if not why:
        say("failed", words.NO_REASON)
        return

    def do(_: str) -> str:
        _shows(name, lambda users: users.create(name))
        st.session_state["access-new-name"] = st.session_state["access-new-why"] = ""
        return words.made(name)

    act("access.users", name, do, f"create: {why}")


def _rotate(name: str) -> None:
    if (why := _surely(name)) is None:
        return

    def do(_: str) -> str:
        _shows(name, lambda users: users.rotate(name))
        return words.rotated(name, STAYS_OPEN)

    act("access.users", name, do, f"new password: {why}")


def _shows(name: str, make: Callable[[Users], str]) -> None:
    """Shows the password that is made for a user, once."""
    try:
        with Broker.opened(console().settings) as broker:
            show_once(name, make(Users(broker)))
    except PasswordUnsure as error:
        raise HalfDone(str(error)) from None
    finally:
        console().access.again()


def _delete(name: str) -> None:
    keep = bool(st.session_state[f"access-keep {name}"])
    if (why := _surely(name)) is None:
        return

    def work(by: str, tell: Callable[[str], None]) -> str:
        done: list[str] = []

        def told(line: str) -> None:
            done.append(line)
            tell(line)

        try:
            with opened() as access:
                access.delete_user(name, keep, console().audit(), by, why, told)
                still = any(rule.principal == f"User:{name}" for rule in access.version.rules)
        except (Unfinished, StillThere) as error:
            raise HalfDone(str(error)) from None
        finally:
            console().access.again()
        return words.deleted(name, len(done), STAYS_OPEN, still)

    begin("access.users", KIND, name, work, why, audits=True)


def _surely(name: str) -> str | None:
    """The reason, where the name was typed and a reason too; else None, which is said."""
    typed, why = (str(st.session_state[f"access-user-{what} {name}"]).strip() for what in ("sure", "why"))
    st.session_state[f"access-user-sure {name}"] = ""
    if typed != name:
        say("failed", words.NOT_NAMED)
        return None
    if not why:
        say("failed", words.NO_REASON)
        return None
    return why
