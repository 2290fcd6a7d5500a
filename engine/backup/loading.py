"""A backup is put back into an empty installation: first it is looked at, then loaded, and what is opened it is not here.

Nothing is changed before the backup is known to be whole and of the key ring that is there or comes with it. While it is loaded
nothing of ours may start (engine/shut.py); interrupted, it is done again from the beginning, which changes nothing that stands
already. Afterwards all is as after any restore: `rollcall restore-check` carries out what was commanded, and opens.
"""

from collections.abc import Callable
from pathlib import Path

from engine import shut
from engine.backup import documents, manifest, tables
from engine.backup.manifest import COMMANDS, HEAD, SETTINGS, BackupDamaged, Manifest
from engine.clients import mongo_client
from engine.errors import Final, SettingsInvalid, StoreRefused
from engine.migrations import migrating, versions
from engine.migrations.documents import Stores
from engine.rights.control import import_commands, read_commands
from engine.sealing import KeyRing, keys_in, keys_path, load_keys
from engine.secrets import write_secret
from engine.settings import Settings, load

Say = Callable[[str], None]


class NotEmpty(Final):
    """The installation holds something already, or another backup was begun to be loaded into it."""

    exit_code = 65


def looked_at(settings: Settings, folder: Path, ring: bytes | None, commands: Path | None,
              say: Say) -> tuple[Manifest, Settings]:
    """Makes sure that a backup can be loaded, and puts its key ring and, where there are none, its settings back: its manifest,
    and the settings from then on. ring: a key ring that was kept beside it; commands: an export of the commands, newer than it.

    Raises BackupDamaged, OtherVersion, SettingsInvalid, NotEmpty, StoreRefused, InputUnreadable; then nothing was changed.
    """
    if "cassandra" in settings.elsewhere:
        raise StoreRefused(f"Cassandra runs elsewhere ({settings.cassandra_address}), and a backup is loaded into a node of "
                           "this machine only. Put its copy back with its own tools, then `rollcall restore-check` "
                           "(docs/privacy.md).")
    made = manifest.read(folder)
    keys = _keys(settings, ring)
    made.require_seal(keys)
    versions.require_known(made.versions, "The backup")
    made.require_keys(keys)
    tables.require_columns(made.columns)
    if (begun := shut.loaded(settings)) and begun[0] != made.seal:
        raise NotEmpty("Another backup was begun to be restored here. Give that one again, or begin with an empty "
                       f"installation: {_emptied(settings)}.")
    say(f"looking at {len(made.files)} files of the backup of {made.made_at}")
    made.require_whole(folder)
    for file in (commands, folder / COMMANDS):
        if file:
            read_commands(file)
    if ring is not None and not keys_path(settings).exists():
        write_secret(keys_path(settings), ring)
    if SETTINGS in made.files and not (settings.home / "settings.toml").exists():
        write_secret(settings.home / "settings.toml", (folder / SETTINGS).read_bytes())
        say("settings.toml is that of the backup")
        settings = load()
    return made, settings


def into_empty(settings: Settings, folder: Path, made: Manifest, commands: Path | None, say: Say) -> None:
    """Loads a backup into the servers, which run: nothing of ours does. commands: as `looked_at` has them.

    Raises NotEmpty (before anything was changed), OtherCommands, BackupDamaged where the stores do not hold afterwards what the
    backup does, NodetoolFailed, StoreAway, SignInRefused, OSError: then the same can be done again.
    """
    node = tables.node_of(settings)
    with mongo_client(settings, "provision") as client:
        database = client[settings.mongo.database]
        if not shut.loaded(settings):
            _require_empty(settings, tables.found(settings), documents.found(database))
        for file in filter(None, (folder / COMMANDS, commands)):    # before the stores: others' are refused
            say(f"{import_commands(settings, file)} commands of {file} were appended")
        shut.load(settings, made.seal)
        _head_back(settings, folder, made)
        say("loading the documents")
        documents.load(database, folder / manifest.MONGO, made.documents, settings.mongo.bulk)
    say("loading Cassandra's files")
    tables.load(settings, node, folder, made.files)
    if (there := tables.counts(settings)) != made.rows:
        raise BackupDamaged(f"Cassandra does not hold what the backup does: {there} rows, not {dict(made.rows)}. `rollcall "
                            "logs cassandra` shows more; then give the same command again.")
    migrated(settings, made, say)
    shut.load(settings, made.seal, done=True)


def migrated(settings: Settings, made: Manifest, say: Say) -> None:
    """What was loaded takes the form of this program's version, where it is of an older one: as of which it was written MongoDB
    says, and of Cassandra, whose tables were made here, the manifest. Raises StoreAway, SignInRefused."""
    with mongo_client(settings, "provision") as client:
        versions.keep(Stores(settings, client[settings.mongo.database]), versions.CASSANDRA,
                      made.versions.get(versions.CASSANDRA, 1))
    migrating.run(settings, say)


def _keys(settings: Settings, ring: bytes | None) -> KeyRing:
    path = keys_path(settings)
    if ring is None:
        if not path.exists():
            raise SettingsInvalid("The key ring is not in a backup, for whoever has both can read everything. Give the file "
                                  "that `rollcall backup --keys` wrote (--keys FILE), or put your copy of keys.json back as "
                                  f"{path}.")
        return load_keys(settings)
    given = keys_in(ring, path)
    if path.exists() and load_keys(settings) != given:
        raise NotEmpty(f"This installation has another key ring already ({path}), with which it may have sealed something. "
                       f"Begin with an empty one: {_emptied(settings)}.")
    return given


def _require_empty(settings: Settings, table: str, collection: str) -> None:
    holds = [f"{what} {name} of {store}" for what, name, store in (
        ("table", table, "Cassandra"), ("collection", collection, "MongoDB")) if name]
    if holds:
        raise NotEmpty(f"This installation holds something already ({' and '.join(holds)}), and a backup is mixed with "
                       f"nothing. To restore it here, begin with an empty one: {_emptied(settings)}.")


def _emptied(settings: Settings) -> str:
    return (f"`rollcall down`, move {settings.home} away and make it anew with its settings.toml, then the same command (of a "
            "MongoDB that runs elsewhere drop the database, or name another one)")


def _head_back(settings: Settings, folder: Path, made: Manifest) -> None:
    """The audit goes on where the backup knows that it was, also where somebody writes to it before it is loaded."""
    path = settings.state / "audit" / "head.json"
    if HEAD in made.files and not path.exists():
        write_secret(path, (folder / HEAD).read_bytes())
