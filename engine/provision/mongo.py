"""MongoDB as it should be: users, and collections with their indexes; on a real MongoDB the least roles as well.

The embedded FerretDB knows no roles: whoever signs in may read and write everything there (docs/flow.md says so).
"""

from typing import Any

from pydantic import SecretStr
from pymongo import ASCENDING
from pymongo.database import Database

from engine import secrets
from engine.clients import mapped, mongo_client
from engine.errors import SignInRefused
from engine.migrations import versions
from engine.migrations.documents import Stores
from engine.mongo import kind_of
from engine.provision.changes import Changes, settled
from engine.settings import Mongo, Settings
from engine.stores.schema import (
    ARRIVALS,
    BY_EMAIL_DOMAIN,
    BY_NATIONALITY,
    COLLECTION_INDEXES,
    COLLECTIONS,
    DISCARDS,
    PIPELINE_STATUS,
    SNAPSHOTS,
)

Document = dict[str, Any]

STATUS_WRITER = "status_writer"
"""Role on a real MongoDB of those who leave a word in `pipeline_status` and write nothing else: the producer its sign of
life, verify its hold; governance reads there whether a command was carried out."""

DISCARDER = "discarder"
"""Role on a real MongoDB of who writes down which dead letters were discarded."""

PUBLISHER, SNAPSHOT_READER = "publisher", "snapshot_reader"
"""Roles on a real MongoDB of who makes snapshots from the aggregates, and of the view: it reads snapshots and nothing else."""

_READ, _WRITE = ["find"], ["find", "insert", "update"]


def wanted_roles(mongo: Mongo) -> dict[str, list[dict[str, str]]]:
    """User -> its roles on a real MongoDB."""
    return {
        "stream": [{"role": "readWrite", "db": mongo.database}],
        "producer": [{"role": STATUS_WRITER, "db": mongo.database}],
        "verify": [{"role": "read", "db": mongo.database}, {"role": STATUS_WRITER, "db": mongo.database}],
        "redrive": [{"role": "read", "db": mongo.database}, {"role": DISCARDER, "db": mongo.database}],
        "view": [{"role": SNAPSHOT_READER, "db": mongo.database}],
        "console": [{"role": "read", "db": mongo.database}],
        "governance": [{"role": STATUS_WRITER, "db": mongo.database}, {"role": PUBLISHER, "db": mongo.database}],
        "inspector": [{"role": "read", "db": mongo.database}],
    }


def privileges(mongo: Mongo) -> dict[str, list[Document]]:
    """What our own roles may do: each writes in one collection at most, and deletes nothing."""
    rights = {STATUS_WRITER: {PIPELINE_STATUS: _WRITE}, DISCARDER: {DISCARDS: _WRITE}, SNAPSHOT_READER: {SNAPSHOTS: _READ},
              PUBLISHER: {SNAPSHOTS: _WRITE, **dict.fromkeys((BY_NATIONALITY, BY_EMAIL_DOMAIN, ARRIVALS), _READ)}}
    return {role: [{"resource": {"db": mongo.database, "collection": collection}, "actions": actions}
                   for collection, actions in may.items()] for role, may in rights.items()}


def provision_mongo(settings: Settings, changes: Changes) -> None:
    """Collections, roles where there are any, users."""
    with mapped("provisioning MongoDB", "provision"), mongo_client(settings, "provision") as client:
        database, admin, roles = client[settings.mongo.database], client[settings.mongo.auth_source], kind_of(client).roles
        versions.require_known(versions.in_mongo(database))
        found = {user: next(iter(admin.command("usersInfo", user)["users"]), None) for user in wanted_roles(settings.mongo)}
        refused = [user for user, there in found.items() if there and not signs_in(settings, user)]
        for user in refused:
            changes.may_reset("mongo", user)
        _collections(database, changes)
        for text in versions.say_where_nothing_is_left(Stores(settings, database)):
            changes.made(text)
        for role, wanted in privileges(settings.mongo).items() if roles else ():
            there = next(iter(database.command("rolesInfo", role, showPrivileges=True)["roles"]), None)
            for command, in_words in role_commands(role, wanted, there):
                database.command(command)
                changes.made(f"MongoDB role {role}: {in_words}")
        for user, granted in wanted_roles(settings.mongo).items():
            password = secrets.password(settings, user).get_secret_value()
            for command, in_words in user_commands(user, granted if roles else [], found[user], password, user in refused):
                admin.command(command)
                if "pwd" in command:
                    settled(lambda user=user: signs_in(settings, user),    # type: ignore[misc]
                            f"MongoDB user {user} cannot sign in with its new password")
                changes.made(f"MongoDB user {user}: {in_words}")


def _collections(database: Database[Document], changes: Changes) -> None:
    there = set(database.list_collection_names())
    for name in COLLECTIONS:
        if name not in there:
            database.create_collection(name)
            changes.made(f"collection {database.name}.{name}: created")
        fields = {index: keys["key"] for index, keys in database[name].index_information().items()}
        for index, field in COLLECTION_INDEXES.get(name, {}).items():
            if index in fields and [key for key, _ in fields[index]] == [field]:
                continue
            if index in fields:
                database[name].drop_index(index)
            database[name].create_index([(field, ASCENDING)], name=index)
            changes.made(f"index {database.name}.{name}.{index}: created")


def role_commands(role: str, wanted: list[Document], there: Document | None) -> list[tuple[Document, str]]:
    """What makes a role what it should be, each command with what it does; there: as `rolesInfo` shows it, None for none."""
    if there is None:
        return [({"createRole": role, "privileges": wanted, "roles": []}, "created")]
    if _comparable(there["privileges"]) != _comparable(wanted) or there["roles"]:
        return [({"updateRole": role, "privileges": wanted, "roles": []}, "privileges set")]
    return []


def _comparable(privileges: list[Document]) -> set[tuple[str, str, frozenset[str]]]:
    return {(str(one["resource"].get("db")), str(one["resource"].get("collection")), frozenset(one["actions"]))
            for one in privileges}


def user_commands(user: str, roles: list[dict[str, str]], there: Document | None, password: str,
                  refused: bool) -> list[tuple[Document, str]]:
    """The same of a user; there: as `usersInfo` shows it; refused: whether it does not know our password."""
    if there is None:
        return [({"createUser": user, "roles": roles, "mechanisms": ["SCRAM-SHA-256"], "pwd": password}, "created")]
    made: list[tuple[Document, str]] = []
    if _pairs(there.get("roles", [])) != _pairs(roles):
        made.append(({"updateUser": user, "roles": roles},
                     f"roles set to {', '.join(role['role'] for role in roles) or 'none'}"))
    if refused:
        made.append(({"updateUser": user, "pwd": password}, "password set again"))
    return made


def _pairs(roles: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(role["role"], role["db"]) for role in roles}


def set_password(settings: Settings, user: str, word: SecretStr) -> None:
    """Gives a user another password. Raises StoreAway, SignInRefused."""
    with mapped(f"setting the password of {user} in MongoDB", "provision"), mongo_client(settings, "provision") as client:
        client[settings.mongo.auth_source].command({"updateUser": user, "pwd": word.get_secret_value()})
    with secrets.trying(user, word):
        settled(lambda: signs_in(settings, user), f"MongoDB user {user} cannot sign in with its new password")


def signs_in(settings: Settings, user: str) -> bool:
    """Whether a user signs in with the password that engine/secrets.py says it has. Raises StoreAway."""
    try:
        with mapped("signing in to MongoDB", user), mongo_client(settings, user) as client:
            client.admin.command("ping")
    except SignInRefused:
        return False
    return True
