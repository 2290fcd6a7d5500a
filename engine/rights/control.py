"""The control topic as a file outside the stores: what was commanded about people outlives the loss of Kafka.

A line a command, as it stands on the topic: its names are sealed. An import goes on where the topic ends, and keeps the moment
of each command, for that decides which records count after a lift.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from engine.clients import kafka_admin, kafka_producer, mapped
from engine.errors import Final, InputUnreadable
from engine.provision.changes import settled
from engine.rights import topics
from engine.secrets import write_secret
from engine.settings import Settings

_STAMPS = "message.timestamp.type"
_KEPT, _OURS = "LogAppendTime", "CreateTime"


class OtherCommands(Final):
    """The file and the topic do not belong together."""

    exit_code = 65


def export_commands(settings: Settings, path: Path) -> int:
    """Writes every command into a file (0600), whole or not at all; returns how many. Raises StoreAway, SignInRefused."""
    lines = [json.dumps(line) for line in _standing(settings)]
    write_secret(path, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def import_commands(settings: Settings, path: Path) -> int:
    """Appends the commands of a file that the topic lacks at its end; returns how many.

    Raises OtherCommands (what both have is not the same), InputUnreadable, StoreAway, SignInRefused.
    """
    _stamped_by_the_broker(settings)    # an import that was killed may have left the topic with the sender's clock
    kept, there = read_commands(path), list(_standing(settings))
    if (same := next((n for n, (one, other) in enumerate(zip(kept, there, strict=False)) if one != other), None)) is not None:
        raise OtherCommands(_differ(path, settings.kafka.control_topic, same, there))
    missing = kept[len(there):]
    if missing:
        _append(settings, missing)
    return len(missing)


def _differ(path: Path, topic: str, same: int, there: Sequence[dict[str, Any]]) -> str:
    """What to do where a file and the topic part. same: how many commands both have at their beginning."""
    since = ", ".join(dict.fromkeys(one["request"] for one in there[same:]))
    return (f"{path} and {topic} do not hold the same commands from offset {same} on, so nothing was appended: the topic "
            f"has there those of {since}. Is it the export of this installation? If these were given after Kafka was lost, "
            f"the topic has to begin with the file: delete it (kafka-topics.sh --delete --topic {topic}), put the copy of "
            "Cassandra back once more, for its markers know of these, `rollcall provision`, then this again. Of "
            "retention-... the keeper gives new ones by itself; give the others again.")


def _standing(settings: Settings) -> Iterator[dict[str, Any]]:
    for record in topics.records(settings, settings.kafka.control_topic):
        yield {"at": record.timestamp, "request": (record.key or b"").decode(errors="replace"),
               "value": (record.value or b"").decode(errors="replace")}


def read_commands(path: Path) -> list[dict[str, Any]]:
    """The commands of an export, as they stand there. Raises InputUnreadable."""
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        return [{"at": int(one["at"]), "request": str(one["request"]), "value": str(one["value"])} for one in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputUnreadable(f"{path} is no export of commands ({type(error).__name__}); `rollcall commands export` makes "
                              "one.") from None


def _append(settings: Settings, commands: Sequence[dict[str, Any]]) -> None:
    topic = settings.kafka.control_topic
    with mapped("importing commands", "provision"), closing(kafka_admin(settings, "provision")) as admin, \
            _moments_kept(admin, topic), closing(kafka_producer(settings, "governance")) as producer:
        sent = [producer.send(topic, key=one["request"].encode(), value=one["value"].encode(), timestamp_ms=one["at"])
                for one in commands]
        for one in sent:
            one.get(timeout=settings.kafka.request_timeout_s)


def _stamped_by_the_broker(settings: Settings) -> None:
    with mapped("importing commands", "provision"), closing(kafka_admin(settings, "provision")) as admin:
        if _stamps(admin, settings.kafka.control_topic) != _KEPT:
            _stamp(admin, settings.kafka.control_topic, _KEPT)


@contextmanager
def _moments_kept(admin: KafkaAdminClient, topic: str) -> Iterator[None]:
    """The broker's clock stamps this topic; while the block runs the sender's does."""
    _stamp(admin, topic, _OURS)
    try:
        yield
    finally:
        _stamp(admin, topic, _KEPT)


def _stamp(admin: KafkaAdminClient, topic: str, by: str) -> None:
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {_STAMPS: by})])
    settled(lambda: _stamps(admin, topic) == by, f"Kafka does not show {_STAMPS} {by}")


def _stamps(admin: KafkaAdminClient, topic: str) -> str:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    return str(admin.describe_configs([resource], config_filter="all")["topic"][topic][_STAMPS]["value"])
