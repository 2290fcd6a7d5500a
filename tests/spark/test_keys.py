"""Spark seals and makes tokens as engine/sealing.py does, columns come out right, and no plan or event log shows a key."""

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from engine.person import dashed
from engine.sealing import KeyRing
from engine.spark import columns, domains
from engine.spark.columns import KEPT, REASONS
from engine.spark.keys import opened, sealed, with_ring
from engine.spark.pins import pinned_domain
from engine.stores.profiles import row_of
from engine.writer.pins import pinned
from governance.masking import HIDDEN, HIDDEN_DOMAIN, MASKS, NO_INITIAL, domain_shown, folded, masked
from tests.governance.test_masking import HARD
from tests.people import captured, generated
from tests.plain_spark import plain_spark

pytestmark = pytest.mark.long

UUID = "9a723211-0e87-41f1-b1e4-ed1a15226b80"


@pytest.fixture(scope="module")
def keys() -> KeyRing:
    return KeyRing("k002", {"k001": os.urandom(32), "k002": os.urandom(32)}, *[os.urandom(32) for _ in range(4)])


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session without connectors that writes an event log, which the product's does not."""
    folder = tmp_path_factory.mktemp("spark")
    options = {"spark.sql.session.timeZone": "UTC", "spark.eventLog.enabled": "true", "spark.eventLog.dir": str(folder),
               "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.sql.debug.maxToStringFields": "1000"}
    with plain_spark("columns", options=options) as session:
        session.conf.set("test.events", str(folder))
        yield session


def as_rows(spark: SparkSession, people: list[dict[str, Any]], keys: KeyRing) -> list[Row]:
    """Readable and sealed columns of these people, and what was sealed in clear."""
    values = [(bytearray(json.dumps(person, ensure_ascii=False).encode()),) for person in people]
    frame = with_ring(spark.createDataFrame(values, "value binary"), keys).withColumn(
        "person", columns.person_of(columns.read(F.col("value"))))
    person, ring, uuid = F.col("person"), F.col("ring"), columns.uuid_of(F.col("person"))
    birth, today = columns.birth_date(person), F.lit("2026-11-24").cast("date")
    clear, personal = columns.readable(person, birth, today, ring), columns.personal(person, birth)
    chosen = frame.select(uuid.alias("uuid"), "ring", *[value.alias(name) for name, value in clear.items()],
                          *[value.alias(f"clear_{name}") for name, value in personal.items()],
                          *[sealed(value, uuid, name, ring).alias(name) for name, value in personal.items()])
    return chosen.select("*", *[opened(F.col(name), F.col("uuid"), name, F.col("ring")).alias(f"opened_{name}")
                                for name in personal]).drop("ring").collect()


def test_python_opens_what_spark_seals_and_spark_opens_it_too(spark: SparkSession, keys: KeyRing) -> None:
    for row in as_rows(spark, [*captured("1.2"), *captured("1.4")], keys):
        for name in columns.SEALED:
            assert keys.open_column(row.uuid, name, bytes(row[name])) == row[f"clear_{name}"] == row[f"opened_{name}"]
        assert row.email_token == keys.email_token(row.clear_email)


def test_spark_opens_what_python_sealed_under_an_earlier_key(spark: SparkSession, keys: KeyRing) -> None:
    earlier = KeyRing("k001", keys.columns, keys.email, keys.suppression, keys.control, keys.dead)
    boxes = [(UUID, bytearray(earlier.seal_column(UUID, "phone", "0479-155-388"))), (UUID, bytearray(b"k001 damaged"))]
    frame = with_ring(spark.createDataFrame(boxes, "uuid string, box binary"), keys)
    found = frame.select(opened(F.col("box"), F.col("uuid"), "phone", F.col("ring")).alias("phone")).collect()
    assert [row.phone for row in found] == ["0479-155-388", None]
    moved = frame.select(opened(F.col("box"), F.col("uuid"), "email", F.col("ring")).alias("email")).collect()
    assert [row.email for row in moved] == [None, None]


