"""Memory: what the configured heaps ask for, and what this machine, or the container we are in, still has."""

from collections.abc import Iterable
from pathlib import Path

import psutil

from engine.errors import SettingsInvalid
from engine.settings import Settings

BESIDE_HEAP_MB = 250
"""What a Java process needs beside its heap: classes, threads, buffers."""

UNITS = {"k": 1 / 1024, "m": 1, "g": 1024}
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def heaps(settings: Settings) -> dict[str, tuple[str, int]]:
    """Program of this machine -> the setting of its heap, and what it needs in MB."""
    asked = {"kafka": ("kafka.heap", settings.kafka.heap), "cassandra": ("cassandra.heap", settings.cassandra.heap),
             "stream": ("spark.driver_memory", settings.spark.driver_memory)}
    return {name: (setting, int(int(size[:-1]) * UNITS[size[-1]]) + BESIDE_HEAP_MB)
            for name, (setting, size) in asked.items() if name not in settings.elsewhere}


def available_mb() -> int:
    """What is left for programs that are started now: of the machine, and no more than a container may have."""
    found = psutil.virtual_memory().available + psutil.swap_memory().free
    for path in LIMITS:
        try:
            found = min(found, int(path.read_text()))
        except (OSError, ValueError):    # no such file here, or "max"
            continue
    return int(found) // 2 ** 20


def lacking(settings: Settings, programs: Iterable[str]) -> str:
    """What is wrong when these programs cannot all have their heaps; empty when they can."""
    asked = {name: needs for name, needs in heaps(settings).items() if name in set(programs)}
    needed, available = sum(mb for _, mb in asked.values()), available_mb()
    if needed <= available:
        return ""
    names = ", ".join("ROLLCALL_" + setting.replace(".", "__").upper() for setting, _ in asked.values())
    return (f"{' and '.join(asked)} need {needed} MB of memory, and {available} MB are available. "
            f"End other programs, or lower {names}")


def require(settings: Settings, programs: Iterable[str]) -> None:
    """SettingsInvalid when these programs, all of which are to be started, cannot have their heaps."""
    if why := lacking(settings, programs):
        raise SettingsInvalid(f"{why}.")
