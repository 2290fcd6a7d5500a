"""Errors that nobody foresaw, in the log: where they were met, under a number that the page shows. Never their own text, which
may quote what somebody typed or a value of a row.
"""

import logging
import threading
import traceback
import uuid

log = logging.getLogger("rollcall.console")


def noted(error: BaseException) -> str:
    """Writes an error down; returns its number."""
    number = uuid.uuid4().hex[:8]
    log.error("error %s: %s\n%s", number, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return number


def quiet() -> None:
    """Has whatever else would write errors down with their text leave it out: Streamlit of scripts, Python of threads."""
    logging.getLogger("streamlit.error_util").addFilter(lambda record: not record.exc_info)
    threading.excepthook = _thread_ended


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        noted(ended.exc_value)
