"""The real servers, once a run: on free ports, in a folder of their own, so that a running installation is not met. And what
stands for an installation where no server is needed."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

from bench.installation import settings_toml
from engine import stack as stacks
from engine.processes import left_over
from engine.sealing import ensure_keys
from engine.settings import Settings, load
from engine.stores.records import Records
from tests.app.requests_place import FakeRecords
from tests.command_lines import Watch
from tests.proof import Proof

SHORT_LIVED = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"}
"""For every Java: those of tests live for seconds, in which a compiler that optimizes costs more than it gives. Alone it would
leave 48 MB for what is compiled, which are full after a few flows. Proofs take what is delivered."""


def pytest_configure(config: pytest.Config) -> None:
    """Systems that whoever runs the tests has elsewhere are not for tests."""
    if not config.getoption("--proof"):
        os.environ.update(SHORT_LIVED)
    for name in ("KAFKA_BOOTSTRAP", "CASSANDRA_CONTACT_POINTS", "MONGODB_URI"):
        os.environ.pop(name, None)


# how long an example takes depends on what else the machine does
hypothesis.settings.register_profile("rollcall", deadline=None)
hypothesis.settings.load_profile("rollcall")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make proof-...` and `make screens`."""
    parser.addoption("--screens", type=Path, metavar="FOLDER", help="keep the screenshots of the console's pages there")
    parser.addoption("--tls", action="store_true", help="the servers of the tests speak TLS, and so do all clients of ours")
    parser.addoption("--proof", type=Path, metavar="FILE", help="the long form of the tests that have one; figures into FILE")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only a proof or `make screens` runs is left out of other runs. A test of servers has the time in which the first
    of them fetches and starts all of them, on a machine that does other things too."""
    for item in items:
        if item.get_closest_marker("services") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))
    if config.getoption("--proof") is None and config.getoption("--screens") is None:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("proof")])
        items[:] = [item for item in items if not item.get_closest_marker("proof")]


@pytest.fixture(scope="session")
def proof(request: pytest.FixtureRequest) -> Iterator[Proof]:
    """Whether this run is a proof, and where its figures go."""
    kept = Proof(request.config.getoption("--proof"))
    yield kept
    kept.write()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a folder with keys and no server."""
    made = Settings(home=tmp_path)
    made.logs_dir.mkdir()
    ensure_keys(made)
    return made


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> FakeRecords:
    """The table `records` in memory, for whoever opens it."""
    made = FakeRecords()
    monkeypatch.setattr(Records, "opened", lambda *_: nullcontext(made))
    return made


@dataclass
class FirstStart:
    """What was seen while the servers were fetched, set up and started for the first time."""

    settings: Settings
    command_lines: set[str]
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[FirstStart]:
    """Servers started in an empty folder; they end with the run, and nothing of them may be left."""
    home = tmp_path_factory.mktemp("home")
    (home / "settings.toml").write_text(settings_toml(tls={"on": request.config.getoption("--tls")}))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(home))
        settings = load()
        said: list[str] = []
        try:
            with Watch() as watch:
                stacks.servers_up(settings, said.append)
            yield FirstStart(settings, watch.seen, said)
        finally:
            stacks.servers_down(settings, said.append)
        assert left_over(settings) == []


@pytest.fixture(scope="session")
def stack(first_start: FirstStart) -> Settings:
    """Settings of running, provisioned servers. A process of its own needs only ROLLCALL_HOME=<settings.home>."""
    return first_start.settings


def bare_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as that of an installation with no other setting, on a machine whose programs are those in its `bin`."""
    for name in [name for name in os.environ if name.startswith("ROLLCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLLCALL_HOME", str(folder))
    monkeypatch.setenv("PATH", str(folder / "bin"))
    return folder


def home_of(settings: Settings) -> dict[str, str]:
    """The environment for a process that works with these servers."""
    return {**os.environ, "ROLLCALL_HOME": str(settings.home)}


