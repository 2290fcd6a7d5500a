"""The console as a program: `streamlit run app/server.py` serves Home.py and the pages behind the door.

Started by the supervisor (engine/processes.py) with the address and the port of the settings.
"""

import gc
import threading
from contextlib import suppress
from functools import cache
from importlib import import_module

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from app import words
from app.door import Door
from app.oidc import Provider
from app.stores import PRINCIPAL, console
from app.unforeseen import noted, quiet
from engine.errors import RollcallError

PARTS = ("app.register", "app.retention", "app.breaches", "app.profiles", "app.letters", "app.accounts", "app.audit",
         "app.charts", "app.checks", "app.publishing", "app.access", "app.access_plan", "app.access_wanted", "app.access_users")
"""Modules of parts of pages."""


@cache
def provider() -> Provider | None:
    """The OpenID Connect provider of this installation, if it has one."""
    return Provider.of(console().settings)


def failed(error: Exception) -> bool:
    """What a page shows of an error: of ours its sentence, of one that nobody foresaw its number in the log."""
    ours = isinstance(error, RollcallError)
    st.error(words.failed(str(error)) if ours else words.unforeseen(noted(error)), icon=words.ICON_FAILED)
    return True


def warmed() -> None:
    """Imports what pages import and signs in where they read, before somebody waits for it."""
    for name in PARTS:
        import_module(name)
    for principal in (PRINCIPAL, "officer"):
        with suppress(RollcallError), console().stores.cassandra(principal):    # who is away now is tried again by a page
            pass
    gc.freeze()    # none of it ever goes, so no collection has to look through it


quiet()
threading.Thread(target=warmed, name="warming", daemon=True).start()
# until somebody has opened Home.py Streamlit would serve each file of pages/ by itself, under its file's name
PagesManager.uses_pages_directory = False

app = st.App("Home.py", middleware=[Middleware(Door, console=console, provider=provider)], on_script_error=failed)
