"""The parts of the Audit page: a window of entries that goes back in time, and the check of the chain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import streamlit as st

from app import words_watching as words
from app.acts import begin
from app.programs import job_panel
from app.sessions import Viewer
from app.stores import console
from engine.errors import Final, RollcallError
from governance.audit import Entry

PAGE = 100
LOOKED_THROUGH = 20_000
"""Entries that one search reads; Older goes on from there."""

CHAINED_WITHIN_S = 2.0
"""Seconds for which a page waits until what is kept in the file is in the chain: it only reads, and shows the rest anyway."""

NAMED = 5
CHECK = "audit check"
"""The kind of the job; `verify` is that of the stores."""

_BEFORE = "audit-before"


class NotWhole(Final):
    """Links of the audit do not hold."""


@dataclass
class Looked:
    """The next entries that fit, newest first, and the numbers from and down to which was looked; 0 where there is none."""

    found: list[Entry] = field(default_factory=list)
    newest: int = 0
    last: int = 0


def chained_in() -> None:
    """Chains in what waits in the file; says what is left there after that, and why."""
    log, why, left = console().audit(), "", 0
    try:
        log.chain_in(CHAINED_WITHIN_S)
    except RollcallError as error:
        why = str(error)
    try:
        left = log.kept
    except RollcallError as error:
        why = str(error)
    if why:
        st.warning(words.audit_not_chained(left, why), icon=":material/hourglass_top:")
    elif left:
        st.info(words.audit_kept(left), icon=":material/hourglass_top:")


def page(text: str) -> Looked:
    """The next entries that have a text; all of them where there is none."""
    looked = Looked()
    for entry in islice(console().audit().entries(st.session_state.get(_BEFORE)), LOOKED_THROUGH):
        looked.newest, looked.last = looked.newest or entry.n, entry.n
        if entry.has(text):
            looked.found.append(entry)
        if len(looked.found) == PAGE:
            break
    return looked


def from_newest() -> None:
    """Back to the newest."""
    st.session_state.pop(_BEFORE, None)


def older(before: int) -> None:
    """On from an entry back in time."""
    st.session_state[_BEFORE] = before


def verify() -> None:
    """Checks every link, as a job: it reads the whole audit. What waits in the file is chained in before, with its begin."""
    def work(_: str, told: Callable[[str], None]) -> str:
        audit = console().audit()
        checked = audit.checked(lambda number: told(words.audit_progress(number)))
        if found := checked.broken:
            raise NotWhole(words.audit_broken([link.what for link in found[:NAMED]], len(found) - NAMED))
        return words.audit_whole(checked.entries)

    begin("audit.verify", CHECK, "audit", work)


def check(_: Viewer) -> None:
    """What the check does, or came to."""
    job_panel(CHECK)
