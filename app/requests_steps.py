"""Of one request: its steps, what each came to, the verdict of each store, and the next one."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import streamlit as st

from app import words_requests as words
from app.acts import act, begin
from app.jobs import HalfDone
from app.parts import TIME, say, table
from app.programs import followed
from app.requests import opened
from app.sessions import Viewer
from app.words import moment
from engine.compliance.requests import Kept
from governance.requests.life import settled
from governance.requests.looks import red, verdicts
from governance.requests.request import Request, Run, State
from governance.requests.step import Name, Step
from governance.rights.proof import Proof

KIND = words.KIND_OF_JOB
DANGEROUS = (Name.ERASE,)
"""Steps that ask for the number of the request: nobody undoes them."""

_SURE = "request-sure"


def steps_panel(one: Kept, looks: Viewer, today: date, recipients: tuple[str, ...], anew: frozenset[Name],
                proofs: Sequence[Proof]) -> None:
    """The steps, and what can be done next. anew: steps that are done, and can be done anew; proofs: of an erasure."""
    asked = one.request
    table([_row(asked, step) for step in asked.steps], "request-steps")
    for step in asked.steps:
        run = asked.run_of(step.name)
        if run and (newest := verdicts(run, proofs)):
            st.subheader(words.VERDICTS, anchor=False)
            if stores := [verdict.store for verdict in newest if verdict.red]:
                st.error(words.not_erased(stores), icon=":material/error:")
            table([{words.STORE: verdict.store, words.VERDICT: words.OUTCOMES[verdict.outcome],
                    words.UNTIL: moment(verdict.on) if verdict.on and not verdict.red else "",
                    words.REASON: ": ".join(part for part in (verdict.recipient, verdict.why) if part)}
                   for verdict in newest], f"request-verdicts-{step.name}")
    if proofs:
        st.subheader(words.PROOFS, anchor=False)
        table([{words.LOOKED_AT: proof.at, words.CAME_TO: proof.said} for proof in reversed(proofs)], "request-proofs",
              {words.LOOKED_AT: TIME})
    if asked.state in (State.RECEIVED, State.WAITING):
        st.info(words.ASK_FIRST, icon=":material/badge:")
    elif asked.state is State.DONE and not red(asked, proofs):
        st.success(words.ALL_DONE, icon=":material/check_circle:")
    if asked.restricts and asked.state is State.DONE:
        st.info(words.restricted_still(asked.ref), icon=":material/visibility_off:")
    if looks.may("requests.run") and asked.state in (State.UNDERWAY, State.DONE):
        for step in asked.steps:
            _offered(one, step, today, recipients, step.name in anew)


def jobs(_: Viewer) -> None:
    """What the last step that was run does or came to."""
    followed(KIND)


def _offered(one: Kept, step: Step, today: date, recipients: tuple[str, ...], anew: bool) -> None:
    """The next steps: those with something to do, or to see, that nothing stands before."""
    asked, run = one.request, one.request.run_of(step.name)
    before = asked.steps[:asked.steps.index(step)]
    over = run is not None and not anew and (settled(run) or (run.done is not None and not step.machine))
    if over or not all(asked.done(each.name) for each in before):
        return
    if not step.machine:
        _officers(one, step, today, recipients, run)
        return
    if step.name is Name.FIND and run and run.result and not run.result.done:
        _which_person(one)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if step.name in DANGEROUS:
            st.text_input(words.CONFIRM, key=_SURE, help=words.CONFIRM_HELP, width=240)
        st.button(words.run_of(step.name, run is not None, asked.done(step.name) and not anew), key=f"request-run-{step.name}",
                  icon=":material/play_arrow:", on_click=_run, args=(asked.ref, step.name), help=f"{step.says}. {step.law}")


def _officers(one: Kept, step: Step, today: date, recipients: tuple[str, ...], run: Run | None) -> None:
    """The form of a step of the officer: what shows it, on which day, and of recipients which one."""
    told = set(run.result.evidence) if run and run.result else set()
    left = [name for name in recipients if name not in told] if step.name is Name.RECIPIENTS else []
    with st.form(f"request-step-{step.name}", border=True):
        st.markdown(f"**{step.name}**: {step.says} ({step.law})")
        if left:
            st.selectbox(words.RECIPIENT, left, key=f"request-to-{step.name}")
        st.text_input(words.EVIDENCE, key=f"request-evidence-{step.name}", help=words.EVIDENCE_HELP)
        st.date_input(words.ON_DAY, today, key=f"request-on-{step.name}", max_value=today, format="YYYY-MM-DD")
        st.form_submit_button(words.KEEP, key=f"request-did-{step.name}", on_click=_did,
                              args=(one.request.ref, step.name, one.n))


def _which_person(one: Kept) -> None:
    with st.form("request-whom", border=True):
        st.caption(words.WHICH_PERSON_SAYS)
        st.text_input(words.WHICH_PERSON, key="request-whom-uuid", autocomplete="off")
        st.form_submit_button(words.KEEP_WHOM, key="request-whom-do", on_click=_whom, args=(one.request.ref,))


def _whom(ref: str) -> None:
    def do(name: str) -> str:
        with opened() as requests:
            kept = requests.whom(ref, st.session_state["request-whom-uuid"].strip(), name)
        return words.changed(ref, kept.n, str(kept.request.state))

    if act("requests.change", ref, do, words.WHICH_PERSON):
        st.session_state["request-whom-uuid"] = ""


def _run(ref: str, name: Name) -> None:
    """Runs a step of the product, as a job. For callbacks."""
    if name in DANGEROUS:
        if st.session_state.get(_SURE, "").strip() != ref:
            say("failed", words.UNSURE)
            return
        st.session_state[_SURE] = ""

    def work(by: str, told: Callable[[str], None]) -> str:
        from engine.compliance.request_acts import ACTS  # brings Kafka, Spark's files and more

        with opened() as requests:
            run = requests.run(ref, name, ACTS[name], by, told).request.run_of(name)
        says = run.result.says if run and run.result else words.NOT_BEGUN
        if not (run and run.done):
            raise HalfDone(words.step_open(ref, name, says))
        return words.step_came_to(ref, name, says)

    begin("requests.run", KIND, f"{ref} {name}", work)


def _did(ref: str, name: Name, n: int) -> None:
    """Keeps what the officer did. For callbacks."""
    evidence, to = st.session_state[f"request-evidence-{name}"], st.session_state.get(f"request-to-{name}", "")
    on = st.session_state[f"request-on-{name}"]

    def do(by: str) -> str:
        with opened() as requests:
            run = requests.did(ref, name, n, by, evidence, on, to).request.run_of(name)
        return words.step_came_to(ref, name, run.result.says if run and run.result else "")

    if act("requests.change", f"{ref} {name}", do):
        st.session_state[f"request-evidence-{name}"] = ""


def _row(asked: Request, step: Step) -> dict[str, Any]:
    run = asked.run_of(step.name)
    state = words.STEP_DONE if run and run.done else words.BROKEN_OFF if run else (
        words.OPTIONAL if step.optional else words.NOT_BEGUN)
    return {words.STEP: str(step.name), words.STATE: state, words.CAME_TO: run.result.says if run and run.result else "",
            words.DONE_AT: moment(run.done) if run and run.done else "", words.WHAT: step.says, words.LAW: step.law,
            words.BY_WHOM: words.PRODUCT if step.machine else words.OFFICER}
