"""What the view answers: made once for each reading that differs, kept, and marked by an ETag of its snapshot and state.

So a look costs no store, no JSON and no chart. A browser or a cache that has the newest is told so with a 304.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dash._utils import to_json

from app.public.data import REST_S
from app.public.layout import AHEAD, MARK, page
from app.public.records import Reading, State, state
from app.public.still import markup
from app.public.tables import SHEETS, as_csv

CACHE = f"public, max-age={REST_S:.0f}, must-revalidate"
"""No longer than one reading serves everybody here: a release that is withdrawn is gone within seconds everywhere."""


LINK = re.compile(r"""(?:src|href)=["'][^"']*["']""")


@dataclass(frozen=True)
class Answer:
    """One body with its type. name: of the file that it is saved as, if it is to be saved."""

    body: bytes
    kind: str
    name: str = ""


@dataclass(frozen=True)
class Edition:
    """Everything that is answered of one reading: path -> its answer. version: of them all, hence the ETag."""

    version: str
    state: State
    answers: Mapping[str, Answer]


class Pages:
    """The edition of now. `index`: Dash's page, with MARK where the page as text belongs."""

    def __init__(self, read: Callable[[], Reading], index: Callable[[], str], refresh_s: int, stale_s: float) -> None:
        self._read, self._index = read, index
        self._refresh_s, self._stale_s = refresh_s, stale_s
        self._lock = threading.Lock()
        self._dash_page = ""
        self._kept: tuple[tuple[object, ...], Edition] | None = None

    def edition(self, now: datetime) -> Edition:
        """What is answered now. now: aware."""
        reading = self._read()
        now_is = state(reading, now, self._stale_s)
        key = (reading.snapshot.number if reading.snapshot else 0, reading.withdrawn, now_is)
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                self._kept = key, self._made(reading, now_is)
            return self._kept[1]

    def _made(self, reading: Reading, now_is: State) -> Edition:
        snapshot, index = reading.snapshot, self._index_once()
        body = snapshot.model_dump_json() if snapshot else ""
        files = LINK.findall(index)    # they hold versions and times; the rest of Dash's page comes in any order
        digest = hashlib.sha256(f"{body}|{reading.withdrawn}|{files}".encode()).hexdigest()[:16]
        version = f"{snapshot.number if snapshot else 0}-{now_is.value}-{digest}"
        tree = page(reading, now_is, version, self._refresh_s)
        answers = {
            "/": Answer(index.replace(MARK, (AHEAD if snapshot else "") + markup(tree)).encode(), "text/html; charset=utf-8"),
            "/_dash-layout": Answer(_json(tree), "application/json"),
            "/version": Answer(version.encode(), "text/plain; charset=utf-8"),
        }
        if snapshot:
            for key, sheet in SHEETS.items():
                answers[f"/csv/{key}.csv"] = Answer(as_csv(sheet(snapshot)).encode(), "text/csv; charset=utf-8",
                                                    f"rollcall-{key}-{snapshot.number}.csv")
        return Edition(version, now_is, answers)

    def _index_once(self) -> str:
        """Dash's page, the same for every edition. It can be had only while a request is answered."""
        if not self._dash_page:
            self._dash_page = self._index()
        return self._dash_page


def _json(tree: Any) -> bytes:
    text: str = to_json(tree)
    return text.encode()
