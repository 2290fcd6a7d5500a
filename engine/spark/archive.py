"""Java's archive of the classes that Spark loads, so that a start does not read and check twenty thousand of them again.

A Java that finds none writes one when it ends well. It stands in the environment whose Spark it is of, and goes with it.
"""

import hashlib
import sys
from pathlib import Path

import pyspark

MAGIC = bytes.fromhex("f00baba8")
"""Of a dynamic archive, written last: without it one was broken off (OpenJDK, cds.h: CDS_DYNAMIC_ARCHIVE_MAGIC)."""


def option(java: Path, connectors: Path) -> str:
    """What makes Spark's Java use its archive, or write it; empty where the environment cannot be written to."""
    archive = path(java, connectors)
    if _whole(archive):
        return f"-XX:SharedArchiveFile={archive} -Xlog:cds=off -Xlog:cds+dynamic=off"
    try:
        archive.touch()
    except OSError:
        return ""
    return f"-XX:ArchiveClassesAtExit={archive} -Xlog:cds=off -Xlog:cds+dynamic=off"


def path(java: Path, connectors: Path) -> Path:
    """The archive of this Java with these jars: another of either has another, for Java would pass a wrong one over."""
    core = next((Path(pyspark.__file__).parent / "jars").glob("spark-core_*.jar"))
    parts = [(str(part), part.stat().st_mtime_ns) for part in (java.resolve(), core, connectors)]
    return Path(sys.prefix) / f"spark-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}.jsa"


def _whole(archive: Path) -> bool:
    try:
        with archive.open("rb") as file:
            return file.read(len(MAGIC)) in (MAGIC, MAGIC[::-1])
    except FileNotFoundError:
        return False
