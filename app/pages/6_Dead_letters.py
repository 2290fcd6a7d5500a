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
        st.metric(state, f"{number:,}", border=True)
text = st.text_input(words.CONTAINS, key="letters-contains")
shown = letters.containing(box, text)
table(letters.reasons(shown), "letters-reasons", empty=words.NO_LETTERS)
if not shown:
    st.stop()
st.caption(words.CHOSEN)
chosen = letters.chosen(shown)
if len(chosen) == 1:
    st.subheader(words.HOLDS, anchor=False)
    table(letters.parts(chosen[0]), "letters-parts")
about = chosen or shown
st.write(words.letters_chosen(len(about), bool(chosen)))
letters.act_panel(looks, [letter.place for letter in about])
