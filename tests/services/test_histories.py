"""Crash histories on the real servers: the product's stores broken off before single statements, judged by reading them."""

import time
from collections.abc import Iterator

import pytest

from engine.clients import cassandra_session, mongo_client
from engine.settings import Settings
from engine.writer import fence
from tests.histories.real import RealServers, RealStores
from tests.histories.steps import drawn
from tests.histories.world import PRODUCT, Names, World, lived
from tests.proof import Proof
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(3600)]

HISTORIES, IN_A_PROOF = 30, 300


@pytest.fixture(scope="module")
def servers(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServers]:
    """Tables, collections and topics of their own."""
    with (Flow(stack, tmp_path_factory.mktemp("histories"), "histories") as flow,
          cassandra_session(flow.settings, "stream", fence.raised(flow.settings, 1)) as session,
          mongo_client(flow.settings, "stream") as client):
        made = RealServers(flow.settings, flow.keys, session, client[flow.settings.mongo.database])
        yield made
        made.close()


def test_histories_on_the_real_servers_are_exact(servers: RealServers, proof: Proof) -> None:
    count, began, wrong = IN_A_PROOF if proof.path else HISTORIES, time.perf_counter(), {}
    for seed in range(count):
        names = Names(seed)
        servers.begin(names)
        world = World(servers, lambda process: RealStores(servers, process), PRODUCT, names)
        verdict = lived(world, drawn(seed))
        if verdict != "exact":
            wrong[seed] = verdict
    proof.add("on_real_servers", histories=count, exact=count - len(wrong), seconds=round(time.perf_counter() - began, 1))
    assert wrong == {}, "seeds and verdicts; the same seed in memory: tests/histories/many.py"
