"""What can be looked at on this machine without asking a store: tools, folders, room, secrets, ports, programs."""

import json
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine import sealing, secrets
from engine.addresses import HERE, OF_THIS_MACHINE
from engine.doctor.finding import NOT_YET, UP, Check, Finding, Well
from engine.machine import folders, memory, ports
from engine.native import fetch, tools
from engine.native.fetch import Bundle
from engine.processes import Supervisor, left_over
from engine.settings import Settings


class Tool(Well):
    """A program of this machine. Maven and Go are needed only while something is to be fetched."""

    def __init__(self, program: str, always: bool) -> None:
        self.name, self.always = program, always

    def look(self, settings: Settings) -> Finding:
        """Where it is."""
        path, problem = tools.look(self.name)
        if not problem:
            return self.ok(str(path))
        if not self.always and self.name not in {bundle.tool for bundle in fetch.missing(settings)}:
            return self.ok(f"{problem}, and not needed: everything is fetched")
        return self.bad(problem, f"install it: {tools.INSTALL[self.name]}")


class Fetched(Well):
    """One bundle of the cache: there, whole, and its jars those that are written down."""

    def __init__(self, bundle: Bundle) -> None:
        self.name, self.bundle = f"cache {bundle.name}", bundle

    def look(self, settings: Settings) -> Finding:
        """Compares checksums, where some are written down."""
        if not self.bundle.needed(settings):
            where = settings.elsewhere.get(self.bundle.server)
            return self.ok("not needed: " + (f"{self.bundle.server} runs elsewhere ({where})" if where else "mongod is run"))
        folder = self.bundle.folder(settings)
        if not folder.exists():
            return self.ok(f"not yet: {UP} fetches it")
        again = f"delete {folder} and run {UP}, which fetches it again"
        if not fetch.whole(folder):
            return self.bad(f"{folder} is not whole", again)
        if "CHECKSUMS" in self.bundle.files and (wrong := fetch.altered(folder, fetch.checksums(self.bundle))):
            return self.bad("; ".join(wrong.values()), again)
        return self.ok(str(folder))


class Folder(Well):
    """A folder of ours can be written, or made."""

    def __init__(self, name: str) -> None:
        self.name = f"folder {name}"

    def look(self, settings: Settings) -> Finding:
        """Asks the system, and tries nothing."""
        attribute = self.name.removeprefix("folder ")
        folder: Path = settings.logs_dir if attribute == "logs" else getattr(settings, attribute)
        if why := folders.problem(folder):
            setting = "ROLLCALL_CACHE" if attribute == "cache" else "ROLLCALL_HOME"
            return self.bad(f"{folder}: {why}", f"put that right, or choose another folder with {setting}")
        return self.ok(f"{folder}" if folder.exists() else f"{folder}, {NOT_YET}")


class Disk(Well):
    """Room where the servers keep their data, and for what is fetched."""

    name = "disk"

    def look(self, settings: Settings) -> Finding:
        """Megabytes."""
        wanted = {settings.home: folders.LEAST_FREE_MB, settings.cache: folders.LEAST_FREE_MB if fetch.missing(settings) else 0}
        free = {folder: folders.free_mb(folder) for folder in wanted}
        for folder, least in wanted.items():
            if free[folder] < least:
                return self.bad(f"{free[folder]} MB are free in {folder}", f"free some space: at least {least} MB are needed")
        return self.ok(f"{free[settings.home]} MB are free in {settings.home}")


class Memory(Well):
    """Memory for the heaps of what is not running yet."""

    name = "memory"

    def look(self, settings: Settings) -> Finding:
        """Megabytes."""
        idle = [name for name, status in Supervisor(settings).status().items() if not status.pid]
        if why := memory.lacking(settings, idle):
            needs, _, todo = why.partition(". ")
            return self.bad(needs, todo)
        return self.ok(f"{memory.available_mb()} MB are available")


class Passwords(Well):
    """Every principal's password is there and its owner's alone."""

    name = "passwords"

    def look(self, settings: Settings) -> Finding:
        """Reads each; shows none."""
        if not settings.secrets.exists() and not (settings.data / "cassandra").exists():
            return self.ok(NOT_YET)
        for principal in (needed := secrets.needed(settings)):
            secrets.password(settings, principal)
        for server in settings.elsewhere:
            secrets.account(settings, "provision", server)
        files = [settings.secrets, *settings.secrets.iterdir()]
        if seen := [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]:
            return self.bad(f"others can read {', '.join(sorted(seen))}",
                            f"chmod 700 {settings.secrets} && chmod 600 {settings.secrets}/*")
        return self.ok(f"{len(needed)} in {settings.secrets}, readable by their owner alone")


