"""Errors that nobody foresaw, in the log: where they were met, under a number that the page shows. Never their own text, which
may quote what somebody typed or a value of a row.
"""

import logging
import uuid

from engine.logs import Discreet, discreet

log = logging.getLogger("rollcall.console")
log.addFilter(Discreet())    # whatever the process is that writes one down


def noted(error: BaseException) -> str:
    """Writes an error down; returns its number."""
    number = uuid.uuid4().hex[:8]
    log.error("error %s: %s", number, type(error).__name__, exc_info=error)
    return number


def quiet() -> None:
    """Has whatever else would write errors down leave their text out, and Streamlit not write one of a page twice."""
    discreet()
    logging.getLogger("streamlit.error_util").addFilter(lambda record: not (record.exc_info or record.exc_text))
