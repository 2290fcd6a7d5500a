"""The commands that stand in the documents, in the order in which they are read, and those of the terminal itself."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command

from engine.cli import app
from engine.settings import CLONE

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = re.compile(r"(?:rollcall|make|cqlsh|mongosh|docker|docker-compose|git|\.venv/bin/\w+) \S")
"""What a span of code in a sentence or a table begins with where it is a command."""

WITH_A_VALUE = {"-e", "--env", "-u", "--user", "-v", "--volume", "-w", "--workdir"}
"""Options of `docker compose exec` and `run` whose value is the next word."""

HOW_TO = [CLONE / "README.md", *(CLONE / "docs" / name for name in (
    "operating.md", "flow.md", "privacy.md", "kafka-admin.md", "analyst.md", "developer.md", "settings.md",
    "threats.md", "alternatives.md", "backlog/README.md")),
    *(CLONE / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]
"""Pages that tell somebody what to do, in the order of the walk. Decisions tell why, and are not walked."""


@dataclass(frozen=True)
class Written:
    """A command as it stands on a page: spaces made one, `.venv/bin/rollcall` as `rollcall`, no comment."""

    page: str
    text: str


def leaves(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of the terminal with its name, groups resolved: `stream start`."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield before.strip(), command
        return
    for name, one in inner.items():
        yield from leaves(one, f"{before} {name}")


COMMANDS = dict(leaves(get_command(app)))


def pages() -> list[Path]:
    """HOW_TO, and what else stands in docs/ and infra/, so that no page is forgotten."""
    return [*HOW_TO, *sorted({*(CLONE / "docs").glob("*.md")} - {*HOW_TO}), *sorted((CLONE / "infra").rglob("*.md"))]


def written(page: Path) -> list[Written]:
    """The commands of a page: each line of its ```sh blocks, each command in its sentences and tables; once each."""
    text, found = page.read_text(), []
    at = 0
    for fence in FENCE.finditer(text):
        found += _spans(text[at:fence.start()])
        if fence[1] == "sh":
            found += [line for line in fence[2].replace("\\\n", " ").splitlines() if line.strip() and line.strip()[0] != "#"]
        at = fence.end()
    found += _spans(text[at:])
    name = page.relative_to(CLONE).as_posix()
    return [Written(name, one) for one in dict.fromkeys(map(_plain, found)) if not _only_named(one)]


def in_container(text: str) -> tuple[str, list[str]]:
    """The service in which a line of Compose runs something, and the words of what it runs there; "" and none for others."""
    words = iter(shlex.split(text))
    if [next(words, "") for _ in "12"] != ["docker", "compose"] or next(words, "") not in ("exec", "run"):
        return "", []
    for word in words:
        if word in WITH_A_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return word, [*words]
    return "", []


def blocks(page: Path, language: str) -> list[str]:
    """The contents of a page's blocks of one language, in their order."""
    return [fence[2] for fence in FENCE.finditer(page.read_text()) if fence[1] == language]


def _spans(text: str) -> list[str]:
    spans = [" ".join(span.split()) for part in re.split(r"\n\s*\n|\n\|", text) for span in re.findall(r"`([^`]+)`", part)]
    return [span for span in spans if PROGRAMS.match(span)]


def _plain(line: str) -> str:
    return " ".join(re.sub(r"\s+#\s.*$", "", line.strip()).replace(".venv/bin/rollcall ", "rollcall ").split())


def _only_named(text: str) -> bool:
    """`rollcall erase` in a sentence is spoken of: it needs a uuid, and a group of commands needs a command."""
    name = text.removeprefix("rollcall ")
    if name == text:
        return False
    if name in COMMANDS:
        return any(parameter.required for parameter in COMMANDS[name].params)
    return any(command.startswith(f"{name} ") for command in COMMANDS)
