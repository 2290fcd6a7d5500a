"""What the view answers, without a store: its editions, ETags and refusals; and what its process holds of everything else."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import plotly
import pytest

from app.public import words
from app.public.dashboard import make
from app.public.records import Reading
from engine.settings import CLONE, View
from tests.governance.disclosed import T0, figures, released

FIRST, SECOND = (one.snapshot for one in released(figures({"FR": 100}), figures({"FR": 200})))
DUE = {"at": (now := datetime.now(UTC)), "counted_at": now, "next_at": now + timedelta(hours=1)}
CURRENT, NEXT = FIRST.model_copy(update=DUE), SECOND.model_copy(update=DUE)

ALLOWED = {"engine", "engine.addresses", "engine.alerts", "engine.alerts.section", "engine.errors", "engine.log_lines",
           "engine.migrations", "engine.migrations.settings_form", "engine.migrations.step",
           "engine.mongo", "engine.secrets", "engine.section", "engine.settings",
           "engine.stores", "engine.stores.schema", "engine.tls", "engine.tls.authority", "engine.tls.section",
           "engine.tls.trust", "governance"}
ALSO_ALLOWED = ("app.public", "governance.disclosure")
DRIVERS = {"cassandra", "kafka", "pyspark", "streamlit", "faker"}
LOOK = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from app.public.dashboard import reader
reader.read()
print(json.dumps({"modules": sorted(sys.modules), "opened": opened}))
"""


class Fixed:
    """A reader that always reads the same."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def read(self) -> Reading:
        """The reading."""
        return self.reading


def served(reading: Reading) -> tuple[Fixed, Any]:
    """A reader whose reading can be changed, and a client of the view over it."""
    reader = Fixed(reading)
    return reader, make(reader, View.model_validate({})).server.test_client()    # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/version", "/csv/domains.csv"])
def test_what_is_known_already_is_not_sent_again(path: str) -> None:
    reader, client = served(Reading(CURRENT))
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "public, max-age=3, must-revalidate"
    known = {"If-None-Match": first.headers["ETag"]}
    again = client.get(path, headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    reader.reading = Reading(NEXT)
    other = client.get(path, headers=known)
    assert other.status_code == 200
    assert other.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("synthetic", [False, True])
def test_a_release_of_people_who_were_made_up_says_so(synthetic: bool) -> None:
    (release,) = released(replace(figures({"FR": 60, "DE": 40}), synthetic=synthetic))
    _, client = served(Reading(release.snapshot))
    assert (words.SYNTHETIC in client.get("/").text) is synthetic


def test_charts_are_drawn_with_the_plotly_that_makes_their_figures() -> None:
    whole = (Path(plotly.__file__).parent / "package_data/plotly.min.js").read_text()
    version = re.search(r"plotly\.js v([\d.]+)", whole)
    assert version is not None
    ours = (CLONE / "app/public/assets/plotly/plotly.min.js").read_text()
    assert f"plotly.js v{version[1]}," in ours, "plotly has changed: infra/plotly/README.md makes ours anew"
    assert f'version="{version[1]}"' in ours
    made = json.loads((CLONE / "infra/plotly/package.json").read_text())
    assert made["dependencies"]["plotly.js"] == version[1]
    assert len(ours) < len(whole) / 3


def test_the_same_release_in_another_state_is_another_answer() -> None:
    reader, client = served(Reading(CURRENT))
    seen = [client.get("/").headers["ETag"]]
    for reading in (Reading(CURRENT, away=True), Reading(CURRENT, withdrawn=2), Reading(CURRENT, withdrawn=3)):
        reader.reading = reading
        seen.append(client.get("/").headers["ETag"])
    assert len(set(seen)) == len(seen)
    reader.reading = Reading(CURRENT)
    assert client.get("/").headers["ETag"] == seen[0]


def test_pages_are_made_once_an_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[object] = []

    def markup(tree: object) -> str:
        times.append(tree)
        return ""

    monkeypatch.setattr("app.public.pages.markup", markup)
    _, client = served(Reading(CURRENT))
    for _ in range(5):
        client.get("/")
        client.get("/_dash-layout")
    assert len(times) == 1


@pytest.mark.parametrize(("reading", "state", "code", "said"), [
    (Reading(CURRENT), "current", 200, "100"), (Reading(FIRST), "stale", 200, words.LATE_HEADING),
    (Reading(CURRENT, away=True), "kept", 200, words.KEPT_HEADING), (Reading(), "empty", 200, words.EMPTY_HEADING),
    (Reading(away=True), "broken", 503, words.BROKEN_HEADING),
    (Reading(CURRENT, withdrawn=2), "current", 200, "Release 2 is no longer shown. What stands here is release 1."),
    (Reading(withdrawn=2), "empty", 200, "Release 2 is no longer shown.")])
def test_states_have_pages_of_their_own(reading: Reading, state: str, code: int, said: str) -> None:
    assert FIRST.next_at < T0 + timedelta(days=1)    # long past by the real clock
    _, client = served(reading)
    ready = client.get("/readyz")
    assert (ready.status_code, ready.text) == (code, state)
    assert client.get("/healthz").text == "OK"
    page, layout = client.get("/").text, client.get("/_dash-layout").text
    assert said in page
    assert f'class="body {state}"' in page
    assert json.loads(layout)["props"]["className"] == f"body {state}"
    assert ("<table>" in page) == (reading.snapshot is not None)
    assert ("/csv/domains.csv" in page) == (reading.snapshot is not None)
    assert client.get("/csv/domains.csv").status_code == (200 if reading.snapshot else 404)


@pytest.mark.parametrize("path", ["/nothing-here", "/_reload-hash", "/_dash-update-component", "/csv/profiles.csv",
                                  "/csv/../secrets", "/assets/../dashboard.py", "/_dash-component-suites/engine/settings.py",
                                  "/_dash-component-suites/x", "/_dash-component-suites/dash/nothing.js",
                                  "/_dash-dependencies/more", "/_favicon.icox"])
def test_what_is_not_meant_to_be_served_is_not(path: str) -> None:
    _, client = served(Reading(CURRENT))
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (404, "404")


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
@pytest.mark.parametrize("path", ["/", "/_dash-update-component", "/assets/style.css"])
def test_nothing_is_taken(method: str, path: str) -> None:
    _, client = served(Reading(CURRENT))
    assert getattr(client, method)(path).status_code == 405


@pytest.mark.long
def test_the_process_holds_no_driver_no_key_and_nothing_of_people(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")}
    (tmp_path / "secrets").mkdir()
    for name in ("view.password", "stream.password", "officer.password", "cell.key"):
        (tmp_path / "secrets" / name).write_text("secret")
    found = subprocess.run([sys.executable, "-c", LOOK], cwd=CLONE, capture_output=True, text=True, check=True, timeout=120,
                           env={**environment, "ROLLCALL_HOME": str(tmp_path), "ROLLCALL_MONGO__PORT": "9"})
    seen = json.loads(found.stdout.splitlines()[-1])
    modules = set(seen["modules"])
    ours = {name for name in modules if name.split(".")[0] in ("engine", "governance", "app", "bench", "tests")} - {"app"}
    assert {name for name in ours - ALLOWED if not name.startswith(ALSO_ALLOWED)} == set()
    assert "app.public.dashboard" in ours
    assert {name for name in DRIVERS if name in modules} == set()
    opened = {Path(path).name for path in seen["opened"] if path.startswith(str(tmp_path))}
    assert "view.password" in opened
    assert opened <= {"view.password", "settings.toml"}
