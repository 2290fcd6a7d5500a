"""The producer against the real stores: nothing lost, nothing secret, every absence waited for."""

import gc
import json
import random
import string
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from bench.installation import free_ports
from engine import producer
from engine.clients import cassandra_session, kafka_consumer
from engine.errors import SettingsInvalid, SignInRefused
from engine.processes import Supervisor
from engine.producer import Produced
from engine.sealing import load_keys
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.sources.auto import open_source
from engine.stores.dead_letters import DeadLetters
from governance.catalogue import LOGIN_SECRETS
from tests.lookalike import Lookalike, uuids
from tests.people import CAPTURED, GENERATED, captured, generated
from tests.services.producing import Running, Tail, having, heartbeat, letters, replayed, run, sent
from tests.waiting import until

pytestmark = pytest.mark.services

@pytest.fixture
def tail(stack: Settings) -> Iterator[Tail]:
    reader = Tail(stack)
    yield reader
    reader.close()


@pytest.fixture
def settings(stack: Settings) -> Settings:
    """Each test with a place of its own; the servers and secrets are those of the stack."""
    for kept in stack.state.glob("producer-*.json"):
        kept.unlink()
    return stack


@pytest.mark.parametrize("version", CAPTURED)
def test_the_captured_files_are_accounted_for_to_the_last_person(settings: Settings, tail: Tail, version: str) -> None:
    people = captured(version)
    done = replayed(settings, CAPTURED[version])
    records = tail.read()
    with_uuid = [person["login"]["uuid"] for person in people if "uuid" in person.get("login", {})]
    assert [done.read, done.sent, done.dead] == [len(people), len(with_uuid), len(people) - len(with_uuid)]
    assert Counter(record.key.decode() for record in records) == Counter(with_uuid)
    kept = letters(settings, CAPTURED[version].name)
    assert len(kept) == done.dead
    for number, person in enumerate(people, 1):
        letter = kept.get(f"{CAPTURED[version].name}:{number}")
        if letter is not None:
            assert letter.reason.startswith("login.uuid is missing")
            assert json.loads(letter.value)["email"] == person["email"]
            kept_block, block = json.loads(letter.value).get("login"), person.get("login", person)
            for name in LOGIN_SECRETS:
                assert (kept_block or json.loads(letter.value))[name] is None
                # a password is a word ("password"), which may stand elsewhere by chance
                assert name in ("username", "password") or block[name].encode() not in letter.value
            assert datetime.fromisoformat(letter.first_append).tzinfo is not None


def test_5000_people_arrive_under_their_uuid_without_secrets(settings: Settings, tail: Tail) -> None:
    began = datetime.now(UTC)
    done = replayed(settings, GENERATED)
    records = tail.read()
    assert (done.read, done.sent, done.dead, done.erased_skipped, done.pages) == (5000, 5000, 0, 0, 10)
    people = {person["login"]["uuid"]: person for person in generated()}
    assert {record.key.decode() for record in records} == set(people)
    for record in records:
        person = people[record.key.decode()]
        sent = json.loads(record.value)
        assert sent["login"] == {"uuid": person["login"]["uuid"]}
        assert (sent["email"], sent["location"]["postcode"]) == (person["email"], person["location"]["postcode"])
        assert not {"id", "cell", "picture"} & set(sent)
        # the canary that shows the search can find: the e-mail is there
        assert person["email"].encode() in record.value
        for secret in (person["login"]["sha256"], person["login"]["md5"], person["login"]["salt"], person["cell"]):
            assert secret.encode() not in record.value
        headers = dict(record.headers)
        assert (headers["source"], headers["schema"], "synthetic" in headers) == (b"replay", b"1.4", False)
        assert began <= datetime.fromisoformat(headers["fetched_at"].decode()) <= datetime.now(UTC)
    assert {record.partition for record in records} == set(range(settings.kafka.partitions))


