"""A small batch comes to what Spark's comes to, from the same records on the same Cassandra: fingerprint, decisions, rows."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any

import pytest
from pyspark.sql import SparkSession

from engine.clients import cassandra_session
from engine.commands import Command, Marker, Verdict, fold
from engine.errors import RollcallError
from engine.person import Position
from engine.sealing import KEY_ID_BYTES, KeyRing
from engine.settings import Settings
from engine.spark.batch import SparkBatch, SparkResolved, Surroundings, rows
from engine.spark.small_batch import FEW, LEFT_FOR, Batches, SmallBatch
from engine.stores.dead_letters import DeadLetters
from engine.stores.known import Known
from engine.stores.profiles import CONCURRENCY, WRITTEN, Profiles, Request
from engine.stores.schema import SEALED
from engine.writer.plain_batch import PlainResolved
from engine.writer.write_order import Aside
from tests.people import generated
from tests.services.flow import Flow
from tests.services.test_spark_batch import START, Pack, raw_of, value
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

ROUNDS, PACKS = 4, 80
Sent = tuple[str, bytes | None, Position]
"""Key, value and place of a record."""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """Tables of its own."""
    with Flow(stack, tmp_path_factory.mktemp("small"), "small") as made:
        yield made


@pytest.fixture(scope="module")
def profiles(flow: Flow) -> Iterator[Profiles]:
    """Rows and markers as the stream reads and writes them."""
    with cassandra_session(flow.settings, "provision") as session:
        yield Profiles(session, flow.settings.cassandra.keyspace, flow.keys)


@pytest.fixture(scope="module")
def letters(flow: Flow) -> Iterator[DeadLetters]:
    """Where the stream keeps what is no person."""
    kept = DeadLetters(flow.settings, "stream", flow.keys)
    yield kept
    kept.close()


def varied(person: bytes, number: int) -> bytes:
    """The person with something else of what a row holds, or without it: what a newer record lacks is null over what stood."""
    known = json.loads(person)
    changes: tuple[dict[str, Any], ...] = (
        {}, {"phone": ""}, {"location": {**known["location"], "city": "Ålesund 中", "state": "12 Rue de l'Église, 75001"}},
        {"location": {"country": "Norway"}, "registered": "never"})
    return json.dumps({**known, **changes[number % len(changes)]}).encode()


def told(resolved: PlainResolved | SparkResolved) -> dict[str, Any]:
    """What a batch comes to, but for its rows."""
    return {"deltas": dict(resolved.deltas), "deletes": sorted(resolved.deletes), "recoloured": dict(resolved.recoloured),
            "repinned": dict(resolved.repinned), "barred": sorted(resolved.barred), "figures": dict(resolved.figures)}


def opened(row: dict[str, Any], keys: KeyRing) -> dict[str, Any]:
    """A row's columns by name, what is sealed in clear, each value as text, moments in milliseconds."""
    uuid = str(row["uuid"])
    boxes = {name: None if row[name] is None else keys.open_column(uuid, name, bytes(row[name])) for name in SEALED}
    ids = {bytes(row[name])[:KEY_ID_BYTES].decode() for name in SEALED if row[name] is not None}
    assert ids <= {row["key_id"]}
    moments = {name: round(row[name].replace(tzinfo=UTC).timestamp() * 1000) for name in ("appended_at", "first_seen")}
    return {name: str(text) for name, text in {**row, **boxes, **moments}.items()}


