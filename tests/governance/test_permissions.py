"""Who may do what: every role and every action, written out a second time by hand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.listing import PAGES
from engine.settings import CLONE
from governance.permissions import MAY, UNAUDITED_TOO, Role, allowed

OPERATOR, OFFICER, KAFKA, ANALYST, ADMIN = Role.OPERATOR, Role.OFFICER, Role.KAFKA_ADMIN, Role.ANALYST, Role.ADMIN

MATRIX = {    # in the order operator, officer, kafka admin, analyst, admin
    "flow.read": "yes yes yes no yes",
    "producer.read": "yes yes yes no yes",
    "producer.start": "yes no no no no",
    "producer.stop": "yes no no no no",
    "producer.change": "yes no no no no",
    "stream.read": "yes yes yes no yes",
    "stream.start": "yes no no no no",
    "stream.stop": "yes no no no no",
    "stream.recount": "yes no no no no",
    "stream.verify": "yes yes no no no",
    "profiles.read": "yes yes no no yes",
    "profiles.reveal": "no yes no no no",
    "aggregates.read": "yes yes no yes yes",
    "aggregates.compare": "yes yes no yes yes",
    "letters.read": "yes yes no no yes",
    "letters.redrive": "yes no no no no",
    "letters.discard": "yes no no no no",
    "accounts.read": "no no no no yes",
    "accounts.change": "no no no no yes",
    "audit.read": "no yes no no yes",
    "audit.verify": "no yes no no yes",
    "register.read": "no yes no no yes",
    "register.check": "no yes no no yes",
    "register.change": "no yes no no no",
    "register.publish": "no yes no no no",
    "register.export": "no yes no no no",
    "retention.read": "no yes no no yes",
    "retention.measure": "no yes no no yes",
    "retention.run": "no yes no no no",
    "breaches.read": "no yes no no no",
    "breaches.change": "no yes no no no",
    "breaches.export": "no yes no no no",
}


@pytest.mark.parametrize("action", sorted(MAY))
def test_each_role_may_what_the_matrix_says(action: str) -> None:
    assert action in MATRIX, f"write {action} into the matrix of this test"
    said = dict(zip((OPERATOR, OFFICER, KAFKA, ANALYST, ADMIN), MATRIX[action].split(), strict=True))
    for role in Role:
        assert allowed([role.value], action) == (said[role] == "yes"), f"{role} {action}"


def test_the_matrix_holds_nothing_else() -> None:
    assert set(MATRIX) == set(MAY)


def test_what_nobody_knows_nobody_may() -> None:
    everything = [role.value for role in Role]
    assert not allowed(everything, "profiles.write")
    assert not allowed(["root", ""], "flow.read")
    assert not allowed([], "flow.read")


def test_roles_add_up() -> None:
    assert allowed(["analyst", "operator"], "stream.stop")


ACTION = re.compile(r"(flow|producer|stream|profiles|aggregates|letters|accounts|audit|register|retention|breaches)\.[a-z]+")


def asked_for(path: Path) -> Iterator[str]:
    """Actions that a source names, those that are put together by an f-string included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ACTION.fullmatch(node.value):
            yield node.value
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("may", "act", "begin"):
            texts = [part for part in node.args if isinstance(part, ast.JoinedStr)][:1]
            endings = (str(getattr(text.values[-1], "value", "")) for text in texts)
            yield from (f"{program}{ending}" for ending in endings for program in ("producer", "stream")
                        if re.fullmatch(r"\.[a-z]+", ending))


SOURCES = [path for path in sorted((CLONE / "app").rglob("*.py")) if "public" not in path.parts]


def test_every_action_that_is_asked_for_has_a_line() -> None:
    asked = {action: path.name for path in SOURCES for action in asked_for(path)}
    assert {action: where for action, where in asked.items() if action not in MAY} == {}
    assert set(MAY) <= set(asked), "a line that nobody asks for"


def test_every_page_opens_by_a_right_of_its_own() -> None:
    files = sorted(f"pages/{path.name}" for path in (CLONE / "app/pages").glob("*.py"))
    assert sorted(page.file for page in PAGES) == files
    for page in PAGES:
        assert page.action in MAY
        text = (CLONE / "app" / page.file).read_text()
        done = [node for node in ast.parse(text).body[1:]    # after what the file says of itself
                if not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)
                and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper())]
        assert ast.unparse(done[0]).endswith(f"open_page('{page.key}')"), f"{page.file} must begin with open_page"


def test_only_starts_and_stops_are_done_without_the_audit() -> None:
    assert {f"{program}.{what}" for program in ("producer", "stream") for what in ("start", "stop")} == UNAUDITED_TOO
