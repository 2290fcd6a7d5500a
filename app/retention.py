"""The parts of the Retention page: stated against measured, the job and its evidence."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st

from app import words_law as words
from app.acts import begin
from app.parts import TIME, now, table
from app.programs import followed
from app.sessions import Viewer
from app.stores import console
from app.words import not_within
from engine import bound
from engine.compliance import retention
from engine.errors import StoreAway, StoreRefused
from engine.settings import CLONE, outer_environment
from engine.stores.records import Records
from governance.retention import Keeping

KINDS = ("measure retention", "retention")
MEASURE, RUN = KINDS
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
        if retention.stale(console().settings, kept, now()):
            st.warning(words.MEASURED_LONG_AGO, icon=":material/update:")
        _stated(kept)
    st.subheader(words.RUNS, anchor=False)
    _runs(runs)


def _runs(runs: Sequence[tuple[retention.Run, str]]) -> None:
    last = next((run for run, _ in runs if run.place == retention.PEOPLE), None)
    if last and last.restricted:
        oldest = datetime.fromisoformat(last.oldest_restricted) if last.oldest_restricted else None
        st.warning(words.restricted_over_time(last.restricted, oldest), icon=":material/front_hand:")
    table([{words.CHANGED: run.at, words.PLACE: run.place, words.BY: by, words.LIMIT: run.stated,
            words.CUT_OFF: run.cut_off, words.DUE: run.due, words.EXPIRED: run.expired, words.LEFT: run.left,
            words.RESTRICTED: run.restricted, words.SECONDS: run.seconds} for run, by in runs],
          "retention-runs", empty=words.NO_RUNS)


def jobs(_: Viewer) -> None:
    """How a measurement or a run gets on."""
    followed(*KINDS)


def measure() -> None:
    """Measures anew, as a job. For callbacks."""
    begin("retention.measure", MEASURE, "places", lambda name, tell: _command("measure", name, tell))


def run() -> None:
    """Makes an end to what is due, as a job. For callbacks."""
    begin("retention.run", RUN, ", ".join(retention.RUNS), lambda name, tell: _command("run", name, tell))


def _command(what: str, name: str, tell: Callable[[str], None]) -> str:
    """Does it by the command itself: it signs in anew and looks whole tables through, and every page would wait for that."""
    environment = {key: value for key, value in outer_environment().items() if not key.startswith("SUPERVISOR_")}
    try:
        done = subprocess.run(
            bound.command(["nice", "-n", "10", sys.executable, "-m", "engine.cli", "retention", what, "--by", name]), cwd=CLONE,
            check=False,
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
