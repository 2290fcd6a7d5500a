"""The view's log: gunicorn's own lines, and those of the view, in the form that is set (`logs.form`).

There is nobody in them to be masked: the view knows figures alone.
"""

from typing import Any

from gunicorn.glogging import Logger

from engine.log_lines import begin, set_formatters
from engine.settings import load


class Lines(Logger):    # type: ignore[misc]
    """What `gunicorn --logger-class` takes: made once, before the application is loaded."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn does, and then the form of lines."""
        super().setup(cfg)
        begin(load().logs.form, "view")
        for name in ("gunicorn.error", "gunicorn.access", "root"):
            set_formatters(name)
