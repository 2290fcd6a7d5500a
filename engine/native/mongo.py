"""The native MongoDB side: FerretDB, the MongoDB wire protocol on SQLite, with SCRAM sign-in."""

import subprocess
import time
from pathlib import Path

from engine import clients, secrets
from engine.addresses import HERE
from engine.errors import ServerFailed, SignInRefused, StoreAway
from engine.native import fetch, tools
from engine.native.server import Say, private_folder
from engine.settings import Settings, outer_environment
from engine.tls import authority

SETUP_LIMIT_S = 30


def data(settings: Settings) -> Path:
    """Folder of what it keeps."""
    return settings.data / "mongo"


def ports(settings: Settings) -> dict[str, int]:
    """Setting -> port."""
    return {"mongo.port": settings.mongo.port}


def configure(settings: Settings, say: Say) -> None:
    """Makes the data folder; before the first start also the administrator `provision`. Raises ServerFailed."""
    done = private_folder(data(settings)) / "administrator-made"
    private_folder(settings.run / "mongo")
    if not done.exists():
        path, problem = tools.look("mongod")
        if path:
            say(f"mongo: {path} {problem}; FerretDB is run instead")
        say("mongo: making its administrator")
        _make_administrator(settings)
        done.touch()


def command(settings: Settings) -> list[str]:
    """The command that runs FerretDB in the foreground. Its log holds errors only: at WARN it quotes documents.

    SQLite overwrites what is deleted; what its write-ahead log still holds goes with the next 4 MB that are written.
    """
    return [
        str(fetch.FERRETDB.folder(settings) / "ferretdb"), "--handler=sqlite", 
        f"--sqlite-url={data(settings).as_uri()}/?_pragma=secure_delete(on)",
        *_listening(settings), "--debug-addr=-", "--telemetry=disable",
        f"--state-dir={settings.run / 'mongo'}", "--test-enable-new-auth=true", "--log-level=error"]


def _listening(settings: Settings) -> list[str]:
    """One listener: without its address the plain one, which is there by default, is not opened."""
    where = f"{HERE}:{settings.mongo.port}"
    if not settings.tls.on:
        return [f"--listen-addr={where}"]
    pem = authority.folder(settings) / "mongo.pem"
    return ["--listen-addr=", f"--listen-tls={where}", f"--listen-tls-cert-file={pem}", f"--listen-tls-key-file={pem}"]


def secure(settings: Settings, say: Say) -> bool:
    """Nothing: `configure` has made `provision`."""
    return False


def probe(settings: Settings) -> None:
    """Signs in as `provision`. Raises StoreAway, SignInRefused."""
    with clients.mapped("asking MongoDB whether it is ready", "provision"), \
            clients.mongo_client(settings, "provision") as client:
        client.list_database_names()


def _make_administrator(settings: Settings) -> None:
    """Runs FerretDB once with the administrator's name and password in its environment.

    FerretDB makes the user before it listens, and asks for sign-in from then on, also in later runs without these.
    """
    env = {**outer_environment(), "FERRETDB_SETUP_DATABASE": settings.mongo.auth_source,
           "FERRETDB_SETUP_USERNAME": "provision",
           "FERRETDB_SETUP_PASSWORD": secrets.password(settings, "provision").get_secret_value()}
    log = private_folder(settings.logs_dir) / "mongo-setup.log"
    with log.open("w") as output:
        server = subprocess.Popen(command(settings), env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            limit = time.monotonic() + SETUP_LIMIT_S
            while True:
                if server.poll() is not None or time.monotonic() > limit:
                    raise ServerFailed(tools.failed("First start of FerretDB", server.poll() or 0, log.read_text()))
                try:
                    probe(settings)
                    return
                except StoreAway:
                    time.sleep(0.05)
                except SignInRefused:
                    raise ServerFailed(
                        f"FerretDB does not know this installation's password of 'provision': the data in "
                        f"{data(settings)} were made with other secrets than those in {settings.secrets}. "
                        "Put those secrets back, or move the data folder away and run `rollcall up`.") from None
        finally:
            server.terminate()
            server.wait()
