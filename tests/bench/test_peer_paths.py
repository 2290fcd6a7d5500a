"""The usual designs, made again: what they select of a person is hers, with the faults that are theirs and no others."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from bench.peer_findings import garbled, truth
from bench.peer_paths import person, selected
from bench.peer_seed import COLUMNS, row_of
from engine.producer import judged
from engine.sources import Item
from tests.people import generated
from tests.plain_spark import plain_spark

pytestmark = pytest.mark.long

VALUES = [judged(Item("", one)).value.decode() for one in generated()[:50]]


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable    # the functions of path A run in it
    with plain_spark("paths") as session:
        yield session


def parsed(spark: SparkSession, postcode: T.DataType) -> DataFrame:
    """The people as a path parses them."""
    return spark.createDataFrame([(value,) for value in VALUES], ["value"]).select(
        F.from_json("value", person(postcode)).alias("p"))


def test_with_postcodes_as_text_the_usual_path_has_everybody_whole(spark: SparkSession) -> None:
    people = {one.uuid: one for one in (truth(value.encode()) for value in VALUES)}
    rows = selected(parsed(spark, T.StringType())).collect()
    assert {row.id for row in rows} == people.keys()
    for row in rows:
        one = people[row.id]
        assert (row.full_name, row.nat) == (one.personal["name"], one.nat)
        assert row.address == hashlib.sha256(one.address.encode()).hexdigest()
        assert row.email == hashlib.sha256(one.personal["e-mail"].encode()).hexdigest()


def test_with_postcodes_as_numbers_it_has_not(spark: SparkSession) -> None:
    people = [json.loads(value) for value in VALUES]
    letters = {one["login"]["uuid"] for one in people if not isinstance(one["location"]["postcode"], int)}
    whole = {row.id: row.address for row in selected(parsed(spark, T.StringType())).collect()}
    rows = {row.id: row.address for row in selected(parsed(spark, T.IntegerType())).collect()}
    assert 0 < len(letters) < len(people)
    assert {ident for ident in whole if rows.get(ident) != whole[ident]} == letters


def test_the_seed_stores_names_of_objects(spark: SparkSession) -> None:
    row = row_of(spark, VALUES[0]).first()
    assert row is not None
    assert tuple(row.asDict()) == COLUMNS
    assert garbled([row.asDict()]) == 1.0
    assert row.nat == truth(VALUES[0].encode()).nat
    assert row.dob_year == str(truth(VALUES[0].encode()).birth.year)
