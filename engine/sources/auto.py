"""Opens the source that the settings name; `auto` tries the randomuser API once and else takes synthetic people."""

import threading
from collections.abc import Callable

import httpx

from engine.errors import SourceAway
from engine.settings import Settings
from engine.sources import Source
from engine.sources.randomuser import Randomuser, fetch
from engine.sources.replay import Replay
from engine.sources.synthetic import Synthetic

LONGEST_TRY_S = 4.0


def open_source(settings: Settings, say: Callable[[str], None], stop: threading.Event) -> Source:
    """The source that `settings.producer.source` names. Raises InputUnreadable for a replay without a file."""
    match settings.producer.source:
        case "replay":
            return Replay(settings)
        case "synthetic":
            return Synthetic(settings)
        case "randomuser":
            return Randomuser(settings, stop)
        case "auto":
            return _tried(settings, say, stop)


def _tried(settings: Settings, say: Callable[[str], None], stop: threading.Event) -> Source:
    url = settings.randomuser.base_url
    try:
        with httpx.Client(timeout=min(LONGEST_TRY_S, settings.randomuser.timeout_s), follow_redirects=True) as client:
            fetch(client, url, "rollcall", 1, 1)
    except SourceAway as error:
        say(f"The API at {url} was tried once: {error}. Taking synthetic people instead, made up on this machine; "
            "all figures will say so. `--source randomuser` waits for the API.")
        return Synthetic(settings)
    say(f"Taking people from the API at {url}.")
    return Randomuser(settings, stop)
