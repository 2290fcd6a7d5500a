"""The parts of the Publishing page: snapshots, what would be published now, publishing, withdrawing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from app import words_law as words
from app.acts import act, begin
from app.parts import TIME, as_read, now, say, table
from app.programs import followed
from app.sessions import Viewer
from app.stores import console
from engine.clients import mongo_client
from engine.publishing.held_back import groups, listed
from engine.publishing.release import NotPublished, Overtaken, Prepared, Publishing
from engine.publishing.snapshots import Published, Snapshots
from engine.stores.records import Records
from governance.disclosure.figures import COUNTS, NATIONALITIES
from governance.disclosure.ledger import Held, Release

KINDS = ("preview of figures", "publishing")
PREVIEW, PUBLISH = KINDS
SHOWN = 50
LONGEST = 9
"""Digits of a number that is typed."""

LATE = timedelta(minutes=5)
PREPARED: list[Prepared] = []
"""What the last preview found, for all who may look at one; none after a release."""

_NUMBER, _WHY = "publishing-number", "publishing-why"


@contextmanager
def opened() -> Iterator[Publishing]:
    """To look: the officer's records, and the database as the console reads it."""
    with console().stores.cassandra("officer") as session, console().stores.mongo() as database:
        yield Publishing(console().settings, Records(console().settings, session), database)


@contextmanager
def opened_to_write() -> Iterator[Publishing]:
    """To publish: the console may write no snapshot, so this signs in to MongoDB as who may."""
    settings = console().settings
    with console().stores.cassandra("officer") as session, mongo_client(settings, "governance") as client:
        yield Publishing(settings, Records(settings, session), client[settings.mongo.database])


def shown() -> int:
    """What the public sees, when the next release is due, and all snapshots. Returns the newest one's number, 0 if there is
    none. Raises StoreAway, SignInRefused."""
    with console().stores.mongo() as database:
        found = Snapshots(database).newest(SHOWN)
    as_read()
    if not found:
        st.info(words.NOTHING_PUBLISHED, icon=":material/inbox:")
        return 0
    _said(found)
    st.subheader(words.SNAPSHOTS, anchor=False)
    table([{words.NUMBER: one.snapshot.number, words.PUBLISHED_AT: one.snapshot.at, words.COUNTED_AT: one.snapshot.counted_at,
            words.PEOPLE: one.snapshot.people, words.NEXT_AT: one.snapshot.next_at, words.WITHDRAWN: one.withdrawn_at,
            words.WHY_WITHDRAWN: one.why} for one in found], "publishing-snapshots",
          dict.fromkeys((words.PUBLISHED_AT, words.COUNTED_AT, words.NEXT_AT, words.WITHDRAWN), TIME))
    return found[0].snapshot.number


def _said(found: Sequence[Published]) -> None:
    seen = next((one.snapshot for one in found if one.withdrawn_at is None), None)
    due = found[0].snapshot.next_at
    if seen is None:
        st.warning(words.ALL_WITHDRAWN, icon=":material/visibility_off:")
    else:
        st.write(words.shown_now(seen.number, seen.people, seen.counted_at, due))
    if now() > due + LATE:
        st.warning(words.release_late(due), icon=":material/alarm:")


def jobs(_: Viewer) -> None:
    """How a preview or a release gets on."""
    followed(*KINDS)


def previewed(newest: int) -> None:
    """What the last preview found: each table as it would be, and what is held back of it and why. newest: number of the newest
    snapshot; a preview from before it, for the keeper publishes too, is none any more."""
    for prepared in [one for one in PREPARED[-1:] if one.base >= newest]:
        st.subheader(words.PREVIEW, anchor=False)
        if isinstance(prepared.outcome, Held):
            st.warning(words.held(prepared.outcome.why), icon=":material/block:")
        else:
            _release(prepared.outcome)


def _release(release: Release) -> None:
    snapshot = release.snapshot
    st.write(words.previewed(snapshot.number, snapshot.people, snapshot.at, snapshot.next_at))
    held_back = groups(release.ledger.held_back)
    ages = {average.key: average.years for average in snapshot.average_ages}
    for tab, name in zip(st.tabs([words.TABLES[name] for name in COUNTS]), COUNTS, strict=True):
        made = snapshot.table(name)
        with tab:
            rows: list[dict[str, Any]] = [{words.CATEGORY: cell.key, words.PEOPLE: cell.people} for cell in made.cells]
            if name == NATIONALITIES:
                rows = [{**row, words.AVERAGE_AGE: ages.get(row[words.CATEGORY])} for row in rows]
            table(rows, f"publishing-{name}", empty=words.NO_CATEGORY)
            st.caption(words.other(made.other))
            table([{words.WHY_HELD_BACK: group.why, words.HOW_MANY: group.number, words.HELD_BACK: listed(group)}
                   for group in held_back if group.table == name], f"publishing-{name}-held", empty=words.NOTHING_HELD_BACK)


def preview() -> None:
    """Prepares a release and writes nothing, as a job. For callbacks."""
    def work(_: str, __: Callable[[str], None]) -> str:
        with opened() as publishing:
            prepared = publishing.prepare()
        PREPARED[:] = [prepared]
        outcome = prepared.outcome
        return words.held(outcome.why) if isinstance(outcome, Held) else words.previewed_shortly(outcome.snapshot.number)

    begin("publishing.preview", PREVIEW, "figures", work)


def publish() -> None:
    """Publishes, as a job; what was previewed only if nobody has published since. For callbacks."""
    base = next((one.base for one in PREPARED[-1:]), None)

    def work(by: str, _: Callable[[str], None]) -> str:
        with opened_to_write() as publishing:
            prepared = publishing.prepare()
            PREPARED.clear()
            if base is not None and base != prepared.base:
                raise Overtaken(words.OVERTAKEN)
            if isinstance(prepared.outcome, Held):
                raise NotPublished(words.held(prepared.outcome.why))
            made = publishing.carry_out(prepared, by).snapshot
        return words.snapshot_published(made.number, made.people)

    begin("publishing.publish", PUBLISH, "figures", work)


def withdraw_panel() -> None:
    """The form to withdraw a snapshot: its number is typed, and a reason."""
    with st.expander(words.WITHDRAW, key="publishing-withdraw-box", icon=":material/visibility_off:"):
        st.caption(words.WITHDRAW_SAYS)
        with st.form("publishing-withdraw", border=False):
            st.text_input(words.WITHDRAW_NUMBER, key=_NUMBER, help=words.WITHDRAW_NUMBER_HELP)
            st.text_input(words.WHY, key=_WHY, help=words.WITHDRAW_WHY_HELP)
            st.form_submit_button(words.WITHDRAW, key="publishing-withdraw-do", on_click=_withdraw)


def _withdraw() -> None:
    typed, why = st.session_state[_NUMBER].strip(), st.session_state[_WHY].strip()
    if not typed.isdecimal() or len(typed) > LONGEST or not why:
        say("failed", words.WITHDRAW_UNSURE)
        return

    def do(_: str) -> str:
        with opened_to_write() as publishing:
            publishing.snapshots.withdraw(int(typed), why, datetime.now(UTC))
        return words.withdrawn(int(typed))

    if act("publishing.withdraw", f"snapshot {int(typed)}", do, why):
        st.session_state[_NUMBER] = st.session_state[_WHY] = ""    # they were for this act
