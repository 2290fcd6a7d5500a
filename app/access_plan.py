"""The parts of the page Kafka access that change rules: drift adopted or removed, the plan, its files, its application."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from app import words_access as words
from app.access import KIND, opened, wanted
from app.access_seen import Seen
from app.acts import act, begin
from app.jobs import HalfDone
from app.parts import say, table
from app.sessions import Viewer
from app.stores import console
from engine.access.apply import Unfinished, outdated, plan_id
from engine.access.broker import AccessRefused
from governance.kafka_access.adopt import adopted
from governance.kafka_access.document import NotWanted
from governance.kafka_access.plan import NotAPlan, Plan, part
from governance.kafka_access.rule import Rule
from governance.kafka_access.sentence import sentence

_CHOSEN, _WHY, _SURE, _FILE, _ADOPT_WHY = "access-chosen", "access-why", "access-sure", "access-file", "access-adopt-why"


@dataclass(frozen=True)
class Row:
    """One difference. rule: what it is called by; wanted, there: which of the two sides has one, and which."""

    kind: str
    rule: Rule
    wanted: Rule | None = None
    there: Rule | None = None


def rows(seen: Seen) -> list[Row]:
    """Every difference between what is wanted and what Kafka has."""
    found = seen.drift
    return [*(Row("missing", rule, wanted=rule) for rule in found.missing),
            *(Row("unexpected", rule, there=rule) for rule in found.unexpected),
            *(Row("different", one.there, one.wanted, one.there) for one in found.different)]


def drift(looks: Viewer, seen: Seen) -> None:
    """The differences, each to be adopted, or removed by a plan."""
    found = rows(seen)
    if seen.drift.others:
        st.info(words.of_others(len(seen.drift.others)), icon=":material/group:")
    if not found:
        st.success(words.NO_DRIFT, icon=":material/check_circle:")
        return
    teams = seen.version.teams
    table([{words.DIFFERENCE: row.kind, words.THERE: sentence(row.there, teams) if row.there else "",
            words.SHOULD: sentence(row.wanted, teams) if row.wanted else ""} for row in found], "access-drift")
    if not (looks.may("access.change") or looks.may("access.apply")):
        return
    st.caption(words.DRIFT_SAYS)
    # a list, not rows of the table: it works by keyboard; other differences are another list, in which nothing is chosen
    by_label = {words.row(row.kind, sentence(row.rule, teams)): row for row in found}
    chosen = [by_label[label] for label in st.multiselect(words.ROWS, list(by_label), key=f"access-rows-{hash(tuple(found))}")]
    with st.form("access-drift-do", border=False):
        st.text_input(words.WHY, key=_ADOPT_WHY, help=words.WHY_HELP)
        with st.container(horizontal=True):
            st.form_submit_button(words.ADOPT, key="access-adopt", icon=":material/library_add_check:", on_click=_adopt,
                                  args=(seen, chosen), disabled=not looks.may("access.change"))
            st.form_submit_button(words.REMOVE, key="access-remove", icon=":material/difference:", on_click=_as_wanted,
                                  args=(seen, chosen), disabled=not looks.may("access.apply"))


def plan(looks: Viewer, seen: Seen) -> None:
    """What would be done, in words and as lines of kafka-acls.sh; whom it would lock out; its file; its application."""
    if (chosen := st.session_state.get(_CHOSEN)) is None:
        deletes = st.toggle(words.DELETES, key="access-deletes", help=words.DELETES_HELP)
        made = seen.plans[deletes]
    else:
        what, made = chosen
        st.info(words.plan_of(what), icon=":material/content_cut:")
        st.button(words.DROP, key="access-drop", on_click=_drop)
        if why := outdated(made, seen.plans[True]):
            st.warning(words.out_of_date(why), icon=":material/update:")
    _shown(seen, made)
    if looks.may("access.apply") and not made.empty:
        _apply_form(made)
    if looks.may("access.apply"):
        with st.form("access-upload", border=False):
            st.file_uploader(words.UPLOAD, key=_FILE, type=["json"])
            st.form_submit_button(words.UPLOAD_DO, key="access-upload-do", on_click=_of_file)


def _shown(seen: Seen, made: Plan) -> None:
    if made.empty:
        st.success(words.NOTHING_TO_DO, icon=":material/check_circle:")
    else:
        st.write(words.plan_is(plan_id(made), len(made.creates), len(made.deletes), str(made.reach())))
        for lost in seen.lost(made):
            st.error(f"{words.REFUSED} {lost}", icon=":material/shield_lock:")
        table([{words.STEP: number, words.DOES: "create" if step.create else "delete", words.RULE: made.says(step.rule)}
               for number, step in enumerate(made.steps, 1)], "access-steps")
        st.caption(words.COMMANDS)
        st.code("\n".join(made.commands), language="bash")
        st.download_button(words.DOWNLOAD, made.to_json(), file_name=f"kafka-access-{plan_id(made)}.json",
                           mime="application/json", key="access-download", icon=":material/download:")
    if made.left:
        with st.expander(words.STAYS, key="access-left"):
            table([{words.RULE: made.says(one.rule), words.STAYS_WHY: str(one.why)} for one in made.left], "access-stays")


def _apply_form(made: Plan) -> None:
    """Asks as much as the plan reaches: a click, or the plan's id."""
    with st.form("access-apply", border=False):
        st.text_input(words.WHY, key=_WHY, help=words.WHY_HELP)
        if made.reach().far:
            st.text_input(f"{words.SURE} ({plan_id(made)})", key=_SURE, autocomplete="off")
        st.form_submit_button(words.APPLY, key="access-apply-do", icon=":material/play_arrow:", on_click=_apply, args=(made,))


