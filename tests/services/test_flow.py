"""The whole flow on the real systems with real people: accounted for to the last one, whatever is repeated or killed."""

import json
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from kafka import TopicPartition

from engine.birth_months import average_age, in_months, in_years
from engine.clients import cassandra_session, kafka_consumer, kafka_producer, mongo_client
from engine.person import ARRIVALS, DOMAINS, NATIONALITIES
from engine.settings import Settings
from tests.people import CAPTURED, GENERATED, generated
from tests.proof import Proof
from tests.services.flow import MOVING, PERSONAL, Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """One flow for the tests of this file, which build on one another in their order."""
    with Flow(stack, tmp_path_factory.mktemp("flow"), "flow") as made:
        yield made


def test_every_captured_person_is_a_row_or_a_dead_letter_with_its_reason(flow: Flow) -> None:
    flow.start()
    for file in CAPTURED.values():
        before = len(flow.rows()), len(flow.dead_letters())
        said = flow.produce(file)
        flow.quiet()
        people = len(file.read_text().splitlines())
        rows, dead = len(flow.rows()) - before[0], len(flow.dead_letters()) - before[1]
        assert (said["read"], rows + dead) == (people, people), file.name
    assert len(flow.rows()) == 165
    letters = flow.dead_letters()
    assert len(letters) == 101
    assert all("uuid" in letter.reason and letter.value for letter in letters)


def test_five_thousand_people_give_five_thousand_rows_and_aggregates_as_pandas_counts_them(flow: Flow) -> None:
    before = Counter(flow.cells())
    assert flow.produce(GENERATED)["sent"] == 5000
    flow.quiet()
    people = pd.json_normalize(generated())
    rows = flow.rows()
    assert set(people["login.uuid"]) <= set(rows)
    assert len(rows) == 5165
    added = Counter({cell: n - before[cell] for cell, n in flow.cells().items() if n != before[cell]})
    months = people["dob.date"].str[:7]
    by_month = people.groupby(["nat", "gender", months]).size()
    assert {(cell.document, cell.gender, cell.month): n for cell, n in added.items()
            if cell.collection == NATIONALITIES} == by_month.to_dict()
    domains = people["email"].str.split("@").str[1].value_counts().to_dict()
    assert {cell.document: n for cell, n in added.items() if cell.collection == DOMAINS} == domains
    assert sum(n for cell, n in added.items() if cell.collection == ARRIVALS) == 5000


def test_average_age_is_the_one_of_the_file(flow: Flow) -> None:
    only = {person["login"]["uuid"] for person in generated()}
    others = Counter((row["nat"], row["birth_month"]) for uuid, row in flow.rows().items() if uuid not in only)
    births: dict[str, Counter[str]] = {}
    for cell, n in flow.cells().items():
        if cell.collection == NATIONALITIES:
            births.setdefault(cell.document, Counter())[cell.month] += n
    for (nat, month), n in others.items():
        births[nat][month] -= n
    today = datetime.now(UTC).date()
    people = pd.json_normalize(generated())
    mid_month = pd.to_datetime(people["dob.date"].str[:7] + "-15")
    people["age"] = (pd.Timestamp(today) - mid_month).dt.days / 365.2425
    people["exact"] = (pd.Timestamp(today) - pd.to_datetime(people["dob.date"].str[:10])).dt.days / 365.2425
    whole = sum(births.values(), Counter())
    assert average_age(whole, today) == pytest.approx(people["age"].mean(), abs=1e-6)
    assert average_age(whole, today) == pytest.approx(people["exact"].mean(), abs=0.05)
    for nat, mean in people.groupby("nat")["age"].mean().items():
        assert average_age(births[str(nat)], today) == pytest.approx(mean, abs=1e-6)


def test_people_of_all_nationalities_survive_into_name_address_and_email(flow: Flow) -> None:
    rows = flow.rows()
    people = generated()
    assert len({person["nat"] for person in people}) == 21
    for person in people:
        row, place = rows[person["login"]["uuid"]], person["location"]
        street = f"{place['street']['number']} {place['street']['name']}".strip()    # the file has "Rua Pará "
        town = f"{place['postcode']} {place['city']}".strip()                       # and "Støvring "
        assert row["full_name"] == f"{person['name']['first']} {person['name']['last']}"
        assert row["full_address"] == ", ".join((street, town, place["state"], place["country"]))
        assert row["email"] == person["email"]
        assert row["birth_date"] == person["dob"]["date"][:10]
        born, on = date.fromisoformat(row["birth_date"]), row["age_as_of"].date()
        assert row["age"] == on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    postcodes = {str(person["location"]["postcode"]) for person in people}
    assert any(code.startswith("0") for code in postcodes)
    assert any(code[-1].isalpha() for code in postcodes)
    assert any("'" in person["email"] for person in people)
    assert any(person["nat"] == "IR" and not person["name"]["first"].isascii() for person in people)


