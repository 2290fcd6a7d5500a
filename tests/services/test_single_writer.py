"""One writer on the real systems: a second stream is refused, a dead one is passed, and one that was paused in the middle
of a turn and wakes up late changes nothing.

A paused process is the dangerous case: its lease runs out although it lives, and what it was about to send is still in
its memory. Each test hands its stream on to the next, which takes it over.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.clients import mongo_client
from engine.errors import LeaseHeld, LeaseLost
from engine.person import ARRIVALS, NATIONALITIES
from engine.settings import CLONE, Settings
from engine.stores.status import Status
from engine.writer.write_order import EPOCH, OpenTurn, WriterState
from tests.people import generated
from tests.proof import Proof
from tests.services.flow import LIMIT_S, Flow
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

SMALL_BATCHES = {"ROLLCALL_STREAM__MAX_OFFSETS_PER_TRIGGER": "400"}
"""So that there are many turns to be paused in."""

AS_DELIVERED = {"ROLLCALL_STREAM__LEASE_S": "15", "ROLLCALL_KAFKA__REQUEST_TIMEOUT_S": "10",
                "ROLLCALL_CASSANDRA__REQUEST_TIMEOUT_S": "10", "ROLLCALL_MONGO__REQUEST_TIMEOUT_S": "10"}
"""The times that decide how soon a dead stream is passed, as settings.py has them; the flow's own are shorter."""

OFTEN_S = 0.005
"""How often is looked for a moment that is short."""

PAUSES = 3
"""Turns that may close in the moment in which the stream is paused, before a test gives up."""

EACH = 380


class Streams:
    """The streams of a flow, each with its own log; `running` is the one that should write."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.started = flow, 0
        self.alive: list[subprocess.Popen[bytes]] = []

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        """One more stream on the same stores."""
        self.started += 1
        self.flow.log = self.flow.settings.home / f"stream-{self.started}.log"
        with self.flow.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "stream", "run"], cwd=CLONE, start_new_session=True,
                env={**self.flow.environment(), **SMALL_BATCHES, **more}, stdout=log, stderr=subprocess.STDOUT)
        self.alive.append(process)
        self.flow.stream = process
        return process

    def said(self, number: int) -> str:
        """What the stream of this number wrote."""
        return (self.flow.settings.home / f"stream-{number}.log").read_text(errors="replace")

    def close(self) -> None:
        """Ends all, the paused ones too."""
        for process in self.alive:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow for the tests of this file, which build on one another in their order."""
    with Flow(stack, tmp_path_factory.mktemp("writers"), "writers") as made:
        yield made


@pytest.fixture(scope="module")
def streams(flow: Flow) -> Iterator[Streams]:
    """Its streams."""
    made = Streams(flow)
    try:
        yield made
    finally:
        made.close()
        flow.stream = None


@pytest.fixture(scope="module")
def writer(flow: Flow) -> Iterator[Callable[[], WriterState]]:
    """Looks at the writer's state."""
    with mongo_client(flow.settings, "verify") as client:
        status = Status(client[flow.settings.mongo.database])
        yield status.writer


def people(tmp_path: Path, start: int, count: int, **changes: str) -> Path:
    """A file of some of the generated people."""
    path = tmp_path / f"people-{start}.jsonl"
    path.write_text("".join(json.dumps({**person, **changes}) + "\n" for person in generated()[start:start + count]))
    return path


def stored(flow: Flow) -> dict[str, Any]:
    """All that a late write could change, sealed columns opened."""
    return {
        "rows": flow.rows(), "cells": flow.cells(),
        "dead": sorted(letter.place for letter in flow.dead_letters()),
        **{name: flow.documents(name) for name in (NATIONALITIES, ARRIVALS, "users_by_email_domain", "batches")},
        "status": {name: kept for name, kept in flow.documents("pipeline_status").items() if name in ("writer", "figures")}}


def number_of(name: str) -> int:
    """Of a lease's document."""
    return int(name.removeprefix("lease:"))


def leases(flow: Flow) -> set[str]:
    return {name for name in flow.documents("pipeline_status") if name.startswith("lease:")}


def test_a_second_stream_is_refused_in_one_sentence_and_writes_nothing(
        flow: Flow, streams: Streams, tmp_path: Path) -> None:
    streams.start()
    flow.produce(people(tmp_path, 0, 200))
    flow.quiet()
    before = stored(flow), leases(flow)
    refused = flow.rollcall("stream", "run", code=LeaseHeld.exit_code)
    assert "Traceback" not in refused.stdout + refused.stderr
    sentence = refused.stderr.strip().splitlines()
    assert len(sentence) == 1
    assert sentence[0].startswith("Another stream (process ")
    assert "rollcall stream stop" in sentence[0]
    assert (stored(flow), leases(flow)) == before
    assert flow.stream is not None
    assert flow.stream.poll() is None, "the first one goes on"


def test_a_killed_stream_is_passed_within_a_minute_at_the_delivered_settings(
        flow: Flow, streams: Streams, writer: Callable[[], WriterState], tmp_path: Path, proof: Proof) -> None:
    flow.produce(people(tmp_path, 200, 800))
    flow.until("a turn is open", lambda: writer().open is not None)
    assert flow.stream is not None
    flow.stop(signal.SIGKILL)
    killed, turn = time.monotonic(), writer().turn
    streams.start(**AS_DELIVERED)
    flow.until("a turn is closed", lambda: writer().open is None and writer().turn >= turn)
    took = time.monotonic() - killed
    flow.quiet()
    proof.add("killed", seconds_to_the_next_closed_turn=round(took, 1))
    assert took < (60 if proof.path else 180), "beside other tests, on a machine that is busy, Spark alone takes longer"
    assert len(flow.rows()) == 1000
    flow.verified()


