"""A newcomer's walk: every command that stands in the documents is run, in a fresh clone, on an installation of its own.

Each command is run once, page by page in the order in which they are read. `PLACEHOLDERS` says what is put for words in
capitals, `CODES` which exit codes a page lets the reader expect, `NOT_RUN` what no test can run, and why. `make proof-docs`
runs it; in `make test` tests/test_docs.py sees that each command and each of its options exists.
"""

import gzip
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from engine.cli import INTERRUPTED
from engine.settings import CLONE
from tests.newcomer import Newcomer
from tests.people import DATA
from tests.proof import Proof
from tests.waiting import until
from tests.written_commands import blocks, pages, written

pytestmark = [pytest.mark.services, pytest.mark.proof, pytest.mark.timeout(1500)]

NOT_RUN = {
    r"make (test|test-quick|lint|screens|proof-\w+)\b": "takes minutes to an hour, and is what CI and the proofs run",
    r"docker|export |COMPOSE_": "no container engine where the tests run; the compose file is compared with the native stack",
    r"cqlsh": "not among what is fetched; tests/services/test_flow_queries.py runs the queries of the page",
    r"(ROLLCALL_SECRETS=\S+ )?mongosh": "not among what is fetched; flow.md says which version ran its queries by hand",
    r"BOOTSTRAP=|kafka-\w+\.sh": "not among what is fetched; tests/services/test_access_wanted.py compares the scripts",
    r"(cd|npm) ": "asks npm's registry; what it made is kept, and tests/app/test_view_pages.py looks at it",
    r"git ": "asks a person for a message, or a server",
    r"\.venv/bin/pytest": "a test within a test",
    r"rollcall restore FOLDER": "wants an empty installation; tests/services/test_backup.py gives it one",
}
CODES = {
    r"rollcall (access (plan|drift)|retention show|breach list|publish preview)\b": {0, 1},   # 1: there is something to do
    r"rollcall publish withdraw NUMBER --because .altered": {0, 65},    # 65: the newest is one that the page withdrew before
    r"rollcall request drop REF": {65},          # the page: of a request whose logging broke off, which none did here
    r"rollcall produce --source replay$": {66},  # which source it is about; without a file it says that one is wanted
    r"rollcall publish run": {0, 65},            # 65: too few have come since the last release
    r"rollcall breach close REF": {65},          # the page: refused while something is missing
    r"rollcall alerts (list|test)": {78},        # the page: nobody is to be told yet
    r"rollcall certs --on": {78},                # the page: while something runs
    r"make up TLS=1": {2},                       # make's own code for that
    r"rollcall run": {1},                        # the page: `rollcall up` keeps that program already
}
UNTIL_CTRL_C = r"rollcall (logs \w+ --follow|stream run|retention keep|produce( --source synthetic)?( --rate 0)?$)"
BEFORE: dict[str, Callable[[Newcomer], object]] = {
    r"rollcall request step REF erase": lambda reader: reader.run(f"rollcall request step {newest_request(reader)} find"),
    r"rollcall stream (run|accept-loss$)": lambda reader: reader.run("rollcall stream stop"),
    r"rollcall restore-check --commands": lambda reader: (reader.run("rollcall commands export newest.jsonl"),
                                                          reader.run("rollcall down")),
    r"rollcall (restore-check|migrate$)": lambda reader: reader.run("rollcall down"),
    r"rollcall backup": lambda reader: (reader.clone / "word").write_text("four words nobody says\n"),
    r"rollcall access import wanted.yaml .* is new": lambda reader: with_team(reader),
    r"rollcall access import wanted.yaml .* has left": lambda reader: without_team(reader),
}
AFTER = {r"rollcall stream (run|stop|accept-loss$)": "rollcall stream start",
         r"rollcall (restore-check|migrate$)": "rollcall up"}
"""What somebody does before and afterwards who reads the page, and does not go on with something that is stopped."""

TRIES = 3
"""`make up` waits two minutes for people, which a machine with much else to do may need longer for; it can be given again."""

THERE_WITHIN_S = 180

LAST = ("make down", "rollcall down")
ANSWERS = {r"rollcall access users delete": "orders-reader\n", r"rollcall access apply": "y\n"}