def test_columns_of_people_of_all_nationalities(spark: SparkSession, keys: KeyRing) -> None:
    people = list({person["nat"]: person for person in generated()}.values())
    by_uuid = {row.uuid: row for row in as_rows(spark, people, keys)}
    assert len(by_uuid) == 21
    for person in people:
        row, place = by_uuid[person["login"]["uuid"]], person["location"]
        assert row.clear_full_name == f"{person['name']['first']} {person['name']['last']}"
        assert str(place["postcode"]) in row.clear_full_address
        assert (row.nat, row.gender, row.city) == (person["nat"], person["gender"], place["city"])
        assert row.birth_month == person["dob"]["date"][:7]
        assert row.display_name == f"{person['name']['first'][0].upper()}. {person['name']['last'][0].upper()}."
        assert set(KEPT) <= set(row.asDict())


def test_whom_a_bad_record_is_about_a_number_may_have_lost_its_dashes(spark: SparkSession) -> None:
    other, bare, digest = UUID.replace("9a", "8b"), UUID.replace("-", ""), "0f" * 16
    cases = [(UUID, f"of {other.upper()} and {bare}", {UUID, other}), (UUID, "of nobody", {UUID}), (bare.upper(), "{", {UUID}),
             ("nobody", f"of {bare.upper()}", {UUID}), (UUID, f"md5 {digest}", {UUID, dashed(digest)}),
             ("nobody", f"sha256 {digest}{digest}", set()), (UUID, None, {UUID})]
    frame = spark.createDataFrame([(bytearray(key.encode()), value and bytearray(value.encode())) for key, value, _ in cases],
                                  "key binary, value binary")
    found = [set(row.whose) for row in frame.select(columns.about(F.col("key"), F.col("value")).alias("whose")).collect()]
    assert found == [whose for _, _, whose in cases]


def test_older_shapes_give_the_same_columns(spark: SparkSession, keys: KeyRing) -> None:
    older = {"gender": "female", "name": {"first": "marlene", "last": "øverli"}, "nat": "NO", "email": "M.Øverli@Example.com",
             "location": {"street": "rosenlundgata 4884", "city": "blaker", "state": "", "postcode": "0209"},
             "login": {"uuid": UUID.upper()}, "dob": "1977-01-17 03:04:05", "registered": "2009-09-01 00:00:00", "phone": " "}
    row = as_rows(spark, [older], keys)[0]
    assert row.uuid == UUID
    assert row.clear_full_address == "rosenlundgata 4884, 0209 blaker"
    assert (row.birth_month, row.registered_month, row.age) == ("1977-01", "2009-09", 49)
    assert (row.email_domain, row.postcode_area, row.state, row.clear_phone) == ("example.com", "02", None, None)


def test_what_is_stored_readable_is_what_the_masks_show(spark: SparkSession, keys: KeyRing) -> None:
    """And no more: what a mask hides is null, and a domain HIDDEN_DOMAIN. Also of what `reason` refuses."""
    hard = [{**captured("1.4")[0], **case} for name, case, _ in HARD if name != "half a surrogate pair"]
    people = [*captured("1.2"), *captured("1.4"), *generated(), *hard]
    for number, person in enumerate(people):
        person["login"] = {"uuid": f"{number:08}-0000-4000-8000-000000000000"}
    rows = {row.uuid: row for row in as_rows(spark, people, keys)}
    for person in people:
        shown: Any = masked(person)
        row, place = rows[person["login"]["uuid"]], shown["location"] if isinstance(shown["location"], dict) else {}
        if isinstance(shown["name"], dict):
            parts = [shown["name"].get(part, HIDDEN) for part in ("first", "last")]
            assert row.display_name == " ".join(part for part in parts if part != HIDDEN) or person["name"]["last"] == 7
        pairs = [(shown["email"], f"{HIDDEN}@{row.email_domain}"), (place.get("postcode", HIDDEN), row.postcode_area),
                 *[(place.get(name, HIDDEN), row[name]) for name in ("city", "state", "country")],
                 *[(shown[name]["date"] if isinstance(shown[name], dict) else shown[name], row[column])
                   for name, column in (("dob", "birth_month"), ("registered", "registered_month"))]]
        for mask, stored in pairs:
            assert mask == stored or (mask == HIDDEN and stored in (None, f"{HIDDEN}@{HIDDEN_DOMAIN}")), person
        assert "email" not in person or row.email_domain == (shown["email"].partition("@")[2] or HIDDEN_DOMAIN)


