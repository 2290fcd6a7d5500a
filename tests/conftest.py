"""The real servers, once a run: on free ports, in a folder of their own, so that a running installation is not met."""

import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from engine import stack as stacks
from engine.processes import left_over
from engine.settings import Settings, load
from tests.command_lines import Watch

PORTS = ("kafka.port", "kafka.controller_port", "cassandra.port", "cassandra.storage_port", "mongo.port", "view.port")


@dataclass
class FirstStart:
    """What was seen while the servers were fetched, set up and started for the first time."""

    settings: Settings
    command_lines: set[str]
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstStart]:
    """Servers started in an empty folder; they end with the run, and nothing of them may be left."""
    home = tmp_path_factory.mktemp("home")
    (home / "settings.toml").write_text(settings_toml())
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROLLCALL_") and name != "ROLLCALL_CACHE"]:
            patch.delenv(name)
        patch.setenv("ROLLCALL_HOME", str(home))
        settings = load()
        said: list[str] = []
        try:
            with Watch() as watch:
                stacks.servers_up(settings, said.append)
                stacks.provide(settings, said.append)
            yield FirstStart(settings, watch.seen, said)
        finally:
            stacks.servers_down(settings, said.append)
        assert left_over(settings) == []


@pytest.fixture(scope="session")
def stack(first_start: FirstStart) -> Settings:
    """Settings of running, provisioned servers. A process of its own needs only ROLLCALL_HOME=<settings.home>."""
    return first_start.settings


def settings_toml() -> str:
    """A settings.toml with free ports and small heaps."""
    sections: dict[str, list[str]] = {
        "kafka": ['heap = "384m"'], "cassandra": ['heap = "768m"'], "mongo": [], "view": []}
    for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        section, setting = name.split(".")
        sections[section].append(f"{setting} = {port}")
    return "\n".join(f"[{section}]\n" + "\n".join(lines) for section, lines in sections.items()) + "\n"


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below those that the system gives to clients, so that none is taken meanwhile."""
    free: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise AssertionError("no free ports on this machine")


def home_of(settings: Settings) -> dict[str, str]:
    """The environment for a process that works with these servers."""
    return {**os.environ, "ROLLCALL_HOME": str(settings.home)}


