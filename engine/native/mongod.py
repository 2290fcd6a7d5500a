"""The native MongoDB where this machine has a `mongod`: used instead of FerretDB, with sign-in asked for from its first start.

No mongod could be run where this was written: its command line and its configuration are tested, a server was never started
(docs/decisions/0013-elsewhere.md).
"""

from pathlib import Path
from typing import Any

from pymongo import MongoClient

from engine import clients, secrets
from engine.addresses import HERE
from engine.errors import SignInRefused
from engine.native import tools
from engine.native.mongo import ports as ports
from engine.native.mongo import probe as probe
from engine.native.server import Say, private_folder, render
from engine.settings import Settings
from engine.tls import authority, trust


def data(settings: Settings) -> Path:
    """Folder of what it keeps."""
    return settings.data / "mongod"


def configure(settings: Settings, say: Say) -> None:
    """Renders mongod.yaml and makes the data folder. Raises ToolMissing."""
    tools.mongod(settings)
    render("mongod/mongod.yaml", private_folder(settings.run / "mongod") / "mongod.yaml", host=HERE,
           port=settings.mongo.port, data=private_folder(data(settings)))


def command(settings: Settings) -> list[str]:
    """The command that runs mongod in the foreground; `--quiet` leaves out who connects."""
    return [str(tools.mongod(settings)), "--config", str(settings.run / "mongod" / "mongod.yaml"), "--quiet", *_tls(settings)]


def _tls(settings: Settings) -> list[str]:
    """Nobody without TLS; who comes signs in with a password and needs no certificate."""
    if not settings.tls.on:
        return []
    there = authority.folder(settings)
    return ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(there / "mongo.pem"),
            "--tlsCAFile", str(there / "ca.crt"), "--tlsAllowConnectionsWithoutCertificates"]


def secure(settings: Settings, say: Say) -> bool:
    """Makes `provision` where mongod has no user yet: until then it lets this machine in. Raises StoreAway, SignInRefused."""
    try:
        probe(settings)
    except SignInRefused:
        limit_ms = settings.mongo.request_timeout_s * 1000
        nobody: MongoClient[dict[str, Any]] = MongoClient(
            settings.mongo_uri, timeoutMS=limit_ms, serverSelectionTimeoutMS=limit_ms, **trust.mongo(settings))
        with clients.mapped("making the administrator of MongoDB", "provision"), nobody as client:
            client[settings.mongo.auth_source].command(first_user(settings))
        say("mongo: administrator provision made")
        return True
    return False


def first_user(settings: Settings) -> dict[str, Any]:
    """The one command that is carried out for somebody who has not signed in; with it that ends."""
    return {"createUser": "provision", "pwd": secrets.password(settings, "provision").get_secret_value(),
            "roles": [{"role": "root", "db": "admin"}], "mechanisms": ["SCRAM-SHA-256"]}
