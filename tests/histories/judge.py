"""What must hold at the end of a history, said in other words than the product's, from all that ever was appended."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.commands import Command
from engine.person import Bad, Record


class Person:
    """What the commands have come to for one person."""

    def __init__(self) -> None:
        self.erased = self.restricted = False
        self.not_before = self.last = -1
        self.pins: dict[str, Any] = {}

    def obey(self, command: Any) -> None:
        self.last = command.offset
        if command.verb == "erase":
            self.erased, self.pins = True, {}
        if command.verb == "erase" or (command.verb == "lift" and self.erased):
            self.not_before = max(self.not_before, command.at)
        if command.verb == "lift":
            self.erased = False
        if command.verb == "expire" and not self.restricted:
            self.not_before = max(self.not_before, command.cut_off)
        if command.verb == "rectify" and not self.erased:
            self.pins |= json.loads(command.pins)
        if command.verb in ("restrict", "unrestrict"):
            self.restricted = command.verb == "restrict"

    def stands(self, records: Sequence[Record]) -> Record | None:
        """The newest of her records that count."""
        if self.erased:
            return None
        return max((record for record in records if record.at.appended_at > self.not_before),
                   key=lambda record: record.at, default=None)

    def counted_under(self, record: Record) -> tuple[str, str, str, str]:
        """Nationality, gender, birth month and e-mail domain, corrected ones before her record's."""
        pins = self.pins
        return (pins.get("nat", record.nat), pins.get("gender", record.gender),
                pins["dob"]["date"][:7] if "dob" in pins else record.birth_month,
                pins["email"].split("@")[1] if "email" in pins else record.email_domain)


def judged(servers: Any, uuids: Sequence[str], token: Callable[[str], str], contents: bool) -> str:
    """`exact`, or what is not. contents: whether rows are compared with records; not where clocks stepped back, for then
    times of two topics do not tell their order."""
    rows, markers, people = servers.rows(), servers.markers(), {uuid: Person() for uuid in uuids}
    records: dict[str, list[Record]] = {uuid: [] for uuid in uuids}
    for record in servers.topic.ever:
        records[record.uuid].append(record)
    for command in servers.commands:
        if command.uuid:
            people[command.uuid].obey(command)
    for uuid, person in people.items():
        row, marker = rows.get(uuid), markers.get(token(uuid))
        if person.erased and row is not None:
            return "an erased person has a row"
        if person.last >= 0 and (marker is None or (marker.last_command, marker.erased, marker.restricted) != (
                person.last, person.erased, person.restricted)):
            return "a marker is not what the commands say"
        if row is not None and row.counted == person.restricted:
            return "a row is wrongly counted"
        if not contents:
            continue
        want = person.stands(records[uuid])
        if (row is None) != (want is None):
            return "a person has no row" if row is None else "a row stands that must not"
        if row is not None and want is not None and (row.at, row.nat, row.gender, row.birth_month, row.email_domain) != (
                want.at, *person.counted_under(want)):
            return "a row is not the newest record, corrected"
        if want is not None and servers.topic.nulled(uuid, want.at.partition, want.at.offset):
            return "a null lies behind a record that counts"
    if wrong := letters_wrong(servers, people, contents):
        return wrong
    return "exact" if servers.cells() == Counter(
        cell for row in rows.values() for cell in row.cells()) else "aggregates differ from a recount"


def letters_wrong(servers: Any, people: Mapping[str, Person], ordered: bool) -> str:
    """What is wrong with the dead letters, nothing if all is well. ordered: whether times tell the order of two topics.

    One of somebody whose records do not count any more may stand: it was put before the command came.
    """
    letters, all_of_it = servers.letters(), [bad for _, bad in servers.topic.rubbish]
    if letters - Counter(bad.place for bad in all_of_it):
        return "dead letters"
    for partition, bad in servers.topic.rubbish:
        person = people.get(bad.uuid, Person())
        gone = person.erased or bad.appended_at <= person.not_before
        if not letters[bad.place] and (not bad.uuid or (ordered and not gone)):
            return "dead letters"
        if ordered and letters[bad.place] and erased_then(bad, servers.commands):
            return "a letter of somebody who was erased when it came"
        if person.erased and not servers.topic.nulled(bad.uuid, partition, int(bad.place.rpartition("-")[2])):
            return "no null lies behind what came of an erased person"
    return ""


def erased_then(bad: Bad, commands: Sequence[Command]) -> bool:
    """Whether its person was erased before it came, and not lifted before that."""
    before = [command.verb for command in commands if command.uuid == bad.uuid and command.at < bad.appended_at
              and command.verb in ("erase", "lift")]
    return bool(before) and before[-1] == "erase"
