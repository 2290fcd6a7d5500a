"""The parts of the Retention page: stated against measured, the job and its evidence."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from app import words_law as words
from app.acts import begin
from app.parts import TIME, table
from app.programs import job_panel
from app.sessions import Viewer
from app.stores import console
from engine.compliance import retention
from engine.stores.records import Records
from governance.retention import Keeping

JOB = "retention"
WITHIN_S = 600.0
_LATE = (Keeping.DUE, Keeping.OVERDUE)


def stated(lines: Sequence[Mapping[str, Any]]) -> None:
    """Every limit, as `rollcall retention show --json` has them; first whether something is over its time."""
    late = [line["place"] for line in lines if line["keeping"] in _LATE]
    if late:
        st.error(words.over_time(sorted(set(late))), icon=":material/alarm:")
    else:
        st.success(words.ALL_KEPT, icon=":material/check_circle:")
    table([{words.PLACE: line["place"], words.KEEPING: line["keeping"], words.DUE: line["due"],
            words.OLDEST: datetime.fromisoformat(line["oldest"]) if line["oldest"] else None,
            words.LIMIT: line["limit"], words.KEPT_BY: line["enforced_by"], words.DATA: ", ".join(line["data"]),
            words.ENTRIES: ", ".join(line["entries"])} for line in lines], "retention-lines", {words.OLDEST: TIME})


def job(_: Viewer) -> None:
    """How a run gets on."""
    job_panel(JOB)


def evidence() -> None:
    """Each run of the job. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        runs = retention.runs(Records(console().settings, session))
    table([{words.CHANGED: run.at, words.BY: by, words.LIMIT: run.stated, words.CUT_OFF: run.cut_off, words.DUE: run.due,
            words.EXPIRED: run.expired, words.LEFT: run.left, words.SECONDS: run.seconds} for run, by in runs],
          "retention-runs", empty=words.NO_RUNS)


def run() -> None:
    """Expires what is due, as a job."""
    def work(name: str, tell: Callable[[str], None]) -> str:
        done = retention.run(console().settings, name, tell, WITHIN_S)
        console().retention.again()
        return words.ran(done.expired, done.due, done.left)

    begin("retention.run", JOB, retention.PEOPLE, work)
