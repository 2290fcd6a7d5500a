"""What each step of the stream can do at most: the same records, one step alone, in one job of Spark that is warm.

The steps are those that engine/spark/batch.py takes, by the same functions; nothing else runs. `STEPS` are the four that any
exact design needs (read and parse, look the row up, write the row, count); the stream also looks markers up and seals.
"""

import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.people import uuid_of
from bench.watching import Ends
from engine.clients import mongo_client
from engine.person import DOMAINS, Cell
from engine.sealing import load_keys
from engine.settings import Settings
from engine.spark.batch import rows
from engine.spark.decisions import counted_cells
from engine.spark.records import parsed
from engine.spark.session import CASSANDRA, cassandra_table, kafka_options
from engine.stores.aggregates import Aggregates
from engine.stores.profiles import STANDING

STEPS = ("parse", "rows_before", "aggregates", "rows")
ALL_STEPS = (*STEPS, "markers", "seal")
TIMES = 3
"""The first ones warm it up; the best counts, of aggregates the last."""

SCRATCH = "bench_ceilings"
SLICES = 10


class Ceilings:
    """Measures people a second of each step over a range of the topic. new: people who are no rows yet; otherwise those of the
    topic, who are. The stream must not run, and rows are written: nothing agrees afterwards."""

    def __init__(self, settings: Settings, spark: SparkSession, ends: tuple[Ends, Ends], new: bool, most: int) -> None:
        self._settings, self._spark, self._new = settings, spark, new
        self._keys = load_keys(settings)
        start, end = ends
        whole = sum(end.values()) - sum(start.get(number, 0) for number in end)
        part = min(1.0, most / whole)
        self._start = {number: start.get(number, 0) for number in end}
        self._end = {number: self._start[number] + int((last - self._start[number]) * part) for number, last in end.items()}
        self.people = sum(self._end.values()) - sum(self._start.values())

    def measured(self) -> dict[str, float]:
        """People a second, by step."""
        found = {"parse": self._best(lambda _: _through(self._parsed()))}
        valid = self._parsed().where("reason IS NULL AND NOT empty").persist()
        assert valid.count() == self.people, "what is measured are records of people alone"
        tokens = valid.select(F.col("suppression").alias("batch_token"))
        found["markers"] = self._best(lambda _: _through(tokens.join(
            self._table("markers"), F.col("batch_token") == F.col("suppression"))))
        found["rows_before"] = self._best(lambda time_: _through(self._others(valid, f"read {time_}").select("who").join(
            self._table("profiles").select(*STANDING), F.col("who") == F.col("uuid"), "left")))
        taken = valid.withColumns({"first_seen": F.col("timestamp"), "counted_after": F.lit(True)})
        found["seal"] = self._best(lambda _: _through(rows(taken, self._keys)))
        made = rows(taken, self._keys).persist()
        made.count()
        found["rows"] = self._best(lambda time_: self._write(self._others(made, f"written {time_}", "uuid")))
        found["aggregates"] = self._counted(made)
        made.unpersist()
        valid.unpersist()
        return {name: round(rate, 1) for name, rate in found.items()}

    def _parsed(self) -> DataFrame:
        raw = (self._spark.read.format("kafka").options(**kafka_options(self._settings, "verify"))
               .option("subscribe", self._settings.kafka.topic).option("includeHeaders", "true")
               .option("startingOffsets", _offsets(self._settings, self._start))
               .option("endingOffsets", _offsets(self._settings, self._end)).load())
        return parsed(raw, self._keys)

    def _others(self, people: DataFrame, salt: str, column: str = "person_uuid") -> DataFrame:
        """The people, under `who` and in `column`; of new ones, under uuids nobody has yet."""
        who = uuid_of(salt, F.col(column)) if self._new else F.col(column)
        return people.withColumn(column, who).withColumn("who", F.col(column))

    def _table(self, name: str) -> DataFrame:
        return (self._spark.read.format(CASSANDRA).options(**cassandra_table(self._settings, name))
                .option("directJoinSetting", "on").load())

    def _write(self, made: DataFrame) -> None:
        stamp = str(int(time.time() * 1_000_000))
        (made.drop("who").write.format(CASSANDRA).options(**cassandra_table(self._settings, "profiles"))
         .option("spark.cassandra.output.timestamp", stamp).option("spark.cassandra.output.ignoreNulls", "false")
         .mode("append").save())

    def _counted(self, made: DataFrame) -> float:
        """The deltas of batches as large as the stream's, added to documents that are there."""
        each = self._settings.stream.max_offsets_per_trigger // len(self._end)    # offsets of a partition
        whole = min((self._end[place] - self._start[place]) // each for place in self._end)
        batches = [self._deltas(made, number, each) for number in range(min(SLICES, max(1, whole)))]
        with mongo_client(self._settings, "provision") as client:
            aggregates, stamps = Aggregates(client[SCRATCH], self._settings.mongo.bulk), count(1)
            for _ in range(TIMES):    # the first time makes the documents, the last counts
                began = time.perf_counter()
                for deltas, _ in batches:
                    aggregates.add(deltas, next(stamps))
                seconds = time.perf_counter() - began
            client.drop_database(SCRATCH)
        return sum(people for _, people in batches) / seconds

    def _deltas(self, made: DataFrame, number: int, each: int) -> tuple[Mapping[Cell, int], int]:
        """What one batch adds, and its people. An update as the synthetic source makes them changes no more than a domain."""
        first = F.element_at(F.create_map(*[F.lit(item) for place, start in self._start.items()
                                            for item in (int(place), start)]), F.col("source_partition"))
        batch = made.where((F.col("source_offset") - first).between(number * each, (number + 1) * each - 1))
        cells = counted_cells(batch)
        people = sum(n for cell, n in cells.items() if cell.collection == DOMAINS)
        if not self._new:
            cells = {cell: (n % 3 - 1 if cell.collection == DOMAINS else 0) for cell, n in cells.items()}
        return cells, people

    def _best(self, step: Callable[[int], Any]) -> float:
        taken = []
        for number in range(TIMES):
            began = time.perf_counter()
            step(number)
            taken.append(time.perf_counter() - began)
        return self.people / min(taken)


def _through(frame: DataFrame) -> None:
    """Works a frame out and keeps nothing of it."""
    frame.write.format("noop").mode("overwrite").save()


def _offsets(settings: Settings, ends: Ends) -> str:
    places = ", ".join(f'"{number}": {offset}' for number, offset in ends.items())
    return f'{{"{settings.kafka.topic}": {{{places}}}}}'
