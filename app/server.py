"""The console as a program: `streamlit run app/server.py` serves Home.py and the pages behind the door.

Started by the supervisor (engine/processes.py) with the address and the port of the settings.
"""

import logging
import traceback
import uuid
from functools import cache

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from app import words
from app.door import Door
from app.oidc import Provider
from app.stores import console
from engine.errors import RollcallError

log = logging.getLogger("rollcall.console")


@cache
def provider() -> Provider | None:
    """The OpenID Connect provider of this installation, if it has one."""
    return Provider.of(console().settings)


def unforeseen(error: Exception) -> bool:
    """What a page shows of an error: of ours its sentence, of one that nobody foresaw a number, under which the log has where
    it was. Its text is not told: it may quote what somebody typed or a value of a row."""
    if isinstance(error, RollcallError):
        st.error(words.failed(str(error)), icon=words.ICON_FAILED)
        return True
    number = uuid.uuid4().hex[:8]
    log.error("error %s: %s\n%s", number, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    st.error(words.unforeseen(number), icon=words.ICON_FAILED)
    return True


# until somebody has opened Home.py Streamlit would serve each file of pages/ by itself, under its file's name
PagesManager.uses_pages_directory = False

app = st.App("Home.py", middleware=[Middleware(Door, console=console, provider=provider)], on_script_error=unforeseen)
