"""An erasure goes through every store, says what it found in each, and stays whatever comes back.

The acceptance test of the rights of people: a seed is ingested, somebody is erased, the checkpoint is deleted, everything is
read again from the first offset, the seed is pulled again, an old copy of Cassandra's rows is put back: they are nowhere.
"""

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from engine.clients import cassandra_session, kafka_admin, kafka_producer, mongo_client
from engine.native import nodetool
from engine.person import DOMAINS, NATIONALITIES
from engine.rights import erasure, package, restore
from engine.rights.find import find
from engine.settings import Settings
from engine.stores import dead_letters
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome
from tests.people import captured
from tests.services.flow import Flow
from tests.services.search import forms, found

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]

ERASED, KEPT = "0ca4a117-1111-4111-8111-0000000000e1", "0ca4a117-2222-4222-8222-0000000000e2"
DOMAIN = {"Zanzibar": "dodo-post.example", "Quetzal": "auk-post.example"}
"""E-mail domains, which nobody else has: what is counted under them is counted of one person."""

BOUND_MS = 2000
"""Of segments and of compaction, so that the topic's bound is over while one waits."""

sealed: list[bytes] = []
"""Pieces of packages that were made of them."""


def canary(uuid: str, word: str) -> dict[str, Any]:
    """A person whose every value stands out."""
    made = {**captured("1.4")[0], "email": f"{word}.person@{DOMAIN[word]}", "phone": f"0479-{word}-777",
            "name": {"title": "Ms", "first": f"{word}ina", "last": f"{word}kova"}, "login": {"uuid": uuid}}
    made["location"] = {**made["location"], "street": {"number": 1, "name": f"{word} Birdcage Lane"}}
    return made


def words(flow: Flow, uuid: str, word: str) -> list[bytes]:
    """What to look for at once: name, e-mail, phone, street, domain, e-mail token."""
    person = canary(uuid, word)
    return [text.encode() for text in (
        person["name"]["first"], person["name"]["last"], person["email"], person["phone"],
        person["location"]["street"]["name"], DOMAIN[word], flow.keys.email_token(person["email"]))]


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow for the tests of this file, which build on one another in their order; its topics are soon compacted."""
    with Flow(stack, tmp_path_factory.mktemp("rights"), "rights") as made:
        with closing(kafka_admin(made.settings, "provision")) as admin:
            for topic in (made.settings.kafka.topic, made.settings.kafka.dead_topic):
                admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {
                    "segment.ms": str(BOUND_MS), "max.compaction.lag.ms": str(BOUND_MS), "delete.retention.ms": "1"})])
        yield made


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The people of the source, two canaries among them; outside the flow's folder, which is searched."""
    file = tmp_path_factory.mktemp("seed") / "seed.jsonl"
    people = [canary(ERASED, "Zanzibar"), canary(KEPT, "Quetzal"), *captured("1.4")]
    file.write_text("\n".join(json.dumps(person) for person in people) + "\n")
    return file


def packed(flow: Flow) -> bytes:
    """A piece of a sealed package of theirs whose name is lost: a run was killed after it had taken it away."""
    package.make(flow.settings, "R-0", ERASED)
    with cassandra_session(flow.settings, "governance") as session:
        row = session.execute(f"SELECT body FROM {flow.settings.cassandra.keyspace}.packages WHERE request = 'R-0'").one()
    package.purge(flow.settings, "R-0")
    return bytes(row.body)[200:240]


def users(flow: Flow) -> int:
    return sum(n for cell, n in flow.cells().items() if cell.collection == NATIONALITIES)


def ticked(flow: Flow) -> None:
    """A record in each partition: an idle one rolls only when something comes."""
    with closing(kafka_producer(flow.settings, "provision")) as producer:
        for number in range(flow.settings.kafka.partitions):
            producer.send(flow.settings.kafka.topic, key=b"tick", value=None, partition=number).get(timeout=10)
        producer.send(flow.settings.kafka.dead_topic, key=b"tick", value=None).get(timeout=10)


def erase(flow: Flow, *options: str, code: int = 0) -> Proof:
    done = flow.rollcall("erase", ERASED, "--request", "R-1", "--json", *options, code=code)
    assert ERASED not in done.stdout + done.stderr
    return Proof.from_json(json.loads(done.stdout))


def outcomes(proof: Proof) -> dict[str, Outcome]:
    return {verdict.store: verdict.outcome for verdict in proof.verdicts if verdict.store != "recipients"}


