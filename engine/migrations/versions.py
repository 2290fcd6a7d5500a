"""Of which version what the stores hold is, as each store itself says, and what that means for who begins to work there.

    Cassandra   in the comment of table `profiles`: `...; version 1`
    MongoDB     in the document `versions` of `pipeline_status`: {mongo: 2, topics: 1}
    Kafka       keeps no word of ours beside records, so that document speaks for the topics

A store that says nothing is of version 1: so all did until there was a second one. An older version in which no step finds
anything to change, such as that of an empty store, is as good as the newest.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cassandra.cluster import Session
from pymongo.database import Database

from engine.clients import cassandra_session, mapped, mongo_client
from engine.errors import OtherVersion
from engine.migrations import documents
from engine.migrations.documents import Stores
from engine.migrations.step import Step, current
from engine.settings import Settings
from engine.stores.schema import PROFILES, Table
from engine.stores.status import Status

DOCUMENT = "versions"
CASSANDRA, MONGO, TOPICS = "cassandra", "mongo", "topics"
NAMES = {CASSANDRA: "Cassandra", MONGO: "MongoDB", TOPICS: "Kafka's topics"}

STEPS: Mapping[str, tuple[Step[Stores], ...]] = {CASSANDRA: (), MONGO: documents.STEPS, TOPICS: ()}
"""Store -> its steps. What only adds (a table, a column, a setting of a topic) is no step: provisioning makes that."""

_SAID = re.compile(r"; version (\d+)$")


@dataclass(frozen=True)
class Ahead:
    """A step that was not taken yet. version: to which it leads; left: what it would change, empty for nothing."""

    store: str
    version: int
    step: Step[Stores]
    left: str

    def __str__(self) -> str:
        return f"{NAMES[self.store]}, version {self.version - 1} to {self.version}: {self.left or 'nothing to change'}"


def ours() -> dict[str, int]:
    """Store -> the version that this program writes."""
    return {store: current(steps) for store, steps in STEPS.items()}


def in_mongo(database: Database[Any]) -> dict[str, int]:
    """What MongoDB says of itself and of the topics. Raises StoreAway, SignInRefused."""
    said = Status(database).read(DOCUMENT) or {}
    return {store: int(said.get(store, 1)) for store in (MONGO, TOPICS)}


def in_cassandra(session: Session, keyspace: str) -> dict[str, int]:
    """What Cassandra says of itself. Raises what the driver raises."""
    there = session.execute("SELECT comment FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
                            (keyspace, PROFILES.name)).one()
    return {CASSANDRA: _version(there.comment) if there else ours()[CASSANDRA]}


def commented(table: Table, there: str | None) -> str:
    """The comment that a table should have. there: the one it has, whose version it keeps; None: the table is still to be
    made, in our version."""
    if table is not PROFILES:
        return table.comment
    if there is None:
        return table.comment + _saying(ours()[CASSANDRA])
    return table.comment + (found[0] if (found := _SAID.search(there)) else "")


def kept(stores: Stores, principal: str) -> dict[str, int]:
    """What all of them say. Raises StoreAway, SignInRefused."""
    of_mongo = in_mongo(stores.database)
    with mapped("reading the version of Cassandra's tables", principal), \
            cassandra_session(stores.settings, principal) as session:
        return in_cassandra(session, stores.settings.cassandra.keyspace) | of_mongo


def keep(stores: Stores, store: str, version: int) -> None:
    """Has a store say that it is of this version. Raises StoreAway, SignInRefused."""
    if store == CASSANDRA:
        with mapped("writing the version of Cassandra's tables", "provision"), \
                cassandra_session(stores.settings, "provision") as session:
            session.execute(f"ALTER TABLE {stores.settings.cassandra.keyspace}.{PROFILES.name} "
                            f"WITH comment = '{PROFILES.comment}{_saying(version)}'")
    else:
        Status(stores.database).write(DOCUMENT, {**in_mongo(stores.database), store: version})


def require_known(said: Mapping[str, int], whose: str = "") -> None:
    """Raises OtherVersion where a store, or whose else it is, is of a newer version than this program knows."""
    newer = [f"{NAMES[store]} {version} (known: {ours()[store]})" for store, version in said.items()
             if version > ours().get(store, version)]
    if newer:
        raise OtherVersion(f"{whose or 'What this installation holds'} is of a newer version than this Rollcall knows: "
                           f"{', '.join(newer)}; nothing was changed. Take the newer Rollcall again, or go back to the copy "
                           "that was made before the upgrade (docs/operating.md, Upgrade).")


def ahead(stores: Stores, said: Mapping[str, int]) -> Iterator[Ahead]:
    """The steps that were not taken yet, in their order; each is looked at when those before it were taken."""
    for store, version in said.items():
        for to, step in enumerate(STEPS[store][version - 1:], version + 1):
            yield Ahead(store, to, step, step.left(stores))


def require_current(settings: Settings, principal: str) -> None:
    """Raises OtherVersion where a store holds what this program would not read or write right; StoreAway, SignInRefused."""
    with mongo_client(settings, principal) as client:
        stores = Stores(settings, client[settings.mongo.database])
        said = kept(stores, principal)
        require_known(said)
        if left := [str(one) for one in ahead(stores, said) if one.left]:
            raise OtherVersion(f"What this installation holds is of an older Rollcall ({'; '.join(left)}), and nothing of ours "
                               "runs on it. `rollcall migrate --dry-run` says what would be changed, `rollcall migrate` "
                               "changes it; there is no way back but a copy from before (docs/operating.md, Upgrade).")


def say_where_nothing_is_left(stores: Stores) -> list[str]:
    """Has MongoDB say our versions where no step has anything to change, as in a new installation; returns what it says, in
    words."""
    said, wanted = in_mongo(stores.database), {store: ours()[store] for store in (MONGO, TOPICS)}
    if said == wanted or any(one.left for one in ahead(stores, said)):
        return []
    Status(stores.database).write(DOCUMENT, wanted)
    return [f"{NAMES[store]}: version {version}" for store, version in wanted.items() if said[store] != version]


def _version(comment: str) -> int:
    return int(found[1]) if (found := _SAID.search(comment)) else 1


def _saying(version: int) -> str:
    return f"; version {version}"
