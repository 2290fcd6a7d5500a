"""Whether our key ring opens what a Cassandra elsewhere holds of ours. It is reached with any secrets folder, a new one too:
beside rows that were sealed with another ring nothing could be read, corrected or erased any more."""

import base64
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from cassandra.cluster import Session

from engine import sealing
from engine.clients import cassandra_session, mapped
from engine.errors import SettingsInvalid
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.stores.records import SEALED, record_place
from engine.stores.schema import PROFILES, RECORDS

LOOKED_AT = 20
"""Rows of a table: one may be damaged, all of them are not."""


def require_fitting_keys(settings: Settings) -> None:
    """SettingsInvalid when sealed values are there and our keys open none. Raises StoreAway, SignInRefused."""
    keys, keyspace = sealing.load_keys(settings), settings.cassandra.keyspace
    with mapped("looking at what is sealed", "provision"), cassandra_session(settings, "provision") as session:
        opened = [_opens(opening) for opening in _sealed(session, keyspace, keys)]
    if opened and not any(opened):
        raise SettingsInvalid(
            f"Keyspace {keyspace} of Cassandra at {settings.cassandra_address} holds data that were sealed with other keys "
            f"than those in {settings.secrets / 'keys.json'}; nothing was changed in any system. Put the copy of that file "
            "back (and the passwords beside it, if you have them); to begin anew instead, set ROLLCALL_CASSANDRA__KEYSPACE to "
            "another name.")


def _sealed(session: Session, keyspace: str, keys: KeyRing) -> Iterator[Callable[[], object]]:
    """What opens each of some sealed values."""
    tables = {row.table_name for row in session.execute(
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,))}
    if RECORDS.name in tables:    # the register's first content is there as soon as anything is
        for row in session.execute(f"SELECT record, n, body FROM {keyspace}.{RECORDS.name} LIMIT {LOOKED_AT}"):
            if row.body and row.body.startswith(SEALED):
                yield partial(_open_record, keys, row)
    if PROFILES.name in tables:
        for row in session.execute(f"SELECT uuid, email FROM {keyspace}.{PROFILES.name} LIMIT {LOOKED_AT}"):
            if row.email:
                yield partial(keys.open_column, str(row.uuid), "email", bytes(row.email))


def _open_record(keys: KeyRing, row: Any) -> str:
    return keys.open_record(base64.b64decode(row.body.removeprefix(SEALED)), record_place(row.record, row.n))


def _opens(opening: Callable[[], object]) -> bool:
    try:
        opening()
    except ValueError:    # CannotOpen, or no base64
        return False
    return True
