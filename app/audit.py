"""The parts of the Audit page: a window of entries that goes back in time, and the check of the chain."""

from itertools import islice

import streamlit as st

from app import words
from app.acts import act
from app.stores import console
from engine.errors import Final
from governance.audit import Entry

PAGE = 100
LOOKED_THROUGH = 20_000
"""Entries that one search reads; Older goes on from there."""

NAMED = 5
_BEFORE = "audit-before"


class NotWhole(Final):
    """Links of the audit do not hold."""


def page(text: str) -> tuple[list[Entry], int]:
    """The next entries, newest first, in which a text stands; and the number down to which was looked."""
    found: list[Entry] = []
    last = 1
    for entry in islice(console().audit().entries(st.session_state.get(_BEFORE)), LOOKED_THROUGH):
        last = entry.n
        if text.lower() in entry.text.lower():
            found.append(entry)
        if len(found) == PAGE:
            break
    return found, last


def from_newest() -> None:
    """Back to the newest."""
    st.session_state.pop(_BEFORE, None)


def older(before: int) -> None:
    """On from an entry back in time."""
    st.session_state[_BEFORE] = before


def verify() -> None:
    """Checks every link."""
    def do(_: str) -> str:
        if found := console().audit().broken():
            raise NotWhole(words.audit_broken([link.what for link in found[:NAMED]]))
        return words.AUDIT_WHOLE

    act("audit.verify", "audit", do)