class Keys(Well):
    """The key ring is there and whole."""

    name = "key ring"

    def look(self, settings: Settings) -> Finding:
        """Reads it; shows the names of keys only."""
        if not (settings.secrets / "keys.json").exists() and not sealing.lost_keys(settings):
            return self.ok(NOT_YET)
        ring = sealing.load_keys(settings)
        return self.ok(f"{len(ring.columns)} column keys, new rows use {ring.current}; is a copy of it kept elsewhere?")


class Port(Well):
    """A port of ours is free, or ours already."""

    def __init__(self, program: str, setting: str) -> None:
        self.name, self.program, self.setting = f"port {setting}", program, setting

    def look(self, settings: Settings) -> Finding:
        """Who listens there."""
        section, field = self.setting.split(".")
        if self.program in settings.elsewhere:
            return self.ok(f"not needed: {self.program} runs elsewhere ({settings.elsewhere[self.program]})")
        if self.setting.startswith("metrics.") and not settings.metrics.serve:
            return self.ok("not needed: metrics are not served")
        host, port = getattr(getattr(settings, section), "host", HERE), getattr(getattr(settings, section), field)
        if host not in OF_THIS_MACHINE:
            return self.ok(f"{port} is of {host}, not of this machine")
        taken = ports.listeners()
        if port not in taken:
            return self.ok(f"{port} is free")
        mine = {process.pid for ours in left_over(settings, (self.program,)) for process in
                (ours, *ours.children(recursive=True))}
        if taken[port] in mine:
            return self.ok(f"{port} is held by our {self.program}, {ports.owner(taken[port])}")
        return self.bad(f"{port} is taken by {ports.owner(taken[port])}", ports.remedy(settings, self.setting))


class Programs(Well):
    """The supervisor runs, and none of its programs has failed."""

    name = "programs"

    def look(self, settings: Settings) -> Finding:
        """What supervisord says."""
        supervisor = Supervisor(settings)
        if lost := supervisor.orphans():
            return self.bad(f"a supervisord is gone, and {len(lost)} of its processes run on", f"{UP} ends and restarts them")
        if not supervisor.alive() and not supervisor.apart():
            return self.ok(f"none runs; {UP} starts them")
        status = supervisor.status()
        failed = [one for one in status.values() if one.state in ("failing", "failed")
                  or (one.state == "ended" and not one.note.startswith("ended by itself"))]
        if failed:
            return self.bad("; ".join(f"{one.name} is {one.state}, {one.note}" for one in failed),
                            f"`rollcall logs {failed[0].name}` says why; then {UP}")
        return self.ok(", ".join(f"{name} {one.state}" + (f" ({one.note})" if one.state == "elsewhere" else "")
                                 for name, one in status.items()))


class Checkpoint(Well):
    """Spark's checkpoint can be read, and written."""

    name = "checkpoint"

    def look(self, settings: Settings) -> Finding:
        """Its metadata and its newest batch."""
        url = urlsplit(settings.checkpoint_url)
        if url.scheme not in ("", "file"):
            return self.ok(f"{settings.checkpoint_url} is not of this machine; the stream looks at it")
        folder = Path(unquote(url.path))
        if why := folders.problem(folder):
            return self.bad(f"{folder}: {why}", "put that right, or set ROLLCALL_STREAM__CHECKPOINT")
        if not (folder / "metadata").exists():
            return self.ok("not yet: the stream makes it at its first start")
        try:
            json.loads((folder / "metadata").read_text())["id"]
            batches = [int(path.name) for path in (folder / "offsets").glob("[0-9]*")]
        except (OSError, ValueError, KeyError, TypeError):
            return self.bad(f"{folder} is damaged", f"stop the stream, move {folder} away and start the stream: rows stay, "
                            "aggregates are recounted")
        return self.ok(f"{folder}, newest batch {max(batches, default='none')}")


MACHINE: tuple[Check, ...] = (
    Tool("java", always=True), Tool("mvn", always=False), Tool("go", always=False),
    Folder("home"), *(Folder(name) for name in ("data", "logs", "run", "secrets", "state", "cache")),
    Disk(), Memory(), *(Fetched(bundle) for bundle in fetch.BUNDLES), Passwords(), Keys(),
    *(Port(program, setting) for program, setting in (
        ("kafka", "kafka.port"), ("kafka", "kafka.controller_port"), ("cassandra", "cassandra.port"),
        ("cassandra", "cassandra.storage_port"), ("mongo", "mongo.port"), ("view", "view.port"),
        ("console", "console.port"), ("stream", "metrics.stream_port"), ("producer", "metrics.producer_port"))),
    Programs(), Checkpoint())
"""In the order in which `rollcall up` meets it."""