@pytest.mark.parametrize(("moment", "seed", "wakes"), [
    ("rows", 3, "after"), *[pytest.param(*case, marks=pytest.mark.proof) for case in (
        ("opened", 1, "after"), ("aggregates", 2, "after"), ("aggregates", 4, "amid"), ("rows", 5, "amid"))]])
def test_a_stream_paused_in_a_turn_that_wakes_up_later_changes_nothing(
        flow: Flow, streams: Streams, writer: Callable[[], WriterState], tmp_path: Path, proof: Proof,
        moment: str, seed: int, wakes: str) -> None:
    first, number, rows_before = flow.stream, streams.started, len(flow.rows())
    assert first is not None
    for changes in ({}, {"nat": "NZ"}, {"nat": "FR"}):    # a late write of the first turn would bring an older one back
        flow.produce(people(tmp_path, 1000 + (seed - 1) * EACH, EACH, **changes))
    turn = paused(flow, writer, first, moment, random.Random(seed))
    second = streams.start()
    if wakes == "after":
        flow.until("the second one has the lease", lambda: max(leases(flow), key=number_of) != f"lease:{lease_of(flow, first)}")
        assert writer().open is not None
        flow.verified()    # which holds the stream, but not in the middle of a turn
        flow.quiet()
        before, sealed = stored(flow), by_uuid(flow.sealed_rows())
        os.killpg(first.pid, signal.SIGCONT)
    else:
        flow.until("the second one opened a turn",
                   lambda: flow.documents("pipeline_status")["writer"]["lease"] > lease_of(flow, first))
        os.killpg(first.pid, signal.SIGCONT)
    assert first.wait(timeout=LIMIT_S) == LeaseLost.exit_code, streams.said(number)
    said = streams.said(number)
    assert "Another stream" in said.strip().splitlines()[-1], said
    assert "Traceback" not in said
    flow.quiet()
    assert second.poll() is None, "the second one goes on"
    if wakes == "after":
        assert stored(flow) == before
        landed = sum(row != sealed[uuid] for uuid, row in by_uuid(flow.sealed_rows()).items())
        assert landed == 0, "each sealing has another nonce, so bytes tell a late row from an equal one"
    proof.add(f"paused_at_{moment}_woken_{wakes}", seed=seed, turn=turn.number, people=EACH)
    rows = flow.rows()
    assert len(rows) == rows_before + EACH
    assert {row["nat"] for person in generated()[1000 + (seed - 1) * EACH:1000 + seed * EACH]
            for row in [rows[person["login"]["uuid"]]]} == {"FR"}
    assert f"turn {turn.number} " in streams.said(streams.started), "the second one did the open turn under its number"
    flow.verified()


@pytest.mark.proof
def test_a_stream_paused_in_a_turn_that_is_not_done_again_changes_nothing(
        flow: Flow, streams: Streams, writer: Callable[[], WriterState], tmp_path: Path, proof: Proof) -> None:
    """With a lost checkpoint its successor recounts first: a late row would be missing from that count."""
    first, number, start, rows_before = flow.stream, streams.started, 1000 + 5 * EACH, len(flow.rows())
    assert first is not None
    flow.produce(people(tmp_path, start, EACH))
    paused(flow, writer, first, "rows", random.Random(9))
    epoch = writer().epoch
    flow.forget_place()
    streams.start()
    flow.until("the second one has recounted", lambda: (state := writer()).epoch > epoch and not state.recount)
    os.killpg(first.pid, signal.SIGCONT)
    assert first.wait(timeout=LIMIT_S) == LeaseLost.exit_code, streams.said(number)
    assert "Another stream" in streams.said(number).strip().splitlines()[-1]
    flow.quiet()
    proof.add("paused_before_a_recount", epoch=epoch, people=EACH)
    assert len(flow.rows()) == rows_before + EACH
    flow.verified()


def by_uuid(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows by their key."""
    return {str(row["uuid"]): row for row in rows}


def lease_of(flow: Flow, process: subprocess.Popen[bytes]) -> int:
    """The number of the lease that a stream took."""
    return next(int(kept["n"]) for name, kept in flow.documents("pipeline_status").items()
                if name.startswith("lease:") and kept["pid"] == process.pid)


def paused(flow: Flow, writer: Callable[[], WriterState], stream: subprocess.Popen[bytes], moment: str,
           rng: random.Random) -> OpenTurn:
    """Pauses a stream, its Java too, while a turn is open; returns that turn. A turn that closed meanwhile is let go."""
    with mongo_client(flow.settings, "verify") as client:
        documents = client[flow.settings.mongo.database][ARRIVALS if moment == "rows" else NATIONALITIES]
        for _ in range(PAUSES):
            until("a batch is open", lambda: (turn := writer().open) is not None and turn.batch is not None, LIMIT_S, OFTEN_S)
            state = writer()
            stamp = state.epoch * EPOCH + state.turn
            if moment != "opened":
                until("documents are stamped", partial(any_since, documents, stamp), LIMIT_S, OFTEN_S)
                time.sleep(rng.uniform(0, 0.3))
            os.killpg(stream.pid, signal.SIGSTOP)
            now, stamped = writer(), documents.count_documents({"counts.stamp": stamp})
            if now.open is not None and now.turn == state.turn and bool(stamped) == (moment != "opened"):
                print(f"paused at {moment}: turn {now.turn}, {stamped} documents of {documents.name} stamped")
                return now.open
            os.killpg(stream.pid, signal.SIGCONT)
    raise AssertionError("no turn stayed open")


def any_since(documents: Any, stamp: int) -> bool:
    """Whether a document has this stamp or a later one."""
    return documents.find_one({"counts.stamp": {"$gte": stamp}}) is not None
