"""After a store was restored from a backup, before anything opens: what was commanded since is carried out once more.

The backup knows nothing of the erasures that came after it. The stream starts with a new checkpoint, so it reads every command
from the first one on and every record that the topic still holds: rows of erased people go again whatever the markers say,
rows that the backup lacks come back, and the counts are taken from the rows. Then letters about erased people and all packages
are taken away, for a copy may bring back one that was handed out or purged, and the files are purged once more.

Nothing is begun where commands are missing or cannot be read: who is not known to be erased would not be erased again.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition

from engine import shut
from engine.backlog import backlog
from engine.clients import kafka_consumer, mapped, mongo_client
from engine.commands import Command, Verdict, fold
from engine.errors import Final, NotServed
from engine.native import nodetool
from engine.rights import persons, topics
from engine.rights.find import known
from engine.rights.letters import taken_away
from engine.rights.packages import Packages
from engine.rights.persons import About
from engine.rights.topics import Said
from engine.sealing import KeyRing, load_keys
from engine.settings import Settings
from engine.spark.session import spark_session
from engine.stores.records import ERASURE, REQUEST, RESTORED, Record, Records
from engine.stores.schema import MARKERS, PACKAGES, PROFILES
from engine.stores.status import Status
from engine.writer import fence
from engine.writer import lease as leases
from engine.writer.anew import forget_places
from engine.writer.checkpoint import Checkpoint
from governance.requests.request import REF, State

Say = Callable[[str], None]

AT_ONCE = 1000
"""People of whom files are purged at a time."""

LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Restored:
    """What was found afterwards. erased: people who are erased by command; standing: how many of them have a row all the same;
    unmarked: how many have no marker that says so; letters: how many dead letters about them stand; packages: how many were
    taken away; in_files: how many keys Cassandra's files still hold, segments: how many segments of its commit log from before;
    None where they are not on this machine."""

    commands: int
    erased: int
    standing: int
    unmarked: int = 0
    letters: int = 0
    packages: int = 0
    in_files: int | None = None
    segments: int | None = None

    @property
    def ok(self) -> bool:
        """Whether everything may open."""
        return not (self.standing or self.unmarked or self.letters or self.in_files or self.segments)


class CommandsMissing(Final):
    """The control topic is not the whole of what was commanded, or cannot be read with this key ring."""

    exit_code = 65


def check(settings: Settings, within_s: float, say: Say, start: Callable[[], None]) -> Restored:
    """Carries everything out again and looks. start: starts the stream, which is down. within_s: how long it may take.

    Raises CommandsMissing (before anything is touched), LeaseHeld while a stream runs, NotServed when it does not come to an
    end in time (it goes on: `look` then), StoreAway, SignInRefused, FolderUnusable.
    """
    require_commands(settings)
    before = _set_aside(settings, say)
    shut.shut(settings, before)
    say("starting the stream: it reads every command and every record again")
    start()
    return look(settings, before, within_s, say)


def look(settings: Settings, before: set[str], within_s: float, say: Say) -> Restored:
    """Waits for the stream and looks; it was started by an earlier `check`. before: ids of the checkpoints until then, for a
    new one has an id that nobody knew. Raises as `check` does."""
    keys = load_keys(settings)
    require_commands(settings)
    _wait(settings, before, within_s)
    say("every command and every record was read, the counts are taken from the rows")
    said = topics.of_commands(settings, keys, None)
    erased = sorted(verdict.uuid for verdict in _verdicts(said) if verdict.marker.erased)
    theirs = About(keys, known(settings, keys, erased))
    letters = len(taken_away(settings, keys, theirs, "restore-check").standing)
    with Packages.opened(settings) as packages:
        gone = packages.purge_all()
    standing = len(persons.rows(settings, erased, "uuid"))
    marked = [marker for marker in persons.markers(settings, map(keys.suppression_token, erased)).values() if marker["erased"]]
    found = Restored(len(said), len(erased), standing, len(erased) - len(marked), letters, gone)
    node = nodetool.local(settings)
    return replace(found, **_purged(settings, node, keys, erased)) if node else found


def requests(settings: Settings) -> tuple[list[str], list[str], list[str]]:
    """Refs of requests that stand open, as the copy has them, and of those that commands speak of and no record: found now, and
    by a look before. They were logged after it, and are kept, so that no other gets their ref. Of a close nothing but its
    record tells, nor of a request that commanded nothing. Raises StoreAway, SignInRefused, Stale."""
    said = topics.of_commands(settings, load_keys(settings), None)
    with Records.opened(settings) as records:
        states = {record.name: record.state for record in records.newest(REQUEST)}
        lost = {one.request for one in said if REF.fullmatch(one.request)} - states.keys()
        last = records.last(RESTORED, REQUEST)
        known = set(json.loads(last.body)) if last else set()
        if not lost <= known:
            records.add(Record(RESTORED, REQUEST, last.n + 1 if last else 1, "", json.dumps(sorted(lost | known)),
                               datetime.now(UTC), "restore-check", "commands speak of them"))
    return [name for name, state in states.items() if state != State.CLOSED], sorted(lost - known), sorted(lost & known)


def _purged(settings: Settings, node: nodetool.Node, keys: KeyRing, erased: Sequence[str]) -> dict[str, int]:
    in_files = segments = 0
    for first in range(0, max(1, len(erased)), AT_ONCE):    # once where nobody is erased: of packages
        some = erased[first:first + AT_ONCE]
        segments = nodetool.purge(settings, node, {
            PROFILES.name: some, MARKERS.name: [keys.suppression_token(uuid) for uuid in some]}, [PACKAGES.name])
        in_files += nodetool.holding(node, settings.cassandra.keyspace, PROFILES.name, [UUID(uuid).bytes for uuid in some])
    return {"in_files": in_files, "segments": segments}


def require_commands(settings: Settings) -> None:
    """Raises CommandsMissing unless the control topic holds every command that is known of, each to be read."""
    with Records.opened(settings) as records:
        proofs = [json.loads(record.body) for record in records.all(ERASURE)]
    newest = max([persons.newest_command(settings), *(offset for proof in proofs for offset in proof["commands"])])
    complete(topics.control(settings, load_keys(settings)), newest)


def complete(said: Said, newest: int) -> None:
    """Raises CommandsMissing unless all is there and was read. newest: offset of the newest command that is known of."""
    if said.unread:
        raise CommandsMissing(f"{said.unread} of {said.end} commands about people cannot be read, so nobody knows who is to be "
                              "erased again. Put back the key ring (secrets/keys.json) with which they were given.")
    if newest >= said.end:
        raise CommandsMissing(f"Command {newest} was carried out once, and the control topic ends before {said.end}: at least "
                              f"{newest + 1 - said.end} commands are missing. Give the newest export of the commands with "
                              "--commands FILE.")


def _verdicts(said: Sequence[Command]) -> list[Verdict]:
    return [verdict for verdict in fold({}, said).values() if verdict.uuid]


def _set_aside(settings: Settings, say: Say) -> set[str]:
    """Sets Spark's checkpoint aside, under the lease, so that no stream runs meanwhile; returns the ids there were before.
    Where Kafka was lost, too, nothing of what the topic will hold may count as older than the rows."""
    with mongo_client(settings, "stream") as client:
        database = client[settings.mongo.database]
        lease = leases.take(database, settings.stream.lease_s, threading.Event(), say)
        try:
            spark = spark_session(settings, "stream", "restore-check", fence.raised(settings, lease.number))
            try:
                forget_places(settings, spark, database, lease, say)
                checkpoint = Checkpoint(spark, settings.checkpoint_url)
                before = checkpoint.id()
                aside = checkpoint.set_aside(f"restored-{datetime.now(UTC):%Y%m%dT%H%M%S}")
                if before:
                    say(f"the checkpoint is kept as {aside}; it may be deleted")
                return {before, Status(database).writer().checkpoint}
            finally:
                spark.stop()
        finally:
            lease.release(clean=False)    # of what ran before the restore nothing is known


def _wait(settings: Settings, stale: set[str], within_s: float) -> None:
    until = time.monotonic() + within_s
    with mongo_client(settings, persons.READER) as client, closing(kafka_consumer(settings, persons.READER)) as consumer:
        status = Status(client[settings.mongo.database])
        while not _all_read(settings, status, consumer, stale):
            if time.monotonic() > until:
                raise NotServed(f"The stream has not read everything again within {within_s:.0f} s; nothing may open yet. It "
                                "goes on: `rollcall status` shows how far it is. Then run this again.")
            time.sleep(LOOK_EVERY_S)


def _all_read(settings: Settings, status: Status, consumer: KafkaConsumer, stale: set[str]) -> bool:
    state, figures = status.writer(), status.read("figures") or {}
    if state.checkpoint in stale or figures.get("checkpoint") != state.checkpoint or state.open or state.recount:
        return False
    with mapped("looking how far the topics are read", persons.READER):
        control = TopicPartition(settings.kafka.control_topic, 0)
        return (state.control == consumer.end_offsets([control])[control]
                and backlog(consumer, settings.kafka.topic, figures["offsets"]) == 0)
