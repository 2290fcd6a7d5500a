"""The parts of the Dead letters page: lists without a personal value, and the acts, which are those of the command."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app import words
from app.acts import begin
from app.jobs import JOBS
from app.parts import changed, say
from app.programs import job_panel
from app.sessions import Viewer
from app.stores import console
from engine.dead_letters.discard import discard
from engine.dead_letters.outcomes import SAYS
from engine.dead_letters.redrive import PRINCIPAL, redrive
from engine.errors import Final
from engine.sources import parsed
from engine.stores import dead_letters
from engine.stores.dead_letters import Box, DeadLetter
from governance.outline import first_bytes, outline

KINDS = ("dry run", "redrive", "discard")
WITHIN_S = 120.0
LISTED = 500
_RUNNING = "letters-running"


class Gone(Final):
    """The letters that were chosen are handled already."""


def containing(box: Box, text: str) -> list[DeadLetter]:
    """The letters that stand whose reason contains a text, in any case."""
    return [letter for letter in box.standing if text.lower() in letter.reason.lower()]


def reasons(letters: Sequence[DeadLetter]) -> list[dict[str, Any]]:
    """How many letters have which reason."""
    found = Counter(letter.reason for letter in letters).most_common()
    return [{words.REASON: reason, words.LETTERS: number} for reason, number in found]


def chosen(letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """A list to choose from, and what was chosen."""
    rows = [{words.PLACE: letter.place, words.FIRST_MET: letter.first_append, words.ATTEMPTS: letter.attempts,
             words.STATE: letter.state, words.REASON: letter.reason} for letter in letters[:LISTED]]
    # another list is another table, in which nothing is chosen: a choice is kept as row numbers
    key = f"letters-list-{hash(tuple(letter.place for letter in letters[:LISTED]))}"
    event = st.dataframe(rows, key=key, hide_index=True, on_select="rerun", selection_mode="multi-row")
    return [letters[number] for number in event.selection.rows]


def parts(letter: DeadLetter) -> list[dict[str, Any]]:
    """What a letter is made of; of no field its value."""
    try:
        return [{"path": part.path, "holds": part.holds, "category": part.category} for part in outline(parsed(letter.value))]
    except ValueError:
        holds = first_bytes(letter.value) if letter.opened else words.CANNOT_OPEN
        return [{"path": "(the whole)", "holds": holds, "category": ""}]


def act_panel(looks: Viewer, places: Sequence[str]) -> None:
    """Dry run, redrive, discard of these letters."""
    with st.container(horizontal=True):
        may = looks.may("letters.redrive")
        st.button(words.DRY_RUN, key="letters-dry", icon=":material/science:", on_click=send, args=(places, False),
                  disabled=not may)
        st.button(words.REDRIVE, key="letters-redrive", icon=":material/replay:", on_click=send, args=(places, True),
                  disabled=not may)
    if looks.may("letters.discard"):
        with st.expander(words.DISCARD, key="letters-discard-box", icon=":material/delete:"), \
                st.form("letters-discard", border=False, clear_on_submit=True):
            st.text_input(words.DISCARD_WHY, key="letters-why")
            st.text_input(words.DISCARD_SURE, key="letters-sure")
            st.form_submit_button(words.DISCARD, key="letters-discard-do", on_click=take_away, args=(places,))


def jobs() -> None:
    """What the acts do, or came to; when one has ended, the list is shown as it is then."""
    changed("letters-away", console().letters.now().error is not None)
    for kind in KINDS:
        job_panel(kind)
    running = {kind for kind in KINDS if (job := JOBS.get(kind)) and job.running}
    ended = st.session_state.get(_RUNNING, set()) - running
    st.session_state[_RUNNING] = running
    if ended:
        st.rerun(scope="app")


def read_again() -> None:
    """Reads the letters as they stand now."""
    console().letters.again()


def send(places: Sequence[str], really: bool) -> None:
    """Redrives letters, or says what would become of them."""
    settings = console().settings

    def work(_: str, told: Callable[[str], None]) -> str:
        box, letters = _still(places)
        done = redrive(settings, letters, box, told, WITHIN_S, really)
        console().letters.again()
        return " ".join(f"{done.counts[what]} {says}." for what, says in SAYS.items() if what in done.counts)

    begin("letters.redrive", "redrive" if really else "dry run", f"{len(places)} letters", work)


def take_away(places: Sequence[str]) -> None:
    """Discards letters, when the word and a reason are typed."""
    why, sure = st.session_state["letters-why"].strip(), st.session_state["letters-sure"].strip()
    if sure != words.DISCARD_WORD or not why:
        say("failed", words.NOT_SURE)
        return
    settings = console().settings

    def work(by: str, told: Callable[[str], None]) -> str:
        box, letters = _still(places)
        told(words.letters_chosen(len(letters), True))
        number = discard(settings, letters, box, why, by)
        console().letters.again()
        return words.discarded(number)

    begin("letters.discard", "discard", f"{len(places)} letters", work, why)


def _still(places: Sequence[str]) -> tuple[Box, list[DeadLetter]]:
    """The letters as they stand now: another may have acted since the page was read."""
    box = dead_letters.read(console().settings, PRINCIPAL, console().keys)
    wanted = set(places)
    letters = [letter for letter in box.standing if letter.place in wanted]
    if not letters:
        raise Gone(words.LETTERS_GONE)
    return box, letters
