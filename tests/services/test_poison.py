"""Poison of the exotic kind among good people: each is a row or a dead letter, the stream lives on, and all agrees."""

import base64
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import MessageSizeTooLargeError

from engine import topics
from engine.clients import kafka_producer
from engine.producer import LARGEST
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.sources import parsed
from engine.stores.dead_letters import LARGEST as LARGEST_LETTER
from governance.outline import first_bytes, outline
from tests.people import generated
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

MIB = 1_048_576
STEP = 50    # bytes
Headers = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow with a running stream, for the tests of this file in their order."""
    with Flow(stack, tmp_path_factory.mktemp("poison"), "poison") as made:
        made.start()
        yield made


class Sent:
    """What was appended: keys of good people, and how many records are no person, by a word of their reason."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.number = flow, 0
        self.good: set[str] = set()
        self.bad: list[str] = []

    def person(self, **changes: Any) -> dict[str, Any]:
        """The next person, good unless the changes make it bad."""
        self.number += 1
        uuid = f"00000000-0000-4000-b000-{self.number:012d}"
        return {**generated()[self.number], "login": {"uuid": uuid, "password": "canary-password"}, **changes}

    def append(self, key: bytes, value: bytes, headers: Headers | None = None, **options: Any) -> None:
        """Appends a record as a sender other than ours would."""
        producer = kafka_producer(self.flow.settings, "producer", **options)
        try:
            producer.send(self.flow.settings.kafka.topic, key=key, value=value, headers=headers or []).get(timeout=30)
        finally:
            producer.close()

    def is_good(self, person: dict[str, Any], value: bytes | None = None, headers: Headers | None = None,
                **options: Any) -> None:
        """Appends a record that must become a row."""
        uuid = person["login"]["uuid"]
        self.append(uuid.encode(), json.dumps(person).encode() if value is None else value, headers, **options)
        self.good.add(uuid)

    def is_bad(self, word: str, value: bytes, key: bytes | None = None, headers: Headers | None = None,
               **options: Any) -> None:
        """Appends a record that must become a dead letter with this word in its reason, and a good one after it."""
        uuid = self.person()["login"]["uuid"].encode()
        self.append(uuid if key is None else key, value, headers, **options)
        self.bad.append(word)
        self.is_good(self.person())

    def next_key(self) -> str:
        """The uuid under which `is_bad` will append its record."""
        return f"00000000-0000-4000-b000-{self.number + 1:012d}"

    def but(self, **changes: Any) -> bytes:
        """The person that `is_bad` is going to append, changed."""
        return json.dumps({**generated()[self.number], "login": {"uuid": self.next_key()}, **changes}).encode()

    def all_accounted_for(self) -> None:
        """Rows are the good ones, dead letters the bad ones."""
        self.flow.quiet()
        letters = self.flow.dead_letters()
        rows = set(self.flow.rows())
        told = [letter.reason for letter in letters if any(uuid.encode() in letter.value for uuid in self.good - rows)]
        assert rows == self.good, (self.good - rows, told)
        left = [letter.reason for letter in letters]
        for word in self.bad:
            found = next((reason for reason in left if word in reason), None)
            assert found is not None, (word, left)
            left.remove(found)
        assert left == []
        assert self.flow.stream is not None
        assert self.flow.stream.poll() is None


@pytest.fixture(scope="module")
def sent(flow: Flow) -> Sent:
    """What all tests of this file have appended."""
    return Sent(flow)


def nested(levels: int, around: str = "[]") -> str:
    """Lists, or objects, in each other."""
    begin, end = ("[", "]") if around == "[]" else ('{"a":', "}")
    return begin * levels + "1" + end * levels


def test_what_is_hardly_text(sent: Sent) -> None:
    chance = random.Random(4)
    sent.is_bad("not the JSON", chance.randbytes(5000))
    sent.is_bad("empty", b"")
    sent.is_bad("empty", b" \r\n\t")
    sent.is_bad("not the JSON", b"\0" * 100)
    sent.is_bad("not the JSON", sent.but()[:-1] + b"\0}")
    sent.is_bad("not the JSON", b"\xef\xbb\xbf" + sent.but())
    sent.is_bad("not the JSON", json.dumps({"a": 1}).encode("utf-16"))
    sent.is_bad("not Unicode", sent.but(phone="x").replace(b'"x"', b'"\xed\xa0\x80"'))
    sent.is_bad("not Unicode", sent.but(phone="x").replace(b'"x"', b'"\xc0\xaf"'))
    sent.is_bad("not Unicode", sent.but(phone="\ud83d"))
    sent.is_good(sent.person(phone="\U0001f600", name={"first": "Zo\u0308e\u200b", "last": "\u202e\u0627"}))
    sent.is_good(sent.person(location={"city": "a\0b", "street": "c\0"}))
    sent.is_bad("email must", sent.but(email="a@b\0.org"))
    sent.is_good(sent.person(email="o'\"\\$x@$where.\\\"'\u00e9\U0001f600"))


