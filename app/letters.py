"""The parts of the Dead letters page: lists without a personal value, and the acts, which are those of the command."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app import words
from app.acts import begin
from app.jobs import JOBS, CameTo, Job
from app.parts import TIME, changed, say, table
from app.programs import followed
from app.sessions import Viewer
from app.stores import PRINCIPAL as CONSOLE
from app.stores import console
from engine.dead_letters.alone import alone
from engine.dead_letters.discard import discard, discardable
from engine.dead_letters.outcomes import SAYS, told
from engine.dead_letters.redrive import PRINCIPAL, Redriven, redrive
from engine.errors import Final, RollcallError
from engine.sources import parsed
from engine.stores import dead_letters
from engine.stores.dead_letters import SENT, WAITING, Box, DeadLetter
from governance.outline import first_bytes, outline

KIND = "letters"
"""One kind of job for all acts: a discard beside a redrive would take away letters that are under way."""

WITHIN_S = 120.0
LISTED = 500
STATES = (words.ANY_STATE, WAITING, SENT)
_DISCARDS = "letters-discards"


class NothingToDo(Final):
    """The letters that were chosen are handled already, or under way."""


def fitting(box: Box, text: str, state: str = words.ANY_STATE) -> list[DeadLetter]:
    """The letters that stand in a state whose reason or place contains a text, in any case."""
    return [letter for letter in box.standing if state in (words.ANY_STATE, letter.state)
            and (text.lower() in letter.reason.lower() or text.lower() in letter.place.lower())]


def none_fits(box: Box, text: str) -> str:
    """Why no letter is listed: none stands, none fits, or the one whose place was typed is handled."""
    if (mark := box.marks.get(text)) is not None:
        return words.letter_handled(mark.place, mark.state, moment_of(mark.at))
    return words.NO_LETTER_FITS if box.standing else words.NO_LETTERS


def moment_of(text: str) -> datetime | None:
    """A moment that is kept as ISO 8601; None for what is none, for whoever may write to the topic sets this header."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def reasons(letters: Sequence[DeadLetter]) -> list[dict[str, Any]]:
    """How many letters have which reason."""
    found = Counter(letter.reason for letter in letters).most_common()
    return [{words.REASON: reason, words.LETTERS: number} for reason, number in found]


