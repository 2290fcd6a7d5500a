"""The frame of every page: who is signed in, the pages they may open, and how often live panels refresh."""

from itertools import groupby
from pathlib import Path

import streamlit as st

from app import parts, words
from app.listing import PAGES
from app.parts import sign_in_link
from app.sessions import Viewer
from governance.permissions import allowed

ICON = Path(__file__).parent / "icon.png"    # an icon of Streamlit's would be fetched from elsewhere

st.set_page_config(page_title=words.PRODUCT, page_icon=str(ICON), layout="wide")


def _stranger() -> None:
    st.title(words.SIGN_IN, anchor=False)
    sign_in_link()


def _no_pages() -> None:
    st.info(words.NO_PAGES, icon=":material/lock:")


def _side_bar(looks: Viewer) -> None:
    with st.sidebar:
        st.selectbox(words.REFRESH, list(parts.REFRESH), index=1, key="refresh", help=words.REFRESH_HELP, bind="query-params")
        st.caption(words.signed_in_as(looks.name, looks.roles))
        st.html(f'<a href="/password" target="_self">{words.CHANGE_PASSWORD}</a>')
        st.html(f'<a href="/sign-out" target="_self">{words.SIGN_OUT}</a>')


def _frame() -> None:
    looks = parts.viewer()
    if looks is None:
        # navigation is executed for strangers too: without it Streamlit would serve the page files by itself
        st.navigation([st.Page(_stranger, title=words.SIGN_IN)], position="hidden").run()
        return
    # those of the roles, confirmed or not: a page that has to wait for Cassandra says so itself
    shown = [page for page in PAGES if allowed(looks.roles, page.action)]
    groups = {group: [st.Page(page.file, title=page.title, icon=page.icon, url_path=page.key) for page in pages]
              for group, pages in groupby(shown, key=lambda page: page.group)}
    _side_bar(looks)
    if not groups:
        st.navigation([st.Page(_no_pages, title=words.PRODUCT)], position="hidden").run()
        return
    first = next(iter(groups.values()))[0]
    # a page that is the default has no address of its own, so none of ours is
    front = st.Page(lambda: st.switch_page(first), title=words.PRODUCT, url_path="front", default=True, visibility="hidden")
    st.navigation({"": [front], **groups}, expanded=True).run()


_frame()