Entry = TypeVar("Entry")
Filling = str | Callable[[Newcomer], str]
PERSON = "8b1a4a4b-6d3f-4f4e-9d4e-0c8f3f6f2a11"
PLACEHOLDERS: dict[tuple[str, str], Filling] = {
    ("COMMAND", ""): "status",
    ("UUID", ""): PERSON,
    ("NAME", "rollcall logs"): "keeper",
    ("NAME", "rollcall run"): "view",
    ("NAME", "rollcall access users"): "orders-reader",
    ("NAME", "rollcall password rotate"): "view",
    ("NAME", "rollcall access denied"): "orders-reader",
    ("FILE", "rollcall access"): "wanted.yaml",
    ("FILE", "rollcall audit"): "var/state/audit/head.json",
    ("FILE", "rollcall produce"): "people.jsonl",
    ("VERSION", "rollcall access import"): lambda reader: str(reader.facts("rollcall access plan")["version"]),
    ("ID", "rollcall access apply"): lambda reader: str(reader.facts("rollcall access plan")["id"]),
    ("NUMBER", "rollcall publish"): lambda reader: newest_release(reader),
    ("PLACE", "rollcall dead-letters"): lambda reader: letter(reader),
    ("REF", "rollcall register"): "console-and-audit",
    ("REF", "rollcall breach"): "lost-laptop",
    ("REF", "rollcall request link"): lambda reader: with_package(reader),
    ("REF", "rollcall request step REF answer"): lambda reader: handed_over(reader),
    ("REF", "rollcall request package"): lambda reader: newest_request(reader),
    ("REF", "rollcall request extend"): lambda reader: logged(reader, "erasure"),
    ("REF", "rollcall request whom"): lambda reader: logged(reader, "access", "--email", "ada@example.org\n"),
    ("REF", "rollcall request"): lambda reader: newest_request(reader),
    ("REF", "rollcall erase"): lambda reader: newest_request(reader),
    ("ACCOUNT", "rollcall request assign"): "ada",
    ("FILE", "rollcall commands"): "commands.jsonl",
    ("FILE", "rollcall restore-check"): "newest.jsonl",
    ("FOLDER", "rollcall backup"): lambda reader: f"backup-{len(list(reader.clone.glob('backup-*')))}",
    ("KEYS", "rollcall backup"): "keys.sealed",
    ("WORD", "rollcall backup"): "word",
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, proof: Proof) -> Iterator[Newcomer]:
    """A newcomer who has given the first command of the front page, and has the files that the pages speak of."""
    proof.add("of", commit=subprocess.run(["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"], cwd=CLONE,
                                          capture_output=True, check=True, text=True).stdout.strip())
    with Newcomer(tmp_path_factory.mktemp("walk")) as someone:
        files(someone.clone)
        for _ in range(TRIES):
            if (up := someone.run("make up")).code == 0:
                break
        assert up.code == 0, up.said
        yield someone


@pytest.fixture(scope="module")
def given() -> set[str]:
    """Commands that were run: once is enough."""
    return {"make up"}


def files(clone: Path) -> None:
    """people.jsonl, with somebody without a uuid and half a line among them; the YAML that pages show, by its first line."""
    lines = gzip.decompress((DATA / "server_generated_v1.4.jsonl.gz").read_bytes()).decode().splitlines()[:200]
    old = (DATA / "captured_v0.4.jsonl").read_text().splitlines()[:2]
    (clone / "people.jsonl").write_text("\n".join([*lines, *old, lines[0][:100]]) + "\n")
    for block in blocks(clone / "docs" / "privacy.md", "yaml"):
        if block.startswith("ref: "):
            (clone / "breach.yaml").write_text(block)


def with_team(reader: Newcomer) -> None:
    """Writes the team that the page shows into the text of what is wanted."""
    wanted = reader.clone / "wanted.yaml"
    wanted.write_text(wanted.read_text().replace("\nteams:\n", f"\nteams:\n{team(reader)}", 1))


def without_team(reader: Newcomer) -> None:
    """Takes it out again."""
    wanted = reader.clone / "wanted.yaml"
    wanted.write_text(wanted.read_text().replace(team(reader), "", 1))


def team(reader: Newcomer) -> str:
    """The team as docs/kafka-admin.md shows it."""
    return blocks(reader.clone / "docs" / "kafka-admin.md", "yaml")[0]


