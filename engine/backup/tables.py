"""The tables of Cassandra as files of a backup: those of a snapshot of the native node, as it wrote them.

They go back through `nodetool import`, into tables that provisioning made: masks, indexes and rights are ours and come from
there. Write times and tombstones come with the files, so that what was written or deleted stays older or newer as it was.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from engine.backup import manifest
from engine.backup.manifest import BackupDamaged
from engine.clients import cassandra_session, mapped
from engine.errors import StoreRefused
from engine.native import nodetool
from engine.native.nodetool import Node
from engine.native.server import private_folder
from engine.settings import Settings
from engine.stores.schema import ACCOUNTS, AUDIT, MARKERS, PROFILES, RECORDS, TABLES

KEPT = (PROFILES, MARKERS, RECORDS, AUDIT, ACCOUNTS)
"""Not sessions, for who was signed in shall sign in again, and no packages: one may have been handed out since."""

STANDING_STILL = (PROFILES, MARKERS)
"""Written by the stream alone: while it stands still, so do they, and can be counted."""

TAG = "rollcall-backup"
DATA, SCHEMA, LISTED = "-Data.db", "schema.cql", "manifest.json"
"""What ends the name of a file of rows; what a snapshot holds beside files: how the table was made, and what it holds."""
_PAGE = 5000


def node_of(settings: Settings) -> Node:
    """The native node of this machine. Raises StoreRefused where Cassandra is not one."""
    if (node := nodetool.local(settings)) is None:
        raise StoreRefused(f"Cassandra at {settings.cassandra_address} is no native node of this machine that runs, and files "
                           "are copied of such a one only. `rollcall up` starts ours; one that runs elsewhere is copied and "
                           "put back with its own tools, and then `rollcall restore-check` (docs/privacy.md).")
    return node


def snapshot(settings: Settings, node: Node) -> None:
    """Has the node keep its files as they are now, all that was written included. Raises NodetoolFailed."""
    keyspace = settings.cassandra.keyspace
    with nodetool.opened(settings, node) as run:
        if TAG in nodetool.snapshots(node, keyspace):    # of a backup that was killed
            run("clearsnapshot", "-t", TAG, keyspace)
        run("snapshot", "-t", TAG, "-kt", ",".join(f"{keyspace}.{table.name}" for table in KEPT))


def clear(settings: Settings, node: Node) -> None:
    """Ends the snapshot, if there is one. Raises NodetoolFailed."""
    if TAG in nodetool.snapshots(node, settings.cassandra.keyspace):
        with nodetool.opened(settings, node) as run:
            run("clearsnapshot", "-t", TAG, settings.cassandra.keyspace)


def copy(settings: Settings, node: Node, folder: Path) -> None:
    """Copies the files of the snapshot, a folder a table. Raises OSError, and StoreRefused where a table has none."""
    for table in KEPT:
        places = list((node.data / "data" / settings.cassandra.keyspace).glob(f"{table.name}-*/snapshots/{TAG}"))
        if len(places) != 1:
            raise StoreRefused(f"Cassandra has kept {len(places)} snapshots of table {table.name}, and one was asked for. "
                               "`rollcall logs cassandra` shows more; then give the same command again.")
        for path in sorted(places[0].iterdir()):
            if path.name != LISTED:
                manifest.copy(path, folder / table.name / path.name)


def load(settings: Settings, node: Node, folder: Path, names: Mapping[str, object]) -> None:
    """Brings the files of a backup into the tables, which are there. names: the files of the backup; no others are looked at.

    The node takes the files it is given, so it gets copies. Whatever stands in a table already stays, and what stands twice
    counts once, so an interrupted load can be done again. Raises NodetoolFailed, StoreRefused, OSError.
    """
    staging = private_folder(settings.run) / "restoring"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        with nodetool.opened(settings, node) as run:
            for table in KEPT:
                below = f"{manifest.CASSANDRA}/{table.name}/"
                of_table = [name.removeprefix(below) for name in names if name.startswith(below) and not name.endswith(SCHEMA)]
                for name in of_table:
                    manifest.copy(folder / manifest.CASSANDRA / table.name / name, staging / table.name / name)
                if of_table:
                    run("import", settings.cassandra.keyspace, table.name, str(staging / table.name))
                if left := list((staging / table.name).glob(f"*{DATA}")):
                    raise StoreRefused(f"Cassandra did not take {len(left)} files of table {table.name}; `rollcall logs "
                                       "cassandra` says why. Then give the same command again.")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def counts(settings: Settings) -> dict[str, int]:
    """How many rows the tables have that stand still, by table. Raises StoreAway, SignInRefused."""
    with mapped("counting rows", "verify"), cassandra_session(settings, "verify") as session:
        return {table.name: _count(session, f"{settings.cassandra.keyspace}.{table.name}", table.key)
                for table in STANDING_STILL}


def found(settings: Settings) -> str:
    """A table in which something stands; empty where none does. Raises StoreAway, SignInRefused."""
    with mapped("looking whether it is empty", "provision"), cassandra_session(settings, "provision") as session:
        return next((table.name for table in TABLES if session.execute(
            f"SELECT {table.key} FROM {settings.cassandra.keyspace}.{table.name} LIMIT 1").one() is not None), "")


def columns() -> dict[str, dict[str, str]]:
    """Table -> column -> CQL type, as this version has them."""
    return {table.name: {column.name: column.kind for column in table.columns} for table in KEPT}


def require_columns(wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raises BackupDamaged where a backup has a column that our tables have not, or with another type: its values would go."""
    ours = columns()
    for table, some in wanted.items():
        if strange := [name for name, kind in some.items() if ours.get(table, {}).get(name) != kind]:
            raise BackupDamaged(f"The backup has columns of table {table} that this version does not know so: "
                                f"{', '.join(strange)}. Restore it with the version that made it.")


def _count(session: Session, place: str, key: str) -> int:
    return sum(1 for _ in session.execute(SimpleStatement(f"SELECT {key} FROM {place}", fetch_size=_PAGE)))