def standing(profiles: Profiles, flow: Flow, uuids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """All columns of the rows of these people, opened, with the time they were written at, by uuid."""
    found = profiles.session.execute(
        f"SELECT {', '.join(WRITTEN)}, pinned, rectified, writetime(counted) AS at, writetime(display_name) AS display_at "
        f"FROM {flow.settings.cassandra.keyspace}.profiles")
    return {str(row.uuid): {**opened({name: getattr(row, name) for name in WRITTEN}, flow.keys),
                            "at": row.at, "display_at": row.display_at, "pins": (row.pinned, row.rectified)}
            for row in found if str(row.uuid) in uuids}


def test_both_come_to_the_same_round_after_round(
        flow: Flow, spark: SparkSession, profiles: Profiles, letters: DeadLetters) -> None:
    chance, keys, offsets, seen = random.Random(11), flow.keys, [0, 0], Counter[str]()
    packs = [Pack(number, keys) for number in range(PACKS)]
    uuids = [uuid for pack in packs for uuid in pack.names.uuids]
    known, said = Known(), list[str]()
    for number in range(ROUNDS):
        for pack in packs:
            pack.happen(chance, offsets, [])
        sent: list[Sent] = [(one.uuid, varied(value(one), one.at.offset), one.at) for pack in packs for one in pack.records]
        sent += [(uuid, None, Position(START, 1, 10 ** 6 + place)) for place, uuid in enumerate(uuids[:3])]
        orders = [order for pack in packs for order in pack.orders if order.verb != "rectify"]
        raw, timestamp = raw_of(spark, sent), (START + number) * 1000
        small = SmallBatch(Surroundings(flow.settings, keys, letters, known), profiles, raw, number)
        whole = SparkBatch(Surroundings(flow.settings, keys, letters), raw, number)
        assert small.fingerprint() == whole.fingerprint()
        assert (small.figures, small.ends, small.synthetic) == (whole.figures, whole.ends, whole.synthetic)
        assert small.figures["nulls"] == 3
        markers = small.markers()
        assert markers == whole.markers()
        verdicts = fold(profiles.markers({order.token for order in orders if order.token}) | markers, orders)
        assert small.set_aside(verdicts) == whole.set_aside(verdicts) == Aside()
        ours, theirs = small.resolve(verdicts), whole.resolve(verdicts)
        assert isinstance(ours, PlainResolved), "it was not left to Spark"
        assert told(ours) == told(theirs), number
        wanted = {row.uuid: opened(row.asDict(), keys) for row in rows(theirs._frame.where("taken"), keys).collect()}
        before = standing(profiles, flow, uuids)
        profiles.delete(ours.deletes, timestamp)
        profiles.recolour(ours.recoloured, timestamp + 1)
        ours.write_rows(timestamp + 1)
        changed = [verdict.marker for verdict in verdicts.values() if verdict.changed]
        known.marked(marker.token for marker in changed)
        profiles.put_markers(changed, timestamp + 1)
        stand = standing(profiles, flow, uuids)
        for uuid, row in wanted.items():
            assert stand[uuid] == {**row, "at": timestamp + 1, "display_at": timestamp + 1, "pins": (None, None)}
        others = [uuid for uuid in before if uuid not in (*wanted, *ours.recoloured)]
        assert {uuid: stand.get(uuid) for uuid in others} == {
            uuid: None if uuid in ours.deletes else before[uuid] for uuid in others}
        seen.update({**ours.figures, **{name: len(getattr(ours, name)) for name in ("deletes", "recoloured", "barred")}})
        whole.close()
        small.close()
        if number == 1:    # the later rounds ask for nobody who surely has none
            known.learn(profiles, said.append)
            until("it has learnt who stands", lambda: said)
    kinds = ("deletes", "recoloured", "barred", "new", "changed", "stale")
    assert all(seen[name] > 2 for name in kinds), seen


def test_only_who_may_have_a_row_or_a_marker_is_asked_for(
        flow: Flow, spark: SparkSession, profiles: Profiles, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch) -> None:
    people, known, said = generated()[:60], Known(), list[str]()
    sent = sent_of(people)
    known.learn(profiles, said.append)
    until("it has learnt who stands", lambda: said)
    asked: list[tuple[str, list[str]]] = []

    def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(them: Iterable[str], **more: bool) -> Any:
            asked.append((name, list(them)))
            return real(asked[-1][1], **more)
        return ask

    for name in ("rows", "markers"):
        monkeypatch.setattr(profiles, name, noted(name, getattr(profiles, name)))
    around = Surroundings(flow.settings, flow.keys, letters, known)

    def turn(some: Sequence[Sent], verdicts: dict[str, Verdict]) -> PlainResolved:
        asked.clear()
        batch = SmallBatch(around, profiles, raw_of(spark, some), 0)
        batch.fingerprint()
        batch.markers()
        resolved = batch.resolve(verdicts)
        assert isinstance(resolved, PlainResolved)
        resolved.write_rows(START * 1000)
        return resolved

    named = Marker(flow.keys.suppression_token(sent[50][0]), restricted=True)
    assert turn(sent[:40], {}).figures["new"] == 40
    assert asked == [("markers", []), ("rows", [])]
    resolved = turn(sent[30:45], {named.token: Verdict(named, sent[50][0])})
    assert (resolved.figures["new"], resolved.figures["stale"]) == (5, 10)
    assert asked == [("markers", []), ("rows", sorted([*(key for key, *_ in sent[30:40]), sent[50][0]]))]


def sent_of(people: Sequence[dict[str, Any]]) -> list[Sent]:
    """A record of each."""
    return [(one["login"]["uuid"], json.dumps(one).encode(), Position(START, 0, 10 ** 9 + place))
            for place, one in enumerate(people)]


@pytest.mark.parametrize(("first", "why"), [
    (100, "a record is no person"), (110, "somebody has pins"), (120, "a command gives her pins"),
    (130, "a command renewed the key of rows"), (140, "a command renewed the key of e-mails")])
def test_what_is_rarer_is_left_to_spark(
        first: int, why: str, flow: Flow, spark: SparkSession, profiles: Profiles, letters: DeadLetters,
        monkeypatch: pytest.MonkeyPatch) -> None:
    people, keys = generated()[first:first + 10], flow.keys
    sent = sent_of(people)
    token = keys.suppression_token(sent[0][0])
    orders: list[Command] = []
    if why == "a record is no person":
        sent.append((sent[0][0], b"{}", Position(START, 0, 10 ** 9 + 11)))
    if why == "somebody has pins":
        profiles.put_markers([Marker(token, pins='{"email": "x@y.org"}', rectified=1)], START)
    if why == "a command gives her pins":
        orders = [Command(0, START, "rectify", token, sent[0][0], "r", -1, '{"email": "x@y.org"}')]
    batch = SmallBatch(Surroundings(flow.settings, keys, letters), profiles, raw_of(spark, sent), 0)
    whole = SparkBatch(Surroundings(flow.settings, keys, letters), raw_of(spark, sent), 0)
    assert batch.fingerprint() == whole.fingerprint()
    if why == "a command renewed the key of e-mails":
        monkeypatch.setattr(keys, "email", b"\x08" * 32)
    if why == "a command renewed the key of rows":
        monkeypatch.setattr(keys, "columns", {**keys.columns, "k999": b"\x07" * 32})
        monkeypatch.setattr(keys, "current", "k999")
    verdicts = fold(batch.markers(), orders)
    assert batch.set_aside(verdicts).kept == (why == "a record is no person")
    resolved = batch.resolve(verdicts)
    assert isinstance(resolved, SparkResolved)
    assert (batch.ends, batch.figures) == (whole.ends, whole.figures)
    made = rows(resolved._frame.where("taken"), keys).collect()
    assert {row.key_id for row in made} == {keys.current}
    if not orders and why != "somebody has pins":
        assert {row.email_token for row in made} == {keys.email_token(person["email"].strip()) for person in people}
    assert len(made) == 10
    batch.close()
    whole.close()


def test_a_batch_is_small_where_few_records_wait(
        flow: Flow, spark: SparkSession, profiles: Profiles, letters: DeadLetters) -> None:
    batches = Batches(Surroundings(flow.settings, flow.keys, letters), profiles)
    good, bad = (raw_of(spark, sent) for sent in (sent_of(generated()[:1]), [("x", b"{}", Position(START, 0, 1))]))

    def small(most: int) -> bool:
        batch = batches.next(most, good, 0)
        batch.close()
        return isinstance(batch, SmallBatch)

    assert (small(FEW), small(FEW - 1)) == (False, True)
    rare = batches.next(1, bad, 0)
    assert isinstance(rare, SmallBatch)
    rare.fingerprint()
    rare.close()
    assert [small(1) for _ in range(LEFT_FOR + 1)] == [*[False] * LEFT_FOR, True]


def test_nothing_more_is_sent_once_a_write_has_failed(flow: Flow, profiles: Profiles) -> None:
    keyspace = flow.settings.cassandra.keyspace
    tokens = [f"{number:064x}" for number in range(20 * CONCURRENCY)]
    writes: list[Request] = [(f"INSERT INTO {keyspace}.markers (suppression, erased) VALUES (%s, true)", (token,))
                             for token in tokens]
    writes[3] = (f"INSERT INTO {keyspace}.nowhere (suppression) VALUES (%s)", ("x",))

    def there() -> int:
        return len(profiles.markers(tokens))

    with pytest.raises(RollcallError):
        profiles._sent(writes)
    assert there() == CONCURRENCY - 1, "what was sent beside it has ended"
    with pytest.raises(AssertionError):
        until("more is there", lambda: there() >= CONCURRENCY, 2)
