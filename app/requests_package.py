"""The package of a request of access or portability: its link, made anew each time, or the package itself, once."""

import streamlit as st

from app import words_requests as words
from app.acts import act
from app.parts import now
from app.requests import opened
from app.stores import console
from engine.tls.pages import console_address

_LINK, _TAKEN = "request-link", "request-taken"


def package_panel(ref: str) -> None:
    """What can be done with a package that waits, and what became of one that does not."""
    st.subheader(words.PACKAGE, anchor=False)
    st.caption(words.PACKAGE_SAYS)
    with opened() as requests, requests.packages() as packages:
        state = packages.state(ref)
    waits = state is not None and state.taken_at is None and state.expires > now()
    st.caption(words.package_stands(state.expires if state and waits else None, state.taken_at if state else None))
    with st.container(horizontal=True):
        st.button(words.LINK, key="request-link-make", icon=":material/link:", on_click=_link, args=(ref,), disabled=not waits)
        st.button(words.TAKE, key="request-take", icon=":material/archive:", on_click=_take, args=(ref,), disabled=not waits)
    if (link := st.session_state.get(_LINK)) is not None and link[0] == ref:
        st.code(link[1], language=None)
        st.caption(words.link_until(link[2]))
    if (taken := st.session_state.get(_TAKEN)) is not None and taken[0] == ref:
        st.download_button(words.DOWNLOAD, taken[2], file_name=taken[1], mime="application/zip", key="request-zip",
                           icon=":material/download:", on_click=forget_package)


def forget_package() -> None:
    """Takes a package, and a link to one, out of this session."""
    for key in (_LINK, _TAKEN):
        st.session_state.pop(key, None)


def _link(ref: str) -> None:
    def do(_: str) -> str:
        with opened() as requests, requests.packages() as packages:
            made = packages.link(ref)
        st.session_state[_LINK] = ref, f"{console_address(console().settings)}/package/{made.secret}", made.expires
        return words.link_until(made.expires)

    act("requests.export", f"{ref} link", do)


def _take(ref: str) -> None:
    def do(_: str) -> str:
        with opened() as requests, requests.packages() as packages:
            _, content = packages.take(request=ref)
        st.session_state[_TAKEN] = ref, f"{ref}.zip", content
        return words.TAKEN

    act("requests.export", f"{ref} package", do)