def test_what_is_hardly_json(sent: Sent) -> None:
    sent.is_bad("not the JSON", nested(10_000).encode())
    sent.is_bad("not the JSON", nested(10_000, "{}").encode())
    sent.is_bad("not the JSON", b"[" * 1_000_000)
    sent.is_bad("not the JSON", sent.but(more="x").replace(b'"x"', nested(10_000).encode()))
    sent.is_bad("not the JSON", sent.but(phone="x").replace(b'"x"', nested(10_000, "{}").encode()))
    sent.is_bad("text or numbers", sent.but(phone="x").replace(b'"x"', nested(400).encode()))
    good = sent.person(more="x")
    sent.is_good(good, json.dumps(good).replace('"x"', nested(500)).encode())
    sent.is_bad("not the JSON", sent.but() + sent.but())
    sent.is_bad("not the JSON", sent.but() + b", " + sent.but())
    sent.is_bad("not the JSON", sent.but() + b"}], [{" + sent.but())
    sent.is_bad("not the JSON", sent.but() + b" and }")
    sent.is_bad("not the JSON", b"'a'".join(sent.but().split(b'"gender"', 1)))
    sent.is_bad("not the JSON", sent.but(phone="x").replace(b'"x"', b"NaN"))
    twice = sent.person()
    sent.is_good(twice, b'{"email": "nobody", "nat": 5,' + json.dumps(twice).encode()[1:])    # the last of a name counts
    sent.is_bad("email must", sent.but()[:-1] + b', "email": "nobody"}')
    huge = sent.person(dob={"date": "1990-01-02", "age": 7})
    sent.is_good(huge, json.dumps(huge).replace('"age": 7', '"age": 1e400').encode())
    sent.is_good(sent.person(dob={"date": "1990-01-02", "age": 10 ** 400}))
    sent.is_bad("not the JSON", sent.but(phone=7).replace(b'"phone": 7', b'"phone": ' + b"7" * 5000))
    sent.is_bad("nationality", sent.but(nat=1e300))


def test_what_is_of_another_shape(sent: Sent) -> None:
    moved = {"schema": 2, "identity": {"uuid": sent.next_key()}, "names": ["a", "b"], "contact": {"email": "a@b.org"}}
    sent.is_bad("header `schema`", json.dumps(moved).encode(), headers=[("schema", b"2.0")])
    sent.is_bad("header `schema`", sent.but(), headers=[("schema", b"2.0")])
    sent.is_bad("header `schema`", sent.but(), headers=[("schema", b"1." + b"9" * 500_000)])
    sent.is_bad("no login.uuid", json.dumps(moved).encode())
    sent.is_bad("dob.date", sent.but(dob=None, birth={"day": "1990-01-01"}))
    sent.is_good(sent.person(nickname="x", contact={"email": "c@d.org"}), headers=[("schema", b"1.9")])
    sent.is_good(sent.person(), headers=[("synthetic", b"\xff"), ("letter", b""), ("attempt", b"9" * 5000)])
    sent.is_bad("dob.date", sent.but(dob=5), headers=[("letter", b"x"), ("attempt", b"9" * 5000), ("proof", b"\xff")])
    sent.is_good(sent.person(), headers=[(f"h{number}", b"x" * 100) for number in range(1000)])


def test_keys_that_are_none(sent: Sent) -> None:
    for key in (b"", b"\xff\xfe", b"\0", b"k" * 100_000, sent.next_key().upper().encode(), sent.next_key().encode() + b"\n"):
        sent.is_bad("key is not", sent.but(), key=key)
    ended = sent.next_key() + "\n"
    sent.is_bad("no login.uuid", sent.but(login={"uuid": ended}), key=ended.encode())
    sent.all_accounted_for()


def largest_that_fits(sent: Sent, key: bytes, made: Callable[[int], bytes]) -> int:
    """The largest number, to within STEP, whose value the broker takes under this key, not packed; it is appended."""
    for number in range(topics.PEOPLE_MAX_BYTES - len(made(0)), 0, -STEP):
        try:
            sent.append(key, made(number), compression_type=None)
        except MessageSizeTooLargeError:
            continue
        return number
    raise AssertionError("not even an empty one")


