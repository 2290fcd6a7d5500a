"""Acts of a page: asked for again on this side, written into the audit, done, and told how they ended."""

from collections.abc import Callable
from contextlib import nullcontext

from app import words
from app.jobs import JOBS, CameTo, HalfDone, Job
from app.parts import say, viewer
from app.sessions import Viewer
from app.stores import console
from engine.errors import RollcallError
from governance.audit import REFUSED
from governance.permissions import allowed


def act(action: str, target: str, do: Callable[[str], str], why: str = "") -> bool:
    """Does something if the viewer may and, where the audit is strict, if it is written down; says how it ended.

    do: called with the viewer's name; what it returns is said. Its RollcallErrors are said too, as of what was not done, but
    HalfDone as it is. For callbacks of widgets: what is said stands at the top of the page's next run. Returns whether it was
    done.
    """
    if (looks := _who_may(action, target)) is None:
        return False
    try:
        with console().audit().acting(looks.name, action, target, why):
            done = do(looks.name)
    except RollcallError as error:
        say("failed", str(error) if isinstance(error, HalfDone) else words.failed(str(error)))
        return False
    say("done", done)
    return True


def begin(action: str, kind: str, target: str, work: Callable[[str, Callable[[str], None]], str | CameTo], why: str = "",
          audits: bool = False) -> Job | None:
    """Begins a job in the same way; it is written down before it is done and when it has ended. For callbacks.

    work: called with the viewer's name and with what takes lines of progress; what it returns is said. audits: it writes
    itself what it does into the audit, step by step. Returns the job; None when it was not begun, and then it is said why.
    """
    if (looks := _who_may(action, target)) is None:
        return None
    audit, name = console().audit(), looks.name

    def audited(told: Callable[[str], None]) -> str | CameTo:
        with nullcontext() if audits else audit.acting(name, action, target, why) as doing:
            result = work(name, told)
            if doing is not None:
                doing.why = why or str(result)
            return result

    job, begun = JOBS.begin(kind, name, audited)
    if not begun:
        say("failed", words.job_runs(job.by, job.began))
    return job if begun else None


def _who_may(action: str, target: str) -> Viewer | None:
    """The viewer, if they may; a refusal is said and written down."""
    looks = viewer()
    if looks is not None and looks.may(action):
        return looks
    if looks is not None and allowed(looks.roles, action):    # they have the right; whether they still do cannot be asked
        console().audit().append_or_keep(looks.name, action, target, REFUSED, "the session cannot be confirmed")
        say("failed", words.failed(words.not_while_away(console().sessions.away_since)))
        return None
    name, roles = (looks.name, looks.roles) if looks else ("stranger", frozenset[str]())
    console().audit().append_or_keep(name, action, target, REFUSED, "no right to it")
    say("failed", words.SESSION_ENDED if looks is None else words.may_not(action, roles))
    return None