def chosen(letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """A list to choose from, and what was chosen."""
    if len(letters) > LISTED:
        st.info(words.letters_listed(LISTED, len(letters)), icon=":material/filter_list:")
    rows = [{words.PLACE: letter.place, words.FIRST_MET: moment_of(letter.first_append), words.ATTEMPTS: letter.attempts,
             words.STATE: words.LETTER_STATES[letter.state], words.REASON: letter.reason} for letter in letters[:LISTED]]
    # another list is another table, in which nothing is chosen: a choice is kept as row numbers
    key = f"letters-list-{hash(tuple(letter.place for letter in letters[:LISTED]))}"
    event = st.dataframe(rows, key=key, hide_index=True, column_config={words.FIRST_MET: TIME}, on_select="rerun",
                         selection_mode="multi-row")
    return [letters[number] for number in event.selection.rows]


def show(listed: DeadLetter) -> None:
    """One letter: what is known of it, and what it is made of; of no field its value. It is read now: the list keeps none."""
    st.subheader(words.HOLDS, anchor=False)
    st.text(f"{listed.place}: {listed.reason}")    # as it is: no Markdown comes from outside
    try:
        letter = dead_letters.whole(console().settings, CONSOLE, console().keys, listed)
    except RollcallError as error:
        st.warning(str(error), icon=":material/cloud_off:")
        return
    if letter is None:
        st.info(words.LETTERS_GONE, icon=":material/inbox:")
        return
    st.caption(words.letter_facts(moment_of(letter.first_append), letter.attempts, letter.state, len(letter.value),
                                  letter.origin))
    table(parts(letter), "letters-parts")


def parts(letter: DeadLetter) -> list[dict[str, Any]]:
    """What a letter is made of; of no field its value."""
    try:
        return [{words.PART: part.path, words.PART_HOLDS: part.holds, words.CATEGORY: part.category}
                for part in outline(parsed(letter.value))]
    except ValueError:
        holds = first_bytes(letter.value) if letter.opened else words.CANNOT_OPEN
        return [{words.PART: words.WHOLE, words.PART_HOLDS: holds, words.CATEGORY: ""}]


def act_panel(looks: Viewer, letters: Sequence[DeadLetter]) -> None:
    """Dry run, redrive, discard of these letters."""
    places = [letter.place for letter in letters]
    may = looks.may("letters.redrive")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(words.WITHIN, min_value=0.0, value=WITHIN_S, step=10.0, format="%.0f", key="letters-within",
                        help=words.WITHIN_HELP, disabled=not may, width=240)
        st.button(words.DRY_RUN, key="letters-dry", icon=":material/science:", on_click=send, args=(places, False),
                  disabled=not may)
        st.button(words.REDRIVE, key="letters-redrive", icon=":material/replay:", on_click=send, args=(places, True),
                  disabled=not may)
    if looks.may("letters.discard"):
        _forget_discarded()
        with st.expander(words.DISCARD, key="letters-discard-box", icon=":material/delete:"), \
                st.form("letters-discard", border=False):
            if stay := words.letters_stay(len(letters) - len(discardable(letters))):
                st.caption(stay)
            st.text_input(words.DISCARD_WHY, key="letters-why")
            st.text_input(words.DISCARD_SURE, key="letters-sure")
            st.form_submit_button(words.DISCARD, key="letters-discard-do", on_click=take_away, args=(places,))


def jobs() -> None:
    """What the last act does, or came to; when it has ended, the list is shown as it is then."""
    changed("letters-away", console().letters.now().error is not None)
    followed(KIND)
    job = JOBS.get(KIND)
    if job is not None and not job.running and job.rows:
        table(job.rows, "letters-outcomes")


def read_again() -> None:
    """Reads the letters as they stand now."""
    console().letters.again()


def send(places: Sequence[str], really: bool) -> None:
    """Redrives letters, or says what would become of them."""
    settings, within_s = console().settings, float(st.session_state["letters-within"])

    def work(_: str, tell: Callable[[str], None]) -> CameTo:
        tell(words.letters_begun(words.REDRIVE if really else words.DRY_RUN, len(places)))
        if really:
            with alone(settings):
                box, letters = _still(places)
                done = redrive(settings, letters, box, tell, within_s, really)
            console().letters.again()
        else:    # it changes nothing, so it may run beside anything
            box, letters = _still(places)
            done = redrive(settings, letters, box, tell, within_s, really)
        said = [f"{done.counts[what]} {says}" for what, says in SAYS.items() if what in done.counts]
        return CameTo(words.letters_came_to(really, said), outcomes(done))

    begin("letters.redrive", KIND, f"{len(places)} letters", work)


def outcomes(done: Redriven) -> list[dict[str, Any]]:
    """What letters came to, or would: how many, their reason, and the reason now where it is another."""
    return [{words.CAME_TO: SAYS[what], words.LETTERS: number, words.REASON: reason, words.REASON_NOW: why}
            for what, number, reason, why in told(done.outcomes)]


def take_away(places: Sequence[str]) -> None:
    """Discards letters, when the word and a reason are typed."""
    why, sure = st.session_state["letters-why"].strip(), st.session_state["letters-sure"].strip()
    if sure != words.DISCARD_WORD or not why:
        say("failed", words.NOT_SURE)
        return
    settings = console().settings

    def work(by: str, tell: Callable[[str], None]) -> str:
        with alone(settings):
            box, still = _still(places)
            letters = discardable(still)
            if not letters:
                raise NothingToDo(words.LETTERS_UNDER_WAY)
            tell(words.letters_begun(words.DISCARD, len(letters)))
            number = discard(settings, letters, box, why, by)
        console().letters.again()
        return f"{words.discarded(number)} {words.letters_stay(len(still) - number)}".strip()

    if job := begin("letters.discard", KIND, f"{len(places)} letters", work, why):
        st.session_state[_DISCARDS], st.session_state["letters-sure"] = job, ""    # the word is for one act


def _forget_discarded() -> None:
    """Before the form is drawn: the reason stays until what it was typed for is done."""
    job: Job | None = st.session_state.get(_DISCARDS)
    if job is not None and not job.running:
        del st.session_state[_DISCARDS]
        if not job.failed:
            st.session_state["letters-why"] = ""


def _still(places: Sequence[str]) -> tuple[Box, list[DeadLetter]]:
    """The letters as they stand now: another may have acted since the page was read."""
    box = dead_letters.read(console().settings, PRINCIPAL, console().keys)
    wanted = set(places)
    letters = [letter for letter in box.standing if letter.place in wanted]
    if not letters:
        raise NothingToDo(words.LETTERS_GONE)
    return box, letters