def test_what_is_as_large_as_the_broker_takes_has_its_letter(sent: Sent) -> None:
    noise = base64.b85encode(random.Random(5).randbytes(MIB)).decode()
    for word, changes in (("email must", {"email": "nobody"}), ("not the JSON", {})):
        whole, cut = sent.but(**changes), -1 if word == "not the JSON" else None

        def bad(number: int, whole: bytes = whole, cut: int | None = cut) -> bytes:
            return (whole[:-1] + b', "more": ' + json.dumps(noise[:number]).encode() + b"}")[:cut]

        key = sent.next_key().encode()
        size = len(bad(largest_that_fits(sent, key, bad)))
        assert topics.PEOPLE_MAX_BYTES - 300 < size < topics.PEOPLE_MAX_BYTES
        sent.bad.append(word)
        sent.is_good(sent.person())
    sent.is_good(sent.person(more=noise[:1_000_000]), compression_type=None)
    for packed in (None, "lz4", "gzip"):
        value = sent.but(email="nobody", more="\u00e9" * 400_000)    # each sign is six bytes here, and two in its letter
        if packed:
            value = sent.but(email="nobody", more="x" * (MIB - 2000))
        sent.is_bad("larger than" if len(value) > MIB else "email must", value, compression_type=packed or "lz4",
                    max_request_size=64 * MIB)
    for size in (LARGEST_LETTER - 2000, LARGEST_LETTER + 1, 30 * MIB):    # far larger than the limit before it was packed
        sent.is_bad("larger than", sent.but(more="x" * size), compression_type="gzip", max_request_size=64 * MIB)
    with pytest.raises(MessageSizeTooLargeError):
        sent.append(b"k", (noise * 2).encode(), compression_type=None)
    sent.all_accounted_for()
    kept = Counter("too large to be kept" in letter.reason for letter in sent.flow.dead_letters() if "larger" in letter.reason)
    assert kept == {False: 2, True: 2}


def test_one_that_the_broker_refuses_spoils_no_other(sent: Sent) -> None:
    noise = base64.b85encode(random.Random(6).randbytes(MIB))
    sender = Sender(sent.flow.settings, "producer")
    sender.send(outgoing(sent, b"refused 0", noise))
    for number in range(1, 20):
        person = sent.person()
        sender.send(outgoing(sent, person["login"]["uuid"].encode(), json.dumps(person).encode()))
        sent.good.add(person["login"]["uuid"])
        if number in (7, 8):
            sender.send(outgoing(sent, f"refused {number}".encode(), noise))
    settled = sender.settle()
    sender.close()
    assert (settled.acknowledged, [record.place for record in settled.too_large]) == (
        19, ["refused 0", "refused 7", "refused 8"])
    sent.all_accounted_for()


def outgoing(sent: Sent, key: bytes, value: bytes) -> Outgoing:
    """A record of the topic of people."""
    return Outgoing(sent.flow.settings.kafka.topic, key, value, [], key.decode())


def test_what_is_too_large_is_refused_at_the_source_with_its_place(sent: Sent, tmp_path: Path) -> None:
    good, large, enormous = sent.person(), sent.person(), sent.person()
    large["phone"], enormous["phone"] = "5" * LARGEST, "5" * (9 * MIB)
    file = tmp_path / "sizes.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (large, good, enormous)))
    said = sent.flow.produce(file)
    assert (said["read"], said["sent"], said["dead"]) == (3, 1, 2)
    sent.good.add(good["login"]["uuid"])
    sent.bad += ["bytes; allowed are", "bytes; allowed are"]
    sent.all_accounted_for()
    letters = {letter.place.split("#")[0]: letter for letter in sent.flow.dead_letters() if letter.place.startswith("sizes")}
    assert set(letters) == {"sizes.jsonl:1", "sizes.jsonl:3"}
    assert json.loads(letters["sizes.jsonl:1"].value)["phone"] == large["phone"]
    assert letters["sizes.jsonl:3"].value == b""


@pytest.mark.proof
def test_all_agrees_and_every_letter_can_be_looked_at_and_tried_again(sent: Sent) -> None:
    flow = sent.flow
    flow.verified()
    before = flow.dead_letters()
    for letter in before:
        try:
            told = repr(outline(parsed(letter.value)))
        except ValueError:
            told = first_bytes(letter.value)
        assert "canary" not in told + letter.reason
        assert "example.com" not in told
    said = json.loads(flow.rollcall("dead-letters", "redrive", "--all", "--yes", "--json").stdout)
    assert sum(said["counts"].values()) == len(before)
    flow.quiet()
    places: dict[str, set[str]] = {}
    for outcome in said["outcomes"]:
        places.setdefault(outcome["what"], set()).add(outcome["place"])
    assert len(places["overtaken"]) == 1    # the largest one: a good record of the same person followed it
    after = flow.dead_letters()
    assert {letter.place for letter in after} == places["refused"] | places["failed"]
    assert len(places["accepted"]) >= 8     # byte order marks, wrong keys, what was large for a field that is not ours
    assert len(flow.rows()) == len(sent.good) + len(places["accepted"])
    assert flow.verified().dead_letters == len(after)
