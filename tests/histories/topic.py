"""The topic of people in a history: two partitions, append times by one clock, nulls, compaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from engine.commands import Command
from engine.person import Bad, Position, Record

PARTITIONS = 2
START = 1_700_000_000_000    # milliseconds


@dataclass(frozen=True)
class Null:
    """A null: it removes what lies before it under the same key."""

    uuid: str


Entry = Record | Bad | Null | None    # None: compacted away


class Topic:
    """Entries by partition and offset. now: the broker's clock (ms). ever, rubbish: what was appended, compacted since or
    not, and the partition of what is no person."""

    def __init__(self, name: str = "people") -> None:
        self.name = name
        self.now = START
        self.partitions: list[list[Entry]] = [[] for _ in range(PARTITIONS)]
        self.ever: list[Record] = []
        self.rubbish: list[tuple[int, Bad]] = []

    def ends(self) -> tuple[int, ...]:
        return tuple(len(partition) for partition in self.partitions)

    def person(self, partition: int, uuid: str, nat: str, gender: str, month: str, domain: str) -> None:
        entries = self.partitions[partition]
        record = Record(uuid, Position(self.now, partition, len(entries)), nat, gender, month, domain)
        entries.append(record)
        self.ever.append(record)

    def spoil(self, partition: int, uuid: str) -> None:
        """Appends a record that is no person, under somebody's number or none; it stays until it is read."""
        entries = self.partitions[partition]
        bad = Bad(f"{self.name}-{partition}-{len(entries)}", self.now, uuid)
        entries.append(bad)
        self.rubbish.append((partition, bad))

    def null(self, uuid: str, commands: Sequence[Command], sent: int) -> None:
        """Appends a null to every partition; sent: how many commands there were when it was sent.

        One that lands after its person was lifted is left out: it would lie behind a new record of hers, and there is none
        yet. Our producer leaves erased people out until a turn has carried out the lift, and that turn waits first.
        """
        if any(command.verb == "lift" and command.uuid == uuid for command in commands[sent:]):
            return
        for entries in self.partitions:
            entries.append(Null(uuid))

    def nulled(self, uuid: str, partition: int, offset: int) -> bool:
        """Whether compaction may remove the record of this place for a null that came after it."""
        return Null(uuid) in self.partitions[partition][offset:]

    def between(self, starts: tuple[int, ...], ends: tuple[int, ...]) -> list[Entry]:
        """What a batch of these offsets reads."""
        return [entry for entries, start, end in zip(self.partitions, starts, ends, strict=True)
                for entry in entries[start:end]]

    def compact(self, random: Random) -> None:
        """Some of the superseded records go, of an older part of each partition."""
        for entries in self.partitions:
            last = {entry.uuid: number for number, entry in enumerate(entries) if isinstance(entry, Record | Null)}
            for number in range(random.randrange(0, len(entries) + 1)):
                entry = entries[number]
                if isinstance(entry, Record | Null) and last[entry.uuid] != number and random.random() < 0.5:
                    entries[number] = None
