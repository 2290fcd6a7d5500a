"""The house's rules that a reader would otherwise have to keep in mind: imports, sizes, names, pins, what git may hold."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.settings import CLONE

LONGEST = 400
PACKAGES = ("engine", "governance", "app")
ALLOWED = {"app": {"app", "engine", "governance"}, "engine": {"engine", "governance"}, "governance": {"governance"}}

POMS = {"jars/pom.xml", "infra/native/kafka/pom.xml", "infra/native/cassandra/pom.xml", "bench/connector/pom.xml"}
GO_MOD = "infra/native/ferretdb/go.mod"
PINS_PAGE = "docs/decisions/0001-pins.md"

TEXT = {".py", ".md", ".toml", ".txt", ".xml", ".conf", ".yaml", ".yml", ".properties", ".css", ".mod", ".sum", ".sh", ""}
# written in pieces, so that this file does not hold what it looks for
MACHINE = [
    re.compile("/wo" + "rk/"), re.compile(r"\.\./sha" + "red"), re.compile("/tm" + "p/w/"), re.compile("/ro" + "ot/"),
    re.compile("/home/" + r"\w"), re.compile("/Us" + "ers/"),
    re.compile(r"(?i)\b(repo1?\.maven|repo\.maven\.ap" + r"ache|pypi\.o" + r"rg|files\.pythonh" + r"osted|proxy\.go" +
               r"lang|sum\.go" + r"lang|registry\.npm" + r"js|deb\.deb" + r"ian)"),
    re.compile(r"(?i)\b(index-u" + r"rl|trusted-h" + r"ost|GOPRO" + r"XY=|artifac" + r"tory|nexus\.)"),
]


def files() -> list[Path]:
    """What git holds or would hold: tracked and new files, not ignored ones."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=CLONE,
                            capture_output=True, check=True).stdout.decode().split("\0")
    return sorted(CLONE / name for name in set(listed) if name and (CLONE / name).is_file())


FILES = files()
SOURCES = [path for path in FILES if path.suffix == ".py"]
OURS = [path for path in SOURCES if path.relative_to(CLONE).parts[0] in PACKAGES]


def named(path: Path) -> str:
    """A path as the clone sees it."""
    return path.relative_to(CLONE).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)} imports relatively; write the whole name"
            yield node.module or ""


@pytest.mark.parametrize("path", OURS, ids=named)
def test_imports_follow_the_arrow(path: Path) -> None:
    package = path.relative_to(CLONE).parts[0]
    used = {module.split(".")[0] for module in imports(path)} & {*PACKAGES, "tests"}
    assert used <= ALLOWED[package], f"{named(path)} may import {sorted(ALLOWED[package])} only"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST, f"{named(path)} has more than {LONGEST} lines"
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{named(path)} does not say what it is"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_is_caught_or_imported_blindly(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{named(path)}:{node.lineno} catches everything"
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"{named(path)}:{node.lineno} imports everything"


def test_no_module_is_called_utils() -> None:
    vague = {"util", "utils", "helper", "helpers", "misc", "common"}
    assert [named(path) for path in SOURCES if path.stem in vague or set(path.parts) & vague] == []


def environment_reads(source: str) -> int:
    """How often a source reads the environment; setting a variable for a child is not reading."""
    tree = ast.parse(source)
    written = {id(node.value) for node in ast.walk(tree)
               if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)}
    return sum(1 for node in ast.walk(tree)
               if (isinstance(node, ast.Attribute) and node.attr == "environ" and id(node) not in written
                   and isinstance(node.value, ast.Name) and node.value.id == "os")
               or (isinstance(node, ast.Attribute) and node.attr == "getenv")
               or (isinstance(node, ast.ImportFrom) and node.module == "os"))


def test_the_environment_is_read_in_one_place() -> None:
    assert [named(path) for path in OURS if environment_reads(path.read_text())] == ["engine/settings.py"]


def test_reading_the_environment_is_told_from_writing_it() -> None:
    assert environment_reads("import os\nos.environ['A'] = 'b'") == 0
    assert environment_reads("import os\nx = os.environ['A']") == 1
    assert environment_reads("import os\nx = {**os.environ}") == 1
    assert environment_reads("from os import environ") == 1


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix in TEXT], ids=named)
def test_no_file_names_a_registry_or_a_path_of_this_machine(path: Path) -> None:
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        found = [pattern.pattern for pattern in MACHINE if pattern.search(line)]
        assert found == [], f"{named(path)}:{number}"


