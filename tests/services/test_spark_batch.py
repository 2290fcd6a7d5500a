"""Spark's batch comes to what the plain one comes to, commands included, round after round on the same Cassandra.

Four hundred small batches are packed into one of Spark's: each pack has people, nationalities, domains and hours of its
own, so that what Spark makes of them falls apart into what it made of each.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from engine.clients import cassandra_session
from engine.commands import Command, Marker, Verdict, fold
from engine.person import ARRIVALS, DOMAINS, Cell, Position, Record, Row
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.spark.batch import SparkBatch, SparkResolved, Surroundings, rows
from engine.spark.pins import repin
from engine.stores.dead_letters import DeadLetters
from engine.stores.known import Known
from engine.stores.profiles import Profiles
from engine.stores.schema import PROFILES
from engine.writer.pins import pinned
from engine.writer.plain_batch import PlainBatch, PlainResolved
from engine.writer.write_order import Aside
from governance.masking import HIDDEN_DOMAIN, domain_shown
from tests.histories.steps import HOUR, LATER, VERBS
from tests.histories.world import Names
from tests.people import captured, generated
from tests.proof import Proof
from tests.services.flow import Flow
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

ROUNDS, PACKS, IN_A_PROOF = 5, 120, 400
START, APART = 1_400_000_000_000, 100 * HOUR    # of the first pack, and between packs (ms)
RAW = ("topic string, key binary, value binary, partition int, offset long, timestamp timestamp, "
       "headers array<struct<key: string, value: binary>>")
PERSON = captured("1.4")[0]
FIRST, LAST = PERSON["name"]["first"], PERSON["name"]["last"]
HIDDEN = Cell(DOMAINS, HIDDEN_DOMAIN)
"""The one cell that people of all packs are counted in."""


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """Tables of its own."""
    with Flow(stack, tmp_path_factory.mktemp("batch"), "batch") as made:
        yield made


@dataclass
class Pack:
    """One of the small batches: what is sent to its people, round after round."""

    number: int
    keys: KeyRing
    records: list[Record] = field(default_factory=list)
    orders: list[Command] = field(default_factory=list)
    earlier: list[Record] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names, self.now = Names(self.number), START + self.number * APART
        self.token = {uuid: self.keys.suppression_token(uuid) for uuid in self.names.uuids}

    def happen(self, chance: random.Random, offsets: list[int], commands: list[Command]) -> None:
        """The records and commands of a round; a record may come again in a later one, as after a lost checkpoint."""
        again = [record for record in self.earlier if chance.random() < 0.1]
        self.records, self.orders = again, []
        for _ in range(chance.randrange(0, 12)):
            self.now += chance.choice(LATER)
            partition = chance.randrange(2)    # a person may change partitions
            at = Position(self.now, partition, offsets[partition])
            offsets[partition] += 1
            domain = self.names.domain(chance.choice(("x.org", "y.org", f"{LAST}.org", "adam.org")))
            email = f"A.b@{domain.upper()}"
            self.records.append(Record(
                chance.choice(self.names.uuids), at, self.names.nat(chance.choice("AB")), chance.choice(("female", "male")),
                chance.choice(("1990-01", "1971-12")), domain_shown(f"{FIRST} {LAST}", email), f"{FIRST} {LAST}", email))
        self.earlier = [*self.earlier, *self.records[len(again):]]
        for _ in range(chance.choice((0, 0, 1, 2, 4))):
            self.now += chance.choice(LATER)
            verb, uuid = chance.choice((*VERBS, "lift")), chance.choice(self.names.uuids)
            about = ("", "") if verb == "recount" else (self.token[uuid], uuid)
            cut_off = self.now - chance.choice((3, HOUR)) if verb == "expire" else -1
            pins = chance.choice((self.names.pins(chance.randrange(5)), self.own(chance))) if verb == "rectify" else ""
            commands.append(Command(len(commands), self.now, verb, *about, "r", cut_off, pins))
            self.orders.append(commands[-1])

    def own(self, chance: random.Random) -> str:
        """Rectifications after which a domain is hidden, or shown again, by what is not pinned."""
        return json.dumps(chance.choice((
            {"name": {"first": "Adam", "last": "Bo"}}, {"email": f"me@{self.names.domain(LAST)}.org"},
            {"email": f"me@{self.names.domain('adam')}.org"}, {"email": "x@localhost"})))

    def plain(self, number: int, verdicts: dict[str, Verdict]) -> PlainResolved:
        """What the plain batch makes of this pack alone."""
        mine = {token: verdicts[token] for token in self.token.values() if token in verdicts}
        found: Any = {token: verdict.marker for token, verdict in mine.items()}
        return PlainBatch(number, self.records, self.token.__getitem__, lambda _: found,
                          lambda uuids: {uuid: self.rows[uuid] for uuid in uuids if uuid in self.rows}).resolve(mine)

    def after(self, done: PlainResolved, verdicts: dict[str, Verdict]) -> dict[str, Row]:
        """The rows that must stand after the turn."""
        rows = {uuid: row for uuid, row in self.rows.items() if uuid not in done.deletes}
        for uuid, token in done.repinned.items():
            rows[uuid] = pinned(rows[uuid], verdicts[token].marker.pins, verdicts[token].marker.rectified)
        for uuid, counted in done.recoloured.items():
            rows[uuid] = replace(rows[uuid], counted=counted)
        return {**rows, **{row.uuid: row for row, _ in done.rows}}


def value(record: Record) -> bytes:
    """The record as a person of the source."""
    return json.dumps({
        **PERSON, "nat": record.nat, "gender": record.gender, "login": {"uuid": record.uuid},
        "dob": {"date": f"{record.birth_month}-07T01:02:03.000Z", "age": 5},
        "email": record.email}).encode()


def raw_of(spark: SparkSession, sent: Sequence[tuple[str, bytes | None, Position]]) -> DataFrame:
    """Records (key, value, place) as Kafka's source gives them."""
    return spark.createDataFrame([
        ("t", bytearray(key.encode()), None if text is None else bytearray(text), at.partition, at.offset,
         datetime.fromtimestamp(at.appended_at / 1000, UTC), None) for key, text, at in sent], RAW)


