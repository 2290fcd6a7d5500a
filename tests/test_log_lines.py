"""Lines of logs: JSON where it is wanted, as they always were where it is not, and nobody in them either way."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command

from app import unforeseen
from engine import health, log_lines
from engine.cli import PARTS, _named, _request, app, main, output
from engine.errors import RollcallError
from engine.logs import line
from engine.metrics import StreamMetrics
from engine.settings import CLONE, Settings, load
from engine.spark_stream import Stream
from engine.stopping import WORD, stop_stream
from engine.supervisord import configuration
from tests.governance.test_free_text import seen
from tests.people import captured
from tests.test_metrics import FIGURES
from tests.writer.test_waits import Watched
from tests.written_commands import COMMANDS

PERSON = captured("1.4")[0]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Each test leaves the process as it was."""
    yield
    log_lines.begin("text", "rollcall")
    log_lines.in_turn(None)


def said(text: str) -> dict[str, Any]:
    """What a line of JSON says."""
    found: dict[str, Any] = json.loads(text)
    assert datetime.fromisoformat(found["time"]).utcoffset() is not None
    assert found["time"].endswith("Z")
    return found


def test_text_is_as_it_always_was(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines.in_turn(7)
    output.log("stopped")
    assert health._OURS.match(shown := capsys.readouterr().out)
    assert shown[21:] == "stopped\n"


def test_a_line_of_json_says_who_what_and_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines.begin("json", "keeper", "retention keep")
    log_lines.in_turn(1_764_434_472_345)
    with log_lines.about("R-9"):
        output.log("erasure R-9:\nnothing is left")
    output.log("stopped")
    first, second = capsys.readouterr().out.splitlines()
    assert said(first) | {"time": ""} == {
        "time": "", "level": "info", "part": "keeper", "message": "erasure R-9:\nnothing is left", "turn": 1_764_434_472_345,
        "request": "R-9", "command": "retention keep"}
    assert "request" not in said(second)
    log_lines.in_turn(None)
    assert "turn" not in said(line("x"))


def test_lines_of_the_stream_name_the_turn_until_its_own_line_was_said() -> None:
    log_lines.begin("json", "stream", "stream run")
    watched, lines = Watched(), list[dict[str, Any]]()
    watched.attempt(readable=False)
    assert said(line("waiting for Cassandra"))["turn"] == watched.order.figures.turn == 1
    stream: Any = SimpleNamespace(order=watched.order, offsets={}, metrics=StreamMetrics(), lease=SimpleNamespace(number=3),
                                  say=lambda text: lines.append(said(line(text))), stores=SimpleNamespace(
                                      behind=lambda _: 0, status=SimpleNamespace(closed=lambda *_: FIGURES)))
    Stream.close_turn(stream, watched.order.figures, {}, False)
    assert [one["turn"] for one in lines] == [1]
    assert "turn" not in said(line("standing still"))


def test_json_goes_to_where_nobody_is_in_clear(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines.begin("json", "rollcall", "erase")
    output.log(f"read: {PERSON}")
    output.tell(f"sent: {json.dumps(PERSON)}")
    output.complain(f"{PERSON['email']} is no uuid")
    out, err = capsys.readouterr()
    lines = [*out.splitlines(), *err.splitlines()]
    assert [said(one)["level"] for one in lines] == ["info", "info", "error"]
    assert seen(PERSON, str(PERSON)) > set()
    assert seen(PERSON, out + err) == set()


def test_results_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines.begin("json", "rollcall", "status")
    output.show("all is well")
    assert capsys.readouterr().out == "all is well\n"


def test_whoever_reads_a_log_reads_both_forms() -> None:
    at = datetime.fromisoformat("2026-11-29T01:02:03.456+00:00")
    as_text = log_lines.line("Kafka is away. Tried again in 60 s.", at=at)
    log_lines.begin("json", "keeper", "retention keep")
    as_json = log_lines.line("Kafka is away. Tried again in 60 s.", at=at)
    assert as_json.startswith('{"time": "2026-11-29T01:02:03.456Z", ')
    assert log_lines.as_text(as_json) == log_lines.as_text(as_text) == as_text
    for other in ('{"time"', '{"time": 5, "message": "x"}', '{"time": "x"}', '{"time": "2026-11-29T01:02:03Z", "mess', "java"):
        assert log_lines.as_text(other) == other

    class Tailed:
        def tail(self, _: str, __: int) -> list[str]:
            return [as_json, "WARN of Java"]
    tailed: Any = Tailed()
    assert health._last_line(tailed, "keeper") == as_text
    assert health._FAILED.search(health._last_line(tailed, "keeper"))


@pytest.mark.parametrize(("words", "wanted"), [
    (["stream", "run"], "stream run"), (["produce", "--supervised"], "produce"), (["retention", "keep"], "retention keep"),
    (["erase", "9a723211-0e87-41f1-b1e4-ed1a15226b80"], "erase"), (["request", "log", "ada@example.org"], "request log"),
    (["--help"], ""), ([], ""), (["ada"], ""), (["alerts"], "alerts")])
def test_a_command_is_named_without_what_it_was_given(words: list[str], wanted: str) -> None:
    assert _named(get_command(app), words) == wanted


@pytest.mark.parametrize(("words", "wanted"), [
    (["request", "step", "r-2026-017", "erase"], "r-2026-017"), (["request", "log", "ada@example.org"], ""),
    (["request", "note", "--base", "2", "r-2026-1234", "see r-2026-001"], "r-2026-1234"), (["erase", "r-2026-017"], "")])
def test_a_command_about_a_request_says_which(words: list[str], wanted: str) -> None:
    assert _request(_named(get_command(app), words), words) == wanted


def test_what_a_command_logs_is_about_its_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ROLLCALL_LOGS__FORM", "json")
    monkeypatch.setattr("engine.cli.request._opened", lambda _: output.log("looking"))
    monkeypatch.setattr("engine.cli.discreet", lambda: None)    # what it does to this process would stay
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["rollcall", "request", "note", "r-2026-017", "asked the archive"])
    with pytest.raises(TypeError):    # nothing was opened
        main()
    assert said(capsys.readouterr().out)["request"] == "r-2026-017"


def test_programs_are_commands_that_exist() -> None:
    assert set(PARTS) <= set(COMMANDS)


OF_OTHERS = """
import logging, sys, warnings
from engine.log_lines import about, begin
from engine.logs import discreet
discreet()
begin("json", "console")
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(logging.Formatter("of uvicorn: %(message)s"))
logging.getLogger("uvicorn").addHandler(handler)
with about("ab12cd34"):
    try:
        raise ValueError(sys.argv[1])
    except ValueError as error:
        logging.getLogger("uvicorn.error").error("failed for %s", sys.argv[1], exc_info=error)
logging.getLogger("nobodys").warning("lonely")
warnings.warn(sys.argv[1])
raise KeyError(sys.argv[1])
"""


def test_what_others_log_warn_of_and_end_with_is_json_too_with_nobody_in_it() -> None:
    ended = subprocess.run([sys.executable, "-c", OF_OTHERS, PERSON["email"]], cwd=CLONE, capture_output=True, text=True,
                           check=False)
    assert ended.returncode == 1
    lines = [said(one) for one in ended.stderr.splitlines()]
    assert [(one["level"], one["part"]) for one in lines] == [
        ("error", "console"), ("warning", "console"), ("warning", "console"), ("error", "console")]
    assert lines[0]["request"] == "ab12cd34"
    assert "ValueError" in lines[0]["message"]
    assert "Traceback" in lines[0]["message"]
    assert lines[1]["message"] == "lonely"
    assert "KeyError" in lines[3]["message"]
    assert PERSON["email"] not in ended.stderr


COMMAND = [sys.executable, "-m", "engine.cli"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_command_speaks_in_the_form_that_is_set(form: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'[logs]\nform = "{form}"\n')
    ended = subprocess.run([*COMMAND, "alerts", "list"], cwd=CLONE, capture_output=True, text=True, check=False,
                           env={"ROLLCALL_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert ended.returncode == 78
    told_of = "Nobody is told of alerts"
    if form == "text":
        assert ended.stderr.startswith(told_of)
    else:
        found = said(ended.stderr)
        assert (found["level"], found["part"], found["command"]) == ("error", "rollcall", "alerts list")
        assert found["message"].startswith(told_of)


def test_the_view_writes_in_the_form_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    assert "--logger-class app.public.lines.Lines" in configuration(load(), tmp_path / "socket")
    script = ("from gunicorn.config import Config\nc = Config()\nc.set('logger_class', 'app.public.lines.Lines')\n"
              "log = c.logger_class(c)\nlog.info('Booting %s', 'worker')\n"
              "import logging\nlogging.getLogger('app.public.data').warning('away')")
    wrote = {}
    for form in ("text", "json"):
        (tmp_path / "settings.toml").write_text(f'[logs]\nform = "{form}"\n')
        ran = subprocess.run([sys.executable, "-c", script], cwd=CLONE, capture_output=True, text=True, check=True)
        wrote[form] = ran.stderr
    assert wrote["text"].splitlines()[0].endswith("[INFO] Booting worker")
    assert [(one["part"], one["message"]) for one in map(said, wrote["json"].splitlines())] == [
        ("view", "Booting worker"), ("view", "away")]


def test_an_error_of_a_page_is_a_line_about_its_number(capsys: pytest.CaptureFixture[str],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    log_lines.begin("json", "console")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_lines.JsonLines())
    monkeypatch.setattr(unforeseen.log, "handlers", [handler])
    number = unforeseen.noted(RollcallError("x"))
    assert said(capsys.readouterr().err.splitlines()[-1])["request"] == number


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_stop_shows_what_the_stream_says_in_either_form(settings: Settings, form: log_lines.Form) -> None:
    said_to_us: list[str] = []

    def stop(_: str, within_s: float, meanwhile: Callable[[], None]) -> bool:
        log_lines.begin(form, "stream", "stream run")
        (settings.logs_dir / "stream.log").write_text(line(f"{WORD}waiting for batch 7") + "\n")
        meanwhile()
        return True

    processes: Any = SimpleNamespace(settings=settings, stop=stop)
    stop_stream(processes, said_to_us.append, 1)
    assert said_to_us[0] == "The stream is stopping: waiting for batch 7"
