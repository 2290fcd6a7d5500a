"""Errors that nobody foresaw, in the log: where they were met, under a number that the page shows. Never their own text, which
may quote what somebody typed or a value of a row.
"""

import logging
import uuid
from contextlib import suppress

from engine import log_lines
from engine.errors import RollcallError
from engine.logs import Discreet, discreet
from engine.settings import load

log = logging.getLogger("rollcall.console")
log.addFilter(Discreet())    # whatever the process is that writes one down


def noted(error: BaseException) -> str:
    """Writes an error down; returns its number."""
    number = uuid.uuid4().hex[:8]
    with log_lines.about(number):
        log.error("error %s: %s", number, type(error).__name__, exc_info=error)
    return number


def quiet() -> None:
    """Has whatever else would write errors down leave their text out, and Streamlit not write one of a page twice; from now on
    lines have the form that is set."""
    discreet()
    with suppress(RollcallError):    # what is wrong with the settings the pages say
        log_lines.begin(load().logs.form, "console")
    logging.getLogger("streamlit.error_util").addFilter(lambda record: not (record.exc_info or record.exc_text))
