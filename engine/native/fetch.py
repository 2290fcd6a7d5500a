"""Fetches once per machine what the native servers and Spark need: jars by Maven, FerretDB built by Go.

Each bundle is a folder `<name>-<digest of its recipe>` in the user's cache. It appears there whole or not at all, so a
second run or a second clone finds it and fetches nothing; where a file of it is missing or has another size, it is
fetched again. Two clones that fetch at the same time wait for each other.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from engine.errors import DownloadBroken
from engine.native import tools
from engine.settings import CLONE, Settings, outer_environment

Say = Callable[[str], None]

FERRETDB_MODULE = "github.com/FerretDB/FerretDB"
WHOLE = "WHOLE.json"    # name and size in bytes of each file of a bundle, written when it is whole
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


@dataclass(frozen=True)
class Bundle:
    """What is fetched together: a name, the folder of the clone whose files say what exactly, the server it is, and the tool
    that makes it."""

    name: str
    recipe: Path
    files: tuple[str, ...]
    server: str = ""
    tool: str = "mvn"

    def needed(self, settings: Settings) -> bool:
        """Whether this installation runs what it is for: a server of ours, or (no server named) Spark."""
        return self.server not in settings.elsewhere and not (self.server == "mongo" and tools.runs_mongod(settings))

    def folder(self, settings: Settings) -> Path:
        """Where the bundle stands once fetched; another recipe is another folder."""
        digest = hashlib.sha256()
        for name in self.files:
            digest.update((self.recipe / name).read_bytes())
        return settings.cache / f"{self.name}-{digest.hexdigest()[:16]}"


KAFKA = Bundle("kafka", CLONE / "infra/native/kafka", ("pom.xml", "CHECKSUMS"), "kafka")
CASSANDRA = Bundle("cassandra", CLONE / "infra/native/cassandra", ("pom.xml", "CHECKSUMS"), "cassandra")
SPARK = Bundle("spark-connectors", CLONE / "jars", ("pom.xml", "CHECKSUMS"))
FERRETDB = Bundle("ferretdb", CLONE / "infra/native/ferretdb", ("go.mod", "go.sum"), "mongo", "go")
BUNDLES = (KAFKA, CASSANDRA, SPARK, FERRETDB)


def fetch(settings: Settings, say: Say, more: tuple[Bundle, ...] = ()) -> list[str]:
    """Fetches and builds what is not in the cache yet; returns the names of what was. more: bundles beside BUNDLES.

    Raises ToolMissing when Java, Maven or Go are needed and missing, DownloadBroken when a file is not the one whose
    checksum is written down, even when fetched again.
    """
    lacking = missing(settings, more)
    tools.require("java", *(tool for tool in ("mvn", "go") if tool in {one.tool for one in lacking}))
    if not lacking:
        return []
    settings.cache.mkdir(parents=True, exist_ok=True)
    with _lock(settings.cache / "fetch.lock", say):
        lacking = missing(settings, more)    # another clone may have fetched while we waited
        for wanted in lacking:
            with _publish(wanted.folder(settings)) as fresh:
                if wanted is FERRETDB:
                    _build_ferretdb(fresh, say)
                else:
                    _fetch_jars(wanted, fresh, settings.cache / "maven", say)
        shutil.rmtree(settings.cache / "maven", ignore_errors=True)    # all of it stands in the bundles now
    return [one.name for one in lacking]


def missing(settings: Settings, more: tuple[Bundle, ...] = ()) -> list[Bundle]:
    """The needed bundles that are not whole in the cache. Cheap: looks at names and sizes only."""
    return [one for one in (*BUNDLES, *more) if one.needed(settings) and not whole(one.folder(settings))]


def whole(folder: Path) -> bool:
    """Whether a bundle is there with each of its files at its size."""
    try:
        sizes: dict[str, int] = json.loads((folder / WHOLE).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def checksums(wanted: Bundle) -> dict[str, str]:
    """File name -> sha256 in hex, as the bundle's CHECKSUMS (the format of `sha256sum`) says."""
    lines = (wanted.recipe / "CHECKSUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _fetch_jars(wanted: Bundle, fresh: Path, repository: Path, say: Say) -> None:
    """Copies the jars of a pom into `fresh`. What does not match its checksum is fetched a second time."""
    expected = checksums(wanted)
    for last in (False, True):
        _copy_jars(wanted, fresh, repository, list(expected), say)
        wrong = altered(fresh, expected)
        if not wrong:
            return
        if last:
            raise DownloadBroken(
                f"{wanted.name}: fetched twice, and not what {wanted.recipe / 'CHECKSUMS'} says: "
                + "; ".join(wrong.values()) + ". Somebody between here and the registry may alter files; "
                "nothing of it is used. Run `rollcall up` again on another network.")
        say(f"{wanted.name}: {len(wrong)} broken: {', '.join(sorted(wrong))}; fetching again")
        for name in wrong:
            (fresh / name).unlink(missing_ok=True)
            for kept in list(repository.rglob(name)):
                shutil.rmtree(kept.parent)


def _copy_jars(wanted: Bundle, fresh: Path, repository: Path, names: list[str], say: Say) -> None:
    command = [
        "mvn", "-q", "-B", "-ntp", f"-Dmaven.repo.local={repository}", "-f", str(wanted.recipe / "pom.xml"),
        f"{PLUGIN}:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
    awaited = set(names)

    def arrived() -> int:
        return len({file for _, _, files in os.walk(repository) for file in files} & awaited)

    with tempfile.TemporaryFile("w+") as output:
        started = subprocess.Popen(command, cwd=fresh, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            _watch(started, f"Fetching {wanted.name}", len(names), arrived, say)
        finally:
            _end(started)
        if started.returncode:
            output.seek(0)
            raise DownloadBroken(tools.failed(f"Fetching {wanted.name} by Maven", started.returncode, output.read()))


def altered(folder: Path, expected: dict[str, str]) -> dict[str, str]:
    """File name -> what is wrong with it: another checksum, not there, or there though nobody wrote it down."""
    there = {path.name: path for path in folder.glob("*.jar")}
    wrong = {name: f"{name} is not written down" for name in there.keys() - expected.keys()}
    for name, digest in expected.items():
        if name not in there:
            wrong[name] = f"{name} is missing"
        elif (found := hashlib.sha256(there[name].read_bytes()).hexdigest()) != digest:
            wrong[name] = f"{name} has sha256 {found}, not {digest}"
    return wrong


def _build_ferretdb(fresh: Path, say: Say) -> None:
    """Builds FerretDB from its module, all of whose parts stand in our go.sum (infra/native/ferretdb/README.md)."""
    env = {**outer_environment(), "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0",
           "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false -modcacherw"}
    with tempfile.TemporaryDirectory(dir=fresh.parent, prefix=".ferretdb-source-") as name:
        work = Path(name)
        for file in FERRETDB.files:
            shutil.copy(FERRETDB.recipe / file, work / file)
        say("ferretdb: fetching its source")
        answer = tools.run(["go", "mod", "download", "-json", FERRETDB_MODULE], cwd=work, env=env,
                           what="Fetching FerretDB's source by Go")
        module = json.loads(answer)
        source = work / "source"
        shutil.copytree(module["Dir"], source, copy_function=shutil.copyfile)
        for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
            folder.chmod(0o755)    # Go's module cache is read-only
        (source / "build/version/version.txt").write_text(module["Version"])    # without it the binary panics
        tools.run(["go", "mod", "edit", f"-replace={FERRETDB_MODULE}=./source"], cwd=work, env=env,
                  what="Preparing FerretDB")
        binary = fresh / "ferretdb"
        with tempfile.TemporaryFile("w+") as output:
            started = subprocess.Popen(["go", "build", "-o", str(binary), f"{FERRETDB_MODULE}/cmd/ferretdb"],
                                       cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            try:
                _watch(started, "Building ferretdb (about a minute)", None, lambda: 0, say)
            finally:
                _end(started)
            if started.returncode:
                output.seek(0)
                raise DownloadBroken(tools.failed("Building FerretDB", started.returncode, output.read()))
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    (fresh / "ferretdb.sha256").write_text(f"{digest}  ferretdb\n")


def _watch(process: subprocess.Popen[bytes], title: str, total: int | None, arrived: Callable[[], int],
           say: Say) -> None:
    """Waits for a process while a bar (on a terminal) or a plain line each tenth second shows how far it is."""
    console = Console(stderr=True)
    began = shown = time.monotonic()
    if not console.is_terminal:
        say(f"{title}{f': {total} jars' if total else ''} ...")
        while _running(process):
            if time.monotonic() - shown >= 10:
                shown = time.monotonic()
                say(f"{title}: {f'{arrived()} of {total}, ' if total else ''}{shown - began:.0f} s")
        return
    count = TextColumn("{task.completed}/{task.total} jars") if total else TextColumn("")
    with Progress(TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task(title, total=total)
        while _running(process):
            bar.update(task, completed=arrived())
        bar.update(task, total=total or 1, completed=total or 1)


def _running(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.25)
    return process.poll() is None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that still runs because we were interrupted."""
    if process.poll() is None:
        process.terminate()
        process.wait()


@contextmanager
def _publish(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its final name when the block succeeds and vanishes when it does not."""
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield fresh
        sizes = {path.name: path.stat().st_size for path in sorted(fresh.iterdir())}
        (fresh / WHOLE).write_text(json.dumps(sizes, indent=1))
        fresh.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)    # a broken one of earlier
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _lock(path: Path, say: Say) -> Iterator[None]:
    """Holds a file lock; says so when another clone holds it. The lock falls with the process, however it ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another clone is fetching the same; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
