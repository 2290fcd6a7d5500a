"""The topic of people in a history: two partitions, append times by one clock, nulls, compaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from engine.commands import Command
from engine.person import Position, Record

PARTITIONS = 2
START = 1_700_000_000_000    # milliseconds


@dataclass(frozen=True)
class Rubbish:
    """A record that is no person."""

    place: str


@dataclass(frozen=True)
class Null:
    """A null: it removes what lies before it under the same key."""

    uuid: str


Entry = Record | Rubbish | Null | None    # None: compacted away


class Topic:
    """Entries by partition and offset. now: the broker's clock (ms). ever, rubbish: what was appended, compacted since or
    not."""

    def __init__(self, name: str = "people") -> None:
        self.name = name
        self.now = START
        self.partitions: list[list[Entry]] = [[] for _ in range(PARTITIONS)]
        self.ever: list[Record] = []
        self.rubbish: list[str] = []

    def ends(self) -> tuple[int, ...]:
        return tuple(len(partition) for partition in self.partitions)

    def person(self, partition: int, uuid: str, nat: str, gender: str, month: str, domain: str) -> None:
        entries = self.partitions[partition]
        record = Record(uuid, Position(self.now, partition, len(entries)), nat, gender, month, domain)
        entries.append(record)
        self.ever.append(record)

    def spoil(self, partition: int) -> None:
        """Appends a record that is no person."""
        entries = self.partitions[partition]
        place = f"{self.name}-{partition}-{len(entries)}"
        entries.append(Rubbish(place))
        self.rubbish.append(place)

    def null(self, uuid: str, commands: Sequence[Command], sent: int) -> None:
        """Appends a null to every partition; sent: how many commands there were when it was sent.

        One that lands after its person was lifted is left out: it would lie behind a new record of hers, and there is none
        yet. Our producer leaves erased people out until a turn has carried out the lift, and that turn waits first.
        """
        if any(command.verb == "lift" and command.uuid == uuid for command in commands[sent:]):
            return
        for entries in self.partitions:
            entries.append(Null(uuid))

    def nulled(self, record: Record) -> bool:
        """Whether compaction may remove this record for a null that came after it."""
        return Null(record.uuid) in self.partitions[record.at.partition][record.at.offset:]

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
