"""The pages of what runs: of when figures are, rates that are of now, a change of the producer, and checks that end in time."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Caption, Metric

from app import checks, words, words_law
from app.readings import Kept, Reading
from engine.errors import ServerFailed, StoreAway, meaning
from engine.health import Hop
from engine.processes import Status
from engine.settings import CLONE, load
from engine.settings_file import change
from tests.app.console_fake import FIGURES, HISTORY, HOPS, PRODUCER, UUID, FakeConsole, counted
from tests.app.pages import opened, page_of, placed, said, until

LONG_AGO = datetime(2026, 3, 1, 8, 30, 0, tzinfo=UTC)
RATE, SOURCE = "producer-f-settings-rate", "producer-f-settings-source"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own, whose settings only the file says."""
    for name in [name for name in os.environ if name.startswith("ROLLCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    return placed(tmp_path, monkeypatch)


def shown(test: AppTest, label: str) -> str:
    """What a metric shows."""
    return str(next(metric.value for metric in test.metric if metric.label == label))


def hops(**facts: dict[str, Any]) -> list[Hop]:
    """The hops with other facts."""
    return [replace(hop, facts=facts.get(hop.name, hop.facts)) for hop in HOPS]


@pytest.mark.parametrize("key", ["aggregates", "producer", "stream"])
def test_figures_that_nobody_renews_are_of_when_they_were_made(console: FakeConsole, key: str) -> None:
    console.counted = Kept(lambda: replace(counted(), at=LONG_AGO), 3600)
    console.status = Kept(lambda: {"producer": {**PRODUCER, "at": LONG_AGO}, "figures": {**FIGURES, "at": LONG_AGO}}, 3600)
    captions = [caption.value for caption in opened(console, page_of(key), "operator").caption]
    assert "As of 2026-03-01 08:30:00 UTC" in captions


def test_of_today_the_time_is_enough() -> None:
    today = datetime.now(UTC)
    assert words.as_of(today) == f"As of {today:%H:%M:%S} UTC"


@pytest.mark.parametrize(("key", "role"), [("accounts", "admin"), ("audit", "officer")])
def test_pages_that_read_their_store_say_when(console: FakeConsole, monkeypatch: pytest.MonkeyPatch, key: str,
                                              role: str) -> None:
    monkeypatch.setattr("app.parts.now", lambda: LONG_AGO)
    captions = [caption.value for caption in opened(console, page_of(key), role).caption]
    assert "As of 2026-03-01 08:30:00 UTC" in captions


@pytest.mark.parametrize("key", ["producer", "flow"])
@pytest.mark.parametrize(("age_s", "program", "state", "says"), [
    (1, "running", "running", "50"), (60, "running", "running", "-"), (1, "stopped", "running", "-"),
    (1, "ended", "running", "-"), (1, "running", "ended", "-"), (1, "running", "waiting for Kafka", "50")])
def test_a_rate_is_one_of_now_or_none(console: FakeConsole, key: str, age_s: float, program: Any, state: str,
                                      says: str) -> None:
    facts = {**PRODUCER, "state": state, "at": datetime.now(UTC) - timedelta(seconds=age_s)}
    console.status = Kept(lambda: {"producer": facts}, 3600)
    console.hops = Kept(lambda: hops(producer={**facts, "program": program}), 3600)
    console.processes.states["producer"] = Status("producer", program)
    assert shown(opened(console, page_of(key), "operator"), words.RATE) == says


@pytest.mark.parametrize(("rows", "restricted", "users", "differ"), [
    (1200, 0, 1200, False), (1200, 3, 1197, False), (1200, 3, 1200, True), (1200, 0, 1199, True)])
def test_rows_of_restricted_people_are_no_difference(console: FakeConsole, rows: int, restricted: int, users: int,
                                                     differ: bool) -> None:
    there = hops(producer={}, cassandra={"rows": rows, "restricted": restricted}, mongo={"users": users})
    console.hops = Kept(lambda: there, 3600)
    says = words.stores_differ(rows, restricted, users)
    assert (says in [info.value for info in opened(console, page_of("flow"), "operator").info]) is differ


def test_flow_shows_the_keeper(console: FakeConsole) -> None:
    ill = [replace(hop, ok=False, says="its program is stopped") if hop.name == "keeper" else hop for hop in HOPS]
    console.hops = Kept(lambda: ill, 3600)
    test = opened(console, page_of("flow"), "operator")
    assert test.error[0].value == words.not_well(["Keeper"])


def test_the_stream_says_where_it_stands_and_names_its_totals(console: FakeConsole) -> None:
    figures = {**FIGURES, "at": LONG_AGO, "batch": 41, "totals": dict.fromkeys(words.COUNTS, 9)}
    console.status = Kept(lambda: {"figures": figures}, 3600)
    console.hops = Kept(lambda: hops(stream={"behind": 1234, "at": LONG_AGO, "open": False}), 3600)
    test = opened(console, page_of("stream"), "operator")
    assert (shown(test, words.LAG), shown(test, words.TURN), shown(test, words.BATCH)) == ("1,234", "7", "41")
    assert shown(test, words.LAST_TURN) == words.moment(LONG_AGO)
    labels = {metric.label for metric in test.metric}
    assert set(words.COUNTS.values()) <= labels
    assert not set(words.COUNTS) & labels


def test_what_the_stream_was_behind_before_is_not_its_lag_now(console: FakeConsole) -> None:
    console.hops.now()
    console.hops._every_s, console.hops._read = -1.0, _raises
    test = opened(console, page_of("stream"), "operator")
    until(test, lambda test: shown(test, words.LAG) == "-")


def _raises() -> Any:
    raise StoreAway("MongoDB does not answer.", "MongoDB")


def stale(test: AppTest) -> list[tuple[str, ...]]:
    """What a form says that is older than the settings: field, before, what stands now, what is typed."""
    names = (words_law.FIELD, words_law.BEFORE, words_law.THEIRS, words_law.MINE)
    return [tuple(row[name] for name in names) for frame in test.dataframe for row in frame.value.to_dict("records")]


def applied(test: AppTest) -> None:
    """Presses Apply."""
    next(button for button in test.button if button.label == words.APPLY).click().run()


def test_only_what_was_changed_is_written(console: FakeConsole) -> None:
    test = opened(console, page_of("producer"), "operator")
    test.number_input(RATE).set_value(120.0)
    applied(test)
    until(test, lambda test: words.changed(load().producer.source, 120.0) in said(test))
    assert (console.settings.home / "settings.toml").read_text().split() == ["[producer]", "rate", "=", "120.0"]


def test_a_form_that_is_older_than_the_settings_changes_nothing_and_keeps_what_was_typed(console: FakeConsole) -> None:
    change(load(), "producer", {"source": "synthetic", "rate": 10.0})
    test = opened(console, page_of("producer"), "operator")
    change(load(), "producer", {"source": "randomuser"})
    test.number_input(RATE).set_value(120.0)
    applied(test)
    until(test, lambda test: "Somebody else has changed this meanwhile" in said(test))
    assert "producer.source is 'randomuser' now" in said(test)
    assert (load().producer.source, load().producer.rate) == ("randomuser", 10.0)
    assert console.processes.did == []
    assert words.FORM_OLDER in said(test)
    assert stale(test) == [("source", "synthetic", "randomuser", ""), ("rate", "10.0", "", "120.0")]
    assert (test.selectbox(SOURCE).value, test.number_input(RATE).value) == ("synthetic", 120.0)
    test.button("producer-again").click().run()
    assert (test.selectbox(SOURCE).value, test.number_input(RATE).value) == ("randomuser", 10.0)
    assert words.FORM_OLDER not in said(test)
    test.number_input(RATE).set_value(120.0)
    applied(test)
    until(test, lambda test: words.changed("randomuser", 120.0) in said(test))
    assert (load().producer.source, load().producer.rate) == ("randomuser", 120.0)


def test_what_one_types_stays_when_the_change_of_another_ends(console: FakeConsole) -> None:
    change(load(), "producer", {"source": "synthetic", "rate": 10.0})
    test, other = (opened(console, page_of("producer"), "operator") for _ in range(2))
    other.number_input(RATE).set_value(50.0)
    applied(other)
    until(other, lambda other: words.changed("synthetic", 50.0) in said(other))
    assert words.FORM_OLDER not in said(other)
    until(test, lambda test: words.FORM_OLDER in said(test))
    assert stale(test) == [("rate", "10.0", "50.0", "")]
    assert not test.number_input(RATE).proto.set_value, "a form sends what is typed with Apply only: nothing may be put over it"
    other.selectbox(SOURCE).set_value("randomuser")    # whose change it was goes on from it
    applied(other)
    until(other, lambda other: words.changed("randomuser", 50.0) in said(other))
    assert (load().producer.source, load().producer.rate) == ("randomuser", 50.0)
    test.button("producer-again").click().run()
    assert test.number_input(RATE).proto.set_value
    assert test.number_input(RATE).value == 50.0


def test_a_form_that_is_not_known_any_more_is_refused_in_words(console: FakeConsole) -> None:
    test = opened(console, page_of("producer"), "operator")
    test.session_state["producer-texts"] = {}    # as where a click waits while the form is begun anew
    test.number_input(RATE).set_value(120.0)
    applied(test)
    assert not test.exception
    assert words_law.FORM_GONE in said(test)
    assert load().producer.rate != 120.0


def test_settings_that_are_wrong_are_said_and_the_rest_of_the_page_stands(console: FakeConsole) -> None:
    path = console.settings.home / "settings.toml"
    path.write_text("[producer]\nrate = -1\n")
    test = opened(console, page_of("producer"), "operator")
    assert not test.exception
    assert any("ROLLCALL_PRODUCER__RATE is wrong" in error.value for error in test.error)
    assert "line of producer" in said(test)
    assert words.APPLY not in [button.label for button in test.button]
    path.write_text("[producer]\nrate = 7\n")
    test.run()
    assert not test.error
    assert test.number_input(RATE).value == 7.0
    path.write_text("[producer\n")
    test.run()
    assert any("cannot be read" in error.value for error in test.error)
    test.number_input(RATE).set_value(9.0)    # the form is there, with what is typed in it
    applied(test)
    until(test, lambda test: any("Not done." in error.value and "cannot be read" in error.value for error in test.error))
    assert not test.exception
    path.write_text("[producer]\nrate = 7\n")
    test.run()
    assert test.number_input(RATE).value == 9.0


def test_an_apply_of_nothing_starts_nothing_again(console: FakeConsole) -> None:
    test = opened(console, page_of("producer"), "operator")
    applied(test)
    until(test, lambda test: words.NOTHING_CHANGED in said(test))
    assert console.processes.did == []


def test_a_change_that_is_kept_without_the_restart_says_both(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: str) -> None:
        raise ServerFailed("producer cannot be started.")

    monkeypatch.setattr(console.processes, "start", start)
    test = opened(console, page_of("producer"), "operator")
    test.number_input(RATE).set_value(120.0)
    applied(test)
    says = words.kept_not_restarted(load().producer.source, 120.0, "producer cannot be started.")
    until(test, lambda test: says in said(test))
    assert words.failed(says) not in said(test)
    assert load().producer.rate == 120.0
    assert console.log.wrote[-1][3] == "failed"


def test_a_page_does_not_wait_for_the_producer_to_stop(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(console.processes, "stop", lambda *_: go.wait(60))
    test = opened(console, page_of("producer"), "operator")
    test.number_input(RATE).set_value(120.0)
    applied(test)
    until(test, lambda test: any("Change producer: under way" in status.label for status in test.status))
    assert not go.is_set()
    until(test, lambda _: load().producer.rate == 120.0)
    test.run()
    assert words.FORM_OLDER not in said(test), "its own change is under way"
    go.set()
    until(test, lambda test: words.changed(load().producer.source, 120.0) in said(test))


def _gone(pid: int) -> bool:
    """Whether a process ends in time; one that does not is killed, and is a finding."""
    _, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    for process in alive:
        os.kill(process.pid, signal.SIGKILL)
    return not alive


@pytest.mark.long
def test_a_check_that_takes_too_long_is_ended_with_all_it_started(console: FakeConsole) -> None:
    told: list[str] = []
    command = ("import subprocess, sys, time; print(subprocess.Popen(['sleep', '600']).pid, file=sys.stderr, flush=True); "
               "time.sleep(600)")
    with pytest.raises(StoreAway, match="was given up"):
        checks._run([sys.executable, "-c", command], 5.0, told.append)
    assert _gone(int(told[0]))


@pytest.mark.long
def test_a_check_does_not_outlive_a_console_that_is_killed(tmp_path: Path) -> None:
    check = "import os, sys, time; print(os.getpid(), file=sys.stderr, flush=True); time.sleep(600)"
    console = (f"import sys, threading; from types import SimpleNamespace as Of; from app import checks\n"
               f"checks.console = lambda: Of(settings=Of(home={str(tmp_path)!r}))\n"
               f"work = lambda: checks._run([sys.executable, '-c', {check!r}], 600.0, lambda line: print(line, flush=True))\n"
               f"threading.Thread(target=work).start()")
    with subprocess.Popen([sys.executable, "-c", console], cwd=CLONE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert psutil.pid_exists(pid)
        running.kill()
    assert _gone(pid)


def test_a_check_is_no_program_of_the_supervisor(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_PROCESS_NAME", "console")
    command = "import os; print(sorted(os.environ)); raise SystemExit(3)"
    code, said = checks._run([sys.executable, "-c", command], 60.0, lambda _: None)
    assert code == 3
    assert "ROLLCALL_HOME" in said
    assert "SUPERVISOR" not in said


def test_what_a_check_says_on_the_way_is_no_part_of_its_report(console: FakeConsole) -> None:
    told: list[str] = []
    command = "import sys; print('on the way', file=sys.stderr, flush=True); print('{}')"
    assert checks._run([sys.executable, "-c", command], 60.0, told.append) == (0, "{}\n")
    assert told == ["on the way\n"]


def test_a_check_without_a_report_says_its_exit_code_and_quotes_nothing(console: FakeConsole,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_run", lambda *_: (69, f"half a report of {UUID}"))
    test = opened(console, page_of("stream"), "operator")
    test.button("stream-verify").click().run()
    until(test, lambda test: words.failed(words.verify_broke_off(69, meaning(69))) in said(test))
    assert "exit code 69 (" in said(test)
    assert UUID not in said(test)
    assert console.log.wrote[-1][:4] == ("ada", "stream.verify", "stores", "failed")
    assert UUID not in str(console.log.wrote)


def drawn(test: AppTest) -> list[set[str]]:
    """The names in each chart that is split by a name."""
    frames = [convert_arrow_bytes_to_pandas_df(data.data.data) for chart in test.get("vega_lite_chart")
              for data in chart.proto.datasets]
    return [set(frame["step"]) for frame in frames if "step" in frame]


def test_steps_have_names(console: FakeConsole) -> None:
    written = re.findall(r'figures\.step\("(\w+)"\)', (CLONE / "engine/writer/write_order.py").read_text())
    assert set(words.STEPS) == {"read", *written}, "of what is read the seconds are Spark's"
    turn = {**HISTORY[-1], "at": datetime.now(UTC), "seconds": dict.fromkeys(words.STEPS, 0.5)}
    console.history = Kept(lambda: [turn], 3600)
    assert drawn(opened(console, page_of("stream"), "operator")) == [set(words.STEPS.values())]


def test_the_lag_is_of_now_and_what_was_done_of_its_turn_also_while_the_stream_is_stopped(
        console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    console.status = Kept(lambda: {"figures": {**FIGURES, "at": LONG_AGO}}, 3600)
    looked = datetime.now(UTC) - timedelta(seconds=5)
    monkeypatch.setattr(console.hops, "now", lambda: Reading(hops(stream={"program": "stopped", "behind": 4711}), looked))
    test = opened(console, page_of("stream"), "operator")
    assert shown(test, words.LAG) == "4,711"
    kinds = [(element.type, element.label if isinstance(element, Metric) else element.value) for element in test.main
             if isinstance(element, Metric | Caption)]
    at = kinds.index(("metric", words.LAG))
    assert kinds[at - 1] == ("caption", words.as_of(looked))
    assert kinds[at + 1] == ("caption", words.as_of(LONG_AGO))
