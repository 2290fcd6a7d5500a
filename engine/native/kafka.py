"""The native Kafka broker: one combined KRaft node with SCRAM users and the StandardAuthorizer."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine import clients, secrets
from engine.addresses import HERE
from engine.errors import ServerFailed
from engine.native import fetch, tools
from engine.native.server import JVM, Say, append, private_folder, render, write_arguments
from engine.settings import Settings
from engine.tls import authority, trust

FORMATTED_WITH = ("broker", "provision")
"""SCRAM users that must be there before the broker starts; engine/provision.py makes the others."""

ALONE = ("--standalone",)
"""How the data folder of the only node of a Kafka is formatted."""

CLUSTER_ID = "cm9sbGNhbGwtbG9jYWwtMQ"    # any 16 bytes in URL-safe base64; a node of another cluster is never met


def data(settings: Settings) -> Path:
    """Folder of what it keeps."""
    return settings.data / "kafka"


def ports(settings: Settings) -> dict[str, int]:
    """Setting -> port."""
    return {"kafka.port": settings.kafka.port, "kafka.controller_port": settings.kafka.controller_port}


def configure(settings: Settings, say: Say, host: str = HERE, more: str = "",
              formatted: Sequence[str] = ALONE) -> None:
    """Renders server.properties, log4j2.yaml and the start's arguments; formats the data folder before the first start.

    host, more, formatted: of a node among several (bench/cluster_servers.py): where it listens, lines of further properties,
    and how its data folder is formatted. Raises ServerFailed when formatting fails.
    """
    ours, run = settings.kafka, private_folder(settings.run / "kafka")
    folder = private_folder(data(settings))
    private_folder(settings.logs_dir)
    render("kafka/server.properties", run / "server.properties", host=host, port=ours.port,
           controller_port=ours.controller_port, data=folder,
           broker_password=secrets.password(settings, "broker").get_secret_value(), protocol=trust.kafka_protocol(settings))
    if settings.tls.on:
        append("kafka/tls.properties", run / "server.properties", certificate=authority.pem_file(settings, "kafka"),
               authorities=authority.trusted_file(settings))
    with (run / "server.properties").open("a") as file:    # of a name that stands there twice the last holds
        file.write(more)
    render("kafka/log4j2.yaml", run / "log4j2.yaml", authorizer_log=settings.logs_dir / "kafka-authorizer.log",
           log_bytes=settings.logs.max_bytes, log_backups=settings.logs.backups)
    write_arguments(run / "start.args", [
        *_java(settings, f"-Xmx{ours.heap}", f"-Xms{ours.heap}"), "kafka.Kafka", str(run / "server.properties")])
    if not (folder / "meta.properties").exists():
        say("kafka: formatting its data folder")
        _format(settings, run, formatted)


def command(settings: Settings) -> list[str]:
    """The command that runs the broker in the foreground."""
    return ["java", f"@{settings.run / 'kafka' / 'start.args'}"]


def secure(settings: Settings, say: Say) -> bool:
    """Nothing: the data folder was formatted with `provision`."""
    return False


def probe(settings: Settings) -> None:
    """Signs in as `provision`, which asks the broker for its cluster. Raises StoreAway, SignInRefused."""
    with clients.mapped("asking Kafka whether it is ready", "provision"):
        admin = clients.kafka_admin(settings, "provision")
        try:
            admin.list_topics()
        finally:
            admin.close()


def _format(settings: Settings, run: Path, formatted: Sequence[str]) -> None:
    """Formats the data folder. The passwords stand in a 0600 file that the launcher reads, and that goes afterwards."""
    scram = [
        f"SCRAM-SHA-256=[name={name},password={secrets.password(settings, name).get_secret_value()}]"
        for name in FORMATTED_WITH]
    arguments = run / "format.args"
    write_arguments(arguments, [
        *_java(settings), "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(run / "server.properties"),
        *formatted, "--ignore-formatted", *(part for user in scram for part in ("--add-scram", user))])
    try:
        ended = subprocess.run(["java", f"@{arguments}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, check=False)
    finally:
        arguments.unlink()
    if ended.returncode:
        output = ended.stdout
        for name in FORMATTED_WITH:    # Kafka quotes the arguments it does not like
            output = output.replace(secrets.password(settings, name).get_secret_value(), "***")
        raise ServerFailed(tools.failed("Formatting Kafka's data folder", ended.returncode, output))


def _java(settings: Settings, *options: str) -> list[str]:
    log4j = (settings.run / "kafka" / "log4j2.yaml").as_uri()
    return [*JVM, *options, f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{fetch.KAFKA.folder(settings)}/*"]
