"""MongoDB as it should be: users, and collections with their indexes; on a real MongoDB the least roles as well.

The embedded FerretDB knows no roles: whoever signs in may read and write everything there (docs/flow.md says so).
"""

from typing import Any

from pymongo import ASCENDING, MongoClient
from pymongo.database import Database

from engine import secrets
from engine.clients import mapped, mongo_client
from engine.errors import SignInRefused
from engine.provision.changes import Changes, settled
from engine.settings import Mongo, Settings
from engine.stores.schema import COLLECTION_INDEXES, COLLECTIONS, DISCARDS, PIPELINE_STATUS

Document = dict[str, Any]

STATUS_WRITER = "status_writer"
"""Role on a real MongoDB of those who leave a word in `pipeline_status` and write nothing else: the producer its sign of
life, verify its hold; governance reads there whether a command was carried out."""

DISCARDER = "discarder"
"""Role on a real MongoDB of who writes down which dead letters were discarded."""


def wanted_roles(mongo: Mongo) -> dict[str, list[dict[str, str]]]:
    """User -> its roles on a real MongoDB."""
    return {
        "stream": [{"role": "readWrite", "db": mongo.database}],
        "producer": [{"role": STATUS_WRITER, "db": mongo.database}],
        "verify": [{"role": "read", "db": mongo.database}, {"role": STATUS_WRITER, "db": mongo.database}],
        "redrive": [{"role": "read", "db": mongo.database}, {"role": DISCARDER, "db": mongo.database}],
        "view": [{"role": "read", "db": mongo.database}],
        "console": [{"role": "read", "db": mongo.database}],
        "governance": [{"role": STATUS_WRITER, "db": mongo.database}],
        "inspector": [{"role": "read", "db": mongo.database}],
    }


def privileges(mongo: Mongo) -> dict[str, list[Document]]:
    """What our own roles may do: each write in one collection, and delete nothing."""
    return {role: [{"resource": {"db": mongo.database, "collection": collection}, "actions": ["find", "insert", "update"]}]
            for role, collection in ((STATUS_WRITER, PIPELINE_STATUS), (DISCARDER, DISCARDS))}


def provision_mongo(settings: Settings, changes: Changes) -> None:
    """Collections, roles where there are any, users."""
    with mapped("provisioning MongoDB", "provision"), mongo_client(settings, "provision") as client:
        database = client[settings.mongo.database]
        _collections(database, changes)
        with_roles = not is_ferretdb(client)
        if with_roles:
            for role, wanted in privileges(settings.mongo).items():
                _own_role(database, role, wanted, changes)
        for user, roles in wanted_roles(settings.mongo).items():
            _user(client[settings.mongo.auth_source], settings, user, roles if with_roles else [], changes)


def is_ferretdb(client: MongoClient[Document]) -> bool:
    """Whether this is FerretDB, which knows no roles, rather than MongoDB."""
    return any(key.lower().startswith("ferretdb") for key in client.admin.command("buildInfo"))


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


def _own_role(database: Database[Document], role: str, wanted: list[Document], changes: Changes) -> None:
    found = database.command("rolesInfo", role, showPrivileges=True)["roles"]
    if not found:
        database.command("createRole", role, privileges=wanted, roles=[])
        changes.made(f"MongoDB role {role}: created")
    elif _comparable(found[0]["privileges"]) != _comparable(wanted) or found[0]["roles"]:
        database.command("updateRole", role, privileges=wanted, roles=[])
        changes.made(f"MongoDB role {role}: privileges set")


def _comparable(privileges: list[Document]) -> set[tuple[str, str, frozenset[str]]]:
    return {(str(one["resource"].get("db")), str(one["resource"].get("collection")), frozenset(one["actions"]))
            for one in privileges}


def _user(database: Database[Document], settings: Settings, user: str, roles: list[dict[str, str]],
          changes: Changes) -> None:
    found = database.command("usersInfo", user)["users"]
    if not found:
        database.command("createUser", user, roles=roles, mechanisms=["SCRAM-SHA-256"],
                         pwd=secrets.password(settings, user).get_secret_value())
        settled(lambda: _signs_in(settings, user), f"MongoDB user {user} cannot sign in with its new password")
        changes.made(f"MongoDB user {user}: created")
        return
    if _pairs(found[0].get("roles", [])) != _pairs(roles):
        database.command("updateUser", user, roles=roles)
        changes.made(f"MongoDB user {user}: roles set to {', '.join(role['role'] for role in roles) or 'none'}")
    if not _signs_in(settings, user):
        database.command("updateUser", user, pwd=secrets.password(settings, user).get_secret_value())
        settled(lambda: _signs_in(settings, user), f"MongoDB user {user} cannot sign in with its new password")
        changes.made(f"MongoDB user {user}: password set again")


def _pairs(roles: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(role["role"], role["db"]) for role in roles}


def _signs_in(settings: Settings, user: str) -> bool:
    try:
        with mapped("signing in to MongoDB", user), mongo_client(settings, user) as client:
            client.admin.command("ping")
    except SignInRefused:
        return False
    return True
