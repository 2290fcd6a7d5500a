"""Dead letters end to end: sent again, killed in the middle, overtaken, bad again, forged, discarded: none lost, none twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from kafka import TopicPartition

from engine import commands
from engine.clients import kafka_consumer, kafka_producer
from engine.dead_letters.alone import alone
from engine.dead_letters.claim import Claim, claimed
from engine.dead_letters.discard import discard
from engine.dead_letters.redrive import BARRED, FAILED, READY, Redriven, redrive
from engine.settings import CLONE, Settings
from engine.stores import dead_letters
from engine.stores.dead_letters import ACCEPTED, DISCARDED, MARK, OVERTAKEN, REFUSED, SENT, DeadLetter, DeadLetters, Mark
from tests.people import Person, generated
from tests.proof import Proof
from tests.services.flow import Flow
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

BOM = b"\xef\xbb\xbf"
WITHIN_S = 120.0

Record = tuple[str, bytes]    # key, value


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow with a running stream; each test has people of its own."""
    with Flow(stack, tmp_path_factory.mktemp("redrive"), "redrive") as made:
        made.start()
        yield made


def person(test: int, number: int, **changes: Any) -> Person:
    """A person of one test."""
    return {**generated()[number % 5000], "login": {"uuid": uuid(test, number)}, **changes}


def uuid(test: int, number: int) -> str:
    """Its uuid."""
    return f"00000000-0000-4000-a{test:03d}-{number:012d}"


def marred(someone: Person) -> Record:
    """A record that the stream refuses and a redrive mends: it begins with a byte order mark."""
    return someone["login"]["uuid"], BOM + json.dumps(someone).encode()


def append(flow: Flow, records: Sequence[Record], headers: Sequence[tuple[str, bytes]] = ()) -> None:
    """Appends records past our producer."""
    producer = kafka_producer(flow.settings, "producer")
    for key, value in records:
        producer.send(flow.settings.kafka.topic, key=key.encode(), value=value, headers=list(headers))
    producer.flush()
    producer.close()


def letters(flow: Flow, test: int) -> dict[str, DeadLetter]:
    """The letters of one test that are not handled, by place."""
    wanted = f"-a{test:03d}-".encode()
    return {letter.place: letter for letter in flow.dead_letters() if wanted in letter.value}


def redriven(flow: Flow, test: int, say: Callable[[str], None] = print, really: bool = True) -> Redriven:
    """Redrives the letters of one test."""
    box = dead_letters.read(flow.settings, "redrive", flow.keys)
    mine = letters(flow, test)
    return redrive(flow.settings, [letter for letter in box.standing if letter.place in mine], box, say, WITHIN_S, really)


def records_of(flow: Flow, person_uuid: str) -> list[Any]:
    """Her records in the topic of people, in their order."""
    consumer = kafka_consumer(flow.settings, "verify")
    topic = flow.settings.kafka.topic
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends, found = consumer.end_offsets(places), []
    while any(consumer.position(place) < end for place, end in ends.items()):
        for some in consumer.poll(timeout_ms=200).values():
            found += [record for record in some if record.key == person_uuid.encode()]
    consumer.close()
    return found


A_FEW, MANY = 40, 250


