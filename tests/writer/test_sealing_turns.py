"""Rows are sealed anew while people arrive, commands come and processes die: each ends under the newest key, with what its
record says, and nothing else of any history changes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from engine.writer.write_order import Sealing
from tests.histories.memory import Memory, MemoryStores
from tests.histories.steps import Step, drawn
from tests.histories.topic import Topic
from tests.histories.world import PRODUCT, Design, World, lived

HISTORIES, QUICK = 5_000, 400
ROTATED = ("recount", "restrict", "unrestrict")
"""Verbs of drawn histories in whose place a rotation is begun."""


class Rotating(World):
    """A rotation puts a key into the ring, and then commands that it is taken up."""

    def command(self, verb: str, who: int, pins: int, back: int, later: int) -> None:
        if verb == "reseal":
            self.memory.ring += 1
        super().command(verb, who, pins, back, later)

    @property
    def memory(self) -> Memory:
        assert isinstance(self.servers, Memory)
        return self.servers

    def ended(self) -> str:
        """Before the replay, too: a new checkpoint reads every command again, and makes one more walk."""
        self.bury()
        self.land_all()
        self.work(None, "killed", 0)
        verdict = sealed(self.memory)
        return super().ended() if verdict == "exact" else verdict


def steps_of(seed: int) -> list[Step]:
    """The history of a seed with rotations in it. Nothing is restored: rows of before a rotation need its command again."""
    return [replaced(step) for step in drawn(seed) if step.name != "restore"]


def replaced(step: Step) -> Step:
    rotates = step.name == "command" and step.said["verb"] in ROTATED
    return Step(step.name, {**step.said, "verb": "reseal"}) if rotates else step


def run(steps: Sequence[Step], design: Design = PRODUCT) -> str:
    """`exact`, or what is not."""
    memory = Memory(Topic())
    verdict = lived(Rotating(memory, lambda process: design.stores(memory, process), design), steps)
    return verdict if verdict != "exact" else sealed(memory)


def sealed(memory: Memory) -> str:
    rotated = any(command.verb == "reseal" for command in memory.commands)
    said = {(record.uuid, record.at.partition, record.at.offset): f"{record.nat} {record.birth_month}"
            for record in memory.topic.ever}
    for uuid in memory.profiles.rows:
        read = memory.profiles.read(uuid) or {}
        if rotated and read["key"] != memory.key:
            return "a row is under an earlier key"
        if read["sealed"] != said[uuid, read["source_partition"], read["source_offset"]]:
            return "a row has sealed what another record says"
    return "exact"


def test_histories_with_rotations_are_exact() -> None:
    assert sum(step.said.get("verb") == "reseal" for seed in range(100) for step in steps_of(seed)) > 200
    assert not_exact(range(QUICK)) == {}


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_many_histories_with_rotations_are_exact() -> None:
    assert not_exact(range(QUICK, HISTORIES)) == {}


def not_exact(seeds: Iterable[int]) -> dict[int, str]:
    return {seed: verdict for seed in seeds if (verdict := run(steps_of(seed))) != "exact"}


def test_a_correction_in_the_very_turn_of_a_rotation_does_not_bring_the_old_key_back() -> None:
    """It writes what is not corrected as it was read: with the timestamp of a portion of that turn either might win."""
    work = Step("work", {"crash": None, "how": "killed", "luck": 0})

    def command(verb: str) -> Step:
        return Step("command", {"verb": verb, "who": 0, "pins": 0, "back": 3, "later": 1})
    person = Step("person", {"who": 0, "elsewhere": False, "nat": "A", "gender": "female", "month": "1990-01",
                             "domain": "x.org", "later": 1})
    for rotations in range(1, 5):
        before = [step for _ in range(rotations) for step in (command("reseal"), work)]
        assert run([person, work, *before, command("reseal"), command("rectify"), work]) == "exact"


class Deaf(MemoryStores):
    """Does not take up the new key."""

    def renew_keys(self) -> str:
        return self.memory.key


class Hasty(MemoryStores):
    """Believes that a walk is over with its first portion."""

    def seal_anew(self, sealing: Sealing, timestamp: int) -> Sealing:
        return replace(super().seal_anew(sealing, timestamp), ended=True)


class Backwards(MemoryStores):
    """Takes what it read, whatever was written since: a portion with the timestamp of the turn after."""

    def seal_anew(self, sealing: Sealing, timestamp: int) -> Sealing:
        return super().seal_anew(sealing, timestamp + 10_000_000)


@pytest.mark.parametrize(("stores", "verdict"), [
    (Deaf, "a row is under an earlier key"), (Hasty, "a row is under an earlier key"),
    (Backwards, "a row has sealed what another record says")])
def test_wrong_ways_are_told(stores: type[MemoryStores], verdict: str) -> None:
    design = replace(PRODUCT, stores=stores)
    assert any(run(steps_of(seed), design) == verdict for seed in range(QUICK))