def _apply(made: Plan) -> None:
    why = str(st.session_state[_WHY]).strip()
    if made.reach().far and str(st.session_state.get(_SURE, "")).strip() != plan_id(made):
        say("failed", words.NOT_SURE)
        return
    if not why:
        say("failed", words.NO_REASON)
        return

    def work(name: str, tell: Callable[[str], None]) -> str:
        try:
            with opened() as access:
                access.apply(made, console().audit(), name, why, tell)
        except Unfinished as error:
            raise HalfDone(str(error)) from None
        finally:
            console().access.again()
        return words.applied(len(made.steps))

    if begin("access.apply", KIND, f"plan {plan_id(made)}", work, why, audits=True) is not None:
        st.session_state[_WHY] = st.session_state[_SURE] = ""
        _drop()


def _drop() -> None:
    st.session_state.pop(_CHOSEN, None)


def _as_wanted(seen: Seen, chosen: Sequence[Row]) -> None:
    """A plan that brings just these rows to what is wanted, to be read and applied."""
    if not chosen:
        say("failed", words.NOTHING_CHOSEN)
        return
    made = part(seen.plans[True], (row.wanted for row in chosen if row.wanted), (row.there for row in chosen if row.there))
    st.session_state[_CHOSEN] = words.OF_DRIFT, made
    say("done", words.planned(len(made.steps)))


def _adopt(seen: Seen, chosen: Sequence[Row]) -> None:
    """Writes the rules that Kafka has into what is wanted."""
    why = str(st.session_state[_ADOPT_WHY]).strip()
    found = [row.there for row in chosen if row.there]
    if not found:
        say("failed", words.NOTHING_TO_ADOPT if chosen else words.NOTHING_CHOSEN)
        return

    def do(name: str) -> str:
        try:
            text = adopted(seen.version.text, found, why)
        except NotWanted as error:
            raise AccessRefused(str(error)) from None
        with wanted() as state:
            n = state.save(text, seen.version.n, name, why).n
        console().access.again()
        st.session_state[_ADOPT_WHY] = ""
        return words.adopted(len(found), n)

    act("access.change", "kafka", do, why)


def _of_file() -> None:
    """Shows the plan of a file, as it was read; it is applied only if it is still what is due."""
    file = st.session_state[_FILE]
    if file is None:
        say("failed", words.NO_FILE)
        return
    try:
        made = Plan.from_json(file.getvalue().decode())
    except (NotAPlan, UnicodeDecodeError) as error:
        say("failed", f"{file.name}: {error}")
        return
    st.session_state[_CHOSEN] = file.name, made
