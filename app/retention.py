"""The parts of the Retention page: stated against measured, the job and its evidence."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime

import streamlit as st

from app import words_law as words
from app.acts import begin
from app.jobs import JOBS
from app.parts import TIME, table
from app.programs import job_panel
from app.sessions import Viewer
from app.stores import console
from app.words import not_within
from engine.compliance import retention
from engine.errors import StoreAway, StoreRefused
from engine.settings import CLONE, outer_environment
from engine.stores.records import Records
from governance.retention import Keeping

KINDS = ("measure retention", "retention")
MEASURE, RUN = KINDS
_ENDED = "retention-ended"
WITHIN_S = 600.0
_LATE = (Keeping.DUE, Keeping.OVERDUE)


def shown() -> None:
    """The newest measurement, first whether something is over its time; then each run. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        records = Records(console().settings, session)
        kept, runs = retention.newest(records), retention.runs(records)
    if kept is None:
        st.info(words.NOT_MEASURED, icon=":material/inbox:")
    else:
        st.caption(words.measured(kept.at, kept.by))
        _stated(kept)
    st.subheader(words.RUNS, anchor=False)
    table([{words.CHANGED: run.at, words.BY: by, words.LIMIT: run.stated, words.CUT_OFF: run.cut_off, words.DUE: run.due,
            words.EXPIRED: run.expired, words.LEFT: run.left, words.SECONDS: run.seconds} for run, by in runs],
          "retention-runs", empty=words.NO_RUNS)


def jobs(_: Viewer) -> None:
    """How a measurement or a run gets on; when one has ended the whole page is drawn again, for what it shows is newer."""
    ended = [job.ended for kind in KINDS if (job := JOBS.get(kind))]
    if st.session_state.setdefault(_ENDED, ended) != ended:
        st.session_state[_ENDED] = ended
        st.rerun(scope="app")
    for kind in KINDS:
        job_panel(kind)


def measure() -> None:
    """Measures anew, as a job. For callbacks."""
    begin("retention.measure", MEASURE, "places", lambda name, tell: _command("measure", name, tell))


def run() -> None:
    """Expires what is due, as a job. For callbacks."""
    begin("retention.run", RUN, retention.PEOPLE, lambda name, tell: _command("run", name, tell))


def _command(what: str, name: str, tell: Callable[[str], None]) -> str:
    """Does it by the command itself: it signs in anew and looks whole tables through, and every page would wait for that."""
    environment = {key: value for key, value in outer_environment().items() if not key.startswith("SUPERVISOR_")}
    try:
        done = subprocess.run(
            ["nice", "-n", "10", sys.executable, "-m", "engine.cli", "retention", what, "--by", name], cwd=CLONE, check=False,
            env={**environment, "ROLLCALL_HOME": str(console().settings.home)}, capture_output=True, text=True,
            timeout=WITHIN_S)
    except subprocess.TimeoutExpired:
        raise StoreAway(not_within(WITHIN_S)) from None
    for line in done.stderr.splitlines():
        tell(line)
    if done.returncode:
        raise StoreRefused(done.stdout.strip() or done.stderr.strip().rpartition("\n")[2] or str(done.returncode))
    return done.stdout.strip()


def _stated(kept: retention.Kept) -> None:
    late = sorted({line["place"] for line in kept.lines if line["keeping"] in _LATE})
    if late:
        st.error(words.over_time(late), icon=":material/alarm:")
    else:
        st.success(words.ALL_KEPT, icon=":material/check_circle:")
    table([{words.PLACE: line["place"], words.KEEPING: line["keeping"], words.DUE: line["due"],
            words.OLDEST: datetime.fromisoformat(line["oldest"]) if line["oldest"] else None,
            words.LIMIT: line["limit"], words.KEPT_BY: line["enforced_by"], words.DATA: ", ".join(line["data"]),
            words.ENTRIES: ", ".join(line["entries"])} for line in kept.lines], "retention-lines", {words.OLDEST: TIME})
