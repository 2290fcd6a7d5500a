"""What the three native servers have in common: each is a module with the functions of `Server`."""

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from string import Template
from typing import Protocol

from engine import secrets
from engine.addresses import HERE
from engine.settings import CLONE, Settings

Say = Callable[[str], None]

JVM = (
    "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true", "-Dfile.encoding=UTF-8")
"""Options of both Java servers. Without -UsePerfData the whole command line would stand in a file in /tmp."""


class Server(Protocol):
    """One of the native servers: the modules kafka, cassandra and mongo beside this one."""

    def data(self, settings: Settings) -> Path:
        """Folder of what it keeps."""

    def ports(self, settings: Settings) -> dict[str, int]:
        """Setting that names it (as `kafka.port`) -> port the server listens on."""

    def configure(self, settings: Settings, say: Say) -> None:
        """Renders the configuration and makes the data folder fit for the first start; idempotent."""

    def command(self, settings: Settings) -> list[str]:
        """The command that runs the server in the foreground; it holds no secret."""

    def secure(self, settings: Settings, say: Say) -> bool:
        """Makes `provision`, where the first start has nobody of ours yet; idempotent. Returns whether anything was changed."""

    def probe(self, settings: Settings) -> None:
        """Signs in once. Raises StoreAway while the server is not ready, SignInRefused when it does not know us."""


def listening(port: int, host: str = HERE) -> bool:
    """Whether anything accepts connections at a port of ours."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def render(template: str, target: Path, **values: object) -> None:
    """Fills a template of infra/native/ (path below it) and writes it to `target`, 0600."""
    text = Template((CLONE / "infra/native" / template).read_text()).substitute(values)
    secrets.write_secret(target, text.encode())


def append(template: str, target: Path, **values: object) -> None:
    """Fills another template and puts it below what `render` has written."""
    text = Template((CLONE / "infra/native" / template).read_text()).substitute(values)
    secrets.write_secret(target, target.read_bytes() + text.encode())


def write_arguments(target: Path, arguments: Iterable[str]) -> None:
    """Writes a Java @argfile, 0600: the launcher reads it, so that its content is on no command line."""
    quoted = ('"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"' for argument in arguments)
    secrets.write_secret(target, ("\n".join(quoted) + "\n").encode())


def private_folder(path: Path) -> Path:
    """Makes a folder that nobody else may look into."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(path, 0o700)
    return path