def test_letters_half_of_them_bad_redriven_and_killed_in_the_middle_come_to_a_row_or_a_letter_each(
        flow: Flow, proof: Proof) -> None:
    """Four kinds of each as many: a thousand letters in a proof."""
    each = MANY if proof.path else A_FEW
    people = [person(1, number) for number in range(4 * each)]
    wrong_key = [(uuid(999, 1), json.dumps(one).encode()) for one in people[:each]]
    with_mark = [marred(one) for one in people[each:2 * each]]
    bad_again = [(one["login"]["uuid"], BOM + json.dumps({**one, "email": "nobody"}).encode())
                 for one in people[2 * each:3 * each]]
    nobody = [(one["login"]["uuid"], json.dumps({**one, "login": {}, "phone": one["login"]["uuid"]}).encode())
              for one in people[3 * each:]]
    append(flow, [*wrong_key, *with_mark, *bad_again, *nobody])
    flow.quiet()
    before = letters(flow, 1)
    assert len(before) == 4 * each
    assert _rows(flow, 1) == set()
    said = json.loads(flow.rollcall("dead-letters", "redrive", "--all", "--json").stdout)
    assert (said["done"], said["counts"]) == (False, {READY: 3 * each, REFUSED: each})
    assert letters(flow, 1) == before

    moments: list[tuple[str, Callable[[Counter[str]], bool]]] = [
        ("half of the records are sent", lambda seen: seen["people"] > 1.2 * each),
        ("half of the marks are set", lambda seen: seen[MARK] > 1.6 * each),
        ("the first are accepted", lambda seen: seen[ACCEPTED] > each // 12)]
    killed = [_killed_when(flow, *when) for when in moments[:3 if proof.path else 1]]
    assert killed.count(-signal.SIGKILL) >= (2 if proof.path else 1), killed
    flow.rollcall("dead-letters", "redrive", "--all", "--yes", "--within", "200")
    flow.quiet()

    assert _rows(flow, 1) == {one["login"]["uuid"] for one in people[:2 * each]}
    after = letters(flow, 1)
    assert len(after) == 2 * each
    proof.add("redrive", letters=len(before), kills=killed.count(-signal.SIGKILL), rows=len(_rows(flow, 1)), left=len(after))
    assert set(after) <= set(before)
    assert {place: letter.first_append for place, letter in after.items()} == {
        place: before[place].first_append for place in after}
    assert all(letter.attempts >= 1 for letter in after.values())
    flow.verified()


def _rows(flow: Flow, test: int) -> set[str]:
    return {one for one in flow.rows() if f"-a{test:03d}-" in one}


def _killed_when(flow: Flow, what: str, condition: Callable[[Counter[str]], bool]) -> int | None:
    """Starts a redrive and kills it as soon as the topics say so; returns its exit code."""
    consumer = kafka_consumer(flow.settings, "verify")
    topic, dead = flow.settings.kafka.topic, TopicPartition(flow.settings.kafka.dead_topic, 0)
    places = [dead, *(TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic))]
    consumer.assign(places)
    for place, end in consumer.end_offsets(places).items():
        consumer.seek(place, end)
    seen: Counter[str] = Counter()

    def come() -> bool:
        for record in (record for some in consumer.poll(timeout_ms=20).values() for record in some):
            seen["people" if record.topic == topic else MARK if record.key.startswith(MARK.encode()) else "letter"] += 1
            if record.key.startswith(MARK.encode()):
                seen[json.loads(flow.keys.open_dead_letter(record.value, record.key.decode()))["state"]] += 1
        return condition(seen)

    command = [sys.executable, "-m", "engine.cli", "dead-letters", "redrive", "--all", "--yes"]
    with subprocess.Popen(command, cwd=CLONE, env=flow.environment(), stderr=subprocess.PIPE) as running:
        until(what, lambda: running.poll() is not None or come(), WITHIN_S, every_s=0)
        running.kill()
        running.wait()
    consumer.close()
    return running.returncode


def test_a_redriven_record_keeps_its_first_append_time_and_says_where_it_is_from(flow: Flow) -> None:
    someone = person(2, 1)
    append(flow, [marred(someone)], [("source", b"replay"), ("schema", b"1.4"), ("synthetic", b"1")])
    flow.quiet()
    (letter,) = letters(flow, 2).values()
    assert redriven(flow, 2).counts == {ACCEPTED: 1}
    first, second = records_of(flow, uuid(2, 1))
    headers = dict(second.headers)
    assert headers["first_append"].decode() == letter.first_append
    assert round(time.time() * 1000) > second.timestamp > first.timestamp
    assert (headers["source"], headers["schema"], headers["synthetic"]) == (b"replay", b"1.4", b"1")
    assert claimed(flow.keys, second.key, second.value, second.headers) == Claim(letter.place, 1, letter.first_append)
    assert flow.rows()[uuid(2, 1)]["email"] == someone["email"]
    assert letters(flow, 2) == {}
    told = flow.rollcall("dead-letters", "redrive", letter.place, code=2)
    assert "accepted" in told.stderr


def test_a_newer_row_wins_and_the_redriven_one_is_reported_as_overtaken(flow: Flow) -> None:
    append(flow, [marred(person(3, 1, email="older@example.com"))])
    append(flow, [(uuid(3, 1), json.dumps(person(3, 1, email="newer@example.com")).encode())])
    flow.quiet()
    (place,) = letters(flow, 3)
    assert redriven(flow, 3, really=False).counts == {OVERTAKEN: 1}
    said = json.loads(flow.rollcall("dead-letters", "redrive", place, "--yes", "--json").stdout)
    assert said["counts"] == {OVERTAKEN: 1}
    flow.quiet()
    assert flow.rows()[uuid(3, 1)]["email"] == "newer@example.com"
    assert len(records_of(flow, uuid(3, 1))) == 2    # it was not sent
    assert letters(flow, 3) == {}


def test_a_newer_record_that_slips_in_while_redriving_wins_all_the_same(flow: Flow) -> None:
    append(flow, [marred(person(4, 1, email="older@example.com"))])
    flow.quiet()

    def slip_in(said: str) -> None:
        if said.startswith("sending"):
            append(flow, [(uuid(4, 1), json.dumps(person(4, 1, email="newer@example.com")).encode())])

    assert redriven(flow, 4, slip_in).counts == {OVERTAKEN: 1}
    flow.quiet()
    assert flow.rows()[uuid(4, 1)]["email"] == "newer@example.com"
    assert letters(flow, 4) == {}


def test_of_two_letters_of_one_person_the_later_one_wins_in_whatever_order_they_are_redriven(flow: Flow) -> None:
    for number in (1, 2):
        append(flow, [marred(person(5, number, email="older@example.com")),
                      marred(person(5, number, email="newer@example.com"))])
    flow.quiet()
    mine = letters(flow, 5).values()    # in the order of the topic
    first, second = ([letter for letter in mine if uuid(5, number).encode() in letter.value] for number in (1, 2))
    counts = [redrive(flow.settings, [letter], dead_letters.read(flow.settings, "redrive", flow.keys), print, WITHIN_S,
                      really=True).counts for letter in (first[0], first[1], second[1], second[0])]
    assert counts == [{ACCEPTED: 1}, {ACCEPTED: 1}, {ACCEPTED: 1}, {OVERTAKEN: 1}]
    flow.quiet()
    assert {flow.rows()[uuid(5, number)]["email"] for number in (1, 2)} == {"newer@example.com"}


def test_one_that_fails_again_stays_one_letter_with_its_history(flow: Flow) -> None:
    append(flow, [(uuid(6, 1), BOM + json.dumps(person(6, 1, email="nobody")).encode())])
    flow.quiet()
    ((place, letter),) = letters(flow, 6).items()
    for attempt in (1, 2):
        done = redriven(flow, 6)
        assert done.counts == {FAILED: 1}
        flow.quiet()
        ((again, now),) = letters(flow, 6).items()
        assert (again, now.first_append, now.attempts, now.state) == (place, letter.first_append, attempt, "waiting")
        assert done.outcomes[0].why == now.reason
    assert "e-mail" in now.reason or "email" in now.reason
    assert len(records_of(flow, uuid(6, 1))) == 3    # nothing sends it by itself
    flow.verified()


def test_a_claim_that_no_redrive_of_ours_made_overwrites_nobodys_letter(flow: Flow) -> None:
    append(flow, [(uuid(7, 1), BOM + json.dumps(person(7, 1, email="nobody")).encode())])
    flow.quiet()
    ((place, letter),) = letters(flow, 7).items()
    forged = [("letter", place.encode()), ("attempt", b"1"), ("first_append", b"2000-01-01T00:00:00Z"), ("proof", b"0" * 64)]
    append(flow, [(uuid(7, 2), b"{" + uuid(7, 2).encode())], forged)
    flow.quiet()
    found = letters(flow, 7)
    assert len(found) == 2
    assert found[place] == letter
    redriven(flow, 7)
    genuine = records_of(flow, uuid(7, 1))[-1]
    append(flow, [(uuid(7, 3), b"{" + uuid(7, 3).encode())], genuine.headers)    # a genuine claim, another value
    flow.quiet()
    found = letters(flow, 7)
    assert len(found) == 3
    assert json.loads(found[place].value)["login"]["uuid"] == uuid(7, 1)


@pytest.mark.proof
def test_who_is_erased_stays_so_and_the_letter_stays(flow: Flow) -> None:
    append(flow, [marred(person(8, number)) for number in (1, 2)])
    flow.quiet()
    for number in (1, 2):    # the command alone: `rollcall erase` would take the letters away
        commands.send(flow.settings, flow.keys, "erase", uuid(8, number))
    flow.rollcall("lift", uuid(8, 2))    # only records newer than the lift count
    assert redriven(flow, 8).counts == {BARRED: 2}
    assert len(letters(flow, 8)) == 2
    assert _rows(flow, 8) == set()
    flow.rollcall("erase", uuid(8, 1))
    ((_, left),) = letters(flow, 8).items()
    assert uuid(8, 2).encode() in left.value


@pytest.mark.proof
def test_discarded_letters_are_gone_and_stay_gone_when_the_topic_is_read_again(flow: Flow) -> None:
    append(flow, [(uuid(9, number), json.dumps(person(9, number, nat="canary", phone=uuid(9, 1))).encode())
                  for number in range(3)])
    flow.quiet()
    places = sorted(letters(flow, 9))
    before = dead_letters.read(flow.settings, "verify", flow.keys).counts[DISCARDED]
    flow.rollcall("dead-letters", "discard", *places, code=2)    # without a reason
    dry = json.loads(flow.rollcall("dead-letters", "discard", *places[:2], "--because", "test", "--json").stdout)
    assert (dry["done"], dry["letters"]) == (False, 2)
    assert sorted(letters(flow, 9)) == places
    flow.rollcall("dead-letters", "discard", *places[:2], "--because", "nobody's", "--yes")
    assert sorted(letters(flow, 9)) == places[2:]
    assert set(places[:2]) & set(dead_letters.read(flow.settings, "verify", flow.keys).letters) == set()
    (kept,) = [one for one in flow.documents("discards").values() if one["because"] == "nobody's"]
    assert (kept["because"], kept["letters"], kept["places"], kept["done"]) == ("nobody's", 2, places[:2], True)
    assert kept["by"]
    assert kept["at"].tzinfo
    assert kept["reasons"][0]["letters"] == 2
    flow.stop()
    flow.forget_place()
    flow.start()
    flow.quiet()
    box = dead_letters.read(flow.settings, "verify", flow.keys)
    assert set(places[:2]) <= set(box.letters)    # the stream has put them again,
    assert sorted(letters(flow, 9)) == places[2:]    # and they are known as handled,
    flow.verified()
    assert box.counts[DISCARDED] == before + 2
    flow.rollcall("dead-letters", "redrive", places[2], "--yes")
    assert set(places[:2]) & set(dead_letters.read(flow.settings, "verify", flow.keys).letters) == set()    # and taken away


def test_a_discard_that_was_killed_is_ended_by_the_next_one(flow: Flow) -> None:
    append(flow, [(uuid(12, number), json.dumps(person(12, number, nat=5, phone=uuid(12, 1))).encode()) for number in range(3)])
    flow.quiet()
    first, second, third = sorted(letters(flow, 12))
    box = dead_letters.read(flow.settings, "redrive", flow.keys)
    with pytest.MonkeyPatch.context() as patch:    # killed after the mark, before the letter is taken away
        patch.setattr(DeadLetters, "remove", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            discard(flow.settings, [letter for letter in box.standing if letter.place == first], box, "killed")
    assert first in dead_letters.read(flow.settings, "redrive", flow.keys).left_over
    flow.rollcall("dead-letters", "discard", second, "--because", "next", "--yes")
    box = dead_letters.read(flow.settings, "redrive", flow.keys)
    assert (box.left_over, sorted(letters(flow, 12))) == ([], [third])
    kept = {record["because"]: record["done"] for record in flow.documents("discards").values()}
    assert (kept["killed"], kept["next"]) == (True, True)


def test_list_counts_and_show_tells_no_value(flow: Flow) -> None:
    someone = {**person(10, 1, nat="nobody", email="canary@canary.example"), "canary-name": "canary-value"}
    someone["name"] = {"first": "Canary", "last": ["Canary"]}
    append(flow, [(uuid(10, 1), json.dumps(someone).encode()), (uuid(10, 2), b"\xff\xfecanary" + uuid(10, 2).encode())])
    flow.quiet()
    said = json.loads(flow.rollcall("dead-letters", "list", "--reason", "json of one person", "--json", "--limit", "1").stdout)
    assert len(said["letters"]) == 1
    assert said["chosen"] == sum(kind["letters"] for kind in said["reasons"]) > 1
    assert set(said["counts"]) == {"waiting", "sent", "accepted", "overtaken", "discarded"}
    assert "canary" not in flow.rollcall("dead-letters", "list", "--limit", "5000").stdout.lower()
    for place in letters(flow, 10):
        for options in ((), ("--json",)):
            shown = flow.rollcall("dead-letters", "show", place, *options).stdout
            assert "canary" not in shown.lower()
            assert uuid(10, 1) not in shown
            assert ("21 characters" in shown and "(unknown)" in shown) or "UTF-16" in shown
    assert flow.rollcall("dead-letters", "show", "nowhere-1-2", code=2).stderr.count("There is no dead letter") == 1


def test_a_redrive_that_the_stream_does_not_answer_changes_nothing_and_says_so(flow: Flow) -> None:
    append(flow, [marred(person(11, 1))])
    flow.quiet()
    (place,) = letters(flow, 11)
    stream = flow.stream
    assert stream is not None
    os.killpg(stream.pid, signal.SIGSTOP)
    try:
        append(flow, [(uuid(11, 2), json.dumps(person(11, 2)).encode())])    # so that there is something to read
        told = flow.rollcall("dead-letters", "redrive", place, "--yes", "--within", "1", code=75)
    finally:
        os.killpg(stream.pid, signal.SIGCONT)
    assert "give the same command again" in told.stderr
    assert set(letters(flow, 11)) == {place}
    said = json.loads(flow.rollcall("dead-letters", "redrive", place, "--yes", "--json").stdout)
    assert said["counts"] == {ACCEPTED: 1}


@pytest.mark.proof
def test_a_letter_under_way_is_not_discarded_until_a_redrive_has_ended_it(flow: Flow) -> None:
    append(flow, [marred(person(13, number)) for number in (1, 2)])
    flow.quiet()
    here, erased = sorted(letters(flow, 13).values(), key=lambda letter: uuid(13, 2).encode() in letter.value)
    dead = DeadLetters(flow.settings, "redrive", flow.keys)    # as a redrive leaves them that was killed after its marks
    for letter in (here, erased):
        dead.mark(Mark(letter.place, SENT, 1, letter.first_append, since={"0": 0}))
    dead.flush()
    dead.close()
    options = ("discard", here.place, erased.place, "--because", "test", "--yes")
    said = json.loads(flow.rollcall("dead-letters", *options, "--json").stdout)
    assert (said["letters"], said["under_way"]) == (0, 2)
    assert {letter.state for letter in letters(flow, 13).values()} == {SENT}
    flow.rollcall("erase", uuid(13, 2), code=75)    # a letter of theirs is being redriven: first it ends, then they are erased
    commands.send_erasures(flow.settings, flow.keys, [uuid(13, 2)], "sent before the redrive was killed")
    flow.quiet()
    assert redriven(flow, 13).counts == {ACCEPTED: 1, BARRED: 1}
    ((place, letter),) = letters(flow, 13).items()
    assert (place, letter.state) == (erased.place, "waiting")
    assert "1 letters are discarded" in flow.rollcall("dead-letters", "discard", place, "--because", "test", "--yes").stdout
    assert letters(flow, 13) == {}


def test_a_second_act_is_refused_and_a_dry_run_is_not(flow: Flow) -> None:
    append(flow, [marred(person(14, 1))])
    flow.quiet()
    (place,) = letters(flow, 14)
    with alone(flow.settings):
        for act in (("redrive", place), ("discard", place, "--because", "test")):
            assert "already" in flow.rollcall("dead-letters", *act, "--yes", code=75).stderr
            flow.rollcall("dead-letters", *act)
    assert [letter.state for letter in letters(flow, 14).values()] == ["waiting"]
    assert redriven(flow, 14).counts == {ACCEPTED: 1}