def test_the_search_would_find_what_it_looks_for() -> None:
    planted = ["/wo" + "rk/main", "../sha" + "red/x", "https://pypi.o" + "rg/simple", "GOPRO" + "XY=x",
               "https://repo.mav" + "en.apache.org/maven2"]
    for line in planted:
        assert any(pattern.search(line) for pattern in MACHINE), line


def test_nothing_of_an_installation_is_in_git() -> None:
    kept = [named(path) for path in FILES if path.relative_to(CLONE).parts[0] == "var" or path.suffix in (".jar", ".password")]
    assert kept == []


@pytest.mark.parametrize("line", [
    line for line in (CLONE / "Makefile").read_text().splitlines() if re.match(r"[a-z][a-z-]*:", line)])
def test_make_targets_say_what_they_do(line: str) -> None:
    assert re.search(r" ## \S", line), f"{line!r} has no `## text` for make help"


def in_proofs() -> set[str]:
    """The files of tests that a proof of the Makefile runs."""
    recipe = re.sub(r"\$\(addprefix (\S+),([^)]*)\)", lambda found: " ".join(found[1] + name for name in found[2].split()),
                    (CLONE / "Makefile").read_text())
    return set(re.findall(r"tests/\S+\.py", " ".join(line for line in recipe.splitlines() if "--proof" in line)))


@pytest.mark.parametrize("path", [path for path in SOURCES if "pytest.mark." + "proof" in path.read_text()], ids=named)
def test_what_only_a_proof_runs_is_run_by_one(path: Path) -> None:
    assert str(path.relative_to(CLONE)) in in_proofs()


def pyproject_pins() -> dict[str, str]:
    """Package -> version, as pyproject.toml pins them; whatever is not pinned exactly has no version."""
    file = tomllib.loads((CLONE / "pyproject.toml").read_text())
    pairs = [line.partition("==") for line in (*file["project"]["dependencies"], *file["dependency-groups"]["test"])]
    return {name.partition("[")[0].lower(): version for name, _, version in pairs}


def requirements_pins(file: str = "requirements.txt") -> dict[str, str]:
    """Package -> version, as requirements.txt pins them."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", (CLONE / file).read_text(), re.MULTILINE))


def pom_pins(path: str) -> dict[str, str]:
    """Artifact -> version of a pom's own dependencies."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    tree = ElementTree.parse(CLONE / path)    # noqa: S314 - our own file
    found = {}
    for dependency in tree.iterfind("m:dependencies/m:dependency", space):
        artifact, version = (dependency.findtext(f"m:{part}", "", space).strip() for part in ("artifactId", "version"))
        found[artifact] = version
    return found


def pins_page() -> list[tuple[str, str, str]]:
    """Part, version and file, as the decision lists them."""
    return re.findall(r"^\| ([\w.-]+) \| ([\d.]+) \| ([\w/.-]+) \|$", (CLONE / PINS_PAGE).read_text(), re.MULTILINE)


def test_every_dependency_is_pinned_exactly_and_the_same_in_both_files() -> None:
    compiled = requirements_pins()
    wanted = pyproject_pins()
    assert all(wanted.values()), "pin it: name==version"
    assert {name: compiled.get(name) for name in wanted} == wanted


def test_every_requirement_has_a_hash() -> None:
    text = (CLONE / "requirements.txt").read_text()
    blocks = re.split(r"^(?=[A-Za-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(("part", "version", "where"), pins_page())
def test_the_decision_on_pins_says_what_is_pinned(part: str, version: str, where: str) -> None:
    if where == "pyproject.toml":
        assert pyproject_pins()[part] == version
    elif where == GO_MOD:
        assert f"github.com/{part}/{part} v{version} " in (CLONE / where).read_text()
    else:
        assert pom_pins(where)[part] == version


def test_the_decision_on_pins_leaves_nothing_out() -> None:
    listed = {(part, where) for part, _, where in pins_page()}
    for where in POMS:
        for artifact in pom_pins(where):
            assert (artifact, where) in listed or artifact.startswith("log4j-"), f"{artifact} is not in {PINS_PAGE}"
    assert ("FerretDB", GO_MOD) in listed


def test_spark_and_its_kafka_jar_are_of_one_version() -> None:
    assert pom_pins("jars/pom.xml")["spark-sql-kafka-0-10_2.12"] == pyproject_pins()["pyspark"]


def test_all_log4j_parts_are_of_one_version() -> None:
    versions = {version for artifact, version in pom_pins("infra/native/kafka/pom.xml").items() if "log4j" in artifact}
    assert len(versions) == 1