def test_the_initial_of_every_sign_is_the_same_in_spark_and_in_the_masks(spark: SparkSession) -> None:
    """As far as both know the sign: each has a version of Unicode of its own. U+FEFF is lost on the way into Spark."""
    sign = F.expr("decode(unhex(lpad(hex(id), 8, '0')), 'UTF-32BE')")
    person = F.struct(F.struct(F.concat(sign, F.lit("x")).alias("first"), F.lit("").alias("last")).alias("name"))
    frame = spark.range(0x21, 0x110000).where("id not between 55296 and 57343 and id != 65279").select(
        "id", sign.rlike(r"\p{Cn}").alias("unknown"), columns.display_name(person).alias("shown")).where("not unknown")
    known = [(chr(row.id), row.shown) for row in frame.collect() if unicodedata.category(chr(row.id)) != "Cn"]
    assert len(known) > 200_000
    assert [sign for sign, shown in known if shown != MASKS["initials"](sign + "x")] == []
    assert ("ß", "S.") in known
    assert ("李", f"{NO_INITIAL}.") in known


def test_the_words_of_every_sign_are_the_same_in_spark_and_in_the_masks(spark: SparkSession) -> None:
    """Those that a domain could hold, of text with the sign in it. As far as both know the sign, as above."""
    sign = F.expr("decode(unhex(lpad(hex(id), 8, '0')), 'UTF-32BE')")
    words = domains.words(F.concat(F.lit("ab"), sign, F.lit("cd"), sign))
    frame = spark.range(0x21, 0x110000).where("id not between 55296 and 57343 and id != 65279").select(
        "id", sign.rlike(r"\p{Cn}").alias("unknown"), words.alias("words")).where("not unknown")
    known = [(chr(row.id), row.words) for row in frame.collect() if unicodedata.category(chr(row.id)) != "Cn"]
    assert len(known) > 200_000

    def in_domains(found: list[str]) -> list[str]:
        return [word for word in found if word.isascii()]

    assert [sign for sign, found in known
            if in_domains(found) != in_domains(re.findall(r"[^\W\d_]{2,}", folded(f"ab{sign}cd{sign}")))] == []
    assert ("É", ["abecde"]) in known
    assert ("ﬁ", ["abficdfi"]) in known


