"""Who may do what: every role and every action, written out a second time by hand."""

import ast
from collections.abc import Iterator

import pytest

from app.listing import PAGES
from engine.settings import CLONE
from governance.permissions import MAY, OF_THE_DOOR, UNAUDITED_TOO, Role, allowed

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
    "profiles.search": "yes yes no no yes",
    "profiles.reveal": "no yes no no no",
    "aggregates.read": "yes yes no yes yes",
    "aggregates.compare": "yes yes no yes yes",
    "letters.read": "yes yes no no yes",
    "letters.redrive": "yes no no no no",
    "letters.discard": "yes no no no no",
    "access.read": "yes yes yes no yes",
    "access.check": "yes yes yes no yes",
    "access.change": "no no yes no no",
    "access.apply": "no no yes no no",
    "access.users": "no no yes no no",
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
    "publishing.read": "no yes no no yes",
    "publishing.preview": "no yes no no no",
    "publishing.publish": "no yes no no no",
    "publishing.withdraw": "no yes no no no",
    "requests.read": "no yes no no no",
    "requests.change": "no yes no no no",
    "requests.run": "no yes no no no",
    "requests.export": "no yes no no no",
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


ASKING = {"act": 0, "begin": 0, "live": 0, "may": 0, "_required": 0, "allowed": 1}
"""What asks for a right, and which of its arguments is the action."""

OTHERS = {"JOBS.begin", "console.throttle.begin", "provider.throttle.begin", "accounts.begin", "log_lines.begin"}
"""What is called the same and asks for none."""

HELPERS = {("checks.py", "verify"): 0}
"""Functions of pages that pass an action on, which is read where they are called."""

PASSED_ON = {("acts.py", "action"), ("parts.py", "action"), ("sessions.py", "action"), ("checks.py", "action"),
             ("Home.py", "page.action"), ("parts.py", "page.action"), ("programs.py", "BY_KEY[name].action")}
"""Actions that are no texts where they are asked for, each read elsewhere: by those who call, or in PAGES."""

PROGRAMS = {"programs.py": ("producer", "stream")}
"""What `name` is in an f-string of these."""

UNREADABLE = "an action this test cannot read: "


def asked_for(source: str, file: str) -> Iterator[str]:
    """Actions that a source asks for, those that are put together by an f-string included; UNREADABLE and what stands
    there where it is neither a text nor listed above."""
    tree = ast.parse(source)
    asking = ASKING | {name: place for (home, name), place in HELPERS.items()
                       if any(isinstance(node, ast.ImportFrom) and node.module == f"app.{home.removesuffix('.py')}"
                              and name in [alias.name for alias in node.names] for node in ast.walk(tree))}
    seen: set[ast.expr] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        whole, name = ast.unparse(node.func), ast.unparse(node.func).rpartition(".")[2]
        if name in asking and whole not in OTHERS:
            seen.add(node.func)
            named = [one.value for one in node.keywords if one.arg == "action"]
            yield from actions((named or node.args[asking[name]:])[:1], node, file)
        for keyword in node.keywords:    # a widget that will call it: what it calls it with stands beside
            if (called := ast.unparse(keyword.value).rpartition(".")[2]) in asking and (keyword.arg or "").startswith("on_"):
                seen.add(keyword.value)
                given = [one.value for one in node.keywords if one.arg == "args" and isinstance(one.value, ast.Tuple)]
                yield from actions([part for one in given for part in one.elts[asking[called]:]][:1], node, file)
    handed = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
              and node.module == "app.acts" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in handed and node not in seen:
            yield f"{UNREADABLE}{node.id} of line {node.lineno} is handed on"


def actions(given: list[ast.expr], call: ast.Call, file: str) -> Iterator[str]:
    """The actions that an argument stands for."""
    match given:
        case [ast.Constant(str(action))]:
            yield action
        case [ast.JoinedStr([ast.FormattedValue(ast.Name("name")), ast.Constant(str(ending))])] if file in PROGRAMS:
            yield from (f"{program}{ending}" for program in PROGRAMS[file])
        case [other] if (file, ast.unparse(other)) in PASSED_ON:
            pass
        case _:
            yield f"{UNREADABLE}{ast.unparse(call)}"


SOURCES = [path for path in sorted((CLONE / "app").rglob("*.py")) if "public" not in path.parts]


