"""The part that the Producer and the Stream page share: what the program does, starting and stopping it, its log."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app import words
from app.acts import act, begin
from app.jobs import JOBS
from app.listing import BY_KEY
from app.parts import live, now
from app.sessions import Viewer
from app.stores import console
from engine import stopping
from engine.health import STALE_S
from engine.processes import Status, Supervisor

LINES = 25


def controls(name: str) -> None:
    """State, Start and Stop of a program, live; below, what a stop or another job of it waits for."""
    def draw(looks: Viewer) -> None:
        status = console().processes.status()[name]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(words.STATES[status.state], icon=words.STATE_ICONS[status.state], color=words.STATE_COLOURS[status.state])
            st.caption(words.program_since(status.since, status.note))
        with st.container(horizontal=True):
            st.button(words.START, key=f"{name}-start", icon=":material/play_arrow:", on_click=start, args=(name,),
                      disabled=not _startable(status) or not looks.may(f"{name}.start"))
            st.button(words.STOP, key=f"{name}-stop", icon=":material/stop:", on_click=stop, args=(name,),
                      disabled=_startable(status) or not looks.may(f"{name}.stop"))
        job_panel(f"stop {name}")

    live(BY_KEY[name].action, draw)


def log_tail(name: str) -> None:
    """The end of a program's log, live."""
    def draw(_: Viewer) -> None:
        lines = console().processes.tail(name, LINES)
        st.code("\n".join(reversed(lines)) or words.NO_LOG, language=None, wrap_lines=True)
        st.caption(words.LOG_NEWEST_FIRST)

    st.subheader(words.LOG, anchor=False)
    live(BY_KEY[name].action, draw)


def rate(said: Mapping[str, Any], program: str) -> float | None:
    """People a second as the producer said last. None when it says nothing any more or does not run: what it did once is no
    rate of now. program: the state of its program."""
    if program != "running" or "rate" not in said or said.get("state") == "ended" \
            or (now() - said["at"]).total_seconds() > STALE_S:
        return None
    return float(said["rate"])


def start(name: str) -> None:
    """Starts a program: one that runs already is left alone, so two who press at once make one."""
    def do(_: str) -> str:
        console().processes.start(name)
        return words.started(name)

    act(f"{name}.start", name, do)


def stop(name: str) -> None:
    """Stops a program, as a job: the stream ends after its running batch, which may take a while."""
    processes = console().processes

    def work(_: str, say: Callable[[str], None]) -> str:
        if name == "stream" and isinstance(processes, Supervisor):
            stopping.stop_stream(processes, say)
        else:
            processes.stop(name)
        return words.stopped(name)

    begin(f"{name}.stop", f"stop {name}", name, work)


def followed(*kinds: str) -> None:
    """What the last job of each kind does or came to, within a live panel. When one has ended the whole page is drawn again:
    what it shows is newer."""
    key, ended = f"ended {kinds}", {job.ended for kind in kinds if (job := JOBS.get(kind)) and job.ended}
    if ended - st.session_state.setdefault(key, ended):    # not when one begins: what was just said at the top would go
        st.session_state[key] = ended
        st.rerun(scope="app")
    for kind in kinds:
        job_panel(kind)


def job_panel(kind: str) -> None:
    """What the last job of a kind does or came to. Within a live panel it follows the job."""
    job = JOBS.get(kind)
    if job is None:
        return
    if job.running:
        with st.status(words.job_under_way(kind, job.by, job.began), state="running", expanded=True):
            for line in job.lines[-5:]:
                st.write(line)
    elif job.failed:
        came_to = job.result if job.half else words.failed(job.result)
        st.error(f"{words.job_ended(kind, job.by, job.ended)} {came_to}", icon=words.ICON_FAILED)
    else:
        st.success(f"{words.job_ended(kind, job.by, job.ended)} {job.result}", icon=words.ICON_DONE)


def _startable(status: Status) -> bool:
    return status.state in ("stopped", "ended", "failed")