def test_a_row_is_corrected_from_its_pins_as_the_plain_batch_corrects_it(spark: SparkSession, keys: KeyRing) -> None:
    """Name or address may be pinned: what is not is read of the row, where it is sealed."""
    cases: list[tuple[str, str, str | None, str | None]] = [
        (json.dumps(pins), domain, name, email)
        for pins in ({"email": "me@lovelace.name"}, {"email": "Me@Byron.Example"}, {"nat": "IE"},
                     {"name": {"last": "Lovelace"}}, {"name": {"first": "Jo", "last": "Byron"}}, {"email": "x@localhost"},
                     {"name": {"first": "Zoë"}, "email": "x@zoe.org"})
        for domain, name, email in (("lovelace.name", "Ada Byron", "me@lovelace.name"),
                                    ("byron.example", "Ada Lovelace", "b@byron.example"),
                                    (HIDDEN_DOMAIN, "Ada Lovelace", "x@ada.example"), ("kept.example", None, None))]
    boxes = [(pins, domain, *[value and bytearray(keys.seal_column(UUID, column, value))
                              for column, value in (("full_name", name), ("email", email))])
             for pins, domain, name, email in cases]
    frame = with_ring(spark.createDataFrame(boxes, "pins string, stored string, full_name binary, email binary"), keys)
    name, email = [opened(F.col(column), F.lit(UUID), column, F.col("ring")) for column in ("full_name", "email")]
    made = frame.select(pinned_domain(F.from_json("pins", columns.PERSON), name, email, F.col("stored")).alias("domain"))
    row = SimpleNamespace(uuid=UUID, appended_at=None, source_partition=0, source_offset=0, first_seen=None, counted=True,
                          nat="GB", gender="female", birth_month="1815-12", rectified=None)
    plain = []
    for (pins, domain, *_), (*_, full_name, address) in zip(cases, boxes, strict=True):
        stands = row_of(SimpleNamespace(**vars(row), email_domain=domain, full_name=full_name, email=address), keys)
        plain.append(pinned(stands, pins, 1).email_domain)
    assert [found.domain for found in made.collect()] == plain
    assert plain == [HIDDEN_DOMAIN if one == "-" else one for one in (
        "lovelace.name", "-", "-", "lovelace.name", "-", "byron.example", "byron.example", "byron.example",
        "lovelace.name", "byron.example", "-", "kept.example", "-", "byron.example", "ada.example", "kept.example",
        "lovelace.name", "-", "ada.example", "kept.example", *["-"] * 8)]
    again = pinned(pinned(replace(stands, full_name="Ada"), '{"email": "x@ada.example"}', 1), '{"name": {"first": "Bo"}}', 2)
    assert (again.email_domain, again.full_name) == ("ada.example", "Bo")
    assert domain_shown("", "x@ada.example") == "ada.example"


@pytest.mark.parametrize(("born", "on", "age"), [
    ("2000-02-29", "2026-02-28", 25), ("2000-02-29", "2026-03-01", 26), ("1990-11-24", "2026-11-24", 36),
    ("1990-11-25", "2026-11-24", 35), ("2026-11-24", "2026-11-24", 0)])
def test_age_is_whole_years_on_the_day(spark: SparkSession, born: str, on: str, age: int) -> None:
    days = spark.range(1).select(F.lit(born).cast("date").alias("born"), F.lit(on).cast("date").alias("day"))
    assert days.select(columns.age(F.col("born"), F.col("day")).alias("age")).collect()[0].age == age


def but(**changes: Any) -> bytes:
    return json.dumps({**captured("1.4")[0], **changes}).encode()


