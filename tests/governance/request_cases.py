"""Requests as tests make them."""

from datetime import UTC, date, datetime
from typing import Any

from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.request import Request, request
from governance.requests.result import Result
from governance.requests.step import STEPS, Name
from governance.rights.verdict import Outcome, Verdict

AT = datetime(2026, 3, 10, 9, tzinfo=UTC)
DAY = date(2026, 3, 10)
DONE = Result(done=True, says="it was so", evidence={"offset": "17"})
ERASED = Result(done=True, says="Erased", evidence={"command": "17"}, verdicts=(
    Verdict("cassandra:profiles", Outcome.ERASED, "no file holds it"),
    Verdict("kafka:people", Outcome.EXPIRES_ON, "max.compaction.lag.ms", datetime(2026, 3, 11, tzinfo=UTC)),
    Verdict("backups", Outcome.EXTERNAL, "`nodetool clearsnapshot`", recipient="who runs Cassandra")))
RED = Result(done=False, says="NOT ERASED in mongo", verdicts=(Verdict("mongo", Outcome.NOT_ERASED, "it does not answer"),))


def made(kind: str = "erasure", received: date | str = "2026-03-05", **others: Any) -> Request:
    """A request as it was logged."""
    return request({"ref": "r-2026-001", "kind": kind, "received": received, "channel": "letter", "person": "person 1a2b",
                    **others})


def question(asked: Request, on: date | str) -> Request:
    """We ask for what shows who asks."""
    return life.identity_wanted(asked, date.fromisoformat(str(on)), "another address", "the number of the last order")


def known(kind: str = "erasure", **others: Any) -> Request:
    """A request of somebody who is known."""
    return life.identified(made(kind, **others), DAY, "signed in")


def ran(asked: Request, name: str, result: Result = DONE, on: date | None = None) -> Request:
    """A step, begun and come to something."""
    return life.came_to(life.begun(asked, name, AT, "ada"), name, AT, result, on)


def through(kind: str, until: str = "", optional: bool = False) -> Request:
    """A request with all its steps done, or those before one."""
    asked = known(kind)
    for step in STEPS[Kind(kind)]:
        if step.name == until:
            break
        if optional or not step.optional:
            asked = ran(asked, step.name, ERASED if step.name is Name.ERASE else DONE, DAY)
    return asked
