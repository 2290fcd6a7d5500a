"""Folders of ours that are full, read-only, forbidden or no folders: the one place where the system's error about one
becomes a sentence, and the question whether a folder can be used before anything is begun in it.
"""

import errno
import os
import shutil
from pathlib import Path

from engine.errors import FolderUnusable
from engine.settings import Settings

LEAST_FREE_MB = 1024
"""What must be free before the servers are started: Cassandra and Kafka lay files out in advance, and a server whose
disk is full in the middle of its work ends."""

FULL = (errno.ENOSPC, errno.EDQUOT)

REASONS = {
    **dict.fromkeys(FULL, "the disk is full; free some space"),
    errno.EROFS: "the file system is read-only; mount it writable",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "this user may not read or write there; give it the folder (chown, chmod)"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a file stands where a folder should be; move it away"),
    errno.EISDIR: "a folder stands where a file should be; move it away",
    errno.EFBIG: "a file may not grow as large as it must; raise the limit (ulimit -f)",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.EIO: "the disk reports an error; look into the system's log",
}

ANYWHERE = (*FULL, errno.EROFS, errno.EFBIG)
"""Errors of a write that name no file."""


def unusable(error: OSError, settings: Settings | None) -> FolderUnusable | None:
    """The error of ours that stands for the system's; None when it is not about a file of this installation.

    settings: None when they could not be read; then every named path counts as ours.
    """
    name = error.filename if isinstance(error.filename, str | bytes | os.PathLike) else None
    path = Path(os.fsdecode(name)) if name else None
    roots = (settings.home, settings.cache) if settings else ()
    if path is None or not path.is_absolute():
        if error.errno not in ANYWHERE:
            return None
        where = f"A file below {roots[0]}, or where the output goes," if roots else "A file"
    elif roots and not any(path.is_relative_to(root) or root.is_relative_to(path) for root in roots):
        return None
    else:
        where = str(path)
    reason = REASONS.get(error.errno or 0, (error.strerror or type(error).__name__).lower())
    return FolderUnusable(f"{where} cannot be used: {reason}, or choose another folder with "
                          f"{_setting(path, settings)}, then give the same command again.")


def problem(folder: Path) -> str:
    """Why a folder cannot be written, or, where it is not there yet, made; empty when it can. Changes nothing."""
    there = folder
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        return REASONS[errno.ENOTDIR].partition(";")[0] + f" ({there})"
    if not os.access(there, os.W_OK | os.X_OK):
        why = errno.EROFS if os.statvfs(there).f_flag & os.ST_RDONLY else errno.EACCES
        return REASONS[why].partition(";")[0] + f" ({there})"
    return ""


def free_mb(folder: Path) -> int:
    """Megabytes that are free where a folder is or would be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2 ** 20


def require_room(settings: Settings) -> None:
    """FolderUnusable when the installation's folder cannot be written or has too little room for the servers."""
    home = settings.home
    if why := problem(home):
        raise FolderUnusable(f"{home} cannot be used: {why}. Put that right, or choose another folder with ROLLCALL_HOME.")
    if (free := free_mb(home)) < LEAST_FREE_MB:
        raise FolderUnusable(f"Only {free} MB are free in {home}; the servers need at least {LEAST_FREE_MB} MB. "
                             "Free some space, or choose another folder with ROLLCALL_HOME.")


def _setting(path: Path | None, settings: Settings | None) -> str:
    ours = settings is not None and path is not None and path.is_relative_to(settings.cache)
    return "ROLLCALL_CACHE" if ours else "ROLLCALL_HOME"
