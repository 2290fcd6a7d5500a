"""Requests of people: the list with its clocks, a new one, and of each its steps, decisions, letters and history."""

import streamlit as st

from app import requests, requests_one, requests_steps, words_requests
from app.parts import broken_page, live, open_page, whole_page
from engine.errors import RollcallError

looks = open_page("requests")
live("requests.read", requests_steps.jobs)
try:
    with requests.opened() as kept_in:
        every = kept_in.all()
        leftover = kept_in.leftover(every)
        kept = requests.listed(kept_in, every, leftover, looks.may("requests.change"))
        today = kept_in.today
except RollcallError as error:
    broken_page(error)
whole_page()
if looks.may("requests.change"):
    requests.new_panel(today)
if not kept:
    st.stop()
refs = [one.request.ref for one in kept]
ref = st.selectbox(words_requests.CHOOSE, refs, key=requests.CHOSEN)
with requests.opened() as kept_in:
    versions = kept_in.versions(ref)
    newest = versions[-1]
    recipients = kept_in.recipients(newest.request)
    anew, proofs = kept_in.anew(newest.request), kept_in.proofs(newest.request)
    steps, clock, decide, letters, history = st.tabs([
        words_requests.STEPS_TAB, words_requests.CLOCK_TAB, words_requests.DECIDE_TAB, words_requests.LETTERS_TAB,
        words_requests.HISTORY_TAB])
    with clock:
        requests_one.clock_panel(kept_in, newest.request, every)
with steps:
    requests_steps.steps_panel(newest, looks, today, recipients, anew, proofs)
    requests_one.close_panel(newest, leftover.closed)
    requests_one.whom_panel(ref)
with decide:
    requests_one.decide_panel(newest, today)
with letters:
    requests_one.letters_panel(newest)
with history:
    requests_one.history_panel(versions)
