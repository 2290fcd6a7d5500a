"""The manifest of a backup: what it holds, as of when, and a seal by the key ring, so that nothing in it was changed unseen.

    FOLDER/manifest.json            this
    FOLDER/commands.jsonl           every command about people, sealed (engine/rights/control.py)
    FOLDER/audit-head.json          the newest entry of the audit, where there is one
    FOLDER/settings.toml            where the installation has one
    FOLDER/mongo/COLLECTION.jsonl   a document a line (engine/backup/documents.py)
    FOLDER/cassandra/TABLE/...      files of a snapshot, as Cassandra wrote them (engine/backup/tables.py)
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from engine.errors import Final
from engine.sealing import KeyRing

FORM = 2
"""2: it says of which versions the stores are; those of form 1 are of the first."""
NAME, COMMANDS, HEAD, SETTINGS = "manifest.json", "commands.jsonl", "audit-head.json", "settings.toml"
MONGO, CASSANDRA = "mongo", "cassandra"
_AT_ONCE = 1024 * 1024


class BackupDamaged(Final):
    """A backup is not what was written: a file is missing or was changed, or the key ring is another one's."""

    exit_code = 65    # EX_DATAERR


@dataclass(frozen=True)
class Kept:
    """A file of a backup. size: in bytes; sha256: of its content, in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. made_at: ISO 8601, UTC; turn: the last turn before it; rows: of the tables that stood still, by
    table; documents: by collection; columns: table -> column -> CQL type; files: path within the folder -> what it is;
    versions: of what the stores hold (engine/migrations/versions.py); keys: ids of the keys that rows may need."""

    made_by: str
    made_at: str
    turn: int
    rows: Mapping[str, int]
    documents: Mapping[str, int]
    commands: int
    columns: Mapping[str, Mapping[str, str]]
    files: Mapping[str, Kept] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    form: int = FORM
    seal: str = ""
    keys: tuple[str, ...] = ()

    def sealed(self, keys: KeyRing) -> "Manifest":
        """The same with its seal."""
        return replace(self, seal=self._seal(keys))

    def require_seal(self, keys: KeyRing) -> None:
        """Raises BackupDamaged unless this key ring sealed it as it stands."""
        if self.seal != self._seal(keys):
            raise BackupDamaged(f"{NAME} was not sealed by this key ring: it was changed, or the keys are those of another "
                                "installation. Take the keys that belong to this backup, or another backup.")

    def require_keys(self, keys: KeyRing) -> None:
        """Raises BackupDamaged unless this key ring has every key that rows of the backup may need."""
        if missing := [name for name in self.keys if name not in keys.columns]:
            raise BackupDamaged(f"The key ring lacks {', '.join(missing)}, under which rows of this backup are sealed: it is "
                                "of after a rotation. Take the key ring that was kept with this backup.")

    def require_whole(self, folder: Path) -> None:
        """Raises BackupDamaged, which names the first file that is missing or is not as it was written."""
        for name, kept in self.files.items():
            try:
                with (folder / name).open("rb") as file:
                    there = digested(file)
            except OSError as error:
                raise BackupDamaged(f"{name} of the backup cannot be read ({error.strerror}); nothing was restored. Take "
                                    "another copy of this backup, or another backup.") from None
            if there != kept:
                raise BackupDamaged(f"{name} of the backup is damaged: it has {there.size} bytes where {kept.size} were "
                                    "written, or others; nothing was restored. Take another copy of it, or another backup.")

    def write(self, folder: Path) -> None:
        """Writes it into the folder of the backup."""
        write(folder / NAME, (json.dumps(asdict(self), indent=1) + "\n").encode())

    def _seal(self, keys: KeyRing) -> str:
        said = {**asdict(self), "seal": ""}
        if self.form < 2:
            del said["versions"], said["keys"]
        return keys.backup_seal(json.dumps(said, sort_keys=True))


def read(folder: Path) -> Manifest:
    """The manifest of a backup. Raises BackupDamaged where there is none, it cannot be read, or a newer Rollcall wrote it."""
    path = folder / NAME
    try:
        said = json.loads(path.read_bytes())
        if not 1 <= said["form"] <= FORM:
            raise BackupDamaged(f"{path} is of form {said['form']}, and this Rollcall reads {FORM} at most: restore it with "
                                f"the version that made it ({said['made_by']}).")
        made = Manifest(**{**said, "files": {name: Kept(**kept) for name, kept in said["files"].items()},
                           "keys": tuple(said.get("keys", ()))})
        if not all(_inside(name) for name in made.files):
            raise ValueError
    except OSError as error:
        raise BackupDamaged(f"{folder} is no backup: {NAME} cannot be read ({error.strerror}). `rollcall backup FOLDER` makes "
                            "one; a folder without that file is not whole.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackupDamaged(f"{path} is damaged: it is no manifest of a backup. Take another copy of this backup, or another "
                            "backup.") from None
    return made


def files(folder: Path) -> dict[str, Kept]:
    """Every file below a folder but the manifest, by its path there, and forced to disk."""
    return {path.relative_to(folder).as_posix(): _forced(path) for path in _below(folder) if path != folder / NAME}


def force(folder: Path) -> None:
    """Forces folders to disk, so that files they list are there after a power cut; the files are already."""
    for place in {folder, *(path.parent for path in _below(folder)), folder.parent}:
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write(path: Path, content: bytes) -> None:
    """Writes a file of a backup, which nobody else may read."""
    _private(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def copy(source: Path, target: Path) -> None:
    """Copies a file, so that nobody else may read the copy."""
    _private(target.parent)
    with source.open("rb") as there, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as here:
        shutil.copyfileobj(there, here, _AT_ONCE)


def digested(file: BinaryIO) -> Kept:
    """Size and digest of what a file holds from where it stands."""
    size, digest = 0, hashlib.sha256()
    while part := file.read(_AT_ONCE):
        size += len(part)
        digest.update(part)
    return Kept(size, digest.hexdigest())


def _private(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, which nobody else may look into."""
    if not folder.exists():
        _private(folder.parent)
        folder.mkdir(mode=0o700)


def _forced(path: Path) -> Kept:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return digested(file)


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
