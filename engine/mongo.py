"""The signed-in client of MongoDB, apart from those of Kafka and Cassandra: the view has this one and no other.

Everybody else takes it from engine/clients.py, where `mapped` is too.
"""

import logging
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient

from engine import secrets
from engine.settings import Settings
from engine.tls import trust

# What it logs repeats, as tracebacks, what our errors say in a sentence; at DEBUG whole documents stand in it.
logging.getLogger("pymongo").addHandler(logging.NullHandler())
logging.getLogger("pymongo").propagate = False


@dataclass(frozen=True)
class Kind:
    """What MongoDB and FerretDB do differently, as far as our code asks: this, and nothing else.

    roles: whether users have roles; without, whoever signs in may do everything. The rest of the code keeps to what both
    do (docs/decisions/0002-ferretdb.md), and `mongo.bulk` is small enough for both.
    """

    name: str
    roles: bool


MONGODB, FERRETDB = Kind("MongoDB", roles=True), Kind("FerretDB", roles=False)


def kind_of(client: MongoClient[dict[str, Any]]) -> Kind:
    """Which of the two answers. Raises pymongo's errors."""
    return kind_by(client.admin.command("buildInfo"))


def kind_by(build_info: dict[str, Any]) -> Kind:
    """The same by the server's answer to `buildInfo`."""
    return FERRETDB if any(key.lower().startswith("ferretdb") for key in build_info) else MONGODB


def mongo_client(settings: Settings, principal: str) -> MongoClient[dict[str, Any]]:
    """A client of MongoDB or FerretDB; the caller closes it (or uses it as a context manager).

    It signs in with its first request, so wrap requests in `mapped`. Times are read as aware UTC datetimes.
    """
    ours = settings.mongo
    name, password = secrets.account(settings, principal, "mongo")
    limit_ms = ours.request_timeout_s * 1000
    return MongoClient(
        settings.mongo_uri, username=name, password=password.get_secret_value(),
        authSource=ours.auth_source, authMechanism="SCRAM-SHA-256", appname=f"rollcall-{principal}",
        timeoutMS=limit_ms, serverSelectionTimeoutMS=limit_ms, connectTimeoutMS=limit_ms,
        tz_aware=True, uuidRepresentation="standard", **trust.mongo(settings),
    )
