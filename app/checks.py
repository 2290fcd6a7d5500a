"""Verify and Recount as jobs: both take longer than a page should."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from app import words
from app.acts import begin
from app.stores import console
from engine import bound
from engine.carried_out import send_and_wait
from engine.errors import Final, ServerFailed, StoreAway, meaning
from engine.settings import CLONE, outer_environment

RECOUNT_WITHIN_S = 600.0
VERIFY_WITHIN_S = 1800.0


class Differs(Final):
    """The stores do not agree."""


def verify(action: str) -> None:
    """Has the stores compared, by the command itself: it brings a Spark of its own, which must not live in this process."""
    def work(_: str, say: Callable[[str], None]) -> str:
        def tell(line: str) -> None:
            if not line.startswith((" ", "\t")):    # where in Java something happened
                say(line.rstrip())

        code, said = _run([sys.executable, "-m", "engine.cli", "verify", "--json"], VERIFY_WITHIN_S, tell)
        try:
            report = json.loads(said)
        except ValueError:
            raise ServerFailed(words.verify_broke_off(code, meaning(code))) from None
        return _in_words(report)

    begin(action, "verify", "stores", work)


def recount() -> None:
    """Has the aggregates set from a new count of the rows."""
    def work(_: str, say: Callable[[str], None]) -> str:
        send_and_wait(console().settings, "recount", "", f"console-{uuid4()}", RECOUNT_WITHIN_S, say)
        return words.RECOUNTED

    begin("stream.recount", "recount", "aggregates", work)


def _run(command: list[str], within_s: float, tell: Callable[[str], None]) -> tuple[int, str]:
    """Runs a command of ours outside of this process: its exit code and its output. Each line of its standard error is told
    when it comes.

    Raises StoreAway when it has not ended in time. Then it is killed with all that it started, for a Spark that is left over
    would go on; a hold on the stream ends by itself. A console that is killed takes it along (engine/bound.py), and Spark ends
    with the command whose standard input it reads.
    """
    ours = {name: value for name, value in outer_environment().items() if not name.startswith("SUPERVISOR_")}
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)    # not waited for yet, so this number is nobody else's

    timer = threading.Timer(within_s, give_up)
    timer.daemon = True
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen(bound.command(command), cwd=CLONE,
                                   env={**ours, "ROLLCALL_HOME": str(console().settings.home)},
                                   stdout=output, stderr=subprocess.PIPE, text=True, start_new_session=True)
        timer.start()
        try:
            with running:
                for line in running.stderr or ():
                    tell(line)
        finally:
            timer.cancel()
        if late.is_set():
            raise StoreAway(words.not_within(within_s))
        output.seek(0)
        return running.returncode, output.read()


def _in_words(report: dict[str, object]) -> str:
    """A report of `rollcall verify --json`; Differs when something was found."""
    findings = Counter(one["where"].split()[0].split("/")[0] for one in report["findings"])    # type: ignore[attr-defined]
    if not report["ok"]:    # what and how many: the places name people, and this goes into the audit
        kinds = ", ".join(f"{number} x {kind}" for kind, number in findings.most_common())
        more = f" and {report['more']} more" if report["more"] else ""
        raise Differs(words.differs(report["turn"], kinds + more))
    return words.agrees(report["turn"], report["records"], report["rows"], report["dead_letters"], report["documents"])