def newest_release(reader: Newcomer) -> str:
    """The number of the newest release, which the keeper publishes when enough people have come."""
    return str(first(lambda: reader.facts("rollcall publish list"), "a release")["number"])


def letter(reader: Newcomer) -> str:
    """The place of a dead letter, of people.jsonl if there is none yet."""
    if not reader.facts("rollcall dead-letters list")["letters"]:
        reader.run("rollcall produce --source replay --file people.jsonl")
    return str(first(lambda: reader.facts("rollcall dead-letters list")["letters"], "a dead letter")["place"])


def newest_request(reader: Newcomer) -> str:
    """The number of the request that was logged last."""
    return str(reader.facts("rollcall request list --all")[-1]["ref"])


def logged(reader: Newcomer, kind: str, about: str = f"--uuid {PERSON}", answer: str = "") -> str:
    """Logs a request, of somebody who is known; returns its number."""
    ref = reader.run(f"rollcall request log {kind} --channel letter {about}", answer).said.split()[0]
    reader.run(f"rollcall request identify {ref} --how 'signed in'")
    return ref


def with_package(reader: Newcomer) -> str:
    """A request whose package is made, of the first person in people.jsonl."""
    person = json.loads((reader.clone / "people.jsonl").read_text().splitlines()[0])["login"]["uuid"]
    ref = logged(reader, "access", f"--uuid {person}")
    for step in ("find", "package"):
        reader.run(f"rollcall request step {ref} {step}")
    return ref


def handed_over(reader: Newcomer) -> str:
    """A request of which the person has the package, and no answer."""
    ref = with_package(reader)
    reader.run(f"rollcall request step {ref} 'hand over' --evidence 'a letter with the link'")
    return ref


def first(found: Callable[[], list[dict[str, object]]], what: str) -> dict[str, object]:
    """The first of what is looked for, as soon as there is one."""
    some: list[dict[str, object]] = until(what, found, THERE_WITHIN_S, every_s=1)
    return some[0]


def filled(reader: Newcomer, command: str) -> str:
    """A command with something true for each word in capitals that stands for something."""
    for (word, prefix), filling in PLACEHOLDERS.items():
        if command.startswith(prefix) and re.search(rf"\b{word}\b", command):
            command = re.sub(rf"\b{word}\b", filling if isinstance(filling, str) else filling(reader), command)
    return command


def fault(reader: Newcomer, command: str) -> str:
    """Runs a command as it stands on a page; returns what is wrong with how it ended, or nothing."""
    if prepared := of(BEFORE, command):
        prepared(reader)
    line = filled(reader, command)
    patient = bool(re.match(UNTIL_CTRL_C, line))
    done = reader.run(line, of(ANSWERS, command) or "", interrupt=patient)
    if after := of(AFTER, command):
        reader.run(after)
    wanted = (of(CODES, command) or {0}) | ({0, INTERRUPTED} if patient else set())
    return "" if done.code in wanted and "Traceback" not in done.said else f"{line}: exit {done.code}\n{done.said[-1500:]}"


def of(table: dict[str, Entry], command: str) -> Entry | None:
    """What a table of patterns has for a command."""
    return next((entry for pattern, entry in table.items() if re.match(pattern, command)), None)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_of_a_page_does_what_it_is_there_for(page: Path, reader: Newcomer, given: set[str], proof: Proof) -> None:
    wrong, before, left = [], len(given), 0
    for command in written(page):
        if command.text in given or command.text in LAST:
            continue
        if of(NOT_RUN, command.text):
            left += 1
            continue
        given.add(command.text)
        wrong.append(fault(reader, command.text))
    failed = list(filter(None, wrong))
    proof.add(str(page.relative_to(CLONE)), commands=len(given) - before, failed=len(failed), not_run=left)
    assert not failed, "\n\n".join(failed)


def test_a_command_that_fails_would_be_named(reader: Newcomer) -> None:
    assert fault(reader, "rollcall verify --mend").startswith("rollcall verify --mend: exit 2\n")


@pytest.mark.parametrize("command", LAST)
def test_in_the_end_nothing_is_left(command: str, reader: Newcomer) -> None:
    assert fault(reader, command) == ""
    with suppress(FileNotFoundError):
        assert [path for path in (reader.clone / "var" / "run").iterdir() if path.suffix == ".sock"] == []