def test_every_action_that_is_asked_for_has_a_line() -> None:
    asked = {action: path.name for path in SOURCES for action in asked_for(path.read_text(), path.name)}
    asked |= {page.action: page.file for page in PAGES}
    assert {action: where for action, where in asked.items() if action not in MAY} == {}
    assert set(MAY) <= set(asked), "a line that nobody asks for"


@pytest.mark.parametrize(("source", "asked"), [
    ('act("newthing.do", "target", do)', ["newthing.do"]),
    ('acts.begin("newthing.do", "kind", "target", work)', ["newthing.do"]),
    ('act(target="x", action="newthing.do", do=do)', ["newthing.do"]),
    ('live("newthing.read", draw)', ["newthing.read"]),
    ('looks.may("newthing.do")', ["newthing.do"]),
    ('allowed(looks.roles, "newthing.do")', ["newthing.do"]),
    ('st.button("Do", on_click=act, args=("newthing.do", "target", do))', ["newthing.do"]),
    ('from app.checks import verify\nst.button("Do", on_click=verify, args=("newthing.do",))', ["newthing.do"]),
    ('JOBS.begin(kind, name, work)', []),
    ('act(what, "target", do)', [f"{UNREADABLE}act(what, 'target', do)"]),
    ('act(f"{page}.do", "target", do)', [f"{UNREADABLE}act(f'{{page}}.do', 'target', do)"]),
    ('act(*everything)', [f"{UNREADABLE}act(*everything)"]),
    ('st.button("Do", on_click=act, args=given)', [f"{UNREADABLE}st.button('Do', on_click=act, args=given)"]),
    ('from app.acts import act\nst.button("Do", on_click=partial(act, "newthing.do"))',
     [f"{UNREADABLE}act of line 2 is handed on"]),
    ('from app.acts import act as do\ndo("newthing.do", "target", work)', [f"{UNREADABLE}do of line 2 is handed on"]),
])
def test_whatever_way_an_action_is_asked_for_it_is_read(source: str, asked: list[str]) -> None:
    assert list(asked_for(source, "page.py")) == asked


def test_what_is_listed_as_passed_on_is() -> None:
    for file, text in sorted(PASSED_ON):
        (path,) = (path for path in SOURCES if path.name == file)
        assert text in path.read_text(), f"{text} is in {file} no more"


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


AUDITING = ("acting", "append", "append_or_keep")
"""What writes an act into the audit; the act is the second argument. A list's `append` has one."""


def written_down(source: str, file: str) -> Iterator[str]:
    """Acts that a source writes into the audit itself; UNREADABLE and what stands there where it is no text and not listed."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in AUDITING:
            named = [one.value for one in node.keywords if one.arg == "act"]
            if len(node.args) + len(node.keywords) > 1:
                yield from actions((named or node.args[1:])[:1], node, file)


def test_every_act_that_is_written_down_has_a_line() -> None:
    written = {act: path.name for path in SOURCES for act in written_down(path.read_text(), path.name)}
    assert {act: where for act, where in written.items() if act not in MAY and act not in OF_THE_DOOR} == {}
    assert set(written) >= OF_THE_DOOR, "a line for what nobody does"
    assert {written[act] for act in OF_THE_DOOR} <= {"door.py", "oidc.py"}, "whoever else acts asks for a right"
    assert not OF_THE_DOOR & set(MAY)


@pytest.mark.parametrize(("source", "acts"), [
    ('audit.append_or_keep(name, "newthing", name, REFUSED)', ["newthing"]),
    ('with console.audit().acting(name, "newthing", name):\n    pass', ["newthing"]),
    ('audit.append(name, act="newthing", target="", result=DONE)', ["newthing"]),
    ('audit.append(name, what, "", DONE)', [f"{UNREADABLE}audit.append(name, what, '', DONE)"]),
    ('found.append(entry)', []),
])
def test_whatever_way_an_act_is_written_down_it_is_read(source: str, acts: list[str]) -> None:
    assert list(written_down(source, "door.py")) == acts


def test_only_starts_and_stops_are_done_without_the_audit() -> None:
    assert {f"{program}.{what}" for program in ("producer", "stream") for what in ("start", "stop")} == UNAUDITED_TOO
