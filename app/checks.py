"""Verify and Recount as jobs: both take longer than a page should."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from app import words
from app.acts import begin
from app.stores import console
from engine.carried_out import send_and_wait
from engine.errors import Final, ServerFailed
from engine.settings import CLONE, outer_environment

RECOUNT_WITHIN_S = 600.0
VERIFY_WITHIN_S = 1800


class Differs(Final):
    """The stores do not agree."""


def verify(action: str) -> None:
    """Has the stores compared, by the command itself: it brings a Spark of its own, which must not live in this process."""
    def work(_: str, say: Callable[[str], None]) -> str:
        environment = {**outer_environment(), "ROLLCALL_HOME": str(console().settings.home)}
        running = subprocess.Popen([sys.executable, "-m", "engine.cli", "verify", "--json"], cwd=CLONE, env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said: list[str] = []
        for line in running.stdout or ():
            said.append(line)
            if not line.startswith((" ", "{", "}", "[", "]")):
                say(line.rstrip())
        code = running.wait(VERIFY_WITHIN_S)
        start = next((number for number, line in enumerate(said) if line.startswith("{")), len(said))
        try:
            report = json.loads("".join(said[start:]))
        except ValueError:
            raise ServerFailed(f"`rollcall verify` ended with exit code {code}: {''.join(said[-3:]).strip()}") from None
        return _in_words(report)

    begin(action, "verify", "stores", work)


def recount() -> None:
    """Has the aggregates set from a new count of the rows."""
    def work(_: str, say: Callable[[str], None]) -> str:
        send_and_wait(console().settings, "recount", "", f"console-{uuid4()}", RECOUNT_WITHIN_S, say)
        return words.RECOUNTED

    begin("stream.recount", "recount", "aggregates", work)


def _in_words(report: dict[str, object]) -> str:
    """A report of `rollcall verify --json`; Differs when something was found."""
    findings = Counter(one["where"].split()[0].split("/")[0] for one in report["findings"])    # type: ignore[attr-defined]
    if not report["ok"]:    # what and how many: the places name people, and this goes into the audit
        kinds = ", ".join(f"{number} x {kind}" for kind, number in findings.most_common())
        more = f" and {report['more']} more" if report["more"] else ""
        raise Differs(words.differs(report["turn"], kinds + more))
    return words.agrees(report["turn"], report["records"], report["rows"], report["dead_letters"], report["documents"])
