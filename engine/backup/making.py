"""A backup: what the stores hold between two turns, in a folder that is there whole or not at all.

The stream stands still while the documents are read, Cassandra links its files into a snapshot, and the commands are read, in
this order: a published snapshot without its ledger, or a marker that knows of a command that is not there, would be named as
damage, and the other way round nothing is missing. Files are copied and digested while the stream goes on.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from engine.backup import documents, manifest, passphrase, tables
from engine.backup.manifest import COMMANDS, HEAD, SETTINGS, Manifest
from engine.clients import mongo_client
from engine.errors import FolderUnusable, InputUnreadable, NotServed, RollcallError
from engine.machine.folders import REASONS
from engine.migrations import versions
from engine.migrations.documents import Stores
from engine.native.nodetool import Node
from engine.rights.control import export_commands
from engine.sealing import keys_in, keys_path, load_keys
from engine.settings import Settings
from engine.stores.status import Status
from engine.writer.hold import still

Say = Callable[[str], None]

MADE_BY = f"rollcall {version('rollcall')}"


def require_new(settings: Settings, folder: Path, keys_file: Path | None) -> None:
    """Raises InputUnreadable where a backup, or its key ring, would go over what is there or into where it is found."""
    if folder.resolve().is_relative_to(settings.home.resolve()):
        raise InputUnreadable(f"{folder} is in the folder of the installation ({settings.home}): it would be lost with it, and "
                              "an erasure, which searches there, would not come to an end. Give a folder elsewhere.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputUnreadable(f"{folder} is there already, and a backup is written over nothing. Give a folder that is empty, "
                              "or not there.")
    if not folder.absolute().parent.is_dir():
        raise InputUnreadable(f"{folder.absolute().parent} is no folder. Make it, then give the same command again.")
    if keys_file is None:
        return
    if keys_file.resolve().is_relative_to(folder.resolve()):
        raise InputUnreadable(f"{keys_file} would stand in the backup itself: whoever finds that would have the key ring, too. "
                              "Give a file elsewhere.")
    if keys_file.exists() or not keys_file.absolute().parent.is_dir():
        raise InputUnreadable(f"{keys_file} is there already, or its folder is not. Give a file that is not there.")


def make(settings: Settings, folder: Path, keys_file: Path | None, word: str, say: Say) -> Manifest:
    """Makes a backup in a folder that is not there, or empty; returns its manifest. keys_file: where the key ring goes, sealed
    with the passphrase `word`; None: nowhere.

    Raises InputUnreadable, StoreRefused (Cassandra is not ours), NotServed (the stream does not come to rest; another backup is
    under way), FolderUnusable, NodetoolFailed, StoreAway, SignInRefused; then nothing of it is left.
    """
    require_new(settings, folder, keys_file)
    if keys_file:
        passphrase.require_strong(word)
    keys, node = load_keys(settings), tables.node_of(settings)
    with _alone(settings), _unfinished(folder) as fresh:
        try:
            made, ring = _taken(settings, node, fresh, say)
        finally:
            tables.clear(settings, node)
        say("digesting what was copied")
        made = replace(made, files=manifest.files(fresh)).sealed(keys)
        made.write(fresh)
        manifest.force(fresh)
        if keys_file:
            passphrase.write_keys(keys_file, ring, word)
        try:
            fresh.rename(folder)    # an empty one that stands there gives way
        except OSError:
            if keys_file:
                keys_file.unlink()
            raise
        manifest.force(folder)
    return made


def _taken(settings: Settings, node: Node, fresh: Path, say: Say) -> tuple[Manifest, bytes]:
    """The manifest, and the key ring as it was at that moment: later ones may lack a key that rows of it need."""
    _beside(settings, fresh)
    with mongo_client(settings, "verify") as client:
        database = client[settings.mongo.database]
        status = Status(database)
        say("waiting for the stream to stand still")
        began = time.monotonic()
        with still(settings, status) as streaming:
            ring = keys_path(settings).read_bytes()
            state, made_at = status.writer(), datetime.now(UTC).isoformat(timespec="seconds")
            say("reading the documents")
            counted = documents.dump(database, fresh / manifest.MONGO)
            say("counting the rows, and keeping Cassandra's files as they are")
            rows = tables.counts(settings)
            said = versions.kept(Stores(settings, database), "verify")
            tables.snapshot(settings, node)
            commands = export_commands(settings, fresh / COMMANDS)
    say(f"taken in {time.monotonic() - began:.0f} s" + ("; the stream goes on" if streaming else ""))
    if state.open is not None:
        say(f"turn {state.turn} was not closed; a restore reads and counts anew, as after a crash, and loses nothing by it")
    say("copying Cassandra's files")
    tables.copy(settings, node, fresh / manifest.CASSANDRA)
    keys = tuple(sorted(keys_in(ring, keys_path(settings)).columns))
    made = Manifest(MADE_BY, made_at, state.turn, rows, counted, commands, tables.columns(), versions=said, keys=keys)
    return made, ring


def _beside(settings: Settings, fresh: Path) -> None:
    """The settings, and the audit's head: before the chain, which then reaches at least so far."""
    for source, name in ((settings.home / "settings.toml", SETTINGS), (settings.state / "audit" / "head.json", HEAD)):
        if source.exists():
            manifest.copy(source, fresh / name)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One backup of an installation at a time, for its snapshot has one name. Raises NotServed."""
    with (settings.run / "backup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotServed("Another backup of this installation is under way; make this one when that has ended.") from None
        yield


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder beside, which nobody takes for a backup; gone again if the block fails, and so is one that was left by a backup
    that was killed. What the system says of it is a FolderUnusable."""
    fresh = folder.absolute().with_name(f".{folder.absolute().name}.unfinished")
    try:
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        try:
            yield fresh
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except RollcallError:
        raise
    except OSError as error:
        number = error.errno or 0
        raise FolderUnusable(f"The backup {folder} cannot be written: {REASONS.get(number, os.strerror(number).lower())}, or "
                             "choose another folder. Nothing of it is left.") from None
