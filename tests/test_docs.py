"""Documents that lag behind the code are failures: settings, commands, make targets, links, records and tables."""

import re
import shlex
from pathlib import Path

import pytest

from app.listing import BY_KEY
from app.public import words
from engine.processes import PROGRAMS, SERVERS
from engine.settings import CLONE
from engine.stores.schema import COLLECTIONS, PROFILES, TABLES
from governance.permissions import MAY, Role
from tests.settings_page import page
from tests.written_commands import COMMANDS, HOW_TO, Written, in_container, pages, written

DOCS = CLONE / "docs"
README = (CLONE / "README.md").read_text()
OPERATING = (DOCS / "operating.md").read_text()
PRIVACY = (DOCS / "privacy.md").read_text()
FLOW = (DOCS / "flow.md").read_text()
PAGES = [*sorted(CLONE.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((CLONE / "infra").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)\)")
ENTRYPOINTS = {"restore-check": ["rollcall", "restore-check"]}
"""Service -> what it runs that is not written: infra/containers/restore.sh passes its options on."""


def ours(text: str) -> str:
    """A command as the one of `rollcall` that it gives, also where it is given in a container; empty for others."""
    service, words = in_container(text)
    line = shlex.join([*ENTRYPOINTS.get(service, []), *words]) if service else text
    return line if line.startswith("rollcall ") else ""


WRITTEN = [Written(command.page, line) for path in pages() for command in written(path) if (line := ours(command.text))]
PICTURES = {path.name for path in (DOCS / "screens").iterdir()}
TARGETS = re.findall(r"^([a-z][a-z-]*):", (CLONE / "Makefile").read_text(), re.MULTILINE)


def test_settings_page_is_made_from_the_settings() -> None:
    fresh = "python -m tests.settings_page > docs/settings.md"
    assert (DOCS / "settings.md").read_text() == page(), f"docs/settings.md is behind: {fresh}"


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_documented(command: str) -> None:
    assert f"rollcall {command}" in OPERATING + PRIVACY, f"no page of its reader says what `rollcall {command}` does"


def unknown(command: str) -> list[str]:
    """The words of a command line that the terminal does not know: its name, or options that it does not have."""
    words = shlex.split(command.partition(" > ")[0])[1:]
    if words[0] == "COMMAND":
        return []
    name = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in COMMANDS), "")
    if not name:
        return [] if any(one.startswith(f"{' '.join(words)} ") for one in COMMANDS) else words[:2]
    options = {option for parameter in COMMANDS[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("--") and word not in options | {"--help"}]


@pytest.mark.parametrize("command", WRITTEN, ids=lambda command: f"{command.page}: {command.text}")
def test_no_command_is_documented_that_does_not_exist(command: Written) -> None:
    assert unknown(command.text) == []


def test_a_command_that_does_not_exist_would_be_found() -> None:
    texts = {command.text for command in WRITTEN}
    assert len(texts) > 100
    assert {"rollcall up", "rollcall access plan --out plan.json"} <= texts, "one of a table, one of a block"
    assert "rollcall erase" not in texts, "only spoken of"
    assert {Written("docs/containers.md", "rollcall restore-check --commands /tmp/commands.jsonl"),
            Written("docs/containers.md", "rollcall accounts add admin --role admin --role operator"),
            Written("infra/kafka/README.md", "rollcall access export-scripts")} <= set(WRITTEN)
    assert unknown(ours("docker compose exec -u 0 -T console rollcall statsu")) == ["statsu"]
    assert unknown(ours("docker compose run --rm -e A=1 restore-check --command f")) == ["--command"]
    assert [ours(text) for text in ("docker compose exec", "docker compose up -d", "git log", "docker compose run provision")
            ] == [""] * 4
    assert unknown("rollcall verify --repair") == []
    assert unknown("rollcall verify --mend") == ["--mend"]
    assert unknown("rollcall registre check") == ["registre", "check"]


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_speak_of_commands_that_exist(path: Path) -> None:
    named = set(re.findall(r"`(?:\.venv/bin/)?rollcall ([a-z-]+)", path.read_text()))
    assert named <= {command.split()[0] for command in COMMANDS}


def test_words_of_the_view_name_no_command() -> None:
    texts = [text for text in vars(words).values() if isinstance(text, str)]
    assert len(texts) > 20
    assert [text for text in texts if re.search(r"`|\brollcall [a-z]|\bmake [a-z]+`", text)] == [], "the public can give none"


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("help", "lint", "test-quick")])
def test_make_targets_are_documented(target: str) -> None:
    assert f"make {target}" in README + OPERATING


def test_no_target_is_documented_that_does_not_exist() -> None:
    named = {name for path in PAGES for name in re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(), re.MULTILINE)}
    assert named <= set(TARGETS)


