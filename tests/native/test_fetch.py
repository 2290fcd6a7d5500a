"""Fetching: whole or not at all, checked, once per machine. Maven is played by a script that counts its calls."""

import hashlib
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.errors import DownloadBroken, ToolMissing
from engine.native import fetch, tools
from engine.settings import Settings

MAVEN = """#!/bin/sh
# copies jars from the registry into the local repository, where they are not there yet, and from there to the output
for argument in "$@"; do case "$argument" in
    -Dmaven.repo.local=*) repository="${argument#*=}" ;;
    -DoutputDirectory=*) output="${argument#*=}" ;;
esac; done
echo call >> %(calls)s
[ -e %(registry)s/away ] && { echo "Could not transfer artifact trial: no route to host"; exit 1; }
for jar in %(registry)s/*.jar; do
    kept="$repository/trial/$(basename "$jar" .jar)/1"
    [ -d "$kept" ] || { mkdir -p "$kept"; cp "$jar" "$kept"; }
    cp "$kept"/*.jar "$output"
done
[ -e %(registry)s/repaired ] && cp %(registry)s/repaired/*.jar %(registry)s
sleep 0.3
exit 0
"""


@dataclass
class Trial:
    """A bundle of two jars, and the registry that serves them."""

    settings: Settings
    bundle: fetch.Bundle
    registry: Path
    count: Path

    @property
    def calls(self) -> int:
        """How often Maven was called."""
        return len(self.count.read_text().splitlines()) if self.count.exists() else 0

    def folder(self) -> Path:
        """Where the bundle stands once fetched."""
        return self.bundle.folder(self.settings)

    def fetch(self) -> list[str]:
        """Fetches, saying nothing."""
        return fetch.fetch(self.settings, lambda line: None)


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """An empty cache, a registry with good jars, and a Maven that knows it."""
    registry, recipe, programs = tmp_path / "registry", tmp_path / "recipe", tmp_path / "bin"
    for folder in (registry, recipe, programs):
        folder.mkdir()
    lines = []
    for name in ("a-1.jar", "b-1.jar"):
        (registry / name).write_bytes(name.encode() * 100)
        lines.append(f"{hashlib.sha256(name.encode() * 100).hexdigest()}  {name}\n")
    (recipe / "pom.xml").write_text("<project/>")
    (recipe / "CHECKSUMS").write_text("".join(lines))
    program(programs / "mvn", MAVEN % {"registry": registry, "calls": tmp_path / "calls"})
    program(programs / "java", "#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    program(programs / "go", "#!/bin/sh\necho go version go1.26.0 linux/amd64\n")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    bundle = fetch.Bundle("trial", recipe, ("pom.xml", "CHECKSUMS"))
    monkeypatch.setattr(fetch, "BUNDLES", (bundle,))
    return Trial(Settings(home=tmp_path / "home", cache=tmp_path / "cache"), bundle, registry, tmp_path / "calls")


def program(path: Path, text: str) -> None:
    """An executable script."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_second_run_fetches_nothing(trial: Trial) -> None:
    assert trial.fetch() == ["trial"]
    assert sorted(path.name for path in trial.folder().iterdir()) == [fetch.WHOLE, "a-1.jar", "b-1.jar"]
    assert trial.fetch() == []
    assert trial.calls == 1


def test_nothing_but_the_bundle_is_left_in_the_cache(trial: Trial) -> None:
    trial.fetch()
    assert {path.name for path in trial.settings.cache.iterdir()} == {trial.folder().name, "fetch.lock"}


def test_a_broken_jar_is_fetched_again(trial: Trial) -> None:
    (trial.registry / "repaired").mkdir()
    (trial.registry / "repaired" / "a-1.jar").write_bytes((trial.registry / "a-1.jar").read_bytes())
    (trial.registry / "a-1.jar").write_bytes(b"cut off")
    assert trial.fetch() == ["trial"]
    assert trial.calls == 2
    assert (trial.folder() / "a-1.jar").read_bytes() == b"a-1.jar" * 100


def test_a_jar_that_stays_broken_is_refused_and_nothing_is_kept(trial: Trial) -> None:
    (trial.registry / "a-1.jar").write_bytes(b"somebody else's")
    with pytest.raises(DownloadBroken, match=r"a-1\.jar has sha256 [0-9a-f]{64}, not [0-9a-f]{64}"):
        trial.fetch()
    assert trial.calls == 2
    assert not trial.folder().exists()
    assert not list(trial.settings.cache.glob(".trial-*"))


def test_a_jar_that_nobody_wrote_down_is_refused(trial: Trial) -> None:
    (trial.registry / "extra-1.jar").write_bytes(b"stowaway")
    with pytest.raises(DownloadBroken, match=r"extra-1\.jar is not written down"):
        trial.fetch()


def test_a_jar_that_does_not_come_is_named(trial: Trial) -> None:
    (trial.registry / "b-1.jar").unlink()
    with pytest.raises(DownloadBroken, match=r"b-1\.jar is missing"):
        trial.fetch()


def test_what_maven_says_last_is_in_the_error(trial: Trial) -> None:
    (trial.registry / "away").touch()
    with pytest.raises(DownloadBroken, match=r"exit code 1(.|\n)*no route to host(.|\n)*rollcall up"):
        trial.fetch()
    (trial.registry / "away").unlink()
    assert trial.fetch() == ["trial"]


@pytest.mark.parametrize("damage", ["cut", "gone", "unmarked"])
def test_a_damaged_cache_is_fetched_again(trial: Trial, damage: str) -> None:
    trial.fetch()
    jar = trial.folder() / "a-1.jar"
    if damage == "cut":
        jar.write_bytes(jar.read_bytes()[:-1])
    elif damage == "gone":
        jar.unlink()
    else:
        (trial.folder() / fetch.WHOLE).unlink()
    assert trial.fetch() == ["trial"]
    assert jar.read_bytes() == b"a-1.jar" * 100


def test_another_recipe_is_another_folder(trial: Trial) -> None:
    before = trial.folder()
    (trial.bundle.recipe / "pom.xml").write_text("<project><!-- newer --></project>")
    assert trial.folder() != before


def test_two_clones_that_fetch_at_once_fetch_once(trial: Trial) -> None:
    answers: list[list[str]] = []
    clones = [threading.Thread(target=lambda: answers.append(trial.fetch())) for _ in range(2)]
    for clone in clones:
        clone.start()
    for clone in clones:
        clone.join()
    assert sorted(answers) == [[], ["trial"]]
    assert trial.calls == 1


def test_missing_tools_are_named_with_what_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as caught:
        tools.require("java", "mvn", "go")
    for command in ("apt-get install -y openjdk-17-jre-headless", "apt-get install -y maven", "golang"):
        assert command in str(caught.value)


@pytest.mark.parametrize(("name", "says", "message"), [
    ("java", "openjdk version \"21.0.1\"", "java is version 21 and must be 17"),
    ("java", "something else", "java is version unknown"),
    ("go", "go version go1.19.8 linux/amd64", "go is version 1.19 and must be 1.24 or newer"),
])
def test_a_tool_of_a_wrong_version_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str, message: str) -> None:
    program(tmp_path / name, f"#!/bin/sh\necho '{says}'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolMissing, match=message):
        tools.require(name)


@pytest.mark.parametrize("bundle", [fetch.KAFKA, fetch.CASSANDRA, fetch.SPARK], ids=lambda bundle: bundle.name)
def test_every_jar_has_a_checksum_in_the_form_of_sha256sum(bundle: fetch.Bundle) -> None:
    sums = fetch.checksums(bundle)
    assert len(sums) > 10
    assert all(name.endswith(".jar") and len(digest) == 64 for name, digest in sums.items())
