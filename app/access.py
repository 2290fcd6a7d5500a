"""The parts of the page Kafka access that show: by principal, by topic, the checker, who was refused; and its jobs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import streamlit as st

from app import words_access as words
from app.access_seen import Question, Seen
from app.parts import TIME, changed, now, table
from app.programs import followed
from app.readings import Reading
from app.sessions import Viewer
from app.stores import console
from engine import secrets
from engine.access.apply import OURS, Access
from engine.access.broker import Broker
from engine.access.denied import Denied
from engine.access.state import WantedState
from engine.stores.records import Records
from governance.kafka_access.decide import question, question_faults
from governance.kafka_access.rule import ANY, CLUSTER, EVERYBODY, OPERATIONS, Rule
from governance.kafka_access.sentence import act as doing
from governance.kafka_access.sentence import sentence
from governance.kafka_access.sentence import who as called

KIND = "access"
"""One kind of job for all that changes Kafka's rules and users."""

_ASKED, _AWAITED = "access-asked", "access-awaited"
_ALL_OPERATIONS = sorted({operation for operations in OPERATIONS.values() for operation in operations})


@contextmanager
def wanted() -> Iterator[WantedState]:
    """What is wanted, over the officer's session, as it is kept. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        yield WantedState(console().settings, Records(console().settings, session))


@contextmanager
def opened() -> Iterator[Access]:
    """What is wanted beside Kafka, for one act. Raises StoreAway, SignInRefused, AccessRefused."""
    with wanted() as state:
        version = state.newest()
    with Broker.opened(console().settings) as broker:
        yield Access(console().settings, broker, version)


def jobs(_: Viewer) -> None:
    """What the last job does, or came to. When it has ended, and when Kafka goes or comes, the whole page is drawn again."""
    changed("access-away", console().access.now().error is not None)
    followed(KIND)


def read_again() -> None:
    """Reads Kafka and what is wanted as they are now; a page that is drawn before that is done is drawn again after it."""
    asked = now()
    console().access.again()
    st.session_state[_AWAITED] = asked


def awaited(reading: Reading[Seen]) -> bool:
    """Whether this reading is older than the one that was asked for."""
    asked: datetime | None = st.session_state.get(_AWAITED)
    return asked is not None and (reading.at is None or reading.at < asked)


def by_principal(seen: Seen) -> None:
    """One principal: what it is, each rule that speaks of it, what it was refused."""
    chosen = st.selectbox(words.PRINCIPAL, seen.principals, format_func=_called, key="access-principal")
    if chosen is None:
        return
    st.caption(words.facts(seen.version.teams.get(chosen, ""), chosen in OURS or chosen.partition(":")[2] in secrets.PRINCIPALS,
                           chosen in seen.version.wanted.protected_principals, chosen in seen.grounds.super_users,
                           chosen in {f"User:{user.name}" for user in seen.users}))
    table(_rules(seen, seen.rules_of(chosen)), "access-rules-of", empty=words.NO_RULES)
    st.subheader(words.ATTEMPTS, anchor=False)
    _denied([one for one in seen.refused if one.attempt.principal == chosen], "access-denied-of")


def by_topic(seen: Seen) -> None:
    """One topic: who may do what with it, and the rules that say so, those of patterns included."""
    typed = {str(st.session_state["access-topic"])} if st.session_state.get("access-topic") else set()
    topic = st.selectbox(words.TOPIC, sorted(typed.union(seen.topics)), key="access-topic", help=words.TOPIC_HELP,
                         accept_new_options=True)
    if not topic:
        return
    st.subheader(words.WHO_MAY, anchor=False)
    may = ((_called(one), [name for name in OPERATIONS["topic"] if seen.answer((one, ANY, name, "topic", topic)).allowed])
           for one in seen.principals)
    table([{words.PRINCIPAL: name, words.MAY: ", ".join(operations)} for name, operations in may if operations],
          "access-may", empty=words.NOBODY_MAY)
    st.subheader(words.RULES_ABOUT, anchor=False)
    table(_rules(seen, seen.rules_about(topic)), "access-rules-about", empty=words.NO_RULES_ABOUT)


def checker(seen: Seen) -> None:
    """Can X do Y on Z? Today and after the plan, each with the rule that decides."""
    st.caption(words.CHECK_SAYS)
    with st.form("access-check", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(words.WHO, key="access-check-who")
            st.selectbox(words.OPERATION, _ALL_OPERATIONS, index=_ALL_OPERATIONS.index("READ"), key="access-check-operation")
            st.selectbox(words.RESOURCE, list(OPERATIONS), key="access-check-resource")
            st.text_input(words.NAME, key="access-check-name", help=words.NAME_HELP)
            st.text_input(words.HOST, key="access-check-host", help=words.HOST_HELP)
        st.checkbox(words.AFTER_DELETES, key="access-check-deletes")
        st.form_submit_button(words.ASK, key="access-check-ask", icon=":material/help:", on_click=_ask)
    asked: Question | None = st.session_state.get(_ASKED)
    if asked is None:
        return
    if wrong := question_faults(*asked):
        st.error(words.cannot_ask(wrong), icon=":material/error:")
        return
    st.text(question(*asked))
    for when, verdict in ((words.TODAY, seen.answer(asked)),
                          (words.AFTER, seen.answer(asked, bool(st.session_state.get("access-check-deletes"))))):
        (st.success if verdict.allowed else st.error)(
            f"{when}: {verdict}", icon=":material/check:" if verdict.allowed else ":material/block:")


def denied(seen: Seen) -> None:
    """Who was refused what, each with what decides it today."""
    if seen.log_error:
        st.warning(seen.log_error, icon=":material/cloud_off:")
        return
    chosen = st.selectbox(words.PRINCIPAL, [words.EVERY_PRINCIPAL, *sorted({one.attempt.principal for one in seen.refused})],
                          format_func=_called, key="access-denied-who")
    found = [one for one in seen.refused if chosen in (words.EVERY_PRINCIPAL, one.attempt.principal)]
    if found:
        times: Counter[tuple[str, str, str]] = Counter()
        for one in found:
            times[(one.attempt.principal, one.rule, str(one.today))] += one.count
        st.caption(words.DENIED_BY)
        table([{words.PRINCIPAL: _called(principal), words.TIMES: number, words.TODAY_SAYS: today, words.BY_RULE: rule}
               for (principal, rule, today), number in times.most_common()], "access-denied-by")
    _denied(found, "access-denied")


def _denied(found: Sequence[Denied], key: str) -> None:
    table([{words.LAST: one.last, words.TIMES: one.count, words.PRINCIPAL: _called(one.attempt.principal),
            words.REFUSED_WHAT: doing(one.attempt.operation, one.attempt.resource, one.attempt.name, "literal"),
            words.HOST_SHORT: one.attempt.host, words.REQUEST: one.attempt.request, words.TODAY_SAYS: str(one.today),
            words.BY_RULE: one.rule, words.FIRST: one.first} for one in found],
          key, {words.LAST: TIME, words.FIRST: TIME}, words.NOBODY_DENIED)


def _rules(seen: Seen, found: Sequence[Rule]) -> list[dict[str, object]]:
    return [{words.RULE: sentence(rule, seen.version.teams), words.STATE: _state(seen, rule),
             words.MANAGED: seen.version.managed.owns(rule)} for rule in found]


def _state(seen: Seen, rule: Rule) -> str:
    if rule in seen.version.rules:
        return words.AS_WANTED if rule in seen.rules else words.MISSING
    return words.UNEXPECTED if seen.version.managed.owns(rule) else words.OF_OTHERS


def _called(principal: str) -> str:
    if principal == EVERYBODY:
        return words.ANYBODY_ELSE
    return called(principal) if ":" in principal else principal


def _ask() -> None:
    typed = {name: str(st.session_state[f"access-check-{name}"]).strip()
             for name in ("who", "host", "operation", "resource", "name")}
    who = typed["who"] if ":" in typed["who"] else f"User:{typed['who']}"
    name = typed["name"] or (CLUSTER if typed["resource"] == "cluster" else "")
    st.session_state[_ASKED] = who, typed["host"] or ANY, typed["operation"], typed["resource"], name
