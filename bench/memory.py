"""How much memory the processes of an installation hold, as Linux tells it.

Resident is what of a process is in the machine's memory; what several share counts for each of them, so that a sum of it says
too much. Proportional counts such a page once, in parts. Anonymous is what is the process's own: no files that the system may
take back.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.installation import Installation

GONE = (psutil.Error, FileNotFoundError, ProcessLookupError)
"""What reading of a process that ends just then raises."""


def processes(one: Installation) -> Iterator[tuple[str, psutil.Process]]:
    """Each process of an installation, by name: the supervisord, its programs, and (`stream java`) what these have started."""
    pids = {name: status.pid for name, status in one.processes.status().items() if status.pid}
    keepers: dict[int, psutil.Process] = {}
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            yield name, process
            for child in process.children(recursive=True):
                yield f"{name} {child.name()}", child
            if keeper := process.parent():
                keepers[keeper.pid] = keeper
        except GONE:
            continue
    yield from (("supervisord", keeper) for keeper in keepers.values())


def anonymous(process: psutil.Process) -> int:
    """Bytes that are the process's own and in the machine's memory (`RssAnon`)."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0    # it has ended and is not waited for yet


def resident(one: Installation) -> dict[str, tuple[int, int]]:
    """Name -> bytes resident, and bytes proportional (`Rss` and `Pss`), of everything that runs now."""
    found: dict[str, tuple[int, int]] = {}
    for name, process in processes(one):
        try:
            held = process.memory_full_info()
        except GONE:
            continue
        rss, pss = found.get(name, (0, 0))
        found[name] = rss + held.rss, pss + held.pss
    return found
