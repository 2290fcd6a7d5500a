"""Documents that lag behind the code are failures: settings, commands, make targets, links, records and tables."""

import re
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from app.public import words
from engine.cli import app
from engine.processes import PROGRAMS, SERVERS
from engine.settings import CLONE
from engine.stores.schema import COLLECTIONS, PROFILES, TABLES
from tests.settings_page import page

DOCS = CLONE / "docs"
README = (CLONE / "README.md").read_text()
OPERATING = (DOCS / "operating.md").read_text()
PRIVACY = (DOCS / "privacy.md").read_text()
FLOW = (DOCS / "flow.md").read_text()
PAGES = [CLONE / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def commands(command: object, before: str = "") -> Iterator[str]:
    """Every command of the terminal, groups resolved: `stream start`."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield before.strip()
        return
    for name, one in inner.items():
        yield from commands(one, f"{before} {name}")


COMMANDS = sorted(commands(get_command(app)))
TARGETS = re.findall(r"^([a-z][a-z-]*):", (CLONE / "Makefile").read_text(), re.MULTILINE)


def test_settings_page_is_made_from_the_settings() -> None:
    fresh = "python -m tests.settings_page > docs/settings.md"
    assert (DOCS / "settings.md").read_text() == page(), f"docs/settings.md is behind: {fresh}"


def test_the_command_is_a_typer_with_commands() -> None:
    assert isinstance(app, typer.Typer)
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_documented(command: str) -> None:
    assert f"rollcall {command}" in OPERATING + PRIVACY, f"no page of its reader says what `rollcall {command}` does"


@pytest.mark.parametrize("text", [OPERATING, README, *(path.read_text() for path in sorted(DOCS.rglob("*.md")))])
def test_no_command_is_documented_that_does_not_exist(text: str) -> None:
    first_words = {command.split()[0] for command in COMMANDS}
    named = set(re.findall(r"`(?:\.venv/bin/)?rollcall ([a-z-]+)", text))
    assert named <= first_words


def test_words_of_the_view_name_commands_that_exist() -> None:
    texts = [text for text in vars(words).values() if isinstance(text, str)]
    named = {name for text in texts for name in re.findall(r"`rollcall ([a-z-]+)", text)}
    assert named
    assert named <= {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("help", "lint", "test-quick")])
def test_make_targets_are_documented(target: str) -> None:
    assert f"make {target}" in README + OPERATING


def test_no_target_is_documented_that_does_not_exist() -> None:
    named = {name for path in PAGES for name in re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(), re.MULTILINE)}
    assert named <= set(TARGETS)


@pytest.mark.parametrize("name", [*SERVERS, *PROGRAMS])
def test_programs_are_documented(name: str) -> None:
    assert name in OPERATING


@pytest.mark.parametrize("name", [*COLLECTIONS, *(table.name for table in TABLES),
                                  *(column.name for column in PROFILES.columns)])
def test_tables_columns_and_collections_are_documented(name: str) -> None:
    assert f"`{name}`" in FLOW or f"// {name}" in FLOW


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(CLONE).as_posix())
def test_links_lead_somewhere(path: object) -> None:
    where = CLONE / str(path)
    for link in LINK.findall(where.read_text()):
        assert (where.parent / link).exists(), f"{where.name} links to {link}, which is not there"


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_are_reached_from_the_readme(path: object) -> None:
    assert f"docs/decisions/{(CLONE / str(path)).name}" in README