def held(stack: Settings, flow: Flow, uuid: str, word: str) -> dict[str, set[bytes]]:
    return found(stack, flow.settings, words(flow, uuid, word))


def test_before_the_erasure_the_search_finds_both(flow: Flow, stack: Settings, seed: Path) -> None:
    flow.start()
    flow.produce(seed)
    flow.send(ERASED.encode(), json.dumps({**canary(ERASED, "Zanzibar"), "gender": "NONE"}).encode())    # a dead letter
    flow.quiet()
    sealed.append(packed(flow))
    node = nodetool.local(stack)
    assert node is not None
    with nodetool.opened(stack, node) as run:
        run("flush")
        run("snapshot", "-t", "before", flow.settings.cassandra.keyspace)
    assert len(flow.dead_letters()) == 1
    assert found(stack, flow.settings, sealed)
    for uuid, word in ((ERASED, "Zanzibar"), (KEPT, "Quetzal")):
        *clear, token = words(flow, uuid, word)
        domain, places = clear[-1], held(stack, flow, uuid, word)
        assert {text for path, texts in places.items() if "/kafka/" in path for text in texts} == set(clear)
        assert {text for path, texts in places.items() if "/cassandra/" in path for text in texts} == {token, domain}
        assert {text for path, texts in places.items() if "/mongo/" in path for text in texts} == {domain}
        assert flow.documents(DOMAINS)[DOMAIN[word]]["counts"]["users"] == 1
        numbers = found(stack, flow.settings, forms(uuid))
        assert any("/kafka/" in path for path in numbers)
        assert any(path.endswith("Index.db") for path in numbers)
        assert any("/commitlog/" in path for path in numbers)


def test_an_erasure_says_what_each_store_holds(flow: Flow, stack: Settings) -> None:
    before = flow.rows()
    proof = erase(flow)
    said = outcomes(proof)
    assert said["cassandra:profiles"] == said["mongo"] == said["files"] == Outcome.ERASED, proof
    assert said["kafka:people"] == Outcome.EXPIRES_ON
    assert said["kafka:dead"] == Outcome.EXPIRES_ON
    assert said["backups"] == Outcome.EXTERNAL    # a snapshot stands
    assert said["cassandra:markers"] == Outcome.GOVERNED
    assert proof.done
    after = flow.rows()
    assert set(before) - set(after) == {ERASED}
    assert all(after[uuid] == before[uuid] for uuid in after)
    assert (len(after), users(flow)) == (116, 116)
    assert said["cassandra:packages"] == Outcome.ERASED
    assert said["kafka:control"] == said["cassandra:records"] == said["cassandra:audit"] == Outcome.GOVERNED
    assert flow.dead_letters() == []
    there = found(stack, flow.settings, [*words(flow, ERASED, "Zanzibar"), *forms(ERASED), *sealed])
    outside = {path: texts for path, texts in there.items() if "/kafka/" not in path and "/snapshots/" not in path}
    assert {text for path, texts in outside.items() if "/mongo/" in path for text in texts} <= {DOMAIN["Zanzibar"].encode()}
    assert {path: texts for path, texts in outside.items() if "/mongo/" not in path} == {}
    assert DOMAIN["Zanzibar"] not in flow.documents(DOMAINS)
    assert held(stack, flow, KEPT, "Quetzal")


@pytest.mark.proof
def test_after_the_bound_of_the_topic_nobody_finds_a_value_of_theirs(flow: Flow, stack: Settings) -> None:
    flow.until("the topics are compacted", lambda: compacted(flow), 240)
    proof = erase(flow)
    assert outcomes(proof)["kafka:people"] == outcomes(proof)["kafka:dead"] == Outcome.ERASED, proof
    assert gone(stack, flow, 120) == {}


def compacted(flow: Flow) -> bool:
    """Whether nothing is left to expire; what another run sends once more ends the segments."""
    proof = erase(flow)
    return proof.done and not proof.waits


def gone(stack: Settings, flow: Flow, limit_s: float) -> dict[str, set[bytes]]:
    """What is still found when nothing is left, or the time is over: a null goes some seconds after its value."""
    sought = [*words(flow, ERASED, "Zanzibar"), *forms(ERASED)]
    left: dict[str, set[bytes]] = {}
    written_over(flow)

    def none_left() -> bool:
        nonlocal left
        ticked(flow)
        left = {path: texts for path, texts in found(stack, flow.settings, sought).items() if "/snapshots/" not in path}
        return not left

    with suppress(AssertionError):
        flow.until("nothing is found", none_left, limit_s)
    return left