def content(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says of its person: all but where its record stood, sealed columns opened."""
    return {name: value for name, value in row.items() if name not in MOVING or name in PERSONAL}


def test_the_same_file_again_in_any_order_through_kills_and_a_lost_checkpoint_changes_nothing(
        flow: Flow, tmp_path: Path, proof: Proof) -> None:
    rows, cells = {uuid: content(row) for uuid, row in flow.rows().items()}, flow.cells()
    people = generated()
    for seed, accident in ((1, "kill"), (2, "checkpoint"))[0 if proof.path else 1:]:    # a lost checkpoint is a kill, too
        random.Random(seed).shuffle(people)
        file = tmp_path / f"again{seed}.jsonl"
        file.write_text("".join(json.dumps(person) + "\n" for person in people))
        assert flow.produce(file)["sent"] == 5000
        turn = _turn(flow)
        flow.until("a turn was done", lambda turn=turn: _turn(flow) != turn)    # type: ignore[misc]
        flow.stop(signal.SIGKILL)
        if accident == "checkpoint":
            flow.forget_place()
        flow.start()
        flow.quiet()
    assert {uuid: content(row) for uuid, row in flow.rows().items()} == rows
    assert flow.cells() == cells
    flow.verified()


def _turn(flow: Flow) -> object:
    return flow.documents("pipeline_status").get("figures", {}).get("turn")


POISON_KEY = b"9a723211-0e87-41f1-b1e4-ed1a15226b8f"


def _poison() -> dict[str, tuple[bytes, bytes]]:
    """What is no person, by a word of its reason; each with a password, salt and hash where it can hold them."""
    person = json.loads(CAPTURED["1.4"].read_text().splitlines()[0])
    person["login"]["uuid"] = POISON_KEY.decode()

    def but(**changes: Any) -> bytes:
        return json.dumps({**person, **changes}).encode()

    whole = json.dumps(person).encode()
    return {
        "truncated": (POISON_KEY, whole[:200]),
        "wrong type": (POISON_KEY, but(name=[1, 2])),
        "name.first": (POISON_KEY, but(name={"first": {"a": 1}, "last": "x"})),
        "no login.uuid": (POISON_KEY, but(login={"password": "canary-password", "salt": "canary-salt", "md5": "canary-md5"})),
        "dob.date": (POISON_KEY, but(dob={"date": "1990-02-30T00:00:00Z", "age": 1})),
        "between 1900": (POISON_KEY, but(dob={"date": "2990-01-01T00:00:00Z"})),
        "not the uuid": (b"00000000-0000-4000-8000-000000000000", whole),
        "whole answer": (POISON_KEY, json.dumps({"results": [person], "info": {}}).encode()),
        "@": (POISON_KEY, but(email="nobody")),
        "nationality": (POISON_KEY, but(nat=5)),
        "empty": (POISON_KEY, b""),
        "longer": (POISON_KEY, but(email="a@" + "d" * 9000 + ".org")),
        "longer too": (POISON_KEY, but(phone="5" * 300_000)),
        "not_json": (POISON_KEY, b"\xff\xfe\x00"),
        "trailing": (POISON_KEY, whole + b" and more"),
    }


def test_poison_is_kept_with_its_reason_and_the_good_ones_among_it_are_stored(flow: Flow) -> None:
    rows, letters = set(flow.rows()), {letter.place for letter in flow.dead_letters()}
    good = [{**person, "login": {"uuid": f"00000000-0000-4000-9000-{number:012d}"}}
            for number, person in enumerate(generated()[:15])]
    for person, (key, value) in zip(good, _poison().values(), strict=True):
        flow.send(person["login"]["uuid"].encode(), json.dumps(person).encode())
        flow.send(key, value)
    flow.quiet()
    assert set(flow.rows()) - rows == {person["login"]["uuid"] for person in good}
    fresh = [letter for letter in flow.dead_letters() if letter.place not in letters]
    assert len(fresh) == len(_poison())
    for word in ("truncated", "name.first", "no login.uuid", "dob.date", "not the uuid", "whole answer", "@", "nationality",
                 "empty", "longer"):
        assert any(word in letter.reason for letter in fresh), word
    secrets = json.loads(CAPTURED["1.4"].read_text().splitlines()[0])["login"]
    readable = [letter.value.decode() for letter in fresh if _parses(letter.value)]
    assert len(readable) >= 8
    for text in readable:
        for secret in ("password", "salt", "md5", "sha1", "sha256"):
            assert secrets[secret] not in text
        assert "canary-" not in text


def _parses(value: bytes) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def test_verify_agrees_and_then_names_what_was_altered_behind_its_back(flow: Flow) -> None:
    assert json.loads(flow.rollcall("verify", "--json").stdout)["ok"]
    altered, deleted, shut, moved, marked = (UUID(person["login"]["uuid"]) for person in generated()[:5])
    # one that the stream wrote: of what the producer could not send there is no record
    letter = next(letter for letter in flow.dead_letters() if letter.place.startswith(f"{flow.settings.kafka.topic}-"))
    with _behind_its_back(flow, altered, deleted, shut, moved, marked), _without(flow, letter.place):
        report = json.loads(flow.rollcall("verify", "--json", code=1).stdout)
    found = {finding["where"]: finding["what"] for finding in report["findings"]}
    assert found[f"row {altered}"] == "not what its newest record says: nat"
    assert found[f"row {deleted}"] == "the row is missing"
    assert found[f"row {shut}"] == "a sealed column cannot be opened; not what its newest record says: email"
    assert "the topic holds another" in found[f"row {moved}"]
    assert "its marker says it must not stand" in found[f"row {marked}"]
    assert found[f"record {letter.place}"] == "it is no person and has no dead letter"
    assert any(where.startswith(f"{NATIONALITIES}/FR") for where in found)
    assert any(where.startswith(f"{DOMAINS}/example.com") for where in found)
    assert {where.split("/")[0] for where in found} == {
        NATIONALITIES, DOMAINS, ARRIVALS, f"record {letter.place}",
        *(f"row {uuid}" for uuid in (altered, deleted, shut, moved, marked))}, "and nothing else"


@contextmanager
def _behind_its_back(flow: Flow, altered: UUID, deleted: UUID, shut: UUID, moved: UUID, marked: UUID) -> Iterator[None]:
    """Spoils five rows and an aggregate; the marker is taken away again, the rest stays for the next test to mend."""
    profiles, markers = (f"{flow.settings.cassandra.keyspace}.{name}" for name in ("profiles", "markers"))
    token = flow.keys.suppression_token(str(marked))
    with cassandra_session(flow.settings, "provision") as session:
        session.execute(f"UPDATE {profiles} SET nat = 'XX' WHERE uuid = %s", (altered,))
        session.execute(f"DELETE FROM {profiles} WHERE uuid = %s", (deleted,))
        foreign = session.execute(f"SELECT email, source_partition, source_offset FROM {profiles} WHERE uuid = %s",
                                  (marked,)).one()
        session.execute(f"UPDATE {profiles} SET email = %s WHERE uuid = %s", (foreign.email, shut))
        session.execute(f"UPDATE {profiles} SET source_partition = %s, source_offset = %s WHERE uuid = %s",
                        (foreign.source_partition, foreign.source_offset, moved))
        session.execute(f"INSERT INTO {markers} (suppression, erased) VALUES (%s, true)", (token,))
        with mongo_client(flow.settings, "provision") as client:
            collection = client[flow.settings.mongo.database][NATIONALITIES]
            years = collection.find_one({"_id": "FR"})["counts"]["births"]["female"]    # type: ignore[index]
            year = next(iter(years))
            one_more = in_years({f"{year}-01": 1, **in_months({year: years[year]})} | {f"{year}-12": 7})
            collection.update_one({"_id": "FR"}, {"$set": {f"counts.births.female.{year}": one_more[year]}})
        yield
        session.execute(f"DELETE FROM {markers} WHERE suppression = %s", (token,))


@contextmanager
def _without(flow: Flow, place: str) -> Iterator[None]:
    """Takes a dead letter away, and gives it back as it was."""
    topic = flow.settings.kafka.dead_topic
    consumer = kafka_consumer(flow.settings, "verify")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    kept = None
    while kept is None:
        records = consumer.poll(timeout_ms=5000).get(partition)
        assert records, "the letter is on the topic"
        kept = next((record for record in records if record.key == place.encode()), None)
    consumer.close()
    producer = kafka_producer(flow.settings, "provision")
    producer.send(topic, key=kept.key, value=None).get(timeout=10)
    yield
    producer.send(topic, key=kept.key, value=kept.value, headers=list(kept.headers)).get(timeout=10)
    producer.close()


@pytest.mark.proof
def test_a_repair_a_recount_and_a_replay_mend_what_was_altered(flow: Flow) -> None:
    report = json.loads(flow.rollcall("verify", "--repair", "--json", code=1).stdout)
    assert report["findings"]
    assert all(finding["where"].startswith("row ") for finding in report["findings"]), "the aggregates were recounted"
    flow.produce(GENERATED)
    for file in CAPTURED.values():
        flow.produce(file)
    flow.quiet()
    flow.rollcall("recount")
    flow.verified()