@pytest.mark.parametrize("name", [*SERVERS, *PROGRAMS])
def test_programs_are_documented(name: str) -> None:
    assert name in OPERATING


@pytest.mark.parametrize("role", Role)
def test_what_a_role_may_is_documented(role: Role) -> None:
    row = re.search(rf"^\| {role} \|[^|]*\| (.*) \|$", OPERATING, re.MULTILINE)
    assert row
    said = {title: {"read", *filter(None, acts.split(", "))}
            for title, acts in re.findall(r"([A-Z][\w ]*\w)(?: \(([^)]*)\))?", row[1])}
    may: dict[str, set[str]] = {}
    for page_of, act in (action.split(".") for action, roles in MAY.items() if role in roles):
        may.setdefault(BY_KEY[page_of].title, set()).add(act)
    assert said == may


@pytest.mark.parametrize("name", [*COLLECTIONS, *(table.name for table in TABLES),
                                  *(column.name for column in PROFILES.columns)])
def test_tables_columns_and_collections_are_documented(name: str) -> None:
    assert f"`{name}`" in FLOW or f"// {name}" in FLOW


def anchors(text: str) -> set[str]:
    """What can be linked to on a page: its headings, as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings}


def astray(path: Path, link: str) -> bool:
    """Whether a link of a page leads to no file, or to no heading of it."""
    file, _, heading = link.partition("#")
    where = path.parent / file if file else path
    return not where.exists() or bool(heading and heading not in anchors(where.read_text()))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(CLONE).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert [link for link in LINK.findall(path.read_text()) if astray(path, link)] == []


def test_a_link_that_leads_nowhere_would_be_found() -> None:
    assert sum(len(LINK.findall(path.read_text())) for path in PAGES) > 100
    assert astray(CLONE / "README.md", "docs/nothing.md")
    assert astray(CLONE / "README.md", "docs/operating.md#nothing")
    assert not astray(DOCS / "operating.md", "#what-to-do-when-")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(CLONE).as_posix())
def test_tests_that_a_page_names_are_there(path: Path) -> None:
    named = re.findall(r"\btests/[\w/]+(?:\.\w+)?", path.read_text())
    assert [name for name in named if not (CLONE / name).exists()] == []


@pytest.mark.parametrize("path", [path for path in PAGES if path.parent in (CLONE, DOCS)], ids=lambda path: path.name)
def test_pages_are_reached_from_the_readme(path: Path) -> None:
    assert path.name == "README.md" or f"]({path.relative_to(CLONE).as_posix()}" in README


@pytest.mark.parametrize("path", HOW_TO, ids=lambda path: path.name)
def test_pages_of_their_readers_are_there(path: Path) -> None:
    assert path.exists()


@pytest.mark.parametrize("path", sorted((CLONE / "tests").rglob("SOURCE.md")), ids=lambda path: path.parent.name)
def test_works_of_others_are_under_licences_of_their_own(path: Path) -> None:
    text = (CLONE / "LICENSE").read_text()
    headings = [name for line in re.findall(r"^(\S+/\S.*)$", text, re.MULTILINE) for name in line.split(", ")]
    ours = {"masked.jsonl", "SOURCE.md", "LICENSE", "NOTICE"}
    for one in (one for one in path.parent.iterdir() if one.is_file() and one.name not in ours):
        assert any(one.relative_to(CLONE).match(heading) for heading in headings), f"LICENSE does not say whose {one.name} is"
    for notice in ("LICENSE", "NOTICE"):
        assert not (path.parent / notice).exists() or notice in text
    assert all((CLONE / heading).exists() or any(CLONE.glob(heading)) for heading in headings)


def test_the_front_page_is_short() -> None:
    assert len(README.splitlines()) < 100
    assert README.count("![") == 1


@pytest.mark.parametrize("name", ["operating", "privacy", "kafka-admin", "analyst", "developer"])
def test_a_page_begins_with_what_its_reader_wants_and_shows_it(name: str) -> None:
    head = (DOCS / f"{name}.md").read_text().partition("\n## ")[0]
    assert "| I want to |" in head
    assert "](screens/" in head


@pytest.mark.parametrize("key", [*BY_KEY, "sign-in", "password", "sign-out"])
def test_each_page_has_its_pictures(key: str) -> None:
    wanted = {f"{key}-{theme}-{width}.png" for theme in ("light", "dark") for width in (1280, 390)}
    assert wanted <= PICTURES


def test_each_picture_is_of_a_page() -> None:
    assert {re.sub(r"-(light|dark)-\d+\.png$", "", name) for name in PICTURES} <= {
        *BY_KEY, "sign-in", "password", "sign-out", "public", "public-late", "public-empty"}
    assert {"public-light-1280.png", "public-light-390.png"} <= PICTURES


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_are_reached_from_the_readme(path: Path) -> None:
    assert f"docs/decisions/{path.name}" in README
