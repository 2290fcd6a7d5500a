"""Whatever an erasure meets, it says what is so: killed at any moment, run again it ends the same; a store that is away in the
middle is NOT ERASED, and the request stays open until another run finds it erased."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from engine.native import nodetool
from engine.processes import Supervisor
from engine.rights import erasure, package
from engine.settings import CLONE, Settings
from engine.stores.dead_letters import DeadLetters
from governance.rights.verdict import Outcome
from tests.people import CAPTURED, captured
from tests.proof import Proof
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.proof, pytest.mark.timeout(7200)]

RUNS, IN_A_PROOF = 3, 50
WITHIN_S = 120.0
PEOPLE = [person["login"]["uuid"] for person in captured("1.4")]
LINES = 14
"""More than an erasure says on its way: one that is to be killed later ends by itself."""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow with the captured people, each of whom has a dead letter and a package, too; its stream runs."""
    with Flow(stack, tmp_path_factory.mktemp("crashes"), "crashes") as made:
        made.start()
        made.produce(CAPTURED["1.4"])
        made.quiet()
        letters = DeadLetters(made.settings, "producer", made.keys)
        for number, person in enumerate(captured("1.4")[:IN_A_PROOF + 1]):
            letters.put(f"crashes.jsonl:{number}", "bad", person, datetime.now(UTC).isoformat())
            package.make(made.settings, f"P-{number}", person["login"]["uuid"])
        letters.flush()
        letters.close()
        yield made


def outcomes(flow: Flow, uuid: str, request: str) -> dict[str, Outcome]:
    proof = erasure.erase(flow.settings, [uuid], request, WITHIN_S, lambda _: None)
    assert proof.done, proof
    return {verdict.store: verdict.outcome for verdict in proof.verdicts}


def killed(flow: Flow, uuid: str, request: str, chance: random.Random) -> tuple[list[str], bool]:
    """An erasure that is killed after some of its lines, and a moment later; what it has said, and whether it was alive."""
    after, moment_s = chance.randrange(LINES), chance.uniform(0.0, 2.0)
    with subprocess.Popen([sys.executable, "-m", "engine.cli", "erase", uuid, "--request", request], cwd=CLONE,
                          env=flow.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line.strip())
            if len(said) > after:
                break
        time.sleep(moment_s)    # the moment of the crash; nothing is waited for
        alive = process.poll() is None
        process.kill()
    return said, alive


def test_killed_at_any_moment_and_run_again_it_ends_the_same(flow: Flow, stack: Settings, proof: Proof) -> None:
    runs, began = IN_A_PROOF if proof.path else RUNS, time.perf_counter()
    expected = outcomes(flow, PEOPLE[0], "whole")
    node = nodetool.local(stack)
    assert node is not None
    lines: dict[int, int] = {}
    alive = same = 0
    for seed in range(runs):
        uuid, request = PEOPLE[seed + 1], f"crash-{seed}"
        said, was_alive = killed(flow, uuid, request, random.Random(seed))
        alive += was_alive
        if any(line.startswith("mongo: erased") for line in said):    # never said before it is so
            assert uuid not in flow.rows(), (seed, said)
        if any(line.startswith("cassandra:profiles: erased") for line in said):
            assert nodetool.holding(node, flow.settings.cassandra.keyspace, "profiles", [UUID(uuid).bytes]) == 0, (seed, said)
        found = outcomes(flow, uuid, request)
        same += found == expected
        assert found == expected, (seed, said)
        assert uuid not in flow.rows()
        assert not {f"crashes.jsonl:{seed + 1}"} & {letter.place for letter in flow.dead_letters()}
        assert package.state(flow.settings, f"P-{seed + 1}") is None
        lines[len(said)] = lines.get(len(said), 0) + 1
    flow.quiet()
    assert set(flow.rows()) == set(PEOPLE[runs + 1:])
    flow.verified()
    proof.add("crashes", runs=runs, ended_the_same=same, alive_when_killed=alive, killed_after_lines=lines,
              seconds=round(time.perf_counter() - began, 1))
    assert alive >= runs / 2


AWAY = (("mongo", "commands are on", "mongo"), ("cassandra", "mongo: erased", "cassandra:profiles"),
        ("kafka", "cassandra:profiles: erased", "kafka:people"))
"""Which store goes away, after which line, and whose verdict is NOT ERASED then."""


@pytest.mark.parametrize(("store", "line", "place"), AWAY, ids=[one[0] for one in AWAY])
def test_a_store_that_goes_away_in_the_middle_is_not_erased(flow: Flow, stack: Settings, store: str, line: str,
                                                            place: str) -> None:
    uuid, servers = PEOPLE[-1 - [one[0] for one in AWAY].index(store)], Supervisor(stack)
    stopped = False

    def say(text: str) -> None:
        nonlocal stopped
        if line in text and not stopped:
            stopped = True
            servers.stop(store)

    try:
        proof = erasure.erase(flow.settings, [uuid], f"away-{store}", 5.0, say)
    finally:
        servers.start(store)
    assert stopped
    said = {verdict.store: verdict.outcome for verdict in proof.verdicts}
    assert said[place] is Outcome.NOT_ERASED, proof
    assert not proof.done
    flow.until(f"{store} is back", lambda: back(flow, uuid, store))
    assert uuid not in flow.rows()


def back(flow: Flow, uuid: str, store: str) -> bool:
    """Whether another run of the same request ends well."""
    return erasure.erase(flow.settings, [uuid], f"away-{store}", WITHIN_S, lambda _: None).done