def written_over(flow: Flow) -> None:
    """As much as the stream writes in an hour: SQLite's write-ahead log begins anew after 4 MB (engine/native/mongo.py)."""
    with mongo_client(flow.settings, "provision") as client:
        collection = client[flow.settings.mongo.database]["written_over"]
        for number in range(8):
            collection.insert_many([{"_id": f"{number}-{n}", "text": "x" * 4000} for n in range(200)])
        collection.drop()


@pytest.mark.proof
def test_a_bad_record_of_theirs_that_comes_after_the_proof_goes_by_itself(flow: Flow, stack: Settings, tmp_path: Path) -> None:
    bad = {**canary(ERASED, "Zanzibar"), "gender": "NONE"}
    flow.send(ERASED.encode(), json.dumps(bad).encode())
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps({**bad, "name": []}) + "\n")
    assert flow.produce(file)["erased_skipped"] == 1
    flow.quiet()
    assert flow.dead_letters() == []
    assert gone(stack, flow, 240) == {}    # nobody has run an erasure again


@pytest.mark.proof
def test_neither_a_replay_nor_the_seed_nor_a_restored_copy_brings_them_back(flow: Flow, stack: Settings, seed: Path) -> None:
    assert flow.stop() == 0
    flow.forget_place()
    flow.start()
    assert flow.produce(seed, "--no-skip-erased")["sent"] == 117
    flow.quiet()
    assert ERASED not in flow.rows()
    assert flow.stop() == 0
    put_back(stack, flow)
    assert ERASED in flow.rows()    # the copy has them
    said: list[str] = []
    restored = restore.check(flow.settings, 240, said.append, flow.start)
    assert restored.ok, said
    assert (restored.erased, restored.standing, restored.letters, restored.in_files, restored.segments) == (1, 0, 0, 0, 0)
    assert set(flow.rows()) == {KEPT, *(person["login"]["uuid"] for person in captured("1.4"))}
    assert users(flow) == 116
    flow.until("the topics are compacted", lambda: compacted(flow), 240)
    assert gone(stack, flow, 120) == {}
    assert held(stack, flow, KEPT, "Quetzal")
    flow.verified()


def put_back(stack: Settings, flow: Flow) -> None:
    """The rows as they were before the erasure, from the snapshot."""
    node = nodetool.local(stack)
    assert node is not None
    keyspace = flow.settings.cassandra.keyspace
    copies = (stack.data / "cassandra" / "data" / keyspace).glob("profiles-*/snapshots/before")
    copy = max(copies, key=lambda path: path.stat().st_mtime)    # a keyspace that was dropped leaves its own
    with nodetool.opened(stack, node) as run:
        run("import", "--copy-data", keyspace, "profiles", str(copy))
        run("clearsnapshot", "-t", "before", keyspace)


@pytest.mark.proof
def test_what_came_under_another_key_is_compacted_under_it(flow: Flow, stack: Settings) -> None:
    flow.send(b"nobody", json.dumps(canary(ERASED, "Zanzibar")).encode())
    flow.quiet()
    assert flow.dead_letters() == []
    proof = erase(flow)
    (topic,) = [verdict for verdict in proof.verdicts if verdict.store == "kafka:people"]
    assert topic.outcome is Outcome.EXPIRES_ON
    assert "1 came under another key" in topic.why
    assert topic.on is not None
    assert topic.on - datetime.now(UTC) < timedelta(hours=5)
    assert flow.dead_letters() == []
    flow.until("it is compacted", lambda: compacted(flow), 240)
    assert gone(stack, flow, 120) == {}


@pytest.mark.proof
def test_an_e_mail_alone_finds_a_letter_and_a_record(flow: Flow) -> None:
    letters, other = dead_letters.DeadLetters(flow.settings, "producer", flow.keys), "another@canary-mail.example"
    letters.put("people.jsonl:7", "bad", {**canary(KEPT, "Quetzal"), "email": other}, datetime.now(UTC).isoformat())
    letters.flush()
    letters.close()
    flow.send(b"nobody at all", json.dumps({"email": canary(KEPT, "Quetzal")["email"]}).encode())
    flow.quiet()
    assert [one.uuid for one in find(flow.settings, email=other)] == [KEPT]
    proof = erasure.erase(flow.settings, [KEPT], "R-2", 120.0, lambda _: None)
    (topic,) = [verdict for verdict in proof.verdicts if verdict.store == "kafka:people"]
    assert "1 came under another key" in topic.why
    assert flow.dead_letters() == []