def test_poison_among_good_people_becomes_dead_letters_with_reasons(
        settings: Settings, tail: Tail, tmp_path: Path) -> None:
    good = generated()[:20]
    answer = {"results": [good[2], {"login": {"password": "canary-p"}}], "info": {}}
    poison = [json.dumps(good[3])[:-40], json.dumps([good[4], {**good[5], "login": "canary-s"}]),
              json.dumps({**good[6], "name": ["canary-n"]}),
              json.dumps({**good[7], "login": {"uuid": "x", "salt": "c4n"}}),
              json.dumps(answer), "42", "null", '{"a":' * 3000, json.dumps({**good[8], "phone": "9" * 1_100_000})]
    path = tmp_path / "poison.jsonl"
    path.write_text("\n".join([json.dumps(good[0]), *poison, json.dumps(good[1])]) + "\n")
    done = replayed(settings, path)
    assert {record.key.decode() for record in tail.read()} == {good[index]["login"]["uuid"] for index in (0, 1, 2, 4)}
    assert (done.read, done.sent, done.dead) == (13, 4, 9)
    kept = {place.split("#")[0]: letter for place, letter in letters(settings, "poison.jsonl").items()}
    reasons = {place.removeprefix("poison.jsonl:"): letter.reason for place, letter in kept.items()}
    assert {place: reason[:19] for place, reason in reasons.items()} == {
        "2": "The line is not JSO", "3[1]": "login holds text wh", "4": "name holds a list w",
        "5": "login.uuid is no uu", "6[1]": "login.uuid is missi", "7": "The record holds a ",
        "8": "The record holds no", "9": "The line is not JSO", "10": "The person has 1100"}
    assert kept["poison.jsonl:2"].value == poison[0].encode()
    parsed = b"".join(letter.value for place, letter in kept.items() if reasons[place.split(":")[1]][:8] != "The line")
    assert b"canary-n" in parsed
    for secret in (b"canary-p", b"canary-s", b"c4n", good[6]["login"]["sha256"].encode()):
        assert secret not in parsed