WRONG: list[tuple[str | None, bytes | None]] = [
    (None, but()), (None, None), ("empty", b""), ("empty", b" \n"), ("not_json", but()[:100]), ("not_json", b"[]"),
    ("not_json", but() + b" and more"), ("not_json", b"\xff\xfe"), ("not_json", but(name=["x"])), ("not_json", b"null"),
    ("answer", b'{"results": [{}]}'), ("no_uuid", but(login={})), ("no_uuid", but(login={"uuid": "5"})),
    ("key", but(login={"uuid": "9a723211-0e87-41f1-b1e4-ed1a15226b81"})), ("name", but(name={"first": "", "last": " "})),
    ("name", but(name={"first": {"a": 1}, "last": "b"})), ("gender", but(gender=5)), ("gender", but(gender="a.b")),
    ("nat", but(nat=None)), ("nat", but(nat="fr")), ("birth", but(dob={"date": "1990-02-30T00:00:00Z"})),
    ("birth", but(dob={"date": "2990-01-01T00:00:00Z"})), ("birth", but(dob={"date": "1899-12-31T00:00:00Z"})),
    ("birth", but(dob=5)), ("email", but(email="nobody")), ("email", but(email={"a": "b@c"})), ("place", but(phone=["1"])),
    ("place", but(location={"street": [1], "city": "x"})), ("long", but(email="a@" + "d" * 9000 + ".org")),
    ("schema", but()), ("schema", b"{}"), ("unicode", but(nat="FR").replace(b"FR", b"F\xedR")), ("nat", but(nat="FR\n")),
    ("unicode", but(phone="\ud83d")), ("unicode", but(phone="\ude00 \ud83d")), ("unicode", but(phone="\ud83dx\ude00")),
    (None, but(phone="\U0001f600")), (None, but(phone="\\ud83d")), ("unicode", but(phone="\\\ud83d")),
    ("gender", but(gender="male\n")), ("no_uuid", but(login={"uuid": UUID + "\n"})), ("email", but(email="a@b\0.org")),
    ("email", but(email="a@b.org\n")), ("birth", but(dob={"date": "1990-02-03\n"})), (None, but(phone="1\0")),
    ("not_json", b"\xef\xbb\xbf" + but()), ("not_json", but() + but()), ("not_json", but() + b"," + but()),
    ("not_json", but() + b"}], [{" + but()), ("not_json", but() + b"x}"), ("not_json", but() + b',"mark":"1"} {"a":{}'),
    ("not_json", but() + b',"x":2'), ("not_json", b"[" + but() + b"]"), ("not_json", but() + b'],"between":[' + but()),
    ("not_json", but() + b'],"between":[{},' + but() + b",{}"), ("not_json", but().replace(b'"', b"'")),
    ("not_json", but(phone=1).replace(b'"phone": 1', b'"phone": NaN')),
    (None, b" " + but() + b"\n"), ("large", but(more="x" * 1_048_576)), (None, but(more="x" * 1_000_000)),
    ("long", but(name={"first": "a" * 1001, "last": "b"})), ("long", but(location={"city": "c" * 250_000})),
]


def test_what_is_no_person_is_told_by_its_reason(spark: SparkSession) -> None:
    values = [(number, bytearray(UUID.encode()), None if value is None else bytearray(value),
               "2.0" if reason == "schema" else "1.4" if number % 2 else None)
              for number, (reason, value) in enumerate(WRONG)]
    records = spark.createDataFrame(values, "n int, key binary, value binary, schema string")
    frame = records.withColumn("read", columns.read(F.col("value"))).withColumn("person", columns.person_of(F.col("read")))
    key, value, read, person, schema = map(F.col, ("key", "value", "read", "person", "schema"))
    found = frame.select("n", columns.reason(
        key, value, read, person, columns.birth_date(person), F.current_date(), schema).alias("reason"))
    assert {row.n: row.reason for row in found.collect()} == {n: reason for n, (reason, _) in enumerate(WRONG)}
    assert {reason for reason, _ in WRONG if reason} == set(REASONS)


def test_no_plan_and_no_event_log_shows_a_key(spark: SparkSession, keys: KeyRing) -> None:
    secret = [key.hex() for key in (*keys.columns.values(), keys.email)]
    frame = with_ring(spark.createDataFrame([(UUID, "x")], "uuid string, value string"), keys)
    shown = frame.select(sealed(F.col("value"), F.col("uuid"), "phone", F.col("ring")).alias("box"))
    canary = frame.select(F.lit(bytearray(bytes.fromhex(secret[0]))).alias("planted"))
    shown.collect()
    spark.range(3).agg(F.sum("id").alias("canary_in_the_event_log")).collect()
    plans = _plans(shown)
    assert secret[0] in _plans(canary)    # a literal would be seen
    assert not [key for key in secret if key in plans]
    events = "".join(path.read_text() for path in Path(spark.conf.get("test.events") or "").glob("local-*")).lower()
    assert "canary_in_the_event_log" in events
    assert not [key for key in secret if key in events]


def _plans(frame: Any) -> str:
    execution = frame._jdf.queryExecution()
    return "".join(str(plan) for plan in (execution.logical(), execution.analyzed(), execution.optimizedPlan(),
                                          execution.executedPlan())).lower()