def test_spark_and_plain_python_come_to_the_same(flow: Flow, spark: SparkSession, proof: Proof) -> None:
    count = IN_A_PROOF if proof.path else PACKS
    chance, keys, offsets, commands = random.Random(7), flow.keys, [0, 0], list[Command]()
    packs = [Pack(number, keys) for number in range(count)]
    uuids = [uuid for pack in packs for uuid in pack.names.uuids]
    letters, seen = DeadLetters(flow.settings, "stream", keys), Counter[str]()
    with cassandra_session(flow.settings, "provision") as session:
        profiles = Profiles(session, flow.settings.cassandra.keyspace, keys)
        for number in range(ROUNDS):
            for pack in packs:
                pack.happen(chance, offsets, commands)
            records = [record for pack in packs for record in pack.records]
            raw = raw_of(spark, [(record.uuid, value(record), record.at) for record in records])
            batch = SparkBatch(Surroundings(flow.settings, keys, letters), raw, number)
            assert batch.fingerprint().split(":")[0] == str(len(records))
            markers = batch.markers()
            assert markers == profiles.markers({keys.suppression_token(record.uuid) for record in records})
            orders = [order for pack in packs for order in pack.orders]
            verdicts = fold(profiles.markers({order.token for order in orders if order.token}) | markers, orders)
            assert batch.set_aside(verdicts) == Aside()
            resolved = batch.resolve(verdicts)
            seen.update(compared(packs, number, resolved, verdicts))
            carried_out(flow, spark, profiles, resolved, verdicts, number)
            stand = profiles.rows(uuids)
            for pack in packs:
                assert {uuid: stand[uuid] for uuid in pack.names.uuids if uuid in stand} == pack.rows, (number, pack.number)
            batch.close()
            print(f"round {number}: {len(records)} records, {len(orders)} commands", flush=True)
    letters.close()
    proof.add("spark_as_plain", **seen)
    assert seen["batches"] == ROUNDS * count
    kinds = ("deletes", "recoloured", "repinned", "barred", "new", "changed", "stale", "hidden")
    assert all(seen[name] > count // 8 for name in kinds), seen


def test_only_who_may_have_a_row_or_a_marker_is_looked_for(flow: Flow, spark: SparkSession) -> None:
    people, said, keys = generated()[:400], list[str](), flow.keys
    uuids = [one["login"]["uuid"] for one in people]
    with cassandra_session(flow.settings, "provision") as session:
        profiles, letters, known = Profiles(session, flow.settings.cassandra.keyspace, keys), DeadLetters(
            flow.settings, "stream", keys), Known()
        known.learn(profiles, said.append)
        until("it has learnt who stands", lambda: said)

        def resolved(numbers: Sequence[int], known: Known, verdicts: dict[str, Verdict] | None) -> tuple[SparkResolved, str]:
            raw = raw_of(spark, [(uuids[number], json.dumps(people[number]).encode(), Position(START, 0, 10 ** 9 + place))
                                 for place, number in enumerate(numbers)])
            batch = SparkBatch(Surroundings(flow.settings, keys, letters, known), raw, 0)
            batch.fingerprint()
            markers = batch.markers()
            assert markers == profiles.markers({keys.suppression_token(uuids[number]) for number in numbers})
            done = batch.resolve(fold(markers, []) | (verdicts or {}))
            return done, done._frame._jdf.queryExecution().executedPlan().toString()

        def same(numbers: Sequence[int], verdicts: dict[str, Verdict] | None = None) -> tuple[SparkResolved, str]:
            """What comes of them is the same as where everybody is looked for."""
            asked, plan = resolved(numbers, Known(), verdicts)
            assert "Cassandra" in plan
            told, plan = resolved(numbers, known, verdicts)
            assert (told.deltas, told.figures, told.deletes, told.recoloured) == (
                asked.deltas, asked.figures, asked.deletes, asked.recoloured)
            assert rows_made(told, keys) == rows_made(asked, keys)
            return told, plan

        told, plan = same(range(200))
        assert "Cassandra" not in plan
        assert told.figures["new"] == 200
        told.write_rows(START * 1000)
        told, plan = same([*range(180, 300), 250, 250])
        assert plan.count("Union") == 1, "of those who came once and have no row none is looked for"
        assert (told.figures["new"], told.figures["stale"]) == (100, 22)
        told, plan = same(range(120, 300))
        assert "Union" not in plan, "too many may have one to tell them apart"
        assert (told.figures["new"], told.figures["stale"]) == (100, 80)
        restricted = Marker(keys.suppression_token(uuids[350]), restricted=True)
        named = {restricted.token: Verdict(restricted, uuids[350])}
        told, _ = same([*range(300, 400), 199], named)
        assert (told.figures["new"], told.figures["stale"]) == (100, 1)
        assert sorted(row.uuid for row in told._frame.select("uuid").collect()) == sorted([*uuids[300:400], uuids[199]])
        told.write_rows(START * 1000 + 1)
        profiles.put_markers([restricted], START * 1000 + 1)
        known.marked([restricted.token])
        told, _ = same([*range(350, 352)])
        assert told.figures["stale"] == 2
    letters.close()


def rows_made(resolved: SparkResolved, keys: KeyRing) -> dict[str, Any]:
    """What would be written, without what is sealed, for that is another each time."""
    made = rows(resolved._frame.where("taken"), keys)
    clear = [column.name for column in PROFILES.columns if not column.masked and column.name in made.columns]
    return {row.uuid: row.asDict() for row in made.select(*clear).collect()}


def places(packs: list[Pack], cells: Iterable[Cell]) -> dict[int, set[Cell]]:
    """Cells by the number of the pack they are of."""
    nats = {pack.names.nat(""): pack.number for pack in packs}
    domains = {pack.names.domain("").rstrip("."): pack.number for pack in packs}
    found: dict[int, set[Cell]] = {pack.number: set() for pack in packs}
    for cell in cells:
        if cell == HIDDEN:
            continue
        if cell.collection == ARRIVALS:
            at = datetime.strptime(cell.document + "+0000", "%Y-%m-%dT%H%z").timestamp() * 1000
            found[int(at - START + HOUR) // APART].add(cell)
        else:
            found[domains[cell.document.split(".")[0]] if cell.collection == DOMAINS else nats[cell.document[:3]]].add(cell)
    return found


def compared(packs: list[Pack], number: int, ours: SparkResolved, verdicts: dict[str, Verdict]) -> Counter[str]:
    """Compares what Spark made of each pack with what plain Python makes of it; returns what was met."""
    mine = places(packs, ours.deltas)
    seen, hidden = Counter(batches=len(packs)), []
    for pack in packs:
        plain, where = pack.plain(number, verdicts), (number, pack.number)
        hidden += [plain.deltas.pop(HIDDEN)] if HIDDEN in plain.deltas else []
        assert {cell: ours.deltas[cell] for cell in mine[pack.number]} == dict(plain.deltas), where
        for name in ("deletes", "barred"):
            assert sorted(uuid for uuid in getattr(ours, name) if uuid in pack.token) == sorted(getattr(plain, name)), where
            seen[name] += len(getattr(plain, name))
        for name in ("recoloured", "repinned"):
            told = getattr(ours, name)
            assert {uuid: told[uuid] for uuid in pack.token if uuid in told} == getattr(plain, name), where
            seen[name] += len(getattr(plain, name))
        seen.update({name: plain.figures.get(name, 0) for name in ("new", "changed")})
        seen["barred_records"] += sum(verdicts.get(pack.token[record.uuid], Verdict(Marker(""))).bars(record.at.appended_at)
                                      for record in pack.records)
        pack.rows = pack.after(plain, verdicts)
    assert ours.deltas.get(HIDDEN) == (sum(hidden) if hidden else None)
    seen["hidden"] = len(hidden)
    valid = sum(len(pack.records) for pack in packs)
    seen["stale"] = valid - seen["new"] - seen["changed"] - seen["barred_records"]
    figures = {name: seen[name] for name in ("new", "changed", "stale")}
    assert {name: ours.figures[name] for name in figures} == figures
    assert (ours.figures["barred"], ours.figures["valid"]) == (seen["barred_records"], valid)
    return seen


def carried_out(flow: Flow, spark: SparkSession, profiles: Profiles, resolved: SparkResolved, verdicts: dict[str, Verdict],
                number: int) -> None:
    """Writes as the write order does."""
    timestamp = (START + number) * 1000
    profiles.delete(resolved.deletes, timestamp)
    profiles.recolour(resolved.recoloured, timestamp + 1)
    if resolved.repinned:
        repin(flow.settings, spark, flow.keys, {uuid: verdicts[token].marker for uuid, token in resolved.repinned.items()},
              timestamp + 1)
    resolved.write_rows(timestamp + 1)
    profiles.put_markers([verdict.marker for verdict in verdicts.values() if verdict.changed], timestamp + 1)
