"""One writer: a live holder keeps others out, a dead one is passed, and one that wakes up late can save nothing."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from pymongo.database import Database

from engine.clients import mongo_client
from engine.errors import LeaseHeld, LeaseLost
from engine.settings import Settings
from engine.stores.status import COLLECTION, Status
from engine.stores.stream_stores import StreamStores
from engine.writer import lease as leases
from engine.writer.write_order import Figures, OpenTurn, WriterState

pytestmark = pytest.mark.services

LEASE_S = 4.0
NOBODY = 2 ** 30    # the number of no process: it lies above the greatest


@pytest.fixture
def database(stack: Settings, request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]]]:
    """A database of this test alone."""
    with mongo_client(stack, "stream") as client:
        name = f"lease_{abs(hash(request.node.name)) % 10 ** 8}"
        yield client[name]
        client.drop_database(name)


def take(database: Database[dict[str, Any]]) -> leases.Lease:
    return leases.take(database, LEASE_S, threading.Event(), lambda _: None)


def test_a_live_holder_keeps_others_out_until_it_gives_the_lease_back(database: Database[dict[str, Any]]) -> None:
    first = take(database)
    assert (first.number, first.clean) == (1, True)
    with pytest.raises(LeaseHeld, match=f"process {os.getpid()}"):
        take(database)
    first.check()
    first.release(clean=True)
    second = take(database)
    assert (second.number, second.clean) == (2, True)
    with pytest.raises(LeaseLost):
        first.check()
    second.release(clean=False)
    third = take(database)
    assert not third.clean    # what the second sent may still land
    third.release(clean=True)


def test_a_holder_elsewhere_whose_beat_stands_still_is_passed(database: Database[dict[str, Any]]) -> None:
    database[COLLECTION].insert_one({"_id": "lease:7", "n": 7, "beat": 3, "released": False, "clean": False,
                                     "host": "another", "pid": 1})
    began = time.monotonic()
    taken = take(database)
    assert time.monotonic() - began >= LEASE_S
    assert (taken.number, taken.clean) == (8, False)
    taken.release(clean=True)


def test_a_holder_here_that_has_died_is_passed_at_once(database: Database[dict[str, Any]]) -> None:
    first = take(database)
    database[COLLECTION].update_one({"_id": "lease:1"}, {"$set": {"pid": NOBODY}})
    began = time.monotonic()
    second = take(database)
    assert time.monotonic() - began < LEASE_S
    assert (second.number, second.clean) == (2, False)
    first.release(clean=False)
    second.release(clean=True)


def test_of_many_who_want_it_at_once_one_gets_it(database: Database[dict[str, Any]]) -> None:
    got: list[leases.Lease] = []
    refused: list[LeaseHeld] = []

    def want() -> None:
        try:
            got.append(take(database))
        except LeaseHeld as error:
            refused.append(error)

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 5)
    got[0].release(clean=True)


def test_a_former_holder_cannot_save_over_the_later_ones_state(database: Database[dict[str, Any]]) -> None:
    status = Status(database)
    early = WriterState(1, 100, OpenTurn(100, 4, "8:ff", 0, 2), False, 0, "c")
    later = WriterState(2, 200, None, False, 2, "c")
    status.save_writer(early, 1)
    assert status.writer() == early
    status.save_writer(later, 2)
    with pytest.raises(LeaseLost):
        status.save_writer(early, 1)
    assert status.writer() == later


def passed(database: Database[dict[str, Any]]) -> tuple[leases.Lease, leases.Lease]:
    """A holder, and the one who took over while it stood still."""
    first = take(database)
    database[COLLECTION].update_one({"_id": "lease:1"}, {"$set": {"pid": NOBODY}})
    return first, take(database)


def test_a_turn_is_not_begun_by_a_holder_who_was_passed_while_it_opened_it(database: Database[dict[str, Any]]) -> None:
    first, second = passed(database)
    stores = object.__new__(StreamStores)    # its other stores are not asked
    stores.status, stores.lease = Status(database), first
    with pytest.raises(LeaseLost):    # the second has written nothing yet, so the state alone would not tell
        stores.save(WriterState(1, 100, OpenTurn(100, 4, "8:ff", 0, 2), False, 0, "c"))
    first.release(clean=False)
    second.release(clean=True)


def test_figures_of_a_former_holder_do_not_replace_later_ones(database: Database[dict[str, Any]]) -> None:
    status = Status(database)
    status.closed(Figures(200, 5, {"read": 7}), "c", {"0": 70}, lambda ends: 0, False, 2)
    with pytest.raises(LeaseLost):
        status.closed(Figures(100, 4, {"read": 3}), "c", {"0": 30}, lambda ends: 0, False, 1)
    kept = status.read("figures")
    assert kept is not None
    assert (kept["turn"], kept["offsets"], kept["totals"]) == (200, {"0": 70}, {"read": 7})


def test_totals_outlast_a_turn_that_counts_less(database: Database[dict[str, Any]]) -> None:
    status = Status(database)
    for turn, counts in ((100, {"read": 7, "dead": 2}), (200, {"dead": 0, "commands": 1}), (300, {"read": 3, "dead": 1})):
        kept = status.closed(Figures(turn, None, counts), "c", {}, lambda ends: 0, False, 1)
        assert kept["totals"]["read"] >= 7
    assert kept["totals"] == {"read": 10, "dead": 3, "commands": 1}


def test_an_idle_turn_says_nothing_of_what_was_read(database: Database[dict[str, Any]]) -> None:
    status = Status(database)
    read = status.closed(Figures(100, 4), "c", {"0": 70}, lambda ends: 0, False, 1)["read"]
    assert read["lease"] == 1
    assert status.closed(Figures(200, None), "c", {}, lambda ends: 0, False, 2)["read"] == read
    assert status.closed(Figures(300, 5), "c", {"0": 80}, lambda ends: 0, False, 2)["read"]["lease"] == 2
    assert status.closed(Figures(400, None), "another", {}, lambda ends: 0, False, 2)["read"] is None


def test_a_holder_that_is_dead_but_not_buried_is_passed_at_once(database: Database[dict[str, Any]]) -> None:
    first = take(database)
    with subprocess.Popen(["true"]) as dead:
        while psutil.Process(dead.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        database[COLLECTION].update_one({"_id": "lease:1"}, {"$set": {"pid": dead.pid}})
        began = time.monotonic()
        second = take(database)
        assert time.monotonic() - began < LEASE_S
    first.release(clean=False)
    second.release(clean=True)
