"""Dead letters: why each could not be used and what it is made of; a dry run, a redrive, a discard."""

import streamlit as st

from app import letters, words
from app.parts import again_later, fresh, live, open_page, table
from app.stores import console

looks = open_page("letters")
live("letters.read", lambda _: letters.jobs())
# not live: what is chosen must not move under the hand that is about to act on it
reading = console().letters.now()
box = fresh(reading)
if reading.error:
    again_later()
if box is None:
    st.stop()
st.button(words.READ_AGAIN, key="letters-again", icon=":material/refresh:", on_click=letters.read_again)
with st.container(horizontal=True):
    for state, number in box.counts.items():
        st.metric(words.LETTER_STATES[state], f"{number:,}", border=True)
with st.container(horizontal=True):
    text = st.text_input(words.CONTAINS, key="letters-contains").strip()
    state = st.selectbox(words.STATE, letters.STATES, format_func=lambda state: words.LETTER_STATES.get(state, state),
                         key="letters-state")
shown = letters.fitting(box, text, state)
table(letters.reasons(shown), "letters-reasons", empty=letters.none_fits(box, text))
if not shown:
    st.stop()
st.caption(words.CHOSEN)
chosen = letters.chosen(shown)
about = chosen or shown
if len(about) == 1:
    letters.show(about[0])
st.write(words.letters_chosen(len(about), bool(chosen)))
letters.act_panel(looks, about)