def test_a_repeat_overwrites_its_letter_another_value_does_not_and_nothing_stands_in_clear(
        settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "twice.jsonl"
    for shoe in ("first-canary", "second-canary", "second-canary"):
        path.write_text(json.dumps({"email": shoe}))
        replayed(settings, path)
    kept = letters(settings, "twice.jsonl")
    assert {place.split("#")[0] for place in kept} == {"twice.jsonl:1"}
    assert sorted(json.loads(letter.value)["email"] for letter in kept.values()) == ["first-canary", "second-canary"]
    consumer = kafka_consumer(settings, "verify")
    partition = TopicPartition(settings.kafka.dead_topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    raw = b""
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                raw += b"".join((record.key, record.value, *(value for _, value in record.headers)))
    consumer.close()
    assert b"twice.jsonl:1" in raw
    assert b"canary" not in raw


def test_a_letter_moved_to_another_place_does_not_open(settings: Settings) -> None:
    keys = load_keys(settings)
    sender = Sender(settings, "producer")
    sender.send(Outgoing(settings.kafka.dead_topic, b"moved:1", keys.seal_dead_letter(b"{}", "other:1"), [], "moved:1"))
    assert sender.settle().acknowledged == 1
    sender.close()
    assert letters(settings, "moved")["moved:1"].opened is False


@pytest.fixture
def markers(settings: Settings) -> Iterator[Callable[[str, bool], None]]:
    """Writes and at the end removes markers, in the stream's place."""
    tokens: list[str] = []
    keys = load_keys(settings)
    table = f"{settings.cassandra.keyspace}.markers"
    with cassandra_session(settings, "provision") as session:
        def mark(uuid: str, erased: bool) -> None:
            tokens.append(keys.suppression_token(uuid))
            session.execute(f"INSERT INTO {table} (suppression, erased) VALUES (%s, %s)", (tokens[-1], erased))

        yield mark
        for token in tokens:
            session.execute(f"DELETE FROM {table} WHERE suppression = %s", (token,))


def test_erased_people_are_skipped_and_counted(
        settings: Settings, tail: Tail, markers: Callable[[str, bool], None]) -> None:
    people = [person["login"]["uuid"] for person in captured("1.4")]
    markers(people[3], True)
    markers(people[5].upper(), True)
    markers(people[7], False)
    done = replayed(settings, CAPTURED["1.4"])
    assert (done.read, done.sent, done.erased_skipped) == (115, 113, 2)
    assert {record.key.decode() for record in tail.read()} == set(people) - {people[3], people[5]}
    done = run(having(settings, source="replay", file=str(CAPTURED["1.4"]), skip_erased=False))
    assert (done.sent, done.erased_skipped) == (115, 0)


def test_who_is_erased_is_read_again_while_people_flow(
        settings: Settings, tail: Tail, markers: Callable[[str, bool], None]) -> None:
    quick = having(settings, source="synthetic", seed="again", page=50, rate=200.0, markers_refresh_s=0.1)
    quick = quick.model_copy(update={"synthetic": quick.synthetic.model_copy(update={"repeats": 1.0, "updates": 0.0})})
    with Running(quick) as running:    # it repeats one person for ever
        records: list[Any] = []
        while not records:
            assert running.result is None, running.said
            records = tail.read()
        markers(records[0].key.decode(), True)
        until("the person being skipped", lambda: heartbeat(settings).get("skipped", 0) > 0 and running.result is None)
        assert running.stopped().erased_skipped > 0


def test_cassandra_is_waited_for_visibly_and_the_wait_can_be_stopped(settings: Settings, tail: Tail) -> None:
    away = settings.model_copy(update={"cassandra": settings.cassandra.model_copy(update={"port": free_ports(1)[0]})})
    with Running(having(away, source="replay", file=str(CAPTURED["1.2"]))) as running:
        until("the wait seen", lambda: heartbeat(settings).get("state", "").startswith("waiting for Cassandra since 2"))
        assert "Waiting for Cassandra: Cassandra does not answer" in running.said[0]
        assert running.stopped() == Produced()
    assert tail.read() == []


def test_mongodb_away_does_not_stop_the_flow(settings: Settings) -> None:
    away = settings.model_copy(update={"mongo": settings.mongo.model_copy(update={"port": free_ports(1)[0]})})
    began = time.monotonic()
    assert replayed(away, CAPTURED["1.4"]).sent == 115
    assert time.monotonic() - began < 20


# kafka-python leaves sockets of connections that were refused to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_broker_that_goes_and_comes_back_loses_no_person_and_no_order(settings: Settings, tail: Tail) -> None:
    supervisor = Supervisor(settings)
    changing = having(settings, source="synthetic", seed="away", page=300, rate=400.0)
    changing = changing.model_copy(
        update={"synthetic": changing.synthetic.model_copy(update={"repeats": 0.2, "updates": 0.5})})
    with Running(changing, limit=6000) as running:
        until("people being sent", lambda: sent(settings, "synthetic:away:") > 500)
        supervisor.stop("kafka")
        try:
            until("the wait being said", lambda: any(one.startswith("Waiting for Kafka") for one in running.said))
            until("the wait being seen", lambda: heartbeat(settings)["state"].startswith("waiting for Kafka since 2"))
        finally:
            supervisor.start("kafka")
        done = running.ended()
    assert any(one.startswith("Going on") for one in running.said)
    assert (done.read, done.sent, done.pages) == (6000, 6000, 20)
    made = open_source(changing, print, threading.Event())
    newest: dict[str, Any] = {}
    for page in made.pages(None, lambda seconds, why: True):
        newest |= {item.person["login"]["uuid"]: item.person for item in page.items}  # type: ignore[index]
        if json.loads(page.position)["next"] == 6000:
            break
    kept = {record.key.decode(): json.loads(record.value) for record in tail.read()}
    gc.collect()
    assert kept == newest


def test_the_api_misbehaving_loses_no_page_and_a_restart_goes_on(settings: Settings, tail: Tail) -> None:
    with Lookalike() as api:
        quick = having(settings, source="randomuser", seed="fl0w", page=40)
        quick = quick.model_copy(update={"randomuser": quick.randomuser.model_copy(update={
            "base_url": api.url, "timeout_s": 0.5, "wait_first_s": 0.05, "wait_most_s": 0.2})})
        api.script += [429, "ok", "garbage", "error", "ok", 500, "slow:1", "cut", "ok"]
        with Running(quick) as running:
            until("a dozen requests", lambda: len(api.asked) > 12)
            first = running.stopped()
        said = " ".join(running.said)
        for trouble in ("429", "not JSON", "Uh oh", "500", "no answer within"):
            assert trouble in said
        assert first.read == first.sent
        second = run(quick, limit=120)
        assert (second.sent, second.pages) == (120, 3)
        records = tail.read()
    pages = first.pages + 3
    wanted = {name for number in range(1, pages + 1) for name in uuids("fl0w", number, 40)}
    counts = Counter(record.key.decode() for record in records)
    assert set(counts) == wanted
    assert sum(counts.values()) == first.sent + 120
    assert {dict(record.headers)["source"] for record in records} == {b"randomuser"}


def test_stopping_flushes_and_a_restart_leaves_no_person_out(settings: Settings, tail: Tail) -> None:
    made = having(settings, source="synthetic", seed="stop", page=100, rate=300.0)
    with Running(made) as running:
        until("two hundred people", lambda: sent(settings, "synthetic:stop:") > 200)
        first = running.stopped()
    assert first.read == first.sent
    kept = json.loads((settings.state / "producer-synthetic.json").read_text())
    assert kept == {"seed": "stop", "next": first.pages * 100}
    second = run(made, limit=200)
    assert (second.read, second.pages) == (200, 2)
    source = open_source(made, print, threading.Event())
    wanted = set()
    for page in source.pages(None, lambda seconds, why: True):
        wanted |= {item.person["login"]["uuid"] for item in page.items}  # type: ignore[index]
        if json.loads(page.position)["next"] >= first.pages * 100 + 200:
            break
    assert wanted <= {record.key.decode() for record in tail.read()}


def test_the_rate_is_kept_smoothly_and_the_heartbeat_tells(settings: Settings, tail: Tail) -> None:
    began = time.monotonic()
    done = run(having(settings, source="synthetic", seed="rate", page=500, rate=100.0), limit=300)
    taken = time.monotonic() - began
    assert done.read == done.sent == 300
    assert taken > 2.8
    records = tail.read()
    tenths = Counter(record.timestamp // 100 for record in records)
    assert max(tenths.values()) <= 120, "what a stall of a second leaves is made up, and no more"
    assert len(tenths) >= 10
    assert all(dict(record.headers)["synthetic"] == b"1" for record in records)
    said = heartbeat(settings)
    assert {name: said[name] for name in ("source", "synthetic", "state", "sent", "dead", "skipped", "place")} == {
        "source": "synthetic", "synthetic": True, "state": "ended", "sent": 300, "dead": 0, "skipped": 0,
        "place": "synthetic:rate:299"}
    assert 0 < said["rate"] < 150
    assert abs((datetime.now(UTC) - said["at"]).total_seconds()) < 30


def test_a_record_that_the_broker_finds_too_large_is_a_dead_letter(
        settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "LARGEST", 16 * 1024 * 1024)    # so that it is the broker who refuses
    person = generated()[9]
    sizes = (2_000_000, 12_000_000)
    people = [{**person, "phone": "".join(random.choices(string.printable, k=size))} for size in sizes]
    path = tmp_path / "large.jsonl"
    path.write_text("\n".join(map(json.dumps, [*people, generated()[10]])))
    done = replayed(settings, path)
    assert (done.read, done.sent, done.dead) == (3, 1, 2)
    kept = {place.split("#")[0]: letter for place, letter in letters(settings, "large.jsonl").items()}
    assert json.loads(kept["large.jsonl:1"].value)["phone"] == people[0]["phone"]
    assert kept["large.jsonl:2"].value == b""
    assert "too large to be kept" in kept["large.jsonl:2"].reason


def test_the_producer_may_not_write_elsewhere(settings: Settings) -> None:
    sender = Sender(settings, "producer")
    sender.send(Outgoing(settings.kafka.topic, b"k", b"v", [], "p"))
    sender.settle()
    sender.send(Outgoing(settings.kafka.control_topic, b"k", b"v", [], "p"))
    with pytest.raises(SignInRefused):
        sender.settle()
    sender.close()


def test_the_stream_may_write_dead_letters(settings: Settings) -> None:
    dead = DeadLetters(settings, "stream", load_keys(settings))
    dead.put("user_profiles-2-4711", "The value is not JSON.", b"\xff\xfe", "2026-11-24T11:00:00Z")
    assert dead.flush() == 1
    dead.close()
    letter = letters(settings, "user_profiles-2-4711")["user_profiles-2-4711"]
    assert (letter.value, letter.reason, letter.first_append) == (
        b"\xff\xfe", "The value is not JSON.", "2026-11-24T11:00:00Z")


def test_a_damaged_position_is_said(settings: Settings) -> None:
    settings.state.mkdir(exist_ok=True)
    (settings.state / "producer-synthetic.json").write_text('{"seed": ')
    with pytest.raises(SettingsInvalid, match=r"producer-synthetic\.json is damaged"):
        run(having(settings, source="synthetic"), limit=1)
